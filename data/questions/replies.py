"""Questions about replies to who reported: what a person still has to tell (S10)."""

from __future__ import annotations

from typing import Any, Final

from data.incident_rows import ms
from data.questions.context import Answer, Ask, bounded
from data.questions.incidents import reporters_of
from data.scope import incident_scope, named
from incidents.privacy import masked
from incidents.reply_commands import RepliesWaiting

_NAMES: Final = (
    "id",
    "incident",
    "number",
    "class_name",
    "title",
    "outcome",
    "channel",
    "reports",
    "reply",
    "created_at",
)


def replies_waiting(ask: Ask, query: RepliesWaiting) -> dict[str, Any]:
    """See RepliesWaiting: {rows: id, incident, number, class_name, title, outcome, channel, reports, reply, created_at
    (ms)}, total (at most 1,000 counted)}."""
    scope, params = named(incident_scope(ask.actor))
    where = f"r.ended_at IS NULL AND {scope}"
    joined = "replies r JOIN incidents i ON i.id = r.incident_id"
    with ask.database.transaction() as cursor:
        cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {joined} WHERE {where} LIMIT 1000) n", params)
        ((total,),) = cursor.fetchall()
        cursor.execute(
            "SELECT r.id, i.id, i.number, i.class_name, i.title, r.outcome, r.channel, cardinality(r.sources), r.text,"
            f" r.created_at FROM {joined} WHERE {where} ORDER BY r.created_at, r.id LIMIT %(limit)s",
            {**params, "limit": bounded(query.limit, 1, 500)},
        )
        found = [dict(zip(_NAMES, row, strict=True)) for row in cursor.fetchall()]
    said = reporters_of(ask, [row["incident"] for row in found])
    shown = [
        masked({**row, "created_at": ms(row["created_at"])}, said.get(row["incident"], ())) for row in found
    ]
    return {"rows": shown, "total": total}


ANSWERS: Final[dict[type, Answer]] = {RepliesWaiting: replies_waiting}
