"""How far the clocks of devices are off: the least delay counts, history does not, a minute that fails is only missed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.skews import Skews
from tests.streams.city_messages import reading
from tests.streams.test_flush import NOW, flushed

pytestmark = pytest.mark.timeout(30, func_only=True)


class Away(Exception):
    """The store is away."""


def written(skews: Skews, found: list[dict[int, float]], wanted: int) -> None:
    """Run until so many minutes were written."""
    stop = threading.Event()
    thread = threading.Thread(target=skews.run, args=(stop, 0.005))
    thread.start()
    deadline = threading.Event()
    while len(found) < wanted:
        assert not deadline.wait(0.01)  # the thread's own pace; the test's time limit ends a hang
    stop.set()
    thread.join()


def test_the_delay_of_a_message_is_its_arrival_less_its_own_time() -> None:
    messages = [
        reading("WL-1", {"level": 1.0}, NOW - timedelta(seconds=9), "a"),
        reading("WL-1", {"level": 1.0}, NOW - timedelta(seconds=2), "b"),
        reading("WL-1", {"level": 1.0}, NOW - timedelta(hours=5), "late"),
        reading("WL-2", {"level": 1.0}, NOW + timedelta(seconds=40), "ahead"),
        reading("XX-1", {"level": 1.0}, NOW - timedelta(seconds=1), "unknown"),
    ]
    assert flushed(messages).flush.delays == pytest.approx({1: 2.0, 2: -40.0}, abs=0.002)
    old = reading("WL-1", {"level": 1.0}, NOW - timedelta(days=400), "old", history=True)
    assert flushed([old]).flush.delays == {}


@given(st.lists(st.dictionaries(st.integers(1, 3), st.floats(-100, 100)), min_size=1))
def test_the_least_of_a_minute_is_written(flushes: list[dict[int, float]]) -> None:
    found: list[dict[int, float]] = []
    skews = Skews(lambda least: found.append(dict(least)), (Away,))
    for delays in flushes:
        skews.note(delays)
    wanted: dict[int, float] = {}
    for delays in flushes:
        for device, delay in delays.items():
            wanted[device] = min(delay, wanted.get(device, delay))
    if wanted:
        written(skews, found, 1)
        assert found == [wanted]


def test_a_store_that_is_away_costs_one_minute() -> None:
    found: list[dict[int, float]] = []
    calls = []

    def write(least: Mapping[int, float]) -> None:
        calls.append(dict(least))
        if len(calls) == 1:
            skews.note({2: 0.5})
            raise Away
        found.append(dict(least))

    skews = Skews(write, (Away,))
    skews.note({1: 1.0})
    written(skews, found, 1)
    assert found == [{2: 0.5}]


def test_only_what_moved_is_written_again() -> None:
    """A million devices whose clocks stand still are no million rows a minute."""
    found: list[dict[int, float]] = []
    skews = Skews(lambda least: found.append(dict(least)), (Away,))
    skews.note({1: 1.0, 2: 100.0, 3: -40.0})
    written(skews, found, 1)
    skews.note({1: 1.4, 2: 109.0, 3: -44.5, 4: 0.1})
    written(skews, found, 2)
    skews.note({1: 1.6, 2: 89.0, 3: -44.5, 4: 0.2})
    written(skews, found, 3)
    assert found == [{1: 1.0, 2: 100.0, 3: -40.0}, {3: -44.5, 4: 0.1}, {1: 1.6, 2: 89.0}]
