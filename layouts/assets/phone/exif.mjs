// Time and place written into a JPEG as cameras write them (EXIF 2.32, big-endian): a canvas drops what the camera wrote,
// and the stamp in the picture cannot be read by a machine. The server keeps both beside the photo.

const ASCII = 2;
const LONG = 4;
const RATIONAL = 5;
const SIZE = {[ASCII]: 1, [LONG]: 4, [RATIONAL]: 8};

const ascii = (tag, text) => ({tag, type: ASCII, count: text.length + 1, bytes: [...text].map((c) => c.charCodeAt(0)).concat(0)});
const u32 = (n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const u16 = (n) => [(n >>> 8) & 255, n & 255];
const rationals = (tag, values) => ({tag, type: RATIONAL, count: values.length, bytes: values.flatMap(([n, d]) => [...u32(n), ...u32(d)])});
const pointer = (tag, to) => ({tag, type: LONG, count: 1, bytes: u32(to)});

/** A directory at `offset` of the TIFF block: entries, then the values that do not fit into them. */
function directory(entries, offset) {
  const head = [...u16(entries.length)];
  let behind = [];
  const begin = offset + 2 + entries.length * 12 + 4;
  for (const {tag, type, count, bytes} of entries) {
    head.push(...u16(tag), ...u16(type), ...u32(count));
    if (count * SIZE[type] <= 4) head.push(...bytes, ...Array(4 - bytes.length).fill(0));
    else {
      head.push(...u32(begin + behind.length));
      behind = behind.concat(bytes);
      if (behind.length % 2) behind.push(0);
    }
  }
  return [...head, ...u32(0), ...behind];
}

/** Degrees as the three rationals of EXIF. */
function degrees(value) {
  const hundredths = Math.round(Math.abs(value) * 3_600_000); // thousandths of a second: 3 cm
  return [[Math.floor(hundredths / 3_600_000), 1], [Math.floor(hundredths / 60_000) % 60, 1], [hundredths % 60_000, 1000]];
}

/** The same JPEG with time (`date` "2026-11-30", `clock` "14:05:09", of the city) and `place` {lon, lat} or null. */
export async function withExif(jpeg, {date, clock, place}) {
  const taken = [ascii(0x9003, `${date.replaceAll('-', ':')} ${clock}`)];
  const gps = place ? [
    ascii(1, place.lat < 0 ? 'S' : 'N'), rationals(2, degrees(place.lat)),
    ascii(3, place.lon < 0 ? 'W' : 'E'), rationals(4, degrees(place.lon)),
  ] : [];
  const first = 8;
  const count = gps.length ? 2 : 1;
  const second = first + 2 + count * 12 + 4;
  const exif = directory(taken, second);
  const third = second + exif.length;
  const root = directory([pointer(0x8769, second), ...(gps.length ? [pointer(0x8825, third)] : [])], first);
  const tiff = [0x4d, 0x4d, 0, 42, ...u32(first), ...root, ...exif, ...(gps.length ? directory(gps, third) : [])];
  const block = [0x45, 0x78, 0x69, 0x66, 0, 0, ...tiff]; // "Exif\0\0"
  const segment = new Uint8Array([0xff, 0xe1, ...u16(block.length + 2), ...block]);
  return new Blob([jpeg.slice(0, 2), segment, jpeg.slice(2)], {type: 'image/jpeg'}); // right behind the start of image
}
