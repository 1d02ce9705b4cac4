"""How many incidents a unit can work on at once, as somebody of its area has set it. Inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from data.database import Cursor
from incidents.access import Thing, may
from incidents.model import Actor, Rejected
from incidents.routing_commands import ACTION_OF, SetCapacity

MOST: Final = 100_000
"""Incidents at once; the column allows no more."""


def set_capacity(cursor: Cursor, command: SetCapacity, actor: Actor, now: datetime) -> dict[str, Any]:
    """See SetCapacity. Asked for the area that the unit answers for. Raises Rejected."""
    cursor.execute("SELECT area_path, capacity FROM units WHERE code = %s FOR UPDATE", (command.unit,))
    row = cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"unit={command.unit!r}: no such unit", field="unit")
    area, former = row
    action = ACTION_OF["set_capacity"]
    decision = may(actor, action, Thing(area))
    if not decision:
        raise Rejected("forbidden", f"{action}: {decision.reason}", field="actor")
    if command.capacity is not None and not 1 <= command.capacity <= MOST:
        text = f"capacity={command.capacity}: must be from 1 to {MOST}, or nothing"
        raise Rejected("field", text, field="capacity")
    cursor.execute("UPDATE units SET capacity = %s WHERE code = %s", (command.capacity, command.unit))
    return {"unit": command.unit, "capacity": command.capacity, "former": former}
