// 接报 in the browser: opening, keys, the running clock, picking a place on the map, what Dash cannot hear by itself.

import {t} from '../text.mjs';
import {memory, put, ready, setProps, show, tell, throttle} from './dom.mjs';
import {toast} from './shell.mjs';

const FIELDS = {'intake-text': '', 'intake-class': null, 'intake-address': '', 'intake-name': '', 'intake-phone': '', 'intake-level': 0};

export class Intake {
  #form;
  #map;
  #began = 0;
  #chosen = false; // the operator chose a class: suggestions no longer do

  constructor(form, map) {
    this.#form = form;
    this.#map = map;
    const typed = throttle((text) => tell('intake-typed', {text}), 350);
    // Not dcc.Input's own debounce: it sets the caret back under quick fingers, and characters change places.
    const sought = throttle((text) => { if (document.activeElement?.id === 'intake-address') tell('intake-place-typed', {text}); }, 250);
    form.addEventListener('input', ({target}) => {
      if (target.id === 'intake-text') typed(target.value.trim());
      else if (target.id === 'intake-address') sought(target.value.trim());
    });
    form.addEventListener('click', (event) => this.#click(event));
    form.addEventListener('keydown', (event) => this.#key(event));
    // The best suggestion becomes the class as long as the operator has not chosen one: one step less.
    new MutationObserver(() => this.#offer()).observe(form.querySelector('#intake-suggest'), {childList: true});
    setInterval(() => { if (!form.hidden) put(form.querySelector('[data-intake-clock]'), this.#clock()); }, 1000);
  }

  get open() { return !this.#form.hidden; }

  start() {
    if (this.open) return this.#form.querySelector('#intake-text').focus();
    this.#began = performance.now();
    this.#clear();
    show(this.#form, true);
    this.#form.parentElement.classList.add('is-intake');
    const text = this.#form.querySelector('#intake-text');
    text.focus();
    // A page that could not focus yet does so with its next frame, but never takes the focus from a quicker operator.
    requestAnimationFrame(() => this.#form.contains(document.activeElement) || text.focus());
  }

  close() {
    show(this.#form, false);
    this.#form.parentElement.classList.remove('is-intake');
    this.#map?.select(null);
  }

  #clear() {
    for (const [id, value] of Object.entries(FIELDS)) setProps(id, {value});
    for (const id of ['intake-suggest', 'intake-places', 'intake-where', 'intake-similar']) setProps(id, {children: []});
    this.#chosen = false;
    tell('intake-point', null);
    tell('intake-typed', null);
    tell('intake-place-typed', null);
    // One key per taken call: a second press of the button, or a retry, files nothing twice.
    setProps('intake-key', {data: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`});
  }

  #clock() {
    const s = Math.floor((performance.now() - this.#began) / 1000);
    return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
  }

  #offer() {
    const best = this.#form.querySelector('[data-class-choice]');
    if (!this.#chosen) setProps('intake-class', {value: best?.dataset.classChoice ?? null});
    this.#marks();
  }

  #marks(code) {
    for (const chip of this.#form.querySelectorAll('[data-class-choice]')) chip.classList.toggle('is-on', code ? chip.dataset.classChoice === code : chip === this.#form.querySelector('[data-class-choice]'));
  }

  async #click({target}) {
    const hit = target.closest('[data-intake-close],[data-intake-pick],[data-class-choice],[data-place],#intake-class');
    if (!hit) return;
    if (hit.id === 'intake-class') this.#chosen = true;
    else if ('intakeClose' in hit.dataset) this.close();
    else if ('intakePick' in hit.dataset) this.pick();
    else if (hit.dataset.classChoice) {
      this.#chosen = true;
      setProps('intake-class', {value: hit.dataset.classChoice});
      this.#marks(hit.dataset.classChoice);
    } else this.#place(JSON.parse(hit.dataset.place));
  }

  /** A place chosen from the suggestions. */
  #place({lon, lat, name}) {
    setProps('intake-address', {value: name});
    this.#point({lon, lat});
    tell('intake-place-typed', null);
    this.#form.querySelector('#intake-name').focus();
  }

  #point({lon, lat}) {
    tell('intake-point', {lon, lat});
    this.#map?.focus('place', 'intake', {lon, lat});
  }

  /** Let the operator click the map. */
  async pick() {
    const point = await this.#map?.pickPoint();
    if (point) this.#point(point);
    this.#form.querySelector('#intake-name').focus();
  }

  #key(event) {
    const places = [...this.#form.querySelectorAll('[data-place]')];
    const at = places.indexOf(document.activeElement);
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.#form.querySelector('#intake-submit').click();
    } else if (event.key === 'Escape' && !event.defaultPrevented) this.close();
    else if (event.altKey && event.key.toLowerCase() === 'm') this.pick();
    else if (event.key === 'ArrowDown' && places.length && (at >= 0 || event.target.id === 'intake-address')) {
      event.preventDefault();
      places[Math.min(at + 1, places.length - 1)].focus();
    } else if (event.key === 'ArrowUp' && at >= 0) {
      event.preventDefault();
      (places[at - 1] ?? this.#form.querySelector('#intake-address')).focus();
    } else if (event.key === 'Enter' && event.target.id === 'intake-address' && places.length) {
      event.preventDefault();
      places[0].click();
    }
  }

  /** Python has filed it. */
  filed({number}) {
    memory.write('intake.last_s', Math.round((performance.now() - this.#began) / 1000));
    toast(t('intake.took', {number, span: this.#clock()}));
    this.close();
  }
}

export const intakeForm = async (map) => new Intake(await ready('intake'), map);
