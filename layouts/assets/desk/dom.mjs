// Small things every page module needs: elements, waiting for Dash to have drawn, talking to Dash's callbacks.

import {FINAL} from '../overdue.mjs';

export {FINAL, dueOf, isLate} from '../overdue.mjs';

/** The element with `id`, once Dash has drawn it. */
export function ready(id) {
  return new Promise((done) => {
    const found = document.getElementById(id);
    if (found) return done(found);
    const watch = new MutationObserver(() => {
      const element = document.getElementById(id);
      if (!element) return;
      watch.disconnect();
      done(element);
    });
    watch.observe(document.body, {childList: true, subtree: true});
  });
}

const waiting = new Map(); // id → props that Dash could not take yet

/** Set properties of the component `id`. Dash loses what is set before it knows a component: then it is kept for later. */
export function setProps(id, props) {
  if (window.dash_component_api?.getLayout(id) !== undefined && !waiting.has(id)) {
    window.dash_clientside.set_props(id, props);
    return;
  }
  const first = waiting.size === 0;
  waiting.set(id, {...waiting.get(id), ...props});
  if (!first) return;
  const timer = setInterval(() => {
    for (const [key, kept] of waiting) {
      if (window.dash_component_api?.getLayout(key) === undefined) continue;
      waiting.delete(key);
      window.dash_clientside.set_props(key, kept);
    }
    if (!waiting.size) clearInterval(timer);
  }, 50);
}

/** Give `data` to the dcc.Store `id`: the Python callback that listens to it answers. `at` makes every ask a new one. */
export function tell(id, data) {
  setProps(id, {data: data && {...data, at: Date.now()}});
}

/** An element: el('div.row', {title: '…', dataset: {…}, onclick: …}, child, 'text', …). Text is never parsed as HTML. */
export function el(spec, props = {}, ...children) {
  const [tag, ...classes] = spec.split('.');
  const element = document.createElement(tag || 'div');
  if (classes.length) element.className = classes.join(' ');
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'dataset') for (const [k, v] of Object.entries(value)) { if (v !== null && v !== undefined) element.dataset[k] = v; }
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== 'list') element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** An icon of icons.svg. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'cy-icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `/assets/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Set text only when it differs: an unchanged node costs no layout and keeps a selection. */
export function put(element, text) {
  const value = String(text);
  if (element && element.textContent !== value) element.textContent = value;
}

/** Toggle `hidden` only when it differs. */
export function show(element, visible) {
  if (element && element.hidden === Boolean(visible)) element.hidden = !visible;
}

/** Keep children of `host` in step with `rows`: one element per key, moved, made and removed as needed, never rebuilt. */
export function reconcile(host, rows, keyOf, make, update) {
  const old = new Map([...host.children].map((child) => [child.dataset.key, child]));
  let before = host.firstElementChild;
  for (const row of rows) {
    const key = String(keyOf(row));
    let child = old.get(key);
    if (child) old.delete(key);
    else {
      child = make(row);
      child.dataset.key = key;
    }
    update(child, row);
    if (child === before) before = before.nextElementSibling;
    else host.insertBefore(child, before);
  }
  for (const child of old.values()) child.remove();
}

/** What this browser remembers for this account; storage that is full or forbidden is no reason to stop. */
export const memory = {
  read(key) {
    try { return JSON.parse(localStorage.getItem(`chengyun.${key}`) ?? 'null'); } catch { return null; }
  },
  write(key, value) {
    try { localStorage.setItem(`chengyun.${key}`, JSON.stringify(value)); } catch { /* not remembered then */ }
  },
};

/** Call `fn` at most once in `ms`, the last call always. */
export function throttle(fn, ms) {
  let timer = null;
  let last = -Infinity;
  return (...args) => {
    clearTimeout(timer);
    const wait = Math.max(0, last + ms - performance.now());
    timer = setTimeout(() => { last = performance.now(); fn(...args); }, wait);
  };
}

export const NUMERALS = ['', 'Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ'];
export const STAGES = ['reported', 'accepted', 'dispatched', 'taken', 'on_site', 'handled', 'returned_result', 'checked', 'closed', 'refused', 'void'];

/** Level I or II, open, and nobody has acknowledged it: it rings. */
export const rings = (item) => item.level <= 2 && !item.acknowledged && !FINAL.has(item.stage);

/** Where the maps open: the city's own centre, [lon, lat]. */
export const centre = () => document.documentElement.dataset.centre.split(',').map(Number);

/**
 * Once the map's sources exist. (MapLibre's isStyleLoaded() is false whenever a tile is on its way, and `ready` waits for
 * a still picture, which a busy machine may not have for long.)
 */
export function whenLoaded(map, fn) {
  const there = () => { try { return Boolean(map.map.getSource('incidents')); } catch { return false; } };
  if (there()) fn();
  else map.map.once('load', fn);
}
