"""What evaluation (`incidents/formulas.py`) knows of incidents: told by their timelines, kept a row each (S17).

The timeline is the only source: every step tells when it was, and of the stage that it ended, when that was due. What an
incident still waits for is due as the incident itself says. The row is written in the transaction that changes the incident
(`keep`, by the unit of work); a timer recounts all of them in turn (`recount`): it fills what was there before this table and
finds what differs from its timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

import structlog

from data.database import Cursor, Database
from incidents.evaluation import Placed
from incidents.formulas import Case

log = structlog.get_logger()

MOMENTS: Final = tuple(f.name for f in fields(Case) if f.name != "id")
PLACED: Final = ("area", "unit", "class_code", "channel")
POSTS: Final = ("file_post", "dispatch_post", "handle_post", "check_post")
COLUMNS: Final = ("incident_id", "version", "merged", *PLACED, *POSTS, *MOMENTS)

TOLD: Final = (
    "SELECT i.id AS incident_id, i.version, i.merged_into IS NOT NULL OR t.consulted AS merged, i.area_path AS area,"
    " coalesce(nullif(i.unit, ''), t.unit, '') AS unit, i.class_code, coalesce(t.channel, '') AS channel,"
    " coalesce(t.file_post, '') AS file_post, coalesce(t.dispatch_post, '') AS dispatch_post,"
    " coalesce(t.handle_post, '') AS handle_post, coalesce(t.check_post, '') AS check_post, i.reported_at,"
    # Merged and brought back it is reported anew: the limit is that of who decided.
    " coalesce(t.filed_due, CASE WHEN i.stage = 'reported' THEN i.stage_due_at END, t.ended_due) AS filed_due_at,"
    " t.filed_at, t.refused_at, t.voided_at,"
    " coalesce(t.dispatch_due, CASE WHEN i.stage = 'accepted' AND t.dispatched_at IS NULL THEN i.stage_due_at END)"
    " AS dispatch_due_at, t.dispatched_at,"
    # While the unit works its clock says; afterwards what was told; of before 0022 what was kept.
    " CASE WHEN t.handled_at IS NULL THEN coalesce(i.handle_due_at, t.handle_due)"
    " ELSE coalesce(t.handle_due, i.told_due_at) END AS handle_due_at, t.handled_at,"
    " coalesce(t.check_due, CASE WHEN i.stage = 'returned_result' THEN i.stage_due_at END) AS check_due_at,"
    " t.checked_at, c.closed_at, t.not_theirs AS returned_for_unit, i.reworks, t.extensions, t.parked,"
    " e.exempt"
    " FROM incidents i"
    # Reopened later it was closed then nevertheless: what a past period said stays said.
    " JOIN LATERAL (SELECT min(at) FILTER (WHERE action = 'close') AS closed_at FROM timeline"
    " WHERE incident_id = i.id) c ON true"
    " JOIN LATERAL (SELECT"
    " min(at) FILTER (WHERE action = 'accept') AS filed_at,"
    " (array_agg((detail ->> 'due')::timestamptz ORDER BY seq) FILTER (WHERE action IN ('accept', 'refuse')))[1]"
    " AS filed_due, max((detail ->> 'due')::timestamptz) FILTER (WHERE from_stage = 'reported' AND to_stage = 'void')"
    " AS ended_due,"
    " min(at) FILTER (WHERE action = 'refuse') AS refused_at,"
    # Who only asked something has reported nothing: in no rate, as what was merged away.
    " coalesce(bool_or(action = 'consult'), false) AS consulted,"
    " max(at) FILTER (WHERE action IN ('void', 'merge') AND i.stage = 'void') AS voided_at,"
    " min(at) FILTER (WHERE action = 'dispatch') AS dispatched_at,"
    " min((detail ->> 'due')::timestamptz) FILTER (WHERE action = 'dispatch' AND from_stage = 'accepted') AS dispatch_due,"
    " max(at) FILTER (WHERE action = 'feed_back' AND (c.closed_at IS NOT NULL AND at <= c.closed_at"
    " OR c.closed_at IS NULL AND i.returned_result_at IS NOT NULL)) AS handled_at,"
    " max((detail ->> 'due')::timestamptz) FILTER (WHERE action = 'feed_back'"
    " AND (c.closed_at IS NULL OR at <= c.closed_at)) AS handle_due,"
    " max((detail ->> 'due')::timestamptz) FILTER (WHERE action IN ('pass_check', 'fail_check')"
    " AND (c.closed_at IS NULL OR at <= c.closed_at)) AS check_due,"
    " max(at) FILTER (WHERE action IN ('pass_check', 'fail_check')"
    " AND (c.closed_at IS NULL OR at <= c.closed_at)) AS checked_at,"
    " coalesce(bool_or(action = 'return' AND detail ->> 'wrong_field' IN ('owner', 'scope', 'place')), false)"
    " AS not_theirs,"
    " count(*) FILTER (WHERE action = 'grant_request' AND detail ->> 'asked' = 'extension')::int AS extensions,"
    " coalesce(bool_or(action = 'grant_request' AND detail ->> 'asked' = 'parking'), false) AS parked,"
    " (array_agg(detail ->> 'unit' ORDER BY seq DESC) FILTER (WHERE action IN ('dispatch', 'reassign')))[1] AS unit,"
    " (array_agg(role ORDER BY seq) FILTER (WHERE action IN ('accept', 'refuse')))[1] AS file_post,"
    " (array_agg(role ORDER BY seq) FILTER (WHERE action = 'dispatch'))[1] AS dispatch_post,"
    " (array_agg(role ORDER BY seq DESC) FILTER (WHERE action = 'feed_back'"
    " AND (c.closed_at IS NULL OR at <= c.closed_at)))[1] AS handle_post,"
    " (array_agg(role ORDER BY seq DESC) FILTER (WHERE action IN ('pass_check', 'fail_check')"
    " AND (c.closed_at IS NULL OR at <= c.closed_at)))[1] AS check_post,"
    " min(channel) FILTER (WHERE action = 'report') AS channel"
    " FROM timeline WHERE incident_id = i.id) t ON true"
    # What was granted stays granted when the incident is reopened, for what it was granted against and no further: a later
    # rework or return waits for an appeal of its own, and 按期 is told of the first round only.
    " JOIN LATERAL (SELECT coalesce(string_agg(DISTINCT g.against, ' ' ORDER BY g.against), '') AS exempt FROM"
    " (SELECT seq, (SELECT a.detail ->> 'against' FROM timeline a WHERE a.incident_id = i.id AND a.action = 'appeal'"
    " AND a.seq < granted.seq ORDER BY a.seq DESC LIMIT 1) AS against"
    " FROM timeline granted WHERE incident_id = i.id AND action = 'grant_appeal') g"
    " WHERE NOT EXISTS (SELECT FROM timeline n WHERE n.incident_id = i.id AND CASE g.against"
    " WHEN 'overdue' THEN n.seq < g.seq AND n.action = 'reopen'"
    " WHEN 'rework' THEN n.seq > g.seq AND n.action IN ('fail_check', 'reopen')"
    " ELSE n.seq > g.seq AND n.action = 'return' END)) e ON true"
    " WHERE i.id = ANY(%(ids)s)"
)
"""What the timelines of some incidents tell, in the columns of `incident_facts`."""

_NAMES: Final = ", ".join(COLUMNS)
_SELECT: Final = f"SELECT {_NAMES} FROM"
_REST: Final = ", ".join(COLUMNS[1:])
_OURS: Final = ", ".join(f"f.{name}" for name in COLUMNS[1:])
_TOLDS: Final = ", ".join(f"EXCLUDED.{name}" for name in COLUMNS[1:])


def _keep(told: str) -> str:
    # An older snapshot never overwrites what a later version of the incident has written.
    return (
        f"INSERT INTO incident_facts AS f ({_NAMES}) {told} ON CONFLICT (incident_id) DO UPDATE"
        f" SET ({_REST}) = ROW({_TOLDS}) WHERE f.version <= EXCLUDED.version"
        f" AND ROW({_OURS}) IS DISTINCT FROM ROW({_TOLDS}) RETURNING incident_id, xmax = 0"
    )


def keep(cursor: Cursor, ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """Write what the timelines of these incidents tell; the ids that had no row, and those whose row said otherwise."""
    cursor.execute(_keep(TOLD), {"ids": sorted(ids)})
    found = cursor.fetchall()
    return sorted(id for id, new in found if new), sorted(id for id, new in found if not new)


def told(cursor: Cursor, ids: Sequence[int]) -> list[Placed]:
    """What timelines tell, straight from them, by id."""
    cursor.execute(f"{_SELECT} ({TOLD}) told ORDER BY incident_id", {"ids": list(ids)})
    return [_placed(row) for row in cursor.fetchall()]


def kept(cursor: Cursor, ids: Sequence[int]) -> list[Placed]:
    """What is kept, by id."""
    cursor.execute(f"{_SELECT} incident_facts WHERE incident_id = ANY(%s) ORDER BY incident_id", (list(ids),))
    return [_placed(row) for row in cursor.fetchall()]


def _placed(row: Sequence[Any]) -> Placed:
    known = dict(zip(COLUMNS, row, strict=True))
    case = Case(known["incident_id"], **{name: known[name] for name in MOMENTS})
    place = {name: known[name] for name in PLACED}
    return Placed(case, **place, merged=known["merged"], posts={name: known[name] for name in POSTS})


@dataclass(frozen=True, slots=True)
class Recount:
    """How far the round that recounts everything is. `whole`: no incident is unknown to evaluation. `filled` had no row,
    `differed` said otherwise than their timelines, the latest at `differed_at`; `rounds` ended, the latest at `ended_at`."""

    whole: bool
    rounds: int
    filled: int
    differed: int
    differed_at: datetime | None
    differed_ids: tuple[int, ...]
    ended_at: datetime | None


FIRST_STEP: Final = 2_000
"""Incidents of one step while the first round fills the table."""
STEP: Final = 500
SHOWN: Final = 20


def recount(database: Database, now: datetime) -> int:
    """One step of the round: recount the next incidents from their timelines; returns how many. What differed is set right,
    kept as a fact, and told in the log as an error."""
    with database.transaction() as cursor:
        cursor.execute("SELECT next_id, first_to FROM incident_facts_check FOR UPDATE")
        next_id, first_to = cursor.fetchone() or (0, 0)
        size = FIRST_STEP if next_id < first_to and _rounds(cursor) == 0 else STEP
        cursor.execute("SELECT id FROM incidents WHERE id > %s ORDER BY id LIMIT %s", (next_id, size))
        ids = [int(id) for (id,) in cursor.fetchall()]
        filled, differed = keep(cursor, ids) if ids else ([], [])
        over = len(ids) < size
        cursor.execute(
            "UPDATE incident_facts_check SET next_id = %(next)s, rounds = rounds + %(over)s::int,"
            " ended_at = CASE WHEN %(over)s THEN %(now)s ELSE ended_at END, filled = filled + %(filled)s,"
            " differed = differed + %(differed)s,"
            " differed_at = CASE WHEN %(differed)s > 0 THEN %(now)s ELSE differed_at END,"
            " differed_ids = CASE WHEN %(differed)s > 0 THEN %(ids)s ELSE differed_ids END",
            {
                "next": 0 if over else ids[-1], "over": over, "now": now, "filled": len(filled),
                "differed": len(differed), "ids": differed[:SHOWN],
            },
        )  # fmt: skip
    if differed:
        log.error("evaluation differed from timelines", incidents=differed[:SHOWN], count=len(differed))
    return len(ids)


def _rounds(cursor: Cursor) -> int:
    cursor.execute("SELECT rounds FROM incident_facts_check")
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def recounted(database: Database) -> Recount:
    """See Recount."""
    (row,) = database.query(
        "SELECT rounds > 0 OR next_id >= first_to, rounds, filled, differed, differed_at, differed_ids, ended_at"
        " FROM incident_facts_check"
    )
    return Recount(row[0], row[1], row[2], row[3], row[4], tuple(row[5]), row[6])
