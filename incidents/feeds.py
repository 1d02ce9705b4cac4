"""How a feed is: normal, late, silent or in error. One rule for every screen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from incidents.indicators import SILENT_AFTER_PERIODS

Status = Literal["normal", "late", "silent", "error", "never", "disabled"]
Failure = Literal["", "away", "fault"]

LATE_PERIODS: Final = 1.5
SILENT_PERIODS: Final = float(SILENT_AFTER_PERIODS)
DEFAULT_PERIOD_S: Final = 300.0
"""Expected of a feed for which nobody said anything."""
LEAST_PERIOD_S: Final = 20.0
"""Arrivals are noted every few seconds: a shorter period is judged as this one."""


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """What is known of a feed. `failure`: how the adapter's last attempt ended ('' = well, or there is none)."""

    last_message_at: datetime | None
    expected_period_s: float | None = None
    disabled: bool = False
    failure: Failure = ""


def period_of(expected_period_s: float | None) -> float:
    """The period by which a feed is judged, seconds."""
    return max(expected_period_s or DEFAULT_PERIOD_S, LEAST_PERIOD_S)


def live_status(feed: FeedFacts, now: datetime) -> Status:
    """正常 | 迟到 (> 1.5 periods) | 静默 (> 3 periods) | 错误 | never heard | disabled.

    A fault (wrong password, broken mapping, an adapter that died) is an error until it is mended. A source that
    cannot be reached is an error too, until three periods have gone by without a word: then it is silent, and the
    last attempt's reason stands beside it.
    """
    if feed.disabled:
        return "disabled"
    if feed.failure == "fault":
        return "error"
    if feed.last_message_at is None:
        return "error" if feed.failure else "never"
    age = now - feed.last_message_at
    period = period_of(feed.expected_period_s)
    if age > timedelta(seconds=SILENT_PERIODS * period):
        return "silent"
    if feed.failure:
        return "error"
    return "late" if age > timedelta(seconds=LATE_PERIODS * period) else "normal"


def with_changes(kept: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """A feed's secrets after a change: those not named stay, '' takes one away."""
    return {name: value for name, value in {**kept, **given}.items() if value != ""}
