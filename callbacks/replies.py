"""The callbacks of the page 答复: what waits → the list; one of it → the words; the form → the phone, and what came of it."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, ctx
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents.handling_commands import UnmaskIncident
from incidents.reply_commands import RepliesWaiting, TellReporter
from layouts import ids
from layouts import replies as layout
from layouts.desk import persons
from layouts.shell import pieces

Data = dict[str, Any]


def register(app: Dash, deps: DashDeps) -> None:
    """Add the page's callbacks to `app`."""

    @app.callback(
        Output(ids.REPLIES_LIST, "children"), Input(ids.REPLIES_AGAIN, "data"), prevent_initial_call=True
    )
    def show_list(_again: Data | None) -> Any:
        view = view_of(deps)
        return layout.listed(view, deps.service.ask(RepliesWaiting(), view.actor))

    @app.callback(
        Output(ids.REPLIES_SAY, "children"),
        Output(ids.REPLIES_FORM, "hidden"),
        Output(ids.REPLIES_PEOPLE, "children"),
        Output(ids.REPLIES_NOTE, "value", allow_duplicate=True),
        Input(ids.REPLIES_CHOSEN, "data"),
        prevent_initial_call=True,
    )
    def show_one(chosen: Data | None) -> Any:
        view = view_of(deps)
        row = chosen and _row(deps, view.actor, int(chosen["id"]))
        if not row:
            return pieces.empty(view.t("replies.choose")), True, None, ""
        return layout.say(view, row), False, None, ""

    @app.callback(
        Output(ids.REPLIES_PEOPLE, "children", allow_duplicate=True),
        Input(ids.REPLIES_SHOW, "n_clicks"),
        State(ids.REPLIES_CHOSEN, "data"),
        State(ids.REPLIES_REASON, "value"),
        prevent_initial_call=True,
    )
    def show_people(pressed: int, chosen: Data | None, reason: str | None) -> Any:
        if not pressed or not chosen:
            raise PreventUpdate
        view = view_of(deps)
        command = UnmaskIncident(int(chosen["incident"]), reason or "", int(chosen["id"]))
        return persons.persons(view, deps.handle(command, view.actor, "desk"))

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.REPLIES_AGAIN, "data"),
        Output(ids.REPLIES_CHOSEN, "data"),
        Output(ids.REPLIES_NOTE, "value"),
        Input(ids.REPLIES_TOLD, "n_clicks"),
        Input(ids.REPLIES_UNREACHED, "n_clicks"),
        State(ids.REPLIES_CHOSEN, "data"),
        State(ids.REPLIES_NOTE, "value"),
        prevent_initial_call=True,
    )
    def tell(told: int, unreached: int, chosen: Data | None, note: str | None) -> Any:
        if not (told or unreached) or not chosen:
            raise PreventUpdate
        view = view_of(deps)
        reached = ctx.triggered_id == ids.REPLIES_TOLD
        deps.handle(TellReporter(int(chosen["id"]), reached, note or ""), view.actor, "desk")
        return [pieces.toast(view.t("replies.done"))], {"after": chosen["id"]}, None, ""


def _row(deps: DashDeps, actor: Any, id: int) -> Data | None:
    rows = deps.service.ask(RepliesWaiting(limit=500), actor)["rows"]
    return next((row for row in rows if row["id"] == id), None)
