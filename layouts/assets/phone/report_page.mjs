// 上报 in ≤ 20 s: class chip or a few words, place found by itself, photo if wanted, one button.

import {t} from '../text.mjs';
import {Refused, ask} from './api.mjs';
import {classes} from './catalogue.mjs';
import {fill, h, icon} from './dom.mjs';
import {effort} from './effort.mjs';
import {areaWords, cellAt} from './ground.mjs';
import {locateOnce} from './duty.mjs';
import {drafts} from './my_tasks.mjs';
import {append, named, phraseChips} from './parts.mjs';
import {photoField} from './photos.mjs';
import {voiceButton} from './voice.mjs';

const SUGGEST_AFTER_MS = 350;
const SHOWN = 5; // with "all classes" three rows of two
const DRAFT = 'report';
const RECENT = 'recent_classes';
const EMPTY = {text: '', class_code: '', photos: [], place: 'here', lon: null, lat: null, accuracy: null, address: ''};

/** Without signal: classes whose words occur in the text, most hits first. */
function matches(classes, text) {
  const scored = classes.map((c) => {
    const words = `${c.keywords ?? ''} ${c.name} ${c.name_en ?? ''}`.split(/[\s,，、;；]+/).filter(Boolean);
    return {c, hits: words.filter((word) => text.toLowerCase().includes(word.toLowerCase())).length};
  });
  return scored.filter((s) => s.hits).sort((a, b) => b.hits - a.hits).map((s) => s.c);
}

