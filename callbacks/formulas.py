"""The callbacks of the formula page: versions shown, one taken into the form, a new one saved."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents.evaluation_commands import SaveFormula, SaveScore
from incidents.evaluation_queries import Formulas
from layouts import formulas as layout
from layouts import ids
from layouts.shell import pieces

Data = dict[str, Any]
FIELDS = tuple(f"formula-{name}" for name in layout.FORM)


def formula_of(values: tuple[Any, ...], since: str | None, until: str | None) -> SaveFormula:
    """The command that the form's fields make."""
    id, name, above, below, without, direction, reason = values
    return SaveFormula(
        str(id or "").strip(), str(name or ""), list(above or []), list(below or []), (since or "")[:10],
        str(reason or ""), list(without or []), str(direction or ""), (until or "")[:10],
    )  # fmt: skip


def score_of(rows: list[Data] | None, since: str | None, reason: str | None) -> SaveScore:
    """The command that the table of weights makes: what has none, or 0, is not in the score."""
    weights = {str(row["id"]): float(row["weight"]) for row in rows or [] if row.get("weight")}
    return SaveScore(weights, (since or "")[:10], str(reason or ""))


def register(app: Dash, deps: DashDeps) -> None:
    """Add the page's callbacks to `app`."""

    @app.callback(
        Output(ids.FORMULAS_BODY, "children"),
        Output(ids.SCORE_WEIGHTS, "rowData"),
        Output(ids.FORMULA_SINCE, "date"),
        Output(ids.SCORE_SINCE, "date"),
        Input(ids.FORMULAS_ASK, "data"),
        prevent_initial_call=True,
    )
    def show(asked: Data | None) -> Any:
        if not asked:
            raise PreventUpdate
        view = view_of(deps)
        answer = deps.service.ask(Formulas(), view.actor)
        day = layout.first_day_of_next_month(answer["today"])
        return layout.versions(view, answer), layout.weights_of(view, answer), day, day

    @app.callback(
        *(Output(field, "value") for field in FIELDS),
        Input(ids.FORMULAS_EDIT, "data"),
        prevent_initial_call=True,
    )
    def fill(row: Data | None) -> Any:
        if row is None:
            raise PreventUpdate
        return layout.values_of(row)

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.FORMULAS_ASK, "data"),
        Input(ids.FORMULAS_PRESS, "data"),
        *(State(field, "value") for field in FIELDS),
        State(ids.FORMULA_SINCE, "date"),
        State(ids.FORMULA_UNTIL, "date"),
        State(ids.SCORE_WEIGHTS, "rowData"),
        State(ids.SCORE_SINCE, "date"),
        State(ids.SCORE_REASON, "value"),
        prevent_initial_call=True,
    )
    def save(pressed: Data | None, *values: Any) -> Any:
        if not pressed:
            raise PreventUpdate
        view, (*form, since, until, rows, begin, why) = view_of(deps), values
        one = pressed["save"] == "formula"
        command = formula_of(tuple(form), since, until) if one else score_of(rows, begin, why)
        done = deps.handle(command, view.actor, "desk")
        return [pieces.toast(view.t("formulas.saved", n=done["version"], since=done["since"]))], {
            "after": pressed["at"]
        }
