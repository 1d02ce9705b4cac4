// How long a form takes a person: from opening to sending, presses and keys in between. Sent with the form, kept without a
// name (see incidents/burden.py). A form that comes back from a draft was not open meanwhile: it counts from then.

/** Begin to count on `page`; answers a function that tells {form_s, taps} so far. */
export function effort(page) {
  const began = performance.now();
  let hidden = 0; // the camera is open, or the phone is in the pocket: the camera's time counts, at most a minute of it
  let hiddenAt = null;
  let taps = 0;
  const MOST_HIDDEN_MS = 60_000;
  page.listen(document, 'visibilitychange', () => {
    if (document.hidden) hiddenAt = performance.now();
    else if (hiddenAt !== null) {
      hidden += Math.max(0, performance.now() - hiddenAt - MOST_HIDDEN_MS);
      hiddenAt = null;
    }
  });
  page.listen(document, 'click', ({detail}) => { taps += detail > 0 ? 1 : 0; }); // a click that a script makes has detail 0
  page.listen(document, 'input', ({inputType}) => { taps += inputType?.startsWith('insert') ? 1 : 0; });
  return () => ({form_s: Math.round((performance.now() - began - hidden) / 100) / 10, taps});
}
