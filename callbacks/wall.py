"""The wall's one callback: the records behind a figure, to be read from afar. The wall commands nothing."""

from __future__ import annotations

from typing import Any, Final

from dash import Dash, Input, Output, set_props

from callbacks.dash_errors import words
from callbacks.dash_view import DashDeps, view_of
from callbacks.desk_records import records_of
from layouts import ids
from layouts.shell import pieces

MOST: Final = 12
"""Lines that fit over the map; the total says how many there are."""


def register(app: Dash, deps: DashDeps) -> None:
    """Add the wall's callback to `app`."""

    def say(error: Exception) -> None:
        # The wall has no toasts: what went wrong stands where the records would.
        set_props(ids.WALL_RECORDS_BODY, {"children": [pieces.fault(words(deps, error))]})

    @app.callback(
        Output(ids.WALL_RECORDS_BODY, "children"),
        Input(ids.WALL_RECORDS_ASK, "data"),
        prevent_initial_call=True,
        on_error=say,
    )
    def show_records(asked: dict[str, Any] | None) -> Any:
        return records_of(asked, deps.service, view_of(deps), limit=MOST, opens=False) if asked else []
