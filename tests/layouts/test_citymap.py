"""The city map in a real Chromium on the sample city's tiles, moved by the live client."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from data.sample_city import read_city
from tests.layouts.browser import Server, serving, watched

START = """
async (options) => {
  const {live} = await import('/assets/live.mjs');
  const {createMap} = await import('/assets/citymap.mjs');
  const box = document.getElementById('map');
  window.events = [];
  for (const name of ['pick', 'moved', 'layers', 'fault']) {
    box.addEventListener(name, ({detail}) => window.events.push([name, detail]));
  }
  live.start();
  window.city = await createMap(box, options);
  await window.city.ready;
}
"""
IDLE = "() => new Promise((done) => { const m = window.city.map; m.loaded() && !m.isMoving() ? done() : m.once('idle', done); m.triggerRepaint(); })"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("tests.layouts.map_server", "e1") as one:
        yield one


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    order(server, "set", values={"epoch": f"e{time.monotonic_ns()}", "n": 0, "log": [], "items": {}})
    context = browser.new_context(viewport={"width": 640, "height": 460})
    one = context.new_page()
    faults = watched(one)
    one.on("console", lambda m: faults.append(f"console: {m.text}") if m.type == "error" else None)
    one.goto(server.url + "/map")
    yield one
    context.close()
    assert faults == []


def order(server: Server, do: str, **rest: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(server.call("/control", json.dumps({"do": do, **rest}).encode()))
    return answer


def start(page: Page, **options: Any) -> None:
    page.evaluate(START, options)
    page.evaluate(IDLE)


def incident(key: str, lon: float, lat: float, level: int = 3, **rest: Any) -> dict[str, Any]:
    return {
        "kind": "incident", "key": key, "area": "990100/990102/990102001/", "number": f"LL-{key}", "class": "x",
        "class_name": "道路积水", "title": "海关路积水", "stage": "reported", "level": level, "lon": lon, "lat": lat,
        "unit_name": "", "worker_name": "", "reported_at": int(time.time() * 1000), "stage_due_at": None,
        "handle_due_at": None, "overdue": False, **rest,
    }  # fmt: skip


def rendered(page: Page, layers: list[str]) -> list[dict[str, Any]]:
    page.evaluate(IDLE)
    found: list[dict[str, Any]] = page.evaluate(
        """(layers) => city.map.queryRenderedFeatures({layers})
             .map((f) => ({layer: f.layer.id, properties: f.properties, state: f.state}))""",
        layers,
    )
    return found


def click(page: Page, lon: float, lat: float) -> None:
    page.evaluate(IDLE)
    x, y = page.evaluate("(at) => { const p = city.map.project(at); return [p.x, p.y]; }", [lon, lat])
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + y)


def events(page: Page, name: str) -> list[Any]:
    found: list[Any] = page.evaluate("(name) => events.filter(([n]) => n === name).map(([, d]) => d)", name)
    return found


def colour(page: Page, lon: float, lat: float) -> tuple[int, ...]:
    """Colour of the drawn map at a place, from a screenshot."""
    page.evaluate(IDLE)
    x, y = page.evaluate("(at) => { const p = city.map.project(at); return [p.x, p.y]; }", [lon, lat])
    image = Image.open(io.BytesIO(page.locator("#map").screenshot())).convert("RGB")
    pixel = image.getpixel((int(x), int(y)))
    assert isinstance(pixel, tuple)
    return pixel


def token(page: Page, name: str) -> tuple[int, ...]:
    value = page.evaluate(
        "(name) => getComputedStyle(document.getElementById('map')).getPropertyValue(name).trim()", name
    )
    return tuple(int(value[i : i + 2], 16) for i in (1, 3, 5))


def near(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= 4


def test_land_sea_and_names_are_drawn(page: Page) -> None:
    start(page)
    for id_ in ("density", "devices", "cameras", "workers", "labels", "roads", "areas"):
        page.evaluate("(id) => city.setLayerVisible(id, false)", id_)
    land = next(a for a in read_city.read_areas() if a.level == "town")
    assert near(colour(page, land.lon, land.lat), token(page, "--map-land"))
    assert near(colour(page, 113.9, 21.68), token(page, "--map-sea"))
    page.evaluate("() => city.setLayerVisible('labels', true)")
    names = {f["properties"]["name"] for f in rendered(page, ["district-label"])}
    assert names == {a.name for a in read_city.read_areas() if a.level == "district"}


def test_chinese_labels_come_from_the_shipped_font(page: Page, server: Server) -> None:
    start(page)
    loaded = page.evaluate(
        "() => [...document.fonts].filter((f) => f.status === 'loaded').map((f) => f.family.replaceAll('\"', ''))"
    )
    assert {"Chengyun Map", "Chengyun Map Bold"} <= set(loaded)
    # Drawn as in the map: an unknown character (a box) must look different from a Chinese one, and two differ.
    drawn = page.evaluate(
        """() => ['城', '运', '\\u{10FFFF}'].map((c) => {
             const g = Object.assign(document.createElement('canvas'), {width: 60, height: 60}).getContext('2d');
             g.font = '48px "Chengyun Map"';
             g.fillText(c, 4, 50);
             return g.getImageData(0, 0, 60, 60).data.join();
           })"""
    )
    assert len(set(drawn)) == 3


def test_english_map(page: Page, server: Server) -> None:
    page.goto(server.url + "/map?lang=en")
    start(page)
    labels = page.evaluate("() => city.layers().map((l) => l.label)")
    assert "Grid workers" in labels and not any("\u4e00" <= c <= "\u9fff" for c in "".join(labels))
    field = page.evaluate("() => JSON.stringify(city.map.getLayoutProperty('town-label', 'text-field'))")
    assert "name_en" in field


def test_device_state_is_set_on_the_feature_and_no_tile_is_fetched_again(page: Page, server: Server) -> None:
    device = next(read_city.read_devices())
    one = {"kind": "device", "key": device.id, "area": device.area_path, "type": device.type, "values": {"level_m": 2.5},
           "t": int(time.time() * 1000), "status": "online"}  # fmt: skip
    order(server, "push", set=[one])
    start(page, center=[device.lon, device.lat], zoom=15)

    def state() -> Any:
        found = rendered(page, ["device-dot"])
        return next(f["state"] for f in found if f["properties"]["key"] == device.id)

    assert state() == {"status": "online"}
    before = json.loads(page.request.get(server.url + "/asked").text())
    order(server, "push", set=[{**one, "status": "warning"}])
    page.wait_for_function("([k]) => chengyun.live.get('device', k).status === 'warning'", arg=[device.id])
    page.wait_for_function(
        "([k]) => city.map.getFeatureState({source: 'devices', sourceLayer: 'devices', id: k}).status === 'warning'",
        arg=[device.id],
    )
    assert state() == {"status": "warning"}
    order(server, "push", **{"del": [["device", device.id]]})
    page.wait_for_function(
        "([k]) => !city.map.getFeatureState({source: 'devices', sourceLayer: 'devices', id: k})?.status",
        arg=[device.id],
    )
    assert json.loads(page.request.get(server.url + "/asked").text()) == before


def test_incidents_cluster_far_out_and_stand_alone_near(page: Page, server: Server) -> None:
    start(page)
    order(server, "push", set=[incident(str(i), 113.9 + i * 1e-4, 21.9, level=4 - i % 2) for i in range(6)])
    order(server, "push", set=[incident("worst", 113.9, 21.9, level=1)])
    page.wait_for_function(
        "() => city.map.queryRenderedFeatures({layers: ['incident-cluster']}).some((f) => f.properties.point_count === 7)"
    )
    [cluster] = rendered(page, ["incident-cluster"])
    assert (cluster["properties"]["point_count"], cluster["properties"]["worst"]) == (7, 1)
    page.evaluate("() => city.setView({center: [113.9, 21.9], zoom: 16})")
    alone = {f["properties"]["key"]: f["properties"]["level"] for f in rendered(page, ["incident-point"])}
    assert len(alone) == 7 and alone["worst"] == 1
    order(server, "push", **{"del": [["incident", "worst"]]})
    page.wait_for_function("() => city.map.queryRenderedFeatures({layers: ['incident-point']}).length === 6")


def test_a_click_names_the_thing_and_an_empty_click_the_place(page: Page, server: Server) -> None:
    order(server, "push", set=[incident("77", 113.9, 21.9, level=2)])
    start(page, center=[113.9, 21.9], zoom=15)
    page.wait_for_function("() => city.map.queryRenderedFeatures({layers: ['incident-point']}).length === 1")
    click(page, 113.9, 21.9)
    picked = events(page, "pick")[-1]
    assert (picked["kind"], picked["key"]) == ("incident", "77")
    page.evaluate("() => city.setView({center: [113.9, 21.68], zoom: 15})")
    click(page, 113.9, 21.68)
    picked = events(page, "pick")[-1]
    assert picked["kind"] == "place"
    assert picked["lngLat"] == pytest.approx([113.9, 21.68], abs=1e-3)


def test_picking_a_place_for_intake(page: Page) -> None:
    start(page, center=[113.9, 21.9], zoom=14)
    page.evaluate("() => { city.pickPoint().then((p) => { window.point = p; }); }")
    assert page.locator(".cy-map__hint").inner_text().startswith("点击地图选择位置")
    click(page, 113.905, 21.902)
    page.wait_for_function("() => window.point !== undefined")
    point = page.evaluate("() => window.point")
    assert (point["lon"], point["lat"]) == pytest.approx((113.905, 21.902), abs=1e-4)
    assert events(page, "pick") == [], "choosing a place is not choosing a thing"
    assert page.locator(".cy-map__hint").count() == 0
    page.evaluate("() => { window.point = 0; city.pickPoint().then((p) => { window.point = p; }); }")
    page.keyboard.press("Escape")
    page.wait_for_function("() => window.point === null")


def test_focus_marks_follows_and_finds_things_the_live_stream_does_not_place(
    page: Page, server: Server
) -> None:
    order(server, "push", set=[incident("5", 114.0, 21.95)])
    start(page)
    assert page.evaluate("() => city.focus('incident', '5')") is True
    page.wait_for_function("() => city.view().zoom >= 14 && !city.map.isMoving()")
    assert page.evaluate("() => city.view().center") == pytest.approx([114.0, 21.95], abs=1e-3)
    ring = "() => city.map.getSource('selected').serialize().data.features?.[0]?.geometry.coordinates"
    assert page.evaluate(ring) == [114.0, 21.95]
    order(server, "push", set=[incident("5", 114.001, 21.951)])
    page.wait_for_function(f"() => ({ring})()?.[0] === 114.001")
    device = next(read_city.read_devices())
    page.evaluate("() => city.setView({center: [113.7, 21.7], zoom: 9})")
    assert page.evaluate("(k) => city.focus('device', k)", device.id) is True
    page.wait_for_function("() => !city.map.isMoving()")
    assert page.evaluate("() => city.view().center") == pytest.approx([device.lon, device.lat], abs=2e-3)
    assert page.evaluate("() => city.focus('incident', 'unknown')") is False


def test_the_map_follows_the_lists_filter(page: Page, server: Server) -> None:
    order(server, "push", set=[incident(str(i), 113.9 + i * 0.01, 21.9, level=i) for i in (1, 2, 3, 4)])
    start(page, center=[113.92, 21.9], zoom=13.5)
    page.wait_for_function("() => city.map.queryRenderedFeatures({layers: ['incident-point']}).length === 4")
    page.evaluate("() => city.setIncidentFilter((item) => item.level <= 2)")
    page.wait_for_function("() => city.map.queryRenderedFeatures({layers: ['incident-point']}).length === 2")
    order(server, "push", set=[incident("9", 113.92, 21.9, level=4)])
    page.wait_for_function("() => chengyun.live.get('incident', '9')")
    page.evaluate("() => city.setIncidentFilter(null)")
    page.wait_for_function("() => city.map.queryRenderedFeatures({layers: ['incident-point']}).length === 5")


def test_layers_have_counts_and_switches_and_survive_a_reload_with_the_view(
    page: Page, server: Server
) -> None:
    start(page)
    page.wait_for_function("() => city.layers().find((l) => l.id === 'devices').count !== null")
    layers = {layer["id"]: layer for layer in page.evaluate("() => city.layers()")}
    assert layers["devices"]["count"] == sum(1 for _ in read_city.read_devices())
    assert layers["cameras"]["count"] == sum(1 for _ in read_city.read_cameras())
    assert layers["components"]["visible"] is False
    page.evaluate(
        "() => { city.setLayerVisible('components', true); city.setLayerVisible('cameras', false); }"
    )
    assert page.evaluate("() => city.map.getLayoutProperty('camera-near', 'visibility')") == "none"
    page.evaluate("() => city.setView({center: [113.95, 21.95], zoom: 12.25})")
    page.wait_for_function("() => events.some(([n, d]) => n === 'moved' && d.zoom === 12.25)")
    page.reload()
    start(page)
    view = page.evaluate("() => city.view()")
    assert view["zoom"] == pytest.approx(12.25) and view["center"] == pytest.approx([113.95, 21.95])
    shown = {layer["id"]: layer["visible"] for layer in page.evaluate("() => city.layers()")}
    assert (shown["components"], shown["cameras"]) == (True, False)
    with pytest.raises(Exception, match="layer 'nonsense': must be one of incidents"):
        page.evaluate("() => city.setLayerVisible('nonsense', true)")


def test_news_never_moves_the_view(page: Page, server: Server) -> None:
    start(page)
    page.evaluate("() => city.setView({center: [113.93, 21.93], zoom: 13})")
    page.evaluate("() => city.select('incident', 'x', {lon: 113.93, lat: 21.93})")
    before = page.evaluate("() => city.view()")
    for i in range(20):
        order(server, "push", set=[incident(str(i), 113.93, 21.93, level=1)])
    order(server, "event", event="reset")
    page.wait_for_function("() => chengyun.live.items('incident').size === 20")
    page.evaluate(IDLE)
    assert page.evaluate("() => city.view()") == before


def test_hover_card_shows_text_as_text(page: Page, server: Server) -> None:
    order(server, "push", set=[incident("1", 113.9, 21.9, title="<img src=x onerror=alert(1)>积水")])
    start(page, center=[113.9, 21.9], zoom=15)
    page.wait_for_function("() => city.map.queryRenderedFeatures({layers: ['incident-point']}).length === 1")
    x, y = page.evaluate("() => { const p = city.map.project([113.9, 21.9]); return [p.x, p.y]; }")
    page.mouse.move(x, y)
    page.mouse.move(x + 1, y)
    card = page.locator(".cy-map__card")
    card.wait_for()
    assert card.locator("img").count() == 0
    assert card.inner_text().splitlines()[1].startswith("<img src=x onerror=alert(1)>积水")


def test_the_wall_shows_and_never_commands(page: Page) -> None:
    start(page, interactive=False, remember="")
    before = page.evaluate("() => city.view()")
    click(page, 113.9, 21.9)
    page.mouse.wheel(0, -600)
    page.evaluate(IDLE)
    assert page.evaluate("() => city.view()") == before
    assert events(page, "pick") == [] and page.locator(".maplibregl-ctrl-zoom-in").count() == 0


def test_a_base_map_that_stops_gives_way_to_the_stored_one_and_the_map_says_so(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(viewport={"width": 640, "height": 460})
    page = context.new_page()
    page.goto(server.url + "/map")
    start(page)
    page.evaluate(
        """async () => {
          const {baseMaps} = await import('/assets/map/base.mjs');
          const list = document.body.appendChild(document.createElement('div'));
          baseMaps(document.getElementById('map'), city, list, () => 'now');
        }"""
    )
    said = page.locator(".map-fallback")
    page.locator("input[value='else']").check()
    page.wait_for_function("() => city.map.getLayer('base-pictures') && city.map.areTilesLoaded()")
    states = json.loads(page.request.get(server.url + "/api/v1/base_maps").text())["rows"]
    assert [(row["id"], row["state"]) for row in states] == [("own", "up"), ("else", "up")]
    assert said.is_hidden()
    server.call("/away?fails=true")
    page.evaluate("() => city.setView({center: [113.95, 21.95], zoom: 13})")
    said.wait_for()
    assert said.inner_text() == "外部底图 中断，已改用自有底图"
    assert page.evaluate("() => city.map.getLayer('base-pictures') ?? null") is None
    page.locator("input[value='own']").check()
    assert said.is_hidden()
    server.call("/away?fails=false")
    context.close()


def test_most_of_many_devices_are_told_by_the_style_and_the_others_one_by_one(
    page: Page, server: Server
) -> None:
    devices = list(read_city.read_devices())[:2500]
    items = [
        {"kind": "device", "key": d.id, "area": d.area_path, "type": d.type, "values": {}, "t": 1,
         "status": "silent" if n else "warning"} for n, d in enumerate(devices)
    ]  # fmt: skip
    order(server, "push", set=items)
    first, second = devices[:2]
    start(page, center=[first.lon, first.lat], zoom=13)
    page.wait_for_function("() => chengyun.live.items('device').size === 2500")
    state = "(k) => city.map.getFeatureState({source: 'devices', sourceLayer: 'devices', id: k}).status ?? ''"
    page.wait_for_function(f"(k) => ({state})(k) === 'warning'", arg=first.id)
    assert page.evaluate(state, second.id) == ""
    order(server, "push", set=[{**items[1], "status": "online"}], **{"del": [["device", devices[2].id]]})
    page.wait_for_function(f"(k) => ({state})(k) === 'online'", arg=second.id)
    assert page.evaluate(state, devices[2].id) == "unknown", "what is not there any more is not silent either"
    order(server, "push", set=[items[1]])
    page.wait_for_function(f"(k) => ({state})(k) === ''", arg=second.id)


def test_layers_fade_and_stay_faded_after_a_reload(page: Page, server: Server) -> None:
    start(page)
    page.evaluate("() => { city.fade('roads', 0.4); city.fade('devices', 0.5); }")
    opacity = "() => city.map.getPaintProperty('road-arterial', 'line-opacity')"
    assert page.evaluate(opacity) == pytest.approx(0.4)
    page.reload()
    start(page)
    assert page.evaluate(opacity) == pytest.approx(0.4)
    assert {layer["id"]: layer["strength"] for layer in page.evaluate("() => city.layers()")}[
        "devices"
    ] == 0.5
    page.evaluate("() => city.fade('roads', 1)")
    assert page.evaluate(opacity) == 1


def test_without_webgl_the_page_says_so_and_lives_on(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null;")
    page.goto(server.url + "/map")
    result = page.evaluate(
        """async () => {
          const box = document.getElementById('map');
          let fault = null;
          box.addEventListener('fault', ({detail}) => { fault = detail.message; });
          const {createMap} = await import('/assets/citymap.mjs');
          return [await createMap(box), fault !== null, box.textContent];
        }"""
    )
    assert result == [None, True, "此浏览器无法显示地图（缺少 WebGL）"]
    context.close()
