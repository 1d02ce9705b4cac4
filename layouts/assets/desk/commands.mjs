// Commands that a page's own module presses, without a callback between: screens of the wall, marks on the map.

import {has, t} from '../text.mjs';
import {toast} from './shell.mjs';

const TIMEOUT_MS = 10_000;
const cookie = (name) => decodeURIComponent(document.cookie.match(`(?:^|;\\s*)${name}=([^;]*)`)?.[1] ?? '');

/** Carry out a command; its answer, or null when it was refused or nobody answered: then the user has been told. */
export async function command(name, body) {
  try {
    const reply = await fetch(`/api/v1/commands/${name}`, {
      method: 'POST', credentials: 'same-origin', signal: AbortSignal.timeout(TIMEOUT_MS), body: JSON.stringify(body),
      headers: {'Content-Type': 'application/json', 'X-CSRF-Token': cookie('chengyun_csrf'), 'X-Chengyun-Channel': 'desk'},
    });
    const answer = await reply.json();
    if (reply.ok) return answer;
    toast(has(`error.${answer.code}`) && !['field', 'stage'].includes(answer.code) ? t(`error.${answer.code}`) : t('screens.refused'), 'wrong');
  } catch {
    toast(t('screens.no_answer'), 'wrong');
  }
  return null;
}
