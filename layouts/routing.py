"""Routing 智能分拨 for who answers for it: the router in force, candidates and tables with their backtest, the incidents that
move, rules that came back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, routing_forms
from layouts.desk.routing import states
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

COUNTS: Final = ("moved", "gained", "lost", "automatic", "wrong_automatic", "manual", "wrong")
LOADS: Final = 30
"""Units shown by how much their load changes."""


def routing(view: View) -> Component:
    """The page: what is in force and what could be on the left, the backtest and its incidents on the right."""
    body = html.Main(
        [
            html.Section(
                [
                    html.Div(id=ids.ROUTING_STATE),
                    *routing_forms.forms(view),
                    pieces.reason(view, ids.ROUTING_REASON, view.t("backtest.reason")),
                ],
                className="cy-panel cy-scroll backtest__side",
            ),
            html.Section(
                dcc.Loading(
                    html.Div(pieces.empty(view.t("backtest.choose")), id=ids.BACKTEST_RESULT),
                    delay_show=400,
                    color="var(--accent)",
                ),
                className="cy-panel cy-scroll backtest__result",
            ),
            html.Section(id=ids.BACKTEST_CASES, className="cy-panel cy-scroll backtest__cases"),
            dcc.Store(id=ids.ROUTING_ASK),
            dcc.Store(id=ids.ROUTING_PRESS),
            dcc.Store(id=ids.ROUTING_KEEP),
            dcc.Store(id=ids.BACKTEST_ASK),
            dcc.Store(id=ids.BACKTEST_BEHIND),
        ],
        className="backtest",
    )
    return frame.framed(view, "routing", body)


def percent(value: object) -> str:
    """A share as it is read: 98.62 %; – where there is nothing to count."""
    return "–" if value is None else f"{float(str(value)) * 100:.2f}%"


def _press(view: View, text: str, *, kind: str = "small", **pressed: object) -> Component:
    return pieces.button(text, kind=kind, **attrs({"data-routing": json.dumps(pressed, ensure_ascii=False)}))


def _replay(view: View, **asked: object) -> Component:
    data = json.dumps(asked, ensure_ascii=False)
    return pieces.button(view.t("backtest.run"), kind="small", **attrs({"data-backtest": data}))


def _title(text: str, count: int | None = None) -> Component:
    more = [] if count is None else [html.Span(str(count), className="cy-count")]
    return html.Div([html.H2(text, className="cy-panel__title"), *more], className="cy-panel__head")


def state(view: View, answer: Row) -> list[Component]:
    """What is in force, trained routers, tables, rules that are not automatic."""
    never = float(answer["threshold"]) > 1
    told = (
        view.t("backtest.never")
        if never
        else view.t("backtest.threshold", share=percent(answer["threshold"]))
    )
    published = next((m["version"] for m in answer["models"] if m["state"] == "published"), "")
    unread = not str(answer["version"]).startswith(published)
    in_force = html.Div(
        [
            html.Div(str(answer["version"]), className="cy-strong cy-num"),
            html.Div(told, className="cy-faint"),
            *([html.Div(view.t("backtest.unread"), className="lamp lamp--warn")] if unread else []),
            html.Div(
                [
                    _replay(view, router=""),
                    *(
                        [_press(view, view.t("backtest.off"), do="off")]
                        if view.may("routing.publish") and published
                        else []
                    ),
                ],
                className="cy-row cy-row--wrap",
            ),
        ],
        className="backtest__one",
    )
    return [
        _title(view.t("backtest.in_force")),
        in_force,
        _title(view.t("backtest.withdrawn"), len(answer["withdrawn"])),
        *(_withdrawn(view, row) for row in answer["withdrawn"]),
        *(
            []
            if answer["withdrawn"]
            else [html.Div(view.t("backtest.no_withdrawn"), className="cy-faint backtest__one")]
        ),
        _title(view.t("backtest.models"), len(answer["models"])),
        *(_model(view, row) for row in answer["models"]),
        *(
            []
            if answer["models"]
            else [html.Div(view.t("backtest.no_models"), className="cy-faint backtest__one")]
        ),
        _title(view.t("backtest.tables"), len(answer["tables"])),
        *(_table(view, row) for row in answer["tables"]),
        *(
            []
            if answer["tables"]
            else [html.Div(view.t("backtest.no_tables"), className="cy-faint backtest__one")]
        ),
        *_periods(view, answer["periods"]),
        *_loads_now(view, answer["units"]),
    ]


def _periods(view: View, rows: Sequence[Row]) -> list[Component]:
    """Special periods, each with the button that ends it or takes it back."""
    nothing = [html.Div(view.t("backtest.no_periods"), className="cy-faint backtest__one")]
    lines = [_period(view, row) for row in rows]
    return [_title(view.t("backtest.periods"), len(rows)), *(lines or nothing)]


def _period(view: View, row: Row) -> Component:
    begins, ends = (view.moment(row[name], "%Y-%m-%d %H:%M") for name in ("begins", "ends"))
    ending = (
        [
            _press(
                view,
                view.t(f"backtest.end.{row['state']}"),
                do="end",
                period=row["kind"],
                begins=row["since"],
            )
        ]
        if row["state"] != "over" and view.may("routing.publish")
        else []
    )
    return html.Div(
        [
            html.Div(
                [
                    html.Span(f"{row['name']}（{row['kind']}）" if view.lang == "zh" else f"{row['name']} ({row['kind']})",
                              className="cy-strong"),
                    html.Span(view.t(f"backtest.period.{row['state']}"), className="cy-chip"),
                ],
                className="cy-row",
            ),
            html.Div(f"{begins} – {ends}", className="cy-faint cy-num"),
            html.Div(ending, className="cy-row") if ending else None,
        ],
        className="backtest__one",
    )  # fmt: skip


def _loads_now(view: View, rows: Sequence[Row]) -> list[Component]:
    """What each unit has in hand for how many it can take: the fullest first, those with nothing left out."""
    busy = [row for row in rows if row["open_incidents"] or row["capacity"]]
    lines = [_load(view, row) for row in busy[:LOADS]]
    nothing = [html.Div(view.t("backtest.no_load"), className="cy-faint backtest__one")]
    return [_title(view.t("backtest.units"), len(busy)), *(lines or nothing)]


def _load(view: View, row: Row) -> Component:
    full = row["capacity"] and row["open_incidents"] >= row["capacity"]
    words = html.Span(
        " · ".join(states(view, row)), className="lamp lamp--warn" if full else "cy-faint cy-num"
    )
    return html.Div([html.Span(str(row["name"])), words], className="backtest__one")


def _withdrawn(view: View, row: Row) -> Component:
    """A rule that came back: what it says, who sent it back and why; the button that lets it act again."""
    said = str(row["said_en"] if view.lang == "en" and row["said_en"] else row["said"]) or str(row["rule"])
    line = view.t(
        "backtest.came_back",
        unit=row["unit_name"], field=view.word("wrong_field", row["wrong_field"]), why=row["why"], n=row["returns"],
    )  # fmt: skip
    number = html.A(str(row["number"]), href=f"/desk#incident={row['incident_id']}", className="cy-num")
    again = (
        [_press(view, view.t("backtest.approve"), do="approve", rule=row["rule"])]
        if view.may("routing.approve")
        else []
    )
    return html.Div(
        [
            html.Div(said),
            html.Div([line, " ", number], className="cy-faint"),
            html.Div(
                [html.Span(str(row["rule"]), className="cy-faint cy-num backtest__rule"), *again],
                className="cy-row cy-row--wrap",
            ),
        ],
        className="backtest__one",
    )


def _model(view: View, row: Row) -> Component:
    """A trained router: what it learned from, what was measured on what it never saw."""
    figures, counts = row["figures"], row["inputs"].get("counts", {})
    measured = view.t(
        "backtest.measured",
        n=figures["measured_on"], automatic=percent(figures["automatic_share"]), right=percent(figures["right_share"]),
        first=percent(figures["first_dispatch_accuracy"]), two=percent(figures["top2_accuracy"]),
    )  # fmt: skip
    learned = view.t(
        "backtest.learned",
        source=row["source"], n=counts.get("used", "–"), begin=view.moment(row["learned_from"], "%Y-%m-%d"),
        end=view.moment(row["learned_until"], "%Y-%m-%d"), last=view.moment(row["measured_until"], "%Y-%m-%d"),
    )  # fmt: skip
    text = figures.get("text")
    threshold = float(row["threshold"])
    lines = [
        learned,
        measured,
        view.t("backtest.text", n=text["rows"], right=percent(text["right_share"]))
        if text
        else view.t("backtest.no_text"),
        view.t("backtest.never") if threshold > 1 else view.t("backtest.threshold", share=percent(threshold)),
        view.t(
            "backtest.trained", who=row["trained_by"], at=view.moment(row["trained_at"], "%Y-%m-%d %H:%M")
        ),
    ]
    return html.Div(
        [
            html.Div(
                [
                    html.Span(str(row["version"]), className="cy-strong cy-num"),
                    html.Span(view.word("backtest.state", row["state"]), className="cy-chip"),
                ],
                className="cy-row",
            ),
            *(html.Div(line, className="cy-faint") for line in lines),
            html.Div(_replay(view, router=row["version"]), className="cy-row"),
        ],
        className="backtest__one",
    )


def _table(view: View, row: Row) -> Component:
    published = (
        view.t("backtest.published", at=view.moment(row["published_at"])) if row["published_at"] else ""
    )
    facts = [
        view.t("backtest.rows", n=row["rows"]),
        view.t(
            "backtest.imported", who=row["imported_by"], at=view.moment(row["imported_at"], "%Y-%m-%d %H:%M")
        ),
        published,
    ]
    return html.Div(
        [
            html.Div(str(row["name"]), className="cy-strong"),
            html.Div(" · ".join(fact for fact in facts if fact), className="cy-faint"),
            *routing_forms.covered(view, row["coverage"]),
            html.Div(_replay(view, table=row["id"]), className="cy-row"),
        ],
        className="backtest__one",
    )


def result(view: View, answer: Row, asked: Row) -> list[Component]:
    """Both routers side by side, what moves, who gains load; the button that publishes what was replayed."""
    publish: list[Component] = []
    if view.may("routing.publish"):
        if asked.get("table") is not None:
            publish = [
                _press(
                    view, view.t("backtest.publish_table"), kind="primary", do="table", table=asked["table"]
                )
            ]
        elif asked.get("router") not in (None, "", "rules"):
            publish = [
                _press(view, view.t("backtest.publish"), kind="primary", do="router", router=asked["router"])
            ]
    cases = answer["all"]["after"]["cases"]
    head = html.Div(
        [
            html.H1(view.t("backtest.title"), className="cy-h2"),
            html.Span(view.t("backtest.cases", n=cases), className="cy-faint"),
            html.Div(className="cy-grow"),
            *publish,
        ],
        className="cy-row cy-row--wrap",
    )
    versions = html.Div(
        view.t("backtest.versions", before=answer["before"], after=answer["after"]),
        className="cy-faint cy-num",
    )
    if not cases:
        return [head, versions, pieces.empty(view.t("backtest.nothing"))]
    return [
        head,
        versions,
        _scores(view, answer),
        *(
            [html.Div(view.t("backtest.seen"), className="lamp lamp--warn")]
            if answer["unseen"]["after"]["cases"] < cases
            else []
        ),
        _counts(view, answer),
        _loads(view, answer),
    ]


def _scores(view: View, answer: Row) -> Component:
    """Coverage, first dispatches right, right of the automatic: of what neither router learned from, and of all."""
    rows = []
    for part in ("unseen", "all"):
        for side in ("before", "after"):
            score = answer[part][side]
            rows.append(
                html.Tr(
                    [
                        html.Td(view.t(f"backtest.part.{part}") if side == "before" else ""),
                        html.Td(view.t(f"backtest.{side}")),
                        html.Td(str(score["cases"]), className="cy-num"),
                        html.Td(percent(score["coverage"]), className="cy-num backtest__value"),
                        html.Td(percent(score["automatic_accuracy"]), className="cy-num backtest__value"),
                        html.Td(percent(score["accuracy"]), className="cy-num backtest__value"),
                    ]
                )
            )
    heads = ("part", "router", "cases", "coverage", "automatic_accuracy", "accuracy")
    head = html.Tr([html.Th(view.t(f"backtest.head.{name}")) for name in heads])
    return html.Table([html.Thead(head), html.Tbody(rows)], className="cy-table backtest__table")


def _behind(view: View, text: str, **asked: object) -> Component:
    return html.Button(
        text,
        type="button",
        className="behind cy-num",
        title=view.t("backtest.behind"),
        **attrs({"data-behind": json.dumps(asked, ensure_ascii=False)}),
    )


def _counts(view: View, answer: Row) -> Component:
    return html.Div(
        [
            html.Div(
                [
                    html.Div(view.t(f"backtest.of.{of}"), className="cy-faint"),
                    _behind(view, str(answer["counts"][of]), of=of),
                ],
                className="backtest__count",
            )
            for of in COUNTS
        ],
        className="backtest__counts",
    )


def _loads(view: View, answer: Row) -> Component:
    """Units by how much their load changes, the bar to the right for more and to the left for less."""
    changed = [row for row in answer["loads"] if row["before"] != row["after"]][:LOADS]
    if not changed:
        return html.Div(view.t("backtest.no_loads"), className="cy-faint")
    most = max(abs(row["after"] - row["before"]) for row in changed)
    rows = [
        html.Tr(
            [
                html.Td(str(row["unit_name"])),
                html.Td(str(row["before"]), className="cy-num"),
                html.Td(str(row["after"]), className="cy-num"),
                html.Td(_bar(row["after"] - row["before"], most)),
                html.Td(_behind(view, f"{row['after'] - row['before']:+d}", of="moved", unit=row["unit"])),
                html.Td(str(row["handled"]), className="cy-num"),
            ]
        )
        for row in changed
    ]
    heads = ("unit", "load_before", "load_after", "change", "", "handled")
    head = html.Tr([html.Th(view.t(f"backtest.head.{name}") if name else "") for name in heads])
    return html.Table([html.Thead(head), html.Tbody(rows)], className="cy-table backtest__table")


def _bar(change: int, most: int) -> Component:
    width = f"{abs(change) / most * 50:.1f}%"
    side = "left" if change > 0 else "right"
    return html.Div(html.Div(style={"width": width, side: "50%"}), className="backtest__bar")


def cases(view: View, answer: Row, asked: Row) -> list[Component]:
    """The incidents behind a figure; each leads to its record."""

    def unit(row: Row, side: str) -> Component:
        right = bool(row[f"right_{side}"])
        return html.Td([str(row[side] or "–"), html.Span(" ✓" if right else "", className="cy-strong")])

    rows = [
        html.Tr(
            [
                html.Td(html.A(row["number"], href=f"/desk#incident={row['id']}", className="cy-num")),
                html.Td(row["title"]),
                html.Td(row["class_name"]),
                html.Td(view.moment(row["reported_at"], "%Y-%m-%d %H:%M"), className="cy-num"),
                unit(row, "before"),
                unit(row, "after"),
                html.Td(percent(row["confidence"]), className="cy-num"),
                html.Td(row["handled_by"]),
                html.Td("" if row["unseen"] else view.t("backtest.learned_it"), className="cy-faint"),
            ]
        )
        for row in answer["rows"]
    ]
    heads: Sequence[str] = (
        "number",
        "title",
        "class",
        "reported",
        "before",
        "after",
        "confidence",
        "handled_by",
        "",
    )
    head = html.Tr([html.Th(view.t(f"backtest.head.{name}") if name else "") for name in heads])
    shown = (
        view.t("evaluation.shown", n=len(rows), total=answer["total"]) if len(rows) < answer["total"] else ""
    )
    return [
        html.Div(
            [
                html.H2(view.t(f"backtest.of.{asked['of']}"), className="cy-panel__title"),
                html.Span(str(answer["total"]), className="cy-count"),
                html.Span(shown, className="cy-faint"),
            ],
            className="cy-panel__head",
        ),
        html.Table([html.Thead(head), html.Tbody(rows)], className="cy-table backtest__table")
        if rows
        else pieces.empty(view.t("backtest.nothing")),
    ]
