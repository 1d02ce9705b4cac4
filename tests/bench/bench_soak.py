"""A wall that runs for days. First an hour in real time: 500 readings/s, an incident every 5 s, each ended ten minutes
later; then web, store and bus are killed in turn; then 90 minutes of the deltas recorded in the hour at fifty times their
pace (75 h), given to live state and web alone. What is known after each part is said at once.

Every minute, after a forced garbage collection: JavaScript heap, DOM nodes, long frames, resident memory of web. The slope
of the heap is Theil–Sen's, with its 95 % interval, the first ten minutes left out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
from playwright.sync_api import CDPSession, Page, sync_playwright
from scipy.stats import theilslopes

from data.live import LiveState
from incidents.ports import BusRefused, BusUnavailable
from streams.bus import open_bus
from tests.bench.bench_spine import CHROMIUM, FLAGS, devices_with_metrics, message
from tests.bench.frame import Bench, Figures
from tests.people import Person
from tests.product import Product

GOALS = {"heap_mb_per_h": 1.0, "fast_heap_mb_per_h": 1.0, "recover_s_worst": 10.0}

READINGS_PER_S = 500
INCIDENT_EVERY_S = 5.0
ENDED_AFTER = 120
"""Of the driver's incidents so many are open: one lives ten minutes."""
PACE = 50
TOGETHER_S = 0.2
MINUTES = (60, 90)
"""In real time, at PACE."""
DROPPED_MIN = 10

FRAMES = """
() => {
  window.__long = 0;
  new PerformanceObserver((list) => { window.__long += list.getEntries().filter((e) => e.duration > 200).length; })
    .observe({type: 'long-animation-frame', buffered: false});
}
"""


@dataclass
class Minute:
    """What was measured at the end of a minute."""

    at_s: float
    heap_mb: float
    nodes: int
    listeners: int
    long_frames: int
    web_mb: float
    status: str


@dataclass
class Wall:
    """The wall's page in Chromium, measured from outside."""

    page: Page
    cdp: CDPSession
    web_pid: Callable[[], int]
    began: float = field(default_factory=time.monotonic)

    def measure(self) -> Minute:
        """After a forced collection."""
        self.cdp.send("HeapProfiler.collectGarbage")
        heap = self.cdp.send("Runtime.getHeapUsage")["usedSize"] / 2**20
        counted = self.cdp.send("Memory.getDOMCounters")
        long_frames, status = self.page.evaluate("() => [window.__long, window.chengyun.live.status]")
        return Minute(
            round(time.monotonic() - self.began, 1), round(heap, 3), counted["nodes"],
            counted["jsEventListeners"], long_frames, round(rss_mb(self.web_pid()), 1), status,
        )  # fmt: skip


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


class Driver(threading.Thread):
    """Readings at a steady rate and incidents that come and go, until told to stop. It outlives outages."""

    def __init__(self, product: Product, operator: Person) -> None:
        super().__init__(name="driver", daemon=True)
        self._product, self._operator = product, operator
        self.halt = threading.Event()
        self.readings = self.reports = 0

    def run(self) -> None:
        """See the class."""
        devices = devices_with_metrics(2000)
        producer = open_bus(self._product.env["CHENGYUN_BUS"], 4).producer()
        begin, opened, number = time.perf_counter(), [], 0
        next_incident = 0.0
        while not self.halt.is_set():
            passed = time.perf_counter() - begin
            due = min(int(passed * READINGS_PER_S) - number, 500)
            batch = []
            for _ in range(max(0, due)):
                device, metric, normal = devices[number % len(devices)]
                value = normal * (1 + number % 1000 * 1e-6)
                batch.append(message(number, device, metric, value, datetime.now(UTC)))
                number += 1
            try:
                producer.publish(batch)
                self.readings += len(batch)
            except (BusUnavailable, BusRefused):
                number = int(passed * READINGS_PER_S)  # an edge that has no bus does not send it later here
            if passed >= next_incident:
                next_incident += INCIDENT_EVERY_S
                opened += self._report(int(passed / INCIDENT_EVERY_S))
                if len(opened) > ENDED_AFTER:
                    self._void(opened.pop(0))
            self.halt.wait(0.02)
        producer.close()

    def _report(self, n: int) -> list[int]:
        try:
            told = self._operator.command(
                "report_incident", text=f"长稳上报 {n}", class_code="C0101", key=f"soak-{n}",
                lon=113.70 + n % 40 * 0.01, lat=21.78 + n // 40 % 30 * 0.01,
            )  # fmt: skip
            self.reports += 1
            return [told.json()["id"]] if told.status_code == 200 else []
        except httpx.HTTPError:  # the web process is being killed
            return []

    def _void(self, incident: int) -> None:
        try:
            self._operator.command("refuse_incident", id=incident, reason="长稳结束")
        except httpx.HTTPError:  # see _report
            return


