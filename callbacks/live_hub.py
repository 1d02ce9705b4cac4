"""The live hub: one replica of the live state per web process, fanned out to every screen, filtered by `may`.

A thread follows the deltas of the live state; streams take from it at their own pace, so a slow client gets
merged deltas instead of a growing queue. What a group of alike actors (role, areas, unit …) may see is worked
out and serialised once per delta. Protocol: snapshot, then `delta`, `reset`, `end`, `beat` (ARCHITECTURE §7).
"""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
import structlog

from callbacks.live_columns import MANY, in_columns
from incidents.access import ANYWHERE, Thing, may
from incidents.model import Actor

SetRow = tuple[str, str, str, str, bytes]
"""kind, key, scope, former scope ('' = it was not there), item as JSON."""
DelRow = tuple[str, str, str]
"""kind, key, scope it had."""
Delta = tuple[int, list[SetRow], list[DelRow]]
StateRow = tuple[str, str, str, bytes]
"""kind, key, scope, item as JSON. A scope is area, unit, worker and assisting units joined by tabs."""

RIGHT_OF_KIND: Final = {
    "incident": "incident.see",
    "device": "device.see",
    "worker": "worker.see",
    "indicator": "indicator.see",
    "trend": "indicator.see",
    "feed": "feed.see",
    "warning": "device.see",
    "alert": "incident.see",
    "screen": "screen.see",
    "mark": "map.see",
}
"""What an item's kind asks for besides `live.see`. `link` asks for `status.see` alone: it has no place."""

BEAT_S: Final = 5.0
CHECK_S: Final = 2.0
_RING: Final = 4000
_RING_BYTES: Final = 32 * 1024 * 1024
_MERGE_FROM: Final = 6
_BODIES: Final = 64
_MEMO: Final = 50_000
_SNAPSHOT_FRESH_S: Final = 1.0
_END_GRACE_S: Final = 1.0

log = structlog.get_logger()


class Source(Protocol):
    """The live state as the hub reads it (`data/live.py`). ConnectionError: it is away, try again."""

    def snapshot(self) -> tuple[str, int, list[StateRow]] | None:
        """(epoch, n, rows) at one moment; None while it is being rebuilt."""

    def deltas_after(self, epoch: str, n: int, block_ms: int, most: int = 500) -> list[Delta] | None:
        """Deltas after a version; None when only a new snapshot helps."""

    def recent(self, most: int) -> tuple[str, list[Delta]]:
        """The newest deltas of the present epoch, without a gap."""


class Standing(Protocol):
    """Which sessions still stand (`data/sessions.py`)."""

    def standing(self, hashes: Collection[bytes], now: datetime) -> set[bytes]:
        """Those of `hashes` whose sessions stand."""


def sees(actor: Actor, kind: str, scope: str) -> bool:
    """May `actor` see an item of `kind` with this scope? A kind that is not listed is seen by nobody."""
    if kind == "link":
        return bool(may(actor, "status.see", ANYWHERE))
    right = RIGHT_OF_KIND.get(kind)
    if right is None:
        return False
    area, unit, worker, *assisting = scope.split("\t")
    thing = Thing(area, unit, worker, tuple(assisting))
    return bool(may(actor, "live.see", thing)) and bool(may(actor, right, thing))


class View:
    """What one group of alike actors sees, with the answers kept."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._memo: dict[tuple[str, str], bool] = {}
        self._bodies: dict[tuple[str, int], bytes] = {}
        self.cached: dict[bool, tuple[str, int, float, bytes]] = {}
        """In columns or not → (epoch, n, when, snapshot)."""
        self.making = threading.Lock()

    def sees(self, kind: str, scope: str) -> bool:
        """`sees` for this group, remembered."""
        known = self._memo.get((kind, scope))
        if known is None:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            known = self._memo[kind, scope] = sees(self._actor, kind, scope)
        return known

    def body(self, epoch: str, delta: Delta) -> bytes:
        """One delta of an epoch as this group sees it: `"set":[…],"del":[…]`, b'' when it shows nothing."""
        known = self._bodies.get((epoch, delta[0]))
        if known is None:
            known = self.merged((delta,))
            while len(self._bodies) >= _BODIES:
                self._bodies.pop(next(iter(self._bodies)))
            self._bodies[epoch, delta[0]] = known
        return known

    def merged(self, deltas: Iterable[Delta]) -> bytes:
        """Several deltas as one: the newest of every item. A thing that left the group's sight is removed."""
        items: dict[tuple[str, str], bytes] = {}
        gone: dict[tuple[str, str], None] = {}
        for _, rows, removed in deltas:
            for kind, key, scope, former, item in rows:
                if self.sees(kind, scope):
                    items[kind, key] = item
                    gone.pop((kind, key), None)
                elif former and self.sees(kind, former):
                    items.pop((kind, key), None)
                    gone[kind, key] = None
            for kind, key, scope in removed:
                if self.sees(kind, scope):
                    items.pop((kind, key), None)
                    gone[kind, key] = None
        if not items and not gone:
            return b""
        return b'"set":[%b],"del":%b' % (b",".join(items.values()), orjson.dumps(list(gone)))


