// Drawing on the map: what lies in a circle, in a polygon or along a road, and measuring lengths and areas.

import {el} from '../desk/dom.mjs';
import {t} from '../text.mjs';
import {kindName} from './find.mjs';
import {ask, fault, goTo, metres, note, row} from './panel.mjs';

const EARTH_M = 6371008.8;
const RAD = Math.PI / 180;
const WIDTHS_M = [50, 100, 200, 500];
const SHOWN = 300;

/** Metres between two points [lon, lat]. */
export function distance([lon1, lat1], [lon2, lat2]) {
  const a = Math.sin((lat2 - lat1) * RAD / 2) ** 2 + Math.cos(lat1 * RAD) * Math.cos(lat2 * RAD) * Math.sin((lon2 - lon1) * RAD / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(a)));
}

export const lengthOf = (points) => points.slice(1).reduce((sum, p, i) => sum + distance(points[i], p), 0);

/** Square metres inside a ring of points (on the sphere, by the line integral). */
export function areaOf(points) {
  let sum = 0;
  points.forEach(([lon, lat], i) => {
    const [next, up] = points[(i + 1) % points.length];
    sum += (next - lon) * RAD * (2 + Math.sin(lat * RAD) + Math.sin(up * RAD));
  });
  return Math.abs(sum * EARTH_M * EARTH_M / 2);
}

const square = (m2) => (m2 < 1e6 ? t('map.m2', {n: Math.round(m2).toLocaleString('en-US')}) : t('map.km2', {n: (m2 / 1e6).toFixed(2)}));

const feature = (type, coordinates, label) => ({type: 'Feature', geometry: {type, coordinates}, properties: label ? {label} : {}});

function ring(centre, radius) {
  const [lon, lat] = centre;
  const points = [];
  for (let i = 0; i <= 72; i += 1) {
    const angle = i * 5 * RAD;
    points.push([lon + radius * Math.sin(angle) / (EARTH_M * RAD * Math.cos(lat * RAD)), lat + radius * Math.cos(angle) / (EARTH_M * RAD)]);
  }
  return points;
}

// ------------------------------------------------------------------ what lies inside

/** Let a person draw a shape and list what is inside of it. */
export function inside(map, side, shape) {
  let stop = null;
  side.open(t(`map.tool.within.${shape}`), [note(t(`map.within.${shape}.how`))], () => { stop?.(); map.drawn([]); });
  if (shape === 'circle') {
    let centre = null;
    const show = (at) => centre && map.drawn([feature('Polygon', [ring(centre, distance(centre, at))]), feature('Point', centre, metres(distance(centre, at)))]);
    stop = map.capture({
      click(at) {
        if (!centre) { centre = at; return; }
        const radius = Math.max(10, Math.min(20_000, distance(centre, at)));
        stop();
        map.drawn([feature('Polygon', [ring(centre, radius)]), feature('Point', centre, metres(radius))]);
        list(map, side, {shape, points: centre.join(','), radius_m: Math.round(radius)});
      },
      move: show,
      done: () => side.close(),
    });
  } else if (shape === 'polygon') {
    stop = drawing(map, 'area', (points) => {
      if (points.length < 3) return side.close();
      list(map, side, {shape, points: points.map((p) => p.join(',')).join(';')});
    }, () => side.close());
  } else {
    stop = map.capture({
      click(at, point) {
        const box = [[point.x - 6, point.y - 6], [point.x + 6, point.y + 6]];
        const [road] = map.map.queryRenderedFeatures(box, {layers: ['road-arterial', 'road-secondary', 'road-local']}).filter((f) => f.properties.name);
        if (!road) return side.fill([note(t('map.within.road.how')), fault(t('map.within.road.none'))]);
        stop();
        list(map, side, {shape, points: at.join(','), road: road.properties.name, radius_m: WIDTHS_M[0]});
      },
      done: () => side.close(),
    });
  }
}

async function list(map, side, asked) {
  side.fill([note(t('map.asking'))]);
  const {ok, body} = await ask('within_shape', {...asked, limit: SHOWN});
  if (!ok) return side.fill([fault(body.message)]);
  const kinds = Object.entries(body.counts).filter(([, n]) => n);
  let chosen = '';
  const rows = el('div.cy-list.map-rows');
  const draw = () => {
    const shown = body.rows.filter((found) => !chosen || found.kind === chosen);
    rows.replaceChildren(...shown.map((found) => row(found.name, `${kindName(found.kind)} · ${found.key}`, metres(found.distance_m), () => goTo(map, side.host, found), found.kind)));
    if (body.total > body.rows.length) rows.append(note(t('map.within.more', {n: body.rows.length, total: body.total})));
    for (const button of tabs.children) button.setAttribute('aria-pressed', String(button.dataset.kind === chosen));
  };
  const tab = (kind, label, n) => el('button', {type: 'button', dataset: {kind}, onclick: () => { chosen = kind; draw(); }}, `${label} `, el('span.cy-num', {}, n.toLocaleString('en-US')));
  const tabs = el('div.cy-segment.map-tabs', {}, tab('', t('map.within.all'), body.total), kinds.map(([kind, n]) => tab(kind, kindName(kind), n)));
  const width = asked.shape === 'road' && el('div.cy-segment.map-tabs', {}, WIDTHS_M.map((m) => el('button', {
    type: 'button', 'aria-pressed': String(m === asked.radius_m), onclick: () => list(map, side, {...asked, radius_m: m}),
  }, metres(m))));
  side.fill([
    asked.road && note(t('map.within.road.of', {road: asked.road})), width,
    body.more && note(t('map.within.bound')), tabs, body.total ? rows : note(t('map.within.nothing')),
  ]);
  draw();
}

// ------------------------------------------------------------------ measuring

/** Let a person draw a line or a ring: `done(points)` at the end, `given()` when it was given up. Returns how to stop. */
function drawing(map, what, done, given) {
  const points = [];
  const show = (more) => {
    const all = more ? [...points, more] : points;
    if (!all.length) return;
    const text = what === 'area' ? (all.length > 2 ? square(areaOf(all)) : '') : metres(lengthOf(all));
    const shape = what === 'area' && all.length > 2 ? feature('Polygon', [[...all, all[0]]]) : feature('LineString', all);
    map.drawn([...(all.length > 1 ? [shape] : []), ...points.slice(0, -1).map((p) => feature('Point', p)), feature('Point', all.at(-1), text)]);
  };
  return map.capture({
    click(at) {
      const last = points.at(-1);
      if (!last || distance(last, at) > 0.5) points.push(at); // the second click of two is the same place
      show();
    },
    move: show,
    done(whole) {
      show();
      if (whole && points.length > 1) done(points);
      else given();
    },
  });
}

/** Measure a length or an area. */
export function measuring(map, side, what) {
  let stop = null;
  side.open(t(`map.tool.measure.${what}`), [note(t('map.measure.how'))], () => { stop?.(); map.drawn([]); });
  stop = drawing(map, what, (points) => {
    const sum = what === 'area' ? [t('map.measure.area'), square(areaOf(points)), t('map.measure.round'), metres(lengthOf([...points, points[0]]))] : [t('map.measure.length'), metres(lengthOf(points))];
    const pairs = [];
    for (let i = 0; i < sum.length; i += 2) pairs.push(el('div.map-figure', {}, el('span', {}, sum[i]), el('strong.cy-num', {}, sum[i + 1])));
    side.fill([...pairs, el('button.cy-button.cy-button--small', {type: 'button', onclick: () => measuring(map, side, what)}, t('map.measure.again'))]);
  }, () => side.close());
}
