// What a page does not know, in words: before the first snapshot nothing is 0, it is not known; and why it is not.

import {live} from '../live.mjs';
import {t} from '../text.mjs';
import {el, icon, put, show} from './dom.mjs';

const FORBIDDEN = 403;

/** Why the live items are not known: '' when they are. */
export function unknownWords() {
  if (live.ready) return '';
  if (live.fault === null) return t('ui.loading');
  return t(live.fault === FORBIDDEN ? 'ui.unknown.forbidden' : 'ui.unknown');
}

/** The words and, where that helps, a button to ask again; what was there before is replaced. */
export function tellUnknown(host) {
  const words = unknownWords();
  show(host, Boolean(words));
  const offer = live.fault !== null && live.fault !== FORBIDDEN;
  const signature = `${words}${offer}`;
  if (!words || (host.dataset.signature === signature && host.firstChild)) return;
  host.dataset.signature = signature;
  const said = el('span');
  put(said, words);
  host.replaceChildren(el('div.cy-empty', {role: 'status'}, icon(live.fault === null ? 'ellipsis' : 'circle-help'), said,
    offer && el('button.cy-button.cy-button--small', {type: 'button', dataset: {liveAgain: ''}, onclick: () => live.again()}, t('ui.again'))));
}

/** Keep `host` saying why the live items are not known, until they are. */
export function watchUnknown(host) {
  const draw = () => tellUnknown(host);
  for (const name of ['fault', 'applied']) live.addEventListener(name, draw);
  draw();
}
