"""Readings made inside of the database, as many as a bench of the store needs, in the order in which a city's would
have arrived: a minute or an hour after the other, every device once a period, booked in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg2

from data.timeseries import Partitions
from tests.bench.frame import Bench

FEED = "simulation"
TOPIC = "city.reading.v1"


@dataclass(frozen=True, slots=True)
class Made:
    """What there is: number of readings, device numbers, the metric, the last moment."""

    readings: int
    devices: list[int]
    metric_no: int
    metric: str
    end: datetime
    period_s: float


def make(bench: Bench, dsn: str, *, devices: int, readings: int, window: timedelta, end: datetime) -> Made:
    """`readings` of `devices` devices in the `window` before `end`, one metric each: a daily wave and a little noise.

    Devices of the sample city all become of the type that has most; what is missing is registered.
    """
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute(
                "SELECT m.no, m.id, m.device_type FROM metrics m JOIN devices d ON d.type = m.device_type"
                " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
            )
            metric_no, metric, kind = cursor.fetchone() or (0, "", "")
            period_s = window.total_seconds() * devices / readings
            cursor.execute(
                "INSERT INTO devices (id, type, area_path) SELECT format('bench-%%s', n), %s, (SELECT path FROM areas"
                " WHERE level = 'city') FROM generate_series(1, greatest(0, %s - (SELECT count(*) FROM devices))::int) n",
                (kind, devices),
            )
            cursor.execute("SELECT no FROM devices ORDER BY no LIMIT %s", (devices,))
            numbers = [number for (number,) in cursor.fetchall()]
            cursor.execute(
                "UPDATE devices SET type = %s, expected_period_s = %s WHERE no = ANY(%s)",
                (kind, period_s, numbers),
            )
            cursor.execute("UPDATE devices SET disabled = true WHERE NOT no = ANY(%s)", (numbers,))
            cursor.execute("CREATE TEMP TABLE sending AS SELECT no, random() * %s AS phase FROM unnest(%s::int[]) no",
                           (period_s, numbers))  # fmt: skip
        # A ledger row of a minute, or of an hour where a minute holds next to nothing.
        piece = (
            timedelta(minutes=1)
            if readings / (window / timedelta(minutes=1)) > 10_000
            else timedelta(hours=1)
        )
        begin, total, told = end - window, 0, 0
        partitions = Partitions()
        while begin < end:
            until = min(begin + piece, end)
            with connection, connection.cursor() as cursor:
                partitions.cover(cursor, "readings", [begin.timestamp(), until.timestamp() - 1e-6])
                cursor.execute(
                    "INSERT INTO ledger (topic, partition, minute, feed) VALUES (%s, 0, date_trunc('minute', %s), %s)"
                    " ON CONFLICT (topic, partition, minute, feed) DO UPDATE SET feed = EXCLUDED.feed RETURNING id",
                    (TOPIC, until - timedelta(microseconds=1), FEED),
                )
                (ledger_id,) = cursor.fetchone() or (0,)
                cursor.execute(
                    "INSERT INTO readings (device_no, metric_no, time, value, ledger_id) SELECT no, %(metric)s, at,"
                    " 20 + 5 * sin(extract(epoch FROM at) / 13751) + random(), %(ledger)s FROM (SELECT no,"
                    " %(start)s + make_interval(secs => phase + n * %(period)s) AS at FROM sending, generate_series("
                    " floor(extract(epoch FROM %(begin)s - %(start)s) / %(period)s)::int - 1,"
                    " ceil(extract(epoch FROM %(until)s - %(start)s) / %(period)s)::int) n) made"
                    " WHERE at >= %(begin)s AND at < %(until)s ORDER BY at",
                    {"metric": metric_no, "ledger": ledger_id, "start": end - window, "period": period_s,
                     "begin": begin, "until": until},
                )  # fmt: skip
                total += cursor.rowcount
                cursor.execute(
                    "UPDATE ledger SET stored = stored + %s, records_stored = records_stored + %s WHERE id = %s",
                    (cursor.rowcount, cursor.rowcount, ledger_id),
                )
            begin = until
            if total - told > readings / 10:
                told = total
                bench.say(f"{total} of {readings} readings made")
        return Made(total, numbers, metric_no, metric, end, period_s)
    finally:
        connection.close()


def sizes(dsn: str, table: str) -> tuple[int, int]:
    """(heap, indexes) of a time table in bytes, all chunks together."""
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(sum(pg_table_size(oid)), 0)::bigint, coalesce(sum(pg_indexes_size(oid)), 0)::bigint"
                " FROM (SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = to_regclass(%(t)s)"
                " UNION ALL SELECT to_regclass(%(t)s)) parts",
                {"t": table},
            )
            heap, indexes = cursor.fetchone() or (0, 0)
            return int(heap), int(indexes)
    finally:
        connection.close()


def vacuum(dsn: str) -> None:
    """What autovacuum has done in a store that lives: statistics, and index-only scans that need no heap."""
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for table in ("readings", "rollup_minute", "rollup_hour", "rollup_day"):
                cursor.execute(f"VACUUM (ANALYZE) {table}")
    finally:
        connection.close()
