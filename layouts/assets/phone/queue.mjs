// The outbox of the phone: every command goes through it, with signal or without. An entry is kept in IndexedDB until
// the server has answered, and is always sent with the same idempotency key, so a retry never doubles.
//
//   entry {seq, login, key, name, body, photos: [Blob], sha256: [], incident, from, title, at, state, words, detail}
//   state "waiting" (待发送) or "refused" (told in words, kept until the user has read it)
//
// Order: entries of one incident are sent in the order in which they were made; of others those without photos first: an
// 接单 must not wait behind the pictures of five reports. Without signal all wait. A server that cannot now holds up only
// the incident concerned.

import {t} from '../text.mjs';
import {Busy, Refused, SessionOver, Unreachable, ask, command, newKey, upload} from './api.mjs';
import {rows} from './db.mjs';

const BACKOFF_S = [2, 5, 10, 20, 30];
/** How long a worker looks at 发送中 before the phone says: it is kept here and goes by itself. */
const PATIENCE_MS = 900;
/** What has been on its way so long was not pressed on what is now: it is judged anew, as what waited without signal. */
const LONG_AGO_MS = 10_000;

export class Queue extends EventTarget {
  #login;
  #entries = [];
  #draining = null;
  #again = false;
  #tries = 0;
  #timer = null;
  #reached = new Map(); // incident → the version that this phone's own last step has made

  constructor(login) {
    super();
    this.#login = login;
  }

