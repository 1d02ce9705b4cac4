// What survives a closed page: IndexedDB with two stores, `queue` (ordered) and `kept` (by name). When the browser
// refuses it (private mode), memory stands in and `durable` is false, so that the screen can say so.

const NAME = 'chengyun-phone';
const VERSION = 1;

function open() {
  return new Promise((done, failed) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('queue', {keyPath: 'seq', autoIncrement: true});
      request.result.createObjectStore('kept');
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      done(request.result);
    };
    request.onerror = () => failed(request.error);
    request.onblocked = () => failed(new Error('IndexedDB is blocked by another tab'));
  });
}

const database = await open().catch(() => null);
const memory = {queue: new Map(), kept: new Map(), next: 1};

/** False when nothing outlives this page. */
export const durable = database !== null;

function run(store, mode, work) {
  return new Promise((done, failed) => {
    const transaction = database.transaction(store, mode);
    const request = work(transaction.objectStore(store));
    transaction.oncomplete = () => done(request.result);
    transaction.onerror = transaction.onabort = () => failed(transaction.error);
  });
}

/** Values by name. */
export const kept = {
  get: (name) => (durable ? run('kept', 'readonly', (s) => s.get(name)) : Promise.resolve(memory.kept.get(name))),
  put: (name, value) =>
    durable ? run('kept', 'readwrite', (s) => s.put(value, name)) : Promise.resolve(memory.kept.set(name, value)),
  remove: (name) =>
    durable ? run('kept', 'readwrite', (s) => s.delete(name)) : Promise.resolve(memory.kept.delete(name)),
  /** Remove every value whose name begins with `prefix`. */
  removeAll: (prefix) =>
    durable
      ? run('kept', 'readwrite', (s) => s.delete(IDBKeyRange.bound(prefix, `${prefix}\uffff`)))
      : Promise.resolve([...memory.kept.keys()].filter((k) => k.startsWith(prefix)).forEach((k) => memory.kept.delete(k))),
};

/** Rows in the order in which they were added; `seq` is given on adding. */
export const rows = {
  all: () => (durable ? run('queue', 'readonly', (s) => s.getAll()) : Promise.resolve([...memory.queue.values()])),
  async add(row) {
    const seq = durable ? await run('queue', 'readwrite', (s) => s.add(row)) : memory.next++;
    if (!durable) memory.queue.set(seq, {...row, seq});
    return {...row, seq};
  },
  put: (row) =>
    durable ? run('queue', 'readwrite', (s) => s.put(row)) : Promise.resolve(memory.queue.set(row.seq, row)),
  remove: (seq) =>
    durable ? run('queue', 'readwrite', (s) => s.delete(seq)) : Promise.resolve(memory.queue.delete(seq)),
};
