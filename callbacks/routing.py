"""The callbacks of the routing page: what is in force, a backtest, the incidents behind a figure, publishing and approving."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from dash import Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from callbacks import routing_import
from callbacks.dash_view import DashDeps, view_of
from incidents.model import Rejected
from incidents.routing_commands import (
    ApproveRule,
    EndPeriod,
    PublishResponsibilities,
    PublishRouter,
    SavePeriod,
    SetCapacity,
    SwitchOffRouter,
)
from incidents.routing_queries import Backtest, BacktestCases, RoutingState
from layouts import ids, routing_forms
from layouts import routing as layout
from layouts.shell import pieces

Data = dict[str, Any]

SHOWN: Final = 40
"""Incidents shown behind a figure, the newest: Dash makes a component of every cell. REST answers up to 1,000."""


def register(app: Dash, deps: DashDeps) -> None:
    """Add the page's callbacks to `app`."""

    @app.callback(
        Output(ids.ROUTING_STATE, "children"),
        Output(ids.ROUTING_UNIT, "options"),
        Input(ids.ROUTING_ASK, "data"),
        prevent_initial_call=True,
    )
    def show_state(_asked: Data | None) -> Any:
        view = view_of(deps)
        answer = deps.service.ask(RoutingState(), view.actor)
        return layout.state(view, answer), routing_forms.units(answer["units"])

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
        output=(
            Output(ids.TOASTS, "children", allow_duplicate=True),
            Output(ids.ROUTING_ASK, "data"),
            Output(ids.ROUTING_REASON, "value"),
        ),
        inputs={"pressed": Input(ids.ROUTING_PRESS, "data")},
        state={"form": {name: State(*part) for name, part in ids.ROUTING_FORM.items()}},
        prevent_initial_call=True,
    )
    def press(pressed: Data | None, form: Data) -> Any:
        if not pressed:
            raise PreventUpdate
        view = view_of(deps)
        deps.handle(command_of(pressed, form, view.timezone), view.actor, "desk")
        return [pieces.toast(view.t(f"backtest.done.{pressed['do']}"))], {"after": pressed["at"]}, ""

    routing_import.register(app, deps)


def command_of(pressed: Data, form: Data, timezone: str) -> object:
    """The command of a press, with what stands in the forms. Raises Rejected('field')."""
    reason = str(form.get("reason") or "")
    match pressed.get("do"):
        case "approve":
            return ApproveRule(str(pressed["rule"]), reason)
        case "router":
            return PublishRouter(str(pressed["router"]), reason)
        case "table":
            return PublishResponsibilities(int(pressed["table"]), reason)
        case "off":
            return SwitchOffRouter(reason)
        case "period":
            begins, last = (_day(name, form.get(name), timezone) for name in ("begins", "last"))
            # The form asks for the last day; the period ends where the next one begins.
            ends = datetime.combine(last.date() + timedelta(days=1), time.min, last.tzinfo)
            return SavePeriod(str(form.get("kind") or ""), str(form.get("period") or ""), begins, ends)
        case "end":
            return EndPeriod(str(pressed["period"]), datetime.fromisoformat(str(pressed["begins"])), reason)
        case "capacity":
            return SetCapacity(str(form.get("unit") or ""), _count(form.get("capacity")), reason)
        case other:
            raise Rejected("field", f"do={other!r}: no such button", field="do")


def _count(text: object) -> int | None:
    """A number of the form; None when it is left empty. Raises Rejected(field)."""
    if text in (None, ""):
        return None
    try:
        return int(str(text))
    except ValueError:
        raise Rejected("field", f"capacity={text!r}: must be a whole number", field="capacity") from None


def _day(name: str, text: object, timezone: str) -> datetime:
    """A day of the form as the moment it begins in the city. Raises Rejected(field)."""
    try:
        return datetime.combine(date.fromisoformat(str(text)), time.min, ZoneInfo(timezone))
    except ValueError:
        raise Rejected("field", f"{name}={text!r}: must be a date, YYYY-MM-DD", field=name) from None
