"""Desk → wall and phone: from the press in the desk's browser until the frame after it was applied in the wall's and in the
phone's, with a real product and three real Chromium pages. An incident is sent to a paired wall and taken back; a mark is drawn.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from data.sample_city import read_city
from tests.bench.bench_spine import CHROMIUM, FLAGS, percentile
from tests.bench.frame import Bench, Figures
from tests.e2e.city import places_with_workers
from tests.people import Person
from tests.product import Product

GOALS = {"p95_ms": 1000}

REPETITIONS = 120
QUICK = 100
WAIT_MS = 20_000

PRESSES = """
() => {
  window.__pressed = 0;
  addEventListener('click', () => { window.__pressed = performance.timeOrigin + performance.now(); }, {capture: true});
}
"""
"""The desk: when the last press was, before anything of the page has heard of it."""

SCREEN_SHOWN = """
() => {
  window.__shown = {};
  window.chengyun.live.addEventListener('applied', ({detail}) => {
    for (const [kind, key] of detail.changed) {
      const item = kind === 'screen' ? window.chengyun.live.get(kind, key) : null;
      if (item) requestAnimationFrame(() => { window.__shown[item.version] = performance.timeOrigin + performance.now(); });
    }
  });
}
"""
MARKS_SHOWN = """
() => {
  window.__marks = {};
  document.addEventListener('marked', ({detail}) => {
    requestAnimationFrame(() => { for (const mark of detail.marks) window.__marks[mark] ??= performance.timeOrigin + performance.now(); });
  });
}
"""
"""A mark is applied when it was given to the map; the frame after that draws it."""


def context(browser: Browser, url: str, jar: Any, size: tuple[int, int], **more: Any) -> Page:
    """A page with the cookies of a session."""
    made = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, locale="zh-CN", reduced_motion="reduce", **more
    )
    made.add_cookies([{"name": c.name, "value": c.value or "", "url": url} for c in jar])
    made.set_default_timeout(120_000)
    return made.new_page()


def paired(product: Product, leader: Person) -> tuple[int, httpx.Client]:
    """A screen of 1920×1080 for the whole city: (its number, its browser's cookies)."""
    wall = httpx.Client(base_url=product.base_url, trust_env=False, timeout=30)
    code = wall.post("/wall/pair/code").raise_for_status().json()["code"]
    areas = leader.client.get("/api/v1/me").json()["areas"]
    made = leader.command("pair_screen", code=code, name="bench", size="1920x1080", areas=areas)
    wall.post("/wall/pair/state").raise_for_status()
    return int(made.raise_for_status().json()["screen"]), wall


def ready(page: Page, url: str, name: str) -> None:
    """Open a page and wait until it is there, live, its map at rest."""
    page.goto(url)
    page.wait_for_selector(f"html[data-ready='{name}']", state="attached")
    page.wait_for_function(
        "() => window.chengyun?.live?.status === 'live' && window.chengyun.map?.map.loaded()"
    )


def version(page: Page, screen: int) -> int:
    """The version of the screen that a page has."""
    return int(page.evaluate("key => window.chengyun.live.get('screen', key)?.version ?? 0", str(screen)))


def sent(desk: Page, wall: Page, screen: int, press: str) -> float:
    """Press a button of the desk; ms until the frame in which the wall shows it."""
    before = version(wall, screen)
    desk.evaluate("selector => document.querySelector(selector).click()", press)
    shown = wall.wait_for_function("v => window.__shown[v]", arg=before + 1, timeout=WAIT_MS).json_value()
    # The next press is offered by the panel only after the desk has seen this one itself.
    desk.wait_for_function(
        "([key, v]) => window.chengyun.live.get('screen', key)?.version === v", arg=[str(screen), before + 1]
    )
    return float(shown - desk.evaluate("window.__pressed"))


def drawn(desk: Page, pages: dict[str, Page], number: int, clear: Person) -> dict[str, float]:
    """Draw a point at the desk; ms until the frame after it was given to the maps of the others."""
    tool = desk.locator("[data-mark-panel]")
    tool.locator("input").fill(f"标绘 {number}")
    tool.locator("[data-shape='point']").click()
    desk.wait_for_selector(".cy-map.is-picking")
    box = desk.locator("#desk-map").bounding_box()
    assert box is not None
    x, y = 0.44 + number % 10 * 0.02, 0.45 + number // 10 % 10 * 0.02
    known: set[int] = set(desk.evaluate("() => Object.keys(window.__marks).map(Number)"))
    desk.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    desk.wait_for_function("n => Object.keys(window.__marks).length > n", arg=len(known), timeout=WAIT_MS)
    pressed = float(desk.evaluate("window.__pressed"))
    (mark,) = set(desk.evaluate("() => Object.keys(window.__marks).map(Number)")) - known
    waited = {
        name: page.wait_for_function("m => window.__marks[m]", arg=mark, timeout=WAIT_MS)
        for name, page in pages.items()
    }
    delays = {name: float(found.json_value()) - pressed for name, found in waited.items()}
    clear.command("clear_mark", mark=mark).raise_for_status()
    return delays


def run(bench: Bench) -> Figures:
    """One product, one Chromium; the worse of wall and phone counts."""
    count = QUICK if bench.quick else REPETITIONS
    with (
        Product(bench.profile, bench.folder, children=("ingest", "relay", "web")) as product,
        sync_playwright() as playwright,
    ):
        passwords, url = product.passwords(), product.base_url
        people = {name: Person(url, name, passwords[name]) for name in ("leader", "dispatcher", "operator")}
        # Somebody in the field who sees the whole city, so that every mark is for his phone.
        logins = (
            f"unit-{unit.code.lower()}" for unit in read_city.read_units() if unit.area_path.count("/") == 1
        )
        phone_login = next(login for login in logins if login in passwords)
        person = Person(url, phone_login, passwords[phone_login])
        place = places_with_workers()[0]
        report = {"text": "路面积水", "level": 3, "lon": place.lon, "lat": place.lat}
        people["operator"].command("report_incident", **report).raise_for_status()
        screen, cookies = paired(product, people["leader"])
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        desk = context(browser, url, people["dispatcher"].client.cookies.jar, (1440, 900))
        wall = context(browser, url, cookies.cookies.jar, (1920, 1080))
        phone = context(browser, url, person.client.cookies.jar, (390, 844), has_touch=True, is_mobile=True)
        ready(desk, f"{url}/desk", "desk")
        ready(wall, f"{url}/wall", "wall")
        phone.goto(f"{url}/phone#/marks")
        phone.wait_for_selector(".ph-marks .maplibregl-canvas")
        bench.say("desk, wall and phone stand")
        desk.evaluate(PRESSES)
        wall.evaluate(SCREEN_SHOWN)
        for page in (desk, wall, phone):
            page.evaluate(MARKS_SHOWN)
        for _ in range(
            2
        ):  # open, so that its buttons are there, and folded again: it would lie over the other's
            desk.locator("[data-wall-panel] summary").click()
            desk.wait_for_selector(".screen [data-back]", state="attached")
        desk.locator("[data-mark-panel] summary").click()
        desk.locator(".ag-center-cols-container .ag-row [col-id='title']").first.click()
        desk.wait_for_selector("[data-to-wall]:not([hidden])")
        to_wall: list[float] = []
        marks: dict[str, list[float]] = {"wall": [], "phone": []}
        for number in range(count):
            to_wall.append(sent(desk, wall, screen, "[data-to-wall]"))
            to_wall.append(sent(desk, wall, screen, ".screen [data-back]"))
            for name, delay in drawn(
                desk, {"wall": wall, "phone": phone}, number, people["dispatcher"]
            ).items():
                marks[name].append(delay)
            if number % 20 == 19:
                bench.say(f"{number + 1} of {count}")
        browser.close()
    wall_ms, phone_ms = [*to_wall, *marks["wall"]], marks["phone"]
    figures: Figures = {
        "repetitions": count,
        "p50_ms": max(percentile(wall_ms, 0.5), percentile(phone_ms, 0.5)),
        "p95_ms": max(percentile(wall_ms, 0.95), percentile(phone_ms, 0.95)),
        "sent_to_wall_p50_ms": percentile(to_wall, 0.5),
        "sent_to_wall_p95_ms": percentile(to_wall, 0.95),
        "mark_on_wall_p50_ms": percentile(marks["wall"], 0.5),
        "mark_on_wall_p95_ms": percentile(marks["wall"], 0.95),
        "mark_on_phone_p50_ms": percentile(phone_ms, 0.5),
        "mark_on_phone_p95_ms": percentile(phone_ms, 0.95),
        "worst_ms": round(max(*wall_ms, *phone_ms), 1),
    }
    bench.say(json.dumps(figures))
    return figures
