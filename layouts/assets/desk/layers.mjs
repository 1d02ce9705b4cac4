// The layer panel on the map: switches with counts, folded away when not needed.

import {t} from '../text.mjs';
import {el, icon, memory, put, reconcile} from './dom.mjs';

/** Add the panel to the map's `host`. */
export function layerPanel(host, map) {
  const list = el('div.layers__list');
  const panel = el('details.layers.cy-panel.cy-panel--float', {open: memory.read('layers') !== false},
    el('summary', {}, icon('layers'), t('map.layers')), list);
  panel.addEventListener('toggle', () => memory.write('layers', panel.open));
  const make = () => el('label.cy-check.layer', {}, el('input', {type: 'checkbox'}), el('span.layer__name'), el('span.layer__n.cy-num'));
  const update = (row, layer) => {
    const box = row.querySelector('input');
    if (box.checked !== layer.visible) box.checked = layer.visible;
    box.dataset.layer = layer.id;
    put(row.querySelector('.layer__name'), layer.label);
    put(row.querySelector('.layer__n'), Number.isFinite(layer.count) ? layer.count.toLocaleString('en-US') : '');
  };
  const draw = () => reconcile(list, map.layers(), (l) => l.id, make, update);
  list.addEventListener('change', ({target}) => map.setLayerVisible(target.dataset.layer, target.checked));
  host.addEventListener('layers', draw);
  const home = el('button.cy-button.cy-button--icon.map-home', {type: 'button', title: t('map.home'), onclick: () => map.home()}, icon('home'));
  host.append(panel, home);
  draw();
}