export async function reportPage(page, {queue, go}) {
  page.title(t('phone.report'));
  const worked = effort(page);
  const draft = {...EMPTY, ...(await drafts.get(DRAFT))};
  let known = [];
  let suggested = [];
  let searching = false;
  const recent = (await drafts.get(RECENT)) ?? []; // what this worker reports most is what is offered first
  const keep = () => drafts.put(DRAFT, draft);

  // --- place: found while the user is already choosing what it is
  const placeWords = h('span', {class: 'ph-place-words', 'aria-live': 'polite'});
  const placeLine = h('div', {class: 'ph-place-line'}, icon('locate-fixed'), placeWords);
  const address = h('input', {class: 'cy-input', id: 'ph-address', type: 'text', maxlength: 200, autocomplete: 'off', value: draft.address,
    placeholder: t('phone.report.address.hint'), oninput: () => { draft.address = address.value; keep(); wrong(''); }});
  const addressField = h('div', {class: 'cy-field', hidden: draft.place !== 'address'}, h('label', {class: 'cy-label', for: 'ph-address'}, t('word.address')), address);
  const choice = (kind, iconName, words) => h('button', {class: 'ph-seg', type: 'button', 'aria-pressed': String(draft.place === kind), dataset: {kind}, onclick: () => choosePlace(kind)}, icon(iconName), h('span', {}, words));
  const choices = h('div', {class: 'ph-segments', role: 'group', 'aria-label': t('word.place')},
    choice('here', 'locate-fixed', t('phone.report.here')), choice('map', 'map', t('phone.report.map')), choice('address', 'pencil', t('phone.report.address')));

  const sayPlace = async () => {
    for (const button of choices.children) button.setAttribute('aria-pressed', String(button.dataset.kind === draft.place));
    addressField.hidden = draft.place !== 'address';
    placeLine.hidden = draft.place === 'address';
    if (draft.lon === null || draft.place === 'address') return;
    const point = draft.place === 'here' && draft.accuracy ? t('phone.report.found', {m: Math.round(draft.accuracy)}) : t('phone.report.picked');
    placeWords.textContent = point;
    placeLine.dataset.found = draft.place;
    try {
      const {cell, areas} = await ask('locate', {lon: draft.lon, lat: draft.lat});
      const names = [areaWords(areas ?? []), cell].filter(Boolean).join(' ');
      if (names) placeWords.textContent = `${names} · ${point}`;
    } catch (error) {
      if (error instanceof Refused) placeWords.textContent = `${point} · ${error.words}`;
      else { // no signal: the point is enough, and the phone knows its own cells
        const kept = await cellAt(draft.lon, draft.lat);
        if (kept) placeWords.textContent = `${areaWords(kept.areas)} ${kept.code} · ${point}`;
      }
    }
  };
  const here = async () => {
    placeWords.textContent = t('phone.locating');
    delete placeLine.dataset.found;
    try {
      const found = await locateOnce();
      if (draft.place !== 'here') return;
      Object.assign(draft, {lon: found.lon, lat: found.lat, accuracy: found.accuracy});
      keep();
      await sayPlace();
    } catch (error) {
      if (draft.place !== 'here') return;
      Object.assign(draft, {lon: null, lat: null, accuracy: null});
      placeWords.textContent = t(error.code === 1 ? 'phone.locate.denied' : 'phone.locate.failed');
    }
  };
  const choosePlace = async (kind) => {
    draft.place = kind;
    keep();
    wrong('');
    if (kind === 'map') {
      await keep();
      go('#/report/place');
      return;
    }
    Object.assign(draft, {lon: null, lat: null, accuracy: null});
    await sayPlace();
    if (kind === 'here') here();
    else address.focus();
  };

  // --- what
  const area = h('textarea', {class: 'cy-textarea', id: 'ph-text', rows: 2, maxlength: 1000, value: draft.text, placeholder: t('phone.report.hint'),
    oninput: () => { draft.text = area.value; keep(); wrong(''); suggestSoon(); }});
  const chips = h('div', {class: 'ph-classes', role: 'radiogroup', 'aria-label': t('word.class')});
  const drawChips = () => {
    const chosen = known.find((c) => c.code === draft.class_code);
    const offered = suggested.length ? suggested : [...recent.map((code) => known.find((c) => c.code === code)).filter(Boolean), ...known];
    const shown = [...new Set(offered)].filter((c) => c !== chosen).slice(0, SHOWN - (chosen ? 1 : 0));
    const groups = [...new Set(known.map((c) => c.big_class))];
    const chip = (c) => h('button', {class: 'ph-class', type: 'button', role: 'radio', 'aria-checked': String(c.code === draft.class_code), dataset: {class: c.code}, onclick: () => choose(c)}, h('span', {}, named(c)));
    fill(chips,
      searching
        ? groups.map((name) => [h('span', {class: 'ph-class-group'}, name), known.filter((c) => c.big_class === name).map(chip)])
        : [chosen && chip(chosen), shown.map(chip)],
      known.length > SHOWN && h('button', {class: `ph-class ph-class-more${searching ? ' is-wide' : ''}`, type: 'button', onclick: () => { searching = !searching; suggested = []; drawChips(); }}, t(searching ? 'phone.report.fewer' : 'phone.report.all_classes', {n: known.length})));
  };
  const choose = (c) => {
    const same = draft.class_code === c.code;
    const before = known.find((x) => x.code === draft.class_code);
    draft.class_code = same ? '' : c.code;
    // A chosen class is already a sentence: the report can be sent with two taps and be mended later.
    if (!same && (!draft.text.trim() || (before && draft.text.trim() === named(before)))) area.value = draft.text = named(c);
    searching = false;
    keep();
    wrong('');
    drawChips();
  };
  let timer = null;
  const suggestSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(suggest, SUGGEST_AFTER_MS);
  };
  const suggest = async () => {
    const text = draft.text.trim();
    if (text.length < 2) suggested = [];
    else {
      try {
        const codes = (await ask('suggest_class', {text})).rows.map((c) => c.code);
        suggested = codes.map((code) => known.find((c) => c.code === code)).filter(Boolean);
      } catch {
        suggested = matches(known, text);
      }
    }
    if (page.open && text === draft.text.trim()) drawChips();
  };

  const fault = h('p', {class: 'cy-error', role: 'alert', hidden: true});
  const wrong = (words) => {
    fault.textContent = words;
    fault.hidden = !words;
    if (words) fault.scrollIntoView({block: 'nearest'});
  };
  const write = (words) => {
    area.value = draft.text = append(area.value, words);
    keep();
    wrong('');
    suggestSoon();
  };
  const phrases = [1, 2, 3, 4].map((n) => t(`phone.phrase.report.${n}`));

  if (!page.open) return;
  fill(page.main, h('form', {class: 'ph-form', onsubmit: (event) => { event.preventDefault(); send(); }},
    h('div', {class: 'cy-field'}, h('label', {class: 'cy-label is-required', for: 'ph-text'}, t('phone.report.text')), area,
      phraseChips(phrases, write, voiceButton(page, write, (words) => wrong(words))),
      h('span', {class: 'cy-label'}, t('phone.report.what')), chips),
    h('div', {class: 'cy-field'}, h('span', {class: 'cy-label'}, t('word.place')), choices, placeLine, addressField),
    h('div', {class: 'cy-field'}, h('span', {class: 'cy-label'}, t('phone.report.photos')),
      photoField({photos: draft.photos, onWrong: (words) => wrong(words), onChange: (photos) => { draft.photos = photos; keep(); }})),
    fault));
  const button = h('button', {class: 'cy-button cy-button--primary ph-primary', type: 'button', onclick: () => send()}, icon('send'), h('span', {}, t('phone.report.send')));
  page.foot(button);
  drawChips();
  sayPlace();
  if (draft.place === 'here') here();
  classes().then((all) => {
    known = all; // without it a report needs only words: the desk chooses the class
    if (page.open) {
      drawChips();
      if (draft.text) suggest();
    }
  });

  const send = async () => {
    const text = draft.text.trim();
    if (!text) {
      area.focus();
      return wrong(t('phone.form.text.missing'));
    }
    if (draft.place === 'address' ? !draft.address.trim() : draft.lon === null) return wrong(t('phone.report.place.missing'));
    button.disabled = true;
    button.lastChild.textContent = t('phone.sending');
    const body = {text, channel: 'phone', class_code: draft.class_code, ...worked()};
    if (draft.place === 'address') body.address = draft.address.trim();
    else Object.assign(body, {lon: draft.lon, lat: draft.lat});
    const {outcome, answer, error, seq} = await queue.submit({name: 'report_incident', body, photos: draft.photos, title: text});
    if (outcome === 'refused') {
      await queue.drop(seq);
      wrong(`${error.words}${error.message ? ` (${error.message})` : ''}`);
      button.disabled = false;
      button.lastChild.textContent = t('phone.report.send');
      return;
    }
    await drafts.remove(DRAFT);
    if (draft.class_code) await drafts.put(RECENT, [...new Set([draft.class_code, ...recent])].slice(0, SHOWN));
    if (!page.open) return; // he has gone on: the outbox tells the rest
    page.main.dataset.sent = seq;
    page.foot(h('a', {class: 'cy-button cy-button--primary ph-primary', href: '#/mine'}, icon('list'), h('span', {}, t('phone.mine'))),
      h('button', {class: 'cy-button', type: 'button', onclick: () => go('#/report', {anew: true})}, icon('plus'), t('phone.report.another')));
    window.scrollTo(0, 0);
    const said = h('div', {class: 'ph-filed', role: 'status', dataset: {seq}});
    fill(page.main, said);
    filed(said, {outcome, answer});
    if (outcome !== 'done') {
      page.listen(queue, 'tried', ({detail}) => detail.seq === seq && filed(said, detail));
    }
  };
}

