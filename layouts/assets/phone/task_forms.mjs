// Forms of a task: 处置完成 (text, photos), 退回 (what was wrong, reason), 备注, of a unit's office 申请延期, 督办回复 and
// 协办答复 (photos if it has any).
// Drafts survive a thrown-away page.

import {t} from '../text.mjs';
import {fill, h, icon} from './dom.mjs';
import {effort} from './effort.mjs';
import {drafts, incidentAtHand, incidentOf, newest, tasks} from './my_tasks.mjs';
import {append, emptyState, phraseChips, toast} from './parts.mjs';
import {photoField} from './photos.mjs';
import {voiceButton} from './voice.mjs';

const WRONG = ['class', 'place', 'owner', 'scope'];
const PHRASES = {finish: 6, return: 3, note: 3, extension: 3, answer: 3, assist: 3};
const COMMAND = {finish: 'finish_incident', return: 'return_incident', note: 'note_incident', extension: 'ask_extension', answer: 'answer_supervision', assist: 'answer_assist'};
/** Forms whose time is measured. */
const MEASURED = ['finish', 'return', 'note'];
/** Forms that take photos. */
const WITH_PHOTOS = ['finish', 'assist', 'note'];
/** Forms after which the task is still ours to look at. */
const STAYS = ['note', 'extension', 'answer'];

export async function taskFormPage(page, {queue, go}, id, kind) {
  id = Number(id);
  page.title(t(`phone.form.${kind}`));
  const worked = effort(page);
  fill(page.main, h('p', {class: 'cy-empty'}, t('ui.loading')));
  const draftName = `${kind}/${id}`;
  const draft = {text: '', wrong: '', photos: [], ...(await drafts.get(draftName))};
  let incident;
  try {
    incident = (await incidentAtHand(id)) ?? (await incidentOf(id)).value;
  } catch {
    fill(page.main, emptyState('wifi-off', t('phone.task.unknown')));
    return;
  }
  if (!page.open) return;
  const needsPhoto = kind === 'finish' && Boolean(incident.needs_photo);
  const keep = () => drafts.put(draftName, draft);
  const fault = h('p', {class: 'cy-error', role: 'alert', hidden: true});
  const wrong = (words) => {
    fault.textContent = words;
    fault.hidden = !words;
    if (words) fault.scrollIntoView({block: 'nearest'});
  };

  const area = h('textarea', {class: 'cy-textarea', id: 'ph-text', rows: 4, maxlength: 1000, value: draft.text,
    placeholder: t(`phone.form.${kind}.hint`), oninput: () => { draft.text = area.value; keep(); wrong(''); }});
  const write = (words) => {
    area.value = draft.text = append(area.value, words);
    keep();
    wrong('');
  };
  const phrases = Array.from({length: PHRASES[kind]}, (_, n) => t(`phone.phrase.${kind}.${n + 1}`));
  const progress = h('progress', {class: 'ph-progress', max: 1, value: 0, hidden: true, 'aria-label': t('phone.photo.sending')});

  const parts = [h('p', {class: 'ph-form-of'}, h('span', {class: 'cy-num cy-faint'}, incident.number), ' ', incident.title)];
  if (kind === 'return') {
    parts.push(h('fieldset', {class: 'ph-choices'}, h('legend', {class: 'cy-label is-required'}, t('phone.form.wrong')),
      WRONG.map((field) => h('label', {class: 'ph-choice'},
        h('input', {type: 'radio', name: 'wrong', value: field, checked: draft.wrong === field, onchange: () => { draft.wrong = field; keep(); wrong(''); }}),
        h('span', {}, t(`wrong_field.${field}`))))));
  }
  if (WITH_PHOTOS.includes(kind)) {
    parts.push(h('div', {class: 'cy-field'}, h('span', {class: `cy-label${needsPhoto ? ' is-required' : ''}`}, t('word.photos')),
      photoField({photos: draft.photos, number: incident.number, required: needsPhoto, onWrong: wrong,
        onChange: (photos) => { draft.photos = photos; keep(); wrong(''); }})));
  }
  parts.push(h('div', {class: 'cy-field'}, h('label', {class: 'cy-label is-required', for: 'ph-text'}, t(`phone.form.${kind}.text`)), area,
    phraseChips(phrases, write, voiceButton(page, write, wrong))));
  parts.push(fault, progress);
  fill(page.main, h('form', {class: 'ph-form', onsubmit: (event) => { event.preventDefault(); send(); }}, parts));

  const button = h('button', {class: 'cy-button cy-button--primary ph-primary', type: 'button', onclick: () => send()},
    icon(kind === 'finish' ? 'handle' : kind === 'return' ? 'return' : 'send'), h('span', {}, t(`phone.form.${kind}.send`)));
  page.foot(button);

  const send = async () => {
    const text = draft.text.trim();
    if (kind === 'return' && !draft.wrong) return wrong(t('phone.form.wrong.missing'));
    if (needsPhoto && !draft.photos.length) return wrong(t('phone.photo.missing'));
    if (!text) {
      area.focus();
      return wrong(t('phone.form.text.missing'));
    }
    incident = newest(incident); // the step before may have been answered while the form was open
    button.disabled = true;
    button.lastChild.textContent = t('phone.sending');
    const body = {
      finish: {id, text, version: incident.version},
      return: {id, wrong_field: draft.wrong, reason: text, version: incident.version},
      note: {id, text},
      extension: {id, reason: text, version: incident.version},
      answer: {id, text, version: incident.version},
      assist: {id, text, version: incident.version},
    }[kind];
    if (MEASURED.includes(kind)) Object.assign(body, worked());
    const shown = ({detail: {of, n, part}}) => {
      progress.hidden = false;
      progress.value = (n + part) / of;
    };
    queue.addEventListener('progress', shown);
    const {outcome, error, seq} = await queue.submit({name: COMMAND[kind], body, photos: draft.photos, incident: id,
      from: tasks.stageOf(incident), title: incident.title});
    queue.removeEventListener('progress', shown);
    if (outcome === 'refused') {
      await queue.drop(seq); // said here, where it can be mended
      const stale = ['stale', 'stage'].includes(error.code);
      wrong(stale ? `${error.words} ${t('phone.form.stale')}` : `${error.words}${error.message ? ` (${error.message})` : ''}`);
      incident = await incidentOf(id).then(({value}) => value, () => incident);
      button.disabled = false;
      button.lastChild.textContent = t(`phone.form.${kind}.send`);
      progress.hidden = true;
      tasks.refresh();
      return;
    }
    await drafts.remove(draftName);
    toast(outcome === 'done' ? t(`phone.done.${kind}`) : t(outcome === 'sending' ? 'phone.kept_sending' : 'phone.kept'), outcome === 'done' ? '' : 'warn');
    tasks.refresh();
    if (page.open) go(STAYS.includes(kind) ? `#/task/${id}` : '#/tasks', {leave: true});
  };
}
