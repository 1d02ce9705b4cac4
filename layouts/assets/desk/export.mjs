// The export: the file is fetched here, so that a refusal is told on the screen and is not a dead download.

import {t} from '../text.mjs';
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

/** Fetch the file at `url` and hand it to the browser; `button` is asleep meanwhile. */
export async function download(url, button) {
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  try {
    const reply = await fetch(url, {credentials: 'same-origin'});
    if (!reply.ok) {
      toast(await refusal(reply), 'warn');
      return;
    }
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await reply.blob());
    link.download = nameOf(reply);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be asking where to
  } catch {
    toast(t('desk.export.failed'), 'warn');
  } finally {
    button.removeAttribute('aria-busy');
  }
}
