// A building that was clicked: what it is, the devices at it with what they say now, the incidents open in it.

import {el} from '../desk/dom.mjs';
import {live} from '../live.mjs';
import {has, t} from '../text.mjs';
import {ask, fault, goTo, note, row} from './panel.mjs';

const AGAIN_MS = 1500; // news of incidents are looked at together

let chosen = null;

function mark(map, key) {
  const target = (id) => ({source: 'buildings', sourceLayer: 'buildings', id});
  if (chosen) map.map.removeFeatureState(target(chosen));
  chosen = key;
  if (key) map.map.setFeatureState(target(key), {chosen: true});
}

/** Open the panel of the building `key`; incidents that come or go meanwhile are shown. */
export async function building(map, side, key) {
  let timer = null;
  const heard = ({detail}) => {
    if (timer === null && detail.changed.some(([kind]) => kind === 'incident')) timer = setTimeout(() => { timer = null; show(); }, AGAIN_MS);
  };
  side.open(t('map.kind.building'), [note(t('map.asking'))], () => {
    live.removeEventListener('applied', heard);
    clearTimeout(timer);
    mark(map, null);
  });
  mark(map, key);
  live.addEventListener('applied', heard);
  const show = async () => {
    const {ok, body} = await ask('building', {building: key});
    if (chosen === key) side.fill(ok ? told(map, side, body) : [fault(body.message)]);
  };
  await show();
}

function told(map, side, body) {
  const fact = (name, value) => el('div.map-figure', {}, el('span', {}, name), el('strong', {}, value));
  const part = (title, rows, under) => [
    el('h3.map-part', {}, title, ' ', el('span.cy-num', {}, rows.length)),
    rows.length ? el('div.cy-list.map-rows', {}, rows.map((thing) => row(thing.name, under(thing), '', () => goTo(map, side.host, thing), thing.kind))) : note(t('map.building.none')),
  ];
  const now = ({key: device}) => {
    const item = live.get('device', device);
    const status = item?.status && has(`status.${item.status}`) ? t(`status.${item.status}`) : '';
    return [device, status].filter(Boolean).join(' · ');
  };
  return [
    el('p.map-name', {}, body.name),
    fact(t('map.building.use'), has(`map.use.${body.use}`) ? t(`map.use.${body.use}`) : body.use),
    fact(t('map.building.floors'), t('map.building.floors.n', {n: body.floors, m: body.height_m})),
    fact(t('map.building.area'), t('map.m2', {n: body.area_m2.toLocaleString('en-US')})),
    fact(t('map.building.address'), body.address),
    ...part(t('map.building.incidents'), body.incidents, (one) => [one.type, t(`level.${one.level}`)].join(' · ')),
    ...part(t('map.building.devices'), body.devices, now),
    ...part(t('map.building.cameras'), body.cameras, (one) => one.key),
  ];
}
