// Questions and commands over REST, for what a page does without a callback. A refusal is an Error with words for the user.

import {refusal} from '../refusal.mjs';

const cookie = (name) => decodeURIComponent(document.cookie.match(new RegExp(`(?:^|;\\s*)${name}=([^;]*)`))?.[1] ?? '');

async function answer(reply) {
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) throw Object.assign(new Error(refusal(body)), {status: reply.status, code: body.code});
  return body;
}

/** GET a query. */
export async function ask(name, params = {}) {
  const url = `/api/v1/queries/${name}?${new URLSearchParams(params)}`;
  return answer(await fetch(url, {credentials: 'same-origin', headers: {Accept: 'application/json'}}));
}

/** POST a command. */
export async function command(name, fields = {}) {
  const headers = {'Content-Type': 'application/json', 'X-CSRF-Token': cookie('chengyun_csrf')};
  return answer(await fetch(`/api/v1/commands/${name}`, {method: 'POST', credentials: 'same-origin', headers, body: JSON.stringify(fields)}));
}
