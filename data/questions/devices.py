"""The devices behind the figures on data: who is silent, what was received of what was expected."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from data.incident_rows import ms
from data.indicators import COMPLETENESS_WINDOW, RECEIVED
from data.questions.context import Answer, Ask, bounded, contains
from data.scope import area_scope, named
from incidents import commands as c
from incidents.indicators import SILENT_AFTER_PERIODS
from incidents.model import Rejected

_HEARD_WITHIN: Final = timedelta(days=31)
"""How far back the newest reading is looked for: bounds the partitions that a dead device makes us read."""

_SILENT: Final = (
    f"(newest IS NULL OR newest < %(now)s - make_interval(secs => {SILENT_AFTER_PERIODS} * period))"
)
_ORDER: Final = {
    "": f"{_SILENT} DESC, newest NULLS FIRST, id",
    "devices_online": f"{_SILENT} DESC, newest NULLS FIRST, id",
    "completeness": "received / expected, newest NULLS FIRST, id",
    "newest_age": "newest DESC NULLS LAST, id",
}
"""Indicator → the order in which its records answer the question that the figure raises."""


def devices(ask: Ask, query: c.Devices) -> dict[str, Any]:
    """See Devices: {rows: [{id, name, type_name, area, newest (ms), period_s, silent, received, expected}], total,
    numerator, denominator}; the last two are the indicator's own (None for `newest_age`, which has none)."""
    if query.of not in _ORDER:
        raise Rejected("field", f"of={query.of!r}: has no devices behind it", field="of")
    scope, params = named(area_scope(ask.actor, "d.area_path"))
    if query.area:
        # As the indicators count: a device without a resolved place belongs to the whole city.
        whole = " OR d.area_path = ''" if query.area.count("/") == 1 else ""
        scope += f" AND (d.area_path LIKE %(area)s{whole})"
        params["area"] = contains(query.area)[1:]
    if query.of == "completeness":
        scope += " AND counted.no IS NOT NULL"
    found = (
        f"WITH {RECEIVED}, found AS (SELECT d.id, d.name, t.name AS type_name, t.name_en AS type_name_en,"
        " d.area_path AS area, d.expected_period_s AS period, d.registered_at, counted.received, counted.expected,"
        " (SELECT max(r.time) FROM metrics m, LATERAL (SELECT time FROM readings WHERE device_no = d.no"
        " AND metric_no = m.no AND time > %(since)s ORDER BY time DESC LIMIT 1) r"
        " WHERE m.device_type = d.type) AS newest FROM devices d JOIN device_types t ON t.id = d.type"
        f" LEFT JOIN counted ON counted.no = d.no WHERE NOT d.disabled AND {scope})"
    )
    rows = ask.database.dicts(
        f"{found} SELECT *, {_SILENT} AS silent, count(*) OVER () AS n, sum((NOT {_SILENT})::int) OVER () AS online,"
        " sum(received) OVER () AS got, sum(expected) OVER () AS due FROM found"
        " WHERE newest IS NOT NULL OR registered_at <= %(now)s - make_interval(secs => period)"
        f" ORDER BY {_ORDER[query.of]} LIMIT %(limit)s",
        {
            **params,
            "now": ask.now,
            "since": ask.now - _HEARD_WITHIN,
            "window_s": COMPLETENESS_WINDOW.total_seconds(),
            "limit": bounded(query.limit, 1, 10_000),
        },
    )
    return {"rows": [_row(row) for row in rows], **_totals(query.of, rows)}


def _totals(of: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    total, online, got, due = (
        (int(rows[0][name] or 0) for name in ("n", "online", "got", "due")) if rows else (0, 0, 0, 0)
    )
    if of == "newest_age":
        return {"total": total, "numerator": None, "denominator": None}
    parts = (got, due) if of == "completeness" else (online, total)
    return {"total": total, "numerator": parts[0], "denominator": parts[1]}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: row[name] for name in ("id", "name", "type_name", "type_name_en", "area", "silent")}
    counts = {name: None if row[name] is None else int(row[name]) for name in ("received", "expected")}
    return {**shown, **counts, "period_s": row["period"], "newest": ms(row["newest"])}


def silent_devices(ask: Ask) -> int:
    """Devices in service of the actor's areas that were not heard for SILENT_AFTER_PERIODS expected periods."""
    scope, params = named(area_scope(ask.actor, "d.area_path"))
    rows = ask.database.query(
        f"SELECT count(*) FROM devices d WHERE NOT d.disabled AND {scope}"
        " AND d.registered_at <= %(now)s - make_interval(secs => d.expected_period_s) AND NOT EXISTS (SELECT 1 FROM metrics m"
        " JOIN readings r ON r.metric_no = m.no AND r.device_no = d.no AND r.time >= %(now)s"
        f" - make_interval(secs => {SILENT_AFTER_PERIODS} * d.expected_period_s) WHERE m.device_type = d.type)",
        {**params, "now": ask.now},
    )
    return int(rows[0][0])


ANSWERS: Final[dict[type, Answer]] = {c.Devices: devices}
