"""Several incidents at once: one action and one reason for all that are marked; what became of each is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

RIGHT_OF: Final[dict[str, str]] = {
    "acknowledge": "incident.acknowledge",
    "accept": "incident.accept",
    "grant_request": "incident.grant",
    "supervise": "incident.supervise",
    "close": "incident.close",
    "note": "incident.note",
    "refuse": "incident.refuse",
    "void": "incident.void",
}
"""What can be done with several at once → its right. 派遣 is not here: each goes to a unit of its own; nor is the check,
for which somebody must have looked."""
WITH_REASON: Final = ("supervise", "note", "refuse", "void")
MOST: Final = 100
"""Incidents of one batch."""


def bar(view: View) -> Component:
    """Below the list while something is marked: how many, the reason, the actions."""
    buttons = [
        pieces.button(
            view.word("action", action),
            kind="small danger" if action in ("refuse", "void") else "small",
            **attrs({"data-batch": action, "data-with-reason": str(int(action in WITH_REASON))}),
        )
        for action, right in RIGHT_OF.items()
        if view.may(right)
    ]
    reason = dcc.Input(
        id=ids.DESK_BATCH_REASON,
        type="text",
        className="cy-input",
        placeholder=view.t("desk.batch.reason"),
        maxLength=1000,
        autoComplete="off",
    )
    return html.Div(
        [
            html.Div(
                [
                    html.Span("", className="cy-strong", **attrs({"data-batch-count": ""})),
                    html.Div(className="cy-grow"),
                    pieces.button(view.t("ui.clear"), kind="ghost small", **attrs({"data-batch-clear": ""})),
                ],
                className="cy-row",
            ),
            reason,
            html.Div(buttons, className="cy-row cy-row--wrap"),
        ],
        id=ids.DESK_BATCH_BAR,
        className="batch",
        hidden=True,
        role="toolbar",
        **attrs({"aria-label": view.t("desk.batch")}),
    )


def results(view: View, action: str, done: Sequence[tuple[Row, str]]) -> list[Component]:
    """What became of each: (the item as it was marked, '' or why it was refused)."""
    failed = sum(1 for _, why in done if why)
    told = view.t("desk.batch.told", n=len(done) - failed, failed=failed)
    lines = [
        html.Tr(
            [
                html.Td(str(item.get("number") or item["id"]), className="cy-num"),
                html.Td(str(item.get("title") or "")),
                html.Td(
                    html.Span(
                        why or view.t("desk.done", action=view.word("action", action)),
                        className="lamp lamp--wrong" if why else "lamp",
                    )
                ),
            ]
        )
        for item, why in done
    ]
    heads = [view.t("word.number"), view.t("word.incident"), view.t("desk.batch.outcome")]
    return [html.P(told, className="cy-strong"), pieces.table(heads, lines, nothing="")]
