"""City vital signs computed from the store (S07): values, the records behind each, and what crosses its limit.

What they are made of is `vitals.toml`; what a limit means is `incidents/vitals.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from data.database import Database
from data.incident_rows import ms
from incidents.indicators import SILENT_AFTER_PERIODS, Value, count, share
from incidents.vitals import Crossing, Vital, crossing, parse

FILE: Final = Path(__file__).with_name("vitals.toml")
KEPT: Final = "vital:"
"""Prefix of their ids in `indicator_history`."""
TREND: Final = timedelta(hours=24)
TREND_STEP: Final = timedelta(minutes=10)
FINAL: Final = "('closed', 'refused', 'void')"
RIGHTS_REFUSED: Final = "NOT allowed AND at > %(since)s"

Measured = tuple[Value, datetime | None]
"""A value and the moment its newest part is of; None when there is no data."""


@cache
def vitals() -> tuple[Vital, ...]:
    """The definitions, checked. Raises ValueError that names the faulty one."""
    return parse(tomllib.loads(FILE.read_text(encoding="utf-8")))


def vital(id: str) -> Vital | None:
    """The definition called `id`, or None."""
    return next((v for v in vitals() if v.id == id), None)


_NEWEST: Final = (
    "SELECT d.no, r.time, r.value FROM metrics m JOIN devices d ON d.type = m.device_type AND NOT d.disabled,"
    " LATERAL (SELECT time, value FROM readings WHERE device_no = d.no AND metric_no = m.no AND time > %(since)s"
    " AND time <= %(now)s ORDER BY time DESC LIMIT 1) r WHERE m.id = %(metric)s"
)
_OPEN: Final = (
    f"i.stage NOT IN {FINAL} AND i.level <= %(worst)s"
    " AND EXISTS (SELECT FROM unnest(%(classes)s::text[]) p WHERE starts_with(i.class_code, p))"
)
_HEARD: Final = (
    "SELECT d.no, d.expected_period_s, (SELECT max(r.time) FROM metrics m, LATERAL (SELECT time FROM readings"
    " WHERE device_no = d.no AND metric_no = m.no AND time > %(now)s - make_interval(secs => d.expected_period_s * %(periods)s)"
    " AND time <= %(now)s ORDER BY time DESC LIMIT 1) r WHERE m.device_type = d.type) AS heard, d.registered_at AS since"
    " FROM devices d WHERE NOT d.disabled"
    " AND (%(types)s::text[] = '{}' OR d.type = ANY(%(types)s))"
)

_DUE: Final = "WHERE h.heard IS NOT NULL OR h.since < %(now)s - make_interval(secs => h.expected_period_s)"
"""Registered a moment ago and not due yet: neither heard nor silent."""


def _parameters(v: Vital, now: datetime) -> dict[str, Any]:
    return {
        "now": now, "since": now - timedelta(minutes=v.window_min), "metric": v.metric, "over": v.over,
        "classes": list(v.classes), "worst": v.worst, "types": list(v.types), "periods": SILENT_AFTER_PERIODS,
    }  # fmt: skip


def measure(database: Database, v: Vital, now: datetime) -> Measured:
    """The value of one vital sign now."""
    return _MEASURES[v.source](database, v, now)


def _metric(database: Database, v: Vital, now: datetime) -> Measured:
    rows = database.query(
        "SELECT count(*), sum(value), max(value), count(*) FILTER (WHERE value > %(over)s), max(time)"
        f" FROM ({_NEWEST}) n",
        _parameters(v, now),
    )
    n, total, most, over, at = rows[0]
    if not n:
        return Value(None, None, 0), None
    made = {
        "mean": lambda: Value(round(total / n, 1), round(total, 1), n),
        "max": lambda: Value(round(most, 2), None, n),
        "count_over": lambda: Value(over, over, n),
        "share_over": lambda: share(over, n),
    }
    return made[v.how](), at


def _incidents(database: Database, v: Vital, now: datetime) -> Measured:
    rows = database.query(f"SELECT count(*) FROM incidents i WHERE {_OPEN}", _parameters(v, now))
    return count(rows[0][0]), now


def _devices(database: Database, v: Vital, now: datetime) -> Measured:
    rows = database.query(
        f"SELECT count(*), count(heard), max(heard) FROM ({_HEARD}) h {_DUE}", _parameters(v, now)
    )
    n, heard, at = rows[0]
    return share(heard, n), at or (now if n else None)


def _refused(database: Database, v: Vital, now: datetime) -> Measured:
    sql = {
        "rights": f"SELECT count(*) FROM audit WHERE {RIGHTS_REFUSED}",
        "devices": "SELECT count(DISTINCT device) FROM gateway_refusals WHERE last_at > %(since)s",
    }[v.of]
    return count(database.query(sql, _parameters(v, now))[0][0]), now


def _none(database: Database, v: Vital, now: datetime) -> Measured:
    return Value(None, None, None), None


_MEASURES: Final[dict[str, Callable[[Database, Vital, datetime], Measured]]] = {
    "metric": _metric, "incidents": _incidents, "devices": _devices, "refused": _refused, "none": _none,
}  # fmt: skip


def trends(database: Database, area_code: str, now: datetime) -> dict[str, list[tuple[int, float]]]:
    """Means of ten minutes of the last day, by vital sign: [(ms, value)], oldest first."""
    rows = database.query(
        "SELECT id, date_bin(%s, at, %s) AS begin, avg(value) FROM indicator_history WHERE starts_with(id, %s)"
        " AND area_code = %s AND at > %s AND value IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
        (TREND_STEP, now, KEPT, area_code, now - TREND),
    )
    found: dict[str, list[tuple[int, float]]] = {}
    for id, begin, value in rows:
        found.setdefault(id.removeprefix(KEPT), []).append((ms(begin) or 0, round(float(value), 2)))
    return found


def tick(database: Database, city_path: str, now: datetime) -> list[tuple[Vital, Crossing]]:
    """Measure everything, keep it for the trends, and say which limits were crossed just now and are not filed yet.

    A crossing is noted once and stays noted until the value is back behind `clear`; `filed` then forgets nothing:
    whoever files it calls it after, and one that was noted but not filed (a crash between) is said again.
    """
    code = city_path.rstrip("/").rsplit("/", 1)[-1]
    measured = {v.id: measure(database, v, now) for v in vitals()}
    with database.transaction() as cursor:
        for v in vitals():
            value, as_of = measured[v.id]
            cursor.execute(
                "INSERT INTO vital_values (id, measured_at, as_of, value, numerator, denominator)"
                " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET measured_at = excluded.measured_at,"
                " as_of = excluded.as_of, value = excluded.value, numerator = excluded.numerator,"
                " denominator = excluded.denominator",
                (v.id, now, as_of, value.value, value.numerator, value.denominator),
            )
            if value.value is None:
                continue
            cursor.execute(
                "INSERT INTO indicator_history (id, area_code, at, value, numerator, denominator)"
                " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (KEPT + v.id, code, now, value.value, value.numerator, value.denominator),
            )
            cursor.execute("SELECT raised_at FROM vital_states WHERE id = %s FOR UPDATE", (v.id,))
            row = cursor.fetchone()
            change = crossing(v, value.value, raised=row is not None)
            if change == "raised":
                cursor.execute(
                    "INSERT INTO vital_states (id, raised_at, value) VALUES (%s, %s, %s)",
                    (v.id, now, value.value),
                )
            elif change == "cleared":
                cursor.execute("DELETE FROM vital_states WHERE id = %s", (v.id,))
        cursor.execute("SELECT id, raised_at, value FROM vital_states WHERE NOT filed ORDER BY id")
        waiting = cursor.fetchall()
    known = {v.id: v for v in vitals()}
    return [(known[id], Crossing(at, value)) for id, at, value in waiting if id in known]


def newest(database: Database) -> dict[str, Measured]:
    """What `tick` measured last, by vital sign; one that was never measured is not there."""
    rows = database.query("SELECT id, value, numerator, denominator, as_of FROM vital_values")
    return {id: (Value(value, over, under), as_of) for id, value, over, under, as_of in rows}


def filed(database: Database, id: str, raised_at: datetime) -> None:
    """The warning of this crossing is among the sources."""
    database.query("UPDATE vital_states SET filed = true WHERE id = %s AND raised_at = %s", (id, raised_at))


def raised(database: Database) -> dict[str, datetime]:
    """Vital signs beyond their limit now, and since when."""
    rows = database.query(
        "SELECT id, raised_at FROM vital_states WHERE id = ANY(%s)", ([v.id for v in vitals()],)
    )
    return dict(rows)


def records(database: Database, v: Vital, now: datetime, limit: int) -> Sequence[dict[str, Any]]:
    """What a value was counted from: devices with their newest reading, incidents, or refusals; the worst first."""
    sql = {
        "metric": "SELECT d.id, d.name, d.area_path AS area, n.value, n.time AS at, n.value > %(over)s AS counted"
        f" FROM ({_NEWEST}) n JOIN devices d USING (no) ORDER BY n.value {{order}}, d.id LIMIT %(limit)s",
        "incidents": "SELECT i.id::text, i.title AS name, i.area_path AS area, i.level AS value, i.reported_at AS at,"
        f" i.number, i.stage, true AS counted FROM incidents i WHERE {_OPEN} ORDER BY i.level, i.reported_at LIMIT %(limit)s",
        "devices": "SELECT d.id, d.name, d.area_path AS area, NULL AS value, h.heard AS at, h.heard IS NOT NULL AS counted"
        f" FROM ({_HEARD}) h JOIN devices d USING (no) {_DUE} ORDER BY h.heard NULLS FIRST, d.id LIMIT %(limit)s",
        "refused": {
            "rights": "SELECT id::text, action AS name, '' AS area, NULL AS value, at, true AS counted FROM audit"
            f" WHERE {RIGHTS_REFUSED} ORDER BY at DESC LIMIT %(limit)s",
            "devices": "SELECT device AS id, reason AS name, '' AS area, n AS value, last_at AS at, true AS counted"
            " FROM gateway_refusals WHERE last_at > %(since)s ORDER BY last_at DESC LIMIT %(limit)s",
        }.get(v.of, ""),
        "none": "",
    }[v.source]
    if not sql:
        return []
    order = "ASC" if v.direction == "up" else "DESC"
    return database.dicts(sql.replace("{order}", order), {**_parameters(v, now), "limit": limit})
