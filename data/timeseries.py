"""Time-partitioned tables on whatever the server offers: TimescaleDB hypertables, else plain partitions; continuous
aggregates in the place of the rollup tables where the server has them (community edition).

The edition is asked of the server and shown on `/status`; besides this module only `data/rollups.py` asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from data.database import Cursor, Database
from data.locks import Lock

TABLES = ("readings", "positions", "rollup_minute", "rollup_hour")
CHUNK = timedelta(days=7)
COMMUNITY = "timescaledb-community"
_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)  # a Monday


_KEYS = "device_no, metric_no"
_AGGREGATES = (
    (
        "rollup_minute",
        "time_bucket('1 minute', time)",
        "sum(value) AS sum, min(value) AS min, max(value) AS max, first(value, time) AS first,"
        " last(value, time) AS last, min(time) AS first_at, max(time) AS last_at, count(*)::int AS n",
        "readings",
    ),
    *(
        (
            name,
            bucket,
            "sum(sum) AS sum, min(min) AS min, max(max) AS max, first(first, first_at) AS first,"
            " last(last, last_at) AS last, min(first_at) AS first_at, max(last_at) AS last_at, sum(n)::int AS n",
            source,
        )
        for name, bucket, source in (
            ("rollup_hour", "time_bucket('1 hour', time)", "rollup_minute"),
            ("rollup_day", "time_bucket('1 day', time, %(zone)s)", "rollup_hour"),
        )
    ),
)
"""(name, bucket, columns, source) of the continuous aggregates, each made of the one before."""


def edition(database: Database) -> str:
    """COMMUNITY, 'timescaledb-apache' or 'postgresql'."""
    rows = database.query("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    if not rows:
        return "postgresql"
    licence = database.query("SELECT current_setting('timescaledb.license', true)")[0][0]
    return COMMUNITY if licence == "timescale" else "timescaledb-apache"


def enable(database: Database, zone: str = "Asia/Shanghai") -> str:
    """Turn the time tables into hypertables where TimescaleDB is there; returns the edition. Idempotent.

    On the community edition the rollups become continuous aggregates; a day of theirs begins by `zone`.
    """
    available = database.query("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
    if available:
        with database.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.PARTITIONS,))
            cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            cursor.execute("SELECT current_setting('timescaledb.license', true)")
            row = cursor.fetchone()
            if row and row[0] == "timescale":
                _to_aggregates(cursor, zone)
            for table in TABLES:
                _to_hypertable(cursor, table)
    return edition(database)


def _to_aggregates(cursor: Cursor, zone: str) -> None:
    """Put continuous aggregates in the place of the rollup tables, while these are as the migration made them."""
    cursor.execute("SELECT relkind FROM pg_class WHERE oid = to_regclass('rollup_minute')")
    row = cursor.fetchone()
    if row is None or row[0] != "p":
        return
    cursor.execute("SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass('rollup_minute')")
    if cursor.fetchone():
        return  # our own rollup has worked here: it goes on
    _to_hypertable(cursor, "readings")
    for name, bucket, columns, source in _AGGREGATES:
        cursor.execute(f"DROP TABLE {name}")
        cursor.execute(
            f"CREATE MATERIALIZED VIEW {name} WITH (timescaledb.continuous, timescaledb.materialized_only = false)"
            f" AS SELECT {bucket} AS time, {columns}, {_KEYS} FROM {source} GROUP BY 1, {_KEYS} WITH NO DATA",
            {"zone": zone},
        )


def continuous(cursor: Cursor) -> bool:
    """True where the rollups are continuous aggregates."""
    cursor.execute("SELECT relkind = 'v' FROM pg_class WHERE oid = to_regclass('rollup_minute')")
    row = cursor.fetchone()
    return bool(row and row[0])


def compress_after(database: Database, days: float) -> bool:
    """Set the compression policy of the readings (0: none); False where the edition cannot compress. Idempotent."""
    if edition(database) != COMMUNITY:
        return False
    with database.transaction() as cursor:
        cursor.execute("SELECT remove_compression_policy('readings', if_exists => true)")
        if days:
            cursor.execute(
                "SELECT compression_enabled FROM timescaledb_information.hypertables"
                " WHERE hypertable_schema = current_schema() AND hypertable_name = 'readings'"
            )
            row = cursor.fetchone()
            # `ledger_id` among the ordering columns: batches keep its bounds, by which the reconciler skips them.
            if not row or not row[0]:
                cursor.execute(
                    "ALTER TABLE readings SET (timescaledb.compress, timescaledb.compress_segmentby = 'device_no, metric_no',"
                    " timescaledb.compress_orderby = 'time, ledger_id')"
                )
            cursor.execute("SELECT add_compression_policy('readings', %s)", (timedelta(days=days),))
    return True


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk or partition: its table (quoted, with schema), and the times [begin, end) that it holds."""

    table: str
    begin: datetime
    end: datetime


