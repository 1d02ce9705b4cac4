"""Messages that were held for an unknown device or camera go back to the bus when it is adopted, each exactly once."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from data.administration import REPLAY_TOPIC, replay_payload
from data.database import Cursor, json, many

MOST: Final = 100_000
"""Messages of one key that go out at once; more stay held and go with the next adoption."""


def release(cursor: Cursor, key: str, topics: tuple[str, ...], now: datetime, *, inside: bool = False) -> int:
    """Hand the held messages of a key to the relay, in the order they came, and mark them released; how many.

    `inside`: also messages of another bus key that name `key` in their JSON (a Kafka sender chooses its keys freely);
    for keys that are no part of one another, as 20-digit codes are. One too many is held again, that is all.

    Within the adopting transaction: either the thing is known and its messages are under way, or neither. What is
    released is locked first, so that of two adoptions at once each message goes out by one.
    """
    cursor.execute(
        'SELECT topic, partition, "offset", feed, value, key FROM held'
        " WHERE (key = %(key)s OR (%(inside)s AND position(%(name)s IN value) > 0)) AND topic = ANY(%(topics)s)"
        ' AND released_at IS NULL ORDER BY received_at, topic, partition, "offset" LIMIT %(most)s'
        " FOR UPDATE SKIP LOCKED",
        {"key": key, "inside": inside, "name": f'"{key}"'.encode(), "topics": list(topics), "most": MOST},
    )
    rows = cursor.fetchall()
    many(
        cursor,
        "INSERT INTO outbox (topic, key, payload, created_at) VALUES %s",
        [
            (REPLAY_TOPIC, own, json(replay_payload(topic, partition, offset, bytes(value), feed)), now)
            for topic, partition, offset, feed, value, own in rows
        ],
    )
    many(
        cursor,
        "UPDATE held h SET released_at = v.at FROM (VALUES %s) AS v(topic, partition, n, at)"
        ' WHERE h.topic = v.topic AND h.partition = v.partition AND h."offset" = v.n',
        [(topic, partition, offset, now) for topic, partition, offset, *_ in rows],
    )
    if rows:
        cursor.execute("NOTIFY outbox")
    return len(rows)
