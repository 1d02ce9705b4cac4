"""Cases of administrative enforcement that an incident caused (S85)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from data.database import Cursor, dicts
from data.incident_rows import ms
from incidents.privacy import mask_text

MOST_OF_INCIDENT: Final = 20

_OF_INCIDENT: Final = (
    "WITH RECURSIVE here (id, number) AS (SELECT id, number FROM incidents WHERE id = %(id)s"
    " UNION SELECT i.id, i.number FROM here JOIN incidents i ON i.merged_into = here.id),"
    " mine AS (SELECT e.* FROM enforcement_cases e JOIN here ON e.incident = here.number WHERE e.incident <> ''"
    " UNION SELECT e.* FROM intake s JOIN enforcement_cases e ON e.about_source = s.source AND e.about_message = s.message_id"
    " WHERE s.incident_id = %(id)s AND e.about_message <> ''"
    " AND NOT EXISTS (SELECT 1 FROM incidents o WHERE o.number = e.incident AND e.incident <> ''))"
    " SELECT m.number AS case, m.title, coalesce((SELECT name FROM units WHERE code = m.unit), m.unit) AS unit, m.stage,"
    " m.result, m.opened_at, m.closed_at FROM mine m ORDER BY m.opened_at, m.number LIMIT %(most)s"
)
"""A case is where its number leads, and only without one where its report is: see `data/questions/enforcement.py`."""


def cases_of(cursor: Cursor, incident_id: int, names: Iterable[str]) -> list[dict[str, Any]]:
    """The cases of an incident and of what was merged into it: case, title, unit, stage, result, opened_at and closed_at
    (ms). `names`: of who reported it, masked."""
    cursor.execute(_OF_INCIDENT, {"id": incident_id, "most": MOST_OF_INCIDENT})
    return [shown(row, names) for row in dicts(cursor)]


def shown(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A case as an answer holds it: times (names that end in _at) in ms since 1970, what people wrote masked."""
    words = {name: mask_text(row[name], names) for name in ("title", "stage", "result")}
    return {**row, **{name: ms(row[name]) for name in row if name.endswith("_at")}, **words}
