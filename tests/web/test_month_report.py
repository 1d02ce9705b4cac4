"""The month report over HTTP: the same numbers as the page's, in a spreadsheet and in a PDF, for those who may see them."""

from __future__ import annotations

import io
from calendar import monthrange
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from layouts.month_report import Column
from layouts.month_report_pdf import words
from tests.web.conftest import Stage
from tests.web.test_rest import file_one


def month(stage: Stage) -> str:
    return stage.clock().astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m")


def test_the_spreadsheet_says_what_the_page_says(stage: Stage) -> None:
    file_one(stage)
    client = stage.login("evaluator")
    reply = client.get(f"/api/v1/export/evaluation.xlsx?month={month(stage)}")
    assert reply.status_code == 200, reply.text
    book = load_workbook(io.BytesIO(reply.content))
    assert [sheet.title for sheet in book] == [
        "指标", "按区域排名", "按单位排名", "按岗位排名", "按小类排名", "按来源排名",
    ]  # fmt: skip
    told = {row[0]: row for row in book["指标"].values}
    year, number = map(int, month(stage).split("-"))
    days = {"begin": f"{month(stage)}-01", "end": f"{month(stage)}-{monthrange(year, number)[1]}"}
    page = client.get("/api/v1/queries/evaluation", params=days).json()
    rate = page["total"]["rates"]["valid_report_rate"]
    assert told["有效上报率"][1:4] == (rate["value"], rate["numerator"], rate["denominator"])
    assert rate["denominator"] > 0 and "÷" in str(told["有效上报率"][6])
    assert "考评月报" in str(next(iter(book["指标"].values))[0])


def test_the_pdf_is_one_with_its_font_inside(stage: Stage) -> None:
    reply = stage.login("evaluator").get(f"/api/v1/export/evaluation.pdf?month={month(stage)}")
    assert reply.status_code == 200 and reply.headers["content-type"] == "application/pdf"
    assert (
        reply.content.startswith(b"%PDF-")
        and b"NotoSansSC" in reply.content
        and b"FontFile2" in reply.content
    )
    assert "evaluation-" in reply.headers["content-disposition"]


@pytest.mark.parametrize("kind", ["xlsx", "pdf"])
def test_reports_are_for_those_who_may_and_audited(stage: Stage, kind: str) -> None:
    path = f"/api/v1/export/evaluation.{kind}"
    assert stage.login("operator").get(f"{path}?month=2026-11").status_code == 403
    evaluator = stage.login("evaluator")
    assert evaluator.get(f"{path}?month=2026-13").status_code == 422
    assert evaluator.get(f"{path}?month=2026-11&area=nowhere").status_code == 404
    assert evaluator.get(f"{path}?month=2026-11").status_code == 200
    rows = stage.db.query(
        "SELECT actor, allowed FROM audit WHERE thing LIKE 'month_report:%' ORDER BY id DESC LIMIT 1"
    )
    assert rows[0][1] is True


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("percent", 0.98765, "98.8%"), ("change", -0.04, "0.0"), ("change", 1.26, "+1.3"), ("points", 96, "96.0"),
        ("count", 83613, "83,613"), ("count", None, "–"), ("text", "<b>", "<b>"),
    ],
)  # fmt: skip
def test_cells_as_they_are_read(kind: str, value: float | str | None, text: str) -> None:
    assert words(Column("", kind, 1), value) == text
