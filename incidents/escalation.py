"""What waits for the duty leader: an escalation stands only as long as its reason does."""

from __future__ import annotations

from incidents.model import Incident


def waits_for_leader(incident: Incident) -> bool:
    """True for an open incident whose escalation nobody has answered yet.

    Either its present stage was escalated after that stage's clock had run out (the next stage, or a new deadline,
    ends it), or it is of level I or II, was escalated, and is still unacknowledged. Needs no time of day: who was
    escalated past a deadline is past it. `data/questions/leader.py` says the same in SQL.
    """
    if not incident.open or incident.escalated_at is None:
        return False
    if incident.level <= 2 and incident.acknowledged_by is None:
        return True
    return (
        incident.escalated_stage == incident.stage
        and incident.stage_due_at is not None
        and incident.escalated_at > incident.stage_due_at
    )