/** What became of a report that was just sent: its number, or that it is kept here and goes by itself, or why not. */
function filed(host, {outcome, answer, error}) {
  const [sign, ...words] = {
    done: ['circle-check', t('phone.report.filed'), h('strong', {class: 'ph-number cy-num'}, answer?.number ?? ''), t('phone.report.next')],
    sending: ['send', t('phone.report.under_way'), t('phone.report.go_on')],
    waiting: ['clock', t('phone.kept'), t('phone.report.go_on')],
    refused: ['circle-x', t('phone.queue.refused', {what: t('action.report')}), error?.words],
  }[outcome];
  host.dataset.outcome = outcome;
  fill(host, icon(sign), words.map((line, n) => h('p', {class: n && n === words.length - 1 ? 'cy-faint' : ''}, line)));
}

/** 地图选点: the map fills the page; the point under the cross is taken. */
export async function reportPlacePage(page, {go}) {
  page.title(t('phone.report.map'));
  const draft = {...EMPTY, ...(await drafts.get(DRAFT))};
  const host = h('div', {class: 'ph-pick'}, h('p', {class: 'cy-empty'}, t('ui.loading')));
  fill(page.main, host);
  let centre = () => null;
  const button = h('button', {class: 'cy-button cy-button--primary ph-primary', type: 'button', disabled: true, onclick: async () => {
    const {lon, lat} = centre();
    await drafts.put(DRAFT, {...draft, place: 'map', lon, lat, accuracy: null});
    go('#/report', {leave: true});
  }}, icon('check'), h('span', {}, t('phone.report.take_point')));
  page.foot(button);
  try {
    const {pickPoint} = await import('./place.mjs');
    const start = draft.lon === null ? await locateOnce().catch(() => null) : draft;
    if (!page.open) return;
    host.replaceChildren();
    centre = await pickPoint(host, start, page);
    button.disabled = false;
  } catch {
    fill(host, h('p', {class: 'cy-empty'}, t('phone.map.unreachable')));
  }
}
