"""kill -9 of ingest, store and broker in the middle of 200,000 readings; nothing lost, nothing twice.

For every seed one replay: readings are published to the bus by an independent producer that keeps its own list; at
three random moments between the first and the last tenth of what ingest has taken, ingest, the store and the broker
get SIGKILL, in random order, and are started again at once. Then every reading, warning and incident is compared with
the producer's list.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from incidents.ports import BusRefused, BusUnavailable, Outgoing
from streams.bus import open_bus
from streams.envelope import encode
from streams.topics import INPUT_TOPICS
from tests.bench.frame import Bench, Figures
from tests.bench.truth import Store
from tests.product import ROOT, Product

GOALS = {
    "lost": 0,
    "doubled": 0,
    "warnings_lost": 0,
    "warnings_doubled": 0,
    "incidents_wrong": 0,
    "mismatches": 0,
}

READINGS = 200_000
DEVICES = 100
SEEDS = 10
TARGETS = ("ingest", "store", "bus")
LATEST = 0.84
"""A kill is wanted no later: until it comes, ingest may be some per cent further, and the last tenth is kept free."""
FILES = ROOT / "data" / "sample_city" / "files"


@dataclass(frozen=True, slots=True)
class Subject:
    """A device with a ruled metric: what is normal, what is over every rule, how many rules are then broken."""

    device: str
    metric: str
    normal: float
    over: float
    rules: tuple[str, ...]
    class_codes: frozenset[str]


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(FILES / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def subjects() -> list[Subject]:
    """Every device of the sample city that has a rule with a metric of its own kind."""
    rules: dict[tuple[str, str, str], list[dict[str, str]]] = defaultdict(list)
    for rule in _rows("warning_rules"):
        rules[(rule["device_type"], rule["metric"], rule["op"])].append(rule)
    typical = {row["id"]: float(row["typical"]) for row in _rows("metrics")}
    best: dict[str, tuple[str, str]] = {}
    for kind, metric, op in sorted(rules, key=lambda key: len(rules[key])):
        best[kind] = (metric, op)
    found = []
    for device in _rows("devices"):
        if device["type"] not in best:
            continue
        metric, op = best[device["type"]]
        broken = rules[(device["type"], metric, op)]
        thresholds = [float(rule["threshold"]) for rule in broken]
        over = max(thresholds) * 1.2 + 1 if op == ">" else min(thresholds) * 0.8 - 1
        found.append(
            Subject(
                device["id"], metric, typical[metric], over,
                tuple(sorted(f"{rule['id']}.{rule['version']}" for rule in broken)),
                frozenset(rule["class_code"] for rule in broken),
            )
        )  # fmt: skip
    return found


def longest_for_s() -> float:
    """The longest duration a rule asks for, seconds."""
    return max(float(rule["for_s"]) for rule in _rows("warning_rules"))


@dataclass(slots=True)
class Sent:
    """The producer's own list: (device, metric, time, value) of every distinct reading; messages with retries."""

    readings: list[tuple[str, str, datetime, float]]
    messages: int = 0


