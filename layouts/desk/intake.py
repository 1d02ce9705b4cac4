"""接报: the form of an operator who has someone on the line. All of it can be done from the keyboard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]


def intake(view: View) -> Component:
    """The form, hidden until asked for; it covers the list and leaves the map free for picking a place."""
    level = dcc.RadioItems(
        id=ids.INTAKE_LEVEL,
        options=[
            {"label": view.t("intake.level.class"), "value": 0},
            *({"label": pieces.NUMERALS[n], "value": n} for n in (1, 2, 3, 4)),
        ],
        value=0,
        inline=True,
        className="radios",
    )
    place = html.Div(
        [
            html.Div(
                [
                    dcc.Input(
                        id=ids.INTAKE_ADDRESS,
                        type="text",
                        className="cy-input",
                        placeholder=view.t("intake.address.hint"),
                        autoComplete="off",
                        maxLength=200,
                    ),
                    pieces.button(
                        [pieces.icon("crosshair"), view.t("intake.pick")],
                        **attrs({"data-intake-pick": "", "title": "Alt+M"}),
                    ),
                ],
                className="cy-row",
            ),
            html.Div(id=ids.INTAKE_PLACES, className="suggestions"),
            html.Div(id=ids.INTAKE_WHERE, className="cy-hint"),
        ]
    )
    caller = html.Div(
        [
            pieces.field(
                view.t("intake.caller"),
                dcc.Input(
                    id=ids.INTAKE_NAME, type="text", className="cy-input", autoComplete="off", maxLength=60
                ),
            ),
            pieces.field(
                view.t("word.phone"),
                dcc.Input(
                    id=ids.INTAKE_PHONE, type="tel", className="cy-input", autoComplete="off", maxLength=30
                ),
            ),
        ],
        className="two",
    )
    return html.Section(
        [
            html.Div(
                [
                    pieces.icon("phone-call"),
                    html.Span(view.t("intake.title"), className="cy-panel__title"),
                    html.Span(
                        "",
                        className="cy-num intake__clock",
                        title=view.t("intake.clock"),
                        **attrs({"data-intake-clock": ""}),
                    ),
                    html.Div(className="cy-grow"),
                    pieces.button(
                        pieces.icon("x"),
                        kind="ghost icon small",
                        title="Esc",
                        **attrs({"data-intake-close": ""}),
                    ),
                ],
                className="cy-panel__head",
            ),
            html.Div(
                [
                    pieces.field(
                        view.t("intake.text"),
                        dcc.Textarea(
                            id=ids.INTAKE_TEXT,
                            className="cy-textarea",
                            placeholder=view.t("intake.text.hint"),
                            maxLength=2000,
                        ),
                        required=True,
                    ),
                    pieces.field(
                        view.t("word.class"),
                        dcc.Dropdown(
                            labels=pieces.dropdown_words(view),
                            id=ids.INTAKE_CLASS,
                            options=[],
                            placeholder=view.t("desk.choose_class"),
                            maxHeight=300,
                        ),
                    ),
                    html.Div(id=ids.INTAKE_SUGGEST, className="chips"),
                    pieces.field(view.t("word.place"), place),
                    caller,
                    pieces.field(view.t("word.level"), level),
                    html.Div(id=ids.INTAKE_SIMILAR, className="similar"),
                ],
                className="cy-panel__body intake__body",
            ),
            html.Div(
                [
                    html.Div(view.t("intake.keys"), className="cy-faint cy-grow"),
                    pieces.button(
                        [view.t("intake.submit"), html.Kbd("Ctrl ↵")], kind="primary", id=ids.INTAKE_SUBMIT
                    ),
                ],
                className="intake__foot",
            ),
        ],
        id=ids.INTAKE,
        className="cy-panel intake",
        hidden=True,
        role="form",
        **attrs({"aria-label": view.t("intake.title")}),
    )


def class_options(view: View, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The catalogue as options of a searchable drop-down: found by name, code and keywords."""
    return [
        {
            "label": f"{view.named(dict(r))} · {r.get('big_class', '')}",
            "value": r["code"],
            "search": f"{r['code']} {r['name']} {r.get('name_en', '')} {r.get('keywords', '')}",
        }
        for r in rows
    ]


def suggestions(view: View, rows: Sequence[Row]) -> list[Component]:
    """Classes that the text speaks of, as buttons."""
    return [
        pieces.button(view.named(dict(r)), kind="small", **attrs({"data-class-choice": str(r["code"])}))
        for r in rows[:5]
    ]


def places(view: View, rows: Sequence[Row]) -> list[Component]:
    """Places found by name, as buttons that put the point on the map."""
    return [
        html.Button(
            [
                pieces.icon("map-pin"),
                html.Span(view.named(dict(r)), className="cy-item__title"),
                html.Span(
                    str(r.get("where") or r.get("road") or view.word("intake.kind", r.get("kind", ""))),
                    className="cy-faint cy-clip",
                ),
            ],
            className="suggestion",
            type="button",
            **attrs(
                {
                    "data-place": json.dumps(
                        {"lon": r.get("lon"), "lat": r.get("lat"), "name": r.get("name")}, ensure_ascii=False
                    )
                }
            ),
        )
        for r in rows
        if r.get("lon") is not None
    ]


def where(view: View, found: Row) -> str:
    """The areas of a located point in words, from the district down."""
    names = [str(x["name"]) for x in found.get("areas", [])]
    return " › ".join(names) if names else view.t("intake.outside")


def similar(view: View, rows: Sequence[Row]) -> list[Component]:
    """Possible duplicates, with what speaks for it."""
    if not rows:
        return []
    return [
        html.Div(
            [pieces.icon("git-merge"), view.t("intake.similar", n=len(rows))],
            className="cy-label similar__head",
        ),
        html.Div([_similar_row(view, r) for r in rows[:5]], className="cy-list"),
    ]


def _similar_row(view: View, r: Row) -> Component:
    distance = r.get("distance_m")
    near = view.t("desk.metres", n=round(float(distance))) if distance is not None else ""
    return html.Button(
        [
            pieces.level_badge(view, r.get("level")),
            html.Span(
                [
                    html.Span(str(r.get("title")), className="cy-item__title"),
                    html.Span(f"{r.get('number')} · {near}", className="cy-item__sub"),
                ],
                className="cy-item__main",
            ),
            html.Span(
                [pieces.stage_chip(view, r.get("stage")), pieces.age_of(r.get("reported_at"))],
                className="cy-item__side",
            ),
        ],
        className="cy-item",
        type="button",
        **attrs({"data-incident": str(r.get("id"))}),
    )
