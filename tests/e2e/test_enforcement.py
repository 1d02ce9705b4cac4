"""执法监督 in Chromium: a case of the enforcement platform arrives by the bus, is late, and the duty leader supervises the
incident it belongs to; the desk shows the case at the incident."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser, expect

from tests.e2e.browser import DESK_SIZE, LEADER_SIZE, PATIENT_MS, at_terminal
from tests.e2e.city import envelope
from tests.e2e.conftest import Running
from tests.e2e.waiting import until

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""

TOPIC = "city.enforcement-case.v1"


def test_a_late_case_is_supervised_from_the_leaders_page(running: Running, chrome: Browser) -> None:
    with (
        closing(running.person("operator")) as operator,
        closing(running.person("dispatcher")) as dispatcher,
        closing(running.person("leader")) as asker,
    ):
        told = operator.command(
            "report_incident", text="门店占道经营", class_code="C0101", channel="hotline", address=""
        ).json()
        number = f"临执〔2026〕{told['id']:04d}号"
        operator.command("accept_incident", id=told["id"])
        unit = dispatcher.ask("units").json()["rows"][0]["code"]
        dispatcher.command("dispatch_incident", id=told["id"], unit=unit)
        opened = datetime.now(UTC) - timedelta(days=101)
        case = {
            "case": number, "title": "占道经营", "unit": unit, "stage": "调查取证", "opened_at": opened.isoformat(),
            "incident": told["number"],
        }  # fmt: skip
        with at_terminal(chrome, running.url, "leader", LEADER_SIZE) as terminal:
            running.log_in(terminal, "leader", "leader")
            page = terminal.page
            expect(page.locator(".cases")).to_be_hidden()
            assert running.product.post(TOPIC, [envelope(TOPIC, number, case, "api")], "api") == 202
            until(lambda: asker.ask("enforcement_cases", late="true").json()["rows"], "the case is stored")
            line = page.locator("[data-case]", has_text=number)
            expect(line).to_contain_text("超期 11 天", timeout=PATIENT_MS)
            expect(line).to_contain_text(told["number"])
            page.screenshot(path=running.artifacts / "enforcement-late.png")
            line.get_by_role("button", name="督办").click()
            expect(page.locator(".cy-toast")).to_contain_text("督办")
            expect(line).to_contain_text("督办中", timeout=PATIENT_MS)
        supervision = asker.ask("incident", id=told["id"]).json()["supervision"]
        assert number in supervision["demand"] and supervision["ended_at"] is None
        with at_terminal(chrome, running.url, "dispatcher", DESK_SIZE) as terminal:
            running.sign_in(terminal.context, "dispatcher")
            terminal.page.goto(f"{running.url}/desk#incident={told['id']}")
            facts = terminal.page.locator("#desk-facts")
            expect(facts).to_contain_text(number, timeout=PATIENT_MS)
            expect(facts).to_contain_text("调查取证 · 尚无结果")
            terminal.page.screenshot(path=running.artifacts / "enforcement-detail.png")
