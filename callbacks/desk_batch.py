"""One action for several incidents: a command of its own for each, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output
from dash.exceptions import PreventUpdate

from callbacks.dash_errors import words
from callbacks.dash_view import DashDeps, view_of
from callbacks.desk_press import command_of
from incidents.model import Rejected
from layouts import ids
from layouts.desk import batch
from layouts.shell.view import View


def register(app: Dash, deps: DashDeps) -> None:
    """Add the callback to `app`."""

    @app.callback(
        Output(ids.RECORDS_BODY, "children", allow_duplicate=True),
        Input(ids.DESK_BATCH, "data"),
        prevent_initial_call=True,
    )
    def carry_out(asked: dict[str, Any] | None) -> Any:
        if not asked or not asked.get("items"):
            raise PreventUpdate
        view, action = view_of(deps), str(asked.get("action"))
        _require(action, asked["items"])
        done = [(item, _outcome(deps, view, asked, item)) for item in asked["items"]]
        return batch.results(view, action, done)


def _require(action: str, items: list[Any]) -> None:
    if action not in batch.RIGHT_OF:
        raise Rejected("field", f"action={action!r}: is not one for several incidents", field="action")
    if len(items) > batch.MOST:
        raise Rejected("field", f"items: {len(items)}, at most {batch.MOST} at once", field="items")


def _outcome(deps: DashDeps, view: View, asked: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    """'' when it is done, else why not. One that fails stops none of the others."""
    pressed = {**asked, "id": item["id"], "version": item.get("version")}
    try:
        deps.handle(command_of(pressed, {}, view.timezone), view.actor, "desk")
    except Exception as error:  # noqa: BLE001 - what became of this one is told, whatever it is; the others go on
        return words(deps, error)
    return ""
