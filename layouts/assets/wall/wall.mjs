// The wall: a screen that shows and never commands. What it shows comes through the live stream as its own `screen` item.

import {touch} from '../age.mjs';
import {createMap} from '../citymap.mjs';
import {FINAL, NUMERALS, centre, dueOf, el, icon, isLate, put, ready, reconcile, rings, show, throttle, whenLoaded} from '../desk/dom.mjs';
import {linkText, startShell} from '../desk/shell.mjs';
import {startTiles} from '../desk/tiles.mjs';
import {live} from '../live.mjs';
import {keepOffSeams} from '../map/seams.mjs';
import {showMarks} from '../map/shared_marks.mjs';
import {cityTime, lang, t} from '../text.mjs';
import {totals} from '../totals.mjs';
import {Ringing, showing} from './director.mjs';
import {bars, devices, focus, stages, theme} from './panels.mjs';
import {openRecords, startRecords} from './records.mjs';
import {sound, soundState, startSound} from './sound.mjs';
import {design, fit, layOut, profileOf, putPanels, seamsOfMap} from './stage.mjs';
import {themeOf} from './themes.mjs';
import {startTrends} from './trends.mjs';

const KNOWN_MS = 4000;
const ROW_PX = 63;
const HEAD_PX = 54;
const HD_MAP = [830, 762]; // room that the whole city takes at this zoom:
const CITY_ZOOM = 10.03;

await ready('wall-map');
const plan = design();
const {login} = document.querySelector('.wall').dataset;
if (login.startsWith('screen-')) live.start({loginUrl: '/wall/pair'}); // an unpaired screen waits for the next code
startShell();
const ringing = new Ringing();
let map = null;
let profile = null;
let now = null; // what is shown: director.mjs
let seams = null;
let drawn = ''; // of the map's view
const MAP_AGAIN_MS = 30_000;
let stands = null; // the map whose style is there
let mapOf = ''; // the wall that the map was made for
let wallLayers = new Set();

/** This screen's own item; {} when an account opened the wall. */
const mine = () => [...live.items('screen').values()].find((s) => s.login === login) ?? {};
const open = () => [...live.items('incident').values()].filter((i) => !FINAL.has(i.stage));

/** Until the live state is there, but not for long: a wall without its server shows its frame. */
const known = () => new Promise((done) => {
  setTimeout(done, KNOWN_MS);
  if (live.ready) done();
  else live.addEventListener('applied', done, {once: true});
});

/** Which incidents a scene is about; in an emergency the map shows the grave ones alone, the lists go on after them. */
function accepts(scene, {mapped = false} = {}) {
  if (scene in plan.themes) return (item) => themeOf(plan.themes, item.class) === scene;
  if (scene === 'emergency' && mapped) return (item) => item.level <= 2 || item.key === String(now.incident);
  return () => true;
}

// ------------------------------------------------------------------ counts and lists

