"""Questions about cases of administrative enforcement: the list, and what is late (S85).

Which incident a case belongs to is looked up here, each time: by the number its platform names, else by the report that
caused it. So a case that came before its incident finds it, and one whose incident was merged away is where that went.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from data.database import Cursor, dicts
from data.enforcement_store import LIMIT_KEY
from data.incident_cases import shown
from data.incident_rows import COLUMNS, ms, to_incident
from data.questions.context import Answer, Ask, bounded
from data.questions.incidents import pressable, reporters_of
from data.scope import area_scope, named
from data.working_days import read_working_time
from incidents.enforcement import due_at, late_before, limit_of
from incidents.enforcement_commands import EnforcementCases
from incidents.limits import Limit
from incidents.model import ClockKind, Rejected
from incidents.working_time import NotPublished, WorkingTime

MOST_COUNTED: Final = 1000
MOST_LATE: Final = 20_000
"""Newest late cases that are looked through for an area: what is older still has been late for so long that it is a matter of
its own, and the list must answer."""

_NAMED: Final = (
    "coalesce((SELECT id FROM incidents WHERE e.incident <> '' AND number = e.incident),"
    " (SELECT incident_id FROM intake WHERE e.about_message <> '' AND source = e.about_source AND message_id = e.about_message))"
)
_FROM: Final = (
    f" CROSS JOIN LATERAL (SELECT {_NAMED} AS id) named"
    # Where the sources of a merged incident went, however often.
    " LEFT JOIN LATERAL (WITH RECURSIVE way (id, next) AS (SELECT id, merged_into FROM incidents WHERE id = named.id"
    " UNION SELECT n.id, n.merged_into FROM way JOIN incidents n ON n.id = way.next)"
    " SELECT id FROM way WHERE next IS NULL) linked ON true LEFT JOIN incidents i ON i.id = linked.id"
    " LEFT JOIN LATERAL (SELECT code, name, area_path FROM units WHERE code = e.unit OR name = e.unit"
    # A name that several bear says nothing of the area: then it is the city's.
    " AND (SELECT count(*) FROM units same WHERE same.name = e.unit AND NOT same.disabled) = 1 AND NOT disabled"
    " ORDER BY code = e.unit DESC, code LIMIT 1) u ON true"
)
_AREA: Final = "coalesce(i.area_path, u.area_path, '')"
_COLUMNS: Final = (
    "e.feed, e.number AS case, e.title, coalesce(u.name, e.unit) AS unit, e.stage, e.result, e.opened_at, e.closed_at,"
    " e.time AS told_at, i.id AS incident, i.number"
)


def enforcement_cases(ask: Ask, query: EnforcementCases) -> dict[str, Any]:
    """See EnforcementCases: {rows: feed, case, title, unit, stage, result, opened_at, closed_at, told_at, due_at (ms), age_s,
    late_s (None: not late, or nobody knows by how much), incident, number, late, version, can_supervise, supervised}, total (at
    most MOST_COUNTED counted), limit {days, kind}, due_unknown (the working days are not published: nothing is late yet)}."""
    limit, working = city_limit(ask)
    facts: dict[str, Any] = {
        "limit": {"days": int(limit.amount), "kind": str(limit.kind)},
        "due_unknown": False,
    }
    scope, params = named(area_scope(ask.actor, _AREA))
    where = [scope]
    if query.area:
        where.append(f"starts_with({_AREA}, %(area)s)")
        params["area"] = _path_of(ask, query.area)
    try:
        params["late"] = late_before(limit, ask.now, working)
    except NotPublished:
        facts["due_unknown"] = True
        if query.late:
            return {"rows": [], "total": 0, **facts}
        params["late"] = None
    cases = "enforcement_cases e"
    if query.late:
        cases = (
            "(SELECT * FROM enforcement_cases WHERE result = '' AND opened_at < %(late)s"
            f" ORDER BY opened_at DESC, feed, number LIMIT {MOST_LATE}) e"
        )
    clause = f" FROM {cases}{_FROM} WHERE {' AND '.join(where)}"
    with ask.database.transaction() as cursor:
        cursor.execute(f"SELECT count(*) FROM (SELECT 1{clause} LIMIT {MOST_COUNTED}) n", params)
        ((total,),) = cursor.fetchall()
        cursor.execute(
            f"SELECT {_COLUMNS}, e.result = '' AND e.opened_at < %(late)s AS is_late{clause}"
            " ORDER BY e.opened_at, e.feed, e.number LIMIT %(limit)s",
            {**params, "limit": bounded(query.limit, 1, 500)},
        )
        found = dicts(cursor)
        linked = _supervisable(cursor, ask, [row["incident"] for row in found if row["incident"]])
    said = reporters_of(ask, list(linked))
    rows = []
    for row in found:
        more = _clock(row, limit, working, ask.now) | linked.get(row["incident"], _NOT_LINKED)
        rows.append(shown(row, said.get(row["incident"], ())) | more)
    return {"rows": rows, "total": total, **facts}


def _path_of(ask: Ask, area: str) -> str:
    """The path of an area given by code or path. Raises Rejected(not_found)."""
    rows = ask.database.query("SELECT path FROM areas WHERE code = %s OR path = %s", (area, area))
    if not rows:
        raise Rejected("not_found", f"area={area!r}: no such area", field="area")
    return str(rows[0][0])


_NOT_LINKED: Final = {"version": None, "can_supervise": False, "supervised": False}


def _supervisable(cursor: Cursor, ask: Ask, ids: list[int]) -> dict[int, dict[str, Any]]:
    """Of each incident whether this actor may supervise it as it stands, and whether somebody does."""
    columns = ", ".join(COLUMNS)
    cursor.execute(f"SELECT id, {columns} FROM incidents WHERE id = ANY(%s)", (sorted(set(ids)),))
    found = {}
    for row in cursor.fetchall():
        one = to_incident(row)
        found[one.id] = {
            "version": one.version,
            "can_supervise": "supervise" in pressable(one, ask.actor),
            "supervised": one.supervision is not None and one.supervision.open,
        }
    return found


def _clock(row: dict[str, Any], limit: Limit, working: WorkingTime, now: datetime) -> dict[str, Any]:
    late = bool(row.pop("is_late"))
    due = due_at(row["opened_at"], limit, working)
    return {
        "age_s": (now - row["opened_at"]).total_seconds(),
        "due_at": ms(due),
        "late": late,
        "late_s": (now - due).total_seconds() if late and due is not None else None,
    }


def city_limit(ask: Ask) -> tuple[Limit, WorkingTime]:
    """The city's limit, and the working time it is measured by (of no year where it runs day and night)."""
    told = ask.database.query("SELECT value FROM city WHERE key = %s", (LIMIT_KEY,))
    limit = limit_of(told[0][0] if told else None)
    if limit.kind is ClockKind.NATURAL_DAY:
        return limit, WorkingTime(ask.zone, {})
    this_year = ask.now.astimezone(ZoneInfo(ask.zone)).year
    return limit, read_working_time(ask.database, ask.zone, this_year)


ANSWERS: Final[dict[type, Answer]] = {EnforcementCases: enforcement_cases}
