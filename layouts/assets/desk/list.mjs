// The incident list: live items into AG Grid by transactions, filters that survive a reload, selection that stays put.

import {touchAll} from '../age.mjs';
import {live} from '../live.mjs';
import {t} from '../text.mjs';
import {totals} from '../totals.mjs';
import {drawChips} from './chips.mjs';
import {FINAL, el, isLate, memory, put, show, throttle} from './dom.mjs';
import {download} from './export.mjs';
import {unknownWords, watchUnknown} from './unknown.mjs';

const GROUPS = {
  all: null,
  waiting: new Set(['reported', 'accepted']),
  working: new Set(['dispatched', 'taken', 'on_site', 'handled']),
  checking: new Set(['returned_result', 'checked']),
};
const MINE = { // what waits for a role
  operator: new Set(['reported', 'returned_result', 'checked']),
  dispatcher: new Set(['reported', 'accepted']),
  duty_leader: new Set(['accepted']),
};
const WIDE_PX = 760; // from this width on every fact has a column of its own
const KEPT = 'desk.filter';
const GRID_SETTLES_MS = 100;
const number = (n) => n.toLocaleString('en-US');
const MOVES = new Set(['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End']);

// `span`: [from, until) in ms of when it was reported, as drawn upon a chart
const fresh = () => ({group: 'all', levels: [], class: '', span: null, overdue: false, mine: false, inview: false, text: ''});

export class IncidentList extends EventTarget {
  #api;
  #host;
  #role;
  #filter = {...fresh(), ...memory.read(KEPT)};
  #bounds = null;
  #known = new Map(); // key → version shown
  #selected = null;
  #marked = new Set(); // keys of the rows that an action for several is meant for
  #keyed = false; // the last thing the user did in the list was a key that moves
  #view = null; // the part of the grid that scrolls
  #held = []; // rows in sight: [key, px below the upper edge], so that what comes in above them moves nothing
  #heldAt = 0; // where the list was scrolled to then

