"""What desk and leader's page say while nothing is known: loading, empty, failed, not allowed. Unknown is never 0."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.browser import DESK_SIZE, PATIENT_MS, Terminal, at_terminal
from tests.e2e.conftest import Running
from tests.e2e.test_desk import open_incident, report, sit_down

PROFILES: Final = ("embedded",)
SNAPSHOT: Final = "**/api/v1/live/snapshot*"
STREAM: Final = "**/live?*"
DASH: Final = "**/_dash-update-component*"
WORDS: Final = {
    ("zh", 0): "加载中",
    ("zh", 503): "没有取到数据",
    ("zh", 403): "无权查看",
    ("en", 0): "Loading",
    ("en", 503): "could not be fetched",
    ("en", 403): "no right",
}
"""(language, status of the answer; 0: there is none yet) → what is to be read."""
HEARD: Final = """() => {
  const {live} = chengyun;
  const ask = live.again.bind(live);
  window.pressed = 0;
  live.again = () => { window.pressed += 1; ask(); };
}"""
"""Presses are counted: the page asks by itself as well, so that its recovery alone would prove nothing of the button."""

AGAIN: Final = {"zh": "重试", "en": "Try again"}


@contextmanager
def at_page(
    product: Running, chrome: Browser, name: str, login: str, status: int, lang: str = "zh"
) -> Iterator[Terminal]:
    """A page whose question for the live items gets no answer (0) or this one."""
    held: list[Route] = []

    def answer(route: Route) -> None:
        if status:
            route.fulfill(status=status, json={"code": "server"})
        else:
            held.append(route)

    with at_terminal(chrome, product.url, name, DESK_SIZE) as terminal:
        product.sign_in(terminal.context, login)
        terminal.context.add_cookies([{"name": "chengyun_lang", "value": lang, "url": product.url}])
        terminal.page.route(SNAPSHOT, answer)
        with terminal.expecting("/live/snapshot", status):
            terminal.page.goto(f"{product.url}/{name}")
            expect(terminal.page.locator(f"html[data-ready='{name}']")).to_be_attached(timeout=PATIENT_MS)
            yield terminal
        for route in held:
            route.abort()
        terminal.faults[:] = [fault for fault in terminal.faults if "/live/snapshot" not in fault]


@pytest.mark.parametrize(("lang", "status"), list(WORDS))
def test_the_desk_says_what_it_does_not_know(
    product: Running, chrome: Browser, lang: str, status: int
) -> None:
    told = WORDS[lang, status]
    with at_page(product, chrome, "desk", "operator", status, lang) as terminal:
        page = terminal.page
        for part in (".list__unknown", ".map-unknown", "[data-foot]", "#desk-tiles .cy-tile >> nth=0"):
            expect(page.locator(part)).to_contain_text(told)
        for value in page.locator("#desk-tiles .cy-tile__value").all_inner_texts():
            assert value.strip() == "–"
        for count in page.locator(".list__filters [data-count]").all_inner_texts():
            assert count == "–"
        again = page.locator(".list__unknown").get_by_role("button", name=AGAIN[lang])
        expect(again).to_have_count(int(status == 503))
        if status == 503:
            page.screenshot(path=product.artifacts / f"unknown-{lang}.png")
            page.evaluate(HEARD)
            again.click()
            assert page.evaluate("window.pressed") == 1
            page.unroute(SNAPSHOT)
            expect(page.locator(".list__unknown")).to_be_hidden()
            expect(page.locator(".map-unknown")).to_be_hidden()
            expect(page.locator("[data-count='all']")).to_have_text(re.compile(r"^[\d,]+\+?$"))


@pytest.mark.parametrize(("lang", "status"), list(WORDS))
def test_the_leader_is_told_what_is_not_known(
    product: Running, chrome: Browser, lang: str, status: int
) -> None:
    with at_page(product, chrome, "leader", "leader", status, lang) as terminal:
        page = terminal.page
        for name in ("wrong", "late"):
            expect(page.locator(f"#leader-{name}")).to_contain_text(WORDS[lang, status])
            assert page.locator(f"[data-count='{name}']").inner_text() == ""
        expect(page.locator("#leader-wrong").get_by_role("button", name=AGAIN[lang])).to_have_count(
            int(status == 503)
        )


def test_nothing_there_is_not_the_same_as_nothing_known(product: Running, chrome: Browser) -> None:
    with at_terminal(chrome, product.url, "empty", DESK_SIZE) as terminal:
        product.sign_in(terminal.context, "leader")
        page = terminal.page
        empty = {"epoch": "none", "n": 0, "items": {}, "now": 1_800_000_000_000}
        page.route(SNAPSHOT, lambda route: route.fulfill(json=empty))
        page.route(STREAM, lambda route: route.fulfill(content_type="text/event-stream", body=": open\n\n"))
        for name in ("desk", "leader"):
            with terminal.leaving():
                page.goto(f"{product.url}/{name}")
                expect(page.locator(f"html[data-ready='{name}']")).to_be_attached(timeout=PATIENT_MS)
            if name == "desk":
                expect(page.locator(".list__grid")).to_contain_text("没有符合条件的在办事件")
                expect(page.locator(".list__unknown")).to_be_hidden()
                expect(page.locator("[data-count='all']")).to_have_text("0")
            else:
                expect(page.locator("#leader-wrong .cy-empty")).to_be_visible()
                expect(page.locator("[data-count='wrong']")).to_have_text("0")
            expect(page.locator("#desk-tiles .cy-tile").first).to_contain_text("尚未算出")
            assert "0" not in page.locator("#desk-tiles .cy-tile__value").all_inner_texts()


@contextmanager
def failing(terminal: Terminal, part: str, status: int) -> Iterator[None]:
    """Within, Dash's question for `part` is answered with `status`."""

    def answer(route: Route) -> None:
        if f'"id":"{part}"' in str(route.request.post_data).replace(" ", "").split('"inputs"')[0]:
            route.fulfill(status=status, json={})
        else:
            route.continue_()

    terminal.page.route(DASH, answer)
    with terminal.expecting("/_dash-update-component", status):
        yield
    terminal.page.unroute(DASH)
    # Dash tells its own console of every answer that is none.
    terminal.faults[:] = [fault for fault in terminal.faults if "Callback" not in fault]


