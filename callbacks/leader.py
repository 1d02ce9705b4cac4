"""The duty leader's callbacks: the board, and one-click acts."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output
from dash.exceptions import PreventUpdate

from callbacks.dash_errors import filling
from callbacks.dash_view import DashDeps, view_of
from callbacks.desk_press import command_of
from incidents import commands as c
from incidents.enforcement_commands import EnforcementCases
from incidents.model import Rejected
from layouts import enforcement, ids
from layouts import leader as layout
from layouts.shell import pieces

Data = dict[str, Any]


def register(app: Dash, deps: DashDeps) -> None:
    """Add the leader's callbacks to `app`."""

    @app.callback(
        Output(ids.LEADER_UNKNOWN, "children"),
        Output(ids.LEADER_WAITING, "children"),
        Output(ids.LEADER_NOW, "children"),
        Output(ids.LEADER_NOW_ROWS, "children"),
        Input(ids.LEADER_BOARD_ASK, "data"),
        prevent_initial_call=True,
        on_error=filling(
            deps, (ids.LEADER_UNKNOWN, ids.LEADER_WAITING, ids.LEADER_NOW), ids.LEADER_BOARD_ASK
        ),
    )
    def show_board(_asked: Data | None) -> Any:
        view = view_of(deps)
        return layout.board(view, deps.service.ask(c.LeaderBoard(), view.actor))

    @app.callback(
        Output(ids.LEADER_CASES, "children"),
        Output(ids.LEADER_CASES_NOTE, "children"),
        Input(ids.LEADER_BOARD_ASK, "data"),
        prevent_initial_call=True,
        on_error=filling(deps, (ids.LEADER_CASES,), ids.LEADER_BOARD_ASK),
    )
    def show_cases(_asked: Data | None) -> Any:
        view = view_of(deps)
        cases = deps.service.ask(EnforcementCases(late=True), view.actor)
        return enforcement.late(view, cases), enforcement.note(view, cases)

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.LEADER_BOARD_ASK, "data"),
        Input(ids.LEADER_PRESS, "data"),
        prevent_initial_call=True,
    )
    def press(pressed: Data | None) -> Any:
        if not pressed:
            raise PreventUpdate
        view = view_of(deps)
        if pressed["action"] == "route":
            pressed = routed(pressed, deps.service.ask(c.RouteIncident(int(pressed["id"])), view.actor))
        deps.handle(command_of(pressed, {}, view.timezone), view.actor, "leader")
        done = view.t("desk.done", action=view.word("action", pressed["action"]))
        return [pieces.toast(done)], {"after": pressed["id"]}


def routed(pressed: Data, route: Data) -> Data:
    """A press of 派遣 made complete: to the unit that the route names. Raises Rejected when it names none."""
    if not route.get("unit"):
        raise Rejected("rule", f"id={pressed['id']}: no responsible unit is known for this place and class")
    return {**pressed, "action": "dispatch", "unit": route["unit"], "reason": route.get("reason") or ""}
