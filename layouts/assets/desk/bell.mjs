// The bell: new level I and II incidents ring until someone acknowledges them.

import {strike} from '../chime.mjs';
import {live} from '../live.mjs';
import {t} from '../text.mjs';
import {icon, memory, rings} from './dom.mjs';

const EVERY_MS = 2600;

let audio = null;
let timer = null;
let muted = memory.read('muted') === true;

/** Browsers allow sound only after a gesture: the first one on the page opens it. */
function unlock() {
  audio ??= new AudioContext();
  audio.resume().then(() => draw());
}

/** Incidents that ring now, worst and oldest first. */
export function ringing() {
  return [...live.items('incident').values()].filter(rings).sort((a, b) => a.level - b.level || a.reported_at - b.reported_at);
}

function draw() {
  const now = ringing();
  document.documentElement.classList.toggle('is-ringing', now.length > 0);
  for (const button of document.querySelectorAll('[data-bell]')) {
    const silent = muted || audio?.state !== 'running';
    const mark = silent ? 'bell-off' : now.length ? 'bell-ring' : 'bell';
    if (button.dataset.shows !== mark) {
      button.dataset.shows = mark;
      button.replaceChildren(icon(mark));
    }
    button.setAttribute('aria-pressed', String(muted));
    button.title = muted ? t('shell.bell.muted') : silent ? t('shell.bell.locked') : t('shell.bell.on', {n: now.length});
    button.classList.toggle('is-silent', silent && now.length > 0);
    button.dataset.n = now.length || '';
  }
  if (now.length && !timer) {
    const ring = () => {
      const worst = ringing()[0];
      if (!worst) return;
      if (!muted) strike(audio, worst.level);
      timer = setTimeout(ring, EVERY_MS);
    };
    ring();
  } else if (!now.length) {
    clearTimeout(timer);
    timer = null;
  }
}

/** Begin to listen; idempotent enough for one call per page. */
export function startBell() {
  live.addEventListener('applied', ({detail}) => {
    if (detail.replaced || detail.changed.some(([kind]) => kind === 'incident')) draw();
  });
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-bell]')) return;
    if (audio?.state === 'running') {
      muted = !muted;
      memory.write('muted', muted);
    }
    draw();
  });
  for (const gesture of ['pointerdown', 'keydown']) window.addEventListener(gesture, unlock, {once: true, capture: true});
  draw();
}
