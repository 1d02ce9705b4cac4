// 大屏管理: the list is read anew when a screen changes; unpairing asks once more, on the button itself.

import {live} from '../live.mjs';
import {ready, tell, throttle} from './dom.mjs';
import {startShell} from './shell.mjs';

const SURE_MS = 4000;
const SEEN_MS = 30_000;

startShell();
await ready('screens-list');
const again = throttle(() => tell('screens-again', {}), 400);
live.addEventListener('applied', ({detail}) => { if (detail.changed.some(([kind]) => kind === 'screen')) again(); });
setInterval(again, SEEN_MS); // when each was last there is no live item

document.addEventListener('click', ({target}) => {
  const button = target.closest('[data-unpair]');
  if (!button) return;
  if (button.dataset.asked) {
    tell('screens-unpair', {screen: Number(button.dataset.unpair)});
    return;
  }
  const before = button.textContent;
  button.dataset.asked = '1';
  button.textContent = button.dataset.sure;
  button.classList.add('cy-button--danger');
  setTimeout(() => {
    if (!button.isConnected) return;
    delete button.dataset.asked;
    button.textContent = before;
    button.classList.remove('cy-button--danger');
  }, SURE_MS);
});
again();
document.documentElement.dataset.ready = 'screens';
