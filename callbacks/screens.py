"""The callbacks of the page 大屏管理: the list, the form that pairs, the button that unpairs."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, set_props
from dash.exceptions import PreventUpdate

from callbacks.dash_errors import words
from callbacks.dash_view import DashDeps, view_of
from incidents.commands import Areas
from incidents.model import Rejected
from incidents.screen_commands import PairScreen, Screens, UnpairScreen
from layouts import ids
from layouts import screens as layout
from layouts.shell import pieces
from layouts.shell.view import View

Data = dict[str, Any]

_FIELDS = (
    ids.SCREENS_CODE,
    ids.SCREENS_NAME,
    ids.SCREENS_SIZE,
    ids.SCREENS_AREAS,
    ids.SCREENS_COLUMNS,
    ids.SCREENS_ROWS,
    ids.SCREENS_SEAM,
)


def register(app: Dash, deps: DashDeps) -> None:
    """Add the page's callbacks to `app`."""

    @app.callback(
        Output(ids.SCREENS_LIST, "children"),
        Output(ids.SCREENS_AREAS, "options"),
        Input(ids.SCREENS_AGAIN, "data"),
        prevent_initial_call=True,
    )
    def show_list(_again: Data | None) -> Any:
        view = view_of(deps)
        return layout.listed(view, deps.service.ask(Screens(), view.actor)), area_options(deps, view)

    def say(error: Exception) -> None:
        field = error.field if isinstance(error, Rejected) else ""
        known = field in ("code", "guesses")
        told = view_of(deps).t(f"screens.wrong.{field}") if known else words(deps, error)
        set_props(ids.TOASTS, {"children": [pieces.toast(told, "warn")]})

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.SCREENS_AGAIN, "data", allow_duplicate=True),
        Output(ids.SCREENS_CODE, "value"),
        Input(ids.SCREENS_PAIR, "n_clicks"),
        *(State(id, "value") for id in _FIELDS),
        prevent_initial_call=True,
        on_error=say,
    )
    def pair(pressed: int, *values: Any) -> Any:
        if not pressed:
            raise PreventUpdate
        view = view_of(deps)
        done = deps.handle(command_of(*values), view.actor, "desk")
        told = view.t("screens.paired", name=done["name"], address=done["address"])
        return [pieces.toast(told)], {"after": done["screen"]}, ""

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.SCREENS_AGAIN, "data", allow_duplicate=True),
        Input(ids.SCREENS_UNPAIR, "data"),
        prevent_initial_call=True,
    )
    def unpair(pressed: Data | None) -> Any:
        if not pressed:
            raise PreventUpdate
        view = view_of(deps)
        done = deps.handle(UnpairScreen(int(pressed["screen"])), view.actor, "desk")
        return [pieces.toast(view.t("screens.unpaired", name=done["name"]))], {"after": done["screen"]}


def command_of(code: Any, name: Any, size: Any, areas: Any, columns: Any, rows: Any, seam: Any) -> PairScreen:
    """What the form says."""
    return PairScreen(
        str(code or ""),
        str(name or ""),
        str(size or ""),
        list(areas or ()),
        int(columns or 0),
        int(rows or 0),
        int(seam or 0),
    )


def area_options(deps: DashDeps, view: View) -> list[Data]:
    """The actor's own areas and those one step below them."""
    roots = deps.service.ask(Areas(), view.actor)["rows"]
    below = [row for own in roots for row in deps.service.ask(Areas(own["code"]), view.actor)["rows"]]
    return [{"label": view.named(row), "value": row["path"]} for row in (*roots, *below)]
