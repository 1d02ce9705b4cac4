"""A flood: ten times the normal load from a live producer, then twice the capacity from a pre-filled topic; all the while
critical devices must reach the screen of a real Chromium.

Issue 3, "Must show" 4. Normal load: 3,000 readings a second. `--quick`: one minute each instead of 15 and 5.
"""

from __future__ import annotations

import csv
import gzip
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

from incidents.ports import Outgoing
from streams.bus import open_bus
from streams.envelope import encode
from tests.bench.bench_drills import FILES, _in_flight, settle
from tests.bench.bench_ingest import READINGS, Past, Watch, chunks, drain, fill, kept
from tests.bench.bench_spine import CHROMIUM, FLAGS, LISTENER, percentile
from tests.bench.city_load import CityLoad, Truth, load_devices, verdict
from tests.bench.frame import Bench, Figures
from tests.bench.truth import Store
from tests.people import Person
from tests.product import ROOT, Product

GOALS = {
    "lost": 0,
    "doubled": 0,
    "drain_s": 300,
    "capacity_drain_s": 600,
    "critical_p99_ms": 2000,
    "memory_growth_mb": 50,
}

NORMAL = 3000
TIMES = 10
CRITICAL_RATE = 20
PROBE_S = 60
"""How long the capacity is measured for (b)."""

LANES = ("ordinary", "critical")


