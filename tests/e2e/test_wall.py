"""The wall: paired by a code, driven from a desk, taken over by the worst, muted, let go; every size legible and clear of seams."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from data.sample_city import read_city
from incidents.screens import SCENES, SIZES
from layouts.wall_design import PROFILES as DESIGNS
from tests.e2e.browser import DESK_SIZE, LEADER_SIZE, PHONE_SIZE, WALL_SIZE, Terminal, at_terminal
from tests.e2e.city import places_with_workers
from tests.e2e.conftest import Running
from tests.e2e.lively import enliven
from tests.e2e.test_screens import DATA, UI_HAN, seated
from tests.people import Person

PROFILES: Final = ("embedded",)
WIDE_PX: Final = 2000
"""A large wall is looked at scaled down to this width: the design is the same, the picture is drawn sooner."""

SPOKEN: Final = """(columns_rows_seam) => {
  const [columns, rows, seam] = columns_rows_seam;
  const canvas = document.querySelector('[data-canvas]');
  const box = canvas.getBoundingClientRect();
  const scale = box.width / canvas.offsetWidth;
  const half = (seam / 2) * scale;
  const lines = (n, from, length) => Array.from({length: n - 1}, (_, i) => from + (length * (i + 1)) / n);
  const xs = lines(columns, box.left, box.width), ys = lines(rows, box.top, box.height);
  const visible = (rect, element) => {
    let [l, t, r, b] = [rect.left, rect.top, rect.right, rect.bottom];
    for (let e = element; e && e !== canvas; e = e.parentElement) {
      if (getComputedStyle(e).overflowX === 'visible') continue;
      const c = e.getBoundingClientRect();
      [l, t, r, b] = [Math.max(l, c.left), Math.max(t, c.top), Math.min(r, c.right), Math.min(b, c.bottom)];
    }
    return r - l > 0.5 && b - t > 0.5 ? [l, t, r, b] : null;
  };
  const crosses = ([l, t, r, b]) => xs.some((x) => l < x + half && r > x - half) || ys.some((y) => t < y + half && b > y - half);
  const found = {texts: 0, crossing: [], clipped: [], outside: []};
  const walker = document.createTreeWalker(canvas, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, host = node.parentElement;
    if (!node.data.trim() || host.closest('script, style, [data-place="map"]') || !host.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      const seen = visible(rect, host);
      if (!seen) { found.outside.push(node.data.trim().slice(0, 40)); continue; }
      found.texts += 1;
      if (crosses(seen)) found.crossing.push(node.data.trim().slice(0, 40));
      const cut = Math.max(seen[1] - rect.top, rect.bottom - seen[3]) / scale;
      if (cut > rect.height / scale / 4) found.clipped.push(`${node.data.trim().slice(0, 40)} by ${cut.toFixed(1)} px`);
    }
  }
  for (const part of document.querySelectorAll('.wp, .cy-tile, .cy-level, .wall__alert, .wall__legend, .wall__note, .wall__strip')) {
    if (!part.checkVisibility()) continue;
    const rect = part.getBoundingClientRect();
    if (crosses([rect.left, rect.top, rect.right, rect.bottom])) found.crossing.push(part.className);
  }
  return found;
}"""
"""Texts and panels of the page: how many there are, which cross a seam, which are cut in height, which nobody sees at all."""

FITTED: Final = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(
  [...document.querySelectorAll('.js-plotly-plot')].filter((g) => g.checkVisibility()).every((g) => {
    const svg = g.querySelector('.main-svg');
    return svg && Math.abs(svg.getAttribute('width') - g.clientWidth) < 1 && Math.abs(svg.getAttribute('height') - g.clientHeight) < 1;
  })))))"""
"""Charts of panels that have just taken their place have its size: Plotly needs some frames for that."""

