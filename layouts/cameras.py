"""Cameras on the devices page: the registry (一机一档), how often each algorithm is right, and who asked to view.

A row opens the camera's card, where it is set aside, asked for and answered (layouts/desk/camera.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell.grids import column, grid, number_column
from layouts.shell.view import View

Row = Mapping[str, Any]

COUNTS: Final = ("confirmed", "false", "undecided", "alarms", "shelved", "observed")
"""Of an algorithm; `undecided`: incidents that nobody has judged yet."""

DOUBTFUL: Final = 0.5
"""An algorithm that is wrong more often than right stands out."""


def cameras(view: View, answer: Row, asked: Row) -> list[Component]:
    """The registry of cameras: picture, status, share range, whether set aside."""
    rows: Sequence[Row] = answer.get("rows", [])
    lines = [
        {
            "key": str(r["code"]),
            "who": [str(r.get("name") or r["code"]), str(r["code"])],
            "scene": " · ".join(filter(None, (str(r.get("scene") or ""), str(r.get("sector") or "")))),
            "share": view.word("camera.share", r.get("share_range") or "nobody"),
            "platform": str(r.get("platform") or "–"),
            "picture": _lamp(view, "picture", r.get("picture_state"), "good"),
            "status": _lamp(view, "status", r.get("status"), "in_use"),
            "aside": [
                view.t("desk.camera.aside") if r.get("shelved") else "–",
                "warn" if r.get("shelved") else "",
            ],
            "open": opened(r["code"], r.get("name")),
        }
        for r in rows
    ]
    columns = [
        column("who", view.t("word.camera"), cellRenderer="CyPair", minWidth=220),
        column("scene", view.t("desk.camera.scene"), minWidth=150),
        column("share", view.t("desk.camera.share"), width=130),
        column("platform", view.t("cameras.platform"), width=140),
        column("picture", view.t("cameras.picture"), width=120, cellRenderer="CyLamp"),
        column("status", view.t("word.status"), width=100, cellRenderer="CyLamp"),
        column("aside", view.t("desk.camera.aside"), width=100, cellRenderer="CyLamp"),
    ]
    return _page(view, "cameras", columns, lines, int(answer.get("total") or 0))


def precision(view: View, answer: Row, asked: Row) -> list[Component]:
    """Camera × algorithm of the last 30 days, the least precise first."""
    lines = [
        {
            "key": f"{r['camera']} {r['algorithm']}",
            "who": [str(r.get("name") or r["camera"]), str(r["camera"])],
            "algorithm": str(r["algorithm"]),
            "precision": _share(r.get("precision")),
            **{name: r.get("open" if name == "undecided" else name) for name in COUNTS},
            "open": opened(r["camera"], r.get("name")),
        }
        for r in answer.get("rows", [])
    ]
    columns = [
        column("who", view.t("word.camera"), cellRenderer="CyPair", minWidth=220),
        column("algorithm", view.t("cameras.algorithm"), minWidth=140),
        column("precision", view.t("cameras.precision"), width=110, cellRenderer="CyLamp"),
        *(number_column(name, view.t(f"cameras.{name}"), mark=name == "false") for name in COUNTS),
    ]
    return _page(view, "precision", columns, lines, int(answer.get("total") or 0))


def views(view: View, answer: Row, asked: Row) -> list[Component]:
    """Requests to view, the newest first; those that wait for an answer stand out."""
    lines = [
        {
            "key": str(r["id"]),
            "at": view.moment(r.get("asked_at"), "%m-%d %H:%M"),
            "who": [str(r.get("who") or r.get("login")), str(r.get("reason") or "")],
            "camera": [str(r.get("name") or r["camera"]), str(r["camera"])],
            "state": [_state(view, r), "warn" if r.get("state") == "asked" else ""],
            "answer": " ".join(filter(None, (str(r.get("decided_by") or ""), str(r.get("answer") or ""))))
            or "–",
            "open": opened(r["camera"], r.get("name")),
        }
        for r in answer.get("rows", [])
    ]
    columns = [
        column("at", view.t("word.time"), width=120, cellClass="cy-num"),
        column("who", view.t("cameras.asker"), cellRenderer="CyPair", minWidth=180),
        column("camera", view.t("word.camera"), cellRenderer="CyPair", minWidth=220),
        column("state", view.t("word.status"), width=140, cellRenderer="CyLamp"),
        column("answer", view.t("cameras.answer"), minWidth=140),
    ]
    return _page(view, "views", columns, lines, int(answer.get("total") or 0))


def opened(code: Any, name: Any) -> dict[str, str]:
    """What a row opens in the side sheet: the camera's card."""
    return {"form": "card", "id": str(code), "name": str(name or code)}


def _page(
    view: View, tab: str, columns: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]], total: int
) -> list[Component]:
    head = html.Div(
        [
            html.H1(view.t(f"devices.tab.{tab}"), className="cy-h1"),
            html.Span(
                view.t("desk.records.shown", n=len(lines), total=max(total, len(lines))), className="cy-faint"
            ),
        ],
        className="cy-row ops__title",
    )
    law = html.P(view.t(f"cameras.{tab}.law"), className="law")
    table = grid(view, ids.DEVICES_GRID, columns, lines, nothing=view.t(f"cameras.{tab}.none"), row_height=50)
    return [head, law, table]


def _lamp(view: View, kind: str, value: Any, good: str) -> list[str]:
    if not value or value == "unknown":
        return ["–", ""]
    return [view.word(f"camera.{kind}", value), "" if value == good else "warn"]


def _share(precision: float | None) -> list[str]:
    return ["–", ""] if precision is None else [f"{precision:.0%}", "wrong" if precision < DOUBTFUL else ""]


def _state(view: View, r: Row) -> str:
    state = str(r.get("state"))
    over = state == "approved" and not r.get("open")
    until = f" {view.moment(r['expires_at'], '%H:%M')}" if r.get("open") else ""
    return view.word("view", "over" if over else state) + until
