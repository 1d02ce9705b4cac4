"""The charts of the desk's list in Chromium: a span drawn or a bar pressed narrows list, map and export."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Locator, Page, expect

from data.live import LiveState
from tests.e2e.browser import DESK_SIZE, PATIENT_MS, Terminal, at_terminal
from tests.e2e.conftest import Running
from tests.e2e.test_desk import report, sit_down

PROFILES: Final = ("embedded",)
HOUR_MS: Final = 3_600_000
TIMES: Final = "[data-spread-of='times']"
CLASSES: Final = "[data-spread-of='classes']"


@pytest.fixture
def desk(product: Running, chrome: Browser) -> Iterator[Terminal]:
    """The operator's desk with two incidents of now and one of five hours ago, its charts shown."""
    live = LiveState(product.product.env["CHENGYUN_LIVE_URL"])
    now = report(product)
    report(product, class_code="E0201")
    with at_terminal(chrome, product.url, "desk", DESK_SIZE) as terminal:
        sit_down(terminal, product, "operator", "desk")
        page = terminal.page
        key = str(now["id"])
        page.wait_for_function("key => chengyun.live.get('incident', key)", arg=key, timeout=PATIENT_MS)
        item = page.evaluate("key => chengyun.live.get('incident', key)", key)
        then = item["reported_at"] - 5 * HOUR_MS
        old = {**item, "kind": "incident", "key": "9000001", "number": "OLD-1", "title": "五小时前的测试"}
        try:
            live.apply([{**old, "reported_at": then}])
            page.wait_for_function("() => chengyun.live.get('incident', '9000001')", timeout=PATIENT_MS)
            page.locator("[data-spread-open]").click()
            expect(page.locator(f"{TIMES} .bars .point path")).to_have_count(24, timeout=PATIENT_MS)
            yield terminal
        finally:
            live.apply((), [("incident", "9000001")])
            live.close()


def reported(page: Page) -> list[int]:
    """When the rows of the list were reported, as they pass its filter."""
    found: list[int] = page.evaluate(
        """async () => {
            const grid = await window.dash_ag_grid.getApiAsync('desk-grid');
            const seen = [];
            grid.forEachNodeAfterFilter(({data}) => seen.push(data.reported_at));
            return seen;
        }"""
    )
    return found


def on_map(page: Page) -> list[str]:
    """The keys of the incidents that the map draws."""
    found: list[str] = page.evaluate(
        """async () => (await chengyun.map.map.getSource('incidents').getData())
            .features.map(({properties}) => String(properties.key))"""
    )
    return found


def wait_for_map(page: Page, key: str, *, there: bool) -> None:
    page.wait_for_function(
        """async ([key, there]) => (await chengyun.map.map.getSource('incidents').getData())
            .features.some(({properties}) => String(properties.key) === key) === there""",
        arg=[key, there],
        timeout=PATIENT_MS,
    )


def middle(bar: Locator) -> tuple[float, float]:
    box = bar.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def draw_over(page: Page, bar: int) -> None:
    """Drag a box over one bar of the time chart, from left to right in the middle of the plot."""
    box = page.locator(f"{TIMES} .bars .point path").nth(bar).bounding_box()
    plot = page.locator(f"{TIMES} .nsewdrag").bounding_box()
    assert box and plot
    y = plot["y"] + plot["height"] / 2
    page.mouse.move(box["x"] + 1, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, y, steps=4)
    page.mouse.move(box["x"] + box["width"] - 1, y, steps=4)
    page.mouse.up()


def test_a_drawn_span_narrows_list_map_and_export(product: Running, desk: Terminal) -> None:
    page = desk.page
    wait_for_map(page, "9000001", there=True)
    everything = len(reported(page))
    draw_over(page, 24 - 1 - 5)
    chip = page.locator("[data-chips] .chip")
    expect(chip).to_have_count(1)
    span: list[int] = page.evaluate("JSON.parse(localStorage.getItem('chengyun.desk.filter')).span")
    assert span[1] - span[0] == HOUR_MS
    first, last = page.evaluate(
        "ms => ms.map((at) => new Intl.DateTimeFormat('zh-CN', {timeZone: 'Asia/Shanghai', timeStyle: 'short', hourCycle: 'h23'}).format(at))",
        span,
    )
    expect(chip).to_contain_text("时间")
    expect(chip).to_contain_text(f"{first}–")
    expect(chip).to_contain_text(last)
    wait_for_map(page, "9000001", there=True)
    inside = reported(page)
    assert 0 < len(inside) < everything
    assert all(span[0] <= at < span[1] for at in inside)
    keys: Any = page.evaluate(
        "[...chengyun.live.items('incident')].filter(([, i]) => chengyun.listPass(i)).map(([key]) => key)"
    )
    assert set(on_map(page)) <= set(keys)
    expect(page.locator(f"{TIMES} .bars .point path")).to_have_count(24)
    page.screenshot(path=product.artifacts / "desk-spread.png")
    with page.expect_download(timeout=PATIENT_MS) as download:
        page.locator("[data-export]").click()
    sheet = load_workbook(io.BytesIO(download.value.path().read_bytes())).active
    assert sheet is not None
    assert sheet.max_row == 1, "what the store holds was all reported at another hour"
    chip.click()
    expect(chip).to_have_count(0)
    assert len(reported(page)) >= everything


def test_a_double_click_lets_the_span_go(desk: Terminal) -> None:
    page = desk.page
    draw_over(page, 23)
    wait_for_map(page, "9000001", there=False)
    expect(page.locator("[data-chips] .chip")).to_have_count(1)
    plot = page.locator(f"{TIMES} .nsewdrag").bounding_box()
    assert plot
    page.mouse.dblclick(plot["x"] + 8, plot["y"] + 4)
    expect(page.locator("[data-chips] .chip")).to_have_count(0)
    wait_for_map(page, "9000001", there=True)


def test_a_pressed_bar_is_a_class_until_its_chip_is_pressed(desk: Terminal) -> None:
    page = desk.page
    bars = page.locator(f"{CLASSES} .bars .point path")
    expect(bars.first).to_be_visible()
    page.mouse.click(*middle(bars.last))  # the greatest is on top
    chip = page.locator("[data-chips] .chip")
    expect(chip).to_contain_text("小类")
    chosen = page.locator("[data-class]").input_value()
    assert chosen
    shown = page.evaluate(
        "[...chengyun.live.items('incident').values()].filter((i) => chengyun.listPass(i)).map((i) => i.class)"
    )
    assert set(shown) == {chosen}
    assert bars.count() > 1, "the classes that were let out can still be pressed"
    with desk.leaving():
        page.reload()
        expect(page.locator("html[data-ready='desk'][data-link='live']")).to_be_attached(timeout=PATIENT_MS)
    expect(chip).to_contain_text("小类")
    chip.press("Enter")
    expect(chip).to_have_count(0)
    expect(page.locator("[data-class]")).to_have_value("")
