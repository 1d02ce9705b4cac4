// Operations: tabs, and the side sheet in which one dead letter is read, corrected and sent again.

import {ready, show, tell} from './dom.mjs';
import {startShell} from './shell.mjs';
import {rowOf, startTabs} from './tabs.mjs';

startShell();
const {side} = await startTabs('ops-ask', 'ledger');
const fix = await ready('ops-fix');
let letter = null;

document.addEventListener('click', ({target}) => {
  const row = rowOf(target, 'ops-grid');
  if (row?.open) {
    letter = row.open;
    show(side, true);
    show(fix, letter.state === 'open');
    tell('ops-detail-ask', letter);
    return;
  }
  const hit = target.closest('[data-settle]');
  if (hit && letter) {
    tell('ops-press', {...letter, how: hit.dataset.settle});
    show(side, false);
  }
});
document.documentElement.dataset.ready = 'ops';
