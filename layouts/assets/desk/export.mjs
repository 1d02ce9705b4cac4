// The export: the file is fetched here, so that a refusal is told on the screen and is not a dead download, and so that
// a bar can say how far it is: no number while the server makes it, then the share of its bytes.

import {t} from '../text.mjs';
import {during} from './progress.mjs';
import {toast} from './shell.mjs';

const number = (n) => n.toLocaleString('en-US');

/** Why there is no file, in words. */
async function refusal(reply) {
  const told = await reply.json().catch(() => ({}));
  return told.code === 'rule' && told.most ? t('desk.export.too_many', {total: number(told.total), most: number(told.most)}) : t('desk.export.failed');
}

function nameOf(reply) {
  const found = /filename\*=UTF-8''([^;]+)/.exec(reply.headers.get('Content-Disposition') ?? '');
  return found ? decodeURIComponent(found[1]) : 'incidents.xlsx';
}

/** The body of a reply; `told(done, of)` hears of its bytes as they come. */
async function bytesOf(reply, told) {
  const packed = reply.headers.has('Content-Encoding'); // then the length is not that of what arrives here
  const of = packed ? 0 : Number(reply.headers.get('Content-Length'));
  const parts = [];
  let done = 0;
  for (const reader = reply.body.getReader(); ;) {
    const {value, done: over} = await reader.read();
    if (over) return new Blob(parts, {type: reply.headers.get('Content-Type')});
    parts.push(value);
    told(done += value.length, of);
  }
}

/** Fetch the file at `url` and hand it to the browser; `button` is asleep meanwhile. */
export async function download(url, button) {
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  try {
    const [reply, file] = await during(t('work.export'), async (told) => {
      const answer = await fetch(url, {credentials: 'same-origin'});
      return [answer, answer.ok ? await bytesOf(answer, told) : null];
    });
    if (!file) {
      toast(await refusal(reply), 'warn');
      return;
    }
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file);
    link.download = nameOf(reply);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be asking where to
  } catch {
    toast(t('desk.export.failed'), 'warn');
  } finally {
    button.removeAttribute('aria-busy');
  }
}
