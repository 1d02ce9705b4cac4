// Filters that a chart has set, as chips beside the list's own: each says what it holds and takes itself away.

import {live} from '../live.mjs';
import {cityTime, t} from '../text.mjs';
import {el, put, reconcile, show} from './dom.mjs';

/** "14:00–15:00" of today, of another day "11-30 14:00–15:00": [from, until] in ms. */
export function spanWords([from, until], now) {
  const [a, b] = [cityTime(from), cityTime(until)];
  const sameDay = a.date === cityTime(until - 1).date; // midnight at the end of a day is no other day
  return `${a.date === cityTime(now).date ? a.time : a.short}–${sameDay ? b.time : b.short}`;
}

/** Draw the chips of a filter {span, class} into `host`; a press on one is `free({name: nothing})`. */
export function drawChips(host, filter, className, free) {
  const rows = [];
  if (filter.span) rows.push(['span', t('desk.chip.span', {span: spanWords(filter.span, live.now())}), null]);
  if (filter.class) rows.push(['class', t('desk.chip.class', {name: className}), '']);
  show(host, rows.length > 0);
  const make = ([name, , nothing]) => el('button.cy-button.cy-button--small.chip', {type: 'button', onclick: () => free({[name]: nothing})}, el('span.cy-clip'), el('span', {'aria-hidden': 'true'}, '×'));
  reconcile(host, rows, ([name]) => name, make, (one, [, words]) => {
    put(one.firstChild, words);
    one.setAttribute('aria-label', t('desk.chip.off', {what: words}));
  });
}
