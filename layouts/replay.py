"""回放, the time machine: map, counts and incidents as they were at a moment that has passed, and a player. Everything in it is
read and drawn by desk/replay.mjs; nothing here changes anything."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

SPEEDS: Final = (1, 5, 10, 30, 60)
SPANS_H: Final = (1, 6, 24)
TOTALS: Final = ("open", "overdue", "today", "closed")


def replay(view: View) -> Component:
    """The page: what was open at the left, the map, the player below."""
    body = html.Main(
        [
            html.Div([_side(view), _map(view)], className="replay__middle"),
            _player(view),
        ],
        className="replay",
    )
    return frame.framed(view, "replay", body)


def _side(view: View) -> Component:
    totals = [
        html.Div(
            [
                html.Div("–", className="replay__n cy-num", **attrs({"data-total": name})),
                html.Div(view.t(f"wall.total.{name}"), className="cy-faint"),
            ]
        )
        for name in TOTALS
    ]
    levels = [
        html.Span(
            [
                pieces.level_badge(view, n),
                html.Span("–", className="cy-num", **attrs({"data-level-n": str(n)})),
            ],
            className="cy-row",
        )
        for n in (1, 2, 3, 4)
    ]
    return html.Section(
        [
            html.Div(
                [
                    html.H2(view.t("replay.counts"), className="cy-panel__title"),
                    html.Span(view.t("replay.note"), className="cy-panel__note cy-clip"),
                ],
                className="cy-panel__head",
            ),
            html.Div(totals, className="replay__totals"),
            html.Div(levels, className="replay__levels"),
            html.H3(
                [view.t("replay.list"), html.Span("", className="cy-count", **attrs({"data-listed": ""}))],
                className="cy-panel__title replay__h",
            ),
            html.Div(className="cy-scroll replay__list", tabIndex="0", **attrs({"data-list": ""})),
        ],
        className="cy-panel cy-panel--flush replay__side",
    )


def _map(view: View) -> Component:
    return html.Section(
        [
            html.Div(id=ids.REPLAY_MAP, className="cy-map"),
            html.Div(className="replay__stamp", **attrs({"data-stamp": "", "aria-live": "off"})),
            html.Div(
                className="replay__card cy-panel cy-panel--float", hidden=True, **attrs({"data-card": ""})
            ),
        ],
        className="cy-panel cy-panel--flush map-host replay__map",
    )


def _player(view: View) -> Component:
    def button(name: str, icon: str, words: str, kind: str = "icon") -> Component:
        return pieces.button(
            pieces.icon(icon),
            kind=kind,
            title=view.t(words),
            **attrs({"data-do": name, "aria-label": view.t(words)}),
        )

    return html.Section(
        [
            html.Div(
                [
                    button("back", "chevron-left", "replay.back"),
                    button("play", "play", "replay.play", "primary icon"),
                    button("forward", "chevron-right", "replay.forward"),
                    _choice(view, "speed", [(str(n), f"×{n}") for n in SPEEDS], "10"),
                    html.Span(className="cy-row", **attrs({"data-moment": view.t("replay.moment")})),
                    pieces.button(view.t("replay.go"), **attrs({"data-do": "go"})),
                    html.Span(className="replay__state", **attrs({"data-state": "", "role": "status"})),
                    html.Div(className="cy-bar__spacer"),
                    _choice(view, "span", [(str(n), view.t(f"replay.span.{n}")) for n in SPANS_H], "6"),
                ],
                className="replay__controls",
            ),
            html.Div(className="replay__slider", **attrs({"data-slider": view.t("replay.slider")})),
            html.Div(
                [
                    html.Span(className="cy-num", **attrs({"data-from": ""})),
                    html.Span(view.t("replay.values"), className="cy-faint cy-clip"),
                    html.Span(className="cy-num", **attrs({"data-to": ""})),
                ],
                className="replay__ends",
            ),
        ],
        className="cy-panel replay__player",
    )


def _choice(view: View, name: str, options: list[tuple[str, str]], chosen: str) -> Component:
    return html.Label(
        [
            html.Span(view.t(f"replay.{name}"), className="cy-faint"),
            html.Select(
                [
                    html.Option(
                        words,
                        value=value,
                    )
                    for value, words in options
                ],
                className="cy-select",
                **attrs({"data-choice": name, "data-chosen": chosen}),
            ),
        ],
        className="cy-row",
    )
