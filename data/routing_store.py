"""What routing is told by the store and keeps there: the incident as it is asked, units' duty and load, advice, rules that
came back. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import cos, radians
from typing import Any, Final

import msgspec

from data.database import Cursor, json
from gis.borders import METRES_PER_DEGREE
from incidents.dispatch_model import DEFAULT_UNCERTAINTY_M, Asked, Decision, Duty, Trust
from incidents.model import Actor, Incident
from incidents.responsibility import Rules, paths_up
from incidents.routing_advice import Blamed

COMPONENT_WITHIN_M: Final = 25.0
"""The component of the class that is nearest to the point, no farther, is the one that is meant."""

_COMPONENT: Final = (
    "SELECT owner_unit, area_path FROM components WHERE event_class = %(code)s AND lat BETWEEN %(lat)s - %(dlat)s"
    " AND %(lat)s + %(dlat)s AND lon BETWEEN %(lon)s - %(dlon)s AND %(lon)s + %(dlon)s"
    " ORDER BY ((lon - %(lon)s) * %(stretch)s) ^ 2 + (lat - %(lat)s) ^ 2 LIMIT 1"
)


def asked_of(cursor: Cursor, incident: Incident, rules: Rules | None) -> Asked:
    """An incident as routing sees it: the register of components says whose the nearest one of its class is, and where; the
    map's roads say of which class the road is that it lies at."""
    place = incident.place
    owner = registered = ""
    if incident.class_code and place.lon is not None and place.lat is not None:
        stretch = cos(radians(place.lat))
        reach = COMPONENT_WITHIN_M / METRES_PER_DEGREE
        values = {
            "code": incident.class_code, "lon": place.lon, "lat": place.lat, "dlat": reach, "dlon": reach / stretch,
            "stretch": stretch,
        }  # fmt: skip
        cursor.execute(_COMPONENT, values)
        row = cursor.fetchone()
        if row is not None:
            owner, registered = row[0] or "", smallest(rules, row[1])
    uncertainty = _uncertainty_m(cursor, incident)
    return Asked(
        incident.reported_at,
        f"{incident.title} {incident.text}" if incident.title not in incident.text else incident.text,
        incident.class_code,
        "" if incident.policy is None else incident.policy.condition,
        place.lon,
        place.lat,
        owner=owner,
        registered_area=registered,
        area=smallest(rules, place.area_path),
        uncertainty_m=uncertainty,
        road_class=rules.road_class_at(place.lon, place.lat, uncertainty) if rules else "",
    )


def _uncertainty_m(cursor: Cursor, incident: Incident) -> float:
    """Of a place that was read out of words, as roughly as it was read; of one that was sent, as points usually are."""
    cursor.execute(
        "SELECT max((place_read ->> 'precision_m')::float8) FROM intake WHERE incident_id = %s"
        " AND place_read ->> 'status' = 'resolved' AND abs((place_read ->> 'lon')::float8 - %s) < 1e-6"
        " AND abs((place_read ->> 'lat')::float8 - %s) < 1e-6",
        (incident.id, incident.place.lon, incident.place.lat),
    )
    row = cursor.fetchone()
    return max(DEFAULT_UNCERTAINTY_M, row[0] or 0.0) if row else DEFAULT_UNCERTAINTY_M


def smallest(rules: Rules | None, path: str) -> str:
    """The area of the table's finest level that holds a path; the path itself where that is coarser."""
    if rules is None:
        return path
    known = frozenset(rules.borders.codes)
    return next((up for up in paths_up(path) if up in known), path)


def duties(cursor: Cursor, units: Sequence[str]) -> dict[str, Duty]:
    """A unit is on duty when it takes orders and, if it has accounts at all, one of them is on duty.

    Its load is counted anew by an index of held incidents, inside the transaction that may dispatch to it: a count kept
    for seconds would let a burst of reports through to a unit that is full.
    """
    cursor.execute(
        "SELECT u.code, NOT u.disabled AND (count(a.login) = 0 OR bool_or(a.on_duty)),"
        " (SELECT count(*) FROM incidents i WHERE i.unit = u.code AND i.stage IN ('dispatched', 'taken', 'on_site', 'handled')),"
        " coalesce(u.capacity, 0) FROM units u LEFT JOIN accounts a ON a.unit = u.code AND NOT a.disabled WHERE u.code = ANY(%s)"
        " GROUP BY u.code, u.disabled, u.capacity",
        (list(units),),
    )
    known = {code: Duty(on_duty, count, capacity) for code, on_duty, count, capacity in cursor.fetchall()}
    return {unit: known.get(unit, Duty(on_duty=False)) for unit in units}


def trust(cursor: Cursor) -> Trust:
    """Rules that came back: each with the field that was wrong the last time."""
    cursor.execute(
        "SELECT DISTINCT ON (rule) rule, wrong_field FROM withdrawn_rules WHERE approved_at IS NULL ORDER BY rule, id DESC"
    )
    return Trust(dict(cursor.fetchall()))


def keep_advice(cursor: Cursor, incident: Incident, moment: str, decision: Decision, now: datetime) -> None:
    """See UnitOfWork."""
    cursor.execute(
        "INSERT INTO routing_advice (incident_id, incident_version, moment, at, version, unit, confidence, threshold,"
        " automatic, rule, decision) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            incident.id, incident.version, moment, now, decision.version, decision.unit, decision.confidence,
            decision.threshold, decision.automatic, decision.rule, json(told(decision)),
        ),
    )  # fmt: skip


def told(decision: Decision) -> dict[str, Any]:
    """A decision as data."""
    found: dict[str, Any] = msgspec.to_builtins(decision)
    return found


def decision_of(data: Mapping[str, Any]) -> Decision:
    """The decision that was kept."""
    return msgspec.convert(data, Decision)


def advice_behind(cursor: Cursor, incident_id: int) -> Decision | None:
    """See UnitOfWork."""
    cursor.execute(
        "SELECT decision FROM routing_advice WHERE incident_id = %s ORDER BY incident_version DESC, at DESC LIMIT 1",
        (incident_id,),
    )
    row = cursor.fetchone()
    return None if row is None else decision_of(row[0])


def withdraw_rule(
    cursor: Cursor, blamed: Blamed, incident_id: int, wrong_field: str, why: str, actor: Actor, now: datetime
) -> None:
    """See UnitOfWork."""
    cursor.execute(
        "INSERT INTO withdrawn_rules (rule, wrong_field, incident_id, unit, version, automatic, said, said_en, why, at,"
        " by_login) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            blamed.rule, wrong_field, incident_id, blamed.unit, blamed.version, blamed.automatic, blamed.said,
            blamed.said_en, why, now, actor.login,
        ),
    )  # fmt: skip
