// The records behind a figure, over the wall's map: to read only. They go by a click, by Esc, by themselves, and for an alert.

import {put, rings, setProps, show, tell} from '../desk/dom.mjs';
import {formulaOf, nameOf} from '../desk/tiles.mjs';
import {live} from '../live.mjs';
import {t} from '../text.mjs';

const host = () => document.querySelector('[data-records]');
let timer = null;

/** Give the map back. */
function close() {
  clearTimeout(timer);
  show(host(), false);
}

/** Show what the figure of `item` counts. */
export function openRecords(item) {
  const box = host();
  put(box.querySelector('[data-records-title]'), nameOf(item));
  put(box.querySelector('[data-formula]'), `${t('word.formula')}：${formulaOf(item)}`);
  setProps('wall-records-body', {children: []});
  tell('wall-records-ask', {of: item.id, records: item.records, area: item.area});
  show(box, true);
  clearTimeout(timer);
  timer = setTimeout(close, Number(box.dataset.closeS) * 1000);
}

/** Begin to listen for what closes them. */
export function startRecords() {
  document.addEventListener('click', ({target}) => { if (!target.closest('[data-of]')) close(); });
  document.addEventListener('keydown', ({key}) => { if (key === 'Escape') close(); });
  let known = new Set();
  live.addEventListener('applied', () => {
    const now = new Set([...live.items('incident').values()].filter(rings).map((i) => i.key));
    // One that rings already was seen before the records were asked for; a new one has the map at once.
    if ([...now].some((key) => !known.has(key))) close();
    known = now;
  });
}
