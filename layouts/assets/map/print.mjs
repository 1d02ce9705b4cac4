// The map as a sheet: picture, title, legend, scale, time, and who made it; as PNG or as PDF. Made in the browser.

import {el} from '../desk/dom.mjs';
import {drawn, during} from '../desk/progress.mjs';
import {live} from '../live.mjs';
import {cityTime, t} from '../text.mjs';
import {drawMark, LEGEND} from './legend.mjs';
import {fault, note} from './panel.mjs';

const SHEET = {width: 1754, height: 1240}; // A4 across at 150 dots an inch
const EDGE = 40;
const HEAD = 92;
const FOOT = 52;
const SIDE = 300;
const FONT = '"Chengyun Map", sans-serif';
const BOLD = '"Chengyun Map Bold", sans-serif'; // a family of its own: its weight is in its name
const PDF_POINTS = [841.89, 595.28];

/** Metres of one pixel of the screen in the middle of the map. */
const metresOfPixel = (map) => 40075016.686 * Math.cos(map.getCenter().lat * Math.PI / 180) / (512 * 2 ** map.getZoom());

/** A round length for a scale bar of at most `most` metres. */
export function roundLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].map((k) => k * power).find((m) => m <= most);
}

const STEPS = 4; // fonts, picture, sheet, file

/** A step is done: seen before the next one holds the page. */
async function step(told, n) {
  told(n, STEPS);
  await drawn();
}

/** What the map shows now, as an image: the canvas may only be read while a frame is being drawn. */
function picture(map) {
  return new Promise((done) => {
    map.once('render', () => {
      const copy = document.createElement('canvas');
      const from = map.getCanvas();
      copy.width = from.width;
      copy.height = from.height;
      copy.getContext('2d').drawImage(from, 0, 0);
      done(copy);
    });
    map.triggerRepaint();
  });
}

function lines(map) {
  return map.layers().filter((layer) => layer.visible && layer.inView).flatMap((layer) => (LEGEND[layer.id] ?? [layer.id]).map((id) => {
    const [, level] = id.match(/^incident-(\d)$/) ?? [];
    const word = level ? t(`level.${level}`) : id === 'devices' ? t('map.legend.online') : id.startsWith('device-') ? t(`map.legend.${id.slice(7)}`) : layer.label;
    return {id, text: id === layer.id && id !== 'devices' ? layer.label : `${layer.label} · ${word}`};
  }));
}

/** The sheet as a canvas; `told(done, of)` hears of its steps. */
export async function sheet(map, title, who, told = () => {}) {
  await Promise.all([document.fonts.load(`700 34px ${BOLD}`, title), document.fonts.load(`400 16px ${FONT}`, title)]);
  await step(told, 1);
  const shot = await picture(map.map);
  await step(told, 2);
  const page = document.createElement('canvas');
  Object.assign(page, SHEET);
  const g = page.getContext('2d');
  const style = getComputedStyle(map.map.getContainer());
  const colour = (name) => style.getPropertyValue(name).trim();
  g.fillStyle = colour('--ground') || colour('--map-land');
  g.fillRect(0, 0, page.width, page.height);
  g.fillStyle = colour('--text');
  g.textBaseline = 'middle';
  g.font = `700 34px ${BOLD}`;
  g.fillText(title, EDGE, HEAD / 2 + 6, page.width - SIDE - EDGE);
  const room = {x: EDGE, y: HEAD, width: page.width - SIDE - EDGE * 2, height: page.height - HEAD - FOOT};
  const times = Math.max(room.width / shot.width, room.height / shot.height); // fills the room; what is outside is cut
  const cut = {width: room.width / times, height: room.height / times};
  g.drawImage(shot, (shot.width - cut.width) / 2, (shot.height - cut.height) / 2, cut.width, cut.height, room.x, room.y, room.width, room.height);
  g.strokeStyle = colour('--line-strong');
  g.strokeRect(room.x, room.y, room.width, room.height);

  // legend
  const x = room.x + room.width + 28;
  g.font = `700 20px ${BOLD}`;
  g.fillText(t('map.legend'), x, HEAD + 12);
  g.font = `400 16px ${FONT}`;
  lines(map).slice(0, 28).forEach(({id, text}, i) => {
    const y = HEAD + 52 + i * 32;
    g.save();
    g.translate(x + 12, y);
    g.scale(1.25, 1.25);
    drawMark(g, id, 0, 0, colour);
    g.restore();
    g.textAlign = 'left';
    g.textBaseline = 'middle';
    g.font = `400 16px ${FONT}`;
    g.fillStyle = colour('--text');
    g.fillText(text, x + 36, y, SIDE - 50);
  });

  // scale: pixels of the sheet for a round number of metres; tilted there is none
  const foot = page.height - FOOT / 2;
  g.font = `400 17px ${FONT}`;
  const perPixel = metresOfPixel(map.map) / (times * shot.width / map.map.getContainer().clientWidth);
  if (map.tilted) g.fillText(t('map.print.tilted'), EDGE, foot);
  else {
    const length = roundLength(perPixel * 260);
    const width = length / perPixel;
    g.fillStyle = colour('--text');
    g.fillRect(EDGE, foot + 4, width, 3);
    g.fillRect(EDGE, foot - 4, 2, 11);
    g.fillRect(EDGE + width - 2, foot - 4, 2, 11);
    g.fillText(length < 1000 ? t('map.m', {n: length}) : t('map.km', {n: length / 1000}), EDGE + width + 12, foot);
  }
  g.textAlign = 'right';
  g.fillText(t('map.print.made', {time: `${cityTime(live.now()).date} ${cityTime(live.now()).clock}`, who}), page.width - EDGE, foot);
  return page;
}

