// 我的上报: what this account has reported and how far it has come, until it is closed.

import {live} from '../live.mjs';
import {t} from '../text.mjs';
import {SessionOver, ask} from './api.mjs';
import {classWords, classes} from './catalogue.mjs';
import {fill, h, icon, reconcile} from './dom.mjs';
import {remembered, shaped} from './my_tasks.mjs';
import {oneAtATime} from './one_at_a_time.mjs';
import {emptyState, levelBadge, outboxNotice, stageChip, when} from './parts.mjs';

/** What is outside of the account's area is in no live state of its: its stage is asked for. */
const ASK_MS = 10_000;

/** The road of a report as its reporter sees it; each dot covers the stages named. */
const ROAD = [
  ['reported', ['reported']],
  ['accepted', ['accepted']],
  ['dispatched', ['dispatched', 'taken']],
  ['handled', ['on_site', 'handled', 'returned_result']],
  ['checked', ['checked']],
  ['closed', ['closed']],
];

function road(stage) {
  const at = ROAD.findIndex(([, covers]) => covers.includes(stage));
  if (at < 0) return null;
  return h('ol', {class: 'ph-road', 'aria-label': t('phone.mine.road', {stage: t(`stage.${stage}`), n: at + 1, of: ROAD.length})},
    ROAD.map(([name], n) => h('li', {class: n < at ? 'is-past' : n === at ? 'is-now' : ''}, h('span', {}, t(`stage.${name}`)))));
}

const card = (r) => h('a', {class: 'ph-card', href: `#/task/${r.id}`},
  h('span', {class: 'ph-card-top'}, levelBadge(r.level), h('span', {class: 'ph-card-class cy-num'}, r.number), h('span', {class: 'cy-faint cy-num'}, when(r.reported_at))),
  h('span', {class: 'ph-card-title'}, r.title),
  road(r.stage) ?? h('span', {class: 'ph-card-foot'}, stageChip(r.stage)),
  h('span', {class: 'ph-card-foot'}, h('span', {class: 'cy-faint cy-clip'}, [classWords(r), r.unit_name].filter(Boolean).join(' · ')), h('span', {class: 'ph-card-next'}, icon('chevron-right'))));

const isOpen = (r) => !['closed', 'refused', 'void'].includes(r.stage);

export function myReportsPage(page, {queue}) {
  page.title(t('phone.mine'));
  const notices = h('div', {class: 'ph-notices'});
  const summary = h('p', {class: 'ph-summary'});
  const list = h('div', {class: 'ph-list'});
  fill(page.main, notices, summary, list);
  let reports = null;
  let at = null;
  let failed = false;

  const draw = () => {
    const mine = queue.entries.filter((e) => e.name === 'report_incident');
    reconcile(notices, mine.map((e) => ({key: e.seq, mark: e.state, build: () => outboxNotice(e, queue, {link: true})})));
    if (reports === null) {
      fill(summary, failed ? t('phone.mine.unknown') : t('ui.loading'));
      return;
    }
    const open = reports.filter(isOpen).length;
    fill(summary, h('strong', {class: 'cy-num'}, t('phone.mine.count', {n: open})), h('span', {class: 'cy-faint'}, t('phone.as_of', {time: when(at)})));
    const rows = reports.map((r) => ({key: r.id, mark: [r.version, r.stage, r.unit_name, classWords(r)].join('|'), build: () => card(r)}));
    if (!rows.length) rows.push({key: 'none', mark: '', build: () => emptyState('flag', t('phone.mine.none'))});
    reconcile(list, rows);
  };
  const load = oneAtATime(async () => {
    try {
      await classes();
      const answer = await remembered('reports', async () => (await ask('my_reports')).rows.map(shaped));
      reports = answer.value;
      at = answer.at;
    } catch (error) {
      if (error instanceof SessionOver) return;
      failed = true;
    }
    if (page.open) draw();
  });
  draw();
  load();
  page.listen(queue, 'change', draw);
  page.listen(queue, 'tried', ({detail}) => detail.outcome === 'done' && load());
  page.listen(live, 'applied', ({detail}) => {
    const mine = reports && new Set(reports.map((r) => String(r.id))); // not known yet: any may be
    if (detail.replaced || detail.changed.some(([kind, key]) => kind === 'incident' && (!mine || mine.has(key)))) load();
  });
  page.every(ASK_MS, () => reports?.some((r) => isOpen(r) && !live.get('incident', r.id)) && load());
}
