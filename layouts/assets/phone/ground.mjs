// The own ground, kept for the time without signal: the cells of the own area (which one is this position in?), and an
// extract of the map. Cells come by themselves, they are small; the map comes when its button is pressed.

import {named} from './parts.mjs';
import {Refused, SessionOver, ask} from './api.mjs';
import {kept} from './db.mjs';
import {facts} from './facts.mjs';
import {PREFIX, keep, remembered} from './my_tasks.mjs';

export const EXTRACT = `chengyun-ground-${facts.login}`;
const RECORD = 'map';
const ZOOMS = {from: 9, to: 15};
const MOST_TILES = 900;
const AT_ONCE = 4;
const PAD = 0.004; // degrees: the street across the boundary
/** What the map needs besides its tiles; the shell does not hold it, because most days nobody opens a map. */
export const MAP_FILES = ['/assets/vendor/maplibre-gl/maplibre-gl.mjs', '/assets/vendor/maplibre-gl/maplibre-gl-worker.mjs',
  '/assets/vendor/maplibre-gl/maplibre-gl.css', '/assets/map/style.mjs', '/assets/map/shared_marks.mjs', '/assets/phone/place.mjs'];

let asked = null;

/** The own cells: {version, bbox, names, rows: [{code, area, rings}]}; rejects while there were never any. */
export function ownCells() {
  asked ??= remembered('cells', () => ask('own_cells')).then(({value, fresh}) => {
    if (!fresh) asked = null;
    return value;
  }, (error) => {
    asked = null;
    throw error;
  });
  return asked;
}

const inside = (ring, x, y) => {
  let odd = false;
  for (let n = 0, m = ring.length - 1; n < ring.length; m = n, n += 1) {
    const [ax, ay] = ring[n];
    const [bx, by] = ring[m];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
};

/** The kept cell of a point: {code, areas: [{level, name, name_en}]}, or null. */
export async function cellAt(lon, lat) {
  const {rows, names} = await ownCells().catch(() => ({rows: [], names: {}}));
  const cell = rows.find((one) => one.rings.some((ring) => inside(ring, lon, lat)));
  if (!cell) return null;
  const above = Object.keys(names).filter((path) => cell.area.startsWith(path)).sort((a, b) => a.length - b.length);
  return {code: cell.code, areas: above.map((path) => names[path])};
}

/** Town and village, and the cell: "城北街道 东湖社区". */
export const areaWords = (areas) => areas.filter((a) => ['town', 'village'].includes(a.level)).map((a) => named(a)).join(' ');

const column = (lon, z) => Math.floor(((lon + 180) / 360) * 2 ** z);
const row = (lat, z) => {
  const phi = (lat * Math.PI) / 180;
  return Math.floor(((1 - Math.asinh(Math.tan(phi)) / Math.PI) / 2) * 2 ** z);
};

/** URLs of every tile of `sources` over a box, farthest out first. */
export function tilesOf(sources, [west, south, east, north]) {
  const urls = [];
  for (let z = ZOOMS.from; z <= ZOOMS.to; z += 1) {
    for (const {tiles: [template], minzoom = 0, maxzoom = 22} of Object.values(sources)) {
      if (z < minzoom || z > maxzoom) continue;
      for (let x = column(west - PAD, z); x <= column(east + PAD, z); x += 1) {
        for (let y = row(north + PAD, z); y <= row(south - PAD, z); y += 1) {
          urls.push(template.replace('{z}', z).replace('{x}', x).replace('{y}', y));
        }
      }
    }
  }
  return urls.slice(0, MOST_TILES);
}

/** What is kept of the map: {at, bytes, tiles, version}, or null. */
export const extract = () => kept.get(PREFIX + RECORD).then((found) => found ?? null);

/** Fetch the map of the own ground anew; the old one stays until the new one is whole. `onProgress` gets 0…1. */
export async function fetchExtract(onProgress = () => {}) {
  const [{tileSources}, cells] = await Promise.all([import('./place.mjs'), ownCells()]);
  if (!cells.bbox) throw new Error('no ground of its own');
  const urls = [...MAP_FILES, ...tilesOf(tileSources(), cells.bbox)];
  const found = new Map();
  let bytes = 0;
  const left = [...urls.keys()];
  const worker = async () => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) {
      const reply = await again(() => fetch(urls[n], {credentials: 'same-origin', signal: AbortSignal.timeout(30_000)}));
      bytes += (await reply.clone().arrayBuffer()).byteLength;
      found.set(urls[n], reply);
      onProgress(found.size / urls.length);
    }
  };
  await Promise.all(Array.from({length: AT_ONCE}, worker));
  await caches.delete(EXTRACT);
  const cache = await caches.open(EXTRACT);
  for (const [url, reply] of found) await cache.put(url, reply);
  const record = {at: Date.now(), bytes, tiles: urls.length - MAP_FILES.length, version: cells.version};
  await keep(RECORD, record);
  return record;
}

const TRIES = 5;

/** A weak link loses some of hundreds of tiles: each is asked for again before the whole is given up. */
async function again(question) {
  for (let n = 1; ; n += 1) {
    try {
      const reply = await question();
      if (reply.status === 401) throw new SessionOver();
      if (reply.status >= 400 && reply.status < 500) throw new Refused(reply.status);
      if (reply.ok) return reply;
      throw new Error(`HTTP ${reply.status}`);
    } catch (error) {
      if (n === TRIES || error instanceof Refused || error instanceof SessionOver) throw error;
      await new Promise((done) => setTimeout(done, 400 * n));
    }
  }
}

/** Nothing of the account's ground stays on a phone that goes to someone else. */
export const forgetGround = () => (globalThis.caches ? caches.delete(EXTRACT) : Promise.resolve());
