// One task: what it is, where, how long still, and one big button: the next legal step.

import {live} from '../live.mjs';
import {has, t} from '../text.mjs';
import {Refused, ask, photoUrl} from './api.mjs';
import {classOf, classWords, classes} from './catalogue.mjs';
import {fill, h, icon, reconcile} from './dom.mjs';
import {orderWords} from './command_list.mjs';
import {duty, locateOnce, metres} from './duty.mjs';
import {facts} from './facts.mjs';
import {NEXT, incidentAtHand, incidentOf, newest, receipt, tasks} from './my_tasks.mjs';
import {dueTime, emptyState, metresText, levelBadge, outboxNotice, stageChip, toast, when} from './parts.mjs';
import {distance, placeOf} from './task_list.mjs';

const COMMAND = {
  take: 'take_incident', arrive: 'arrive_incident', sign: 'sign_supervision', take_assist: 'take_assist', arrive_assist: 'arrive_assist',
};
const ICON = {take: 'take', arrive: 'arrive', finish: 'handle', take_assist: 'take', arrive_assist: 'arrive', answer_assist: 'handle'};
/** What `incident` answers as allowed action → what the phone offers. */
const ACTION = {take: 'take', arrive: 'arrive', finish: 'handle'};

/** What an assisting unit does next, as the answer allows it. */
const ASSIST = ['take_assist', 'arrive_assist', 'answer_assist'];
const assistStep = (incident) => ASSIST.find((action) => incident.actions?.includes(action)) ?? '';

/** Hours to answer what a commander demands from the phone, by the demand's level. */
const HOURS = {1: 1, 2: 2};

const BESIDE = ['sign_supervision', 'answer_supervision', 'ask_extension'];
const hasBeside = (incident) => incident.assists?.length || (incident.supervision && !incident.supervision.ended_at) || incident.asked || incident.clock?.parked_until
  || BESIDE.some((action) => incident.actions?.includes(action));

