// The desk: list, map and detail follow one selection; live changes reload what is open; keys do what the mouse does.

import {live} from '../live.mjs';
import {createMap} from '../citymap.mjs';
import {showMarks} from '../map/shared_marks.mjs';
import {lang, t} from '../text.mjs';
import {waiting} from './answers.mjs';
import {startBatch} from './batch.mjs';
import {startBell} from './bell.mjs';
import {heedAll} from './brush.mjs';
import {centre, el, memory, put, ready, setProps, show, tell, throttle, whenLoaded} from './dom.mjs';
import {intakeForm} from './intake.mjs';
import {startKeys} from './keys.mjs';
import {layerPanel} from './layers.mjs';
import {startMarkPanel} from './mark_panel.mjs';
import {IncidentList} from './list.mjs';
import {startShell, toast} from './shell.mjs';
import {startSpread} from './spread.mjs';
import {startViews} from './views.mjs';
import {startWindows} from './windows.mjs';
import {formulaOf, indicators, nameOf, startTiles} from './tiles.mjs';
import {watchUnknown} from './unknown.mjs';
import {startWallPanel} from './wall_panel.mjs';

const words = (globalThis.chengyun ??= {});
words.words = await globalThis.chengyun.text;

let list;
let map;
let intake;
let pressKey; // of the buttons of the incident on show
let told = () => {}; // tells this account's other windows what is chosen here
let selected = null; // key of the incident on show
let shown = null; // what Python last showed of it: {id, version, actions, …}

// Dash calls these when Python has changed the selection or filed a report.
(window.dash_clientside ??= {}).chengyun_desk = {
  follow(follow, now) {
    if (now !== shown) {
      shown = now;
      pressed(false);
      document.getElementById('desk-drawer').classList.remove('is-loading');
    }
    const why = window.dash_clientside.callback_context?.triggered?.[0]?.prop_id ?? '';
    if (why.startsWith('desk-follow') && follow) {
      pressed(false);
      if (follow.failed && !follow.reload) return window.dash_clientside.no_update; // the form keeps what was typed
      act(null);
      if (selected) tell('desk-selected', {id: selected});
    }
    return window.dash_clientside.no_update;
  },
  filed(report) {
    if (!report) return window.dash_clientside.no_update;
    intake.filed(report);
    select(String(report.id), 'intake');
    return window.dash_clientside.no_update;
  },
};

