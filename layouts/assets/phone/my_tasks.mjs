// The tasks of this account: from the server when it can be reached, else as last seen; and what the outbox will make
// of them once it is sent.

import {live} from '../live.mjs';
import {Busy, Refused, SessionOver, Unreachable, ask} from './api.mjs';
import {kept} from './db.mjs';
import {facts} from './facts.mjs';
import {oneAtATime} from './one_at_a_time.mjs';

const said = new Set(); // receipts that this page has put into the outbox

/** 回执: this phone has an order (delivered) or shows it (seen). Said once of each order, and only by whom it is for. */
export function receipt(queue, task, state) {
  if (!facts.rights.handle || task.stage !== 'dispatched' || task.assist || task.unit !== facts.unit) return;
  if (task.worker && task.worker !== facts.login) return;
  if (state === 'seen' ? task.opened_at : task.delivered_at) return;
  const name = `${task.id}/${task.ordered_at}/${state}`;
  if (said.has(name)) return;
  said.add(name);
  queue.whisper({name: 'note_receipt', incident: task.id, body: {id: task.id, state, at: new Date(live.now()).toISOString()}});
}

export const PREFIX = `${facts.login}/`;
const WAIT_MS = 250;
const KEPT = 20;
let leaving = false;

/** What a queued command will have done to the stage. */
const BECOMES = {
  take_incident: 'taken', arrive_incident: 'on_site', finish_incident: 'returned_result', return_incident: 'accepted',
};
/** The next legal step of whoever holds it, by stage. */
export const NEXT = {dispatched: 'take', taken: 'arrive', on_site: 'finish'};
/** What is left to do of a task of the list at this stage: the lead's next step, or helping it; '' when it is handed in. */
export const left = (task, stage) => (task.assist ? 'assist' : NEXT[stage] ?? '');


const TIMES = ['reported_at', 'stage_due_at', 'handle_due_at', 'closed_at', 'at'];
const epochMs = (time) => (typeof time === 'string' ? Date.parse(time) : (time ?? null));

/** An incident as a query answers it, with a number as id and times in epoch ms. */
export function shaped(row) {
  const times = Object.fromEntries(TIMES.filter((name) => name in row).map((name) => [name, epochMs(row[name])]));
  const nested = Object.fromEntries(['timeline', 'photos'].filter((name) => row[name]).map((name) => [name, row[name].map(shaped)]));
  return {...row, ...times, ...nested, ...('key' in row || 'id' in row ? {id: Number(row.id ?? row.key)} : {})};
}

/** What the server answered to this phone's own steps: id → {stage, version}. A question after a step may be lost on a weak
 * link; without this the phone would show its own step as not done, and press the next one on a version of before it. */
const learned = new Map();
const LEARNED = 'learned';

/** An incident as a query told it, or further on when this phone has been told so by an answer to its own step. */
export function newest(incident) {
  const own = learned.get(incident.id);
  if (!own || own.version <= incident.version) return incident;
  return {...incident, ...own, actions: undefined}; // what may be pressed belonged to the former stage
}

/** Keep something of this account's under a name. Of an account that is leaving nothing is kept any more. */
export const keep = async (name, value) => { if (!leaving) await kept.put(PREFIX + name, value); };

/** Keep an answer for the time without signal; read it back when the server cannot be reached. */
export async function remembered(name, question) {
  try {
    const value = await question();
    const record = {value, at: Date.now()};
    await keep(name, record);
    return {...record, fresh: true};
  } catch (error) {
    if (error instanceof SessionOver || error instanceof Refused) throw error; // a no is an answer
    const record = await kept.get(PREFIX + name);
    if (!record) throw error;
    return {...record, fresh: false};
  }
}

/** One incident as this phone has it already, when that is what the list says of it now: no waiting for the network. */
export async function incidentAtHand(id) {
  const record = await kept.get(`${PREFIX}task/${id}`);
  const value = record && newest(record.value);
  return value && value.version === tasks.get(id)?.version ? value : null;
}

/** One incident in full, or as last seen. */
export async function incidentOf(id) {
  try {
    const found = await remembered(`task/${id}`, async () => shaped(await ask('incident', {id})));
    return {...found, value: newest(found.value)};
  } catch (error) {
    const known = tasks.get(id); // never opened here, but in the list: better than nothing without signal
    if (!(error instanceof Unreachable || error instanceof Busy) || !known) throw error;
    return {value: known, at: tasks.at, fresh: false};
  }
}
/** Drafts of forms: a phone may throw the page away while its camera is open. */
export const drafts = {
  get: (name) => kept.get(`${PREFIX}draft/${name}`),
  put: (name, value) => keep(`draft/${name}`, value),
  remove: (name) => kept.remove(`${PREFIX}draft/${name}`),
};
/** Leaving the phone to someone else: nothing of this account stays but what still waits to be sent. From here on
 * nothing is kept either: answers still under way arrive before the browser has left the page. */
