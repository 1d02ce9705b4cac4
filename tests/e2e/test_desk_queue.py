"""The dispatcher's queue in Chromium: by keyboard, several at once, two side by side, and who reported only with a reason."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.e2e.browser import DESK_SIZE, at_terminal
from tests.e2e.city import RUBBISH, places_with_workers
from tests.e2e.conftest import Running
from tests.e2e.test_handling import Office
from tests.e2e.test_story import feed_says

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""


def test_the_queue_by_keyboard(running: Running, chrome: Browser) -> None:
    stop = places_with_workers()[5]
    mark = f"{stop.name}巡查"
    for n, metres in enumerate((0, 85, -900)):
        report = {
            "channel": "hotline", "class": RUBBISH, "title": f"{mark}第{n + 1}处垃圾",
            # Longer words that are alike would make the first two one by themselves.
            "text": f"{mark}第{n + 1}处垃圾" + ("，请回电13912345678" if n == 2 else ""),
            "reporter": {"name": "王小明", "phone": "13912345678"},
            "point": {"lon": stop.lon, "lat": stop.lat + metres / 111_195},
        }  # fmt: skip
        feed_says(running, "city.grid-report.v1", "", report)
    with at_terminal(chrome, running.url, "operator", DESK_SIZE) as terminal:
        running.log_in(terminal, "operator", "desk")
        desk = Office(terminal)
        desk.narrow(mark)
        expect(desk.row(mark)).to_have_count(3)
        the_help_tells_the_keys(running, desk)
        several_at_once(running, desk)
        who_reported_with_a_reason(running, desk, f"{mark}第3处垃圾")
        two_side_by_side(running, desk, f"{mark}第2处垃圾")


def the_help_tells_the_keys(running: Running, desk: Office) -> None:
    page = desk.page
    page.locator("#desk-search").blur()
    page.keyboard.press("?")
    expect(page.locator("#desk-keys")).to_be_visible()
    expect(page.locator("#desk-keys")).to_contain_text("勾选当前件")
    page.screenshot(path=running.artifacts / "queue-keys.png")
    page.keyboard.press("Escape")
    expect(page.locator("#desk-keys")).to_be_hidden()


def several_at_once(running: Running, desk: Office) -> None:
    """Marked by x while j goes on; one reason; what became of each is told, also of the one that cannot be done."""
    page, bar = desk.page, desk.page.locator("#desk-batch-bar")
    for n in range(3):
        page.keyboard.press("j")
        expect(desk.button("备注")).to_be_visible()
        page.keyboard.press("x")
        expect(bar).to_contain_text(f"已勾选 {n + 1} 件")
    expect(page.locator(".mark[aria-checked='true']")).to_have_count(3)
    bar.get_by_role("button", name="备注").click()
    desk.expect_told("请填写原因")
    bar.locator("#desk-batch-reason").fill("同一网格，一并巡查")
    page.screenshot(path=running.artifacts / "queue-marked.png")
    bar.get_by_role("button", name="备注").click()
    told = page.locator("#records-body")
    expect(told).to_contain_text("完成 3 件，未完成 0 件")
    expect(bar).to_be_hidden()
    page.screenshot(path=running.artifacts / "queue-batch.png")
    page.keyboard.press("Escape")
    page.locator(".mark").first.click()
    page.locator(".mark").nth(1).click()
    bar.get_by_role("button", name="结案").click()
    expect(told).to_contain_text("完成 0 件，未完成 2 件")
    page.keyboard.press("Escape")


def who_reported_with_a_reason(running: Running, desk: Office, words: str) -> None:
    """Masked in list, card and timeline; in full after a reason, until another incident is chosen."""
    page = desk.page
    desk.open(words)
    facts = page.locator("#desk-facts")
    expect(facts).to_contain_text("王**")
    expect(facts).to_contain_text("********678")
    expect(page.locator(".work")).not_to_contain_text("13912345678")
    facts.get_by_role("button", name="显示").click()
    page.locator("#desk-act-reason").fill("需回电核实地点")
    page.keyboard.press("Control+Enter")
    persons = page.locator("#desk-persons")
    expect(persons).to_contain_text("王小明")
    expect(persons).to_contain_text("13912345678")
    page.screenshot(path=running.artifacts / "queue-unmasked.png")


def two_side_by_side(running: Running, desk: Office, words: str) -> None:
    """c shows both with score and reasons; merged from there, with a reason."""
    page = desk.page
    desk.open(words)
    expect(page.locator("#desk-persons")).to_be_empty()
    expect(page.locator("#desk-facts")).to_contain_text("可能是同一事件")
    page.keyboard.press("c")
    shown = page.locator("#records")
    expect(shown).to_contain_text("是否同一事件")
    expect(shown.locator(".compare")).to_contain_text("第1处垃圾")
    expect(shown).to_contain_text("相距 85 米")
    expect(shown).not_to_contain_text("13912345678")
    page.screenshot(path=running.artifacts / "queue-compare.png")
    shown.locator(".compare__foot button").first.click()
    expect(shown).to_be_hidden()
    page.locator("#desk-act-reason").fill("同一处")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".stepper__ended")).to_have_text("作废")
