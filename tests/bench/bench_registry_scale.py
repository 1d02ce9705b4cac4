"""The cost of a large registry: readings/s and memory of ingest with 10,000, 100,000 and 1,000,000 devices and 40,000
cameras registered, from a pre-filled topic whose messages go round all of the devices.

Issue 3, "Must show" 2. `--quick`: 10,000 and 100,000 devices.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
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
MESSAGES = 400_000


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


@dataclass(slots=True)
class Scale:
    """The product that grows, and what was sent to it."""

    bench: Bench
    product: Product
    store: Store
    begin: datetime
    expected: Truth = field(default_factory=Truth)

    def measure(self, name: str, devices: list[LoadDevice], seed: int) -> Figures:
        """A first message of every device, by which ingest gets to know it, then more of them, measured."""
        past = Past(devices, self.begin)
        first = fill(self.product, self.bench, len(devices), READINGS, seed, past)
        more = fill(self.product, self.bench, max(MESSAGES, len(devices)), READINGS, seed + 1, past)
        self.begin = past.begin
        self.expected.add(first)
        self.expected.add(more)
        store, product = self.store, self.product
        base, began = store.accounted(), time.perf_counter()
        product.start_as("ingest", "ingest", "--lane", "ordinary")
        ready = until(store, base + 1) - began
        known = until(store, base + first.messages)
        begun = store.accounted()
        watch = Watch(product)
        seconds = until(store, base + first.messages + more.messages) - known
        cpu, memory = watch.cores(), watch.memory_mb()
        product.end("ingest")
        rate = (base + first.messages + more.messages - begun) / seconds * more.stored / more.messages
        self.bench.say(
            f"{name} devices: begun after {ready:.1f} s, all met after {known - began:.1f} s, then"
            f" {rate:.0f} readings/s, {memory} MB, cores {cpu}"
        )
        return {
            f"readings_per_s_{name}": round(rate),
            f"memory_mb_{name}": memory,
            f"start_s_{name}": round(ready, 1),
            f"first_meeting_s_{name}": round(known - began - ready, 1),
            f"cpu_{name}": cpu,
        }


def run(bench: Bench) -> Figures:
    """Each size on a registry that grows; at the end as many devices as the smallest has report from the largest.

    That last one tells apart what a large registry costs from what many reporting devices cost.
    """
    figures: Figures = {}
    sizes = SIZES[:2] if bench.quick else SIZES
    with Product(bench.profile, bench.folder, children=()) as product:
        store = Store(product.env["CHENGYUN_DSN"])
        scale = Scale(bench, product, store, datetime.now(UTC) - timedelta(hours=12))
        devices: list[LoadDevice] = []
        for size in sizes:
            began = time.perf_counter()
            devices = grow(store, size, CAMERAS)
            bench.say(f"{size} devices registered in {time.perf_counter() - began:.1f} s")
            figures |= scale.measure(str(size), devices, size)
        few = random.Random(2).sample(devices, sizes[0])
        figures |= scale.measure(f"{sizes[0]}_of_{sizes[-1]}", few, 77)
        figures |= verdict(scale.expected, *kept(store))
    rates = [figures[f"readings_per_s_{size}"] for size in sizes]
    figures["slowest_to_fastest"] = round(min(rates) / max(rates), 2)
    figures["large_registry_alone"] = round(
        figures[f"readings_per_s_{sizes[0]}_of_{sizes[-1]}"] / rates[0], 2
    )
    return figures


def until(store: Store, accounted: int) -> float:
    """The moment (perf_counter) at which so many messages are accounted for."""
    while store.accounted() < accounted:
        time.sleep(0.05)  # watching a counter of another process
    return time.perf_counter()
