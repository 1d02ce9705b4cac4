"""Step 7's messenger: puts items into the live state from a thread of its own, newest per key.

While the live state is slow or away, later items replace earlier ones instead of queueing; the memory is bounded
by the number of things, and ingest never waits. Best effort: what is lost is rebuilt from the store.

In a flood every device has a new value in every flush, and showing them all would take the processor from ingest: values
of devices are put at most a quarter of the time, AT_ONCE of them at most, those that wait longest first. Everything else
(warnings, places) goes at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Protocol

import structlog

log = structlog.get_logger()

Item = dict[str, Any]
Key = tuple[str, str]

REST: float = 3.0
"""Rest after putting values of devices, as a multiple of the time that it took."""

AT_ONCE: int = 2000
"""Values of so many devices are put at once: what is urgent never waits for a city's worth of them."""

BULK = "device"
"""The kind of item that waits for the end of a rest."""


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
        self._bulk: dict[Key, Item] = {}
        self._gone: dict[Key, None] = {}

    def put(self, items: Iterable[Item], gone: Iterable[Key] = ()) -> None:
        """Hand over what changed; returns at once."""
        with self._lock:
            for item in items:
                key = (item["kind"], item["key"])
                (self._bulk if key[0] == BULK else self._items)[key] = item
                self._gone.pop(key, None)
            for key in gone:
                self._items.pop(key, None)
                self._bulk.pop(key, None)
                self._gone[key] = None
        self._bell.set()

    def run(self, stop: threading.Event, often: Callable[[], None]) -> None:
        """Apply what was put, in one delta at a time; `often` is called at least twice a second (heartbeats)."""
        rested = told = 0.0
        while not stop.is_set():
            self._bell.wait(min(0.5, max(0.0, rested - time.monotonic())) if self._bulk else 0.5)
            self._bell.clear()
            began = time.monotonic()
            with self._lock:
                items, self._items = self._items, {}
                gone, self._gone = self._gone, {}
                bulk: dict[Key, Item] = {}
                if began >= rested:
                    bulk = self._oldest()
            try:
                if items or gone or bulk:
                    self._live.apply([*items.values(), *bulk.values()], gone)
                    took = time.monotonic() - began
                    if bulk:
                        rested = began + took + REST * took
                if items or gone or bulk or began - told >= 0.4:
                    told = began
                    often()
            except self._away as error:
                # It may have been away without losing anything: then nobody rebuilds, and this is still owed.
                self._put_back({**items, **bulk}, gone)
                log.warning("live state away, tries again", error=str(error))
                stop.wait(0.5)

    def _oldest(self) -> dict[Key, Item]:
        """Take out AT_ONCE values; a newer value keeps the place of the one it replaced."""
        if len(self._bulk) <= AT_ONCE:
            bulk, self._bulk = self._bulk, {}
            return bulk
        keys = list(islice(self._bulk, AT_ONCE))
        return {key: self._bulk.pop(key) for key in keys}

    def _put_back(self, items: dict[Key, Item], gone: dict[Key, None]) -> None:
        with self._lock:
            for key in gone:
                if key not in self._items and key not in self._bulk:
                    self._gone[key] = None
            for key, item in items.items():
                if key not in self._gone:
                    (self._bulk if key[0] == BULK else self._items).setdefault(key, item)
