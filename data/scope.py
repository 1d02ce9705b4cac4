"""What an actor may see, as SQL: the same law as `incidents.access.may`, for lists (a test holds both together)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from incidents.model import Actor

Sql = tuple[str, list[Any]]


ASSISTS: Final = "({alias}.assisting <> '{{}}' AND {alias}.assisting @> ARRAY[%s]::text[])"
"""Incidents that a unit (one parameter) assists with; the first half lets the partial index answer."""


def _like(path: str) -> str:
    return path.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def prefixes(areas: Sequence[str]) -> list[str]:
    """Patterns of LIKE for what lies in these areas."""
    return [_like(area) for area in areas]


def area_scope(actor: Actor, column: str = "area_path") -> Sql:
    """Rows whose area the actor covers. `column` is a constant of the caller, never a user's text."""
    within = prefixes(actor.areas)
    # One LIKE each, not LIKE ANY of them: only so an index of paths is of use.
    parts = [f"{column} LIKE %s"] * len(within)
    if any(area.count("/") == 1 for area in actor.areas):
        parts.append(f"{column} = ''")
    return (f"({' OR '.join(parts)})" if parts else "false"), within


def incident_scope(actor: Actor, alias: str = "i") -> Sql:
    """Incidents the actor may see: by area, and for field staff also what is assigned to them."""
    sql, params = area_scope(actor, f"{alias}.area_path")
    if actor.role == "unit_handler" and actor.unit:
        helps = ASSISTS.format(alias=alias)
        return f"({sql} OR {alias}.unit = %s OR {helps})", [*params, actor.unit, actor.unit]
    if actor.role == "grid_worker" and actor.unit:
        return (
            f"({sql} OR ({alias}.unit = %s AND {alias}.worker = %s))",
            [*params, actor.unit, actor.login],
        )
    return sql, params


def named(scope: Sql, prefix: str = "s") -> tuple[str, dict[str, Any]]:
    """`scope` with named parameters (%(s0)s …), for statements that name theirs."""
    sql, values = scope
    for number in range(len(values)):
        sql = sql.replace("%s", f"%({prefix}{number})s", 1)
    return sql, {f"{prefix}{number}": value for number, value in enumerate(values)}
