// A span drawn over a time chart, or a bar of a category pressed, as a filter: what Plotly tells, in our own times.

import {cityMs} from '../text.mjs';

const watched = new WeakSet();

/**
 * Hear of `graph` (a plotted Plotly div): `span([from, until])` in ms of a drawn box, `bar(customdata)` of a pressed bar,
 * `none()` of a double click. Said twice of one graph, the second is not heard.
 */
export function heed(graph, {span, bar = () => {}, none}) {
  if (watched.has(graph)) return;
  watched.add(graph);
  graph.on('plotly_selected', (drawn) => {
    if (drawn?.range?.x) span(drawn.range.x.map(cityMs).sort((a, b) => a - b));
  });
  graph.on('plotly_click', ({points}) => { if (points[0]?.customdata !== undefined) bar(points[0].customdata); });
  graph.on('plotly_deselect', none);
  graph.on('plotly_doubleclick', none);
}

/** Heed every chart that Dash draws into `host`, as soon as it is plotted. */
export function heedAll(host, told) {
  const look = () => { for (const graph of host.querySelectorAll('.js-plotly-plot')) if (graph.on) heed(graph, told); };
  new MutationObserver(look).observe(host, {childList: true, subtree: true, attributes: true, attributeFilter: ['class']});
  look();
}
