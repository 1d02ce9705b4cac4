"""The callbacks of 城市运行体征: the panorama, and the one that is looked at."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State

from callbacks.dash_view import DashDeps, view_of
from incidents.desk_commands import VitalRecords, Vitals
from layouts import ids
from layouts import vitals as layout

Data = dict[str, Any]


def register(app: Dash, deps: DashDeps) -> None:
    """Add the page's callbacks to `app`."""

    @app.callback(
        Output(ids.VITALS_BODY, "children"),
        Output(ids.VITALS_SIDE, "children"),
        Input(ids.VITALS_ASK, "data"),
        Input(ids.VITALS_LOOK, "data"),
        State(ids.VITALS_LOOK, "data"),
        prevent_initial_call=True,
    )
    def show(_asked: Data | None, _looked: Data | None, look: Data | None) -> Any:
        view = view_of(deps)
        answer = deps.service.ask(Vitals(), view.actor)
        row = layout.found(answer, (look or {}).get("id", ""))
        records = row and deps.service.ask(VitalRecords(row["id"]), view.actor)
        return layout.panorama(view, answer), layout.side(view, row, records)
