"""When a case of enforcement is late, and what stands of several messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.enforcement import DEFAULT, KINDS, Key, due_at, late_before, limit_from, limit_of, newest
from incidents.model import ClockKind, Rejected
from incidents.working_time import NotPublished, WorkingTime
from tests.working import WORKING

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
DAYS = st.integers(1, 200)
AGES = st.timedeltas(timedelta(0), timedelta(days=500))


@given(AGES, DAYS, st.sampled_from(KINDS))
def test_one_moment_tells_the_late_cases_from_the_others(age: timedelta, days: int, kind: ClockKind) -> None:
    limit, opened = limit_from(days, kind), NOW - age
    due = due_at(opened, limit, WORKING)
    assert due is None or due > opened
    edge = late_before(limit, NOW, WORKING)
    if opened < edge - timedelta(seconds=1):
        assert due is not None and due < NOW
    elif opened > edge + timedelta(seconds=1):
        assert due is None or due >= NOW


@given(AGES, AGES, DAYS, st.sampled_from(KINDS))
def test_what_was_opened_later_is_due_later(
    one: timedelta, other: timedelta, days: int, kind: ClockKind
) -> None:
    limit = limit_from(days, kind)
    early = due_at(NOW - max(one, other), limit, WORKING)
    late = due_at(NOW - min(one, other), limit, WORKING)
    assert late is None or (early is not None and early <= late)


@given(st.lists(st.tuples(st.sampled_from("甲乙"), st.integers(0, 5)), max_size=8))
def test_the_newest_stands_and_of_equals_the_last(said: list[tuple[str, int]]) -> None:
    told: list[tuple[Key, datetime, int]] = [
        (("feed", case), NOW + timedelta(days=day), n) for n, (case, day) in enumerate(said)
    ]
    found = newest(told)
    assert set(found) == {key for key, _, _ in told}
    for (_, case), n in found.items():
        assert all((said[n][1], n) >= (day, m) for m, (of, day) in enumerate(said) if of == case)


def test_ninety_natural_days_unless_the_city_says_otherwise() -> None:
    assert limit_of(None) == DEFAULT and (DEFAULT.amount, DEFAULT.kind) == (90, ClockKind.NATURAL_DAY)
    assert limit_of({"days": 20, "kind": "work_day"}) == limit_from(20, "work_day")
    assert late_before(DEFAULT, NOW, WorkingTime("Asia/Shanghai", {})) == NOW - timedelta(days=90)


def test_working_days_that_nobody_has_published() -> None:
    limit = limit_from(20, "work_day")
    assert due_at(NOW, limit, WORKING) is not None
    with pytest.raises(NotPublished):
        late_before(limit, NOW, WorkingTime("Asia/Shanghai", {2020: {}}))
    assert due_at(NOW.replace(year=2040), limit, WORKING) is None


@pytest.mark.parametrize(
    ("days", "kind", "field"),
    [(0, "work_day", "days"), (367, "work_day", "days"), (5, "urgent_hour", "kind"), (5, "", "kind")],
)
def test_limits_that_cannot_be(days: int, kind: str, field: str) -> None:
    with pytest.raises(Rejected) as found:
        limit_from(days, kind)
    assert found.value.field == field
