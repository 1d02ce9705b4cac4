"""The facts that a device's health is judged by, from the readings of the last day; what comes of it is kept.

A bounded step: the devices that were not looked at for longest come first, so every device has its turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from data.database import Database, json, many
from incidents.health import WINDOW, Health, MetricDay, Observed, judge_health
from incidents.indicators import SILENT_AFTER_PERIODS

AT_ONCE: Final = 250
"""Devices of one step."""

_HEARD_WITHIN: Final = timedelta(days=31)
"""How far back the newest reading of a device without any today is looked for."""

_DAY: Final = (
    # The primary key gives (device, metric, time) in order, so both windows need no sort.
    "WITH r AS (SELECT r.device_no, r.metric_no, r.time, r.value, d.expected_period_s AS period, m.low, m.high,"
    " r.time - lag(r.time) OVER w AS pause, r.value IS DISTINCT FROM lag(r.value) OVER w AS moved"
    " FROM readings r JOIN devices d ON d.no = r.device_no JOIN metrics m ON m.no = r.metric_no"
    " WHERE r.device_no = ANY(%(devices)s) AND r.time > %(since)s AND r.time <= %(until)s"
    " WINDOW w AS (PARTITION BY r.device_no, r.metric_no ORDER BY r.time)),"
    " day AS (SELECT device_no, metric_no, count(*) AS readings, min(time) AS first_at,"
    " count(*) FILTER (WHERE value < low OR value > high) AS outside, max(time) AS newest_at,"
    " max(time) FILTER (WHERE moved) AS still_since,"
    f" count(*) FILTER (WHERE pause > make_interval(secs => {SILENT_AFTER_PERIODS} * period)) AS gaps,"
    f" coalesce(sum(extract(epoch FROM pause) - period) FILTER (WHERE pause > make_interval(secs => {SILENT_AFTER_PERIODS}"
    " * period)), 0)::float AS lost_s FROM r GROUP BY device_no, metric_no)"
    # Not heard from the day's begin (or since it was registered) to its first reading: a gap as well.
    " SELECT day.device_no, m.name, m.name_en, m.unit, m.low, m.high, m.stuck_periods, day.readings, day.outside,"
    " n.value, day.newest_at, day.gaps + late.much::int,"
    " day.lost_s + CASE WHEN late.much THEN late.s - late.period ELSE 0 END, s.n,"
    " extract(epoch FROM day.newest_at - day.still_since)::float FROM day JOIN metrics m ON m.no = day.metric_no,"
    " LATERAL (SELECT x.s, x.period, x.s > " + str(SILENT_AFTER_PERIODS) + " * x.period AS much FROM (SELECT"
    " extract(epoch FROM day.first_at - greatest(%(since)s, d.registered_at))::float AS s,"
    " d.expected_period_s AS period FROM devices d WHERE d.no = day.device_no) x) late,"
    " LATERAL (SELECT value FROM readings x WHERE x.device_no = day.device_no AND x.metric_no = day.metric_no"
    " AND x.time = day.newest_at) n, LATERAL (SELECT count(*) AS n FROM readings x WHERE m.stuck_periods IS NOT NULL"
    " AND x.device_no = day.device_no AND x.metric_no = day.metric_no AND x.time >= day.still_since"
    " AND x.time <= day.newest_at) s ORDER BY day.device_no, m.no"
)


def look_at(database: Database, now: datetime, limit: int = AT_ONCE) -> int:
    """Look at `limit` devices; how many there were."""
    devices = database.query(
        "SELECT d.no, d.expected_period_s, d.registered_at, d.status = 'maintenance' FROM devices d"
        " LEFT JOIN device_health h ON h.device_no = d.no WHERE NOT d.disabled"
        " ORDER BY h.looked_at NULLS FIRST, d.no LIMIT %s",
        (limit,),
    )
    if not devices:
        return 0
    seen = _days(database, [no for no, *_ in devices], now)
    quiet = [no for no, *_ in devices if no not in seen]
    before = _last_before(database, quiet, now)
    keep(
        database,
        {
            no: judge_health(Observed(period, registered, seen.get(no, ()), resting, before.get(no)), now)
            for no, period, registered, resting in devices
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
    return {no: time for no, time in rows if time is not None}


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
