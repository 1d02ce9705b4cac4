"""Routing on the desk: whose an incident is, how sure and why, why it was or was not sent by itself, and who of the unit goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from layouts.shell import pieces
from layouts.shell.view import View

Row = Mapping[str, Any]

SLIGHT: Final = 0.001
"""A unit less probable than this is not worth a look unless it is the runner-up."""

WORKERS: Final = 6
"""Workers that are offered; the others are sent by their unit."""


def panel(view: View, route: Row) -> list[Component]:
    """The ranked units with their shares and reasons, one press to send; workers; every other unit."""
    decision = route.get("decision") or {}
    ranked = decision.get("ranked") or []
    best = route.get("unit") or ""
    out: list[Component] = [
        _head(view, decision),
        *([] if ranked else [html.Div(view.t("desk.no_route"), className="lamp lamp--warn")]),
        _verdict(view, decision),
        *_units(view, ranked, press=True),
        *_sides(view, decision),
    ]
    workers = route.get("workers") or []
    if workers:
        out.append(html.Div(view.t("desk.workers"), className="cy-label"))
        out.append(html.Div([_worker(view, best, w) for w in workers[:WORKERS]], className="cy-list"))
    elif best:
        out.append(html.Div(view.t("desk.no_worker"), className="cy-faint"))
    named = {one["unit"] for one in ranked}
    others = [
        {"unit": u["code"], "unit_name": u["name"], "reason": u.get("kind")}
        for u in route.get("units") or []
        if u["code"] not in named
    ]
    return [*out, *_folded(view.t("desk.other_units", n=len(others)), [_candidate(view, c) for c in others])]


def explained(view: View, answer: Row) -> list[Component]:
    """What routing said of an incident that is under way or over, and what became of its rules."""
    rows = [row for row in answer.get("rows") or [] if (row.get("decision") or {}).get("ranked")]
    if not rows:
        return []
    newest, *earlier = rows
    decision = newest["decision"]
    return [
        _head(view, decision),
        html.Div(_moment(view, newest), className="cy-faint"),
        _verdict(view, decision, told=True),
        *[_withdrawn(view, row) for row in answer.get("withdrawn") or []],
        *_units(view, decision["ranked"]),
        *_sides(view, decision),
        *_folded(view.t("routing.earlier", n=len(earlier)), [_earlier(view, row) for row in earlier]),
    ]


def _head(view: View, decision: Row) -> Component:
    version = html.Span(str(decision.get("version") or ""), className="cy-faint cy-num routing__version")
    return html.H3([view.t("desk.part.dispatch"), version], className="detail__h")


def _verdict(view: View, decision: Row, *, told: bool = False) -> Component:
    """Why it goes, or went, by itself or not."""
    why = view.named(dict(decision), "why")
    automatic = bool(decision.get("automatic"))
    key = (
        ("routing.went" if automatic else "routing.by_hand")
        if told
        else ("routing.automatic" if automatic else "routing.manual")
    )
    return html.Div(
        [html.Span(view.t(key), className="cy-chip"), html.Span(why, className="cy-grow")],
        className="routing__verdict" + (" is-automatic" if automatic else ""),
    )


def percent(share: float) -> str:
    """99.9 % at most: nobody is certain; nor is anybody ruled out."""
    return "<0.1%" if share < SLIGHT else f"{min(share, 0.999) * 100:.1f}%"


def _units(view: View, ranked: Sequence[Row], *, press: bool = False) -> list[Component]:
    """The first, the runner-up and whoever else is worth a look; the rest folded."""
    shown = [n for n, one in enumerate(ranked) if n < 2 or float(one["confidence"]) >= SLIGHT]
    made = [_unit(view, one, place, press=press) for place, one in enumerate(ranked)]
    rest = made[len(shown) :]
    return [*made[: len(shown)], *_folded(view.t("routing.slight", n=len(rest)), rest)]


def _unit(view: View, one: Row, place: int, *, press: bool = False) -> Component:
    """A unit, its share as a bar, what speaks for it; the first with the bright button."""
    share = float(one["confidence"])
    facts = [view.t(f"routing.place.{min(place, 2)}"), *states(view, one)]
    main = html.Div(
        [
            html.Div(
                [
                    html.Span(str(one["unit_name"]), className="cy-item__title"),
                    html.Span(percent(share), className="cy-num routing__share"),
                ],
                className="cy-row routing__name",
            ),
            html.Div(
                html.Div(className="routing__bar", style={"width": f"{share * 100:.1f}%"}),
                className="routing__rail",
            ),
            html.Div(" · ".join(facts), className="cy-faint"),
            html.Ul([_reason(view, reason) for reason in one.get("reasons") or []], className="route__why"),
        ],
        className="cy-item__main",
    )
    verb = view.word("action", "dispatch")
    button = pieces.button(
        [pieces.icon("send"), verb] if place == 0 else verb,
        kind="primary" if place == 0 else "small",
        act={"action": "dispatch", "unit": one["unit"]},
    )
    kind = "route" if place == 0 else "routing__other"
    return html.Div([main, *([button] if press else [])], className=kind)


def states(view: View, one: Row) -> list[str]:
    """What a unit has to do now, for how much it can, as far as that is known."""
    tasks, most = one.get("open_incidents"), int(one.get("capacity") or 0)
    if tasks is None:
        return []
    if not most:
        return [view.t("routing.load", n=tasks)]
    kind = "over" if tasks > most else ("full" if tasks == most else "of")
    return [view.t(f"routing.load.{kind}", n=tasks, most=most)]


def _reason(view: View, reason: Row) -> Component:
    return html.Li(
        [
            html.Span(view.word("routing.evidence", reason["evidence"]), className="cy-chip"),
            html.Span(str(reason["en"] if view.lang == "en" else reason["zh"])),
        ]
    )


def _sides(view: View, decision: Row) -> list[Component]:
    """Both sides of a border that is nearer than the place is sure."""
    sides = decision.get("sides") or []
    names = {one["unit"]: one["unit_name"] for one in decision.get("ranked") or []}
    lines = [
        view.t(
            "routing.side",
            area=side["area_name"], unit=names.get(side["unit"], side["unit"] or "–"), n=round(side["distance_m"]),
        )
        for side in sides
    ]  # fmt: skip
    if len(lines) < 2:
        return []
    return [
        html.Div(
            [html.Div(view.t("routing.border"), className="cy-strong"), *(html.Div(line) for line in lines)],
            className="routing__sides",
        )
    ]


def _moment(view: View, row: Row) -> str:
    return f"{view.word('routing.moment', row['moment'])} {view.moment(row['at'])}"


def _withdrawn(view: View, row: Row) -> Component:
    """A rule of this incident that came back, and whether it may act by itself again."""
    told = view.t(
        "routing.withdrawn",
        unit=row["unit_name"], field=view.word("wrong_field", row["wrong_field"]), why=row["why"],
    )  # fmt: skip
    again = (
        view.t(
            "routing.approved",
            who=row["approved_by"],
            at=view.moment(row["approved_at"]),
            why=row["approved_why"],
        )
        if row.get("approved_at")
        else view.t("routing.not_approved")
    )
    lamp = "lamp" if row.get("approved_at") else "lamp lamp--warn"
    return html.Div([html.Div(told), html.Span(again, className=lamp)], className="routing__withdrawn")


def _earlier(view: View, row: Row) -> Component:
    first = row["decision"]["ranked"][0]
    text = f"{_moment(view, row)}：{first['unit_name']} {percent(float(first['confidence']))}"
    return html.Div([html.Span(text), html.Span(f" {row['decision']['version']}", className="cy-faint")])


def _folded(title: str, lines: Sequence[Component]) -> list[Component]:
    if not lines:
        return []
    return [
        html.Details([html.Summary(title), html.Div(list(lines), className="cy-list")], className="others")
    ]


def _worker(view: View, unit_code: str, w: Row) -> Component:
    distance = w.get("distance_m")
    age = w.get("position_age_s")
    bits = [
        view.t("desk.metres", n=round(float(distance)))
        if distance is not None and float(distance) < 1000
        else (
            view.t("desk.kilometres", n=f"{float(distance) / 1000:.1f}")
            if distance is not None
            else view.t("desk.no_position")
        ),
        view.t("desk.tasks", n=w.get("open_tasks", 0)),
        view.t("desk.located", span=view.span(float(age))) if age is not None else "",
    ]
    reasons = " · ".join(view.word("desk.worker", x) for x in w.get("reasons") or [])
    return html.Div(
        [
            pieces.icon("worker"),
            html.Div(
                [
                    html.Div(str(w.get("name") or w["login"]), className="cy-item__title"),
                    html.Div(" · ".join(x for x in bits if x), className="cy-item__sub cy-num"),
                    html.Div(reasons, className="cy-item__sub route__why") if reasons else None,
                ],
                className="cy-item__main",
            ),
            pieces.button(
                view.word("action", "dispatch"),
                kind="small",
                act={"action": "dispatch", "unit": w.get("unit") or unit_code, "worker": w["login"]},
            ),
        ],
        className="cy-item worker" + ("" if w.get("on_duty", True) else " is-off"),
    )


def _candidate(view: View, c: Row) -> Component:
    return html.Div(
        [
            html.Div(
                [
                    html.Div(str(c.get("unit_name") or c.get("unit")), className="cy-item__title"),
                    html.Div(str(c.get("reason") or ""), className="cy-item__sub"),
                ],
                className="cy-item__main",
            ),
            pieces.button(
                view.word("action", "dispatch"),
                kind="small",
                act={"action": "dispatch", "unit": c.get("unit")},
            ),
        ],
        className="cy-item",
    )
