// Small pieces that several pages of the phone show in the same way.

import {touch} from '../age.mjs';
import {cityTime, has, lang, t} from '../text.mjs';
import {h, icon} from './dom.mjs';

const ROMAN = ['', 'Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ'];

/** Level by shape, colour, numeral, and words for a screen reader. */
export const levelBadge = (level) =>
  h('span', {class: `cy-level cy-level--${level}`, role: 'img', 'aria-label': `${t(`level.${level}`)} ${t(`level.${level}.word`)}`}, ROMAN[level]);

export const stageChip = (stage) =>
  h('span', {class: `cy-stage cy-stage--${stage}`}, has(`stage.${stage}`) ? t(`stage.${stage}`) : stage);

/** Remaining time, counted down by age.mjs; red and in words when over. */
export function dueTime(ms) {
  const element = h('span', {class: 'due cy-num', dataset: {due: ms ?? ''}});
  touch(element);
  return element;
}

/** When, in city time: the clock for today, the date before it for other days. */
export function when(ms) {
  const then = cityTime(ms);
  return then.date === cityTime(Date.now()).date ? then.time : then.short;
}

/** The name of something that has one in both languages. */
export const named = (thing, field = 'name') => (lang === 'en' && thing[`${field}_en`]) || thing[field] || '';

export const metresText = (m) =>
  m < 1000 ? t('phone.metres', {n: Math.max(10, Math.round(m / 10) * 10)}) : t('phone.kilometres', {n: (m / 1000).toFixed(m < 9950 ? 1 : 0)});

/** "312 KB", "1.4 MB". */
export const bytesText = (n) => (n < 1_000_000 ? `${Math.max(1, Math.round(n / 1000))} KB` : `${(n / 1e6).toFixed(1)} MB`);

const TOASTS = 2;

/** A line of words that goes away by itself; what must be read is a notice instead. The one before stays its time:
 * "sent later" must not vanish because a task arrives in the same moment. */
export function toast(words, kind = '') {
  const host = document.getElementById('ph-toasts');
  const element = h('div', {class: `cy-toast${kind ? ` cy-toast--${kind}` : ''}`, onclick: () => element.remove()}, icon(kind ? 'triangle-alert' : 'circle-check'), h('span', {}, words));
  for (const other of [...host.children]) if (other.textContent === element.textContent) other.remove();
  while (host.children.length >= TOASTS) host.firstElementChild.remove();
  host.append(element);
  setTimeout(() => element.remove(), kind === 'wrong' ? 8000 : 6000);
}

/** Commands that are not called as their action is. */
const STEPS = {
  take_incident: 'take', arrive_incident: 'arrive', finish_incident: 'handle', return_incident: 'return', note_incident: 'note',
  report_incident: 'report', supervise_incident: 'supervise', dispatch_incident: 'dispatch', acknowledge_incident: 'acknowledge',
};
export const stepName = (entry) => t(`action.${STEPS[entry.name] ?? entry.name}`);

/** What the outbox holds: "待发送：到场", or a refusal in words with a button that takes it away. */
export function outboxNotice(entry, queue, {link = false} = {}) {
  const refused = entry.state === 'refused';
  const title = link && entry.title ? `${stepName(entry)} · ${entry.title}` : stepName(entry);
  return h('div', {class: `ph-notice${refused ? ' is-refused' : ''}`, role: refused ? 'alert' : 'status', dataset: {seq: entry.seq}},
    icon(refused ? 'circle-x' : 'clock'),
    h('div', {class: 'ph-notice-words'},
      h('strong', {}, refused ? t('phone.queue.refused', {what: title}) : t('phone.queue.waiting', {what: title})),
      h('span', {}, refused ? entry.words : t('phone.queue.since', {time: when(entry.at)})),
      refused && entry.detail && entry.detail !== entry.words && h('span', {class: 'ph-detail'}, entry.detail)),
    refused && h('button', {class: 'cy-button', type: 'button', onclick: () => queue.drop(entry.seq)}, t('phone.queue.read')));
}

/** Large buttons that put a ready phrase into a text field; `more`: another button before them, if there is one. */
export function phraseChips(phrases, onPick, more = null) {
  return h('div', {class: 'ph-chips', role: 'group', 'aria-label': t('phone.phrases')},
    more,
    phrases.map((phrase) => h('button', {class: 'ph-chip', type: 'button', onclick: () => onPick(phrase)}, phrase)));
}

/** Put `phrase` at the end of what is written, with the language's own comma. */
export function append(text, phrase) {
  const now = text.trim();
  if (!now) return phrase;
  if (now.includes(phrase)) return now;
  return now + (/[，。；,.;]$/.test(now) ? '' : t('phone.comma')) + phrase;
}

export const emptyState = (iconName, ...words) => h('div', {class: 'cy-empty'}, icon(iconName), h('div', {}, words));
