"""The loss ledger checked against what others say: the broker's positions, and the rows that are really there.

 broker_vs_ledger   per partition: position − start = stored + rejected + duplicate + held; and for every closed
                    minute the broker's own offsets at its begin and end against the ledger's counts
 ledger_vs_store    per ledger row, so many a run: what it says was stored (less what retention has dropped,
                    `records_dropped`), rejected, held against the rows that carry its id
 position_ahead     the store has read further than the broker has written (the bus lost data)

A mismatch is kept, shown, and resolved only when the numbers agree again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Protocol

from data.database import Cursor, Database
from incidents.ports import TopicPartition

INTAKE_TOPICS = ("city.video-alarm.v1", "city.grid-report.v1")
READING_TOPICS = ("city.reading.v1", "city.reading-critical.v1")
POSITION_TOPIC = "city.position.v1"
CASE_TOPIC = "city.enforcement-case.v1"
Key = tuple[Any, ...]
"""(kind, topic, partition, feed, minute) of a mismatch."""

SLICE = 2000
"""Older ledger rows checked per run, at most; over time every row is."""
RECOUNTED = 1_000_000
"""Readings counted again per run, of recent rows (the newest first) and of older ones each: what comes in goes before
what is counted again. A flood's rows that have no turn while they are recent have it with the older ones."""

KINDS = ("broker_vs_ledger", "ledger_vs_store", "position_ahead")
"""What is checked here, and so resolved here; what the gateway's broker dropped is settled by a person."""

LOOKED_AT_AGAIN = 100
"""Old disagreements looked at again in a run, the oldest first."""

LATE = timedelta(seconds=90)
"""A minute is closed this long after its end."""


