"""Smart lamp poles 智慧灯杆 put together from registered devices and cameras, and taken apart again. In the caller's
transaction.

A pole stands where its lamp stands, which shows it on the map; who may change it is asked of
`may` for the area of each thing that becomes, or was, a part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from data.database import Cursor, many
from data.device_registry import RIGHT, Handler, PlaceOf
from data.locks import Lock
from data.registry import bump
from incidents import commands as c
from incidents.access import Thing, may
from incidents.model import Actor, Rejected
from incidents.poles import Part, read_pole

_PLACES: Final = (
    "SELECT id, area_path, cell, lon, lat, owner, unit FROM devices WHERE id = ANY(%(devices)s)"
    " UNION ALL SELECT code, area_path, cell, lon, lat, '', NULL FROM cameras WHERE code = ANY(%(cameras)s)"
)


def _save_pole(
    cursor: Cursor, command: c.SavePole, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    """See SavePole."""
    members, faults = read_pole(command.id, command.name, command.members)
    if faults:
        raise Rejected("field", str(faults[0]), field=faults[0].column)
    _alone(cursor)
    before = _areas_of(cursor, command.id, actor)
    known = _known(cursor, members)
    for member in members:
        if member.thing not in known:
            what = "camera" if member.is_camera else "device"
            text = f"members={member.thing!r}: there is no such {what}; register it first"
            raise Rejected("field", text, field="members")
        _require(actor, known[member.thing][0])
    _free(cursor, command.id, members)
    first = next(m for m in members if m.function == "lighting" and not m.is_camera)
    area, cell, lon, lat, owner, unit = known[first.thing]
    cursor.execute(
        "INSERT INTO composites (id, kind, name, owner, unit, area_path, cell, lon, lat)"
        " VALUES (%s, 'lamp_pole', %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name,"
        " owner = EXCLUDED.owner, unit = EXCLUDED.unit, area_path = EXCLUDED.area_path, cell = EXCLUDED.cell,"
        " lon = EXCLUDED.lon, lat = EXCLUDED.lat",
        (command.id, command.name.strip(), owner, unit, area, cell, lon, lat),
    )
    cursor.execute("DELETE FROM composite_members WHERE composite = %s", (command.id,))
    many(
        cursor,
        "INSERT INTO composite_members (composite, function, device, camera) VALUES %s",
        [
            (command.id, m.function, None if m.is_camera else m.thing, m.thing if m.is_camera else None)
            for m in members
        ],
    )
    bump(cursor)  # the map shows the lamp for all of them
    return {"id": command.id, "how": "new" if before is None else "changed", "members": len(members)}


def _remove_pole(
    cursor: Cursor, command: c.RemovePole, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    """See RemovePole."""
    _alone(cursor)
    if _areas_of(cursor, command.id, actor) is None:
        raise Rejected("not_found", f"id={command.id!r}: there is no such pole", field="id")
    if not command.reason.strip():
        raise Rejected("field", "reason='': say why it is taken apart", field="reason")
    cursor.execute("DELETE FROM composite_members WHERE composite = %s", (command.id,))
    cursor.execute("DELETE FROM composites WHERE id = %s", (command.id,))
    bump(cursor)
    return {"id": command.id}


def _alone(cursor: Cursor) -> None:
    """One change of poles at a time: two must not give one thing, or one new id, to two poles."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.POLES,))


def _require(actor: Actor, area: str) -> None:
    decision = may(actor, RIGHT, Thing(area))
    if not decision:
        raise Rejected("forbidden", f"{RIGHT}: {decision.reason}", field="actor")


def _areas_of(cursor: Cursor, pole: str, actor: Actor) -> list[str] | None:
    """The areas of the pole and its parts, managed by the actor; None: there is no such pole."""
    cursor.execute("SELECT area_path FROM composites WHERE id = %s", (pole,))
    row = cursor.fetchone()
    if row is None:
        return None
    cursor.execute(
        "SELECT coalesce(d.area_path, k.area_path) FROM composite_members m LEFT JOIN devices d ON d.id = m.device"
        " LEFT JOIN cameras k ON k.code = m.camera WHERE m.composite = %s",
        (pole,),
    )
    areas = sorted({str(row[0]), *(str(area) for (area,) in cursor.fetchall())})
    for area in areas:
        _require(actor, area)
    return areas


def _known(cursor: Cursor, members: Sequence[Part]) -> dict[str, tuple[Any, ...]]:
    things = {
        "devices": [m.thing for m in members if not m.is_camera],
        "cameras": [m.thing for m in members if m.is_camera],
    }
    cursor.execute(_PLACES, things)
    return {row[0]: tuple(row[1:]) for row in cursor.fetchall()}


def _free(cursor: Cursor, pole: str, members: Sequence[Part]) -> None:
    """Raise Rejected when a thing is a part of another pole already."""
    cursor.execute(
        "SELECT composite, coalesce(device, camera) FROM composite_members WHERE composite <> %s"
        " AND (device = ANY(%s) OR camera = ANY(%s)) ORDER BY 1, 2 LIMIT 1",
        (pole, [m.thing for m in members], [m.thing for m in members]),
    )
    row = cursor.fetchone()
    if row is not None:
        raise Rejected("rule", f"members={row[1]!r}: is a part of {row[0]}", field="members", pole=row[0])


HANDLERS: Final[Mapping[type, Handler]] = {c.SavePole: _save_pole, c.RemovePole: _remove_pole}
