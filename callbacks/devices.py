"""Callbacks of the devices page: one asked tab, one form filled, one change, one looked-at table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dash import Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from callbacks.desk_camera import camera_of
from callbacks.device_cards import credentials_of, number_of, type_of
from incidents import commands as c
from incidents.model import Rejected
from layouts import cameras, device_types, ids
from layouts import devices as layout
from layouts.shell import pieces
from layouts.shell.rejection import rejection
from layouts.shell.view import View

Data = dict[str, Any]

QUESTION: Final[dict[str, Callable[[Data], object]]] = {
    "registry": lambda a: c.DeviceRegistry(
        str(a.get("text") or ""),
        str(a.get("type") or ""),
        str(a.get("status") or ""),
        str(a.get("health") or ""),
    ),
    "quarantine": lambda a: c.Quarantine(str(a.get("state") or "waiting")),
    "import": lambda a: c.DeviceTypes(),
    "cameras": lambda a: c.Cameras(str(a.get("text") or ""), limit=1000),
    "precision": lambda a: c.AlarmPrecision(limit=1000),
    "views": lambda a: c.ViewRequests(limit=500),
    "types": lambda a: c.DeviceTypes(),
}
PICTURE: Final[dict[str, Callable[[View, Any, Data], list[Any]]]] = {
    "registry": layout.registry,
    "quarantine": layout.quarantine,
    "import": lambda view, answer, asked: layout.import_(view, asked),
    "cameras": cameras.cameras,
    "precision": cameras.precision,
    "views": cameras.views,
    "types": device_types.types,
}
IMPORT: Final = {False: c.ImportDevices, True: c.ImportCameras}
"""By whether the table is one of cameras."""

FIELDS: Final = tuple(f"device-{name}" for name in layout.SHEET)
NUMBERS: Final = ("lon", "lat", "expected_period_s")


def register(app: Dash, deps: DashDeps) -> None:
    """Add the devices page's callbacks to `app`."""

    @app.callback(
        Output(ids.DEVICES_BODY, "children"),
        Output(ids.DEVICES_TYPE, "options"),
        Input(ids.DEVICES_ASK, "data"),
        Input(ids.DEVICES_SEARCH, "value"),
        Input(ids.DEVICES_TYPE, "value"),
        Input(ids.DEVICES_STATUS, "value"),
        prevent_initial_call=True,
    )
    def show_tab(asked: Data | None, text: str | None, kind: str | None, status: str | None) -> Any:
        if not asked or asked.get("tab") not in QUESTION:
            raise PreventUpdate
        view, tab = view_of(deps), asked["tab"]
        wanted = {**asked, "text": text, "type": kind, "status": status}
        types = type_choices(view, deps.service.ask(c.DeviceTypes(), view.actor)["rows"])
        try:
            return PICTURE[tab](view, deps.service.ask(QUESTION[tab](wanted), view.actor), asked), types
        except Rejected as refusal:
            return pieces.fault(rejection(view, refusal)), types

    @app.callback(
        Output(ids.DEVICES_SIDE, "children"),
        Output("device-type", "options"),
        Output("device-unit", "options"),
        *(Output(f, "value") for f in FIELDS),
        Input(ids.DEVICES_EDIT, "data"),
        prevent_initial_call=True,
    )
    def fill_form(row: Data | None) -> Any:
        if not row:
            raise PreventUpdate
        view = view_of(deps)
        types = type_choices(view, deps.service.ask(c.DeviceTypes(), view.actor)["rows"])
        units = [
            {"label": u["name"], "value": u["code"]} for u in deps.service.ask(c.Units(), view.actor)["rows"]
        ]
        return told(view, row, deps), types, units, *values_of(row)

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.DEVICES_ASK, "data"),
        Input(ids.DEVICES_PRESS, "data"),
        *(State(f, "value") for f in FIELDS),
        State(ids.DEVICES_REASON, "value"),
        State(ids.DEVICES_ASK, "data"),
        prevent_initial_call=True,
    )
    def press(pressed: Data | None, *values: Any) -> Any:
        if not pressed:
            raise PreventUpdate
        view = view_of(deps)
        form = dict(zip(layout.SHEET, values, strict=False))
        answer = deps.service.handle(change_of(pressed, form, str(values[-2] or "")), view.actor, "desk")
        said = view.t(
            f"devices.done.{pressed['save']}", n=answer.get("released") or answer.get("rejected") or 0
        )
        return [pieces.toast(said)], {**values[-1], "after": pressed["at"]}

    @app.callback(
        Output(ids.DEVICES_PREVIEW, "children"),
        Input(ids.DEVICES_UPLOAD, "contents"),
        Input(ids.DEVICES_CONFIRM, "data"),
        Input(ids.DEVICES_ASK, "data"),
        State(ids.DEVICES_UPLOAD, "filename"),
        prevent_initial_call=True,
    )
    def look(contents: str | None, confirmed: Data | None, asked: Data | None, filename: str | None) -> Any:
        if not contents or not asked or asked.get("tab") != "import":
            return no_update
        view, name = view_of(deps), str(filename or "")
        confirm = ctx.triggered_id == ids.DEVICES_CONFIRM and confirmed_is_of(confirmed, contents)
        try:
            command = IMPORT[asked.get("of") == "cameras"](contents.partition(",")[2], name, confirm)
            return layout.preview(view, deps.service.handle(command, view.actor, "desk"), name)
        except Rejected as refusal:
            own = refusal.facts.get("text_zh") if view.lang == "zh" else None
            return pieces.fault(str(own or rejection(view, refusal)))


