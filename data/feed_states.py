"""Where the adapters' positions and states rest, the feeds that are to run, and who runs them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import psycopg2
import psycopg2.extensions

from data.database import Database, StoreUnavailable, json
from incidents.feeds import FeedFacts

_LONGEST_REASON = 500
_GONE: Final = (psycopg2.OperationalError, psycopg2.InterfaceError)


class Counted(Protocol):
    """What one batch came to."""

    @property
    def records(self) -> int: ...
    @property
    def messages(self) -> int: ...
    @property
    def set_aside(self) -> int: ...
    @property
    def lost(self) -> int: ...


class FeedStates:
    """See `streams.feeds.runner.States`. Safe for several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, feed: str) -> Mapping[str, Any]:
        """See States."""
        rows = self._database.query("SELECT position FROM feed_states WHERE feed = %s", (feed,))
        return dict(rows[0][0]) if rows else {}

    def keep(self, feed: str, position: Mapping[str, Any] | None, count: Counted, now: datetime) -> None:
        """See States."""
        place = None if position is None else json(dict(position))
        self._database.query(
            "INSERT INTO feed_states AS s (feed, position, records, messages, set_aside, lost, attempt_at, success_at)"
            " VALUES (%(feed)s, coalesce(%(position)s, '{}'::jsonb), %(records)s, %(messages)s, %(set_aside)s, %(lost)s,"
            " %(now)s, %(now)s) ON CONFLICT (feed) DO UPDATE SET position = coalesce(%(position)s, s.position),"
            " records = s.records + EXCLUDED.records, messages = s.messages + EXCLUDED.messages,"
            " set_aside = s.set_aside + EXCLUDED.set_aside, lost = s.lost + EXCLUDED.lost,"
            " attempt_at = EXCLUDED.attempt_at, success_at = EXCLUDED.success_at, failure = '', reason = ''",
            {
                "feed": feed, "position": place, "records": count.records, "messages": count.messages,
                "set_aside": count.set_aside, "lost": count.lost, "now": now,
            },
        )  # fmt: skip

    def failed(self, feed: str, failure: str, reason: str, now: datetime) -> None:
        """See States."""
        words = reason.replace("\x00", " ").encode("utf-8", "backslashreplace").decode()[:_LONGEST_REASON]
        self._database.query(
            "INSERT INTO feed_states (feed, attempt_at, failure, reason) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (feed) DO UPDATE SET attempt_at = EXCLUDED.attempt_at, failure = EXCLUDED.failure,"
            " reason = EXCLUDED.reason",
            (feed, now, failure, words),
        )


def feed_facts(row: Mapping[str, Any]) -> FeedFacts:
    """What the rule of a feed's status needs, from a row with these columns."""
    return FeedFacts(row["last_message_at"], row["expected_period_s"], row["disabled"], row["failure"])


def stored_feeds(database: Database) -> list[tuple[Any, ...]]:
    """Feeds with an adapter that are not disabled: (id, kind, config, secrets, mapping, version)."""
    return database.query(
        "SELECT id, kind, config, secrets, mapping, version FROM feeds WHERE kind <> '' AND NOT disabled ORDER BY id"
    )


def stored_feed(database: Database, feed: str) -> tuple[Any, ...] | None:
    """The same of one feed, disabled or not, and whether it is disabled; None when there is none with an adapter."""
    rows = database.query(
        "SELECT id, kind, config, secrets, mapping, version, disabled FROM feeds WHERE id = %s AND kind <> ''",
        (feed,),
    )
    return rows[0] if rows else None


class FeedClaim:
    """A feed that this process may run, as long as the connection lives that holds its lock."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def held(self) -> bool:
        """Whether it is ours still: asked of the server, for a restart there gives the lock away unheard."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except _GONE:
            self._connection.close()
            return False
        return True

    def release(self) -> None:
        """Give the feed back."""
        self._connection.close()


class FeedClaims:
    """One process runs a feed: an advisory lock of a connection of its own, gone with the process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, feed: str) -> FeedClaim | None:
        """The claim; None when another has the feed. Raises StoreUnavailable."""
        connection = self._database.connect()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(hashtextextended('feed:' || %s, 0))", (feed,))
                row = cursor.fetchone()
        except BaseException as error:
            connection.close()
            if isinstance(error, _GONE):
                raise StoreUnavailable(str(error).strip()) from None
            raise
        if row is None or not row[0]:
            connection.close()
            return None
        return FeedClaim(connection)
