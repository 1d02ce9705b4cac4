"""The form of a feed on the operations page: how it is reached, its mapping, and a trial that leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

KINDS: Final = ("kafka", "http", "webhook", "mqtt", "folder", "sql", "replay")
TOPICS: Final = (
    "city.reading.v1",
    "city.reading-critical.v1",
    "city.video-alarm.v1",
    "city.grid-report.v1",
    "city.position.v1",
    "city.enforcement-case.v1",
)
"""What a mapping may make of a record (docs/topics.md)."""
SHOWN: Final = 4000
"""Characters of a record or message in a trial."""


def new_button(view: View) -> Component:
    """Opens an empty form."""
    return pieces.button(
        [pieces.icon("plus"), view.t("ops.feed.new")], kind="primary small", **attrs({"data-feed": ""})
    )


def form(view: View) -> Component:
    """The form, empty and hidden; filled when a feed is opened."""
    kinds = [{"label": view.t(f"ops.feed.kind.{k}"), "value": k} for k in KINDS]
    told = ", ".join(f"{topic} {view.word('ops.topic', topic)}" for topic in TOPICS)
    topics = view.t("ops.feed.mapping.topics", topics=told)
    head = html.Div(
        [
            html.Div(id=ids.FEED_HEAD, className="cy-grow"),
            pieces.button(
                pieces.icon("x"),
                kind="ghost icon small",
                title=view.t("ui.close"),
                **attrs({"data-side-close": ""}),
            ),
        ],
        className="cy-row",
    )
    return html.Div(
        [
            head,
            _text(view.t("ops.feed.id"), ids.FEED_ID, required=True, maxLength=64),
            _text(view.t("word.name"), ids.FEED_NAME, required=True, maxLength=100),
            _text(view.t("ops.feed.owner"), ids.FEED_OWNER, maxLength=100),
            pieces.field(
                view.t("ops.feed.kind"),
                dcc.Dropdown(
                    labels=pieces.dropdown_words(view), id=ids.FEED_KIND, options=kinds, clearable=False
                ),
                required=True,
            ),
            pieces.field(
                view.t("ops.feed.period_s"),
                dcc.Input(id=ids.FEED_PERIOD, type="number", className="cy-input", min=1),
            ),
            _json(view.t("ops.feed.config"), ids.FEED_CONFIG, "code code--short"),
            _json(view.t("ops.feed.secrets"), ids.FEED_SECRETS, "code code--short"),
            _json(view.t("ops.feed.mapping"), ids.FEED_MAPPING, "code", topics),
            dcc.Checklist(
                id=ids.FEED_RESTART,
                options=[{"label": view.t("ops.feed.restart"), "value": "restart"}],
                value=[],
                className="cy-check",
            ),
            html.Div(
                [_button(view.t("ops.feed.test"), "test"), _button(view.t("ui.save"), "save", "primary")],
                className="cy-row cy-row--between",
            ),
            _json(
                view.t("ops.feed.sample"), ids.FEED_SAMPLE, "code code--short", view.t("ops.feed.sample.hint")
            ),
            html.Div(id=ids.FEED_RESULT, className="trial"),
            pieces.reason(view, ids.FEED_REASON, view.t("ops.feed.disable_reason")),
            html.Div(
                [
                    _button(view.t("ops.feed.disable"), "disable", "danger"),
                    _button(view.t("ops.feed.enable"), "enable"),
                ],
                className="cy-row cy-row--between",
            ),
        ],
        id=ids.FEED_FORM,
        hidden=True,
    )


def _text(label: str, id: str, *, required: bool = False, **props: Any) -> Component:
    return pieces.field(
        label, dcc.Input(id=id, type="text", className="cy-input", **props), required=required
    )


def _json(label: str, id: str, style: str, hint: str = "") -> Component:
    area = dcc.Textarea(id=id, className=f"cy-textarea {style}", spellCheck=False)
    return pieces.field(label, area, hint=hint)


def _button(label: str, act: str, kind: str = "") -> Component:
    return pieces.button(label, kind=kind, **attrs({"data-feed-do": act}))


def head(view: View, row: Row | None) -> list[Component]:
    """What is known of the opened feed; its secrets only by name."""
    if row is None:
        return [html.H2(view.t("ops.feed.new"), className="cy-h2")]
    names = ", ".join(row.get("secrets") or [])
    secrets = view.t("ops.feed.secrets.kept", names=names) if names else view.t("ops.feed.secrets.none")
    by_itself = not row.get("kind")
    return [
        html.H2(str(row.get("name")), className="cy-h2"),
        pieces.facts(
            (
                (view.t("word.status"), view.word("feed.status", row.get("status"))),
                (view.t("word.reason"), str(row.get("reason") or "")),
                (view.t("ops.feed.last_try"), view.moment(row.get("attempt_at"), "%m-%d %H:%M:%S")),
                (view.t("ops.feed.records"), _n(row.get("records"))),
                (view.t("ops.feed.set_aside"), _n(row.get("set_aside"))),
                (view.t("ops.feed.lost"), _n(row.get("lost"))),
            )
        ),
        html.Div(view.t("ops.feed.by_itself") if by_itself else secrets, className="cy-hint"),
    ]


def trial(view: View, answer: Row) -> list[Component]:
    """The records of a trial: the message made of each, or what is wrong with it."""
    rows: Sequence[Row] = answer.get("rows", [])
    error = str(answer.get("error") or "")
    shown: list[Component] = [html.H3(view.t("ops.feed.trial"), className="cy-h3")]
    if error:
        shown.append(pieces.fault(error))
    if not rows and not error:
        shown.append(pieces.empty(view.t("ops.feed.trial.none")))
    return shown + [_tried(view, r) for r in rows]


def _tried(view: View, r: Row) -> Component:
    error = r.get("error")
    words = view.t("ops.feed.trial.bad" if error else "ops.feed.trial.good")
    lamp = html.Span(words, className="lamp lamp--wrong" if error else "lamp")
    if error:
        lines = f"{error.get('field')} = {error.get('found')!r}: {error.get('rule')}\n{pretty(r.get('raw'))}"
    else:
        lines = pretty(json.loads(str(r.get("message"))))
    return html.Div([lamp, html.Pre(lines[:SHOWN], className="code cy-scroll")])


def pretty(value: Any) -> str:
    """A value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _n(value: Any) -> str:
    return "" if value is None else f"{int(value):,}"
