// 落点: choosing one that waits, taking a candidate or a point of the map into the form.

import {createMap} from '../citymap.mjs';
import {lang} from '../text.mjs';
import {ready, setProps, tell} from './dom.mjs';
import {startShell} from './shell.mjs';

startShell();
await ready('places-list');
const map = await createMap(await ready('places-map'), {lang, remember: '/places'});

/** Put a point into the form and show it. */
function take({lon, lat, address}) {
  setProps('places-lon', {value: Number(lon)});
  setProps('places-lat', {value: Number(lat)});
  if (address) setProps('places-address', {value: address});
  map?.focus('place', 'places', {lon: Number(lon), lat: Number(lat)});
}

document.addEventListener('click', async ({target}) => {
  const hit = target.closest('[data-unplaced],[data-lon],[data-pick]');
  if (!hit) return;
  if (hit.dataset.unplaced) {
    for (const line of document.querySelectorAll('.places__line.is-on')) line.classList.remove('is-on');
    hit.classList.add('is-on');
    tell('places-chosen', {id: Number(hit.dataset.unplaced)});
    setProps('places-lon', {value: null});
    setProps('places-lat', {value: null});
  } else if (hit.dataset.lon) take(hit.dataset);
  else {
    const point = await map?.pickPoint();
    if (point) take(point);
  }
});
tell('places-again', {});
document.documentElement.dataset.ready = 'places';
