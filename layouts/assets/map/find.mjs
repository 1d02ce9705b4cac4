// The search box of the map: a place, an address, a number or code, or coordinates → a list → there.

import {el, icon} from '../desk/dom.mjs';
import {has, lang, t} from '../text.mjs';
import {ask, goTo, note, row} from './panel.mjs';

const WAIT_MS = 220;
const COORDINATES = /^[\s(（]*-?\d{1,3}(\.\d+)?°?\s*[,，;；\s]\s*-?\d{1,3}(\.\d+)?/;

export const kindName = (kind) => (has(`map.kind.${kind}`) ? t(`map.kind.${kind}`) : kind);

/** The box, as an element. */
export function finding(map, side) {
  const input = el('input.cy-input', {type: 'search', placeholder: t('map.find'), 'aria-label': t('map.find'), autocomplete: 'off', maxLength: 200, dataset: {find: ''}});
  const crs = el('select.cy-select.map-find__crs', {'aria-label': t('map.crs'), hidden: true},
    el('option', {value: 'wgs84'}, 'WGS84'), el('option', {value: 'gcj02'}, 'GCJ-02'));
  crs.value = map.settings('crs') ?? 'wgs84';
  const list = el('div.map-find__list.cy-list.cy-panel.cy-panel--float', {hidden: true});
  const box = el('div.map-find', {role: 'search'}, icon('search'), input, crs, list);
  let timer = null;
  let asked = null;

  const go = (found) => {
    list.hidden = true;
    goTo(map, side.host, found);
  };
  const search = async () => {
    timer = null;
    const text = input.value.trim();
    crs.hidden = !COORDINATES.test(text);
    asked?.abort();
    if (!text) { list.hidden = true; return; }
    asked = new AbortController();
    const mine = asked;
    const {ok, body, aborted} = await ask('find_on_map', {text, crs: crs.value}, mine.signal);
    if (aborted || mine !== asked) return;
    list.hidden = false;
    if (!ok) return list.replaceChildren(note(body.message));
    if (!body.rows.length) return list.replaceChildren(note(t('map.find.nothing')));
    list.replaceChildren(...body.rows.map((found) => {
      const under = found.kind === 'point' ? t('map.find.point', {crs: crs.selectedOptions[0].textContent}) : (lang === 'en' && ['district', 'town', 'village', 'unit'].includes(found.kind) ? found.note : found.kind === 'place' || found.kind === 'incident' ? found.note : found.key);
      return row(found.name, under, kindName(found.kind), () => go(found), found.kind);
    }), ...(body.total > body.rows.length ? [note(t('map.find.more', {n: body.total - body.rows.length}))] : []));
  };
  input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(search, WAIT_MS); });
  crs.addEventListener('change', () => { map.settings('crs', crs.value); search(); });
  input.addEventListener('keydown', (event) => {
    event.stopPropagation(); // letters here are no shortcuts of the desk
    if (event.key === 'Escape') { list.hidden = true; input.blur(); }
    else if (event.key === 'ArrowDown') { event.preventDefault(); list.querySelector('button')?.focus(); }
    else if (event.key === 'Enter') {
      event.preventDefault(); // else the same Enter presses the button of the dialog that opens
      clearTimeout(timer);
      (list.hidden || timer ? search() : Promise.resolve()).then(() => list.querySelector('button')?.click());
    }
  });
  list.addEventListener('keydown', (event) => {
    const next = {ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling'}[event.key];
    if (event.key === 'Escape') { list.hidden = true; input.focus(); }
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    (document.activeElement[next] ?? input).focus();
  });
  input.addEventListener('focus', () => { if (input.value.trim() && list.childElementCount) list.hidden = false; });
  document.addEventListener('pointerdown', ({target}) => { if (!box.contains(target)) list.hidden = true; });
  return box;
}
