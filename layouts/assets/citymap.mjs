// The city map. One call makes it, the live client moves it:
//
//   import {createMap} from './citymap.mjs';
//   const map = await createMap(container, {bounds: [113.65, 21.66, 114.15, 22.14], interactive: true});
//
// options  bounds         [w, s, e, n] where it opens and where home() returns (default: the sample city)
//          center, zoom   instead of bounds (a centre alone shows 26 km around it)    padding  pixels kept free of panels {top, right, bottom, left}
//          lang           'zh' | 'en' (default the page's)
//          interactive    false on the wall: shows, never commands    scale  symbols and words × (wall 1.35)
//          remember       key under which view and layers survive a reload (default the page's path; '' = not)
//          counts         false: do not ask the server for layer counts
// events on the container (bubbling CustomEvents)
//          pick    {kind, key, lngLat, properties}   a thing was clicked; kind 'place' when nothing was under it
//          moved   {bounds: [w, s, e, n], zoom}      the view came to rest
//          layers  {layers}                          a switch or a count changed
//          fault   {message}                         the map cannot be shown
// methods  layers() → [{id, label, visible, count}] · setLayerVisible(id, bool) · focus(kind, key, {lon, lat}?)
//          select(kind, key, {lon, lat}?) / select(null) · setIncidentFilter(item → bool | null) · pickPoint() → {lon, lat}|null
//          hide(kind, groups) · fade(id, 0…1) · tilt(bool) · base({id, tiles, maxzoom} | null) · capture({click, move, done}) → stop()
//          drawn(features) · changes(features) · settings(name, value?)   what tools of the map remember with it
//          home() · view() · setView({center, zoom}) · destroy() · ready (promise: first drawing complete) · map (MapLibre)

import {live} from './live.mjs';
import {card} from './map/card.mjs';
import {marks} from './map/marks.mjs';
import {GROUPS, PICKABLE, SEEN_FROM, SHOWN, TILE_SOURCES, deviceStatusPaint, fadedPaint, mapStyle} from './map/style.mjs';
import {lang as pageLang, t} from './text.mjs';

const MAPLIBRE = './vendor/maplibre-gl/maplibre-gl.mjs';
const MAPLIBRE_CSS = 'vendor/maplibre-gl/maplibre-gl.css';
const CITY_BOUNDS = [113.65, 21.66, 114.15, 22.14];
const CITY_REACH = [0.25, 0.24]; // degrees around a centre given without a zoom: about 26 km
const FINAL = new Set(['closed', 'refused', 'void']);
const REDRAW_MS = 250; // moving things are redrawn at most this often
const STALE_WORKER_MS = 5 * 60_000; // a position older than this fades
const MANY_DEVICES = 2000; // from so many on, the status that most have is said once instead of for each
const COUNTS_URL = '/api/v1/queries/layer_counts';

// Asked for while the page is still being built: it is the heaviest part and nobody needs to wait for its turn.
const library = import(MAPLIBRE);
library.catch(() => {}); // createMap says it

function loadCss() {
  const href = new URL(MAPLIBRE_CSS, import.meta.url).pathname;
  if (document.querySelector(`link[href="${href}"]`)) return;
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = href;
  document.head.prepend(link); // before tokens.css, which restyles its controls
}

/** Labels are drawn into a canvas once: the font must be there before the first one. */
async function loadFonts() {
  const wanted = ['16px "Chengyun Map"', '700 16px "Chengyun Map Bold"'];
  await Promise.allSettled(wanted.flatMap((font) => [document.fonts.load(font, '城Ⅰ'), document.fonts.load(font, 'Aa1')]));
}

const remembered = (key) => {
  try { return JSON.parse(sessionStorage.getItem(key) ?? 'null'); } catch { return null; }
};

