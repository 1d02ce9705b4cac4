// 回放, the time machine: the screens of a moment that has passed, drawn by the modules of the live ones, and a player.
// What was then comes from /api/v1/replay/at, what changed since from /api/v1/replay/between.

import {touch, touchAll} from '../age.mjs';
import {createMap} from '../citymap.mjs';
import {live} from '../live.mjs';
import {refusal} from '../refusal.mjs';
import {cityTime, lang, t} from '../text.mjs';
import {totals} from '../totals.mjs';
import {FINAL, NUMERALS, centre, dueOf, el, icon, put, ready, reconcile, show, throttle} from './dom.mjs';
import {layerPanel} from './layers.mjs';
import {startShell} from './shell.mjs';

const HOUR = 3_600_000;
const AHEAD_S = 2; // seconds of the player that one request covers; the next one is asked for while they run
const STEPS_PER_S = 4; // changes are applied so often
const LONGEST_MS = 15 * 60_000; // of one request
const SHORTEST_MS = 1000;
const TICK_MS = 100;
const ROWS = 200;

let run = 0; // every seek and every start has a number; what belongs to an older one is dropped
let at = Date.now() - 60_000; // the moment that is shown
let begins = null;
let playing = false;
let chosen = null;

// ------------------------------------------------------------------ city time in a field

/** "2026-11-30T14:03:05" in the city's time → epoch ms; NaN when it is none. */
function fromField(text) {
  const guess = Date.parse(`${text}${text.length === 16 ? ':00' : ''}Z`);
  if (!Number.isFinite(guess)) return NaN;
  const offset = (ms) => { const {date, clock} = cityTime(ms); return Date.parse(`${date}T${clock}Z`) - Math.floor(ms / 1000) * 1000; };
  return guess - offset(guess - offset(guess)); // twice: the offset is that of the moment itself
}

const toField = (ms) => { const {date, clock} = cityTime(ms); return `${date}T${clock}`; };
const stamp = (ms) => { const {date, clock} = cityTime(ms); return `${date} ${clock}`; };

// ------------------------------------------------------------------ asking

class Refused extends Error {}

async function ask(path, params) {
  const reply = await fetch(`/api/v1/replay/${path}?${new URLSearchParams(params)}`, {credentials: 'same-origin', headers: {Accept: 'application/json'}});
  if (reply.status === 401) { location.assign(`/login?next=${encodeURIComponent('/replay')}`); throw new Refused(''); }
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Refused(refusal(body));
  return body;
}

function say(text, ill = false) {
  const host = document.querySelector('[data-state]');
  put(host, text);
  host.classList.toggle('is-ill', ill);
}

/** What is to be said of the moment itself. */
function standing() {
  if (begins === null) return say(t('replay.empty_store'), true);
  if (at < begins) return say(t('replay.before', {at: stamp(begins)}), true);
  return say(t('replay.begins', {at: stamp(begins)}));
}

// ------------------------------------------------------------------ the player

const rate = () => Number(document.querySelector('[data-choice="speed"]').value);

/** Show the moment `ms` and stand there. */
async function seek(ms) {
  const mine = ++run;
  setPlaying(false);
  at = Math.round(ms);
  say(t('replay.loading'));
  where();
  try {
    const found = await ask('at', {t: at});
    if (mine !== run) return;
    begins = found.begins;
    at = found.t; // a browser whose clock is ahead is put right
    live.showPast(found.items, at);
    standing();
  } catch (error) {
    if (mine === run) say(t('replay.failed', {why: error.message}), true);
  }
}

function chunk(from) {
  const length = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, rate() * AHEAD_S * 1000));
  const to = Math.min(from + length, Date.now() + live.clockSkewMs - 2000);
  if (to <= from + 200) return null;
  const step = Math.max(200, Math.round(rate() * 1000 / STEPS_PER_S));
  return {from, to, speed: rate(), moments: ask('between', {from, to, step_ms: step}).then((body) => body.moments)};
}