ONLY_SYMBOLS: Final = """(seamed) => new Promise((done) => {
  const {map} = window.chengyun.map;
  for (const layer of map.getStyle().layers) {
    const dots = /^(device|camera|component)-/.test(layer.id);
    const word = layer.type === 'symbol' && !dots;
    const ring = layer.id.includes('incident-cluster') || layer.id === 'worker-far' || layer.id === 'seam-worker-far';
    const blocks = layer.id === 'seam-blocks';
    const own = layer.id.startsWith('seam-');
    const twin = map.getLayer(`seam-${layer.id}`);
    const shown = blocks ? seamed : own ? seamed && (word || ring) : twin ? !seamed && (word || ring) : word || ring;
    map.setLayoutProperty(layer.id, 'visibility', shown ? 'visible' : 'none');
  }
  let frames = 0; // never idle: the city's workers move
  const step = () => {
    frames += 1;
    if (frames > 6 && map.areTilesLoaded()) return requestAnimationFrame(done);
    map.once('render', step);
    map.triggerRepaint();
  };
  step();
})"""
"""Leave only words, symbols and rings on the map: as the wall draws it, or as a map that knows of no seams would."""


@pytest.fixture(scope="module")
def city(running: Running) -> Running:
    """The running product, its city at work; nothing rings."""
    enliven(running)
    hush(running)
    return running


def hush(running: Running) -> None:
    """Somebody acknowledges whatever rings."""
    operator = running.person("operator")
    for row in operator.ask("incidents", limit=200).raise_for_status().json()["rows"]:
        if row["level"] <= 2 and not row["acknowledged"]:
            operator.command("acknowledge_incident", id=row["id"]).raise_for_status()
    operator.close()


@contextmanager
def screen(
    running: Running, chrome: Browser, size: str, *, lang: str = "zh", area: str = ""
) -> Iterator[tuple[int, Terminal, Person]]:
    """A paired screen of a size at work: (its number, its terminal, the leader who paired it). Pinned, so that no alarm of
    the simulated city takes it over, unless it is of one `area` where it is quiet."""
    leader = running.person("leader")
    areas = [area] if area else leader.client.get("/api/v1/me").json()["areas"]
    width, height = DESIGNS[size].width, DESIGNS[size].height
    scale = min(1.0, WIDE_PX / width)
    view = {"width": round(width * scale), "height": round(height * scale)}
    with httpx.Client(base_url=running.url, trust_env=False, timeout=30) as browser:
        code = browser.post("/wall/pair/code").raise_for_status().json()["code"]
        made = leader.command("pair_screen", code=code, name=f"大厅 {size}", size=size, areas=areas)
        number = int(made.raise_for_status().json()["screen"])
        browser.post("/wall/pair/state").raise_for_status()
        if not area:
            leader.command("pin_scene", screen=number, pinned=True).raise_for_status()
        cookies: list[Any] = [
            {"name": c.name, "value": c.value or "", "url": running.url} for c in browser.cookies.jar
        ]
    try:
        with at_terminal(chrome, running.url, f"wall {size}", view) as wall:
            wall.context.add_cookies([*cookies, {"name": "chengyun_lang", "value": lang, "url": running.url}])
            wall.page.goto(f"{running.url}/wall")
            expect(wall.page.locator("html[data-ready='wall']")).to_be_attached()
            expect(wall.page.locator(f"[data-canvas][data-size='{size}']")).to_be_visible()
            wall.stay()
            yield number, wall, leader
    finally:
        leader.command("unpair_screen", screen=number)
        leader.close()


def drawn(page: Page) -> None:
    """Until the map and the charts stand."""
    page.wait_for_function("() => window.chengyun?.map?.map?.areTilesLoaded()")
    expect(page.locator(".wp--trend:visible .main-svg").first).to_be_visible()
    expect(page.locator(".rows:visible .cy-item").first).to_be_visible()


