"""What a device or camera is a part of: a smart lamp pole shown as one, each function with a status of its own."""

from __future__ import annotations

from typing import Any

from data.database import Database
from data.incident_rows import ms
from incidents.device_registry import POLE_FUNCTIONS


def composite_of(database: Database, device: str = "", camera: str = "") -> dict[str, Any] | None:
    """The pole of a member: {id, kind, name, owner, members: [{function, device, camera, name, state, score, metric,
    metric_en, unit, value, time (ms)}]} in the order of its functions; None for what stands alone.

    `state` is the health of a device; of a camera what its file says: online with a good picture, faulty with a bad one.
    """
    rows = database.dicts(
        "SELECT c.id, c.kind, c.name, c.owner FROM composite_members m JOIN composites c ON c.id = m.composite"
        " WHERE (%(device)s <> '' AND m.device = %(device)s) OR (%(camera)s <> '' AND m.camera = %(camera)s)"
        " ORDER BY c.id LIMIT 1",
        {"device": device, "camera": camera},
    )
    if not rows:
        return None
    members = database.dicts(
        "SELECT m.function, m.device, m.camera, coalesce(d.name, k.name) AS name,"
        " CASE WHEN d.status IN ('maintenance', 'retired') THEN d.status WHEN d.id IS NOT NULL"
        " THEN coalesce(h.state, 'unknown') WHEN k.status = 'retired' THEN 'retired' WHEN k.status = 'repair'"
        " THEN 'maintenance' WHEN k.picture_state = 'good' THEN 'online' WHEN k.picture_state = 'unknown' THEN 'unknown'"
        " ELSE 'faulty' END AS state, h.score, r.name AS metric, r.name_en AS metric_en, r.unit,"
        " r.value, r.time FROM composite_members m LEFT JOIN devices d ON d.id = m.device"
        " LEFT JOIN device_health h ON h.device_no = d.no LEFT JOIN cameras k ON k.code = m.camera"
        " LEFT JOIN LATERAL (SELECT x.name, x.name_en, x.unit, v.value, v.time FROM metrics x LEFT JOIN LATERAL"
        " (SELECT value, time FROM readings WHERE device_no = d.no AND metric_no = x.no ORDER BY time DESC LIMIT 1) v"
        " ON true WHERE x.device_type = d.type ORDER BY x.no LIMIT 1) r ON true"
        " WHERE m.composite = %s ORDER BY array_position(%s, m.function), m.device, m.camera",
        (rows[0]["id"], list(POLE_FUNCTIONS)),
    )
    for member in members:
        member["time"] = ms(member["time"])
    return {**rows[0], "members": members}
