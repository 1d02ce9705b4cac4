"""The callbacks of the routing page: what is in force, a backtest, the incidents behind a figure, publishing and approving."""

from __future__ import annotations

from typing import Any, Final

from dash import Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents.model import Rejected
from incidents.routing_commands import ApproveRule, PublishResponsibilities, PublishRouter, SwitchOffRouter
from incidents.routing_queries import Backtest, BacktestCases, RoutingState
from layouts import ids
from layouts import routing as layout
from layouts.shell import pieces

Data = dict[str, Any]

SHOWN: Final = 40
"""Incidents shown behind a figure, the newest: Dash makes a component of every cell. REST answers up to 1,000."""


def register(app: Dash, deps: DashDeps) -> None:
    """Add the page's callbacks to `app`."""

    @app.callback(
        Output(ids.ROUTING_STATE, "children"), Input(ids.ROUTING_ASK, "data"), prevent_initial_call=True
    )
    def show_state(_asked: Data | None) -> Any:
        view = view_of(deps)
        return layout.state(view, deps.service.ask(RoutingState(), view.actor))

    @app.callback(
        Output(ids.BACKTEST_RESULT, "children"),
        Output(ids.BACKTEST_CASES, "children"),
        Input(ids.BACKTEST_ASK, "data"),
        prevent_initial_call=True,
    )
    def show_backtest(asked: Data | None) -> Any:
        if not asked:
            raise PreventUpdate
        view = view_of(deps)
        query = Backtest(str(asked.get("router") or ""), asked.get("table"))
        return layout.result(view, deps.service.ask(query, view.actor), asked), []

    @app.callback(
        Output(ids.BACKTEST_CASES, "children", allow_duplicate=True),
        Input(ids.BACKTEST_BEHIND, "data"),
        State(ids.BACKTEST_ASK, "data"),
        prevent_initial_call=True,
    )
    def open_cases(behind: Data | None, asked: Data | None) -> Any:
        if not behind or not asked:
            raise PreventUpdate
        view, of, unit = view_of(deps), str(behind["of"]), str(behind.get("unit") or "")
        query = BacktestCases(of, str(asked.get("router") or ""), asked.get("table"), unit=unit, limit=SHOWN)
        return layout.cases(view, deps.service.ask(query, view.actor), behind)

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.ROUTING_ASK, "data"),
        Output(ids.ROUTING_REASON, "value"),
        Input(ids.ROUTING_PRESS, "data"),
        State(ids.ROUTING_REASON, "value"),
        prevent_initial_call=True,
    )
    def press(pressed: Data | None, reason: str | None) -> Any:
        if not pressed:
            raise PreventUpdate
        view = view_of(deps)
        deps.handle(command_of(pressed, reason or ""), view.actor, "desk")
        return [pieces.toast(view.t(f"backtest.done.{pressed['do']}"))], {"after": pressed["at"]}, ""


def command_of(pressed: Data, reason: str) -> object:
    """The command of a press. Raises Rejected('field') for an unknown one."""
    match pressed.get("do"):
        case "approve":
            return ApproveRule(str(pressed["rule"]), reason)
        case "router":
            return PublishRouter(str(pressed["router"]), reason)
        case "table":
            return PublishResponsibilities(int(pressed["table"]), reason)
        case "off":
            return SwitchOffRouter(reason)
        case other:
            raise Rejected("field", f"do={other!r}: no such button", field="do")
