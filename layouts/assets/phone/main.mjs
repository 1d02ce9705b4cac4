// The phone terminal: routing by hash (so that the back button works), the state of the link, the tabs.

import {live} from '../live.mjs';
import {ago, t} from '../text.mjs';
import {commandPage} from './command_list.mjs';
import {fill, h, icon} from './dom.mjs';
import {duty} from './duty.mjs';
import {facts} from './facts.mjs';
import {keepFonts, settleFonts} from './fonts.mjs';
import {ownCells} from './ground.mjs';
import {marksPage} from './marks_page.mjs';
import {mePage} from './me_page.mjs';
import {tasks} from './my_tasks.mjs';
import {myReportsPage} from './my_reports.mjs';
import {noticeOf} from './notices.mjs';
import {toast} from './parts.mjs';
import {Queue} from './queue.mjs';
import {reportPage, reportPlacePage} from './report_page.mjs';
import {taskFormPage} from './task_forms.mjs';
import {taskListPage} from './task_list.mjs';
import {taskPage} from './task_page.mjs';

/** Where the phone opens: who gives orders sees what they are for, everybody else their tasks. */
const HOME = facts.rights.command ? '#/command' : '#/tasks';
const ROUTES = [
  [/^#\/command$/, commandPage],
  [/^#\/tasks$/, taskListPage],
  [/^#\/task\/(\d+)$/, taskPage, HOME],
  [/^#\/task\/(\d+)\/(finish|return|note|extension|answer|assist)$/, taskFormPage, (id) => `#/task/${id}`],
  [/^#\/report$/, reportPage],
  [/^#\/report\/place$/, reportPlacePage, '#/report'],
  [/^#\/mine$/, myReportsPage],
  [/^#\/me$/, mePage],
  [/^#\/marks$/, marksPage, '#/me'],
];
const TABS = [
  ['#/command', 'megaphone', 'phone.tab.command', facts.rights.command],
  ['#/tasks', 'clipboard-list', 'phone.tab.tasks', facts.rights.handle || !facts.rights.command],
  ['#/report', 'plus', 'phone.tab.report', facts.rights.report],
  ['#/mine', 'flag', 'phone.tab.mine', facts.rights.report],
  ['#/me', 'user', 'phone.tab.me', true],
];

const DEMO = 'chengyun.demo';
const byId = (id) => document.getElementById(id);
const main = byId('ph-main');
const foot = byId('ph-foot');
const tabs = byId('ph-tabs');
const queue = new Queue(facts.login);

// ---------------------------------------------------------------- pages

let current = null;
const trail = []; // the hashes behind the history entries of this page; an entry's depth is kept in history.state
let replacing = false;
const scrolled = new Map();

/** Note where in the history the page is now: a link pushes an entry without state, back and forward bring one. */
function track() {
  const hash = location.hash || HOME;
  let depth = history.state?.depth;
  if (depth === undefined) {
    depth = replacing ? Math.max(0, trail.length - 1) : trail.length;
    history.replaceState({depth}, '');
  }
  replacing = false;
  trail.length = depth;
  trail[depth] = hash;
}

function replace(hash) {
  replacing = true;
  location.replace(hash);
}

function open() {
  const hash = location.hash || HOME;
  const route = ROUTES.find(([pattern]) => pattern.test(hash));
  if (!route) {
    replace(HOME);
    return;
  }
  if (current) {
    scrolled.set(current.hash, window.scrollY);
    current.close();
  }
  const [pattern, build, parent] = route;
  const parameters = hash.match(pattern).slice(1);
  const undo = [];
  const page = {
    hash, main, open: true,
    title: (words) => {
      byId('ph-title').textContent = words;
      document.title = `${words} · ${t('product.name')}`;
    },
    foot: (...content) => {
      if (!page.open) return;
      fill(foot, content);
      foot.hidden = !foot.childElementCount;
      tabs.hidden = Boolean(parent) || !foot.hidden;
    },
    listen: (target, name, handle) => {
      target.addEventListener(name, handle);
      undo.push(() => target.removeEventListener(name, handle));
    },
    every: (ms, work) => {
      const timer = setInterval(work, ms);
      undo.push(() => clearInterval(timer));
    },
    onClose: (work) => undo.push(work),
    close: () => {
      page.open = false;
      for (const work of undo.splice(0)) work();
    },
  };
  current = page;
  page.foot();
  main.className = `ph-main ph-main--${build.name}`;
  main.dataset.page = hash;
  delete main.dataset.sent;
  const back = byId('ph-back');
  back.hidden = !parent;
  back.onclick = () => {
    if (trail.length > 1) history.back();
    else replace(typeof parent === 'function' ? parent(...parameters) : parent);
  };
  for (const tab of tabs.children) {
    const on = hash === tab.getAttribute('href');
    if (on) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  Promise.resolve(build(page, {queue, go}, ...parameters)).catch((error) => {
    if (page.open) toast(t('phone.fault'), 'wrong');
    throw error;
  });
  main.focus({preventScroll: true});
  window.scrollTo(0, scrolled.get(hash) ?? 0);
}

/** Go to a page. `leave`: the form that was sent is no place to come back to; `anew`: the same page, empty. */
function go(hash, {leave = false, anew = false} = {}) {
  if (anew) return open();
  const before = leave ? trail.lastIndexOf(hash, trail.length - 2) : -1;
  if (before >= 0) history.go(before - (trail.length - 1));
  else if (leave) replace(hash);
  else location.hash = hash;
}

// ---------------------------------------------------------------- what the screen does not know

/** Nothing is said of what a person did not press, nor of what the page in front of him says already. */
const told = (entry) => entry.quiet || main.dataset.sent === String(entry.seq);

function drawLink() {
  const offline = !navigator.onLine || live.status === 'lost';
  const state = offline ? 'lost' : live.status;
  const chip = byId('ph-link');
  chip.dataset.state = state;
  chip.textContent = state === 'live' ? t('link.live') : t(offline ? 'phone.offline' : 'phone.connecting');
  const banner = byId('ph-banner-link');
  banner.hidden = state === 'live';
  banner.className = `cy-banner cy-banner--${offline ? 'lost' : 'late'}`;
  if (state !== 'live') {
    const age = live.heardAt ? ago((Date.now() - live.heardAt) / 1000) : tasks.at ? ago((Date.now() - tasks.at) / 1000) : null;
    const words = [age === null ? t('phone.never') : t('phone.updated', {age})];
    if (queue.waiting.length) words.push(t('phone.waiting.count', {n: queue.waiting.length}));
    const text = words.join(' · ');
    if (banner.textContent !== text) banner.textContent = text;
  }
  byId('ph-banner-demo').hidden = !demoNow();
  const sharing = byId('ph-duty');
  sharing.hidden = !duty.on;
  sharing.classList.toggle('is-wrong', Boolean(duty.fault));
}

/** Demo data is called so without signal too: what is on the screen came from the same feed. */
function demoNow() {
  if (!live.ready) return localStorage.getItem(DEMO) === 'on';
  const item = live.get('link', 'demo');
  const on = Boolean(item && item.on !== false);
  localStorage.setItem(DEMO, on ? 'on' : 'off');
  return on;
}

function drawTabs() {
  fill(tabs, TABS.filter(([, , , shown]) => shown).map(([href, iconName, key]) =>
    h('a', {href}, icon(iconName), h('span', {}, t(key)), h('span', {class: 'cy-count ph-tab-count', hidden: true}))));
}

function drawCounts() {
  const open = tasks.list.filter((task) => ['dispatched', 'taken', 'on_site'].includes(tasks.stageOf(task))).length;
  const counts = {'#/tasks': open, '#/me': queue.entries.length};
  for (const tab of tabs.children) {
    const n = counts[tab.getAttribute('href')] ?? 0;
    const badge = tab.querySelector('.ph-tab-count');
    badge.hidden = n === 0;
    badge.textContent = n;
  }
}

// ---------------------------------------------------------------- begin

live.start();
await settleFonts();
drawTabs();
window.addEventListener('hashchange', () => {
  track();
  open();
});
queue.addEventListener('change', () => { drawLink(); drawCounts(); });
window.addEventListener('session-over', () => location.assign(`/login?next=${encodeURIComponent('/phone')}`));
queue.addEventListener('tried', ({detail}) => {
  // Sent by itself after a time without signal: say so, whatever page is open.
  if (detail.outcome === 'refused') byId('ph-toasts').replaceChildren(); // "kept, will be sent" is not true any more
  if (detail.outcome === 'done' && detail.late && !told(detail.entry)) toast(t('phone.sent_later', {what: detail.entry.title || detail.answer?.number || ''}));
});
tasks.addEventListener('change', () => { drawCounts(); drawLink(); });
tasks.addEventListener('arrived', ({detail}) => {
  toast(t('phone.arrived', {title: detail[0].title}));
  navigator.vibrate?.([200, 100, 200]); // the phone is in a pocket
  noticeOf(detail);
});
duty.addEventListener('change', drawLink);
live.addEventListener('status', ({detail}) => {
  drawLink();
  if (detail.status === 'live') queue.send();
});
live.addEventListener('applied', drawLink);
window.addEventListener('online', drawLink);
window.addEventListener('offline', drawLink);
setInterval(drawLink, 1000);

await queue.start();
tasks.start(queue);
duty.resume();
ownCells().catch(() => {}); // kept for the time without signal
track();
open();
drawLink();
document.documentElement.dataset.booted = 'yes';

if ('serviceWorker' in navigator && window.isSecureContext) {
  const had = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    byId('ph-banner-new').hidden = !had; // never reload by itself: someone may be writing
  });
  byId('ph-reload').addEventListener('click', () => location.reload());
  navigator.serviceWorker.addEventListener('message', ({data}) => data?.open && go(data.open)); // a notice was pressed
  navigator.serviceWorker.register('/phone/sw.js', {scope: '/phone'}).then(keepFonts, () => {}); // works without, only with signal
}
