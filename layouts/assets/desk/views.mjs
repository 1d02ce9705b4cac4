// Views that people keep of the desk: filter, sorting, columns, layers and view of the map, on the server, by name.

import {t} from '../text.mjs';
import {ask, command} from './api.mjs';
import {el, icon, show} from './dom.mjs';
import {toast} from './shell.mjs';

/** `now()` says how the desk is set, `set(content)` sets it so. The menu stands in [data-views]. */
export function startViews(host, {now, set}) {
  const name = el('input.cy-input', {type: 'text', maxLength: 40, placeholder: t('views.name')});
  name.setAttribute('aria-label', t('views.name'));
  const shared = el('input', {type: 'checkbox'});
  const list = el('div.views__list');
  const form = el('form.views__form', {}, name,
    el('label.cy-check', {hidden: !host.dataset.unit}, shared, t('views.share')),
    el('button.cy-button.cy-button--primary', {}, t('views.save')));
  const menu = el('div.views__menu.cy-menu', {hidden: true}, list, form);
  const opener = host.querySelector('[data-views-open]');
  host.append(menu);

  async function draw() {
    try {
      const {rows} = await ask('saved_views', {page: 'desk'});
      list.replaceChildren(...(rows.length ? rows.map(line) : [el('div.cy-faint.views__none', {}, t('views.none'))]));
    } catch (error) { toast(error.message, 'warn'); }
  }

  function line(row) {
    const drop = el('button.cy-button.cy-button--ghost.cy-button--icon.cy-button--small', {type: 'button', title: t('views.delete', {name: row.name}), onclick: (event) => { event.stopPropagation(); forget(row); }}, icon('x'));
    drop.setAttribute('aria-label', t('views.delete', {name: row.name}));
    const pick = el('button.views__pick.cy-clip', {type: 'button', dataset: {view: row.id}, onclick: () => { set(row.content); close(); }}, row.name,
      row.shared ? el('span.cy-faint', {}, row.own ? t('views.shared') : row.author) : null);
    return el('div.views__one', {}, pick, row.own ? drop : null);
  }

  async function forget(row) {
    try {
      await command('delete_view', {id: row.id});
      toast(t('views.deleted', {name: row.name}));
      await draw();
    } catch (error) { toast(error.message, 'warn'); }
  }

  const close = () => { show(menu, false); opener.setAttribute('aria-expanded', 'false'); };
  opener.addEventListener('click', () => {
    const open = menu.hidden;
    show(menu, open);
    opener.setAttribute('aria-expanded', String(open));
    if (open) draw().then(() => name.focus());
  });
  document.addEventListener('pointerdown', ({target}) => { if (!host.contains(target)) close(); });
  host.addEventListener('keydown', (event) => { if (event.key === 'Escape' && !menu.hidden) { event.stopPropagation(); close(); opener.focus(); } });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!name.value.trim()) return name.focus();
    try {
      const kept = await command('save_view', {page: 'desk', name: name.value.trim(), content: now(), shared: shared.checked});
      toast(t('views.saved', {name: kept.name}));
      name.value = '';
      await draw();
    } catch (error) { toast(error.message, 'warn'); }
  });
}
