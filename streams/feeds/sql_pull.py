"""Feeds that are a table or view of the source's own database, read by a watermark.

Every reading begins behind the watermark (`sql_window`), and the rows had from there on are remembered: what comes later
with an equal or a smaller watermark is not lost, and none is had twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Protocol

import msgspec

from streams.feeds.addresses import AddressPolicy
from streams.feeds.port import BadConfig, Batch, Position, RawRecord, SourceAway, SourceFault
from streams.feeds.sql_window import Marked, Window

Column = Annotated[str, msgspec.Meta(min_length=1, max_length=63)]


class SqlConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Configuration of the kind `sql` (PostgreSQL). `table`: a table or view, perhaps with its schema.

    `watermark`: a column that only grows (a time of change, a serial); `key`: a column that is unique.
    `overlap_s`: how long a transaction of the source may stay open. A serial or a time is taken before it is committed,
    so every poll reads again behind the watermark what came in these seconds, and sends of it only what it had not
    (known by watermark and key). Lost remains a row that commits later than that, or behind more than 10,000 rows of
    others, or whose watermark was set further back than that.
    `settle_s`: for a time with zone as watermark, rows younger than this wait: keeps rows in the order of their times.
    """

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    database: Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
    table: Annotated[str, msgspec.Meta(min_length=1, max_length=127)]
    watermark: Column
    key: Column
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 5432
    columns: Annotated[list[Column], msgspec.Meta(max_length=200)] = []
    start: Annotated[str, msgspec.Meta(max_length=100)] = ""
    period_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 30.0
    overlap_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 60.0
    settle_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    batch: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 500
    tls: bool = False


class SqlSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of an account that may only read."""

    user: str = ""
    password: str = ""


MOST_TIES: Final = 20_000
"""Rows of one watermark: the position would grow without end."""


def check(config: SqlConfig, secrets: SqlSecrets) -> None:
    """What a shape cannot say. Raises BadConfig."""
    if not re.fullmatch(r"[^.\x00]+(\.[^.\x00]+)?", config.table):
        raise BadConfig("config.table", config.table, "must be table or schema.table")
    if not secrets.user:
        raise BadConfig("secrets.user", "", "is needed")
    if config.host.startswith("/"):
        raise BadConfig("config.host", config.host, "must be a host, not a socket")


class SqlRow(Marked, Protocol):
    """One row."""

    @property
    def body(self) -> dict[str, Any]: ...


class SqlTable(Protocol):
    """An open table (`data/feed_sql.py`); its errors are the opener's to translate into SourceAway/SourceFault."""

    def after(
        self, floor: str | None, high: str | None, had: Sequence[tuple[str, str]], limit: int
    ) -> Sequence[SqlRow]:
        """At most `limit` rows from the watermark `floor` on, in order, without those whose watermark and key are in
        `had`. A row is `beyond` when its watermark is greater than `high`."""

    def close(self) -> None:
        """Release the connection."""


class SqlOpener(Protocol):
    """Opens a table. Raises SourceAway, SourceFault."""

    def __call__(self, config: SqlConfig, secrets: SqlSecrets) -> SqlTable: ...


class _Translated:
    """A table whose driver's errors are the port's."""

    def __init__(self, make: Callable[[], SqlTable], away: type[Exception], wrong: type[Exception]) -> None:
        self._away = away
        self._wrong = wrong
        self._table: SqlTable = self._tried(make)

    def _tried(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except self._away as error:
            raise SourceAway(str(error)) from None
        except self._wrong as error:
            raise SourceFault(str(error)) from None

    def after(
        self, floor: str | None, high: str | None, had: Sequence[tuple[str, str]], limit: int
    ) -> Sequence[SqlRow]:
        found: Sequence[SqlRow] = self._tried(lambda: self._table.after(floor, high, had, limit))
        return found

    def close(self) -> None:
        self._table.close()


def sql_opener(make: Callable[..., SqlTable], away: type[Exception], wrong: type[Exception]) -> SqlOpener:
    """The opener over a driver (`data/feed_sql.py`): its class of tables, and its two errors."""

    def open_table(config: SqlConfig, secrets: SqlSecrets) -> SqlTable:
        named = {
            name: getattr(config, name)
            for name in (
                "host",
                "port",
                "database",
                "tls",
                "table",
                "watermark",
                "key",
                "columns",
                "settle_s",
            )
        }
        return _Translated(lambda: make(user=secrets.user, password=secrets.password, **named), away, wrong)

    return open_table


class SqlSource:
    """See port.Source. Position: a `Window`."""

    def __init__(
        self,
        config: SqlConfig,
        secrets: SqlSecrets,
        policy: AddressPolicy,
        opener: SqlOpener,
        clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._secrets = secrets
        self._policy = policy
        self._opener = opener
        self._clock = clock
        self._table: SqlTable | None = None

    def read(self, position: Position, wait_s: float) -> Batch:
        """See port.Source."""
        if self._table is None:
            self._policy.require([(self._config.host, self._config.port)])
            self._table = self._opener(self._config, self._secrets)
        window = Window.of(position, self._config.start)
        began = self._clock().timestamp()
        try:
            rows = self._table.after(window.floor, window.high, window.had, self._config.batch)
        except BaseException:
            self.close()
            raise
        if not rows:
            return Batch()
        ended = self._clock().timestamp()
        window = window.with_rows(rows, began, ended, self._config.overlap_s)
        if len(window.seen) > MOST_TIES:
            raise SourceFault(
                f"config.watermark={self._config.watermark!r}: {len(window.seen)} rows have {window.floor!r};"
                f" at most {MOST_TIES}"
            )
        table = self._config.table
        records = [RawRecord(f"{table}/{r.key}@{r.watermark}", r.body) for r in rows]
        return Batch(records, window.position(), len(rows) == self._config.batch)

    def done(self, batch: Batch) -> None:
        """Nothing to acknowledge."""

    def close(self) -> None:
        """See port.Source."""
        table, self._table = self._table, None
        if table is not None:
            table.close()
