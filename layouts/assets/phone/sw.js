// Service worker of the phone (scope /phone). The router puts `const SHELL = {version, files}` before this text, so a
// changed file makes a changed worker. It keeps the shell: page, styles, modules, words. It never touches /api or
// /live: what is live must not come out of a cache, and what could not be sent waits in the page's own outbox.

/* global SHELL */
const CACHE = `chengyun-phone-${SHELL.version}`;
const PAGE = '/phone';
const PAGE_WAIT_MS = 4000;
const LANES = 4;
const FILE_TRIES = 8;
let ahead = false; // the server already has a newer shell than this worker: its files come from the server

/** One file of the shell, asked for again when the link loses it; what the browser has of the same version is not sent. */
async function keepFile(cache, path) {
  for (let n = 1; ; n += 1) {
    try {
      const reply = await fetch(new Request(path, {cache: 'no-cache'}));
      if (!reply.ok) throw new Error(`${path}: HTTP ${reply.status}`);
      return await cache.put(path, reply);
    } catch (error) {
      if (n === FILE_TRIES) throw error;
      await new Promise((done) => setTimeout(done, 300 * n));
    }
  }
}

self.addEventListener('install', (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    const left = [...SHELL.files];
    const lane = async () => {
      for (let path = left.shift(); path; path = left.shift()) await keepFile(cache, path);
    };
    await Promise.all(Array.from({length: LANES}, lane));
    await self.skipWaiting();
  })());
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith('chengyun-phone-') && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
    await keepPage(await fetch(PAGE, {credentials: 'same-origin', redirect: 'manual'}).catch(() => null));
  })());
});

self.addEventListener('message', (event) => {
  if (event.data === 'forget') event.waitUntil(caches.open(CACHE).then((cache) => cache.delete(PAGE)));
  if (event.data.keep) event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(event.data.keep)));
});

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const {hash} = event.notification.data;
  event.waitUntil((async () => {
    const [open] = await self.clients.matchAll({type: 'window'});
    if (!open) return self.clients.openWindow(PAGE + hash);
    open.postMessage({open: hash});
    return open.focus();
  })());
});

async function keepPage(reply) {
  // A redirect (to the login) or an error is no page to keep.
  if (reply && reply.ok && reply.type === 'basic' && !reply.redirected) await (await caches.open(CACHE)).put(PAGE, reply.clone());
}

async function page(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(PAGE);
  const asked = fetch(request).then(async (reply) => {
    if (reply.ok) ahead = reply.headers.get('X-Chengyun-Shell') !== SHELL.version;
    await keepPage(reply);
    return reply;
  });
  if (!kept) return asked;
  asked.catch(() => {}); // too late is not an error: the kept page is already shown
  const late = new Promise((done) => setTimeout(done, PAGE_WAIT_MS, null));
  const reply = await Promise.race([asked.catch(() => null), late]);
  return reply && reply.status < 500 ? reply : kept;
}

async function asset(request) {
  const cache = await caches.open(CACHE);
  if (ahead) {
    try {
      return await fetch(request);
    } catch { /* no signal: an older file is better than none */ }
  }
  return (await cache.match(request)) ?? fetch(request);
}

/** What the map needs besides its tiles: kept with the extract of the map (ground.mjs), wanted only without signal. */
async function ground(request) {
  const kept = await caches.match(new URL(request.url).pathname);
  return kept ?? Response.error();
}

self.addEventListener('fetch', (event) => {
  const {request} = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate' && url.pathname === PAGE) event.respondWith(page(request));
  else if (SHELL.files.includes(url.pathname) || url.pathname.startsWith('/assets/fonts/')) event.respondWith(asset(request));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(fetch(request).catch(() => ground(request)));
});
