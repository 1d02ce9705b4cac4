"""When something that grows will be full: the straight line through what was measured (least squares)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

FEWEST: Final = 5
"""Measurements below this say nothing of growth."""

SHORTEST: Final = timedelta(minutes=10)
"""Nor do those of a shorter time."""

FARTHEST: Final = timedelta(days=3650)
"""What would be full later is not said to become full."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """`per_day`: bytes (or rows) a day, None: not measured for long enough; `full_at` None: not within FARTHEST, or
    the capacity is not known."""

    per_day: float | None
    full_at: datetime | None


def forecast(samples: Sequence[tuple[datetime, float]], capacity: float | None, now: datetime) -> Forecast:
    """From (time, used) in any order. Something that is already over its capacity is full now."""
    if not samples:
        return Forecast(None, None)
    used = max(samples)[1]
    full = capacity is not None and used >= capacity
    times = [(at - now).total_seconds() for at, _ in samples]
    if len(samples) < FEWEST or max(times) - min(times) < SHORTEST.total_seconds():
        return Forecast(None, now if full else None)
    middle, mean = sum(times) / len(times), sum(value for _, value in samples) / len(samples)
    spread = sum((t - middle) ** 2 for t in times)
    slope = sum((t - middle) * (value - mean) for t, (_, value) in zip(times, samples, strict=True)) / spread
    per_day = slope * 86_400
    if full:
        return Forecast(per_day, now)
    if capacity is None or slope <= 0:
        return Forecast(per_day, None)
    left_s = (capacity - used) / slope
    return Forecast(per_day, now + timedelta(seconds=left_s) if left_s <= FARTHEST.total_seconds() else None)
