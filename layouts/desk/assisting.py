"""协办 on the desk: whom to ask beside the dispatch, and how far each unit is that was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import pieces
from layouts.shell.view import View

Row = Mapping[str, Any]


def beside_dispatch(view: View) -> Component:
    """Who is to help, chosen before the lead is sent; filled and shown where this actor may dispatch."""
    control = _units(view, ids.DESK_ASSISTING)
    return html.Div(
        pieces.field(view.t("desk.assisting"), control, hint=view.t("desk.assisting.hint")),
        id=ids.DESK_ASSIST,
        hidden=True,
        className="detail__part",
    )


def chooser(view: View) -> Component:
    """The field in the form of 请求协办."""
    return pieces.field(view.t("desk.assisting"), _units(view, ids.DESK_ACT_UNITS), required=True)


def _units(view: View, id: str) -> Component:
    return dcc.Dropdown(
        labels=pieces.dropdown_words(view),
        id=id,
        options=[],
        value=[],
        multi=True,
        placeholder=view.t("desk.assisting.none"),
        maxHeight=240,
    )


def options(rows: Sequence[Row], lead: str) -> list[dict[str, Any]]:
    """Units that can be asked: all that take orders, but not the lead."""
    return [
        {"label": str(row["name"]), "value": row["code"], "search": f"{row['code']} {row['name']}"}
        for row in rows
        if row["code"] != lead and not row["disabled"]
    ]


def told(view: View, incident: Row) -> list[Component]:
    """A line for each unit: what is asked of it, how far it is, what it answered."""
    may_release = "release_assist" in incident.get("actions", [])
    return [_line(view, one, may_release) for one in incident.get("assists") or []]


def _line(view: View, one: Row, may_release: bool) -> Component:
    state, at, lamp = _state(one)
    words = f"{view.t(f'assist.{state}')} {view.moment(at, '%H:%M')}".strip()
    why = view.t("assist.lead") if one["why"] == "lead" else view.word("desk.reason", one["why"])
    act = {"action": "release_assist", "unit": one["unit"], "needs": ["reason"]}
    return html.Div(
        [
            html.Div(
                [
                    html.Span(str(one["unit_name"]), className="cy-strong"),
                    html.Span(words, className=lamp),
                    pieces.button(view.word("action", "release_assist"), kind="ghost small", act=act)
                    if one["open"] and may_release
                    else None,
                ],
                className="cy-row cy-row--wrap",
            ),
            html.Div(str(one["what"]), className="cy-dim") if one["what"] else None,
            html.Div(str(one["answer"])) if one["answer"] else None,
            html.Div(why, className="cy-faint") if one["why"] else None,
        ],
        className="assist",
    )


def _state(one: Row) -> tuple[str, object, str]:
    """(how far, since when, lamp)."""
    for name, lamp in (
        ("released_at", "lamp"),
        ("done_at", "lamp"),
        ("arrived_at", "lamp lamp--warn"),
        ("taken_at", "lamp lamp--warn"),
    ):
        if one[name]:
            return name.removesuffix("_at"), one[name], lamp
    return "asked", one["asked_at"], "lamp lamp--warn"
