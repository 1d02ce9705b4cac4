"""Laws of `judge`: hysteresis, duration, late readings, and the same warnings whatever way the stream is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.warning import NEUTRAL, Detection, Rule, RuleState, judge, warning_id

T0 = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HIGH = Rule("high-water", 1, "water", "level", ">", 3.0, 2.5, 0, 2, "0101", "水位超限")
LOW = Rule("no-flow", 2, "water", "flow", "<", 0.1, 0.2, 120, 4, "0101", "断流")


def at(second: float) -> datetime:
    return T0 + timedelta(seconds=second)


def judged(
    rule: Rule, readings: Sequence[tuple[float, float]], state: RuleState = NEUTRAL
) -> tuple[RuleState, list[Detection]]:
    """Judge (second, value) readings one after another."""
    found = []
    for second, value in readings:
        state, detection = judge(rule, state, "WL-1", at(second), value)
        if detection is not None:
            found.append(detection)
    return state, found


def told(found: list[Detection]) -> list[tuple[float, bool]]:
    return [((d.time - T0).total_seconds(), d.raised) for d in found]


def test_story_raised_and_cleared_with_hysteresis() -> None:
    readings = [
        (0, 2.9),
        (10, 3.0),
        (20, 3.1),
        (30, 2.9),
        (40, 3.5),
        (50, 2.51),
        (60, 2.5),
        (70, 2.9),
        (80, 3.01),
    ]
    _, found = judged(HIGH, readings)
    assert told(found) == [(20, True), (60, False), (80, True)], "the threshold itself is not over it"
    first, cleared, second = found
    assert first.warning_id == cleared.warning_id == "high-water.1:WL-1:2026-11-21T08:00:20.000000+00:00"
    assert second.warning_id != first.warning_id
    assert (first.value, cleared.value) == (3.1, 2.5)


def test_story_below_and_for_two_minutes() -> None:
    _, found = judged(
        LOW, [(0, 0.05), (60, 0.05), (90, 0.1), (100, 0.05), (219, 0.0), (220, 0.0), (300, 0.19)]
    )
    assert told(found) == [(220, True)], "90: back at the threshold, so the two minutes start again at 100"
    assert found[0].warning_id == warning_id(LOW, "WL-1", at(100)), "named by its first crossing reading"
    _, cleared = judged(LOW, [(0, 0.0), (120, 0.0), (200, 0.2)])
    assert told(cleared) == [(120, True), (200, False)]


def test_a_late_reading_is_never_judged() -> None:
    state, _ = judged(HIGH, [(100, 1.0)])
    assert judged(HIGH, [(50, 9.0), (100, 9.0)], state) == (state, [])
    raised, _ = judged(HIGH, [(100, 9.0)])
    assert judged(HIGH, [(99, 0.0)], raised) == (raised, []), "nor does it clear"


rules = st.builds(
    lambda up, for_s, gap: Rule("r", 1, "t", "m", ">" if up else "<", 10.0, 10.0 - gap if up else 10.0 + gap, for_s,
                                3, "c", "m"),
    up=st.booleans(), for_s=st.sampled_from([0.0, 1.0, 30.0, 120.0]), gap=st.floats(0, 5),
)  # fmt: skip
streams = st.lists(st.tuples(st.integers(1, 100), st.floats(0, 20, allow_nan=False)), max_size=60).map(
    lambda pairs: [
        (float(sum(gap for gap, _ in pairs[: n + 1])), value) for n, (_, value) in enumerate(pairs)
    ]
)


@given(rules, streams)
def test_raised_and_cleared_take_turns(rule: Rule, readings: list[tuple[float, float]]) -> None:
    _, found = judged(rule, readings)
    assert [d.raised for d in found] == [n % 2 == 0 for n in range(len(found))]
    for raised, cleared in zip(found[::2], found[1::2], strict=False):
        assert raised.warning_id == cleared.warning_id and rule.clears(cleared.value)
    values = dict(readings)
    for d in found[::2]:
        since = datetime.fromisoformat(d.warning_id.split(":", 2)[2])
        over = [v for s, v in values.items() if since <= at(s) <= d.time]
        assert all(rule.over(v) for v in over), "over without a break since it began"
        assert (d.time - since).total_seconds() >= rule.for_s
    assert len({d.warning_id for d in found if d.raised}) == len(found[::2])


@given(rules, streams)
def test_an_excursion_that_lasts_is_always_raised(rule: Rule, readings: list[tuple[float, float]]) -> None:
    """Independent count: an excursion begins at the first reading over, and is raised by its first reading that
    is `for_s` later; until then any reading not over ends it, afterwards only one that clears."""
    expected, since, raised = [], None, False
    for second, value in readings:
        beyond = value > 10 if rule.op == ">" else value < 10
        good = value <= rule.clear_threshold if rule.op == ">" else value >= rule.clear_threshold
        if raised:
            if good:
                expected.append((second, False))
                since, raised = None, False
        elif not beyond:
            since = None
        else:
            since = second if since is None else since
            if second - since >= rule.for_s:
                expected.append((second, True))
                raised = True
    assert told(judged(rule, readings)[1]) == expected


@given(rules, streams, st.data())
def test_reading_again_raises_the_same(
    rule: Rule, readings: list[tuple[float, float]], data: st.DataObject
) -> None:
    """A crash at any moment: state as of a cut, then the stream again from anywhere before the cut."""
    state, found = judged(rule, readings)
    cut = data.draw(st.integers(0, len(readings)))
    back = data.draw(st.integers(0, cut))
    kept, before = judged(rule, readings[:cut])
    if cut:
        kept = replace(kept, last_time=at(readings[cut - 1][0]))
    again, after = judged(rule, readings[back:], kept)
    assert before + after == found
    if readings:
        assert again == state


@given(rules, streams, st.lists(st.integers(0, 59), max_size=20))
def test_late_readings_change_nothing(
    rule: Rule, readings: list[tuple[float, float]], late: list[int]
) -> None:
    """Readings sent again or late, with any value, put anywhere after a newer one."""
    clean = judged(rule, readings)
    mixed: list[tuple[float, float]] = []
    for n, reading in enumerate(readings):
        mixed.append(reading)
        mixed += [(readings[old][0], 20.0 - readings[old][1]) for old in late if old <= n]
    assert judged(rule, mixed) == clean


@pytest.mark.parametrize("op", [">", "<"])
def test_over_and_clear_never_hold_together(op: str) -> None:
    rule = replace(HIGH, op=op, threshold=3.0, clear_threshold=2.5 if op == ">" else 3.5)  # type: ignore[arg-type]
    for value in (2.4, 2.5, 2.9, 3.0, 3.1, 3.5, 3.6):
        assert not (rule.over(value) and rule.clears(value))
