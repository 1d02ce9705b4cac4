"""Throughput of ingest, whole path (consume, decode, validate, locate, rules, dedupe, COPY, live state, ledger,
offsets): from a pre-filled topic, by as many processes as there are processors (`readings_per_s`), by one, with a live
producer; beside raw COPY of the same rows into the same table shape and beside a kafka-python loop that only decodes.

Issue 3, "Must show" 1. `--quick`: forty seconds instead of ten minutes, smaller side measurements.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np
import psutil
import psycopg2

from incidents.ports import Outgoing, TopicPartition
from streams.bus import open_bus
from streams.envelope import decode
from tests.bench.city_load import STEP, CityLoad, LoadDevice, Truth, load_devices, verdict
from tests.bench.frame import Bench, Figures
from tests.bench.truth import Store
from tests.product import ROOT, Product

GOALS = {
    "readings_per_s": 60_000,
    "one_reading_messages_per_s": 25_000,
    "lost": 0,
    "doubled": 0,
}

DEVICES = 5000
READINGS = 3
PUBLISH = 2000
"""Messages handed to the bus at a time."""


@dataclass(slots=True)
class Run:
    """What one measured stretch gave."""

    readings_per_s: float
    messages_per_s: float
    seconds: float
    cpu: dict[str, float]
    memory_mb: float
    truth: Truth


def chunks(messages: Iterator[Outgoing], size: int = PUBLISH) -> Iterator[list[Outgoing]]:
    """Lists of `size` messages."""
    while chunk := list(islice(messages, size)):
        yield chunk


@dataclass(slots=True)
class Past:
    """Where the next load of these devices begins: after the one before, or all of it would be late.

    `step`: between two messages of one device.
    """

    devices: Sequence[LoadDevice]
    begin: datetime
    step: timedelta = STEP

    def take(self, count: int) -> datetime:
        """The begin of a load of so many messages."""
        begin, self.begin = self.begin, self.begin + self.step * (count // len(self.devices) + 2)
        return begin


def fill(product: Product, bench: Bench, count: int, readings: int, seed: int, past: Past) -> Truth:
    """Put `count` messages on the bus, from as many producers as there are processors; what they must become."""
    producers, devices = os.cpu_count() or 1, past.devices
    begin = past.take(count)
    loads = [
        CityLoad(devices[n::producers], readings, begin, seed=seed * 100 + n, step=past.step)
        for n in range(producers)
    ]
    began = time.perf_counter()
    truth = Truth()
    with ProcessPoolExecutor(producers, multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(send, product.env["CHENGYUN_BUS"], load, count // producers) for load in loads]
        for part in parts:
            truth.add(part.result())
    seconds = time.perf_counter() - began
    bench.say(
        f"{truth.messages} messages of {truth.bytes / truth.messages:.0f} bytes, {truth.stored} readings on the bus,"
        f" {truth.messages / seconds:.0f} messages/s"
    )
    return truth


def send(bus: str, load: CityLoad, count: int) -> Truth:
    """Send `count` messages of a load; what they must become."""
    producer = open_bus(bus, 4).producer()
    for chunk in chunks(load.messages(count)):
        producer.publish(chunk)
    producer.close()
    return load.truth


class Watch:
    """CPU seconds and memory of the processes of a run, by part."""

    def __init__(self, product: Product, extra: dict[str, int] | None = None) -> None:
        self._pids: dict[str, list[int]] = {name: [process.pid] for name, process in product.running.items()}
        for part in ("store", "bus", "live"):
            self._pids[part] = product.service_pids(part)
        self._pids |= {name: [pid] for name, pid in (extra or {}).items()}
        self._begin = self._used()
        self._at = time.perf_counter()

    def _used(self) -> dict[str, float]:
        used: dict[str, float] = {}
        for part, pids in self._pids.items():
            total = 0.0
            for process in {p for pid in pids for p in _family(pid)}:
                try:
                    times = process.cpu_times()
                    total += times.user + times.system
                except psutil.NoSuchProcess:
                    continue
            used[part] = total
        return used

    def cores(self) -> dict[str, float]:
        """Cores used by part since the watch began (1.0 = one core)."""
        seconds = time.perf_counter() - self._at
        now = self._used()
        return {part: round((now[part] - self._begin[part]) / seconds, 2) for part in now}

    def memory_mb(self) -> float:
        """Resident memory of the ingest processes."""
        found = 0
        for part, pids in self._pids.items():
            if part.startswith("ingest"):
                found += sum(psutil.Process(pid).memory_info().rss for pid in pids)
        return round(found / 1e6, 1)


def _family(pid: int) -> list[psutil.Process]:
    try:
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def drain(
    product: Product,
    store: Store,
    truth: Truth,
    processes: int,
    before: int,
    accounted: Callable[[Store], int] = Store.accounted,
) -> Run:
    """Start ingest on a full topic; from the first message accounted for to the last."""
    names = [f"ingest-{n}" for n in range(processes)]
    for name in names:
        product.start_as(name, "ingest", "--lane", "ordinary")
    while accounted(store) == before:
        time.sleep(0.01)  # watching a counter of another process
    first, started, watch = accounted(store), time.perf_counter(), Watch(product)
    while (now := accounted(store)) - before < truth.messages:
        time.sleep(0.05)  # watching a counter of another process
    seconds = time.perf_counter() - started
    cpu, memory = watch.cores(), watch.memory_mb()
    for name in names:
        product.end(name)
    rate = (now - first) / seconds
    return Run(rate * truth.stored / truth.messages, rate, seconds, cpu, memory, truth)


def kept(store: Store) -> tuple[int, float]:
    """Readings in the store and what their values add up to."""
    (row,) = store.rows("SELECT count(*), coalesce(sum(value), 0) FROM readings")
    return int(row[0]), float(row[1])


def decode_only(product: Product, count: int) -> float:
    """Messages/s of the best kafka-python loop that polls and decodes, and does nothing else."""
    bus = open_bus(product.env["CHENGYUN_BUS"], 4)
    inspector = bus.inspector()
    ranges = inspector.ranges("city.reading.v1")

    def newest(found: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: max(ranges[p][0], ranges[p][1] - count // len(ranges)) for p in found}

    reader = bus.reader("bench-decode-only", ["city.reading.v1"], newest)
    seen = 0
    began = 0.0
    while seen < count * 0.9:
        records = reader.poll(4000, 1.0)
        if records and not began:
            began = time.perf_counter()
            continue
        for record in records:
            try:
                decode(record.topic, record.value, 1 << 20)
            except ValueError:
                continue
            except Exception as error:  # the bad ones of the load
                if type(error).__name__ != "Bad":
                    raise
        seen += len(records)
    rate = seen / (time.perf_counter() - began)
    reader.close()
    inspector.close()
    return rate


def raw_copy(store: Store, rows: int) -> float:
    """Rows/s of binary COPY of rows that are already made, 12,000 a transaction, into a table like `readings`."""
    import io

    connection = psycopg2.connect(store.dsn)
    layout = np.dtype(
        [("n", ">i2"), ("a", ">i4"), ("device", ">i4"), ("b", ">i4"), ("metric", ">i2"), ("c", ">i4"), ("time", ">i8"),
         ("d", ">i4"), ("value", ">f8"), ("e", ">i4"), ("ledger", ">i4")]
    )  # fmt: skip
    begin = int((datetime.now(UTC) - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE raw_readings (LIKE readings INCLUDING ALL)")
            cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
            if cursor.fetchone():
                cursor.execute(
                    "SELECT create_hypertable('raw_readings', 'time', create_default_indexes => false)"
                )
        connection.commit()
        size, done, seconds = 12_000, 0, 0.0
        while done < rows:
            numbers = np.arange(done, done + size)
            table = np.zeros(size, layout)
            table["n"], table["a"], table["b"], table["c"], table["d"], table["e"] = 5, 4, 2, 8, 8, 4
            table["device"], table["time"] = numbers // 3 % DEVICES + 1, begin + numbers * 333_333 // DEVICES
            table["metric"], table["value"], table["ledger"] = numbers % 3 + 1, numbers, 1
            content = b"PGCOPY\n\xff\r\n\0" + bytes(8) + table.tobytes() + b"\xff\xff"
            began = time.perf_counter()
            with connection.cursor() as cursor:
                cursor.copy_expert("COPY raw_readings FROM STDIN (FORMAT binary)", io.BytesIO(content))
            connection.commit()
            seconds += time.perf_counter() - began
            done += size
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE raw_readings")
        connection.commit()
        return done / seconds
    finally:
        connection.close()


def live_producer(product: Product, store: Store, bench: Bench, seconds: int, rate: float) -> Figures:
    """A producer of its own process beside one ingest process; its CPU is told apart."""
    before = store.accounted()
    product.start_as("ingest-0", "ingest", "--lane", "ordinary")
    command = [sys.executable, "-m", "tests.bench.bench_ingest", str(seconds), f"{rate:.0f}"]
    producer = subprocess.Popen(command, cwd=ROOT, env=product.env, stdout=subprocess.PIPE, text=True)
    watch = Watch(product, {"producer": producer.pid})
    assert producer.stdout is not None
    started = time.perf_counter()
    sent = int(producer.stdout.readline())
    cpu = watch.cores()
    producer.wait()
    while store.accounted() - before < sent:
        time.sleep(0.05)  # watching a counter of another process
    spent = time.perf_counter() - started
    product.end("ingest-0")
    bench.say(f"live: {sent} messages in {spent:.1f} s, cores {cpu}")
    return {"live_readings_per_s": round(sent * READINGS / spent), "live_cpu": cpu}


def run(bench: Bench) -> Figures:
    """Fill, drain, compare; then the side measurements."""
    seconds = 40 if bench.quick else 600
    figures: Figures = {}
    os.environ.setdefault("PYTHONHASHSEED", "0")
    with Product(bench.profile, bench.folder, children=("relay", "web")) as product:
        store, past = (
            Store(product.env["CHENGYUN_DSN"]),
            Past(load_devices(DEVICES, critical=True), datetime.now(UTC) - timedelta(hours=12)),
        )
        both = min(4, max(2, os.cpu_count() or 1))  # a topic has four partitions
        expected = Truth()

        def measured(name: str, count: int, readings: int, seed: int, processes: int) -> Run:
            truth = fill(product, bench, count, readings, seed, past)
            found = drain(product, store, truth, processes, store.accounted())
            expected.add(truth)
            bench.say(
                f"{name}: {found.readings_per_s:.0f} readings/s, {found.messages_per_s:.0f} messages/s for"
                f" {found.seconds:.0f} s, cores {found.cpu}, {found.memory_mb} MB"
            )
            return found

        probe = measured("probe", 300_000, READINGS, 1, both)
        main = measured(f"{both} processes", int(probe.messages_per_s * seconds), READINGS, 2, both)
        copy = raw_copy(store, 1_000_000 if bench.quick else 5_000_000)
        loop = decode_only(product, 300_000)
        side = int(main.messages_per_s * (10 if bench.quick else 60))
        one = measured("one process", side, READINGS, 3, 1)
        ones = measured("one reading a message", int(side * 1.5), 1, 4, both)
        figures |= verdict(expected, *kept(store))
        figures |= {
            "readings_per_s": round(main.readings_per_s),
            "messages_per_s": round(main.messages_per_s),
            "seconds": round(main.seconds, 1),
            "cpu": main.cpu,
            "ingest_memory_mb": main.memory_mb,
            "message_bytes": round(main.truth.bytes / main.truth.messages),
            "copy_rows_per_s": round(copy),
            "ratio_to_copy": round(main.readings_per_s / copy, 3),
            "decode_only_messages_per_s": round(loop),
            "ratio_to_decode_only": round(main.messages_per_s / loop, 3),
            "processes": both,
            "one_process_readings_per_s": round(one.readings_per_s),
            "one_process_cpu": one.cpu,
            "one_process_memory_mb": one.memory_mb,
            "two_process_speedup": round(main.readings_per_s / one.readings_per_s, 2),
            "one_reading_messages_per_s": round(ones.messages_per_s),
            "one_reading_cpu": ones.cpu,
        }
        figures |= live_producer(product, store, bench, 10 if bench.quick else 60, main.messages_per_s)
    bench.say(str(figures))
    return figures


def produce(seconds: int, rate: float) -> None:
    """The live producer: at most `rate` messages a second; prints how many were sent."""
    load = CityLoad(
        load_devices(DEVICES, critical=True), READINGS, datetime.now(UTC), seed=int(time.time()), live=True
    )
    producer = open_bus(os.environ["CHENGYUN_BUS"], 4).producer()
    began = time.perf_counter()
    sent = 0
    for chunk in chunks(load.messages(10**9)):
        producer.publish(chunk)
        sent += len(chunk)
        ahead = sent / rate - (time.perf_counter() - began)
        if ahead > 0:
            time.sleep(ahead)  # the pace of the feed
        if time.perf_counter() - began > seconds:
            break
    producer.close()
    print(sent, flush=True)


if __name__ == "__main__":
    produce(int(sys.argv[1]), float(sys.argv[2]))
