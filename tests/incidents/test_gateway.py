"""Token buckets and names of devices: what may never happen, whatever comes in which order."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.gateway import Limiter, Rate, Tally, login_of, take, usable_name

RATES = st.builds(Rate, st.floats(0.01, 1000), st.integers(1, 500))
STEPS = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 600)), max_size=60)


@given(RATES, STEPS)
def test_never_more_than_the_burst_and_what_time_has_given(
    rate: Rate, steps: list[tuple[float, int]]
) -> None:
    bucket, now, taken = None, 0.0, 0
    for pause, n in steps:
        now += pause
        bucket, wait = take(bucket, rate, n, now)
        assert 0 <= bucket.tokens <= rate.burst
        if wait == 0.0:
            taken += n
        assert taken <= rate.burst + now * rate.per_s + 1e-3 + 1e-6 * len(steps)


@given(RATES, STEPS)
def test_who_waits_as_long_as_told_is_let_in(rate: Rate, steps: list[tuple[float, int]]) -> None:
    bucket, now = None, 0.0
    for pause, n in steps:
        now += pause
        bucket, wait = take(bucket, rate, n, now)
        if wait == math.inf:
            assert n > rate.burst
        elif wait > 0.0:
            now += wait
            bucket, again = take(bucket, rate, n, now)
            assert again == 0.0, (bucket, wait)


@given(st.integers(1, 300))
def test_a_clock_that_stands_gives_nothing(burst: int) -> None:
    limiter = Limiter()
    rate = Rate(5.0, burst)
    assert [limiter.wait_s("d", rate, 1, 7.0) for _ in range(burst)] == [0.0] * burst
    assert limiter.wait_s("d", rate, 1, 7.0) == pytest.approx(0.2)
    assert limiter.wait_s("other", rate, 1, 7.0) == 0.0, "each device has its own"


def test_memory_is_bounded() -> None:
    limiter = Limiter(most=10)
    for number in range(1000):
        limiter.wait_s(f"d{number}", Rate(0.001, 2), 1, float(number) / 1000)
    assert len(limiter._buckets) <= 10


@pytest.mark.parametrize(
    ("name", "usable"),
    [("WL-000001", True), ("水位-3", True), ("a.b_c", True), ("", False), ("a b", False), ("a/b", False), ("a+", False),
     ("#", False), ("a:b", False), ("a~2", False), ("$SYS", False), ("a\n", False), ("x" * 101, False)],
)  # fmt: skip
def test_names(name: str, usable: bool) -> None:
    assert usable_name(name) is usable
    assert login_of("WL-1", 1) == "WL-1" and login_of("WL-1", 2) == "WL-1~2"


def test_a_tally_hands_on_once_a_period_and_loses_nothing() -> None:
    tally = Tally(period_s=1.0)
    refusal = ("d", "mqtt", "rate")
    tally.add(refusal)
    assert tally.take(10.0) == {refusal: 1}
    tally.add(refusal, 2)
    assert tally.take(10.5) == {}
    counts = tally.take(11.0)
    tally.put_back(counts)
    tally.add(refusal)
    assert tally.take(11.1) == {} and tally.take(11.1, at_once=True) == {refusal: 3}
