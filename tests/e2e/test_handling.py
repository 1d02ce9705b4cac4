"""An incident that goes wrong in every way the rules know, in Chromium: 退回, 延期, 挂账, 督办, 返工, 申诉, 回访; and two
reports that are one. Issue C "Must show" 9. Everybody looks at the same incident; nobody loads a page anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser import DESK_SIZE, Terminal, at_terminal
from tests.e2e.city import RUBBISH, places_with_workers
from tests.e2e.conftest import FAILED, Running
from tests.e2e.test_story import Desk, Seat, feed_says

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""


@pytest.fixture
def seat(running: Running, chrome: Browser, request: pytest.FixtureRequest) -> Iterator[Seat]:
    """Opens terminals; at the end they close, and their faults fail the test."""
    opened: list[Terminal] = []
    with ExitStack() as stack:

        def take(name: str, size: dict[str, int], *, touch: bool = False) -> Terminal:
            opened.append(stack.enter_context(at_terminal(chrome, running.url, name, size, touch=touch)))
            return opened[-1]

        yield take
        if request.node.stash.get(FAILED, False):
            for terminal in opened:
                terminal.page.screenshot(path=running.artifacts / f"failed-{terminal.name}.png")


class Office(Desk):
    """A desk with the forms of the steps beside the way."""

    def act(self, name: str, reason: str = "", **given: str) -> None:
        """Press a button, fill in what it asks for, confirm. `given`: particular → what to click or type."""
        self.button(name).click()
        form = self.page.locator("#desk-act")
        if not reason and not given:
            return
        expect(form).to_be_visible()
        for particular, value in given.items():
            part = form.locator(f"[data-for='{particular}']")
            expect(part).to_be_visible()
            if particular == "until":
                part.locator("input").first.fill(value)
                part.locator("input").first.press("Tab")
            elif particular == "hours":
                part.locator("input").fill(value)
            else:
                part.get_by_text(value, exact=True).click()
        if reason:
            form.locator("#desk-act-reason").fill(reason)
        form.locator("[data-act-confirm]").click()
        expect(form).to_be_hidden()

    def told(self) -> list[str]:
        """The timeline's actions."""
        return self.page.locator("#desk-timeline .cy-timeline__what").all_inner_texts()

    def expect_told_of(self, words: str) -> None:
        """The facts say so."""
        expect(self.page.locator("#desk-facts")).to_contain_text(words)


def at_desk(running: Running, seat: Seat, name: str, login: str, home: str) -> Office:
    """Somebody at a desk; who lands elsewhere goes there."""
    terminal = seat(name, DESK_SIZE)
    running.log_in(terminal, login, home)
    if home != "desk":
        with terminal.leaving():
            terminal.page.goto(f"{running.url}/desk")
            expect(terminal.page.locator("html[data-ready='desk']")).to_be_attached()
        terminal.stay()
    return Office(terminal)


def test_everything_that_goes_wrong(running: Running, seat: Seat) -> None:
    stop = places_with_workers()[1]
    operator = at_desk(running, seat, "operator", "operator", "desk")
    dispatcher = at_desk(running, seat, "dispatcher", "dispatcher", "desk")
    words = f"{stop.name}东侧垃圾成堆"
    report = {
        "channel": "grid", "class": RUBBISH, "title": words, "text": words, "address": stop.name,
        "point": {"lon": stop.lon, "lat": stop.lat},
    }  # fmt: skip
    feed_says(running, "city.grid-report.v1", "", report)
    feed_says(running, "city.grid-report.v1", "", {**report, "text": f"{words}，又有人投诉"})
    for desk in (operator, dispatcher):
        desk.narrow(words)
        expect(desk.row(words)).to_have_count(1)
        desk.open(words)
    expect(operator.page.locator("#desk-sources .source")).to_have_count(2)

    operator.button("受理").click()
    dispatcher.expect_stage("受理")
    send = dispatcher.page.locator("#desk-dispatch .route").get_by_role("button", name="派遣")
    unit = str(json.loads(send.get_attribute("data-act") or "{}")["unit"])
    send.click()
    dispatcher.expect_stage("派遣")

    office = at_desk(running, seat, "office", f"unit-{unit.lower()}", "phone")
    office.narrow(words)
    office.open(words)
    office.act("申请延期", "清运车检修")
    dispatcher.expect_told_of("申请延期")
    dispatcher.act("同意申请")
    office.expect_told_of("已延期 1 次")
    office.act("申请挂账", "待产权方确认", until="2027-03-01")
    dispatcher.expect_told_of("申请挂账至 2027-03-01")
    dispatcher.act("同意申请")
    office.expect_told_of("挂账至 2027-03-01")
    dispatcher.act("解除挂账", "产权方已确认")
    expect(office.page.locator("#desk-facts")).not_to_contain_text("挂账至 2027-03-01")

    leader = at_desk(running, seat, "leader", "leader", "leader")
    leader.narrow(words)
    leader.open(words)
    leader.act("督办", "今日清完并回复", degree="二级督办", hours="2")
    office.expect_told_of("未签收")
    office.act("签收督办")
    office.act("回复督办", "下午三点前清完")
    leader.expect_told_of("下午三点前清完")
    leader.page.screenshot(path=running.artifacts / "handling-supervised.png")
    leader.act("督办办结")
    office.expect_told_of("已办结")
    assert [x for x in office.told() if "督办" in x] == ["督办", "签收督办", "回复督办", "督办办结"]


def test_two_reports_may_be_one(running: Running, seat: Seat) -> None:
    """Suggested with why, merged by hand, taken apart again."""
    stop = places_with_workers()[2]
    operator = at_desk(running, seat, "operator", "operator", "desk")
    for n, metres in enumerate((0, 85)):
        words = f"{stop.name}第{n + 1}处垃圾"
        point = {"lon": stop.lon, "lat": stop.lat + metres / 111_195}
        report = {"channel": "grid", "class": RUBBISH, "title": words, "text": words, "point": point}
        feed_says(running, "city.grid-report.v1", "", report)
        operator.narrow(words)
        expect(operator.row(words)).to_have_count(1)
    operator.open(words)
    facts = operator.page.locator("#desk-facts")
    expect(facts).to_contain_text("可能是同一事件（1）")
    expect(facts).to_contain_text("相距 85 米")
    operator.page.screenshot(path=running.artifacts / "handling-suggested.png")
    facts.get_by_role("button", name="合并到该件").click()
    operator.page.locator("#desk-act-reason").fill("同一处")
    operator.page.locator("[data-act-confirm]").click()
    expect(operator.page.locator(".stepper__ended")).to_have_text("作废")
    first = f"{stop.name}第1处垃圾"
    operator.narrow(first)
    operator.open(first)
    expect(operator.page.locator("#desk-sources .source")).to_have_count(2)
    expect(facts).to_contain_text("已并入（1）")
    facts.get_by_role("button", name="拆回").click()
    operator.page.locator("#desk-act-reason").fill("实为两处")
    operator.page.locator("[data-act-confirm]").click()
    expect(operator.page.locator("#desk-sources .source")).to_have_count(1)
    operator.narrow(words)
    expect(operator.row(words)).to_have_count(1)