def expect_fault(page: Page, part: str, words: str, *, again: bool) -> None:
    box = page.locator(f"{part} .is-fault")
    expect(box).to_contain_text(words)
    expect(box.get_by_role("button", name="重试")).to_have_count(int(again))


@pytest.mark.parametrize(("status", "words"), [(500, "服务器出错"), (403, "无权查看")])
def test_records_and_detail_that_do_not_come_say_so(
    product: Running, chrome: Browser, status: int, words: str
) -> None:
    known = report(product)
    with at_terminal(chrome, product.url, "desk", DESK_SIZE) as terminal:
        sit_down(terminal, product, "operator", "desk")
        page = terminal.page
        expect(page.locator("#desk-tiles [data-of]")).to_have_count(8)
        with failing(terminal, "records-body", status):
            page.locator("[data-of='open']").click()
            expect_fault(page, "#records-body", words, again=status == 500)
        if status == 500:
            page.locator("#records-body [data-again]").click()
            expect(page.locator(f"#records [data-incident='{known['id']}']")).to_be_visible()
        page.locator("[data-records-close]").click()
        with failing(terminal, "desk-facts", status):
            page.locator("#desk-search").fill(known["number"])
            page.locator(f".grid .ag-row[row-id='{known['id']}'] .two-lines__a").first.click()
            expect_fault(page, "#desk-facts", words, again=status == 500)
            expect(page.locator("#desk-head")).to_be_empty()
            expect(page.locator("#desk-actions")).to_be_empty()
        if status == 500:
            page.locator("#desk-facts [data-again]").click()
            expect(page.locator(".detail__number")).to_have_text(known["number"])
        else:
            page.keyboard.press("Escape")
            open_incident(page, known["number"])


def test_a_part_of_the_leaders_page_that_does_not_come_says_so(product: Running, chrome: Browser) -> None:
    with at_terminal(chrome, product.url, "leader", DESK_SIZE) as terminal:
        with failing(terminal, "leader-unknown", 500):
            sit_down(terminal, product, "leader", "leader")
            for part in ("unknown", "waiting"):
                expect_fault(terminal.page, f"#leader-{part}", "服务器出错", again=True)
                expect(terminal.page.locator(f"[data-count='{part}']")).to_have_text("–")
        terminal.page.locator("#leader-unknown [data-again]").click()
        expect(terminal.page.locator("#leader-unknown .is-fault")).to_have_count(0)
        expect(terminal.page.locator("[data-count='unknown']")).to_have_text(re.compile(r"^\d+$"))
