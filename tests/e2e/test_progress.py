"""Long work has a bar and holds nobody up: an export, the map as a sheet, a table that is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.browser import DESK_SIZE, Terminal, at_terminal
from tests.e2e.conftest import Running
from tests.e2e.test_desk import report, sit_down

PROFILES: Final = ("embedded",)

STREAMED: Final = """() => {
  const real = window.fetch;
  window.fetch = async (url, ...rest) => {
    if (!String(url).includes('/export/')) return real(url, ...rest);
    const body = new ReadableStream({start(to) { window.send = (n) => to.enqueue(new Uint8Array(n)); window.end = () => to.close(); }});
    return new Response(body, {headers: {'Content-Length': '1000'}});
  };
}"""
"""An export whose bytes come when the test sends them."""

WATCHED: Final = """() => {
  window.shares = [];
  new MutationObserver(() => {
    const bar = document.querySelector('.cy-works [role=progressbar]');
    if (bar?.ariaValueNow && window.shares.at(-1) !== bar.ariaValueNow) window.shares.push(bar.ariaValueNow);
  }).observe(document.body, {childList: true, subtree: true, attributes: true, attributeFilter: ['aria-valuenow']});
}"""


@pytest.fixture
def desk(product: Running, chrome: Browser) -> Iterator[Terminal]:
    with at_terminal(chrome, product.url, "desk", DESK_SIZE) as terminal:
        sit_down(terminal, product, "operator", "desk")
        yield terminal


def bar(page: Page) -> Locator:
    return page.locator(".cy-works [role=progressbar]")


def test_an_export_tells_its_seconds_while_one_goes_on_working(product: Running, desk: Terminal) -> None:
    told, page = report(product), desk.page
    held: list[Route] = []
    page.route("**/api/v1/export/incidents.xlsx*", lambda route: held.append(route))
    with page.expect_download() as given:
        page.locator("[data-export]").click()
        expect(bar(page)).to_be_visible()
        expect(bar(page)).to_have_attribute("aria-label", "正在导出")
        expect(bar(page)).to_have_attribute("aria-valuetext", re.compile("已用 [1-9][0-9]* 秒"))
        assert bar(page).get_attribute("aria-valuenow") is None, "nobody knows yet how far it is"
        page.locator("#desk-search").fill(told["number"])
        page.locator(f".grid .ag-row[row-id='{told['id']}'] .two-lines__a").first.click()
        expect(page.locator(".detail__number")).to_have_text(told["number"])
        expect(bar(page)).to_be_visible()
        page.screenshot(path=product.artifacts / "progress.png")
        [route] = held
        route.fulfill(response=route.fetch())
    assert given.value.path().stat().st_size > 0
    expect(bar(page)).to_have_count(0)


def test_an_export_tells_the_share_of_its_bytes(desk: Terminal) -> None:
    page = desk.page
    page.evaluate(STREAMED)
    page.locator("[data-export]").click()
    page.wait_for_function("() => 'send' in window")
    page.evaluate("window.send(400)")
    expect(bar(page)).to_have_attribute("aria-valuenow", "40")
    expect(bar(page)).to_have_attribute("aria-valuetext", "40%")
    for edge, value in (("min", "0"), ("max", "100")):
        expect(bar(page)).to_have_attribute(f"aria-value{edge}", value)
    filled = bar(page).evaluate("(b) => b.firstChild.offsetWidth / b.clientWidth")
    assert filled == pytest.approx(0.4, abs=0.02)
    with page.expect_download():
        page.evaluate("window.send(600); window.end()")
    expect(bar(page)).to_have_count(0)


def test_a_refused_export_leaves_no_bar(desk: Terminal) -> None:
    page = desk.page
    page.route("**/api/v1/export/incidents.xlsx*", lambda route: route.fulfill(status=503, json={}))
    with desk.expecting("/export/", 503):
        page.locator("[data-export]").click()
        expect(page.locator(".cy-toast")).to_contain_text("导出未成功")
    expect(bar(page)).to_have_count(0)


def test_the_sheet_of_the_map_tells_its_steps(desk: Terminal) -> None:
    page = desk.page
    page.locator(".tools summary").click()
    page.locator("[data-tool='print']").click()
    page.evaluate(WATCHED)
    with page.expect_download():
        page.locator("[data-print='pdf']").click()
    assert page.evaluate("window.shares") == ["25", "50", "75"]
    expect(bar(page)).to_have_count(0)


def test_a_table_that_is_checked_has_a_bar(product: Running, chrome: Browser, tmp_path: Path) -> None:
    table = tmp_path / "设备.csv"
    table.write_text("设备编号,设备类型,设备名称,经度,纬度\nPRG-1,水位计,甲,113.91,21.95\n", encoding="utf-8")
    with at_terminal(chrome, product.url, "administrator", DESK_SIZE) as terminal:
        product.log_in(terminal, "admin", "devices")
        page, held = terminal.page, list[Route]()

        def hold(route: Route) -> None:
            if '"devices-preview.children"' in str(route.request.post_data):
                held.append(route)
            else:
                route.continue_()

        page.locator("[data-tab='import']").click()
        expect(page.locator("#devices-upload")).to_be_visible()
        page.route("**/_dash-update-component*", hold)
        page.locator("#devices-upload input[type=file]").set_input_files(str(table))
        expect(bar(page)).to_have_attribute("aria-label", "正在读取并核对表格")
        expect(bar(page)).to_have_attribute("aria-valuetext", re.compile("已用 [1-9]"))
        for route in held:
            route.continue_()
        expect(page.locator("#devices-preview")).to_contain_text("确认导入")
        expect(bar(page)).to_have_count(0)
