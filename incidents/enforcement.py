"""行政执法案件: what the enforcement platforms say of a case, and when one without a result is late (S85). Pure.

A case counts as without result until its platform names one, closed or not: a case that ends in nothing is the very thing
that supervision asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from incidents.clocks import begun
from incidents.clocks import due_at as clock_due_at
from incidents.limits import Limit
from incidents.model import ClockKind, Rejected
from incidents.working_time import NotPublished, WorkingTime

DEFAULT: Final = Limit(Decimal(90), ClockKind.NATURAL_DAY)
"""Until a city has set its own."""
KINDS: Final = (ClockKind.NATURAL_DAY, ClockKind.WORK_DAY)
LONGEST_DAYS: Final = 366
_SECOND: Final = timedelta(seconds=1)

Key = tuple[str, str]
"""(feed, case number): two platforms may number alike."""

T = TypeVar("T")


def newest(told: Iterable[tuple[Key, datetime, T]]) -> dict[Key, T]:
    """Of each case what was said last, by the time it was said for; of two at one moment the one that came later: a source
    that knows only days says several things of one."""
    found: dict[Key, tuple[datetime, T]] = {}
    for key, time, what in told:
        if key not in found or found[key][0] <= time:
            found[key] = (time, what)
    return {key: what for key, (_, what) in found.items()}


def limit_from(days: int, kind: str) -> Limit:
    """The limit that somebody sets. Raises Rejected(field)."""
    if not 1 <= days <= LONGEST_DAYS:
        raise Rejected("field", f"days={days}: must be from 1 to {LONGEST_DAYS}", field="days")
    if kind not in KINDS:
        rule = f"must be one of {', '.join(KINDS)}"
        raise Rejected("field", f"kind={kind!r}: {rule}", field="kind")
    return Limit(Decimal(days), ClockKind(kind))


def limit_of(told: Mapping[str, Any] | None) -> Limit:
    """The limit as the city keeps it: {days, kind}; None: it has set none."""
    return DEFAULT if told is None else limit_from(int(told["days"]), str(told["kind"]))


def due_at(opened_at: datetime, limit: Limit, working: WorkingTime) -> datetime | None:
    """When a case must have a result; None where the working days on the way there are not published."""
    try:
        return clock_due_at(begun(limit, "", opened_at, working), opened_at, working)
    except NotPublished:
        return None


def late_before(limit: Limit, now: datetime, working: WorkingTime) -> datetime:
    """Cases that were opened before this moment and have no result are late, to the second. Raises NotPublished.

    The later a case was opened the later it is due: so one moment tells them all apart, and the store's index finds them.
    """
    days = timedelta(days=float(limit.amount))
    if limit.kind is ClockKind.NATURAL_DAY:
        return now - days

    def is_late(opened_at: datetime) -> bool:
        try:
            due = clock_due_at(begun(limit, "", opened_at, working), opened_at, working)
        except NotPublished:
            # Not late as far as the days until now tell, which must be known: what comes later can only be later.
            working.between(opened_at, now)
            return False
        assert due is not None, "a clock that was just begun runs"
        return due < now

    late, fine = now - 2 * days, now
    while not is_late(late):
        late -= 2 * days
    while fine - late > _SECOND:
        middle = late + (fine - late) / 2
        late, fine = (middle, fine) if is_late(middle) else (late, middle)
    return fine
