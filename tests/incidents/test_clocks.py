"""Clocks: laws over random calendars and histories, and stories of FIELD E2."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from incidents.clocks import (
    Clock,
    ClockRefused,
    as_of,
    begun,
    due_at,
    extended,
    left_s,
    parked,
    paused,
    resumed,
    returned_early,
)
from incidents.limits import YUNCHENG, Limit, Odd, parse_limit
from incidents.model import ClockKind
from incidents.working_time import BadHours, NotPublished, WorkingTime

ZONE: Final = "Asia/Shanghai"
WORKING: Final = WorkingTime(
    ZONE,
    {
        2026: {date(2026, 10, day): False for day in range(1, 8)} | {date(2026, 10, 10): True},
        2027: {date(2027, 1, 1): False},
    },
)
"""National Day off, Saturday the 10th worked instead; 2028 is not published."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def clock_of(text: str, begin: str) -> Clock:
    limit = parse_limit(text, YUNCHENG)
    assert isinstance(limit, Limit)
    return begun(limit, "U1", at(begin), WORKING)


@pytest.mark.parametrize(
    ("limit", "begin", "due"),
    [
        ("2紧急工作时", "2026-10-03T23:30", "2026-10-04T01:30"),  # runs through a holiday night
        ("4小时", "2026-09-30T16:00", "2026-10-08T10:00"),  # over the holidays
        ("4小时", "2026-10-08T11:00", "2026-10-08T17:00"),  # over lunch
        ("4小时", "2026-10-08T08:00", "2026-10-08T12:00"),  # ends with the morning, not when the afternoon begins
        ("1天", "2026-10-09T08:00", "2026-10-09T18:00"),
        ("1天", "2026-10-09T18:00", "2026-10-10T18:00"),  # the Saturday is worked
        ("2工作日", "2026-10-10T12:30", "2026-10-13T12:00"),
        ("3自然日", "2026-10-01T00:00", "2026-10-04T00:00"),
    ],
)  # fmt: skip
def test_deadlines(limit: str, begin: str, due: str) -> None:
    assert due_at(clock_of(limit, begin), at(begin), WORKING) == at(due)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2紧急工作时", Limit(Decimal(2), ClockKind.URGENT_HOUR)),
        ("5天", Limit(Decimal(5), ClockKind.WORK_DAY, assumed=True)),
        (" ４ 个工作小时 ", Limit(Decimal(4), ClockKind.WORK_HOUR)),
        ("0.5小时", Limit(Decimal("0.5"), ClockKind.WORK_HOUR, assumed=True)),
        ("7自然日", Limit(Decimal(7), ClockKind.NATURAL_DAY)),
    ],
)
def test_limits(text: str, found: Limit) -> None:
    assert parse_limit(text, YUNCHENG) == found


@pytest.mark.parametrize(
    "text", ["2紧急工作日", "1紧急工作时制止", "尽快", "", "天", "0天", "999工作日", "-1天", "3天或5天"]
)
def test_odd_limits_go_to_a_person(text: str) -> None:
    odd = parse_limit(text, YUNCHENG)
    assert isinstance(odd, Odd) and odd.text == text and odd.why
    assert isinstance(parse_limit("5天", {}), Odd), "without a profile nothing is assumed"


def test_a_year_that_nobody_has_published_is_not_guessed() -> None:
    clock = clock_of("15天", "2027-12-28T09:00")
    with pytest.raises(NotPublished, match="2028"):
        due_at(clock, at("2027-12-28T09:00"), WORKING)
    with pytest.raises(NotPublished, match="2028"):
        left_s(clock, at("2028-01-05T09:00"), WORKING)
    assert due_at(clock_of("2紧急工作时", "2027-12-31T23:00"), at("2027-12-31T23:00"), WORKING)


def test_from_dispatch_to_another_unit() -> None:
    clock = clock_of("1天", "2026-10-08T08:00")
    back = paused(clock, at("2026-10-08T10:00"), WORKING)
    assert due_at(back, at("2026-10-09T09:00"), WORKING) is None
    same = resumed(back, "U1", at("2026-10-09T09:00"))
    assert due_at(same, at("2026-10-09T09:00"), WORKING) == at("2026-10-09T17:00"), "the rest, 6 h"
    other = resumed(back, "U2", at("2026-10-09T09:00"))
    assert due_at(other, at("2026-10-09T09:00"), WORKING) == at("2026-10-10T09:00"), "the whole limit anew"


def test_extensions() -> None:
    clock = clock_of("1天", "2026-10-08T08:00")
    now = at("2026-10-08T09:00")
    once = extended(clock, now, WORKING)
    assert due_at(once, now, WORKING) == at("2026-10-09T18:00")
    twice = extended(once, now, WORKING)
    with pytest.raises(ClockRefused) as refused:
        extended(twice, now, WORKING)
    assert refused.value.code == "extensions"
    with pytest.raises(ClockRefused) as refused:
        extended(clock, at("2026-10-09T08:01"), WORKING)
    assert refused.value.code == "overdue"
    assert resumed(paused(twice, now, WORKING), "U2", now).extensions == 2, "another unit is no new leave"


