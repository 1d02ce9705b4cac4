"""Another bus under the same store: it was restored from a backup, or its log was lost and made anew.

What the store knows as its position then lies behind the end of the log, and ingest stands still rather than guess. The
way on is a decision of whoever runs the platform: read each such partition from its first message. What was counted
before stays counted; a message that comes a second time is a duplicate like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from data.audit import Audit
from data.database import Cursor, Database
from incidents.ports import TopicPartition


@dataclass(frozen=True, slots=True)
class Ahead:
    """A partition of which the store has read further (`position`) than the bus reaches (`first` to `end`)."""

    partition: TopicPartition
    position: int
    first: int
    end: int


def ahead(database: Database, ranges: Mapping[TopicPartition, tuple[int, int]]) -> list[Ahead]:
    """Partitions whose log is shorter than what was read of it. `ranges`: first offset and end, as the bus has them."""
    rows = database.query(
        "SELECT topic, partition, position FROM partition_positions ORDER BY topic, partition"
    )
    found = ((TopicPartition(topic, number), position) for topic, number, position in rows)
    return [
        Ahead(partition, position, *ranges.get(partition, (0, 0)))
        for partition, position in found
        if position > ranges.get(partition, (0, 0))[1]
    ]


def start_anew(
    cursor: Cursor, first: Mapping[TopicPartition, int], only: Collection[TopicPartition] | None = None
) -> None:
    """Read each partition (of `only`) from its first message; what was counted before stays counted."""
    cursor.execute(
        "SELECT p.topic, p.partition, coalesce(sum(l.stored + l.rejected + l.duplicate + l.held), 0)::bigint"
        " FROM partition_positions p LEFT JOIN ledger l USING (topic, partition) GROUP BY 1, 2"
    )
    for topic, number, counted in cursor.fetchall():
        partition = TopicPartition(topic, number)
        if only is not None and partition not in only:
            continue
        position = first.get(partition, 0)
        cursor.execute(
            "UPDATE partition_positions SET position = %s, start = %s WHERE topic = %s AND partition = %s",
            (position, position - counted, topic, number),
        )


def settle(
    database: Database, audit: Audit, found: Collection[Ahead], login: str, reason: str, now: datetime
) -> None:
    """Begin the partitions found at their first message, and write down who decided it and what was given up."""
    with database.transaction() as cursor:
        start_anew(cursor, {a.partition: a.first for a in found}, {a.partition for a in found})
        gone = {f"{a.partition.topic}:{a.partition.partition}": [a.position, a.first, a.end] for a in found}
        audit.append(
            actor=login, role="system", action="bus.replace", thing="bus", allowed=True, now=now,
            detail={"reason": reason, "position_first_end": gone}, cursor=cursor,
        )  # fmt: skip
