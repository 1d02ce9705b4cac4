"""受理 under which standard: those of the class that stands in the form, chosen at once where there is only one."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output

from callbacks.dash_view import DashDeps, view_of
from incidents.catalogue_commands import FilingStandards
from layouts import ids
from layouts.desk import standards


def register(app: Dash, deps: DashDeps) -> None:
    """Add the callback to `app`."""

    @app.callback(
        Output(ids.DESK_ACT_STANDARD, "options"),
        Output(ids.DESK_ACT_STANDARD, "value"),
        Input(ids.DESK_ACT_CLASS, "value"),
        Input(ids.DESK_SHOWN, "data"),
        prevent_initial_call=True,
    )
    def show_standards(code: str | None, shown: dict[str, Any] | None) -> Any:
        if not code or not shown or "accept" not in shown["actions"]:
            return [], None
        view = view_of(deps)
        rows = deps.service.ask(FilingStandards(code), view.actor)["rows"]
        return standards.options(view, rows), standards.only(rows)
