"""Evaluation 考评: rates of a period with the period and the year before, ranks by group, and behind every number the very
incidents (S17)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

GROUPS: Final = ("area", "unit", "post", "class", "channel")
SHOWN: Final = ("handle_rate", "handle_on_time_rate", "close_on_time_rate", "dispatch_right_rate", "rework_rate",
                "overdue_waiting_rate", "extension_rate")  # fmt: skip
"""Columns of the ranking; the formula table has them all."""
_WORDS: Final = {"channel": "channel", "post": "role"}
"""Groupings whose groups are words of the product → the kind of word."""


def evaluation(view: View) -> Component:
    """The page: period and grouping above, formulas left, ranking right, the incidents behind a number below."""
    begin, end = (
        dcc.DatePickerSingle(id=id, display_format="YYYY-MM-DD", first_day_of_week=1)
        for id in (ids.EVALUATION_BEGIN, ids.EVALUATION_END)
    )
    groups: list[Any] = [{"label": view.t(f"evaluation.by.{by}"), "value": by} for by in GROUPS]
    bar = html.Div(
        [
            html.H1(view.t("evaluation.title"), className="cy-h2"),
            begin,
            html.Span("–", className="cy-faint"),
            end,
            *(
                pieces.button(view.t(f"evaluation.{span}"), kind="small", **attrs({"data-span": span}))
                for span in ("this_month", "last_month", "this_year")
            ),
            *(
                pieces.button(view.t(f"evaluation.look.{look}"), kind="small", **attrs({"data-look": look}))
                for look in ("doubts", "burden")
            ),
            html.Span(view.t("report.month_report"), className="cy-faint"),
            *(
                pieces.button(kind.upper(), kind="small", **attrs({"data-report": kind}))
                for kind in ("xlsx", "pdf")
            ),
            html.Div(className="cy-grow"),
            dcc.RadioItems(
                id=ids.EVALUATION_BY, options=groups, value="area", inline=True, className="radios"
            ),
        ],
        className="cy-row cy-row--wrap evaluation__bar",
    )
    body = html.Main(
        [
            bar,
            html.Div(
                [
                    html.Section(id=ids.EVALUATION_TOTAL, className="cy-panel cy-scroll"),
                    html.Section(id=ids.EVALUATION_GROUPS, className="cy-panel cy-scroll"),
                ],
                className="evaluation__tables",
            ),
            html.Section(id=ids.EVALUATION_CASES, className="cy-panel cy-scroll evaluation__cases"),
            dcc.Store(id=ids.EVALUATION_BEHIND),
            dcc.Store(id=ids.EVALUATION_LOOK),
        ],
        className="evaluation",
    )
    return frame.framed(view, "evaluation", body)


def percent(value: object) -> str:
    """A share as it is read: 98.6 %; – where there is no data."""
    return "–" if value is None else f"{float(str(value)) * 100:.1f}%"


def _change(view: View, now: Row, then: Row | None, direction: str) -> Component:
    """Points of percent against another period, marked by whether that is better."""
    if then is None or now["value"] is None or then["value"] is None:
        return html.Span("–", className="cy-faint")
    points = (float(now["value"]) - float(then["value"])) * 100
    better = points > 0 if direction == "up" else points < 0
    kind = "" if abs(points) < 0.05 else ("is-better" if better else "is-worse")
    title = f"{percent(then['value'])} · {then['numerator']} / {then['denominator']}"
    return html.Span(f"{points:+.1f}", className=f"cy-num change {kind}", title=title)


def _changes(view: View, found: Row, formula: str, direction: str) -> list[Component | str]:
    """环比 and 同比 of one rate."""
    parts: list[Component | str] = []
    for then in ("before", "year_before"):
        change = _change(view, found["rates"][formula], found[then]["rates"].get(formula), direction)
        parts += [html.Span(view.t(f"evaluation.head.{then}"), className="cy-faint"), " ", change, " "]
    return parts


def _behind(view: View, text: str, **asked: object) -> Component:
    """A number that opens the incidents behind it."""
    return html.Button(
        text,
        type="button",
        className="behind cy-num",
        title=view.t("evaluation.behind"),
        **attrs({"data-behind": json.dumps(asked, ensure_ascii=False)}),
    )


def _counts(view: View, formula: str, rate: Row, group: str = "", by: str = "total") -> list[Component | str]:
    asked = {"formula": formula, "group": group, "by": by}
    return [
        _behind(view, str(rate["numerator"]), **asked, part="numerator"),
        " / ",
        _behind(view, str(rate["denominator"]), **asked, part="denominator"),
    ]


def name_of(view: View, formula: Row) -> str:
    """A shipped formula in the language of the screen; a city's own as the city named it."""
    known = view.word("formula", formula["id"])
    return str(formula["name"]) if known == formula["id"] or view.lang == "zh" else known


