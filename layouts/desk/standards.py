"""立案标准: what a class may be filed under, to choose from: condition, possible units, limit with its clock, evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import pieces
from layouts.shell.view import View

Row = Mapping[str, Any]


def chooser(view: View) -> Component:
    """The field in the form of 受理; without a catalogue of the class it is empty, and hidden by its style."""
    control = dcc.RadioItems(
        id=ids.DESK_ACT_STANDARD, options=[], value=None, className="standards cy-scroll"
    )
    return pieces.field(view.t("desk.act.standard"), control, required=True)


def options(view: View, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The standards of a class as options; a limit that the import had to assume says so."""
    return [{"label": _standard(view, row), "value": row["code"]} for row in rows]


def _standard(view: View, row: Row) -> Component:
    photo = view.t("desk.needs_photo") if row.get("needs_photo") else ""
    return html.Div(
        [
            html.Div(str(row["condition"]), className="standards__condition"),
            html.Div(
                [
                    html.Span(limit_words(view, row), className="cy-strong cy-num"),
                    html.Span(view.t("desk.standard.assumed"), className="lamp lamp--warn")
                    if row.get("assumed")
                    else None,
                    html.Span(photo, className="cy-faint") if photo else None,
                ],
                className="cy-row cy-row--wrap",
            ),
            html.Div(
                view.t("desk.standard.units", units=view.t("desk.comma").join(row["units"])),
                className="cy-faint",
            ),
            html.Div(view.t("desk.standard.closing", closing=row["closing"]), className="cy-faint")
            if row.get("closing")
            else None,
        ],
        className="standards__one",
    )


def only(rows: Sequence[Row]) -> str | None:
    """The one that is chosen without asking: there is no other."""
    return str(rows[0]["code"]) if len(rows) == 1 else None


def limit_words(view: View, limit: Row) -> str:
    """A limit in the words of its clock: 2 紧急工作时, 3 工作日; less than half an hour in minutes."""
    kind, minutes = str(limit["clock_kind"]), float(limit["limit_min"])
    hours = kind in ("urgent_hour", "work_hour")
    if hours and minutes < 30:
        return view.t(f"clock.minutes.{kind}", n=f"{minutes:g}")
    return view.t(f"clock.{kind}", n=f"{minutes / (60 if hours else 1440):.3g}")
