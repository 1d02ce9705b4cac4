"""公式登记: every version of every formula and of the score, whose it is, why, and when it is in force; and a new version of
either, for whoever may save one (S17)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import dash_ag_grid as dag
from dash import dcc, html
from dash.development.base_component import Component

from incidents.formulas import ANCHORS, FACTS
from layouts import ids
from layouts.evaluation import definition, name_of, weights_in_words
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

FORM: Final = ("id", "name", "numerator", "denominator", "exclude", "direction", "reason")
"""The fields of the form, each with the id `formula-<field>`; beside them the two days."""


def formulas(view: View) -> Component:
    """The page: versions left, the form of a new one right."""
    body = html.Main(
        [
            html.Div(
                [
                    html.H1(view.t("formulas.title"), className="cy-h2"),
                    html.Span(view.t("formulas.rule"), className="cy-faint"),
                    html.Div(className="cy-grow"),
                    *([pieces.button(view.t("formulas.new"), kind="small", **attrs({"data-formula": "{}"}))]
                      if view.may("formula.save") else []),
                ],
                className="cy-row cy-row--wrap evaluation__bar",
            ),
            html.Div(
                [
                    html.Section(id=ids.FORMULAS_BODY, className="cy-panel cy-scroll"),
                    html.Aside(_forms(view), className="cy-panel cy-scroll formulas__forms", hidden=not view.may("formula.save")),
                ],
                className="formulas__tables",
            ),
            *(dcc.Store(id=id) for id in (ids.FORMULAS_ASK, ids.FORMULAS_EDIT, ids.FORMULAS_PRESS)),
        ],
        className="formulas",
    )  # fmt: skip
    return frame.framed(view, "formulas", body)


def _facts(view: View, names: Sequence[str]) -> list[Any]:
    return [{"label": view.word("fact", name), "value": name} for name in names]


def _forms(view: View) -> list[Component]:
    directions: list[Any] = [
        {"label": view.t(f"formulas.direction.{name}"), "value": name} for name in ("up", "down")
    ]
    controls = {
        "id": dcc.Input(id="formula-id", type="text", className="cy-input", autoComplete="off"),
        "name": dcc.Input(id="formula-name", type="text", className="cy-input", autoComplete="off"),
        "denominator": dcc.Dropdown(
            id="formula-denominator", options=_facts(view, [*ANCHORS, *(f for f in FACTS if f not in ANCHORS)]),
            multi=True, placeholder="",
        ),
        "numerator": dcc.Dropdown(id="formula-numerator", options=_facts(view, list(FACTS)), multi=True, placeholder=""),
        "exclude": dcc.Dropdown(id="formula-exclude", options=_facts(view, list(FACTS)), multi=True, placeholder=""),
        "direction": dcc.RadioItems(
            id="formula-direction", options=directions, value="up", inline=True, className="radios"
        ),
        "since": _day(ids.FORMULA_SINCE),
        "until": _day(ids.FORMULA_UNTIL),
        "reason": dcc.Input(id="formula-reason", type="text", className="cy-input", autoComplete="off"),
    }  # fmt: skip
    optional = ("exclude", "until", "direction")
    anchors = view.t("evaluation.comma").join(view.word("fact", name) for name in ANCHORS)
    hints = {
        "id": view.t("formulas.hint.id"),
        "denominator": view.t("formulas.hint.denominator", facts=anchors),
    }
    form = [
        pieces.field(
            view.t(f"formulas.{name}"),
            control,
            required=name not in optional,
            hint=hints.get(name, ""),
        )
        for name, control in controls.items()
    ]
    columns = [
        {"field": "name", "headerName": view.t("formulas.formula"), "flex": 1},
        {"field": "weight", "headerName": view.t("formulas.weight"), "width": 110, "editable": True,
         "cellDataType": "number", "cellClass": "is-right cy-num"},
    ]  # fmt: skip
    weights = dag.AgGrid(
        id=ids.SCORE_WEIGHTS, rowData=[], columnDefs=columns, className="grid formulas__weights",
        dashGridOptions={
            "theme": {"function": "themeQuartz.withPart(agGrid.colorSchemeDark)"}, "rowHeight": 32, "headerHeight": 32,
            "singleClickEdit": True, "stopEditingWhenCellsLoseFocus": True,
        },
    )  # fmt: skip
    return [
        html.H2(view.t("formulas.new_formula"), className="cy-panel__title"),
        *form,
        pieces.button(view.t("formulas.save"), kind="primary", **attrs({"data-save": "formula"})),
        html.H2(view.t("formulas.new_score"), className="cy-panel__title formulas__second"),
        weights,
        html.Div(view.t("formulas.hint.weights"), className="cy-hint"),
        pieces.field(view.t("formulas.since"), _day(ids.SCORE_SINCE), required=True),
        pieces.field(
            view.t("formulas.reason"),
            dcc.Input(id=ids.SCORE_REASON, type="text", className="cy-input", autoComplete="off"),
            required=True,
        ),
        pieces.button(view.t("formulas.save"), kind="primary", **attrs({"data-save": "score"})),
    ]


def _day(id: str) -> Component:
    return dcc.DatePickerSingle(
        id=id, display_format="YYYY-MM-DD", first_day_of_week=1, clearable=True, placeholder="–"
    )


def _since(view: View, version: Row) -> str:
    """From when: of what ships with the product, from the beginning."""
    return view.t("formulas.from_the_beginning") if version["saved_at"] is None else str(version["since"])


def _state(view: View, version: Row, today: str) -> str:
    if version["in_force"]:
        return view.t("formulas.in_force")
    until = version.get("until")
    if until is not None and until <= version["since"]:
        return view.t("formulas.never")
    return view.t("formulas.to_come" if str(version["since"]) > today else "formulas.past")


def versions(view: View, answer: Row) -> list[Component]:
    """All versions, by formula; behind them those of the score."""
    today = str(answer["today"])
    saves = view.may("formula.save")
    rows, last = [], ""
    for version in answer["versions"]:
        again = version["id"] == last
        last = version["id"]
        rows.append(
            html.Tr(
                [
                    html.Td("" if again else html.Div([html.Div(name_of(view, version), className="cy-strong"),
                                                       html.Code(version["id"], className="cy-faint")])),
                    html.Td(str(version["version"]), className="cy-num"),
                    html.Td([html.Div(definition(view, version)), html.Div(_why(version), className="cy-faint")]),
                    html.Td(_since(view, version), className="cy-num"),
                    html.Td(version["until"] or "–", className="cy-num"),
                    html.Td(view.word("author", version["author"])),
                    html.Td(_state(view, version, today), className="cy-strong" if version["in_force"] else "cy-faint"),
                    html.Td(
                        pieces.button(view.t("formulas.change"), kind="ghost small",
                                      **attrs({"data-formula": json.dumps(dict(version), ensure_ascii=False)}))
                        if saves and version["in_force"] else None
                    ),
                ]
            )
        )  # fmt: skip
    return [
        html.Div(html.H2(view.t("formulas.versions"), className="cy-panel__title"), className="cy-panel__head"),
        _table(view, ("formula", "version", "definition", "since", "until", "author", "state", "none"), rows),
        html.Div(html.H2(view.t("formulas.scores"), className="cy-panel__title"), className="cy-panel__head"),
        _table(view, ("version", "weights", "since", "author", "state"), _scores(view, answer)),
    ]  # fmt: skip


def _why(version: Row) -> str:
    return str(version["reason"])


def _scores(view: View, answer: Row) -> list[Component]:
    known = [version for version in answer["versions"] if version["in_force"]]
    return [
        html.Tr(
            [
                html.Td(str(score["version"]), className="cy-num"),
                html.Td(
                    [
                        html.Div(weights_in_words(view, score["weights"], known)),
                        html.Div(_why(score), className="cy-faint"),
                    ]
                ),
                html.Td(_since(view, score), className="cy-num"),
                html.Td(view.word("author", score["author"])),
                html.Td(_state(view, score, str(answer["today"]))),
            ]
        )
        for score in answer["scores"]
    ]


def _table(view: View, heads: Sequence[str], rows: Sequence[Component]) -> Component:
    head = html.Tr([html.Th("" if name == "none" else view.t(f"formulas.{name}")) for name in heads])
    return html.Table([html.Thead(head), html.Tbody(list(rows))], className="cy-table evaluation__table")


def weights_of(view: View, answer: Row) -> list[dict[str, Any]]:
    """Rows of the score's form: every formula in force, with its weight now."""
    return [
        {"id": version["id"], "name": name_of(view, version), "weight": version["weight"]}
        for version in answer["versions"]
        if version["in_force"]
    ]


def values_of(row: Row) -> list[Any]:
    """What the form shows of a version: everything but its days and its reason, which are the new one's own."""
    lists = {name: list(row.get(name) or []) for name in ("numerator", "denominator", "exclude")}
    known = {**row, **lists, "direction": row.get("direction") or "up", "reason": ""}
    return [known.get(name) or ([] if name in lists else "") for name in FORM]


def first_day_of_next_month(today: str) -> str:
    """The day that a new version most often begins."""
    day = date.fromisoformat(today)
    return (day.replace(day=28).replace(month=day.month % 12 + 1, year=day.year + day.month // 12, day=1)).isoformat()  # fmt: skip
