// Routing: replay a candidate, open the incidents behind a figure, publish, let a rule act again.

import {ready, tell} from './dom.mjs';
import {whileImporting} from './progress.mjs';
import {startShell} from './shell.mjs';

startShell();
await ready('routing-state');
whileImporting('routing-upload', 'routing-preview');

document.addEventListener('click', ({target}) => {
  const hit = target.closest('[data-backtest],[data-behind],[data-routing],[data-keep]');
  if (!hit) return;
  if (hit.dataset.backtest) tell('backtest-ask', JSON.parse(hit.dataset.backtest));
  else if (hit.dataset.behind) tell('backtest-behind', JSON.parse(hit.dataset.behind));
  else if ('keep' in hit.dataset) tell('routing-keep', {size: window.dash_component_api.getLayout('routing-upload').props.contents.length});
  else tell('routing-press', JSON.parse(hit.dataset.routing));
});
tell('routing-ask', {});
document.documentElement.dataset.ready = 'routing';
