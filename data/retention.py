"""Raw readings older than a setting are dropped, whole chunks at a time, once they are rolled up.

Not a policy of TimescaleDB: a background job knows neither how far the rollup is nor the ledger. Here a chunk goes in
one transaction with the note of how many records of each ledger row went with it, so that the reconciler misses none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from data.database import Cursor, Database, LockTimeout
from data.rollups import Rollups, state_of
from data.timeseries import Chunk, chunks, continuous, drop_chunk

log = structlog.get_logger()

WAIT: Final = "3s"
"""How long a drop waits for readers and writers of the chunk, and makes those behind it wait; then another time."""


class Retention:
    """Drops readings older than `keep` (None: nothing, ever)."""

    def __init__(self, database: Database, rollups: Rollups, keep: timedelta | None) -> None:
        self._database = database
        self._rollups = rollups
        self._keep = keep

    def step(self, now: datetime) -> Chunk | None:
        """Drop the oldest chunk that is due; None when none is, or when it cannot go yet."""
        if self._keep is None:
            return None
        with self._database.transaction() as cursor:
            due = [chunk for chunk in chunks(cursor, "readings") if chunk.end <= now - self._keep]
        for chunk in due:
            try:
                with self._database.transaction() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{WAIT}'")
                    # One of rollup and retention works at a time.
                    cursor.execute("LOCK TABLE rollup_state IN SHARE UPDATE EXCLUSIVE MODE NOWAIT")
                    cursor.execute(f"LOCK TABLE {chunk.table} IN SHARE MODE")
                    dropped = self._drop(cursor, chunk)
            except LockTimeout as error:
                log.info("chunk is in use, dropped another time", chunk=chunk.table, error=str(error).strip())
                return None
            if dropped is not None:
                log.info(
                    "chunk dropped",
                    chunk=chunk.table,
                    begin=chunk.begin.isoformat(),
                    end=chunk.end.isoformat(),
                    readings=dropped,
                )
                return chunk
        return None

    def _drop(self, cursor: Cursor, chunk: Chunk) -> int | None:
        """How many readings went; None when the chunk has to stay for now."""
        state = state_of(cursor)
        if chunk.begin >= state.raw_from:
            cursor.execute(
                f"SELECT EXISTS (SELECT 1 FROM {chunk.table} WHERE ledger_id IN (SELECT ledger_id FROM rollup_dirty))"
            )
            row = cursor.fetchone()
            if state.hours_until < chunk.end or (row and row[0]):
                return None  # not rolled up yet
        elif continuous(cursor):
            # An import of what was dropped before: an aggregate cannot take it in any more, so it is kept raw.
            return None
        else:
            self._rollups.merge(cursor, chunk.table, state)
        cursor.execute(
            "WITH gone AS (SELECT ledger_id, count(*) AS n FROM " + chunk.table + " GROUP BY 1),"
            " booked AS (UPDATE ledger l SET records_dropped = l.records_dropped + gone.n FROM gone"
            " WHERE l.id = gone.ledger_id) SELECT coalesce(sum(n), 0)::bigint FROM gone"
        )
        row = cursor.fetchone()
        drop_chunk(cursor, "readings", chunk)
        cursor.execute("UPDATE rollup_state SET raw_from = greatest(raw_from, %s)", (chunk.end,))
        return int(row[0]) if row else 0