def definition(view: View, formula: Row) -> str:
    """A formula in words: what is counted of what, without what."""

    def words(names: Sequence[str], between: str = "and") -> str:
        return view.t(f"evaluation.{between}").join(view.word("fact", name) for name in names)

    text = f"{words([*formula['denominator'], *formula['numerator']])} ÷ {words(formula['denominator'])}"
    if formula["exclude"]:
        text += view.t("evaluation.without", facts=words(formula["exclude"], "or"))
    return text


def weights_in_words(view: View, weights: Mapping[str, float], formulas: Sequence[Row]) -> str:
    """How a score is made: 30 × 处置率 + 20 × (1 − 返工率); a rate where less is better counts as what is left of it."""
    known = {formula["id"]: formula for formula in formulas}
    parts = []
    for id, points in weights.items():
        name = name_of(view, known[id]) if id in known else id
        down = id in known and known[id]["direction"] == "down"
        parts.append(f"{points:g} × (1 − {name})" if down else f"{points:g} × {name}")
    return " + ".join(parts)


def total(view: View, answer: Row) -> list[Component]:
    """Every formula in force: its value, what it was, how it is made."""
    found = answer["total"]
    rows = []
    for formula in answer["formulas"]:
        rate = found["rates"].get(formula["id"])
        if rate is None:
            continue
        version = view.t(
            "evaluation.version", n=formula["version"], author=view.word("author", formula["author"])
        )
        rows.append(
            html.Tr(
                [
                    html.Td(
                        [
                            html.Div(name_of(view, formula), className="cy-strong"),
                            html.Div(
                                f"{definition(view, formula)} · {version}", className="cy-faint formula__how"
                            ),
                        ]
                    ),
                    html.Td(percent(rate["value"]), className="cy-num evaluation__value"),
                    html.Td(_counts(view, formula["id"], rate)),
                    html.Td(
                        _change(view, rate, found["before"]["rates"].get(formula["id"]), formula["direction"])
                    ),
                    html.Td(
                        _change(
                            view, rate, found["year_before"]["rates"].get(formula["id"]), formula["direction"]
                        )
                    ),
                ]
            )
        )
    heads = ("formula", "value", "counts", "before", "year_before")
    note = [view.t("evaluation.unfinished")] if answer["unfinished"] else []
    note += [recounted(view, answer["recount"])]
    score = "–" if found["score"] is None else f"{found['score']:.1f}"
    return [
        html.Div(
            [
                html.H2(view.t("evaluation.total"), className="cy-panel__title"),
                html.Span(view.t("evaluation.score", n=score), className="cy-num"),
                html.Span(" · ".join(note), className="cy-faint"),
            ],
            className="cy-panel__head",
        ),
        _table(view, heads, rows) if rows else pieces.empty(view.t("evaluation.nothing")),
    ]


def recounted(view: View, found: Row) -> str:
    """Whether what is counted is what the timelines tell: how far that is known, and what was not so."""
    words = []
    if not found["whole"]:
        words.append(view.t("evaluation.not_whole"))
    if found["ended_at"]:
        words.append(
            view.t(
                "evaluation.recounted", at=view.moment(found["ended_at"], "%m-%d %H:%M"), n=found["rounds"]
            )
        )
    if found["differed"]:
        ids = ", ".join(map(str, found["differed_ids"]))
        at = view.moment(found["differed_at"], "%Y-%m-%d %H:%M")
        words.append(view.t("evaluation.differed", n=found["differed"], at=at, ids=ids))
    return view.t("evaluation.semicolon").join(words)


def _table(view: View, heads: Sequence[str], rows: Sequence[Component]) -> Component:
    head = html.Tr([html.Th(view.t(f"evaluation.head.{name}")) for name in heads])
    return html.Table([html.Thead(head), html.Tbody(list(rows))], className="cy-table evaluation__table")


