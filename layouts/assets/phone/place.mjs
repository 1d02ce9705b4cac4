// The phone's small map: streets, names and one mark. Loaded only when a map is opened (450 KB, then cached): it shares
// the city's style and tiles with the desk's map, but none of its devices, cameras and clusters. Without signal it opens
// from the extract that was kept, and says of when it is.

import {showMarks, standing} from '../map/shared_marks.mjs';
import {mapStyle} from '../map/style.mjs';
import {live} from '../live.mjs';
import {lang, t} from '../text.mjs';
import {h} from './dom.mjs';
import {lastPosition} from './duty.mjs';
import {EXTRACT, extract} from './ground.mjs';
import {levelBadge, when} from './parts.mjs';

const MAPLIBRE = '../vendor/maplibre-gl/maplibre-gl.mjs';
const STYLES = '/assets/vendor/maplibre-gl/maplibre-gl.css';
const SHOWN_SOURCES = ['base', 'grids'];
const CITY = {lon: 113.9, lat: 21.9, zoom: 10};
const STREET_ZOOM = 14.5;
/** How long a tile may let the map wait before the kept one is drawn. */
const TILE_WAIT_MS = 2500;
const WORKER = '/assets/vendor/maplibre-gl/maplibre-gl-worker.mjs';
const SYSTEM_FONTS = ['system-ui', 'PingFang SC', 'HarmonyOS Sans SC', 'Noto Sans CJK SC', 'Microsoft YaHei'];

async function fonts() {
  if (!document.documentElement.classList.contains('no-han')) return {regular: SYSTEM_FONTS, bold: SYSTEM_FONTS};
  await document.fonts.load('16px "Chengyun Sans"', '城'); // labels are drawn once: the font must be there before
  return {regular: ['Chengyun Sans'], bold: ['Chengyun Sans']};
}

/** The vector sources of this map, as the city's style names them. */
export function tileSources() {
  const {sources} = mapStyle({colour: () => '#000', lang, scale: 1, origin: '', fonts: {regular: [], bold: []}});
  return Object.fromEntries(Object.entries(sources).filter(([name]) => SHOWN_SOURCES.includes(name)));
}

/** A file from the network, or the kept one when the network lets it wait. Sets `fromKept` when that was needed. */
async function fetchOrKept(url, signal, said) {
  const path = new URL(url, location.origin).pathname;
  const stored = async () => (await caches.open(EXTRACT)).match(path);
  try {
    const reply = await fetch(path, {signal: (await stored()) && AbortSignal.any ? AbortSignal.any([signal, AbortSignal.timeout(TILE_WAIT_MS)]) : signal});
    if (reply.ok) return reply;
    throw new Error(`HTTP ${reply.status}`);
  } catch (error) {
    const found = signal.aborted ? null : await stored();
    if (!found) throw error;
    said();
    return found;
  }
}

let prepared = null;

/** MapLibre, its tiles taken through `fetchOrKept`, and its worker from a file this page has: the worker is outside of the
 * service worker's reach and would be fetched anew. */
