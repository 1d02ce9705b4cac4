// The map's style: sources, layers and what the user can switch. Colours come from tokens.css, words from local fonts
// (no glyphs or sprite URL: nothing is fetched from elsewhere). `s` is the over-scale of a wall.

const SOURCES = {
  base: {layers: 'land,water,roads,areas,places', minzoom: 0, maxzoom: 14, promoteId: {areas: 'key', places: 'key'}},
  buildings: {layers: 'buildings', minzoom: 14, maxzoom: 15, promoteId: 'key'},
  grids: {layers: 'grids,cells', minzoom: 11, maxzoom: 15, promoteId: {grids: 'key', cells: 'key'}},
  devices: {layers: 'devices', minzoom: 6, maxzoom: 14, promoteId: 'key'},
  cameras: {layers: 'cameras', minzoom: 6, maxzoom: 14, promoteId: 'key'},
  components: {layers: 'components', minzoom: 12, maxzoom: 15, promoteId: 'key'},
};
export const TILE_SOURCES = Object.keys(SOURCES);

const EMPTY = {type: 'FeatureCollection', features: []};

/** What the user switches → the style layers it holds. Order = order in the layer list. */
export const GROUPS = {
  incidents: ['incident-cluster', 'incident-cluster-worst', 'incident-point'],
  heat: ['incident-heat'],
  workers: ['worker-far', 'worker-point'],
  devices: ['device-density', 'device-dot', 'device-warning'],
  cameras: ['camera-density', 'camera-far', 'camera-near'],
  components: ['component-density', 'component-point'],
  density: ['town-density'],
  celldensity: ['cell-density'],
  buildings: ['building-flat', 'building-block'],
  grids: ['grid-line'],
  cells: ['cell-line'],
  areas: ['village-line', 'town-line', 'district-line-case', 'district-line'],
  roads: ['bridge-case', 'road-local', 'road-secondary', 'road-arterial', 'road-label'],
  labels: ['village-label', 'town-label', 'district-label'],
};

/** Shown when a map opens; the others wait for a switch. */
export const SHOWN = new Set(['incidents', 'workers', 'devices', 'cameras', 'density', 'buildings', 'grids', 'areas', 'roads', 'labels']);

/** Style layers that answer a click or a hover, topmost first, and the kind of thing each shows. */
export const PICKABLE = {
  'incident-point': 'incident',
  'incident-cluster': 'cluster',
  'worker-point': 'worker',
  'worker-far': 'worker',
  'device-warning': 'device',
  'device-dot': 'device',
  'camera-near': 'camera',
  'camera-far': 'camera',
  'component-point': 'component',
  'change-point': 'change',
  'building-block': 'building',
  'building-flat': 'building',
};

/** Zoom from which a switched-on layer can be seen, where it is not seen at once. */
export const SEEN_FROM = {components: 12, grids: 11.5, celldensity: 12, cells: 12.5, buildings: 14};

const NEAR = 14; // from here on symbols may be many without costing much: few are in view
const zoomed = (...stops) => ['interpolate', ['linear'], ['zoom'], ...stops];
// Open incidents of a town → how light it is. Neutral: density is not an alarm. Weaker when the dots themselves show.
const density = (strength) => ['interpolate', ['linear'], ['coalesce', ['feature-state', 'open'], 0],
  0, 0, 1, 0.025 * strength, 5, 0.07 * strength, 15, 0.12 * strength, 40, 0.17 * strength];
const isLevel = (level) => ['==', ['get', 'level'], level];
const isClass = (name) => ['==', ['get', 'class'], name];

export function nameField(lang) {
  return lang === 'en' ? ['coalesce', ['get', 'name_en'], ['get', 'name']] : ['get', 'name'];
}

/**
 * How the status of a device is painted: filled = online, hollow = silent, a wide yellow ring = warning (and, near, the
 * triangle), faint = not known. `usual` is the status of every device without a state of its own. Far out a warning is
 * the same circle: a second symbol for each of ten thousand devices would cost a frame more than all the rest.
 */
