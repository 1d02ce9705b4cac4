"""Rates and the incidents behind them, beside sums made another way."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.formulas import (
    SCORE,
    SHIPPED,
    BadFormula,
    Case,
    Formula,
    Period,
    Rate,
    Score,
    in_force,
    in_force_until,
    rate_of,
    score_of,
    true_of,
)

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
OCTOBER = Period(BEGIN, datetime(2026, 11, 1, tzinfo=UTC))
FORMULAS = in_force(SHIPPED, date(2026, 11, 1))


def at(day: float) -> datetime:
    return BEGIN + timedelta(days=day)


def ids(formula: str, *cases: Case) -> tuple[tuple[int, ...], tuple[int, ...]]:
    found = rate_of(FORMULAS[formula], cases, OCTOBER)
    return found.numerator, found.denominator


def test_what_is_due_counts_in_the_period_of_its_limit() -> None:
    early = Case(1, at(1), handle_due_at=at(5), handled_at=at(4))
    late = Case(2, at(1), handle_due_at=at(5), handled_at=at(6))
    after = Case(
        3, at(1), handle_due_at=at(5), handled_at=at(40)
    )  # handled in November: not by the end of October
    november = Case(4, at(30), handle_due_at=at(35), handled_at=at(30.5))
    void = Case(5, at(1), handle_due_at=at(5), voided_at=at(2))
    cases = (early, late, after, november, void)
    assert ids("handle_rate", *cases) == ((1, 2), (1, 2, 3))
    assert ids("handle_on_time_rate", *cases) == ((1,), (1, 2, 3))
    assert ids("overdue_waiting_rate", *cases) == ((3,), (1, 2, 3))


def test_an_appeal_exempts_in_statistics_only() -> None:
    granted = Case(1, at(1), handle_due_at=at(5), handled_at=at(6), closed_at=at(7), exempt="overdue")
    assert ids("handle_on_time_rate", granted) == ((), ())
    assert ids("handle_rate", granted) == ((1,), (1,))
    assert rate_of(FORMULAS["handle_on_time_rate"], [granted], OCTOBER).value is None, "no data is not zero"


def test_parked_ones_are_not_in_the_rate_of_closing_on_time() -> None:
    parked = Case(1, at(1), handle_due_at=at(5), handled_at=at(4), closed_at=at(4.5), parked=True)
    other = Case(2, at(1), handle_due_at=at(5), handled_at=at(4), closed_at=at(6))
    assert ids("close_on_time_rate", parked, other) == ((2,), (2,)), (
        "the check may take longer than handling may"
    )


def test_refusing_in_time_is_deciding_in_time() -> None:
    assert ids("file_on_time_rate", Case(1, at(1), filed_due_at=at(1.1), refused_at=at(1.05))) == ((1,), (1,))


def test_the_newest_version_that_has_begun_is_in_force() -> None:
    first = Formula("r", 1, "r", ("handled",), ("to_handle",), since=date(2026, 1, 1))
    second = Formula(
        "r", 2, "r", ("closed",), ("to_handle",), since=date(2026, 10, 15), until=date(2027, 1, 1)
    )
    both = (second, first)
    assert in_force(both, date(2025, 12, 31)) == {}
    assert in_force(both, date(2026, 10, 14))["r"].version == 1
    assert in_force(both, date(2026, 10, 15))["r"].version == 2
    assert in_force(both, date(2027, 1, 1)) == {}, "it has ended, and the first does not come back"
    assert (in_force_until(both, first), in_force_until(both, second)) == (
        date(2026, 10, 15),
        date(2027, 1, 1),
    )
    hasty = Formula("r", 3, "r", ("closed",), ("to_handle",), since=date(2026, 10, 15))
    assert in_force((*both, hasty), date(2026, 10, 15))["r"].version == 3
    assert in_force_until((*both, hasty), second) == second.since, "never in force"


def test_the_newest_score_that_has_begun_is_in_force() -> None:
    second = Score({"handle_rate": 100}, 2, since=date(2026, 11, 1))
    assert score_of((SCORE, second), date(2026, 10, 31)) is SCORE
    assert score_of((SCORE, second), date(2026, 11, 1)) is second


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"numerator": ("done",)}, "numerator='done'"),
        ({"denominator": ()}, "at least one"),
        ({"denominator": ("parked", "valid")}, "say when it counts"),
        ({"direction": "left"}, "up or down"),
        ({"version": 0}, "version=0"),
        ({"since": date(2026, 2, 1), "until": date(2026, 1, 1)}, "must be after"),
    ],
)
def test_bad_formulas(change: dict[str, object], words: str) -> None:
    given_: dict[str, object] = {
        "id": "r", "version": 1, "name": "r", "numerator": ("handled",), "denominator": ("to_handle",)} | change  # fmt: skip
    with pytest.raises(BadFormula, match=words):
        Formula(**given_)  # type: ignore[arg-type]


def test_the_score_is_of_the_rates() -> None:
    def rates(good: int, of: int) -> dict[str, Rate]:
        return {name: Rate(name, 1, tuple(range(good)), tuple(range(of))) for name in SCORE.weights}

    assert SCORE.points(rates(1, 2), FORMULAS) == pytest.approx(50)
    assert SCORE.points(rates(4, 4), FORMULAS) == pytest.approx(50), (
        "all handled, all of it reworked and late"
    )
    assert SCORE.points(rates(0, 0), FORMULAS) is None
    assert sum(SCORE.weights.values()) == 100


moments = st.none() | st.integers(-20, 60).map(at)
cases = st.lists(
    st.builds(
        Case,
        id=st.just(0),
        reported_at=st.integers(-20, 60).map(at),
        **{f.name: moments for f in fields(Case) if f.name.endswith("_at") and f.name != "reported_at"},
        returned_for_unit=st.booleans(), reworks=st.integers(0, 2), extensions=st.integers(0, 2), parked=st.booleans(),
        exempt=st.sampled_from(["", "overdue", "rework", "return"]),
    ),
    max_size=12,
)  # fmt: skip


@given(cases, st.sampled_from(SHIPPED))
def test_the_numerator_is_a_part_of_the_denominator(found: list[Case], formula: Formula) -> None:
    numbered = [
        Case(**{f.name: getattr(c, f.name) for f in fields(Case)} | {"id": n}) for n, c in enumerate(found)
    ]
    rate = rate_of(formula, numbered, OCTOBER)
    assert set(rate.numerator) <= set(rate.denominator) <= set(range(len(numbered)))
    assert (rate.value is None) == (not rate.denominator)
    assert not any(true_of(name, numbered[n], OCTOBER) for name in formula.exclude for n in rate.denominator)
