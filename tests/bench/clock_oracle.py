"""What a clock must show, counted minute by minute. Knows nothing of the product: it imports none of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

OFFICE: Final = ((8 * 60, 12 * 60), (14 * 60, 18 * 60))
DAY_MIN: Final = 24 * 60
FULL_DAY: Final = 8 * 60
UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Year:
    """A year in local minutes since its first: which of them are worked."""

    first: datetime
    worked: np.ndarray

    def minute(self, moment: datetime) -> int:
        """Whole minutes since the year began."""
        return int((moment - self.first).total_seconds() // 60)


def year_of(number: int, worked_days: Collection[date]) -> Year:
    """The minutes of a year."""
    days = (date(number + 1, 1, 1) - date(number, 1, 1)).days
    worked = np.zeros(days * DAY_MIN, bool)
    for n in range(days):
        if date(number, 1, 1) + timedelta(days=n) in worked_days:
            for begin, end in OFFICE:
                worked[n * DAY_MIN + begin : n * DAY_MIN + end] = True
    return Year(datetime(number, 1, 1), worked)


def meaning(text: str) -> tuple[int, bool] | None:
    """(minutes, whether they run day and night) of a limit of the sheet; None: not for a machine to decide."""
    found = re.fullmatch(r"(\d+)(紧急工作时|天|小时|工作日|工作时|自然日)", text)
    if found is None:
        return None
    amount = int(found[1])
    return {
        "紧急工作时": (amount * 60, True),
        "自然日": (amount * DAY_MIN, True),
        "天": (amount * FULL_DAY, False),
        "工作日": (amount * FULL_DAY, False),
        "小时": (amount * 60, False),
        "工作时": (amount * 60, False),
    }[found[2]]


def due(year: Year, begin: int, minutes: int, day_and_night: bool) -> int:
    """The minute at which so many have been counted from `begin`; UNKNOWN beyond the year."""
    if day_and_night:
        return begin + minutes  # every minute counts
    counted = np.flatnonzero(year.worked[begin:])
    return begin + int(counted[minutes - 1]) + 1 if len(counted) >= minutes else UNKNOWN


Event = tuple[int, str, str]
"""(minute, what, for whom): pause, resume (unit), extend."""


def left(
    year: Year, begin: int, minutes: int, day_and_night: bool, events: Sequence[Event], unit: str, at: int
) -> int:
    """Minutes left at `at` after a history; negative: overdue. Every minute is looked at once."""
    counts = np.ones(len(year.worked), bool) if day_and_night else year.worked
    allowed, used, runs, since = minutes, 0, True, begin
    for minute, what, whom in (*events, (at, "look", "")):
        if runs:
            used += int(counts[since:minute].sum())
        since = minute
        match what:
            case "pause":
                runs = False
            case "resume":
                runs = True
                if whom != unit:
                    unit, used, allowed = whom, 0, minutes
            case "extend":
                allowed += minutes
    return allowed - used
