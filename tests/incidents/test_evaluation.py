"""Groups, periods and ranks of evaluation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.evaluation import BY, BadPeriod, Placed, before, period_of, ranked, rates_by, year_before
from incidents.formulas import SCORE, SHIPPED, Case, Period, in_force

ZONE = "Asia/Shanghai"
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
NOVEMBER = Period(BEGIN, BEGIN + timedelta(days=30))
FORMULAS = in_force(SHIPPED, date(2026, 11, 30))
days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


def placed(id: int, area: str, unit: str = "U1", late: bool = False) -> Placed:
    due = BEGIN + timedelta(days=2)
    done = due + timedelta(hours=1 if late else -1)
    case = Case(id, BEGIN, handle_due_at=due, handled_at=done, closed_at=done)
    return Placed(case, area, unit, "0101", "desk")


def test_a_period_is_whole_days_of_the_city() -> None:
    found = period_of(date(2026, 11, 1), date(2026, 11, 30), ZONE)
    assert found.begin.isoformat() == "2026-11-01T00:00:00+08:00"
    assert found.end.isoformat() == "2026-12-01T00:00:00+08:00"
    with pytest.raises(BadPeriod, match="end=2026-10-31: must not be before"):
        period_of(date(2026, 11, 1), date(2026, 10, 31), ZONE)
    with pytest.raises(BadPeriod, match="within 366 days"):
        period_of(date(2026, 1, 1), date(2027, 1, 2), ZONE)


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (date(2026, 11, 1), date(2026, 11, 30), (date(2026, 10, 1), date(2026, 10, 31))),
        (date(2026, 3, 1), date(2026, 3, 31), (date(2026, 2, 1), date(2026, 2, 28))),
        (date(2026, 1, 1), date(2026, 3, 31), (date(2025, 10, 1), date(2025, 12, 31))),
        (date(2026, 11, 9), date(2026, 11, 15), (date(2026, 11, 2), date(2026, 11, 8))),
        (date(2026, 11, 1), date(2026, 11, 1), (date(2026, 10, 31), date(2026, 10, 31))),
    ],
)
def test_the_period_before(begin: date, end: date, expected: tuple[date, date]) -> None:
    assert before(begin, end) == expected


@given(days, st.integers(0, 300))
def test_the_period_before_ends_the_day_before(begin: date, length: int) -> None:
    first, last = before(begin, begin + timedelta(days=length))
    assert last == begin - timedelta(days=1) and first <= last


@given(days)
def test_the_year_before(day: date) -> None:
    first, last = year_before(day, day)
    assert first == last and first.year == day.year - 1
    assert (first.month, first.day) in ((day.month, day.day), (2, 28))


def test_groups_of_an_area_are_those_right_below_it() -> None:
    found = [placed(1, "c/d1/t1/"), placed(2, "c/d1/t2/v/", late=True), placed(3, "c/d2/"), placed(4, "c/")]
    of = {
        group: rates["handle_on_time_rate"]
        for group, rates in rates_by("area", "c/", found, FORMULAS, NOVEMBER).items()
    }
    assert {group: (rate.numerator, rate.denominator) for group, rate in of.items()} == {
        "c/": ((4,), (4,)), "c/d1/": ((1,), (1, 2)), "c/d2/": ((3,), (3,)),
    }  # fmt: skip
    below = rates_by("area", "c/d1/", found[:2], FORMULAS, NOVEMBER)
    assert list(below) == ["c/d1/t1/", "c/d1/t2/"]


def test_what_has_no_place_yet_is_the_whole_citys() -> None:
    found = [placed(1, ""), placed(2, "c/d1/")]

    def counted(by: str, area: str) -> dict[str, tuple[int, ...]]:
        made = rates_by(by, area, found, FORMULAS, NOVEMBER)
        return {group: rates["handle_on_time_rate"].denominator for group, rates in made.items()}

    assert counted("total", "c/") == {"": (1, 2)}
    assert counted("area", "c/") == {"c/": (1,), "c/d1/": (2,)}
    assert counted("total", "c/d1/") == {"": (2,)}


@given(
    st.lists(
        st.tuples(st.sampled_from(["c/a/", "c/b/x/", "c/"]), st.sampled_from(["U1", "U2"]), st.booleans())
    )
)
def test_groups_share_out_the_whole(rows: list[tuple[str, str, bool]]) -> None:
    """Every incident is in one group of each kind: numerators and denominators add up to those of the total."""
    found = [placed(n, *row) for n, row in enumerate(rows)]
    total = rates_by("total", "c/", found, FORMULAS, NOVEMBER)
    for by in BY:
        groups = rates_by(by, "c/", found, FORMULAS, NOVEMBER)
        for name in FORMULAS:
            for part in ("numerator", "denominator"):
                ids = sorted(id for rates in groups.values() for id in getattr(rates[name], part))
                assert ids == (list(getattr(total[""][name], part)) if total else [])


def test_ranks_are_by_points_and_what_has_no_data_is_behind() -> None:
    found = [placed(1, "c/", "good"), placed(2, "c/", "bad", late=True)]
    groups = rates_by("unit", "c/", found, FORMULAS, NOVEMBER)
    waits = Placed(Case(3, BEGIN, filed_due_at=BEGIN), "c/", "new", "", "desk")
    groups |= rates_by("unit", "c/", [waits], FORMULAS, NOVEMBER)
    order = ranked(groups, FORMULAS, SCORE)
    assert [name for name, _ in order] == ["good", "bad", "new"]
    assert order[0][1] == pytest.approx(100) and order[1][1] == pytest.approx(80) and order[2][1] is None
