// Marked rows: one action and one reason for all of them. What became of each is told in the records dialog.

import {t} from '../text.mjs';
import {put, show, tell} from './dom.mjs';
import {toast} from './shell.mjs';

/** `list`: an IncidentList, which holds the marks. `open(title)`: opens the dialog that Python fills with the outcome. */
export function startBatch(list, open) {
  const bar = document.getElementById('desk-batch-bar');
  const reason = bar.querySelector('#desk-batch-reason');

  const draw = () => {
    const n = list.marked().length;
    show(bar, n > 0);
    put(bar.querySelector('[data-batch-count]'), t('desk.batch.count', {n}));
  };
  list.addEventListener('marks', draw);

  bar.addEventListener('click', ({target}) => {
    const hit = target.closest('[data-batch],[data-batch-clear]');
    if (!hit) return;
    if ('batchClear' in hit.dataset) return void list.unmarkAll();
    const words = reason.value.trim();
    if (hit.dataset.withReason === '1' && !words) {
      reason.focus();
      return void toast(t('desk.reason_needed'), 'warn');
    }
    const items = list.marked().map(({key, version, number, title}) => ({id: Number(key), version, number, title}));
    open(t('desk.batch.title', {action: t(`action.${hit.dataset.batch}`), n: items.length}));
    tell('desk-batch', {action: hit.dataset.batch, reason: words, items});
    list.unmarkAll();
    reason.value = '';
  });
  draw();
}
