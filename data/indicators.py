"""The indicators computed from the store, per area down to the village; kept in `indicator_history`.

They count by the very conditions that `IncidentList(of=…)` lists records by (`INDICATOR_RECORDS`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from data.database import Cursor, Database, many
from data.shown_areas import SHOWN, SHOWN_AREAS
from incidents.indicators import (
    BY_ID,
    INDICATORS,
    SILENT_AFTER_PERIODS,
    Value,
    ancestors,
    count,
    middle,
    share,
)

FAST: Final = ("open", "overdue", "on_time_closing", "first_dispatch", "median_handling")
COMPLETENESS_WINDOW: Final = timedelta(minutes=15)

RECEIVED: Final = (
    "due AS (SELECT no, begin, floor(extract(epoch FROM %(now)s - begin) / expected_period_s) AS n"
    " FROM (SELECT *, greatest(%(now)s - make_interval(secs => greatest(%(window_s)s, expected_period_s)),"
    " registered_at) AS begin FROM devices WHERE NOT disabled) d),"
    " stored AS (SELECT device_no, count(*) AS n, count(DISTINCT metric_no) AS m FROM readings"
    " JOIN due ON due.no = device_no WHERE time > begin AND time <= %(now)s"
    " AND time > (SELECT min(begin) FROM due) GROUP BY 1),"
    " counted AS (SELECT due.no, least(coalesce(s.n, 0), due.n * coalesce(s.m, 1)) AS received,"
    " due.n * coalesce(s.m, 1) AS expected FROM due LEFT JOIN stored s ON s.device_no = due.no WHERE due.n > 0)"
)
"""CTEs that end in `counted` (no, received, expected): readings per device of which something is expected.
Parameters `now` and `window_s`. The indicator sums it, the list behind it shows it."""

Values = dict[str, Value]
"""Area path → value."""

Seen = Mapping[str, float]
"""Device id → newest reading time, seconds since the epoch."""


def _sum(rows: Iterable[tuple[str, float, float]]) -> dict[str, tuple[float, float]]:
    """(area path, numerator, denominator) rows added up along the area tree."""
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for path, numerator, denominator in rows:
        for area in ancestors(path):
            totals[area][0] += numerator
            totals[area][1] += denominator
    return {area: (total[0], total[1]) for area, total in totals.items()}


NOTHING: Final[Mapping[str, Value]] = {
    "open": count(0), "overdue": count(0), "on_time_closing": share(0, 0), "first_dispatch": share(0, 0),
    "median_handling": middle([]),
}  # fmt: skip
"""What a FAST indicator says where no incident counts."""


def told_areas(database: Database, now: datetime) -> dict[str, set[str]]:
    """FAST indicator → paths of the areas whose value was told within the hour."""
    told: dict[str, set[str]] = {name: set() for name in FAST}
    for name, path in database.query(
        "SELECT DISTINCT h.id, a.path FROM indicator_history h JOIN areas a ON a.code = h.area_code"
        " WHERE h.id = ANY(%s) AND h.at > %s",
        (list(FAST), now - timedelta(hours=1)),
    ):
        told[name].add(path)
    return told


def incident_values(
    database: Database,
    conditions: Mapping[tuple[str, str], str],
    city: str,
    now: datetime,
    told: Mapping[str, Iterable[str]] | None = None,
) -> dict[str, Values]:
    """Values of the FAST indicators; incidents without a resolved area count for the city.

    `told`: areas whose value was told before. One whose last incident has gone is told that nothing is left,
    instead of keeping its old figure.
    """
    out: dict[str, Values] = {}
    with database.transaction() as cursor:
        for name in ("open", "overdue"):
            rows = _grouped(cursor, conditions[(name, "denominator")], "true", city, now)
            out[name] = {area: count(pair[1]) for area, pair in _sum(rows).items()}
            out[name].setdefault(city, count(0))
        for name in ("on_time_closing", "first_dispatch"):
            numerator, denominator = conditions[(name, "numerator")], conditions[(name, "denominator")]
            rows = _grouped(cursor, denominator, numerator, city, now)
            out[name] = {area: share(*pair) for area, pair in _sum(rows).items()}
            out[name].setdefault(city, share(0, 0))
        cursor.execute(
            f"SELECT {SHOWN}, extract(epoch FROM i.returned_result_at - i.dispatched_at)::float8 / 60"
            f" FROM incidents i{SHOWN_AREAS}"
            f" WHERE i.dispatched_at IS NOT NULL AND {conditions[('median_handling', 'denominator')]}",
            {"now": now, "city": city},
        )
        minutes: dict[str, list[float]] = defaultdict(list)
        for path, value in cursor.fetchall():
            for area in ancestors(path):
                minutes[area].append(float(value))
        out["median_handling"] = {area: middle(found) for area, found in minutes.items()}
        out["median_handling"].setdefault(city, middle([]))
    for name, areas in (told or {}).items():
        for area in areas:
            out[name].setdefault(area, NOTHING[name])
    return out


def _grouped(
    cursor: Cursor, denominator: str, numerator: str, city: str, now: datetime
) -> list[tuple[str, float, float]]:
    cursor.execute(
        f"SELECT {SHOWN}, count(*) FILTER (WHERE {numerator}), count(*) FROM incidents i{SHOWN_AREAS}"
        f" WHERE {denominator} GROUP BY 1",
        {"now": now, "city": city},
    )
    return [(path, float(a), float(b)) for path, a, b in cursor.fetchall()]


def device_values(database: Database, seen: Seen, city: str, now: datetime) -> dict[str, Values]:
    """Devices online and age of the newest data, from the newest reading times."""
    rows = database.query(
        "SELECT id, coalesce(nullif(area_path, ''), %s), expected_period_s,"
        " extract(epoch FROM registered_at)::double precision FROM devices WHERE NOT disabled",
        (city,),
    )
    at = now.timestamp()
    # A device that was registered a moment ago and has not been due yet is neither online nor offline.
    rows = [
        (device, path, period)
        for device, path, period, since in rows
        if device in seen or at - since >= period
    ]
    online = _sum(
        (path, float(at - seen.get(device, 0.0) <= SILENT_AFTER_PERIODS * period), 1.0)
        for device, path, period in rows
    )
    newest: dict[str, float] = {}
    for device, path, _ in rows:
        if device in seen:
            for area in ancestors(path):
                newest[area] = max(newest.get(area, 0.0), seen[device])
    ages = {area: Value(round(max(0.0, at - time), 1), None, None) for area, time in newest.items()}
    ages.setdefault(city, Value(None, None, None))
    values = {area: share(*pair) for area, pair in online.items()}
    values.setdefault(city, share(0, 0))
    return {"devices_online": values, "newest_age": ages}


def completeness_values(database: Database, city: str, now: datetime) -> Values:
    """Readings of the last 15 minutes (or one expected period, if that is longer), at most those expected, against
    those expected; of a device nothing is expected before it was registered."""
    rows = database.query(
        f"WITH {RECEIVED} SELECT coalesce(nullif(area_path, ''), %(city)s), sum(received), sum(expected)"
        " FROM counted JOIN devices USING (no) GROUP BY 1",
        {"city": city, "window_s": COMPLETENESS_WINDOW.total_seconds(), "now": now},
    )
    values = {area: share(*pair) for area, pair in _sum((p, float(a), float(b)) for p, a, b in rows).items()}
    values.setdefault(city, share(0, 0))
    return values


def keep(database: Database, values: Mapping[str, Values], now: datetime) -> None:
    """Write values to the history (the newest is what queries answer with)."""
    rows = [
        (name, area.rstrip("/").rsplit("/", 1)[-1], now, v.value, v.numerator, v.denominator)
        for name, found in values.items()
        for area, v in found.items()
    ]
    with database.transaction() as cursor:
        many(
            cursor,
            "INSERT INTO indicator_history (id, area_code, at, value, numerator, denominator) VALUES %s"
            " ON CONFLICT DO NOTHING",
            rows,
        )


def forget(database: Database, before: datetime) -> None:
    """Drop history older than `before`."""
    database.query("DELETE FROM indicator_history WHERE at < %s", (before,))


def item(name: str, area_path: str, value: Value, now: datetime) -> dict[str, Any]:
    """An indicator as a live item and as a row of the query."""
    indicator = BY_ID[name]
    code = area_path.rstrip("/").rsplit("/", 1)[-1]
    return {
        "kind": "indicator",
        "key": f"{name}@{code}",
        "id": name,
        "area": area_path,
        "value": value.value,
        "numerator": value.numerator,
        "denominator": value.denominator,
        "unit": indicator.unit,
        "unit_en": indicator.unit_en,
        "name": indicator.name,
        "name_en": indicator.name_en,
        "target": indicator.target,
        "direction": indicator.direction,
        "formula": indicator.formula,
        "formula_en": indicator.formula_en,
        "brief": indicator.brief,
        "brief_en": indicator.brief_en,
        "formula_version": indicator.version,
        "records": indicator.records,
        "topics": list(indicator.topics),
        "as_of": int(now.timestamp() * 1000),
        "limit_s": indicator.limit_s,
    }


def latest_values(database: Database, area_code: str, now: datetime) -> list[dict[str, Any]]:
    """The newest value of each indicator of an area, in panel order; never computed = no data."""
    rows = database.query(
        "SELECT DISTINCT ON (id) id, at, value, numerator, denominator FROM indicator_history"
        " WHERE area_code = %s AND at > %s ORDER BY id, at DESC",
        (area_code, now - timedelta(hours=1)),
    )
    found = {row[0]: row[1:] for row in rows}
    path = database.query("SELECT path FROM areas WHERE code = %s", (area_code,))
    area = path[0][0] if path else ""
    out = []
    for indicator in INDICATORS:
        at, *parts = found.get(indicator.id, (now, None, None, None))
        out.append(item(indicator.id, area, Value(*parts), at))
    return out


def stale(database: Database, area_code: str, now: datetime) -> list[dict[str, Any]]:
    """Indicators of an area that are older than their limit, oldest first: {id, name, name_en, at}.

    One that was never computed is no data, not stale: a village without devices has no share of them.
    """
    rows = database.query(
        "SELECT i.id, (SELECT max(at) FROM indicator_history h WHERE h.id = i.id AND area_code = %s)"
        " FROM unnest(%s::text[]) AS i(id)",
        (area_code, [indicator.id for indicator in INDICATORS]),
    )
    newest = dict(rows)
    late = [
        {"id": i.id, "name": i.name, "name_en": i.name_en, "at": at}
        for i in INDICATORS
        if (at := newest[i.id]) is not None and (now - at).total_seconds() > i.limit_s
    ]
    return sorted(late, key=lambda row: row["at"])


def trend(database: Database, name: str, area_code: str, since: datetime) -> Sequence[tuple[datetime, float]]:
    """History of one indicator, oldest first."""
    rows = database.query(
        "SELECT at, value FROM indicator_history WHERE id = %s AND area_code = %s AND at > %s"
        " AND value IS NOT NULL ORDER BY at",
        (name, area_code, since),
    )
    return [(at, value) for at, value in rows]
