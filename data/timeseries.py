"""Time-partitioned tables on whatever the server offers: TimescaleDB hypertables, else plain partitions.

The edition is asked of the server, shown on `/status`, and nothing else in the product knows of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from data.database import Cursor, Database

TABLES = ("readings", "positions")
CHUNK = timedelta(days=7)
_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)  # a Monday
_LOCK = 727_002


def edition(database: Database) -> str:
    """'timescaledb-community', 'timescaledb-apache' or 'postgresql'."""
    rows = database.query("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    if not rows:
        return "postgresql"
    licence = database.query("SELECT current_setting('timescaledb.license', true)")[0][0]
    return "timescaledb-community" if licence == "timescale" else "timescaledb-apache"


def enable(database: Database) -> str:
    """Turn the time tables into hypertables where TimescaleDB is there; returns the edition. Idempotent."""
    available = database.query("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
    if available:
        with database.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            for table in TABLES:
                _to_hypertable(cursor, table)
    return edition(database)


def _to_hypertable(cursor: Cursor, table: str) -> None:
    cursor.execute("SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)", (table,))
    row = cursor.fetchone()
    if row is None or row[0] != "p":
        return
    cursor.execute("SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass(%s)", (table,))
    if cursor.fetchone():
        return  # partitions with data exist: a change of engine is a migration of its own (backup, restore)
    # A declaratively partitioned table cannot become a hypertable; it is still empty, so make it anew.
    cursor.execute(f"CREATE TABLE {table}_flat (LIKE {table} INCLUDING ALL)")
    cursor.execute(f"DROP TABLE {table}")
    cursor.execute(f"ALTER TABLE {table}_flat RENAME TO {table}")
    cursor.execute(
        "SELECT create_hypertable(%s::regclass, 'time', chunk_time_interval => %s,"
        " create_default_indexes => false)",
        (table, CHUNK),
    )


class Partitions:
    """Makes the plain partitions that a batch needs; does nothing on a hypertable. Not thread-safe."""

    def __init__(self) -> None:
        self._known: set[tuple[str, int]] = set()
        self._plain: bool | None = None

    def cover(self, cursor: Cursor, table: str, times: Iterable[datetime]) -> None:
        """Make the partitions of `table` for `times` (aware UTC) inside the caller's transaction."""
        if self._plain is None:
            cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)", (table,))
            row = cursor.fetchone()
            self._plain = bool(row and row[0])
        if not self._plain:
            return
        needed = {(table, int((time - _EPOCH) / CHUNK)) for time in times} - self._known
        for name, number in sorted(needed):
            begin = _EPOCH + number * CHUNK
            part = f"{name}_w{begin:%Y%m%d}"
            cursor.execute("SELECT to_regclass(%s)", (part,))
            row = cursor.fetchone()
            if row is None or row[0] is None:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                cursor.execute(
                    f"CREATE TABLE IF NOT EXISTS {part} PARTITION OF {name} FOR VALUES FROM (%s) TO (%s)",
                    (begin, begin + CHUNK),
                )
        # Remembered only for speed; a rolled-back partition is made again because to_regclass is asked first.
        self._known |= needed

    def forget(self) -> None:
        """After a rollback: what was made in that transaction is gone."""
        self._known.clear()
