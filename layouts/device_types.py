"""Device types and what they measure: a table of metrics, and the card of a type where both are changed.

A button of the card sends the fields around it (`data-fields`) with what it says itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.devices import title
from layouts.shell import pieces
from layouts.shell.grids import column, grid, number_column
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

TYPE_FIELDS: Final = ("id", "name", "name_en", "period_s")
METRIC_FIELDS: Final = ("id", "name", "name_en", "unit", "low", "high", "stuck_periods")


def types(view: View, answer: Row, asked: Row) -> list[Component]:
    """A row for every metric, and for every type that has none."""
    rows: Sequence[Row] = answer.get("rows", [])
    lines = [_line(view, kind, metric) for kind in rows for metric in kind.get("metrics") or [{}]]
    columns = [
        column("who", view.t("devices.column.type"), cellRenderer="CyPair", minWidth=160),
        number_column("devices", view.t("types.devices")),
        number_column("period", view.t("types.period_s"), width=110),
        column("metric", view.t("types.metric"), cellRenderer="CyPair", minWidth=180),
        column("unit", view.t("types.unit"), width=90),
        column("range", view.t("types.range"), width=150, cellClass="cy-num"),
        column("stuck", view.t("types.stuck"), width=120, cellClass="cy-num"),
    ]
    new = {"form": "type", "id": "", "name": view.t("types.new")}
    head = title(view, "types", len(rows), new if view.may("device_type.manage") else None)
    law = html.P(view.t("types.law"), className="law")
    return [
        head,
        law,
        grid(view, ids.DEVICES_GRID, columns, lines, nothing=view.t("ui.empty"), row_height=50),
    ]


def _line(view: View, kind: Row, metric: Row) -> dict[str, Any]:
    limits = [metric.get("low"), metric.get("high")]
    stuck = metric.get("stuck_periods")
    return {
        "key": f"{kind['id']} {metric.get('id', '')}",
        "who": [view.named(dict(kind)), str(kind["id"])],
        "devices": kind.get("devices"),
        "period": kind.get("period_s"),
        "metric": [view.named(dict(metric)) or "–", str(metric.get("id", ""))],
        "unit": str(metric.get("unit", "")),
        "range": " … ".join("∞" if x is None else f"{x:g}" for x in limits) if metric else "",
        "stuck": view.t("types.stuck.of", n=stuck) if stuck else "–",
        "open": {"form": "type", "id": kind["id"], "name": view.named(dict(kind))},
    }


def card(view: View, kind: Row) -> list[Component]:
    """The type's own fields, each metric's, and those of a metric to be added. `kind` is empty for a new type."""
    may = view.may("device_type.manage")
    code = str(kind.get("id") or "")
    parts: list[Component] = [
        _fields(view, TYPE_FIELDS, kind, {"do": "save_type", "icon": kind.get("icon") or ""}, may)
    ]
    for metric in kind.get("metrics") or []:
        title = html.H3(f"{view.named(dict(metric))} · {metric['id']}", className="cy-h2")
        parts += [
            title,
            _fields(view, METRIC_FIELDS, metric, {"do": "save_metric", "device_type": code}, may),
        ]
    if code and may:
        named = html.H3(view.t("types.metric.new"), className="cy-h2")
        parts += [named, _fields(view, METRIC_FIELDS, {}, {"do": "save_metric", "device_type": code}, may)]
    return parts


def _fields(view: View, names: Sequence[str], values: Row, act: dict[str, object], may: bool) -> Component:
    """An id that exists stays as it is: everything stored hangs on it."""
    known = bool(values.get("id"))
    controls = [
        pieces.field(
            view.t(f"types.{name}"),
            dcc.Input(
                type="text", name=name, value=_text(values.get(name)), className="cy-input", autoComplete="off",
                maxLength=200, readOnly=not may or (name == "id" and known),
            ),
            required=name in ("id", "name"),
        )
        for name in names
    ]  # fmt: skip
    save = pieces.button([pieces.icon("save"), view.t("ui.save")], kind="small primary", act=act)
    return html.Div([*controls, *([save] if may else [])], className="cy-stack", **attrs({"data-fields": ""}))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)
