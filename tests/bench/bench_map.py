"""The map of the real desk page in Chromium (issue 5, "Must show" 2), beside a bare MapLibre page with the same tiles,
a Plotly scattermap and dash-leaflet doing the same work in the same run.

With 40,000 cells, 15,000 cameras, and 10,000 then 100,000 devices: first usable picture of a browser that has nothing
cached, 200 and 5,000 changed states, 2,000 units that move, frames while panning, memory, bytes. A figure ends when
the frame is drawn: a pixel of it has been read back, and what is drawn is what was set. `--quick`: the sample city and
few repetitions; `--data FOLDER`: a city made before with `make_city --cells 40000 --devices 100000 --cameras 15000`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import plotly
import psutil
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route

from deploy.processes import free_ports
from tests.bench.frame import Bench, Figures
from tests.bench.map_city import City, Point, large_city
from tests.layouts.browser import chromium
from tests.people import Person

GOALS = {
    "first_picture_ms": 3000,
    "states_200_script_ms": 30,
    "moving_2000_ms": 400,
    "network_kb": 500,
    "ratio_states_200_to_bare_maplibre": 1.3,
    "ratio_pan_to_bare_maplibre": 1.5,
    "wrong": 0,
}

PAGES: Final = Path(__file__).parent / "map_pages"
SIZE: Final = {"width": 1600, "height": 900}
ORIGIN_OF_BARE: Final = "/bench/bare.html"
LEAFLET: Final = "dash-leaflet==1.1.3"
CLOSE: Final = 12.6
"""Zoom at which every device is a dot of its own and some thousands are in view."""

STREAM: Final = """
const Native = window.EventSource;
window.EventSource = class extends Native { constructor(...a) { super(...a); window.benchStream = this; } };
"""


def p(values: list[float], share: float) -> float:
    """A percentile (nearest rank), rounded to a tenth."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


@dataclass(slots=True)
class Sample:
    """What was measured of one page: name → milliseconds of each repetition."""

    name: str
    values: dict[str, list[float]] = field(default_factory=dict)
    wrong: int = 0
    once: Figures = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """One more repetition."""
        self.values.setdefault(name, []).append(value)

    def figures(self, suffix: str) -> Figures:
        """p50 and p95 of all, under this page's name."""
        out: Figures = {}
        for name, values in self.values.items():
            out[f"{self.name}_{name}_p50{suffix}"] = p(values, 0.5)
            out[f"{self.name}_{name}_p95{suffix}"] = p(values, 0.95)
        return out | {f"{self.name}_{name}{suffix}": value for name, value in self.once.items()}


class Bytes:
    """What a page and its workers received over the network, as it was sent (compressed), by kind of address."""

    def __init__(self, page: Page) -> None:
        self._requests: list[Request] = []
        page.context.on("requestfinished", self._finished)

    def _finished(self, request: Request) -> None:
        self._requests.append(request)

    def kinds(self) -> dict[str, int]:
        """Bytes so far: of the map's tiles, of the live state, of the page itself."""
        out = {"map": 0, "live": 0, "page": 0}
        for request in self._requests:
            kind = (
                "map" if "/tiles/" in request.url else "live" if "/live/snapshot" in request.url else "page"
            )
            out[kind] += request.sizes()["responseBodySize"]
        return out


def memory_mb(browser_pids: set[int]) -> float:
    """Unshared memory of all processes of the browser."""
    total = 0
    for pid in browser_pids:
        try:
            total += psutil.Process(pid).memory_full_info().uss
        except psutil.Error:  # a renderer that ended meanwhile
            continue
    return round(total / 1048576)


def chromium_pids() -> set[int]:
    """Processes of our own Chromium: children of this process, whatever their depth."""
    found = psutil.Process().children(recursive=True)
    return {child.pid for child in found if "chrom" in child.name().lower()}


