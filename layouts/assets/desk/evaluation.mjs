// Evaluation: presets of the period; a number that is pressed opens the incidents behind it.

import {live} from '../live.mjs';
import {download} from './export.mjs';
import {ready, setProps, tell} from './dom.mjs';
import {startShell} from './shell.mjs';

startShell();
await ready('evaluation-total');

const iso = (year, month, day) => new Date(Date.UTC(year, month, day)).toISOString().slice(0, 10);

/** First and last day of a span in the city, where it is `now`. */
function days(span, now = live.now()) {
  const zone = document.documentElement.dataset.timezone;
  const [year, month] = new Intl.DateTimeFormat('sv-SE', {timeZone: zone}).format(now).split('-').map(Number);
  if (span === 'this_year') return [iso(year, 0, 1), iso(year, 11, 31)];
  const first = span === 'last_month' ? month - 2 : month - 1;
  return [iso(year, first, 1), iso(year, first + 1, 0)];
}

function choose(span) {
  const [begin, end] = days(span);
  setProps('evaluation-begin', {date: begin});
  setProps('evaluation-end', {date: end});
}

/** The month in which the period shown ends. */
const month = () => window.dash_component_api.getLayout('evaluation-end').props.date.slice(0, 7);

document.addEventListener('click', ({target}) => {
  const hit = target.closest('[data-span],[data-behind],[data-report],[data-look]');
  if (hit?.dataset.report) download(`/api/v1/export/evaluation.${hit.dataset.report}?month=${month()}`, hit);
  else if (hit?.dataset.look) tell('evaluation-look', {look: hit.dataset.look});
  else if (hit?.dataset.span) choose(hit.dataset.span);
  else if (hit) tell('evaluation-behind', JSON.parse(hit.dataset.behind));
});
choose('this_month');
document.documentElement.dataset.ready = 'evaluation';
