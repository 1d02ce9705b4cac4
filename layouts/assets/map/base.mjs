// The base map underneath: our own, or one from elsewhere. When that one fails, our own shows, and the map says so.

import {el} from '../desk/dom.mjs';
import {lang, t} from '../text.mjs';

const LOOK_MS = 30_000; // how often a base map from elsewhere is asked about
const FAILED = 2; // so many tiles that cannot be had, and the map falls back

const named = (one) => (lang === 'en' && one.name_en) || one.name;

/** Fill `list` with the base maps to choose from; `age` says a moment in words. */
export function baseMaps(host, map, list, age) {
  let rows = [{id: 'own', name: t('map.base.own'), name_en: t('map.base.own'), kind: 'vector', state: 'up'}];
  let chosen = map.settings('base') ?? 'own';
  let fallen = false;
  let failures = 0;
  const said = el('p.map-fallback', {role: 'status', hidden: true});
  host.append(said);

  const entry = () => rows.find((one) => one.id === chosen && one.id !== 'own') ?? null;
  function show() {
    const one = entry();
    map.base(one && !fallen ? {id: one.id, maxzoom: one.max_zoom} : null);
    said.hidden = !(one && fallen);
    if (one && fallen) said.textContent = t('map.base.fallen', {name: named(one)});
    draw();
  }
  function choose(id) {
    chosen = id;
    fallen = false;
    failures = 0;
    map.settings('base', id);
    show();
  }
  function draw() {
    list.replaceChildren(...rows.map((one) => el('label.cy-check.layer', {},
      el('input', {type: 'radio', name: 'map-base', value: one.id, checked: one.id === chosen, onchange: () => choose(one.id)}),
      el('span.layer__name', {}, named(one)),
      el('span.layer__far', {title: one.error ?? ''}, one.id === 'own' ? '' : t(`map.base.${one.id === chosen && fallen ? 'down' : one.state}`), one.last_ok ? ` · ${age(one.last_ok)}` : ''))));
  }
  async function look() {
    try {
      const reply = await fetch('/api/v1/base_maps', {credentials: 'same-origin'});
      if (!reply.ok) return;
      rows = (await reply.json()).rows.map((one) => (one.id === 'own' ? {...one, name: t('map.base.own'), name_en: t('map.base.own')} : one));
    } catch { return; } // the page's own link being away is said elsewhere
    const one = entry();
    if (one && fallen && await answers(one)) { fallen = false; failures = 0; show(); return; }
    draw();
  }
  /** Does it give a tile of what is in view? */
  async function answers(one) {
    const {lng, lat} = map.map.getCenter();
    const z = Math.min(one.max_zoom ?? 18, Math.max(one.min_zoom ?? 1, Math.round(map.map.getZoom())));
    const x = Math.floor((lng + 180) / 360 * 2 ** z);
    const y = Math.floor((1 - Math.asinh(Math.tan(lat * Math.PI / 180)) / Math.PI) / 2 * 2 ** z);
    return (await fetch(`/tiles/base/${one.id}/${z}/${x}/${y}`, {credentials: 'same-origin'}).catch(() => null))?.ok ?? false;
  }
  map.map.on('error', (event) => {
    if (event.sourceId !== 'base-pictures' || fallen) return;
    failures += 1;
    if (failures < FAILED) return;
    fallen = true;
    show();
  });
  const timer = setInterval(look, LOOK_MS);
  map.map.once('remove', () => clearInterval(timer));
  draw();
  look().then(() => entry() && map.ready.then(show));
}
