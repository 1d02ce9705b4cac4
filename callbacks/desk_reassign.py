"""改派: the units that the incident on show may go to instead, by who may take it from its unit."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output

from callbacks.dash_view import DashDeps, view_of
from incidents import commands as c
from layouts import ids
from layouts.desk import assisting, reassign


def register(app: Dash, deps: DashDeps) -> None:
    """Add the callback to `app`."""

    @app.callback(
        Output(ids.DESK_ACT_ADVICE, "children"),
        Output(ids.DESK_ACT_UNIT, "options"),
        Input(ids.DESK_SHOWN, "data"),
        prevent_initial_call=True,
    )
    def show_units(shown: dict[str, Any] | None) -> Any:
        if not shown or "reassign" not in shown["actions"]:
            return [], []
        view, lead = view_of(deps), shown["unit"]
        route = deps.service.ask(c.RouteIncident(shown["id"]), view.actor)
        every = deps.service.ask(c.Units(), view.actor)["rows"]
        return reassign.advice(view, route, lead), assisting.options(every, lead)
