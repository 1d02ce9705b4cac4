// Ages on screen, one timer for the page. An element with data-as-of (epoch ms) and data-limit-s gets the class
// `stale` when it is older than its limit; the age itself is written into its descendant (or itself) of class `age`.
// An element with data-due (epoch ms) shows the time left or over in the same way, with the class `overdue`; one with
// data-since how long it has been so.

import {live} from './live.mjs';
import {ago, span, t} from './text.mjs';

const TIMES = '[data-as-of],[data-due],[data-since]';

const write = (host, selector, text) => {
  const slot = host.matches(selector) ? host : host.querySelector(selector);
  if (slot && slot.textContent !== text) slot.textContent = text;
};

/** Bring one element up to date; exported so that a newly built element need not wait for the timer. */
export function touch(element, now = live.now()) {
  const {asOf, limitS, due, since} = element.dataset;
  if (asOf !== undefined) {
    const seconds = asOf === '' ? NaN : (now - Number(asOf)) / 1000;
    const stale = !(seconds <= Number(limitS ?? Infinity));
    if (element.classList.contains('stale') !== stale) element.classList.toggle('stale', stale);
    write(element, '.age', ago(seconds));
  }
  if (since !== undefined) write(element, '.since', span(Math.max(0, (now - Number(since)) / 1000)));
  if (due !== undefined) {
    const left = due === '' ? NaN : (Number(due) - now) / 1000;
    const over = left < 0;
    if (element.classList.contains('overdue') !== over) element.classList.toggle('overdue', over);
    const text = Number.isNaN(left) ? t('due.none') : t(over ? 'due.over' : 'due.left', {span: span(Math.abs(left))});
    write(element, '.due', text);
  }
}

/** Bring every such element of the page (or of `root`) up to date. */
export function touchAll(root = document) {
  const now = live.now();
  for (const element of root.querySelectorAll(TIMES)) touch(element, now);
}

// What a callback has just painted says its time at once: until the next tick, or for as long as the tab is hidden, it
// would stand there empty.
const painted = (records) => {
  for (const {addedNodes} of records) {
    for (const node of addedNodes) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      if (node.matches(TIMES)) touch(node);
      if (node.firstElementChild) touchAll(node);
    }
  }
};

const watch = () => {
  const observer = new MutationObserver(painted);
  observer.observe(document.documentElement, {childList: true, subtree: true});
  return observer;
};

const shared = (globalThis.chengyun ??= {});
shared.age ??= {touch, touchAll, observer: watch(), timer: setInterval(() => document.hidden || touchAll(), 1000)};