def groups(view: View, answer: Row) -> list[Component]:
    """The ranking: score and the rates that make it, worst and best at a glance."""
    by = str(answer["by"])
    names = {formula["id"]: name_of(view, formula) for formula in answer["formulas"]}
    directions = {formula["id"]: formula["direction"] for formula in answer["formulas"]}
    shown = [name for name in SHOWN if name in names]
    head = html.Tr(
        [
            html.Th("#"),
            html.Th(view.t(f"evaluation.by.{by}")),
            html.Th(view.t("evaluation.points")),
            *(html.Th(names[name]) for name in shown),
        ]
    )
    rows = []
    for place, group in enumerate(answer["groups"], 1):
        label = group["name"] or (view.word(_WORDS[by], group["group"]) if by in _WORDS else group["group"])
        points = "–" if group["score"] is None else f"{group['score']:.1f}"
        cells = [
            html.Td(
                [
                    html.Span(percent(group["rates"][name]["value"]), className="cy-num"),
                    html.Div(_changes(view, group, name, directions[name]), className="evaluation__changes"),
                    html.Div(
                        _counts(view, name, group["rates"][name], group["group"], by), className="cy-faint"
                    ),
                ]
            )
            for name in shown
        ]
        number = "" if group["score"] is None else str(place)
        rows.append(
            html.Tr(
                [
                    html.Td(number, className="cy-num"),
                    html.Td(label or view.t("evaluation.no_group")),
                    html.Td(points, className="cy-num evaluation__value"),
                    *cells,
                ]
            )
        )
    table = html.Table([html.Thead(head), html.Tbody(rows)], className="cy-table evaluation__table")
    return [
        html.Div(
            html.H2(view.t("evaluation.ranking"), className="cy-panel__title"), className="cy-panel__head"
        ),
        table if rows else pieces.empty(view.t("evaluation.nothing")),
    ]


def _pages(view: View, answer: Row, asked: Row) -> list[Component]:
    """Which rows of how many these are, and the ways on and back; nothing where all are shown. `asked` keeps with `back`
    where the pages before began, and how many rows they had."""
    if len(answer["rows"]) == answer["total"]:
        return []
    back = [list(one) for one in asked.get("back") or []]
    first = 1 + sum(n for _, n in back)
    words = view.t(
        "evaluation.rows", first=first, last=first - 1 + len(answer["rows"]), total=answer["total"]
    )
    ways: list[tuple[str, dict[str, Any]]] = []
    if back:
        ways.append(("evaluation.page_before", {"after": back[-1][0], "back": back[:-1]}))
    if answer["next"] is not None:
        here = [asked.get("after") or 0, len(answer["rows"])]
        ways.append(("evaluation.page_next", {"after": answer["next"], "back": [*back, here]}))
    return [
        html.Span(words, className="cy-faint cy-num"),
        *(_behind(view, view.t(key), **{**asked, **more}) for key, more in ways),
    ]


def cases(view: View, answer: Row, asked: Row) -> list[Component]:
    """The incidents behind a number; each leads to its record."""
    formula = answer["formula"]
    rows = [
        html.Tr(
            [
                html.Td(html.A(row["number"], href=f"/desk#incident={row['id']}", className="cy-num")),
                html.Td(row["title"]),
                html.Td(row["class_name"]),
                html.Td(row["unit"] or ""),
                html.Td(pieces.stage_chip(view, row["stage"])),
                html.Td(view.moment(row["reported_at"], "%Y-%m-%d %H:%M"), className="cy-num"),
                html.Td(view.moment(row["closed_at"], "%Y-%m-%d %H:%M"), className="cy-num"),
                html.Td(view.t("word.overdue") if row["overdue"] else ""),
            ]
        )
        for row in answer["rows"]
    ]
    heads = ("number", "title", "class", "unit", "stage", "reported_at", "closed_at", "overdue")
    part = view.t(f"evaluation.part.{asked['part']}")
    return [
        html.Div(
            [
                html.H2(f"{name_of(view, formula)} · {part}", className="cy-panel__title"),
                html.Span(str(answer["total"]), className="cy-count"),
                html.Span(definition(view, formula), className="cy-faint"),
                *_pages(view, answer, asked),
            ],
            className="cy-panel__head",
        ),
        _table(view, heads, rows) if rows else pieces.empty(view.t("evaluation.nothing")),
    ]
