// Catalogue: the chosen sheet, the side sheet of one standard, and a file that is looked at before it is stored.

import {ready, show, tell} from './dom.mjs';
import {whileImporting} from './progress.mjs';
import {startShell} from './shell.mjs';
import {rowOf} from './tabs.mjs';

startShell();
await ready('catalogue-body');
await ready('catalogue-form');
whileImporting('catalogue-upload', 'catalogue-preview');
const side = document.querySelector('[data-side]');
let asked = {};
let standard = null;

function ask(question) {
  asked = question;
  tell('catalogue-ask', asked);
}

function open(row) {
  standard = row;
  show(document.getElementById('catalogue-form'), row.editable);
  show(side, true);
  tell('catalogue-edit', row);
}

/** The length of the chosen file: a confirmation is for that very file. */
const size = () => window.dash_component_api.getLayout('catalogue-upload').props.contents.length;

function save(button) {
  const name = button.dataset.save;
  if (name === 'standard') {
    if (standard) tell('catalogue-press', {save: name, catalogue: standard.catalogue, code: standard.code, asked});
    return;
  }
  const catalogue = Number(button.dataset.catalogue);
  tell('catalogue-press', {save: name, catalogue, name: document.getElementById('catalogue-revised')?.value, asked});
}

document.addEventListener('click', ({target}) => {
  const row = rowOf(target, 'catalogue-grid');
  if (row) return open(row.open);
  const hit = target.closest('[data-ask],[data-save],[data-store],[data-side-close]');
  if (!hit) return;
  if (hit.dataset.ask) { show(side, false); ask(JSON.parse(hit.dataset.ask)); }
  else if (hit.dataset.save) save(hit);
  else if ('store' in hit.dataset) tell('catalogue-press', {save: 'store', size: size(), name: document.getElementById('catalogue-name').value});
  else show(side, false);
});
ask({});
document.documentElement.dataset.ready = 'catalogue';