function library() {
  prepared ??= (async () => {
    const ml = await import(MAPLIBRE);
    ml.addProtocol('ground', async ({url}, {signal}) => {
      const reply = await fetchOrKept(url.replace(/^ground:\/\//, ''), signal, () => window.dispatchEvent(new Event('ground-kept')));
      return {data: reply.status === 204 ? new ArrayBuffer(0) : await reply.arrayBuffer()};
    });
    const worker = await fetchOrKept(WORKER, new AbortController().signal, () => {});
    ml.setWorkerUrl(URL.createObjectURL(new Blob([await worker.text()], {type: 'text/javascript'})));
    return ml;
  })();
  prepared.catch(() => { prepared = null; });
  return prepared;
}

async function openMap(host, {lon, lat}, zoom, page) {
  if (!document.querySelector(`link[href="${STYLES}"]`)) document.head.prepend(h('link', {rel: 'stylesheet', href: STYLES}));
  const [ml, drawn] = await Promise.all([library(), fonts()]);
  const theme = getComputedStyle(document.body);
  const style = mapStyle({colour: (name) => theme.getPropertyValue(name).trim(), lang, scale: 1.1, origin: location.origin, fonts: drawn});
  style.sources = Object.fromEntries(Object.entries(style.sources).filter(([name]) => SHOWN_SOURCES.includes(name)));
  for (const source of Object.values(style.sources)) source.tiles = source.tiles.map((tile) => tile.replace(location.origin, 'ground://'));
  style.layers = style.layers.filter((layer) => layer.type === 'background' || SHOWN_SOURCES.includes(layer.source));
  host.classList.add('cy-map', 'is-light');
  const frame = h('div', {class: 'ph-map-frame'});
  host.append(frame);
  const age = h('p', {class: 'ph-map-age', role: 'status', hidden: true});
  host.append(age);
  const sayAge = async () => {
    const record = await extract();
    if (!record) return;
    age.textContent = t('phone.map.kept', {time: when(record.at)});
    age.hidden = false;
  };
  page.listen(window, 'ground-kept', sayAge);
  if (!navigator.onLine || live.status === 'lost') sayAge(); // a tile may also come from what the browser itself has kept
  const map = new ml.Map({
    container: frame, style, center: [lon, lat], zoom, minZoom: 7, maxZoom: 18, maxPitch: 0, dragRotate: false, pitchWithRotate: false,
    renderWorldCopies: false, attributionControl: false, localIdeographFontFamily: false, fadeDuration: 0,
    locale: {'NavigationControl.ZoomIn': t('map.zoom_in'), 'NavigationControl.ZoomOut': t('map.zoom_out'), 'Map.Title': t('map.title')},
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new ml.NavigationControl({showCompass: false}), 'bottom-right');
  map.on('error', () => {}); // tiles that do not come without signal leave the ground empty; the mark still shows where
  page.onClose(() => map.remove());
  const me = lastPosition();
  if (me) new ml.Marker({element: h('div', {class: 'ph-me-mark', role: 'img', 'aria-label': t('phone.report.here')})}).setLngLat([me.lon, me.lat]).addTo(map);
  return {map, ml, me, marks: showMarks({map}, {scale: 1.1})};
}

/** A map of where the task is, and where the worker is when that is known. */
export async function showPoint(host, task, page) {
  const {map, ml, me} = await openMap(host, task, STREET_ZOOM, page);
  const mark = h('div', {class: 'ph-task-mark', role: 'img', 'aria-label': t('word.place')}, levelBadge(task.level));
  new ml.Marker({element: mark}).setLngLat([task.lon, task.lat]).addTo(map);
  if (me) {
    const bounds = new ml.LngLatBounds([me.lon, me.lat], [me.lon, me.lat]).extend([task.lon, task.lat]);
    map.fitBounds(bounds, {padding: 64, maxZoom: STREET_ZOOM + 1, duration: 0});
  }
}

/** A map under a fixed cross with everybody's marks: {centre() → [lon, lat], draft(shape, points), standing()}. */
export async function openMarks(host, start, page) {
  const {map, marks} = await openMap(host, start ?? CITY, start ? STREET_ZOOM : CITY.zoom, page);
  host.append(h('div', {class: 'ph-cross', 'aria-hidden': 'true'}));
  return {centre: () => map.getCenter().toArray().map((x) => Math.round(x * 1e6) / 1e6), draft: marks.draft, standing};
}

/** A map under a fixed cross; answers a function that tells the point under the cross. */
export async function pickPoint(host, start, page) {
  const {map} = await openMap(host, start ?? CITY, start ? STREET_ZOOM + 1 : CITY.zoom, page);
  host.append(h('div', {class: 'ph-cross', 'aria-hidden': 'true'}), h('div', {class: 'ph-pick-where', role: 'status'}, t('phone.map.centre')));
  return () => {
    const {lng, lat} = map.getCenter();
    return {lon: Math.round(lng * 1e6) / 1e6, lat: Math.round(lat * 1e6) / 1e6};
  };
}
