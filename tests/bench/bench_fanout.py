"""Push fan-out: from an event to the frame of its delta, with 200 and 1,000 protocol clients and one Chromium over two
web processes behind one address; then with one client in twenty that does not read.

An event is a reading published to the bus (its own time is the moment it was sent) or a report through REST (the moment
before it was sent); it goes the whole way, through ingest or outbox and relay, store and live state. Clients belong to
accounts with different rights; at the end, everything that changes the state stands still, and each client's state must
be that of a fresh snapshot for its own account.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from streams.bus import open_bus
from tests.bench.bench_drills import settle
from tests.bench.bench_spine import (
    CHROMIUM,
    FLAGS,
    LISTENER,
    devices_with_metrics,
    message,
    percentile,
)
from tests.bench.frame import Bench, Figures
from tests.bench.truth import Store
from tests.people import Person
from tests.product import ROOT, Product

GOALS = {"p95_ms": 200, "p99_ms": 1000, "wrong_final_states": 0, "p95_slow_ratio": 1.5}

READINGS_PER_S = 40
REPORTS_PER_S = 1
DESKS = ("operator", "dispatcher", "leader", "evaluator")
WORKERS = 16
SLOW_SHARE = 0.05
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Clients:
    """A process of `stream_clients`, spoken to by lines."""

    process: subprocess.Popen[str]

    def say(self, line: str) -> str:
        """Its answer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer: str = self.process.stdout.readline()
        return answer.strip()


@dataclass
class City:
    """The running product with its accounts."""

    product: Product
    folder: Path
    people: list[Person] = field(default_factory=list)
    reported: int = 0

    def snapshots(self, name: str) -> dict[str, str]:
        """A fresh one per account, as files."""
        files = {}
        for person in self.people:
            path = self.folder / f"{name}-{person.login}.json"
            path.write_text(json.dumps(person.snapshot()))
            files[person.login] = str(path)
        return files


