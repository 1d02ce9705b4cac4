"""Callbacks of the administration page: one asked tab, one form filled, one saved change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dash import Dash, Input, Output, State, no_update
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents import commands as c
from incidents.model import Rejected
from layouts import admin as layout
from layouts import ids
from layouts.shell import pieces
from layouts.shell.rejection import rejection
from layouts.shell.view import View

Data = dict[str, Any]

QUESTION: Final[dict[str, Callable[[Data], object]]] = {
    "accounts": lambda a: c.Accounts(str(a.get("text") or "")),
    "units": lambda a: c.Units(),
    "areas": lambda a: c.Areas(str(a.get("parent") or "")),
}
PICTURE: Final[dict[str, Callable[[View, Any, Data], list[Any]]]] = {
    "accounts": lambda view, answer, _: layout.accounts(view, answer),
    "units": lambda view, answer, _: layout.units(view, answer),
    "areas": lambda view, answer, a: layout.areas(
        view, answer, str(a.get("parent") or ""), a.get("trail") or []
    ),
}
CHOICES: Final = (ids.ADMIN_UNIT, ids.ADMIN_AREAS, ids.ADMIN_AREA)
FIELDS: Final = (
    ids.ADMIN_LOGIN,
    ids.ADMIN_NAME,
    ids.ADMIN_ROLE,
    ids.ADMIN_UNIT,
    ids.ADMIN_AREAS,
    ids.ADMIN_CODE,
    f"{ids.ADMIN_NAME}-unit",
    ids.ADMIN_KIND,
    ids.ADMIN_PHONE,
    ids.ADMIN_AREA,
    f"{ids.ADMIN_CODE}-area",
    f"{ids.ADMIN_NAME}-area",
    ids.ADMIN_PARENT,
    ids.ADMIN_LEVEL,
)

SWITCH: Final = {"unit-disable": True, "unit-enable": False, "area-disable": True, "area-enable": False}
"""What a button does to `disabled`; saving leaves it as it is."""


def register(app: Dash, deps: DashDeps) -> None:
    """Add the administration page's callbacks to `app`."""

    @app.callback(Output(ids.ADMIN_BODY, "children"), Input(ids.ADMIN_ASK, "data"), prevent_initial_call=True)
    def show_tab(asked: Data | None) -> Any:
        if not asked or asked.get("tab") not in QUESTION:
            raise PreventUpdate
        view, tab = view_of(deps), asked["tab"]
        try:
            return PICTURE[tab](view, deps.service.ask(QUESTION[tab](asked), view.actor), asked)
        except Rejected as refusal:
            return pieces.fault(rejection(view, refusal))

    @app.callback(
        *(Output(f, "options") for f in CHOICES),
        *(Output(f, "value") for f in FIELDS),
        Input(ids.ADMIN_EDIT, "data"),
        prevent_initial_call=True,
    )
    def fill_form(row: Data | None) -> Any:
        if not row:
            raise PreventUpdate
        view = view_of(deps)
        units = unit_choices(deps.service.ask(c.Units(), view.actor)["rows"])
        areas = area_choices(lambda parent: deps.service.ask(c.Areas(parent), view.actor)["rows"])
        return units, with_own(areas, row.get("areas")), with_own(areas, [row.get("area")]), *given(row)

    for field in (ids.ADMIN_AREAS, ids.ADMIN_AREA):

        @app.callback(
            Output(field, "options", allow_duplicate=True),
            Input(field, "search_value"),
            State(field, "options"),
            prevent_initial_call=True,
        )
        def search_areas(text: str | None, choices: list[Data] | None) -> Any:
            if not (text or "").strip():
                raise PreventUpdate
            found = deps.service.ask(c.Areas(text=str(text)), view_of(deps).actor)["rows"]
            return with_found(choices or [], found)

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.ADMIN_SECRET, "children"),
        Output(ids.ADMIN_ASK, "data"),
        Input(ids.ADMIN_PRESS, "data"),
        *(State(f, "value") for f in FIELDS),
        State(ids.ADMIN_ASK, "data"),
        prevent_initial_call=True,
    )
    def save(pressed: Data | None, *values: Any) -> Any:
        if not pressed:
            raise PreventUpdate
        view, form = view_of(deps), dict(zip(FIELDS, values, strict=False))
        answer = deps.service.handle(change_of(pressed, form), view.actor, "desk")
        shown = layout.secret(view, answer["login"], answer["password"]) if answer.get("password") else []
        return [pieces.toast(view.t("admin.saved"))], shown, {**values[-1], "after": pressed["at"]}


