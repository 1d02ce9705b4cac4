// 城市运行体征: asks anew while somebody looks, and keeps the chosen vital sign in the address.

import {ready, tell} from './dom.mjs';
import {startShell} from './shell.mjs';

const ASK_MS = 15_000; // as often as they are computed
let chosen = new URLSearchParams(location.hash.slice(1)).get('of') ?? '';

function mark() {
  for (const tile of document.querySelectorAll('[data-vital]')) {
    const on = tile.dataset.vital === chosen;
    tile.classList.toggle('is-on', on);
    tile.setAttribute('aria-pressed', String(on));
  }
}

function look(id) {
  chosen = id;
  history.replaceState(null, '', `#of=${id}`);
  mark();
  tell('vitals-look', {id});
}

startShell();
const host = await ready('vitals-body');
new MutationObserver(mark).observe(host, {childList: true, subtree: true});
document.addEventListener('click', ({target}) => {
  const hit = target.closest('[data-vital]');
  if (hit) look(hit.dataset.vital);
});
if (chosen) look(chosen);
else tell('vitals-ask', {});
setInterval(() => { if (!document.hidden) tell('vitals-ask', {}); }, ASK_MS);
document.documentElement.dataset.ready = 'vitals';
