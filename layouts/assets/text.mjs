// The text catalogue in the browser: the same JSON files as layouts/text.py, merged by the server at
// /assets/text/<lang>.json. Importing this module waits until the texts are there (top-level await).
//   import {t, lang, setLanguage} from './text.mjs';   t('age.minutes', {n: 3})

const COOKIE = 'chengyun_lang';
const LANGUAGES = ['zh', 'en'];

function cookieLanguage() {
  const m = document.cookie.match(/(?:^|;\s*)chengyun_lang=(\w+)/);
  return m && LANGUAGES.includes(m[1]) ? m[1] : null;
}

/** The language of the page: what the server rendered (<html lang>), else the cookie, else Chinese. */
export const lang = (() => {
  const shown = (document.documentElement.lang || '').toLowerCase().split('-')[0];
  return LANGUAGES.includes(shown) ? shown : (cookieLanguage() ?? 'zh');
})();

async function load() {
  for (let wait = 250; ; wait = Math.min(wait * 2, 5000)) {
    try {
      const reply = await fetch(`/assets/text/${lang}.json`, {credentials: 'same-origin'});
      if (reply.ok) return await reply.json();
    } catch { /* the server is away: keep trying, a page without words is useless */ }
    await new Promise((done) => setTimeout(done, wait));
  }
}

// A module can be evaluated twice (Dash adds ?m=… to script tags, imports do not): share one catalogue.
const shared = (globalThis.chengyun ??= {});
shared.text ??= load();
const texts = await shared.text;

/** Text of `key` with {slots} filled. Throws for an unknown key or a slot without a value, as in Python. */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`text '${key}' is missing in '${lang}'`);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    if (!(name in values)) throw new Error(`text '${key}' needs a value for {${name}}`);
    return String(values[name]);
  });
}

/** True when the catalogue has `key` (for words that are data, such as device types). */
export const has = (key) => key in texts;

/** Keep the choice for a year and show the page anew in that language. */
export function setLanguage(code) {
  if (!LANGUAGES.includes(code)) throw new Error(`language '${code}': must be one of ${LANGUAGES.join(', ')}`);
  document.cookie = `${COOKIE}=${code}; path=/; max-age=31536000; samesite=lax`;
  location.reload();
}

const pad = (n) => String(n).padStart(2, '0');

/** A length of time in words: seconds → "45 秒", "12 分", "3 小时 5 分", "2 天 4 小时". */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t('span.seconds', {n: s});
  if (s < 3600) return t('span.minutes', {n: Math.floor(s / 60)});
  if (s < 86400) return t('span.hours', {h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60)});
  return t('span.days', {d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600)});
}

/** How long ago in words: seconds → "刚刚", "12 秒前", "3 分钟前". */
export function ago(seconds) {
  if (!Number.isFinite(seconds)) return t('age.unknown');
  const s = Math.floor(Math.max(0, seconds));
  if (s < 5) return t('age.now');
  if (s < 60) return t('age.seconds', {n: s});
  if (s < 3600) return t('age.minutes', {n: Math.floor(s / 60)});
  if (s < 86400) return t('age.hours', {n: Math.floor(s / 3600)});
  return t('age.days', {n: Math.floor(s / 86400)});
}

const zone = document.documentElement.dataset.timezone || 'Asia/Shanghai';
const parts = new Intl.DateTimeFormat('en-CA', {
  timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit',
  hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});

/** City time as text ("2026-11-21 16:05:09.5", its tail may be missing), as charts have it, → epoch milliseconds. */
export function cityMs(text) {
  const [, y, month, d, h = 0, m = 0, s = 0] = /^(\d+)-(\d+)-(\d+)(?:[ T](\d+)(?::(\d+)(?::([\d.]+))?)?)?/.exec(text).map((x) => (x === undefined ? x : Number(x)));
  const wall = Date.UTC(y, month - 1, d, h, m, Math.floor(s));
  const ahead = (ms) => { const c = cityTime(ms); return Date.parse(`${c.date}T${c.clock}Z`) - ms; };
  return wall - ahead(wall - ahead(wall)); // twice: near a change of the clocks the first guess has the other offset
}

/** Epoch milliseconds → {date: "2026-11-21", time: "16:05", clock: "16:05:09", short: "11-21 16:05"} in city time. */
export function cityTime(ms) {
  const p = Object.fromEntries(parts.formatToParts(ms).map((x) => [x.type, x.value]));
  const date = `${p.year}-${p.month}-${p.day}`;
  const time = `${pad(+p.hour)}:${p.minute}`;
  return {date, time, clock: `${time}:${p.second}`, short: `${p.month}-${p.day} ${time}`};
}