def confirmed_is_of(confirmed: Data | None, contents: str) -> bool:
    """Whether a confirmation was given for this very file: another one is only looked at."""
    return bool(confirmed) and confirmed is not None and confirmed.get("size") == len(contents)


def type_choices(view: View, rows: list[Data]) -> list[Data]:
    """Device types as options (value = id)."""
    return [{"label": view.named(row), "value": row["id"]} for row in rows]


def told(view: View, row: Data, deps: DashDeps) -> list[Any]:
    """What stands above the form: why a device is not well and its credentials, what waits of an unknown one; of a
    camera and a type its card. What was pressed there is done first."""
    form, act = row.get("form"), row.get("act") or {}
    if form == "card":
        return camera_of({"camera": row["id"], **act}, deps, view)
    if form == "type":
        return type_of(str(row.get("id") or ""), act, deps, view)
    if form in ("unknown", "camera"):
        return [pieces.facts([(view.t("ops.held.n"), f"{row.get('messages') or 0:,}")])]
    why = [pieces.facts([(view.t("devices.health"), row["reasons"])])] if row.get("reasons") else []
    if form != "known" or not view.may("device.credential"):
        return why
    return [*why, *credentials_of(str(row["id"]), act, deps, view)]


def values_of(row: Data) -> tuple[Any, ...]:
    """A row's values in the order of FIELDS; a new one is in service."""
    filled = {"status": "in_service", **row}
    return tuple("" if filled.get(name) is None else filled[name] for name in layout.SHEET)


def change_of(pressed: Data, form: Data, reason: str) -> object:
    """The command of a pressed button. Raises Rejected('field') for one that does not exist."""
    texts = {name: str(form.get(name) or "").strip() for name in layout.SHEET}
    numbers = {name: number_of(name, form.get(name)) for name in NUMBERS}
    match pressed.get("save"):
        case "save":
            return c.SaveDevice(**{**texts, **numbers})  # type: ignore[arg-type]
        case "adopt":
            adopted = {name: texts[name] for name in ("id", "type", "name", "unit", "owner")}
            return c.AdoptDevice(**adopted, **numbers, rejected=bool(pressed.get("rejected")))  # type: ignore[arg-type]
        case "camera":
            code, name, unit = str(pressed.get("id") or ""), texts["name"], texts["unit"]
            if numbers["lon"] is None or numbers["lat"] is None:
                raise Rejected("field", "lon, lat: a camera needs its place", field="lon")
            return c.SaveCamera(code, name, numbers["lon"], numbers["lat"], unit=unit)
        case "retire":
            return c.RetireDevice(str(pressed.get("id") or ""), reason)
        case "reject":
            return c.RejectHeld(str(pressed.get("id") or ""), reason, str(pressed.get("kind") or "device"))
        case "release":
            return c.ReleaseHeld(str(pressed.get("id") or ""), str(pressed.get("kind") or "device"))
        case other:
            raise Rejected("field", f"save={other!r}: no such button", field="save")
