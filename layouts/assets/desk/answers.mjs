// Answers of Dash that do not come: the server failed, refused or is away. What was to be filled then says so and offers
// to ask again, instead of staying as it was for ever.

import {t} from '../text.mjs';
import {setProps, tell} from './dom.mjs';

/** Part of the page → the store whose change asks for it. */
const ASKED_BY = {
  'records-body': 'records-ask', 'device-body': 'device-ask', 'desk-facts': 'desk-selected',
  'leader-unknown': 'leader-board-ask', 'leader-waiting': 'leader-board-ask', 'leader-now': 'leader-board-ask', 'leader-cases': 'leader-board-ask',
};
const FORBIDDEN = 403;

const part = (type, props) => ({namespace: 'dash_html_components', type, props});

/** "Loading", as a Dash component: for what has been emptied and asked for. */
export const waiting = () => part('Div', {className: 'cy-empty', role: 'status', children: t('ui.loading')});

function fault(words, store) {
  const again = part('Button', {className: 'cy-button cy-button--small', type: 'button', 'data-again': store, children: t('ui.again')});
  return part('Div', {className: 'cy-empty is-fault', role: 'alert', children: [part('Span', {children: words}), ...(store ? [again] : [])]});
}

function failed(body, status) {
  const {outputs} = JSON.parse(body);
  const words = t(status === FORBIDDEN ? 'ui.unknown.forbidden' : status ? 'error.server' : 'error.network');
  for (const {id} of [outputs].flat()) {
    if (id in ASKED_BY) setProps(id, {children: [fault(words, status === FORBIDDEN ? '' : ASKED_BY[id])]});
  }
  document.dispatchEvent(new CustomEvent('unanswered', {detail: [outputs].flat().map(({id}) => id)}));
}

/** Watch over Dash's questions from now on. */
export function watchAnswers() {
  const real = window.fetch;
  window.fetch = async (...asked) => {
    const [url, init] = asked;
    if (!String(url?.url ?? url).includes('/_dash-update-component')) return real(...asked);
    try {
      const reply = await real(...asked);
      if (!reply.ok) failed(init.body, reply.status);
      return reply;
    } catch (error) {
      if (error.name !== 'AbortError') failed(init.body, 0);
      throw error;
    }
  };
  document.addEventListener('click', ({target}) => {
    const store = target.closest('[data-again]')?.dataset.again;
    if (store) tell(store, window.dash_component_api.getLayout(store)?.props.data ?? {});
  });
}
