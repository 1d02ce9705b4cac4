"""执法案件 on the leader's page and in an incident's detail: what is said of each case, and what may be pressed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callbacks.desk_press import command_of
from incidents.handling_commands import SuperviseIncident
from layouts import enforcement, ids
from layouts.leader import leader
from layouts.text import LANGUAGES
from tests.layouts.test_pages import ids_of, text_of, view, walk

ROW: dict[str, Any] = {
    "feed": "cases", "case": "临执〔2026〕0031号", "title": "店外经营", "unit": "综合执法局", "stage": "调查取证", "result": "",
    "opened_at": 1_785_000_000_000, "closed_at": None, "due_at": 1_792_776_000_000, "late": True, "late_s": 12 * 86400.0,
    "incident": 41, "number": "LL2026112100010", "version": 6, "can_supervise": True, "supervised": False,
}  # fmt: skip
ANSWER = {"rows": [ROW], "total": 1, "limit": {"days": 90, "kind": "natural_day"}, "due_unknown": False}


def presses(shown: Any) -> list[dict[str, Any]]:
    return [json.loads(press) for c in walk(shown) if (press := getattr(c, "data-act", None))]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_late_case_says_by_how_much_and_one_press_supervises_its_incident(lang: str) -> None:
    v = view(lang, "duty_leader")
    shown = enforcement.late(v, ANSWER)
    told = text_of(shown)
    for word in (
        "临执〔2026〕0031号",
        "店外经营",
        "综合执法局",
        "调查取证",
        "LL2026112100010",
        v.span(12 * 86400.0),
    ):
        assert word in told
    assert "/desk#incident=41" in [getattr(c, "href", None) for c in walk(shown)]
    (press,) = presses(shown)
    command = command_of(press, {}, v.timezone)
    assert isinstance(command, SuperviseIncident)
    assert (command.id, command.version, command.level, command.hours) == (41, 6, 3, 24.0)
    assert "临执〔2026〕0031号" in command.demand
    assert "90" in enforcement.note(v, ANSWER)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"incident": None, "number": None, "version": None, "can_supervise": False}, "未关联事件"),
        ({"can_supervise": False}, "不可督办"),
        ({"can_supervise": False, "supervised": True}, "督办中"),
    ],
)
def test_where_nothing_can_be_pressed_it_says_why(change: dict[str, Any], word: str) -> None:
    shown = enforcement.late(view(), {**ANSWER, "rows": [{**ROW, **change}]})
    assert word in text_of(shown) and presses(shown) == []


def test_late_by_nobody_knows_how_much() -> None:
    assert "已超期" in text_of(enforcement.late(view(), {**ANSWER, "rows": [{**ROW, "late_s": None}]}))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_working_days_that_are_not_published_are_said_in_words(lang: str) -> None:
    shown = enforcement.late(view(lang), {**ANSWER, "rows": [], "due_unknown": True})
    assert view(lang).t("cases.due_unknown") in text_of(shown)
    assert enforcement.late(view(lang), {**ANSWER, "rows": []}) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_cases_of_an_incident_are_lines(lang: str) -> None:
    v = view(lang)
    first, second = enforcement.of_incident(v, [ROW, {**ROW, "result": "罚款"}])
    assert text_of(first) == f"临执〔2026〕0031号 · 综合执法局 · 调查取证 · {v.t('cases.no_result')}"
    assert text_of(second).endswith(" · 罚款")


def test_the_leaders_page_has_room_for_them() -> None:
    found = ids_of(leader(view(role="duty_leader")))
    assert ids.LEADER_CASES in found and ids.LEADER_CASES_NOTE in found
