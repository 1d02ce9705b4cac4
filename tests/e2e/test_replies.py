"""答复 in Chromium: who called a hotline waits to be told; the operator sees the words, asks for the phone with a reason, and
says that it was told."""

from __future__ import annotations

from contextlib import closing

from playwright.sync_api import Browser, expect

from tests.e2e.browser import DESK_SIZE, at_terminal
from tests.e2e.conftest import Running

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""


def test_who_called_is_told_what_became_of_it(running: Running, chrome: Browser) -> None:
    with closing(running.person("operator")) as operator:
        told = operator.command(
            "report_incident", text="路灯不亮", class_code="C0101", channel="hotline", address="",
            reporter_name="周小兰", reporter_phone="13912340077",
        ).json()  # fmt: skip
        operator.command("refuse_incident", id=told["id"], reason="该路段路灯尚未移交")
        with at_terminal(chrome, running.url, "operator", DESK_SIZE) as terminal:
            running.log_in(terminal, "operator", "replies")
            page = terminal.page
            line = page.locator(".places__line", has_text=told["number"])
            expect(line).to_contain_text("不受理")
            line.click()
            expect(page.locator(".places__words")).to_contain_text("经核实不予受理：该路段路灯尚未移交")
            page.locator("#replies-show").click()
            expect(page.locator(".cy-toasts")).to_contain_text("reason")
            page.locator("#replies-reason").fill("回复来电人")
            page.locator("#replies-show").click()
            expect(page.locator("#replies-people")).to_contain_text("13912340077")
            page.screenshot(path=running.artifacts / "replies.png")
            page.locator("#replies-unreached").click()
            expect(page.locator(".cy-toasts")).to_contain_text("note")
            page.locator("#replies-told").click()
            expect(page.locator(".cy-toasts")).to_contain_text("已记录")
            expect(line).to_have_count(0)
        assert operator.ask("incident", id=told["id"]).json()["replies"] == {"told": 1}
