"""Cases of administrative enforcement in a flush, and the city's limit (S85).

Every message is kept once; the case stands as the newest one says. What caused it is taken from the newest message that
names it: a platform often names it only when the case is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from data.city_wide import require_city
from data.database import Cursor, json, many
from data.known_messages import tell_apart
from incidents.enforcement import limit_from, newest
from incidents.enforcement_commands import SetCaseLimit
from incidents.ingest import CaseRow, Flush
from incidents.model import Actor

LIMIT_KEY: Final = "case_limit"
"""In table `city`: {"days": 90, "kind": "natural_day"}."""

_KEEP: Final = (
    "INSERT INTO enforcement_messages (source, message_id, digest, ledger_id, received_at, feed, number, time, title, unit,"
    " stage, result, incident, about_source, about_message, opened_at, closed_at) VALUES %s"
    " ON CONFLICT (source, message_id) DO NOTHING RETURNING source, message_id"
)
_STAND: Final = (
    "INSERT INTO enforcement_cases AS e (feed, number, time, title, unit, stage, result, opened_at, closed_at) VALUES %s"
    " ON CONFLICT (feed, number) DO UPDATE SET time = EXCLUDED.time, title = EXCLUDED.title, unit = EXCLUDED.unit,"
    " stage = EXCLUDED.stage, result = EXCLUDED.result, opened_at = EXCLUDED.opened_at, closed_at = EXCLUDED.closed_at"
    " WHERE e.time <= EXCLUDED.time"
)
_NAME: Final = (
    "UPDATE enforcement_cases e SET incident = v.incident, about_source = v.source, about_message = v.message,"
    " named_at = v.time FROM (VALUES %s) AS v(feed, number, time, incident, source, message)"
    " WHERE e.feed = v.feed AND e.number = v.number AND (e.named_at IS NULL OR e.named_at <= v.time)"
)


def store_cases(cursor: Cursor, flush: Flush, ledger: Sequence[int]) -> None:
    """Keep what is new, bring the cases up to it, and set the outcome of each message."""
    rows = flush.cases
    if not rows:
        return
    feed_of = {row.message: flush.messages[row.message].feed for row in rows}
    first: dict[tuple[str, str], CaseRow] = {}
    for row in rows:
        first.setdefault((row.source, row.message_id), row)
    made = many(
        cursor,
        _KEEP,
        [
            (
                r.source, r.message_id, r.digest, ledger[r.message], flush.now, feed_of[r.message], r.number, r.time,
                r.title, r.unit, r.stage, r.result, r.incident, r.about_source, r.about_message, r.opened_at,
                r.closed_at,
            )
            for r in first.values()
        ],
    )  # fmt: skip
    told = {tuple(identity) for identity in made}
    new = [((feed_of[r.message], r.number), r.time, r) for name, r in first.items() if name in told]
    stand = newest(new)
    many(
        cursor,
        _STAND,
        [
            (*key, r.time, r.title, r.unit, r.stage, r.result, r.opened_at, r.closed_at)
            for key, r in sorted(stand.items())
        ],
    )
    named = newest(one for one in new if one[2].incident or one[2].about_message)
    many(
        cursor,
        _NAME,
        [
            (*key, r.time, r.incident, r.about_source, r.about_message)
            for key, r in sorted(named.items())
        ],
    )  # fmt: skip
    tell_apart(cursor, flush, "enforcement_messages", rows, {r.message for _, _, r in new})


def set_case_limit(cursor: Cursor, command: SetCaseLimit, actor: Actor, now: datetime) -> dict[str, Any]:
    """See SetCaseLimit. Raises Rejected."""
    require_city(cursor, command, actor)
    limit = limit_from(command.days, command.kind)
    kept = {"days": int(limit.amount), "kind": str(limit.kind)}
    cursor.execute(
        "INSERT INTO city (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        (LIMIT_KEY, json(kept)),
    )
    return kept
