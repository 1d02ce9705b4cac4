"""The callbacks of the evaluation page: a period and a grouping → tables; a number → the incidents behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dash import Dash, Input, Output, State
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents.evaluation_queries import Evaluation, EvaluationCases, EvaluationDoubts, FieldBurden
from layouts import evaluation as layout
from layouts import ids
from layouts.doubts import burden, doubts
from layouts.shell.view import View

Data = dict[str, Any]
LOOKS: Final[dict[str, tuple[type, Callable[[View, Data], list[Component]]]]] = {
    "doubts": (EvaluationDoubts, doubts),
    "burden": (FieldBurden, burden),
}
"""What else may be looked at of the period: query → picture."""


def register(app: Dash, deps: DashDeps) -> None:
    """Add the page's callbacks to `app`."""

    @app.callback(
        Output(ids.EVALUATION_TOTAL, "children"),
        Output(ids.EVALUATION_GROUPS, "children"),
        Output(ids.EVALUATION_CASES, "children"),
        Input(ids.EVALUATION_BEGIN, "date"),
        Input(ids.EVALUATION_END, "date"),
        Input(ids.EVALUATION_BY, "value"),
        prevent_initial_call=True,
    )
    def show(begin: str | None, end: str | None, by: str) -> Any:
        if not begin or not end:
            raise PreventUpdate
        view = view_of(deps)
        answer = deps.service.ask(Evaluation(begin[:10], end[:10], by), view.actor)
        return layout.total(view, answer), layout.groups(view, answer), []

    @app.callback(
        Output(ids.EVALUATION_CASES, "children", allow_duplicate=True),
        Input(ids.EVALUATION_BEHIND, "data"),
        State(ids.EVALUATION_BEGIN, "date"),
        State(ids.EVALUATION_END, "date"),
        prevent_initial_call=True,
    )
    def open_cases(asked: Data | None, begin: str | None, end: str | None) -> Any:
        if not asked or not begin or not end:
            raise PreventUpdate
        view = view_of(deps)
        query = EvaluationCases(
            str(asked["formula"]),
            begin[:10],
            end[:10],
            str(asked["part"]),
            str(asked["by"]),
            str(asked["group"]),
            after=int(asked.get("after") or 0),
        )
        return layout.cases(view, deps.service.ask(query, view.actor), asked)

    @app.callback(
        Output(ids.EVALUATION_CASES, "children", allow_duplicate=True),
        Input(ids.EVALUATION_LOOK, "data"),
        State(ids.EVALUATION_BEGIN, "date"),
        State(ids.EVALUATION_END, "date"),
        prevent_initial_call=True,
    )
    def look(asked: Data | None, begin: str | None, end: str | None) -> Any:
        if not asked or asked.get("look") not in LOOKS or not begin or not end:
            raise PreventUpdate
        view, (query, picture) = view_of(deps), LOOKS[asked["look"]]
        return picture(view, deps.service.ask(query(begin[:10], end[:10]), view.actor))
