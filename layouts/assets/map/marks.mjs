// The map's symbols, drawn once on a canvas: no sprite file, sharp at any pixel ratio, colours from the tokens.
// Levels: I diamond, II triangle, III square, IV circle, each with its roman numeral (the same as .cy-level).

const RATIO = 2; // drawn at twice the size: sharp on high-density screens and on an over-scaled wall
const NUMERALS = ['', 'Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ'];

function canvas(size) {
  const c = document.createElement('canvas');
  c.width = c.height = Math.round(size * RATIO);
  const g = c.getContext('2d');
  g.scale(RATIO, RATIO);
  return g;
}

function finish(g) {
  const {width, height} = g.canvas;
  return {width, height, data: new Uint8Array(g.getImageData(0, 0, width, height).data.buffer)};
}

function polygon(g, points) {
  g.beginPath();
  points.forEach(([x, y], i) => (i ? g.lineTo(x, y) : g.moveTo(x, y)));
  g.closePath();
}

function levelPath(g, level, c, r) {
  if (level === 1) polygon(g, [[c, c - r * 1.18], [c + r * 1.18, c], [c, c + r * 1.18], [c - r * 1.18, c]]);
  else if (level === 2) polygon(g, [[c, c - r * 1.12], [c + r * 1.16, c + r * 0.86], [c - r * 1.16, c + r * 0.86]]);
  else if (level === 3) { g.beginPath(); g.roundRect(c - r * 0.92, c - r * 0.92, r * 1.84, r * 1.84, r * 0.18); }
  else { g.beginPath(); g.arc(c, c, r, 0, Math.PI * 2); }
}

function incident(level, colour, on, halo, {small = false} = {}) {
  const size = small ? 22 : 34;
  const g = canvas(size);
  const c = size / 2;
  const r = small ? 6.5 : 11;
  g.lineJoin = 'round';
  levelPath(g, level, c, r);
  g.lineWidth = small ? 3.5 : 5;
  g.strokeStyle = halo;
  g.stroke();
  g.fillStyle = colour;
  g.fill();
  g.fillStyle = on;
  g.textAlign = 'center';
  g.textBaseline = 'middle';
  g.font = `700 ${small ? 8 : 13}px "Chengyun Map Bold", sans-serif`;
  g.fillText(NUMERALS[level], c, c + (level === 2 ? r * 0.26 : 0) + 0.5);
  return finish(g);
}

function warningTriangle(colour, halo) {
  const size = 18;
  const g = canvas(size);
  g.lineJoin = 'round';
  polygon(g, [[9, 3.2], [15, 14], [3, 14]]);
  g.lineWidth = 3;
  g.strokeStyle = halo;
  g.stroke();
  g.fillStyle = colour;
  g.fill();
  return finish(g);
}

function cameraWedge(colour, halo) {
  const size = 24; // points north: rotated by the camera's direction
  const g = canvas(size);
  g.beginPath();
  g.moveTo(12, 12);
  g.arc(12, 12, 10, -Math.PI / 2 - 0.52, -Math.PI / 2 + 0.52);
  g.closePath();
  g.globalAlpha = 0.42;
  g.fillStyle = colour;
  g.fill();
  g.globalAlpha = 1;
  g.beginPath();
  g.arc(12, 12, 3.1, 0, Math.PI * 2);
  g.lineWidth = 2.5;
  g.strokeStyle = halo;
  g.stroke();
  g.fillStyle = colour;
  g.fill();
  return finish(g);
}

function cameraDot(colour, halo) {
  const size = 14;
  const g = canvas(size);
  g.beginPath();
  g.roundRect(3.6, 4.2, 6.8, 5.6, 1.2);
  g.lineWidth = 2.5;
  g.strokeStyle = halo;
  g.stroke();
  g.fillStyle = colour;
  g.fill();
  return finish(g);
}

function worker(fill, ink, halo) {
  const size = 26;
  const g = canvas(size);
  g.lineJoin = 'round';
  // A pin with a person in it: the only pin on the map.
  g.beginPath();
  g.arc(13, 11, 7.6, Math.PI * 0.82, Math.PI * 0.18);
  g.lineTo(13, 23.2);
  g.closePath();
  g.lineWidth = 3;
  g.strokeStyle = halo;
  g.stroke();
  g.fillStyle = fill;
  g.fill();
  g.fillStyle = ink;
  g.beginPath();
  g.arc(13, 8.9, 2.4, 0, Math.PI * 2);
  g.fill();
  g.beginPath();
  g.arc(13, 15.6, 4.2, Math.PI * 1.16, Math.PI * 1.84);
  g.closePath();
  g.fill();
  return finish(g);
}

function component(colour) {
  const size = 10;
  const g = canvas(size);
  polygon(g, [[5, 1.6], [8.4, 5], [5, 8.4], [1.6, 5]]);
  g.strokeStyle = colour;
  g.lineWidth = 1.3;
  g.stroke();
  return finish(g);
}

/** Images by name for map.addImage(name, image, {pixelRatio}), made from the theme's colours. */
export function marks(colour) {
  const halo = colour('--map-label-halo');
  const images = {
    'warning-mark': warningTriangle(colour('--level-3'), halo),
    'camera-wedge': cameraWedge(colour('--map-camera'), halo),
    'camera-dot': cameraDot(colour('--map-camera'), halo),
    'component-mark': component(colour('--map-device')),
    'worker-mark': worker(colour('--map-worker'), halo, halo),
  };
  for (const level of [1, 2, 3, 4]) {
    const fill = colour(`--level-${level}`);
    const on = colour(`--level-${level}-on`);
    images[`incident-${level}`] = incident(level, fill, on, halo);
    images[`incident-${level}-small`] = incident(level, fill, on, halo, {small: true});
  }
  return {images, pixelRatio: RATIO};
}
