// The duty leader's page: what is wrong and what is late comes from the live items; unknown and waiting are asked.

import {touch} from '../age.mjs';
import {live} from '../live.mjs';
import {t} from '../text.mjs';
import {ringing, startBell} from './bell.mjs';
import {FINAL, NUMERALS, dueOf, el, icon, isLate, put, ready, reconcile, show, tell, throttle} from './dom.mjs';
import {startShell} from './shell.mjs';
import {startTiles} from './tiles.mjs';
import {tellUnknown} from './unknown.mjs';

const MOST = 60; // cards in a column; the count says how many there are
const ASK_MS = 4000;

const open = () => [...live.items('incident').values()].filter((i) => !FINAL.has(i.stage));
const worstFirst = (a, b) => a.level - b.level || (dueOf(a) ?? Infinity) - (dueOf(b) ?? Infinity);

const LISTS = {
  wrong: () => open().filter((i) => i.level <= 2).sort((a, b) => Number(a.acknowledged) - Number(b.acknowledged) || worstFirst(a, b)),
  late: () => { const now = live.now(); return open().filter((i) => isLate(i, now)).sort((a, b) => (dueOf(a) ?? 0) - (dueOf(b) ?? 0)); },
};

const act = (item, action, more = {}) => JSON.stringify({action, id: Number(item.key), version: item.version, ...more});

function make() {
  return el('div.cy-item.card', {},
    el('span.cy-level'),
    el('div.cy-item__main', {},
      el('div.cy-item__title'), el('div.cy-item__sub.cy-num'),
      el('div.cy-row', {}, el('span.cy-stage'), el('span.cy-faint.who.cy-clip')),
      el('div.cy-row.card__acts')),
    el('div.cy-item__side', {}, el('span.due'), el('span.age')));
}

function buttons(item) {
  const out = [el('a.cy-button.cy-button--small', {href: `/desk#incident=${item.key}`}, t('leader.open'))];
  if (!item.acknowledged && item.level <= 2) out.unshift(el('button.cy-button.cy-button--small.cy-button--primary', {type: 'button', dataset: {act: act(item, 'acknowledge')}}, t('action.acknowledge')));
  if (item.stage === 'accepted') out.unshift(el('button.cy-button.cy-button--small.cy-button--primary', {type: 'button', dataset: {act: act(item, 'route')}}, t('action.dispatch')));
  else if (isLate(item, live.now())) out.push(el('button.cy-button.cy-button--small', {type: 'button', dataset: {act: act(item, 'note', {reason: t('leader.urge.text')})}}, t('leader.urge')));
  return out;
}

function update(card, item) {
  const ringsNow = item.level <= 2 && !item.acknowledged;
  card.classList.toggle('is-ringing', ringsNow);
  const badge = card.querySelector('.cy-level');
  badge.className = `cy-level cy-level--${item.level}`;
  put(badge, NUMERALS[item.level]);
  put(card.querySelector('.cy-item__title'), item.title);
  put(card.querySelector('.cy-item__sub'), [item.number, item.class_name, item.address].filter(Boolean).join(' · '));
  const stage = card.querySelector('.cy-stage');
  stage.className = `cy-stage cy-stage--${item.stage}`;
  put(stage, t(`stage.${item.stage}`));
  put(card.querySelector('.who'), [item.unit_name || t('leader.no_unit'), item.worker_name].filter(Boolean).join(' · '));
  card.querySelector('.due').dataset.due = dueOf(item) ?? '';
  card.querySelector('.age').dataset.asOf = item.reported_at;
  touch(card.querySelector('.due'));
  touch(card.querySelector('.age'));
  const signature = `${item.version}${isLate(item, live.now())}`;
  if (card.dataset.signature !== signature) {
    card.dataset.signature = signature;
    card.querySelector('.card__acts').replaceChildren(...buttons(item));
  }
}

