"""Callbacks of the operations page: one asked tab, one opened dead letter, its settlement, a loss closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dash import Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents import commands as c
from incidents.model import Rejected
from layouts import ids
from layouts import ops as layout
from layouts.shell import pieces
from layouts.shell.rejection import rejection
from layouts.shell.view import View

Data = dict[str, Any]


def ledger_of(asked: Data) -> int | None:
    """The row of the ledger that was drilled into, if any."""
    return int(asked["ledger"]) if asked.get("ledger") else None


QUESTION: Final[dict[str, Callable[[Data], object]]] = {
    "ledger": lambda a: c.Ledger(int(a.get("minutes") or 60)),
    "dead": lambda a: c.DeadLetters(
        str(a.get("state") or "open"), "", str(a.get("reason") or ""), 200, ledger=ledger_of(a)
    ),
    "held": lambda a: c.Held(ledger_of(a)),
    "feeds": lambda a: c.Feeds(),
    "status": lambda a: c.Status(),
    "audit": lambda a: c.AuditLog(),
}
PICTURE: Final[dict[str, Callable[[View, Any, Data], list[Any]]]] = {
    "ledger": layout.ledger,
    "dead": layout.dead,
    "held": layout.held,
    "feeds": lambda view, answer, _: layout.feeds(view, answer),
    "status": lambda view, answer, _: layout.status(view, answer),
    "audit": lambda view, answer, _: layout.audit(view, answer),
}


def register(app: Dash, deps: DashDeps) -> None:
    """Add the operations page's callbacks to `app`."""

    @app.callback(Output(ids.OPS_BODY, "children"), Input(ids.OPS_ASK, "data"), prevent_initial_call=True)
    def show_tab(asked: Data | None) -> Any:
        if not asked or asked.get("tab") not in QUESTION:
            raise PreventUpdate
        view, tab = view_of(deps), asked["tab"]
        try:
            return PICTURE[tab](view, deps.service.ask(QUESTION[tab](asked), view.actor), asked)
        except Rejected as refusal:
            return pieces.fault(rejection(view, refusal))

    @app.callback(
        Output(ids.OPS_SIDE, "children"),
        Output(ids.OPS_VALUE, "value"),
        Output(ids.OPS_EDITOR, "hidden"),
        Input(ids.OPS_DETAIL_ASK, "data"),
        prevent_initial_call=True,
    )
    def show_letter(asked: Data | None) -> Any:
        if not asked:
            raise PreventUpdate
        view = view_of(deps)
        found = letter_at(deps, view, asked)
        return layout.letter(view, found), editable(found), not found["whole"]

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.OPS_ASK, "data"),
        Input(ids.OPS_PRESS, "data"),
        State(ids.OPS_VALUE, "value"),
        State(ids.OPS_REASON, "value"),
        State(ids.OPS_ASK, "data"),
        prevent_initial_call=True,
    )
    def settle(pressed: Data | None, value: str | None, reason: str | None, asked: Data) -> Any:
        if not pressed:
            raise PreventUpdate
        view = view_of(deps)
        text = ""
        if pressed.get("how") == "replay":
            text = edited(letter_at(deps, view, pressed), value or "")
        deps.handle(settlement(pressed, text, reason or ""), view.actor, "desk")
        return [pieces.toast(view.t(f"ops.dead.done.{pressed['how']}"))], {
            **asked,
            "after": pressed["offset"],
        }

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.OPS_ASK, "data", allow_duplicate=True),
        Input(ids.OPS_LOSS_PRESS, "data"),
        State(ids.OPS_LOSS_REASON, "value"),
        State(ids.OPS_ASK, "data"),
        prevent_initial_call=True,
    )
    def settle_loss(pressed: Data | None, reason: str | None, asked: Data) -> Any:
        if not pressed:
            raise PreventUpdate
        view, number = view_of(deps), int(pressed["mismatch"])
        deps.handle(c.SettleGatewayLoss(number, reason or ""), view.actor, "desk")
        return [pieces.toast(view.t("ops.loss.done"))], {**asked, "after": number}


def letter_at(deps: DashDeps, view: View, asked: Data) -> Data:
    """The dead letter at (topic, partition, offset). Raises Rejected('not_found')."""
    topic, partition, offset = str(asked["topic"]), int(asked["partition"]), int(asked["offset"])
    question = c.DeadLetters("all", topic, limit=1, partition=partition, offset=offset)
    rows: list[Data] = deps.service.ask(question, view.actor)["rows"]
    if not rows:
        raise Rejected("not_found", f"offset={offset}: no such dead letter")
    return rows[0]


def editable(letter: Data) -> str:
    """The text that the editor opens with; '' when the letter cannot be edited (too long, or no text)."""
    return layout.pretty(str(letter["value"])) if letter["whole"] else ""


def edited(letter: Data, text: str) -> str:
    """What to put back instead of the message itself; '' = its very bytes, unless somebody has changed the text.

    The editor shows JSON indented, and browsers end lines their own way: neither is a change.
    """
    unchanged = text.replace("\r\n", "\n") == editable(letter).replace("\r\n", "\n")
    return "" if unchanged or not letter["whole"] else text


def settlement(pressed: Data, value: str, reason: str) -> object:
    """The command of a settled dead letter: replay ('' = as it is), or drop with a reason."""
    where = (str(pressed["topic"]), int(pressed["partition"]), int(pressed["offset"]))
    if pressed.get("how") == "replay":
        return c.ReplayDeadLetter(*where, value)
    return c.DropDeadLetter(*where, reason)
