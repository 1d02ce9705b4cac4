"""The spine: delay from a message's `send()` to the frame after its delta is applied, with one real Chromium and 19
protocol clients at 500 readings/s; and readings/s of one ingest process beside raw COPY of the same rows.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import random
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg2
from playwright.sync_api import sync_playwright

from incidents.ports import Outgoing, Producer
from streams.bus import open_bus
from streams.envelope import encode
from tests.bench.bench_drills import FILES, settle
from tests.bench.frame import Bench, Figures
from tests.bench.truth import Store
from tests.people import Person
from tests.product import Product

GOALS = {"lost": 0, "doubled": 0, "p95_ms": 1000, "readings_per_s": 6000}

RATE = 500
CLIENTS = 19
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-background-networking", "--no-first-run", "--disable-component-update", "--disable-sync",
)  # fmt: skip

LISTENER = """
() => {
  window.__delays = []; window.__items = 0; window.__deltas = 0;
  window.chengyun.live.addEventListener('applied', (event) => {
    const times = [];
    for (const [kind, key] of event.detail.changed) {
      if (kind !== 'device' || !window.__watched.has(key)) continue;
      const item = window.chengyun.live.get('device', key);
      if (item && item.t) times.push(item.t);
    }
    window.__deltas += 1;
    if (!times.length) return;
    window.__items += times.length;
    requestAnimationFrame(() => {
      const now = performance.timeOrigin + performance.now();
      for (const t of times) window.__delays.push(now - t);
    });
  });
}
"""

MAP_IDLE = """
() => new Promise((done) => {
  const {map} = window.chengyun.map;
  map.once('idle', () => requestAnimationFrame(() => requestAnimationFrame(done)));
  map.triggerRepaint();
})
"""
"""Tiles are there and drawn: from here on the desk is what an operator has in front of him all day."""


def devices_with_metrics(count: int) -> list[tuple[str, str, float]]:
    """(device, metric, normal value) of ordinary devices of the sample city, shuffled by a fixed seed."""
    metrics: dict[str, tuple[str, float]] = {}
    with gzip.open(FILES / "metrics.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            metrics.setdefault(row["device_type"], (row["id"], float(row["typical"])))
    with gzip.open(FILES / "devices.csv.gz", "rt", encoding="utf-8") as file:
        found = [(r["id"], *metrics[r["type"]]) for r in csv.DictReader(file) if r["critical"] == "0"]
    random.Random(3).shuffle(found)
    return found[:count]


def message(number: int, device: str, metric: str, value: float, at: datetime) -> Outgoing:
    """One reading as a bus message of at least 350 bytes, as devices of the field send them."""
    body = encode(
        id=f"spine-{number:09d}-{device}", source="urn:feed:simulation", topic="city.reading.v1",
        time=at.isoformat(timespec="microseconds"), subject=device, correlation=f"spine-{number:09d}",
        data={"device": device, "readings": [{"metric": metric, "value": value}],
              "source_time": at.isoformat(timespec="microseconds")},
    )  # fmt: skip
    return Outgoing("city.reading.v1", device, body)


class Steady(threading.Thread):
    """Publishes RATE readings a second, each dated with its own send moment, and keeps its own list."""

    def __init__(
        self, url: str, devices: Sequence[tuple[str, str, float]], seconds: float, least: int = 0
    ) -> None:
        super().__init__(name="steady", daemon=True)
        self._producer: Producer = open_bus(url, 4).producer()
        self._devices, self._seconds, self._least = devices, seconds, least
        self.sent: list[tuple[str, str, datetime, float]] = []
        self.publish_ms: list[float] = []

    def run(self) -> None:
        """Ten readings every 20 ms."""
        rng = random.Random(11)
        begin = time.perf_counter()
        number = 0
        while (passed := time.perf_counter() - begin) < self._seconds or number < self._least:
            due = int(passed * RATE)
            while number < due:
                batch = []
                for _ in range(min(10, due - number)):
                    device, metric, normal = self._devices[number % len(self._devices)]
                    now = datetime.now(UTC)
                    value = normal * (1 + rng.random() * 1e-4)
                    self.sent.append((device, metric, now, value))
                    batch.append(message(number, device, metric, value, now))
                    number += 1
                started = time.perf_counter()
                self._producer.publish(batch)
                self.publish_ms.append((time.perf_counter() - started) * 1000)
            time.sleep(0.005)  # the pace of the feed
        self._producer.close()


class Listener(threading.Thread):
    """A protocol client: reads the live stream and counts what it gets."""

    def __init__(self, person: Person, stop: threading.Event) -> None:
        super().__init__(name=f"listener-{person.login}", daemon=True)
        self._person, self._halt = person, stop
        self.deltas = 0

    def run(self) -> None:
        """Listen until told to stop."""
        snapshot = self._person.snapshot()
        with contextlib.suppress(Exception):
            for event, _ in self._person.stream(snapshot["epoch"], snapshot["n"]):
                self.deltas += event == "delta"
                if self._halt.is_set():
                    return


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def delay(product: Product, store: Store, bench: Bench, seconds: float) -> Figures:
    """Line 5, first half."""
    passwords = product.passwords()
    logins = [login for login in passwords if login.startswith("unit-")][: CLIENTS - 3]
    logins += ["dispatcher", "leader", "evaluator"]
    people = [Person(product.base_url, login, passwords[login]) for login in logins]
    stop = threading.Event()
    listeners = [Listener(person, stop) for person in people]
    for listener in listeners:
        listener.start()
    bench.say(f"{len(listeners)} protocol clients listen")
    devices = devices_with_metrics(1000)
    operator = Person(product.base_url, "operator", passwords["operator"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
        context.add_cookies(
            [
                {"name": c.name, "value": c.value or "", "url": product.base_url}
                for c in operator.client.cookies.jar
            ]
        )
        page = context.new_page()
        opening = time.monotonic()
        page.goto(product.base_url + "/desk")
        page.wait_for_function("() => window.chengyun?.live?.status === 'live'", timeout=120_000)
        page.evaluate("keys => { window.__watched = new Set(keys) }", [d[0] for d in devices])
        page.evaluate(LISTENER)
        bench.say("Chromium shows the desk, live")
        # Every device once: from unknown to online, while the map is still loading its tiles. A city does this once.
        begin = Steady(product.env["CHENGYUN_BUS"], devices, 0, len(devices))
        begin.start()
        begin.join()
        settle(product, store, time.monotonic() + 120)
        page.wait_for_function(
            f"() => window.__items >= {len(devices)} && document.documentElement.dataset.ready === 'desk'",
            timeout=120_000,
        )
        page.evaluate(MAP_IDLE)
        opened_s = time.monotonic() - opening
        first: list[float] = page.evaluate("() => window.__delays.splice(0)")
        page.evaluate("() => { window.__items = 0; }")
        steady = Steady(product.env["CHENGYUN_BUS"], devices, seconds)
        steady.start()
        steady.join()
        settle(product, store, time.monotonic() + 120)
        page.wait_for_timeout(3000)  # the last frames of software GL
        delays: list[float] = page.evaluate("() => window.__delays")
        items: int = page.evaluate("() => window.__items")
        browser.close()
    stop.set()
    lost, doubled = compare(store, begin.sent + steady.sent)
    bench.say(f"{len(steady.sent)} readings sent, {items} seen in the browser, lost {lost}")
    return {
        "sent": len(steady.sent),
        "lost": lost,
        "doubled": doubled,
        "seen_in_browser": items,
        "p50_ms": percentile(delays, 0.50),
        "p95_ms": percentile(delays, 0.95),
        "p99_ms": percentile(delays, 0.99),
        "desk_opened_and_map_idle_s": round(opened_s, 1),
        "first_showing_p95_ms": percentile(first, 0.95),
        "publish_p50_ms": percentile(steady.publish_ms, 0.5),
        "clients": len(listeners) + 1,
        "deltas_of_slowest_client": min(listener.deltas for listener in listeners),
    }


def compare(store: Store, sent: list[tuple[str, str, datetime, float]]) -> tuple[int, int]:
    """(lost, doubled) against the producer's list."""
    connection = psycopg2.connect(store.dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE expected (device text, metric text, time timestamptz, value float8)"
            )
            lines = "".join(f"{d}\t{m}\t{t.isoformat()}\t{v!r}\n" for d, m, t, v in sent)
            cursor.copy_expert("COPY expected FROM STDIN", io.StringIO(lines))
            cursor.execute(
                "SELECT count(*) FILTER (WHERE r.value IS NULL), count(r.value) - count(DISTINCT (e.device, e.metric,"
                " e.time)) FILTER (WHERE r.value IS NOT NULL) FROM expected e JOIN devices d ON d.id = e.device"
                " JOIN metrics m ON m.id = e.metric LEFT JOIN readings r ON r.device_no = d.no"
                " AND r.metric_no = m.no AND r.time = e.time AND r.value = e.value"
            )
            row = cursor.fetchone() or (0, 0)
            return int(row[0]), int(row[1])
    finally:
        connection.close()