/** Choose an incident: list, map, address bar and detail follow. `from` is who chose, and is left alone. */
function select(key, from) {
  key = key === null ? null : String(key);
  const same = key === selected;
  selected = key;
  memory.write('desk.selected', key);
  history.replaceState(null, '', `${location.pathname}${location.search}${key ? `#incident=${key}` : ''}`);
  if (from !== 'list') list.select(key);
  if (key === null) map?.select(null);
  else if (from === 'map') map?.select('incident', key);
  else map?.focus('incident', key);
  show(document.getElementById('desk-drawer'), key !== null);
  const work = document.querySelector('.work');
  if (work.classList.contains('has-detail') !== (key !== null)) {
    work.classList.toggle('has-detail', key !== null);
    requestAnimationFrame(() => map?.map.resize()); // at once: a busy browser tells the map late of its new width
  }
  if (!same) {
    act(null);
    shown = null;
    document.getElementById('desk-drawer').classList.toggle('is-loading', key !== null);
    for (const id of ['desk-dispatch', 'desk-chart', 'desk-persons']) setProps(id, {children: []});
  }
  tell('desk-selected', key ? {id: key} : null);
  if (from !== 'window' && !same) told(key);
}

const reload = throttle(() => selected && tell('desk-selected', {id: selected}), 400);

live.addEventListener('applied', ({detail}) => {
  if (!selected) return;
  const item = live.get('incident', selected);
  const touched = detail.replaced || detail.changed.some(([kind, key]) => kind === 'incident' && key === selected);
  if (touched && item && shown && item.version !== shown.version) reload();
});

document.addEventListener('unanswered', ({detail}) => {
  if (!detail.includes('desk-facts')) return; // the incident itself: nothing of the one before may stand there as if it were this one
  for (const id of ['desk-head', 'desk-photos', 'desk-sources', 'desk-timeline', 'desk-actions']) setProps(id, {children: []});
  pressed(false);
  document.getElementById('desk-drawer').classList.remove('is-loading');
});

// ------------------------------------------------------------------ acting

/** Between a press and its answer the buttons are asleep: no second command by impatience. */
function pressed(busy) {
  document.getElementById('desk-drawer')?.classList.toggle('is-busy', busy);
}

/** Open the form for the particulars of an action, or close it (null). */
function act(action, needs = [], rest = {}) {
  const form = document.getElementById('desk-act');
  if (!form) return;
  show(form, action !== null);
  form.dataset.action = action ?? '';
  form.dataset.needs = JSON.stringify(needs);
  form.dataset.rest = JSON.stringify(rest);
  if (action === null) return;
  put(form.querySelector('[data-act-title]'), t(`action.${action}`));
  for (const part of form.querySelectorAll('[data-for]')) show(part, needs.includes(part.dataset.for));
  setProps('desk-act-level', {value: shown?.level ?? null});
  setProps('desk-act-class', {value: shown?.class_code || null});
  setProps('desk-act-units', {value: []});
  setProps('desk-act-unit', {value: null});
  requestAnimationFrame(() => form.querySelector('[data-for]:not([hidden]) :is(textarea, button, input)')?.focus());
}

function press(request) {
  if (!shown) return;
  pressed(true);
  // Who is to help stands beside the dispatch panel, not in the form.
  const named = request.action === 'dispatch' ? {with: [...(request.with ?? []), 'assisting']} : {};
  tell('desk-press', {id: shown.id, version: shown.version, ...request, ...named});
}

function onAct(request) {
  if (request.camera) return tell('device-ask', request); // a button on a camera's card: done, and the card anew
  if (request.action === 'compare') {
    openRecords(t('desk.compare.title'), '');
    return tell('desk-compare', {id: selected, other: request.other});
  }
  if (dialog().open) dialog().close(); // a button of the two side by side: its form is in the detail
  const needs = request.needs ?? [];
  if (needs.length) return act(request.action, needs, request);
  press(request);
}

function confirmAct() {
  const form = document.getElementById('desk-act');
  const needs = JSON.parse(form.dataset.needs);
  const reason = form.querySelector('#desk-act-reason');
  if (needs.includes('reason') && !reason.value.trim()) {
    reason.classList.add('is-wrong');
    reason.focus();
    return toast(t('desk.reason_needed'), 'warn');
  }
  reason.classList.remove('is-wrong');
  const standards = [...form.querySelectorAll('#desk-act-standard input')];
  if (needs.includes('standard') && standards.length && !standards.some((one) => one.checked)) {
    return toast(t('desk.standard_needed'), 'warn');
  }
  if (form.dataset.action === 'unmask') { // no step of the life-cycle: its answer is shown, and nothing else changes
    tell('desk-unmask', {id: shown.id, reason: reason.value.trim()});
    setProps('desk-act-reason', {value: ''});
    return act(null);
  }
  press({...JSON.parse(form.dataset.rest), action: form.dataset.action, with: needs});
}

// ------------------------------------------------------------------ records, devices, cameras

const dialog = () => document.getElementById('records');

function openRecords(title, formula) {
  put(dialog().querySelector('[data-records-title]'), title);
  const line = dialog().querySelector('[data-formula]');
  put(line, formula);
  show(line, Boolean(formula));
  for (const id of ['records-body', 'device-body']) setProps(id, {children: []});
  if (!dialog().open) dialog().showModal();
}

function openIndicator(item) {
  openRecords(nameOf(item), `${t('word.formula')}：${formulaOf(item)}`);
  setProps('records-body', {children: [waiting()]});
  tell('records-ask', {of: item.id, records: item.records, area: item.area});
}

function openThing(kind, key, properties) {
  openRecords(properties?.name || key, '');
  setProps('device-body', {children: [waiting()]});
  tell('device-ask', {[kind]: key});
}

// ------------------------------------------------------------------ clicks and keys

document.addEventListener('click', (event) => {
  const hit = event.target.closest('[data-act],[data-pick-unit],[data-act-confirm],[data-act-cancel],[data-drawer-close],[data-incident],[data-intake],[data-records-close]');
  if (!hit) return;
  if (hit.dataset.act) onAct(JSON.parse(hit.dataset.act));
  else if (hit.dataset.pickUnit) setProps('desk-act-unit', {value: hit.dataset.pickUnit});
  else if ('actConfirm' in hit.dataset) confirmAct();
  else if ('actCancel' in hit.dataset) act(null);
  else if ('drawerClose' in hit.dataset) select(null);
  else if ('recordsClose' in hit.dataset) dialog().close();
  else if ('intake' in hit.dataset) intake.start();
  else if (hit.dataset.incident) {
    dialog().close();
    found(null);
    select(hit.dataset.incident);
  }
});

document.addEventListener('keydown', (event) => {
  const typing = event.target.closest('input, textarea, select, [contenteditable], .dash-dropdown-content');
  if (event.key === 'F2' || (event.key.toLowerCase() === 'n' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey)) {
    if (!document.querySelector('[data-intake]:not([hidden])')) return;
    event.preventDefault();
    intake.start();
  } else if (event.key === '/' && !typing) {
    event.preventDefault();
    document.getElementById('desk-search').focus();
  } else if (event.key === 'Escape' && !typing && !dialog().open && !intake.open) {
    if (!document.getElementById('desk-act').hidden) act(null);
    else if (selected) select(null);
  } else if (event.key === 'Enter' && event.ctrlKey && event.target.closest('#desk-act')) confirmAct();
  else if ((event.key === 'j' || event.key === 'k') && !typing && !event.ctrlKey && !event.metaKey) list.step(event.key === 'j' ? 1 : -1);
  else if (event.key === 'Enter' && event.target.matches('[data-incident]:not(button)')) event.target.click();
  else if (!typing && !intake.open && document.getElementById('desk-act').hidden && pressKey?.(event)) event.preventDefault();
});

// ------------------------------------------------------------------ search by number, closed ones too

function found(text) {
  const box = document.getElementById('desk-found');
  show(box, Boolean(text));
  tell('desk-search-ask', text ? {text} : null);
}

function startSearch(input) {
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && input.value.trim()) found(input.value.trim());
    else if (event.key === 'Escape') { found(null); input.blur(); }
    else if (event.key === 'ArrowDown') { event.preventDefault(); document.querySelector('#desk-found .cy-item')?.focus(); }
  });
  document.addEventListener('pointerdown', ({target}) => { if (!target.closest('.search')) show(document.getElementById('desk-found'), false); });
}