def test_a_wall_is_paired_by_its_code_and_let_go(city: Running, chrome: Browser) -> None:
    """The code is typed at the page of screens; a wrong one is refused; unpaired, the wall shows the next code by itself."""
    with (
        at_terminal(chrome, city.url, "new wall", WALL_SIZE) as wall,
        seated(city, chrome, "leader", "screens", LEADER_SIZE) as leader,
    ):
        page, form = wall.page, leader.page
        page.goto(f"{city.url}/wall/pair")
        code = page.locator("[data-code][data-plain]")
        expect(code).to_be_visible()
        page.screenshot(path=city.artifacts / "wall-pair.png")
        form.locator("#screens-name").fill("指挥大厅")
        form.locator("#screens-areas").click()
        form.get_by_role("option").first.click()
        form.keyboard.press("Escape")
        form.locator("#screens-code").fill("AAAAAA")
        form.locator("#screens-pair").click()
        expect(form.locator(".cy-toasts")).to_contain_text("没有大屏在显示这个配对码")
        expect(form.locator("#screens-list .cy-table")).to_have_count(0)
        form.locator("#screens-code").fill(str(code.get_attribute("data-plain")).lower())
        form.locator("#screens-pair").click()
        expect(page.locator("html[data-ready='wall']")).to_be_attached()
        row = form.locator("#screens-list tbody tr")
        expect(row).to_contain_text("指挥大厅")
        expect(row).to_contain_text("综合")
        form.screenshot(path=city.artifacts / "screens.png")
        button = row.locator("[data-unpair]")
        button.click()
        expect(button).to_have_text("再按一次解除")
        button.click()
        expect(page).to_have_url(f"{city.url}/wall/pair?next=%2Fwall", timeout=15_000)
        expect(page.locator("[data-code][data-plain]")).to_be_visible()


def test_a_desk_sends_an_incident_and_takes_it_back(city: Running, chrome: Browser) -> None:
    with (
        screen(city, chrome, "1920x1080") as (_, wall, _leader),
        seated(city, chrome, "dispatcher", "desk", DESK_SIZE) as desk,
    ):
        canvas, note = wall.page.locator("[data-canvas]"), wall.page.locator("[data-note]")
        expect(canvas).to_have_attribute("data-scene", "overview")
        desk.page.locator(".ag-center-cols-container .ag-row [col-id='title']").first.click()
        title = desk.page.locator(".detail__title h2")
        expect(title).to_be_visible()
        desk.page.locator("[data-to-wall]").click()
        expect(canvas).to_have_attribute("data-scene", "emergency")
        expect(wall.page.locator("[data-focus] .focus__title")).to_have_text(title.inner_text())
        expect(note).to_contain_text("送屏")
        panel = desk.page.locator("[data-wall-panel]")
        panel.locator("summary").click()
        expect(panel.locator(".screen__now")).to_contain_text(title.inner_text())
        expect(panel.locator("[data-scene='emergency']")).to_have_attribute("aria-pressed", "true")
        panel.locator("[data-scene='safety']").click()
        expect(canvas).to_have_attribute("data-scene", "safety")
        expect(panel.locator("[data-scene='safety']")).to_have_attribute("aria-pressed", "true")
        desk.page.screenshot(path=city.artifacts / "desk-wall-panel.png")
        panel.locator("[data-mute]").click()
        expect(wall.page.locator("[data-sound-words]")).to_have_text("已静音")
        panel.locator("[data-back]").click()
        expect(canvas).to_have_attribute("data-scene", "overview")
        before = wall.page.evaluate("() => window.chengyun.map.map.getCenter().toArray()")
        panel.locator("[data-send-view]").click()
        expect(note).to_contain_text("送屏")
        # The desk has flown to the incident: the wall looks where the desk looks.
        there = desk.page.evaluate("() => window.chengyun.map.map.getCenter().toArray()")
        wall.page.wait_for_function(
            "([lon, lat]) => { const c = window.chengyun.map.map.getCenter(); return Math.hypot(c.lng - lon, c.lat - lat) < 1e-4; }",
            arg=there,
        )
        assert np.hypot(*(np.array(before) - there)) > 1e-4
        panel.locator("[data-pin]").click()  # let go: rotation may begin
        panel.locator("select").select_option("15")
        wall.page.wait_for_function(
            "() => [...window.chengyun.live.items('screen').values()].some((s) => s.seconds === 15)"
        )
        turns = re.compile("每 15 秒轮播|级事件自动切换")  # what begins to ring in this city now goes before
        expect(panel.locator(".screen__now")).to_contain_text(turns)
        expect(note).to_contain_text(turns)
        panel.locator("[data-pin]").click()
        expect(panel.locator("[data-pin]")).to_have_attribute("aria-pressed", "true")
        expect(note).to_contain_text("已固定")


