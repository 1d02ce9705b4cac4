"""Clocks of an incident: start, pause, resume, restart, extend, park; how much is left, and when it is over.

A clock measures time of its own: 紧急工作时 and 自然日 run day and night, 工作时 and 工作日 only while the city works
(`working_time`). A limit is an amount of that time; a clock that stands uses none of it. Rules: FIELD E2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from incidents.limits import Limit
from incidents.model import ClockKind
from incidents.working_time import WorkingTime

DAY_AND_NIGHT: Final = frozenset({ClockKind.URGENT_HOUR, ClockKind.NATURAL_DAY})
MOST_EXTENSIONS: Final = 2
"""延期: approvals of one incident; each adds the limit once more (FIELD E2)."""
LONGEST_PARKED: Final = timedelta(days=365)
"""挂账: once, at most a year, returns by itself."""


class ClockRefused(ValueError):
    """What the clock does not allow now; `code` says which rule: running, standing, overdue, extensions, parked, until."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of an incident. `limit_s`, `allowed_s`, `used_s`: seconds of its own time — the limit as filed, with
    what extensions added, and what ran before `since`. `since`: running since then; None: it stands. `unit`: for whom
    it runs. `parked_until`: 挂账, it stands until then and runs on by itself; `was_parked`: it cannot be again."""

    kind: ClockKind
    limit_s: float
    allowed_s: float
    unit: str
    since: datetime | None
    used_s: float = 0.0
    extensions: int = 0
    parked_until: datetime | None = None
    was_parked: bool = False


def seconds_of(limit: Limit, working: WorkingTime) -> float:
    """A limit in seconds of its clock's own time; a working day is as long as the city's office hours."""
    hour = 3600.0
    unit = {
        ClockKind.URGENT_HOUR: hour,
        ClockKind.WORK_HOUR: hour,
        ClockKind.WORK_DAY: working.day_s,
        ClockKind.NATURAL_DAY: 24 * hour,
    }
    return float(limit.amount) * unit[limit.kind]


def begun(limit: Limit, unit: str, now: datetime, working: WorkingTime) -> Clock:
    """A clock that begins to run."""
    amount = seconds_of(limit, working)
    return Clock(limit.kind, amount, amount, unit, now)


def as_of(clock: Clock, now: datetime) -> Clock:
    """The clock with what has happened by itself until `now`: the end of its parking."""
    if clock.parked_until is None or now < clock.parked_until:
        return clock
    return replace(clock, since=clock.parked_until, parked_until=None)


def paused(clock: Clock, now: datetime, working: WorkingTime) -> Clock:
    """It stands: what is left stays. Raises ClockRefused(running) when it stands already."""
    clock = as_of(clock, now)
    if clock.since is None:
        raise ClockRefused("running", "the clock stands already")
    return replace(clock, since=None, used_s=clock.used_s + _own(clock.kind, clock.since, now, working))


def resumed(clock: Clock, unit: str, now: datetime) -> Clock:
    """It runs on for the same unit; for another one it begins anew, with the limit as filed (extensions stay counted).

    Raises ClockRefused(standing) when it runs, (parked) while it is parked.
    """
    clock = as_of(clock, now)
    if clock.parked_until is not None:
        raise ClockRefused("parked", f"the clock is parked until {clock.parked_until.isoformat()}")
    if clock.since is not None:
        raise ClockRefused("standing", "the clock runs already")
    if unit == clock.unit:
        return replace(clock, since=now)
    return replace(clock, since=now, unit=unit, used_s=0.0, allowed_s=clock.limit_s)


def extended(clock: Clock, now: datetime, working: WorkingTime) -> Clock:
    """An approved 延期: the limit once more, from the deadline it has. Raises ClockRefused(overdue), (extensions)."""
    clock = as_of(clock, now)
    if clock.extensions >= MOST_EXTENSIONS:
        raise ClockRefused("extensions", f"it was extended {clock.extensions} times, which is the most")
    if left_s(clock, now, working) < 0:
        raise ClockRefused("overdue", "it is overdue: an extension comes before the deadline")
    return replace(clock, allowed_s=clock.allowed_s + clock.limit_s, extensions=clock.extensions + 1)


def parked(clock: Clock, until: datetime, now: datetime, working: WorkingTime) -> Clock:
    """An approved 挂账: it stands until `until`. Raises ClockRefused(parked), (running), (until), (overdue)."""
    clock = as_of(clock, now)
    if clock.was_parked:
        raise ClockRefused("parked", "it was parked before; that is possible once")
    if not now < until <= now + LONGEST_PARKED:
        raise ClockRefused("until", f"must end within {LONGEST_PARKED.days} days from now")
    if left_s(clock, now, working) < 0:
        raise ClockRefused("overdue", "it is overdue: parking comes before the deadline")
    return replace(paused(clock, now, working), parked_until=until, was_parked=True)


def returned_early(clock: Clock, now: datetime) -> Clock:
    """A parked clock runs on before its time. Raises ClockRefused(parked) when it is not parked."""
    if as_of(clock, now).parked_until is None:
        raise ClockRefused("parked", "it is not parked")
    return replace(clock, since=now, parked_until=None)


def stopped(clock: Clock, now: datetime, working: WorkingTime) -> Clock:
    """It stands, whatever it did before; a parking ends with it."""
    clock = as_of(clock, now)
    if clock.parked_until is not None:
        return replace(clock, parked_until=None)
    return clock if clock.since is None else paused(clock, now, working)


def left_s(clock: Clock, now: datetime, working: WorkingTime) -> float:
    """Seconds of its own time that are left at `now`; negative: so long overdue. Raises NotPublished."""
    clock = as_of(clock, now)
    running = 0.0 if clock.since is None else _own(clock.kind, clock.since, now, working)
    return clock.allowed_s - clock.used_s - running


def due_at(clock: Clock, now: datetime, working: WorkingTime) -> datetime | None:
    """When it is over, as things stand at `now`: after the parking where it is parked; None while it stands for as long
    as somebody wills. What was overdue before it ran on is due at the moment it ran on. Raises NotPublished.
    """
    clock = as_of(clock, now)
    begin = clock.since or clock.parked_until
    if begin is None:
        return None
    left = max(0.0, clock.allowed_s - clock.used_s)
    if clock.kind in DAY_AND_NIGHT:
        return begin + timedelta(seconds=left)
    return working.after(begin, left)


def _own(kind: ClockKind, begin: datetime, end: datetime, working: WorkingTime) -> float:
    if kind in DAY_AND_NIGHT:
        return (end - begin).total_seconds()
    return working.between(begin, end)
