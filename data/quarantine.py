"""Quarantine: good messages of devices and cameras that nobody has registered, until somebody settles them.

A release is one transaction: the messages leave quarantine and stand in the outbox, or neither. The relay puts them
back on their topics as it does with dead letters (at least once; ingest knows a reading or an alarm that it has seen,
so the store holds each once). In the ledger the old place stays *held* and the new one becomes what ingest makes of
it: every place of the bus is counted once.
"""

from __future__ import annotations

import json as plain
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from data.database import Cursor, Database, json, many
from data.replay import REPLAY_TOPIC, replay_payload
from incidents.model import Rejected

log = structlog.get_logger()

TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "device": ("city.reading.v1", "city.reading-critical.v1"),
    "camera": ("city.video-alarm.v1",),
}
"""What is of a device, what of a camera; also the field of `data` that names it."""

AT_ONCE: Final = 2000
"""Messages released in one transaction; the relay's housekeeping releases the rest, as many per tick."""

FRESH: Final = timedelta(hours=1)
"""A released reading older than this is stored as history: it is neither refused for its age nor judged, because a
warning now about a value of yesterday would be a false one."""

HOUSEKEEPING: Final = "relay"
"""Who settles what was still on its way to quarantine when its device was registered."""


def kind_of(topic: str) -> str:
    """device or camera."""
    return next(kind for kind, topics in TOPICS.items() if topic in topics)


def topics_of(kind: str) -> list[str]:
    """The topics of a kind. Raises Rejected."""
    if kind not in TOPICS:
        raise Rejected("field", f"kind={kind!r}: must be one of {', '.join(TOPICS)}", field="kind")
    return list(TOPICS[kind])


def thing_of(topic: str, key: str, value: bytes) -> str:
    """The device or camera that a held message is of; what the producer made of the key says nothing."""
    try:
        found = plain.loads(value)["data"][kind_of(topic)]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = key
    return storable(str(found))


def storable(thing: str) -> str:
    """As `held.thing` holds it: at most 200 characters (it is indexed), no NUL, no half characters."""
    return thing.replace("\x00", "�").encode("utf-8", "replace").decode()[:200]


def dated(topic: str, value: bytes, now: datetime) -> bytes:
    """The message as it goes back: its very bytes, or marked as history when a reading in it is not FRESH."""
    if kind_of(topic) != "device":
        return value
    message = plain.loads(value)
    data = message["data"]
    times = [message["time"], *(r["time"] for r in data["readings"] if r.get("time"))]
    try:
        oldest = min(datetime.fromisoformat(time.upper()) for time in times)
    except ValueError:
        return value  # a way to write a time that ingest knows and we do not: ingest decides
    if now - oldest <= FRESH or data.get("history"):
        return value
    data["history"] = True
    return plain.dumps(message).encode()


def look_into(cursor: Cursor, limit: int, key: str = "") -> int:
    """Say of which thing messages are that nobody has looked into: the oldest, or those with this key."""
    cursor.execute(
        "SELECT topic, partition, \"offset\", key, value FROM held WHERE state = 'waiting' AND thing IS NULL"
        " AND (%(key)s = '' OR (key = %(key)s AND released_at IS NULL)) ORDER BY received_at LIMIT %(limit)s"
        " FOR UPDATE SKIP LOCKED",
        {"key": key, "limit": limit},
    )
    rows = cursor.fetchall()
    many(
        cursor,
        "UPDATE held h SET thing = v.thing FROM (VALUES %s) AS v(topic, partition, n, thing)"
        ' WHERE h.topic = v.topic AND h.partition = v.partition AND h."offset" = v.n',
        [(topic, part, n, thing_of(topic, key, bytes(value))) for topic, part, n, key, value in rows],
    )
    return len(rows)


@dataclass(frozen=True, slots=True)
class Released:
    """Messages handed to the relay, and those of the same thing that follow at its next ticks."""

    handed: int
    follow: int


