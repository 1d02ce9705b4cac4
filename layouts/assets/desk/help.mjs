// Help on every page (the ? of the header), and the tour for who comes the first time. Words: layouts/text/help.<lang>.json.

import {has, t} from '../text.mjs';
import {el, icon, memory, put, ready, show} from './dom.mjs';

const lines = (page) => { // help.<page>.1, .2, …: one line each
  const found = [];
  for (let n = 1; has(`help.${page}.${n}`); n += 1) found.push(t(`help.${page}.${n}`));
  return found;
};

/** Steps of a page's tour that are on the page now: [element, words]. */
function steps(page) {
  const found = [];
  for (let n = 1; has(`tour.${page}.${n}`); n += 1) {
    const [selector, ...words] = t(`tour.${page}.${n}`).split(' | ');
    const host = document.querySelector(selector);
    if (host?.offsetParent) found.push([host, words.join(' | ')]);
  }
  return found;
}

let dialog;

function build(page) {
  const close = el('button.cy-button.cy-button--ghost.cy-button--icon.cy-button--small', {type: 'button', title: t('ui.close'), onclick: () => dialog.close()}, icon('x'));
  close.setAttribute('aria-label', t('ui.close'));
  dialog = el('dialog.cy-dialog.help', {id: 'help'},
    el('div.cy-dialog__head', {}, t('help.of', {page: t(`shell.page.${page}`)}), el('div.cy-grow'), close),
    el('div.cy-dialog__body', {}, el('ul.help__lines', {}, ...lines(page).map((line) => el('li', {}, line))), el('p.cy-faint', {}, t('help.everywhere'))),
    el('div.cy-dialog__foot', {},
      document.querySelector('[data-keys]') ? el('button.cy-button', {type: 'button', onclick: () => { dialog.close(); document.querySelector('[data-keys]').click(); }}, t('desk.keys')) : null,
      el('button.cy-button.cy-button--primary', {type: 'button', hidden: !steps(page).length, onclick: () => { dialog.close(); tour(page); }}, t('help.tour'))));
  dialog.setAttribute('aria-label', t('help.of', {page: t(`shell.page.${page}`)}));
  document.body.append(dialog);
}

function openHelp(page) {
  dialog?.remove(); // what can be toured changes with what is on the page
  build(page);
  dialog.showModal();
}

/** Walk through the page: a card beside one thing after another. Nothing is locked meanwhile; Esc ends it. */
function tour(page) {
  const way = steps(page);
  let n = 0;
  const words = el('p.tour__words', {});
  const count = el('span.cy-faint.cy-num.cy-grow', {});
  const back = el('button.cy-button.cy-button--small', {type: 'button', onclick: () => step(n - 1)}, t('tour.back'));
  const on = el('button.cy-button.cy-button--small.cy-button--primary', {type: 'button', onclick: () => step(n + 1)}, t('tour.next'));
  const card = el('section.tour', {role: 'dialog'}, words, el('div.cy-row', {}, count, back, on));
  card.setAttribute('aria-label', t('help.tour'));
  const end = () => {
    card.remove();
    way[Math.min(n, way.length - 1)]?.[0].classList.remove('is-toured');
    document.removeEventListener('keydown', key, true);
    remember(page);
  };
  const key = (event) => { if (event.key === 'Escape') { event.stopPropagation(); end(); } };
  const step = (to) => {
    way[n]?.[0].classList.remove('is-toured');
    if (to >= way.length) return end();
    n = to;
    const [host, text] = way[n];
    host.classList.add('is-toured');
    put(words, text);
    put(count, `${n + 1} / ${way.length}`);
    show(back, n > 0);
    put(on, t(n + 1 === way.length ? 'tour.end' : 'tour.next'));
    const box = host.getBoundingClientRect();
    const below = box.bottom + 12 + card.offsetHeight < innerHeight;
    card.style.left = `${Math.max(12, Math.min(box.left, innerWidth - card.offsetWidth - 12))}px`;
    card.style.top = `${below ? box.bottom + 12 : Math.max(12, Math.min(box.top + 12, innerHeight - card.offsetHeight - 12))}px`;
    on.focus();
  };
  document.body.append(card);
  document.addEventListener('keydown', key, true);
  if (way.length) step(0);
  else end();
}

const keyOf = (page) => `tour.${page}.${document.querySelector('.user')?.dataset.login ?? ''}`;

function remember(page) {
  memory.write(keyOf(page), true);
  for (const offer of document.querySelectorAll('[data-tour-offer]')) show(offer, false);
}

/** Offer the tour once per account, in the header: it covers nothing and waits for nobody. */
function offer(page) {
  const pill = document.querySelector('[data-tour-offer]');
  if (!pill) return;
  show(pill, !memory.read(keyOf(page)) && steps(page).length > 0);
  const last = document.querySelector('.cy-bar')?.lastElementChild;
  if (last && last.getBoundingClientRect().right > innerWidth) show(pill, false); // the header is full: the help offers it too
}

export function startHelp() {
  ready('toasts').then(() => { // Dash has drawn the page
    const page = document.querySelector('[data-page]')?.dataset.page;
    if (page) offer(page);
  });
  document.addEventListener('click', ({target}) => {
    const shown = document.querySelector('[data-page]')?.dataset.page;
    if (!shown) return;
    if (target.closest('[data-tour-start]')) tour(shown);
    else if (target.closest('[data-tour-never]')) remember(shown);
    else if (target.closest('[data-help]')) openHelp(shown);
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, textarea, select, [contenteditable]');
    // The desk's own ? tells its keys (desk/keys.mjs).
    if (event.key !== '?' || typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open], [data-keys]')) return;
    const shown = document.querySelector('[data-page]')?.dataset.page;
    if (shown) openHelp(shown);
  });
}
