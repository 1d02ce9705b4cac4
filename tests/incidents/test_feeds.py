"""The status of a feed: one rule, at its edges and over everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.feeds import FeedFacts, live_status, period_of

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def heard(seconds: float, **more: object) -> FeedFacts:
    """A feed expected every minute that was heard so long ago."""
    return FeedFacts(NOW - timedelta(seconds=seconds), 60.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("feed", "status"),
    [
        (heard(0), "normal"),
        (heard(90), "normal"),
        (heard(90.001), "late"),
        (heard(180), "late"),
        (heard(180.001), "silent"),
        (heard(0, failure="away"), "error"),
        (heard(180, failure="away"), "error"),
        (heard(181, failure="away"), "silent"),
        (heard(0, failure="fault"), "error"),
        (heard(10_000, failure="fault"), "error"),
        (heard(0, disabled=True, failure="fault"), "disabled"),
        (FeedFacts(None, 60.0), "never"),
        (FeedFacts(None, 60.0, failure="away"), "error"),
        (FeedFacts(NOW - timedelta(seconds=450), None), "normal"),
        (FeedFacts(NOW - timedelta(seconds=451), None), "late"),
        (FeedFacts(NOW - timedelta(seconds=30), 1.0), "normal"),
        (FeedFacts(NOW - timedelta(seconds=61), 1.0), "silent"),
    ],
)
def test_status(feed: FeedFacts, status: str) -> None:
    assert live_status(feed, NOW) == status


WORSE = ("normal", "late", "silent")


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.1, 1e5) | st.none())
def test_without_a_word_it_only_gets_worse(first: float, more: float, period: float | None) -> None:
    feed = FeedFacts(NOW, period)
    before = live_status(feed, NOW + timedelta(seconds=first))
    after = live_status(feed, NOW + timedelta(seconds=first + more))
    assert WORSE.index(before) <= WORSE.index(after)
    assert (after == "normal") == (
        timedelta(seconds=first + more) <= timedelta(seconds=1.5 * period_of(period))
    )
