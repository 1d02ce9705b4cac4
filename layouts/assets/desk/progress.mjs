// Long work (exports, printing, imports): a bar while it runs, over the page but in nobody's way. With a share done where
// there is a number, else with the seconds gone.

import {span, t} from '../text.mjs';
import {el, put} from './dom.mjs';

const SHOWN_AFTER_MS = 250; // what is done sooner needs no bar, which would only flicker
const SECOND = 1000;

/** Where the bars stand, one under the other. */
function tray() {
  return document.querySelector('.cy-works') ?? document.body.appendChild(el('div.cy-works'));
}

/** One bar: {element, told(done, of)}; without a number it says how long it has run. */
function bar(words) {
  const began = performance.now();
  const fill = el('span');
  const line = el('div.cy-progress', {role: 'progressbar', 'aria-label': words, 'aria-valuemin': '0', 'aria-valuemax': '100'}, fill);
  const note = el('span.cy-num');
  const element = el('div.cy-work', {}, el('div.cy-work__head', {}, el('span.cy-clip', {}, words), note), line);
  let share = null;
  const draw = () => {
    const gone = t('work.gone', {span: span((performance.now() - began) / 1000)});
    if (share !== null) line.setAttribute('aria-valuenow', String(share)); // without one, readers say "busy"
    const said = share === null ? gone : `${share}%`;
    put(note, said);
    line.setAttribute('aria-valuetext', said);
    fill.style.inlineSize = share === null ? '' : `${share}%`;
  };
  const told = (done, of) => {
    if (of > 0) share = Math.min(100, Math.round((100 * done) / of));
    draw();
  };
  draw();
  return {element, told, draw};
}

/**
 * Run `work(told)` with a bar called `words`; `told(done, of)` says how far it is. Gives and throws what `work` does.
 * `after` ms the bar is shown: 0 for work on the page's own thread, which would hold up the bar as well.
 */
export async function during(words, work, after = SHOWN_AFTER_MS) {
  const {element, told, draw} = bar(words);
  const shown = setTimeout(() => tray().append(element), after);
  const tick = setInterval(draw, SECOND);
  try {
    return await work(told);
  } finally {
    clearTimeout(shown);
    clearInterval(tick);
    element.remove();
  }
}

/** Let the browser draw: work on the page's own thread would else be over before anybody has seen its bar. */
export const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

/** A bar while Python works on what fills the element `id` (Dash says so on it, and may put another in its place), as
 * often as `asked()` is true then. */
export function whileAnswering(id, words, asked) {
  let over = null;
  new MutationObserver(() => {
    const busy = document.getElementById(id)?.dataset.dashIsLoading === 'true';
    if (busy && !over && asked()) during(words, () => new Promise((done) => { over = done; }));
    else if (!busy && over) {
      over();
      over = null;
    }
  }).observe(document.body, {subtree: true, childList: true, attributes: true, attributeFilter: ['data-dash-is-loading']});
}

/** A bar while the file chosen in the dcc.Upload `upload` is read and looked at by Python, which fills `preview`. */
export function whileImporting(upload, preview) {
  whileAnswering(preview, t('work.import'), () => Boolean(window.dash_component_api.getLayout(upload)?.props.contents));
}
