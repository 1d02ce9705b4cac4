"""Two incidents side by side, each asked for by its own right."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents import commands as c
from layouts import ids
from layouts.desk import compare


def register(app: Dash, deps: DashDeps) -> None:
    """Add the callback to `app`."""

    @app.callback(
        Output(ids.RECORDS_BODY, "children", allow_duplicate=True),
        Input(ids.DESK_COMPARE, "data"),
        prevent_initial_call=True,
    )
    def show_both(asked: dict[str, Any] | None) -> Any:
        if not asked:
            raise PreventUpdate
        view = view_of(deps)
        one, other = (
            deps.service.ask(c.IncidentDetail(int(asked[name])), view.actor) for name in ("id", "other")
        )
        return compare.compared(view, one, other)
