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

function openFeed(id) {
  feedForm.inert = true;
  show(fix, false);
  show(loss, false);
  setProps('ops-side', {children: []});
  setProps('feed-result', {children: []});
  document.getElementById('feed-id').readOnly = Boolean(id);
  show(feedForm, true);
  show(side, true);
  tell('feed-edit', {id});
}

document.addEventListener('click', ({target}) => {
  const row = rowOf(target, 'ops-grid');
  if (row?.open) {
    letter = row.open;
    show(feedForm, false);
    show(loss, false);
    show(side, true);
    show(fix, letter.state === 'open');
    tell('ops-detail-ask', letter);
    return;
  }
  const mismatch = rowOf(target, 'ops-mismatches');
  if (mismatch?.open) {
    dropped = mismatch.open;
    setProps('ops-side', {children: []});
    setProps('ops-loss-reason', {value: ''});
    for (const [part, on] of [[feedForm, false], [fix, false], [loss, true], [side, true]]) show(part, on);
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
