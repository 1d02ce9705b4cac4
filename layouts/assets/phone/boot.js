// Stands in the page itself (shell.py), because what watches over the loading must not have to be loaded. On a link that
// loses requests a first load of thirty files fails: then the service worker fetches them one by one, as often as it
// takes, and the page begins anew from what it has.
(() => {
  const root = document.documentElement;
  let waiting = false;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const worker = async () => {
    if (!('serviceWorker' in navigator)) return pause(4000);
    for (let n = 1; n < 20; n += 1) {
      try {
        await navigator.serviceWorker.register('/phone/sw.js', {scope: '/phone'});
        return navigator.serviceWorker.ready;
      } catch {
        await pause(700 * n);
      }
    }
    return null;
  };
  const again = async () => {
    if (waiting || root.dataset.booted) return;
    waiting = true;
    const words = document.querySelector('#ph-main .cy-empty');
    if (words) words.textContent = root.dataset.retry;
    await Promise.race([worker(), pause(60_000)]);
    if (!root.dataset.booted) location.reload();
  };
  addEventListener('error', ({target}) => ['SCRIPT', 'LINK'].includes(target?.tagName) && again(), true);
  addEventListener('unhandledrejection', again);
  setTimeout(again, 40_000);
})();
