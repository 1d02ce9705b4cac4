"""Dead letters from the command line: list them, put them back (the pages use the commands of the service)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from data.administration import TOO_LARGE
from data.audit import Audit
from data.database import Database, json
from data.replay import REPLAY_TOPIC, replay_payload

COMMAND_LINE: Final = "command line"
"""Who acts where nobody is logged in: whoever may run the program on the server."""

_WHERE = (
    "state = 'open' AND (%(topic)s = '' OR topic = %(topic)s) AND (%(reason)s = '' OR reason = %(reason)s)"
)


def listing(database: Database, topic: str, reason: str, limit: int) -> Iterator[str]:
    """One line each, oldest first."""
    for row in database.query(
        'SELECT topic, partition, "offset", feed, reason, field, found, rule FROM dead_letters WHERE '
        + _WHERE
        + " ORDER BY received_at LIMIT %(limit)s",
        {"topic": topic, "reason": reason, "limit": limit},
    ):
        where, partition, offset, feed, why, field, found, rule = row
        yield f"{where}/{partition}/{offset} feed={feed} {why}: {field}={found!r} {rule}"


@dataclass(frozen=True, slots=True)
class Replayed:
    """Dead letters handed to the relay, and those that stay because they are too large for the bus."""

    handed: int
    too_large: int


def replay(database: Database, audit: Audit, topic: str, reason: str, limit: int, now: datetime) -> Replayed:
    """Put open dead letters back on their topics through the outbox, the oldest `limit` first; one audit row."""
    asked = {"topic": topic, "reason": reason, "limit": limit, "too_large": TOO_LARGE}
    with database.transaction() as cursor:
        cursor.execute(
            'SELECT topic, partition, "offset", key, value, feed FROM dead_letters WHERE reason <> %(too_large)s AND '
            + _WHERE
            + " ORDER BY received_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
            asked,
        )
        rows = cursor.fetchall()
        for where, partition, offset, key, value, feed in rows:
            payload = replay_payload(where, partition, offset, bytes(value), feed)
            cursor.execute(
                "INSERT INTO outbox (topic, key, payload, created_at) VALUES (%s, %s, %s, %s)",
                (REPLAY_TOPIC, key, json(payload), now),
            )
            cursor.execute(
                "UPDATE dead_letters SET state = 'replayed', settled_at = %s, settled_by = %s"
                ' WHERE topic = %s AND partition = %s AND "offset" = %s',
                (now, COMMAND_LINE, where, partition, offset),
            )
        cursor.execute("SELECT count(*) FROM dead_letters WHERE reason = %(too_large)s AND " + _WHERE, asked)
        row = cursor.fetchone()
        done = Replayed(len(rows), int(row[0]) if row else 0)
        cursor.execute("NOTIFY outbox")
        audit.append(
            actor=COMMAND_LINE,
            role="system",
            action="deadletter.replay",
            thing="dead_letters",
            allowed=True,
            now=now,
            detail={"topic": topic, "reason": reason, "limit": limit, "handed": done.handed},
            cursor=cursor,
        )
    return done
