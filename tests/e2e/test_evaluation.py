"""The evaluation page in Chromium: rates of the month, what they are made of, and the very incidents behind a number."""

from __future__ import annotations

from contextlib import closing

from playwright.sync_api import Browser, expect

from tests.e2e.browser import DESK_SIZE, at_terminal
from tests.e2e.conftest import Running

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""


def test_every_number_opens_its_incidents(running: Running, chrome: Browser) -> None:
    with closing(running.person("operator")) as operator:
        report = {"text": "考评样例：路灯不亮", "class_code": "C0102", "address": "考评路 1 号"}
        filed = operator.command("report_incident", **report).json()
        refused = operator.command("refuse_incident", id=filed["id"], reason="不在职责范围")
        assert refused.status_code == 200, refused.text
    with at_terminal(chrome, running.url, "evaluator", DESK_SIZE) as terminal:
        running.log_in(terminal, "evaluator", "evaluation")
        page = terminal.page
        line = page.locator("#evaluation-total tr", has_text="有效上报率")
        expect(line).to_contain_text("÷")
        expect(line.locator(".behind")).to_have_count(2)
        line.locator(".behind").last.click()
        cases = page.locator("#evaluation-cases")
        expect(cases).to_contain_text(filed["number"])
        for group in ("单位", "岗位", "小类", "来源", "区域"):
            page.locator("#evaluation-by").get_by_text(group, exact=True).click()
            expect(page.locator("#evaluation-groups thead")).to_contain_text(group)
        page.locator("#evaluation-total tr", has_text="有效上报率").locator(".behind").last.click()
        expect(cases).to_contain_text(filed["number"])
        page.screenshot(path=running.artifacts / "evaluation.png")
        page.locator("[data-look=burden]").click()
        expect(cases).to_contain_text("不按人")
        page.locator("[data-look=doubts]").click()
        expect(cases.locator("details")).to_have_count(5)
        page.screenshot(path=running.artifacts / "evaluation_doubts.png")
        for kind in ("xlsx", "pdf"):
            with page.expect_download() as arrived:
                page.locator(f"[data-report={kind}]").click()
            name = arrived.value.suggested_filename
            assert name.endswith(f"考评月报.{kind}"), name
            arrived.value.save_as(running.artifacts / f"month_report.{kind}")


def test_a_formula_is_revised_and_begins_on_its_day(running: Running, chrome: Browser) -> None:
    with at_terminal(chrome, running.url, "evaluator", DESK_SIZE) as terminal:
        running.log_in(terminal, "evaluator", "formulas")
        page = terminal.page
        listed = page.locator("#formulas-body")
        row = listed.locator("tr", has_text="延期率").first
        expect(row).to_contain_text("在用")
        row.get_by_role("button", name="修订").click()
        expect(page.locator("#formula-id")).to_have_value("extension_rate")
        page.locator("#formula-reason").fill("挂账不计延期")
        page.locator("#formula-exclude").click()
        page.get_by_text("挂账", exact=True).last.click()
        page.keyboard.press("Escape")
        page.locator("[data-save=formula]").click()
        expect(page.locator("#_toasts, .cy-toast").first).to_contain_text("第 2 版")
        expect(listed).to_contain_text("挂账不计延期")
        expect(listed.locator("tr", has_text="挂账不计延期")).to_contain_text("待生效")
        expect(page.locator("#score-weights .ag-row").first).to_be_attached()
        page.screenshot(path=running.artifacts / "formulas.png")
        page.locator("#score-reason").scroll_into_view_if_needed()
        page.screenshot(path=running.artifacts / "formulas_score.png")
