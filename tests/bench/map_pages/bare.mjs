// A page with nothing but MapLibre and the same tiles: what the library itself costs on this machine.

import {firstPicture, probe} from '/bench/probe.mjs';
import * as ml from '/assets/vendor/maplibre-gl/maplibre-gl.mjs';

const tiles = (layers, maxzoom) => ({type: 'vector', tiles: [`${location.origin}/tiles/${layers}/{z}/{x}/{y}.mvt`], maxzoom});
const [west, south, east, north] = [113.65, 21.66, 114.15, 22.14];
const map = new ml.Map({
  container: 'map', bounds: [[west, south], [east, north]], fadeDuration: 0, attributionControl: false, renderWorldCopies: false,
  style: {
    version: 8,
    sources: {
      base: tiles('land,water,roads,areas,places', 14),
      devices: {...tiles('devices', 14), minzoom: 6, promoteId: 'key'},
      cameras: {...tiles('cameras', 14), minzoom: 6, promoteId: 'key'},
      workers: {type: 'geojson', data: {type: 'FeatureCollection', features: []}, promoteId: 'key'},
    },
    layers: [
      {id: 'sea', type: 'background', paint: {'background-color': '#0b0c0e'}},
      {id: 'land', type: 'fill', source: 'base', 'source-layer': 'land', paint: {'fill-color': '#17191c'}},
      {id: 'water', type: 'fill', source: 'base', 'source-layer': 'water', paint: {'fill-color': '#0f1215'}},
      {id: 'roads', type: 'line', source: 'base', 'source-layer': 'roads', paint: {'line-color': '#3e444b'}},
      {id: 'camera-dot', type: 'circle', source: 'cameras', 'source-layer': 'cameras', filter: ['!', ['has', 'n']], paint: {'circle-radius': 2, 'circle-color': '#b4bbc2'}},
      {id: 'device-density', type: 'circle', source: 'devices', 'source-layer': 'devices', filter: ['has', 'n'], paint: {'circle-radius': ['interpolate', ['linear'], ['sqrt', ['get', 'n']], 1, 1.4, 12, 7], 'circle-color': '#8f98a1', 'circle-opacity': 0.3}},
      {
        id: 'device-dot', type: 'circle', source: 'devices', 'source-layer': 'devices', filter: ['!', ['has', 'n']],
        paint: {'circle-radius': 3, 'circle-color': ['match', ['coalesce', ['feature-state', 'status'], ''], 'warning', '#f5b700', 'silent', '#333333', '#8f98a1']},
      },
      {id: 'worker', type: 'circle', source: 'workers', paint: {'circle-radius': 4, 'circle-color': '#dfe3e6'}},
    ],
  },
});
window.bare = map;
window.bench = probe(map, {
  async states(ids, status) {
    const begun = performance.now();
    for (const id of ids) map.setFeatureState({source: 'devices', sourceLayer: 'devices', id}, {status});
    return performance.now() - begun;
  },
  async move(units) {
    map.getSource('workers').setData({
      type: 'FeatureCollection',
      features: units.map(([key, lon, lat]) => ({type: 'Feature', geometry: {type: 'Point', coordinates: [lon, lat]}, properties: {key}})),
    });
  },
});
window.firstPicture = firstPicture(() => map);
