"""The cost of a large registry: readings/s and memory of ingest with 10,000, 100,000 and 1,000,000 devices and 40,000
cameras registered, from a pre-filled topic whose messages go round all of the devices.

Issue 3, "Must show" 2. `--quick`: 10,000 and 100,000 devices.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import psycopg2

from tests.bench.bench_ingest import READINGS, Past, Watch, fill, kept
from tests.bench.city_load import LoadDevice, Truth, usual_metrics, verdict
from tests.bench.frame import Bench, Figures
from tests.bench.truth import Store
from tests.product import Product

GOALS = {"lost": 0, "doubled": 0, "slowest_to_fastest": 0.7}

SIZES = (10_000, 100_000, 1_000_000)
CAMERAS = 40_000


def grow(store: Store, devices: int, cameras: int) -> list[LoadDevice]:
    """Register synthetic devices (copies of the sample city's, spread over its cells) up to these numbers."""
    connection = psycopg2.connect(store.dsn)
    try:
        with connection, connection.cursor() as cursor:
            _copy_rows(cursor, "devices", "id", "L-", devices)
            _copy_rows(cursor, "cameras", "code", "9", cameras)
            cursor.execute("UPDATE registry_version SET n = n + 1")
        with connection, connection.cursor() as cursor:
            usual = usual_metrics()
            cursor.execute("SELECT id, type FROM devices WHERE NOT disabled AND NOT critical ORDER BY id")
            return [LoadDevice(name, usual[kind]) for name, kind in cursor if kind in usual]
    finally:
        connection.close()


def _copy_rows(cursor: psycopg2.extensions.cursor, table: str, key: str, prefix: str, wanted: int) -> None:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_identity = 'NO'"
        " AND is_generated = 'NEVER' AND column_name <> %s ORDER BY 1",
        (table, key),
    )
    columns = ", ".join(row[0] for row in cursor.fetchall())
    cursor.execute(f"SELECT count(*) FROM {table}")
    have = (cursor.fetchone() or (0,))[0]
    width = 19 if table == "cameras" else 9
    cursor.execute(
        f"INSERT INTO {table} ({key}, {columns}) SELECT '{prefix}' || lpad(n::text, {width}, '0'), {columns}"
        f" FROM generate_series(%s, %s) n JOIN (SELECT row_number() OVER (ORDER BY {key}) - 1 AS r,"
        f" {columns} FROM {table} WHERE {key} NOT LIKE '{prefix}%%' ORDER BY {key} LIMIT 3000) t"
        f" ON t.r = n %% (SELECT least(3000, count(*)) FROM {table} WHERE {key} NOT LIKE '{prefix}%%')",
        (have + 1, wanted),
    )


def run(bench: Bench) -> Figures:
    """Each size on a registry that grows: a first message of every device, by which ingest gets to know it, then more."""
    figures: Figures = {}
    rates: dict[int, float] = {}
    expected = Truth()
    sizes = SIZES[:2] if bench.quick else SIZES
    begin = datetime.now(UTC) - timedelta(hours=12)
    with Product(bench.profile, bench.folder, children=()) as product:
        store = Store(product.env["CHENGYUN_DSN"])
        for size in sizes:
            began = time.perf_counter()
            devices = grow(store, size, CAMERAS)
            bench.say(f"{size} devices registered in {time.perf_counter() - began:.1f} s")
            past = Past(devices, begin)
            first = fill(product, bench, len(devices), READINGS, size, past)
            more = fill(product, bench, max(400_000, len(devices)), READINGS, size + 1, past)
            begin = past.begin
            expected.add(first)
            expected.add(more)
            base, began = store.accounted(), time.perf_counter()
            product.start_as("ingest", "ingest", "--lane", "ordinary")
            ready = until(store, base + 1) - began
            known = until(store, base + first.messages)
            begun = store.accounted()
            watch = Watch(product)
            seconds = until(store, base + first.messages + more.messages) - known
            cpu, memory = watch.cores(), watch.memory_mb()
            product.end("ingest")
            rates[size] = (
                (base + first.messages + more.messages - begun) / seconds * more.stored / more.messages
            )
            figures |= {
                f"readings_per_s_{size}": round(rates[size]),
                f"memory_mb_{size}": memory,
                f"start_s_{size}": round(ready, 1),
                f"first_meeting_s_{size}": round(known - began - ready, 1),
            }
            bench.say(
                f"{size} devices: begun after {ready:.1f} s, all met after {known - began:.1f} s, then"
                f" {rates[size]:.0f} readings/s, {memory} MB, cores {cpu}"
            )
        figures |= verdict(expected, *kept(store))
    figures["slowest_to_fastest"] = round(min(rates.values()) / max(rates.values()), 2)
    return figures


def until(store: Store, accounted: int) -> float:
    """The moment (perf_counter) at which so many messages are accounted for."""
    while store.accounted() < accounted:
        time.sleep(0.05)  # watching a counter of another process
    return time.perf_counter()
