"""Health: the formula keeps its bounds, worse facts never score better, and every missing point has a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.health import STATES, MetricDay, Observed, judge_health, span, stands_still

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=90)
SOUND = MetricDay(
    "水位", "Level", "m", 0.0, 8.0, 30, 1440, 0, 2.2, NOW - timedelta(seconds=20), 0, 0.0, 1, 0.0
)


def seen(*metrics: MetricDay, **more: object) -> Observed:
    return Observed(60.0, LONG_AGO, metrics, **more)  # type: ignore[arg-type]


def test_a_sound_device_has_all_points_and_no_reason() -> None:
    health = judge_health(seen(SOUND), NOW)
    assert (health.state, health.score, health.reasons) == ("online", 100, ())
    assert health.last_reported_at == SOUND.newest_at


@pytest.mark.parametrize(("change", "state", "score", "codes"), [
    ({"gaps": 2, "lost_s": 43_200.0}, "online", 80, ["gaps"]),
    ({"outside": 36}, "online", 85, ["range"]),
    ({"outside": 144}, "faulty", 40, ["range"]),
    ({"newest": 9.5, "outside": 1}, "faulty", 100, ["range"]),
    ({"still_s": 1800.0, "still_readings": 31}, "faulty", 50, ["stuck"]),
    ({"still_s": 1799.0, "still_readings": 31}, "online", 100, []),
    ({"still_s": 9000.0, "still_readings": 3}, "online", 100, []),
    ({"newest_at": NOW - timedelta(seconds=180)}, "online", 100, []),
    ({"newest_at": NOW - timedelta(seconds=181)}, "silent", 60, ["silent", "gaps"]),
    ({"stuck_periods": None, "still_s": 86_000.0, "still_readings": 1400}, "online", 100, []),
    ({"low": None, "high": None, "newest": 1e9}, "online", 100, []),
])  # fmt: skip
def test_what_is_wrong_costs_what_the_formula_says(
    change: dict[str, object], state: str, score: int, codes: list[str]
) -> None:
    health = judge_health(seen(replace(SOUND, **change)), NOW)  # type: ignore[arg-type]
    assert (health.state, health.score, [r.code for r in health.reasons]) == (state, score, codes)


def test_a_device_speaks_when_any_of_its_metrics_does() -> None:
    """A metric that is sent rarely is no gap of the device; the worst metric's plausibility counts once."""
    rare = replace(SOUND, newest_at=NOW - timedelta(hours=5), gaps=9, lost_s=40_000.0)
    assert judge_health(seen(SOUND, rare), NOW).score == 100
    bad = replace(SOUND, outside=36)
    assert judge_health(seen(bad, bad), NOW).score == 85
    still = replace(SOUND, still_s=7200.0, still_readings=100)
    assert judge_health(seen(still, still), NOW).score == 50


def test_a_broken_connection_is_silence_until_something_comes() -> None:
    """The last will says at once what else takes three periods to notice; a reading by another way outweighs it."""
    newest = SOUND.newest_at
    cut = judge_health(seen(SOUND, broke_off_at=newest + timedelta(seconds=5)), NOW)
    assert (cut.state, cut.score, [r.code for r in cut.reasons]) == ("silent", 60, ["offline"])
    assert "15 秒" in cut.reasons[0].text
    assert judge_health(seen(SOUND, broke_off_at=newest - timedelta(seconds=1)), NOW).state == "online"
    new = Observed(60.0, NOW - timedelta(seconds=100), broke_off_at=NOW - timedelta(seconds=9))
    assert judge_health(new, NOW).state == "silent"
    assert judge_health(replace(new, maintenance=True), NOW).state == "maintenance"


def test_new_unheard_resting() -> None:
    new = Observed(60.0, NOW - timedelta(seconds=100))
    assert judge_health(new, NOW).state == "unknown" and judge_health(new, NOW).score is None
    never = judge_health(seen(), NOW)
    assert (never.state, never.score) == ("silent", 20) and "90 天" in never.reasons[0].text
    before = judge_health(seen(last_before=NOW - timedelta(days=3)), NOW)
    assert (before.state, before.last_reported_at) == ("silent", NOW - timedelta(days=3))
    resting = judge_health(seen(replace(SOUND, outside=900), maintenance=True), NOW)
    assert (resting.state, resting.score, resting.reasons) == ("maintenance", None, ())


metric_days = st.builds(
    MetricDay, name=st.just("水位"), name_en=st.just(""), unit=st.sampled_from(["", "m"]),
    low=st.none() | st.floats(-10, 0), high=st.none() | st.floats(1, 10), stuck_periods=st.none() | st.integers(2, 200),
    readings=st.just(1440), outside=st.integers(0, 1440), newest=st.floats(-20, 20),
    newest_at=st.timedeltas(timedelta(0), timedelta(hours=23)).map(lambda age: NOW - age),
    gaps=st.integers(0, 50), lost_s=st.floats(0, 86_400), still_readings=st.integers(1, 1440), still_s=st.floats(0, 86_400),
)  # fmt: skip
observed = st.builds(
    Observed, period_s=st.floats(1, 86_400), metrics=st.lists(metric_days, max_size=3),
    registered_at=st.timedeltas(timedelta(0), timedelta(days=99)).map(lambda age: NOW - age),
    maintenance=st.booleans(), last_before=st.none(),
)  # fmt: skip


@given(observed)
def test_bounds_and_reasons(what: Observed) -> None:
    health = judge_health(what, NOW)
    assert health.state in STATES
    assert health.score is None or 0 <= health.score <= 100
    assert (health.score is None) == (health.state in ("unknown", "maintenance"))
    if health.score is not None and health.score < 100:
        assert health.reasons, "points are missing and nobody says why"
    for reason in health.reasons:
        assert reason.text and reason.text_en and reason.cost >= 0
    assert (health.state == "silent") == any(r.code == "silent" for r in health.reasons)
    assert judge_health(what, NOW) == health


@given(metric_days, st.integers(0, 1440), st.floats(0, 86_400), st.floats(0, 86_400))
def test_worse_never_scores_better(day: MetricDay, outside: int, lost: float, still: float) -> None:
    worse = replace(
        day,
        outside=max(day.outside, outside),
        lost_s=max(day.lost_s, lost),
        still_s=max(day.still_s, still),
    )
    good, bad = (judge_health(seen(d), NOW).score for d in (day, worse))
    assert good is not None and bad is not None and bad <= good
    assert stands_still(worse, 60.0) or not stands_still(day, 60.0)


@pytest.mark.parametrize(("seconds", "zh", "en"), [
    (0, "0 秒", "0 s"), (119, "119 秒", "119 s"), (120, "2 分钟", "2 min"), (7200, "2 小时", "2 h"),
    (172_800, "2 天", "2 d"), (-5, "0 秒", "0 s"),
])  # fmt: skip
def test_a_span_in_words(seconds: int, zh: str, en: str) -> None:
    assert span(timedelta(seconds=seconds)) == (zh, en)
