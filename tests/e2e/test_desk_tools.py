"""The desk's tools: palette, saved views, windows for two monitors, help and tour, and figures whose feed is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from data.live import LiveState
from tests.e2e.browser import DESK_SIZE, LEADER_SIZE, PATIENT_MS, Terminal, at_terminal
from tests.e2e.conftest import Running
from tests.e2e.test_desk import find_in_list, report, sit_down

PROFILES: Final = ("embedded",)


@pytest.fixture
def desk(product: Running, chrome: Browser) -> Iterator[Terminal]:
    with at_terminal(chrome, product.url, "desk", DESK_SIZE) as terminal:
        sit_down(terminal, product, "operator", "desk")
        yield terminal


def test_palette_finds_incident_place_and_command(product: Running, desk: Terminal) -> None:
    told, page = report(product), desk.page
    page.keyboard.press("Control+k")
    expect(page.locator("#palette [role=combobox]")).to_be_focused()
    page.keyboard.type(told["number"])
    expect(page.locator("#palette [role=option]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".detail__number")).to_have_text(told["number"])
    page.keyboard.press("Control+k")
    page.keyboard.type("花园")
    expect(page.locator("#palette [role=option]", has_text="花园").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.type("接报")
    page.keyboard.press("Enter")
    expect(page.locator("#intake-text")).to_be_focused()
    page.keyboard.press("Escape")


def test_a_view_is_kept_on_the_server_and_brought_back(product: Running, desk: Terminal) -> None:
    page = desk.page
    page.locator("[data-group='waiting']").click()
    page.locator("[data-level='2']").click()
    page.locator("[data-views-open]").click()
    page.locator(".views__form input[type=text]").fill("待受理二级")
    page.keyboard.press("Enter")
    expect(page.locator(".views__pick", has_text="待受理二级")).to_be_visible()
    page.evaluate("localStorage.clear()")  # another browser, another day
    with desk.leaving():
        page.reload()
        expect(page.locator("html[data-ready='desk'][data-link='live']")).to_be_attached(timeout=PATIENT_MS)
    expect(page.locator("[data-level='2']")).to_have_attribute("aria-pressed", "false")
    page.locator("[data-views-open]").click()
    page.locator(".views__pick", has_text="待受理二级").click()
    expect(page.locator("[data-level='2']")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-group='waiting']")).to_have_attribute("aria-pressed", "true")
    page.locator("[data-views-open]").click()
    page.get_by_role("button", name="删除视图“待受理二级”").click()
    expect(page.locator(".views__pick", has_text="待受理二级")).to_have_count(0)


def test_the_map_window_follows_the_list_window(product: Running, desk: Terminal) -> None:
    told = report(product)
    second = desk.context.new_page()
    second.goto(f"{product.url}/desk?window=map")
    expect(second.locator("html[data-ready='desk'][data-link='live']")).to_be_attached(timeout=PATIENT_MS)
    expect(second.locator(".list")).to_be_hidden()
    expect(second.locator("#desk-map")).to_be_visible()
    find_in_list(desk.page, told["number"])
    desk.page.locator(".grid .ag-row .two-lines__a").first.click()
    second.wait_for_function(
        "key => location.hash === `#incident=${key}`", arg=str(told["id"]), timeout=PATIENT_MS
    )
    assert second.url.startswith(f"{product.url}/desk?window=map#"), "the window keeps its part"


def test_help_and_tour_are_offered_once(desk: Terminal) -> None:
    page = desk.page
    expect(page.locator("[data-tour-offer]")).to_be_visible()
    page.locator("[data-help]").click()
    expect(page.locator("#help li").first).to_be_visible()
    page.locator("#help .cy-button--primary").click()
    for n in range(1, 6):
        expect(page.locator(".tour")).to_contain_text(f"{n} / 5")
        page.locator(".tour .cy-button--primary").click()
    expect(page.locator(".tour")).to_have_count(0)
    with desk.leaving():
        page.reload()
        expect(page.locator("html[data-ready='desk']")).to_be_attached(timeout=PATIENT_MS)
    expect(page.locator("[data-tour-offer]")).to_be_hidden()


def test_only_figures_of_a_cut_feed_are_marked(product: Running, chrome: Browser) -> None:
    """The feed of readings falls silent: figures of devices and open incidents say so, rates of the past do not."""
    live = LiveState(product.product.env["CHENGYUN_LIVE_URL"])
    cut = {
        "kind": "feed", "key": "cut", "area": "990100/", "name": "路侧感知", "topics": ["city.reading.v1"],
        "demo": False, "last": 0, "period_s": 5, "status": "silent",
    }  # fmt: skip
    with at_terminal(chrome, product.url, "leader", LEADER_SIZE) as terminal:
        sit_down(terminal, product, "leader", "leader")
        tile = terminal.page.locator
        try:
            live.apply([cut])
            for id in ("devices_online", "completeness", "newest_age", "open"):
                expect(tile(f".is-cut[data-of='{id}']")).to_contain_text("数据源中断：路侧感知")
            for id in ("on_time_closing", "first_dispatch", "median_handling"):
                expect(tile(f"[data-of='{id}']")).to_be_visible()
                expect(tile(f".is-cut[data-of='{id}']")).to_have_count(0)
        finally:
            live.apply((), [("feed", "cut")])
        expect(tile(".is-cut")).to_have_count(0)
        tile("[data-now='warnings']").click()
        expect(tile("[data-now-rows='warnings'] .formula")).to_contain_text("未解除的预警数")
    live.close()
