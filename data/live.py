"""The live state on Redis (6.2 is enough): the newest of every item, and the deltas between two moments.

A version is (epoch, n): `n` rises by one with every delta; rebuilt state gets a new epoch. Every change is one
Lua script, so that items, `n` and delta never disagree. Best effort: the store is the truth, and whoever finds
`needs_rebuild()` true fills the live state from it with `rebuild`.

Source: ARCHITECTURE §7. The law (tests/contracts/test_live.py): apply(snapshot_v, deltas) == snapshot_v+n.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import orjson
import redis

from incidents.model import FINAL_STAGES
from incidents.ports import Usage
from incidents.scopes import scope_of

Item = Mapping[str, Any]
SetRow = tuple[str, str, str, str, bytes]
"""kind, key, scope, former scope ('' = it was not there), item as JSON."""
DelRow = tuple[str, str, str]
"""kind, key, scope it had."""
Delta = tuple[int, list[SetRow], list[DelRow]]
"""n, items set, items removed."""
StateRow = tuple[str, str, str, bytes]
"""kind, key, scope, item as JSON."""

KINDS: Final = (
    "incident",
    "device",
    "worker",
    "indicator",
    "trend",
    "feed",
    "warning",
    "alert",
    "link",
    "screen",
    "mark",
)

_UNIT_SEPARATOR = "\x1f"
_POOLS: Final = (("open", 3000), ("closed", 300))
_MAX_DELTAS: Final = 20_000
_MAX_DELTA_BYTES: Final = 64 * 1024 * 1024
_FILL_CHUNK: Final = 2000
_COUNTERS_S: Final = 60
_FINAL: Final = frozenset(str(stage) for stage in FINAL_STAGES)


class LiveAway(ConnectionError):
    """The Redis of the live state cannot be reached now, or refuses."""


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise LiveAway(str(error)) from error
    except redis.ResponseError as error:
        raise LiveAway(str(error)) from error


class LiveState:
    """The live state at `url` (redis://…). Thread-safe.

    `pools`: (name, most items kept) for open and closed incidents; level I and II are never evicted while open.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "live:",
        pools: Sequence[tuple[str, int]] = _POOLS,
        max_deltas: int = _MAX_DELTAS,
        max_delta_bytes: int = _MAX_DELTA_BYTES,
    ) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=10, socket_connect_timeout=3, health_check_interval=15
        )
        self._p = prefix
        self._pools = tuple(pools)
        self._bounds = (max_deltas, max_delta_bytes)
        source = (Path(__file__).parent / "live.lua").read_text(encoding="utf-8")
        self._script = self._redis.register_script(source)

    # -- writing ---------------------------------------------------------------------------------------------

    def apply(
        self, set_items: Iterable[Item] = (), del_keys: Iterable[tuple[str, str]] = ()
    ) -> tuple[str, int]:
        """Set items and remove keys as one delta; the version after it, (epoch, n).

        An item whose `version` (else `t`) is lower than the stored one's is left out; so is one that changes
        nothing; when nothing is left there is no delta. A key both set and removed is removed.
        Raises ValueError for an item without a known kind or key, LiveAway when Redis is away.
        """
        return self._apply(set_items, del_keys, fill=False)

    def rebuild(self, read: Callable[[], Iterable[Item]]) -> tuple[str, int]:
        """Start a new epoch and fill it with what `read` finds in the store.

        `read` is called after the new epoch has begun, so whatever is applied meanwhile is kept: an item that is
        newer than the one read wins, and one removed meanwhile stays removed. Until the end `needs_rebuild` is
        true and readers keep what they have.
        """
        epoch = _new_epoch()
        with _reaching():
            run = self._run_id()
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(
                *(self._p + "items:" + kind for kind in KINDS),
                *(self._p + "pool:" + name for name, _ in self._pools),
                *(self._p + name for name in ("graves", "graveyard", "ready", "deltas", "bytes")),
            )
            pipe.set(self._p + "epoch", epoch)
            pipe.set(self._p + "run", run)
            pipe.execute()
        chunk: list[Item] = []
        for item in read():
            chunk.append(item)
            if len(chunk) == _FILL_CHUNK:
                self._apply(chunk, (), fill=True)
                chunk = []
        self._apply(chunk, (), fill=True)
        with _reaching():
            pipe = self._redis.pipeline(transaction=True)
            pipe.get(self._p + "epoch")
            # Readers that wait on the stream wake up by an empty delta of the new epoch.
            pipe.eval(_READY, 1, self._p, epoch)
            now, n = pipe.execute()
        return _text(now), int(n)

    def reset(self, items: Iterable[Item]) -> tuple[str, int]:
        """`rebuild` with items that are already at hand."""
        return self.rebuild(lambda: items)

    def needs_rebuild(self) -> bool:
        """True when the state is missing, half filled, or older than this run of the Redis server.

        (A server that restarted from a dump holds an old state under an epoch that clients know.)
        """
        with _reaching():
            epoch, ready, run = self._redis.mget(self._p + "epoch", self._p + "ready", self._p + "run")
            return epoch is None or ready != b"1" or _text(run) != self._run_id()

    def beat(self, process: str, at_ms: int, counters: Mapping[str, float] | None = None) -> None:
        """Note that `process` (e.g. "relay", "ingest:2") was alive and well at `at_ms` (ms since the epoch).

        `counters`: its running totals since it started, for /metrics (`counters()` gives them back).
        """
        with _reaching():
            self._redis.set("beat:" + process, at_ms, ex=3600)
            if counters:
                self._redis.set("counters:" + process, orjson.dumps(dict(counters)), ex=_COUNTERS_S)

    # -- reading ---------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[str, int, list[StateRow]] | None:
        """The whole state at one moment: (epoch, n, rows); None while it is missing or being rebuilt."""
        with _reaching():
            pipe = self._redis.pipeline(transaction=True)
            pipe.mget(self._p + "epoch", self._p + "n", self._p + "ready")
            for kind in KINDS:
                pipe.hgetall(self._p + "items:" + kind)
            (epoch, n, ready), *hashes = pipe.execute()
        if epoch is None or ready != b"1":
            return None
        rows: list[StateRow] = []
        for kind, stored in zip(KINDS, hashes, strict=True):
            for key, value in stored.items():
                _, scope, item = value.split(b"\n", 2)
                rows.append((kind, key.decode(), scope.decode(), item))
        return epoch.decode(), int(n or 0), rows

    def deltas_after(self, epoch: str, n: int, block_ms: int, most: int = 500) -> list[Delta] | None:
        """Deltas after version (epoch, n), oldest first; waits up to `block_ms` (≤ 5000) when there are none.

        None when they are not all there any more or the epoch is another one: only a new snapshot helps.
        Raises LiveAway when Redis is away.
        """
        key = self._p + "deltas"
        with _reaching():
            pipe = self._redis.pipeline(transaction=False)
            pipe.xread({key: f"{n}-0"}, count=most, block=max(1, min(block_ms, 5000)))
            pipe.mget(self._p + "epoch", self._p + "n")
            answer, (now, last) = pipe.execute()
        entries: list[tuple[bytes, dict[bytes, bytes]]] = _entries(answer)
        if now is None or now.decode() != epoch or int(last or 0) < n:
            return None
        deltas: list[Delta] = []
        for identity, fields in entries:
            number = int(identity.split(b"-")[0])
            if number != n + 1 + len(deltas) or fields[b"e"].decode() != epoch:
                return None
            deltas.append((number, _set_rows(fields[b"s"]), _del_rows(fields[b"d"])))
        return deltas

    def recent(self, most: int) -> tuple[str, list[Delta]]:
        """The newest deltas of the present epoch, oldest first, without a gap: (epoch, deltas)."""
        with _reaching():
            pipe = self._redis.pipeline(transaction=True)
            pipe.get(self._p + "epoch")
            pipe.xrevrange(self._p + "deltas", count=most)
            now, entries = pipe.execute()
        epoch = _text(now)
        deltas: list[Delta] = []
        for identity, fields in entries:
            number = int(identity.split(b"-")[0])
            if fields[b"e"].decode() != epoch or (deltas and number != deltas[-1][0] - 1):
                break
            deltas.append((number, _set_rows(fields[b"s"]), _del_rows(fields[b"d"])))
        return epoch, deltas[::-1]

    def version(self) -> tuple[str, int]:
        """(epoch, n) now; ('', 0) when there is no state."""
        with _reaching():
            epoch, n = self._redis.mget(self._p + "epoch", self._p + "n")
            return _text(epoch), int(n or 0)

    def beats(self) -> dict[str, int]:
        """When each process was last alive: name → ms since the epoch."""
        with _reaching():
            names = sorted(self._redis.scan_iter("beat:*", count=100))
            values = self._redis.mget(names) if names else []
        return {
            name.decode().removeprefix("beat:"): int(value)
            for name, value in zip(names, values, strict=True)
            if value is not None
        }

    def counters(self) -> dict[str, dict[str, float]]:
        """Running totals of the processes that beat within the last minute: process → name → value."""
        with _reaching():
            names = sorted(self._redis.scan_iter("counters:*", count=100))
            values = self._redis.mget(names) if names else []
        return {
            name.decode().removeprefix("counters:"): orjson.loads(value)
            for name, value in zip(names, values, strict=True)
            if value is not None
        }

    def usage(self) -> Usage:
        """The server's memory, and its limit if it has one. Raises LiveAway."""
        with _reaching():
            memory: Any = self._redis.info("memory")
        return Usage(int(memory["used_memory"]), int(memory.get("maxmemory") or 0) or None)

    def ping(self) -> None:
        """Raises LiveAway when Redis does not answer."""
        with _reaching():
            self._redis.ping()

    def close(self) -> None:
        """Release the connections; idempotent."""
        self._redis.close()

    # -- inside ----------------------------------------------------------------------------------------------

    def _apply(
        self, set_items: Iterable[Item], del_keys: Iterable[tuple[str, str]], *, fill: bool
    ) -> tuple[str, int]:
        removals = dict.fromkeys((kind, str(key)) for kind, key in del_keys)
        newest: dict[tuple[str, str], Item] = {}
        for item in set_items:
            kind, key = item.get("kind"), item.get("key")
            if kind not in KINDS or not isinstance(key, str) or not key:
                raise ValueError(f"live item kind={kind!r} key={key!r}: must have a known kind and a key")
            before = newest.get((kind, key))
            if before is None or not _older(item, before):
                newest[kind, key] = item
        args: list[str | bytes | int] = [
            _new_epoch(),
            "fill" if fill else "",
            *self._bounds,
            len(self._pools),
        ]
        for name, limit in self._pools:
            args += [name, limit]
        sets = [(identity, item) for identity, item in newest.items() if identity not in removals]
        args.append(len(sets))
        for (kind, key), item in sets:
            scope = scope_of(item)
            if not (key + scope.replace("\t", "")).isprintable():
                raise ValueError(f"live item {kind}/{key!r}: key, area, unit and worker must be printable")
            pool, score = _pool(item)
            args += [kind, key, _order(item), scope, pool, score, orjson.dumps(item)]
        args.append(len(removals))
        for kind, key in removals:
            args += [kind, key]
        with _reaching():
            epoch, n = cast(tuple[bytes, int], self._script(keys=[self._p], args=args))
        return epoch.decode(), int(n)

    def _run_id(self) -> str:
        return str(self._redis.info("server")["run_id"])


