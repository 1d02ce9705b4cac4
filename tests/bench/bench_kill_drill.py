"""10,000,000 readings through the bus while, at seeded random moments, ingest is killed (-9) ten times and the bus, the
store and the live state twice each; then every reading of the producer's file is looked for.

Issue 3, "Must show" 3. `--quick`: 500,000 readings, three kills of ingest and one of each service.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from incidents.ports import BusRefused, BusUnavailable, Outgoing
from streams.bus import open_bus
from tests.bench.bench_drills import kill_and_wait, settle
from tests.bench.bench_ingest import DEVICES, READINGS, chunks
from tests.bench.city_load import STEP, CityLoad, load_devices
from tests.bench.frame import Bench, Figures
from tests.bench.truth import Store
from tests.product import ROOT, Product

GOALS = {"lost": 0, "doubled": 0, "changed": 0, "mismatches": 0, "readings": 10_000_000, "kills": 16}

SEED = 20261126
EARLIEST, LATEST = 0.03, 0.92
"""Kills come between these shares of the messages."""


def moments(quick: bool) -> list[tuple[float, str]]:
    """(share of the messages, target) in order."""
    rng = random.Random(SEED)
    targets = ["ingest"] * (3 if quick else 10) + ["bus", "store", "live"] * (1 if quick else 2)
    rng.shuffle(targets)
    return list(zip(sorted(rng.uniform(EARLIEST, LATEST) for _ in targets), targets, strict=True))


class Sending:
    """The producer's process; as `kill_and_wait` wants it."""

    def __init__(self, product: Product, readings: int, file: Path) -> None:
        command = [sys.executable, "-m", "tests.bench.bench_kill_drill", str(readings), str(file)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=product.env, stdout=subprocess.PIPE, text=True)
        self.failure: BaseException | None = None

    def is_alive(self) -> bool:
        """True while it sends."""
        return self.process.poll() is None


def run(bench: Bench) -> Figures:
    """Send, kill, compare."""
    # A little more is sent than is asked for: some of it is bad, or sent again.
    readings = int((500_000 if bench.quick else 10_000_000) * 1.01)
    messages = readings // READINGS
    file = bench.folder / "sent.tsv"
    began = time.monotonic()
    with Product(bench.profile, bench.folder, children=("ingest", "relay")) as product:
        store = Store(product.env["CHENGYUN_DSN"])
        before = store.accounted()
        sending = Sending(product, readings, file)
        kills = []
        for share, target in moments(bench.quick):
            while (taken := _accounted(store) - before) < share * messages:
                if sending.process.poll() not in (None, 0):
                    raise RuntimeError("the producer failed")
                time.sleep(0.05)  # watching a counter of another process: there is no event to wait for
            recovery = kill_and_wait(product, store, sending, target, before + taken)  # type: ignore[arg-type]
            kills.append(
                {"target": target, "position": round(taken / messages, 3), "recovery_s": round(recovery, 2)}
            )
            bench.say(f"{target} killed at {taken / messages:.3f}, back after {recovery:.2f} s")
        assert sending.process.stdout is not None
        sent, resent, bad = (int(word) for word in sending.process.stdout.read().split())
        settle(product, store, time.monotonic() + 900)
        seconds = time.monotonic() - began
        figures = compare(store, file)
        ledger = store.rows(
            "SELECT sum(stored), sum(rejected), sum(duplicate), sum(held), sum(records_stored) FROM ledger"
        )[0]
        mismatches = int(product.run("reconcile", check=False).stdout.strip().splitlines()[-1].split()[0])
    figures |= {
        "messages": sent,
        "messages_sent_again": resent,
        "bad": bad,
        "kills": len(kills),
        "each": kills,
        "ledger": dict(
            zip(("stored", "rejected", "duplicate", "held", "records_stored"), map(int, ledger), strict=True)
        ),
        "mismatches": mismatches,
        "seconds_to_drain": round(seconds, 1),
    }
    figures["ledger_equals_file"] = figures["ledger"]["records_stored"] == figures["readings"] and (
        bad <= figures["ledger"]["rejected"] <= bad + resent
    )
    bench.say(str({name: value for name, value in figures.items() if name != "each"}))
    return figures


def _accounted(store: Store) -> int:
    """The ledger's count; 0 while the store is away."""
    try:
        return store.accounted()
    except psycopg2.Error:
        return 0


def compare(store: Store, file: Path) -> dict[str, Any]:
    """Every reading of the file against the store, and every one of the store against the file."""
    connection = psycopg2.connect(store.dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET work_mem = '512MB'")
            cursor.execute(
                "CREATE TEMP TABLE expected (device text, metric text, time timestamptz, value double precision)"
            )
            with file.open("r", encoding="utf-8") as lines:
                cursor.copy_expert("COPY expected FROM STDIN", lines)
            cursor.execute("ANALYZE expected")
            cursor.execute(
                "SELECT count(*), count(*) FILTER (WHERE r.value IS NULL), count(*) FILTER (WHERE r.value <> e.value)"
                " FROM expected e JOIN devices d ON d.id = e.device JOIN metrics m ON m.id = e.metric"
                " LEFT JOIN readings r ON r.device_no = d.no AND r.metric_no = m.no AND r.time = e.time"
            )
            wanted, lost, changed = cursor.fetchone() or (0, 0, 0)
            cursor.execute("SELECT count(*) FROM readings")
            stored = (cursor.fetchone() or (0,))[0]
    finally:
        connection.close()
    return {
        "readings": int(wanted),
        "lost": int(lost),
        "changed": int(changed),
        "doubled": int(stored) - (int(wanted) - int(lost)),
    }


def produce(readings: int, file: Path) -> None:
    """Send `readings` readings in messages of three and write down each distinct one; prints messages, those sent
    again, and bad ones."""
    messages = readings // READINGS
    begin = datetime.now(UTC) - STEP * (messages // DEVICES + 1) - timedelta(hours=2)
    producer = open_bus(os.environ["CHENGYUN_BUS"], 4).producer()
    resent = 0
    with file.open("w", encoding="utf-8") as out:
        load = CityLoad(load_devices(DEVICES, critical=True), READINGS, begin, seed=SEED, log=out)
        for chunk in chunks(load.messages(messages)):
            resent += _send(producer, chunk)
    producer.close()
    print(load.truth.messages, resent, load.truth.bad, flush=True)


def _send(producer: Any, chunk: list[Outgoing]) -> int:
    again = 0
    while True:
        try:
            producer.publish(chunk)
            return again
        except (BusUnavailable, BusRefused):
            again += len(chunk)
            time.sleep(0.2)  # a feed's own pace of trying again


if __name__ == "__main__":
    produce(int(sys.argv[1]), Path(sys.argv[2]))
