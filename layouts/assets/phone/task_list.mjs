// 我的任务: cards sorted by the time left.

import {live} from '../live.mjs';
import {isLate} from '../overdue.mjs';
import {t} from '../text.mjs';
import {classWords, classes} from './catalogue.mjs';
import {fill, h, icon, reconcile} from './dom.mjs';
import {duty, lastPosition, metres} from './duty.mjs';
import {facts} from './facts.mjs';
import {left, tasks} from './my_tasks.mjs';
import {dueTime, emptyState, levelBadge, metresText, outboxNotice, stageChip, when} from './parts.mjs';

const placeOf = (task) => task.address || task.area_names?.slice(2, 4).join(' ') || (task.lon === null || task.lon === undefined ? t('word.unresolved_place') : t('phone.place.point'));

function distance(task) {
  const here = lastPosition();
  if (!here || task.lon === null || task.lon === undefined) return '';
  return metresText(metres(here, task));
}

function card(task, stage, waiting) {
  const far = distance(task);
  const over = isLate(task, live.now());
  const next = left(task, stage);
  const done = !next;
  return h('a', {class: `ph-card${over && !done ? ' is-over' : ''}${done ? ' is-done' : ''}`, href: `#/task/${task.id}`, dataset: {task: task.id}},
    h('span', {class: 'ph-card-top'},
      levelBadge(task.level),
      h('span', {class: 'ph-card-class cy-clip'}, classWords(task)),
      !done && h('span', {class: 'ph-card-due'}, dueTime(task.handle_due_at))),
    h('span', {class: 'ph-card-title'}, task.title),
    h('span', {class: 'ph-card-place'}, icon('map-pin'), h('span', {class: 'cy-clip'}, placeOf(task)), far && h('span', {class: 'ph-far cy-num'}, far)),
    h('span', {class: 'ph-card-foot'},
      stageChip(stage),
      waiting > 0 && h('span', {class: 'cy-chip ph-waiting'}, icon('clock'), t('phone.waiting')),
      facts.role === 'unit_handler' && task.worker_name && h('span', {class: 'cy-chip'}, task.worker_name),
      task.sources > 1 && h('span', {class: 'cy-chip'}, t('phone.sources', {n: task.sources})),
      task.assist && h('span', {class: 'cy-chip'}, t('phone.assist')),
      h('span', {class: 'ph-card-next'}, t(`phone.next.${next || 'none'}`), icon('chevron-right'))));
}

export function taskListPage(page, {queue}) {
  page.title(t('phone.tasks'));
  const summary = h('p', {class: 'ph-summary', 'aria-live': 'polite'});
  const notices = h('div', {class: 'ph-notices'});
  const list = h('div', {class: 'ph-list'});
  fill(page.main, summary, notices, list);

  const draw = () => {
    const sorted = tasks.sorted();
    const active = sorted.filter((task) => left(task, tasks.stageOf(task)));
    const over = active.filter((task) => isLate(task, live.now())).length;
    if (tasks.at === null) fill(summary, tasks.loaded ? t('phone.tasks.unknown') : t('ui.loading'));
    else {
      fill(summary, h('strong', {class: 'cy-num'}, t('phone.tasks.count', {n: active.length})),
        over > 0 && h('strong', {class: 'ph-over'}, t('phone.tasks.over', {n: over})),
        h('span', {class: 'cy-faint'}, t('phone.as_of', {time: when(tasks.at)})));
    }
    reconcile(notices, queue.refused.map((e) => ({key: e.seq, mark: e.state, build: () => outboxNotice(e, queue, {link: true})})));
    const rows = sorted.map((task) => {
      const stage = tasks.stageOf(task);
      const waiting = queue.of(task.id).filter((e) => e.state === 'waiting').length;
      const over = isLate(task, live.now());
      return {key: task.id, mark: [task.version, stage, waiting, over, classWords(task), distance(task)].join('|'), build: () => card(task, stage, waiting)};
    });
    if (!rows.length && tasks.at !== null) {
      rows.push({key: 'none', mark: '', build: () => emptyState('circle-check', t('phone.tasks.none'))});
    }
    reconcile(list, rows);
  };
  draw();
  page.listen(tasks, 'change', draw);
  page.listen(duty, 'change', draw);
  page.every(15_000, draw);
  tasks.refresh();
  classes().then(() => page.open && draw());
}

export {placeOf, distance};
