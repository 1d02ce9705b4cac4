"""考评月报: what a month's report says, as sections of plain tables; `month_report_xlsx` and `month_report_pdf` draw them.

A number keeps its kind (percent, points, count), so that a spreadsheet has numbers and a page has words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from layouts.evaluation import SHOWN, definition, name_of, recounted, weights_in_words
from layouts.shell.view import View

Row = Mapping[str, Any]
Cell = str | int | float | None

GROUPINGS: Final = ("area", "unit", "post", "class", "channel")
MOST_GROUPS: Final = 60
"""Groups of one section; a report that is longer is not read, and the section says how many there are."""


@dataclass(frozen=True, slots=True)
class Column:
    """`kind`: text, count, percent (0 … 1), change (points of percent), points. `width`: share of the page."""

    head: str
    kind: str
    width: float


@dataclass(frozen=True, slots=True)
class Section:
    """One table under its title; `note` in words below it."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class MonthReport:
    """The whole report. `facts` are lines under the title: the period, the area, when it was made, what it does not know."""

    title: str
    facts: tuple[str, ...]
    sections: tuple[Section, ...]


def month_report(view: View, answers: Mapping[str, Row]) -> MonthReport:
    """The report of a month from the answers of Evaluation by each of GROUPINGS."""
    first = answers[GROUPINGS[0]]
    month = view.t("report.month", year=first["begin"][:4], month=int(first["begin"][5:7]))
    area = first["area_name"] or view.city
    facts = [
        view.t("report.period", begin=first["begin"], end=first["end"], area=area),
        view.t("report.made", at=view.moment(first["as_of"], "%Y-%m-%d %H:%M"), name=view.actor.name),
    ]
    if first["unfinished"]:
        facts.append(view.t("evaluation.unfinished"))
    if checked := recounted(view, first["recount"]):
        facts.append(checked)
    score = first["total"]["score"]
    facts.append(
        view.t("evaluation.score", n="–" if score is None else f"{score:.1f}") + _weights(view, first)
    )
    sections = (_rates(view, first), *(_ranking(view, answers[by]) for by in GROUPINGS))
    return MonthReport(view.t("report.title", month=month, area=area), tuple(facts), sections)


def _weights(view: View, answer: Row) -> str:
    words = weights_in_words(view, answer["score"]["weights"], answer["formulas"])
    return view.t("report.weights", version=answer["score"]["version"], words=words)


def _points(now: Row, then: Row | None) -> float | None:
    if then is None or now["value"] is None or then["value"] is None:
        return None
    return (float(now["value"]) - float(then["value"])) * 100


def _rates(view: View, answer: Row) -> Section:
    total, rows = answer["total"], []
    for formula in answer["formulas"]:
        rate = total["rates"].get(formula["id"])
        if rate is None:
            continue
        changes = [
            _points(rate, total[then]["rates"].get(formula["id"])) for then in ("before", "year_before")
        ]
        version = view.t(
            "evaluation.version", n=formula["version"], author=view.word("author", formula["author"])
        )
        how = f"{definition(view, formula)} · {version}"
        rows.append(
            (name_of(view, formula), rate["value"], rate["numerator"], rate["denominator"], *changes, how)
        )
    columns = (
        Column(view.t("evaluation.head.formula"), "text", 14), Column(view.t("evaluation.head.value"), "percent", 9),
        Column(view.t("evaluation.part.numerator"), "count", 8), Column(view.t("evaluation.part.denominator"), "count", 8),
        Column(view.t("evaluation.head.before"), "change", 8), Column(view.t("evaluation.head.year_before"), "change", 8),
        Column(view.t("report.how"), "text", 45),
    )  # fmt: skip
    return Section(view.t("report.rates"), columns, tuple(rows), view.t("report.changes_note"))


def _ranking(view: View, answer: Row) -> Section:
    by = str(answer["by"])
    names = {formula["id"]: name_of(view, formula) for formula in answer["formulas"]}
    shown = [id for id in SHOWN if id in names]
    words = {"channel": "channel", "post": "role"}.get(by)
    rows: list[tuple[Cell, ...]] = []
    for place, group in enumerate(answer["groups"][:MOST_GROUPS], 1):
        label = group["name"] or (view.word(words, group["group"]) if words else group["group"])
        cells: list[Cell] = []
        for id in shown:
            cells += [group["rates"][id]["value"], group["rates"][id]["denominator"]]
        rank = None if group["score"] is None else place
        rows.append((rank, label or view.t("evaluation.no_group"), group["score"], *cells))
    count = view.t("evaluation.part.denominator")
    columns = [Column("#", "count", 4), Column(view.t(f"evaluation.by.{by}"), "text", 18)]
    columns += [Column(view.t("evaluation.points"), "points", 8)]
    for id in shown:
        columns += [Column(names[id], "percent", 10), Column(count, "count", 7)]
    left = len(answer["groups"]) - len(rows)
    note = view.t("report.more_groups", n=left) if left > 0 else ""
    return Section(
        view.t("report.ranking", by=view.t(f"evaluation.by.{by}")), tuple(columns), tuple(rows), note
    )
