// 标绘 on the phone: the map under a fixed cross with everybody's marks; points are set under the cross. Needs signal: a mark is
// of the moment, and one that arrives an hour later would mislead.

import {live} from '../live.mjs';
import {span, t} from '../text.mjs';
import {Refused, command, newKey} from './api.mjs';
import {fill, h, icon} from './dom.mjs';
import {facts} from './facts.mjs';
import {lastPosition} from './duty.mjs';
import {toast} from './parts.mjs';

const SHAPES = {point: [1, 1], line: [2, 60], polygon: [3, 60]};
const MINUTES = 120;

export async function marksPage(page) {
  page.title(t('marks.panel'));
  const host = h('div', {class: 'ph-pick ph-marks'}, h('p', {class: 'cy-empty'}, t('ui.loading')));
  const word = h('input', {class: 'cy-input', type: 'text', maxlength: 40, placeholder: t('marks.word'), 'aria-label': t('marks.word')});
  const list = h('div', {class: 'ph-marks__list'});
  let shape = 'point';
  let points = [];
  let map = null;
  let asked = {what: '', key: ''}; // the drawing that was sent last, and its key
  const shapes = h('div', {class: 'cy-segment', role: 'group'}, Object.keys(SHAPES).map((name) =>
    h('button', {type: 'button', dataset: {shape: name}, onclick: () => choose(name)}, t(`marks.${name}`))));
  const add = h('button', {class: 'cy-button', type: 'button', onclick: () => put()}, icon('plus'), h('span', {}, t('marks.add')));
  const done = h('button', {class: 'cy-button cy-button--primary ph-primary', type: 'button', disabled: true, onclick: () => send()}, icon('check'), h('span', {}, t('marks.done')));

  function draw() {
    for (const button of shapes.children) button.setAttribute('aria-pressed', String(button.dataset.shape === shape));
    add.hidden = shape === 'point';
    done.disabled = !map || (shape !== 'point' && points.length < SHAPES[shape][0]);
    map?.draft(points.length ? shape : null, points);
  }
  function choose(name) { shape = name; points = []; draw(); }
  function put() {
    if (map && points.length < SHAPES[shape][1]) points.push(map.centre());
    draw();
  }
  async function send() {
    if (!word.value.trim()) {
      toast(t('marks.word_needed'), 'warn');
      return word.focus();
    }
    done.disabled = true;
    try {
      const drawn = {shape, points: shape === 'point' ? [map.centre()] : points, word: word.value.trim(), minutes: MINUTES};
      if (JSON.stringify(drawn) !== asked.what) asked = {what: JSON.stringify(drawn), key: newKey()};
      await command('draw_mark', {...drawn, key: asked.key}); // pressed again without an answer, it is still the same mark
      asked = {what: '', key: ''};
      word.value = '';
      points = [];
    } catch (error) {
      toast(error instanceof Refused ? error.words : t('marks.needs_signal'), 'wrong');
    }
    return draw();
  }
  async function clear(mark) {
    try {
      await command('clear_mark', {mark});
    } catch (error) {
      toast(error instanceof Refused ? error.words : t('marks.needs_signal'), 'wrong');
    }
  }

  fill(page.main, host, shapes, word, list);
  page.foot(add, done);
  draw();
  try {
    const {openMarks} = await import('./place.mjs');
    if (!page.open) return;
    host.replaceChildren();
    map = await openMarks(host, lastPosition(), page);
  } catch {
    fill(host, h('p', {class: 'cy-empty'}, t('phone.map.unreachable')));
    return;
  }
  const drawList = () => fill(list, map.standing().map((m) => h('div', {class: 'ph-marks__one'},
    h('span', {}, m.word), h('span', {class: 'cy-dim'}, `${m.name} · ${t('marks.left', {span: span((m.ends_at - live.now()) / 1000)})}`),
    m.by === facts.login && h('button', {class: 'cy-button', type: 'button', dataset: {clearMark: m.mark}, onclick: () => clear(m.mark)}, t('marks.clear')))));
  page.listen(live, 'applied', ({detail}) => { if (detail.replaced || detail.changed.some(([kind]) => kind === 'mark')) drawList(); });
  page.every(30_000, drawList);
  drawList();
  draw();
}
