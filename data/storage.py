"""How much room everything takes and how long queues are: measured by the relay, kept for a week, forecast for the
operations page (the plan's 存储与队列)."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from data.database import Database, many
from data.incident_rows import ms
from data.live import LiveAway
from incidents.forecast import forecast
from incidents.ports import BusUnavailable, Usage

KEPT: Final = timedelta(days=7)
LOOKED_AT: Final = timedelta(days=1)
"""What a forecast is made from: a day has its quiet and its busy hours."""

GB: Final = 10**9

_QUEUES: Final = (
    "SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL AND refused_at IS NULL), (SELECT count(*) FROM intake WHERE incident_id IS NULL"
    " AND aside = ''), (SELECT count(*) FROM held WHERE released_at IS NULL),"
    " (SELECT count(*) FROM dead_letters WHERE state = 'open')"
)
QUEUES: Final = ("outbox", "intake", "held", "dead_letters")
ROOMS: Final = ("store", "bus", "live", "broker", "files")


def store_usage(database: Database, disk: str, capacity_gb: float) -> Usage:
    """Bytes of the database; what it may grow to: by what is free on its disk, if that can be seen, else as told."""
    used = int(database.query("SELECT pg_database_size(current_database())")[0][0])
    if disk:
        return Usage(used, used + shutil.disk_usage(disk).free)
    return Usage(used, round(capacity_gb * GB) or None)


def files_usage(folder: Path) -> Usage:
    """The disk of the run-time folder (photos, logs, tiles)."""
    disk = shutil.disk_usage(folder)
    return Usage(disk.used, disk.used + disk.free)


def bus_usage(ask: Callable[[], Usage], capacity_gb: float) -> Usage:
    """What the bus says; the told capacity where it knows none."""
    usage = ask()
    return usage if usage.capacity else Usage(usage.used, round(capacity_gb * GB) or None)


def broker_usage(counters: Callable[[], Mapping[str, Mapping[str, float]]], capacity: int) -> Usage | None:
    """What waits at Mosquitto, of `capacity` bytes, as the gateways that live hear it; None when none does."""
    told = [int(of["broker_queue_bytes"]) for of in counters().values() if "broker_queue_bytes" in of]
    return Usage(max(told), capacity) if told else None


def measure(database: Database, rooms: Mapping[str, Callable[[], Usage | None]], now: datetime) -> None:
    """Keep one sample of everything that answers; what is away just now, or not in use (None), has none."""
    rows: list[tuple[Any, ...]] = []
    for what, ask in rooms.items():
        try:
            usage = ask()
        except (BusUnavailable, LiveAway):
            continue
        if usage is not None:
            rows.append((what, now, usage.used, usage.capacity))
    (lengths,) = database.query(_QUEUES)
    rows += [(what, now, n, None) for what, n in zip(QUEUES, lengths, strict=True)]
    with database.transaction() as cursor:
        many(
            cursor,
            "INSERT INTO storage_samples (what, at, used, capacity) VALUES %s ON CONFLICT DO NOTHING",
            rows,
        )
        cursor.execute("DELETE FROM storage_samples WHERE at < %s", (now - KEPT,))


def storage(database: Database, now: datetime) -> list[dict[str, Any]]:
    """A row each: what, used, capacity, at (ms), per_day (None: measured for too short a time), full_at (ms)."""
    samples: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    newest: dict[str, tuple[datetime, int, int | None]] = {}
    for what, at, used, capacity in database.query(
        "SELECT what, at, used, capacity FROM storage_samples WHERE at > %s ORDER BY at", (now - LOOKED_AT,)
    ):
        samples[what].append((at, float(used)))
        newest[what] = (at, used, capacity)
    found = []
    for what in (*ROOMS, *QUEUES):
        if what in newest:
            at, used, capacity = newest[what]
            ahead = forecast(samples[what], capacity, now)
            found.append(
                {
                    "what": what,
                    "unit": "bytes" if what in ROOMS else "rows",
                    "used": used,
                    "capacity": capacity,
                    "at": ms(at),
                    "per_day": ahead.per_day,
                    "full_at": ms(ahead.full_at),
                }
            )
    return found
