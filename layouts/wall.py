"""The wall, read-only: every panel there is once; wall/wall.mjs puts those of the scene where the design of this size has
them (layouts/wall_design.py), scales the whole, and fills in everything that lives."""

from __future__ import annotations

import json
from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import figures, ids
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View
from layouts.wall_design import design

RECORDS_S: Final = 60
"""After so many seconds the records behind a figure give the map back: nobody may be left at the wall."""


def wall(view: View) -> Component:
    """Title strip, map, what lies over the map, the panels, the eight indicators."""
    return html.Div(
        html.Div(
            [
                html.Div(
                    [html.Div(id=ids.WALL_MAP, className="cy-map wall__map")],
                    className="wall__centre",
                    **attrs({"data-place": "map"}),
                ),
                _strip(view),
                *_panels(view),
                html.Section(id=ids.DESK_TILES, className="wall__tiles", **attrs({"data-place": "tiles"})),
                _over(view),
                _foot(),
                html.Div(className="wall__band", hidden=True, **attrs({"data-place": "note"})),
                html.Div(className="wall__veil", hidden=True, **attrs({"data-veil": "", "role": "alert"})),
            ],
            className="wall__canvas",
            **attrs({"data-canvas": ""}),
        ),
        className="wall",
        **attrs({"data-design": json.dumps(design()), "data-login": view.actor.login}),
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
        **attrs({"data-place": "strip"}),
    )


def _panel(
    title: str, body: Component | list[Component], *, name: str, kind: str = "", note: Component | None = None
) -> Component:
    return html.Section(
        [
            html.Div([html.H2(title, className="cy-panel__title"), note], className="cy-panel__head"),
            html.Div(body, className="cy-panel__body"),
        ],
        className=f"cy-panel wp wp--{kind or name}",
        hidden=True,
        **attrs({"data-panel": name}),
    )


def _panels(view: View) -> list[Component]:
    """Every panel of PANELS; the scene decides which are shown."""
    lists = [
        _panel(
            view.t(f"wall.{name}"), html.Div(className="rows", **attrs({f"data-{name}": ""})),
            name=name, kind="list",
        )
        for name in ("worst", "newest", "late")
    ]  # fmt: skip
    bars = [
        _panel(
            view.t(f"wall.{name}"), html.Div(className="bars", **attrs({"data-bars": name})),
            name=name, kind="bars",
        )
        for name in ("units", "themes")
    ]  # fmt: skip
    return [
        _counts(view),
        _theme(view),
        _panel(view.t("wall.focus"), html.Div(className="focus", **attrs({"data-focus": ""})), name="focus"),
        *lists,
        *bars,
        _panel(
            view.t("wall.devices"),
            [
                html.Div(className="totals", **attrs({"data-devices": ""})),
                html.Div(className="kinds", **attrs({"data-types": ""})),
            ],
            name="devices",
        ),
        *(
            _panel(
                "",
                dcc.Graph(
                    id=graph,
                    figure=figures.empty_trend(),
                    config=figures.CONFIG | {"staticPlot": True},
                    className="trend",
                    responsive=True,
                ),
                name=f"trend-{n}",
                kind="trend",
                note=html.Span("", className="age"),
            )
            for n, graph in enumerate(ids.WALL_TRENDS)
        ),
    ]


def _figures(view: View, names: tuple[str, ...], mark: str) -> Component:
    return html.Div(
        [
            html.Div(
                [
                    html.Div("–", className="big cy-num", **attrs({f"data-{mark}": key})),
                    html.Div(view.t(f"wall.total.{key}"), className="big__name"),
                ],
                className=f"total total--{key}",
            )
            for key in names
        ],
        className="totals",
    )


def _shares(view: View, mark: str) -> Component:
    return html.Div(
        [
            html.Div(
                [
                    html.Span(className=f"share share--{n}", **attrs({f"data-{mark}-bar": str(n)}))
                    for n in (1, 2, 3, 4)
                ],
                className="shares",
            ),
            html.Div(
                [
                    html.Div(
                        [
                            pieces.level_badge(view, n),
                            html.Span("–", className="cy-num", **attrs({f"data-{mark}-n": str(n)})),
                        ],
                        className="share__n",
                    )
                    for n in (1, 2, 3, 4)
                ],
                className="share__row",
            ),
        ]
    )


def _counts(view: View) -> Component:
    return _panel(
        view.t("wall.counts"),
        [
            _figures(view, ("open", "today", "overdue", "closed"), "total"),
            _shares(view, "level"),
            html.Div(className="bars bars--stages", **attrs({"data-stages": ""})),
        ],
        name="counts",
        note=html.Span("", className="age", **attrs({"data-counts-age": "", "data-limit-s": "30"})),
    )


def _theme(view: View) -> Component:
    """The same of one theme, counted from the incidents this screen has (the newest thousands)."""
    return _panel(
        "",
        [_figures(view, ("open", "today", "overdue"), "theme"), _shares(view, "theme-level")],
        name="theme",
        kind="counts",
    )


def _over(view: View) -> Component:
    """What lies over the map, inside one cell of it."""
    return html.Div(
        [
            _records(view),
            html.Div(className="wall__alert", hidden=True, **attrs({"data-alert": "", "role": "alert"})),
        ],
        className="wall__over",
        **attrs({"data-place": "over"}),
    )


def _foot() -> Component:
    """At the foot of the map: what the marks mean, which scene this is, why, and whether the alarm may sound."""
    note = html.Div(
        [
            html.Strong("", className="note__scene", **attrs({"data-scene-name": ""})),
            html.Span("", className="note__why", **attrs({"data-scene-why": ""})),
            html.Span(
                [pieces.icon("bell-off"), html.Span("", **attrs({"data-sound-words": ""}))],
                className="note__sound",
                hidden=True,
                **attrs({"data-sound": ""}),
            ),
        ],
        className="wall__note",
        **attrs({"data-note": "", "role": "status"}),
    )
    return html.Div(
        [html.Div(className="wall__legend", **attrs({"data-legend": ""})), note],
        className="wall__foot",
        **attrs({"data-place": "foot"}),
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