def release(cursor: Cursor, thing: str, kind: str, by: str, now: datetime) -> Released:
    """Put a thing's waiting messages back on their topics, in their order; at most AT_ONCE of them."""
    topics, thing = topics_of(kind), storable(thing)
    look_into(cursor, AT_ONCE, key=thing)
    cursor.execute(
        "SELECT topic, partition, \"offset\", feed, key, value FROM held WHERE state = 'waiting' AND thing = %s"
        ' AND topic = ANY(%s) ORDER BY topic, partition, "offset" LIMIT %s FOR UPDATE SKIP LOCKED',
        (thing, topics, AT_ONCE),
    )
    rows = cursor.fetchall()
    many(
        cursor,
        "INSERT INTO outbox (topic, key, payload, created_at) VALUES %s",
        [
            (REPLAY_TOPIC, key, json({**replay_payload(topic, part, n, dated(topic, bytes(value), now), feed),
                                      "held": True}), now)
            for topic, part, n, feed, key, value in rows
        ],
    )  # fmt: skip
    many(
        cursor,
        "UPDATE held h SET state = 'released', released_at = v.at, settled_by = v.by FROM (VALUES %s)"
        " AS v(topic, partition, n, at, by)"
        ' WHERE h.topic = v.topic AND h.partition = v.partition AND h."offset" = v.n',
        [(topic, part, n, now, by) for topic, part, n, *_ in rows],
    )
    cursor.execute(
        "SELECT (SELECT count(*) FROM held WHERE state = 'waiting' AND thing = %(thing)s AND topic = ANY(%(of)s))"
        " + (SELECT count(*) FROM held WHERE released_at IS NULL AND key = %(thing)s AND thing IS NULL"
        " AND topic = ANY(%(of)s))",
        {"thing": thing, "of": topics},
    )
    left = cursor.fetchone()
    if rows:
        cursor.execute("NOTIFY outbox")
    return Released(len(rows), int(left[0]) if left else 0)


def reject(cursor: Cursor, thing: str, kind: str, reason: str, by: str, now: datetime) -> int:
    """Set a thing's waiting messages aside; they stay in the store. Returns how many."""
    topics, thing = topics_of(kind), storable(thing)
    while look_into(cursor, AT_ONCE, key=thing):
        pass
    cursor.execute(
        "UPDATE held SET state = 'rejected', released_at = %s, settled_by = %s, reason = %s"
        " WHERE state = 'waiting' AND thing = %s AND topic = ANY(%s)",
        (now, by, reason, thing, topics),
    )
    return cursor.rowcount


def take_back(cursor: Cursor, thing: str, kind: str) -> int:
    """What was set aside waits again. Returns how many messages."""
    cursor.execute(
        "UPDATE held SET state = 'waiting', released_at = NULL, settled_by = '', reason = ''"
        " WHERE state = 'rejected' AND thing = %s AND topic = ANY(%s)",
        (storable(thing), topics_of(kind)),
    )
    return cursor.rowcount


def refused_by_bus(cursor: Cursor, payload: Mapping[str, Any], why: str, now: datetime) -> None:
    """A released message that the bus will never take is set aside with the reason, not believed to be under way."""
    cursor.execute(
        "UPDATE held SET state = 'rejected', released_at = %s, settled_by = 'bus', reason = %s"
        ' WHERE topic = %s AND partition = %s AND "offset" = %s',
        (now, why[:2000], payload["topic"], payload["partition"], payload["offset"]),
    )


def tend(database: Database, now: datetime) -> int:
    """A bounded step: look into what came, release what is of devices that are registered by now.

    A message that ingest had judged by the registry of a moment ago gets here after its device was registered, and
    devices are registered in other ways than by adopting them. Alarms of cameras are left to a person: they would
    ring as new.
    """
    with database.transaction() as cursor:
        look_into(cursor, AT_ONCE)
    # From one thing to the next in the index: a million messages of one unknown device are one step.
    found = database.query(
        "WITH RECURSIVE t AS (SELECT min(thing) AS thing FROM held WHERE state = 'waiting' UNION ALL"
        " SELECT (SELECT min(h.thing) FROM held h WHERE h.state = 'waiting' AND h.thing > t.thing) FROM t"
        " WHERE t.thing IS NOT NULL) SELECT d.id FROM t JOIN devices d ON d.id = t.thing WHERE NOT d.disabled"
        " ORDER BY d.no LIMIT 50"
    )
    handed = 0
    for (device,) in found:
        with database.transaction() as cursor:
            done = release(cursor, device, "device", HOUSEKEEPING, now.astimezone(UTC))
        handed += done.handed
        if not done.handed:
            continue  # another tick or an adoption is at it, or only alarms under a device's name
        log.info("held messages released", device=device, messages=done.handed, follow=done.follow)
        if handed >= AT_ONCE:
            break
    return handed
