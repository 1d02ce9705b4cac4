"""答复: who called a desk and has to be told what became of it; the words, the phone on asking, and what came of the call
(S10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.desk.detail import channel
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]


def replies(view: View) -> Component:
    """The page: the list, and beside it what to say and the form."""
    body = html.Main(
        [
            html.Section(id=ids.REPLIES_LIST, className="cy-panel cy-scroll places__list"),
            html.Section(
                [html.Div(pieces.empty(view.t("replies.choose")), id=ids.REPLIES_SAY), _form(view)],
                className="cy-panel cy-scroll places__side",
            ),
            dcc.Store(id=ids.REPLIES_CHOSEN),
            dcc.Store(id=ids.REPLIES_AGAIN),
        ],
        className="places places--replies",
    )
    return frame.framed(view, "replies", body)


def _form(view: View) -> Component:
    def press(id: str, words: str, kind: str = "") -> Component:
        return html.Button(
            view.t(words), id=id, type="button", n_clicks=0, className=f"cy-button {kind}".strip()
        )

    note = dcc.Input(id=ids.REPLIES_NOTE, type="text", className="cy-input", maxLength=500)
    return html.Div(
        [
            pieces.reason(view, ids.REPLIES_REASON, view.t("replies.reason")),
            press(ids.REPLIES_SHOW, "replies.show"),
            html.Div(id=ids.REPLIES_PEOPLE),
            pieces.field(view.t("replies.note"), note, hint=view.t("replies.note.hint")),
            html.Div(
                [
                    press(ids.REPLIES_TOLD, "replies.told", "cy-button--primary"),
                    press(ids.REPLIES_UNREACHED, "replies.unreached"),
                ],
                className="cy-row",
            ),
        ],
        id=ids.REPLIES_FORM,
        className="places__form",
        hidden=True,
    )


def listed(view: View, answer: Row) -> list[Component]:
    """The list, oldest first."""
    rows: Sequence[Row] = answer["rows"]
    head = html.Div(
        [
            html.H1(view.t("replies.title"), className="cy-h2"),
            html.Span(view.t("replies.count", n=answer["total"]), className="cy-dim"),
        ],
        className="cy-row places__head",
    )
    if not rows:
        return [head, pieces.empty(view.t("replies.nothing"), mark="circle-check")]
    return [head, html.Div([_line(view, row) for row in rows])]


def _line(view: View, row: Row) -> Component:
    first = [
        html.Span(row["number"], className="cy-num"),
        html.Span(view.word("replies.outcome", row["outcome"])),
        html.Span(channel(view, row["channel"]), className="cy-dim"),
        html.Span(view.moment(row["created_at"], "%m-%d %H:%M"), className="cy-num cy-dim"),
    ]
    return html.Button(
        [html.Span(first, className="cy-row"), html.Span(row["title"], className="places__said")],
        className="places__line",
        type="button",
        **attrs({"data-reply": row["id"], "data-incident": row["incident"]}),
    )


def say(view: View, row: Row) -> list[Component]:
    """One reply: what is to be said, and of what."""
    return [
        html.H2(row["number"], className="cy-h2 cy-num"),
        pieces.facts(
            [
                (view.t("replies.about"), row["title"]),
                (view.t("replies.reports"), row["reports"] if row["reports"] > 1 else None),
            ]
        ),
        html.H3(view.t("replies.words"), className="cy-h3"),
        html.Blockquote(row["reply"], className="places__words"),
    ]
