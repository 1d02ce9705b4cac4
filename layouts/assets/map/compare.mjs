// Two days or periods side by side: where more was reported than before, and where less.

import {el} from '../desk/dom.mjs';
import {live} from '../live.mjs';
import {cityTime, lang, t} from '../text.mjs';
import {ask, fault, note} from './panel.mjs';

const DAY_MS = 86_400_000;
const signed = (n) => (n > 0 ? `+${n}` : n < 0 ? `−${-n}` : '0');

/** Open the form; the last choice is kept. */
export function comparing(map, side) {
  const day = (back) => cityTime(live.now() - back * DAY_MS).date;
  const kept = map.settings('compare') ?? {a_begin: day(1), a_end: day(1), b_begin: day(0), b_end: day(0), by: 'town'};
  const date = (name) => el('input.cy-input', {type: 'date', name, value: kept[name], 'aria-label': t(`map.compare.${name}`)});
  const by = el('select.cy-select', {name: 'by', 'aria-label': t('map.compare.by')}, el('option', {value: 'town'}, t('map.compare.town')), el('option', {value: 'cell'}, t('map.compare.cell')));
  by.value = kept.by;
  const answer = el('div');
  const form = el('form.map-compare', {onsubmit: (event) => { event.preventDefault(); run(); }},
    el('span', {}, t('map.compare.a')), date('a_begin'), date('a_end'),
    el('span', {}, t('map.compare.b')), date('b_begin'), date('b_end'),
    el('span', {}, t('map.compare.by')), by, el('button.cy-button.cy-button--primary.cy-button--small', {type: 'submit'}, t('map.compare.go')));
  side.open(t('map.tool.compare'), [form, answer], () => map.changes([]));

  async function run() {
    const asked = Object.fromEntries(new FormData(form));
    if (Object.values(asked).some((value) => !value)) return answer.replaceChildren(fault(t('map.compare.dates')));
    map.settings('compare', asked);
    const {ok, body} = await ask('incidents_compared', asked);
    if (!ok) return answer.replaceChildren(fault(body.message));
    const name = (r) => (lang === 'en' && r.name_en) || r.name || r.key || t('map.compare.nowhere');
    map.changes(body.rows.filter((r) => r.change && Number.isFinite(r.lon)).map((r) => ({
      type: 'Feature', geometry: {type: 'Point', coordinates: [r.lon, r.lat]}, properties: {key: r.key, name: name(r), change: r.change, label: signed(r.change)},
    })));
    const line = (r) => el('tr', {onclick: () => Number.isFinite(r.lon) && map.focus('place', r.key, {lon: r.lon, lat: r.lat})},
      el('td', {}, name(r)), el('td.cy-num', {}, r.a), el('td.cy-num', {}, r.b), el('td.cy-num', {}, signed(r.change)));
    answer.replaceChildren(
      note(t('map.compare.sum', {a: body.total_a, b: body.total_b, change: signed(body.total_b - body.total_a)})),
      note(t('map.compare.marks')),
      el('table.map-table', {}, el('thead', {}, el('tr', {}, ['area', 'a', 'b', 'change'].map((c) => el('th', {}, t(`map.compare.head.${c}`))))), el('tbody', {}, body.rows.slice(0, 200).map(line))),
    );
  }
  run();
}
