"""The duty leader's question: what is wrong, late, unknown, waiting for me."""

from __future__ import annotations

from typing import Any, Final

from data import vitals
from data.feed_states import feed_facts
from data.incident_rows import ms
from data.indicators import stale
from data.questions.addresses import UNPLACED
from data.questions.context import Answer, Ask
from data.questions.devices import silent_devices
from data.questions.incidents import OPEN, OVERDUE, incident_rows
from data.scope import area_scope, incident_scope, named
from incidents import commands as c
from incidents.access import ANYWHERE, Thing, may, topmost
from incidents.feeds import live_status

MOST: Final = 50
WAITING: Final = (
    "((i.level <= 2 AND i.acknowledged_by IS NULL AND i.escalated_at IS NOT NULL)"
    " OR (i.escalated_stage = i.stage AND i.escalated_at > i.stage_due_at))"
)
"""`incidents.escalation.waits_for_leader` of an open incident, in SQL."""

SUPERVISED: Final = "i.supervision IS NOT NULL AND i.supervision ->> 'ended_at' IS NULL"
"""Under supervision that nobody has ended."""

_CITY: Final = Thing()
"""Streams and their ledger belong to the whole city, as the pages that show them do."""


def leader_board(ask: Ask, query: c.LeaderBoard) -> dict[str, Any]:
    """See LeaderBoard: {wrong, late, waiting: {rows, total}, unknown: the parts of `unknown`, now: see there}."""
    return {
        "wrong": _part(ask, "i.level <= 2", "i.level, i.reported_at DESC"),
        "late": _part(ask, OVERDUE, "i.stage_due_at"),
        "waiting": _part(ask, WAITING, "i.level, i.stage_due_at NULLS LAST"),
        "unknown": unknown(ask),
        "now": now(ask),
    }


def now(ask: Ask) -> dict[str, Any]:
    """How the city stands beside the indicators: warnings that stand, incidents under supervision, devices, vital signs
    beyond their limit. {at: ms, warnings? {rows, total, worst}, supervised {rows, total, late}, devices?, vitals?}."""
    supervised = _part(ask, SUPERVISED, "i.supervision_due_at NULLS LAST")
    found: dict[str, Any] = {
        "at": ms(ask.now),
        "supervised": supervised
        | {"late": _part(ask, f"{SUPERVISED} AND i.supervision_due_at < %(now)s", "i.id")["total"]},
    }
    if may(ask.actor, "device.see", ANYWHERE):
        found["warnings"] = _warnings(ask)
        areas, given = area_scope(ask.actor)
        known = ask.database.query(f"SELECT count(*) FROM devices WHERE NOT disabled AND {areas}", given)
        found["devices"] = {"total": known[0][0], "silent": silent_devices(ask)}
    if may(ask.actor, "vital.see", _CITY):
        unfed = sum(v.source == "none" for v in vitals.vitals())
        found["vitals"] = {"over": len(vitals.raised(ask.database)), "unfed": unfed}
    return found


def _warnings(ask: Ask) -> dict[str, Any]:
    scope, params = named(area_scope(ask.actor, "w.area_path"))
    standing = (
        f"FROM warnings w LEFT JOIN devices d ON d.id = w.device WHERE w.cleared_at IS NULL AND {scope}"
    )
    totals = ask.database.query(f"SELECT count(*), count(*) FILTER (WHERE w.level <= 2) {standing}", params)
    rows = ask.database.dicts(
        "SELECT w.id, w.device, coalesce(d.name, '') AS name, w.value, w.threshold, w.level, w.message, w.time AS at"
        f" {standing} ORDER BY w.level, w.created_at DESC LIMIT {MOST}",
        params,
    )
    return {"rows": rows, "total": totals[0][0], "worst": totals[0][1]}


def _part(ask: Ask, condition: str, order: str) -> dict[str, Any]:
    scope, params = named(incident_scope(ask.actor))
    where = f"{scope} AND {OPEN} AND {condition}"
    params["now"] = ask.now
    total = ask.database.query(f"SELECT count(*) FROM incidents i WHERE {where}", params)
    return {"rows": incident_rows(ask, where, order, MOST, params), "total": total[0][0]}


def unknown(ask: Ask) -> dict[str, Any]:
    """What is not known; a part that the actor may not see is not in the answer.

    unresolved_places {rows, total}; silent_devices n; stale_indicators [{id, name, name_en, at}]; silent_feeds
    [name]; ledger_mismatches n; held_messages n.
    """
    found: dict[str, Any] = {"unresolved_places": _part(ask, UNPLACED, "i.reported_at DESC")}
    actor = ask.actor
    if may(actor, "device.see", ANYWHERE):
        found["silent_devices"] = silent_devices(ask)
    if may(actor, "indicator.see", ANYWHERE) and actor.areas:
        found["stale_indicators"] = _stale(ask)
    if may(actor, "feed.see", _CITY):
        found["silent_feeds"] = _silent_feeds(ask)
    if may(actor, "ledger.see", _CITY):
        rows = ask.database.query("SELECT count(*) FROM ledger_mismatches WHERE resolved_at IS NULL")
        found["ledger_mismatches"] = rows[0][0]
    if may(actor, "deadletter.see", _CITY):
        rows = ask.database.query("SELECT count(*) FROM held WHERE released_at IS NULL")
        found["held_messages"] = rows[0][0]
    return found


def _stale(ask: Ask) -> list[dict[str, Any]]:
    """Indicators that are stale in any area of the actor, each once with its oldest time."""
    rows = [
        row
        for area in topmost(ask.actor.areas)
        for row in stale(ask.database, area.rstrip("/").rsplit("/", 1)[-1], ask.now)
    ]
    oldest = {row["id"]: row for row in sorted(rows, key=lambda row: row["at"], reverse=True)}
    return sorted(oldest.values(), key=lambda row: row["at"])


def _silent_feeds(ask: Ask) -> list[str]:
    rows = ask.database.dicts(
        # One that was never heard is not a worry of the duty: it stands on the page of the feeds.
        "SELECT f.name, f.disabled, f.last_message_at, f.expected_period_s, coalesce(s.failure, '') AS failure"
        " FROM feeds f LEFT JOIN feed_states s ON s.feed = f.id"
        " WHERE NOT f.disabled AND f.last_message_at IS NOT NULL ORDER BY f.last_message_at"
    )
    return [row["name"] for row in rows if live_status(feed_facts(row), ask.now) == "silent"]


ANSWERS: Final[dict[type, Answer]] = {c.LeaderBoard: leader_board}
