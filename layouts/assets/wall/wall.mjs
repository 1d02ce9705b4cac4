// The wall: a fixed 1920×1080 design scaled as a whole; everything on it is live, nothing on it commands.

import {touch} from '../age.mjs';
import {createMap} from '../citymap.mjs';
import {FINAL, NUMERALS, centre, dueOf, el, icon, isLate, put, ready, reconcile, rings, show, throttle, whenLoaded} from '../desk/dom.mjs';
import {linkText, startShell} from '../desk/shell.mjs';
import {startTiles} from '../desk/tiles.mjs';
import {live} from '../live.mjs';
import {cityTime, lang, t} from '../text.mjs';
import {totals} from '../totals.mjs';
import {openRecords, startRecords} from './records.mjs';
import {startTrends} from './trends.mjs';

const DESIGN = {width: 1920, height: 1080};
const ROWS = {worst: 5, newest: 5};

// ------------------------------------------------------------------ one size, scaled, never stretched

function fit(canvas) {
  const scale = Math.min(innerWidth / DESIGN.width, innerHeight / DESIGN.height);
  const x = Math.round((innerWidth - DESIGN.width * scale) / 2);
  const y = Math.round((innerHeight - DESIGN.height * scale) / 2);
  canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
}

// ------------------------------------------------------------------ counts and lists

const open = () => [...live.items('incident').values()].filter((i) => !FINAL.has(i.stage));

/** The figures are the store's: the live items are only the newest incidents. */
function figures() {
  const found = totals();
  const words = (n) => (found ? n.toLocaleString('en-US') : '–');
  for (const key of ['open', 'today', 'overdue', 'closed']) put(document.querySelector(`[data-total="${key}"]`), words(found?.[key]));
  for (const n of [1, 2, 3, 4]) {
    put(document.querySelector(`[data-level-n="${n}"]`), words(found?.levels[n - 1]));
    document.querySelector(`[data-bar="${n}"]`).style.flexGrow = found?.levels[n - 1] ?? 0;
  }
  document.querySelector('.total--overdue').classList.toggle('is-bad', found?.overdue > 0);
  const age = document.querySelector('[data-counts-age]');
  age.dataset.asOf = found?.as_of ?? '';
  touch(age);
}

function make() {
  return el('div.cy-item.row', {},
    el('span.cy-level'),
    el('div.cy-item__main', {}, el('div.cy-item__title'), el('div.cy-item__sub')),
    el('div.cy-item__side', {}, el('span.stage'), el('span.when')));
}

const update = (byDue) => (row, item) => {
  const badge = row.querySelector('.cy-level');
  badge.className = `cy-level cy-level--${item.level}`;
  put(badge, NUMERALS[item.level]);
  put(row.querySelector('.cy-item__title'), item.title);
  put(row.querySelector('.cy-item__sub'), [item.address || item.class_name, item.unit_name].filter(Boolean).join(' · ') || t('word.unresolved_place'));
  put(row.querySelector('.stage'), t(`stage.${item.stage}`));
  const when = row.querySelector('.when');
  const due = byDue ? dueOf(item) : null;
  when.className = due === null ? 'when age' : 'when due';
  if (due === null) { delete when.dataset.due; when.dataset.asOf = item.reported_at; } else { delete when.dataset.asOf; when.dataset.due = due; }
  touch(when);
  row.classList.toggle('is-ringing', rings(item));
};

function lists() {
  const now = live.now();
  const rows = open();
  const worst = [...rows].sort((a, b) => Number(rings(b)) - Number(rings(a)) || a.level - b.level || Number(isLate(b, now)) - Number(isLate(a, now)) || (dueOf(a) ?? Infinity) - (dueOf(b) ?? Infinity)).slice(0, ROWS.worst);
  const newest = [...rows].sort((a, b) => b.reported_at - a.reported_at).slice(0, ROWS.newest);
  for (const [name, list, by] of [['worst', worst, update(true)], ['newest', newest, update(false)]]) {
    const host = document.querySelector(`[data-${name}]`);
    host.querySelector('.cy-empty')?.remove();
    reconcile(host, list, (i) => i.key, make, by);
    if (!list.length) host.replaceChildren(el('div.cy-empty', {}, t(live.ready ? 'wall.quiet' : 'ui.loading')));
  }
}

/** A new level I or II incident is named in large type over the map until it is acknowledged. */
function alert() {
  const host = document.querySelector('[data-alert]');
  const [worst] = open().filter(rings).sort((a, b) => a.level - b.level || b.reported_at - a.reported_at);
  show(host, Boolean(worst));
  if (!worst || host.dataset.shows === `${worst.key}:${worst.version}`) return;
  host.dataset.shows = `${worst.key}:${worst.version}`;
  host.className = `wall__alert wall__alert--${worst.level}`;
  host.replaceChildren(
    el('span.cy-level', {className: `cy-level cy-level--${worst.level}`}, NUMERALS[worst.level]),
    el('div.cy-grow', {}, el('div.alert__title', {}, worst.title), el('div.alert__sub', {}, [worst.address, worst.unit_name || t('wall.unassigned')].filter(Boolean).join(' · '))),
    el('span.age', {dataset: {asOf: worst.reported_at}}));
}

// ------------------------------------------------------------------ a wall that is not live says so

function veil() {
  const host = document.querySelector('[data-veil]');
  const away = live.status === 'lost' || !live.ready;
  show(host, away);
  document.querySelector('[data-canvas]').classList.toggle('is-dead', live.status === 'lost');
  if (away) {
    if (!host.firstChild) host.append(icon('unlink'), el('strong', {}, t('product.not_live')), el('span'));
    put(host.querySelector('span'), live.ready ? linkText() : t('wall.connecting'));
  }
}

function date() {
  const now = live.now();
  const weekday = new Intl.DateTimeFormat(lang === 'zh' ? 'zh-CN' : 'en-GB', {weekday: 'long', timeZone: document.documentElement.dataset.timezone}).format(now);
  const day = cityTime(now).date;
  put(document.querySelector('[data-date]'), lang === 'zh' ? `${day.replace('-', ' 年 ').replace('-', ' 月 ')} 日　${weekday}` : `${weekday}, ${day}`);
}

function legend(host) {
  host.append(...[1, 2, 3, 4].map((n) => el('span.legend__one', {}, el('span.cy-level', {className: `cy-level cy-level--${n}`}, NUMERALS[n]), t(`level.${n}.word`))));
}

// ------------------------------------------------------------------ begin

startShell();
const mapHost = await ready('wall-map');
const canvas = document.querySelector('[data-canvas]');
fit(canvas);
addEventListener('resize', () => fit(canvas));
const draw = () => { figures(); lists(); alert(); veil(); };
const soon = throttle(draw, 250);
live.addEventListener('applied', ({detail}) => {
  if (detail.replaced || detail.changed.some(([kind, key]) => kind === 'incident' || key.startsWith('totals@'))) soon();
});
live.addEventListener('status', veil);
setInterval(() => { date(); veil(); }, 1000);
setInterval(draw, 10_000); // clocks run out without a message
startTiles(document.getElementById('desk-tiles'), openRecords, {brief: true});
startRecords();
startTrends();
legend(document.querySelector('[data-legend]'));
draw();
date();
const map = await createMap(mapHost, {interactive: false, center: centre(), remember: '', counts: false, zoom: 10.03, lang});
if (map) whenLoaded(map, () => map.setIncidentFilter((item) => !FINAL.has(item.stage)));
document.documentElement.dataset.ready = 'wall';