def chunks(cursor: Cursor, table: str) -> list[Chunk]:
    """The chunks of a time table, oldest first."""
    cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)", (table,))
    row = cursor.fetchone()
    if row and row[0]:
        cursor.execute(
            "SELECT p.relname, (regexp_match(pg_get_expr(p.relpartbound, p.oid), 'FROM \\(''([^'']+)'))[1]::timestamptz"
            " FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid WHERE i.inhparent = to_regclass(%s) ORDER BY 2",
            (table,),
        )
        return [Chunk(name, begin, begin + CHUNK) for name, begin in cursor.fetchall()]
    cursor.execute(
        "SELECT format('%%I.%%I', chunk_schema, chunk_name), range_start, range_end FROM timescaledb_information.chunks"
        " WHERE hypertable_schema = current_schema() AND hypertable_name = %s ORDER BY range_start",
        (table,),
    )
    return [Chunk(*found) for found in cursor.fetchall()]


def drop_chunk(cursor: Cursor, table: str, chunk: Chunk) -> None:
    """Drop one chunk with all its rows, inside the caller's transaction."""
    cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)", (table,))
    row = cursor.fetchone()
    if row and row[0]:
        cursor.execute(f"DROP TABLE {chunk.table}")
    else:
        cursor.execute(
            "SELECT drop_chunks(%s::regclass, older_than => %s, newer_than => %s)",
            (table, chunk.end, chunk.begin),
        )


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

    def cover(self, cursor: Cursor, table: str, epochs: Iterable[float]) -> None:
        """Make the partitions of `table` for times (seconds since 1970) inside the caller's transaction."""
        if self._plain is None:
            cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)", (table,))
            row = cursor.fetchone()
            self._plain = bool(row and row[0])
        if not self._plain:
            return
        weeks = np.unique(
            np.floor_divide(np.fromiter(epochs, float) - _EPOCH.timestamp(), CHUNK.total_seconds())
        )
        needed = {(table, int(week)) for week in weeks} - self._known
        for name, number in sorted(needed):
            begin = _EPOCH + number * CHUNK
            part = f"{name}_w{begin:%Y%m%d}"
            cursor.execute("SELECT to_regclass(%s)", (part,))
            row = cursor.fetchone()
            if row is None or row[0] is None:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.PARTITIONS,))
                cursor.execute(
                    f"CREATE TABLE IF NOT EXISTS {part} PARTITION OF {name} FOR VALUES FROM (%s) TO (%s)",
                    (begin, begin + CHUNK),
                )
        # Remembered only for speed; a rolled-back partition is made again because to_regclass is asked first. Of
        # older ones retention may drop any, so only the newest two are believed to be there.
        self._known |= needed
        newest = max((number for name, number in self._known if name == table), default=0)
        self._known = {
            (name, number) for name, number in self._known if name != table or number >= newest - 1
        }

    def forget(self) -> None:
        """After a rollback: what was made in that transaction is gone."""
        self._known.clear()
