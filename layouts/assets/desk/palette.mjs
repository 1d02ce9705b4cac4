// The command palette (Ctrl-K): pages, what may be done now, open incidents, places and devices, by typing.
//
// What may be done is what stands on the page as a button now: the palette has no rights of its own.

import {live} from '../live.mjs';
import {has, t} from '../text.mjs';
import {ask} from './api.mjs';
import {FINAL, NUMERALS, el, icon, put, throttle} from './dom.mjs';

const MOST = 8; // of one kind
const BUTTONS = '#desk-actions .cy-button, .cy-bar [data-language], .cy-bar [data-help], .cy-bar [data-logout], [data-intake], [data-keys], [data-export], [data-views-open], [data-window]';
const PLACE_ICONS = {place: 'map-pin', device: 'device', unit: 'users'};

let dialog;
let input;
let list;
let options = []; // what is shown: {icon, text, note, run}
let at = 0;
let found = {text: '', rows: []}; // places and devices, as the server last said

const fits = (text, ...hay) => text.toLowerCase().split(/\s+/).every((part) => hay.join(' ').toLowerCase().includes(part));

function pages(text) {
  return [...document.querySelectorAll('.nav__link')].filter((a) => fits(text, a.textContent, a.pathname))
    .map((a) => ({group: 'pages', icon: 'chevron-right', text: a.textContent, note: a.pathname, run: () => location.assign(a.href)}));
}

const nameOf = (button) => (button.textContent.trim() || button.title || button.getAttribute('aria-label') || '').replace(/\s*(F2|\?)$/, '');

function buttons(text) {
  return [...document.querySelectorAll(BUTTONS)].filter((b) => !b.disabled && b.offsetParent && nameOf(b) && fits(text, nameOf(b)))
    .map((b) => ({group: 'commands', icon: 'send', text: nameOf(b), note: b.dataset.key ?? '', run: () => b.click()}));
}

function incidents(text) {
  if (!text) return [];
  return [...live.items('incident').values()].filter((i) => !FINAL.has(i.stage) && fits(text, i.number, i.title, i.class_name ?? '', i.address ?? ''))
    .sort((a, b) => a.level - b.level).slice(0, MOST)
    .map((i) => ({group: 'incidents', level: i.level, text: i.title, note: `${i.number} · ${t(`stage.${i.stage}`)}`, run: () => go(`#incident=${i.key}`)}));
}

function places(text) {
  if (found.text !== text) return [];
  return found.rows.map((r) => ({
    group: 'places', icon: PLACE_ICONS[r.kind] ?? 'map', text: r.name, note: has(`palette.kind.${r.kind}`) ? t(`palette.kind.${r.kind}`) : r.kind,
    run: () => go(`#at=${r.lon},${r.lat}`),
  }));
}

/** To the desk with this fragment; the desk itself listens to the address. */
function go(hash) {
  if (location.pathname === '/desk') location.hash = hash;
  else location.assign(`/desk${hash}`);
}

const look = throttle(async (text) => {
  if (text.length < 2 || !document.querySelector('.nav__link[href="/desk"]')) return;
  try {
    const {rows} = await ask('find_place', {text, limit: MOST});
    found = {text, rows};
  } catch {
    found = {text, rows: []}; // the other kinds are still there
  }
  if (dialog.open && input.value.trim() === text) draw();
}, 200);

function draw() {
  const text = input.value.trim();
  options = [...buttons(text).slice(0, text ? MOST : 12), ...pages(text), ...incidents(text), ...places(text)];
  at = Math.min(at, Math.max(0, options.length - 1));
  let group = '';
  const lines = options.flatMap((o, n) => {
    const line = el('div.palette__one', {id: `palette-${n}`, role: 'option', dataset: {n}, onclick: () => choose(n)},
      o.level ? el('span', {className: `cy-level cy-level--${o.level}`}, NUMERALS[o.level]) : icon(o.icon),
      el('span.cy-clip.cy-grow', {}, o.text), el('span.cy-faint.cy-num', {}, o.note));
    line.setAttribute('aria-selected', String(n === at));
    if (o.group === group) return [line];
    group = o.group;
    return [el('div.palette__group', {role: 'presentation'}, t(`palette.${group}`)), line];
  });
  list.replaceChildren(...(lines.length ? lines : [el('div.cy-empty', {}, t('palette.none'))]));
  mark();
}

function mark() {
  for (const line of list.querySelectorAll('[data-n]')) line.setAttribute('aria-selected', String(Number(line.dataset.n) === at));
  input.setAttribute('aria-activedescendant', options.length ? `palette-${at}` : '');
  list.querySelector(`[data-n="${at}"]`)?.scrollIntoView({block: 'nearest'});
}

function choose(n) {
  const option = options[n];
  dialog.close();
  option?.run();
}

function onKey(event) {
  const by = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (by && options.length) {
    event.preventDefault();
    at = (at + by + options.length) % options.length;
    mark();
  } else if (event.key === 'Enter' && !event.isComposing) { // Enter also ends the typing of a Chinese word
    event.preventDefault();
    choose(at);
  }
}

function build() {
  input = el('input.cy-input', {type: 'text', placeholder: t('palette.placeholder'), autocomplete: 'off', role: 'combobox', oninput: () => { at = 0; draw(); look(input.value.trim()); }, onkeydown: onKey});
  for (const [name, value] of Object.entries({'aria-controls': 'palette-list', 'aria-expanded': 'true', 'aria-autocomplete': 'list', 'aria-label': t('palette.placeholder')})) input.setAttribute(name, value);
  list = el('div.palette__list', {id: 'palette-list', role: 'listbox'});
  list.setAttribute('aria-label', t('palette.title'));
  dialog = el('dialog.cy-dialog.palette', {id: 'palette'}, input, list, el('div.palette__foot.cy-faint', {}, t('palette.keys')));
  dialog.setAttribute('aria-label', t('palette.title'));
  dialog.addEventListener('click', ({target}) => { if (target === dialog) dialog.close(); }); // beside it
  document.body.append(dialog);
}

/** Open it; what was typed the last time is gone. */
export function openPalette() {
  if (!dialog) build();
  if (dialog.open || document.querySelector('dialog[open]')) return;
  input.value = '';
  at = 0;
  put(list, '');
  dialog.showModal();
  draw();
}

export function startPalette() {
  document.addEventListener('keydown', (event) => {
    if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || !document.querySelector('.nav')) return;
    event.preventDefault(); // else the browser's own search
    openPalette();
  });
  document.addEventListener('click', ({target}) => { if (target.closest('[data-palette]')) openPalette(); });
}
