"""What evaluation (`incidents/formulas.py`) knows of incidents, read from their timelines (S17).

The timeline is the only source: every step tells when it was, and of the stage that it ended, when that was due. What an
incident still waits for is due as the incident itself says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from data.database import Cursor
from incidents.evaluation import Placed
from incidents.formulas import Case, Period

SETTLED: Final = timedelta(days=400)
"""An incident that ended so long before a period has nothing due in it: no limit is longer than a year."""

_CASES: Final = (
    "SELECT i.id, i.reported_at,"
    " coalesce(t.filed_due, CASE WHEN i.stage = 'reported' THEN i.stage_due_at END),"
    " t.filed_at, t.refused_at, t.voided_at,"
    " coalesce(t.dispatch_due, CASE WHEN i.stage = 'accepted' AND t.dispatched_at IS NULL THEN i.stage_due_at END),"
    " t.dispatched_at,"
    # While the unit works its clock says; afterwards what was told; of before 0022 what was kept.
    " CASE WHEN t.handled_at IS NULL THEN coalesce(i.handle_due_at, t.handle_due)"
    " ELSE coalesce(t.handle_due, i.told_due_at) END, t.handled_at,"
    " coalesce(t.check_due, CASE WHEN i.stage = 'returned_result' THEN i.stage_due_at END), t.checked_at,"
    " c.closed_at, t.not_theirs, i.reworks, t.extensions, t.parked,"
    " CASE WHEN (i.appeal ->> 'granted')::bool THEN i.appeal ->> 'against' ELSE '' END, i.area_path,"
    " coalesce(nullif(i.unit, ''), t.unit, ''), i.class_code, t.channel"
    " FROM incidents i"
    # Reopened later it was closed then nevertheless: what a past period said stays said.
    " JOIN LATERAL (SELECT min(at) FILTER (WHERE action = 'close') AS closed_at FROM timeline"
    " WHERE incident_id = i.id) c ON true"
    " JOIN LATERAL (SELECT"
    " min(at) FILTER (WHERE action = 'accept') AS filed_at,"
    " min((detail ->> 'due')::timestamptz) FILTER (WHERE from_stage = 'reported' AND to_stage <> 'reported') AS filed_due,"
    " min(at) FILTER (WHERE action = 'refuse') AS refused_at,"
    " max(at) FILTER (WHERE action IN ('void', 'merge') AND i.stage = 'void') AS voided_at,"
    " min(at) FILTER (WHERE action = 'dispatch') AS dispatched_at,"
    " min((detail ->> 'due')::timestamptz) FILTER (WHERE action = 'dispatch' AND from_stage = 'accepted') AS dispatch_due,"
    " max(at) FILTER (WHERE action = 'feed_back' AND (c.closed_at IS NOT NULL AND at <= c.closed_at"
    " OR c.closed_at IS NULL AND i.returned_result_at IS NOT NULL)) AS handled_at,"
    " max((detail ->> 'due')::timestamptz) FILTER (WHERE action = 'feed_back'"
    " AND (c.closed_at IS NULL OR at <= c.closed_at)) AS handle_due,"
    " max((detail ->> 'due')::timestamptz) FILTER (WHERE action IN ('pass_check', 'fail_check')) AS check_due,"
    " max(at) FILTER (WHERE action IN ('pass_check', 'fail_check')) AS checked_at,"
    " coalesce(bool_or(action = 'return' AND detail ->> 'wrong_field' IN ('owner', 'scope', 'place')), false)"
    " AS not_theirs,"
    " count(*) FILTER (WHERE action = 'grant_request' AND detail ->> 'asked' = 'extension')::int AS extensions,"
    " coalesce(bool_or(action = 'grant_request' AND detail ->> 'asked' = 'parking'), false) AS parked,"
    " (array_agg(detail ->> 'unit' ORDER BY seq DESC) FILTER (WHERE action IN ('dispatch', 'reassign')))[1] AS unit,"
    " min(channel) FILTER (WHERE action = 'report') AS channel"
    " FROM timeline WHERE incident_id = i.id) t ON true"
    " WHERE i.reported_at < %(end)s AND (i.closed_at IS NULL OR i.closed_at >= %(settled)s)"
    " AND i.area_path LIKE %(area)s AND i.merged_into IS NULL ORDER BY i.id"
)


def read_cases(cursor: Cursor, period: Period, area: str = "") -> list[Placed]:
    """Every incident of an area ('' = all) that may count in a period, by id."""
    cursor.execute(_CASES, {"end": period.end, "settled": period.begin - SETTLED, "area": f"{area}%"})
    return [_placed(row) for row in cursor.fetchall()]


def _placed(row: Sequence[Any]) -> Placed:
    return Placed(Case(*row[:18]), *(value or "" for value in row[18:]))
