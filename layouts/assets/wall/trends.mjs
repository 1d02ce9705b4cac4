// Trend charts of the wall: Plotly, updated in place from live `trend` items, so that nothing flickers.

import {touch} from '../age.mjs';
import {put} from '../desk/dom.mjs';
import {live} from '../live.mjs';
import {has, t} from '../text.mjs';

// Neutral lines told apart by brightness and dash, never by a legal colour: those are for what is abnormal.
const LINES = [
  {color: '#f2f4f5', width: 2.5}, {color: '#9ba3ab', width: 2.5, dash: 'dot'}, {color: '#6f7780', width: 2, dash: 'dash'}, {color: '#c3c8ce', width: 1.5},
];
const STALE_S = 900;
const MOST = 5; // bars that can be read from metres
const zone = document.documentElement.dataset.timezone || 'Asia/Shanghai';
const local = new Intl.DateTimeFormat('sv-SE', {timeZone: zone, dateStyle: 'short', timeStyle: 'medium'});

const nameOf = (prefix, item, key) => (has(`${prefix}.${key}`) ? t(`${prefix}.${key}`) : item.title ?? item.name ?? key);

/** Plotly draws dates as they are written: city time, whatever the wall's own clock is set to. */
const cityDates = (times) => times.map((ms) => local.format(ms));

function traces(item) {
  const [first] = item.series;
  if (first?.x) { // categories: lying bars, the greatest on top
    const [names, counts] = [first.x, first.v].map((list) => list.slice(0, MOST).reverse());
    return [{type: 'bar', orientation: 'h', x: counts, y: names, text: counts, textposition: 'outside', cliponaxis: false, marker: {color: '#8f98a1'}, textfont: {size: 17, color: '#f2f4f5'}}];
  }
  return item.series.map((series, n) => ({
    type: 'scatter', mode: 'lines', name: nameOf('trend.series', series, series.name),
    x: cityDates(series.t), y: series.v, line: {...LINES[n % LINES.length], shape: 'spline', smoothing: 0.5},
    ...(n === 0 ? {fill: 'tozeroy', fillcolor: 'rgba(255,255,255,0.06)'} : {}),
  }));
}

async function paint(host, item) {
  const graph = host.querySelector('.js-plotly-plot');
  if (!graph || !window.Plotly) return false;
  const panel = host.closest('.wp');
  put(panel.querySelector('.cy-panel__title'), nameOf('trend', item, item.key.split('@')[0]));
  const age = panel.querySelector('.age');
  age.dataset.asOf = item.as_of ?? '';
  age.dataset.limitS = item.limit_s ?? STALE_S;
  touch(age);
  const several = item.series.length > 1;
  const bars = Boolean(item.series[0]?.x);
  const none = bars && !item.series[0].x.length; // axes of nothing say nothing
  const layout = {
    ...graph.layout,
    showlegend: several,
    legend: {orientation: 'h', x: 1, xanchor: 'right', y: 1.02, yanchor: 'bottom', font: {size: 15, color: '#ccd1d6'}, bgcolor: 'rgba(0,0,0,0)'},
    margin: {l: 6, r: 10, t: several ? 26 : 8, b: 4},
    yaxis: bars ? {...graph.layout.yaxis, visible: !none, showgrid: false, tickfont: {size: 17, color: '#ccd1d6'}} : {...graph.layout.yaxis, rangemode: 'tozero'},
    xaxis: bars ? {...graph.layout.xaxis, visible: false} : {...graph.layout.xaxis, tickformat: '%H:%M'},
    annotations: none ? [{text: t('trend.none'), x: 0.5, y: 0.5, xref: 'paper', yref: 'paper', showarrow: false, font: {size: 17, color: '#ccd1d6'}}] : [],
  };
  fitting.observe(host);
  await window.Plotly.react(graph, traces(item), layout, {displayModeBar: false, staticPlot: true, responsive: true});
  return true;
}

/** A panel that takes another place has another size: Plotly looks at the window's only. */
const fitting = new ResizeObserver((entries) => {
  for (const {target} of entries) {
    const graph = target.querySelector('.js-plotly-plot');
    if (graph?.clientWidth && window.Plotly) window.Plotly.Plots.resize(graph);
  }
});

const ORDER = ['incidents_per_hour', 'classes_24h', 'readings_per_minute', 'open_incidents'];

/** The trends there are, by name: of the widest area this account sees, in the order of the wall. */
function shown() {
  const byName = new Map();
  for (const item of live.items('trend').values()) {
    const [name] = item.key.split('@');
    const known = byName.get(name);
    if (item.series?.length && (!known || (item.area ?? '').length < (known.area ?? '').length)) byName.set(name, item);
  }
  const rank = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return [...byName].sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b)).map(([, item]) => item);
}

/** Paint every trend there is into the charts of the page, in the order of their keys; again when one changes. */
export function startTrends() {
  const done = new Map();
  const panels = document.querySelectorAll('.wp--trend').length;
  const draw = async () => {
    const items = shown();
    for (let n = 0; n < panels; n += 1) {
      const host = document.getElementById(`wall-trend-${n}`); // Dash draws a graph only once Plotly is there
      const item = items[n];
      if (host && item && done.get(host.id) !== item && (await paint(host, item))) done.set(host.id, item);
    }
  };
  live.addEventListener('applied', ({detail}) => { if (detail.replaced || detail.changed.some(([kind]) => kind === 'trend')) draw(); });
  const wait = setInterval(() => { draw(); if (done.size === panels) clearInterval(wait); }, 500);
}