def test_the_worst_takes_the_wall_over_until_it_is_acknowledged(city: Running, chrome: Browser) -> None:
    """On a screen of one town, where the simulated city is quiet."""
    place = places_with_workers()[9]
    town = "/".join(place.area_path.split("/")[:3]) + "/"
    with screen(city, chrome, "1920x1080", area=town) as (number, wall, leader):
        canvas, note = wall.page.locator("[data-canvas]"), wall.page.locator("[data-note]")
        leader.command("send_to_screen", screen=number, scene="environment").raise_for_status()
        expect(canvas).to_have_attribute("data-scene", "environment")
        operator = city.person("operator")
        report = {"text": "燃气管道被挖断", "level": 1, "lon": place.lon, "lat": place.lat}
        made = operator.command("report_incident", title="燃气管道被挖断", **report).raise_for_status().json()
        expect(canvas).to_have_attribute("data-scene", "emergency")
        expect(note).to_contain_text("Ⅰ级事件自动切换：燃气管道被挖断")
        expect(wall.page.locator("[data-focus] .focus__title")).to_have_text("燃气管道被挖断")
        wall.page.screenshot(path=city.artifacts / "wall-taken.png")
        leader.command("pin_scene", screen=number, pinned=True).raise_for_status()
        expect(canvas).to_have_attribute("data-scene", "environment")
        expect(wall.page.locator("[data-alert]")).to_contain_text("燃气管道被挖断")
        leader.command("pin_scene", screen=number, pinned=False).raise_for_status()
        expect(canvas).to_have_attribute("data-scene", "emergency")
        operator.command("acknowledge_incident", id=made["id"]).raise_for_status()
        expect(canvas).to_have_attribute("data-scene", "environment")
        expect(wall.page.locator("[data-alert]")).to_be_hidden()
        operator.close()


def field_login() -> str:
    """Somebody in the field who sees the whole city."""
    unit = next(unit for unit in read_city.read_units() if unit.area_path.count("/") == 1)
    return f"unit-{unit.code.lower()}"


def test_a_mark_is_on_every_map_and_is_cleared(city: Running, chrome: Browser) -> None:
    """Drawn at the desk, seen on the wall and on a phone; the phone draws one that the desk sees and clears."""
    marks = "() => [...new Set(window.chengyun.map.map.getSource('marks')?.serialize().data.features?.map(f => f.properties.word))].filter(Boolean).join()"
    with (
        seated(city, chrome, "dispatcher", "desk", DESK_SIZE) as desk,
        screen(city, chrome, "1920x1080") as (_, wall, _leader),
        seated(city, chrome, field_login(), "phone", PHONE_SIZE, touch=True) as phone,
    ):
        tool = desk.page.locator("[data-mark-panel]")
        tool.locator("summary").click()
        tool.locator("input").fill("警戒区")
        tool.locator("[data-shape='polygon']").click()
        box = desk.page.locator("#desk-map").bounding_box()
        assert box is not None
        for x, y in ((0.45, 0.45), (0.55, 0.45), (0.5, 0.55)):
            desk.page.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
        tool.locator("[data-mark-done]").click()
        expect(tool.locator(".marks__word")).to_have_text("警戒区")
        wall.page.wait_for_function(f"() => ({marks})() === '警戒区'")
        desk.page.screenshot(path=city.artifacts / "desk-marks.png")
        phone.page.evaluate("() => { location.hash = '#/marks'; }")
        expect(phone.page.locator(".ph-marks .ph-cross")).to_be_visible()
        phone.page.locator("#ph-main input").fill("井盖缺失")
        phone.page.locator("#ph-foot .ph-primary").tap()
        expect(tool.locator(".marks__one").filter(has_text="井盖缺失")).to_be_visible()
        phone.page.screenshot(path=city.artifacts / "phone-marks.png")
        for clear in tool.locator("[data-clear-mark]").all()[::-1]:
            clear.click()
        wall.page.wait_for_function(f"() => ({marks})() === ''")
        expect(tool.locator(".marks__one")).to_have_count(0)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_is_legible_and_clear_of_its_seams(city: Running, chrome: Browser, size: str) -> None:
    """Every scene of every size: no word is cut, none crosses a seam, neither does a symbol, a ring or a word of the map."""
    columns, rows = SIZES[size]
    with screen(city, chrome, size) as (number, wall, leader):
        page, canvas = wall.page, wall.page.locator("[data-canvas]")
        drawn(page)
        for scene in SCENES:
            leader.command("send_to_screen", screen=number, scene=scene).raise_for_status()
            expect(canvas).to_have_attribute("data-scene", scene)
            page.wait_for_function(FITTED)
            found = page.evaluate(SPOKEN, [columns, rows, 8])
            assert found["texts"] > 60, scene
            assert (found["crossing"], found["clipped"], found["outside"]) == ([], [], []), scene
            if scene in ("overview", "emergency"):
                page.screenshot(path=city.artifacts / f"wall-{size}-{scene}.png")
        leader.command("send_to_screen", screen=number, scene="overview").raise_for_status()
        expect(canvas).to_have_attribute("data-scene", "overview")
        seams = inside_map(size)
        if seams:
            assert worst_on_seams(page, size, seams, seamed=True) < 16
            assert worst_on_seams(page, size, seams, seamed=False) > 60, (
                "without the module something crosses"
            )


