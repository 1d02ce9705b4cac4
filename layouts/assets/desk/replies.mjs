// 答复: choosing one that waits to be told.

import {ready, tell} from './dom.mjs';
import {startShell} from './shell.mjs';

startShell();
await ready('replies-list');

document.addEventListener('click', ({target}) => {
  const hit = target.closest('[data-reply]');
  if (!hit) return;
  for (const line of document.querySelectorAll('.places__line.is-on')) line.classList.remove('is-on');
  hit.classList.add('is-on');
  tell('replies-chosen', {id: Number(hit.dataset.reply), incident: Number(hit.dataset.incident)});
});
tell('replies-again', {});
document.documentElement.dataset.ready = 'replies';
