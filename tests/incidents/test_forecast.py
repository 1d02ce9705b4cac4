"""When it will be full."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.forecast import FARTHEST, FEWEST, Forecast, forecast

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)


def line(begin: float, per_hour: float, hours: int = 24) -> list[tuple[datetime, float]]:
    """One measurement an hour, the last one now."""
    return [(NOW - timedelta(hours=hours - n), begin + per_hour * n) for n in range(hours + 1)]


@given(
    st.integers(0, 10**12), st.integers(1, 10**9), st.integers(1, 10**12), st.randoms(use_true_random=False)
)
def test_a_straight_growth_fills_when_the_line_meets_the_capacity(
    begin: int, per_hour: int, left: int, random: object
) -> None:
    samples = line(begin, per_hour)
    capacity = samples[-1][1] + left
    random.shuffle(samples)  # type: ignore[attr-defined]
    found = forecast(samples, capacity, NOW)
    assert found.per_day == pytest.approx(24 * per_hour, rel=1e-6, abs=1)
    hours = left / per_hour
    if hours * 3600 > FARTHEST.total_seconds() * 1.001:
        assert found.full_at is None
    elif hours * 3600 < FARTHEST.total_seconds() * 0.999:
        assert found.full_at is not None
        assert (found.full_at - NOW).total_seconds() == pytest.approx(hours * 3600, rel=1e-3, abs=1)


def test_what_does_not_grow_never_fills() -> None:
    assert forecast(line(100, 0), 1000, NOW) == Forecast(0.0, None)
    shrinking = forecast(line(10_000, -5), 20_000, NOW)
    assert shrinking.per_day == pytest.approx(-120) and shrinking.full_at is None


def test_without_a_capacity_only_the_growth_is_known() -> None:
    found = forecast(line(0, 10), None, NOW)
    assert found.per_day == pytest.approx(240) and found.full_at is None


def test_too_few_or_too_close_measurements_say_nothing() -> None:
    assert forecast([], 10, NOW) == Forecast(None, None)
    assert forecast(line(0, 1)[: FEWEST - 1], 10**9, NOW) == Forecast(None, None)
    close = [(NOW - timedelta(seconds=n), 100.0 - n) for n in range(50)]
    assert forecast(close, 10**9, NOW) == Forecast(None, None)


def test_what_is_full_is_full_now() -> None:
    assert forecast([(NOW, 11.0)], 10, NOW) == Forecast(None, NOW)
    assert forecast(line(0, 1), 24, NOW).full_at == NOW
