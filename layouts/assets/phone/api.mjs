// Questions and commands over HTTP. Three ways to fail, and the difference matters to the queue:
//   Unreachable  no answer: nobody knows whether it arrived; the same key may be sent again
//   Busy         the server answered that it cannot now (5xx, 429): later, others may pass
//   Refused      the server answered no, with a reason: never again as it is

import {live} from '../live.mjs';
import {has, t} from '../text.mjs';

const TIMEOUT_MS = 15_000;
/** A question over a link that is known to be bad: what is kept is shown soon. */
const HURRIED_MS = 5_000;
/** A photo may take long over a weak link; a link over which nothing moves is none. */
const STALLED_MS = 20_000;
const ANSWER_MS = 120_000; // after the last byte was given to the phone: the slowest links need as long for a photo

export class Unreachable extends Error {}
export class Busy extends Error {}
export class SessionOver extends Error {}

export class Refused extends Error {
  /** `code`: forbidden, stale, stage, field, not_found, rule …; `facts`: who was first, the stage now. */
  constructor(status, {code = '', message = '', field = '', ...facts} = {}) {
    super(message || `HTTP ${status}`);
    Object.assign(this, {status, code, field, facts});
  }

  /** The refusal in the user's words; the server's own sentence (field, value, rule) is `message`. */
  get words() {
    const {first, first_action: action} = this.facts;
    if (first && action && has(`action.${action}`)) return t('error.stage', {first, action: t(`action.${action}`)});
    if (this.code === 'field' && this.field) {
      const name = has(`word.${this.field}`) ? t(`word.${this.field}`) : this.field;
      return t('error.field', {field: name});
    }
    if (has(`phone.refused.${this.code}`)) return t(`phone.refused.${this.code}`);
    return has(`error.${this.code}`) ? t(`error.${this.code}`) : t('phone.refused.other', {status: this.status});
  }
}

const cookie = (name) => document.cookie.match(`(?:^|;\\s*)${name}=([^;]*)`)?.[1] ?? '';
/** The channel goes into the timeline: the phone is not just any program that uses the API. */
const marks = () => ({'X-Chengyun-Channel': 'phone', 'X-CSRF-Token': decodeURIComponent(cookie('chengyun_csrf'))});

function judge(status, text) {
  let body;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null;
  }
  if (status >= 200 && status < 300) return body;
  const code = body?.code;
  if (status === 401 || code === 'password') {
    window.dispatchEvent(new Event('session-over'));
    throw new SessionOver();
  }
  // The token belongs to the session, not to what was sent: with the next one it will be taken.
  if (code === 'csrf') throw new Busy(code);
  if (status >= 500 || status === 429 || status === 408) throw new Busy(`HTTP ${status}`);
  throw new Refused(status, body ?? {});
}

async function call(path, options = {}) {
  let reply;
  let text;
  try {
    reply = await fetch(path, {
      credentials: 'same-origin', cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS), ...options,
    });
    text = await reply.text();
  } catch (error) {
    throw new Unreachable(error.message);
  }
  return judge(reply.status, text);
}

/** Ask a query: its answer as JSON. */
export function ask(name, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const search = new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
  const patience = live.status === 'live' ? TIMEOUT_MS : HURRIED_MS;
  return call(`/api/v1/queries/${name}${given.length ? `?${search}` : ''}`, {signal: AbortSignal.timeout(patience)});
}

/** POST JSON with the CSRF token: a command, a position. */
export const post = (path, body) =>
  call(path, {method: 'POST', headers: {'Content-Type': 'application/json', ...marks()}, body: JSON.stringify(body)});

export const command = (name, body) => post(`/api/v1/commands/${name}`, body);

/** Send a photo; `onProgress` gets 0…1. Answers its sha256. (XMLHttpRequest: fetch tells no upload progress.) */
export function upload(blob, onProgress = () => {}) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/v1/photos');
    for (const [name, value] of Object.entries(marks())) request.setRequestHeader(name, value);
    let stall = setTimeout(() => request.abort(), STALLED_MS);
    request.upload.onprogress = (event) => {
      clearTimeout(stall);
      // Bytes count as sent when the phone has them in its buffer: the last of them still take their time.
      stall = setTimeout(() => request.abort(), event.loaded < event.total ? STALLED_MS : ANSWER_MS);
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onloadend = () => clearTimeout(stall);
    request.onload = () => {
      try {
        done(judge(request.status, request.responseText).sha256);
      } catch (error) {
        failed(error);
      }
    };
    request.onerror = request.onabort = () => failed(new Unreachable('photo'));
    const form = new FormData();
    form.append('file', blob, 'photo.jpg');
    request.send(form);
  });
}

/** A key nobody else makes; kept until the server has answered, so that a retry never doubles. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // plain http on a LAN has no randomUUID
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Photos and other things a browser may load by itself. */
export const photoUrl = (sha256) => `/api/v1/photos/${encodeURIComponent(sha256)}`;
