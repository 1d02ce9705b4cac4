"""协办: which units can be asked for the incident on show, by who may send it out."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output

from callbacks.dash_view import DashDeps, view_of
from incidents import commands as c
from layouts import ids
from layouts.desk import assisting


def register(app: Dash, deps: DashDeps) -> None:
    """Add the callback to `app`."""

    @app.callback(
        Output(ids.DESK_ASSIST, "hidden"),
        *(
            Output(id, prop)
            for id in (ids.DESK_ASSISTING, ids.DESK_ACT_UNITS)
            for prop in ("options", "value")
        ),
        Input(ids.DESK_SHOWN, "data"),
        prevent_initial_call=True,
    )
    def show_units(shown: dict[str, Any] | None) -> Any:
        actions = shown["actions"] if shown else []
        if not shown or not {"dispatch", "ask_assist"} & set(actions):
            return True, [], [], [], []
        view = view_of(deps)
        found = assisting.options(deps.service.ask(c.Units(), view.actor)["rows"], shown["unit"])
        return "dispatch" not in actions, found, [], found, []
