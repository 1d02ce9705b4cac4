"""The outbox: what transactions want to say, read in order by the one relay, marked when the bus has it."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2.extensions

from data.database import Database, StoreUnavailable
from data.locks import Lock
from data.quarantine import refused_by_bus
from data.replay import REPLAY_TOPIC


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message of the outbox."""

    id: int
    topic: str
    key: str
    payload: dict[str, Any]
    created_at: datetime


class Outbox:
    """Reads and settles the outbox. Only one process at a time holds `leadership`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def leadership(self) -> Iterator[Leader | None]:
        """Be the relay as long as the connection lives; None when another process is."""
        connection = self._database.connect()
        try:
            connection.set_session(autocommit=True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", (Lock.RELAY,))
                row = cursor.fetchone()
                if not row or not row[0]:
                    yield None
                    return
                cursor.execute("LISTEN outbox")
            yield Leader(connection)
        finally:
            connection.close()

    def waiting(self, limit: int = 500) -> list[Waiting]:
        """The oldest messages that are not settled."""
        rows = self._database.query(
            "SELECT id, topic, key, payload, created_at FROM outbox WHERE published_at IS NULL"
            " AND refused_at IS NULL ORDER BY id LIMIT %s",
            (limit,),
        )
        return [Waiting(*row) for row in rows]

    def settle(self, ids: Sequence[int], now: datetime) -> None:
        """The bus has them."""
        self._database.query("UPDATE outbox SET published_at = %s WHERE id = ANY(%s)", (now, list(ids)))

    def set_aside(self, number: int, why: str, now: datetime) -> None:
        """The bus will never take this one: it is kept with the reason, and counted by `standing`.

        A dead letter that was put back this way is open again, a message out of quarantine is set aside there:
        nobody may believe that it is under way.
        """
        with self._database.transaction() as cursor:
            cursor.execute(
                "UPDATE outbox SET refused_at = %s, refusal = %s WHERE id = %s RETURNING topic, payload",
                (now, why[:2000], number),
            )
            row = cursor.fetchone()
            if row is None or row[0] != REPLAY_TOPIC or "offset" not in row[1]:
                return
            if row[1].get("held"):
                refused_by_bus(cursor, row[1], why, now)
                return
            cursor.execute(
                "UPDATE dead_letters SET state = 'open', settled_at = NULL, settled_by = '', corrected = NULL"
                ' WHERE topic = %s AND partition = %s AND "offset" = %s'
                " AND state = 'replayed'",
                (row[1]["topic"], row[1]["partition"], row[1]["offset"]),
            )

    def standing(self) -> tuple[int, int]:
        """(messages waiting for the bus, messages that it refused for good)."""
        rows = self._database.query(
            "SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL AND refused_at IS NULL),"
            " (SELECT count(*) FROM outbox WHERE refused_at IS NOT NULL)"
        )
        return int(rows[0][0]), int(rows[0][1])

    def tidy(self, before: datetime) -> None:
        """Forget what was settled before."""
        self._database.query("DELETE FROM outbox WHERE published_at < %s", (before,))


class Leader:
    """The relay's own connection: proof of leadership and bell for new messages."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def wait(self, seconds: float) -> None:
        """Until something is put into the outbox, at most `seconds`. Raises StoreUnavailable when cut off."""
        try:
            if not self._connection.notifies and not select.select([self._connection], [], [], seconds)[0]:
                with self._connection.cursor() as cursor:
                    cursor.execute("SELECT 1")  # still there, still the leader
            self._connection.poll()
            self._connection.notifies.clear()
        except (psycopg2.OperationalError, psycopg2.InterfaceError, OSError, ValueError) as error:
            raise StoreUnavailable(str(error).strip()) from error
