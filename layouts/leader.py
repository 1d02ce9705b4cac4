"""The duty leader's page: what is wrong, late, unknown, waiting for me. Live lists by desk/leader.mjs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import enforcement, ids, leader_now
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

COLUMNS: Final = (
    ("waiting", "escalate"),
    ("wrong", "triangle-alert"),
    ("late", "timer"),
    ("unknown", "circle-help"),
)
UNKNOWN_ICONS: Final = {
    "feed": "unlink",
    "device": "device",
    "indicator": "gauge",
    "place": "map-pin",
    "ledger": "database",
    "held": "inbox",
    "camera": "camera",
}


def leader(view: View) -> Component:
    """The page: indicator strip, the ringing bar, four columns, late cases of enforcement below."""
    stores = [dcc.Store(id=x) for x in (ids.LEADER_PRESS, ids.LEADER_BOARD_ASK)]
    columns = [
        html.Section(
            [
                html.Div(
                    [
                        pieces.icon(mark),
                        html.H2(view.t(f"leader.{name}"), className="cy-panel__title"),
                        html.Span("", className="cy-count", **attrs({"data-count": name})),
                        html.Span(view.t(f"leader.{name}.note"), className="cy-panel__note cy-clip"),
                    ],
                    className="cy-panel__head",
                ),
                html.Div(id=_LISTS.get(name, f"leader-{name}"), className="cy-panel__body column__list"),
            ],
            className=f"cy-panel cy-panel--flush column column--{name}",
        )
        for name, mark in COLUMNS
    ]
    body = html.Main(
        [
            html.Section(id=ids.DESK_TILES, className="tiles"),
            *leader_now.strip(view),
            html.Div(className="ringing", hidden=True, **attrs({"data-ringing": "", "role": "alert"})),
            html.Div(columns, className="columns"),
            enforcement.panel(view),
            *stores,
        ],
        className="leader",
    )
    return frame.framed(view, "leader", body)


_LISTS: Final = {"unknown": ids.LEADER_UNKNOWN, "waiting": ids.LEADER_WAITING}


def board(view: View, answer: Row) -> tuple[list[Component], ...]:
    """The columns 'unknown' and 'waiting', the row 'now' and what it counts, from the answer of LeaderBoard."""
    return (
        unknown(view, unknown_rows(answer.get("unknown", {}))),
        waiting(view, answer.get("waiting", {}).get("rows", [])),
        leader_now.figures(view, answer["now"]) if "now" in answer else [],
        leader_now.rows(view, answer["now"]) if "now" in answer else [],
    )


def unknown_rows(found: Row) -> list[Row]:
    """What is not known, worst first: ledger, feeds, figures, devices, held messages, incidents without a place.

    Parts that the actor may not see are not in `found`.
    """
    rows: list[Row] = []
    if found.get("ledger_mismatches"):
        rows.append({"kind": "ledger", "n": found["ledger_mismatches"]})
    rows += [{"kind": "feed", "name": feed} for feed in found.get("silent_feeds", [])]
    rows += [
        {"kind": "indicator", "id": r["id"], "name": r["name"], "name_en": r["name_en"], "since": r["at"]}
        for r in found.get("stale_indicators", [])
    ]
    for kind, part in (("device", "silent_devices"), ("held", "held_messages")):
        if found.get(part):
            rows.append({"kind": kind, "n": found[part]})
    rows += [
        {
            "kind": "place",
            "id": r["id"],
            "name": r["title"],
            "detail": r.get("address") or r["number"],
            "since": r["reported_at"],
        }
        for r in found.get("unresolved_places", {}).get("rows", [])
    ]
    return rows


def unknown(view: View, rows: Sequence[Row]) -> list[Component]:
    """The column of what is not known; each line leads to its records."""
    if not rows:
        return [pieces.empty(view.t("leader.unknown.none"), mark="circle-check")]
    return [_unknown(view, r) for r in rows]


def _unknown(view: View, r: Row) -> Component:
    kind = str(r.get("kind"))
    where = {
        "incident": f"/desk#incident={r.get('id')}",
        "place": f"/desk#incident={r.get('id')}",
        "ledger": "/ops#ledger",
        "feed": "/ops#feeds",
        "held": "/ops#held",
        "device": "/desk#of=devices_online",
        "indicator": f"/desk#of={r.get('id')}",
    }.get(kind)
    count = r.get("n")
    text = html.Div(
        [
            html.Div(
                [
                    view.word("leader.kind", kind),
                    html.Span(f" × {count}", className="cy-num") if count else "",
                ],
                className="cy-item__sub",
            ),
            html.Div(view.named(dict(r)) or str(r.get("title") or ""), className="cy-item__title"),
            html.Div(str(r.get("detail") or ""), className="cy-item__sub") if r.get("detail") else None,
        ],
        className="cy-item__main",
    )
    facts = attrs({"data-unknown": kind})
    since = html.Div(pieces.age_of(r["since"]), className="cy-item__side") if r.get("since") else None
    inner = [pieces.icon(UNKNOWN_ICONS.get(kind, "circle-help")), text, since]
    if where:
        return html.A(inner, href=where, className="cy-item", **facts)
    return html.Div(inner, className="cy-item", **facts)


def waiting(view: View, rows: Sequence[Row]) -> list[Component]:
    """What was escalated to the leader: each with the one thing to do about it."""
    if not rows:
        return [pieces.empty(view.t("leader.waiting.none"), mark="circle-check")]
    worst_first = sorted(rows, key=lambda r: (r["level"], r.get("stage_due_at") or r["reported_at"]))
    return [_waiting(view, r) for r in worst_first]


def _waiting(view: View, r: Row) -> Component:
    press = {"id": r["id"], "version": r.get("version")}
    buttons: list[Component] = [
        html.A(
            view.t("leader.open"), href=f"/desk#incident={r['id']}", className="cy-button cy-button--small"
        )
    ]
    if not r.get("acknowledged") and int(r["level"]) <= 2:
        buttons.append(
            pieces.button(
                view.word("action", "acknowledge"),
                kind="small primary",
                act={**press, "action": "acknowledge"},
            )
        )
    if r.get("stage") == "accepted":
        buttons.append(
            pieces.button(
                view.word("action", "dispatch"), kind="small primary", act={**press, "action": "route"}
            )
        )
    else:
        buttons.append(
            pieces.button(
                view.t("leader.urge"),
                kind="small",
                act={**press, "action": "note", "reason": view.t("leader.urge.text")},
            )
        )
    return html.Div(
        [
            pieces.level_badge(view, r.get("level")),
            html.Div(
                [
                    html.Div(str(r.get("title")), className="cy-item__title"),
                    html.Div(
                        " · ".join(
                            str(x) for x in (r.get("number"), r.get("class_name"), r.get("address")) if x
                        ),
                        className="cy-item__sub cy-num",
                    ),
                    html.Div(
                        [
                            html.Span(
                                view.t(
                                    "leader.why.unacknowledged"
                                    if not r.get("acknowledged") and int(r["level"]) <= 2
                                    else "leader.why.overdue"
                                ),
                                className="lamp lamp--wrong",
                            ),
                            pieces.stage_chip(view, r.get("stage")),
                        ],
                        className="cy-row",
                    ),
                    html.Div(buttons, className="cy-row card__acts"),
                ],
                className="cy-item__main",
            ),
            html.Div(
                [pieces.due_of(r.get("stage_due_at")), pieces.age_of(r.get("reported_at"))],
                className="cy-item__side",
            ),
        ],
        className="cy-item card",
    )
