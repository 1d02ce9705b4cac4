"""Answers that are lists: found incidents, the records behind a figure, a device, a camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from layouts import figures
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]


def found(view: View, rows: Sequence[Row]) -> list[Component]:
    """Incidents whose number was asked for, closed ones too."""
    if not rows:
        return [html.Div(view.t("desk.found.none"), className="cy-empty")]
    return [incident_item(view, r) for r in rows[:20]]


def incident_item(view: View, r: Row) -> Component:
    """One incident as a line that opens it."""
    return html.Button(
        [
            pieces.level_badge(view, r.get("level")),
            html.Span(
                [
                    html.Span(str(r.get("title")), className="cy-item__title"),
                    html.Span(
                        f"{r.get('number')} · {r.get('class_name') or ''}", className="cy-item__sub cy-num"
                    ),
                ],
                className="cy-item__main",
            ),
            html.Span(
                [
                    pieces.stage_chip(view, r.get("stage")),
                    html.Span(view.moment(r.get("reported_at")), className="cy-num"),
                ],
                className="cy-item__side",
            ),
        ],
        className="cy-item",
        type="button",
        **attrs({"data-incident": str(r.get("id"))}),
    )


def records(view: View, rows: Sequence[Row], total: int, *, opens: bool = True) -> list[Component]:
    """The incidents behind a figure; `opens`: a line is a button that opens its incident.

    Without it (the wall: larger type, no pressing) the moment of the report gives way to the rest.
    """
    heads = ["level", "number", "title", "stage", "unit", *(["reported_at"] if opens else []), "due"]
    lines = [
        html.Tr(
            [
                html.Td(pieces.level_badge(view, r.get("level"))),
                html.Td(str(r.get("number")), className="cy-num"),
                html.Td(html.Span(str(r.get("title")), className="cy-clip-2")),
                html.Td(pieces.stage_chip(view, r.get("stage"))),
                html.Td(str(r.get("unit_name") or r.get("unit") or "–")),
                *([html.Td(view.moment(r.get("reported_at")), className="cy-num")] if opens else []),
                html.Td(_due(view, r)),
            ],
            **attrs(
                {"data-incident": str(r.get("id")), "tabIndex": "0", "role": "button"}
                if opens
                else {"data-record": str(r.get("id"))}
            ),
        )
        for r in rows
    ]
    shown = view.t("desk.records.shown", n=len(rows), total=total)
    return [
        html.Div(shown, className="cy-faint"),
        pieces.table(
            [view.t(f"word.{head}") for head in heads],
            lines,
            nothing=view.t("desk.records.none"),
            className="is-clickable" if opens else "",
        ),
    ]


def _due(view: View, r: Row) -> Component | str:
    if r.get("stage") in ("closed", "refused", "void"):
        return html.Span(
            view.t("desk.was_overdue") if r.get("handled_late") else view.moment(r.get("closed_at")),
            className="lamp lamp--wrong" if r.get("handled_late") else "cy-num",
        )
    return pieces.due_of(r.get("stage_due_at"))


def devices(view: View, answer: Row) -> list[Component]:
    """The devices behind a figure on data: who is silent, what was received of what was expected."""
    heads = [view.t(k) for k in ("word.status", "word.device", "word.type")] + [
        view.t(f"desk.devices.{k}") for k in ("newest", "period", "received")
    ]
    lines = [
        html.Tr(
            [
                html.Td(status(view, "silent" if r["silent"] else "online")),
                html.Td(
                    [
                        html.Span(str(r["name"]), className="cy-strong"),
                        html.Span(f" {r['id']}", className="cy-faint cy-num"),
                    ]
                ),
                html.Td(view.named(dict(r), "type_name")),
                html.Td(pieces.age_of(r["newest"]), className="cy-num"),
                html.Td(view.span(r["period_s"]), className="cy-num"),
                html.Td(
                    "–" if r["expected"] is None else f"{r['received']:,} / {r['expected']:,}",
                    className="cy-num is-right",
                ),
            ],
            **attrs({"data-record": str(r["id"])}),
        )
        for r in answer["rows"]
    ]
    shown = view.t("desk.records.shown", n=len(lines), total=answer["total"])
    parts = "" if answer["denominator"] is None else f" · {answer['numerator']:,} / {answer['denominator']:,}"
    return [
        html.Div(
            [shown, html.Span(parts, className="cy-num", **attrs({"data-figure": parts.strip(" ·")}))],
            className="cy-faint",
        ),
        pieces.table(heads, lines, nothing=view.t("desk.records.none")),
    ]


def feeds(view: View, rows: Sequence[Row]) -> list[Component]:
    """The registered feeds: who sends, when last, how the last attempt went; each opens its form to who keeps them."""
    keeper = view.may("feed.manage")
    heads = (
        [view.t(f"ops.{k}") for k in ("feed", "feed.owner", "feed.protocol", "feed.last", "feed.period")]
        + [view.t("word.status")]
        + [view.t(f"ops.count.{k}") for k in ("stored", "rejected", "duplicate", "held")]
    )
    lines = [
        html.Tr(
            [
                html.Td(
                    [
                        html.Div(str(r.get("name")), className="cy-strong"),
                        html.Div(str(r.get("id")), className="cy-faint cy-num"),
                    ]
                ),
                html.Td(str(r.get("owner") or "–")),
                html.Td(str(r.get("protocol") or "–")),
                html.Td(pieces.age_of(r.get("last_message_at"), r.get("expected_period_s"))),
                html.Td(_period(view, r.get("expected_period_s")), className="cy-num"),
                html.Td(
                    [
                        status(view, str(r.get("status") or "silent")),
                        *(
                            [html.Div(str(r["reason"]), className="cy-faint reason")]
                            if r.get("reason")
                            else []
                        ),
                    ]
                ),
                *(
                    html.Td(f"{int(r.get(k) or 0):,}", className="cy-num is-right")
                    for k in ("stored", "rejected", "duplicate", "held")
                ),
            ],
            **(attrs({"data-feed": str(r.get("id")), "role": "button", "tabIndex": "0"}) if keeper else {}),
        )
        for r in rows
    ]
    return [pieces.table(heads, lines, nothing=view.t("ui.empty"))]


def _period(view: View, seconds: float | None) -> str:
    return "–" if seconds is None else view.span(seconds)


def status(view: View, value: str) -> Component:
    """online | silent | warning in words, with its shape."""
    shapes = {
        "normal": "online",
        "online": "online",
        "late": "warning",
        "warning": "warning",
        "error": "warning",
    }
    shape = shapes.get(value, "silent")
    return html.Span(view.word("feed.status", value), className=f"cy-status cy-status--{shape}")


def device(view: View, answer: Row) -> list[Component]:
    """A device: what it is, its latest values."""
    latest = [
        html.Div(
            [
                html.Div(view.named(dict(m)) or str(m.get("id")), className="cy-tile__name"),
                html.Div(
                    [
                        html.Span(figures.number(m.get("value"))),
                        html.Span(str(m.get("unit") or ""), className="cy-tile__unit"),
                    ],
                    className="cy-tile__value",
                ),
                html.Div(
                    pieces.age_of(m.get("time"), answer.get("expected_period_s")), className="cy-tile__age"
                ),
            ],
            className="cy-tile",
        )
        for m in answer.get("metrics", [])
    ]
    known = pieces.facts(
        (
            (view.t("word.name"), str(answer.get("name") or "")),
            (view.t("word.type"), view.named(dict(answer), "type_name") or str(answer.get("type") or "")),
            (view.t("word.number"), html.Span(str(answer.get("id")), className="cy-num")),
            (view.t("word.unit"), str(answer.get("unit_name") or answer.get("unit") or "")),
            (view.t("word.area"), str(answer.get("area_name") or "")),
        )
    )
    return [known, html.Div(latest, className="cy-grid device__values"), *pole(view, answer.get("pole"))]


def pole(view: View, answer: Row | None) -> list[Component]:
    """The smart lamp pole that a device or camera is a part of: one thing, each function with its own status."""
    if not answer:
        return []
    lines = [
        html.Tr(
            [
                html.Td(view.word("devices.function", m.get("function")), className="cy-strong"),
                html.Td(_pole_value(view, m), className="cy-num"),
                html.Td(
                    html.Span(
                        view.word("devices.state", m["state"]) if m.get("state") else "–",
                        className={"faulty": "lamp lamp--wrong", "silent": "lamp lamp--warn"}.get(
                            str(m.get("state")), "cy-dim"
                        ),
                    )
                ),
            ],
            title=str(m.get("name") or ""),
            **attrs({"data-function": str(m.get("function"))}),
        )
        for m in answer.get("members", [])
    ]
    title = html.H3([pieces.icon("lamp"), f" {answer.get('name')} "], className="cy-h3")
    heads = [view.t("devices.function"), view.t("word.reading"), view.t("word.status")]
    return [
        html.Div([title, html.Span(str(answer.get("id")), className="cy-faint cy-num")]),
        pieces.table(heads, lines, nothing=""),
    ]


def _pole_value(view: View, m: Row) -> list[Component]:
    if m.get("value") is None:
        return []
    return [
        html.Span(f"{view.named(dict(m), 'metric')} ", className="cy-faint"),
        html.Span(f"{figures.number(m['value'])} {m.get('unit') or ''}"),
        html.Span(" "),
        pieces.age_of(m.get("time")),
    ]


def series(view: View, answer: Row) -> list[Component]:
    """The last hours of one metric."""
    if not answer.get("t"):
        return [pieces.empty(view.t("desk.no_series"), mark="chart-line")]
    return [
        dcc.Graph(
            figure=figures.device_series(view, answer),
            config=figures.CONFIG,
            className="chart",
            style={"height": "190px"},
            responsive=True,
        )
    ]
