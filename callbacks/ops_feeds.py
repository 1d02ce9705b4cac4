"""Callbacks of a feed's form on the operations page: filled when opened, tried, saved, switched."""

from __future__ import annotations

import json
from typing import Any, Final

from dash import Dash, Input, Output, State, no_update
from dash.exceptions import PreventUpdate

from callbacks.dash_view import DashDeps, view_of
from incidents import commands as c
from incidents.model import Rejected
from layouts import ids
from layouts import ops_feeds as layout
from layouts.shell import pieces
from layouts.shell.rejection import rejection
from layouts.shell.view import View

Data = dict[str, Any]

FIELDS: Final = (
    ids.FEED_ID,
    ids.FEED_NAME,
    ids.FEED_OWNER,
    ids.FEED_KIND,
    ids.FEED_PERIOD,
    ids.FEED_CONFIG,
    ids.FEED_SECRETS,
    ids.FEED_MAPPING,
    ids.FEED_RESTART,
    ids.FEED_SAMPLE,
    ids.FEED_REASON,
)


def register(app: Dash, deps: DashDeps) -> None:
    """Add the callbacks of the form to `app`."""

    @app.callback(
        Output(ids.FEED_HEAD, "children"),
        Output(ids.FEED_FORM, "data-filled"),
        *(Output(f, "value") for f in FIELDS),
        Input(ids.FEED_EDIT, "data"),
        prevent_initial_call=True,
    )
    def fill_form(asked: Data | None) -> Any:
        if not asked:
            raise PreventUpdate
        view = view_of(deps)
        rows: list[Data] = deps.service.ask(c.Feeds(), view.actor)["rows"]
        row = next((r for r in rows if r["id"] == asked.get("id")), None)
        return layout.head(view, row), str(asked.get("at") or ""), *given(row)

    @app.callback(
        Output(ids.TOASTS, "children", allow_duplicate=True),
        Output(ids.FEED_RESULT, "children"),
        Output(ids.OPS_ASK, "data", allow_duplicate=True),
        Input(ids.FEED_PRESS, "data"),
        *(State(f, "value") for f in FIELDS),
        State(ids.OPS_ASK, "data"),
        prevent_initial_call=True,
    )
    def press(pressed: Data | None, *values: Any) -> Any:
        if not pressed:
            raise PreventUpdate
        view, form = view_of(deps), dict(zip(FIELDS, values, strict=False))
        if pressed.get("how") == "test":
            return no_update, tried(deps, view, form), no_update
        deps.service.handle(command_of(view, str(pressed.get("how")), form), view.actor, "desk")
        said = "ops.feed.saved" if pressed.get("how") == "save" else "ops.feed.switched"
        return [pieces.toast(view.t(said))], [], {**values[-1], "after": pressed["at"]}


def given(row: Data | None) -> tuple[Any, ...]:
    """Values of FIELDS for a feed, or for a new one."""
    if row is None:
        return "", "", "", "http", 300, "{}", "", "{}", [], "", ""
    texts = (layout.pretty(row["config"]), "", layout.pretty(row["mapping"]))
    kind = row["kind"] or None
    return row["id"], row["name"], row["owner"], kind, row["expected_period_s"], *texts, [], "", ""


def tried(deps: DashDeps, view: View, form: Data) -> Any:
    """The picture of a trial of the feed as it stands in the form, saved or not, or why there is none."""
    try:
        draft = draft_of(view, form)
        question = c.TestFeed(draft.id, str(form[ids.FEED_SAMPLE] or ""), draft)
        return layout.trial(view, deps.service.ask(question, view.actor))
    except Rejected as refusal:
        return pieces.fault(rejection(view, refusal))


def command_of(view: View, how: str, form: Data) -> object:
    """The command of a pressed button. Raises Rejected for a text that is no JSON."""
    if how in ("enable", "disable"):
        id = str(form[ids.FEED_ID] or "").strip()
        return c.SwitchFeed(id, how == "disable", str(form[ids.FEED_REASON] or ""))
    return draft_of(view, form)


def draft_of(view: View, form: Data) -> c.SaveFeed:
    """The feed that stands in the form. Raises Rejected for a text that is no JSON."""
    return c.SaveFeed(
        id=str(form[ids.FEED_ID] or "").strip(),
        name=str(form[ids.FEED_NAME] or ""),
        kind=str(form[ids.FEED_KIND] or ""),
        config=_object(view, "config", form[ids.FEED_CONFIG]),
        mapping=_object(view, "mapping", form[ids.FEED_MAPPING]),
        secrets=_object(view, "secrets", form[ids.FEED_SECRETS]),
        owner=str(form[ids.FEED_OWNER] or ""),
        expected_period_s=float(form[ids.FEED_PERIOD] or 0),
        restart="restart" in (form[ids.FEED_RESTART] or []),
    )


def _object(view: View, name: str, text: str | None) -> Data:
    """The JSON object in a text field; an empty one is {}."""
    try:
        found = json.loads(text) if text and text.strip() else {}
    except (ValueError, RecursionError) as error:
        words = view.t("ops.feed.no_json", field=view.t(f"ops.feed.{name}"), why=str(error))
        raise Rejected("field", words, field=name) from None
    if not isinstance(found, dict):
        words = view.t("ops.feed.no_json", field=view.t(f"ops.feed.{name}"), why=type(found).__name__)
        raise Rejected("field", words, field=name)
    return found
