"""The desk's map in the running product: layers by sector, finding, shapes, three dimensions, printing, a base map that fails."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from data.sample_city import read_city
from tests.e2e.browser import DESK_SIZE, PATIENT_MS, Terminal, at_terminal
from tests.e2e.city import RUBBISH, places_with_workers
from tests.e2e.conftest import Running

PROFILES: Final = ("embedded",)
"""A map cannot tell which store is behind it."""

SETTLED: Final = """() => new Promise((done) => {
  const m = chengyun.map.map;
  const look = () => (m.areTilesLoaded() && !m.isMoving() ? (m.once('render', () => done()), m.triggerRepaint()) : m.once('render', look) && m.triggerRepaint());
  look();
})"""


@pytest.fixture(scope="module")
def desk(running: Running, chrome: Browser) -> Iterator[Terminal]:
    """An operator at the desk, the layer tree loaded."""
    with at_terminal(chrome, running.url, "map", DESK_SIZE) as one:
        running.log_in(one, "operator", "desk")
        one.page.locator(".sector").first.wait_for()
        one.page.evaluate(SETTLED)
        yield one


def look(desk: Terminal, lon: float, lat: float, zoom: float) -> None:
    desk.page.evaluate("([c, z]) => chengyun.map.setView({center: c, zoom: z})", [[lon, lat], zoom])
    desk.page.evaluate(SETTLED)


def at(desk: Terminal, lon: float, lat: float) -> tuple[float, float]:
    found = desk.page.evaluate(
        "([lon, lat]) => { const m = chengyun.map.map; const p = m.project([lon, lat]);"
        " const r = m.getContainer().getBoundingClientRect(); return [p.x + r.x, p.y + r.y]; }",
        [lon, lat],
    )
    return found[0], found[1]


def start(desk: Terminal, tool: str) -> None:
    desk.page.locator(".tools summary").click()
    desk.page.locator(f"[data-tool='{tool}']").click()


def ask(running: Running, name: str, **params: Any) -> dict[str, Any]:
    someone = running.person("operator")
    try:
        found: dict[str, Any] = someone.ask(name, **params).raise_for_status().json()
        return found
    finally:
        someone.close()


def test_the_tree_counts_as_the_api_does_and_switches_survive_a_reload(
    running: Running, desk: Terminal
) -> None:
    page = desk.page
    sectors = ask(running, "map_layers")["sectors"]
    shown = page.locator(".sector summary .layer__n").all_inner_texts()
    assert [int(n.replace(",", "")) for n in shown] == [s["count"] for s in sectors]
    counts = ask(running, "layer_counts")
    devices = page.locator(".layer:has(input[data-layer='devices']) .layer__n")
    expect(devices).to_have_text(f"{counts['devices']:,}")
    page.locator(".layers__search").fill("路灯")
    lamps = page.locator("input[data-group='devices:street_lamp']")
    lamps.uncheck()
    lamp = next(d for d in read_city.read_devices() if d.type == "street_lamp")
    look(desk, lamp.lon, lamp.lat, 15)

    def lamps_drawn(drawn: bool) -> None:
        page.wait_for_function(
            "(drawn) => { const m = chengyun.map.map; m.triggerRepaint();"
            " const types = new Set(m.queryRenderedFeatures({layers: ['device-dot']}).map((f) => f.properties.type));"
            " return types.size > 1 && types.has('street_lamp') === drawn; }",
            arg=drawn,
        )

    lamps_drawn(False)
    view = page.evaluate("() => chengyun.map.view()")
    with desk.leaving():
        page.reload()
        expect(page.locator("html[data-ready='desk']")).to_be_attached(timeout=PATIENT_MS)
    page.locator(".sector").first.wait_for()
    page.evaluate(SETTLED)
    again = page.evaluate("() => chengyun.map.view()")
    assert again["zoom"] == view["zoom"] and again["center"] == pytest.approx(view["center"])
    assert page.evaluate("() => chengyun.map.hidden('devices')") == ["street_lamp"]
    lamps_drawn(False)
    page.locator(".layers__search").fill("路灯")
    page.locator("input[data-group='devices:street_lamp']").check()
    page.locator(".layers__search").fill("")
    lamps_drawn(True)
    page.locator("button[data-height='underground']").click()
    assert "manhole_cover" in page.evaluate("() => chengyun.map.hidden('devices')")
    page.locator("button[data-height='underground']").click()
    assert page.evaluate("() => chengyun.map.hidden('devices')") == []
    far = page.locator(".layer:has(input[data-layer='buildings']) .layer__far")
    look(desk, lamp.lon, lamp.lat, 12)
    expect(far).to_have_text("放大到 14 级可见")


@pytest.mark.parametrize("what", ["device", "coordinates", "place"])
def test_what_is_typed_is_found_and_flown_to(desk: Terminal, what: str) -> None:
    page = desk.page
    stop = places_with_workers()[5]
    device = next(read_city.read_devices())
    text, (lon, lat) = {
        "device": (device.id, (device.lon, device.lat)),
        "coordinates": (f"{stop.lat:.5f} {stop.lon:.5f}", (stop.lon, stop.lat)),
        "place": (stop.name, (stop.lon, stop.lat)),
    }[what]
    look(desk, 113.7, 21.75, 11)
    page.locator("[data-find]").fill(text)
    page.locator(".map-find__list .map-row").first.wait_for()
    page.locator("[data-find]").press("Enter")
    page.wait_for_function(
        "([lon, lat]) => { const c = chengyun.map.view().center; return Math.abs(c[0] - lon) < 2e-4 && Math.abs(c[1] - lat) < 2e-4; }",
        arg=[lon, lat],
    )
    if what == "device":
        page.locator("#records").wait_for()
        page.locator("[data-records-close]").first.click()
    page.locator("[data-find]").fill("")


def test_a_circle_lists_what_the_server_says_nearest_first(running: Running, desk: Terminal) -> None:
    page = desk.page
    look(desk, 113.905, 21.88, 14)
    start(desk, "within.circle")
    x, y = at(desk, 113.905, 21.88)
    page.mouse.click(x, y)
    page.mouse.move(x + 60, y)
    page.mouse.click(x + 120, y)
    page.locator(".map-rows .map-row").first.wait_for()
    edge = page.evaluate(
        "([x, y]) => { const m = chengyun.map.map; const r = m.getContainer().getBoundingClientRect();"
        " return m.unproject([x - r.x, y - r.y]).toArray(); }",
        [x + 120, y],
    )
    radius = page.evaluate(
        "async (b) => (await import('/assets/map/shapes.mjs')).distance([113.905, 21.88], b)", edge
    )
    told = ask(running, "within_shape", shape="circle", points="113.905,21.88", radius_m=round(radius))
    total = int(page.locator(".map-tabs button .cy-num").first.inner_text().replace(",", ""))
    assert abs(total - told["total"]) <= max(3, told["total"] // 20), (
        "drawn with a mouse: a metre more or less"
    )
    metres = [m for m in page.locator(".map-rows .cy-item__side").all_inner_texts() if "公里" not in m]
    assert metres and [int(m.split()[0]) for m in metres] == sorted(int(m.split()[0]) for m in metres)
    page.locator(".map-tabs button[data-kind='camera']").click()
    kinds = page.locator(".map-rows .map-row").evaluate_all(
        "(rows) => [...new Set(rows.map((r) => r.dataset.kind))]"
    )
    assert kinds == ["camera"]
    page.locator(".map-side [title='关闭']").click()
    assert page.evaluate("() => chengyun.map.map.getSource('drawn').serialize().data.features") == []


def test_an_incident_of_the_map_stands_at_its_building_in_three_dimensions(
    running: Running, desk: Terminal
) -> None:
    page = desk.page
    look(desk, 113.891146, 21.900992, 16)
    # A building that shows nothing else under the pointer.
    found = page.evaluate(
        """() => {
          const m = chengyun.map.map;
          const seen = m.queryRenderedFeatures({layers: ['building-flat']});
          for (const f of seen) {
            const ring = f.geometry.type === 'Polygon' ? f.geometry.coordinates[0] : f.geometry.coordinates[0][0];
            const lon = ring.slice(1).reduce((s, p) => s + p[0], 0) / (ring.length - 1);
            const lat = ring.slice(1).reduce((s, p) => s + p[1], 0) / (ring.length - 1);
            const p = m.project([lon, lat]);
            const r = m.getContainer().getBoundingClientRect();
            if (p.x < 320 || p.x > r.width - 420 || p.y < 120 || p.y > r.height - 150) continue;
            const box = [[p.x - 8, p.y - 8], [p.x + 8, p.y + 8]];
            if (m.queryRenderedFeatures(box).some((o) => /device|camera|worker|incident|component/.test(o.layer.id))) continue;
            return {key: f.properties.key, lon, lat};
          }
          return null;
        }"""
    )
    assert found is not None
    page.mouse.click(*at(desk, found["lon"], found["lat"]))
    told = ask(running, "building", building=found["key"])
    expect(page.locator(".map-side .map-name")).to_have_text(told["name"])
    person = running.person("operator")
    filed = person.command(
        "report_incident", text="楼道堆放杂物", class_code=RUBBISH, lon=told["lon"], lat=told["lat"]
    )
    assert filed.status_code == 200, filed.text
    number = str(filed.json()["id"])
    person.close()
    page.wait_for_function("(k) => chengyun.live.get('incident', k)", arg=number)
    before = page.evaluate("() => chengyun.map.view().center")
    page.locator("[data-tool='tilt']").click()
    page.evaluate(SETTLED)
    assert page.evaluate("() => chengyun.map.map.getPitch()") > 40
    assert page.evaluate("() => chengyun.map.view().center") == pytest.approx(before, abs=1e-4)
    page.wait_for_function(
        "(k) => chengyun.map.map.queryRenderedFeatures({layers: ['incident-point']}).some((f) => f.properties.key === k)",
        arg=number,
    )
    page.wait_for_function(
        "() => chengyun.map.map.queryRenderedFeatures({layers: ['building-block']}).length > 0"
    )
    assert [i["key"] for i in ask(running, "building", building=found["key"])["incidents"]] == [number]
    expect(page.locator(".map-side .map-row[data-kind='incident']")).to_have_count(1)
    page.screenshot(path=running.artifacts / "map-tilted.png")
    page.locator("[data-tool='tilt']").click()
    page.evaluate(SETTLED)
    assert page.evaluate("() => chengyun.map.map.getPitch()") == 0
    page.locator(".map-side [title='关闭']").click()


def test_who_is_not_on_the_map_is_listed_with_the_reason(running: Running, desk: Terminal) -> None:
    look(desk, 113.9, 21.5, 13)  # the open sea: nobody is there
    start(desk, "missing")
    reasons = desk.page.locator(".map-why > summary .cy-num")
    reasons.first.wait_for()
    workers = ask(running, "workers")["rows"]
    assert sum(int(n) for n in reasons.all_inner_texts()) == len(workers)
    desk.page.locator(".map-side [title='关闭']").click()


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_the_map_is_printed_with_title_legend_and_picture(
    running: Running, desk: Terminal, kind: str
) -> None:
    page = desk.page
    look(desk, 113.9, 21.88, 12.5)
    start(desk, "print")
    with page.expect_download() as given:
        page.locator(f"[data-print='{kind}']").click()
    path = running.artifacts / f"map-sheet.{kind}"
    given.value.save_as(path)
    body = path.read_bytes()
    if kind == "pdf":
        assert body.startswith(b"%PDF-1.4") and body.rstrip().endswith(b"%%EOF")
        begin = body.index(b"\xff\xd8\xff")
        length = int(re.findall(rb"DCTDecode /Length (\d+)", body)[0])
        image = Image.open(io.BytesIO(body[begin : begin + length]))
    else:
        image = Image.open(path)
    assert image.size == (1754, 1240)
    grey = image.convert("L")
    for name, box in (("title", (40, 20, 700, 80)), ("map", (60, 120, 1300, 1100)), ("legend", (1430, 90, 1700, 600)), ("foot", (900, 1190, 1710, 1235))):  # fmt: skip
        assert len(set(grey.crop(box).getdata())) > 8, f"{name} is empty"
