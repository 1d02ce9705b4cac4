"""Two incidents that may be one, side by side: place, time, kind, words, photos, sources, and why they are alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from layouts.desk.merge_words import reason_words
from layouts.shell import pieces
from layouts.shell.view import View

Row = Mapping[str, Any]


def compared(view: View, one: Row, other: Row) -> list[Component]:
    """`one` is on show, `other` is what it is compared with; both as IncidentDetail answers them."""
    pair = next((row for row in one.get("suggested") or [] if row["id"] == other["id"]), None)
    heads = [html.Th("")] + [html.Th(_head(view, row)) for row in (one, other)]
    lines = [
        html.Tr(
            [html.Th(view.t(label), scope="row"), html.Td(shown(view, one)), html.Td(shown(view, other))],
            className="is-same" if _same(shown(view, one), shown(view, other)) else "",
        )
        for label, shown in _LINES
    ]
    table = html.Table([html.Thead(html.Tr(heads)), html.Tbody(lines)], className="cy-table compare")
    return [_why(view, pair), html.Div(table, className="cy-scroll"), _buttons(view, one, other)]


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, str) and one != "" and one == other


def _head(view: View, row: Row) -> Component:
    return html.Div(
        [
            html.Div(
                [
                    pieces.level_badge(view, row["level"]),
                    html.Span(str(row["number"]), className="cy-num"),
                    pieces.stage_chip(view, row["stage"]),
                ],
                className="cy-row cy-row--wrap",
            ),
            html.Div(str(row["title"]), className="compare__title"),
        ]
    )


def _why(view: View, pair: Row | None) -> Component:
    if pair is None:
        return html.Div(view.t("desk.compare.unscored"), className="cy-faint")
    reasons = [words for reason in pair["reasons"] if (words := reason_words(view, reason))]
    score = view.t("desk.merge.score", n=round(float(pair["score"]) * 100))
    return html.Div(
        [
            html.Span(score, className="cy-strong"),
            *(html.Span(words, className="cy-chip") for words in reasons),
        ],
        className="cy-row cy-row--wrap",
    )


def _place(view: View, row: Row) -> str:
    parts = [str(row.get("address") or ""), " › ".join(map(str, row.get("area_names", [])[1:]))]
    return " · ".join(p for p in parts if p) or view.t("word.unresolved_place")


def _time(view: View, row: Row) -> str:
    return view.moment(row["reported_at"], "%Y-%m-%d %H:%M:%S")


def _kind(view: View, row: Row) -> str:
    return str(row.get("class_name") or view.t("desk.no_class"))


def _texts(_view: View, row: Row) -> Component:
    texts = dict.fromkeys(str(s.get("text") or s.get("title") or "") for s in row.get("source_list", []))
    return html.Div([html.P(text, className="detail__text") for text in texts if text])


def _photos(view: View, row: Row) -> Component | str:
    shots = row.get("photos") or []
    if not shots:
        return view.t("desk.compare.no_photos")
    return html.Div(
        [
            html.A(
                html.Img(
                    src=f"/api/v1/photos/{p['sha256']}",
                    alt=view.word("desk.photo", p.get("purpose", "report")),
                    loading="lazy",
                ),
                href=f"/api/v1/photos/{p['sha256']}",
                target="_blank",
                rel="noopener",
            )
            for p in shots
        ],
        className="cy-photos compare__photos",
    )


def _sources(view: View, row: Row) -> str:
    people = row.get("source_list", [])
    who = dict.fromkeys(
        f"{s.get('reporter_name') or ''} {s.get('reporter_phone') or ''}".strip() for s in people
    )
    named = view.t("desk.comma").join(name for name in who if name)
    return " · ".join(x for x in (view.t("desk.compare.sources", n=len(people)), named) if x)


def _unit(_view: View, row: Row) -> str:
    return " · ".join(x for x in (str(row.get("unit_name") or ""), str(row.get("worker_name") or "")) if x)


_LINES: Final[tuple[tuple[str, Callable[[View, Row], Any]], ...]] = (
    ("word.place", _place),
    ("word.reported_at", _time),
    ("word.class", _kind),
    ("word.text", _texts),
    ("word.photos", _photos),
    ("word.sources", _sources),
    ("word.unit", _unit),
)
"""Label → what it shows of an incident; texts that are equal are marked."""


def _buttons(view: View, one: Row, other: Row) -> Component:
    """Either into the other, or both stay: each asks for its reason in the form of the detail."""

    def merge(gone: Row, into: Row, kind: str) -> Component:
        act = {
            "action": "merge_into", "id": gone["id"], "version": gone["version"], "other": into["id"],
            "needs": ["reason"],
        }  # fmt: skip
        words = view.t("desk.compare.merge", gone=gone["number"], into=into["number"])
        return pieces.button([pieces.icon("git-merge"), words], kind=kind, act=act)

    apart = {"action": "keep_separate", "other": other["id"]}
    return html.Div(
        [
            merge(one, other, "primary"),
            merge(other, one, ""),
            pieces.button(view.word("action", "keep_separate"), act=apart),
        ],
        className="cy-row cy-row--wrap compare__foot",
    )