/** Let the changes of `part` happen at their times; false when something else began meanwhile. */
function through(part, moments, mine) {
  const began = performance.now();
  live.runPast(part.from, part.speed);
  let next = 0;
  return new Promise((done) => {
    const tick = () => {
      if (mine !== run) return done(false);
      const now = Math.min(part.to, part.from + (performance.now() - began) * part.speed);
      while (next < moments.length && moments[next].t <= now) live.changePast(moments[next++]);
      at = Math.round(now);
      where();
      if (now < part.to) return setTimeout(tick, TICK_MS);
      live.runPast(part.to, 0); // until the next part is there, time stands
      return done(true);
    };
    tick();
  });
}

async function play() {
  const mine = ++run;
  setPlaying(true);
  standing();
  try {
    let part = chunk(at);
    while (part) {
      const moments = await part.moments;
      if (mine !== run) return;
      standing();
      const next = chunk(part.to);
      if (!(await through(part, moments, mine))) { next?.moments.catch(() => null); return; }
      part = next ?? chunk(at);
      if (part) say(t('replay.waiting'));
    }
    say(t('replay.end'));
  } catch (error) {
    if (mine === run) say(t('replay.failed', {why: error.message}), true);
  }
  if (mine === run) { setPlaying(false); live.runPast(at, 0); }
}

function pause() {
  run += 1;
  live.runPast(at, 0);
  setPlaying(false);
  standing();
}

function setPlaying(on) {
  playing = on;
  const button = document.querySelector('[data-do="play"]');
  const words = t(on ? 'replay.pause' : 'replay.play');
  button.title = words;
  button.setAttribute('aria-label', words);
  button.replaceChildren(icon(on ? 'pause' : 'play'));
}

// ------------------------------------------------------------------ drawing

/** The moment in large letters, the slider's knob, the address: so that a moment can be sent to somebody. */
function where() {
  put(document.querySelector('[data-stamp]'), `${t('replay.then')} ${stamp(at)}`);
  const slider = document.querySelector('[data-slider] input');
  if (document.activeElement !== slider || playing) slider.value = at;
  slider.setAttribute('aria-valuetext', stamp(at));
  const field = document.querySelector('[data-moment] input');
  if (document.activeElement !== field) field.value = toField(at);
  address();
}

const address = throttle(() => history.replaceState(null, '', `#t=${at}${chosen ? `&incident=${chosen}` : ''}`), 1000);

function counts() {
  const found = totals();
  for (const name of ['open', 'overdue', 'today', 'closed']) put(document.querySelector(`[data-total="${name}"]`), found?.[name] ?? '–');
  for (const n of [1, 2, 3, 4]) put(document.querySelector(`[data-level-n="${n}"]`), found?.levels[n - 1] ?? '–');
}

function make() {
  return el('button.cy-item', {type: 'button'},
    el('span.cy-level'),
    el('span.cy-item__main', {}, el('span.cy-item__title'), el('span.cy-item__sub')),
    el('span.cy-item__side', {}, el('span.stage'), el('span.due')));
}

function update(row, item) {
  const badge = row.querySelector('.cy-level');
  badge.className = `cy-level cy-level--${item.level}`;
  put(badge, NUMERALS[item.level]);
  put(row.querySelector('.cy-item__title'), item.title);
  put(row.querySelector('.cy-item__sub'), [item.number, item.unit_name].filter(Boolean).join(' · '));
  put(row.querySelector('.stage'), t(`stage.${item.stage}`));
  row.querySelector('.due').dataset.due = dueOf(item) ?? '';
  touch(row.querySelector('.due'));
  row.classList.toggle('is-on', item.key === chosen);
}

function list() {
  const host = document.querySelector('[data-list]');
  const rows = [...live.items('incident').values()].filter((i) => !FINAL.has(i.stage))
    .sort((a, b) => a.level - b.level || (dueOf(a) ?? Infinity) - (dueOf(b) ?? Infinity));
  put(document.querySelector('[data-listed]'), rows.length);
  host.querySelector(':scope > .cy-empty')?.remove();
  reconcile(host, rows.slice(0, ROWS), (i) => i.key, make, update);
  if (!rows.length) host.replaceChildren(el('div.cy-empty', {}, t('replay.none')));
}

