"""The routing page: what is measured is told with what it was measured on, and who may do nothing sees no button for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callbacks.routing import command_of
from callbacks.routing_import import keeps
from incidents.model import Rejected
from layouts import routing, routing_forms
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
                "published_at": None, "published_by": "", "rows": 390, "coverage": {}}],
    "periods": [
        {"kind": "汛期", "name": "秋汛", "begins": 1_700_000_000_000, "ends": 1_800_000_000_000, "saved_by": "me",
         "state": "now", "since": "2023-11-14T22:13:20+00:00"},
        {"kind": "创建", "name": "复检", "begins": 1, "ends": 2, "saved_by": "me", "state": "over", "since": "x"},
    ],
    "units": [{"code": "A", "name": "甲", "area_path": "c/", "capacity": 10, "open_incidents": 12},
              {"code": "B", "name": "乙", "area_path": "c/", "capacity": None, "open_incidents": 0}],
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
    assert [p for p in presses(shown, "data-routing") if p["do"] != "end"] == [
        {"do": "off"}, {"do": "approve", "rule": "E01@1/"},
    ]  # fmt: skip
    assert presses(shown, "data-backtest") == [{"router": ""}, {"router": "router-1"}, {"table": 2}]
    assert presses(routing.state(view(lang, role="dispatcher"), STATE), "data-routing") == []
    unread = {**STATE, "version": "rules-1", "threshold": 1.01}
    assert view(lang).t("backtest.unread") in text_of(routing.state(view(lang), unread))
    assert view(lang).t("backtest.unread") not in told


COVERAGE: dict[str, Any] = {"classes": 30, "everywhere": 27, "cells": 300, "covered": 285, "partly": 2, "nowhere": 1,
                            "partly_of": ["积水", "井盖"], "nowhere_of": ["路灯"]}  # fmt: skip
READ: dict[str, Any] = {
    "rows": 9,
    "understood": 9,
    "faulty": 0,
    "faults": [],
    "coverage": COVERAGE,
    "stored": False,
}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_periods_and_loads_are_told_and_ended_by_who_may(lang: str) -> None:
    leader = view(lang, role="duty_leader")
    shown = routing.state(leader, STATE)
    told = text_of(shown)
    assert "秋汛" in told and leader.t("backtest.period.over") in told
    assert leader.t("routing.load.over", n=12, most=10) in told and "乙" not in told.split("甲")[-1]
    ends = [p for p in presses(shown, "data-routing") if p["do"] == "end"]
    assert ends == [{"do": "end", "period": "汛期", "begins": "2023-11-14T22:13:20+00:00"}]
    assert not [
        p
        for p in presses(routing.state(view(lang, role="dispatcher"), STATE), "data-routing")
        if p["do"] == "end"
    ]
    hidden = [c.hidden for c in routing_forms.forms(view(lang, role="evaluator"))]
    assert hidden == [True] * 3 and [c.hidden for c in routing_forms.forms(leader)] == [False] * 3


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_file_is_looked_at_before_it_is_kept(lang: str) -> None:
    leader = view(lang, role="duty_leader")
    fine = routing_forms.preview(leader, READ, "a.csv")
    told = text_of(fine)
    assert "95.0%" in told and "积水" in told and "路灯" in told and leader.t("backtest.keep") in told
    fault = {
        "row": 3,
        "column": "unit",
        "column_zh": "责任单位",
        "value": "谁",
        "rule": "a unit",
        "rule_zh": "须为单位",
    }
    wrong = text_of(routing_forms.preview(leader, {**READ, "faulty": 1, "faults": [fault]}, "a.csv"))
    assert (
        ("责任单位" if lang == "zh" else "unit") in wrong
        and "谁" in wrong
        and ("须为单位" if lang == "zh" else "a unit") in wrong
    )
    assert leader.t("backtest.keep") not in wrong
    kept = routing_forms.preview(leader, {**READ, "stored": True, "table": 4}, "a.csv")
    assert presses(kept, "data-backtest") == [{"table": 4}]
    assert leader.t("backtest.keep") not in text_of(kept)


def test_what_stands_in_the_forms_becomes_a_command() -> None:
    zone = "Asia/Shanghai"
    form = {
        "kind": "汛期",
        "period": "秋汛",
        "begins": "2026-09-01",
        "last": "2026-09-30",
        "unit": "A",
        "capacity": 7,
    }
    saved: Any = command_of({"do": "period"}, form, zone)
    assert (saved.kind, saved.name) == ("汛期", "秋汛")
    assert (saved.begins.isoformat(), saved.ends.isoformat()) == (
        "2026-09-01T00:00:00+08:00", "2026-10-01T00:00:00+08:00",
    )  # fmt: skip
    for wrong in (None, "", "autumn"):
        with pytest.raises(Rejected, match="last="):
            command_of({"do": "period"}, {**form, "last": wrong}, zone)
    able: Any = command_of({"do": "capacity"}, form, zone)
    assert (able.unit, able.capacity) == ("A", 7)
    freed: Any = command_of({"do": "capacity"}, {**form, "capacity": ""}, zone)
    assert freed.capacity is None
    with pytest.raises(Rejected, match="capacity="):
        command_of({"do": "capacity"}, {**form, "capacity": "1.5"}, zone)
    ended: Any = command_of(
        {"do": "end", "period": "汛期", "begins": "2026-09-01T00:00:00+08:00"}, {"reason": "水退"}, zone
    )
    assert (ended.kind, ended.begins, ended.reason) == ("汛期", saved.begins, "水退")


def test_a_button_keeps_only_the_file_it_was_shown_for() -> None:
    assert keeps({"size": 3}, "abc")
    assert not keeps({"size": 3}, "abcd") and not keeps(None, "abc")
