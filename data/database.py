"""The one door to PostgreSQL: pooled connections, transactions, single queries. Thread-safe."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
import structlog

Cursor = psycopg2.extensions.cursor
Params = Sequence[Any] | Mapping[str, Any] | None

log = structlog.get_logger()


class StoreUnavailable(RuntimeError):
    """The database cannot be reached, went away or has no room; the transaction did not happen; try again."""


class Busy(RuntimeError):
    """No connection of the pool became free in time."""


class LockTimeout(StoreUnavailable):
    """What the statement wanted is locked by another transaction, and stayed so; try again."""


LOCK_S = 120
"""Longest wait for another's lock. Nothing here holds one nearly as long: a wait without end would be told nowhere."""

_AWAY = (psycopg2.OperationalError, psycopg2.InterfaceError)
_TRY_AGAIN = (
    psycopg2.errors.DeadlockDetected,
    psycopg2.errors.SerializationFailure,
    psycopg2.errors.InsufficientResources,
    psycopg2.errors.DiskFull,
    psycopg2.errors.TooManyConnections,
)
"""The server is there and has undone the transaction for reasons of the moment: another one, a full disk."""


def passing(error: BaseException) -> bool:
    """Whether an error is of the moment, or of the store: the whole transaction is to be tried again."""
    return isinstance(error, (*_AWAY, *_TRY_AGAIN, psycopg2.errors.LockNotAvailable, StoreUnavailable, Busy))


class Database:
    """A pool of at most `size` connections to `dsn`, made when needed and dropped when broken."""

    def __init__(self, dsn: str, size: int = 8, name: str = "chengyun") -> None:
        self.dsn = dsn
        self._name = name
        self._free: queue.LifoQueue[psycopg2.extensions.connection] = queue.LifoQueue()
        self._slots = threading.BoundedSemaphore(size)
        self._closed = False

    def connect(self) -> psycopg2.extensions.connection:
        """A connection outside of the pool (LISTEN, long COPY); the caller closes it."""
        try:
            connection = psycopg2.connect(
                self.dsn,
                connect_timeout=5,
                application_name=self._name,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
            )
        except psycopg2.OperationalError as error:
            raise StoreUnavailable(str(error).strip()) from None
        try:
            connection.set_session(autocommit=False)
            with connection.cursor() as cursor:
                cursor.execute("SET TIME ZONE 'UTC'")
                cursor.execute("SET lock_timeout = %s", (f"{LOCK_S}s",))
            connection.commit()
        except _AWAY as error:
            connection.close()
            raise StoreUnavailable(str(error).strip()) from None
        return connection

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """One transaction: commits at the end, rolls back on any error.

        Raises StoreUnavailable when the server is away or goes away (the transaction is then not applied, or —
        if the link broke during COMMIT — its fate is unknown, so every caller's work must be idempotent), and when
        it gave up on this transaction for now (deadlock, full disk, a lock held for long: LockTimeout).
        """
        if not self._slots.acquire(timeout=30):
            raise Busy("no free database connection within 30 s")
        try:
            connection = self._take()
            try:
                with connection.cursor() as cursor:
                    yield cursor
                connection.commit()
            except BaseException as error:
                self._undo(connection)
                if isinstance(error, psycopg2.errors.LockNotAvailable):
                    raise LockTimeout(str(error).strip()) from error
                if isinstance(error, _TRY_AGAIN) or (isinstance(error, _AWAY) and connection.closed):
                    raise StoreUnavailable(str(error).strip()) from error
                raise
            else:
                self._free.put(connection)
        finally:
            self._slots.release()

    def query(self, sql: str, params: Params = None) -> list[tuple[Any, ...]]:
        """Rows of one statement in a transaction of its own ([] when it gives none)."""
        with self.transaction() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall() if cursor.description else []

    def dicts(self, sql: str, params: Params = None) -> list[dict[str, Any]]:
        """Like `query`, each row as a dict by column name."""
        with self.transaction() as cursor:
            cursor.execute(sql, params)
            return dicts(cursor)

    def close(self) -> None:
        """Close the free connections."""
        self._closed = True
        while True:
            try:
                self._free.get_nowait().close()
            except queue.Empty:
                return

    def _take(self) -> psycopg2.extensions.connection:
        while True:
            try:
                connection = self._free.get_nowait()
            except queue.Empty:
                return self.connect()
            if not connection.closed:
                return connection

    def _undo(self, connection: psycopg2.extensions.connection) -> None:
        try:
            connection.rollback()
        except _AWAY:
            connection.close()
        if connection.closed or self._closed:
            connection.close()
        else:
            self._free.put(connection)


def dicts(cursor: Cursor) -> list[dict[str, Any]]:
    """All rows of an executed statement as dicts by column name."""
    if cursor.description is None:
        return []
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def json(value: Any) -> psycopg2.extras.Json:
    """A value for a jsonb column."""
    return psycopg2.extras.Json(value)


def many(cursor: Cursor, sql: str, rows: Sequence[Sequence[Any]], page: int = 500) -> list[tuple[Any, ...]]:
    """INSERT … VALUES %s for many rows; returns what RETURNING gives."""
    if not rows:
        return []
    fetch = "returning" in sql.lower()
    return psycopg2.extras.execute_values(cursor, sql, rows, page_size=page, fetch=fetch) or []
