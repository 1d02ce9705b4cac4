"""The desk's callbacks: each reads what a person asked, puts one question or command, returns one layout."""

from __future__ import annotations

from typing import Any, Final

from dash import ClientsideFunction, Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from callbacks import (
    desk_assisting,
    desk_batch,
    desk_compare,
    desk_persons,
    desk_reassign,
    desk_spread,
    desk_standards,
)
from callbacks.dash_errors import emptying, filling
from callbacks.dash_view import DashDeps, view_of
from callbacks.desk_camera import camera_of
from callbacks.desk_press import command_of, report_of
from callbacks.desk_records import readings_of, records_of
from incidents import commands as c
from incidents.routing_queries import RoutingAdvice
from layouts import ids
from layouts.desk import detail, intake, lists, routing
from layouts.shell import pieces

Data = dict[str, Any]

INTAKE_FIELDS: Final = (
    ids.INTAKE_TEXT,
    ids.INTAKE_CLASS,
    ids.INTAKE_ADDRESS,
    ids.INTAKE_NAME,
    ids.INTAKE_PHONE,
    ids.INTAKE_LEVEL,
)
"""The form's fields, in the order of `report_of`'s parameters; point and key follow."""


def register(app: Dash, deps: DashDeps) -> None:
    """Add the desk's callbacks to `app`."""
    _show(app, deps)
    _press(app, deps)
    _look_up(app, deps)
    _intake(app, deps)
    desk_standards.register(app, deps)
    desk_assisting.register(app, deps)
    desk_reassign.register(app, deps)
    desk_batch.register(app, deps)
    desk_compare.register(app, deps)
    desk_persons.register(app, deps)
    desk_spread.register(app, deps)


def _show(app: Dash, deps: DashDeps) -> None:
    parts = (
        ids.DESK_HEAD,
        ids.DESK_FACTS,
        ids.DESK_PHOTOS,
        ids.DESK_SOURCES,
        ids.DESK_TIMELINE,
        ids.DESK_ACTIONS,
    )

    @app.callback(
        Output(ids.DESK_SHOWN, "data"),
        *(Output(part, "children") for part in parts),
        Input(ids.DESK_SELECTED, "data"),
        prevent_initial_call=True,
        on_error=emptying(deps, parts),
    )
    def show_incident(selected: Data | None) -> Any:
        if not selected or not selected.get("id"):
            return None, *([None] * len(parts))
        view = view_of(deps)
        incident = deps.service.ask(c.IncidentDetail(int(selected["id"])), view.actor)
        return detail.shown(incident), *detail.parts(view, incident)

    @app.callback(
        Output(ids.DESK_DISPATCH, "children"), Input(ids.DESK_SHOWN, "data"), prevent_initial_call=True
    )
    def show_dispatch(shown: Data | None) -> Any:
        if not shown:
            return []
        view = view_of(deps)
        if "dispatch" in shown["actions"]:
            return routing.panel(view, deps.service.ask(c.RouteIncident(shown["id"]), view.actor))
        return routing.explained(view, deps.service.ask(RoutingAdvice(shown["id"]), view.actor))

    @app.callback(
        Output(ids.DESK_CHART, "children"), Input(ids.DESK_SHOWN, "data"), prevent_initial_call=True
    )
    def show_chart(shown: Data | None) -> Any:
        if not shown or not shown["device"]:
            return []
        view = view_of(deps)
        return detail.chart(view, readings_of(shown["device"], deps.service, view))

    react: Any = app.clientside_callback  # Dash does not type it
    react(
        ClientsideFunction("chengyun_desk", "follow"),
        Output(ids.DESK_DRAWER, "title"),
        Input(ids.DESK_FOLLOW, "data"),
        Input(ids.DESK_SHOWN, "data"),
        prevent_initial_call=True,
    )


def _press(app: Dash, deps: DashDeps) -> None:
    @app.callback(
        output=(
            Output(ids.TOASTS, "children"),
            Output(ids.DESK_FOLLOW, "data"),
            Output(ids.DESK_ACT_REASON, "value"),
        ),
        inputs={"pressed": Input(ids.DESK_PRESS, "data")},
        state={"form": {name: State(*part) for name, part in ids.DESK_FORM.items()}},
        prevent_initial_call=True,
    )
    def press(pressed: Data | None, form: Data) -> Any:
        if not pressed:
            raise PreventUpdate
        view = view_of(deps)
        command = command_of(pressed, form, view.timezone)
        deps.handle(command, view.actor, "desk")
        done = view.t("desk.done", action=view.word("action", pressed["action"]))
        return [pieces.toast(done)], {"id": pressed["id"], "done": pressed["action"]}, ""

    @app.callback(
        Output(ids.DESK_ACT_CLASS, "options"), Output(ids.INTAKE_CLASS, "options"), Input(ids.DESK_GRID, "id")
    )
    def fill_classes(_grid: str) -> Any:
        view = view_of(deps)
        options = intake.class_options(view, deps.service.ask(c.Classes(), view.actor)["rows"])
        return options, options


