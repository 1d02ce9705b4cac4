// 我: the duty switch, what waits to be sent, language, signing out.

import {ago, lang, setLanguage, t} from '../text.mjs';
import {post} from './api.mjs';
import {durable} from './db.mjs';
import {fill, h, icon} from './dom.mjs';
import {duty} from './duty.mjs';
import {facts} from './facts.mjs';
import {extract, fetchExtract, forgetGround, ownCells} from './ground.mjs';
import {forgetAll} from './my_tasks.mjs';
import {askForNotices, noticeState} from './notices.mjs';
import {bytesText, outboxNotice, toast, when} from './parts.mjs';

/** Whether the phone may call when the page is not looked at. */
function noticeBlock() {
  const words = h('p', {class: 'cy-dim', role: 'status'});
  const button = h('button', {class: 'cy-button cy-button--block', type: 'button', onclick: async () => { await askForNotices(); draw(); }}, icon('bell'), t('phone.notices.ask'));
  const draw = () => {
    const state = noticeState();
    words.textContent = t(`phone.notices.${state}`);
    button.hidden = state !== 'default';
  };
  draw();
  return h('section', {class: 'ph-block'}, h('h3', {}, t('phone.notices')), words, button);
}

/** What is kept of the own ground for the time without signal, and the button that fetches the map. */
function groundBlock(page) {
  const cells = h('p', {class: 'cy-dim'}, t('ui.loading'));
  const map = h('p', {class: 'cy-dim', role: 'status'});
  const progress = h('progress', {class: 'ph-progress', max: 1, value: 0, hidden: true, 'aria-label': t('phone.ground.fetch')});
  const button = h('button', {class: 'cy-button cy-button--block', type: 'button', onclick: () => load()}, icon('map'), h('span', {}, t('phone.ground.fetch')));
  const block = h('section', {class: 'ph-block', hidden: true}, h('h3', {}, t('phone.ground')), cells, map, progress, button);
  const draw = async () => {
    const record = await extract();
    map.textContent = record
      ? t('phone.ground.map', {time: when(record.at), size: bytesText(record.bytes), n: record.tiles, version: record.version.slice(0, 6)})
      : t('phone.ground.none');
    button.lastChild.textContent = t(record ? 'phone.ground.refresh' : 'phone.ground.fetch');
  };
  const load = async () => {
    button.disabled = true;
    progress.hidden = false;
    try {
      await fetchExtract((part) => { progress.value = part; });
      toast(t('phone.ground.done'));
    } catch {
      toast(t('phone.ground.failed'), 'wrong');
    }
    button.disabled = false;
    progress.hidden = true;
    if (page.open) draw();
  };
  ownCells().then(({rows, total}) => {
    block.hidden = rows.length === 0; // whose area is the whole city has no ground of its own
    cells.textContent = t('phone.ground.cells', {n: total});
  }, () => {});
  draw();
  return block;
}

export function mePage(page, {queue}) {
  page.title(t('phone.me'));
  const dutyBlock = h('section', {class: 'ph-block'});
  const outbox = h('section', {class: 'ph-block'});

  const dutyName = h('strong');
  const dutyWords = h('span', {'aria-live': 'polite'});
  const dutySwitch = h('button', {class: 'ph-switch', type: 'button', role: 'switch', onclick: () => (duty.on ? duty.end() : duty.begin())},
    h('span', {class: 'ph-switch-words'}, dutyName, dutyWords), h('span', {class: 'ph-switch-knob', 'aria-hidden': 'true'}));
  fill(dutyBlock, dutySwitch, h('p', {class: 'cy-faint'}, t('phone.duty.rule')));
  const drawDuty = () => {
    const words = duty.fault ? t(`phone.duty.${duty.fault}`)
      : !duty.on ? t('phone.duty.off.words')
      : duty.sharedAt ? t('phone.duty.shared', {age: ago((Date.now() - duty.sharedAt) / 1000)}) : t('phone.locating');
    dutySwitch.classList.toggle('is-on', duty.on);
    dutySwitch.setAttribute('aria-checked', String(duty.on));
    dutyName.textContent = t(duty.on ? 'phone.duty.on' : 'phone.duty.off');
    if (dutyWords.textContent !== words) dutyWords.textContent = words;
  };
  const drawOutbox = () => {
    fill(outbox, h('h3', {}, t('phone.outbox')),
      queue.entries.length ? queue.entries.map((e) => outboxNotice(e, queue, {link: true})) : h('p', {class: 'cy-dim'}, t('phone.outbox.empty')),
      queue.waiting.length > 0 && h('button', {class: 'cy-button cy-button--block', type: 'button', onclick: () => queue.send()}, icon('send'), t('phone.outbox.send')),
      !durable && h('p', {class: 'cy-error'}, t('phone.outbox.volatile')));
  };
  const leave = async () => {
    if (queue.waiting.length && !window.confirm(t('phone.logout.waiting', {n: queue.waiting.length}))) return;
    try {
      duty.end();
      await post('/logout', {});
    } catch {
      toast(t('phone.logout.failed'), 'wrong');
      return;
    }
    await Promise.all([forgetAll(), forgetGround()]);
    navigator.serviceWorker?.controller?.postMessage('forget');
    location.assign('/login');
  };

  fill(page.main,
    h('section', {class: 'ph-block ph-person'}, h('span', {class: 'ph-face'}, icon('user')),
      h('div', {}, h('h2', {}, facts.name), h('p', {class: 'cy-dim'}, [t(`role.${facts.role}`), facts.unit_name].filter(Boolean).join(' · ')))),
    facts.rights.position && dutyBlock,
    outbox,
    facts.rights.handle && noticeBlock(),
    groundBlock(page),
    h('section', {class: 'ph-block ph-buttons'},
      facts.rights.mark && h('a', {class: 'cy-button cy-button--block', href: '#/marks'}, icon('pencil'), t('marks.open')),
      h('button', {class: 'cy-button cy-button--block', type: 'button', lang: lang === 'zh' ? 'en' : 'zh', onclick: () => setLanguage(lang === 'zh' ? 'en' : 'zh')}, icon('languages'), t('ui.switch_language')),
      h('button', {class: 'cy-button cy-button--block', type: 'button', onclick: leave}, icon('log-out'), t('ui.logout'))),
    h('p', {class: 'cy-faint ph-version cy-num'}, t('phone.version', {version: facts.version})));
  drawDuty();
  drawOutbox();
  page.listen(duty, 'change', drawDuty);
  page.every(1000, () => duty.on && drawDuty());
  page.listen(queue, 'change', drawOutbox);
}
