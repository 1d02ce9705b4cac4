// One desk in several windows: /desk?window=map and /desk?window=list show one part alone, for a second monitor. What is
// chosen in one is chosen in all of this account's windows of this browser.

const CHANNEL = 'chengyun.desk';

/** Which part this window shows: 'map' | 'list' | '' (everything). */
export const part = (() => {
  const asked = new URLSearchParams(location.search).get('window');
  return asked === 'map' || asked === 'list' ? asked : '';
})();

/** `follow(key)` is called when another window of the same account has chosen; the answer tells the others what this one chose. */
export function startWindows(login, follow) {
  document.documentElement.dataset.part = part;
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener('message', ({data}) => { if (data?.login === login) follow(data.key); });
  document.addEventListener('click', ({target}) => {
    const hit = target.closest('[data-window]');
    if (hit) window.open(`/desk?window=${hit.dataset.window}`, `chengyun-${hit.dataset.window}`, 'popup,width=1280,height=800');
  });
  return (key) => channel.postMessage({login, key});
}
