"""The router in force: the published one with the responsibility table as it stands now, else the table alone. Read again
when registries change (a published router, a changed table, an area): within CHECK_S in every process."""

from __future__ import annotations

import threading
import time as clocks
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

from data.database import Busy, Cursor, Database, StoreUnavailable
from data.registry import registry_version
from data.routing_rules import read_rules
from incidents.dispatch_setups import of_city
from incidents.dispatching import Router
from incidents.final_units import FinalUnits
from incidents.published_threshold import NEVER
from incidents.responsibility import Rules
from incidents.router_file import BadRouter, router_of, sealed

CHECK_S: Final = 5.0


_SURROUNDINGS: Final = (
    "SELECT (SELECT md5(coalesce(string_agg(path || name || coalesce(md5(geometry), ''), ',' ORDER BY path), '')) FROM areas"
    " WHERE NOT disabled), (SELECT md5(coalesce(string_agg(code || version || name, ',' ORDER BY code, version), ''))"
    " FROM event_classes)"
)
"""What else rules are made of: outlines and names of areas, names of classes. Unchanged, nothing is built anew."""


class Routers(Protocol):
    """Where the router in force is asked for."""

    def __call__(self) -> Router:
        """The one in force now."""
        ...


def rules_alone(rules: Rules) -> Router:
    """What the table says, ranked and explained as ever; nobody has measured how often it is right, so that it sends
    nothing by itself."""
    scenes, evidence = of_city(rules, None)
    return Router(scenes, evidence, (1.0,) * len(evidence), None, FinalUnits(), NEVER, rules.version)


def trained(folder: Path, version: str, file: str, sha256: str, rules: Rules) -> Router:
    """A router out of the folder of models. Raises BadRouter when it is not there or not what was registered."""
    try:
        content = (folder / file).read_bytes()
    except OSError as error:
        raise BadRouter(f"file={file!r}: {error.strerror}") from None
    if sealed(content) != sha256:
        raise BadRouter(f"file={file!r}: is not the one that was registered, its SHA-256 differs")
    return router_of(content, rules, f"{version}+{rules.version}")


class CityRouter:
    """Thread-safe. `folder` None: no trained router can be had here."""

    def __init__(
        self, database: Database, folder: Path | None = None, clock: Callable[[], float] = clocks.monotonic
    ) -> None:
        self._database = database
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Router | None = None
        self._version = -1
        self._stamp: tuple[str, ...] = ()
        self._checked = 0.0

    def __call__(self) -> Router:
        """See Routers. A published router that cannot be read is told in the log and stands back for the table."""
        with self._lock:
            if self._found is None or self._clock() - self._checked > CHECK_S:
                version = registry_version(self._database)
                if self._found is None or version != self._version:
                    self._found = self._read_again(self._found)
                    self._version = version
                self._checked = self._clock()
            return self._found

    def _read_again(self, former: Router | None) -> Router:
        """The router as the store has it now. Where it cannot be made of that, the one that was stays, and the log tells:
        every command asks for it, also those that route nothing."""
        try:
            return self._read()
        except (Busy, StoreUnavailable):
            raise
        except Exception:
            if former is None:
                raise
            structlog.get_logger().exception("router not read, the one before it stays")
            return former

    def _read(self) -> Router:
        with self._database.transaction() as cursor:
            rules = read_rules(cursor)
            published = published_model(cursor)
            cursor.execute(_SURROUNDINGS)
            around = cursor.fetchone() or ()
        stamp = (rules.version, *map(str, around), *published)
        if self._found is not None and stamp == self._stamp:
            return self._found
        router = rules_alone(rules)
        if published and self._folder is not None:
            version, file, sha256 = published
            try:
                router = trained(self._folder, version, file, sha256, rules)
            except BadRouter as error:
                structlog.get_logger().error("published router not read", version=version, error=str(error))
        self._stamp = stamp
        return router


def published_model(cursor: Cursor) -> tuple[str, ...]:
    """(version, file, SHA-256) of the published router, () when none is."""
    cursor.execute("SELECT version, file, sha256 FROM router_models WHERE state = 'published'")
    row = cursor.fetchone()
    return tuple(row) if row else ()