export function deviceStatusPaint(s, c, usual) {
  const status = ['coalesce', ['feature-state', 'status'], usual];
  const warned = (yes, no) => ['match', status, 'warning', yes, no];
  return {
    'device-dot': {
      'circle-radius': zoomed(9, warned(2.2 * s, 0.8 * s), 11, warned(2.8 * s, 1.5 * s), 13, warned(4 * s, 2.9 * s), NEAR, warned(0, 3.6 * s), 16, warned(0, 5.5 * s)),
      'circle-color': warned(c('--map-land'), c('--map-device')),
      'circle-opacity': ['match', status, 'online', 0.9, 'warning', 0.9, 'silent', 0, 0.5],
      'circle-stroke-color': warned(c('--level-3'), c('--map-device')),
      'circle-stroke-width': zoomed(9, ['match', status, 'silent', 0.7 * s, 'warning', 1.2 * s, 0], 13, ['match', status, 'silent', 1 * s, 'warning', 2.2 * s, 0], NEAR, ['match', status, 'silent', 1 * s, 0]),
      'circle-stroke-opacity': warned(1, 0.8),
    },
    'device-warning': {'icon-opacity': warned(1, 0)},
  };
}

export function mapStyle({colour, lang, scale: s, origin, fonts}) {
  const c = colour;
  const text = (layout) => ({'text-font': fonts.regular, 'text-field': nameField(lang), ...layout});
  const bold = (layout) => ({'text-font': fonts.bold, 'text-field': nameField(lang), ...layout});
  const halo = (extra) => ({'text-color': c('--map-label'), 'text-halo-color': c('--map-label-halo'), 'text-halo-width': 1.4 * s, ...extra});
  const sources = {
    incidents: {
      type: 'geojson', data: EMPTY, promoteId: 'key', cluster: true, clusterRadius: Math.round(34 * s), clusterMaxZoom: 12,
      clusterProperties: {worst: ['min', ['get', 'level']]},
    },
    workers: {type: 'geojson', data: EMPTY, promoteId: 'key'},
    heat: {type: 'geojson', data: EMPTY},
    drawn: {type: 'geojson', data: EMPTY},
    changes: {type: 'geojson', data: EMPTY},
    selected: {type: 'geojson', data: EMPTY},
  };
  for (const [name, {layers, ...rest}] of Object.entries(SOURCES)) {
    sources[name] = {type: 'vector', tiles: [`${origin}/tiles/${layers}/{z}/{x}/{y}.mvt`], ...rest};
  }
  const from = (source, layer) => ({source, 'source-layer': layer});
  const byStatus = deviceStatusPaint(s, c, '');
  const layers = [
    {id: 'sea', type: 'background', paint: {'background-color': c('--map-sea')}},
    {id: 'land', type: 'fill', ...from('base', 'land'), paint: {'fill-color': c('--map-land'), 'fill-antialias': true}},
    {
      id: 'town-density', type: 'fill', ...from('base', 'areas'), filter: isLevel('town'),
      paint: {
        'fill-color': c('--text'),
        'fill-opacity': zoomed(11.5, density(1), 13, density(0.25)),
        'fill-antialias': false,
      },
    },
    {
      id: 'cell-density', type: 'fill', ...from('grids', 'cells'), minzoom: 12,
      paint: {'fill-color': c('--text'), 'fill-opacity': density(1.6), 'fill-antialias': false},
    },
    {id: 'water', type: 'fill', ...from('base', 'water'), paint: {'fill-color': c('--map-water'), 'fill-antialias': true}},
    {id: 'coast', type: 'line', ...from('base', 'land'), layout: {'line-join': 'round'}, paint: {'line-color': c('--map-road-major'), 'line-width': zoomed(7, 0.8 * s, 12, 1.3 * s), 'line-opacity': 0.85}},
    {id: 'shore', type: 'line', ...from('base', 'water'), layout: {'line-join': 'round'}, paint: {'line-color': c('--map-road'), 'line-width': 0.8 * s}},
    {id: 'cell-line', type: 'line', ...from('grids', 'cells'), minzoom: 12.5, paint: {'line-color': c('--map-border'), 'line-width': 0.5 * s, 'line-opacity': zoomed(12.5, 0, 13.5, 0.5)}},
    {id: 'grid-line', type: 'line', ...from('grids', 'grids'), minzoom: 11.5, paint: {'line-color': c('--map-border'), 'line-width': zoomed(11.5, 0.5 * s, 14, 1.1 * s), 'line-dasharray': [3, 2], 'line-opacity': zoomed(11.5, 0, 12.3, 0.6)}},
    {id: 'bridge-case', type: 'line', ...from('base', 'roads'), minzoom: 11, filter: ['==', ['get', 'bridge'], true], paint: {'line-color': c('--map-land'), 'line-width': zoomed(11, 2.6 * s, 15, 11 * s)}},
    {id: 'road-local', type: 'line', ...from('base', 'roads'), minzoom: 12.4, filter: ['!', ['any', isClass('arterial'), isClass('secondary')]], layout: {'line-cap': 'round', 'line-join': 'round'}, paint: {'line-color': c('--map-road'), 'line-width': zoomed(12.4, 0.4 * s, 14, 1.2 * s, 17, 6 * s)}},
    {id: 'road-secondary', type: 'line', ...from('base', 'roads'), minzoom: 10, filter: isClass('secondary'), layout: {'line-cap': 'round', 'line-join': 'round'}, paint: {'line-color': c('--map-road'), 'line-width': zoomed(10, 0.4 * s, 12, 1 * s, 14, 2 * s, 17, 9 * s), 'line-opacity': zoomed(10, 0.5, 11.5, 1)}},
    {id: 'road-arterial', type: 'line', ...from('base', 'roads'), filter: isClass('arterial'), layout: {'line-cap': 'round', 'line-join': 'round'}, paint: {'line-color': c('--map-road-major'), 'line-width': zoomed(8, 0.5 * s, 10.5, 1.1 * s, 14, 3 * s, 17, 12 * s)}},
    {id: 'village-line', type: 'line', ...from('base', 'areas'), minzoom: 11.5, filter: isLevel('village'), paint: {'line-color': c('--map-border'), 'line-width': 0.7 * s, 'line-opacity': 0.45}},
    {id: 'town-line', type: 'line', ...from('base', 'areas'), minzoom: 8, filter: isLevel('town'), paint: {'line-color': c('--map-border'), 'line-width': zoomed(8, 0.6 * s, 13, 1.4 * s), 'line-dasharray': [4, 2.5], 'line-opacity': 0.6}},
    {id: 'district-line-case', type: 'line', ...from('base', 'areas'), filter: isLevel('district'), layout: {'line-join': 'round'}, paint: {'line-color': c('--map-land'), 'line-width': zoomed(7, 2.4 * s, 12, 5 * s), 'line-opacity': 0.7}},
    {id: 'district-line', type: 'line', ...from('base', 'areas'), filter: isLevel('district'), layout: {'line-join': 'round'}, paint: {'line-color': c('--map-border'), 'line-width': zoomed(7, 1 * s, 12, 2.2 * s)}},
    {id: 'building-flat', type: 'fill', ...from('buildings', 'buildings'), minzoom: 14, paint: {'fill-color': c('--map-building'), 'fill-outline-color': c('--map-border'), 'fill-opacity': zoomed(14, 0.5, 15.5, 0.9)}},
    {
      id: 'building-block', type: 'fill-extrusion', ...from('buildings', 'buildings'), minzoom: 14, layout: {visibility: 'none'},
      paint: {
        'fill-extrusion-color': ['case', ['boolean', ['feature-state', 'chosen'], false], c('--accent'), c('--map-building')],
        'fill-extrusion-height': ['coalesce', ['get', 'height_m'], 3], 'fill-extrusion-opacity': 0.92, 'fill-extrusion-vertical-gradient': true,
      },
    },
    {
      id: 'incident-heat', type: 'heatmap', source: 'heat',
      paint: {
        'heatmap-weight': ['match', ['get', 'level'], 1, 4, 2, 3, 3, 1.5, 1], 'heatmap-radius': zoomed(8, 10 * s, 12, 26 * s, 16, 60 * s), 'heatmap-intensity': zoomed(8, 0.5, 14, 1.2),
        // Light on the ground, not colour: heat is how many there are, not how bad they are.
        'heatmap-color': ['interpolate', ['linear'], ['heatmap-density'], 0, 'rgba(0,0,0,0)', 0.15, c('--map-heat-1'), 0.5, c('--map-heat-2'), 1, c('--map-heat-3')],
        'heatmap-opacity': 0.75,
      },
    },
    {id: 'component-density', type: 'circle', ...from('components', 'components'), filter: ['has', 'n'], paint: {'circle-color': c('--map-device'), 'circle-opacity': 0.25, 'circle-radius': ['interpolate', ['linear'], ['sqrt', ['get', 'n']], 1, 1.5 * s, 12, 6 * s]}},
    {id: 'component-point', type: 'symbol', ...from('components', 'components'), minzoom: 13, filter: ['!', ['has', 'n']], layout: {'icon-image': 'component-mark', 'icon-size': zoomed(13, 0.6 * s, 16, 1.1 * s), 'icon-allow-overlap': true, 'icon-ignore-placement': true}, paint: {'icon-opacity': 0.85}},
    {id: 'camera-density', type: 'circle', ...from('cameras', 'cameras'), filter: ['has', 'n'], paint: {'circle-color': c('--map-camera'), 'circle-opacity': 0.2, 'circle-radius': ['interpolate', ['linear'], ['sqrt', ['get', 'n']], 1, 1.5 * s, 12, 7 * s]}},
    {id: 'camera-far', type: 'symbol', ...from('cameras', 'cameras'), minzoom: 11.5, maxzoom: 13.5, filter: ['!', ['has', 'n']], layout: {'icon-image': 'camera-dot', 'icon-size': zoomed(11.5, 0.6 * s, 13.5, 0.95 * s), 'icon-allow-overlap': true, 'icon-ignore-placement': true}, paint: {'icon-opacity': 0.8}},
    {id: 'camera-near', type: 'symbol', ...from('cameras', 'cameras'), minzoom: 13.5, filter: ['!', ['has', 'n']], layout: {'icon-image': 'camera-wedge', 'icon-size': zoomed(13.5, 1.05 * s, 17, 1.9 * s), 'icon-rotate': ['coalesce', ['get', 'direction_deg'], 0], 'icon-rotation-alignment': 'map', 'icon-allow-overlap': true, 'icon-ignore-placement': true}},
    {
      id: 'device-density', type: 'circle', ...from('devices', 'devices'), filter: ['has', 'n'],
      paint: {'circle-color': c('--map-device'), 'circle-opacity': 0.3, 'circle-radius': ['interpolate', ['linear'], ['sqrt', ['get', 'n']], 1, 1.4 * s, 12, 7 * s]},
    },
    {
      id: 'device-dot', type: 'circle', ...from('devices', 'devices'), minzoom: 9, filter: ['!', ['has', 'n']],
      paint: {
        'circle-color': c('--map-device'),
        ...byStatus['device-dot'],
      },
    },
    {
      id: 'device-warning', type: 'symbol', ...from('devices', 'devices'), minzoom: NEAR, filter: ['!', ['has', 'n']],
      layout: {'icon-image': 'warning-mark', 'icon-size': zoomed(NEAR, 0.95 * s, 16, 1.3 * s), 'icon-allow-overlap': true, 'icon-ignore-placement': true},
      paint: byStatus['device-warning'],
    },
    {id: 'road-label', type: 'symbol', ...from('base', 'roads'), minzoom: 12.6, filter: ['!=', ['get', 'name'], ''], layout: text({'symbol-placement': 'line', 'text-size': 11 * s, 'text-letter-spacing': 0.08, 'symbol-spacing': 420}), paint: halo({'text-color': c('--text-3')})},
    {id: 'village-label', type: 'symbol', ...from('base', 'places'), minzoom: 12.4, filter: isLevel('village'), layout: text({'text-size': 11.5 * s, 'text-max-width': 8, 'text-padding': 6}), paint: halo({'text-color': c('--text-3')})},
    {id: 'town-label', type: 'symbol', ...from('base', 'places'), minzoom: 9.2, filter: isLevel('town'), layout: text({'text-size': zoomed(9, 10.5 * s, 13, 14 * s), 'text-max-width': 8, 'text-padding': 4}), paint: halo({'text-color': c('--text-2')})},
    {id: 'district-label', type: 'symbol', ...from('base', 'places'), maxzoom: 13, filter: isLevel('district'), layout: bold({'text-size': zoomed(7, 11 * s, 11, 17 * s), 'text-letter-spacing': lang === 'en' ? 0.06 : 0.35, 'text-max-width': 12, 'text-padding': 2}), paint: halo({'text-color': c('--text'), 'text-halo-width': 1.8 * s})},
    {id: 'drawn-fill', type: 'fill', source: 'drawn', filter: ['==', ['geometry-type'], 'Polygon'], paint: {'fill-color': c('--accent'), 'fill-opacity': 0.1}},
    {id: 'drawn-line', type: 'line', source: 'drawn', layout: {'line-join': 'round', 'line-cap': 'round'}, paint: {'line-color': c('--accent'), 'line-width': 2 * s}},
    {id: 'drawn-point', type: 'circle', source: 'drawn', filter: ['==', ['geometry-type'], 'Point'], paint: {'circle-radius': 4 * s, 'circle-color': c('--map-land'), 'circle-stroke-color': c('--accent'), 'circle-stroke-width': 2 * s}},
    {id: 'drawn-label', type: 'symbol', source: 'drawn', filter: ['has', 'label'], layout: {'text-font': fonts.bold, 'text-field': ['get', 'label'], 'text-size': 13 * s, 'text-offset': [0, -1.1], 'text-allow-overlap': true}, paint: halo({'text-color': c('--text')})},
    {id: 'selected-ring', type: 'circle', source: 'selected', paint: {'circle-radius': 21 * s, 'circle-color': c('--accent'), 'circle-opacity': 0.12, 'circle-stroke-color': c('--accent'), 'circle-stroke-width': 2 * s}},
    {
      id: 'worker-far', type: 'circle', source: 'workers', minzoom: 9.5, maxzoom: 13,
      paint: {
        'circle-radius': zoomed(9.5, 1.1 * s, 13, 3.2 * s), 'circle-color': c('--map-land'), 'circle-stroke-color': c('--map-worker'), 'circle-stroke-width': zoomed(9.5, 0.8 * s, 13, 1.6 * s),
        'circle-stroke-opacity': ['case', ['get', 'stale'], 0.35, 0.9], 'circle-opacity': 0.9,
      },
    },
    {
      id: 'worker-point', type: 'symbol', source: 'workers', minzoom: 13,
      layout: {
        'icon-image': 'worker-mark', 'icon-size': zoomed(13, 0.66 * s, 15, 1 * s), 'icon-anchor': 'bottom', 'icon-allow-overlap': true, 'icon-ignore-placement': true,
        'text-font': fonts.regular, 'text-field': ['step', ['zoom'], '', 15, ['get', 'name']], 'text-size': 11.5 * s, 'text-offset': [0, 0.3], 'text-anchor': 'top', 'text-optional': true,
      },
      paint: {'icon-opacity': ['case', ['get', 'stale'], 0.4, 1], ...halo({'text-color': c('--text-2')})},
    },
    {
      id: 'incident-cluster', type: 'circle', source: 'incidents', filter: ['has', 'point_count'],
      paint: {
        'circle-color': c('--panel'), 'circle-opacity': 0.94,
        'circle-radius': ['interpolate', ['linear'], ['sqrt', ['get', 'point_count']], 1.4, 13 * s, 7, 22 * s, 20, 30 * s],
        'circle-stroke-width': 2.5 * s,
        'circle-stroke-color': ['match', ['get', 'worst'], 1, c('--level-1'), 2, c('--level-2'), 3, c('--level-3'), c('--level-4')],
      },
    },
    {
      id: 'incident-cluster-worst', type: 'symbol', source: 'incidents', filter: ['has', 'point_count'],
      layout: {
        'text-font': fonts.bold, 'text-field': ['get', 'point_count_abbreviated'], 'text-size': ['interpolate', ['linear'], ['sqrt', ['get', 'point_count']], 1.4, 13 * s, 10, 19 * s],
        'text-allow-overlap': true, 'text-ignore-placement': true,
        'icon-image': ['concat', 'incident-', ['to-string', ['get', 'worst']], '-small'], 'icon-size': s,
        'icon-offset': ['interpolate', ['linear'], ['sqrt', ['get', 'point_count']], 1.4, ['literal', [12, -12]], 7, ['literal', [18, -17]], 20, ['literal', [24, -23]]],
        'icon-allow-overlap': true, 'icon-ignore-placement': true,
      },
      paint: {'text-color': c('--text')},
    },
    {
      id: 'incident-point', type: 'symbol', source: 'incidents', filter: ['!', ['has', 'point_count']],
      layout: {
        'icon-image': ['concat', 'incident-', ['to-string', ['get', 'level']]], 'icon-size': zoomed(9, 0.72 * s, 13, 0.95 * s, 16, 1.15 * s),
        'icon-allow-overlap': true, 'icon-ignore-placement': true, 'symbol-sort-key': ['-', 10, ['get', 'level']],
        'text-font': fonts.regular, 'text-field': ['step', ['zoom'], '', 13.2, ['get', 'class_name']], 'text-size': 12 * s, 'text-offset': [0, 1.25], 'text-anchor': 'top', 'text-optional': true,
      },
      paint: {'text-color': c('--text'), 'text-halo-color': c('--map-label-halo'), 'text-halo-width': 1.6 * s},
    },
    {
      id: 'change-point', type: 'circle', source: 'changes',
      paint: {
        'circle-radius': ['interpolate', ['linear'], ['sqrt', ['abs', ['get', 'change']]], 1, 11 * s, 8, 26 * s], 'circle-stroke-color': c('--text'), 'circle-stroke-width': 1.5 * s,
        'circle-color': ['case', ['>', ['get', 'change'], 0], c('--text'), c('--panel')], 'circle-opacity': 0.92,
      },
    },
    {
      id: 'change-number', type: 'symbol', source: 'changes',
      layout: {'text-font': fonts.bold, 'text-field': ['get', 'label'], 'text-size': 12.5 * s, 'text-allow-overlap': true, 'text-ignore-placement': true},
      paint: {'text-color': ['case', ['>', ['get', 'change'], 0], c('--panel'), c('--text')]},
    },
  ];
  for (const layer of layers) {
    const group = Object.keys(GROUPS).find((g) => GROUPS[g].includes(layer.id));
    if (group && !SHOWN.has(group)) layer.layout = {...layer.layout, visibility: 'none'};
  }
  return {version: 8, name: 'chengyun', sources, layers, transition: {duration: 0, delay: 0}};
}

const OPACITIES = {
  fill: ['fill-opacity'], line: ['line-opacity'], circle: ['circle-opacity', 'circle-stroke-opacity'], symbol: ['icon-opacity', 'text-opacity'],
  heatmap: ['heatmap-opacity'], 'fill-extrusion': ['fill-extrusion-opacity'],
};

/** The opacities of one style layer made `k` times as strong: paint property → value. Zoom must stay outermost. */
export function fadedPaint(layer, k) {
  const times = (value) => {
    if (typeof value === 'number') return value * k;
    if (Array.isArray(value) && value[0] === 'interpolate' && value[2]?.[0] === 'zoom') {
      return value.map((part, i) => (i >= 4 && i % 2 === 0 ? times(part) : part));
    }
    return ['*', k, value];
  };
  return Object.fromEntries(OPACITIES[layer.type].map((name) => [name, times(layer.paint?.[name] ?? 1)]));
}
