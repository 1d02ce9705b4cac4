// A building that was clicked: what it is, the devices at it with what they say now, the incidents open in it.

import {el} from '../desk/dom.mjs';
import {live} from '../live.mjs';
import {has, t} from '../text.mjs';
import {ask, fault, goTo, note, row} from './panel.mjs';

let chosen = null;

function mark(map, key) {
  const target = (id) => ({source: 'buildings', sourceLayer: 'buildings', id});
  if (chosen) map.map.removeFeatureState(target(chosen));
  chosen = key;
  if (key) map.map.setFeatureState(target(key), {chosen: true});
}

/** Open the panel of the building `key`. */
export async function building(map, side, key) {
  side.open(t('map.kind.building'), [note(t('map.asking'))], () => mark(map, null));
  mark(map, key);
  const {ok, body} = await ask('building', {building: key});
  if (chosen !== key) return;
  if (!ok) return side.fill([fault(body.message)]);
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
  side.fill([
    el('p.map-name', {}, body.name),
    fact(t('map.building.use'), has(`map.use.${body.use}`) ? t(`map.use.${body.use}`) : body.use),
    fact(t('map.building.floors'), t('map.building.floors.n', {n: body.floors, m: body.height_m})),
    fact(t('map.building.area'), t('map.m2', {n: body.area_m2.toLocaleString('en-US')})),
    fact(t('map.building.address'), body.address),
    ...part(t('map.building.incidents'), body.incidents, (one) => [one.type, t(`level.${one.level}`)].join(' · ')),
    ...part(t('map.building.devices'), body.devices, now),
    ...part(t('map.building.cameras'), body.cameras, (one) => one.key),
  ]);
}
