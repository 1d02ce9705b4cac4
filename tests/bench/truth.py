"""What the store holds, asked directly — only benches and drills do this, to compare it with the producer's file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg2


class Store:
    """A connection beside the product."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._watching: psycopg2.extensions.connection | None = None

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of one statement on a connection of its own (the server may have been killed in between)."""
        connection = psycopg2.connect(self.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, params or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def one(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """First column of the first row."""
        return self.rows(sql, params)[0][0]

    def accounted(self) -> int:
        """Messages the ledger accounts for. Asked many times a second: its connection is kept."""
        try:
            if self._watching is None:
                self._watching = psycopg2.connect(self.dsn)
                self._watching.autocommit = True
            with self._watching.cursor() as cursor:
                cursor.execute("SELECT coalesce(sum(stored + rejected + duplicate + held), 0) FROM ledger")
                row = cursor.fetchone()
        except psycopg2.Error:
            if self._watching is not None:
                self._watching.close()
            self._watching = None
            raise
        return int(row[0]) if row else 0