_READY = """
if redis.call('GET', KEYS[1] .. 'epoch') ~= ARGV[1] then
  return tonumber(redis.call('GET', KEYS[1] .. 'n') or '0')
end
redis.call('SET', KEYS[1] .. 'ready', '1')
local n = redis.call('INCR', KEYS[1] .. 'n')
local bytes = redis.call('GET', KEYS[1] .. 'bytes') or '0'
redis.call('XADD', KEYS[1] .. 'deltas', n .. '-0', 'e', ARGV[1], 's', '', 'd', '', 'b', bytes)
return n
"""


def _new_epoch() -> str:
    return secrets.token_hex(6)


def _order(item: Item) -> str:
    """What decides which of two versions of an item is the newer one; '' when nothing does."""
    value = item.get("version")
    if value is None:
        value = item.get("t")
    if value is None:
        return ""
    if not isinstance(value, int | float):
        raise ValueError(f"live item {item['kind']}/{item['key']}: version or t={value!r}: must be a number")
    return repr(value)


def _older(item: Item, than: Item) -> bool:
    a, b = _order(item), _order(than)
    return bool(a and b and float(a) < float(b))


def _pool(item: Item) -> tuple[str, str]:
    """Which bounded pool an item belongs to ('' = always stays, '-' = none), and its place there ('' = arrival)."""
    if item["kind"] != "incident":
        return "-", ""
    if item.get("stage") in _FINAL:
        return "closed", ""
    if int(item.get("level") or 4) <= 2:
        return "", ""
    return "open", repr(item.get("reported_at") or 0)


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Entries of XREAD on one stream, whichever protocol version (list or map) the server speaks."""
    if not answer:
        return []
    if isinstance(answer, dict):
        (value,) = answer.values()
        found = value[0] if value and isinstance(value[0], list) else value
    else:
        ((_, found),) = answer
    return [(identity, fields) for identity, fields in found]


def _set_rows(packed: bytes) -> list[SetRow]:
    rows: list[SetRow] = []
    for line in packed.split(b"\n") if packed else ():
        kind, key, scope, former, item = line.split(b"\x1f", 4)
        rows.append((kind.decode(), key.decode(), scope.decode(), former.decode(), item))
    return rows


def _del_rows(packed: bytes) -> list[DelRow]:
    rows: list[DelRow] = []
    for line in packed.split(b"\n") if packed else ():
        kind, key, scope = line.decode().split(_UNIT_SEPARATOR)
        rows.append((kind, key, scope))
    return rows
