// Operations: tabs, and the side sheet in which one dead letter is read, corrected and sent again, or a feed is kept.

import {ready, setProps, show, tell} from './dom.mjs';
import {startShell} from './shell.mjs';
import {rowOf, startTabs} from './tabs.mjs';

startShell();
const {side} = await startTabs('ops-ask', 'ledger');
const fix = await ready('ops-fix');
const feedForm = document.getElementById('feed-form');
const loss = await ready('ops-loss');
let letter = null;
let dropped = null;

// Until the form is filled with what the store has, nothing may be typed into it: it would be overwritten.
new MutationObserver(() => { feedForm.inert = false; }).observe(feedForm, {attributeFilter: ['data-filled']});

/** The side sheet with one of its forms, or (null) with none. */
function showOnly(form) {
  for (const one of [fix, loss, feedForm]) show(one, one === form);
  show(side, true);
}

function openFeed(id) {
  feedForm.inert = true;
  setProps('ops-side', {children: []});
  setProps('feed-result', {children: []});
  document.getElementById('feed-id').readOnly = Boolean(id);
  showOnly(feedForm);
  tell('feed-edit', {id});
}

document.addEventListener('click', ({target}) => {
  const row = rowOf(target, 'ops-grid');
  if (row?.open) {
    letter = row.open;
    showOnly(letter.state === 'open' ? fix : null);
    tell('ops-detail-ask', letter);
    return;
  }
  const mismatch = rowOf(target, 'ops-mismatches');
  if (mismatch?.open) {
    dropped = mismatch.open;
    setProps('ops-side', {children: []});
    setProps('ops-loss-reason', {value: ''});
    showOnly(loss);
    return;
  }
  if (target.closest('[data-loss]') && dropped) {
    tell('ops-loss-press', dropped);
    show(side, false);
    return;
  }
  const feed = target.closest('[data-feed]');
  if (feed) return openFeed(feed.dataset.feed);
  const press = target.closest('[data-feed-do]');
  if (press) return tell('feed-press', {how: press.dataset.feedDo});
  const hit = target.closest('[data-settle]');
  if (hit && letter) {
    tell('ops-press', {...letter, how: hit.dataset.settle});
    show(side, false);
  }
});
document.documentElement.dataset.ready = 'ops';
