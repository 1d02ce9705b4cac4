// The frame of every page: icons, clock, link badge that names the broken link, demo tag, language, way out, toasts.

import '../age.mjs';
import {live} from '../live.mjs';
import {ago, cityTime, has, lang, setLanguage, t} from '../text.mjs';
import {watchAnswers} from './answers.mjs';
import {icon, put, show} from './dom.mjs';
import {startHelp} from './help.mjs';
import {startNav} from './nav.mjs';
import {startPalette} from './palette.mjs';

const TOAST_MS = 7000;
const LINK_LATE_MS = 20_000; // a process that has not said anything for so long is late
const FIGURES_LATE_MS = 90_000; // the relay computes the cheap figures every few seconds

/** Fill the icons that Python could only name. */
function drawIcons(root) {
  const hosts = root.matches?.('[data-icon]') ? [root] : root.querySelectorAll?.('[data-icon]') ?? [];
  for (const host of hosts) if (!host.firstChild) host.append(icon(host.dataset.icon));
}

watchAnswers();
new MutationObserver((records) => {
  for (const record of records) {
    for (const node of record.addedNodes) if (node.nodeType === Node.ELEMENT_NODE) drawIcons(node);
    if (record.type === 'attributes') { record.target.replaceChildren(); drawIcons(record.target); }
  }
}).observe(document.documentElement, {childList: true, subtree: true, attributes: true, attributeFilter: ['data-icon']});
drawIcons(document.documentElement);

const linkName = (key) => (has(`shell.link.${key}`) ? t(`shell.link.${key}`) : key);

/**
 * Which links behind the page are not well, in words: processes that say so; the relay when the figures it makes every
 * few seconds stand still; feeds that were heard once and are silent now.
 */
export function brokenLinks(now = live.now()) {
  const ill = [];
  for (const [key, item] of live.items('link')) {
    if (key === 'demo') continue; // says what the data are, not how a link is
    const state = item.status ?? 'up';
    const heard = item.t ?? item.as_of;
    if (!['up', 'ok', 'live', 'online'].includes(state) || (heard && now - heard > LINK_LATE_MS)) ill.push(linkName(key));
  }
  const figures = [...live.items('indicator').values()].map((i) => i.as_of ?? 0);
  if (figures.length && now - Math.max(...figures) > FIGURES_LATE_MS) ill.push(linkName('relay'));
  for (const feed of live.items('feed').values()) {
    if (feed.status === 'silent') ill.push(t('shell.link.silent_feed', {name: feed.name || feed.key}));
  }
  return ill;
}

/** The badge's words: the browser's own link first, then what is broken behind it. */
export function linkText() {
  if (live.status === 'past') return t('link.past');
  if (live.status === 'lost') return t('link.lost.since', {age: ago((Date.now() - live.heardAt) / 1000)});
  if (live.status === 'late') return `${t('link.late')} · ${t('shell.link.web')}`;
  const ill = brokenLinks();
  return ill.length ? `${t('link.late')} · ${ill.join(lang === 'zh' ? '、' : ', ')}` : t('link.live');
}

function second() {
  const now = live.now();
  for (const clock of document.querySelectorAll('[data-clock]')) put(clock, cityTime(now).clock);
  const ill = live.status === 'live' && brokenLinks(now).length > 0;
  document.documentElement.classList.toggle('link-ill', ill);
  for (const badge of document.querySelectorAll('[data-link-badge]')) put(badge, linkText());
}

function demo() {
  const shown = Boolean(live.get('link', 'demo')?.on);
  for (const tag of document.querySelectorAll('[data-demo]')) show(tag, shown);
}

const cookie = (name) => document.cookie.match(new RegExp(`(?:^|;\\s*)${name}=([^;]*)`))?.[1] ?? '';

async function logout() {
  await fetch('/logout', {method: 'POST', credentials: 'same-origin', headers: {'X-CSRF-Token': decodeURIComponent(cookie('chengyun_csrf'))}}).catch(() => null);
  location.assign('/login');
}

document.addEventListener('click', async (event) => {
  const hit = event.target.closest('[data-language],[data-logout],[data-copy]');
  if (!hit) return;
  if (hit.dataset.language) setLanguage(hit.dataset.language);
  else if (hit.dataset.copy) {
    await navigator.clipboard?.writeText(hit.dataset.copy).catch(() => null);
    toast(t('shell.copied', {text: hit.dataset.copy}));
  } else logout();
});

/** A message made by the browser itself; Python's come through the same place. */
export function toast(text, kind = '') {
  const host = document.querySelector('.cy-toasts');
  if (!host) return;
  const box = document.createElement('div');
  box.className = `cy-toast local${kind ? ` cy-toast--${kind}` : ''}`;
  box.setAttribute('role', 'status');
  box.textContent = text;
  host.append(box);
  setTimeout(() => box.remove(), TOAST_MS);
}

let started = false;

/** Begin what every page does. */
export function startShell({stream = true} = {}) {
  if (started) return;
  started = true;
  if (stream) live.start();
  startPalette();
  startHelp();
  startNav();
  live.addEventListener('applied', ({detail}) => {
    if (detail.replaced || detail.changed.some(([kind]) => kind === 'link')) demo();
  });
  live.addEventListener('status', second);
  setInterval(second, 1000);
  new MutationObserver(() => { second(); demo(); }).observe(document.getElementById('react-entry-point'), {childList: true});
  second();
}
