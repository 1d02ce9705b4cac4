// How many incidents there are, counted in the store (data/incident_totals.py): live items are only the newest of them.

import {live} from './live.mjs';

const FIGURES = ['open', 'overdue', 'today', 'closed'];

/**
 * {open, overdue, today, closed, levels: [Ⅰ, Ⅱ, Ⅲ, Ⅳ], stages: {stage: n}, capped, as_of} of all areas this account sees;
 * null until it is there. `capped`: of levels III and IV the live items are only the newest.
 */
export function totals() {
  const found = [...live.items('trend').values()].filter((item) => item.key.startsWith('totals@'));
  found.sort((a, b) => a.area.length - b.area.length);
  const widest = []; // an area inside another one is counted there
  for (const item of found) if (!widest.some((one) => item.area.startsWith(one.area))) widest.push(item);
  if (!widest.length) return null;
  const sum = {levels: [0, 0, 0, 0], stages: {}, capped: widest.some((item) => item.capped), as_of: Math.min(...widest.map((item) => item.as_of))};
  for (const name of FIGURES) sum[name] = widest.reduce((n, item) => n + item[name], 0);
  for (const {levels, stages} of widest) {
    levels.forEach((n, i) => { sum.levels[i] += n; });
    for (const [stage, n] of Object.entries(stages)) sum.stages[stage] = (sum.stages[stage] ?? 0) + n;
  }
  return sum;
}