// ------------------------------------------------------------------ the seam between list and map

function startSplitter(bar) {
  const work = document.querySelector('.work');
  const set = (px) => {
    const width = Math.max(380, Math.min(px, work.clientWidth - 420));
    work.style.setProperty('--list', `${width}px`);
    bar.setAttribute('aria-valuenow', String(Math.round((100 * width) / work.clientWidth)));
  };
  const kept = memory.read('desk.split');
  if (kept) set(kept);
  bar.addEventListener('pointerdown', (down) => {
    bar.setPointerCapture(down.pointerId);
    const move = (event) => { const px = event.clientX - work.getBoundingClientRect().left; set(px); memory.write('desk.split', px); };
    bar.addEventListener('pointermove', move);
    bar.addEventListener('pointerup', () => bar.removeEventListener('pointermove', move), {once: true});
  });
  bar.addEventListener('dblclick', () => { work.style.removeProperty('--list'); memory.write('desk.split', null); });
  bar.addEventListener('keydown', ({key}) => {
    const by = {ArrowLeft: -40, ArrowRight: 40}[key];
    if (!by) return;
    const px = document.querySelector('.list').offsetWidth + by;
    set(px);
    memory.write('desk.split', px);
  });
}

// ------------------------------------------------------------------ begin

startShell();
startBell();
await ready('desk-grid');
const host = await ready('desk-map');
const role = document.querySelector('.user')?.dataset.role ?? '';
list = new IncidentList(document.querySelector('.list'), role);
pressKey = startKeys(list);
startBatch(list, (title) => openRecords(title, ''));
startTiles(document.getElementById('desk-tiles'), openIndicator);
map = await createMap(host, {lang, center: centre(), remember: '/desk'});
intake = await intakeForm(map);
startSearch(document.getElementById('desk-search'));
startSplitter(document.querySelector('[data-splitter]'));
told = startWindows(document.querySelector('.user')?.dataset.login ?? '', (key) => { if (key !== selected) select(key, 'window'); });
startViews(document.querySelector('[data-views]'), {
  now: () => ({list: list.settings(), map: map && {...map.view(), layers: map.layers().filter((l) => l.visible).map((l) => l.id)}}),
  set({list: how, map: where}) {
    if (how) list.setUp(how);
    if (!map || !where) return;
    map.setView(where);
    for (const {id, visible} of map.layers()) if (visible !== where.layers.includes(id)) map.setLayerVisible(id, !visible);
  },
});
list.addEventListener('select', ({detail}) => select(detail.key, 'list'));
list.addEventListener('enter', () => document.querySelector('#desk-actions .cy-button, #desk-dispatch .cy-button')?.focus());
list.addEventListener('filter', () => map?.setIncidentFilter((item) => list.passes(item, {but: 'inview'})));
host.addEventListener('pick', ({detail}) => {
  if (detail.kind === 'incident') select(detail.key, 'map');
  else if (detail.kind === 'device' || detail.kind === 'camera') openThing(detail.kind, detail.key, detail.properties);
});
host.addEventListener('moved', ({detail}) => list.bounds(detail.bounds));
words.map = map; // for whoever looks into the page from its console
await list.start();
if (map) {
  layerPanel(host, map);
  watchUnknown(host.appendChild(el('div.map-unknown')));
  const tools = el('div.map-tools');
  (host.querySelector('.map-top') ?? host).append(tools); // beside the tools of the map, above the panel of their answers
  if (host.dataset.draws !== undefined) startMarkPanel(tools, map);
  else whenLoaded(map, () => showMarks(map));
  if (host.dataset.drives !== undefined) startWallPanel(tools, map);
  whenLoaded(map, () => map.setIncidentFilter((item) => list.passes(item, {but: 'inview'})));
}
startSpread(list);
// A device's readings: what else was reported while they were off.
for (const id of ['desk-chart', 'device-body']) {
  heedAll(document.getElementById(id), {span: (span) => { dialog().close(); list.narrow({span}); }, none: () => list.narrow({span: null})});
}
document.documentElement.dataset.ready = 'desk';
const hash = new URLSearchParams(location.hash.slice(1));
const wanted = hash.get('incident') ?? memory.read('desk.selected');
if (wanted) {
  select(wanted);
  if (map) whenLoaded(map, () => { map.map.resize(); map.focus('incident', wanted); }); // its ring needs the drawn style
}
/** #at=lon,lat (the palette's places) and #incident=id, typed or set by another part of the page. */
function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const [lon, lat] = (asked.get('at') ?? '').split(',').map(Number);
  if (asked.has('at') && Number.isFinite(lon) && Number.isFinite(lat)) whenLoaded(map, () => map.focus('place', 'palette', {lon, lat}));
  else if (asked.get('incident') && asked.get('incident') !== selected) select(asked.get('incident'));
}
window.addEventListener('hashchange', fromAddress);
if (map && hash.has('at')) fromAddress();
const figure = hash.get('of'); // the leader's page sends here for the records behind a figure
if (figure) {
  const open = () => {
    const item = indicators().find((i) => i.id === figure);
    if (!item) return;
    live.removeEventListener('applied', open);
    openIndicator(item);
  };
  live.addEventListener('applied', open);
  open();
}
