// The layer tree: themes and sectors with switches, counts, strength, legend, and the base map underneath.

import {el, icon, memory} from '../desk/dom.mjs';
import {live} from '../live.mjs';
import {ago, lang, t} from '../text.mjs';
import {baseMaps} from './base.mjs';
import {swatch} from './legend.mjs';
import {ask} from './panel.mjs';

const THEMES = {
  events: ['incidents', 'heat', 'density', 'celldensity'],
  people: ['workers'],
  things: ['devices', 'cameras', 'components'],
  ground: ['buildings', 'grids', 'cells', 'areas', 'roads', 'labels'],
};
const HEIGHTS = ['above', 'surface', 'underground'];
const KINDS = ['devices', 'cameras', 'components'];

const named = (thing) => (lang === 'en' && thing.name_en) || thing.name;

/** The panel as an element. */
export function layerTree(host, map) {
  const search = el('input.cy-input.layers__search', {type: 'search', placeholder: t('map.layers.search'), 'aria-label': t('map.layers.search'), dataset: {layers: 'search'}});
  const themes = el('div.layers__themes');
  const heights = el('div.cy-segment.layers__heights', {role: 'group', 'aria-label': t('map.heights')});
  const sectors = el('div.layers__sectors');
  const base = el('div.layers__base');
  const panel = el('details.layers.cy-panel.cy-panel--float', {open: memory.read('layers') !== false},
    el('summary', {}, icon('layers'), t('map.layers')),
    el('div.layers__list', {}, search, themes, el('h3.layers__theme', {}, t('map.theme.sectors')), heights, sectors, el('h3.layers__theme', {}, t('map.theme.base')), base));
  panel.addEventListener('toggle', () => memory.write('layers', panel.open));

  // ---------------------------------------------------------------- themes: the layers of the map

  const rows = new Map();
  function layerRow(layer) {
    const box = el('input', {type: 'checkbox', dataset: {layer: layer.id}, onchange: () => map.setLayerVisible(layer.id, box.checked)});
    const strength = el('input.layer__strength', {type: 'range', min: 10, max: 100, step: 10, 'aria-label': t('map.strength', {layer: layer.label}), title: t('map.strength', {layer: layer.label}), oninput: () => map.fade(layer.id, strength.value / 100)});
    const n = el('span.layer__n.cy-num');
    const far = el('span.layer__far');
    const row = el('div.layer', {dataset: {name: layer.label.toLowerCase()}},
      el('label.cy-check', {}, box, swatch(layer.id), el('span.layer__name', {}, layer.label)), far, n, strength);
    rows.set(layer.id, {row, box, strength, n, far});
    return row;
  }
  function drawLayers() {
    for (const layer of map.layers()) {
      const r = rows.get(layer.id);
      if (!r) continue;
      r.box.checked = layer.visible;
      r.strength.value = Math.round(layer.strength * 100);
      r.n.textContent = Number.isFinite(layer.count) ? layer.count.toLocaleString('en-US') : '';
      r.far.textContent = layer.visible && !layer.inView ? t('map.from', {zoom: Math.ceil(layer.from)}) : '';
      r.row.classList.toggle('is-on', layer.visible);
    }
  }
  const all = new Map(map.layers().map((layer) => [layer.id, layer]));
  for (const [theme, ids] of Object.entries(THEMES)) {
    themes.append(el('h3.layers__theme', {}, t(`map.theme.${theme}`)), ...ids.map((id) => layerRow(all.get(id))));
  }
  host.addEventListener('layers', drawLayers);
  host.addEventListener('moved', drawLayers);

  // ---------------------------------------------------------------- sectors: what of the registries is shown

  const off = new Set(map.settings('off') ?? []); // "kind:group" of what is switched off
  const low = new Set(map.settings('low') ?? []); // heights that are switched off
  let tree = [];
  const keyOf = (layer) => `${layer.kind}:${layer.group}`;
  const shown = (layer) => !off.has(keyOf(layer)) && !low.has(layer.height);

  function apply() {
    map.settings('off', [...off]);
    map.settings('low', [...low]);
    for (const kind of KINDS) {
      map.hide(kind, tree.flatMap((s) => s.layers).filter((l) => l.kind === kind && !shown(l)).map((l) => l.group).sort());
    }
    drawSectors();
  }
  function drawSectors() {
    for (const button of heights.children) button.setAttribute('aria-pressed', String(!low.has(button.dataset.height)));
    for (const box of sectors.querySelectorAll('input[data-sector]')) {
      const layers = tree.find((s) => s.id === box.dataset.sector).layers;
      const on = layers.filter((l) => !off.has(keyOf(l))).length;
      box.checked = on > 0;
      box.indeterminate = on > 0 && on < layers.length;
      box.disabled = !layers.length;
    }
    for (const box of sectors.querySelectorAll('input[data-group]')) {
      const layer = tree.flatMap((s) => s.layers).find((l) => keyOf(l) === box.dataset.group);
      box.checked = !off.has(keyOf(layer));
      box.closest('.layer').classList.toggle('is-low', low.has(layer.height));
    }
  }
  function sectorRow(sector) {
    const box = el('input', {type: 'checkbox', ariaLabel: named(sector), dataset: {sector: sector.id}, onchange: () => {
      for (const layer of sector.layers) { if (box.checked) off.delete(keyOf(layer)); else off.add(keyOf(layer)); }
      apply();
    }});
    const name = [named(sector), ...sector.layers.map(named)].join(' ').toLowerCase();
    return el('div.sector', {dataset: {name}}, el('span.cy-check.sector__box', {}, box), el('details', {},
      el('summary', {}, icon('chevron-right'), el('span.layer__name', {}, named(sector)), el('span.layer__n.cy-num', {}, sector.count.toLocaleString('en-US'))),
      sector.layers.length ? sector.layers.map((layer) => {
        const one = el('input', {type: 'checkbox', dataset: {group: keyOf(layer)}, onchange: () => {
          if (one.checked) off.delete(keyOf(layer)); else off.add(keyOf(layer));
          apply();
        }});
        return el('div.layer', {dataset: {name: named(layer).toLowerCase()}},
          el('label.cy-check', {}, one, swatch(layer.kind), el('span.layer__name', {}, layer.kind === 'cameras' ? t('map.cameras.of', {who: named(layer)}) : named(layer))),
          el('span.layer__far', {}, t(`map.height.${layer.height}`)), el('span.layer__n.cy-num', {}, layer.count.toLocaleString('en-US')));
      }) : el('p.map-note', {}, t('map.sector.empty'))));
  }
  heights.append(...HEIGHTS.map((height) => el('button', {type: 'button', dataset: {height}, onclick: () => {
    if (low.has(height)) low.delete(height); else low.add(height);
    apply();
  }}, t(`map.height.${height}`))));
  async function load() {
    const {ok, body} = await ask('map_layers', {});
    if (!ok) { sectors.replaceChildren(el('p.map-note', {}, body.message), el('button.cy-button.cy-button--small', {type: 'button', onclick: load}, t('map.again'))); return; }
    tree = body.sectors;
    sectors.replaceChildren(...tree.map((s) => sectorRow(s.id === 'other' ? {...s, name: t('map.sector.other'), name_en: t('map.sector.other')} : s)));
    apply();
  }

  let searching = false;
  search.addEventListener('input', () => {
    const text = search.value.trim().toLowerCase();
    for (const row of panel.querySelectorAll('[data-name]')) {
      const holder = row.closest('.sector');
      row.hidden = Boolean(text) && !row.dataset.name.includes(text) && !(holder && holder !== row && holder.querySelector('summary').textContent.toLowerCase().includes(text));
    }
    for (const sector of sectors.querySelectorAll('.sector')) {
      const part = sector.querySelector('details');
      if (text && !searching) sector.dataset.was = String(part.open);
      part.open = text ? !sector.hidden : sector.dataset.was === 'true';
    }
    searching = Boolean(text);
  });
  search.addEventListener('keydown', (event) => event.stopPropagation());

  baseMaps(host, map, base, (at) => ago((live.now() - at) / 1000));
  drawLayers();
  load();
  return panel;
}
