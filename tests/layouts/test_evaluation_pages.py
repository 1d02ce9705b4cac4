"""The incidents behind a number, page by page: which of how many, and the ways on and back."""

from __future__ import annotations

import json
from typing import Any

from layouts import evaluation
from tests.layouts.test_pages import text_of, view, walk

FORMULA = {
    "id": "handle_rate", "version": 1, "name": "处置率", "numerator": ["handled"], "denominator": ["to_handle"],
    "exclude": [], "direction": "up",
}  # fmt: skip
ROW = {
    "number": "LL1", "title": "积水", "class_name": "道路积水", "unit": "", "stage": "closed", "reported_at": 1,
    "closed_at": 2, "overdue": False,
}  # fmt: skip


def shown(asked: dict[str, Any], ids: list[int], following: int | None) -> tuple[str, list[dict[str, Any]]]:
    """(text, what each way asks) of a page of five incidents in all."""
    answer = {"rows": [{**ROW, "id": id} for id in ids], "total": 5, "next": following, "formula": FORMULA}
    made = evaluation.cases(view(), answer, asked)
    ways = [json.loads(asks) for c in walk(made) if (asks := getattr(c, "data-behind", None))]
    return " ".join(text_of(c) for c in made), ways


def test_pages_lead_on_and_back_to_where_they_began() -> None:
    asked: dict[str, Any] = {"formula": "handle_rate", "part": "denominator", "by": "total", "group": ""}
    text, [on] = shown(asked, [3, 5], 5)
    assert "1–2" in text and on["after"] == 5
    text, [back, on] = shown(on, [7, 8], 8)
    assert "3–4" in text and (back["after"], on["after"]) == (0, 8)
    text, [back] = shown(on, [9], None)
    assert "5–5" in text and back["after"] == 5
    text, [back, on] = shown(back, [7, 8], 8)
    assert "3–4" in text and back["after"] == 0 and on["after"] == 8


def test_where_all_are_shown_there_is_nowhere_to_go() -> None:
    asked: dict[str, Any] = {"formula": "handle_rate", "part": "denominator", "by": "total", "group": ""}
    assert shown(asked, [1, 2, 3, 4, 5], None)[1] == []
