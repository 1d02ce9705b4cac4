// Which theme an incident belongs to: the longest beginning of its class's code decides. Pure.

/** `themes`: {theme: [beginnings of codes]}; '' for a class of none. */
export function themeOf(themes, code) {
  let best = '';
  let length = 0;
  for (const [theme, beginnings] of Object.entries(themes)) {
    for (const beginning of beginnings) {
      if (beginning.length > length && code?.startsWith(beginning)) [best, length] = [theme, beginning.length];
    }
  }
  return best;
}
