// Adds the CSRF token to every unsafe request to our own server, Dash's callbacks included. A classic script: it
// must run before the Dash renderer makes its first request.
(() => {
  const SAFE = /^(GET|HEAD|OPTIONS)$/i;
  const token = () => decodeURIComponent(document.cookie.match(/(?:^|;\s*)chengyun_csrf=([^;]*)/)?.[1] ?? '');
  const plain = window.fetch;
  window.fetch = function (input, init = {}) {
    const request = input instanceof Request ? input : null;
    const url = new URL(request ? request.url : String(input), location.href);
    const method = init.method ?? request?.method ?? 'GET';
    if (url.origin !== location.origin || SAFE.test(method)) return plain.call(this, input, init);
    const headers = new Headers(init.headers ?? request?.headers);
    if (!headers.has('X-CSRF-Token')) headers.set('X-CSRF-Token', token());
    return plain.call(this, input, {...init, headers});
  };
})();