def cpu_s(pids: Sequence[int]) -> float:
    """Processor seconds of processes so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


@contextmanager
def connected(city: City, count: int, slow: float) -> Iterator[Clients]:
    """`count` clients, spread over the accounts, of which a share is slow."""
    starts = city.snapshots("start")
    tokens = {
        person.login: "; ".join(f"{c.name}={c.value}" for c in person.client.cookies.jar)
        for person in city.people
    }
    versions = {}
    for login, file in starts.items():
        found = json.loads(Path(file).read_text())
        versions[login] = f"{found['epoch']}:{found['n']}"
    half = len(DESKS)
    clients = []
    for number in range(count):
        person = city.people[number % half] if number % 2 else city.people[half + number // 2 % WORKERS]
        is_slow = slow > 0 and number % round(1 / slow) == 0
        clients.append(
            {
                "cookie": tokens[person.login],
                "from": versions[person.login],
                "account": person.login,
                "slow": is_slow,
            }
        )
    host, port = city.product.base_url.removeprefix("http://").split(":")
    config = city.folder / "clients.json"
    config.write_text(json.dumps({"host": host, "port": int(port), "clients": clients, "snapshots": starts}))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stream_clients", str(config)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        answer = process.stdout.readline().strip()
        if answer != "connected":
            raise RuntimeError(f"clients: {answer}")
        yield Clients(process)
    finally:
        process.kill()
        process.wait()


class Events(threading.Thread):
    """Readings and reports at their rates, for a while."""

    def __init__(self, city: City, operator: Person, seconds: float) -> None:
        super().__init__(name="events", daemon=True)
        self._city, self._operator, self._seconds = city, operator, seconds
        self._devices = devices_with_metrics(2000)
        self.born: dict[str, float] = {}
        self.sent = 0

    def run(self) -> None:
        """Paced by the clock."""
        producer = open_bus(self._city.product.env["CHENGYUN_BUS"], 4).producer()
        begin = time.perf_counter()
        reports = 0
        while (passed := time.perf_counter() - begin) < self._seconds:
            while self.sent < passed * READINGS_PER_S:
                device, metric, normal = self._devices[
                    (self._city.reported * 977 + self.sent) % len(self._devices)
                ]
                now = datetime.now(UTC)
                producer.publish([message(self.sent, device, metric, normal * (1 + self.sent * 1e-7), now)])
                self.sent += 1
            if reports < passed * REPORTS_PER_S:
                reports += 1
                self._city.reported += 1
                n = self._city.reported
                at = time.time() * 1000
                # Kilometres apart, so that none is taken for another's duplicate.
                told = self._operator.command(
                    "report_incident", text=f"压测上报 {n}", class_code="C0101", key=f"fanout-{n}",
                    lon=113.70 + n % 40 * 0.01, lat=21.78 + n // 40 % 30 * 0.01,
                ).json()  # fmt: skip
                if "id" in told:
                    self.born[str(told["id"])] = at
            time.sleep(0.005)  # the pace of the feed
        producer.close()


@contextmanager
def still(product: Product) -> Iterator[None]:
    """Within, nothing changes the live state."""
    pids = [product.running[name].pid for name in ("ingest", "relay")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def stage(
    bench: Bench, city: City, count: int, slow: float, seconds: float, page: Page | None
) -> dict[str, Any]:
    """One measurement."""
    operator = city.people[0]
    webs = [city.product.running[name].pid for name in ("web", "web-2")]
    with connected(city, count, slow) as clients:
        bench.say(f"{count} clients are connected{f', {slow:.0%} slow' if slow else ''}")
        if slow:
            clients.say("pause")
        if page is not None:
            page.evaluate("() => { window.__delays.length = 0; window.__items = 0; }")
        clients.say("mark")
        before = cpu_s(webs)
        events = Events(city, operator, seconds)
        events.start()
        events.join()
        used = cpu_s(webs) - before
        browser = page.evaluate("() => window.__delays.slice()") if page is not None else []
        settle(city.product, Store(city.product.env["CHENGYUN_DSN"]), time.monotonic() + 120)
        clients.say("resume")
        with still(city.product):
            wait_for_beats(operator)
            ends = city.snapshots("end")
            told = city.folder / "told.json"
            told.write_text(json.dumps({"born": events.born, "snapshots": ends}))
            result: dict[str, Any] = json.loads(clients.say(f"finish {told}"))
    took = result.pop("delays")
    result |= {
        "p50_ms": percentile(took, 0.5), "p95_ms": percentile(took, 0.95), "p99_ms": percentile(took, 0.99),
        "worst_ms": round(max(took), 1), "measured": len(took), "readings": events.sent, "reports": len(events.born),
        "cpu_us_per_delta": round(used / max(1, result["frames"]) * 1e6, 1), "web_cores": round(used / seconds, 2),
    }  # fmt: skip
    if browser:
        result["chromium_p95_ms"] = percentile(browser, 0.95)
        result["chromium_measured"] = len(browser)
    bench.say(json.dumps(result))
    return result


def wait_for_beats(someone: Person) -> None:
    """Until a stream has beaten three times: by then every other one was told the newest version, too."""
    snapshot = someone.snapshot()
    beats = 0
    for event, _ in someone.stream(snapshot["epoch"], snapshot["n"]):
        beats += event == "beat"
        if beats == 3:
            return


def run(bench: Bench) -> Figures:
    """200 clients, 1,000 clients with a Chromium, then some that do not read."""
    seconds = 10.0 if bench.quick else 60.0
    few, many = (50, 200) if bench.quick else (200, 1000)
    with Product(bench.profile, bench.folder, webs=2) as product:
        passwords = product.passwords()
        logins = [*DESKS, *[f"gw{n:04d}" for n in range(1, WORKERS + 1)]]
        city = City(product, bench.folder)
        city.people = [Person(product.base_url, login, passwords[login]) for login in logins]
        bench.say(f"{len(logins)} accounts are in")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
            context.add_cookies(
                [{"name": c.name, "value": c.value or "", "url": product.base_url} for c in city.people[0].client.cookies.jar]
            )  # fmt: skip
            page = context.new_page()
            page.goto(product.base_url + "/leader")
            page.wait_for_function("() => window.chengyun?.live?.status === 'live'", timeout=120_000)
            page.evaluate(
                "keys => { window.__watched = new Set(keys) }", [d[0] for d in devices_with_metrics(2000)]
            )
            page.evaluate(LISTENER)
            first = stage(bench, city, few, 0, seconds, None)
            second = stage(bench, city, many, 0, seconds, page)
            third = stage(bench, city, many, SLOW_SHARE, seconds, None)
            browser.close()
    stages = {f"{few}": first, f"{many}": second, f"{many}_slow": third}
    return {
        "clients": many,
        "p50_ms": second["p50_ms"],
        "p95_ms": second["p95_ms"],
        "p99_ms": second["p99_ms"],
        "p95_ms_few": first["p95_ms"],
        "chromium_p95_ms": second["chromium_p95_ms"],
        "cpu_us_per_delta": second["cpu_us_per_delta"],
        "wrong_final_states": sum(s["wrong"] + s["broken"] + s["behind"] + s["cut"] for s in stages.values()),
        "p95_slow_ratio": round(third["p95_ms"] / second["p95_ms"], 2),
        "stages": stages,
    }
