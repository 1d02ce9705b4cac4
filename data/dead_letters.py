"""Dead letters from the command line: list them, put them back (the pages use the commands of the service)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from data.administration import REPLAY_TOPIC
from data.database import Database, json

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


def replay(database: Database, topic: str, reason: str, limit: int, now: datetime) -> int:
    """Put open dead letters back on their topics through the outbox; returns how many."""
    with database.transaction() as cursor:
        cursor.execute(
            'SELECT topic, partition, "offset", key, value, feed FROM dead_letters WHERE '
            + _WHERE
            + " ORDER BY received_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
            {"topic": topic, "reason": reason, "limit": limit},
        )
        rows = cursor.fetchall()
        for where, partition, offset, key, value, feed in rows:
            payload = {"topic": where, "value": bytes(value).hex(), "feed": feed}
            cursor.execute(
                "INSERT INTO outbox (topic, key, payload, created_at) VALUES (%s, %s, %s, %s)",
                (REPLAY_TOPIC, key, json(payload), now),
            )
            cursor.execute(
                "UPDATE dead_letters SET state = 'replayed', settled_at = %s, settled_by = 'command line'"
                ' WHERE topic = %s AND partition = %s AND "offset" = %s',
                (now, where, partition, offset),
            )
        cursor.execute("NOTIFY outbox")
    return len(rows)
