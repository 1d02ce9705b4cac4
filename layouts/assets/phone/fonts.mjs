// Phones have Chinese fonts; a bare machine has none. The shipped font (2 MB) is worth its load only there.

const LOAD_MS = 6000;
const FONT_FILES = ['/assets/fonts/noto-sans-sc-400.woff2', '/assets/fonts/noto-sans-sc-700.woff2', '/assets/fonts/inter-latin.woff2'];

/** Switch to the shipped font where it is needed, and wait for it: words drawn before would stay empty boxes. */
export async function settleFonts() {
  if (!hanMissing()) return;
  document.documentElement.classList.add('no-han');
  const loaded = Promise.allSettled(['400', '700'].map((weight) => document.fonts.load(`${weight} 16px "Chengyun Sans"`, '城')));
  await Promise.race([loaded, new Promise((done) => setTimeout(done, LOAD_MS))]);
}

/** Where the shipped font is needed it is needed without signal too. */
export async function keepFonts() {
  if (!document.documentElement.classList.contains('no-han')) return;
  const {active} = await navigator.serviceWorker.ready;
  active.postMessage({keep: FONT_FILES});
}

/** True when this system draws Chinese characters as the same empty box. */
export function hanMissing() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 32;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  if (!context) return false;
  const picture = (text) => {
    context.clearRect(0, 0, 32, 32);
    context.font = '24px system-ui, sans-serif';
    context.textBaseline = 'top';
    context.fillText(text, 2, 2);
    return context.getImageData(0, 0, 32, 32).data.join();
  };
  // Two very different characters that look alike are boxes (or nothing). A browser that adds noise to canvases
  // against tracking makes them differ: then the system's fonts are used, which is the cheap side to err on.
  return picture('一') === picture('龍');
}
