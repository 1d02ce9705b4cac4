"""What the screens showed of incidents, from when until when: written with every change, read by `data/situations.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from data.database import Cursor, Database, json
from data.incident_rows import COLUMNS, live_item, to_incident
from incidents.model import FINAL_STAGES

FINAL: Final = frozenset(str(stage) for stage in FINAL_STAGES)
SEEDED_AT_ONCE: Final = 2000
CLOSED_KEPT: Final = timedelta(days=1)
"""Screens show the last that were closed: those of the day before the oldest moment that is kept stay a day longer."""

_KEEP = """
UPDATE incident_states SET span = tstzrange(lower(span), %(now)s)
 WHERE incident = %(incident)s AND upper_inf(span) AND lower(span) < %(now)s;
DELETE FROM incident_states WHERE incident = %(incident)s AND upper_inf(span) AND lower(span) >= %(now)s;
INSERT INTO incident_states (incident, span, final, item)
 VALUES (%(incident)s, tstzrange(%(now)s, NULL), %(final)s, %(item)s)
"""
"""A state that was replaced in the moment it began was never shown; one of a clock that ran ahead ends here too."""


def keep_state(cursor: Cursor, incident: int, item: Mapping[str, Any], now: datetime) -> None:
    """From `now` on screens show `item` of the incident. The incident's row must be locked."""
    values = {"incident": incident, "now": now, "final": item["stage"] in FINAL, "item": json(dict(item))}
    cursor.execute(_KEEP, values)


def seed_states(database: Database, now: datetime) -> int:
    """Note what is shown now of open incidents of which nothing is noted (they are older than this table): how many
    there were, at most SEEDED_AT_ONCE. Their rows are locked, so that no change of theirs is lost."""
    with database.transaction() as cursor:
        cursor.execute(
            f"SELECT i.id, {', '.join('i.' + name for name in COLUMNS)},"
            " (SELECT name FROM units WHERE code = i.unit), (SELECT name FROM accounts WHERE login = i.worker)"
            " FROM incidents i WHERE i.stage NOT IN ('closed', 'refused', 'void')"
            " AND NOT EXISTS (SELECT 1 FROM incident_states s WHERE s.incident = i.id AND upper_inf(s.span))"
            " ORDER BY i.id LIMIT %s FOR UPDATE OF i SKIP LOCKED",
            (SEEDED_AT_ONCE,),
        )
        rows = cursor.fetchall()
        for *columns, unit_name, worker_name in rows:
            incident = to_incident(columns)
            keep_state(cursor, incident.id, live_item(incident, unit_name, worker_name), now)
    return len(rows)


def unseeded(database: Database) -> bool:
    """Whether there is an open incident of which nothing is noted."""
    rows = database.query(
        "SELECT EXISTS (SELECT 1 FROM incidents i WHERE i.stage NOT IN ('closed', 'refused', 'void')"
        " AND NOT EXISTS (SELECT 1 FROM incident_states s WHERE s.incident = i.id AND upper_inf(s.span)))"
    )
    return bool(rows[0][0])


def forget_states(database: Database, before: datetime) -> None:
    """Drop states that ended before a moment, and those of incidents that had ended for good by then."""
    database.query("DELETE FROM incident_states WHERE NOT upper_inf(span) AND upper(span) < %s", (before,))
    database.query(
        "DELETE FROM incident_states WHERE upper_inf(span) AND final AND lower(span) < %s",
        (before - CLOSED_KEPT,),
    )