/** The figures are the store's: the live items are only the newest incidents. */
function figures() {
  const found = totals();
  const words = (n) => (found ? n.toLocaleString('en-US') : '–');
  for (const key of ['open', 'today', 'overdue', 'closed']) put(document.querySelector(`[data-total="${key}"]`), words(found?.[key]));
  for (const n of [1, 2, 3, 4]) {
    put(document.querySelector(`[data-level-n="${n}"]`), words(found?.levels[n - 1]));
    document.querySelector(`[data-level-bar="${n}"]`).style.flexGrow = found?.levels[n - 1] ?? 0;
  }
  document.querySelector('[data-panel="counts"] .total--overdue').classList.toggle('is-bad', found?.overdue > 0);
  const age = document.querySelector('[data-counts-age]');
  age.dataset.asOf = found?.as_of ?? '';
  touch(age);
  stages(found);
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

function lists(rows) {
  const at = live.now();
  const worst = [...rows].sort((a, b) => Number(rings(b)) - Number(rings(a)) || a.level - b.level || Number(isLate(b, at)) - Number(isLate(a, at)) || (dueOf(a) ?? Infinity) - (dueOf(b) ?? Infinity));
  const newest = [...rows].sort((a, b) => b.reported_at - a.reported_at);
  const late = rows.filter((i) => dueOf(i) !== null).sort((a, b) => dueOf(a) - dueOf(b));
  for (const [name, list, by] of [['worst', worst, update(true)], ['newest', newest, update(false)], ['late', late, update(true)]]) {
    const panel = document.querySelector(`[data-panel="${name}"]`);
    if (panel.hidden) continue;
    const host = panel.querySelector('.rows');
    const most = Math.max(1, Math.floor((panel.dataset.height - HEAD_PX) / ROW_PX));
    host.querySelector('.cy-empty')?.remove();
    reconcile(host, list.slice(0, most), (i) => i.key, make, by);
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

// ------------------------------------------------------------------ which scene, where, and what the map shows of it

/** Decide what is shown and put its panels in place; true when they are others, or elsewhere, than before: fill them then. */
function direct() {
  const screen = mine();
  profile = profileOf(screen, plan);
  layOut(profile);
  if (mapOf && mapOf !== wallOf(screen)) makeMap();
  const rung = live.ready ? ringing.update(open().filter(rings), live.now()) : [];
  now = showing(screen, rung, live.now());
  document.querySelector('[data-canvas]').dataset.scene = now.scene;
  const moved = putPanels(plan.panels[now.scene]);
  note(screen);
  const worst = rung.reduce((level, {item}) => Math.min(level ?? item.level, item.level), null);
  sound(worst, Boolean(screen.muted));
  return moved;
}

function note(screen) {
  put(document.querySelector('[data-scene-name]'), t(`scene.${now.scene}`));
  const turns = screen.seconds ? t('wall.why.rotation', {n: screen.seconds}) : '';
  const why = {
    taken: () => t('wall.why.taken', {level: NUMERALS[now.taken.level], title: now.taken.title}),
    sent: () => t('wall.why.sent', {name: screen.sent_by}),
    pinned: () => t('wall.why.pinned'), rotation: () => turns, scene: () => '',
  }[now.why]();
  put(document.querySelector('[data-scene-why]'), why);
  const state = soundState();
  const host = document.querySelector('[data-sound]');
  show(host, state !== 'on');
  host.dataset.sound = state;
  if (state !== 'on') put(host.querySelector('[data-sound-words]'), t(`wall.sound.${state}`));
}

function follow() {
  if (!map || stands !== map) return;
  const wanted = JSON.stringify([profile.name, now.scene, now.incident, now.camera, now.center, now.zoom, now.layers]);
  if (wanted === drawn) return;
  drawn = wanted;
  const accept = accepts(now.scene, {mapped: true});
  map.setIncidentFilter((item) => !FINAL.has(item.stage) && accept(item));
  seams?.filter((item) => !FINAL.has(item.stage) && accept(item));
  for (const {id, visible} of map.layers()) {
    const on = now.layers.length ? now.layers.includes(id) : wallLayers.has(id);
    const own = seams?.owns.has(id) ?? false;
    if (own) seams.setVisible(id, on);
    if (visible !== (on && !own)) map.setLayerVisible(id, on && !own); // each switch costs a new style
  }
  view();
}

/** Bring a point into the middle of what lies over the map: that is inside one cell, while the map's middle may be a seam. */
function beside(at, zoom) {
  const [left, top, width, height] = profile.map;
  const [x, y, w, h] = profile.over;
  map.setView({center: at, zoom});
  map.map.panBy([left + width / 2 - (x + w / 2), top + height / 2 - (y + h * 0.56)], {duration: 0});
}

function view() {
  const [, , width, height] = profile.map;
  const wide = CITY_ZOOM + Math.log2(Math.min(width / HD_MAP[0], height / HD_MAP[1]));
  const item = now.incident === null ? null : live.get('incident', now.incident);
  map.select(null);
  if (now.center) map.setView({center: now.center, zoom: now.zoom + Math.max(0, Math.log2(width / (now.width_px || width)))});
  else if (item && Number.isFinite(item.lon)) beside([item.lon, item.lat], 15 + Math.log2(profile.map_scale / 1.35));
  else if (!now.camera) map.setView({center: centre(), zoom: wide});
  if (item) map.select('incident', item.key);
  if (now.camera) {
    map.select('camera', now.camera).then((known) => {
      const at = known && map.map.getSource('selected')?.serialize().data.features?.[0]?.geometry.coordinates;
      if (at) beside(at, 16);
    });
  }
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
  const at = live.now();
  const weekday = new Intl.DateTimeFormat(lang === 'zh' ? 'zh-CN' : 'en-GB', {weekday: 'long', timeZone: document.documentElement.dataset.timezone}).format(at);
  const day = cityTime(at).date;
  put(document.querySelector('[data-date]'), lang === 'zh' ? `${day.replace('-', ' 年 ').replace('-', ' 月 ')} 日　${weekday}` : `${weekday}, ${day}`);
}

function legend(host) {
  host.append(...[1, 2, 3, 4].map((n) => el('span.legend__one', {}, el('span.cy-level', {className: `cy-level cy-level--${n}`}, NUMERALS[n]), t(`level.${n}.word`))));
}

// ------------------------------------------------------------------ begin

/** What the map is made for: another size or other cells need another one. */
const cells = (screen) => (screen.columns ? screen : plan.cells[profile.name]);
const wallOf = (screen) => { const {columns, rows, seam_px: px} = cells(screen); return [profile.name, columns, rows, px].join(); };

async function makeMap() {
  const mine_ = wallOf(mine());
  mapOf = mine_;
  map?.destroy();
  map = seams = null;
  const made = await createMap(document.getElementById('wall-map'), {
    interactive: false, center: centre(), remember: '', counts: false, zoom: CITY_ZOOM, lang, scale: profile.map_scale,
  });
  if (!made) { // no WebGL yet, or the library did not come: a wall stands for days, it tries again
    setTimeout(() => { if (!map && mapOf === mine_) makeMap(); }, MAP_AGAIN_MS);
    return;
  }
  if (mapOf !== mine_) return made.destroy(); // meanwhile the screen became another one
  made.scale = profile.map_scale;
  map = made;
  (globalThis.chengyun ??= {}).map = map; // for whoever looks into the page from its console
  wallLayers = new Set(map.layers().filter((layer) => layer.visible).map((layer) => layer.id));
  whenLoaded(map, () => {
    if (map !== made) return;
    stands = made;
    const lines = seamsOfMap(cells(mine()));
    showMarks(map);
    seams = lines.xs.length || lines.ys.length ? keepOffSeams(map, lines) : null; // last: what takes the room first
    drawn = '';
    follow();
  });
}

startSound();
const fill = () => {
  const accept = accepts(now.scene);
  const rows = open().filter(accept);
  figures();
  theme(rows, now.scene);
  lists(rows);
  bars(rows, open(), plan.themes);
  devices();
  focus(now, rows);
  alert();
  veil();
  follow();
};
const draw = () => { direct(); fill(); };
addEventListener('resize', () => { fit(); draw(); });
const soon = throttle(draw, 250);
live.addEventListener('applied', ({detail}) => {
  if (detail.replaced || detail.changed.some(([kind]) => kind === 'screen')) draw(); // a desk waits for it
  else if (detail.changed.some(([kind, key]) => kind === 'incident' || key.startsWith('totals@'))) soon();
});
live.addEventListener('status', veil);
setInterval(() => { date(); veil(); if (direct()) fill(); else follow(); }, 1000); // rotation turns by the server's clock
setInterval(draw, 10_000); // clocks run out without a message
direct();
startTiles(document.getElementById('desk-tiles'), openRecords, {brief: true});
startRecords();
startTrends();
legend(document.querySelector('[data-legend]'));
draw();
date();
await known(); // the map is made once, for the size this screen has
direct();
await makeMap();
document.documentElement.dataset.ready = 'wall';
