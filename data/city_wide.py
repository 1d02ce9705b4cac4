"""What concerns the whole city is asked of whoever has the city: a district's administrator changes no rule of all."""

from __future__ import annotations

from data.database import Cursor
from incidents.access import Thing, may
from incidents.commands import ACTION_OF, COMMANDS
from incidents.model import Actor, Rejected

_NAME_OF = {kind: name for name, kind in COMMANDS.items()}


def require_city(cursor: Cursor, command: object, actor: Actor) -> None:
    """Raises Rejected('forbidden') unless the actor may do this in the whole city."""
    cursor.execute("SELECT value FROM city WHERE key = 'path'")
    (path,) = cursor.fetchone() or ("",)
    action = ACTION_OF[_NAME_OF[type(command)]]
    decision = may(actor, action, Thing(str(path)))
    if not decision:
        raise Rejected("forbidden", f"{action}: {decision.reason}", field="actor")