export function taskPage(page, {queue}, id) {
  id = Number(id);
  let detail = null;
  let unseen = ''; // why it cannot be shown
  let shownMap = null;
  let busy = '';
  let oldAt = null;
  let footMark = '';
  let asked = 0;
  let advised = null; // the unit that the router names, for a commander
  page.title(t('phone.task'));
  const body = h('div', {class: 'ph-task'}, h('p', {class: 'cy-empty'}, t('ui.loading')));
  fill(page.main, body);

  const catalogue = classes();
  const load = async () => {
    const mine = ++asked;
    try {
      const {value, at, fresh} = await incidentOf(id);
      await catalogue;
      if (!page.open || mine !== asked) return; // a later question is under way: its answer is newer
      detail = value;
      oldAt = fresh ? null : at;
      if (facts.rights.command && fresh && value.actions?.includes('dispatch')) advised = await ask('route_incident', {id}).catch(() => null);
      if (!page.open || mine !== asked) return;
      draw();
      receipt(queue, detail, 'seen');
    } catch (error) {
      if (!page.open || mine !== asked) return;
      detail = null;
      unseen = error instanceof Refused ? error.words : t('phone.task.unknown');
      draw();
    }
  };

  const timeline = (entries) =>
    h('ol', {class: 'cy-timeline'}, entries.map((e) => h('li', {},
      h('div', {class: 'cy-timeline__time cy-num'}, when(e.at)),
      h('div', {class: 'cy-timeline__what'}, has(`action.${e.action}`) ? t(`action.${e.action}`) : e.action, h('span', {class: 'ph-who'}, ` ${e.actor_name}`)),
      e.reason && h('div', {class: 'cy-timeline__why'}, e.reason))));

  const mapBlock = (incident) => {
    if (incident.lon === null || incident.lon === undefined) return null;
    if (shownMap) return shownMap;
    const host = h('div', {class: 'ph-map'});
    const button = h('button', {class: 'cy-button cy-button--block', type: 'button', onclick: async () => {
      button.disabled = true;
      button.lastChild.textContent = t('ui.loading');
      try {
        const {showPoint} = await import('./place.mjs'); // the map is heavy: it comes only when asked for
        host.replaceChildren();
        await showPoint(host, incident, page);
        host.scrollIntoView({block: 'nearest'}); // its lower edge says of when it is
      } catch {
        host.replaceChildren(h('p', {class: 'cy-empty'}, t('phone.map.unreachable')));
      }
    }}, icon('map'), h('span', {}, t('phone.map.show')));
    host.append(button);
    return (shownMap = host);
  };

  /** Why the result was not good enough, when it is being done again. */
  const reworkOf = (incident) => (incident.reworks ? (incident.timeline ?? []).findLast((e) => e.action === 'fail_check')?.reason : '');

  const headOf = (incident, stage) => h('section', {class: 'ph-head'},
    h('div', {class: 'ph-card-top'}, levelBadge(incident.level), h('span', {class: 'ph-card-class'}, classWords(incident)), stageChip(stage)),
    h('h2', {}, incident.title),
    h('p', {class: 'ph-number-line cy-num'}, incident.number),
    NEXT[stage] && reworkOf(incident) && h('p', {class: 'ph-rework', role: 'status'}, icon('triangle-alert'),
      h('span', {}, h('strong', {}, t('phone.rework', {n: incident.reworks})), reworkOf(incident))),
    NEXT[stage] && h('div', {class: 'ph-due-line'}, icon('timer'), dueTime(incident.handle_due_at),
      incident.handle_due_at && h('span', {class: 'cy-faint cy-num'}, t('phone.until', {time: when(incident.handle_due_at)}))));

  /** Who is on it, how far from it, as of when; and how far the order has come. */
  const fieldWords = (incident) => {
    const who = live.get('worker', incident.worker);
    const far = who && Number.isFinite(who.lon) && incident.lon !== null ? t('phone.command.far', {m: metresText(metres(who, incident)), time: when(who.t)}) : '';
    return [incident.worker_name || incident.unit_name, far, orderWords(live.get('incident', id) ?? incident)].filter(Boolean).join(' · ');
  };

  const placeBlock = (incident, far, closing) => h('section', {class: 'ph-block'},
    facts.rights.command && incident.unit && h('p', {class: 'ph-closing'}, icon('users'), h('span', {}, fieldWords(incident))),
    h('p', {class: 'ph-card-place'}, icon('map-pin'), h('span', {}, placeOf(incident)), far && h('span', {class: 'ph-far cy-num'}, far)),
    incident.text && incident.text !== incident.title && h('p', {class: 'ph-text'}, incident.text),
    closing && h('p', {class: 'ph-closing'}, icon('clipboard-check'), h('span', {}, h('strong', {}, t('phone.closing')), closing)),
    h('p', {class: 'cy-faint'}, t('phone.reported', {time: when(incident.reported_at)}), incident.sources > 1 && ` · ${t('phone.sources', {n: incident.sources})}`),
    mapBlock(incident));

  /** The units that help, how far each is, and whom the result waits for. */
  const assistBlock = (assists) => {
    const missing = assists.filter((one) => one.open).map((one) => one.unit_name);
    const state = (one) => ['released', 'done', 'arrived', 'taken'].find((name) => one[`${name}_at`]) ?? 'asked';
    return h('div', {class: 'ph-assists'}, h('h3', {}, t('phone.assist')),
      assists.map((one) => h('p', {class: 'ph-closing'}, icon('users'), h('span', {}, h('strong', {}, one.unit_name), ` ${t(`assist.${state(one)}`)}`,
        one.what && h('span', {class: 'cy-dim'}, ` · ${t('phone.assist.asked', {what: one.what})}`), one.answer && ` · ${one.answer}`))),
      missing.length > 0 && h('p', {class: 'cy-faint'}, t('phone.assist.waits', {units: missing.join('、')})));
  };

  /** What waits beside the way: a demand to be signed for and answered, what was asked, parking. */
  const besideBlock = ({supervision, asked, clock, assists, handle_due_at: due}, can) => h('section', {class: 'ph-block'},
    supervision && !supervision.ended_at && h('div', {class: 'ph-demand', role: 'status'},
      h('p', {class: 'ph-closing'}, icon('bell-ring'), h('span', {}, h('strong', {}, t(`supervision.${supervision.level}`)), ' ', supervision.demand)),
      h('p', {class: supervision.late ? 'cy-error' : 'cy-faint'}, supervision.answered_at
        ? t('phone.supervision.answered') : t('phone.supervision.due', {time: when(supervision.due_at)})),
      h('div', {class: 'ph-second'},
        can('sign_supervision') && h('button', {class: 'cy-button', type: 'button', disabled: Boolean(busy), onclick: () => press('sign')}, t('action.sign_supervision')),
        can('answer_supervision') && h('a', {class: 'cy-button', href: `#/task/${id}/answer`}, icon('send'), t('action.answer_supervision')))),
    assists?.length > 0 && assistBlock(assists),
    asked && h('p', {class: 'cy-faint'}, t('phone.asked', {what: t(`asked.${asked.kind}`)})),
    clock?.parked_until && h('p', {class: 'cy-faint'}, t('phone.parked', {time: when(clock.parked_until)})),
    can('ask_extension') && !(due && due < live.now()) && h('a', {class: 'cy-button', href: `#/task/${id}/extension`}, icon('timer'), t('action.ask_extension')));

  const photoBlock = (photos) => h('section', {class: 'ph-block'},
    h('h3', {}, t('word.photos')),
    h('div', {class: 'cy-photos'}, photos.map((p, n) => h('figure', {},
      h('a', {href: photoUrl(p.sha256), target: '_blank', rel: 'noopener'}, h('img', {src: photoUrl(p.sha256), loading: 'lazy', alt: t('phone.photo.alt', {n: n + 1})})),
      h('figcaption', {}, t(`phone.photo.${p.purpose}`))))));

  /** Part by part: what has not changed stays the same element, under the finger and for the screen reader. */
  const draw = () => {
    if (!page.open) return; // an answer that comes late must not draw over the page that is open now
    if (!detail) {
      if (unseen) drawUnseen();
      return;
    }
    const stage = tasks.stageOf(detail);
    const far = distance(detail);
    const closing = NEXT[stage] ? detail.policy?.closing || classOf(detail)?.closing_condition : '';
    const photos = detail.photos ?? [];
    const parts = [
      oldAt && ['old', oldAt, () => h('p', {class: 'ph-old', role: 'status'}, icon('history'), t('phone.old', {time: when(oldAt)}))],
      ...queue.of(id).map((e) => [`queue${e.seq}`, e.state, () => outboxNotice(e, queue)]),
      ['head', [detail.version, stage, classWords(detail)], () => headOf(detail, stage)],
      ['place', [detail.version, far, closing, facts.rights.command && fieldWords(detail)], () => placeBlock(detail, far, closing)],
      hasBeside(detail) && ['beside', [detail.version, busy, detail.supervision?.late, BESIDE.filter((action) => detail.actions?.includes(action))], () => besideBlock(detail, (action) => detail.actions?.includes(action))],
      photos.length > 0 && ['photos', photos.map((p) => p.sha256), () => photoBlock(photos)],
      ['timeline', [detail.version, detail.timeline?.length], () => h('section', {class: 'ph-block'}, h('h3', {}, t('word.timeline')), timeline(detail.timeline ?? []))],
    ];
    reconcile(body, parts.filter(Boolean).map(([key, mark, build]) => ({key, mark: JSON.stringify(mark), build})));
    foot(detail, stage, queue.of(id).some((e) => e.state === 'waiting'));
  };

  /** What became of the steps sent for it is told also when the incident itself cannot be shown (any more). */
  const drawUnseen = () => {
    const parts = queue.of(id).map((e) => ({key: `queue${e.seq}`, mark: e.state, build: () => outboxNotice(e, queue)}));
    reconcile(body, [...parts, {key: 'unseen', mark: unseen, build: () => emptyState('wifi-off', unseen)}]);
    footMark = '';
    page.foot();
  };

  /** The foot of a unit that assists: it does nothing of what the lead does. */
  const assistFoot = (incident, step) => {
    const mark = JSON.stringify([step, busy, 'assist']);
    if (mark === footMark) return;
    footMark = mark;
    const label = h('span', {}, busy || t(`phone.do.${step}`));
    const second = [
      step === 'arrive_assist' && h('a', {class: 'cy-button', href: `#/task/${id}/assist`}, icon('send'), t('phone.do.answer_assist')),
      incident.unit_phone && h('a', {class: 'cy-button', href: `tel:${incident.unit_phone}`}, icon('phone'), t('phone.lead', {unit: incident.unit_name || incident.unit})),
    ].filter(Boolean);
    page.foot(second.length > 0 && h('div', {class: 'ph-second'}, second), step === 'answer_assist'
      ? h('a', {class: 'cy-button cy-button--primary ph-primary', href: `#/task/${id}/assist`}, icon(ICON[step]), label)
      : h('button', {class: 'cy-button cy-button--primary ph-primary', type: 'button', disabled: Boolean(busy), onclick: () => press(step)}, icon(ICON[step]), label));
  };

  /** What a commander sends with one press: the words are ready, the server decides. */
  const orders = (incident, can) => {
    const level = incident.level === 1 ? 1 : 2;
    if (can('dispatch') && advised?.unit) {
      return [t('phone.command.dispatch', {unit: advised.unit_name || advised.unit}), 'dispatch_incident', {unit: advised.unit, reason: t('phone.command.reason')}, 'dispatch'];
    }
    if (can('supervise')) {
      const demand = t(`phone.command.demand.${['dispatched', 'taken', 'on_site'].includes(incident.stage) ? incident.stage : 'other'}`);
      return [demand, 'supervise_incident', {level, demand, hours: HOURS[level]}, 'megaphone'];
    }
    if (can('end_supervision') && incident.supervision?.answered_at) return [t('phone.command.enough'), 'end_supervision', {reason: t('phone.command.enough')}, 'check'];
    return null;
  };

  const commandFoot = (incident) => {
    const order = queue.of(id).some((e) => e.state === 'waiting') ? null : orders(incident, (action) => incident.actions?.includes(action));
    const mark = JSON.stringify([order, busy, incident.actions, 'command']);
    if (mark === footMark) return;
    footMark = mark;
    const send = async ([, name, body]) => {
      busy = t('phone.sending');
      draw();
      const {outcome} = await queue.submit({name, body: {id, ...body}, incident: id, from: detail.stage, title: detail.title});
      busy = '';
      draw();
      if (outcome !== 'refused') toast(t(outcome === 'done' ? 'phone.command.sent' : outcome === 'sending' ? 'phone.kept_sending' : 'phone.kept'), outcome === 'done' ? '' : 'warn');
      await load();
    };
    const version = detail.version;
    const second = [
      incident.actions?.includes('acknowledge') && !incident.acknowledged && h('button', {class: 'cy-button', type: 'button', onclick: () => send([null, 'acknowledge_incident', {}])}, icon('check'), t('action.acknowledge')),
      incident.actions?.includes('note') && h('a', {class: 'cy-button', href: `#/task/${id}/note`}, icon('note'), t('action.note')),
      incident.unit_phone && h('a', {class: 'cy-button', href: `tel:${incident.unit_phone}`}, icon('phone'), t('phone.call')),
    ].filter(Boolean);
    page.foot(second.length > 0 && h('div', {class: 'ph-second'}, second),
      order && h('button', {class: 'cy-button cy-button--primary ph-primary', type: 'button', disabled: Boolean(busy), onclick: () => send([order[0], order[1], {...order[2], version}])}, icon(order[3]), h('span', {}, busy || order[0])));
  };

  const foot = (incident, stage, waiting) => {
    if (facts.rights.command) return void commandFoot(incident);
    const step = assistStep(incident);
    if (step) return void assistFoot(incident, step);
    // With steps that wait to be sent the answer's list is out of date: the life-cycle's order is what counts then.
    const can = (action) => waiting || !incident.actions || incident.actions.includes(action);
    const next = NEXT[stage] && can(ACTION[NEXT[stage]]) ? NEXT[stage] : '';
    const phone = incident.unit_phone;
    const mark = JSON.stringify([next, Boolean(NEXT[stage]) && can('return'), can('note'), phone, busy]);
    if (mark === footMark) return; // a button that stays what it is stays under the finger
    footMark = mark;
    const second = [
      NEXT[stage] && can('return') && h('a', {class: 'cy-button', href: `#/task/${id}/return`}, icon('return'), t('action.return')),
      can('note') && h('a', {class: 'cy-button', href: `#/task/${id}/note`}, icon('note'), t('action.note')),
      phone && h('a', {class: 'cy-button', href: `tel:${phone}`, 'aria-label': t('phone.call.whom', {name: incident.unit_name || incident.unit})}, icon('phone'), t('phone.call')),
    ].filter(Boolean);
    const label = h('span', {}, busy || (next && t(`phone.do.${next}`)));
    page.foot(second.length > 0 && h('div', {class: 'ph-second'}, second),
      next === 'finish' && h('a', {class: 'cy-button cy-button--primary ph-primary', href: `#/task/${id}/finish`}, icon(ICON.finish), label),
      next && next !== 'finish' && h('button', {class: 'cy-button cy-button--primary ph-primary', type: 'button', disabled: Boolean(busy), onclick: () => press(next)}, icon(ICON[next]), label));
  };

  const press = async (step) => {
    if (busy) return;
    const {title} = detail; // by the time a position is found the task may have been taken away
    const body = {id, version: detail.version};
    const from = tasks.stageOf(detail);
    if (step === 'arrive') {
      busy = t('phone.locating');
      draw();
      try {
        const here = await locateOnce();
        Object.assign(body, {lon: here.lon, lat: here.lat});
      } catch {
        toast(t('phone.arrive.no_place'), 'warn');
      }
    }
    busy = t('phone.sending');
    draw();
    const {outcome} = await queue.submit({name: COMMAND[step], body, incident: id, from, title});
    busy = '';
    draw(); // what the outbox holds is known here: the next step does not wait for the network
    if (outcome === 'done') toast(t(`phone.done.${step}`));
    if (outcome === 'waiting') toast(t('phone.kept'), 'warn');
    if (outcome === 'sending') toast(t('phone.kept_sending'), 'warn');
    tasks.refresh();
    await load(); // refused: the notice says who was first, the task shows what is now
  };

  incidentAtHand(id).then(async (value) => {
    await catalogue;
    if (!value || detail || !page.open) return;
    detail = value; // drawn at once; what the server says is drawn over it
    draw();
  });
  load();
  page.listen(tasks, 'change', () => { // an answer to an own step may have told more than the last question
    if (detail && newest(detail) !== detail) {
      detail = newest(detail);
      draw();
    }
  });
  page.listen(queue, 'change', () => draw());
  page.listen(duty, 'change', () => !busy && draw());
  if (facts.rights.command) page.listen(live, 'applied', ({detail: {changed}}) => changed.some(([kind, key]) => kind === 'incident' && key === String(id)) && load());
  page.listen(tasks, 'stirred', ({detail: ids}) => (ids.size === 0 || ids.has(id)) && load());
  page.listen(queue, 'tried', ({detail: tried}) => tried.entry.incident === id && tried.outcome === 'done' && !busy && load());
}
