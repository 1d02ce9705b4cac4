// Administration: tabs, and the side sheet with the form of an account, a unit or an area.

import {t} from '../text.mjs';
import {put, ready, setProps, show, tell} from './dom.mjs';
import {startShell} from './shell.mjs';
import {rowOf, startTabs} from './tabs.mjs';

startShell();
const {side, ask} = await startTabs('admin-ask', 'accounts');
await ready('admin-form');
let editing = null;

// A new form is emptied here and at once: what is typed while Python still fetches the choices stays.
const EMPTY = {
  'admin-login': '', 'admin-name': '', 'admin-role': null, 'admin-unit': null, 'admin-areas': [], 'admin-code': '', 'admin-name-unit': '',
  'admin-kind': '', 'admin-phone': '', 'admin-area': null, 'admin-code-area': '', 'admin-name-area': '', 'admin-parent': '', 'admin-level': null,
};

function open(row) {
  editing = row;
  put(side.querySelector('[data-form-title]'), row.new ? t(`admin.new.${row.form}`) : row.name || row.login || row.code);
  for (const form of side.querySelectorAll('[data-form]')) show(form, form.dataset.form === row.form);
  for (const part of side.querySelectorAll('[data-only="edit"]')) show(part, !row.new);
  for (const id of ['admin-login', 'admin-code', 'admin-code-area']) document.getElementById(id).readOnly = !row.new;
  setProps('admin-secret', {children: []});
  if (row.new) for (const [id, value] of Object.entries(EMPTY)) setProps(id, {value: id === 'admin-parent' ? row.parent ?? '' : value});
  show(side, true);
  tell('admin-edit', row);
}

document.addEventListener('click', ({target}) => {
  const row = rowOf(target, 'admin-grid');
  if (row) return open(row.open);
  const hit = target.closest('[data-edit],[data-save]');
  if (!hit) return;
  if (hit.dataset.edit) open(JSON.parse(hit.dataset.edit));
  else if (editing) tell('admin-press', {save: hit.dataset.save, new: Boolean(editing.new)});
});
document.getElementById('admin-search').addEventListener('keydown', (event) => {
  if (event.key === 'Enter') ask({tab: 'accounts', text: event.target.value.trim()});
});
document.documentElement.dataset.ready = 'admin';
