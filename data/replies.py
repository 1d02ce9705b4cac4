"""Replies to who reported, inside the caller's transaction (S10). Who is to be answered: `incidents.occurrence.replies`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from data.database import Cursor, dicts
from data.occurrences import StoredOccurrences
from incidents.model import Actor, Incident, Rejected
from incidents.occurrence import Reply, replies
from incidents.reply_commands import TellReporter
from incidents.replying import reply_text, teller

_SAID: Final = (
    "SELECT coalesce((SELECT name FROM units WHERE code = %(unit)s), ''),"
    " coalesce((SELECT reason FROM timeline WHERE incident_id = %(id)s AND action = %(action)s ORDER BY seq DESC LIMIT 1), '')"
)
_SOURCES: Final = (
    "SELECT id, source, message_id, channel, coalesce(reporter ->> 'name', '') AS name,"
    " coalesce(reporter ->> 'phone', '') AS phone FROM intake WHERE incident_id = %s AND kind = 'report' ORDER BY id"
)
_ADD: Final = (
    "INSERT INTO replies (incident_id, version, outcome, channel, teller, sources, text, created_at, ended_at, end_how,"
    " note) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id"
)


def answer(cursor: Cursor, incident: Incident, outcome: str, now: datetime) -> list[dict[str, Any]]:
    """Write one reply for everybody who spoke; the payloads of `city.reply.v1`, one a reply. What waited of an earlier
    end is withdrawn: the newer one says how things stand."""
    withdraw(cursor, incident.id, now)
    cursor.execute(_SOURCES, (incident.id,))
    sources = {row["id"]: row for row in dicts(cursor)}
    if not sources:
        return []  # no person spoke of it
    due = replies(StoredOccurrences(cursor).whole([incident.id])[incident.id])
    cursor.execute(
        _SAID,
        {"unit": incident.unit, "id": incident.id, "action": "handle" if outcome == "close" else outcome},
    )
    ((unit, said),) = cursor.fetchall()
    names = [row["name"] for row in sources.values() if row["name"]]
    phones = [row["phone"] for row in sources.values() if row["phone"]]
    text = reply_text(incident, outcome, said, unit, names, phones)
    found = []
    for channel, reports in _told_together(due, sources):
        how = teller(reports[-1]["source"])
        ended: tuple[datetime | None, str, str]
        if how != "person":
            ended = (now, "told", "")  # by being there
        elif any(one["phone"].strip() for one in reports):
            ended = (None, "", "")
        else:
            ended = (now, "unreached", "没有留下电话 no phone was left")
        cursor.execute(
            _ADD,
            (
                incident.id, incident.version, outcome, channel, how, [one["id"] for one in reports], text, now,
                *ended,
            ),
        )  # fmt: skip
        ((number,),) = cursor.fetchall()
        found.append(
            {
                "reply": number, "incident": incident.id, "number": incident.number, "outcome": outcome,
                "channel": channel, "teller": how, "text": text,
                "reports": [{"source": one["source"], "id": one["message_id"]} for one in reports],
                "correlation_id": incident.correlation_id,
            }
        )  # fmt: skip
    return found


def _told_together(
    due: Sequence[Reply], sources: Mapping[int, dict[str, Any]]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """(Channel, reports) that one reply is for: of one person, and told by one teller. A system's report of nobody that it
    names is answered too: the system knows whom to tell."""
    found: dict[tuple[Any, ...], tuple[str, list[dict[str, Any]]]] = {}
    told = set()
    for one in due:
        for id in one.reports:
            told.add(id)
            how = teller(sources[id]["source"])
            by = sources[id]["source"] if how == "message" else ""
            found.setdefault((one.reporter, one.channel, how, by), (one.channel, []))[1].append(sources[id])
    for id, row in sources.items():
        if id not in told and teller(row["source"]) == "message":
            found[(id,)] = (row["channel"], [row])
    return list(found.values())


def withdraw(cursor: Cursor, incident_id: int, now: datetime, sources: Sequence[int] | None = None) -> None:
    """What waits to be told of an incident, of `sources` or of all, is not true any more."""
    cursor.execute(
        "UPDATE replies SET ended_at = %s, end_how = 'withdrawn' WHERE incident_id = %s AND ended_at IS NULL"
        " AND (%s::bigint[] IS NULL OR sources && %s::bigint[])",
        (now, incident_id, sources, sources),
    )


def incident_of(cursor: Cursor, reply: int) -> int:
    """Whose reply it is. Raises Rejected(unknown)."""
    cursor.execute("SELECT incident_id FROM replies WHERE id = %s", (reply,))
    row = cursor.fetchone()
    if row is None:
        raise Rejected("unknown", f"id={reply}: no such reply", field="id")
    return int(row[0])


def tell(cursor: Cursor, command: TellReporter, actor: Actor, now: datetime) -> None:
    """A person told it, or could not. Raises Rejected: it is told already, or no reason why not."""
    note = command.note.strip()
    if not command.reached and not note:
        raise Rejected("field", "note='': say why nobody was reached", field="note")
    cursor.execute(
        "UPDATE replies SET ended_at = %s, ended_by = %s, end_how = %s, note = %s WHERE id = %s AND ended_at IS NULL",
        (now, actor.login, "told" if command.reached else "unreached", note[:500], command.id),
    )
    if cursor.rowcount == 0:
        cursor.execute("SELECT ended_by, end_how FROM replies WHERE id = %s", (command.id,))
        ((first, how),) = cursor.fetchall()
        raise Rejected("stage", f"id={command.id}: is {how} already", field="id", first=first)
