"""Forms of the routing page: a responsibility table from a file, special periods, how much a unit can take."""

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


def forms(view: View) -> list[Component]:
    """The forms, folded; each stays away from who may not use it."""
    may_publish = view.may("routing.publish")
    return [
        _folded(view.t("backtest.import"), _table(view), shown=may_publish),
        _folded(view.t("backtest.new_period"), _period(view), shown=may_publish),
        _folded(view.t("backtest.set_capacity"), _capacity(view), shown=view.may("unit.capacity")),
    ]


def _folded(title: str, parts: list[Component], *, shown: bool) -> Component:
    return html.Details(
        [html.Summary(title), html.Div(parts, className="cy-stack backtest__form")],
        className="others",
        hidden=not shown,
    )


def _text(id: str, **more: Any) -> Component:
    return dcc.Input(id=id, type="text", className="cy-input", maxLength=200, autoComplete="off", **more)


def _button(text: str, **pressed: object) -> Component:
    return pieces.button(
        text, kind="primary", **attrs({"data-routing": json.dumps(pressed, ensure_ascii=False)})
    )


def _table(view: View) -> list[Component]:
    upload = dcc.Upload(
        [pieces.icon("upload"), html.Span(view.t("backtest.drop"))],
        id=ids.ROUTING_UPLOAD, className="backtest__drop", max_size=8_000_000, accept=".csv,.xlsx,.txt",
    )  # fmt: skip
    return [
        html.Div(view.t("backtest.columns"), className="cy-hint"),
        pieces.field(view.t("backtest.table_name"), _text(ids.ROUTING_TABLE), required=True),
        upload,
        html.Div(id=ids.ROUTING_PREVIEW, className="cy-stack"),
    ]


def _period(view: View) -> list[Component]:
    def day(id: str) -> Component:
        return dcc.DatePickerSingle(id=id, display_format="YYYY-MM-DD", first_day_of_week=1)

    kind = _text(ids.ROUTING_KIND, placeholder=view.t("backtest.kind.example"))
    return [
        pieces.field(view.t("backtest.kind"), kind, required=True, hint=view.t("backtest.kind.hint")),
        pieces.field(view.t("backtest.period_name"), _text(ids.ROUTING_PERIOD), required=True),
        pieces.field(view.t("backtest.begins"), day(ids.ROUTING_BEGINS), required=True),
        pieces.field(view.t("backtest.last"), day(ids.ROUTING_LAST), required=True),
        _button(view.t("backtest.save_period"), do="period"),
    ]


def _capacity(view: View) -> list[Component]:
    unit = dcc.Dropdown(labels=pieces.dropdown_words(view), id=ids.ROUTING_UNIT, options=[], maxHeight=240)
    number = dcc.Input(id=ids.ROUTING_CAPACITY, type="number", min=1, step=1, className="cy-input cy-num")
    return [
        pieces.field(view.t("word.unit"), unit, required=True),
        pieces.field(view.t("backtest.capacity"), number, hint=view.t("backtest.capacity.hint")),
        _button(view.t("backtest.save_capacity"), do="capacity"),
    ]


def units(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Units as options of the form."""
    return [
        {"label": str(row["name"]), "value": row["code"], "search": f"{row['code']} {row['name']}"}
        for row in rows
    ]


def covered(view: View, found: Row) -> list[Component]:
    """What a table covers; nothing of one that came before this was counted."""
    if not found:
        return []
    share = found["covered"] / found["cells"] if found["cells"] else 0.0
    lines = [
        view.t(
            "backtest.covered",
            n=found["everywhere"], classes=found["classes"], share=f"{share * 100:.1f}%",
        )
    ]  # fmt: skip
    comma = view.t("desk.comma")
    for kind in ("partly", "nowhere"):
        if found[kind]:
            more = view.t("backtest.and_more") if found[kind] > len(found[f"{kind}_of"]) else ""
            lines.append(
                view.t(f"backtest.{kind}", n=found[kind], names=comma.join(found[f"{kind}_of"]) + more)
            )
    return [html.Div(line, className="cy-faint") for line in lines]


def preview(view: View, answer: Row, filename: str) -> list[Component]:
    """What a file would make, with every fault; the button that keeps it as a draft when there is none."""
    zh = view.lang == "zh"
    faults: Sequence[Row] = answer["faults"]
    lines = [
        html.Tr(
            [
                html.Td(str(f["row"]), className="is-right cy-num"),
                html.Td(str(f["column_zh" if zh else "column"])),
                html.Td(str(f["value"]), className="cy-strong"),
                html.Td(str(f["rule_zh" if zh else "rule"])),
            ]
        )
        for f in faults
    ]
    heads = [view.t(f"devices.import.{name}") for name in ("row", "column")] + [
        view.t("word.value"), view.t("devices.import.rule"),
    ]  # fmt: skip
    told: list[Component] = [
        html.Div(filename, className="cy-strong"),
        html.Div(
            view.t("backtest.understood", n=answer["understood"], rows=answer["rows"]), className="cy-num"
        ),
        *covered(view, answer["coverage"]),
    ]
    if answer["stored"]:
        ask = {"data-backtest": json.dumps({"table": answer["table"]})}
        kept = html.Div([pieces.icon("circle-check"), view.t("backtest.kept")], className="verdict")
        return [*told, kept, pieces.button(view.t("backtest.run"), kind="primary", **attrs(ask))]
    if faults:
        wrong: list[Component | str] = [
            pieces.icon("circle-x"),
            view.t("backtest.faulty", n=answer["faulty"]),
        ]
        return [
            *told,
            html.Div(wrong, className="verdict verdict--wrong"),
            pieces.table(heads, lines, nothing=""),
        ]
    return [*told, pieces.button(view.t("backtest.keep"), kind="primary", **attrs({"data-keep": ""}))]
