// The grid cell that was clicked: where it lies, who answers for it, what is counted in it. Nobody registered: it says so.

import {el} from '../desk/dom.mjs';
import {lang, t} from '../text.mjs';
import {ask, fault, note} from './panel.mjs';

let asked = 0;

/** Open the panel of the cell at a point. */
export async function cellAt(map, side, [lon, lat]) {
  const mine = ++asked;
  side.open(t('map.kind.cell'), [note(t('map.asking'))], () => { asked += 1; });
  const {ok, body} = await ask('cell', {lon, lat});
  if (mine !== asked) return;
  if (!ok) return side.fill([fault(body.message)]);
  const number = (n) => (n === null ? t('map.cell.unknown') : n.toLocaleString('en-US'));
  const fact = (name, value) => el('div.map-figure', {}, el('span', {}, name), el('strong', {}, value));
  const {counts} = body;
  const names = body.areas.slice(1, -1).map((a) => (lang === 'en' && a.name_en ? a.name_en : a.name));
  side.fill([
    el('p.map-name.cy-num', {}, body.code),
    el('p.cy-faint', {}, names.join(' › ')),
    fact(t('map.cell.people'), number(counts.people)),
    fact(t('map.cell.land'), t('map.cell.land.n', {addresses: number(counts.addresses), places: number(counts.places)})),
    fact(t('map.cell.events'), t('map.cell.events.n', {open: number(counts.open), days: body.days, reported: number(counts.reported)})),
    fact(t('map.cell.things'), t('map.cell.things.n', {components: number(counts.components), devices: number(counts.devices), cameras: number(counts.cameras)})),
    fact(t('map.cell.said'), t('map.cell.said.n', {days: body.days, n: number(counts.said)})),
    el('h3.map-part', {}, t('map.cell.responsible'), ' ', el('span.cy-num', {}, body.responsible.length)),
    ...(body.responsible.length
      ? body.responsible.map((who) => el('div.map-figure', {}, el('span', {}, who.name || t('map.cell.somebody')), el('strong', {}, t(who.on_duty ? 'map.cell.on_duty' : 'map.cell.off_duty'))))
      : [note(t('map.cell.nobody'))]),
  ]);
}
