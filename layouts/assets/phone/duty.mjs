// On duty: the position is shared only while the switch is on, at most every 15 s, and the screen says so.
// The browser's position is WGS-84, which is what the product stores (EPSG:4326).

import {post} from './api.mjs';
import {facts} from './facts.mjs';

const EVERY_MS = 15_000;
const ASK_AFTER_MS = 20_000;
const FRESH_MS = 60_000;
const KEY = `chengyun.duty.${facts.login}`;
const WATCH = {enableHighAccuracy: true, maximumAge: 10_000, timeout: 30_000};
const ONCE = {enableHighAccuracy: true, maximumAge: 15_000, timeout: 8_000};

let last = null;

const take = ({coords, timestamp}) => (last = {
  lon: coords.longitude, lat: coords.latitude, accuracy: coords.accuracy,
  speed_kmh: Number.isFinite(coords.speed) ? coords.speed * 3.6 : null, at: timestamp,
});

/** The newest known position {lon, lat, accuracy, at}, or null when there is none of the last minute. */
export const lastPosition = () => (last && Date.now() - last.at < FRESH_MS ? last : null);

/** One position now, asked for by something the user pressed; one of the last minute if there is no newer one.
 * Throws GeolocationPositionError. */
export function locateOnce(timeout = ONCE.timeout) {
  const known = lastPosition();
  if (known && Date.now() - known.at < ONCE.maximumAge) return Promise.resolve(known);
  return new Promise((done, failed) => {
    const missed = (error) => (lastPosition() ? done(lastPosition()) : failed(error));
    if (!navigator.geolocation) failed({code: 2});
    else navigator.geolocation.getCurrentPosition((p) => done(take(p)), missed, {...ONCE, timeout});
  });
}

/** Metres between two points (haversine, mean Earth radius). */
export function metres(a, b) {
  const rad = Math.PI / 180;
  const s = Math.sin(((b.lat - a.lat) * rad) / 2) ** 2 +
    Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(((b.lon - a.lon) * rad) / 2) ** 2;
  return 2 * 6_371_008 * Math.asin(Math.sqrt(s));
}

class Duty extends EventTarget {
  #watch = null;
  #timer = null;
  #sentAt = 0;
  /** "" | "denied" | "unavailable" | "unsent" */
  fault = '';
  /** Browser time (ms) of the last position the server took; null before. */
  sharedAt = null;

  get on() { return this.#watch !== null; }

  /** Go on as it was before the page was closed. */
  resume() {
    if (facts.rights.position && localStorage.getItem(KEY) === 'on') this.begin();
  }

  begin() {
    if (this.on || !navigator.geolocation) {
      if (!navigator.geolocation) this.#say('unavailable');
      return;
    }
    localStorage.setItem(KEY, 'on');
    this.#watch = navigator.geolocation.watchPosition(
      (p) => { take(p); if (this.fault !== 'unsent') this.fault = ''; this.#share(); },
      (error) => this.#failed(error), WATCH);
    this.#timer = setInterval(() => this.#keepUp(), EVERY_MS);
    this.#say('');
  }

  end() {
    navigator.geolocation?.clearWatch(this.#watch);
    clearInterval(this.#timer);
    this.#watch = null;
    localStorage.setItem(KEY, 'off');
    this.#say('');
  }

  #failed(error) {
    if (error.code === 1) {
      this.end();
      this.#say('denied');
    } else this.#say('unavailable');
  }

  /** Of a worker who stands still a browser may report nothing for minutes: then it is asked. */
  async #keepUp() {
    if (!last || Date.now() - last.at > ASK_AFTER_MS) {
      try {
        await locateOnce();
      } catch (error) {
        if (this.on) this.#failed(error);
        return;
      }
    }
    this.#share();
  }

  async #share() {
    const here = lastPosition();
    if (!this.on || !here || Date.now() - this.#sentAt < EVERY_MS - 500) {
      this.#tell();
      return;
    }
    this.#sentAt = Date.now();
    try {
      await post('/api/v1/position', {
        lon: here.lon, lat: here.lat, accuracy_m: here.accuracy, speed_kmh: here.speed_kmh,
      });
      this.sharedAt = Date.now();
      this.#say('');
    } catch {
      this.#say('unsent'); // a position is worth nothing later: the next one is sent, this one is not queued
    }
  }

  #say(fault) {
    this.fault = fault;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}

export const duty = new Duty();
