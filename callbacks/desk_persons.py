"""Who reported, in full: a command with its reason, because the asking itself is kept in the audit log."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents.handling_commands import UnmaskIncident
from layouts import ids
from layouts.desk import persons


def register(app: Dash, deps: DashDeps) -> None:
    """Add the callback to `app`."""

    @app.callback(
        Output(ids.DESK_PERSONS, "children"), Input(ids.DESK_UNMASK, "data"), prevent_initial_call=True
    )
    def show_persons(asked: dict[str, Any] | None) -> Any:
        if not asked:
            raise PreventUpdate
        view = view_of(deps)
        command = UnmaskIncident(int(asked["id"]), str(asked.get("reason") or ""))
        return persons.persons(view, deps.handle(command, view.actor, "desk"))
