// The event-class catalogue, kept for the time without signal: names in both languages, big classes, closing conditions.

import {lang} from '../text.mjs';
import {ask} from './api.mjs';
import {remembered} from './my_tasks.mjs';

let known = new Map();
let loading = null;

/** All classes, in the catalogue's order; [] while nothing was ever loaded. */
export function classes() {
  loading ??= remembered('classes', async () => (await ask('classes')).rows).then(
    ({value, fresh}) => {
      known = new Map(value.map((c) => [c.code, c]));
      if (!fresh) loading = null; // ask again when there is signal
      return value;
    },
    () => {
      loading = null;
      return [];
    },
  );
  return loading;
}

/** The class of an incident, if the catalogue is there. */
export const classOf = (thing) => known.get(thing.class);

/** 大类 · 小类 in the page's language. */
export function classWords(thing) {
  const found = classOf(thing);
  const name = (lang === 'en' && found?.name_en) || thing.class_name;
  return [lang === 'en' ? '' : found?.big_class, name].filter(Boolean).join(' · ');
}