class Replica:
    """The state as of (epoch, n) and the deltas that led there. Thread-safe; no I/O."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._items: dict[str, dict[str, tuple[str, bytes]]] = {}
        self._ring: deque[tuple[Delta, int]] = deque()
        self._ring_bytes = 0
        self.epoch = ""
        self.n = -1

    @property
    def loaded(self) -> bool:
        """True once there is a state to show."""
        return bool(self.epoch)

    def load(self, epoch: str, n: int, rows: Iterable[StateRow], recent: Sequence[Delta]) -> None:
        """Take a snapshot; `recent` are deltas before it, so that screens can resume across our restart."""
        items: dict[str, dict[str, tuple[str, bytes]]] = {}
        for kind, key, scope, item in rows:
            items.setdefault(kind, {})[key] = (scope, item)
        with self._lock:
            self.epoch, self.n, self._items = epoch, n, items
            self._ring.clear()
            self._ring_bytes = 0
            usable = [delta for delta in recent if delta[0] <= n]
            if usable and usable[-1][0] == n:
                for delta in usable:
                    self._remember(delta)

    def take(self, deltas: Iterable[Delta]) -> None:
        """Apply deltas that follow on `n`."""
        with self._lock:
            for delta in deltas:
                number, rows, removed = delta
                for kind, key, scope, _, item in rows:
                    self._items.setdefault(kind, {})[key] = (scope, item)
                for kind, key, _ in removed:
                    self._items.get(kind, {}).pop(key, None)
                self.n = number
                self._remember(delta)

    def _remember(self, delta: Delta) -> None:
        size = sum(len(row[4]) for row in delta[1]) + 64 * len(delta[2])
        self._ring.append((delta, size))
        self._ring_bytes += size
        while len(self._ring) > 1 and (len(self._ring) > _RING or self._ring_bytes > _RING_BYTES):
            self._ring_bytes -= self._ring.popleft()[1]

    def after(self, epoch: str, n: int) -> tuple[int, list[Delta]] | None:
        """(newest n, deltas after `n`); None when they are not all here or the epoch is another one."""
        with self._lock:
            if epoch != self.epoch:
                return None
            if n >= self.n:
                return self.n, []
            missing = self.n - n
            if missing > len(self._ring):
                return None
            start = len(self._ring) - missing
            return self.n, [self._ring[i][0] for i in range(start, len(self._ring))]

    def snapshot(self, view: View, columns: bool = False) -> tuple[str, int, bytes]:
        """(epoch, n, `"items":{kind:{key:item}}`) as a group sees it; kinds of many items apart, in `columns`."""
        with self._lock:
            epoch, n = self.epoch, self.n
            rows = [(kind, list(items.items())) for kind, items in self._items.items()]
        kinds: list[bytes] = []
        many: dict[str, Any] = {}
        for kind, found in rows:
            seen = [(key, item) for key, (scope, item) in found if view.sees(kind, scope)]
            if columns and len(seen) >= MANY:
                many[kind] = in_columns(item for _, item in seen)
            elif seen:
                told = b",".join(orjson.dumps(key) + b":" + item for key, item in seen)
                kinds.append(orjson.dumps(kind) + b":{" + told + b"}")
        apart = b',"columns":' + orjson.dumps(many) if many else b""
        return epoch, n, b'"items":{' + b",".join(kinds) + b"}" + apart


class Client:
    """One open stream: whose it is and up to where it was served."""

    def __init__(self, view: View, session: bytes, epoch: str, n: int) -> None:
        self.view = view
        self.session = session
        self.epoch = epoch
        self.position = n  # every delta up to here is dealt with
        self.told = n  # the n that the client knows: invisible deltas move only `position`
        self.ended = False
        self.wake = asyncio.Event()
        self.task: asyncio.Task[object] | None = None


class LiveHub:
    """Follows the live state and serves the streams of one web process.

    `now`: the clock; `store_away`: errors of `sessions` that mean "ask again later" — rights cannot change
    while the store is away, so streams live on.
    """

    def __init__(
        self,
        source: Source,
        sessions: Standing,
        now: Callable[[], datetime],
        store_away: tuple[type[Exception], ...] = (),
    ) -> None:
        self.replica = Replica()
        self._source = source
        self._sessions = sessions
        self._now = now
        self._store_away = store_away
        self._views: dict[tuple[object, ...], View] = {}
        self._clients: set[Client] = set()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self.lost_since: datetime | None = None

    # -- life ------------------------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to follow; wake streams on `loop`."""
        self._loop = loop
        for work in (self._follow, self._watch_sessions):
            thread = threading.Thread(target=work, name=f"live{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def finish(self) -> None:
        """This process is going: every stream ends now, and its screen opens another one elsewhere or later."""
        self._stop.set()
        self._wake_here()

    def stop(self) -> None:
        """End the threads; streams get no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=12)

    @property
    def clients(self) -> int:
        """Open streams."""
        return len(self._clients)

    # -- following the live state ----------------------------------------------------------------------------

    def follow_once(self, block_ms: int) -> bool:
        """One step: load when needed, else take what has come. False when there was nothing to load yet."""
        replica = self.replica
        if replica.loaded:
            deltas = self._source.deltas_after(replica.epoch, replica.n, block_ms)
            if deltas is not None:
                replica.take(deltas)
                return True
        found = self._source.snapshot()
        if found is None:
            return False
        epoch, n, rows = found
        recent_epoch, recent = self._source.recent(2000)
        replica.load(epoch, n, rows, recent if recent_epoch == epoch else [])
        return True

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                before = (self.replica.epoch, self.replica.n)
                found = self.follow_once(1000)
                self.lost_since = None if found else self.lost_since or self._now()
                if (self.replica.epoch, self.replica.n) != before:
                    self._wake_all()
                if not found:
                    self._stop.wait(0.2)
            except ConnectionError as error:
                if self.lost_since is None:
                    log.warning("live_state_lost", error=str(error))
                    self.lost_since = self._now()
                    self._wake_all()
                self._stop.wait(0.5)
            except Exception:
                log.exception("live_hub_failed")
                self._stop.wait(1.0)

    def _wake_all(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake_here)

    def _wake_here(self) -> None:
        for client in self._clients:
            client.wake.set()

    # -- sessions --------------------------------------------------------------------------------------------

    def _watch_sessions(self) -> None:
        while not self._stop.wait(CHECK_S):
            clients = list(self._clients)
            hashes = {client.session for client in clients}
            if not hashes:
                continue
            try:
                standing = self._sessions.standing(hashes, self._now())
            except self._store_away as error:
                log.warning("session_check_postponed", error=str(error))
                continue
            except Exception:
                log.exception("session_check_failed")
                continue
            over = hashes - standing
            if over and self._loop is not None:
                self._loop.call_soon_threadsafe(self._end_here, over)

    def _end_here(self, over: set[bytes]) -> None:
        for client in list(self._clients):
            if client.session in over:
                client.ended = True
                client.wake.set()
                if client.task is not None and self._loop is not None:
                    # A client that does not read would hold its stream open: `end` has a second to leave.
                    self._loop.call_later(_END_GRACE_S, client.task.cancel)

    # -- serving ---------------------------------------------------------------------------------------------

    def view_of(self, actor: Actor) -> View:
        """The view of the group `actor` belongs to: all that `may` looks at in it."""
        of_whom = actor.role in ("unit_handler", "grid_worker")
        key = (
            actor.role,
            tuple(sorted(actor.areas)),
            actor.unit if of_whom else "",
            actor.login if of_whom else "",
        )
        with self._lock:
            view = self._views.get(key)
            if view is None:
                if len(self._views) > 2000:
                    self._views.clear()
                view = self._views[key] = View(actor)
            return view

    def snapshot(self, actor: Actor, columns: bool = False) -> bytes | None:
        """The snapshot for `actor`, gzipped JSON, many items as `columns` (live_columns.py) when they are wanted; None when there is no state yet. At most a second old: the
        deltas since are still at hand for the stream that follows."""
        if not self.replica.loaded:
            return None
        epoch, n, items = self._shown(self.view_of(actor), columns)
        now_ms = int(self._now().timestamp() * 1000)
        lost = b',"lost":true' if self.lost_since is not None else b""
        head = b'{"epoch":%b,"n":%d,"now":%d%b,' % (orjson.dumps(epoch), n, now_ms, lost)
        return gzip.compress(head + items + b"}", compresslevel=4)

    def _shown(self, view: View, columns: bool) -> tuple[str, int, bytes]:
        """The state as a group sees it, made once for all of the group that ask at the same moment."""
        with view.making:
            cached, moment = view.cached.get(columns), time.monotonic()
            if cached is not None and cached[0] == self.replica.epoch:
                fresh = moment - cached[2] < _SNAPSHOT_FRESH_S and self.lost_since is None
                if fresh or cached[1] == self.replica.n:
                    return cached[0], cached[1], cached[3]
            epoch, n, items = self.replica.snapshot(view, columns)
            view.cached[columns] = (epoch, n, moment, items)
            return epoch, n, items

    def pending(self, client: Client) -> tuple[list[bytes], bool]:
        """Frames that `client` has to get now, and whether the stream is over after them."""
        if client.ended:
            return [_frame("end", b"{}")], True
        if not self.replica.loaded:
            return [], False
        found = self.replica.after(client.epoch, client.position)
        if found is None:
            return [_frame("reset", b"{}")], True
        n, deltas = found
        if not deltas:
            return [], False
        frames: list[bytes] = []
        if len(deltas) < _MERGE_FROM:
            for delta in deltas:
                body = client.view.body(client.epoch, delta)
                if body:
                    frames.append(self._delta(client, delta[0], body))
        else:
            body = client.view.merged(deltas)
            if body:
                frames.append(self._delta(client, n, body))
        client.position = n
        return frames, False

    def _delta(self, client: Client, n: int, body: bytes) -> bytes:
        epoch = orjson.dumps(client.epoch)
        data = b'{"epoch":%b,"n":%d,"prev":%d,%b}' % (epoch, n, client.told, body)
        client.told = n
        return _frame("delta", data, f"{client.epoch}:{n}")

    def beat(self, client: Client) -> bytes:
        """A heartbeat: the server's time, whether the live state is lost, and — as an empty delta before it —
        the newest n, so that a quiet client can resume from near the end."""
        moment = self._now()
        data: dict[str, object] = {"now": int(moment.timestamp() * 1000)}
        if self.lost_since is not None:
            data |= {"lost": True, "lost_since": int(self.lost_since.timestamp() * 1000)}
        frame = _frame("beat", orjson.dumps(data))
        if client.told < client.position and client.epoch == self.replica.epoch:
            return self._delta(client, client.position, b'"set":[],"del":[]') + frame
        return frame

    async def stream(
        self, actor: Actor, session: bytes, epoch: str, n: int, task: asyncio.Task[object] | None = None
    ) -> AsyncIterator[bytes]:
        """The frames of one stream from version (epoch, n) on, for as long as the session stands.

        `task`: what to cancel when the session is over and the client does not read.
        """
        client = Client(self.view_of(actor), session, epoch, n)
        client.task = task
        self._clients.add(client)
        loop = asyncio.get_running_loop()
        try:
            yield b"retry: 1000\n" + self.beat(client)
            beat_at = loop.time() + BEAT_S
            while not self._stop.is_set():
                client.wake.clear()
                frames, over = self.pending(client)
                if frames:
                    yield b"".join(frames)
                if over:
                    return
                if loop.time() >= beat_at:
                    yield self.beat(client)
                    beat_at = loop.time() + BEAT_S
                    continue
                try:
                    async with asyncio.timeout_at(beat_at):
                        await client.wake.wait()
                except TimeoutError:
                    continue
        finally:
            client.task = None
            self._clients.discard(client)


def _frame(event: str, data: bytes, identity: str = "") -> bytes:
    head = f"event: {event}\n" + (f"id: {identity}\n" if identity else "")
    return head.encode() + b"data: " + data + b"\n\n"
