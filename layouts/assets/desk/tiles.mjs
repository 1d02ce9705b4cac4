// The eight indicator panels of desk, leader's page and wall: value, unit, target, formula, age; a click opens their records.

import {touch} from '../age.mjs';
import {live} from '../live.mjs';
import {has, lang, t} from '../text.mjs';
import {el, put, reconcile} from './dom.mjs';
import {unknownWords} from './unknown.mjs';

const ORDER = ['open', 'overdue', 'on_time_closing', 'first_dispatch', 'median_handling', 'devices_online', 'completeness', 'newest_age'];

/** The indicators shown: those of the actor's own area, in the order of the catalogue. */
export function indicators() {
  const byId = new Map();
  for (const item of live.items('indicator').values()) {
    const known = byId.get(item.id);
    // The widest area an actor may see is the shortest path.
    if (!known || (item.area ?? '').length < (known.area ?? '').length) byId.set(item.id, item);
  }
  const rank = (item) => { const n = ORDER.indexOf(item.id); return n < 0 ? ORDER.length : n; };
  return [...byId.values()].sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id)).slice(0, 8);
}

export const nameOf = (item) => (lang === 'en' && item.name_en) || item.name || (has(`indicator.${item.id}`) ? t(`indicator.${item.id}`) : item.id);
const briefOf = (item) => (lang === 'en' && item.brief_en) || item.brief || '';
export const formulaOf = (item) => (lang === 'en' && item.formula_en) || item.formula || '';
export const unitOf = (item) => (lang === 'en' ? item.unit_en : item.unit) ?? '';

/** A figure as read from afar: at most one decimal, thousands apart. */
export function figure(value) {
  if (!Number.isFinite(value)) return '–';
  const digits = Number.isInteger(value) || Math.abs(value) >= 1000 ? 0 : 1;
  return value.toLocaleString('en-US', {minimumFractionDigits: 0, maximumFractionDigits: digits});
}

/** good | bad | unknown: whether the value keeps its target, in its direction ('up' = more is better). */
export function verdict(item) {
  if (!Number.isFinite(item.value)) return 'unknown';
  if (!Number.isFinite(item.target)) return 'plain';
  const lower = ['down', 'lower', 'min', 'less', '<=', 'low'].includes(item.direction);
  return (lower ? item.value <= item.target : item.value >= item.target) ? 'good' : 'bad';
}

function targetOf(item) {
  if (!Number.isFinite(item.target)) return '';
  const lower = ['down', 'lower', 'min', 'less', '<=', 'low'].includes(item.direction);
  return `${t('word.target')} ${lower ? '≤' : '≥'} ${figure(item.target)}${unitOf(item)}`;
}

/** `brief`: with the formula in few words, for a screen that nobody hovers over. */
function make(brief) {
  return el('button.cy-tile.cy-tile--button', {type: 'button'},
    el('span.cy-tile__name'),
    el('span.cy-tile__value', {}, el('span.v'), el('span.cy-tile__unit')),
    brief ? el('span.cy-tile__formula') : null,
    el('span.cy-tile__foot', {}, el('span.cy-tile__target'), el('span.cy-tile__age', {}, el('span.age'))));
}

/** Feeds that are cut and that the figure is made of: it may be young and yet tell nothing of now. */
const cutFeeds = (item) => [...live.items('feed').values()]
  .filter((feed) => feed.status === 'silent' && (feed.topics ?? []).some((topic) => (item.topics ?? []).includes(topic)));

function update(tile, item) {
  const [cut] = cutFeeds(item);
  const state = verdict(item);
  tile.classList.toggle('is-bad', state === 'bad');
  tile.classList.toggle('is-high', state === 'bad' && item.value > item.target);
  tile.classList.toggle('is-unknown', state === 'unknown');
  tile.dataset.of = item.id;
  tile.dataset.asOf = item.as_of ?? '';
  tile.dataset.limitS = item.limit_s ?? '';
  const parts = Number.isFinite(item.denominator) && item.denominator ? ` = ${figure(item.numerator)} / ${figure(item.denominator)}` : '';
  const title = `${nameOf(item)}\n${formulaOf(item)}${parts}`;
  if (tile.title !== title) tile.title = title;
  put(tile.querySelector('.cy-tile__name'), nameOf(item));
  put(tile.querySelector('.v'), figure(item.value));
  put(tile.querySelector('.cy-tile__unit'), unitOf(item));
  put(tile.querySelector('.cy-tile__formula'), briefOf(item));
  tile.classList.toggle('is-cut', Boolean(cut));
  put(tile.querySelector('.cy-tile__target'), cut ? t('ui.feed_cut', {name: cut.name || cut.key}) : targetOf(item));
  touch(tile);
}

/** Keep the panels inside `host` up to date. `open(item)` is called on a click. */
export function startTiles(host, open, {brief = false} = {}) {
  const draw = () => {
    const rows = indicators();
    if (rows.length) {
      for (const wait of host.querySelectorAll('.tiles__wait')) wait.remove();
      reconcile(host, rows, (i) => i.id, () => make(brief), update);
    } else if (host.querySelector('.tiles__wait')) {
      for (const foot of host.querySelectorAll('.tiles__wait .cy-tile__foot')) put(foot, unknownWords() || t('ui.not_yet'));
    } else {
      host.replaceChildren(...ORDER.map((id) => el('div.cy-tile.tiles__wait', {}, el('span.cy-tile__name', {}, t(`indicator.${id}`)), el('span.cy-tile__value', {}, '–'), el('span.cy-tile__foot', {}, unknownWords() || t('ui.not_yet')))));
    }
  };
  live.addEventListener('applied', ({detail}) => {
    if (detail.replaced || detail.changed.some(([kind]) => kind === 'indicator' || kind === 'feed')) draw();
  });
  live.addEventListener('fault', draw);
  host.addEventListener('click', (event) => {
    const tile = event.target.closest('[data-of]');
    const item = tile && indicators().find((i) => i.id === tile.dataset.of);
    if (item) open(item);
  });
  draw();
}
