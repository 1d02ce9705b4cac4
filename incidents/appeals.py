"""申诉: a unit says that what counts against it was not its doing. Once, after closing; what was overdue stays a fact and is
exempt in statistics only (FIELD E2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from incidents.model import Incident, Rejected

AGAINST: Final = ("overdue", "rework", "return")


@dataclass(frozen=True, slots=True)
class Appeal:
    """One appeal. `granted` None: not decided."""

    against: str
    reason: str
    by: int
    at: datetime
    granted: bool | None = None
    why: str = ""
    decided_by: int | None = None
    decided_at: datetime | None = None


def appealed(incident: Incident, against: str, reason: str, by: int, now: datetime) -> Appeal:
    """A new appeal. Raises Rejected when there was one, or when nothing of the kind counts against the unit."""
    if incident.appeal is not None:
        raise Rejected("rule", "appeal: there was one already; it is possible once", field="appeal")
    counts = {"overdue": incident.overdue, "rework": incident.reworks > 0, "return": incident.returns > 0}
    if against not in AGAINST:
        raise Rejected("field", f"against={against!r}: must be one of {', '.join(AGAINST)}", field="against")
    if not counts[against]:
        raise Rejected("rule", f"against={against!r}: nothing of the kind is noted here", field="against")
    return Appeal(against, reason, by, now)


def decided(appeal: Appeal | None, granted: bool, why: str, by: int, now: datetime) -> Appeal:
    """The answer. Raises Rejected when there is nothing to answer, or who asked answers."""
    if appeal is None or appeal.granted is not None:
        raise Rejected("rule", "appeal: there is none that waits for an answer", field="appeal")
    if appeal.by == by:
        raise Rejected("rule", f"actor={by}: who appealed may not decide", field="actor")
    return replace(appeal, granted=granted, why=why, decided_by=by, decided_at=now)
