// The wall's alarm. Muting is the desk's (a wall has no buttons); where the browser allows no sound without a touch the wall
// says so. (A kiosk browser is started with --autoplay-policy=no-user-gesture-required.)

import {strike} from '../chime.mjs';

const EVERY_MS = 2600;

let audio = null;
let timer = null;
let worst = null; // level of what rings
let muted = false;

const open = () => {
  audio ??= new AudioContext();
  audio.resume().catch(() => {});
};

/** 'on' | 'muted' | 'locked' (the browser allows no sound yet). */
export const soundState = () => (muted ? 'muted' : audio?.state === 'running' ? 'on' : 'locked');

function ring() {
  clearTimeout(timer);
  timer = null;
  if (worst === null) return;
  if (!muted) strike(audio, worst);
  timer = setTimeout(ring, EVERY_MS);
}

/** What rings now (level, null for nothing) and whether the desk muted this screen. */
export function sound(level, isMuted) {
  const begins = worst === null && level !== null;
  worst = level;
  muted = isMuted;
  if (begins || level === null) ring();
}

export function startSound() {
  open();
  for (const gesture of ['pointerdown', 'keydown']) addEventListener(gesture, open, {capture: true});
}
