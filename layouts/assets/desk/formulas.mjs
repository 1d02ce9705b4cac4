// Formulas: a version is taken into the form; a new one is saved, and the list asked for anew.

import {ready, tell} from './dom.mjs';
import {startShell} from './shell.mjs';

startShell();
await ready('formulas-body');
document.addEventListener('click', ({target}) => {
  const hit = target.closest('[data-formula],[data-save]');
  if (hit?.dataset.formula) tell('formulas-edit', JSON.parse(hit.dataset.formula));
  else if (hit) tell('formulas-press', {save: hit.dataset.save});
});
tell('formulas-ask', {});
document.documentElement.dataset.ready = 'formulas';
