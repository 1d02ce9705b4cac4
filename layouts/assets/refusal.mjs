// What the server refused, in the language of the page. Its own sentence (English: field, value, rule) is added in English only.

import {has, lang, t} from './text.mjs';

const KNOWN = new Set(['forbidden', 'not_found', 'rule', 'network', 'stale']);

/** Words for the body of an answer that was no success: {code, field, message}. */
export function refusal(body) {
  const code = body?.code ?? '';
  let words = t('error.server');
  if (code === 'field') words = t('error.field', {field: has(`word.${body.field}`) ? t(`word.${body.field}`) : body.field});
  else if (code === 'stage') words = t('error.stale');
  else if (code === 'away') words = t('error.network');
  else if (KNOWN.has(code)) words = t(`error.${code}`);
  return lang === 'en' && body?.message ? `${words} — ${body.message}` : words;
}
