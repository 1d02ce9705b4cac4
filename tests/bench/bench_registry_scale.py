"""The cost of a large registry: readings/s and memory of ingest with 10,000, 100,000 and 1,000,000 devices and 40,000
cameras registered, from a pre-filled topic whose messages go round all of the devices.

Issue 3, "Must show" 2. `--quick`: 10,000 and 100,000 devices.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import psycopg2

from streams.bus import open_bus
from tests.bench.bench_ingest import READINGS, chunks, drain, kept
from tests.bench.city_load import STEP, CityLoad, LoadDevice, Truth, verdict
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
            cursor.execute(
                "SELECT d.id, array_agg(m.id) FROM devices d JOIN metrics m ON m.device_type = d.type"
                " WHERE NOT d.disabled AND NOT d.critical GROUP BY d.id ORDER BY d.id"
            )
            return [LoadDevice(name, tuple((metric, 10.0) for metric in metrics)) for name, metrics in cursor]
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
    """Each size on a registry that grows."""
    figures: Figures = {}
    rates: dict[int, float] = {}
    stored, total = 0, 0.0
    sizes = SIZES[:2] if bench.quick else SIZES
    with Product(bench.profile, bench.folder, children=()) as product:
        store = Store(product.env["CHENGYUN_DSN"])
        for size in sizes:
            began = time.perf_counter()
            devices = grow(store, size, CAMERAS)
            bench.say(f"{size} devices registered in {time.perf_counter() - began:.1f} s")
            count = max(400_000, 2 * len(devices))
            load = CityLoad(
                devices,
                READINGS,
                datetime.now(UTC) - STEP * (count // len(devices) + 2) - timedelta(hours=3),
                seed=size,
            )
            producer = open_bus(product.env["CHENGYUN_BUS"], 4).producer()
            for chunk in chunks(load.messages(count)):
                producer.publish(chunk)
            producer.close()
            found = drain(product, store, load.truth, 1, store.accounted())
            stored += load.truth.stored
            total += load.truth.total
            rates[size] = found.readings_per_s
            bench.say(
                f"{size} devices: {found.readings_per_s:.0f} readings/s, {found.memory_mb} MB, cores {found.cpu}"
            )
            figures[f"readings_per_s_{size}"] = round(found.readings_per_s)
            figures[f"memory_mb_{size}"] = found.memory_mb
        figures |= verdict_of(store, stored, total)
    figures["slowest_to_fastest"] = round(min(rates.values()) / max(rates.values()), 2)
    return figures


def verdict_of(store: Store, stored: int, total: float) -> Figures:
    """Lost and doubled over all sizes."""
    return dict(verdict(Truth(stored=stored, total=total), *kept(store)))
