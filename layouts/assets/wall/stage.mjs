// Where everything stands: the design of this size, the panels of this scene, the whole scaled and never stretched.

const root = () => document.querySelector('.wall');
export const design = () => JSON.parse(root().dataset.design);

let profile = null;
let panels = '';

/** The design for a screen: its own, the one asked for in the address (?size=), else the one nearest to this window's shape. */
export function profileOf(screen, {profiles}) {
  const asked = screen?.size ?? new URLSearchParams(location.search).get('size');
  if (asked in profiles) return profiles[asked];
  const shape = Math.log(innerWidth / innerHeight);
  const off = (p) => Math.abs(Math.log(p.width / p.height) - shape) * 1e6 + Math.abs(p.width - innerWidth);
  return Object.values(profiles).reduce((best, p) => (off(p) < off(best) ? p : best));
}

/** Scale the design into the window: letterboxed, never stretched. */
export function fit() {
  if (!profile) return;
  const scale = Math.min(innerWidth / profile.width, innerHeight / profile.height);
  const x = Math.round((innerWidth - profile.width * scale) / 2);
  const y = Math.round((innerHeight - profile.height * scale) / 2);
  document.querySelector('[data-canvas]').style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
}

function put(element, [x, y, width, height], scale = 1) {
  Object.assign(element.style, {
    left: `${x}px`, top: `${y}px`, width: `${width / scale}px`, height: `${height / scale}px`,
    transform: scale === 1 ? '' : `scale(${scale})`,
  });
}

const place = (name) => document.querySelector(`[data-place="${name}"]`);

/** Lay out the fixed parts of a size; true when it is another one than before. */
export function layOut(next) {
  if (profile === next) return false;
  profile = next;
  panels = '';
  const canvas = document.querySelector('[data-canvas]');
  canvas.style.width = `${next.width}px`;
  canvas.style.height = `${next.height}px`;
  canvas.dataset.size = next.name;
  put(place('strip'), next.strip, next.strip_scale);
  put(place('map'), next.map);
  put(place('over'), next.over, next.scale);
  put(place('tiles'), next.tiles, next.scale);
  place('tiles').style.gridTemplateColumns = `repeat(${next.tile_columns}, minmax(0, 1fr))`;
  put(place('foot'), next.foot, next.scale);
  const band = place('note'); // a place of its own, or beside the legend
  band.hidden = !next.note;
  if (next.note) put(band, next.note, next.scale);
  (next.note ? band : place('foot')).append(document.querySelector('[data-note]'));
  fit();
  return true;
}

/** Put the panels of a scene into the slots; true when others are shown than before. Each panel tells its height in
 * design pixels before scaling: `data-height`. */
export function putPanels(names) {
  const wanted = names.join();
  if (wanted === panels) return false;
  panels = wanted;
  for (const panel of document.querySelectorAll('[data-panel]')) {
    const n = names.indexOf(panel.dataset.panel);
    const slot = n < 0 ? undefined : profile.slots[n];
    panel.hidden = slot === undefined;
    if (slot === undefined) continue;
    put(panel, slot, profile.scale);
    panel.dataset.height = Math.round(slot[3] / profile.scale);
    const graph = panel.querySelector('.js-plotly-plot');
    if (graph && window.Plotly) requestAnimationFrame(() => window.Plotly.Plots.resize(graph));
  }
  return true;
}

/** Seams of a screen inside its map: {xs, ys: pixels from the map's corner, half: half of a seam's width}. */
export function seamsOfMap({columns = 1, rows = 1, seam_px: width = 0}) {
  const [left, top, w, h] = profile.map;
  const inside = (total, n, from, size) => Array.from({length: n - 1}, (_, i) => (total * (i + 1)) / n - from).filter((at) => at > 0 && at < size);
  return {xs: inside(profile.width, columns, left, w), ys: inside(profile.height, rows, top, h), half: width / 2};
}
