"""Callbacks of the catalogue page: the chosen sheet and its standards, one standard's form, one change, a looked-at sheet."""

from __future__ import annotations

from typing import Any, Final

from dash import Dash, Input, Output, State, no_update
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from callbacks.device_cards import number_of
from incidents.catalogue import names_in
from incidents.catalogue_commands import (
    Catalogues,
    ImportCatalogue,
    PublishCatalogue,
    ReviseCatalogue,
    SaveStandard,
    Standards,
)
from incidents.model import Rejected
from layouts import catalogue as layout
from layouts import ids
from layouts.shell import pieces
from layouts.shell.rejection import rejection

Data = dict[str, Any]

FORM: Final = tuple(f"catalogue-{name}" for name in layout.FIELDS)
SHEET: Final = tuple(f"catalogue-{name}" for name in layout.PROFILE)


def register(app: Dash, deps: DashDeps) -> None:
    """Add the page's callbacks to `app`."""

    @app.callback(
        Output(ids.CATALOGUE_LIST, "children"),
        Output(ids.CATALOGUE_BODY, "children"),
        Input(ids.CATALOGUE_ASK, "data"),
        Input(ids.CATALOGUE_SEARCH, "value"),
        prevent_initial_call=True,
    )
    def show(asked: Data | None, text: str | None) -> Any:
        if asked is None:
            raise PreventUpdate
        view = view_of(deps)
        sheets = deps.service.ask(Catalogues(), view.actor)
        sheet = chosen(sheets["rows"], asked.get("catalogue"))
        if sheet is None:
            return layout.sheets(view, sheets, 0), [pieces.empty(view.t("catalogue.none"))]
        query = Standards(sheet["id"], str(text or ""), str(asked.get("only") or ""))
        answer = deps.service.ask(query, view.actor)
        return layout.sheets(view, sheets, sheet["id"]), layout.standards(view, sheet, answer, asked)

    @app.callback(
        Output(ids.CATALOGUE_SIDE, "children"),
        *(Output(f, "value") for f in FORM),
        Input(ids.CATALOGUE_EDIT, "data"),
        prevent_initial_call=True,
    )
    def fill(row: Data | None) -> Any:
        if not row:
            raise PreventUpdate
        return layout.side(view_of(deps), row), *(row.get(name) or "" for name in layout.FIELDS)

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.CATALOGUE_ASK, "data"),
        Input(ids.CATALOGUE_PRESS, "data"),
        *(State(f, "value") for f in FORM),
        prevent_initial_call=True,
    )
    def press(pressed: Data | None, *values: Any) -> Any:
        if not pressed or pressed.get("save") == "store":
            raise PreventUpdate
        view = view_of(deps)
        command = change_of(pressed, dict(zip(layout.FIELDS, values, strict=True)))
        answer = deps.service.handle(command, view.actor, "desk")
        shown = answer.get("catalogue") or pressed["catalogue"]
        said = view.t(f"catalogue.done.{pressed['save']}", n=answer.get("classes") or 0)
        return [pieces.toast(said)], {**pressed.get("asked", {}), "catalogue": shown, "at": pressed["at"]}

    @app.callback(
        Output(ids.CATALOGUE_PREVIEW, "children"),
        Output(ids.CATALOGUE_ASK, "data", allow_duplicate=True),
        Input(ids.CATALOGUE_UPLOAD, "contents"),
        *(Input(name, "value") for name in SHEET),
        Input(ids.CATALOGUE_PRESS, "data"),
        State(ids.CATALOGUE_UPLOAD, "filename"),
        prevent_initial_call=True,
    )
    def look(contents: str | None, day: str, hour: str, pressed: Data | None, filename: str | None) -> Any:
        if not contents:
            raise PreventUpdate
        view, store = view_of(deps), stores(pressed, contents)
        named = str((pressed or {}).get("name") or "") if store else ""
        command = ImportCatalogue(contents.partition(",")[2], str(filename or ""), named, day, hour, store)
        try:
            answer = deps.service.handle(command, view.actor, "desk")
        except Rejected as refusal:
            own = refusal.facts.get("text_zh") if view.lang == "zh" else None
            return pieces.fault(str(own or rejection(view, refusal))), no_update
        if answer["stored"]:
            return [], {"catalogue": answer["catalogue"], "at": (pressed or {})["at"]}
        return layout.preview(view, answer, str(filename or "")), no_update


def chosen(rows: list[Data], wanted: object) -> Data | None:
    """The wanted sheet; else the one in force, the newest that is published; else the newest."""
    by_id = {row["id"]: row for row in rows}
    in_force = next((row for row in rows if row["published_at"]), rows[0] if rows else None)
    return by_id.get(wanted, in_force)


def stores(pressed: Data | None, contents: str) -> bool:
    """Whether the button to store was pressed for this very file: another one is only looked at."""
    return bool(pressed) and pressed is not None and pressed.get("size") == len(contents)


def change_of(pressed: Data, form: Data) -> object:
    """The command of a pressed button. Raises Rejected('field')."""
    number = int(pressed.get("catalogue") or 0)
    match pressed.get("save"):
        case "standard":
            texts = {
                name: str(form[name] or "") for name in ("condition", "kind", "evidence", "closing", "reason")
            }
            amount = number_of("amount", form["amount"])
            if amount is None:
                raise Rejected("field", "amount: must be a number", field="amount")
            units = list(names_in(str(form["units"] or "")))
            return SaveStandard(number, str(pressed.get("code") or ""), units=units, amount=amount, **texts)
        case "revise":
            return ReviseCatalogue(number, str(pressed.get("name") or ""))
        case "publish":
            return PublishCatalogue(number)
        case other:
            raise Rejected("field", f"save={other!r}: no such button", field="save")
