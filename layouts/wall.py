"""The wall: 1920×1080, read-only, scaled as a whole by wall/wall.mjs, which also fills in everything that lives."""

from __future__ import annotations

from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import figures, ids
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

RECORDS_S: Final = 60
"""After so many seconds the records behind a figure give the map back: nobody may be left at the wall."""


def wall(view: View) -> Component:
    """Title strip; left counts and trends; map; right worst and newest; bottom the eight indicators."""
    return html.Div(
        html.Div(
            [
                _strip(view),
                html.Div([_left(view), _centre(view), _right(view)], className="wall__middle"),
                html.Section(id=ids.DESK_TILES, className="wall__tiles"),
                html.Div(className="wall__veil", hidden=True, **attrs({"data-veil": "", "role": "alert"})),
            ],
            className="wall__canvas",
            **attrs({"data-canvas": ""}),
        ),
        className="wall",
    )


def _strip(view: View) -> Component:
    return html.Header(
        [
            html.Div(
                [
                    html.Span(className="cy-link", **attrs({"data-link-badge": ""})),
                    html.Span(
                        view.t("product.demo"),
                        className="cy-demo-tag",
                        hidden=True,
                        **attrs({"data-demo": ""}),
                    ),
                ],
                className="strip__side",
            ),
            html.H1(
                [
                    html.Span(view.city, className="strip__city"),
                    html.Span(view.t("wall.title"), className="strip__title"),
                ],
                className="strip__name",
            ),
            html.Div(
                [
                    html.Span("", className="strip__date", **attrs({"data-date": ""})),
                    html.Time("", className="strip__clock cy-num", **attrs({"data-clock": ""})),
                ],
                className="strip__side is-right",
            ),
        ],
        className="wall__strip",
    )


def _panel(
    title: str, body: Component | list[Component], *, name: str, note: Component | None = None
) -> Component:
    return html.Section(
        [
            html.Div([html.H2(title, className="cy-panel__title"), note], className="cy-panel__head"),
            html.Div(body, className="cy-panel__body"),
        ],
        className=f"cy-panel wp wp--{name}",
    )


def _left(view: View) -> Component:
    counts = html.Div(
        [
            html.Div(
                [
                    html.Div("–", className="big cy-num", **attrs({"data-total": key})),
                    html.Div(view.t(f"wall.total.{key}"), className="big__name"),
                ],
                className=f"total total--{key}",
            )
            for key in ("open", "today", "overdue", "closed")
        ],
        className="totals",
    )
    levels = html.Div(
        [
            html.Div(
                [
                    html.Span(className=f"share share--{n}", **attrs({"data-bar": str(n)}))
                    for n in (1, 2, 3, 4)
                ],
                className="shares",
            ),
            html.Div(
                [
                    html.Div(
                        [
                            pieces.level_badge(view, n),
                            html.Span("–", className="cy-num", **attrs({"data-level-n": str(n)})),
                        ],
                        className="share__n",
                    )
                    for n in (1, 2, 3, 4)
                ],
                className="share__row",
            ),
        ]
    )
    trends = [
        _panel(
            "",
            dcc.Graph(
                id=name,
                figure=figures.empty_trend(),
                config=figures.CONFIG | {"staticPlot": True},
                className="trend",
                responsive=True,
            ),
            name="trend",
            note=html.Span("", className="age"),
        )
        for name in ids.WALL_TRENDS
    ]
    return html.Div(
        [
            _panel(
                view.t("wall.counts"),
                [counts, levels],
                name="counts",
                note=html.Span("", className="age", **attrs({"data-counts-age": "", "data-limit-s": "30"})),
            ),
            *trends,
        ],
        className="wall__side",
    )


def _centre(view: View) -> Component:
    return html.Div(
        [
            html.Div(id=ids.WALL_MAP, className="cy-map wall__map"),
            html.Div(className="wall__legend", **attrs({"data-legend": ""})),
            _records(view),
            html.Div(className="wall__alert", hidden=True, **attrs({"data-alert": "", "role": "alert"})),
        ],
        className="wall__centre",
    )


def _records(view: View) -> Component:
    """The records behind a figure, over the map: to read, nothing in them can be pressed (wall/records.mjs)."""
    return html.Section(
        [
            dcc.Store(id=ids.WALL_RECORDS_ASK),
            html.Div(
                [
                    html.H2("", className="cy-panel__title", **attrs({"data-records-title": ""})),
                    html.Span(view.t("wall.records.close"), className="cy-faint"),
                ],
                className="wall__records-head",
            ),
            html.Div(className="wall__records-formula", **attrs({"data-formula": ""})),
            html.Div(id=ids.WALL_RECORDS_BODY),
        ],
        className="wall__records",
        hidden=True,
        **attrs({"data-records": "", "data-close-s": str(RECORDS_S)}),
    )


def _right(view: View) -> Component:
    return html.Div(
        [
            _panel(
                view.t("wall.worst"), html.Div(className="rows", **attrs({"data-worst": ""})), name="worst"
            ),
            _panel(
                view.t("wall.newest"), html.Div(className="rows", **attrs({"data-newest": ""})), name="newest"
            ),
        ],
        className="wall__side",
    )
