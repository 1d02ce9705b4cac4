// The charts of the list: its incidents by hour and by class. A span or a bar of them narrows list and map; each chart
// leaves its own filter out, so that what was let out can still be seen and chosen.

import {live} from '../live.mjs';
import {cityTime, t} from '../text.mjs';
import {heed} from './brush.mjs';
import {memory, put, ready, setProps, show, tell, throttle} from './dom.mjs';

const HOUR = 3_600_000;
const HOURS = 24;
const CLASSES = 6; // bars that can be read at the height of the chart
const KEPT = 'desk.spread';
const [CHOSEN, OTHER] = ['#c3c8ce', '#4d555d']; // told apart by brightness: legal colours are for what is abnormal

/** An axis as Python made it, without the range that Plotly has found for what was drawn before. */
const bare = ({range: _, autorange: __, ...axis}) => axis;
const cityHour = (ms) => { const {date, clock} = cityTime(ms); return `${date} ${clock}`; };

/** The hours up to now with how many were reported in each, and how many before: {bars: [[begin, n]], earlier}. */
export function byHour(items, now) {
  const first = Math.floor(now / HOUR) * HOUR - (HOURS - 1) * HOUR;
  const bars = Array.from({length: HOURS}, (_, n) => [first + n * HOUR, 0]);
  let earlier = 0;
  for (const {reported_at: at} of items) {
    const n = Math.floor((at - first) / HOUR);
    if (n < 0) earlier += 1;
    else bars[Math.min(n, HOURS - 1)][1] += 1; // a clock that is ahead does not lose an incident
  }
  return {bars, earlier};
}

/** The classes with the most incidents, the greatest first: [[code, name, n]]. */
export function byClass(items) {
  const found = new Map();
  for (const {class: code, class_name: name} of items) {
    if (!code) continue;
    const row = found.get(code) ?? [code, name || code, 0];
    row[2] += 1;
    found.set(code, row);
  }
  return [...found.values()].sort((a, b) => b[2] - a[2] || a[0].localeCompare(b[0]));
}

const wholeHours = ([from, until]) => [Math.floor(from / HOUR) * HOUR, Math.ceil(until / HOUR) * HOUR];

class Spread {
  #host;
  #list;
  #on = false;

  constructor(host, list) {
    this.#host = host;
    this.#list = list;
    const soon = throttle(() => this.#draw(), 500);
    live.addEventListener('applied', ({detail}) => {
      if (this.#on && (detail.replaced || detail.changed.some(([kind]) => kind === 'incident'))) soon();
    });
    list.addEventListener('filter', () => this.#draw());
    new MutationObserver(() => this.#draw()).observe(host, {childList: true, subtree: true, attributes: true, attributeFilter: ['class']});
  }

  set(on) {
    this.#on = on;
    memory.write(KEPT, on);
    show(this.#host, on);
    if (on && !this.#host.firstChild) tell('desk-spread-ask', {});
    this.#draw();
  }

  get on() { return this.#on; }

  #draw() {
    if (!this.#on) return;
    this.#paint('times', (graph) => this.#times(graph));
    this.#paint('classes', (graph) => this.#classes(graph));
  }

  #paint(name, made) {
    const graph = this.#host.querySelector(`[data-spread-of="${name}"] .js-plotly-plot`);
    if (!graph?.on) return; // Dash draws a graph only once Plotly is there
    heed(graph, this.#told(name));
    const [trace, layout, note] = made(graph);
    const signature = JSON.stringify([trace, note]);
    if (graph.dataset.signature === signature) return; // also: drawing must not call for drawing
    graph.dataset.signature = signature;
    put(this.#host.querySelector(`[data-spread-note="${name}"]`), note);
    // Through Dash: what is drawn behind its back it draws over with what it knows.
    setProps(`desk-spread-${name}`, {figure: {data: [trace], layout: {...graph.layout, ...layout, selections: [], hovermode: 'closest'}}});
  }

  #told(name) {
    if (name === 'times') {
      return {span: (span) => this.#list.narrow({span: wholeHours(span)}), bar: (at) => this.#list.narrow({span: [at, at + HOUR]}), none: () => this.#list.narrow({span: null})};
    }
    return {span: () => {}, bar: (code) => this.#list.narrow({class: code}), none: () => this.#list.narrow({class: ''})};
  }

  #times(graph) {
    const {bars, earlier} = byHour(this.#list.shown('span'), live.now());
    const span = this.#list.narrowed.span;
    const inside = ([at]) => !span || (at + HOUR > span[0] && at < span[1]);
    const trace = {
      type: 'bar', width: HOUR * 0.86, x: bars.map(([at]) => cityHour(at + HOUR / 2)), y: bars.map(([, n]) => n), customdata: bars.map(([at]) => at),
      text: bars.map(([at, n]) => t('desk.spread.hour', {from: cityTime(at).time, until: cityTime(at + HOUR).time, n})), textposition: 'none', hoverinfo: 'text',
      marker: {color: bars.map((bar) => (inside(bar) ? CHOSEN : OTHER))},
    };
    const axes = {xaxis: {...bare(graph.layout.xaxis), type: 'date', tickformat: '%H:%M', range: [cityHour(bars[0][0]), cityHour(bars.at(-1)[0] + HOUR)]}, yaxis: {...bare(graph.layout.yaxis), rangemode: 'tozero', nticks: 3}};
    return [trace, axes, earlier ? t('desk.spread.earlier', {n: earlier}) : ''];
  }

  #classes(graph) {
    const rows = byClass(this.#list.shown('class'));
    const top = rows.slice(0, CLASSES).reverse();
    const chosen = this.#list.narrowed.class;
    const trace = {
      type: 'bar', orientation: 'h', x: top.map((r) => r[2]), y: top.map((r) => r[0]), customdata: top.map((r) => r[0]),
      text: top.map(([, name, n]) => `${name} ${n}`), textposition: 'inside', insidetextanchor: 'start', constraintext: 'none', textangle: 0,
      cliponaxis: false, hoverinfo: 'text', textfont: {color: '#f2f4f5', size: 11},
      marker: {color: top.map(([code]) => (!chosen || code === chosen ? '#59626b' : '#343a41'))},
    };
    const axes = {dragmode: false, xaxis: {...bare(graph.layout.xaxis), visible: false, rangemode: 'tozero'}, yaxis: {...bare(graph.layout.yaxis), type: 'category', visible: false}};
    return [trace, axes, rows.length > CLASSES ? t('desk.spread.more', {n: rows.length - CLASSES}) : ''];
  }
}

/** The button that shows and hides the charts of `list`; as this browser had them last. */
export async function startSpread(list) {
  const spread = new Spread(await ready('desk-spread'), list);
  const button = document.querySelector('[data-spread-open]');
  const set = (on) => { spread.set(on); button.setAttribute('aria-expanded', String(on)); };
  button.addEventListener('click', () => set(!spread.on));
  if (memory.read(KEPT)) set(true);
}
