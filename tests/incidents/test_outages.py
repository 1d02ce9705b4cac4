"""When a feed's outage is worth an incident, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from incidents.feeds import Failure, FeedFacts, live_status
from incidents.outages import is_back, outage_since, outage_source
from incidents.storeports import WatchedFeed

NOW = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)


def feed(
    heard: float | None, period: float | None = 60.0, failure: Failure = "", protocol: str = "http"
) -> WatchedFeed:
    """A feed heard so many seconds ago."""
    at = None if heard is None else NOW - timedelta(seconds=heard)
    return WatchedFeed(
        "wl", "水位", "水务局", protocol, FeedFacts(at, period, False, failure), None, "密码错误"
    )


FEEDS = st.builds(
    feed,
    st.none() | st.floats(0, 1e6),
    st.none() | st.floats(1, 1e5),
    st.sampled_from(("", "away", "fault")),
)


@given(FEEDS, st.floats(0, 1e6))
def test_only_what_every_screen_calls_silent_or_in_error_is_out(of: WatchedFeed, watched_s: float) -> None:
    out = outage_since(of, NOW, NOW - timedelta(seconds=watched_s)) is not None
    assert not out or live_status(of.facts, NOW) in ("silent", "error")
    assert not (out and is_back(of, NOW))


@given(FEEDS)
def test_who_has_just_begun_to_watch_raises_nothing(of: WatchedFeed) -> None:
    assert outage_since(of, NOW, NOW) is None


@given(st.sampled_from(("", "away", "fault")))
def test_nobody_misses_what_was_never_heard_nor_expected(failure: Failure) -> None:
    assert outage_since(feed(None, None, failure), NOW, LONG_AGO) is None


def test_people_may_be_silent() -> None:
    assert outage_since(feed(1e6, None), NOW, LONG_AGO) is None
    assert outage_since(feed(120, None, "fault"), NOW, LONG_AGO) is not None


def test_never_heard_but_expected_is_out_only_in_error() -> None:
    assert outage_since(feed(None), NOW, LONG_AGO) is None
    assert outage_since(feed(None, failure="fault"), NOW, LONG_AGO) == LONG_AGO


def test_a_recording_may_end() -> None:
    assert outage_since(feed(1000), NOW, LONG_AGO) == NOW - timedelta(seconds=1000)
    assert outage_since(feed(1000, protocol="replay"), NOW, LONG_AGO) is None


def test_the_incident_says_what_is_known() -> None:
    source = outage_source(feed(1000), NOW - timedelta(seconds=1000), "990100/", NOW)
    assert source.title == "数据源中断：水位" and source.source.startswith("feed:wl:2026-11-27T07:43:20")
    for word in ("静默", "水务局", "http", "07:43:20", "60 秒", "密码错误"):
        assert word in source.text
