// Who is not on the map, and why: no position yet, one too old to be believed, off duty, or outside of what is shown.

import {el} from '../desk/dom.mjs';
import {ago, t} from '../text.mjs';
import {ask, fault, note, row} from './panel.mjs';

const OLD_S = 5 * 60; // as on the map: from here on a position fades

/** Why a worker cannot be seen in this view; null: he is there. */
export function whyMissing(worker, bounds) {
  if (!Number.isFinite(worker.lon) || !Number.isFinite(worker.lat)) return worker.on_duty ? 'none' : 'off';
  if (!worker.on_duty) return 'off';
  if (worker.position_age_s > OLD_S) return 'old';
  return bounds.contains([worker.lon, worker.lat]) ? null : 'outside';
}

/** Open the list. */
export async function missing(map, side) {
  side.open(t('map.tool.missing'), [note(t('map.asking'))]);
  const {ok, body} = await ask('workers', {});
  if (!ok) return side.fill([fault(body.message)]);
  const bounds = map.map.getBounds();
  const found = {none: [], old: [], outside: [], off: []};
  for (const worker of body.rows) {
    const why = whyMissing(worker, bounds);
    if (why) found[why].push(worker);
  }
  const total = Object.values(found).flat().length;
  const part = ([why, workers]) => workers.length && el('details.map-why', {open: why !== 'off' && workers.length <= 60},
    el('summary', {}, t(`map.missing.${why}`), ' ', el('span.cy-num', {}, workers.length)),
    el('div.cy-list.map-rows', {}, workers.map((worker) => {
      const age = Number.isFinite(worker.position_age_s) ? t('map.last_seen', {age: ago(worker.position_age_s)}) : t('map.missing.never');
      const known = Number.isFinite(worker.lon);
      return row(worker.name, worker.unit_name ?? '', age, () => known && map.focus('worker', worker.login, {lon: worker.lon, lat: worker.lat}), 'worker');
    })));
  side.fill([
    note(t('map.missing.sum', {shown: body.rows.length - total, total: body.rows.length})),
    ...Object.entries(found).map(part).filter(Boolean),
  ]);
}
