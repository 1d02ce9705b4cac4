// The wall's panels that are counted from the live items: a theme, units, themes, devices, the one incident or camera in focus.

import {touch} from '../age.mjs';
import {FINAL, NUMERALS, dueOf, el, isLate, put, reconcile} from '../desk/dom.mjs';
import {live} from '../live.mjs';
import {cityTime, lang, t} from '../text.mjs';
import {themeOf} from './themes.mjs';

const BAR_PX = 42;
const HEAD_PX = 54;
const FOOT_PX = 14;
const panelOf = (name) => document.querySelector(`[data-panel="${name}"]`);
const number = (n) => n.toLocaleString('en-US');

/** Open incidents of the scene's theme by level. `rows`: those the scene is about. */
export function theme(rows, scene) {
  const panel = panelOf('theme');
  if (panel.hidden) return;
  put(panel.querySelector('.cy-panel__title'), t('wall.theme', {theme: t(`scene.${scene}`)}));
  const now = live.now();
  const today = cityTime(now).date;
  const late = rows.filter((i) => isLate(i, now)).length;
  const found = {open: rows.length, today: rows.filter((i) => cityTime(i.reported_at).date === today).length, overdue: late};
  for (const [key, n] of Object.entries(found)) put(panel.querySelector(`[data-theme="${key}"]`), live.ready ? number(n) : '–');
  for (const level of [1, 2, 3, 4]) {
    const n = rows.filter((i) => i.level === level).length;
    put(panel.querySelector(`[data-theme-level-n="${level}"]`), live.ready ? number(n) : '–');
    panel.querySelector(`[data-theme-level-bar="${level}"]`).style.flexGrow = n;
  }
  panel.querySelector('.total--overdue').classList.toggle('is-bad', late > 0);
}

const makeBar = () => el('div.bar', {}, el('span.bar__name'), el('span.bar__track', {}, el('span.bar__fill'), el('span.bar__late')), el('span.bar__n.cy-num'), el('span.bar__over.cy-num'));

function draw(name, counted) {
  const panel = panelOf(name);
  if (panel.hidden) return;
  const most = Math.max(1, Math.floor((panel.dataset.height - HEAD_PX - 8) / BAR_PX));
  const rows = [...counted.values()].sort((a, b) => b.open - a.open || a.name.localeCompare(b.name));
  drawBars(panel.querySelector('[data-bars]'), rows.slice(0, most));
}

function drawBars(host, rows) {
  const top = Math.max(1, ...rows.map((row) => row.open));
  host.querySelector('.cy-empty')?.remove();
  reconcile(host, rows, (row) => row.key, makeBar, (bar, row) => {
    put(bar.querySelector('.bar__name'), row.name);
    put(bar.querySelector('.bar__n'), number(row.open));
    put(bar.querySelector('.bar__over'), row.late ? t('wall.bar.late', {n: row.late}) : '');
    bar.querySelector('.bar__fill').style.width = `${((row.open - row.late) / top) * 100}%`;
    bar.querySelector('.bar__late').style.width = `${(row.late / top) * 100}%`;
  });
  if (!rows.length) host.replaceChildren(el('div.cy-empty', {}, t(live.ready ? 'wall.quiet' : 'ui.loading')));
}

/** Where there is room below the totals: how far the open incidents have come. `found`: totals(), or null. */
export function stages(found) {
  const panel = panelOf('counts');
  const host = panel.querySelector('[data-stages]');
  if (panel.hidden || !found) return host.replaceChildren();
  const box = panel.getBoundingClientRect(); // what stands above is one line or two, as the language has it
  const most = Math.floor(((box.bottom - host.getBoundingClientRect().top) / (box.height / panel.offsetHeight) - FOOT_PX) / BAR_PX);
  if (most < 1) return host.replaceChildren();
  const rows = Object.entries(found.stages).filter(([stage, n]) => n > 0 && !FINAL.has(stage)).sort(([, a], [, b]) => b - a);
  drawBars(host, rows.slice(0, most).map(([stage, n]) => ({key: stage, name: t(`stage.${stage}`), open: n, late: 0})));
}

function count(rows, keyOf, nameOf) {
  const now = live.now();
  const found = new Map();
  for (const item of rows) {
    const key = keyOf(item);
    const row = found.get(key) ?? {key: key || '-', name: nameOf(item, key), open: 0, late: 0};
    row.open += 1;
    if (isLate(item, now)) row.late += 1;
    found.set(key, row);
  }
  return found;
}

/** Open incidents per unit (those of the scene) and per theme (all), the late ones apart. */
export function bars(rows, all, themes) {
  draw('units', count(rows, (i) => i.unit ?? '', (i) => i.unit_name || t('wall.unassigned')));
  draw('themes', count(all, (i) => themeOf(themes, i.class), (_, key) => t(key ? `scene.${key}` : 'wall.other_theme')));
}

