"""The driver of SQL feeds: reads a table of somebody else's PostgreSQL, read-only, by a watermark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg2
from psycopg2 import sql

CONNECT_S: Final = 10
STATEMENT_S: Final = 60
_REFUSALS: Final = (
    "authentication failed",
    "does not exist",
    "pg_hba.conf",
    "permission denied",
    "does not support SSL",
)
"""Words of a refusal to connect that waiting does not mend."""


class SqlAway(RuntimeError):
    """That database cannot be reached now."""


class SqlWrong(RuntimeError):
    """That database answers and refuses: password, names, rights."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: watermark and key as the database writes them, whether it is the greatest yet, and the row as JSON."""

    watermark: str
    key: str
    beyond: bool
    body: dict[str, Any]


class ForeignTable:
    """See `streams.feeds.sql_pull.SqlTable`. Raises SqlAway, SqlWrong."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        database: str,
        user: str,
        password: str,
        tls: bool,
        table: str,
        watermark: str,
        key: str,
        columns: Sequence[str] = (),
        settle_s: float = 0.0,
    ) -> None:
        self._table = sql.Identifier(*(_doubled(part) for part in table.split(".")))
        self._watermark = sql.Identifier(_doubled(watermark))
        self._key = sql.Identifier(_doubled(key))
        self._columns = [_doubled(column) for column in columns]
        self._settle_s = settle_s
        try:
            self._connection = psycopg2.connect(
                host=host,
                port=port,
                dbname=database,
                user=user,
                password=password,
                sslmode="require" if tls else "prefer",
                connect_timeout=CONNECT_S,
                application_name="chengyun-feed",
                options=f"-c statement_timeout={STATEMENT_S * 1000} -c TimeZone=UTC",
            )
        except psycopg2.OperationalError as error:
            words = str(error).strip().splitlines()[-1]
            wrong = any(refusal in words for refusal in _REFUSALS)
            raise (SqlWrong if wrong else SqlAway)(f"{host}:{port}: {words}") from None
        self._connection.set_session(readonly=True, autocommit=True)
        self._where = f"{host}:{port}"

    def after(
        self, floor: str | None, high: str | None, had: Sequence[tuple[str, str]], limit: int
    ) -> Sequence[Row]:
        """See SqlTable. The literals take the column's own type: no type is named here."""
        names = {"w": self._watermark, "k": self._key}
        rule: sql.Composable = sql.SQL("t.{w} IS NOT NULL").format(**names)
        beyond: sql.Composable = sql.SQL("true")
        asked: list[Any] = []
        params: list[Any] = []
        if high is not None:
            beyond = sql.SQL("t.{w} > %s").format(**names)
            asked.append(high)
        if floor is not None:
            rule = sql.SQL("{rule} AND t.{w} >= %s").format(rule=rule, **names)
            params.append(floor)
        if had:
            # NOT IN is hashed: a window of thousands costs no more than one look at each.
            rule = sql.SQL(
                "{rule} AND (t.{w}::text, coalesce(t.{k}::text, '')) NOT IN"
                " (SELECT h.w, h.k FROM unnest(%s::text[], %s::text[]) AS h (w, k))"
            ).format(rule=rule, **names)
            params += [[w for w, _ in had], [k for _, k in had]]
        if self._settle_s:
            rule = sql.SQL("{rule} AND t.{w} <= now() - make_interval(secs => %s)").format(
                rule=rule, w=self._watermark
            )
            params.append(self._settle_s)
        whole: sql.Composable = sql.SQL("to_jsonb(t.*)")  # not (t): the table may have a column of that name
        if self._columns:
            pairs = [sql.SQL("{}, t.{}").format(sql.Literal(c), sql.Identifier(c)) for c in self._columns]
            whole = sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))
        query = sql.SQL(
            "SELECT t.{w}::text, coalesce(t.{k}::text, ''), {beyond}, {whole} FROM {table} t WHERE {rule}"
            " ORDER BY t.{w}, t.{k} LIMIT %s"
        ).format(beyond=beyond, whole=whole, table=self._table, rule=rule, **names)
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(query, [*asked, *params, limit])
                return [Row(*found) for found in cursor.fetchall()]
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise SqlAway(f"{self._where}: {str(error).strip()}") from None
        except psycopg2.Error as error:
            raise SqlWrong(f"{self._where}: {str(error).strip().splitlines()[0]}") from None

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()


def _doubled(name: str) -> str:
    """A name for a statement with parameters, in which a single % would begin one."""
    return name.replace("%", "%%")
