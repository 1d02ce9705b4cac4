"""Step 7's messenger: puts items into the live state from a thread of its own, newest per key.

While the live state is slow or away, later items replace earlier ones instead of queueing; the memory is bounded
by the number of things, and ingest never waits. Best effort: what is lost is rebuilt from the store.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import structlog

log = structlog.get_logger()

Item = dict[str, Any]
Key = tuple[str, str]


class Live(Protocol):
    """The writing side of `data/live.py`."""

    def apply(self, set_items: Iterable[Any] = (), del_keys: Iterable[Key] = ()) -> Any: ...


class LiveFeed:
    """`put` from any thread; `run` in one thread until `stop` is set."""

    def __init__(self, live: Live, away: tuple[type[Exception], ...]) -> None:
        self._live = live
        self._away = away
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._items: dict[Key, Item] = {}
        self._gone: dict[Key, None] = {}

    def put(self, items: Iterable[Item], gone: Iterable[Key] = ()) -> None:
        """Hand over what changed; returns at once."""
        with self._lock:
            for item in items:
                key = (item["kind"], item["key"])
                self._items[key] = item
                self._gone.pop(key, None)
            for key in gone:
                self._items.pop(key, None)
                self._gone[key] = None
        self._bell.set()

    def run(self, stop: threading.Event, often: Callable[[], None]) -> None:
        """Apply what was put, in one delta at a time; `often` is called at least twice a second (heartbeats)."""
        while not stop.is_set():
            self._bell.wait(0.5)
            self._bell.clear()
            with self._lock:
                items, self._items = self._items, {}
                gone, self._gone = self._gone, {}
            try:
                if items or gone:
                    self._live.apply(items.values(), gone)
                often()
            except self._away as error:
                # It may have been away without losing anything: then nobody rebuilds, and this is still owed.
                self._put_back(items, gone)
                log.warning("live state away, tries again", error=str(error))
                stop.wait(0.5)

    def _put_back(self, items: dict[Key, Item], gone: dict[Key, None]) -> None:
        with self._lock:
            for key in gone:
                if key not in self._items:
                    self._gone[key] = None
            for key, item in items.items():
                if key not in self._gone:
                    self._items.setdefault(key, item)
