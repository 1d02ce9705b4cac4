"""The callbacks of the page 落点: what waits → the list; one of it → what was said; the form → the place."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents.address_commands import PlaceIncident, UnplacedIncidents
from incidents.model import Rejected
from layouts import ids
from layouts import places as layout
from layouts.shell import pieces

Data = dict[str, Any]


def register(app: Dash, deps: DashDeps) -> None:
    """Add the page's callbacks to `app`."""

    @app.callback(
        Output(ids.PLACES_LIST, "children"), Input(ids.PLACES_AGAIN, "data"), prevent_initial_call=True
    )
    def show_list(_again: Data | None) -> Any:
        view = view_of(deps)
        return layout.listed(view, deps.service.ask(UnplacedIncidents(), view.actor))

    @app.callback(
        Output(ids.PLACES_TOLD, "children"),
        Output(ids.PLACES_FORM, "hidden"),
        Output(ids.PLACES_ADDRESS, "value"),
        Input(ids.PLACES_CHOSEN, "data"),
        prevent_initial_call=True,
    )
    def show_one(chosen: Data | None) -> Any:
        view = view_of(deps)
        row = chosen and _row(deps, view.actor, int(chosen["id"]))
        if not row:
            return pieces.empty(view.t("places.choose"), mark="map-pin"), True, ""
        return layout.told(view, row), False, row["address"]

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.PLACES_AGAIN, "data"),
        Output(ids.PLACES_CHOSEN, "data"),
        Output(ids.PLACES_REASON, "value"),
        Input(ids.PLACES_SAVE, "n_clicks"),
        State(ids.PLACES_CHOSEN, "data"),
        *(
            State(id, "value")
            for id in (ids.PLACES_LON, ids.PLACES_LAT, ids.PLACES_REASON, ids.PLACES_ADDRESS)
        ),
        prevent_initial_call=True,
    )
    def save(pressed: int, chosen: Data | None, *values: Any) -> Any:
        if not pressed or not chosen:
            raise PreventUpdate
        view = view_of(deps)
        deps.handle(command_of(int(chosen["id"]), *values), view.actor, "desk")
        return [pieces.toast(view.t("places.done"))], {"after": chosen["id"]}, None, ""


def command_of(id: int, lon: object, lat: object, reason: object, address: object) -> PlaceIncident:
    """What the form says. Raises Rejected(field)."""
    point = []
    for name, value in (("lon", lon), ("lat", lat)):
        try:
            point.append(float(str(value)))
        except ValueError:
            raise Rejected("field", f"{name}={value!r}: must be degrees", field=name) from None
    return PlaceIncident(id, point[0], point[1], str(reason or ""), str(address or ""))


def _row(deps: DashDeps, actor: Any, id: int) -> Data | None:
    rows = deps.service.ask(UnplacedIncidents(limit=500), actor)["rows"]
    return next((row for row in rows if row["id"] == id), None)
