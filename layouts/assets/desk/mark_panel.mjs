// 标绘 at the desk: draw a point, line or area with a word on everybody's map, see which stand, clear them.

import {showMarks, standing} from '../map/shared_marks.mjs';
import {live} from '../live.mjs';
import {ago, span, t} from '../text.mjs';
import {command} from './commands.mjs';
import {el, icon, put, reconcile, show} from './dom.mjs';
import {toast} from './shell.mjs';

const SHAPES = {point: [1, 1], line: [2, 60], polygon: [3, 60]};
const MINUTES = [30, 120, 480, 1440];

/** Add the panel to the tools over the map. */
export function startMarkPanel(tools, map) {
  const shared = showMarks(map);
  const word = el('input.cy-input', {type: 'text', maxLength: 40, placeholder: t('marks.word'), autocomplete: 'off'});
  const minutes = el('select.cy-select', {title: t('marks.minutes')}, MINUTES.map((n) => el('option', {value: n, selected: n === 120}, span(n * 60))));
  const done = el('button.cy-button.cy-button--primary.cy-button--small', {type: 'button', hidden: true, dataset: {markDone: ''}}, t('marks.done'));
  const list = el('div.marks__list');
  const panel = el('details.tool.cy-panel.cy-panel--float', {dataset: {markPanel: ''}},
    el('summary', {}, icon('pencil'), t('marks.panel')),
    el('div.tool__body', {}, word, minutes,
      el('div.screen__row', {}, Object.keys(SHAPES).map((shape) => el('button.cy-button.cy-button--small', {type: 'button', dataset: {shape}, onclick: () => draw(shape)}, t(`marks.${shape}`))), done),
      list));
  tools.append(panel);
  let finish = false;

  done.addEventListener('click', () => {
    finish = true;
    // Ends the waiting for the next point, as Esc does.
    document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}));
  });

  async function draw(shape) {
    if (!word.value.trim()) {
      word.classList.add('is-wrong');
      word.focus();
      return toast(t('marks.word_needed'), 'warn');
    }
    word.classList.remove('is-wrong');
    const [least, most] = SHAPES[shape];
    const points = [];
    finish = false;
    while (points.length < most) {
      const point = await map.pickPoint();
      if (!point) break;
      points.push([point.lon, point.lat]);
      shared.draft(shape, points);
      show(done, points.length >= least && most > 1);
    }
    show(done, false);
    shared.draft(null);
    if (points.length < least || (!finish && most > 1)) return undefined;
    const made = await command('draw_mark', {shape, points, word: word.value.trim(), minutes: Number(minutes.value)});
    if (made) word.value = '';
    return made;
  }

  const make = (mark) => el('div.marks__one', {}, el('span.marks__word'), el('span.cy-dim.marks__by'),
    el('button.cy-button.cy-button--icon.cy-button--ghost.cy-button--small', {type: 'button', title: t('marks.clear'), dataset: {clearMark: mark.mark}, onclick: () => command('clear_mark', {mark: mark.mark})}, icon('x')));
  const update = (row, mark) => {
    put(row.querySelector('.marks__word'), mark.word);
    put(row.querySelector('.marks__by'), `${mark.name} · ${ago((live.now() - mark.drawn_at) / 1000)}`);
  };
  const list_ = () => panel.open && reconcile(list, standing(), (mark) => mark.mark, make, update);
  live.addEventListener('applied', ({detail}) => { if (detail.replaced || detail.changed.some(([kind]) => kind === 'mark')) list_(); });
  panel.addEventListener('toggle', list_);
  setInterval(list_, 5000);
}