/** A PDF of one A4 page that holds one JPEG. Nothing else of the format is needed. */
export function pdfOf(jpeg, width, height) {
  const parts = [];
  const at = [];
  let size = 0;
  const bytes = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  const push = (part) => { const data = typeof part === 'string' ? bytes(part) : part; parts.push(data); size += data.length; };
  const object = (n, ...body) => { at[n] = size; push(`${n} 0 obj\n`); body.forEach(push); push('\nendobj\n'); };
  const [w, h] = PDF_POINTS;
  const draw = `q ${w} 0 0 ${h} 0 0 cm /P Do Q`;
  push('%PDF-1.4\n%\xE2\xE3\xCF\xD3\n');
  object(1, '<< /Type /Catalog /Pages 2 0 R >>');
  object(2, '<< /Type /Pages /Kids [3 0 R] /Count 1 >>');
  object(3, `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${w} ${h}] /Contents 4 0 R /Resources << /XObject << /P 5 0 R >> >> >>`);
  object(4, `<< /Length ${draw.length} >>\nstream\n${draw}\nendstream`);
  object(5, `<< /Type /XObject /Subtype /Image /Width ${width} /Height ${height} /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode /Length ${jpeg.length} >>\nstream\n`, jpeg, '\nendstream');
  const start = size;
  push(`xref\n0 6\n0000000000 65535 f \n${at.slice(1).map((n) => `${String(n).padStart(10, '0')} 00000 n \n`).join('')}`);
  push(`trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`);
  return new Blob(parts, {type: 'application/pdf'});
}

const blobOf = (canvas, type, quality) => new Promise((done) => canvas.toBlob(done, type, quality));

function save(blob, name) {
  const link = el('a', {href: URL.createObjectURL(blob), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The sheet as a file of this kind: png or pdf. */
async function file(map, title, who, kind, told) {
  const page = await sheet(map, title, who, told);
  await step(told, 3);
  if (kind === 'png') return blobOf(page, 'image/png');
  const jpeg = new Uint8Array(await (await blobOf(page, 'image/jpeg', 0.92)).arrayBuffer());
  return pdfOf(jpeg, page.width, page.height);
}

/** Open the form: a title, then PNG or PDF. */
export function printing(map, side) {
  const who = document.querySelector('.user')?.innerText?.replace(/\s+/g, ' ').trim() ?? '';
  const title = el('input.cy-input', {value: map.settings('print') ?? t('map.print.usual'), maxLength: 60, 'aria-label': t('map.print.title')});
  const failed = el('div');
  title.addEventListener('keydown', (event) => event.stopPropagation());
  const make = async (kind) => {
    map.settings('print', title.value);
    try {
      const stamp = `${cityTime(live.now()).date}-${cityTime(live.now()).clock.replaceAll(':', '')}`;
      save(await during(t('work.print'), (told) => file(map, title.value, who, kind, told), 0), `map-${stamp}.${kind}`);
    } catch (error) {
      failed.replaceChildren(fault(t('map.print.failed', {why: String(error?.message ?? error)})));
    }
  };
  side.open(t('map.tool.print'), [
    note(t('map.print.how')), el('label.cy-field', {}, el('span.cy-label', {}, t('map.print.title')), title),
    el('div.map-buttons', {}, el('button.cy-button.cy-button--primary', {type: 'button', dataset: {print: 'png'}, onclick: () => make('png')}, 'PNG'),
      el('button.cy-button', {type: 'button', dataset: {print: 'pdf'}, onclick: () => make('pdf')}, 'PDF')),
    failed,
  ]);
}