/** How the devices are, and which kinds are silent most. */
export function devices() {
  const panel = panelOf('devices');
  if (panel.hidden) return;
  const host = panel.querySelector('[data-devices]');
  const by = {online: 0, warning: 0, silent: 0};
  for (const item of live.items('device').values()) if (item.status in by) by[item.status] += 1;
  const shown = Object.entries(by);
  reconcile(host, shown, ([key]) => key, () => el('div.total', {}, el('div.big.cy-num'), el('div.big__name')), (box, [key, n]) => {
    put(box.querySelector('.big'), live.ready ? number(n) : '–');
    put(box.querySelector('.big__name'), t(`wall.device.${key}`));
  });
  const most = Math.max(0, Math.floor((panel.dataset.height - HEAD_PX - 100) / BAR_PX));
  const types = new Map();
  for (const item of live.items('device').values()) {
    const row = types.get(item.type) ?? {type: item.type, all: 0, online: 0, silent: 0};
    row.all += 1;
    if (item.status === 'silent') row.silent += 1;
    else row.online += 1;
    types.set(item.type, row);
  }
  if (most && !names) learnNames();
  const rows = [...types.values()].sort((a, b) => b.silent / b.all - a.silent / a.all || b.all - a.all).slice(0, most);
  reconcile(panel.querySelector('[data-types]'), rows, (row) => row.type,
    () => el('div.kind', {}, el('span.kind__name'), el('span.kind__silent.cy-num'), el('span.kind__n.cy-num')), (line, row) => {
      put(line.querySelector('.kind__name'), names?.get(row.type) ?? row.type);
      put(line.querySelector('.kind__silent'), row.silent ? t('wall.kind.silent', {n: number(row.silent)}) : '');
      put(line.querySelector('.kind__n'), `${number(row.online)} / ${number(row.all)}`);
    });
}

let names = null; // type of device → what the city calls it

async function learnNames() {
  names = new Map();
  const reply = await fetch('/api/v1/queries/device_types', {credentials: 'same-origin'}).catch(() => null);
  const rows = reply?.ok ? (await reply.json()).rows ?? [] : [];
  for (const row of rows) names.set(row.id, (lang === 'en' && row.name_en) || row.name);
  devices();
}

let asked = ''; // of the camera whose card is shown
let camera = null;

async function ask(code) {
  asked = code;
  camera = null;
  const reply = await fetch(`/api/v1/queries/camera?camera=${encodeURIComponent(code)}`, {credentials: 'same-origin'}).catch(() => null);
  if (asked === code && reply?.ok) { const found = await reply.json(); camera = found.camera ?? found; }
}

/** What the scene is about: the incident or camera that was sent or took the screen over, else the worst there is. */
export function focus(now, rows) {
  const panel = panelOf('focus');
  if (panel.hidden) return;
  const host = panel.querySelector('[data-focus]');
  if (now.camera) {
    if (asked !== now.camera) ask(now.camera).then(() => focus(now, rows));
    put(panel.querySelector('.cy-panel__title'), t('wall.focus.camera'));
    host.dataset.shows = '';
    host.replaceChildren(el('div.focus__title', {}, camera?.name ?? now.camera), el('div.focus__sub', {}, camera?.address || now.camera));
    return;
  }
  put(panel.querySelector('.cy-panel__title'), t('wall.focus'));
  const item = now.incident !== null ? live.get('incident', now.incident) : [...rows].sort((a, b) => a.level - b.level || b.reported_at - a.reported_at)[0];
  if (!item) {
    host.dataset.shows = '';
    const unseen = now.incident === null || now.incident === undefined ? 'wall.quiet' : 'wall.unseen';
    host.replaceChildren(el('div.cy-empty', {}, t(live.ready ? unseen : 'ui.loading')));
    return;
  }
  const shows = `${item.key}:${item.version}`;
  if (host.dataset.shows === shows) return;
  host.dataset.shows = shows;
  const due = dueOf(item);
  const when = el('span', {className: due === null ? 'age' : 'due', dataset: due === null ? {asOf: item.reported_at} : {due}});
  host.replaceChildren(
    el('div.focus__head', {}, el('span.cy-level', {className: `cy-level cy-level--${item.level}`}, NUMERALS[item.level]), el('div.focus__title', {}, item.title)),
    el('div.focus__sub', {}, item.address || t('word.unresolved_place')),
    el('div.focus__sub', {}, [t(`stage.${item.stage}`), item.unit_name || t('wall.unassigned'), item.worker_name].filter(Boolean).join(' · ')),
    el('div.focus__sub', {}, item.number, ' · ', when));
  touch(when);
}
