"""The desk by keyboard: which key does what, for the buttons that carry it and for the help (key ?)."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

KEY_OF: Final[dict[str, str]] = {
    "accept": "a",
    "pass_check": "a",
    "close": "a",
    "dispatch": "d",
    "reassign": "d",
    "acknowledge": "e",
    "refuse": "r",
    "fail_check": "r",
    "refuse_request": "r",
    "refuse_appeal": "r",
    "grant_request": "g",
    "grant_appeal": "g",
    "supervise": "s",
    "sign_supervision": "s",
    "ask_assist": "h",
    "note": "m",
}
"""Action → its key. What two actions share is never possible for the same person at the same time (a test says so)."""

HELP: Final[tuple[tuple[str, str], ...]] = (
    ("j k ↑ ↓", "move"),
    ("↵", "enter"),
    ("a", "lead"),
    ("d", "dispatch"),
    ("e", "acknowledge"),
    ("r", "refuse"),
    ("g", "grant"),
    ("s", "supervise"),
    ("h", "assist"),
    ("m", "note"),
    ("c", "compare"),
    ("x", "mark"),
    ("X", "unmark"),
    ("/", "search"),
    ("Ctrl k", "palette"),
    ("F2 n", "intake"),
    ("Ctrl ↵", "confirm"),
    ("Esc", "back"),
    ("?", "help"),
)
"""(keys, what they do: desk.key.…), in the order of the help."""


def keyed(action: str) -> dict[str, str]:
    """Attributes of an action's button that let its key press it."""
    key = KEY_OF.get(action)
    return {"data-key": key, "aria-keyshortcuts": key} if key else {}


def dialog(view: View) -> Component:
    """The help, opened by ? or by its button under the list."""
    rows = [
        html.Div(
            [
                html.Span([html.Kbd(key) for key in keys.split(" ")], className="keys__keys"),
                html.Span(view.t(f"desk.key.{what}")),
            ],
            className="keys__row",
        )
        for keys, what in HELP
    ]
    close = pieces.button(
        pieces.icon("x"), kind="ghost icon small", title=view.t("ui.close"), **attrs({"data-keys-close": ""})
    )
    return html.Dialog(
        [
            html.Div(
                [view.t("desk.keys"), html.Div(className="cy-grow"), close], className="cy-dialog__head"
            ),
            html.Div(rows, className="cy-dialog__body keys"),
        ],
        id=ids.DESK_KEYS,
        className="cy-dialog",
    )
