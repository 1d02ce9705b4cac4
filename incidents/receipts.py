"""回执: what is known of an order between its sending and its taking. Delivered: a phone has it; seen: a person opened it.

A receipt is no step of the life-cycle: it gives the incident no new version, so that nobody's press becomes stale by it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from incidents.model import Incident, Rejected, Stage

STATES: Final = ("delivered", "seen")
_HELD: Final = (Stage.DISPATCHED, Stage.TAKEN, Stage.ON_SITE)


def noted(incident: Incident, state: str, said_at: datetime | None, now: datetime) -> Incident:
    """The incident with this receipt of its present order; the very same when there is nothing new. What was seen was
    delivered. `said_at` is a phone's clock: it cannot be before the order, nor later than now. Raises Rejected(field)."""
    if state not in STATES:
        raise Rejected("field", f"state={state!r}: must be one of {', '.join(STATES)}", field="state")
    if said_at is not None and said_at.tzinfo is None:
        rule = "must carry its offset from UTC"
        raise Rejected("field", f"at={said_at.isoformat()!r}: {rule}", field="at")
    since = incident.stage_since if incident.stage is Stage.DISPATCHED else incident.dispatched_at
    if incident.stage not in _HELD or since is None:
        return incident  # it came late: the order is over, and that is nobody's fault
    at = max(since, min(said_at or now, now))
    delivered = incident.delivered_at or at
    opened = incident.opened_at or (at if state == "seen" else None)
    if (delivered, opened) == (incident.delivered_at, incident.opened_at):
        return incident
    return replace(incident, delivered_at=min(delivered, opened or delivered), opened_at=opened)