export function forgetAll() {
  leaving = true;
  return kept.removeAll(PREFIX);
}

class MyTasks extends EventTarget {
  list = [];
  /** Browser time (ms) of the list; null before the first. */
  at = null;
  loaded = false;
  #timer = null;
  #queue = null;

  async start(queue) {
    this.#queue = queue;
    for (const [id, own] of (await kept.get(PREFIX + LEARNED)) ?? []) learned.set(id, own);
    queue.addEventListener('change', () => this.#tell());
    queue.addEventListener('tried', ({detail: {outcome, entry, answer}}) => {
      if (outcome !== 'done' || !Number.isInteger(entry.body.version)) return; // a remark tells nothing of what others did
      if (entry.incident !== null && Number.isInteger(answer?.version)) this.#learn(entry.incident, answer);
    });
    live.addEventListener('applied', ({detail}) => {
      const mine = new Set(this.list.map((task) => String(task.id)));
      const concerns = ([kind, key]) => {
        if (kind !== 'incident') return false;
        const item = live.get('incident', key);
        return mine.has(key) || (item && (item.worker === facts.login || (facts.unit && (item.unit === facts.unit || item.assisting?.includes(facts.unit)))));
      };
      if (detail.replaced || detail.changed.some(concerns)) this.#soon(detail.changed);
    });
    return this.refresh();
  }

  #learn(id, {stage, version}) {
    if (version <= (learned.get(id)?.version ?? -1)) return;
    learned.set(id, {stage, version});
    keep(LEARNED, [...learned]);
    this.list = this.list.map(newest);
    this.#tell();
  }

  /** Many changes in one moment are one question. */
  #soon(changed) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), WAIT_MS);
    this.dispatchEvent(new CustomEvent('stirred', {detail: new Set(changed.filter(([k]) => k === 'incident').map(([, key]) => Number(key)))}));
  }

  /** Ask anew. */
  refresh = oneAtATime(() => this.#load());

  async #load() {
    try {
      const {value, at, fresh} = await remembered('tasks', async () => (await ask('my_tasks')).rows.map(shaped));
      const known = new Set(this.list.map((task) => task.id));
      const arrived = this.at === null || !fresh ? [] : value.filter((task) => !known.has(task.id));
      this.list = value.map(newest);
      if (fresh) this.#forget(value);
      if (arrived.length) this.dispatchEvent(new CustomEvent('arrived', {detail: arrived}));
      this.at = at;
      if (fresh) this.#keepDetails();
      if (fresh) for (const task of value) receipt(this.#queue, task, 'delivered');
    } catch (error) {
      if (error instanceof SessionOver) return; // the page is on its way to the login
      // Nothing known yet and no signal: the list says so by itself (at === null).
    }
    this.loaded = true;
    this.#tell();
  }

  /** Open tasks are kept in full while there is signal: without it they can still be read and finished. */
  async #keepDetails() {
    for (const task of this.list.slice(0, KEPT)) {
      const record = await kept.get(`${PREFIX}task/${task.id}`);
      if (record?.value.version === task.version) continue;
      try {
        await incidentOf(task.id);
      } catch {
        return;
      }
    }
  }

  /** What the server's own list knows by now needs no remembering. */
  #forget(fresh) {
    for (const {id, version} of fresh) if ((learned.get(id)?.version ?? Infinity) <= version) learned.delete(id);
    keep(LEARNED, [...learned]);
  }

  get(id) { return this.list.find((task) => task.id === Number(id)); }

  /** The stage as the user has left it: what is known plus what waits to be sent. */
  stageOf(task) {
    return this.#queue.of(task.id).filter((e) => e.state === 'waiting').reduce((s, e) => BECOMES[e.name] ?? s, task.stage);
  }

  /** Sorted by the time left; tasks without a limit last; those handed in after all others. */
  sorted() {
    const due = (task) => task.handle_due_at ?? task.stage_due_at ?? Infinity;
    const done = (task) => (left(task, this.stageOf(task)) ? 0 : 1);
    return [...this.list].sort((a, b) => done(a) - done(b) || due(a) - due(b) || a.id - b.id);
  }

  #tell() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}

export const tasks = new MyTasks();
