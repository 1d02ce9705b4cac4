// What a screen shows now, and why: the same for the screen itself and for the desks that look at what it shows. Pure.
//
//   showing(screen, ringing, now) → {scene, incident, camera, center, zoom, width_px, layers, why, taken}
//   screen   the live item (data/screens.py); {} for a wall that an account opened
//   ringing  [{item, since}] open incidents of level I or II that nobody has acknowledged, and since when (ms) they ring
//   why      'taken' an incident took it over · 'sent' a desk sent it · 'pinned' · 'rotation' · 'scene'

export const TAKEN_MS = 10 * 60_000; // an incident that rings for longer has been seen: the wall goes back to its scene

const PLAIN = {incident: null, camera: '', center: null, zoom: null, width_px: null, layers: [], taken: null};

/** The scene of a rotation at `now`: counted from its beginning, so that every wall and every desk says the same. */
export function turn({scenes, seconds, since_ms: since}, now) {
  return scenes[Math.floor(Math.max(0, now - since) / (seconds * 1000)) % scenes.length];
}

export function showing(screen, ringing, now) {
  const sent = screen.sent_ms ?? 0;
  if (!screen.pinned) {
    // Whoever sent something after it began to ring knows of it and wants something else.
    const takes = ringing.filter(({since}) => since > sent && now - since < TAKEN_MS)
      .sort((a, b) => a.item.level - b.item.level || b.since - a.since);
    if (takes.length) return {...PLAIN, scene: 'emergency', incident: Number(takes[0].item.key), why: 'taken', taken: takes[0].item};
  }
  if (sent) {
    const {scene, incident, camera, center, zoom, width_px, layers} = screen;
    return {...PLAIN, scene, incident, camera, center, zoom, width_px, layers, why: 'sent'};
  }
  if (screen.pinned) return {...PLAIN, scene: screen.scene ?? 'overview', why: 'pinned'};
  if (screen.seconds) return {...PLAIN, scene: turn(screen, now), why: 'rotation'};
  return {...PLAIN, scene: screen.scene ?? 'overview', why: 'scene'};
}

/** Since when incidents ring. What rings when the page opens rings since it was reported or said again; what begins
 * later begins now, whenever it was reported: its level may have been raised. */
export class Ringing {
  #since = new Map();
  #first = true;

  /** `items`: those that ring now. Answers [{item, since}]. */
  update(items, now) {
    const found = new Map();
    for (const item of items) {
      const begun = this.#first ? Math.max(item.reported_at ?? 0, item.said_again_at ?? 0) : now;
      found.set(item.key, this.#since.get(item.key) ?? begun);
    }
    this.#since = found;
    this.#first = false;
    return items.map((item) => ({item, since: found.get(item.key)}));
  }
}