function draw() {
  for (const [name, rows] of Object.entries(LISTS)) {
    const host = document.getElementById(`leader-${name}`);
    const all = rows();
    put(document.querySelector(`[data-count="${name}"]`), live.ready ? all.length : '');
    const none = host.querySelector('.cy-empty');
    if (all.length) none?.remove();
    else if (!live.ready) tellUnknown(host);
    else {
      const text = t(`leader.${name}.none`);
      if (none?.textContent !== text) host.replaceChildren(el('div.cy-empty', {}, icon('circle-check'), text));
    }
    if (all.length) reconcile(host, all.slice(0, MOST), (i) => i.key, make, update);
  }
  ring();
}

/** The bar that cannot be overlooked: the worst incident nobody has acknowledged. */
function ring() {
  const bar = document.querySelector('[data-ringing]');
  const rows = ringing();
  show(bar, rows.length > 0);
  if (!rows.length) return;
  const [worst] = rows;
  const signature = `${worst.key}:${rows.length}`;
  if (bar.dataset.signature === signature) return;
  bar.dataset.signature = signature;
  bar.className = `ringing ringing--${worst.level}`;
  bar.replaceChildren(
    icon('bell-ring'), el('span.cy-level', {className: `cy-level cy-level--${worst.level}`}, NUMERALS[worst.level]),
    el('strong.cy-clip', {}, worst.title), el('span.cy-clip.cy-grow', {}, [worst.number, worst.address].filter(Boolean).join(' · ')),
    ...(rows.length > 1 ? [el('span', {}, t('leader.more_ringing', {n: rows.length - 1}))] : []),
    el('span.age', {dataset: {asOf: worst.reported_at}}),
    el('button.cy-button.cy-button--primary', {type: 'button', dataset: {act: act(worst, 'acknowledge')}}, t('action.acknowledge')),
    el('a.cy-button', {href: `/desk#incident=${worst.key}`}, t('leader.open')));
}

function counts() {
  for (const name of ['unknown', 'waiting']) {
    const host = document.getElementById(`leader-${name}`);
    const known = host.firstElementChild && !host.querySelector('.is-fault'); // not known is not 0
    put(document.querySelector(`[data-count="${name}"]`), known ? host.querySelectorAll(':scope > .cy-item').length : '–');
  }
}

startShell();
startBell();
const tiles = await ready('desk-tiles');
startTiles(tiles, (item) => location.assign(`/desk#of=${item.id}`));
for (const name of ['unknown', 'waiting']) new MutationObserver(counts).observe(document.getElementById(`leader-${name}`), {childList: true});
const ask = throttle(() => tell('leader-board-ask', {}), ASK_MS);
live.addEventListener('applied', ({detail}) => {
  if (!detail.replaced && !detail.changed.some(([kind]) => ['incident', 'feed', 'indicator', 'alert', 'link'].includes(kind))) return;
  draw();
  ask();
});
live.addEventListener('fault', draw);
setInterval(draw, 5000); // clocks run out without a message
setInterval(ask, 30_000); // and so do figures and devices: when everything falls silent, nothing else asks
const counted = document.getElementById('leader-now-dialog');
let opened = ''; // which figure of the row 'now' is open: the board is painted anew behind it
const showCounted = () => { for (const part of counted.querySelectorAll('[data-now-rows]')) show(part, part.dataset.nowRows === opened); };
new MutationObserver(showCounted).observe(document.getElementById('leader-now-rows'), {childList: true});
document.addEventListener('click', ({target}) => {
  const figure = target.closest('button[data-now]');
  if (figure) {
    opened = figure.dataset.now;
    put(counted.querySelector('[data-now-title]'), t(`leader.now.${opened}`));
    showCounted();
    counted.showModal();
  } else if (target.closest('[data-now-close]')) counted.close();
  else if (target.closest('#leader-now-dialog [data-incident]')) location.assign(`/desk#incident=${target.closest('[data-incident]').dataset.incident}`);
  const hit = target.closest('[data-act]');
  if (!hit) return;
  hit.disabled = true;
  setTimeout(() => { hit.disabled = false; }, 1500);
  tell('leader-press', JSON.parse(hit.dataset.act));
});
draw();
ask();
document.documentElement.dataset.ready = 'leader';
