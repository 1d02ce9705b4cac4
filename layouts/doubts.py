"""存疑与负担: questions of a period to a person, each with the incidents it is about, and how long field work takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import html
from dash.development.base_component import Component

from layouts.shell import pieces
from layouts.shell.view import View

Row = Mapping[str, Any]


def doubts(view: View, answer: Row) -> list[Component]:
    """Every kind of question, with how many of how many, and the first incidents."""
    note = [view.t("doubts.rule")]
    if answer["photos_waiting"]:
        note.append(view.t("doubts.photos_waiting", n=answer["photos_waiting"]))
    return [
        _head(view.t("evaluation.look.doubts"), " · ".join(note)),
        *(_question(view, question) for question in answer["questions"]),
    ]


def _head(title: str, note: str) -> Component:
    return html.Div(
        [html.H2(title, className="cy-panel__title"), html.Span(note, className="cy-faint")],
        className="cy-panel__head",
    )


def _question(view: View, question: Row) -> Component:
    kind, found = question["kind"], question["found"]
    share = "–" if not question["of"] else f"{found / question['of'] * 100:.1f}%"
    summary = html.Summary(
        [
            html.Span(view.t(f"doubts.{kind}"), className="cy-strong"),
            html.Span(f" {found} / {question['of']} · {share} ", className="cy-num"),
            html.Span(view.t(f"doubts.{kind}.why"), className="cy-faint"),
        ]
    )
    rows = [
        html.Tr(
            [
                html.Td(html.A(row["number"], href=f"/desk#incident={row['id']}", className="cy-num")),
                html.Td(row["title"]),
                html.Td(row["class_name"]),
                html.Td(row["unit"] or ""),
                html.Td(view.moment(row["reported_at"], "%Y-%m-%d %H:%M"), className="cy-num"),
                html.Td(row["why"], className="cy-num"),
            ]
        )
        for row in question["rows"]
    ]
    more = [html.Div(view.t("evaluation.shown", n=len(rows), total=found), className="cy-faint")]
    table = html.Table(html.Tbody(rows), className="cy-table evaluation__table")
    return html.Details(
        [summary, table, *(more if len(rows) < found else [])], open=bool(rows), className="doubts__question"
    )


def burden(view: View, answer: Row) -> list[Component]:
    """Medians by class and town, those of many tasks first."""
    note = view.t("burden.rule", least=answer["least"], n=answer["withheld"])
    head = html.Tr([html.Th(view.t(f"burden.{name}")) for name in ("class", "town", "tasks", "median")])
    rows = [
        html.Tr(
            [
                html.Td(row["class_name"]),
                html.Td(row["town_name"] or row["town"] or view.t("evaluation.no_group")),
                html.Td(f"{row['tasks']:,}", className="cy-num"),
                html.Td(view.span(row["median_min"] * 60), className="cy-num"),
            ]
        )
        for row in answer["rows"]
    ]
    table = html.Table([html.Thead(head), html.Tbody(rows)], className="cy-table evaluation__table")
    return [
        _head(view.t("evaluation.look.burden"), note),
        table if rows else pieces.empty(view.t("evaluation.nothing")),
        *forms(view, answer["forms"]),
    ]


def forms(view: View, answer: Row) -> list[Component]:
    """Seconds on the phone's own forms by form and town, those sent most often first."""
    note = view.t("burden.forms.rule", least=answer["least"], people=answer["people"], n=answer["withheld"])
    columns = ("form", "town", "count", "median_s", "p90_s", "taps")
    head = html.Tr([html.Th(view.t(f"burden.forms.{name}")) for name in columns])
    rows = [
        html.Tr(
            [
                html.Td(view.t(f"burden.form.{row['form']}")),
                html.Td(row["town_name"] or row["town"] or view.t("evaluation.no_group")),
                html.Td(f"{row['count']:,}", className="cy-num"),
                html.Td(view.t("burden.forms.seconds", n=f"{row['median_s']:.0f}"), className="cy-num"),
                html.Td(view.t("burden.forms.seconds", n=f"{row['p90_s']:.0f}"), className="cy-num"),
                html.Td(f"{row['taps']:.0f}", className="cy-num"),
            ]
        )
        for row in answer["rows"]
    ]
    table = html.Table([html.Thead(head), html.Tbody(rows)], className="cy-table evaluation__table")
    return [
        _head(view.t("burden.forms.title"), note),
        table if rows else pieces.empty(view.t("evaluation.nothing")),
    ]
