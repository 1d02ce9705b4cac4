// The panel beside the map in which its tools answer: one at a time, closed by its button or by the next tool.

import {el, icon} from '../desk/dom.mjs';
import {refusal} from '../refusal.mjs';
import {t} from '../text.mjs';

export class SidePanel {
  #box;
  #title;
  #body;
  #onClose = null;

  constructor(host, map) {
    this.map = map;
    this.host = host;
    this.#title = el('h2.cy-panel__title');
    this.#body = el('div.cy-panel__body');
    const close = el('button.cy-button.cy-button--icon.cy-button--ghost.cy-button--small', {type: 'button', title: t('map.close'), onclick: () => this.close()}, icon('x'));
    this.#box = el('section.map-side.cy-panel.cy-panel--float', {hidden: true}, el('div.cy-panel__head', {}, this.#title, el('span.cy-panel__note', {}, close)), this.#body);
    host.append(this.#box);
  }

  /** Show `nodes` under `title`; what was shown before is closed. `onClose` tidies the map up. */
  open(title, nodes, onClose = null) {
    this.close();
    this.#onClose = onClose;
    this.#title.textContent = title;
    this.#body.replaceChildren(...nodes.filter(Boolean));
    this.#box.hidden = false;
    return this.#body;
  }

  /** Other contents for what is open. */
  fill(nodes) {
    this.#body.replaceChildren(...nodes.filter(Boolean));
  }

  close() {
    if (this.#box.hidden) return;
    this.#box.hidden = true;
    const tidy = this.#onClose;
    this.#onClose = null;
    tidy?.();
  }
}

/** Ask a query of the server: {ok, body}; `body.message` says what was wrong. */
export async function ask(name, params, signal) {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== '');
  try {
    const reply = await fetch(`/api/v1/queries/${name}?${new URLSearchParams(given)}`, {
      credentials: 'same-origin', headers: {Accept: 'application/json'}, signal,
    });
    const body = await reply.json();
    return {ok: reply.ok, body: reply.ok ? body : {...body, message: refusal(body)}};
  } catch (error) {
    if (error?.name === 'AbortError') return {ok: false, body: {message: ''}, aborted: true};
    return {ok: false, body: {message: t('map.away')}};
  }
}

/** A line that says that something went wrong, in words. */
export const fault = (text) => el('p.map-note.is-wrong', {role: 'alert'}, text);
export const note = (text) => el('p.map-note', {}, text);

/** Metres in words: 240 m, 3.4 km. */
export function metres(m) {
  return m < 995 ? t('map.m', {n: Math.round(m)}) : t('map.km', {n: (m / 1000).toFixed(m < 9950 ? 2 : 1)});
}

/** A row that leads somewhere: name, small words below, something at its right; `go` when it is pressed. */
export function row(name, under, right, go, kind) {
  return el('button.cy-item.map-row', {type: 'button', onclick: go, dataset: {kind}},
    el('span.cy-item__main', {}, el('span', {}, name), under ? el('span.cy-item__sub', {}, under) : null),
    right ? el('span.cy-item__side.cy-num', {}, right) : null);
}

/** Go to a thing on the map and open what is known of it, as a click on it would. */
export function goTo(map, host, thing) {
  const at = {lon: thing.lon, lat: thing.lat};
  if (['incident', 'device', 'camera', 'component', 'worker'].includes(thing.kind)) {
    map.focus(thing.kind, thing.key, at);
    host.dispatchEvent(new CustomEvent('pick', {
      detail: {kind: thing.kind, key: thing.key, lngLat: [at.lon, at.lat], properties: {key: thing.key, name: thing.name}}, bubbles: true,
    }));
    return;
  }
  map.focus('place', thing.key || thing.name, at);
}
