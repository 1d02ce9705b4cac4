"""Working time for tests: every weekday of 2025 to 2028, at the usual hours."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from incidents import lifecycle
from incidents.lifecycle import Step
from incidents.model import Actor, DomainEvent, Incident, TimelineEntry
from incidents.working_time import WorkingTime

WORKING: Final = WorkingTime("Asia/Shanghai", {year: {} for year in range(2025, 2029)})


def advance(
    incident: Incident, step: Step, actor: Actor, now: datetime
) -> tuple[Incident, TimelineEntry, tuple[DomainEvent, ...]]:
    """One step at this working time."""
    return lifecycle.advance(incident, step, actor, now, WORKING)
