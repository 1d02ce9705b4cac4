"""Questions about measured values over time: how fine an answer has to be, and the port that gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

Level = Literal["raw", "minute", "hour", "day"]

WIDTH_S: Final[dict[Level, float]] = {"raw": 0.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
LEVELS: Final[tuple[Level, ...]] = ("raw", "minute", "hour", "day")

SERIES_ROWS: Final = 5_000
"""A chart is drawn from at most about this many rows: finer ones are not seen."""
EXACT_ROWS: Final = 100_000
"""Statistics are computed from raw readings up to about this many."""


def level_for(window: timedelta, period_s: float, rows: int, raw_kept: bool = True) -> Level:
    """The finest level that answers for `window` from at most `rows` rows of a device that measures every `period_s`.

    `raw_kept` False: readings of the window's begin were dropped, only rollups are left.
    """
    for level in LEVELS[0 if raw_kept else 1 :]:
        if window.total_seconds() <= rows * max(period_s, WIDTH_S[level], 1e-3):
            return level
    return "day"


def gap_level(longest_s: float) -> Level:
    """The coarsest level that still shows every gap longer than `longest_s`: such a gap crosses a bucket's edge, and
    buckets know their first and last reading."""
    return next((level for level in reversed(LEVELS) if WIDTH_S[level] <= longest_s), "raw")


@dataclass(frozen=True, slots=True)
class Signal:
    """One metric of one device, by number; `period_s` = how often it is expected to measure."""

    device_no: int
    metric_no: int
    period_s: float


@dataclass(frozen=True, slots=True)
class Point:
    """A reading (then all three values are its own), or the mean, lowest and highest of a bucket that begins there."""

    time: datetime
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Series:
    """Points of a window, oldest first; `level`: what they were made of, `bucket_s`: how much one stands for."""

    level: Level
    bucket_s: float
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a window that is widened to whole buckets of `level`. `p95_exact` False: of bucket means, weighted."""

    level: Level
    since: datetime
    until: datetime
    count: int
    mean: float | None
    low: float | None
    high: float | None
    p95: float | None
    p95_exact: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing was measured between two readings, or since the last one (`end` = the window's end)."""

    begin: datetime
    end: datetime


class SeriesStore(Protocol):
    """Measured values over time, from raw readings or their rollups, whichever is enough. What came in just now is
    in every answer; a late reading is in an answer from rollups within two minutes."""

    def series(self, signal: Signal, since: datetime, until: datetime, points: int) -> Series:
        """Values in [since, until), at most about `points` of them."""

    def statistics(self, signal: Signal, since: datetime, until: datetime) -> Statistics:
        """Number, mean, lowest, highest, 95th percentile of [since, until)."""

    def gaps(
        self, signal: Signal, since: datetime, until: datetime, longest_s: float, limit: int
    ) -> list[Gap]:
        """Times in [since, until) of more than `longest_s` without a reading, oldest first."""