def throughput(product: Product, store: Store, bench: Bench, readings: int) -> Figures:
    """Line 5, second half: a full bus, one ingest process; then raw COPY of the same rows, same table shape."""
    product.kill("ingest")
    devices = devices_with_metrics(2000)
    producer = open_bus(product.env["CHENGYUN_BUS"], 4).producer()
    begin_time = datetime.now(UTC) - timedelta(seconds=readings / 2000 + 60)
    rng = random.Random(5)
    sent: list[tuple[str, str, datetime, float]] = []
    batch: list[Outgoing] = []
    size = 0
    started = time.perf_counter()
    for number in range(readings):
        device, metric, normal = devices[number % len(devices)]
        at = begin_time + timedelta(seconds=number // len(devices), microseconds=number % 997)
        value = normal * (1 + rng.random() * 1e-4)
        sent.append((device, metric, at, value))
        batch.append(message(number, device, metric, value, at))
        size += len(batch[-1].value)
        if len(batch) == 1000:
            producer.publish(batch)
            batch = []
    producer.publish(batch)
    producer.close()
    publish_s = time.perf_counter() - started
    bench.say(f"{readings} readings of {size / readings:.0f} bytes on the bus, {readings / publish_s:.0f}/s")
    before = store.accounted()
    product.start("ingest", "--lane", "ordinary")
    while store.accounted() == before:
        time.sleep(0.01)  # watching a counter of another process
    first, started = store.accounted(), time.perf_counter()
    while (now := store.accounted()) - before < readings:
        time.sleep(0.01)  # watching a counter of another process
    rate = (now - first) / (time.perf_counter() - started)
    lost, doubled = compare(store, sent)
    copy_rate = raw_copy(store, sent)
    bench.say(f"ingest {rate:.0f} readings/s, raw COPY {copy_rate:.0f} rows/s, lost {lost}")
    return {
        "lost": lost,
        "doubled": doubled,
        "readings_per_s": round(rate),
        "copy_rows_per_s": round(copy_rate),
        "ratio_to_copy": round(rate / copy_rate, 3),
        "message_bytes": round(size / readings),
        "publish_per_s": round(readings / publish_s),
    }


def raw_copy(store: Store, sent: Sequence[tuple[str, str, datetime, float]]) -> float:
    """Rows/s of COPY, 4,000 rows a transaction, into an empty table of the shape and indexes of `readings`."""
    connection = psycopg2.connect(store.dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, no FROM devices")
            devices = dict(cursor.fetchall())
            cursor.execute("SELECT id, no FROM metrics")
            metrics = dict(cursor.fetchall())
            cursor.execute(
                "CREATE TABLE raw_readings (device_no int NOT NULL, metric_no smallint NOT NULL,"
                " time timestamptz NOT NULL, value double precision NOT NULL, ledger_id int NOT NULL,"
                " PRIMARY KEY (device_no, metric_no, time))"
            )
            cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
            if cursor.fetchone():
                cursor.execute(
                    "SELECT create_hypertable('raw_readings', 'time', create_default_indexes => false)"
                )
        connection.commit()
        began = time.perf_counter()
        for start in range(0, len(sent), 4000):
            lines = "".join(
                f"{devices[d]}\t{metrics[m]}\t{t.isoformat()}\t{v!r}\t1\n"
                for d, m, t, v in sent[start : start + 4000]
            )
            with connection.cursor() as cursor:
                cursor.copy_expert("COPY raw_readings FROM STDIN", io.StringIO(lines))
            connection.commit()
        seconds = time.perf_counter() - began
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE raw_readings")
        connection.commit()
        return len(sent) / seconds
    finally:
        connection.close()


def run(bench: Bench) -> Figures:
    """Delay first, on a fresh product; then throughput of one ingest process."""
    with Product(bench.profile, bench.folder, children=("ingest", "relay", "web")) as product:
        store = Store(product.env["CHENGYUN_DSN"])
        figures = delay(product, store, bench, 20 if bench.quick else 60)
        more = throughput(product, store, bench, 100_000 if bench.quick else 300_000)
    figures.update({k: v + figures.get(k, 0) if k in ("lost", "doubled") else v for k, v in more.items()})
    bench.say(json.dumps(figures))
    return figures
