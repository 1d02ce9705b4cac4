"""落点 in Chromium: a report whose address is no place waits with the reason; an operator takes a candidate, or a point of
the map, and it lies in a cell."""

from __future__ import annotations

from contextlib import closing

from playwright.sync_api import Browser, expect

from tests.e2e.browser import DESK_SIZE, at_terminal
from tests.e2e.conftest import Running

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""


def test_what_is_no_place_is_put_somewhere_by_a_person(running: Running, chrome: Browser) -> None:
    with closing(running.person("operator")) as operator:

        def report(address: str) -> dict[str, object]:
            told = operator.command(
                "report_incident",
                text="井盖缺失，请处理",
                class_code="C0101",
                channel="hotline",
                address=address,
            ).json()
            found: dict[str, object] = operator.ask("incident", id=told["id"]).json()
            return found

        placed = report("临澜市安航路９號门口")
        assert placed["cell"] and placed["place_from"], placed
        report("茶台二街与安航路交叉口")
        waits = report("茶苔二街5号")
        assert not waits["cell"]
        with at_terminal(chrome, running.url, "operator", DESK_SIZE) as terminal:
            running.log_in(terminal, "operator", "places")
            page = terminal.page
            line = page.locator(".places__line", has_text="茶苔二街5号")
            expect(line).to_contain_text("有几处都符合")
            line.click()
            first = page.locator(".places__candidate").first
            expect(first).to_contain_text("名称有一字之差")
            first.get_by_role("button").click()
            expect(page.locator("#places-lon")).not_to_have_value("")
            page.locator(".places__map canvas").wait_for()
            page.wait_for_function("() => document.querySelector('.places__map canvas').clientWidth > 100")
            page.screenshot(path=running.artifacts / "places.png")
            page.locator("#places-save").click()
            expect(page.locator(".cy-toasts")).to_contain_text("reason")
            page.locator("#places-reason").fill("已与来电人核实")
            page.locator("#places-save").click()
            expect(page.locator(".cy-toasts")).to_contain_text("已落点")
            expect(line).to_have_count(0)
        after = operator.ask("incident", id=waits["id"]).json()
        assert after["cell"] and after["timeline"][-1]["reason"] == "已与来电人核实"
