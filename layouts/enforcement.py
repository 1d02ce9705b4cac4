"""执法案件: late ones on the duty leader's page, each with what to do about it; those of an incident in its detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]


def panel(view: View) -> Component:
    """Where late cases are listed; it takes no room while there are none."""
    head = html.Div(
        [
            pieces.icon("clipboard-check"),
            html.H2(view.t("cases.late"), className="cy-panel__title"),
            html.Span(id=ids.LEADER_CASES_NOTE, className="cy-panel__note cy-clip"),
        ],
        className="cy-panel__head",
    )
    body = html.Div(id=ids.LEADER_CASES, className="cy-panel__body column__list cases__list")
    return html.Section([head, body], className="cy-panel cy-panel--flush column cases")


def note(view: View, answer: Row) -> str:
    """How many there are, by which limit."""
    limit: Row = answer["limit"]
    words = view.t("cases.limit", n=limit["days"], kind=view.word("cases.kind", limit["kind"]))
    return view.t("cases.late.note", n=answer["total"], limit=words)


def late(view: View, answer: Row) -> list[Component]:
    """The late cases, the oldest first; that nobody can say which are late is a line too."""
    if answer.get("due_unknown"):
        words = html.Div(view.t("cases.due_unknown"), className="cy-item__title")
        return [html.Div([pieces.icon("circle-help"), words], className="cy-item")]
    return [_late(view, row) for row in answer["rows"]]


def _late(view: View, row: Row) -> Component:
    over = row.get("late_s")
    lamp = view.t("cases.over", span=view.span(over)) if over is not None else view.t("cases.over.unknown")
    said = " · ".join(str(x) for x in (row["unit"], row["stage"]) if x)
    main = html.Div(
        [
            html.Div(f"{row['case']} {row['title']}".strip(), className="cy-item__title"),
            html.Div(said, className="cy-item__sub"),
            html.Div([html.Span(lamp, className="lamp lamp--wrong"), *_acts(view, row)], className="cy-row"),
        ],
        className="cy-item__main",
    )
    side = html.Div(
        view.t("cases.opened", day=view.moment(row["opened_at"], "%Y-%m-%d")), className="cy-item__side"
    )
    return html.Div([main, side], className="cy-item card", **attrs({"data-case": row["case"]}))


def _acts(view: View, row: Row) -> list[Component]:
    """The way to the incident, and 督办 where it can be; else why not."""
    if not row.get("incident"):
        return [html.Span(view.t("cases.unlinked"), className="cy-faint")]
    link = html.A(
        str(row["number"]),
        href=f"/desk#incident={row['incident']}",
        className="cy-button cy-button--small cy-num",
    )
    if row.get("supervised"):
        return [link, html.Span(view.t("cases.supervised"), className="lamp lamp--warn")]
    if not row.get("can_supervise"):
        return [link, html.Span(view.t("cases.not_supervisable"), className="cy-faint")]
    demand = view.t("cases.demand", case=row["case"], unit=row["unit"])
    press: dict[str, object] = {
        "action": "supervise", "id": row["incident"], "version": row["version"], "reason": demand,
    }  # fmt: skip
    return [link, pieces.button(view.word("action", "supervise"), kind="small primary", act=press)]


def of_incident(view: View, rows: Sequence[Row]) -> list[Component]:
    """A line for each case of an incident: number · unit · stage · result."""
    return [
        html.Div(
            " · ".join((row["case"], row["unit"], row["stage"], row["result"] or view.t("cases.no_result"))),
            className="detail__case",
        )
        for row in rows
    ]