def inside_map(size: str) -> list[tuple[int, int, int, int]]:
    """Strips of design pixels along each seam where it runs through the map: (x, y, width, height)."""
    design, (columns, rows) = DESIGNS[size], SIZES[size]
    x, y, width, height = design.map
    strips = []
    for n in range(1, columns):
        at = design.width * n // columns
        if x < at < x + width:
            strips.append((at - 4, y + 4, 8, height - 8))
    for n in range(1, rows):
        at = design.height * n // rows
        if y < at < y + height:
            strips.append((x + 4, at - 4, width - 8, 8))
    return strips


def worst_on_seams(page: Page, size: str, seams: list[tuple[int, int, int, int]], *, seamed: bool) -> int:
    """With only words, symbols and rings on the map: how much the brightest pixel of the seams differs from the ground."""
    page.evaluate(ONLY_SYMBOLS, seamed)
    scale = page.locator("[data-canvas]").evaluate("e => e.getBoundingClientRect().width / e.offsetWidth")
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L")).astype(int)
    x, y, width, height = (round(v * scale) for v in DESIGNS[size].map)
    inside = shot[y + 3 : y + height - 3, x + 3 : x + width - 3]
    ground = int(np.median(inside))
    assert (np.abs(inside - ground) > 60).mean() > 0.0005, "words and symbols are drawn"
    worst = 0
    for sx, sy, sw, sh in seams:
        left, top = round(sx * scale), round(sy * scale)
        strip = shot[top : top + max(1, int(sh * scale)), left : left + max(1, int(sw * scale))]
        worst = max(worst, int(np.abs(strip - ground).max()))
    return worst


def test_in_english_the_wall_speaks_english(city: Running, chrome: Browser) -> None:
    with screen(city, chrome, "3840x1080", lang="en") as (number, wall, leader):
        drawn(wall.page)
        for scene in SCENES:
            leader.command("send_to_screen", screen=number, scene=scene).raise_for_status()
            expect(wall.page.locator("[data-canvas]")).to_have_attribute("data-scene", scene)
            assert wall.page.evaluate(UI_HAN, DATA) == []
            wall.page.wait_for_function(FITTED)
            found = wall.page.evaluate(SPOKEN, [2, 1, 8])
            assert (found["crossing"], found["clipped"], found["outside"]) == ([], [], []), scene
        wall.page.screenshot(path=city.artifacts / "wall-3840x1080-english.png")
