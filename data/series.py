"""`SeriesStore` on the readings and their rollups, and the averages of many devices.

Every level is a union: days as far as days are summed, then hours, then minutes, then raw readings. So an answer holds
what came in a moment ago, whatever the rollup has not done yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from tsdownsample import MinMaxLTTBDownsampler

from data.database import Cursor, Database
from data.rollups import COLUMNS, OF_READINGS, State, state_of
from data.scope import Sql, named
from incidents.series import (
    EXACT_ROWS,
    SERIES_ROWS,
    WIDTH_S,
    Gap,
    Level,
    Point,
    Series,
    Signal,
    Statistics,
    gap_level,
    level_for,
)

_OF_DEVICE: Final = "device_no = %(device)s AND metric_no = %(metric)s"
_RAW: Final = (
    f"(SELECT device_no, metric_no, date_trunc('minute', time) AS time, {OF_READINGS} FROM readings"
    " WHERE {where} GROUP BY device_no, metric_no, date_trunc('minute', time))"
)
_ROLLED: Final = f"(SELECT {COLUMNS} FROM {{table}} WHERE {{where}})"

Part = tuple[str, datetime, datetime]
"""(table, begin, end): `readings` or a rollup, and the times it answers for."""


@dataclass(frozen=True, slots=True)
class Average:
    """Of all readings of an hour or a day, over all devices that count."""

    time: datetime
    value: float
    readings: int


class StoredSeries:
    """See SeriesStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def series(self, signal: Signal, since: datetime, until: datetime, points: int) -> Series:
        """See SeriesStore."""
        with self._database.transaction() as cursor:
            state = _begin(cursor)
            level = level_for(until - since, signal.period_s, SERIES_ROWS, since >= state.raw_from)
            if level == "raw":
                cursor.execute(
                    f"SELECT time, value FROM readings WHERE {_OF_DEVICE} AND time >= %(since)s AND time < %(until)s"
                    " ORDER BY time",
                    {**_params(signal), "since": since, "until": until},
                )
                return Series("raw", 0.0, _thinned(cursor.fetchall(), points))
            begin, end = bounds(level, since, until, state.zone)
            width = bucket_width(level, end - begin, points)
            bucket = f"date_bin(%(width)s, time {_LOCAL}, %(begin)s {_LOCAL}) {_LOCAL}"
            sql, params = _of_device(level, state, signal, begin, end)
            cursor.execute(
                f"SELECT {bucket} AS bucket, sum(sum) / sum(n), min(min), max(max) FROM ({sql}) parts"
                " GROUP BY bucket ORDER BY bucket",
                {**params, "width": width, "begin": begin, "zone": state.zone},
            )
            return Series(level, width.total_seconds(), [Point(*row) for row in cursor.fetchall()])

    def statistics(self, signal: Signal, since: datetime, until: datetime) -> Statistics:
        """See SeriesStore."""
        with self._database.transaction() as cursor:
            state = _begin(cursor)
            level = level_for(until - since, signal.period_s, EXACT_ROWS, since >= state.raw_from)
            if level == "raw":
                cursor.execute(
                    "SELECT count(*), avg(value), min(value), max(value), percentile_disc(0.95) WITHIN GROUP"
                    f" (ORDER BY value) FROM readings WHERE {_OF_DEVICE} AND time >= %(since)s AND time < %(until)s",
                    {**_params(signal), "since": since, "until": until},
                )
                count, mean, low, high, p95 = cursor.fetchone() or (0, None, None, None, None)
                return Statistics("raw", since, until, count, mean, low, high, p95, True)
            begin, end = bounds(level, since, until, state.zone)
            sql, params = _of_device(level, state, signal, begin, end)
            cursor.execute(
                "SELECT coalesce(sum(n), 0)::bigint, sum(sum) / sum(n), min(min), max(max),"
                " min(sum / n) FILTER (WHERE upto >= 0.95 * total) FROM (SELECT n, sum, min, max,"
                f" sum(n) OVER (ORDER BY sum / n) AS upto, sum(n) OVER () AS total FROM ({sql}) parts) counted",
                params,
            )
            count, mean, low, high, p95 = cursor.fetchone() or (0, None, None, None, None)
            return Statistics(level, begin, end, count, mean, low, high, p95, False)

    def gaps(
        self, signal: Signal, since: datetime, until: datetime, longest_s: float, limit: int
    ) -> list[Gap]:
        """See SeriesStore."""
        with self._database.transaction() as cursor:
            state = _begin(cursor)
            level = gap_level(longest_s)
            if level == "raw" and since >= state.raw_from:
                sql = f"SELECT time AS first_at, time AS last_at FROM readings WHERE {_OF_DEVICE} AND time >= %(since)s"
                sql, params = f"{sql} AND time < %(until)s", _params(signal)
            else:
                level = "minute" if level == "raw" else level
                sql, params = _of_device(level, state, signal, *bounds(level, since, until, state.zone))
            cursor.execute(
                "WITH heard AS (SELECT greatest(first_at, %(since)s) AS first_at, least(last_at, %(until)s) AS last_at"
                f" FROM ({sql}) parts WHERE last_at >= %(since)s AND first_at < %(until)s)"
                " SELECT gap_begin, gap_end FROM (SELECT lag(last_at, 1, %(since)s) OVER (ORDER BY first_at) AS gap_begin,"
                " first_at AS gap_end FROM heard UNION ALL SELECT coalesce(max(last_at), %(since)s), %(until)s FROM heard)"
                " gaps WHERE gap_end - gap_begin > make_interval(secs => %(longest)s) ORDER BY gap_begin LIMIT %(limit)s",
                {**params, "since": since, "until": until, "longest": longest_s, "limit": limit},
            )
            return [Gap(*row) for row in cursor.fetchall()]

    def averages(
        self, metric_no: int, scope: Sql | None, since: datetime, until: datetime
    ) -> tuple[Level, list[Average]]:
        """The mean of all readings of a metric per hour (beyond SERIES_ROWS hours: per day) in [since, until).

        `scope`: condition on `devices d`; None: all devices, which is answered from the rollup's index alone.
        """
        with self._database.transaction() as cursor:
            state = _begin(cursor)
            level = level_for(until - since, WIDTH_S["hour"], SERIES_ROWS, raw_kept=False)
            level = "hour" if level == "minute" else level
            begin, end = bounds(level, since, until, state.zone)
            where, params = named(scope or ("true", []))
            sql = []
            for number, (table, first, last) in enumerate(parts(level, state, begin, end)):
                params |= {f"from{number}": first, f"to{number}": last, "metric": metric_no}
                span = f"time >= %(from{number})s AND time < %(to{number})s AND metric_no = %(metric)s"
                if table in ("rollup_hour", "rollup_day"):
                    span = span.replace("metric_no =", "metric_no + 0 =")  # as rollup_hour_metric has it
                    join = f" AND device_no IN (SELECT no FROM devices d WHERE {where})" if scope else ""
                    sql.append(
                        f"SELECT time, sum(n) AS n, sum(sum) AS sum FROM {table} WHERE {span}{join} GROUP BY time"
                    )
                    continue
                # The last hour or two: neither readings nor minutes can be found by time, but by device they can.
                of_device = _source(table, f"device_no = d.no AND {span}")
                sql.append(
                    "SELECT x.time, sum(x.n) AS n, sum(x.sum) AS sum"
                    f" FROM devices d, LATERAL {of_device} x WHERE {where} GROUP BY x.time"
                )
            cursor.execute(
                f"SELECT date_trunc('{level}', time, %(zone)s) AS bucket, sum(sum) / sum(n), sum(n)::bigint"
                f" FROM ({' UNION ALL '.join(sql)}) parts GROUP BY bucket ORDER BY bucket",
                {**params, "zone": state.zone},
            )
            return level, [Average(*row) for row in cursor.fetchall()]


