"""落点: open incidents that nobody can find, what was said of where they are, and a map to put them on (S20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]


def places(view: View) -> Component:
    """The page: the list, the map, and beside it what was said and the form that puts it somewhere."""
    body = html.Main(
        [
            html.Section(id=ids.PLACES_LIST, className="cy-panel cy-scroll places__list"),
            html.Section(html.Div(id=ids.PLACES_MAP, className="cy-map"), className="cy-panel places__map"),
            html.Section(
                [
                    html.Div(pieces.empty(view.t("places.choose"), mark="map-pin"), id=ids.PLACES_TOLD),
                    _form(view),
                ],
                className="cy-panel cy-scroll places__side",
            ),
            dcc.Store(id=ids.PLACES_CHOSEN),
            dcc.Store(id=ids.PLACES_AGAIN),
        ],
        className="places",
    )
    return frame.framed(view, "places", body)


def _form(view: View) -> Component:
    def number(id: str) -> Component:
        return dcc.Input(id=id, type="number", step="any", className="cy-input cy-num")

    address = dcc.Input(id=ids.PLACES_ADDRESS, type="text", className="cy-input", maxLength=200)
    return html.Div(
        [
            html.Div(
                [
                    pieces.field(view.t("places.lon"), number(ids.PLACES_LON), required=True),
                    pieces.field(view.t("places.lat"), number(ids.PLACES_LAT), required=True),
                    pieces.button(view.t("places.pick"), kind="small", **attrs({"data-pick": ""})),
                ],
                className="places__point",
            ),
            pieces.field(view.t("word.address"), address),
            pieces.reason(view, ids.PLACES_REASON, view.t("places.reason")),
            html.Button(
                view.t("places.save"),
                id=ids.PLACES_SAVE,
                type="button",
                n_clicks=0,
                className="cy-button cy-button--primary",
            ),
        ],
        id=ids.PLACES_FORM,
        className="places__form",
        hidden=True,
    )


def listed(view: View, answer: Row) -> list[Component]:
    """The list: oldest first, each with what was said and why that is no place."""
    rows: Sequence[Row] = answer["rows"]
    head = html.Div(
        [
            html.H1(view.t("places.title"), className="cy-h2"),
            html.Span(view.t("places.count", n=answer["total"]), className="cy-dim"),
        ],
        className="cy-row places__head",
    )
    if not rows:
        return [head, pieces.empty(view.t("places.nothing"), mark="circle-check")]
    return [head, html.Div([_line(view, row) for row in rows])]


def _line(view: View, row: Row) -> Component:
    return html.Button(
        [
            html.Span(
                [
                    pieces.level_badge(view, row["level"]),
                    html.Span(row["number"], className="cy-num"),
                    html.Span(view.moment(row["reported_at"], "%m-%d %H:%M"), className="cy-num cy-dim"),
                ],
                className="cy-row",
            ),
            html.Span(row["address"] or row["title"], className="places__said"),
            html.Span(why(view, row), className="cy-dim"),
        ],
        className="places__line",
        type="button",
        **attrs({"data-unplaced": row["id"]}),
    )


def why(view: View, row: Row) -> str:
    """Why it has no place, in words."""
    return view.word("why", (row["read"] or {}).get("why") or "unread")


def told(view: View, row: Row) -> list[Component]:
    """What was said of one incident, and what may be meant."""
    found: Sequence[Row] = (row["read"] or {}).get("candidates") or ()
    return [
        html.H2(row["number"], className="cy-h2 cy-num"),
        pieces.facts(
            [
                (view.t("places.said"), row["address"]),
                (view.t("places.text"), row["text"]),
                (view.t("places.why"), why(view, row)),
            ]
        ),
        html.H3(view.t("places.candidates"), className="cy-h3"),
        html.Div([_candidate(view, one) for one in found], className="places__candidates")
        if found
        else html.P(view.t("places.no_candidates"), className="cy-dim"),
    ]


def _candidate(view: View, one: Row) -> Component:
    how = "、" if view.lang == "zh" else ", "
    return html.Div(
        [
            html.Div(
                [
                    html.Strong(one["address"]),
                    html.Span(view.t("places.precision", m=one["precision_m"]), className="cy-num"),
                    html.Span(view.t("places.score", p=round(one["score"] * 100)), className="cy-num cy-dim"),
                ],
                className="cy-row cy-row--wrap",
            ),
            html.Div(how.join(view.word("how", r["code"]) for r in one["reasons"]), className="cy-dim"),
            pieces.button(
                [pieces.icon("map-pin"), view.t("places.take")],
                kind="small",
                **attrs({"data-lon": one["lon"], "data-lat": one["lat"], "data-address": one["address"]}),
            ),
        ],
        className="places__candidate",
    )
