// What bench `map` runs in every page with a MapLibre map: the product's, and the bare one. `window.bench` is made
// by `probe(map)`; every figure is in milliseconds until the frame is really drawn (a pixel of it has been read back).

const DEVICE_LAYERS = ['device-dot', 'device-density'];

/** The next frame, drawn to its last pixel: performance.now() after reading one back. */
const drawn = (map) => new Promise((done) => {
  map.once('render', () => {
    const gl = map.painter.context.gl;
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits for the renderer
    done(performance.now());
  });
  map.triggerRepaint();
});

const idle = (map) => new Promise((done) => {
  map.once('idle', done);
  map.triggerRepaint();
});

export function probe(map, {states, move, live = null}) {
  const dots = () => map.queryRenderedFeatures({layers: DEVICE_LAYERS.filter((id) => map.getLayer(id))});
  const keys = () => [...new Set(dots().map((f) => f.properties.key).filter(Boolean))];
  // What the layer paints where a device has no state of its own: the product says the usual status once, for all.
  const usual = () => JSON.stringify(map.getLayer('device-dot').serialize()).match(/\["coalesce",\["feature-state","status"\],"(\w*)"\]/)?.[1];
  const stateOf = (id) => map.getFeatureState({source: 'devices', sourceLayer: 'devices', id}).status ?? usual();
  return {
    map,
    async look(center, zoom) { map.jumpTo({center, zoom}); await idle(map); return keys().length; },
    keys,
    /** Set `status` of these devices the page's own way: {script_ms, drawn_ms, right}. */
    async states(ids, status) {
      const begun = performance.now();
      const script_ms = await states(ids, status);
      const drawn_ms = await drawn(map) - begun;
      const shown = new Map(dots().map((f) => [f.properties.key, f.state.status ?? usual()]));
      return {script_ms, drawn_ms, right: ids.every((id) => stateOf(id) === status && (!shown.has(id) || shown.get(id) === status))};
    },
    /** Move units: `units` is [[key, lon, lat]]. {drawn_ms, right}: right when the map shows every one of them where it is. */
    async move(units) {
      const begun = performance.now();
      await move(units);
      const at = new Map(units.map(([key, lon, lat]) => [key, [lon, lat]]));
      let right = false;
      let end = begun;
      while (!right && end - begun < 10_000) {
        end = await drawn(map);
        const seen = map.querySourceFeatures('workers');
        const found = new Map(seen.map((f) => [f.properties.key, f.geometry.coordinates]));
        right = [...found].length > 0 && [...found].every(([key, [lon, lat]]) => {
          const [x, y] = at.get(key) ?? [];
          return Math.abs(x - lon) < 2e-4 && Math.abs(y - lat) < 2e-4;
        });
      }
      return {drawn_ms: end - begun, right, shown: map.querySourceFeatures('workers').length};
    },
    /** Drag the map for `frames` frames: milliseconds of each, drawn. */
    async pan(frames) {
      const times = [];
      let before = await drawn(map);
      for (let i = 0; i < frames; i += 1) {
        const turn = Math.floor(i / 20) % 2 ? -1 : 1;
        map.panBy([9 * turn, 4 * turn], {duration: 0});
        const now = await drawn(map);
        times.push(now - before);
        before = now;
      }
      return times;
    },
  };
}

/** Milliseconds since the navigation began, once the map is there, drawn and at rest, and `also()` holds. */
export async function firstPicture(find, also = () => true) {
  let map = null;
  while (!(map = find())) await new Promise((next) => requestAnimationFrame(next));
  for (;;) {
    if (map.isStyleLoaded?.() && map.loaded() && also(map)) {
      const shown = map.queryRenderedFeatures({layers: DEVICE_LAYERS.filter((id) => map.getLayer(id))}).length;
      const land = map.getLayer('land') && map.queryRenderedFeatures({layers: ['land']}).length;
      if (shown && land) return drawn(map);
    }
    await new Promise((next) => { map.once('render', next); setTimeout(next, 50); });
  }
}
