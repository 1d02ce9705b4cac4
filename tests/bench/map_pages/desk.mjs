// Put into the product's own desk page: reaches its map by the handle it leaves for the console, and tells its live
// client what the server's stream would. What is measured is what the page does with it: every listener of it.

import {firstPicture, probe} from '/bench/probe.mjs';

// `window.benchStream` is the page's newest EventSource (bench_map.py keeps it from the first script on).
const find = () => globalThis.chengyun?.map?.map ?? null;
window.firstPicture = firstPicture(find, () => globalThis.chengyun.live.ready);
window.ready = window.firstPicture.then(() => {
  const {live} = globalThis.chengyun;
  const tell = live.dispatchEvent.bind(live);
  let heard = null;
  live.dispatchEvent = (event) => { // how long all listeners of a delta took, map, list and panels together
    const begun = performance.now();
    const result = tell(event);
    if (event.type === 'applied') heard?.(performance.now() - begun);
    return result;
  };
  const applied = async (set) => {
    const taken = new Promise((done) => { heard = done; });
    const delta = {epoch: live.epoch, n: live.n + 1, prev: live.n, set, del: []};
    window.benchStream.dispatchEvent(new MessageEvent('delta', {data: JSON.stringify(delta)}));
    const spent = await taken;
    heard = null;
    return spent;
  };
  window.bench = probe(find(), {
    states: (ids, status) => applied(ids.map((key) => ({...live.get('device', key), kind: 'device', key, status, t: Date.now()}))),
    move: (units) => applied(units.map(([key, lon, lat]) => ({kind: 'worker', key, name: key, area: '990100/', unit: '', lon, lat, t: Date.now()}))),
  });
});
