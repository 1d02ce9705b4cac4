// Devices: tabs, and the side sheet with the form of a known, a new or an unknown device; a table is looked at first.

import {t} from '../text.mjs';
import {put, ready, show, tell} from './dom.mjs';
import {whileImporting} from './progress.mjs';
import {startShell} from './shell.mjs';
import {rowOf, startTabs} from './tabs.mjs';

startShell();
const {side} = await startTabs('devices-ask', 'registry');
await ready('devices-form');
whileImporting('devices-upload', 'devices-preview');
let editing = null;

function open(row) {
  editing = row;
  put(side.querySelector('[data-form-title]'), row.name || row.id || t('devices.new'));
  for (const part of side.querySelectorAll('[data-only]')) show(part, part.dataset.only.split(' ').includes(row.form));
  document.getElementById('device-id').readOnly = row.form !== 'new';
  document.getElementById('devices-form').classList.toggle('is-away', ['card', 'type'].includes(row.form));
  show(side, true);
  tell('devices-edit', row);
}

/** What a button of a card says, and what was typed into the fields around it. */
function actOf(button) {
  const typed = [...(button.closest('[data-fields]')?.querySelectorAll('input') ?? [])].map(({name, value}) => [name, value]);
  return {...Object.fromEntries(typed), ...JSON.parse(button.dataset.act)};
}

document.addEventListener('click', ({target}) => {
  const row = rowOf(target, 'devices-grid');
  if (row) return open(row.open);
  const hit = target.closest('[data-edit],[data-save],[data-confirm],[data-act]');
  if (!hit) return;
  if (hit.dataset.act) tell('devices-edit', {...editing, act: actOf(hit)});
  else if (hit.dataset.edit) open(JSON.parse(hit.dataset.edit));
  else if (hit.dataset.save && editing) tell('devices-press', {save: hit.dataset.save, id: editing.id, kind: editing.kind, rejected: editing.rejected});
  else if ('confirm' in hit.dataset) tell('devices-confirm', {size: window.dash_component_api.getLayout('devices-upload').props.contents.length});
});
document.documentElement.dataset.ready = 'devices';
