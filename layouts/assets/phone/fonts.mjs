// Phones have Chinese fonts; a bare machine has none. The shipped font (2 MB) is worth its load only there.

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