class Inspector(Protocol):
    """What is asked of the bus (see BusInspector)."""

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]: ...

    def offsets_at(self, partition: TopicPartition, times_ms: list[int]) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One disagreement. `minute` None: of the whole partition."""

    kind: str
    topic: str
    partition: int
    feed: str
    minute: datetime | None
    expected: int
    found: int


class Reconciler:
    """Runs the checks: of the bus `recent` minutes every time, of the store RECOUNTED readings of them, and older rows in
    slices. Not thread-safe."""

    def __init__(
        self,
        database: Database,
        inspector: Callable[[], Inspector],
        recent: timedelta = timedelta(minutes=15),
    ) -> None:
        self._database = database
        self._inspector = inspector
        self._recent = recent
        self._next_id = 0

    def run(self, now: datetime, whole: bool = False) -> list[Mismatch]:
        """Check, keep what disagrees, resolve what agrees again. `whole`: every ledger row."""
        of_bus = self._broker(now)
        of_store, again = self._store(now, whole)
        found = [*of_bus, *of_store]
        self._keep(found, again, now)
        return found

    def _broker(self, now: datetime) -> list[Mismatch]:
        with self._database.transaction() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(
                "SELECT p.topic, p.partition, p.start, p.position,"
                " coalesce(sum(l.stored + l.rejected + l.duplicate + l.held), 0)::bigint"
                " FROM partition_positions p LEFT JOIN ledger l USING (topic, partition)"
                " GROUP BY p.topic, p.partition"
            )
            partitions = cursor.fetchall()
            cursor.execute(
                "SELECT topic, partition, minute, sum(stored + rejected + duplicate + held)::bigint FROM ledger"
                " WHERE minute >= %s GROUP BY 1, 2, 3",
                (now - self._recent - LATE - timedelta(minutes=1),),
            )
            minutes = {(t, p, m): n for t, p, m, n in cursor.fetchall()}
        out: list[Mismatch] = []
        inspector = self._inspector()
        stamp = int((now - LATE).timestamp()) // 60 * 60
        edges = list(range(stamp - int(self._recent.total_seconds()) // 60 * 60 + 60, stamp + 60, 60))
        offsets = {
            (topic, number): inspector.offsets_at(
                TopicPartition(topic, number), [edge * 1000 for edge in edges]
            )
            for topic, number, *_ in partitions
        }
        # Asked after the offsets: what the bus trims meanwhile then counts as no longer held.
        held = {topic: inspector.ranges(topic) for topic in {topic for topic, *_ in partitions}}
        for topic, number, start, position, counted in partitions:
            if position - start != counted:
                out.append(Mismatch("broker_vs_ledger", topic, number, "", None, position - start, counted))
            partition = TopicPartition(topic, number)
            first, end = held[topic].get(partition, (0, 0))
            if position > end:
                out.append(Mismatch("position_ahead", topic, number, "", None, end, position))
            at_edges = list(zip(edges, offsets[topic, number], strict=True))
            out += self._minutes(partition, at_edges, (start, first, position), minutes)
        return out

    def _minutes(
        self,
        partition: TopicPartition,
        at_edges: list[tuple[int, int]],
        known: tuple[int, int, int],
        minutes: dict[tuple[str, int, datetime], int],
    ) -> list[Mismatch]:
        """Every closed recent minute: the broker's offsets at its edges (s since the epoch) against the ledger.

        `known`: where counting started, the first offset that the bus still holds, the store's position.
        """
        start, first, position = known
        out = []
        for (edge, begin), (_, end) in pairwise(at_edges):
            if end > position or begin < start:
                continue  # not read to its end yet (in flight), or begun before we counted
            if begin <= first and first > start:
                continue  # the bus has trimmed: its offset at this edge may be that of a later message
            minute = datetime.fromtimestamp(edge, UTC)
            found = minutes.get((partition.topic, partition.partition, minute), 0)
            if end - begin != found:
                out.append(
                    Mismatch(
                        "broker_vs_ledger",
                        partition.topic,
                        partition.partition,
                        "",
                        minute,
                        end - begin,
                        found,
                    )
                )
        return out

    def _store(self, now: datetime, whole: bool) -> tuple[list[Mismatch], set[Key] | None]:
        """What disagrees, and which old ones were looked at again (None: all)."""
        again: set[Key] = set()
        with self._database.transaction() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # Before the snapshot is taken: a chunk that retention drops is gone for every snapshot at once.
            cursor.execute("LOCK TABLE readings IN ACCESS SHARE MODE")
            # One processor for it: the others are for what comes in.
            cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            if whole:
                cursor.execute("SELECT coalesce(max(id), 0) FROM ledger")
                spans = [(0, row[0]) for row in cursor.fetchall()]
            else:
                cursor.execute(
                    "SELECT id, records_stored FROM ledger WHERE minute >= %s ORDER BY id DESC",
                    (now - self._recent,),
                )
                turn = _within(cursor.fetchall())
                spans = [(turn[-1], turn[0])] if turn else []
                cursor.execute(
                    "SELECT id, records_stored FROM ledger WHERE id >= %s ORDER BY id LIMIT %s",
                    (self._next_id, SLICE),
                )
                rows = cursor.fetchall()
                turn = _within(rows)
                spans += [(turn[0], turn[-1])] if turn else []
                # Fewer than asked for, and all of them had their turn: from the beginning again.
                self._next_id = 0 if len(turn) == len(rows) < SLICE else turn[-1] + 1
                cursor.execute(
                    "SELECT l.id, l.topic, l.partition, l.feed, l.minute FROM ledger l JOIN ledger_mismatches m"
                    " USING (topic, partition, feed, minute)"
                    " WHERE m.kind = 'ledger_vs_store' AND m.resolved_at IS NULL ORDER BY l.id LIMIT %s",
                    (LOOKED_AT_AGAIN,),
                )
                for number, *key in cursor.fetchall():  # do they agree again?
                    spans.append((number, number))
                    again.add(("ledger_vs_store", *key))
            out: dict[tuple[str, str, int, str, datetime | None], Mismatch] = {}
            for begin, end in spans:
                for found in recount(cursor, begin, end):
                    out[(found.kind, found.topic, found.partition, found.feed, found.minute)] = found
        return list(out.values()), None if whole else again

    def _keep(self, found: list[Mismatch], again: set[Key] | None, now: datetime) -> None:
        with self._database.transaction() as cursor:
            for m in found:
                cursor.execute(
                    "INSERT INTO ledger_mismatches AS m (found_at, kind, topic, partition, feed, minute, expected, found)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (kind, topic, partition, feed, minute)"
                    " DO UPDATE SET expected = EXCLUDED.expected, found = EXCLUDED.found, resolved_at = NULL,"
                    # What comes back after it was resolved is found anew, and filed anew.
                    " found_at = CASE WHEN m.resolved_at IS NULL THEN m.found_at ELSE EXCLUDED.found_at END,"
                    " intake_id = CASE WHEN m.resolved_at IS NULL THEN m.intake_id END",
                    (now, m.kind, m.topic, m.partition, m.feed, m.minute, m.expected, m.found),
                )
            keys = {(m.kind, m.topic, m.partition, m.feed, m.minute) for m in found}
            cursor.execute(
                "SELECT id, kind, topic, partition, feed, minute FROM ledger_mismatches WHERE resolved_at IS NULL"
                " AND kind = ANY(%s)",
                (list(KINDS),),
            )
            for number, *key in cursor.fetchall():
                # What nobody has looked at again stays; the bus is asked about recent minutes only.
                if key[0] == "ledger_vs_store":
                    checked = again is None or tuple(key) in again
                else:
                    checked = key[4] is None or key[4] >= now - self._recent
                if tuple(key) not in keys and checked:
                    cursor.execute(
                        "UPDATE ledger_mismatches SET resolved_at = %s WHERE id = %s", (now, number)
                    )


def _within(rows: Sequence[tuple[int, int]]) -> list[int]:
    """Ids of the first of these ledger rows (id, readings), until they hold more than RECOUNTED; one at least."""
    found, most = [], RECOUNTED
    for number, readings in rows:
        found.append(number)
        most -= readings
        if most < 0:
            break
    return found


def recount(cursor: Cursor, begin: int, end: int) -> list[Mismatch]:
    """Ledger rows of [begin, end] whose counts differ from the rows that carry their ids."""
    span = {"begin": begin, "end": end, "readings": list(READING_TOPICS), "intake": [*INTAKE_TOPICS, CASE_TOPIC],
            "position": POSITION_TOPIC}  # fmt: skip
    cursor.execute(
        "WITH l AS (SELECT id, topic, partition, feed, minute, stored, rejected - rejected_unkept AS rejected, held,"
        " records_stored - records_dropped AS records_stored FROM ledger"
        " WHERE id BETWEEN %(begin)s AND %(end)s),"
        " r AS (SELECT ledger_id, count(*) AS n FROM readings WHERE ledger_id BETWEEN %(begin)s AND %(end)s GROUP BY 1),"
        " p AS (SELECT ledger_id, count(*) AS n FROM positions WHERE ledger_id BETWEEN %(begin)s AND %(end)s GROUP BY 1),"
        " i AS (SELECT ledger_id, count(*) AS n FROM intake WHERE ledger_id BETWEEN %(begin)s AND %(end)s GROUP BY 1),"
        " c AS (SELECT ledger_id, count(*) AS n FROM enforcement_messages WHERE ledger_id BETWEEN %(begin)s AND %(end)s"
        " GROUP BY 1),"
        " d AS (SELECT ledger_id, count(*) AS n FROM dead_letters WHERE ledger_id BETWEEN %(begin)s AND %(end)s GROUP BY 1),"
        " h AS (SELECT ledger_id, count(*) AS n FROM held WHERE ledger_id BETWEEN %(begin)s AND %(end)s GROUP BY 1)"
        " SELECT * FROM (SELECT topic, partition, feed, minute,"
        " CASE WHEN topic = ANY(%(readings)s) OR topic = %(position)s THEN records_stored"
        "  WHEN topic = ANY(%(intake)s) THEN stored ELSE 0 END + rejected + held AS expected,"
        " coalesce(r.n, 0) + coalesce(p.n, 0) + coalesce(i.n, 0) + coalesce(c.n, 0) + coalesce(d.n, 0) + coalesce(h.n, 0) AS found"
        " FROM l LEFT JOIN r ON r.ledger_id = l.id LEFT JOIN p ON p.ledger_id = l.id"
        " LEFT JOIN i ON i.ledger_id = l.id LEFT JOIN c ON c.ledger_id = l.id LEFT JOIN d ON d.ledger_id = l.id LEFT JOIN h ON h.ledger_id = l.id) x"
        " WHERE expected <> found",
        span,
    )
    return [
        Mismatch("ledger_vs_store", topic, partition, feed, minute, expected, found)
        for topic, partition, feed, minute, expected, found in cursor.fetchall()
    ]