def test_parking() -> None:
    clock = clock_of("1天", "2026-10-08T08:00")
    now = at("2026-10-08T10:00")
    stands = parked(clock, at("2026-10-12T08:00"), now, WORKING)
    assert left_s(stands, at("2026-10-11T08:00"), WORKING) == 6 * 3600
    assert due_at(stands, now, WORKING) == at("2026-10-12T16:00"), "it returns by itself"
    assert due_at(stands, at("2026-10-12T09:00"), WORKING) == at("2026-10-12T16:00")
    assert left_s(stands, at("2026-10-12T09:00"), WORKING) == 5 * 3600
    early = returned_early(stands, at("2026-10-09T08:00"))
    assert due_at(early, at("2026-10-09T08:00"), WORKING) == at("2026-10-09T16:00")
    tries: list[tuple[Callable[[], Clock], str]] = [
        (lambda: parked(early, at("2026-10-12T08:00"), at("2026-10-09T09:00"), WORKING), "parked"),
        (lambda: parked(clock, now + timedelta(days=366), now, WORKING), "until"),
        (lambda: parked(clock, now, now, WORKING), "until"),
        (lambda: resumed(stands, "U1", now), "parked"),
        (lambda: returned_early(early, at("2026-10-09T09:00")), "parked"),
        (lambda: paused(stands, now, WORKING), "running"),
        (lambda: resumed(clock, "U1", now), "standing"),
    ]
    for again, code in tries:
        with pytest.raises(ClockRefused) as refused:
            again()
        assert refused.value.code == code


@pytest.mark.parametrize(
    "hours",
    [
        (),
        ((time(12), time(8)),),
        ((time(8), time(12)), (time(11), time(18))),
        ((time(8, tzinfo=UTC), time(9)),),
    ],
)
def test_bad_hours(hours: Any) -> None:
    with pytest.raises(BadHours, match="hours="):
        WorkingTime(ZONE, {2026: {}}, hours)


# -- laws ----------------------------------------------------------------------------------------------------

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 300 * 86_400).map(lambda s: BEGIN + timedelta(seconds=s))
limits = st.builds(
    Limit,
    st.integers(1, 20).map(Decimal),
    st.sampled_from(ClockKind),
)
days_off = st.dictionaries(st.dates(date(2026, 1, 1), date(2027, 12, 31)), st.booleans(), max_size=60)


@st.composite
def calendars(draw: st.DrawFn) -> WorkingTime:
    days = draw(days_off)
    cut = sorted(draw(st.sets(st.integers(0, 287), min_size=4, max_size=4)))
    marks = [time(n // 12, n % 12 * 5) for n in cut]
    return WorkingTime(
        ZONE,
        {year: {d: w for d, w in days.items() if d.year == year} for year in (2026, 2027)},
        ((marks[0], marks[1]), (marks[2], marks[3])),
    )


@given(calendars(), moments, st.integers(0, 40 * 3600))
def test_after_and_between_agree(working: WorkingTime, begin: datetime, seconds: int) -> None:
    try:
        end = working.after(begin, seconds)
    except NotPublished:
        assume(False)
    assert working.between(begin, end) == pytest.approx(seconds, abs=1e-6)
    if seconds:
        assert working.between(begin, end - timedelta(seconds=1)) < seconds, "the earliest such moment"


@given(calendars(), st.tuples(moments, moments, moments).map(sorted))
def test_between_adds_up(working: WorkingTime, found: list[datetime]) -> None:
    a, b, c = found
    assert working.between(a, b) + working.between(b, c) == pytest.approx(working.between(a, c), abs=1e-6)
    assert 0 <= working.between(a, b) <= (b - a).total_seconds() + 1e-6


@given(limits, calendars(), st.tuples(moments, moments, moments, moments).map(sorted))
def test_pausing_never_shortens_the_rest(limit: Limit, working: WorkingTime, found: list[datetime]) -> None:
    start, stop, look, again = found
    clock = begun(limit, "U1", start, working)
    stands = paused(clock, stop, working)
    rest = left_s(clock, stop, working)
    assert left_s(stands, stop, working) == left_s(stands, look, working) == pytest.approx(rest, abs=1e-6)
    assert left_s(resumed(stands, "U1", again), again, working) == pytest.approx(rest, abs=1e-6)


@given(limits, calendars(), st.tuples(moments, moments, moments).map(sorted))
def test_pause_and_resume_at_once_is_neutral(
    limit: Limit, working: WorkingTime, found: list[datetime]
) -> None:
    start, blink, look = found
    clock = begun(limit, "U1", start, working)
    blinked = resumed(paused(clock, blink, working), "U1", blink)
    assert left_s(blinked, look, working) == pytest.approx(left_s(clock, look, working), abs=1e-6)
    try:
        due, also = due_at(clock, look, working), due_at(blinked, look, working)
    except NotPublished:
        return
    assert due is not None and also is not None
    if left_s(clock, blink, working) > 1e-3:
        assert abs((due - also).total_seconds()) < 1e-3


@given(limits, calendars(), st.tuples(moments, moments).map(sorted), st.integers(1, 300))
def test_the_order_of_unrelated_actions_does_not_matter(
    limit: Limit, working: WorkingTime, found: list[datetime], days: int
) -> None:
    """An extension and a pause, or a parking, at the same moment."""
    start, now = found
    clock = begun(limit, "U1", start, working)
    assume(left_s(clock, now, working) >= 0)
    until = now + timedelta(days=days)
    assert extended(paused(clock, now, working), now, working) == paused(
        extended(clock, now, working), now, working
    )
    assert extended(parked(clock, until, now, working), now, working) == parked(
        extended(clock, now, working), until, now, working
    )


@given(limits, calendars(), st.tuples(moments, moments, moments).map(sorted))
def test_parking_returns_by_itself(limit: Limit, working: WorkingTime, found: list[datetime]) -> None:
    start, now, look = found
    clock = begun(limit, "U1", start, working)
    assume(left_s(clock, now, working) >= 0 and now < look)
    stands = parked(clock, look, now, working)
    rest = left_s(clock, now, working)
    assert left_s(stands, look, working) == pytest.approx(rest, abs=1e-6)
    assert as_of(stands, look).since == look
    assert left_s(as_of(stands, look), look, working) == left_s(stands, look, working)
