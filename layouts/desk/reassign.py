"""改派: to whom it goes instead, chosen from the ranked units or from all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.desk.routing import SLIGHT, percent, states
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]


def chooser(view: View) -> Component:
    """The field in the form of 改派: what routing advises now, and a search of every unit."""
    control = dcc.Dropdown(
        labels=pieces.dropdown_words(view),
        id=ids.DESK_ACT_UNIT,
        options=[],
        placeholder=view.t("desk.reassign.choose"),
        maxHeight=240,
    )
    return html.Div(
        [
            html.Div(id=ids.DESK_ACT_ADVICE, className="cy-list"),
            pieces.field(view.t("desk.reassign.unit"), control, required=True),
        ]
    )


def advice(view: View, route: Row, lead: str) -> list[Component]:
    """The units that routing names now: the first two and whoever else is worth a look, each to be taken by a press."""
    ranked = (route.get("decision") or {}).get("ranked") or []
    worth = [one for n, one in enumerate(ranked) if n < 2 or float(one["confidence"]) >= SLIGHT]
    if not worth:
        return [html.Div(view.t("desk.no_route"), className="lamp lamp--warn")]
    return [_line(view, one, place, lead) for place, one in enumerate(worth)]


def _line(view: View, one: Row, place: int, lead: str) -> Component:
    first = next(iter(one.get("reasons") or []), None)
    facts = [view.t(f"routing.place.{min(place, 2)}"), percent(float(one["confidence"])), *states(view, one)]
    why = "" if first is None else str(first["en"] if view.lang == "en" else first["zh"])
    main = html.Div(
        [
            html.Div(str(one["unit_name"]), className="cy-item__title"),
            html.Div(" · ".join(facts), className="cy-item__sub cy-num"),
            html.Div(why, className="cy-item__sub route__why") if why else None,
        ],
        className="cy-item__main",
    )
    press = (
        html.Span(view.t("desk.reassign.has_it"), className="cy-chip")
        if one["unit"] == lead
        else pieces.button(
            view.t("desk.reassign.take"), kind="small", **attrs({"data-pick-unit": str(one["unit"])})
        )
    )
    return html.Div([main, press], className="cy-item")
