"""Orders to units, as a step of the life-cycle means them: written and told on the bus in the step's own transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from incidents.model import Actor, DomainEvent, Incident
from incidents.storeports import UnitOfWork


def carry_out(
    uow: UnitOfWork, incident: Incident, events: Iterable[DomainEvent], actor: Actor, now: datetime
) -> None:
    """Issue, mark and end the orders of `events`; `incident` is as the step left it."""
    for event in events:
        unit, outcome = str(event.payload.get("unit", "")), str(event.payload.get("outcome", ""))
        match event.name:
            case "order.issued":
                uow.issue_order(incident, actor, now)
            case "order.seen":
                uow.order_seen(incident, now)
            case "order.ended":
                uow.end_order(incident, outcome, now)
            case "assist.issued":
                uow.issue_assist(incident, unit, actor, now)
            case "assist.seen":
                uow.assist_seen(incident, unit, now)
            case "assist.ended":
                uow.end_assist(incident, unit, outcome, now)