@contextmanager
def page_of(
    browser: Browser, city: City, operator: Person, points: list[Point]
) -> Iterator[tuple[Page, Bytes]]:
    """A page of a browser that knows nothing but its session; the bench's own files come from below /bench/."""
    context: BrowserContext = browser.new_context(viewport={"width": SIZE["width"], "height": SIZE["height"]})
    context.set_default_timeout(120_000)
    jar = operator.client.cookies.jar
    context.add_cookies([{"name": c.name, "value": c.value or "", "url": city.product.base_url} for c in jar])

    def file(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        if name == "points.json":
            route.fulfill(body=json.dumps(points), content_type="application/json")
        elif name == "plotly.min.js":
            route.fulfill(
                path=Path(plotly.__file__).parent / "package_data" / name, content_type="text/javascript"
            )
        else:
            kind = "text/html" if name.endswith("html") else "text/javascript"
            route.fulfill(path=PAGES / name, content_type=kind)

    context.route("**/bench/*", file)
    page = context.new_page()
    page.add_init_script(STREAM)
    try:
        yield page, Bytes(page)
    finally:
        context.close()


def opened(page: Page, city: City, product_page: bool) -> float:
    """Open the desk or the bare page; its first picture, ms since the navigation."""
    if product_page:
        page.goto(city.product.base_url + "/desk", wait_until="commit")
        page.evaluate("() => { window.probing = import('/bench/desk.mjs'); }")
    else:
        page.goto(city.product.base_url + ORIGIN_OF_BARE, wait_until="commit")
        page.wait_for_function("() => window.firstPicture")
    if product_page:
        page.evaluate("() => window.probing")
    first: float = page.evaluate("() => window.firstPicture")
    if product_page:
        page.evaluate("() => window.ready")
    return first


def work(page: Page, sample: Sample, times: int, centre: list[float], rng: random.Random) -> None:
    """States, moves and frames on an open page, `times` repetitions each."""
    sample.once["devices_in_view"] = page.evaluate("(c) => bench.look(c[0], c[1])", [centre, CLOSE])
    keys: list[str] = page.evaluate("() => bench.keys()")
    for n in (200, 5000):
        for turn in range(times):
            chosen = rng.sample(keys, min(n, len(keys)))
            status = ("warning", "online", "silent")[turn % 3]
            seen = page.evaluate("(a) => bench.states(a[0], a[1])", [chosen, status])
            sample.add(f"states_{n}_script_ms", seen["script_ms"])
            sample.add(f"states_{n}_drawn_ms", seen["drawn_ms"])
            sample.wrong += not seen["right"]
    box = page.evaluate(
        "() => { const b = bench.map.getBounds(); return [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()]; }"
    )
    for _ in range(times):
        units = [[f"m{i}", rng.uniform(box[0], box[2]), rng.uniform(box[1], box[3])] for i in range(2000)]
        seen = page.evaluate("(u) => bench.move(u)", units)
        sample.add("moving_2000_ms", seen["drawn_ms"])
        sample.wrong += not seen["right"]
    for zoom, name in ((CLOSE, "pan_frame_ms"), (9.8, "pan_far_frame_ms")):
        page.evaluate("(c) => bench.look(c[0], c[1])", [centre, zoom])
        for value in page.evaluate("(n) => bench.pan(n)", times * 10):
            sample.add(name, value)


def busiest(points: list[Point]) -> list[float]:
    """Where most devices are: the middle of the fullest hundredth of a degree."""
    counts: dict[tuple[float, float], int] = {}
    for _, lon, lat in points:
        at = (round(lon, 2), round(lat, 2))
        counts[at] = counts.get(at, 0) + 1
    return list(max(counts, key=lambda at: counts[at]))


def maps(bench: Bench, browser: Browser, city: City, operator: Person, points: list[Point]) -> list[Sample]:
    """The desk and the bare page, turn by turn, so that both meet the same minutes of the machine."""
    desk, bare = Sample("desk"), Sample("bare")
    times = 2 if bench.quick else 20
    for turn in range(times + 1):
        for sample in (desk, bare):
            with page_of(browser, city, operator, points) as (page, received):
                first = opened(page, city, sample is desk)
                if turn:  # the first of each only warms the server's tiles
                    sample.add("first_picture_ms", first)
                if turn == times:
                    kinds = received.kinds()
                    sample.once["network_kb"] = round(sum(kinds.values()) / 1024)
                    sample.once |= {f"network_{kind}_kb": round(n / 1024) for kind, n in kinds.items()}
                    work(page, sample, times, busiest(points), random.Random(5))
                    sample.once["memory_mb"] = memory_mb(chromium_pids())
        bench.say(
            f"turn {turn}: "
            + ", ".join(f"{s.name} {s.values.get('first_picture_ms', [0])[-1]:.0f} ms" for s in (desk, bare))
        )
    return [desk, bare]


def plotly_page(bench: Bench, browser: Browser, city: City, operator: Person, points: list[Point]) -> Sample:
    """The same devices as a Plotly scattermap."""
    sample, times = Sample("plotly"), 2 if bench.quick else 20
    for turn in range(3):
        with page_of(browser, city, operator, points) as (page, _):
            page.goto(city.product.base_url + "/bench/plotly.html", wait_until="commit")
            page.wait_for_function("() => window.firstPicture")
            sample.add("first_picture_ms", page.evaluate("() => window.firstPicture"))
            if turn < 2:
                continue
            for n in (200, 5000):
                for i in range(times):
                    colour = ("#f5b700", "#8f98a1")[i % 2]
                    seen = page.evaluate("(a) => bench.states(a[0], a[1])", [n, colour])
                    sample.add(f"states_{n}_script_ms", seen["script_ms"])
                    sample.add(f"states_{n}_drawn_ms", seen["drawn_ms"])
            for value in page.evaluate("() => bench.pan(60)"):
                sample.add("pan_far_frame_ms", value)
            sample.once["memory_mb"] = memory_mb(chromium_pids())
    return sample


def leaflet_page(bench: Bench, browser: Browser, points: list[Point]) -> Sample:
    """The same devices in dash-leaflet, from a venv of its own; without the package nothing is measured, and said so."""
    sample, times = Sample("leaflet"), 2 if bench.quick else 20
    home = bench.folder / "leaflet"
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", str(home)], check=True, capture_output=True, timeout=120
        )
        python = home / "bin" / "python"
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "--no-deps", LEAFLET],
            check=True,
            capture_output=True,
            timeout=180,
        )
    except (subprocess.SubprocessError, OSError) as error:
        bench.say(f"{LEAFLET} cannot be had here: {error}")
        sample.once["not_measured"] = f"{LEAFLET} not to be had"
        return sample
    # The product's own Dash below it: only dash-leaflet itself is foreign.
    (next((home / "lib").glob("python*")) / "site-packages" / "dash.pth").write_text(
        str(Path(plotly.__file__).parents[1])
    )
    data, port = bench.folder / "points.json", free_ports(1)[0]
    data.write_text(json.dumps(points))
    script = Path(__file__).with_name("map_leaflet.py")
    server = subprocess.Popen(
        [str(python), str(script), str(port), str(data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _answers(f"http://127.0.0.1:{port}/")
        context = browser.new_context(viewport={"width": SIZE["width"], "height": SIZE["height"]})
        context.set_default_timeout(180_000)
        page = context.new_page()
        for _ in range(2):
            page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
            page.wait_for_function("() => window.firstPicture")
            sample.add("first_picture_ms", page.evaluate("() => window.firstPicture"))
        for n in (200, 5000):
            for i in range(times):
                seen = page.evaluate("(a) => bench.states(a[0], a[1])", [n, ("#f5b700", "#8f98a1")[i % 2]])
                sample.add(f"states_{n}_drawn_ms", seen["drawn_ms"])
        sample.once["memory_mb"] = memory_mb(chromium_pids())
        context.close()
    finally:
        server.terminate()
        server.wait(10)
    return sample


def _answers(url: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)  # polling a web address: there is no event to wait for


def suffix_of(n: int) -> str:
    """The largest city's figures carry no suffix."""
    return "" if n > 10_000 else "_10k"


def run(bench: Bench) -> Figures:
    """10,000 devices, then all of them; the others' pages with all of them (and, quick, only once)."""
    figures: Figures = {}
    with large_city(bench) as city:
        total = city.database.query("SELECT count(*) FROM devices")[0][0]
        sizes = [total] if total <= 10_000 else [10_000, total]
        for size in sizes:
            city.keep_devices(size)
            for name in ("relay", "ingest", "web"):
                city.product.start(name)
            city.product.wait_ready()
            points = city.points()
            operator = Person(city.product.base_url, "operator", city.product.passwords()["operator"])
            filled(operator, size)
            suffix = suffix_of(size) if len(sizes) > 1 else ""
            with chromium() as browser:
                samples = maps(bench, browser, city, operator, points)
                if size == sizes[-1]:
                    samples.append(plotly_page(bench, browser, city, operator, points))
                    samples.append(leaflet_page(bench, browser, points))
            for sample in samples:
                figures |= sample.figures(suffix)
            figures |= compared(*samples[:2], suffix)
            operator.close()
            for name in ("web", "ingest", "relay"):
                city.product.end(name)
            bench.say(json.dumps(figures))
    return figures


def compared(desk: Sample, bare: Sample, suffix: str) -> Figures:
    """The issue's names, and the product beside the bare library."""
    middle = {name: p(values, 0.5) for name, values in desk.values.items()}
    names = (
        "first_picture_ms",
        "states_200_script_ms",
        "states_200_drawn_ms",
        "states_5000_drawn_ms",
        "moving_2000_ms",
    )
    out: Figures = {name + suffix: middle[name] for name in names}
    out[f"network_kb{suffix}"] = desk.once["network_map_kb"]
    ratios = {
        "first_picture": (middle["first_picture_ms"], p(bare.values["first_picture_ms"], 0.5)),
        "states_200": (middle["states_200_drawn_ms"], p(bare.values["states_200_drawn_ms"], 0.5)),
        "states_5000": (middle["states_5000_drawn_ms"], p(bare.values["states_5000_drawn_ms"], 0.5)),
        "moving": (middle["moving_2000_ms"], p(bare.values["moving_2000_ms"], 0.5)),
        "pan": (p(desk.values["pan_frame_ms"], 0.95), p(bare.values["pan_frame_ms"], 0.95)),
        "pan_far": (p(desk.values["pan_far_frame_ms"], 0.95), p(bare.values["pan_far_frame_ms"], 0.95)),
    }
    out |= {f"ratio_{n}_to_bare_maplibre{suffix}": round(a / b, 2) for n, (a, b) in ratios.items()}
    out[f"ratio_to_bare_maplibre{suffix}"] = out[f"ratio_states_200_to_bare_maplibre{suffix}"]
    out[f"wrong{suffix}"] = desk.wrong + bare.wrong
    return out


def filled(operator: Person, devices: int, seconds: float = 120.0) -> None:
    """Wait until the live state has every device."""
    end = time.monotonic() + seconds
    while len(operator.snapshot()["items"].get("device", {})) != devices:
        if time.monotonic() > end:
            raise TimeoutError("the live state did not fill")
        time.sleep(0.5)  # watching another process
