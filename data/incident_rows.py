"""Incidents as rows and as live items: one place that knows both shapes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from data.database import json
from incidents.appeals import Appeal
from incidents.assisting import Assist, concerned
from incidents.clocks import Clock
from incidents.concessions import Request
from incidents.escalation import waits_for_leader
from incidents.model import ClockKind, Incident, Place, Policy, Stage
from incidents.privacy import mask_text
from incidents.supervision import Supervision

COLUMNS: Final = (
    "number", "class_code", "class_name", "title", "text", "stage", "level", "lon", "lat", "address", "cell",
    "area_path", "reported_at", "version", "policy", "unit", "worker", "first_unit", "merge_key", "stage_since",
    "stage_due_at", "handle_due_at", "dispatched_at", "returned_result_at", "closed_at", "handled_by",
    "checked_by", "acknowledged_by", "acknowledged_at", "escalated_stage", "escalated_at", "overdue", "returns",
    "reworks", "sources", "last_action", "last_actor", "correlation_id", "rings_since", "clock", "asked",
    "supervision", "appeal", "satisfaction", "supervision_due_at", "merged_into",
    "assists", "assisting", "said_again_at", "delivered_at", "opened_at",
)  # fmt: skip
"""Columns of `incidents` after `id`, in the order of `to_row`."""

_PLACE: Final = frozenset({"lon", "lat", "address", "cell", "area_path"})
_NESTED: Final[dict[str, type]] = {
    "clock": Clock,
    "asked": Request,
    "supervision": Supervision,
    "appeal": Appeal,
}
"""Columns that hold a whole value of the domain as JSON."""


def to_row(incident: Incident) -> list[Any]:
    """Values of COLUMNS."""
    policy = incident.policy
    row: list[Any] = []
    for name in COLUMNS:
        if name in _PLACE:
            row.append(getattr(incident.place, name))
        elif name == "stage":
            row.append(str(incident.stage))
        elif name == "policy":
            row.append(None if policy is None else json(_policy_row(policy)))
        elif name in _NESTED:
            value = getattr(incident, name)
            row.append(None if value is None else json(msgspec.to_builtins(value)))
        elif name == "assists":
            row.append(json(msgspec.to_builtins(incident.assists)))
        elif name == "assisting":
            row.append(list(concerned(incident.assists)))
        elif name == "supervision_due_at":
            row.append(_supervision_due(incident.supervision))
        else:
            row.append(getattr(incident, name))
    return row


def _supervision_due(found: Supervision | None) -> datetime | None:
    """When it rises by a level; None: nobody waits for an answer, or it is at the highest and stays late."""
    if found is None or not found.open or found.answered_at is not None or found.level == 1:
        return None
    return found.due_at


def _policy_row(policy: Policy) -> dict[str, Any]:
    return {
        "class_code": policy.class_code,
        "class_version": policy.class_version,
        "limit_min": policy.limit_min,
        "clock_kind": str(policy.clock_kind),
        "needs_photo": policy.needs_photo,
        "stage_limits_min": dict(policy.stage_limits_min),
        "standard": policy.standard,
        "condition": policy.condition,
        "closing": policy.closing,
    }


def to_incident(row: Sequence[Any]) -> Incident:
    """An incident from (id, *COLUMNS)."""
    values = dict(zip(("id", *COLUMNS), row, strict=True))
    place = Place(**{name: values.pop(name) for name in _PLACE})
    policy = values.pop("policy")
    if policy is not None:
        policy = Policy(**{**policy, "clock_kind": ClockKind(policy["clock_kind"])})
    stage = Stage(values.pop("stage"))
    del values["supervision_due_at"], values["assisting"]
    values["assists"] = msgspec.convert(values["assists"], tuple[Assist, ...])
    for name, kind in _NESTED.items():
        if values[name] is not None:
            values[name] = msgspec.convert(values[name], kind)
    return Incident(place=place, policy=policy, stage=stage, **values)


def ms(time: datetime | None) -> int | None:
    """Milliseconds since the epoch."""
    return None if time is None else int(time.timestamp() * 1000)


def live_item(incident: Incident, unit_name: str | None, worker_name: str | None) -> dict[str, Any]:
    """The incident as a live item (screens) and as the payload of city.incident.v1; times in ms."""
    place = incident.place
    return {
        "kind": "incident",
        "key": str(incident.id),
        "area": place.area_path,
        "number": incident.number,
        "class": incident.class_code,
        "class_name": incident.class_name,
        "title": mask_text(incident.title),
        "address": mask_text(place.address),
        "stage": str(incident.stage),
        "level": incident.level,
        "lon": place.lon,
        "lat": place.lat,
        "unit": incident.unit,
        "unit_name": unit_name or "",
        "worker": incident.worker,
        "worker_name": worker_name or "",
        "reported_at": ms(incident.reported_at),
        "stage_due_at": ms(incident.stage_due_at),
        "handle_due_at": ms(incident.handle_due_at),
        "closed_at": ms(incident.closed_at),
        "handled_late": incident.overdue,
        "acknowledged": incident.acknowledged_by is not None,
        "escalated": waits_for_leader(incident),
        "sources": incident.sources,
        "version": incident.version,
        "cid": incident.correlation_id,
        **(_order_facts(incident) if incident.stage is Stage.DISPATCHED else {}),
        **({"said_again_at": ms(incident.said_again_at)} if incident.said_again_at else {}),
        **({"assisting": list(helping)} if (helping := concerned(incident.assists)) else {}),
    }


def _order_facts(incident: Incident) -> dict[str, Any]:
    """Of an order that nobody has taken yet: since when it is out, and whether it was delivered and read."""
    return {
        "ordered_at": ms(incident.stage_since),
        "delivered_at": ms(incident.delivered_at),
        "opened_at": ms(incident.opened_at),
    }
