"""The routing page: what is measured is told with what it was measured on, and who may do nothing sees no button for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from layouts import routing
from layouts.text import LANGUAGES
from tests.layouts.test_pages import text_of, view, walk

SCORE: dict[str, Any] = {"cases": 300, "automatic": 200, "right": 280, "right_automatic": 199, "coverage": 0.66667,
                         "accuracy": 0.93333, "automatic_accuracy": 0.995}  # fmt: skip
NONE: dict[str, Any] = {"cases": 0, "automatic": 0, "right": 0, "right_automatic": 0, "coverage": None, "accuracy": None,
                        "automatic_accuracy": None}  # fmt: skip
ANSWER: dict[str, Any] = {
    "before": "rules-1", "after": "router-1+rules-1", "threshold": 0.98, "learned_until": 1, "begin": 1, "end": 2,
    "all": {"before": SCORE, "after": SCORE}, "unseen": {"before": NONE, "after": NONE},
    "counts": dict.fromkeys(("all", *routing.COUNTS, "gained", "lost"), 7),
    "loads": [{"unit": "A", "unit_name": "甲", "before": 3, "after": 9, "handled": 8},
              {"unit": "B", "unit_name": "乙", "before": 9, "after": 3, "handled": 4},
              {"unit": "C", "unit_name": "丙", "before": 1, "after": 1, "handled": 1}],
}  # fmt: skip
CASES: dict[str, Any] = {
    "rows": [{"id": 5, "number": "N5", "title": "<i>", "class_name": "暴露垃圾", "reported_at": 1_700_000_000_000,
              "before": "甲", "after": "乙", "handled_by": "乙", "confidence": 0.991, "automatic": True, "unseen": False,
              "right_before": False, "right_after": True}],
    "total": 900,
}  # fmt: skip
STATE: dict[str, Any] = {
    "version": "router-1+rules-1", "threshold": 0.98,
    "models": [{"version": "router-1", "state": "published", "trained_at": 1_700_000_000_000, "trained_by": "me",
                "source": "a.csv", "inputs": {"counts": {"used": 900}}, "learned_from": 1, "learned_until": 2,
                "measured_until": 3, "threshold": 0.98, "published_at": 4, "published_by": "me",
                "figures": {"measured_on": 270, "automatic_share": 0.5, "right_share": None,
                            "first_dispatch_accuracy": 0.9, "top2_accuracy": 0.95, "text": None}}],
    "tables": [{"id": 2, "name": "2027 版", "filename": "a.csv", "imported_at": 1, "imported_by": "me",
                "published_at": None, "published_by": "", "rows": 390}],
    "withdrawn": [{"rule": "E01@1/", "wrong_field": "scope", "incident_id": 5, "number": "N5", "unit": "A",
                   "unit_name": "甲", "version": "v", "automatic": True, "said": "责任表：归甲", "said_en": "table: A",
                   "why": "不归我们", "at": 1, "by_login": "u", "returns": 2}],
    "approved": [],
}  # fmt: skip


def presses(shown: Any, name: str) -> list[dict[str, Any]]:
    return [json.loads(found) for c in walk(shown) if (found := getattr(c, name, None))]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_backtest_tells_what_it_proves(lang: str) -> None:
    shown = routing.result(view(lang, role="duty_leader"), ANSWER, {"router": "router-1"})
    told = text_of(shown)
    assert "99.50%" in told and "–" in told and view(lang).t("backtest.seen") in told
    assert "甲" in told and "+6" in told and "-6" in told and "丙" not in told, (
        "a unit that nothing changes is left out"
    )
    assert {"of": "moved", "unit": "A"} in presses(shown, "data-behind")
    assert presses(shown, "data-routing") == [{"do": "router", "router": "router-1"}]
    table = routing.result(view(lang, role="duty_leader"), ANSWER, {"table": 2})
    assert presses(table, "data-routing") == [{"do": "table", "table": 2}]
    assert not presses(
        routing.result(view(lang, role="evaluator"), ANSWER, {"router": "router-1"}), "data-routing"
    )
    assert not presses(routing.result(view(lang, role="duty_leader"), ANSWER, {"router": ""}), "data-routing")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_incidents_behind_a_figure(lang: str) -> None:
    shown = routing.cases(view(lang), CASES, {"of": "moved"})
    told = text_of(shown)
    assert (
        "N5" in told and "99.10%" in told and "乙  ✓" in told and view(lang).t("backtest.learned_it") in told
    )
    assert view(lang).t("backtest.nothing") in text_of(
        routing.cases(view(lang), {"rows": [], "total": 0}, {"of": "lost"})
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_in_force_and_what_came_back(lang: str) -> None:
    shown = routing.state(view(lang, role="duty_leader"), STATE)
    told = text_of(shown)
    assert "98.00%" in told and "270" in told and view(lang).word("wrong_field", "scope") in told
    assert presses(shown, "data-routing") == [{"do": "off"}, {"do": "approve", "rule": "E01@1/"}]
    assert presses(shown, "data-backtest") == [{"router": ""}, {"router": "router-1"}, {"table": 2}]
    assert presses(routing.state(view(lang, role="dispatcher"), STATE), "data-routing") == []
    unread = {**STATE, "version": "rules-1", "threshold": 1.01}
    assert view(lang).t("backtest.unread") in text_of(routing.state(view(lang), unread))
    assert view(lang).t("backtest.unread") not in told