_LOCAL: Final = "AT TIME ZONE %(zone)s"


def _begin(cursor: Cursor) -> State:
    cursor.execute("SET LOCAL jit = off")  # compiling takes longer than these questions do
    return state_of(cursor)


def _params(signal: Signal) -> dict[str, Any]:
    return {"device": signal.device_no, "metric": signal.metric_no}


def parts(level: Level, state: State, begin: datetime, end: datetime) -> list[Part]:
    """Which tables answer for [begin, end) at `level`, oldest first."""
    found: list[Part] = []
    for name, table, until in (
        ("day", "rollup_day", state.days_until),
        ("hour", "rollup_hour", state.hours_until),
        ("minute", "rollup_minute", state.settled),
        ("raw", "readings", end),
    ):
        if WIDTH_S[name] > WIDTH_S[level]:  # type: ignore[index]
            continue
        stop = min(until, end)
        if begin < stop:
            found.append((table, begin, stop))
            begin = stop
    return found or [("readings", begin, end)]


def _source(table: str, where: str) -> str:
    return _RAW.format(where=where) if table == "readings" else _ROLLED.format(table=table, where=where)


def _of_device(
    level: Level, state: State, signal: Signal, begin: datetime, end: datetime
) -> tuple[str, dict[str, Any]]:
    params, sql = _params(signal), []
    for number, (table, first, last) in enumerate(parts(level, state, begin, end)):
        params |= {f"from{number}": first, f"to{number}": last}
        where = f"{_OF_DEVICE} AND time >= %(from{number})s AND time < %(to{number})s"
        sql.append(f"SELECT {COLUMNS} FROM {_source(table, where)} x")
    return " UNION ALL ".join(sql), params


def bounds(level: Level, since: datetime, until: datetime, zone: str) -> tuple[datetime, datetime]:
    """[since, until) widened to whole buckets of `level`; days are the city's."""
    return _floor(level, since, zone), _floor(level, until + _STEP[level] - timedelta(microseconds=1), zone)


_STEP: Final[dict[Level, timedelta]] = {
    "raw": timedelta(microseconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


def _floor(level: Level, moment: datetime, zone: str) -> datetime:
    if level == "raw":
        return moment
    local = moment.astimezone(ZoneInfo(zone))
    if level == "day":
        local = local.replace(hour=0)
    if level in ("day", "hour"):
        local = local.replace(minute=0)
    return local.replace(second=0, microsecond=0).astimezone(moment.tzinfo)


def bucket_width(level: Level, window: timedelta, points: int) -> timedelta:
    """Whole buckets of `level`, as few as give at most `points` of them in `window`."""
    step = _STEP[level]
    return step * max(1, -(-window // (step * points)))


def _thinned(rows: Sequence[tuple[datetime, float]], points: int) -> list[Point]:
    """At most `points` of the readings, chosen so that a chart of them looks like one of all (MinMaxLTTB)."""
    if len(rows) > points:
        x = np.array([row[0].timestamp() for row in rows])
        y = np.array([row[1] for row in rows])
        thin: Any = MinMaxLTTBDownsampler
        rows = [rows[index] for index in thin().downsample(x, y, n_out=points)]
    return [Point(time, value, value, value) for time, value in rows]
