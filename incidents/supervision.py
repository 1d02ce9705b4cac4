"""督办: a leader's demand on an incident, with a level, a time to answer, sign-for and answer (S16).

Levels go up: a demand that is not answered in time rises by one and asks again within half of its time; at the highest
it stays overdue until it is answered. Whoever demanded says whether the answer is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from incidents.model import Rejected

LEVELS: Final = (1, 2, 3)
"""1 is the highest: 一级督办 (city), 二级 (district), 三级 (unit)."""
SHORTEST: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Supervision:
    """One demand. `due_at`: the answer's; `ended_at`: it was enough, or the incident came to its end."""

    level: int
    demand: str
    by: int
    at: datetime
    due_at: datetime
    signed_at: datetime | None = None
    answer: str = ""
    answered_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether somebody still waits for something."""
        return self.ended_at is None


def demanded(level: int, demand: str, within: timedelta, by: int, now: datetime) -> Supervision:
    """A new demand. Raises Rejected(field)."""
    if level not in LEVELS:
        raise Rejected("field", f"level={level}: must be one of 1, 2, 3", field="level")
    if not SHORTEST <= within <= LONGEST:
        hours = within.total_seconds() / 3600
        raise Rejected("field", f"hours={hours:g}: must be from 0.5 to 720", field="hours")
    return Supervision(level, demand, by, now, now + within)


def _running(found: Supervision | None) -> Supervision:
    if found is None or not found.open:
        raise Rejected("rule", "supervision: there is none that is open", field="supervision")
    return found


def signed(found: Supervision | None, now: datetime) -> Supervision:
    """The unit has seen it. Raises Rejected(rule)."""
    one = _running(found)
    if one.signed_at is not None:
        raise Rejected("rule", "supervision: it was signed for already", field="supervision")
    return replace(one, signed_at=now)


def answered(found: Supervision | None, answer: str, now: datetime) -> Supervision:
    """The unit's answer; it signs for it too where nobody has. Raises Rejected(rule)."""
    one = _running(found)
    return replace(one, answer=answer, answered_at=now, signed_at=one.signed_at or now)


def ended(found: Supervision | None, now: datetime) -> Supervision:
    """It was enough. Raises Rejected(rule)."""
    return replace(_running(found), ended_at=now)


def is_late(found: Supervision | None, now: datetime) -> bool:
    """Open, not answered, and past its time."""
    return found is not None and found.open and found.answered_at is None and now > found.due_at


def raised(found: Supervision, now: datetime) -> Supervision:
    """Not answered in time: one level up, with half of the time again."""
    within = max(SHORTEST, (found.due_at - found.at) / 2)
    return replace(found, level=max(LEVELS[0], found.level - 1), at=now, due_at=now + within, signed_at=None)