  constructor(host, role) {
    super();
    this.#host = host;
    this.#role = role;
    const shared = (globalThis.chengyun ??= {});
    shared.listPass = (item) => this.passes(item);
    shared.marks = {has: (key) => this.#marked.has(key), toggle: (key) => this.toggleMark(key)};
  }

  async start() {
    this.#api = await window.dash_ag_grid.getApiAsync('desk-grid');
    // Dash's wrapper hears of its own grid a moment later; rows that are flushed before throw inside of it.
    await new Promise((done) => setTimeout(done, GRID_SETTLES_MS));
    const sort = memory.read('desk.sort') ?? [{colId: 'due', sort: 'asc', sortIndex: 0}, {colId: 'level', sort: 'asc', sortIndex: 1}];
    this.#api.applyColumnState({state: sort, defaultState: {sort: null}});
    this.#api.addEventListener('sortChanged', () => memory.write('desk.sort', this.#api.getColumnState().filter((c) => c.sort).map(({colId, sort: s, sortIndex}) => ({colId, sort: s, sortIndex}))));
    this.#presses();
    this.#host.addEventListener('keydown', ({key}) => { this.#keyed = MOVES.has(key); }, {capture: true});
    this.#host.addEventListener('pointerdown', () => { this.#keyed = false; }, {capture: true});
    this.#api.addEventListener('cellFocused', ({rowIndex}) => { // the arrow keys choose, as a click does
      if (!this.#keyed) return;
      this.#keyed = false;
      const node = rowIndex === null ? null : this.#api.getDisplayedRowAtIndex(rowIndex);
      if (node) this.#choose(node);
    });
    this.#api.addEventListener('cellKeyDown', ({event, node}) => {
      if (!node || !['Enter', ' '].includes(event.key)) return;
      this.#choose(node);
      if (event.key === 'Enter') this.#say('enter', {key: node.data.key});
    });
    this.#api.addEventListener('rowDoubleClicked', ({data}) => this.#say('enter', {key: data.key}));
    // Dash's wrapper of the grid empties the selection after its own updates: what the user chose is put back.
    for (const event of ['asyncTransactionsFlushed', 'selectionChanged', 'filterChanged']) {
      this.#api.addEventListener(event, () => setTimeout(() => this.#keepSelected()));
    }
    this.#api.addEventListener('modelUpdated', () => this.#foot());
    this.#stay();
    this.#api.addEventListener('gridSizeChanged', ({clientWidth}) => this.#columns(clientWidth));
    this.#columns(this.#host.querySelector('.list__grid').clientWidth);
    this.#controls();
    watchUnknown(this.#host.querySelector('.list__grid').appendChild(el('div.list__unknown')));
    live.addEventListener('fault', () => this.#foot());
    live.addEventListener('applied', ({detail}) => this.#applied(detail));
    if (live.ready) this.#applied({replaced: true, changed: []});
    // A clock that runs out makes an incident overdue without any message: lamps and the filter follow.
    setInterval(() => { if (this.#filter.overdue) this.#api.onFilterChanged(); this.#counts(); }, 15_000);
    this.#draw();
  }

  // ---------------------------------------------------------------- rows

  #applied({changed, replaced}) {
    const items = live.items('incident');
    const keys = replaced ? new Set([...items.keys(), ...this.#known.keys()]) : new Set(changed.filter(([kind]) => kind === 'incident').map(([, key]) => key));
    if (!keys.size) return;
    const work = {add: [], update: [], remove: []};
    for (const key of keys) {
      const item = items.get(key);
      const gone = !item || FINAL.has(item.stage);
      if (gone) this.#marked.delete(key);
      if (gone && this.#known.delete(key)) work.remove.push({key});
      else if (!gone && this.#known.has(key)) {
        if (!replaced || this.#known.get(key) !== item.version) work.update.push(item);
        this.#known.set(key, item.version);
      } else if (!gone) {
        work.add.push(item);
        this.#known.set(key, item.version);
      }
    }
    if (work.add.length || work.update.length || work.remove.length) this.#api.applyTransactionAsync(work, () => touchAll(this.#host));
    this.#counts();
    this.#say('marks', {});
  }

  /** Rows that come, go or change their place above those in sight do not move what the user is looking at. */
  #stay() {
    this.#view = this.#host.querySelector('.ag-body-viewport');
    const hold = () => { [this.#held, this.#heldAt] = [this.#inSight(), this.#view.scrollTop]; };
    this.#view.addEventListener('scroll', hold, {passive: true});
    for (const event of ['filterChanged', 'sortChanged', 'gridSizeChanged']) this.#api.addEventListener(event, () => requestAnimationFrame(hold));
    this.#api.addEventListener('asyncTransactionsFlushed', ({results}) => {
      const changed = new Set(results.flatMap(({update}) => update.map((node) => node.data.key)));
      const still = Math.abs(this.#view.scrollTop - this.#heldAt) < 1; // else the user is scrolling just now
      if (still && this.#heldAt > 0) this.#putBack(changed);
      hold();
    });
  }

  #inSight() {
    const top = this.#view.scrollTop;
    const seen = [];
    this.#api.forEachNodeAfterFilterAndSort((node) => {
      const below = node.rowTop - top;
      if (below >= 0 && below < this.#view.clientHeight) seen.push([node.data.key, below]);
    });
    return seen;
  }

  /** Scroll so that a row that was in sight lies where it lay: the one under the pointer, else the first that has not changed. */
  #putBack(changed) {
    const there = this.#held.filter(([key]) => this.#api.getRowNode(key)?.displayed);
    const pointed = this.#host.querySelector('.ag-row:hover')?.getAttribute('row-id');
    const anchor = there.find(([key]) => key === pointed) ?? there.find(([key]) => !changed.has(key)) ?? there[0];
    if (!anchor) return;
    const wanted = this.#api.getRowNode(anchor[0]).rowTop - anchor[1];
    if (Math.abs(wanted - this.#view.scrollTop) < 1) return;
    // The grid's own scroll bar is a second element, which it keeps in step late: what it still holds would come back.
    for (const part of [this.#view, this.#host.querySelector('.ag-body-vertical-scroll-viewport')]) if (part) part.scrollTop = wanted;
  }

  /**
   * A press on a row chooses it. The grid's own selection does not say so: it tells a moment later, when Dash's wrapper
   * may have emptied it again, and a press whose element is drawn anew before it is let go is no click.
   */
  #presses() {
    const at = (target) => [target.closest('.ag-row')?.getAttribute('row-id'), target.closest('.mark') !== null];
    const choose = ([key, mark]) => {
      const node = key && !mark && this.#api.getRowNode(key);
      if (node) this.#choose(node);
    };
    let down = [];
    this.#host.addEventListener('pointerdown', ({target, button}) => { down = button === 0 ? at(target) : []; }, {capture: true});
    this.#host.addEventListener('pointerup', ({target}) => {
      const up = at(target);
      if (up[0] && up[0] === down[0] && up[1] === down[1]) choose(up);
    }, {capture: true});
    this.#host.addEventListener('click', ({target}) => choose(at(target)), {capture: true}); // of what has no pointer
  }

  #keepSelected() {
    if (this.#selected) this.#mark(this.#selected);
  }

  #mark(key) {
    const node = key && this.#api.getRowNode(String(key));
    if (node && !(node.isSelected() && this.#api.getSelectedNodes().length === 1)) node.setSelected(true, true);
    if (!node && this.#api.getSelectedNodes().length) this.#api.deselectAll();
    return node;
  }

  /** The user chose this row. */
  #choose(node) {
    if (node.data.key === this.#selected) return;
    this.#selected = node.data.key;
    this.#mark(this.#selected);
    this.#say('select', {key: this.#selected});
  }

  /** Show `key` as the chosen one and bring it into view; null takes the choice away. */
  select(key) {
    this.#selected = key === null ? null : String(key);
    const node = this.#mark(this.#selected);
    if (node?.displayed) this.#api.ensureNodeVisible(node);
  }

  /** Keyboard: the row after (1) or before (-1) the chosen one. */
  step(by) {
    const shown = [];
    this.#api.forEachNodeAfterFilterAndSort((node) => shown.push(node));
    const at = shown.findIndex((node) => node.data.key === this.#selected);
    const next = shown[Math.min(shown.length - 1, Math.max(0, at + by))];
    if (!next) return;
    this.#choose(next);
    this.#api.ensureNodeVisible(next);
  }

  // ---------------------------------------------------------------- marks, for an action on several

  /** The items that are marked, in the list's order. */
  marked() {
    const found = [];
    this.#api?.forEachNodeAfterFilterAndSort((node) => this.#marked.has(node.data.key) && found.push(node.data));
    return found;
  }

  /** Mark or unmark a row, the chosen one when none is named. */
  toggleMark(key = this.#selected) {
    if (key === null || !this.#api.getRowNode(key)) return;
    if (!this.#marked.delete(key)) this.#marked.add(key);
    this.#drawMarks([key]);
  }

  unmarkAll() {
    const keys = [...this.#marked];
    if (!keys.length) return;
    this.#marked.clear();
    this.#drawMarks(keys);
  }

  #drawMarks(keys) {
    const rowNodes = keys.map((key) => this.#api.getRowNode(key)).filter(Boolean);
    this.#api.refreshCells({rowNodes, columns: ['mark'], force: true});
    this.#say('marks', {});
  }

  // ---------------------------------------------------------------- filter

  passes(item, {but = ''} = {}) {
    const f = this.#filter;
    if (!item || FINAL.has(item.stage)) return false;
    if (but !== 'group' && GROUPS[f.group] && !GROUPS[f.group].has(item.stage)) return false;
    if (f.levels.length && !f.levels.includes(item.level)) return false;
    if (but !== 'class' && f.class && item.class !== f.class) return false;
    if (but !== 'span' && f.span && !(item.reported_at >= f.span[0] && item.reported_at < f.span[1])) return false;
    if (but !== 'overdue' && f.overdue && !isLate(item, live.now())) return false;
    if (but !== 'mine' && f.mine && !MINE[this.#role]?.has(item.stage)) return false;
    if (but !== 'inview' && f.inview && !this.#inView(item)) return false;
    if (!f.text) return true;
    const hay = `${item.number} ${item.title} ${item.class_name} ${item.address ?? ''} ${item.unit_name} ${item.worker_name}`.toLowerCase();
    return f.text.toLowerCase().split(/\s+/).every((part) => hay.includes(part));
  }

  #inView({lon, lat}) {
    if (!this.#bounds || !Number.isFinite(lon)) return !this.#bounds;
    const [w, s, e, n] = this.#bounds;
    return lon >= w && lon <= e && lat >= s && lat <= n;
  }

  /** The map came to rest somewhere else. */
  bounds(bounds) {
    this.#bounds = bounds;
    if (this.#filter.inview) this.#api?.onFilterChanged();
    this.#counts();
  }

  /** What a chart may set of the filter: {class, span}. */
  get narrowed() {
    return {class: this.#filter.class, span: this.#filter.span};
  }

  /** A chart narrows the list, or lets it go. */
  narrow(part) {
    if (Object.entries(part).some(([name, value]) => JSON.stringify(this.#filter[name]) !== JSON.stringify(value))) this.#change(part);
  }

  /** The items that the list shows; with the filter `but` left out. */
  shown(but = '') {
    return [...live.items('incident').values()].filter((item) => this.passes(item, {but}));
  }

  #change(part) {
    Object.assign(this.#filter, part);
    memory.write(KEPT, this.#filter);
    this.#api.onFilterChanged();
    this.unmarkAll(); // what is not in sight is not acted on
    this.#draw();
    this.#say('filter', {});
  }

  /** How the list is set, to be kept: {filter, sort, columns}. A span of hours is of today, and is not. */
  settings() {
    const state = this.#api.getColumnState();
    const sort = state.filter((c) => c.sort).map(({colId, sort: s, sortIndex}) => ({colId, sort: s, sortIndex}));
    return {filter: {...this.#filter, span: null}, sort, columns: state.map(({colId, hide, width}) => ({colId, hide, width}))};
  }

  /** Set the list as `settings()` said; what a newer version does not know any more is left out. */
  setUp({filter = {}, sort = [], columns = []}) {
    const known = Object.fromEntries(Object.entries(fresh()).filter(([name]) => name in filter).map(([name]) => [name, filter[name]]));
    this.#host.querySelector('#desk-search').value = known.text ?? '';
    this.#api.applyColumnState({state: columns});
    this.#api.applyColumnState({state: sort, defaultState: {sort: null}});
    this.#change({...fresh(), ...known});
  }

  #controls() {
    const search = this.#host.querySelector('#desk-search');
    search.value = this.#filter.text;
    const typed = throttle(() => this.#change({text: search.value.trim()}), 120);
    search.addEventListener('input', typed);
    this.#host.addEventListener('click', (event) => {
      const hit = event.target.closest('[data-group],[data-level],[data-flag],[data-clear],[data-export]');
      if (!hit) return;
      if ('export' in hit.dataset) {
        event.preventDefault();
        download(this.#exported(), hit);
        return;
      }
      const f = this.#filter;
      if (hit.dataset.group) this.#change({group: hit.dataset.group});
      else if (hit.dataset.level) {
        const level = Number(hit.dataset.level);
        this.#change({levels: f.levels.includes(level) ? f.levels.filter((n) => n !== level) : [...f.levels, level]});
      } else if (hit.dataset.flag) this.#change({[hit.dataset.flag]: !f[hit.dataset.flag]});
      else {
        search.value = '';
        this.#change(fresh());
      }
    });
    this.#host.querySelector('[data-class]').addEventListener('change', ({target}) => this.#change({class: target.value}));
  }

  #draw() {
    const f = this.#filter;
    const press = (selector, on) => {
      for (const button of this.#host.querySelectorAll(selector)) {
        const value = on(button.dataset);
        button.setAttribute('aria-pressed', String(value));
        button.classList.toggle('is-on', value);
      }
    };
    press('[data-group]', (d) => d.group === f.group);
    press('[data-level]', (d) => f.levels.includes(Number(d.level)));
    press('[data-flag]', (d) => Boolean(f[d.flag]));
    drawChips(this.#host.querySelector('[data-chips]'), f, this.#nameOfClass(), (part) => this.narrow(part));
    show(this.#host.querySelector('[data-clear]'), JSON.stringify(f) !== JSON.stringify(fresh()));
    this.#host.querySelector('[data-export]').href = this.#exported(); // for who opens it elsewhere
    this.#counts();
  }

  #exported() {
    return `/api/v1/export/incidents.xlsx?${this.query()}`;
  }

  /** The filter as the server understands it (export): what `passes` says, said to `_where` in data/questions/incidents.py. */
  query() {
    const f = this.#filter;
    const q = new URLSearchParams({scope: 'open'});
    let stages = GROUPS[f.group] ? [...GROUPS[f.group]] : null;
    if (f.mine && MINE[this.#role]) stages = (stages ?? [...MINE[this.#role]]).filter((s) => MINE[this.#role].has(s));
    else if (f.mine) stages = [];
    // When no stage fits, a final one, which no open incident has: an empty list would not filter.
    if (stages) q.set('stages', stages.join(',') || 'closed');
    if (f.levels.length) q.set('levels', f.levels.join(','));
    if (f.class) q.set('class_code', f.class);
    if (f.span) ['since', 'until'].forEach((name, n) => q.set(name, new Date(f.span[n]).toISOString()));
    if (f.overdue) q.set('overdue', 'true');
    if (f.text) q.set('text', f.text);
    if (f.inview && this.#bounds) q.set('bbox', this.#bounds.join(','));
    return q.toString();
  }

  #counts = throttle(() => {
    const counts = Object.fromEntries([...Object.keys(GROUPS), 'overdue', 'mine', 'inview'].map((k) => [k, 0]));
    const classes = new Map();
    const now = live.now();
    for (const item of live.items('incident').values()) {
      if (FINAL.has(item.stage)) continue;
      if (item.class) classes.set(item.class, item.class_name);
      if (this.passes(item, {but: 'group'})) {
        for (const [name, stages] of Object.entries(GROUPS)) if (!stages || stages.has(item.stage)) counts[name] += 1;
      }
      if (isLate(item, now)) counts.overdue += 1;
      if (MINE[this.#role]?.has(item.stage)) counts.mine += 1;
      if (this.#inView(item)) counts.inview += 1;
    }
    const whole = this.#whole();
    const said = (n) => (live.ready ? n : '–'); // not known is not 0
    for (const [name, n] of Object.entries(counts)) put(this.#host.querySelector(`[data-count="${name}"]`), whole ? whole(name, n) : said(n));
    this.#classes(classes);
    this.#foot();
  }, 300);

  /** When the list holds only the newest: how a count is written, from the store's figures, else as "at least". Else null. */
  #whole() {
    const found = this.#capped();
    if (!found) return null;
    const {group, ...rest} = this.#filter;
    const {group: _, ...none} = fresh();
    const plain = JSON.stringify(rest) === JSON.stringify(none);
    const sum = (stages) => (stages ? [...stages].reduce((n, stage) => n + (found.stages[stage] ?? 0), 0) : found.open);
    return (name, n) => {
      if (name in GROUPS && plain) return number(sum(GROUPS[name]));
      if (name === 'overdue') return number(found.overdue);
      if (name === 'mine') return number(sum(MINE[this.#role] ?? []));
      return `${number(n)}+`;
    };
  }

  /** The store's figures when it holds more open incidents than this list; else null. */
  #capped() {
    const found = totals();
    return found?.capped && found.open > this.#known.size ? found : null;
  }

  #nameOfClass() {
    const code = this.#filter.class;
    for (const item of live.items('incident').values()) if (item.class === code) return item.class_name || code;
    return code;
  }

  #classes(classes) {
    const select = this.#host.querySelector('[data-class]');
    if (this.#filter.class && !classes.has(this.#filter.class)) classes.set(this.#filter.class, this.#filter.class);
    const rows = [['', t('desk.all_classes')], ...[...classes].sort((a, b) => a[1].localeCompare(b[1], 'zh'))];
    const signature = rows.map((r) => r[0]).join();
    if (select.dataset.signature !== signature && document.activeElement !== select) {
      select.dataset.signature = signature;
      select.replaceChildren(...rows.map(([code, name]) => new Option(name, code)));
    }
    select.value = this.#filter.class;
  }

  #foot() {
    if (!this.#api) return; // the map may move before the grid is there
    if (!live.ready) return put(this.#host.querySelector('[data-foot]'), unknownWords());
    const found = this.#capped();
    const [n, kept] = [number(this.#api.getDisplayedRowCount()), number(this.#known.size)];
    put(this.#host.querySelector('[data-foot]'), found ? t('desk.list.capped', {n, kept, total: number(found.open)}) : t('desk.list.shown', {n, total: kept}));
  }

  #columns(width) {
    const wide = width >= WIDE_PX;
    if (this.#host.dataset.wide === String(wide)) return;
    this.#host.dataset.wide = String(wide);
    this.#api.setColumnsVisible(['number', 'class_name', 'unit_name', 'reported_at', 'sources'], wide);
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail}));
  }
}