class Publisher(threading.Thread):
    """Publishes readings in order, in batches; when the bus is away it sends the same batch again."""

    def __init__(self, url: str, group: list[Subject], readings: int, seed: int, span_s: float) -> None:
        super().__init__(name="publisher", daemon=True)
        self._url, self._group, self._readings, self._seed, self._span = url, group, readings, seed, span_s
        self.sent = Sent([])
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Publish all of it."""
        try:
            self._publish()
        except BaseException as error:
            self.failure = error
            raise

    def _publish(self) -> None:
        rng = random.Random(self._seed)
        producer = open_bus(self._url, 4).producer()
        each = self._readings // len(self._group)
        step = self._span * 1.6 / each
        begin = datetime.now(UTC) - timedelta(seconds=self._span * 1.6 + 5)
        batch: list[Outgoing] = []
        for turn in range(each):
            time_ = begin + timedelta(seconds=turn * step)
            over = 0.15 * each <= turn < 0.85 * each
            for subject in self._group:
                value = round((subject.over if over else subject.normal) * (1 + rng.random() * 1e-6), 9)
                self.sent.readings.append((subject.device, subject.metric, time_, value))
                message = encode(
                    id=f"{self._seed}-{turn}-{subject.device}", source="urn:feed:simulation",
                    topic="city.reading.v1", time=time_.isoformat(), subject=subject.device,
                    data={"device": subject.device, "readings": [{"metric": subject.metric, "value": value}]},
                )  # fmt: skip
                batch.append(Outgoing("city.reading.v1", subject.device, message))
            if len(batch) >= 1000 or turn == each - 1:
                self._send(producer, batch)
                batch = []
        producer.close()

    def _send(self, producer: Any, batch: list[Outgoing]) -> None:
        while True:
            self.sent.messages += len(batch)
            try:
                producer.publish(batch)
                return
            except (BusUnavailable, BusRefused):
                time.sleep(0.2)  # a feed's own pace of trying again


def plan(seed: int) -> list[tuple[float, str]]:
    """Three kills of one replay: (share of the readings at which, what), in the order in which they come."""
    rng = random.Random(seed)
    moments = sorted(rng.uniform(0.1, LATEST) for _ in TARGETS)
    return list(zip(moments, rng.sample(TARGETS, len(TARGETS)), strict=True))


def drill(product: Product, store: Store, bench: Bench, seed: int, group: list[Subject],
          readings: int) -> dict[str, Any]:  # fmt: skip
    """One replay with its kills; what came of it."""
    span = longest_for_s() * 1.5 + 60
    before = store.accounted()
    publisher = Publisher(product.env["CHENGYUN_BUS"], group, readings, seed, span)
    publisher.start()
    kills = []
    for wanted, target in plan(seed):
        deadline = time.monotonic() + 300
        while (taken := store.accounted() - before) < wanted * readings:
            if time.monotonic() > deadline or publisher.failure:
                raise RuntimeError(f"{seed}: ingest did not get to {wanted:.2f}: {publisher.failure}")
            time.sleep(0.05)  # watching a counter of another process: there is no event to wait for
        position = taken / readings
        if position > 0.9:
            raise RuntimeError(f"{seed}: {target} could be killed no sooner than at {position:.2f}")
        recovery = kill_and_wait(product, store, publisher, target, before + taken)
        kills.append({"target": target, "position": round(position, 3), "recovery_s": round(recovery, 2)})
        bench.say(f"seed {seed}: {target} killed at {position:.2f}, back after {recovery:.2f} s")
    publisher.join(300)
    if publisher.is_alive() or publisher.failure:
        raise RuntimeError(f"{seed}: the producer did not finish: {publisher.failure}")
    settle(product, store, time.monotonic() + 300)
    result = verify(store, publisher.sent, group)
    result.update(seed=seed, kills=kills)
    result["mismatches"] = int(
        product.run("reconcile", check=False).stdout.strip().splitlines()[-1].split()[0]
    )
    bench.say(
        f"seed {seed}: lost {result['lost']}, doubled {result['doubled']}, warnings {result['warnings']}"
        f" (−{result['warnings_lost']} +{result['warnings_doubled']}), incidents wrong"
        f" {result['incidents_wrong']}, mismatches {result['mismatches']}"
    )
    return result


def kill_and_wait(product: Product, store: Store, publisher: Publisher, target: str, taken: int) -> float:
    """SIGKILL, start again at once; the seconds until ingest has taken 4,000 messages more, or all there are."""
    killed = time.monotonic()
    if target == "ingest":
        product.kill("ingest")
        product.start("ingest")
    else:
        product.kill_service(target)
        product.start_service(target)
    while True:
        try:
            if store.accounted() > taken + 4000 or (
                not publisher.is_alive() and _in_flight(product, store) == 0
            ):
                return time.monotonic() - killed
        except (psycopg2.Error, BusUnavailable):
            pass  # the killed service is not back yet
        if time.monotonic() - killed > 300:
            raise RuntimeError(f"{target}: no recovery; {product.last_words('ingest')}")
        time.sleep(0.05)


def _in_flight(product: Product, store: Store) -> int:
    inspector = open_bus(product.env["CHENGYUN_BUS"], 4).inspector()
    try:
        positions = {
            (t, p): n for t, p, n in store.rows("SELECT topic, partition, position FROM partition_positions")
        }
        return sum(
            end - positions.get((tp.topic, tp.partition), first)
            for topic in INPUT_TOPICS
            for tp, (first, end) in inspector.ranges(topic).items()
        )
    finally:
        inspector.close()


def settle(product: Product, store: Store, deadline: float) -> None:
    """Wait until everything on the bus is taken, triaged and said."""
    while True:
        waiting = store.rows(
            "SELECT (SELECT count(*) FROM intake WHERE incident_id IS NULL),"
            " (SELECT count(*) FROM outbox WHERE published_at IS NULL)"
        )[0]
        try:
            if _in_flight(product, store) == 0 and waiting == (0, 0):
                return
        except BusUnavailable:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"not settled: waiting {waiting}; {product.last_words('ingest')}")
        time.sleep(0.5)  # watching other processes: there is no event to wait for


def verify(store: Store, sent: Sent, group: list[Subject]) -> dict[str, Any]:
    """Compare the store with the producer's list."""
    connection = psycopg2.connect(store.dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE expected (device text, metric text, time timestamptz, value double precision)"
            )
            lines = "".join(f"{d}\t{m}\t{t.isoformat()}\t{v!r}\n" for d, m, t, v in sent.readings)
            cursor.copy_expert("COPY expected FROM STDIN", io.StringIO(lines))
            cursor.execute("ANALYZE expected")
            cursor.execute(
                "SELECT count(*) FILTER (WHERE r.value IS NULL), count(*) FILTER (WHERE r.value <> e.value)"
                " FROM expected e JOIN devices d ON d.id = e.device JOIN metrics m ON m.id = e.metric"
                " LEFT JOIN readings r ON r.device_no = d.no AND r.metric_no = m.no AND r.time = e.time"
            )
            lost, changed = cursor.fetchone() or (0, 0)
            begin, end = min(t for _, _, t, _ in sent.readings), max(t for _, _, t, _ in sent.readings)
            devices = sorted({d for d, *_ in sent.readings})
            cursor.execute(
                "SELECT count(*) FROM readings r JOIN devices d ON d.no = r.device_no WHERE d.id = ANY(%s)"
                " AND r.time BETWEEN %s AND %s",
                (devices, begin, end),
            )
            stored = (cursor.fetchone() or (0,))[0]
            cursor.execute("SELECT rule, version, device FROM warnings WHERE device = ANY(%s)", (devices,))
            raised: dict[tuple[str, str], int] = defaultdict(int)
            for rule, version, device in cursor.fetchall():
                raised[(f"{rule}.{version}", device)] += 1
            cursor.execute(
                "SELECT device, count(DISTINCT incident_id), count(*), count(DISTINCT class_code) FROM intake"
                " WHERE kind = 'warning' AND device = ANY(%s) GROUP BY 1",
                (devices,),
            )
            by_device = {row[0]: row[1:] for row in cursor.fetchall()}
            cursor.execute(
                "SELECT count(*) FROM incidents i WHERE split_part(i.merge_key, '|', 1) = ANY(%s)"
                " AND i.sources <> (SELECT count(*) FROM intake s WHERE s.incident_id = i.id)",
                (devices,),
            )
            miscounted = (cursor.fetchone() or (0,))[0]
    finally:
        connection.close()
    wanted = {(rule, subject.device) for subject in group for rule in subject.rules}
    incidents_wrong = sum(
        1
        for subject in group
        if by_device.get(subject.device)
        != (len(subject.class_codes), len(subject.rules), len(subject.class_codes))
    )
    return {
        "readings": len(sent.readings),
        "messages": sent.messages,
        "lost": int(lost),
        "changed": int(changed),
        "doubled": int(stored) - (len(sent.readings) - int(lost)),
        "warnings": len(wanted),
        "warnings_lost": len(wanted - raised.keys()),
        "warnings_doubled": sum(n - 1 for n in raised.values()) + len(raised.keys() - wanted),
        "incidents_wrong": incidents_wrong + int(miscounted),
    }


