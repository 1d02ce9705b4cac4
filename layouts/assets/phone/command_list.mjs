// 指挥: the open incidents of level I and II, for who may give orders from the phone. Each card opens the incident, where one
// press is the order; here it is followed how far the order has come.

import {live} from '../live.mjs';
import {t} from '../text.mjs';
import {classWords, classes} from './catalogue.mjs';
import {kept} from './db.mjs';
import {fill, h, icon, reconcile} from './dom.mjs';
import {PREFIX, keep} from './my_tasks.mjs';
import {dueTime, emptyState, levelBadge, outboxNotice, stageChip, when} from './parts.mjs';

const KEY = 'command';
const WORST = 2;
const OVER = ['closed', 'refused', 'void'];

/** How far the order has come: unread since …, read at …; what others see as the stage is not repeated. */
export function orderWords(one) {
  if (one.stage !== 'dispatched' || !one.ordered_at) return '';
  if (one.opened_at) return t('phone.order.seen', {time: when(one.opened_at)});
  const minutes = Math.max(0, Math.floor((live.now() - one.ordered_at) / 60_000));
  return t(one.delivered_at ? 'phone.order.unread' : 'phone.order.undelivered', {n: minutes});
}

const card = (one, waiting) => h('a', {class: 'ph-card', href: `#/task/${one.key}`, dataset: {task: one.key}},
  h('span', {class: 'ph-card-top'}, levelBadge(one.level), h('span', {class: 'ph-card-class cy-clip'}, classWords(one)),
    one.handle_due_at && h('span', {class: 'ph-card-due'}, dueTime(one.handle_due_at))),
  h('span', {class: 'ph-card-title'}, one.title),
  one.address && h('span', {class: 'ph-card-place'}, icon('map-pin'), h('span', {class: 'cy-clip'}, one.address)),
  h('span', {class: 'ph-card-foot'}, stageChip(one.stage),
    waiting && h('span', {class: 'cy-chip ph-waiting'}, icon('clock'), t('phone.waiting')),
    h('span', {class: 'cy-faint cy-clip'}, [one.worker_name || one.unit_name, orderWords(one)].filter(Boolean).join(' · ')),
    h('span', {class: 'ph-card-next'}, icon('chevron-right'))));

export function commandPage(page, {queue}) {
  page.title(t('phone.command'));
  const summary = h('p', {class: 'ph-summary', 'aria-live': 'polite'});
  const notices = h('div', {class: 'ph-notices'});
  const list = h('div', {class: 'ph-list'});
  fill(page.main, summary, notices, list);
  let known = null; // {rows, at}

  const read = () => {
    if (!live.ready) return;
    const rows = [...live.items('incident').values()].filter((one) => one.level <= WORST && !OVER.includes(one.stage));
    rows.sort((a, b) => a.level - b.level || (a.handle_due_at ?? Infinity) - (b.handle_due_at ?? Infinity) || b.reported_at - a.reported_at);
    known = {rows, at: live.heardAt};
    keep(KEY, known);
  };
  const draw = () => {
    if (!known) return void fill(summary, t('ui.loading'));
    fill(summary, h('strong', {class: 'cy-num'}, t('phone.command.count', {n: known.rows.length})),
      h('span', {class: 'cy-faint'}, t('phone.as_of', {time: when(known.at)})));
    reconcile(notices, queue.entries.map((e) => ({key: e.seq, mark: e.state, build: () => outboxNotice(e, queue, {link: true})})));
    const rows = known.rows.map((one) => {
      const waiting = queue.of(one.key).length > 0;
      return {key: one.key, mark: JSON.stringify([one, waiting, orderWords(one)]), build: () => card(one, waiting)};
    });
    if (!rows.length) rows.push({key: 'none', mark: '', build: () => emptyState('circle-check', t('phone.command.none'))});
    reconcile(list, rows);
  };
  const anew = () => {
    read();
    if (page.open) draw();
  };
  page.listen(live, 'applied', ({detail}) => (detail.replaced || detail.changed.some(([kind]) => kind === 'incident')) && anew());
  page.listen(queue, 'change', draw);
  page.every(15_000, draw);
  anew();
  if (!known) kept.get(PREFIX + KEY).then((found) => { known ??= found ?? null; draw(); });
  classes().then(() => page.open && draw());
}
