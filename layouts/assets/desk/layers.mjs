// What stands on the desk's map: the layer tree, the search box, the tools, and the panel that shows their answers.

import {t} from '../text.mjs';
import {comparing} from '../map/compare.mjs';
import {finding} from '../map/find.mjs';
import {missing} from '../map/missing.mjs';
import {printing} from '../map/print.mjs';
import {inside, measuring} from '../map/shapes.mjs';
import {layerTree} from '../map/tree.mjs';
import {building} from '../map/building.mjs';
import {cellAt} from '../map/cell.mjs';
import {SidePanel} from '../map/panel.mjs';
import {SEEN_FROM} from '../map/style.mjs';
import {el, icon} from './dom.mjs';

/** Whether cells are drawn: then a click beside everything else means the cell. */
const showsCells = (map) => map.view().zoom >= SEEN_FROM.cells && map.layers().some(({id, visible}) => id === 'cells' && visible);

/** Add everything to the map's `host`. `past`: a moment that has passed is shown; what would ask of now is left out. */
export function layerPanel(host, map, {past = false} = {}) {
  const css = new URL('../map/map.css', import.meta.url).pathname;
  document.head.append(el('link', {rel: 'stylesheet', href: css}));
  const side = new SidePanel(host, map);
  const tools = [
    ['within.circle', () => inside(map, side, 'circle')],
    ['within.polygon', () => inside(map, side, 'polygon')],
    ['within.road', () => inside(map, side, 'road')],
    ['measure.length', () => measuring(map, side, 'length')],
    ['measure.area', () => measuring(map, side, 'area')],
    ['compare', () => comparing(map, side)],
    ['missing', () => missing(map, side)],
    ['print', () => printing(map, side)],
  ];
  const menu = el('details.tools.cy-panel.cy-panel--float', {},
    el('summary', {}, icon('wrench'), t('map.tools')),
    el('div.tools__list', {}, tools.map(([name, start]) => el('button.cy-button.cy-button--ghost.cy-button--small', {
      type: 'button', dataset: {tool: name}, onclick: () => { menu.open = false; start(); },
    }, t(`map.tool.${name}`)))));
  const tilt = el('button.cy-button.cy-button--small.map-tilt', {
    type: 'button', title: t('map.tilt.help'), 'aria-pressed': 'false', dataset: {tool: 'tilt'},
    onclick: () => { map.tilt(!map.tilted); tilt.classList.toggle('is-on', map.tilted); tilt.setAttribute('aria-pressed', String(map.tilted)); },
  }, t('map.tilt'));
  const home = el('button.cy-button.cy-button--icon.map-home', {type: 'button', title: t('map.home'), onclick: () => map.home()}, icon('home'));
  host.append(layerTree(host, map), el('div.map-top', {}, ...(past ? [tilt] : [finding(map, side), menu, tilt])), home);
  if (past) return;
  host.addEventListener('pick', ({detail}) => {
    if (detail.kind === 'building') building(map, side, detail.key);
    else if (detail.kind === 'place' && showsCells(map)) cellAt(map, side, detail.lngLat);
  });
}
