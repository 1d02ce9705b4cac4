// A browser that waits to become a screen: it shows a code, asks every two seconds whether somebody typed it, asks for another
// code when its time is over, and never gives up: nobody stands at a wall to press "again".

import {lang, setLanguage, t} from '../text.mjs';

const ASK_MS = 2000;
const AGAIN_MS = [2000, 4000, 8000, 15_000, 30_000];

const code = document.querySelector('[data-code]');
const state = document.querySelector('[data-state]');
let until = 0; // performance.now() at which the code is over
let tries = 0;

// The link of the other language keeps it, as the switch of every other page does.
const wanted = new URLSearchParams(location.search).get('lang');
if (wanted && !document.cookie.includes(`chengyun_lang=${wanted}`)) {
  history.replaceState(null, '', location.pathname);
  setLanguage(wanted);
}

function say(words, away = false) {
  if (state.textContent !== words) state.textContent = words;
  state.classList.toggle('is-away', away);
}

async function post(path) {
  const reply = await fetch(`/wall/pair/${path}`, {method: 'POST', credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(10_000)});
  if (!reply.ok) throw Object.assign(new Error(`HTTP ${reply.status}`), {status: reply.status});
  return reply.json();
}

async function anew() {
  const given = await post('code');
  until = performance.now() + given.seconds * 1000;
  code.textContent = `${given.code.slice(0, 3)} ${given.code.slice(3)}`;
  code.dataset.plain = given.code;
}

async function step() {
  if (performance.now() >= until) await anew();
  const {state: now} = await post('state');
  if (now === 'paired') {
    say(t('pair.done'));
    location.replace('/wall');
    return false;
  }
  if (now === 'over') until = 0;
  else say(t('pair.waiting', {n: Math.max(1, Math.ceil((until - performance.now()) / 60_000))}));
  return true;
}

async function loop() {
  let wait = ASK_MS;
  try {
    if (!(await step())) return;
    tries = 0;
  } catch (error) {
    wait = AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)];
    tries += 1;
    say(t(error.status === 429 ? 'pair.busy' : 'pair.away'), true);
  }
  setTimeout(loop, wait);
}

document.documentElement.dataset.ready = 'pair';
document.documentElement.lang ||= lang;
loop();
