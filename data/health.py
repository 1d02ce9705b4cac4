"""The facts that a device's health is judged by, from the readings of the last day; what comes of it is kept.

A bounded step: the devices that were not looked at for longest come first, so every device has its turn.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from data.database import Database, json, many
from incidents.health import WINDOW, Health, MetricDay, Observed, judge_health
from incidents.indicators import SILENT_AFTER_PERIODS

AT_ONCE: Final = 100
"""Devices of one step; as many steps as fit into SPENT_S."""

SPENT_S: Final = 0.5
"""What one tick of the relay may take, which has other things to do; a city of 5,000 has its turn within minutes."""

NOT_AGAIN: Final = timedelta(seconds=60)
"""Nobody is looked at again so soon."""

HEARD: Final = 5_000
"""Devices asked by one tick whether they still speak."""

_HEARD_WITHIN: Final = timedelta(days=31)
"""How far back the newest reading of a device without any today is looked for."""

_DAY: Final = (
    # One scan of the primary key for each device and metric: it gives the times in order, so nothing is sorted.
    "SELECT d.no, m.name, m.name_en, m.unit, m.low, m.high, m.stuck_periods, day.readings, day.outside, n.value,"
    " day.newest_at, day.gaps + late.much::int,"
    " day.lost_s + CASE WHEN late.much THEN late.s - d.expected_period_s ELSE 0 END, still.n,"
    " extract(epoch FROM day.newest_at - day.still_since)::float"
    " FROM devices d JOIN metrics m ON m.device_type = d.type"
    " CROSS JOIN LATERAL (SELECT count(*) AS readings, count(*) FILTER (WHERE value < m.low OR value > m.high) AS outside,"
    " min(time) AS first_at, max(time) AS newest_at, max(time) FILTER (WHERE moved) AS still_since,"
    " count(*) FILTER (WHERE pause > d.patience) AS gaps,"
    " coalesce(sum(extract(epoch FROM pause) - d.expected_period_s) FILTER (WHERE pause > d.patience), 0)::float AS lost_s"
    " FROM (SELECT time, value, time - lag(time) OVER w AS pause, value IS DISTINCT FROM lag(value) OVER w AS moved"
    " FROM readings WHERE device_no = d.no AND metric_no = m.no AND time > %(since)s AND time <= %(until)s"
    " WINDOW w AS (ORDER BY time)) r) day"
    " JOIN LATERAL (SELECT value FROM readings WHERE device_no = d.no AND metric_no = m.no AND time = day.newest_at) n"
    " ON true"
    " CROSS JOIN LATERAL (SELECT count(*) AS n FROM readings WHERE m.stuck_periods IS NOT NULL AND device_no = d.no"
    " AND metric_no = m.no AND time >= day.still_since AND time <= day.newest_at) still"
    # Not heard from the day's begin (or since it was registered) to its first reading: a gap as well.
    " CROSS JOIN LATERAL (SELECT s, s > extract(epoch FROM d.patience) AS much FROM (SELECT"
    " extract(epoch FROM day.first_at - greatest(%(since)s, d.registered_at))::float AS s) x) late ORDER BY d.no, m.no"
).replace(
    "FROM devices d JOIN",
    f"FROM (SELECT *, make_interval(secs => {SILENT_AFTER_PERIODS} * expected_period_s) AS patience FROM devices"
    " WHERE no = ANY(%(devices)s)) d JOIN",
)


def hear(database: Database, now: datetime, after: int, limit: int = HEARD) -> int:
    """Ask the next `limit` devices in service (numbers above `after`) whether they fell silent or speak again since
    they were looked at: then it is their turn at once. Returns where to go on (0 = from the beginning).

    Looking at a device reads its whole day; hearing it is one step into an index.
    """
    rows = database.query(
        "WITH slice AS (SELECT no, type, registered_at, make_interval(secs => %(periods)s * expected_period_s)"
        " AS patience, (SELECT k.at FROM device_links k WHERE k.device = d.id AND NOT k.online)"
        " AS broke_off_at FROM devices d WHERE status = 'in_service' AND no > %(after)s ORDER BY no LIMIT %(limit)s),"
        " heard AS (SELECT s.no, coalesce(n.newest, s.registered_at) < %(now)s - s.patience"
        " OR (s.broke_off_at IS NOT NULL AND coalesce(n.newest, '-infinity') <= s.broke_off_at) AS silent,"
        " n.newest IS NOT NULL AS spoke FROM slice s CROSS JOIN LATERAL (SELECT max(r.time) AS newest FROM metrics m,"
        " LATERAL (SELECT time FROM readings WHERE device_no = s.no AND metric_no = m.no AND time > %(since)s"
        " ORDER BY time DESC LIMIT 1) r WHERE m.device_type = s.type) n),"
        " due AS (UPDATE device_health h SET looked_at = NULL FROM heard WHERE h.device_no = heard.no"
        " AND h.looked_at IS NOT NULL AND ((h.state = 'silent') <> heard.silent"
        " OR (h.state = 'unknown' AND heard.spoke) OR h.state = 'maintenance'))"
        " SELECT count(*), max(no) FROM slice",
        {
            "periods": SILENT_AFTER_PERIODS,
            "after": after,
            "limit": limit,
            "now": now,
            "since": now - _HEARD_WITHIN,
        },
    )
    number, last = rows[0]
    return int(last) if number == limit else 0


def look_around(database: Database, now: datetime, spent_s: float = SPENT_S) -> int:
    """Look at the devices whose turn it is, as many as fit into the time; how many there were."""
    end, seen = time.monotonic() + spent_s, 0
    while found := look_at(database, now):
        seen += found
        if time.monotonic() >= end:
            break
    return seen


def look_at(database: Database, now: datetime, limit: int = AT_ONCE) -> int:
    """Look at `limit` devices that were not seen for NOT_AGAIN; how many there were."""
    devices = database.query(
        "SELECT d.no, d.expected_period_s, d.registered_at, d.status = 'maintenance', k.at FROM devices d"
        " LEFT JOIN device_health h ON h.device_no = d.no LEFT JOIN device_links k ON k.device = d.id AND NOT k.online"
        " WHERE NOT d.disabled"
        " AND (h.looked_at IS NULL OR h.looked_at <= %s) ORDER BY h.looked_at NULLS FIRST, d.no LIMIT %s",
        (now - NOT_AGAIN, limit),
    )
    if not devices:
        return 0
    seen = _days(database, [no for no, *_ in devices], now)
    quiet = [no for no, *_ in devices if no not in seen]
    before = _last_before(database, quiet, now)
    keep(
        database,
        {
            no: judge_health(
                Observed(period, registered, seen.get(no, ()), resting, before.get(no), broke_off_at), now
            )
            for no, period, registered, resting, broke_off_at in devices
        },
        now,
    )
    return len(devices)


def _days(database: Database, devices: list[int], now: datetime) -> dict[int, list[MetricDay]]:
    found: dict[int, list[MetricDay]] = defaultdict(list)
    ask = {"devices": devices, "since": now - WINDOW, "until": now + timedelta(minutes=5)}
    for device, *facts in database.query(_DAY, ask):
        found[device].append(MetricDay(*facts))
    return dict(found)


def _last_before(database: Database, devices: list[int], now: datetime) -> dict[int, datetime]:
    rows = database.query(
        "SELECT d.no, (SELECT max(r.time) FROM metrics m, LATERAL (SELECT time FROM readings WHERE device_no = d.no"
        " AND metric_no = m.no AND time > %(since)s AND time <= %(now)s ORDER BY time DESC LIMIT 1) r"
        " WHERE m.device_type = d.type) FROM devices d WHERE d.no = ANY(%(devices)s)",
        {"devices": devices, "since": now - _HEARD_WITHIN, "now": now},
    )
    return {no: newest for no, newest in rows if newest is not None}


def keep(database: Database, found: dict[int, Health], now: datetime) -> None:
    """Write what was found of each device (by its number); the skew of its clock is somebody else's."""
    rows: list[tuple[Any, ...]] = [
        (no, h.state, h.score, json([asdict(reason) for reason in h.reasons]), h.last_reported_at, now)
        for no, h in sorted(found.items())
    ]
    with database.transaction() as cursor:
        many(
            cursor,
            "INSERT INTO device_health (device_no, state, score, reasons, last_reported_at, looked_at) VALUES %s"
            " ON CONFLICT (device_no) DO UPDATE SET state = EXCLUDED.state, score = EXCLUDED.score,"
            " reasons = EXCLUDED.reasons, last_reported_at = EXCLUDED.last_reported_at,"
            " looked_at = EXCLUDED.looked_at",
            rows,
        )


def keep_skews(database: Database, clock: Callable[[], datetime], delays: Mapping[int, float]) -> None:
    """Write how far the clocks of these devices (by number) are behind the broker's, in seconds."""
    now = clock()
    rows = sorted(delays.items())
    for start in range(0, len(rows), 1000):
        page = rows[start : start + 1000]
        database.query(
            "INSERT INTO device_health (device_no, clock_skew_s, clock_skew_at)"
            " SELECT v.no, v.delay, %s FROM unnest(%s::int[], %s::float8[]) AS v(no, delay) JOIN devices USING (no)"
            " ON CONFLICT (device_no) DO UPDATE SET clock_skew_s = EXCLUDED.clock_skew_s,"
            " clock_skew_at = EXCLUDED.clock_skew_at",
            (now, [number for number, _ in page], [delay for _, delay in page]),
        )