class Recorder(threading.Thread):
    """The deltas of the live state, as items and removals with the second they came."""

    def __init__(self, url: str) -> None:
        super().__init__(name="recorder", daemon=True)
        self._live = LiveState(url)
        self.halt = threading.Event()
        self.deltas: list[tuple[float, list[bytes], list[tuple[str, str]]]] = []

    def run(self) -> None:
        """From now on."""
        epoch, n = self._live.version()
        begin = time.monotonic()
        while not self.halt.is_set():
            found = self._live.deltas_after(epoch, n, 1000)
            if found is None:
                epoch, n = self._live.version()
                continue
            for number, rows, removed in found:
                self.deltas.append(
                    (time.monotonic() - begin, [row[4] for row in rows], [r[:2] for r in removed])
                )
                n = number


def play(
    url: str, recorded: Sequence[tuple[float, list[bytes], list[tuple[str, str]]]], until: Callable[[], bool]
) -> tuple[int, float]:
    """Give the recorded deltas to the live state at PACE, over and over: (deltas given, seconds of recording played).

    Each round is a new day: incidents get other keys, and everything that is dated is dated now. What is due within
    TOGETHER_S is given as one delta with the newest of every item, as a browser that is slower than its stream gets it.
    """
    live = LiveState(url)
    given, played, turn = 0, 0.0, 0
    while not until():
        turn += 1
        begin, first, n = time.monotonic(), recorded[0][0], 0
        while n < len(recorded) and not until():
            passed = (time.monotonic() - begin) * PACE + first
            items: dict[tuple[str, str], dict[str, Any]] = {}
            gone: dict[tuple[str, str], None] = {}
            now = int(time.time() * 1000)
            while n < len(recorded) and recorded[n][0] <= passed:
                at, bodies, removed = recorded[n]
                for body in bodies:
                    item = dated(orjson.loads(body), turn, now)
                    items[item["kind"], item["key"]] = item
                    gone.pop((item["kind"], item["key"]), None)
                for kind, key in removed:
                    items.pop((kind, renamed(kind, key, turn)), None)
                    gone[kind, renamed(kind, key, turn)] = None
                n += 1
                given += 1
            if items or gone:
                live.apply(list(items.values()), list(gone))
            time.sleep(TOGETHER_S)  # the pace of the recording
        played += recorded[max(n, 1) - 1][0] - first
    return given, played


def renamed(kind: str, key: str, turn: int) -> str:
    """Another incident in every round; everything else is the same thing."""
    return f"{turn}{key}" if kind == "incident" else key


def dated(item: dict[str, Any], turn: int, now: int) -> dict[str, Any]:
    """The item as of now."""
    moved: dict[str, Any] = {name: now for name in ("t", "as_of") if name in item}
    if item["kind"] == "incident":
        shift = now - (item["reported_at"] or now)
        moved["reported_at"] = now
        for name in ("stage_due_at", "handle_due_at"):
            if item.get(name):
                moved[name] = item[name] + shift
    return {**item, **moved, "key": renamed(item["kind"], item["key"], turn)}


def slope(minutes: Sequence[Minute]) -> dict[str, Any]:
    """Theil–Sen of the heap over time, MB an hour, after the first minutes."""
    kept = [m for m in minutes if m.at_s - minutes[0].at_s >= DROPPED_MIN * 60] or list(minutes)
    found = theilslopes([m.heap_mb for m in kept], [m.at_s / 3600 for m in kept], 0.95)
    return {
        "mb_per_h": round(float(found.slope), 3),
        "low": round(float(found.low_slope), 3),
        "high": round(float(found.high_slope), 3),
        "minutes": len(kept),
        "heap_mb": [kept[0].heap_mb, kept[-1].heap_mb],
        "nodes": [kept[0].nodes, kept[-1].nodes],
        "listeners": [kept[0].listeners, kept[-1].listeners],
        "long_frames": kept[-1].long_frames - kept[0].long_frames,
        "web_mb": [kept[0].web_mb, kept[-1].web_mb],
        "not_live": sum(m.status != "live" for m in minutes),
    }