/** The chosen incident as it was; what it is now is one press away. */
function card() {
  const host = document.querySelector('[data-card]');
  const item = chosen && live.get('incident', chosen);
  show(host, Boolean(item));
  if (!item) return;
  const facts = [
    ['replay.then', t(`stage.${item.stage}`)], ['replay.unit', item.unit_name || '–'], ['replay.reported', cityTime(item.reported_at).short],
    ['replay.due', dueOf(item) === null ? '–' : cityTime(dueOf(item)).short],
  ];
  host.replaceChildren(
    el('h3', {}, el('span.cy-level', {className: `cy-level cy-level--${item.level}`}, NUMERALS[item.level]), el('span.cy-grow', {}, item.title)),
    el('div.cy-faint.cy-num', {}, [item.number, item.class_name, item.address].filter(Boolean).join(' · ')),
    el('dl', {}, ...facts.flatMap(([name, value]) => [el('dt', {}, t(name)), el('dd', {}, value)])),
    el('a.cy-button.cy-button--small', {href: `/desk#incident=${item.key}`}, t('replay.open_now')));
}

const draw = () => { counts(); list(); card(); touchAll(document.querySelector('.replay')); };

function choose(key) {
  chosen = key;
  draw();
  address();
  if (key) map?.focus('incident', key);
  else map?.select(null);
}

// ------------------------------------------------------------------ begin

startShell({stream: false});
const mapHost = await ready('replay-map');
for (const host of document.querySelectorAll('[data-choice]')) host.value = host.dataset.chosen;
const momentHost = document.querySelector('[data-moment]');
const field = el('input.cy-input.cy-num', {type: 'datetime-local', step: 1});
momentHost.append(el('label.cy-row', {}, el('span.cy-faint', {}, momentHost.dataset.moment), field));
const sliderHost = document.querySelector('[data-slider]');
const slider = el('input', {type: 'range', step: 1000, 'aria-label': sliderHost.dataset.slider});
sliderHost.append(slider);

function span() {
  const end = Math.max(at, Math.floor(Date.now() / 1000) * 1000);
  const length = Number(document.querySelector('[data-choice="span"]').value) * HOUR;
  const begin = Math.min(end - length, at);
  slider.min = begin;
  slider.max = end;
  slider.value = at;
  put(document.querySelector('[data-from]'), cityTime(begin).short);
  put(document.querySelector('[data-to]'), cityTime(end).short);
}

slider.addEventListener('input', () => { at = Number(slider.value); run += 1; setPlaying(false); put(document.querySelector('[data-stamp]'), `${t('replay.then')} ${stamp(at)}`); });
slider.addEventListener('change', () => seek(Number(slider.value)));
field.addEventListener('keydown', ({key}) => { if (key === 'Enter') go(); });

function go() {
  const ms = fromField(field.value);
  if (!Number.isFinite(ms)) return say(t('replay.bad_moment'), true);
  if (ms > Date.now()) return say(t('replay.future'), true);
  field.blur();
  at = ms;
  span();
  return seek(ms);
}

const ACTS = {
  go,
  play: () => (playing ? pause() : play()),
  back: () => seek(at - 60_000),
  forward: () => seek(Math.min(at + 60_000, Date.now() - 1000)),
};
document.addEventListener('click', ({target}) => {
  const hit = target.closest('[data-do]');
  if (hit) return void ACTS[hit.dataset.do]();
  const row = target.closest('[data-list] .cy-item');
  return row && choose(row.dataset.key === chosen ? null : row.dataset.key);
});
document.querySelector('[data-choice="speed"]').addEventListener('change', () => { if (playing) play(); });
document.querySelector('[data-choice="span"]').addEventListener('change', span);
live.addEventListener('applied', throttle(draw, 200));

const asked = new URLSearchParams(location.hash.slice(1));
if (Number(asked.get('t')) > 0) at = Math.min(Number(asked.get('t')), Date.now() - 1000);
chosen = asked.get('incident');
span();
where();
const map = (globalThis.chengyun ??= {}).map = await createMap(mapHost, {lang, center: centre(), remember: '/replay', counts: true});
if (map) {
  layerPanel(mapHost.parentElement, map, {past: true});
  mapHost.addEventListener('pick', ({detail}) => choose(detail.kind === 'incident' ? detail.key : null));
}
await seek(at);
if (chosen) map?.focus('incident', chosen);
document.documentElement.dataset.ready = 'replay';
