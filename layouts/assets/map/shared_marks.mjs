// 标绘: marks that people drew, on every map that is given to showMarks(); a mark lives in the live item(s) of kind `mark`, one
// per area of its points, and is shown once. Bright and without colour: the four legal colours mean levels.

import {live} from '../live.mjs';

const EMPTY = {type: 'FeatureCollection', features: []};

/** The marks that stand now, each once: [{mark, shape, points, word, by, name, drawn_at, ends_at}], oldest first. */
export function standing(now = live.now()) {
  const found = new Map();
  for (const item of live.items('mark').values()) if (item.ends_at > now) found.set(item.mark, item);
  return [...found.values()].sort((a, b) => a.mark - b.mark);
}

function geometry(shape, points) {
  if (shape === 'point' || points.length === 1) return {type: 'Point', coordinates: points[0]};
  if (shape === 'line' || points.length === 2) return {type: 'LineString', coordinates: points};
  return {type: 'Polygon', coordinates: [[...points, points[0]]]};
}

/** Where the word stands: on a point, at the middle of a line, in the middle of a polygon's corners. */
function middle(shape, points) {
  if (shape === 'line') return points[Math.floor((points.length - 1) / 2)];
  return [0, 1].map((n) => points.reduce((sum, p) => sum + p[n], 0) / points.length);
}

function features({mark, shape, points, word}) {
  return [
    {type: 'Feature', geometry: geometry(shape, points), properties: {mark, shape}},
    {type: 'Feature', geometry: {type: 'Point', coordinates: middle(shape, points)}, properties: {mark, word}},
  ];
}

/**
 * Show the marks on a map. `target.map` is the MapLibre map, its style loaded or not. Answers {draft(shape, points)}: what is
 * being drawn and nobody else sees yet; draft(null) takes it away. On `target.map`'s container a 'marked' event tells each drawing.
 */
export function showMarks(target, {scale = target.scale ?? 1} = {}) {
  const {map} = target;
  let draft = [];
  let begun = false;
  let shown = '';

  function draw() {
    if (!begun) return;
    const marks = standing();
    const stamp = JSON.stringify([marks.map((m) => m.mark), draft]);
    if (stamp === shown) return; // marks never change, they come and go
    shown = stamp;
    map.getSource('marks').setData({type: 'FeatureCollection', features: [...marks.flatMap(features), ...draft]});
    map.getContainer().dispatchEvent(new CustomEvent('marked', {detail: {marks: marks.map((m) => m.mark)}, bubbles: true}));
  }

  function begin() {
    const theme = getComputedStyle(map.getContainer());
    const ink = theme.getPropertyValue('--text').trim();
    const halo = theme.getPropertyValue('--map-label-halo').trim();
    const font = map.getLayoutProperty('district-label', 'text-font');
    const s = scale;
    const shapes = ['all', ['!', ['has', 'word']]];
    map.addSource('marks', {type: 'geojson', data: EMPTY});
    map.addLayer({id: 'mark-area', type: 'fill', source: 'marks', filter: [...shapes, ['==', ['geometry-type'], 'Polygon']], paint: {'fill-color': ink, 'fill-opacity': 0.1}});
    map.addLayer({id: 'mark-line-case', type: 'line', source: 'marks', filter: [...shapes, ['!=', ['geometry-type'], 'Point']], layout: {'line-join': 'round', 'line-cap': 'round'}, paint: {'line-color': halo, 'line-width': 6 * s, 'line-opacity': 0.85}});
    map.addLayer({id: 'mark-line', type: 'line', source: 'marks', filter: [...shapes, ['!=', ['geometry-type'], 'Point']], layout: {'line-join': 'round'}, paint: {'line-color': ink, 'line-width': 2.6 * s, 'line-dasharray': [3, 1.6]}});
    map.addLayer({id: 'mark-point', type: 'circle', source: 'marks', filter: [...shapes, ['==', ['geometry-type'], 'Point']], paint: {'circle-radius': 6 * s, 'circle-color': halo, 'circle-stroke-color': ink, 'circle-stroke-width': 3 * s}});
    map.addLayer({
      id: 'mark-word', type: 'symbol', source: 'marks', filter: ['has', 'word'],
      layout: {
        'text-field': ['get', 'word'], 'text-font': font, 'text-size': 14 * s, 'text-variable-anchor': ['bottom', 'top', 'left', 'right'], 'text-radial-offset': 0.9,
        'text-justify': 'auto', 'text-max-width': 12,
      },
      paint: {'text-color': ink, 'text-halo-color': halo, 'text-halo-width': 2.2 * s},
    });
    begun = true;
    draw();
  }

  const applied = ({detail}) => { if (detail.replaced || detail.changed.some(([kind]) => kind === 'mark')) draw(); };
  live.addEventListener('applied', applied);
  const timer = setInterval(draw, 1000); // a mark's time runs out without a message
  map.on('remove', () => { begun = false; clearInterval(timer); live.removeEventListener('applied', applied); });
  const there = (() => { try { return Boolean(map.getSource('base')); } catch { return false; } })();
  if (there) begin();
  else map.once('load', begin);

  return {
    draft(shape, points = []) {
      draft = shape && points.length ? [
        {type: 'Feature', geometry: geometry(shape, points), properties: {shape}},
        ...points.map((p) => ({type: 'Feature', geometry: {type: 'Point', coordinates: p}, properties: {shape}})),
      ] : [];
      draw();
    },
  };
}
