// Operations: tabs, and the side sheet in which one dead letter is read, corrected and sent again.

import {ready, show, tell} from './dom.mjs';
import {startShell} from './shell.mjs';
import {startTabs} from './tabs.mjs';

startShell();
const {side} = await startTabs('ops-ask', 'ledger');
const fix = await ready('ops-fix');
let letter = null;

document.addEventListener('click', ({target}) => {
  const hit = target.closest('[data-letter],[data-settle]');
  if (!hit) return;
  if (hit.dataset.letter) {
    letter = JSON.parse(hit.dataset.letter);
    for (const row of document.querySelectorAll('[data-letter]')) row.classList.toggle('is-selected', row === hit);
    show(side, true);
    show(fix, true);
    tell('ops-detail-ask', letter);
  } else if (letter) {
    tell('ops-press', {...letter, how: hit.dataset.settle});
    show(side, false);
  }
});
document.documentElement.dataset.ready = 'ops';