def _look_up(app: Dash, deps: DashDeps) -> None:
    @app.callback(
        Output(ids.DESK_FOUND, "children"), Input(ids.DESK_SEARCH_ASK, "data"), prevent_initial_call=True
    )
    def find(asked: Data | None) -> Any:
        if not asked or not asked.get("text"):
            return []
        view = view_of(deps)
        return lists.found(view, deps.service.ask(c.SearchIncident(asked["text"]), view.actor)["rows"])

    @app.callback(
        Output(ids.RECORDS_BODY, "children"),
        Input(ids.RECORDS_ASK, "data"),
        prevent_initial_call=True,
        on_error=filling(deps, (ids.RECORDS_BODY,), ids.RECORDS_ASK),
    )
    def show_records(asked: Data | None) -> Any:
        return records_of(asked, deps.service, view_of(deps)) if asked else []

    @app.callback(
        Output(ids.DEVICE_BODY, "children"), Input(ids.DEVICE_ASK, "data"), prevent_initial_call=True
    )
    def show_thing(asked: Data | None) -> Any:
        if not asked:
            return []
        view = view_of(deps)
        if asked.get("camera"):
            return camera_of(asked, deps, view)
        known = deps.service.ask(c.DeviceDetail(asked["device"]), view.actor)
        return [
            *lists.device(view, known),
            *lists.series(view, readings_of(asked["device"], deps.service, view)),
        ]


def _intake(app: Dash, deps: DashDeps) -> None:
    @app.callback(
        Output(ids.INTAKE_SUGGEST, "children"), Input(ids.INTAKE_TYPED, "data"), prevent_initial_call=True
    )
    def suggest(typed: Data | None) -> Any:
        if not typed or not typed.get("text"):
            return []
        view = view_of(deps)
        return intake.suggestions(view, deps.service.ask(c.SuggestClass(typed["text"]), view.actor)["rows"])

    @app.callback(
        Output(ids.INTAKE_PLACES, "children"),
        Input(ids.INTAKE_PLACE_TYPED, "data"),
        prevent_initial_call=True,
    )
    def find_places(typed: Data | None) -> Any:
        if not typed or len(typed.get("text", "")) < 2:
            return []
        view = view_of(deps)
        return intake.places(view, deps.service.ask(c.FindPlace(typed["text"], 6), view.actor)["rows"])

    @app.callback(
        Output(ids.INTAKE_WHERE, "children"), Input(ids.INTAKE_POINT, "data"), prevent_initial_call=True
    )
    def locate(point: Data | None) -> Any:
        if not point:
            return ""
        view = view_of(deps)
        return intake.where(view, deps.service.ask(c.Locate(point["lon"], point["lat"]), view.actor))

    @app.callback(
        Output(ids.INTAKE_SIMILAR, "children"),
        Input(ids.INTAKE_TYPED, "data"),
        Input(ids.INTAKE_CLASS, "value"),
        Input(ids.INTAKE_POINT, "data"),
        prevent_initial_call=True,
    )
    def show_similar(typed: Data | None, class_code: str | None, point: Data | None) -> Any:
        if not point and not class_code:
            return []
        view, at = view_of(deps), point or {}
        question = c.SimilarIncidents(
            (typed or {}).get("text", ""), class_code or "", at.get("lon"), at.get("lat")
        )
        return intake.similar(view, deps.service.ask(question, view.actor)["rows"])

    _file(app, deps)


def _file(app: Dash, deps: DashDeps) -> None:
    @app.callback(
        Output(ids.INTAKE_FILED, "data"),
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Input(ids.INTAKE_SUBMIT, "n_clicks"),
        *(State(f, "value") for f in INTAKE_FIELDS),
        State(ids.INTAKE_POINT, "data"),
        State(ids.INTAKE_KEY, "data"),
        prevent_initial_call=True,
    )
    def file_report(_n: int, *values: Any) -> Any:
        view = view_of(deps)
        answer = deps.handle(report_of(*values), view.actor, "desk")
        told = pieces.toast(
            view.t("intake.joined" if answer["joined"] else "intake.filed", number=answer["number"])
        )
        return {"id": answer["id"], "number": answer["number"]}, [told]

    react: Any = app.clientside_callback  # Dash does not type it
    react(
        ClientsideFunction("chengyun_desk", "filed"),
        Output(ids.INTAKE, "title"),
        Input(ids.INTAKE_FILED, "data"),
        prevent_initial_call=True,
    )
