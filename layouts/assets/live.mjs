// The live client: one snapshot, then deltas, for wall, desk and phone. window.chengyun.live is the one instance.
//
//   import {live} from './live.mjs';
//   live.start();                                       // idempotent; every page calls it
//   live.addEventListener('applied', ({detail}) => …);  // {changed: [[kind, key]…], replaced, epoch, n}, ≤ once a frame
//   live.items('incident') → Map(key → item)            live.get('device', id) → item | undefined
//   live.status → "live" | "late" | "lost" | "past"  ('status' event)      live.now() → server time in ms
//   live.showPast(items, t) · live.changePast(moment) · live.runPast(t, rate)      a page of the time machine
//
// It never gives up: back-off up to 5 s for ever, so that an unattended wall outlives any outage.

import {allKeys, apply, empty, fromSnapshot} from './live_apply.mjs';

const SILENT_MS = 15_000; // no event, heartbeats (every 5 s) included: the link is dead whatever the socket says
const LOST_MS = 30_000; // then the screen says so
const BACKOFF_MS = [250, 500, 1000, 2000, 5000];
const SNAPSHOT_TIMEOUT_MS = 20_000;
const HIDDEN_TAB_MS = 250; // a hidden tab gets no animation frames

class SessionOver extends Error {}

export class LiveClient extends EventTarget {
  #state = empty();
  #source = null;
  #run = 0; // every (re)start has a number; what belongs to an older one is ignored
  #tries = 0;
  #timer = null;
  #watch = null;
  #heardAt = 0; // performance.now() of the last event
  #heardWall = 0;
  #skews = [];
  #pending = new Map();
  #replaced = false;
  #frame = null;
  #status = 'late';
  #fault = null;
  #past = null; // {t, rate, at}: a moment that has passed is shown, and how quickly it goes on
  #options = {
    snapshotUrl: '/api/v1/live/snapshot',
    streamUrl: '/live',
    loginUrl: '/login',
    silentMs: SILENT_MS,
    lostMs: LOST_MS,
  };

  get epoch() { return this.#state.epoch; }
  get n() { return this.#state.n; }
  get status() { return this.#status; }
  /** Server clock minus this browser's clock, milliseconds. */
  get clockSkewMs() { return this.#skews.length ? Math.max(...this.#skews) : 0; }
  /** Browser time (ms) at which anything was last heard; 0 before the first event. */
  get heardAt() { return this.#heardWall; }
  /** True once a first snapshot is there. */
  get ready() { return this.#state.epoch !== null; }

  /** Why the last question for a snapshot failed: an HTTP status, 0 when nobody answered; null when it did not. */
  get fault() { return this.#fault; }

  /** The server's time now, milliseconds; while a past moment is shown, the time then. */
  now() {
    if (this.#past) return this.#past.t + (performance.now() - this.#past.at) * this.#past.rate;
    return Date.now() + this.clockSkewMs;
  }
  /** All items of a kind, key → item. Read only; the same Map may be filled further by later deltas. */
  items(kind) { return this.#state.items.get(kind) ?? new Map(); }
  get(kind, key) { return this.#state.items.get(kind)?.get(String(key)); }
  kinds() { return [...this.#state.items.keys()]; }

  /** Begin; a second call changes nothing. */
  start(options = {}) {
    if (this.#watch) return this;
    Object.assign(this.#options, options);
    this.#heardAt = performance.now();
    this.#watch = setInterval(() => this.#check(), 1000);
    // A woken laptop or a returned network must not wait for the watchdog.
    window.addEventListener('online', () => this.#watch && this.#status !== 'live' && this.#restart());
    this.#restart();
    return this;
  }

  /** Ask at once instead of after the pause. */
  again() {
    this.#tries = 0;
    if (this.#watch) this.#restart();
  }

  /** End for good (tests; leaving a page does it by itself). */
  stop() {
    clearInterval(this.#watch);
    this.#watch = null;
    this.#drop();
  }

  /** Show what was at `t` (ms): {kind: {key: item}}. There is no way back to the present on this page. */
  showPast(items, t) {
    this.stop();
    const before = this.#state;
    this.#state = fromSnapshot({epoch: 'past', n: 0, items});
    this.runPast(t, 0);
    this.#replaced = true;
    this.#note(allKeys(before, this.#state));
    this.#say('past');
  }

  /** Apply what changed up to a moment that has passed: {set: [item], del: [[kind, key]]}. */
  changePast({set, del}) {
    this.#note(apply(this.#state, {epoch: 'past', n: this.#state.n + 1, prev: this.#state.n, set, del}).changed);
  }

  /** It is `t` (ms) now, and time runs `rate` times as quickly as it does (0: it stands). */
  runPast(t, rate) { this.#past = {t, rate, at: performance.now()}; }

  #drop() {
    this.#run += 1;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #restart() {
    this.#drop();
    const run = this.#run;
    if (this.#state.epoch === null) this.#refetch(run);
    else this.#open(run);
  }

  #again() {
    if (!this.#watch) return;
    this.#drop();
    const base = BACKOFF_MS[Math.min(this.#tries, BACKOFF_MS.length - 1)];
    this.#tries += 1;
    // Jitter: fifty walls must not knock on a restarted server in the same millisecond.
    this.#timer = setTimeout(() => this.#restart(), base * (0.6 + 0.4 * Math.random()));
    this.#check();
  }

  async #refetch(run) {
    this.#source?.close();
    this.#source = null;
    try {
      const reply = await fetch(this.#options.snapshotUrl, {
        credentials: 'same-origin',
        cache: 'no-store',
        headers: {Accept: 'application/vnd.chengyun.columns+json, application/json'},
        signal: AbortSignal.timeout(SNAPSHOT_TIMEOUT_MS),
      });
      if (run !== this.#run) return;
      if (reply.status === 401) throw new SessionOver();
      if (!reply.ok) throw Object.assign(new Error(`snapshot: HTTP ${reply.status}`), {status: reply.status});
      const snapshot = await reply.json();
      if (run !== this.#run) return;
      const before = this.#state;
      this.#fault = null;
      this.#state = fromSnapshot(snapshot);
      this.#replaced = true;
      this.#note(allKeys(before, this.#state));
      this.#clock(snapshot.now);
      this.#heard();
      this.#open(run);
    } catch (error) {
      if (run !== this.#run) return;
      if (error instanceof SessionOver) return this.#end();
      this.#fault = error.status ?? 0;
      this.dispatchEvent(new CustomEvent('fault', {detail: {status: this.#fault}}));
      this.#again();
    }
  }

  #open(run) {
    const from = encodeURIComponent(`${this.#state.epoch}:${this.#state.n}`).replace('%3A', ':');
    const source = new EventSource(`${this.#options.streamUrl}?from=${from}`);
    this.#source = source;
    const on = (name, handle) =>
      source.addEventListener(name, (event) => {
        if (run !== this.#run) return;
        this.#heard();
        this.#tries = 0; // only a talking stream counts as a success: a server may accept and hang up at once
        handle(event.data ? JSON.parse(event.data) : null);
      });
    source.addEventListener('open', () => run === this.#run && this.#heard());
    on('delta', (delta) => this.#take(delta, run));
    on('beat', (beat) => this.#clock(beat?.now));
    on('reset', () => this.#refetch(run));
    on('end', () => this.#end());
    source.addEventListener('error', () => {
      if (run !== this.#run) return;
      // The browser hides the HTTP status: CLOSED means the server answered with something else than a stream
      // (session over, server starting); only the snapshot's status can tell which.
      const refused = source.readyState === EventSource.CLOSED;
      source.close();
      if (refused) this.#refetchLater();
      else this.#again();
    });
  }

  #refetchLater() {
    if (!this.#watch) return;
    this.#drop();
    const run = this.#run;
    const base = BACKOFF_MS[Math.min(this.#tries, BACKOFF_MS.length - 1)];
    this.#tries += 1;
    this.#timer = setTimeout(() => this.#refetch(run), base * (0.6 + 0.4 * Math.random()));
    this.#check();
  }

  #take(delta, run) {
    const {outcome, changed} = apply(this.#state, delta);
    if (outcome === 'gap') this.#refetch(run);
    else if (outcome === 'applied') this.#note(changed);
  }

  #heard() {
    this.#heardAt = performance.now();
    this.#heardWall = Date.now();
    if (this.#state.epoch !== null) this.#say('live');
  }

  #clock(serverNow) {
    if (!Number.isFinite(serverNow)) return;
    // A message is only ever delayed, so the largest difference seen lately is the truest.
    this.#skews.push(serverNow - Date.now());
    if (this.#skews.length > 12) this.#skews.shift();
  }

  #check() {
    if (!this.#watch) return;
    const quiet = performance.now() - this.#heardAt;
    if (quiet >= this.#options.silentMs && this.#source) {
      this.#again();
      return;
    }
    if (quiet >= this.#options.lostMs) this.#say('lost');
    else if (!this.#source || quiet >= this.#options.silentMs) this.#say('late');
  }

  #say(status) {
    if (status === this.#status) return;
    this.#status = status;
    document.documentElement.dataset.link = status;
    this.dispatchEvent(new CustomEvent('status', {detail: {status}}));
  }

  #end() {
    this.stop();
    this.dispatchEvent(new CustomEvent('end'));
    const back = encodeURIComponent(location.pathname + location.search);
    location.assign(`${this.#options.loginUrl}?next=${back}`);
  }

  #note(changed) {
    for (const pair of changed) this.#pending.set(`${pair[0]}\n${pair[1]}`, pair);
    if (this.#frame !== null || (!this.#pending.size && !this.#replaced)) return;
    const flush = () => {
      this.#frame = null;
      const detail = {
        changed: [...this.#pending.values()],
        replaced: this.#replaced,
        epoch: this.#state.epoch,
        n: this.#state.n,
      };
      this.#pending.clear();
      this.#replaced = false;
      this.dispatchEvent(new CustomEvent('applied', {detail}));
    };
    this.#frame = document.hidden ? setTimeout(flush, HIDDEN_TAB_MS) : requestAnimationFrame(flush);
  }
}

// A module can be evaluated twice (Dash adds ?m=… to script tags, imports do not): share one client.
export const live = ((globalThis.chengyun ??= {}).live ??= new LiveClient());
