"""Vital signs: what a definition must say, and when a limit counts as crossed."""

from __future__ import annotations

from typing import Any

import pytest

from data.vitals import vitals
from incidents.vitals import DOMAINS, beyond, crossing, parse

SPEED: dict[str, Any] = {
    "id": "speed", "domain": "traffic", "name": "车速", "name_en": "Speed", "unit": "km/h", "source": "metric",
    "metric": "mean_speed_kmh", "direction": "up", "formula": "均值", "formula_en": "mean", "limit": 12.0, "clear": 15.0,
}  # fmt: skip


def test_what_ships_is_whole() -> None:
    found = vitals()
    assert {v.domain for v in found} == set(DOMAINS)
    for v in found:
        assert v.name and v.name_en and v.formula and v.formula_en, v.id
        assert v.source != "none" or (v.needs and v.needs_en and v.limit is None), v.id
    assert any(v.limit is not None for v in found) and any(v.source == "none" for v in found)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"domain": "weather"}, "domain"),
        ({"source": "guess"}, "source"),
        ({"metric": ""}, "metric"),
        ({"how": "share_over"}, "over"),
        ({"clear": None}, "limit and clear"),
        ({"clear": 11.0}, "good side"),
        ({"colour": "red"}, "colour"),
        ({"source": "none"}, "needs"),
    ],
)
def test_a_faulty_definition_is_named(change: dict[str, Any], word: str) -> None:
    row = {key: value for key, value in (SPEED | change).items() if value is not None}
    with pytest.raises(ValueError, match=f"'speed'.*{word}"):
        parse({"vital": [row]})
    with pytest.raises(ValueError, match="twice"):
        parse({"vital": [SPEED, SPEED]})


def test_a_limit_is_crossed_once_and_is_over_behind_clear() -> None:
    """Between limit and clear nothing changes: a value that swings there raises no second warning."""
    (speed,) = parse({"vital": [SPEED]})
    told = []
    raised = False
    for value in (30, 13, 11.9, 12.5, 11, 14.9, 15, 14, 11):
        change = crossing(speed, value, raised=raised)
        raised = {"raised": True, "cleared": False}.get(change, raised)
        told.append(change)
    assert told == ["", "", "raised", "", "", "", "cleared", "", "raised"]
    assert beyond(speed, 11.9) and not beyond(speed, 12.0)


def test_down_is_the_other_way_round() -> None:
    (dust,) = parse({"vital": [SPEED | {"direction": "down", "limit": 115.0, "clear": 100.0}]})
    assert crossing(dust, 116, raised=False) == "raised"
    assert crossing(dust, 101, raised=True) == ""
    assert crossing(dust, 100, raised=True) == "cleared"


def test_without_a_limit_nothing_is_raised_and_what_stood_is_over() -> None:
    (plain,) = parse(
        {"vital": [{key: value for key, value in SPEED.items() if key not in ("limit", "clear")}]}
    )
    assert crossing(plain, 0, raised=False) == ""
    assert crossing(plain, 0, raised=True) == "cleared"
