"""Questions on many stored readings (5,000 devices, 30 days): p95 of the product's answer, beside the same question
written by hand in SQL on the raw readings. Every answer is compared with that of the SQL."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from data.database import Database
from data.incident_rows import ms
from data.questions.answers import StoreQuestions
from data.rollups import Rollups
from incidents.commands import DeviceSeries, LatestReadings, MetricHistory
from incidents.model import Actor
from incidents.service import City, CityService
from tests.bench.bench_spine import percentile
from tests.bench.frame import Bench, Figures
from tests.bench.stored_readings import Made, make, sizes, vacuum
from tests.bench.truth import Store
from tests.product import Product
from tests.small_city import PATTERN, place_of, units_of_work

GOALS = {"wrong_answers": 0, "latest_p95_ms": 500, "chart_p95_ms": 200, "city_hourly_p95_ms": 2000}

DEVICES = 5_000
DAYS = 30
LATEST_SQL = (
    "SELECT DISTINCT ON (device_no) device_no, time, value FROM readings WHERE metric_no = %(metric)s"
    " ORDER BY device_no, time DESC"
)
CHART_SQL = (
    "SELECT time, value FROM readings WHERE device_no = %(device)s AND metric_no = %(metric)s AND time >= %(day)s"
    " AND time < %(now)s ORDER BY time"
)
CITY_SQL = (
    "SELECT date_trunc('hour', time), avg(value) FROM readings WHERE metric_no = %(metric)s AND time >= %(month)s"
    " AND time < %(now)s GROUP BY 1 ORDER BY 1"
)


def timed(times: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """(p95 in ms, the last answer)."""
    taken, answer = [], None
    for _ in range(times):
        began = time.perf_counter()
        answer = work()
        taken.append((time.perf_counter() - began) * 1000)
    return percentile(taken, 0.95), answer


def run(bench: Bench) -> Figures:
    """Fill, roll up, ask."""
    readings = 2_000_000 if bench.quick else 50_000_000
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    with Product(bench.profile, bench.folder, children=()) as product:
        dsn = product.env["CHENGYUN_DSN"]
        made = make(bench, dsn, devices=DEVICES, readings=readings, window=timedelta(days=DAYS), end=now)
        database = Database(dsn, name="bench")
        began = time.perf_counter()
        Rollups(database, ZoneInfo("Asia/Shanghai")).run(now)
        bench.say(f"{made.readings} readings rolled up in {time.perf_counter() - began:.0f} s")
        vacuum(dsn)
        figures = ask(bench, database, Store(dsn), made, now)
        for table in ("readings", "rollup_minute", "rollup_hour", "rollup_day"):
            figures[f"{table}_bytes_per_reading"] = round(sum(sizes(dsn, table)) / made.readings, 1)
        database.close()
    return figures


def ask(bench: Bench, database: Database, store: Store, made: Made, now: datetime) -> Figures:
    """The three questions, each by the service and by hand."""
    (path,) = store.rows("SELECT path FROM areas WHERE level = 'city'")[0]
    city = City(PATTERN, "Asia/Shanghai", path)
    questions = StoreQuestions(database, place_of, dict, lambda: path)
    door = CityService(units_of_work(database), questions, lambda: now, city)
    person = Actor(1, "operator", "坐席", "operator", "", (path,))
    rng = random.Random(1)
    names = dict(database.query("SELECT no, id FROM devices WHERE no = ANY(%s)", (made.devices,)))
    params = {
        "metric": made.metric_no,
        "now": now,
        "day": now - timedelta(days=1),
        "month": now - timedelta(days=DAYS),
    }
    by_hand = 3 if made.readings > 10_000_000 else 10
    wrong = 0

    latest_ms, latest = timed(20, lambda: door.ask(LatestReadings(made.metric, limit=DEVICES), person))
    latest_sql_ms, rows = timed(by_hand, lambda: database.query(LATEST_SQL, params))
    expected = {names[no]: (ms(at), value) for no, at, value in rows}
    wrong += {r["id"]: (r["time"], r["value"]) for r in latest["rows"]} != expected
    bench.say(f"newest of {len(latest['rows'])} devices: {latest_ms} ms, by hand {latest_sql_ms} ms")

    chosen = rng.sample(made.devices, 200)
    each = iter(chosen)
    chart_ms, _ = timed(
        200, lambda: door.ask(DeviceSeries(names[next(each)], made.metric, 24.0, now), person)
    )
    each_by_hand = iter(chosen)
    chart_sql_ms, _ = timed(200, lambda: database.query(CHART_SQL, {**params, "device": next(each_by_hand)}))
    for device in chosen[:20]:
        drawn = door.ask(DeviceSeries(names[device], made.metric, 24.0, now), person)
        wrong += drawn["v"] != [value for _, value in database.query(CHART_SQL, {**params, "device": device})]
    bench.say(f"chart of 24 h: {chart_ms} ms, by hand {chart_sql_ms} ms")

    hourly_ms, hourly = timed(20, lambda: door.ask(MetricHistory(made.metric, 24.0 * DAYS, now), person))
    hourly_sql_ms, rows = timed(by_hand, lambda: database.query(CITY_SQL, params))
    wrong += sum(abs(mean - hourly["v"][hourly["t"].index(ms(at))]) > 1e-9 for at, mean in rows[1:])
    bench.say(f"city-wide hourly mean of {DAYS} days: {hourly_ms} ms, by hand {hourly_sql_ms} ms")
    return {
        "readings": made.readings,
        "devices": len(latest["rows"]),
        "period_s": round(made.period_s, 1),
        "wrong_answers": int(wrong),
        "latest_p95_ms": latest_ms,
        "latest_sql_p95_ms": latest_sql_ms,
        "chart_p95_ms": chart_ms,
        "chart_sql_p95_ms": chart_sql_ms,
        "city_hourly_p95_ms": hourly_ms,
        "city_hourly_sql_p95_ms": hourly_sql_ms,
    }
