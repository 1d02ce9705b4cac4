"""What is computed by the clock and put into the live state: indicators, totals, silence, feeds, trends, checks.

Each method is one timer of the relay; `TIMERS` says how often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import orjson

from data import boards, vitals
from data.audit import Audit
from data.cameras import SHELF_ENDED_BY_TIMER, end_due
from data.database import Database
from data.figures_told import FiguresTold
from data.health import hear, look_around
from data.incident_facts import recount
from data.incident_states import forget_states, seed_states, unseeded
from data.incident_totals import total_items
from data.indicators import (
    Values,
    completeness_values,
    device_values,
    forget,
    incident_values,
    item,
    keep,
    told_areas,
)
from data.live import LiveState
from data.marks import end, ended, live_keys, mark_items
from data.outbox import Outbox
from data.photo_likeness import look_at_photos
from data.quarantine import tend
from data.questions.incidents import INDICATOR_RECORDS
from data.reconcile import Reconciler
from data.screens import screen_items
from data.storage import measure
from incidents.ports import Usage
from incidents.vitals import Crossing, Vital

TIMERS: Final = (
    ("rebuild", 1.0),
    ("escalate", 1.0),
    ("shelves", 5.0),
    ("marks", 1.0),
    ("indicators", 5.0),
    ("completeness", 60.0),
    ("feeds", 5.0),
    ("totals", 5.0),
    ("trends", 20.0),
    ("vitals", 15.0),
    ("reconcile", 30.0),
    ("mismatches", 5.0),
    ("outages", 5.0),
    ("shifted", 1800.0),
    ("deadlines", 2.0),
    ("quarantine", 5.0),
    ("recount", 5.0),
    ("likeness", 10.0),
    ("storage", 60.0),
    ("states", 1.0),
    ("device_health", 15.0),
    ("tidy", 600.0),
)
"""(method of Clockwork, period in seconds)."""

SEED_EVERY: Final = timedelta(minutes=5)
"""So often it is looked whether an incident is missing in the time machine."""


class Clockwork:
    """The clock's work of one city. `escalate_due`, `file_mismatches`, `file_outages` (now, watching
    since) `file_shifted`, `tend_deadlines` and `file_vital` run in units of work of their own.

    `zone`: the city's, by which a day begins. `replay`: how far back the time machine reaches (None: to its beginning).
    """

    def __init__(
        self,
        database: Database,
        live: LiveState,
        city: str,
        reconciler: Reconciler,
        outbox: Outbox,
        escalate_due: Callable[[datetime], int],
        file_mismatches: Callable[[datetime], int],
        file_outages: Callable[[datetime, datetime], int],
        file_shifted: Callable[[datetime], int],
        tend_deadlines: Callable[[datetime], int],
        file_vital: Callable[[Vital, Crossing, datetime], int],
        rooms: Mapping[str, Callable[[], Usage | None]],
        zone: tzinfo,
        audit: Audit,
        replay: timedelta | None = None,
    ) -> None:
        self._database = database
        self._live = live
        self._city = city
        self._reconciler = reconciler
        self._outbox = outbox
        self._escalate_due = escalate_due
        self._file_mismatches = file_mismatches
        self._file_outages = file_outages
        self._file_shifted = file_shifted
        self._tend_deadlines = tend_deadlines
        self._file_vital = file_vital
        self._watching_since: datetime | None = None
        self._rooms = rooms
        self._zone = zone
        self._audit = audit
        self._replay = replay
        self._seeded: datetime | None = None
        self._figures = FiguresTold(city)
        self._heard = 0
        self._told: dict[str, set[str]] | None = None

    def rebuild(self, now: datetime) -> None:
        """Fill the live state from the store when it was lost."""
        if self._live.needs_rebuild():
            self._figures.forget()
            self._live.rebuild(lambda: self._everything(now))

    def _everything(self, now: datetime) -> Iterator[Any]:
        yield boards.demo_item(self._database)
        yield from boards.feed_items(self._database, self._city, now)
        yield from boards.device_items(self._database, now)
        yield from boards.worker_items(self._database)
        yield from boards.warning_items(self._database)
        yield from boards.incident_items(self._database)
        yield from screen_items(self._database)
        yield from mark_items(self._database, now)

    def escalate(self, now: datetime) -> None:
        """Escalate what is due."""
        self._escalate_due(now)

    def shelves(self, now: datetime) -> None:
        """Cameras set aside come back when their time is over, with a line in the audit log."""
        with self._database.transaction() as cursor:
            for number, camera in end_due(cursor, now):
                self._audit.append(
                    actor=SHELF_ENDED_BY_TIMER, role="system", action="camera.shelve", thing=f"shelf_over:{camera}",
                    allowed=True, now=now, detail={"shelf": number}, cursor=cursor,
                )  # fmt: skip

    def marks(self, now: datetime) -> None:
        """Marks whose time is over leave the maps."""
        over = ended(self._database, now)
        if over:
            # The screens first: what the store calls ended is not looked at again.
            self._live.apply((), [key for row in over for key in live_keys(row)])
            end(self._database, [row["id"] for row in over])

    def indicators(self, now: datetime) -> None:
        """Indicators that are cheap, and devices that fell silent."""
        if self._told is None:
            self._told = told_areas(self._database, now)
        values = incident_values(self._database, INDICATOR_RECORDS, self._city, now, self._told)
        for name, found in values.items():
            self._told[name].update(found)
        devices = self._devices()
        if devices is not None:
            periods = dict(
                self._database.query("SELECT id, expected_period_s FROM devices WHERE NOT disabled")
            )
            silent = boards.newly_silent(devices, periods, now)
            if silent:
                self._live.apply(silent)
            seen = {key: found["t"] / 1000 for key, found in devices.items() if found["t"]}
            values.update(device_values(self._database, seen, self._city, now))
        self._publish(values, now)

    def _devices(self) -> dict[str, Any] | None:
        """Device items of the live state; None while it is being rebuilt (then nothing is said of devices)."""
        snapshot = self._live.snapshot()
        if snapshot is None:
            return None
        return {key: orjson.loads(body) for kind, key, _, body in snapshot[2] if kind == "device"}

    def completeness(self, now: datetime) -> None:
        """The one indicator that reads the readings."""
        self._publish({"completeness": completeness_values(self._database, self._city, now)}, now)

    def _publish(self, values: dict[str, Values], now: datetime) -> None:
        keep(self._database, values, now)
        items = (
            item(name, area, value, now) for name, found in values.items() for area, value in found.items()
        )
        self._live.apply(self._figures.worth_telling(items, now))

    def feeds(self, now: datetime) -> None:
        """Feed status, the demo flag, ledger alerts."""
        self._live.apply(
            [
                boards.demo_item(self._database),
                boards.alert_item(self._database, self._city),
                *boards.feed_items(self._database, self._city, now),
            ]
        )

    def totals(self, now: datetime) -> None:
        """How many incidents there are, per area."""
        items = total_items(self._database, self._city, now, self._zone)
        self._live.apply(self._figures.worth_telling(items, now))

    def trends(self, now: datetime) -> None:
        """The wall's curves."""
        self._live.apply(boards.trend_items(self._database, self._city, now))

    def vitals(self, now: datetime) -> None:
        """Vital signs of the city; a limit that was crossed becomes an incident, once."""
        for vital, crossed in vitals.tick(self._database, self._city, now):
            self._file_vital(vital, crossed, now)
            vitals.filed(self._database, vital.id, crossed.at)

    def reconcile(self, now: datetime) -> None:
        """The ledger against broker and store."""
        self._reconciler.run(now)

    def mismatches(self, now: datetime) -> None:
        """What still stands becomes an incident of those who run the platform."""
        self._file_mismatches(now)

    def outages(self, now: datetime) -> None:
        """A feed that stopped becomes an incident of those who run the platform; its return is noted there."""
        self._watching_since = self._watching_since or now
        self._file_outages(now, self._watching_since)

    def shifted(self, now: datetime) -> None:
        """A feed whose points look shifted becomes an incident of those who run the platform."""
        self._file_shifted(now)

    def deadlines(self, now: datetime) -> None:
        """Deadlines that were not known, and years that are not."""
        self._tend_deadlines(now)

    def quarantine(self, now: datetime) -> None:
        """Held messages: of what they are, and back to the bus those of devices that are registered by now."""
        tend(self._database, now)

    def device_health(self, now: datetime) -> None:
        """Who fell silent or speaks again is looked at first, then those that were not looked at for longest."""
        self._heard = hear(self._database, now, self._heard)
        look_around(self._database, now)

    def recount(self, now: datetime) -> None:
        """What evaluation counts of incidents, against their timelines."""
        recount(self._database, now)

    def likeness(self, now: datetime) -> None:
        """What photos look like, of those that nobody has looked at."""
        look_at_photos(self._database)

    def storage(self, now: datetime) -> None:
        """How much room everything takes."""
        measure(self._database, self._rooms, now)

    def tidy(self, now: datetime) -> None:
        """Forget settled outbox rows, old indicator history, and what can no longer be replayed."""
        self._outbox.tidy(now - timedelta(days=1))
        forget(self._database, now - timedelta(days=2))
        if self._replay is not None:
            forget_states(self._database, now - self._replay)

    def states(self, now: datetime) -> None:
        """Incidents older than the time machine, or out of a restored backup, come into it as they are shown now."""
        if self._seeded is not None and now - self._seeded < SEED_EVERY:
            return
        if seed_states(self._database, now) == 0 and not unseeded(self._database):
            self._seeded = now