def run(bench: Bench) -> Figures:
    """All drills of this profile."""
    seeds = 1 if bench.quick else SEEDS
    people = subjects()
    random.Random(7).shuffle(people)
    results: list[dict[str, Any]] = []
    with Product(bench.profile, bench.folder, children=("ingest", "relay")) as product:
        store = Store(product.env["CHENGYUN_DSN"])
        bench.say(f"services and processes run; {len(people)} devices with rules")
        for seed in range(seeds):
            group = [people.pop() for _ in range(DEVICES)]
            results.append(drill(product, store, bench, seed, group, READINGS))
    figures: Figures = {name: sum(r[name] for r in results) for name in GOALS}
    figures["replays"] = len(results)
    figures["kills"] = sum(len(r["kills"]) for r in results)
    figures["readings"] = sum(r["readings"] for r in results)
    figures["warnings"] = sum(r["warnings"] for r in results)
    for target in TARGETS:
        times = sorted(k["recovery_s"] for r in results for k in r["kills"] if k["target"] == target)
        figures[f"recovery_{target}_median_s"] = times[len(times) // 2]
        figures[f"recovery_{target}_worst_s"] = times[-1]
    figures["each"] = [
        {
            k: r[k]
            for k in ("seed", "kills", "lost", "doubled", "warnings_lost", "warnings_doubled", "mismatches")
        }
        for r in results
    ]
    return figures
