"""The rollup: readings/s rolled up from nothing, the step of a minute that is over, late readings of three days, and what
a reading takes on disk, raw and rolled up. 5,000 devices that measure every 10 s."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg2

from data.database import Database
from data.rollups import Rollups
from tests.bench.bench_spine import percentile
from tests.bench.frame import Bench, Figures
from tests.bench.stored_readings import FEED, TOPIC, Made, make, sizes, vacuum
from tests.bench.truth import Store
from tests.product import Product

GOALS = {"wrong_buckets": 0, "rows_per_s": 100_000, "late_recompute_s": 30}

DEVICES = 5_000
PERIOD_S = 10
LATE = 10_000
WRONG = (
    "SELECT count(*) FROM (SELECT device_no, metric_no, date_trunc('minute', time) AS time, count(*) AS n,"
    " min(value) AS min, max(value) AS max FROM readings GROUP BY 1, 2, 3) truth FULL JOIN rollup_minute r"
    " USING (device_no, metric_no, time) WHERE truth.n IS DISTINCT FROM r.n OR truth.min IS DISTINCT FROM r.min"
    " OR truth.max IS DISTINCT FROM r.max"
)


def live_minute(store: Store, made: Made, minute: datetime) -> int:
    """The readings of one more minute, as the flushes of that minute have stored them."""
    (number,) = store.rows(
        "INSERT INTO ledger (topic, partition, minute, feed) VALUES (%s, 0, %s, %s) RETURNING id",
        (TOPIC, minute, FEED),
    )[0]
    store.rows(
        "INSERT INTO readings SELECT no, %s, %s + make_interval(secs => n + random()), random(), %s"
        " FROM generate_series(0, 59, %s) n, unnest(%s::int[]) no ORDER BY n",
        (made.metric_no, minute, number, PERIOD_S, made.devices),
    )
    count = int(60 / PERIOD_S) * len(made.devices)
    store.rows("UPDATE ledger SET stored = %s, records_stored = %s WHERE id = %s", (count, count, number))
    return count


def run(bench: Bench) -> Figures:
    """From nothing, then minute by minute, then late."""
    readings = 2_000_000 if bench.quick else 20_000_000
    end = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=15)
    with Product(bench.profile, bench.folder, children=()) as product:
        dsn = product.env["CHENGYUN_DSN"]
        window = timedelta(seconds=readings / DEVICES * PERIOD_S)
        made = make(bench, dsn, devices=DEVICES, readings=readings, window=window, end=end)
        store, database = Store(dsn), Database(dsn, name="bench")
        rollups = Rollups(database, ZoneInfo("Asia/Shanghai"))
        began = time.perf_counter()
        done, longest = 0, 0.0
        while True:
            step = time.perf_counter()
            found = rollups.step(end)
            longest = max(longest, time.perf_counter() - step)
            done += found.readings
            if not found.more:
                break
        backfill_s = time.perf_counter() - began
        bench.say(f"{done} readings rolled up in {backfill_s:.1f} s, longest step {longest:.1f} s")
        lives = []
        for n in range(10):
            minute = end + timedelta(minutes=n)
            live_minute(store, made, minute)
            step = time.perf_counter()
            rollups.run(minute + timedelta(minutes=1))
            lives.append(time.perf_counter() - step)
        bench.say(f"a live minute of {6 * DEVICES} readings takes {percentile(lives, 0.5):.2f} s")
        late_s = late(store, rollups, made, end + timedelta(minutes=10))
        bench.say(f"{LATE} late readings of as many minutes take {late_s:.1f} s")
        wrong = int(store.one(WRONG))
        vacuum(dsn)
        total = store.one("SELECT count(*) FROM readings")
        figures: Figures = {
            "rows_per_s": round(done / backfill_s),
            "longest_step_s": round(longest, 2),
            "live_minute_readings": 6 * DEVICES,
            "live_minute_step_p50_s": round(sorted(lives)[len(lives) // 2], 2),
            "late_readings": LATE,
            "late_recompute_s": round(late_s, 2),
            "wrong_buckets": wrong,
            "readings": total,
        }
        for name, table in (("raw", "readings"), ("minute", "rollup_minute"), ("hour", "rollup_hour")):
            heap, indexes = sizes(dsn, table)
            figures[f"{name}_heap_bytes_per_reading"] = round(heap / total, 2)
            figures[f"{name}_index_bytes_per_reading"] = round(indexes / total, 2)
            figures[f"{name}_rows"] = store.one(f"SELECT count(*) FROM {table}")
        figures["note_us_per_flush"] = note_cost(dsn)
        database.close()
    return figures


def late(store: Store, rollups: Rollups, made: Made, now: datetime) -> float:
    """Seconds to roll up LATE readings of random devices and moments of the last three days (or of all there is)."""
    (number,) = store.rows(
        "INSERT INTO ledger (topic, partition, minute, feed) VALUES (%s, 1, %s, %s) RETURNING id",
        (TOPIC, now, FEED),
    )[0]
    (count,) = store.rows(
        "WITH made AS (INSERT INTO readings SELECT no, %s, %s - make_interval(secs => random() * %s), random(), %s"
        " FROM generate_series(1, %s) n, LATERAL (SELECT (%s::int[])[1 + floor(random() * %s)::int + 0 * n] AS no) d"
        " ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM made",
        (made.metric_no, made.end, min(3 * 86400.0, made.readings / DEVICES * PERIOD_S), number, LATE, made.devices,
         len(made.devices)),
    )[0]  # fmt: skip
    store.rows("UPDATE ledger SET stored = %s, records_stored = %s WHERE id = %s", (count, count, number))
    began = time.perf_counter()
    rollups.run(now + timedelta(minutes=2))
    return time.perf_counter() - began


def note_cost(dsn: str) -> int:
    """Microseconds that the note of dirty ledger rows adds to a flush that touches eight of them."""
    connection = psycopg2.connect(dsn)
    taken: dict[str, list[float]] = {"ledger": [], "unnoted": []}
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE unnoted (LIKE ledger INCLUDING ALL)"
            )  # the same without its triggers
            cursor.execute("SELECT id FROM ledger ORDER BY id DESC LIMIT 8")
            ids = [number for (number,) in cursor.fetchall()]
            cursor.execute(
                "INSERT INTO unnoted OVERRIDING SYSTEM VALUE SELECT * FROM ledger WHERE id = ANY(%s)", (ids,)
            )
            for _ in range(300):
                for table, times in taken.items():
                    cursor.execute("SAVEPOINT flush")
                    began = time.perf_counter()
                    cursor.execute(
                        f"UPDATE {table} SET records_stored = records_stored + 1 WHERE id = ANY(%s)", (ids,)
                    )
                    times.append(time.perf_counter() - began)
                    cursor.execute("ROLLBACK TO SAVEPOINT flush")
    finally:
        connection.close()
    middle = {table: sorted(times)[len(times) // 2] for table, times in taken.items()}
    return round((middle["ledger"] - middle["unnoted"]) * 1e6)
