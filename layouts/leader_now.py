"""The duty leader's second row: how the city stands now beside the indicators; each figure opens what it counts (S02)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import html
from dash.development.base_component import Component

from layouts import ids
from layouts.desk.lists import incident_item
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]


def strip(view: View) -> list[Component]:
    """Where the figures go, and the dialog of what they count."""
    close = pieces.button(
        pieces.icon("x"), kind="ghost icon small", title=view.t("ui.close"), **attrs({"data-now-close": ""})
    )
    head = html.Div(
        [
            html.Span("", className="cy-clip", **attrs({"data-now-title": ""})),
            html.Div(className="cy-grow"),
            close,
        ],
        className="cy-dialog__head",
    )
    return [
        html.Section(id=ids.LEADER_NOW, className="now", **attrs({"aria-label": view.t("leader.now")})),
        html.Dialog(
            [head, html.Div(id=ids.LEADER_NOW_ROWS, className="cy-dialog__body")],
            id=ids.LEADER_NOW_DIALOG,
            className="cy-dialog cy-dialog--wide",
        ),
    ]


def figures(view: View, now: Row) -> list[Component]:
    """Warnings, supervised incidents, devices, vital signs; a part that the actor may not see is not there."""
    made: list[Component | None] = [
        _tile(view, "supervised", now["supervised"]["total"], view.t("leader.now.late", n=now["supervised"]["late"]), now),
    ]  # fmt: skip
    if "warnings" in now:
        told = view.t("leader.now.worst", n=now["warnings"]["worst"])
        made.insert(0, _tile(view, "warnings", now["warnings"]["total"], told, now))
    if "devices" in now:
        told = view.t("leader.now.silent", n=now["devices"]["silent"])
        made.append(_tile(view, "devices", now["devices"]["total"], told, now, href="/devices"))
    if "vitals" in now:
        told = view.t("leader.now.unfed", n=now["vitals"]["unfed"])
        made.append(_tile(view, "vitals", now["vitals"]["over"], told, now, href="/vitals"))
    return [one for one in made if one is not None]


def _tile(view: View, name: str, value: int, told: str, now: Row, href: str = "") -> Component:
    wrong = name != "devices" and value > 0
    inner = [
        pieces.icon(
            {"warnings": "bell-ring", "supervised": "escalate", "devices": "device", "vitals": "gauge"}[name]
        ),
        html.Span(view.t(f"leader.now.{name}"), className="now__name"),
        html.Strong(f"{value:,}", className="cy-num now__value"),
        html.Span(told, className="cy-dim cy-clip cy-grow"),
        pieces.age_of(now["at"], 90),
    ]
    facts = attrs({"data-now": name, "data-as-of": str(now["at"]), "data-limit-s": "90"})
    shown: dict[str, Any] = {
        "className": f"cy-panel now__one{' is-wrong' if wrong else ''}",
        "title": view.t(f"leader.now.{name}.formula"),
    }
    if href:
        return html.A(inner, href=href, **shown, **facts)
    return html.Button(inner, type="button", **shown, **facts)


def rows(view: View, now: Row) -> list[Component]:
    """What the figures count, one section each; the browser shows the one that was pressed."""
    warned = [_warning(view, r) for r in now.get("warnings", {}).get("rows", [])]
    supervised = [incident_item(view, r) for r in now["supervised"]["rows"]]
    return [
        html.Div(
            [
                html.Div(view.t("vitals.formula", text=view.t(f"leader.now.{name}.formula")), className="formula"),
                html.Div(found or pieces.empty(view.t(f"leader.now.{name}.none"), mark="circle-check"), className="cy-list"),
            ],
            hidden=True,
            **attrs({"data-now-rows": name}),
        )
        for name, found in (("warnings", warned), ("supervised", supervised))
    ]  # fmt: skip


def _warning(view: View, r: Row) -> Component:
    return html.Div(
        [
            pieces.level_badge(view, r["level"]),
            html.Div(
                [
                    html.Div(str(r["message"]), className="cy-item__title"),
                    html.Div(f"{r['name'] or r['device']} · {r['value']:g} / {r['threshold']:g}", className="cy-item__sub cy-num"),
                ],
                className="cy-item__main",
            ),
            html.Div(pieces.age_of(r["at"]), className="cy-item__side"),
        ],
        className="cy-item",
    )  # fmt: skip
