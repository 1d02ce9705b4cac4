"""Which feed is behind a bearer token. The database knows only the SHA-256 of it."""

from __future__ import annotations

from dataclasses import dataclass

from data.database import Database
from data.sessions import token_hash


@dataclass(frozen=True, slots=True)
class FeedAccess:
    """A registered feed as the message endpoint needs it: empty `topics` allows none."""

    id: str
    topics: tuple[str, ...]
    disabled: bool


class FeedTokens:
    """Finds feeds by token."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, token: str) -> FeedAccess | None:
        """The feed of a token; None when no feed has it."""
        rows = self._db.query(
            "SELECT id, topics, disabled FROM feeds WHERE token_hash = %s", (token_hash(token),)
        )
        return FeedAccess(rows[0][0], tuple(rows[0][1]), rows[0][2]) if rows else None
