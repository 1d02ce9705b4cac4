"""Questions about measured values over time: one device's curve, statistics and gaps; many devices' newest and mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from data.incident_rows import ms
from data.questions.context import Answer, Ask, bounded, contains
from data.scope import Sql, area_scope, named
from data.series import StoredSeries
from incidents import commands as c
from incidents.indicators import SILENT_AFTER_PERIODS
from incidents.model import Rejected
from incidents.series import Signal

MAX_POINTS: Final = 1500
"""Points of a chart: wider than any chart here has pixels for."""

_LONGEST_HOURS: Final = 24.0 * 366 * 20
_AHEAD: Final = timedelta(minutes=5)
"""A chart up to now shows readings of clocks that are ahead."""
_HEARD_WITHIN: Final = timedelta(days=31)
"""How far back the newest reading is looked for: bounds the partitions that a dead device makes us read."""


def device_series(ask: Ask, query: c.DeviceSeries) -> dict[str, Any]:
    """See DeviceSeries."""
    signal, shown = _signal(ask, query.device, query.metric)
    since, until = _window(ask, query.hours, query.until)
    until += timedelta(0) if query.until else _AHEAD
    found = StoredSeries(ask.database).series(signal, since, until, bounded(query.points, 10, MAX_POINTS))
    return {
        **shown,
        "level": found.level,
        "bucket_s": found.bucket_s,
        "t": [ms(point.time) for point in found.points],
        "v": [point.value for point in found.points],
        "low": [point.low for point in found.points],
        "high": [point.high for point in found.points],
    }


def device_statistics(ask: Ask, query: c.DeviceStatistics) -> dict[str, Any]:
    """See DeviceStatistics."""
    signal, shown = _signal(ask, query.device, query.metric)
    found = StoredSeries(ask.database).statistics(signal, *_window(ask, query.hours, query.until))
    return {
        **shown,
        "level": found.level,
        "since": ms(found.since),
        "until": ms(found.until),
        "count": found.count,
        "mean": found.mean,
        "low": found.low,
        "high": found.high,
        "p95": found.p95,
        "p95_exact": found.p95_exact,
    }


def device_gaps(ask: Ask, query: c.DeviceGaps) -> dict[str, Any]:
    """See DeviceGaps: {rows: [{begin, end (ms), seconds}], longest_s}; `end` of the last one may be the window's."""
    signal, shown = _signal(ask, query.device, query.metric)
    since, until = _window(ask, query.hours, query.until)
    longest = SILENT_AFTER_PERIODS * signal.period_s
    rows = StoredSeries(ask.database).gaps(signal, since, until, longest, bounded(query.limit, 1, 10_000))
    return {
        **shown,
        "longest_s": longest,
        "rows": [
            {"begin": ms(gap.begin), "end": ms(gap.end), "seconds": (gap.end - gap.begin).total_seconds()}
            for gap in rows
        ],
        "total": len(rows),
    }


def latest_readings(ask: Ask, query: c.LatestReadings) -> dict[str, Any]:
    """See LatestReadings: {rows: [{id, area, time (ms), value}], total, unit, name, name_en}."""
    metric_no, shown = _metric(ask, query.metric)
    where, params = named(_scope(ask, query.area))
    rows = ask.database.dicts(
        "SELECT d.id, d.area_path AS area, r.time, r.value FROM devices d JOIN metrics m ON m.no = %(metric)s"
        " AND (m.device_type IS NULL OR m.device_type = d.type), LATERAL (SELECT time, value FROM readings"
        " WHERE device_no = d.no AND metric_no = %(metric)s AND time > %(since)s ORDER BY time DESC LIMIT 1) r"
        f" WHERE NOT d.disabled AND {where} ORDER BY d.id LIMIT %(limit)s",
        {
            **params,
            "metric": metric_no,
            "since": ask.now - _HEARD_WITHIN,
            "limit": bounded(query.limit, 1, 50_000),
        },
    )
    return {**shown, "rows": [{**row, "time": ms(row["time"])} for row in rows], "total": len(rows)}


def metric_history(ask: Ask, query: c.MetricHistory) -> dict[str, Any]:
    """See MetricHistory."""
    metric_no, shown = _metric(ask, query.metric)
    since, until = _window(ask, query.hours, query.until)
    whole = any(area.count("/") == 1 and query.area in ("", area) for area in ask.actor.areas)
    scope = None if whole else _scope(ask, query.area)
    level, found = StoredSeries(ask.database).averages(metric_no, scope, since, until)
    return {
        **shown,
        "level": level,
        "t": [ms(average.time) for average in found],
        "v": [average.value for average in found],
        "n": [average.readings for average in found],
    }


def _scope(ask: Ask, area: str) -> Sql:
    """Condition on `devices d`: those the actor may see, of `area`."""
    sql, params = area_scope(ask.actor, "d.area_path")
    if not area:
        return sql, params
    # As the indicators count: a device without a resolved place belongs to the whole city.
    whole = " OR d.area_path = ''" if area.count("/") == 1 else ""
    return f"{sql} AND (d.area_path LIKE %s{whole})", [*params, contains(area)[1:]]


def _window(ask: Ask, hours: float, until: datetime | None) -> tuple[datetime, datetime]:
    """[since, until) that a query asks about; the present moment is in it."""
    if until is not None and until.tzinfo is None:
        raise Rejected("field", f"until={until.isoformat()!r}: must say its time zone", field="until")
    end = until.astimezone(UTC) if until else ask.now + timedelta(milliseconds=1)
    try:
        return end - timedelta(hours=min(max(hours, 0.1), _LONGEST_HOURS)), end
    except OverflowError:
        raise Rejected("field", f"until={end.isoformat()!r}: too long ago", field="until") from None


def _metric(ask: Ask, metric: str) -> tuple[int, dict[str, Any]]:
    rows = ask.database.query("SELECT no, unit, name, name_en FROM metrics WHERE id = %s", (metric,))
    if not rows:
        raise Rejected("not_found", f"metric={metric!r}: no such metric", field="metric")
    number, unit, name, name_en = rows[0]
    return int(number), {"metric": metric, "unit": unit, "name": name, "name_en": name_en}


def _signal(ask: Ask, device: str, metric: str) -> tuple[Signal, dict[str, Any]]:
    number, shown = _metric(ask, metric)
    rows = ask.database.query("SELECT no, expected_period_s FROM devices WHERE id = %s", (device,))
    if not rows:
        raise Rejected("not_found", f"device={device!r}: no such device", field="device")
    return Signal(int(rows[0][0]), number, float(rows[0][1])), {"device": device, **shown}


ANSWERS: Final[dict[type, Answer]] = {
    c.DeviceSeries: device_series,
    c.DeviceStatistics: device_statistics,
    c.DeviceGaps: device_gaps,
    c.LatestReadings: latest_readings,
    c.MetricHistory: metric_history,
}
