// Keeps a wall's map readable over its seams. Words: invisible blocks along every seam take the room first, so that MapLibre
// puts no label there. Incidents and units: clustered here in pixels and moved aside by less than their own size, because a
// symbol that lies half behind a bezel cannot be read. The ground (roads, borders, dots of devices) runs on beneath the seam.

import {live} from '../live.mjs';
import {GROUPS} from './style.mjs';

const OWNS = ['incidents', 'workers'];
const EVERY_PX = 12;
const REDRAW_MS = 250;
const CLOSE_PX = 6; // a block reaches so far beyond the bezel

const radiusOf = (n, s) => { // as style.mjs draws clusters, with the badge at their corner
  const x = Math.sqrt(n);
  const [a, b, from, to] = x < 7 ? [1.4, 7, 13, 22] : [7, 20, 22, 30];
  return (from + (to - from) * Math.min(1, Math.max(0, (x - a) / (b - a))) + 11) * s;
};

/** Points [{x, y, level, properties}] → clusters of what lies within `radius` pixels, worst first. Pure. */
export function clustered(points, radius) {
  const cells = new Map();
  const found = [];
  for (const p of [...points].sort((a, b) => a.level - b.level || a.x - b.x || a.y - b.y)) {
    const [cx, cy] = [Math.floor(p.x / radius), Math.floor(p.y / radius)];
    let home = null;
    for (let dx = -1; dx <= 1 && !home; dx += 1) {
      for (let dy = -1; dy <= 1 && !home; dy += 1) {
        home = (cells.get(`${cx + dx}:${cy + dy}`) ?? []).find((c) => Math.hypot(c.x - p.x, c.y - p.y) <= radius) ?? null;
      }
    }
    if (home) { home.n += 1; continue; }
    const cluster = {x: p.x, y: p.y, n: 1, worst: p.level, first: p};
    found.push(cluster);
    const key = `${cx}:${cy}`;
    cells.set(key, [...(cells.get(key) ?? []), cluster]);
  }
  return found;
}

/** `at` moved to the nearer side of a seam that something reaching `reach` pixels around it would cross. Pure. */
export function aside(at, seams, half, reach) {
  for (const seam of seams) {
    const least = reach + half + 1;
    if (Math.abs(at - seam) < least) return at < seam ? seam - least : seam + least;
  }
  return at;
}

/** `city`: the CityMap; `xs`, `ys`: seams in pixels of the map; `half`: of a seam's width. */
export function keepOffSeams(city, {xs, ys, half}) {
  const {map} = city;
  const s = city.scale ?? 1.35;
  const style = map.getStyle();
  const {clusterRadius = 46, clusterMaxZoom = 12} = style.sources.incidents;
  const empty = {type: 'FeatureCollection', features: []};
  let accept = () => true;
  let timer = null;

  for (const id of OWNS) {
    map.addSource(`seam-${id}`, {type: 'geojson', data: empty});
    for (const layer of style.layers.filter((l) => GROUPS[id].includes(l.id))) {
      map.addLayer({...layer, id: `seam-${layer.id}`, source: `seam-${id}`, layout: {...layer.layout, visibility: 'visible'}});
    }
  }
  for (const id of ['camera-far', 'camera-near']) if (map.getLayer(id)) map.setLayoutProperty(id, 'icon-allow-overlap', false);
  const size = Math.ceil(2 * (half + CLOSE_PX));
  map.addImage('seam-block', {width: size, height: size, data: new Uint8Array(size * size * 4)});
  map.addSource('seam-blocks', {type: 'geojson', data: empty});
  map.addLayer({
    id: 'seam-blocks', type: 'symbol', source: 'seam-blocks',
    layout: {'icon-image': 'seam-block', 'icon-allow-overlap': true, 'icon-ignore-placement': false, 'icon-padding': 0},
  });

  const point = (x, y, properties = {}) => ({type: 'Feature', geometry: {type: 'Point', coordinates: map.unproject([x, y]).toArray()}, properties});
  const put = (x, y, reach, properties) => point(aside(x, xs, half, reach), aside(y, ys, half, reach), properties);

  function blocks() {
    const {clientWidth: width, clientHeight: height} = map.getContainer();
    const steps = (length) => Array.from({length: Math.ceil(length / EVERY_PX) + 1}, (_, i) => i * EVERY_PX);
    const features = [...xs.flatMap((x) => steps(height).map((y) => point(x, y))), ...ys.flatMap((y) => steps(width).map((x) => point(x, y)))];
    map.getSource('seam-blocks').setData({type: 'FeatureCollection', features});
  }

  function placed(kind, keep) {
    const found = [];
    for (const item of live.items(kind).values()) {
      if (!Number.isFinite(item.lon) || !Number.isFinite(item.lat) || !keep(item)) continue;
      const {x, y} = map.project([item.lon, item.lat]);
      found.push({x, y, level: item.level ?? 4, item});
    }
    return found;
  }

  function draw() {
    timer = null;
    if (!map.getSource('seam-incidents')) return; // the map is gone
    const near = map.getZoom() <= clusterMaxZoom;
    const points = placed('incident', accept);
    const groups = near ? clustered(points, clusterRadius) : points.map((p) => ({...p, n: 1, worst: p.level, first: p}));
    map.getSource('seam-incidents').setData({
      type: 'FeatureCollection',
      features: groups.map(({x, y, n, worst, first}) => (n > 1
        ? put(x, y, radiusOf(n, s), {point_count: n, point_count_abbreviated: n < 1000 ? String(n) : `${(n / 1000).toFixed(1)}k`, worst})
        : put(x, y, 20 * s, {key: first.item.key, level: first.item.level, class_name: first.item.class_name ?? ''}))),
    });
    const now = live.now();
    map.getSource('seam-workers').setData({
      type: 'FeatureCollection',
      features: placed('worker', () => true).map(({x, y, item}) => put(x, y, 24 * s, {key: item.key, name: item.name ?? item.key, stale: !(now - item.t < 5 * 60_000)})),
    });
  }

  const soon = () => { timer ??= setTimeout(draw, REDRAW_MS); };
  const applied = ({detail}) => { if (detail.replaced || detail.changed.some(([kind]) => kind === 'incident' || kind === 'worker')) soon(); };
  live.addEventListener('applied', applied);
  map.on('moveend', () => { blocks(); draw(); });
  map.on('remove', () => { clearTimeout(timer); live.removeEventListener('applied', applied); });
  blocks();
  draw();

  return {
    owns: new Set(OWNS),
    filter(next) { accept = next; draw(); },
    setVisible(id, on) {
      if (!OWNS.includes(id)) return;
      for (const layer of GROUPS[id]) map.setLayoutProperty(`seam-${layer}`, 'visibility', on ? 'visible' : 'none');
    },
  };
}
