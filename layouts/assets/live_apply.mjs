// The live state and its one law: apply(snapshot_v, deltas) == snapshot_v+n. No I/O: runs in a browser or in node.
// State: {epoch, n, items: Map(kind → Map(key → item))}. Snapshot and delta: see the live protocol in docs/.

/** A state that knows nothing yet. */
export const empty = () => ({epoch: null, n: -1, items: new Map()});

/** Build the state of a snapshot {epoch, n, items: {kind: {key: item}}, columns: {kind: [group]}} (callbacks/live_columns.py). */
export function fromSnapshot(snapshot) {
  const items = new Map();
  for (const [kind, byKey] of Object.entries(snapshot.items)) items.set(kind, new Map(Object.entries(byKey)));
  for (const [kind, groups] of Object.entries(snapshot.columns ?? {})) {
    items.set(kind, new Map(groups.flatMap(({n, fields}) => rowsOf(n, fields)).map((item) => [item.key, item])));
  }
  return {epoch: snapshot.epoch, n: snapshot.n, items};
}

function rowsOf(n, fields) {
  const rows = Array.from({length: n}, () => ({}));
  for (const [[name, inner], column] of fields) {
    const values = valuesOf(n, column);
    if (inner === undefined) rows.forEach((row, i) => { row[name] = values[i]; });
    else rows.forEach((row, i) => { (row[name] ??= {})[inner] = values[i]; });
  }
  return rows;
}

function valuesOf(n, {are, same, of, at, least, more, front, rest}) {
  if (are) return are;
  if (at) {
    const words = of.front ? valuesOf(0, of) : of;
    return at.map((i) => words[i]);
  }
  if (more) return more.map((v) => v + least);
  if (!front) return Array(n).fill(same);
  let before = '';
  return front.map((letters, i) => (before = before.slice(0, letters) + rest[i]));
}

/**
 * Apply one delta {epoch, n, prev, set: [item], del: [[kind, key]]} to `state`, in place.
 * Returns {outcome, changed}: "applied"; "old" when the state is already past it (a repeat after a reconnect);
 * "gap" when something before it is missing or the epoch is another one: then only a new snapshot helps.
 * A delta that overlaps what is known is safe: it carries whole items, so applying it again changes nothing.
 */
export function apply(state, delta) {
  if (delta.epoch !== state.epoch) return {outcome: 'gap', changed: []};
  if (delta.n <= state.n) return {outcome: 'old', changed: []};
  if (delta.prev > state.n) return {outcome: 'gap', changed: []};
  const changed = [];
  for (const item of delta.set ?? []) {
    let byKey = state.items.get(item.kind);
    if (!byKey) state.items.set(item.kind, (byKey = new Map()));
    byKey.set(item.key, item);
    changed.push([item.kind, item.key]);
  }
  for (const [kind, key] of delta.del ?? []) {
    if (state.items.get(kind)?.delete(key)) changed.push([kind, key]);
  }
  state.n = delta.n;
  return {outcome: 'applied', changed};
}

/** Every [kind, key] of `before` or `after`: what a replaced state may have changed. */
export function allKeys(before, after) {
  const seen = new Set();
  const pairs = [];
  for (const state of [before, after]) {
    for (const [kind, byKey] of state.items) {
      for (const key of byKey.keys()) {
        const id = `${kind}\n${key}`;
        if (!seen.has(id)) {
          seen.add(id);
          pairs.push([kind, key]);
        }
      }
    }
  }
  return pairs;
}

/** The state as plain objects, kinds without items left out: for comparing in tests. */
export function toPlain(state) {
  const items = {};
  for (const [kind, byKey] of state.items) if (byKey.size) items[kind] = Object.fromEntries(byKey);
  return {epoch: state.epoch, n: state.n, items};
}