def watch(bench: Bench, wall: Wall, minutes: float, name: str) -> list[Minute]:
    """One measurement a minute."""
    found = [wall.measure()]
    for n in range(int(minutes)):
        wall.page.wait_for_timeout(max(0.0, (n + 1) * 60 - (time.monotonic() - wall.began)) * 1000)
        found.append(wall.measure())
        if n % 5 == 4 or bench.quick:
            last = found[-1]
            bench.say(
                f"{name} {n + 1} min: heap {last.heap_mb} MB, {last.nodes} nodes, web {last.web_mb} MB, {last.status}"
            )
    return found


def recoveries(bench: Bench, product: Product, page: Page, url: str) -> dict[str, float]:
    """Seconds from the moment each is back until the wall says it is live and shows what happens then."""
    found = {}
    for what in ("web", "store", "bus"):
        if what == "web":
            product.kill("web")
            page.wait_for_function("() => window.chengyun.live.status !== 'live'", timeout=60_000)
            product.start("web")
        else:
            product.kill_service(what)
            page.wait_for_timeout(15_000)  # an outage that is long enough to be noticed
            product.start_service(what)
        back = up_since(product, what)
        marked = int(time.time() * 1000)
        page.wait_for_function(
            "(since) => window.chengyun.live.status === 'live'"
            " && [...window.chengyun.live.items('device').values()].some((d) => d.t > since)"
            " && [...window.chengyun.live.items('indicator').values()].some((i) => i.as_of > since)",
            arg=marked, timeout=180_000,
        )  # fmt: skip
        found[what] = round(time.monotonic() - back, 1)
        bench.say(f"{what}: live again {found[what]} s after it was back")
        product.wait_ready(120)
    return found


def up_since(product: Product, what: str) -> float:
    """The moment it answers: web when /healthz does; `start_service` returns when store and bus do."""
    if what == "web":
        product.wait_ready(120, path="/healthz")
    return time.monotonic()


def run(bench: Bench) -> Figures:
    """An hour as it is, three outages, 90 minutes at fifty times the pace; --quick: 10 minutes of each."""
    real_min, fast_min = (10, 10) if bench.quick else MINUTES
    with Product(bench.profile, bench.folder) as product, sync_playwright() as playwright:
        passwords = product.passwords()
        operator = Person(product.base_url, "operator", passwords["operator"])
        screen = Person(product.base_url, "wall", passwords["wall"])
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, "--js-flags=--expose-gc", "--enable-precise-memory-info"]
        )
        context = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="zh-CN")
        context.add_cookies(
            [{"name": c.name, "value": c.value or "", "url": product.base_url} for c in screen.client.cookies.jar]
        )  # fmt: skip
        page = context.new_page()
        page.goto(product.base_url + "/wall")
        page.wait_for_selector("html[data-ready='wall']", state="attached", timeout=120_000)
        page.evaluate(FRAMES)
        cdp = context.new_cdp_session(page)
        recorder = Recorder(product.env["CHENGYUN_LIVE_URL"])
        recorder.start()
        driver = Driver(product, operator)
        driver.start()
        bench.say("the wall is live")
        wall = Wall(page, cdp, lambda: product.running["web"].pid)
        real = watch(bench, wall, real_min, "real")
        recorder.halt.set()
        recorder.join()
        bench.say(f"real: {slope(real)}")
        back = recoveries(bench, product, page, product.base_url)
        driver.halt.set()
        driver.join()
        for name in ("ingest", "relay"):
            product.end(name)
        done = threading.Event()
        played: list[tuple[int, float]] = []
        player = threading.Thread(
            target=lambda: played.append(
                play(product.env["CHENGYUN_LIVE_URL"], recorder.deltas, done.is_set)
            ),
            daemon=True,
        )
        player.start()
        wall = Wall(page, cdp, lambda: product.running["web"].pid)
        fast = watch(bench, wall, fast_min, "fast")
        done.set()
        player.join()
        page.screenshot(path=str(bench.folder / "wall.png"))
        browser.close()
    slow_one, fast_one = slope(real), slope(fast)
    return {
        "heap_mb_per_h": slow_one["mb_per_h"],
        "fast_heap_mb_per_h": fast_one["mb_per_h"],
        "recover_s_worst": max(back.values()),
        "recover_s": back,
        "real": slow_one,
        "fast": fast_one | {"deltas": played[0][0], "hours_of_recording": round(played[0][1] / 3600, 1)},
        "readings": driver.readings,
        "recorded_deltas": len(recorder.deltas),
        "minutes": [[m.at_s, m.heap_mb, m.nodes, m.web_mb] for m in (*real, *fast)],
    }
