// A photo from the camera: made small (≤ 1600 px, ≤ 300 kB JPEG), stamped with time, place and person, shown, removable.

import {live} from '../live.mjs';
import {cityTime, t} from '../text.mjs';
import {h, icon} from './dom.mjs';
import {withExif} from './exif.mjs';
import {facts} from './facts.mjs';
import {lastPosition, locateOnce} from './duty.mjs';

const LONGEST_PX = 1600;
const QUALITY = 0.76;
const TRIES = 4;
const STAMP_WAIT_MS = 3000; // a photo without place is better than a worker who waits
const MOST_BYTES = 300_000; // 6 s over 400 kbit/s

/** When and where, for the stamp and for the record. */
async function moment() {
  const {date, clock} = cityTime(live.now());
  return {date, clock, place: lastPosition() ?? (await locateOnce(STAMP_WAIT_MS).catch(() => null))};
}

/** Time, place and person as the stamp's lines. */
function stampLines({date, clock, place: here}, number) {
  const place = here
    ? t('phone.stamp.place', {lon: here.lon.toFixed(5), lat: here.lat.toFixed(5), m: Math.round(here.accuracy)})
    : t('phone.stamp.no_place');
  return [`${date} ${clock}`, place, [facts.name, number].filter(Boolean).join(' · ')];
}

function stamp(canvas, lines) {
  const context = canvas.getContext('2d');
  const size = Math.max(14, Math.round(Math.max(canvas.width, canvas.height) / 52));
  const step = Math.round(size * 1.4);
  const height = step * lines.length + size;
  context.fillStyle = 'rgb(0 0 0 / 58%)';
  context.fillRect(0, canvas.height - height, canvas.width, height);
  context.font = `600 ${size}px ${getComputedStyle(document.body).fontFamily}`;
  context.fillStyle = '#fff';
  context.textBaseline = 'top';
  lines.forEach((line, n) => {
    context.fillText(line, size, canvas.height - height + size * 0.6 + n * step, canvas.width - 2 * size);
  });
}

/** An <img>, not createImageBitmap: every browser turns it the way the camera was held. */
async function decoded(file) {
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Shrink and stamp an image file → JPEG Blob. Throws when the file is not an image this browser can read. */
export async function shrink(file, number = '') {
  const image = await decoded(file);
  const {naturalWidth: width, naturalHeight: height} = image;
  const whole = Math.min(1, LONGEST_PX / Math.max(width, height));
  const now = await moment();
  const lines = stampLines(now, number);
  const canvas = document.createElement('canvas');
  let blob = null;
  for (let scale = whole, n = 0; n < TRIES; n += 1) {
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
    stamp(canvas, lines);
    blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', QUALITY));
    if (!blob) throw new Error('canvas gave no JPEG');
    if (blob.size <= MOST_BYTES) break;
    scale *= 0.96 * Math.sqrt(MOST_BYTES / blob.size); // bytes go with the area: the next one fits, or nearly
  }
  return withExif(blob, now);
}

/**
 * The photo field of a form. `photos`: Blobs already there (a draft); `onChange(photos)` after each change.
 * Returns its element.
 */
export function photoField({photos, number = '', required = false, max = 4, onChange, onWrong}) {
  const blobs = [...photos];
  const urls = new Map();
  const strip = h('div', {class: 'ph-photos'});
  const draw = () => {
    const kept = new Set(blobs);
    for (const [blob, url] of urls) {
      if (!kept.has(blob)) {
        URL.revokeObjectURL(url);
        urls.delete(blob);
      }
    }
    strip.replaceChildren(
      ...blobs.map((blob, n) => {
        if (!urls.has(blob)) urls.set(blob, URL.createObjectURL(blob));
        return h('figure', {},
          h('img', {src: urls.get(blob), alt: t('phone.photo.alt', {n: n + 1})}),
          h('button', {class: 'ph-photo-remove', type: 'button', 'aria-label': t('phone.photo.remove', {n: n + 1}),
            onclick: () => { blobs.splice(n, 1); draw(); onChange([...blobs]); }}, icon('x')));
      }),
      ...(blobs.length < max ? [shutter()] : []),
    );
  };
  const shutter = () => {
    const input = h('input', {type: 'file', accept: 'image/*', capture: 'environment', class: 'ph-hidden-input', id: 'ph-photo',
      onchange: async () => {
        const [file] = input.files;
        input.value = '';
        if (!file) return;
        label.classList.add('is-busy');
        try {
          blobs.push(await shrink(file, number));
          onChange([...blobs]);
        } catch {
          onWrong(t('phone.photo.unreadable'));
        }
        draw();
      }});
    const words = blobs.length ? t('phone.photo.more') : t(required ? 'phone.photo.required' : 'phone.photo.add');
    const label = h('label', {class: `ph-shutter${blobs.length ? ' is-small' : ''}`}, input, icon('image-plus'), h('span', {}, words));
    return label;
  };
  draw();
  return strip;
}
