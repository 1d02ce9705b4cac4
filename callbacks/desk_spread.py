"""The charts of the desk's list: drawn when first asked for, so that a desk without them loads no chart library."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output

from callbacks.dash_view import DashDeps, view_of
from layouts import ids
from layouts.desk import spread

Data = dict[str, Any]


def register(app: Dash, deps: DashDeps) -> None:
    """Add the charts' callback to `app`."""

    @app.callback(
        Output(ids.DESK_SPREAD, "children"), Input(ids.DESK_SPREAD_ASK, "data"), prevent_initial_call=True
    )
    def show_spread(asked: Data | None) -> Any:
        return spread.charts(view_of(deps)) if asked else []
