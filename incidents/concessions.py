"""延期 and 挂账: what a unit may ask for while it has an incident, and what granting it does to the handling clock.

A request counts from the moment it was asked: whoever asks in time is not late because the answer was (FIELD E2:
extensions from the current deadline, two approvals at most, not when overdue; parking once, a year at most).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from incidents.clocks import Clock, ClockRefused, extended, parked, returned_early
from incidents.model import Rejected
from incidents.working_time import WorkingTime

KINDS: Final = ("extension", "parking")


@dataclass(frozen=True, slots=True)
class Request:
    """What waits for an answer. `until`: of a parking; `overdue`: whether handling was late before it was asked."""

    kind: str
    by: int
    at: datetime
    reason: str
    until: datetime | None = None
    overdue: bool = False


def granted(clock: Clock, request: Request, working: WorkingTime) -> Clock:
    """The clock with what was asked, from the moment it was asked. Raises Rejected(rule) with the clock's reason."""
    try:
        if request.kind == "extension":
            return extended(clock, request.at, working)
        assert request.until is not None
        return parked(clock, request.until, request.at, working)
    except ClockRefused as refused:
        raise Rejected("rule", f"{request.kind}: {refused}", field=refused.code) from None


def unparked(clock: Clock, now: datetime) -> Clock:
    """A parked clock runs on before its time. Raises Rejected(rule)."""
    try:
        return returned_early(clock, now)
    except ClockRefused as refused:
        raise Rejected("rule", f"parking: {refused}", field=refused.code) from None
