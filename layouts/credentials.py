"""Credentials of one device, above its form: those that work, and the secret of a new one, shown this once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from layouts.shell import pieces
from layouts.shell.view import View

Row = Mapping[str, Any]


def credentials(view: View, device: str, rows: Sequence[Row], made: Row) -> list[Component]:
    """`rows`: the device's credentials; `made`: what a button has just made (login, secret), or nothing."""
    standing = [r for r in rows if r.get("stands")]
    do = "rotate" if standing else "issue"
    button = pieces.button(
        [pieces.icon("lock"), view.t(f"credentials.{do}")],
        kind="small",
        act={"do": do, "device": device},
    )
    lines = [_line(view, device, r) for r in standing]
    heads = [view.t("credentials.login"), view.t("credentials.issued"), view.t("credentials.ends"), ""]
    return [
        html.Div([html.H3(view.t("credentials"), className="cy-h2 cy-grow"), button], className="cy-row"),
        *([_secret(view, made)] if made.get("secret") else []),
        pieces.table(heads, lines, nothing=view.t("credentials.none")),
    ]


def _line(view: View, device: str, r: Row) -> Component:
    link = (
        [] if r.get("online") is None else [html.Span(className="lamp" if r["online"] else "lamp lamp--warn")]
    )
    revoke = pieces.button(
        view.t("credentials.revoke"),
        kind="small danger",
        act={"do": "revoke", "device": device, "number": r["number"]},
    )
    return html.Tr(
        [
            html.Td([*link, str(r["login"])], className="cy-num"),
            html.Td(f"{view.moment(r['issued_at'])} {r['issued_by']}"),
            html.Td(view.moment(r.get("ends_at"), "%Y-%m-%d %H:%M") or view.t("credentials.endless")),
            html.Td(revoke),
        ]
    )


def _secret(view: View, made: Row) -> Component:
    return html.Div(
        [
            html.Div(view.t("credentials.once"), className="lamp lamp--warn"),
            pieces.facts(
                [
                    (view.t("credentials.login"), html.Code(str(made["login"]))),
                    (view.t("credentials.secret"), html.Code(str(made["secret"]), className="is-whole")),
                ]
            ),
        ],
        role="status",
    )
