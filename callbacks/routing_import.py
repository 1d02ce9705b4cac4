"""A responsibility table from a file: looked at as it is dropped, kept as a draft when the button is pressed for it."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents.model import Rejected
from incidents.routing_commands import ImportResponsibilities
from layouts import ids
from layouts import routing_forms as layout
from layouts.shell import pieces
from layouts.shell.rejection import rejection
from layouts.shell.view import View

Data = dict[str, Any]


def register(app: Dash, deps: DashDeps) -> None:
    """Add the callback to `app`."""

    @app.callback(
        Output(ids.ROUTING_PREVIEW, "children"),
        Output(ids.ROUTING_ASK, "data", allow_duplicate=True),
        Input(ids.ROUTING_UPLOAD, "contents"),
        Input(ids.ROUTING_KEEP, "data"),
        State(ids.ROUTING_UPLOAD, "filename"),
        State(ids.ROUTING_TABLE, "value"),
        prevent_initial_call=True,
    )
    def look(contents: str | None, kept: Data | None, filename: str | None, name: str | None) -> Any:
        if not contents:
            raise PreventUpdate
        view, file = view_of(deps), str(filename or "")
        keep = ctx.triggered_id == ids.ROUTING_KEEP and keeps(kept, contents)
        command = ImportResponsibilities(contents.partition(",")[2], file, name or "", keep)
        try:
            answer = deps.service.handle(command, view.actor, "desk")
        except Rejected as refusal:
            if keep:
                raise  # told beside the preview, which stays with its button
            return _unreadable(view, refusal), no_update
        return layout.preview(view, answer, file), {"after": answer["table"]} if answer[
            "stored"
        ] else no_update


def _unreadable(view: View, refusal: Rejected) -> Component:
    own = refusal.facts.get("text_zh") if view.lang == "zh" else None
    return pieces.fault(str(own or rejection(view, refusal)))


def keeps(kept: Data | None, contents: str) -> bool:
    """Whether the button was pressed for this very file: another one is only looked at."""
    return bool(kept) and kept is not None and kept.get("size") == len(contents)