  /** Entries of this account, oldest first; what the phone says by itself (`quiet`) is nobody's to look after. */
  get entries() { return this.#entries.filter((e) => !e.quiet); }
  get waiting() { return this.entries.filter((e) => e.state === 'waiting'); }
  get refused() { return this.entries.filter((e) => e.state === 'refused'); }
  of(incident) { return this.entries.filter((e) => e.incident === Number(incident)); }

  /** Read what an earlier page left and begin to send. */
  async start() {
    await this.#read();
    for (const event of ['online', 'focus', 'pageshow']) window.addEventListener(event, () => this.send());
    document.addEventListener('visibilitychange', () => document.hidden || this.send());
    this.send();
  }

  /**
   * Keep a command and try it at once. Resolves after the first try: {outcome: "done", answer} | {outcome: "waiting"} |
   * {outcome: "refused", error}; or, when that takes long, {outcome: "sending"}: kept, and under way. Always with `seq`.
   * `from`: the stage it was made in, for judging it anew after a wait.
   */
  async submit({name, body, photos = [], incident = null, from = '', title = ''}) {
    const behind = incident !== null && this.waiting.some((e) => e.incident === incident);
    const entry = await rows.add({
      login: this.#login, key: newKey(), name, photos, incident, from, title, at: Date.now(), state: 'waiting',
      // Behind another step of the same incident nobody knows the version yet: the one before will tell.
      body: behind ? {...body, version: null} : body, behind, words: '', detail: '', sha256: [],
      waited: navigator.onLine === false, // made without signal, whether or not the first try has failed yet
    });
    this.#entries = [...this.#entries, entry];
    this.#tell();
    const first = new Promise((done) => {
      const settle = ({detail}) => {
        if (detail.seq !== entry.seq) return;
        this.removeEventListener('tried', settle);
        done(detail);
      };
      this.addEventListener('tried', settle);
    });
    this.send();
    const patience = new Promise((done) => setTimeout(done, PATIENCE_MS, {seq: entry.seq, entry, outcome: 'sending'}));
    return Promise.race([first, patience]);
  }

  /** Keep and send what nobody pressed (a receipt): it is shown nowhere, and a refusal of it is dropped. */
  async whisper({name, body, incident = null}) {
    const entry = await rows.add({
      login: this.#login, key: newKey(), name, body, photos: [], sha256: [], incident, from: '', title: '', at: Date.now(),
      state: 'waiting', words: '', detail: '', quiet: true,
    });
    this.#entries = [...this.#entries, entry];
    this.send();
  }

  /** Try to send everything that waits; calls while sending are joined into one more round. */
  send() {
    if (this.#draining) {
      this.#again = true;
      return this.#draining;
    }
    this.#draining = this.#round().finally(() => {
      this.#draining = null;
      if (this.#again) {
        this.#again = false;
        this.send();
      }
    });
    return this.#draining;
  }

  /** The user has read a refusal (or gives an entry up). */
  async drop(seq) {
    await rows.remove(seq);
    await this.#read();
  }

  async #read() {
    this.#entries = (await rows.all()).filter((e) => e.login === this.#login);
    this.#tell();
  }

  async #round() {
    clearTimeout(this.#timer);
    // Two tabs of one phone must not send the same entry side by side: the key would hold, the order would not.
    const work = () => this.#drain();
    await (navigator.locks ? navigator.locks.request('chengyun-phone-queue', work) : work());
  }

  async #drain() {
    await this.#read();
    const held = new Set();
    const seen = new Set();
    let retry = false;
    for (let entry; (entry = this.#next(seen));) {
      seen.add(entry.seq);
      if (held.has(entry.incident)) {
        this.#tried(entry, {outcome: 'waiting'});
        continue;
      }
      try {
        const answer = await this.#deliver(entry).catch(async (error) => {
          if (await this.#rebase(entry, error)) return this.#deliver(entry);
          throw error;
        });
        this.#reach(entry, answer);
        await rows.remove(entry.seq);
        await this.#pass(entry, answer);
        this.#tries = 0;
        this.#tried(entry, {outcome: 'done', answer});
      } catch (error) {
        if (error instanceof SessionOver) break; // sent when this account has signed in again
        if (error instanceof Refused && entry.quiet) {
          await this.drop(entry.seq);
          continue;
        }
        if (error instanceof Refused) {
          const gone = error.code === 'forbidden' && entry.incident !== null;
          const words = gone ? t('phone.refused.not_mine') : error.words;
          await this.#change(entry, {state: 'refused', words, detail: error.message});
          this.#tried(entry, {outcome: 'refused', error});
          continue;
        }
        if (!(error instanceof Unreachable || error instanceof Busy)) throw error;
        retry = true;
        if (error instanceof Unreachable) held.clear();
        if (!entry.waited) await this.#change(entry, {waited: true});
        this.#tried(entry, {outcome: 'waiting'});
        if (error instanceof Unreachable) {
          for (const other of this.waiting) this.#tried(other, {outcome: 'waiting'});
          break;
        }
        held.add(entry.incident);
      }
    }
    if (retry) {
      const seconds = BACKOFF_S[Math.min(this.#tries, BACKOFF_S.length - 1)];
      this.#tries += 1;
      this.#timer = setTimeout(() => this.send(), seconds * 1000 * (0.7 + 0.3 * Math.random()));
    }
  }

  /** What is sent next of what was not `seen` in this round: the oldest without photos to send, else the oldest. */
  #next(seen) {
    const left = this.#entries.filter((e) => e.state === 'waiting' && !seen.has(e.seq));
    const heavy = (e) => e.photos.length > e.sha256.length;
    const behind = (e) => e.incident !== null && left.some((o) => o.seq < e.seq && o.incident === e.incident);
    return left.find((e) => !heavy(e) && !behind(e)) ?? left[0];
  }

  async #deliver(entry) {
    for (let n = entry.sha256.length; n < entry.photos.length; n += 1) {
      const progress = (part) =>
        this.dispatchEvent(new CustomEvent('progress', {detail: {seq: entry.seq, n, of: entry.photos.length, part}}));
      const sha256 = await upload(entry.photos[n], progress);
      await this.#change(entry, {sha256: [...entry.sha256, sha256]}); // a photo that has arrived is never sent again
    }
    const body = {...entry.body, version: this.#version(entry), key: entry.key};
    if (body.version === undefined) delete body.version;
    if (entry.photos.length) body.photos = entry.sha256;
    return command(entry.name, body);
  }

  /** A step was made on the version it named, so what it made is what its maker has in mind: nobody came between. */
  #reach(entry, answer) {
    if (entry.incident !== null && Number.isInteger(entry.body.version) && Number.isInteger(answer?.version)) {
      this.#reached.set(entry.incident, answer.version);
    }
  }

  /** The version an entry is sent on: its own, or that of an own step that was answered after it was made. */
  #version({incident, body: {version}}) {
    const reached = this.#reached.get(incident) ?? -1;
    return Number.isInteger(version) && reached > version ? reached : version;
  }

  /** The next step of the same incident was made on top of this one: it now knows its version. */
  async #pass(entry, answer) {
    await this.#read();
    const next = this.of(entry.incident).find((e) => e.behind && e.state === 'waiting');
    if (entry.incident !== null && next && Number.isInteger(answer?.version)) {
      await this.#change(next, {behind: false, body: {...next.body, version: answer.version}});
    }
  }

  /** Work done without signal must not be lost to a remark made meanwhile: when its step is still the next one in
   * that stage, it is sent once more on the newest version, as a new message. Pressed with signal, it is refused. */
  async #rebase(entry, error) {
    const late = entry.waited || Date.now() - entry.at > LONG_AGO_MS;
    if (error.code !== 'stale' || !late || entry.rebased) return false;
    const incident = await ask('incident', {id: entry.incident});
    if (incident.stage !== entry.from) return false;
    await this.#change(entry, {key: newKey(), rebased: true, body: {...entry.body, version: incident.version}});
    return true;
  }

  async #change(entry, change) {
    Object.assign(entry, change);
    await rows.put({...entry});
    this.#tell();
  }

  #tried(entry, outcome) {
    const late = entry.waited || Date.now() - entry.at > PATIENCE_MS;
    this.dispatchEvent(new CustomEvent('tried', {detail: {seq: entry.seq, entry, late, ...outcome}}));
  }

  #tell() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}
