// A question asked again while its answer is under way is asked once more afterwards: the answer on its way may be
// older than what made the second call, and two answers under way may arrive in the wrong order.

/** `load` as a function of which at most one run is under way. Its promise resolves with that run. */
export function oneAtATime(load) {
  let running = null;
  let again = false;
  return function ask() {
    if (running) {
      again = true;
      return running;
    }
    running = load().finally(() => {
      running = null;
      if (again) {
        again = false;
        ask();
      }
    });
    return running;
  };
}
