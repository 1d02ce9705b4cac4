// What the marks of each layer mean, drawn small: for the layer tree, and for a printed map.

const NUMERALS = ['', 'Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ'];

const dot = (g, x, y, r, fill, stroke, width = 1.4) => {
  g.beginPath();
  g.arc(x, y, r, 0, Math.PI * 2);
  if (fill) { g.fillStyle = fill; g.fill(); }
  if (stroke) { g.strokeStyle = stroke; g.lineWidth = width; g.stroke(); }
};
const line = (g, x, y, colour, width, dash = []) => {
  g.save();
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.setLineDash(dash);
  g.beginPath();
  g.moveTo(x - 7, y);
  g.lineTo(x + 7, y);
  g.stroke();
  g.restore();
};
const level = (g, x, y, n, colour) => {
  g.fillStyle = colour(`--level-${n}`);
  g.beginPath();
  if (n === 1) { g.moveTo(x, y - 8); g.lineTo(x + 8, y); g.lineTo(x, y + 8); g.lineTo(x - 8, y); }
  else if (n === 2) { g.moveTo(x, y - 7.5); g.lineTo(x + 8, y + 6); g.lineTo(x - 8, y + 6); }
  else if (n === 3) g.rect(x - 6.5, y - 6.5, 13, 13);
  else g.arc(x, y, 7, 0, Math.PI * 2);
  g.fill();
  g.fillStyle = colour(`--level-${n}-on`);
  g.font = '700 9px "Chengyun Map Bold", sans-serif';
  g.textAlign = 'center';
  g.textBaseline = 'middle';
  g.fillText(NUMERALS[n], x, y + (n === 2 ? 2 : 0.5));
};
const box = (g, x, y, fill, stroke) => {
  g.fillStyle = fill;
  g.fillRect(x - 7, y - 5.5, 14, 11);
  if (stroke) { g.strokeStyle = stroke; g.lineWidth = 1; g.strokeRect(x - 7, y - 5.5, 14, 11); }
};

/** Layer → draw(canvas 2D context, x, y of the middle, name of a colour → colour). */
const MARKS = {
  incidents: (g, x, y, c) => level(g, x, y, 3, c),
  heat: (g, x, y, c) => { dot(g, x, y, 7.5, c('--map-heat-1')); dot(g, x, y, 5, c('--map-heat-2')); dot(g, x, y, 2.5, c('--map-heat-3')); },
  density: (g, x, y, c) => box(g, x, y, c('--map-heat-2'), c('--map-border')),
  celldensity: (g, x, y, c) => { box(g, x, y, c('--map-heat-1'), c('--map-border')); g.fillStyle = c('--map-heat-2'); g.fillRect(x, y - 5.5, 7, 5.5); },
  workers: (g, x, y, c) => { dot(g, x, y - 1.5, 5, c('--map-worker')); g.beginPath(); g.moveTo(x - 4.4, y + 1); g.lineTo(x + 4.4, y + 1); g.lineTo(x, y + 8); g.fill(); },
  devices: (g, x, y, c) => dot(g, x, y, 4, c('--map-device')),
  'device-silent': (g, x, y, c) => dot(g, x, y, 4, null, c('--map-device')),
  'device-warning': (g, x, y, c) => dot(g, x, y, 4.5, c('--map-land'), c('--level-3'), 2.4),
  cameras: (g, x, y, c) => { g.fillStyle = c('--map-camera'); g.beginPath(); g.moveTo(x, y + 4); g.arc(x, y + 4, 10, -Math.PI * 0.68, -Math.PI * 0.32); g.fill(); dot(g, x, y + 4, 2.4, c('--map-camera')); },
  components: (g, x, y, c) => { g.strokeStyle = c('--map-device'); g.lineWidth = 1.5; g.beginPath(); g.moveTo(x, y - 5); g.lineTo(x + 5, y); g.lineTo(x, y + 5); g.lineTo(x - 5, y); g.closePath(); g.stroke(); },
  buildings: (g, x, y, c) => box(g, x, y, c('--map-building'), c('--map-border')),
  grids: (g, x, y, c) => line(g, x, y, c('--map-border'), 1.4, [3, 2]),
  cells: (g, x, y, c) => line(g, x, y, c('--map-border'), 0.8),
  areas: (g, x, y, c) => line(g, x, y, c('--map-border'), 2.2),
  roads: (g, x, y, c) => line(g, x, y, c('--map-road-major'), 3),
  labels: (g, x, y, c) => { g.fillStyle = c('--map-label'); g.font = '700 12px "Chengyun Map Bold", sans-serif'; g.textAlign = 'center'; g.textBaseline = 'middle'; g.fillText('文', x, y); },
};

export const LEGEND = {
  incidents: ['incident-1', 'incident-2', 'incident-3', 'incident-4'],
  devices: ['devices', 'device-silent', 'device-warning'],
};

/** Draw the mark of a layer, or of a line of its legend. */
export function drawMark(g, id, x, y, colour) {
  const [, n] = id.match(/^incident-(\d)$/) ?? [];
  if (n) level(g, x, y, Number(n), colour);
  else MARKS[id]?.(g, x, y, colour);
}

/** The mark of a layer as a small picture. */
export function swatch(id) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 40;
  canvas.className = 'layer__mark';
  canvas.setAttribute('aria-hidden', 'true');
  requestAnimationFrame(() => { // its colours are those of where it stands
    const style = getComputedStyle(canvas);
    const g = canvas.getContext('2d');
    g.scale(2, 2);
    drawMark(g, id, 10, 10, (name) => style.getPropertyValue(name).trim());
  });
  return canvas;
}