class CityMap {
  #container;
  #options;
  #map;
  #ml;
  #colour; // name of a token → its value
  #visible = new Set(SHOWN);
  #counts = {};
  #deviceStatus = new Map();
  #usual = ''; // the status of every device of which nothing else is said
  #townOpen = new Map();
  #cellOpen = new Map();
  #filter = null;
  #hidden = {}; // devices | cameras | components → groups whose things are left out
  #faded = {}; // group of layers → 0…1, where it is not 1
  #kept = {}; // what the map's tools remember with it
  #tilted = false;
  #capturing = null;
  #style;
  #original; // id of a style layer → its paint as made
  #selected = null; // {kind, key, lngLat}
  #dirty = new Set();
  #timer = null;
  #drawnAt = 0;
  #picking = null;
  #popup;
  #hovered = null; // {id, kind, key, properties, lngLat}
  #metrics = new Map(); // device type → promise of metric id → {name, name_en, unit}
  #hint = null;
  #stop = new AbortController();
  #ageing = null;

  constructor(container, options, ml) {
    this.#container = container;
    this.#options = options;
    this.#ml = ml;
    const theme = getComputedStyle(container);
    const colour = (name) => theme.getPropertyValue(name).trim();
    this.#colour = colour;
    const saved = options.remember ? remembered(`map:${options.remember}`) : null;
    if (saved?.visible) this.#visible = new Set(saved.visible);
    this.#hidden = saved?.hidden ?? {};
    this.#faded = saved?.faded ?? {};
    this.#kept = saved?.kept ?? {};
    const light = theme.colorScheme.includes('light');
    container.classList.add('cy-map');
    container.classList.toggle('is-light', light);
    const system = light ? ['system-ui', 'PingFang SC', 'HarmonyOS Sans SC', 'Microsoft YaHei'] : [];
    const host = document.createElement('div');
    host.style.cssText = 'position:absolute;inset:0';
    container.append(host);
    this.#style = mapStyle({
      colour, lang: options.lang, scale: options.scale, origin: location.origin,
      fonts: {regular: [...system, 'Chengyun Map'], bold: [...system, 'Chengyun Map Bold']},
    });
    this.#original = new Map(this.#style.layers.map((layer) => [layer.id, layer.paint]));
    for (const [kind, groups] of Object.entries(this.#hidden)) this.#style.sources[kind].tiles = [this.#tilesOf(kind, groups)];
    for (const [id, k] of Object.entries(this.#faded)) for (const layer of this.#layersOf(id)) layer.paint = {...layer.paint, ...fadedPaint(layer, k)};
    this.#map = new ml.Map({
      container: host,
      style: this.#style,
      ...(saved?.center ? {center: saved.center, zoom: saved.zoom} : this.#opening()),
      minZoom: 7,
      maxZoom: 18,
      maxPitch: 60,
      renderWorldCopies: false,
      attributionControl: false,
      localIdeographFontFamily: false,
      fadeDuration: 0,
      dragRotate: false,
      pitchWithRotate: false,
      interactive: options.interactive,
      locale: {
        'NavigationControl.ZoomIn': t('map.zoom_in'), 'NavigationControl.ZoomOut': t('map.zoom_out'), 'Map.Title': t('map.title'),
      },
    });
    this.#map.touchZoomRotate?.disableRotation();
    this.#map.touchPitch?.disable();
    this.#map.keyboard?.disableRotation();
    const {images, pixelRatio} = marks(colour);
    this.#map.on('style.load', () => {
      for (const [name, image] of Object.entries(images)) {
        if (!this.#map.hasImage(name)) this.#map.addImage(name, image, {pixelRatio});
      }
    });
    // A tile that fails while the server is away is fetched again when the link is back; nothing to shout about.
    this.#map.on('error', ({error}) => { if (!error?.status && !/fetch|abort|network/i.test(String(error?.message))) console.warn('map:', error?.message ?? error); });
    if (options.interactive) this.#controls();
    this.ready = new Promise((done) => this.#map.once('load', () => { this.#begin(); this.#map.once('idle', () => done(this)); }));
  }

  get map() { return this.#map; }

  #opening() {
    const {center, zoom, bounds, padding} = this.#options;
    if (center && Number.isFinite(zoom)) return {center, zoom};
    const [west, south, east, north] = center
      ? [center[0] - CITY_REACH[0], center[1] - CITY_REACH[1], center[0] + CITY_REACH[0], center[1] + CITY_REACH[1]]
      : bounds;
    return {bounds: [[west, south], [east, north]], fitBoundsOptions: {padding: padding ?? 16}};
  }

  // ---------------------------------------------------------------- set-up

  #controls() {
    this.#map.addControl(new this.#ml.NavigationControl({showCompass: false}), 'bottom-right');
    this.#map.addControl(new this.#ml.ScaleControl({maxWidth: 110, unit: 'metric'}), 'bottom-left');
    this.#popup = new this.#ml.Popup({closeButton: false, closeOnClick: false, offset: 16, className: 'cy-map__popup'});
    const map = this.#map;
    map.on('mousemove', (event) => this.#hover(event));
    map.on('mouseout', () => this.#unhover());
    map.on('movestart', () => this.#unhover());
    map.on('click', (event) => this.#click(event));
  }

  #begin() {
    for (const id of Object.keys(GROUPS)) if (this.#visible.has(id) !== SHOWN.has(id)) this.#show(id, this.#visible.has(id));
    const {signal} = this.#stop;
    live.addEventListener('applied', ({detail}) => this.#applied(detail), {signal});
    let lost = false;
    live.addEventListener('status', ({detail}) => {
      if (detail.status === 'live' && lost) for (const id of TILE_SOURCES) this.#map.refreshTiles(id);
      lost = detail.status !== 'live' && (lost || detail.status === 'lost');
    }, {signal});
    if (live.ready) this.#all();
    this.#ageing = setInterval(() => this.#redraw('workers'), 30_000);
    this.#map.on('moveend', () => {
      const b = this.#map.getBounds();
      this.#save();
      this.#emit('moved', {bounds: [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()], zoom: this.#map.getZoom()});
    });
    if (this.#options.counts !== false) this.refreshCounts();
  }

  #emit(name, detail) {
    this.#container.dispatchEvent(new CustomEvent(name, {detail, bubbles: true}));
  }

  #save() {
    if (!this.#options.remember) return;
    const c = this.#map.getCenter();
    try {
      sessionStorage.setItem(`map:${this.#options.remember}`, JSON.stringify({
        center: [c.lng, c.lat], zoom: this.#map.getZoom(), visible: [...this.#visible],
        hidden: this.#hidden, faded: this.#faded, kept: this.#kept,
      }));
    } catch { /* storage full or forbidden: the view is then not remembered */ }
  }

  // ---------------------------------------------------------------- live items → map

  #all() {
    const devices = live.items('device');
    const counts = {};
    for (const item of devices.values()) counts[item.status] = (counts[item.status] ?? 0) + 1;
    const [most = '', n = 0] = Object.entries(counts).sort((a, b) => b[1] - a[1])[0] ?? [];
    this.#usually(devices.size >= MANY_DEVICES && n > devices.size / 2 ? most : '');
    for (const [key, item] of devices) this.#device(key, item);
    this.#redraw('incidents');
    this.#redraw('workers');
  }

  #usually(status) {
    if (status === this.#usual) return;
    this.#usual = status;
    for (const [layer, paint] of Object.entries(deviceStatusPaint(this.#options.scale, this.#colour, status))) {
      for (const [name, value] of Object.entries(paint)) this.#map.setPaintProperty(layer, name, value);
    }
    if ('devices' in this.#faded) this.fade('devices', this.#faded.devices);
    const before = this.#deviceStatus;
    this.#deviceStatus = new Map();
    this.#map.removeFeatureState({source: 'devices', sourceLayer: 'devices'});
    for (const key of before.keys()) this.#device(key, live.get('device', key));
  }

  #applied({changed, replaced}) {
    if (replaced) {
      for (const key of [...this.#deviceStatus.keys()]) if (!live.get('device', key)) this.#device(key, undefined);
      this.#all();
      return;
    }
    for (const [kind, key] of changed) {
      if (this.#hovered?.kind === kind && this.#hovered.key === key) this.#showCard(); // a card that is open stays true
      if (kind === 'device') this.#device(key, live.get('device', key));
      else if (kind === 'incident') this.#dirty.add('incidents');
      else if (kind === 'worker') this.#dirty.add('workers');
    }
    if (this.#dirty.size) this.#schedule();
  }

  // A fixed thing never touches its source: its state is set on the feature, whatever tile it is in. What most of many
  // devices are is said once, in the style: a hundred thousand states would be set at the start, and again in every tile.
  #device(key, item) {
    const status = item?.status ?? (this.#usual && 'unknown');
    const known = this.#deviceStatus.get(key) ?? this.#usual;
    if (known === status) return;
    const target = {source: 'devices', sourceLayer: 'devices', id: key};
    if (status === this.#usual) {
      this.#deviceStatus.delete(key);
      this.#map.removeFeatureState(target, 'status');
    } else {
      this.#deviceStatus.set(key, status);
      this.#map.setFeatureState(target, {status});
    }
  }

  #redraw(what) {
    this.#dirty.add(what);
    this.#schedule();
  }

  #schedule() {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#drawnAt + REDRAW_MS - performance.now());
    const run = () => {
      this.#timer = null;
      this.#drawnAt = performance.now();
      if (this.#dirty.has('incidents')) this.#incidents();
      if (this.#dirty.has('workers')) this.#workers();
      this.#dirty.clear();
      this.#follow();
    };
    if (wait > 0) this.#timer = setTimeout(run, wait);
    else run();
  }

  #incidents() {
    const features = [];
    const open = new Map();
    const cells = new Map();
    for (const [key, item] of live.items('incident')) {
      const final = FINAL.has(item.stage);
      const town = item.area?.split('/')[2];
      if (town && !final) open.set(town, (open.get(town) ?? 0) + 1);
      const cell = item.area?.split('/')[5];
      if (cell && !final) cells.set(cell, (cells.get(cell) ?? 0) + 1);
      if (!Number.isFinite(item.lon) || !Number.isFinite(item.lat)) continue;
      if (this.#filter ? !this.#filter(item) : final) continue;
      features.push({
        type: 'Feature',
        geometry: {type: 'Point', coordinates: [item.lon, item.lat]},
        properties: {key, level: item.level, class_name: item.class_name ?? ''},
      });
    }
    this.#map.getSource('incidents')?.setData({type: 'FeatureCollection', features});
    if (this.#visible.has('heat')) this.#map.getSource('heat')?.setData({type: 'FeatureCollection', features});
    this.#cells(cells);
    for (const town of new Set([...open.keys(), ...this.#townOpen.keys()])) {
      const n = open.get(town) ?? 0;
      if (n !== (this.#townOpen.get(town) ?? 0)) this.#map.setFeatureState({source: 'base', sourceLayer: 'areas', id: town}, {open: n});
    }
    this.#townOpen = open;
    this.#count('incidents', features.length);
  }

  #cells(open) {
    if (!this.#visible.has('celldensity')) return;
    for (const cell of new Set([...open.keys(), ...this.#cellOpen.keys()])) {
      const n = open.get(cell) ?? 0;
      if (n !== (this.#cellOpen.get(cell) ?? 0)) this.#map.setFeatureState({source: 'grids', sourceLayer: 'cells', id: cell}, {open: n * 4});
    }
    this.#cellOpen = open;
  }

  #workers() {
    const now = live.now();
    const features = [];
    for (const [key, item] of live.items('worker')) {
      if (!Number.isFinite(item.lon) || !Number.isFinite(item.lat)) continue;
      features.push({
        type: 'Feature',
        geometry: {type: 'Point', coordinates: [item.lon, item.lat]},
        properties: {key, name: item.name ?? key, stale: !(now - item.t < STALE_WORKER_MS)},
      });
    }
    this.#map.getSource('workers')?.setData({type: 'FeatureCollection', features});
    this.#count('workers', features.length);
  }

  // ---------------------------------------------------------------- layers

  #count(id, n) {
    if (this.#counts[id] === n) return;
    this.#counts[id] = n;
    this.#emit('layers', {layers: this.layers()});
  }

  /** Ask the server how many things each layer holds for this account. */
  async refreshCounts() {
    try {
      const reply = await fetch(COUNTS_URL, {credentials: 'same-origin', headers: {Accept: 'application/json'}});
      if (!reply.ok) return;
      const body = await reply.json();
      for (const [id, n] of Object.entries(body.counts ?? body)) {
        if (id in GROUPS && id !== 'incidents' && id !== 'workers' && Number.isFinite(n)) this.#counts[id] = n;
      }
      this.#emit('layers', {layers: this.layers()});
    } catch { /* counts are a courtesy: without them the switches still work */ }
  }

  layers() {
    return Object.keys(GROUPS).map((id) => ({
      id, label: t(`map.layer.${id}`), visible: this.#visible.has(id), count: this.#counts[id] ?? null,
      strength: this.#faded[id] ?? 1, from: SEEN_FROM[id] ?? 0, inView: this.#map.getZoom() >= (SEEN_FROM[id] ?? 0),
    }));
  }

  setLayerVisible(id, visible) {
    if (!(id in GROUPS)) throw new Error(`layer '${id}': must be one of ${Object.keys(GROUPS).join(', ')}`);
    if (visible) this.#visible.add(id);
    else this.#visible.delete(id);
    this.#show(id, visible);
    this.#save();
    this.#emit('layers', {layers: this.layers()});
  }

  #show(id, visible) {
    for (const layer of GROUPS[id]) {
      const shown = visible && (layer !== 'building-block' || this.#tilted) && (layer !== 'building-flat' || !this.#tilted);
      this.#map.setLayoutProperty(layer, 'visibility', shown ? 'visible' : 'none');
    }
    if (visible && (id === 'heat' || id === 'celldensity')) this.#redraw('incidents');
  }

  #layersOf(id) {
    return this.#style.layers.filter((layer) => GROUPS[id].includes(layer.id));
  }

  #tilesOf(kind, groups) {
    const hide = groups.length ? `?hide=${groups.map(encodeURIComponent).join(',')}` : '';
    return `${location.origin}/tiles/${kind}/{z}/{x}/{y}.mvt${hide}`;
  }

  /** Leave these groups (types of device, subclasses of component, sectors of camera) out of a layer. */
  hide(kind, groups) {
    if (String(this.#hidden[kind] ?? []) === String(groups)) return;
    this.#hidden[kind] = [...groups];
    if (!groups.length) delete this.#hidden[kind];
    this.#map.getSource(kind).setTiles([this.#tilesOf(kind, groups)]);
    this.#save();
  }

  hidden(kind) { return this.#hidden[kind] ?? []; }

  /** How strong a layer is drawn, 0 to 1. */
  fade(id, k) {
    this.#faded[id] = k;
    if (k === 1) delete this.#faded[id];
    const byStatus = deviceStatusPaint(this.#options.scale, this.#colour, this.#usual);
    for (const layer of this.#layersOf(id)) {
      const base = {...layer, paint: {...this.#original.get(layer.id), ...byStatus[layer.id]}};
      for (const [name, value] of Object.entries(fadedPaint(base, k))) this.#map.setPaintProperty(layer.id, name, value);
    }
    this.#save();
  }

  /** What a tool of the map remembers with it: read without `value`, else kept. */
  settings(name, value) {
    if (value === undefined) return this.#kept[name];
    this.#kept[name] = value;
    this.#save();
    return value;
  }

  get tilted() { return this.#tilted; }

  /** Look at the same place from the side, buildings standing, or from above again. */
  tilt(on) {
    this.#tilted = on;
    this.#show('buildings', this.#visible.has('buildings') || on);
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const view = on ? {pitch: 55, bearing: -18, zoom: Math.max(this.#map.getZoom(), 15.4)} : {pitch: 0, bearing: 0};
    this.#map.easeTo({...view, duration: still ? 0 : 600});
    this.#emit('layers', {layers: this.layers()});
  }

  /** A base map of pictures under everything, {id, maxzoom}; null is our own. Our own lies below it, for when it fails. */
  base(entry) {
    for (const id of ['base-pictures']) if (this.#map.getLayer(id)) this.#map.removeLayer(id);
    if (this.#map.getSource('base-pictures')) this.#map.removeSource('base-pictures');
    if (!entry) return;
    const tiles = [`${location.origin}/tiles/base/${entry.id}/{z}/{x}/{y}`];
    this.#map.addSource('base-pictures', {type: 'raster', tiles, tileSize: 256, maxzoom: entry.maxzoom ?? 18});
    this.#map.addLayer({id: 'base-pictures', type: 'raster', source: 'base-pictures', paint: {'raster-fade-duration': 0}}, 'coast');
  }

  drawn(features) { this.#map.getSource('drawn')?.setData({type: 'FeatureCollection', features}); }
  changes(features) { this.#map.getSource('changes')?.setData({type: 'FeatureCollection', features}); }

  /** Clicks and moves go to `handler` {click, move, done} until it is stopped; Esc gives up (done(false)), Enter or a double click ends (done(true)). */
  capture(handler) {
    this.#capturing?.stop();
    this.#unhover();
    const keys = new AbortController();
    this.#map.doubleClickZoom.disable();
    this.#container.classList.add('is-picking');
    const stop = () => {
      if (this.#capturing !== on) return;
      this.#capturing = null;
      keys.abort();
      this.#container.classList.remove('is-picking');
      setTimeout(() => this.#map.doubleClickZoom.enable(), 300); // the click that ended it may be the first of two
    };
    const on = {handler, stop};
    this.#capturing = on;
    const end = (whole) => { stop(); handler.done?.(whole); };
    this.#map.once('dblclick', () => this.#capturing === on && end(true));
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' && event.key !== 'Enter') return;
      event.stopPropagation();
      event.preventDefault();
      end(event.key === 'Enter');
    }, {signal: keys.signal, capture: true});
    return stop;
  }

  /** Show only incidents that `accept(item)` says yes to; null shows the open ones: the map follows the list's filter. */
  setIncidentFilter(accept) {
    this.#filter = accept;
    this.#redraw('incidents');
  }

  // ---------------------------------------------------------------- finding, choosing

  async #whereIs(kind, key, at) {
    if (at && Number.isFinite(at.lon) && Number.isFinite(at.lat)) return [at.lon, at.lat];
    const item = live.get(kind, key);
    if (item && Number.isFinite(item.lon) && Number.isFinite(item.lat)) return [item.lon, item.lat];
    if (kind !== 'device' && kind !== 'camera') return null;
    const source = `${kind}s`;
    const [seen] = this.#map.querySourceFeatures(source, {sourceLayer: source, filter: ['==', ['get', 'key'], key]});
    if (seen) return seen.geometry.coordinates;
    const reply = await fetch(`/api/v1/queries/${kind}?${kind}=${encodeURIComponent(key)}`, {credentials: 'same-origin'});
    if (!reply.ok) return null;
    const found = await reply.json();
    const thing = found[kind] ?? found;
    return Number.isFinite(thing.lon) && Number.isFinite(thing.lat) ? [thing.lon, thing.lat] : null;
  }

  /** Mark one thing with a ring that follows it; select(null) takes the ring away. True when its place is known. */
  async select(kind, key, at) {
    if (!kind) {
      this.#selected = null;
      this.#map.getSource('selected')?.setData({type: 'FeatureCollection', features: []});
      return true;
    }
    this.#selected = {kind, key: String(key), lngLat: null};
    const chosen = this.#selected;
    const lngLat = await this.#whereIs(kind, String(key), at);
    if (this.#selected !== chosen) return false; // another choice came while we asked
    this.#ring(lngLat);
    return lngLat !== null;
  }

  #ring(lngLat) {
    if (this.#selected) this.#selected.lngLat = lngLat;
    const features = lngLat ? [{type: 'Feature', geometry: {type: 'Point', coordinates: lngLat}, properties: {}}] : [];
    this.#map.getSource('selected')?.setData({type: 'FeatureCollection', features});
  }

  #follow() {
    if (!this.#selected) return;
    const item = live.get(this.#selected.kind, this.#selected.key);
    if (!item || !Number.isFinite(item.lon)) return;
    const [lon, lat] = this.#selected.lngLat ?? [];
    if (lon !== item.lon || lat !== item.lat) this.#ring([item.lon, item.lat]);
  }

  /** Select and bring into view, close enough to tell it from its neighbours. */
  async focus(kind, key, at) {
    const known = await this.select(kind, key, at);
    const lngLat = this.#selected?.lngLat;
    if (!known || !lngLat) return false;
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#map.easeTo({center: lngLat, zoom: Math.max(this.#map.getZoom(), 14), duration: still ? 0 : 500});
    return true;
  }

  home() {
    const {center, zoom, bounds, fitBoundsOptions} = this.#opening();
    if (center) this.#map.easeTo({center, zoom, duration: 400});
    else this.#map.fitBounds(bounds, {...fitBoundsOptions, duration: 400});
  }

  view() {
    const c = this.#map.getCenter();
    return {center: [c.lng, c.lat], zoom: this.#map.getZoom()};
  }

  setView({center, zoom}) {
    this.#map.jumpTo({center, zoom});
  }

  /** Let the user choose a place with one click: {lon, lat}, or null when given up (Esc, or another pickPoint). */
  pickPoint() {
    this.#picked(null);
    this.#unhover();
    this.#container.classList.add('is-picking');
    this.#hint = document.createElement('div');
    this.#hint.className = 'cy-map__hint';
    this.#hint.setAttribute('role', 'status');
    const how = document.createElement('span');
    how.textContent = t('map.pick.cancel');
    this.#hint.append(t('map.pick'), how);
    this.#container.append(this.#hint);
    const escape = new AbortController();
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.#picked(null);
    }, {signal: escape.signal, capture: true});
    return new Promise((done) => { this.#picking = {done, escape}; });
  }

  #picked(point) {
    const picking = this.#picking;
    if (!picking) return;
    this.#picking = null;
    picking.escape.abort();
    this.#container.classList.remove('is-picking');
    this.#hint?.remove();
    picking.done(point);
  }

  // ---------------------------------------------------------------- pointer

  #at(point) {
    const reach = 4; // pixels around the pointer: a dot of 3 px is hard to hit
    const box = [[point.x - reach, point.y - reach], [point.x + reach, point.y + reach]];
    const layers = Object.keys(PICKABLE).filter((id) => this.#map.getLayer(id));
    const found = this.#map.queryRenderedFeatures(box, {layers});
    const hit = layers.flatMap((id) => found.filter((f) => f.layer.id === id))
      .find((f) => f.layer.id !== 'device-warning' || f.state.status === 'warning');
    if (!hit) return null;
    return {kind: PICKABLE[hit.layer.id], key: String(hit.properties.key ?? hit.id ?? ''), feature: hit, lngLat: hit.geometry.type === 'Point' ? hit.geometry.coordinates : null};
  }

  #hover({point, lngLat}) {
    if (this.#picking) return;
    if (this.#capturing) {
      this.#capturing.handler.move?.([lngLat.lng, lngLat.lat]);
      return;
    }
    const hit = this.#at(point);
    const id = hit ? `${hit.kind}\n${hit.key}` : '';
    this.#map.getCanvas().style.cursor = hit ? 'pointer' : '';
    if (id === (this.#hovered?.id ?? '')) return;
    this.#unhover();
    if (!hit) return;
    this.#hovered = {id, kind: hit.kind, key: hit.key, properties: hit.feature.properties, lngLat: hit.lngLat};
    this.#showCard();
  }

  async #showCard() {
    const on = this.#hovered;
    if (!on.lngLat) return; // a building: a click opens it
    const draw = (metrics) => this.#popup.setLngLat(on.lngLat)
      .setDOMContent(card(on.kind, live.get(on.kind, on.key), on.properties, live.now(), metrics)).addTo(this.#map);
    // Far out a tile says of a thing only which it is; its name, and what the city calls its values, is asked for.
    const named = on.properties.name || !['device', 'camera', 'component'].includes(on.kind);
    const asked = (named && this.#metrics.get(on.properties.type)) || (named && on.kind !== 'device' ? null : this.#detail(on));
    const known = await asked;
    if (this.#hovered === on) draw(known);
  }

  /** Ask for a thing under the pointer: its name goes into its properties; id → metric of a device. */
  #detail({kind, key, properties}) {
    const asked = fetch(`/api/v1/queries/${kind}?${kind}=${encodeURIComponent(key)}`, {credentials: 'same-origin'})
      .then(async (reply) => {
        const body = reply.ok ? await reply.json() : {};
        const found = body[kind] ?? body;
        for (const name of ['name', 'type_name', 'type_name_en', 'subclass']) if (found[name]) properties[name] = found[name];
        return new Map((found.metrics ?? []).map((m) => [m.id, m]));
      })
      .catch(() => { this.#metrics.delete(properties.type); return new Map(); });
    if (kind === 'device') this.#metrics.set(properties.type, asked);
    return asked;
  }

  #unhover() {
    this.#hovered = null;
    this.#popup?.remove();
  }

  async #click({point, lngLat}) {
    if (this.#picking) {
      this.#picked({lon: +lngLat.lng.toFixed(6), lat: +lngLat.lat.toFixed(6)});
      return;
    }
    if (this.#capturing) {
      this.#capturing.handler.click([+lngLat.lng.toFixed(6), +lngLat.lat.toFixed(6)], point);
      return;
    }
    const hit = this.#at(point);
    if (hit?.kind === 'cluster') {
      const zoom = await this.#map.getSource('incidents').getClusterExpansionZoom(hit.feature.properties.cluster_id);
      this.#map.easeTo({center: hit.lngLat, zoom: Math.min(zoom + 0.2, 16), duration: 350});
      return;
    }
    this.#emit('pick', hit
      ? {kind: hit.kind, key: hit.key, lngLat: hit.lngLat ?? [lngLat.lng, lngLat.lat], properties: hit.feature.properties}
      : {kind: 'place', key: '', lngLat: [lngLat.lng, lngLat.lat], properties: {}});
  }

  destroy() {
    this.#stop.abort();
    this.#capturing?.stop();
    this.#picked(null);
    clearTimeout(this.#timer);
    clearInterval(this.#ageing);
    this.#map.remove();
    this.#container.replaceChildren();
  }
}

/**
 * Make the map inside `container` (any element with a size). Resolves when the map object exists; await `.ready` for
 * the first complete drawing. Where WebGL is missing the container says so, a 'fault' event is sent and null returned.
 */
export async function createMap(container, options = {}) {
  loadCss();
  const settings = {
    bounds: CITY_BOUNDS, lang: pageLang, interactive: true, remember: location.pathname,
    scale: container.closest('.theme-wall') ? 1.35 : 1, ...options,
  };
  try {
    const [ml] = await Promise.all([library.catch(() => import(MAPLIBRE)), loadFonts()]);
    return new CityMap(container, settings, ml);
  } catch (error) {
    const note = document.createElement('div');
    note.className = 'cy-map__fault';
    note.textContent = t('map.no_webgl');
    container.classList.add('cy-map');
    container.replaceChildren(note);
    container.dispatchEvent(new CustomEvent('fault', {detail: {message: String(error?.message ?? error)}, bubbles: true}));
    return null;
  }
}