def area_choices(children: Callable[[str], list[Data]]) -> list[Data]:
    """City, districts and towns as options (value = path); what lies below comes by typing (`with_found`)."""
    out: list[Data] = []
    for city in children(""):
        out.append({"label": city["name"], "value": city["path"]})
        for district in children(city["code"]):
            out.append({"label": f"　{district['name']}", "value": district["path"]})
            out += [
                {"label": f"　　{district['name']} › {x['name']}", "value": x["path"]}
                for x in children(district["code"])
            ]
    return out


def with_found(choices: list[Data], rows: list[Data]) -> list[Data]:
    """The choices with found areas behind them, once each; the code in the label lets one search for it too."""
    known = {choice["value"] for choice in choices}
    return choices + [
        {"label": f"{row['trail']} {row['code']}", "value": row["path"]}
        for row in rows
        if row["path"] not in known
    ]


def unit_choices(rows: list[Data]) -> list[Data]:
    """Units as options (value = code)."""
    return [{"label": row["name"], "value": row["code"]} for row in rows]


def with_own(choices: list[Data], paths: list[str | None] | None) -> list[Data]:
    """The choices with a row's own areas among them: a drop-down forgets a value that it does not offer."""
    known = {choice["value"] for choice in choices}
    own = [
        {"label": p.rstrip("/").rsplit("/", 1)[-1], "value": p} for p in paths or [] if p and p not in known
    ]
    return choices + own


def given(row: Data) -> tuple[Any, ...]:
    """The values of an existing row; a new one is emptied by the browser at once, so that no typing is lost."""
    return (no_update,) * len(FIELDS) if row.get("new") else form_values(row)


def form_values(row: Data) -> tuple[Any, ...]:
    """A row's values in the order of FIELDS; what its form does not have stays empty."""
    account, unit, area = (row if row["form"] == f else {} for f in ("accounts", "units", "areas"))
    return (
        *(account.get(k) for k in ("login", "name", "role", "unit")),
        account.get("areas") or [],
        *(unit.get(k) for k in ("code", "name", "kind", "phone", "area")),
        *(area.get(k) for k in ("code", "name", "parent", "level")),
    )


def change_of(pressed: Data, form: Data) -> object:
    """The command of a pressed save button. Raises Rejected('field') for one that does not exist."""
    login = str(form[ids.ADMIN_LOGIN] or "")
    match pressed.get("save"):
        case "account" if pressed.get("new"):
            return c.CreateAccount(
                login,
                str(form[ids.ADMIN_NAME] or ""),
                str(form[ids.ADMIN_ROLE] or ""),
                str(form[ids.ADMIN_UNIT] or ""),
                list(form[ids.ADMIN_AREAS] or []),
            )
        case "account":
            return c.ChangeAccount(
                login,
                form[ids.ADMIN_ROLE],
                str(form[ids.ADMIN_UNIT] or ""),
                list(form[ids.ADMIN_AREAS] or []),
            )
        case "disable" | "enable" as how:
            return c.ChangeAccount(login, disabled=how == "disable")
        case "reset":
            return c.ResetPassword(login)
        case "unit" | "unit-disable" | "unit-enable" as how:
            unit = (ids.ADMIN_CODE, f"{ids.ADMIN_NAME}-unit", ids.ADMIN_KIND, ids.ADMIN_AREA, ids.ADMIN_PHONE)
            code, name, kind, area, phone = (str(form[f] or "") for f in unit)
            return c.SaveUnit(code, name, kind, area, phone, SWITCH.get(how))
        case "area" | "area-disable" | "area-enable" as how:
            fields = (f"{ids.ADMIN_CODE}-area", f"{ids.ADMIN_NAME}-area", ids.ADMIN_PARENT, ids.ADMIN_LEVEL)
            code, name, parent, level = (str(form[f] or "") for f in fields)
            return c.SaveArea(code, name, parent, level, SWITCH.get(how))
        case other:
            raise Rejected("field", f"save={other!r}: no such button", field="save")