def critical_devices(count: int) -> list[tuple[str, str, float]]:
    """(device, metric, normal value) of critical devices of the sample city."""
    metrics: dict[str, tuple[str, float]] = {}
    with gzip.open(FILES / "metrics.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            metrics.setdefault(row["device_type"], (row["id"], float(row["typical"])))
    with gzip.open(FILES / "devices.csv.gz", "rt", encoding="utf-8") as file:
        found = [(r["id"], *metrics[r["type"]]) for r in csv.DictReader(file) if r["critical"] == "1"]
    random.Random(4).shuffle(found)
    return found[:count]


class Critical(threading.Thread):
    """CRITICAL_RATE readings a second of critical devices, each dated with its own sending, until told to stop."""

    def __init__(self, url: str, devices: Sequence[tuple[str, str, float]]) -> None:
        super().__init__(name="critical", daemon=True)
        self._producer = open_bus(url, 4).producer()
        self._devices = devices
        self.halt = threading.Event()
        self.sent = 0

    def run(self) -> None:
        """One reading every 1 / CRITICAL_RATE s."""
        rng = random.Random(12)
        while not self.halt.wait(1 / CRITICAL_RATE):
            device, metric, normal = self._devices[self.sent % len(self._devices)]
            at = datetime.now(UTC).isoformat(timespec="microseconds")
            value = normal * (0.98 + 0.02 * rng.random())
            body = encode(
                id=f"critical-{self.sent}-{device}", source="urn:feed:simulation", topic="city.reading-critical.v1",
                time=at, subject=device, data={"device": device, "readings": [{"metric": metric, "value": value}]},
            )  # fmt: skip
            self._producer.publish([Outgoing("city.reading-critical.v1", device, body)])
            self.sent += 1
        self._producer.close()


@dataclass(slots=True)
class Memory:
    """Resident memory of the ingest processes and the lag, once a second."""

    product: Product
    store: Store
    memory_mb: list[float] = field(default_factory=list)
    lag: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Once."""
        total = 0
        for name, process in self.product.running.items():
            if name.startswith("ingest"):
                total += psutil.Process(process.pid).memory_info().rss
        self.memory_mb.append(total / 1e6)
        self.lag.append(_in_flight(self.product, self.store))

    def growth(self) -> float:
        """Mean of the last fifth less that of the second fifth (the first one warms up), MB."""
        fifth = max(1, len(self.memory_mb) // 5)
        early, late = self.memory_mb[fifth : 2 * fifth] or self.memory_mb[:1], self.memory_mb[-fifth:]
        return round(sum(late) / len(late) - sum(early) / len(early), 1)


def open_desk(product: Product, page: Page, keys: Sequence[str]) -> None:
    """The operator's desk, live; the delays of `keys` are kept in the page."""
    page.goto(product.base_url + "/desk")
    page.wait_for_function("() => window.chengyun?.live?.status === 'live'", timeout=120_000)
    page.evaluate("keys => { window.__watched = new Set(keys) }", list(keys))
    page.evaluate(LISTENER)


def delays(page: Page) -> list[float]:
    """Message → frame, ms, since the last call."""
    found: list[float] = page.evaluate("() => window.__delays.splice(0)")
    return found


def run(bench: Bench) -> Figures:
    """Both floods."""
    minutes_a, seconds_b = (1, 60) if bench.quick else (15, 300)
    figures: Figures = {}
    with Product(bench.profile, bench.folder, children=("relay", "web")) as product:
        for lane in LANES:
            product.start_as(f"ingest-{lane}", "ingest", "--lane", lane)
        store = Store(product.env["CHENGYUN_DSN"])
        passwords = product.passwords()
        operator = Person(product.base_url, "operator", passwords["operator"])
        devices = critical_devices(200)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            # A small window: the map is drawn by this machine's processors, which a user's screen would not take from it.
            context = browser.new_context(viewport={"width": 960, "height": 600}, locale="zh-CN")
            cookies: list[Any] = [
                {"name": c.name, "value": c.value or "", "url": product.base_url}
                for c in operator.client.cookies.jar
            ]
            context.add_cookies(cookies)
            page = context.new_page()
            open_desk(product, page, [d[0] for d in devices])
            critical = Critical(product.env["CHENGYUN_BUS"], devices)
            critical.start()
            expected, figures_a = _ten_times(product, store, bench, page, minutes_a * 60)
            figures |= figures_a
            figures |= _twice(product, store, bench, page, seconds_b, expected)
            critical.halt.set()
            critical.join()
            browser.close()
        settle(product, store, time.monotonic() + 300)
        stored, total = kept(store)
        values = store.rows(
            "SELECT count(*), coalesce(sum(r.value), 0) FROM readings r JOIN ledger l ON l.id = r.ledger_id"
            " WHERE l.topic = 'city.reading-critical.v1'"
        )[0]
        for line in books(store):
            bench.say(line)
        figures |= verdict(expected, stored - int(values[0]), total - float(values[1]))
        figures["critical_lost"] = critical.sent - int(values[0])
        figures["lost"] = int(figures["lost"]) + max(0, figures["critical_lost"])
        figures["critical_p99_ms"] = max(figures["a_critical_p99_ms"], figures["b_critical_p99_ms"])
    bench.say(str(figures))
    return figures


def _ten_times(
    product: Product, store: Store, bench: Bench, page: Page, seconds: int
) -> tuple[Truth, Figures]:
    """(a) NORMAL × TIMES readings/s of a live producer in a process of its own."""
    delays(page)
    rate = NORMAL * TIMES / READINGS
    command = [sys.executable, "-m", "tests.bench.bench_flood", str(seconds), f"{rate:.0f}"]
    producer = subprocess.Popen(command, cwd=ROOT, env=product.env, stdout=subprocess.PIPE, text=True)
    watch, memory = Watch(product), Memory(product, store)
    began = time.perf_counter()
    while producer.poll() is None:
        memory.look()
        page.wait_for_timeout(1000)  # the pace of looking; lets the page's own events through
    assert producer.stdout is not None
    words = producer.stdout.read().split()
    truth = Truth(messages=int(words[0]), readings=int(words[1]), stored=int(words[1]), total=float(words[2]))
    spent = time.perf_counter() - began
    ended = time.perf_counter()
    while _in_flight(product, store):
        page.wait_for_timeout(200)
    drained = time.perf_counter() - ended
    cpu = watch.cores()
    found = delays(page)
    bench.say(
        f"(a) {truth.readings / spent:.0f} readings/s for {spent:.0f} s, largest lag {max(memory.lag)} messages, lag zero"
        f" after {drained:.1f} s, memory {memory.growth():+.1f} MB, critical p99 {percentile(found, 0.99)} ms, {cpu}"
    )
    return truth, {
        "a_readings_per_s": round(truth.readings / spent),
        "a_seconds": round(spent, 1),
        "a_largest_lag_messages": max(memory.lag),
        "drain_s": round(drained, 1),
        "memory_growth_mb": memory.growth(),
        "a_critical_p50_ms": percentile(found, 0.5),
        "a_critical_p99_ms": percentile(found, 0.99),
        "a_critical_seen": len(found),
        "a_cpu": cpu,
    }


def _twice(
    product: Product, store: Store, bench: Bench, page: Page, seconds: int, expected: Truth
) -> Figures:
    """(b) twice what one process can take in `seconds`, already on the bus when ingest begins."""
    product.end("ingest-ordinary")
    # Newer than what (a) has sent, and never ahead of its arrival, which would be refused: so short a step that no machine
    # sends as fast as the time in the messages goes.
    past = Past(load_devices(), datetime.now(UTC), timedelta(seconds=0.04))
    first = fill(product, bench, 100_000, READINGS, 7, past)
    guess = drain(product, store, first, 1, _ordinary(store), _ordinary)
    # What a few seconds give does not last: the store writes its checkpoints later. Line 1's capacity is sustained.
    probe = fill(product, bench, int(guess.messages_per_s * PROBE_S), READINGS, 9, past)
    capacity = drain(product, store, probe, 1, _ordinary(store), _ordinary)
    truth = fill(product, bench, int(capacity.messages_per_s * seconds * 2), READINGS, 8, past)
    if past.begin > datetime.now(UTC):
        raise RuntimeError(f"the load is dated up to {past.begin}, ahead of its arrival")
    for part in (first, probe, truth):
        expected.stored += part.stored
        expected.total += part.total
    delays(page)
    before = _ordinary(store)
    product.start_as("ingest-ordinary", "ingest", "--lane", "ordinary")
    memory, began = Memory(product, store), time.perf_counter()
    while _ordinary(store) - before < truth.messages:
        memory.look()
        page.wait_for_timeout(1000)
    drained = time.perf_counter() - began
    found = delays(page)
    bench.say(
        f"(b) {truth.messages} messages drained in {drained:.1f} s, memory {memory.growth():+.1f} MB,"
        f" critical p99 {percentile(found, 0.99)} ms"
    )
    return {
        "b_capacity_readings_per_s": round(capacity.readings_per_s),
        "b_messages": truth.messages,
        "capacity_drain_s": round(drained, 1),
        "b_memory_growth_mb": memory.growth(),
        "b_critical_p50_ms": percentile(found, 0.5),
        "b_critical_p99_ms": percentile(found, 0.99),
        "b_critical_seen": len(found),
    }


def books(store: Store) -> Iterator[str]:
    """What the ledger counted and what is there, in lines for whoever looks for a difference."""
    for question in (
        "SELECT topic, sum(stored) AS stored, sum(rejected) AS rejected, sum(duplicate) AS duplicate, sum(held) AS held,"
        " sum(records_stored) AS records, sum(records_duplicate) AS records_duplicate, sum(records_late) AS late,"
        " sum(records_dropped) AS dropped FROM ledger GROUP BY 1 ORDER BY 1",
        "SELECT reason, field, rule, count(*) FROM dead_letters GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 5",
        "SELECT date_trunc('minute', time), count(*) FROM readings GROUP BY 1 ORDER BY 1",
        "SELECT kind, topic, partition, minute, expected, found FROM ledger_mismatches ORDER BY id LIMIT 20",
    ):
        yield from (" | ".join(map(str, row)) for row in store.rows(question))


def _ordinary(store: Store) -> int:
    """Ordinary messages accounted for."""
    return int(
        store.one(
            "SELECT coalesce(sum(stored + rejected + duplicate + held), 0) FROM ledger WHERE topic = 'city.reading.v1'"
        )
    )


def produce(seconds: int, rate: float) -> None:
    """The live producer; prints messages, readings and what they add up to."""
    load = CityLoad(load_devices(), READINGS, datetime.now(UTC), seed=int(time.time()), live=True)
    producer = open_bus(os.environ["CHENGYUN_BUS"], 4).producer()
    began, sent = time.perf_counter(), 0
    for chunk in chunks(load.messages(10**9), 500):
        producer.publish(chunk)
        sent += len(chunk)
        ahead = sent / rate - (time.perf_counter() - began)
        if ahead > 0:
            time.sleep(ahead)  # the pace of the feed
        if time.perf_counter() - began > seconds:
            break
    producer.close()
    print(load.truth.messages, load.truth.readings, load.truth.total, flush=True)


if __name__ == "__main__":
    produce(int(sys.argv[1]), float(sys.argv[2]))
