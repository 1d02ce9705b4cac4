"""Codes on screens that wait to be paired: short, readable from afar, for ten minutes; limited per address and altogether.

The browser keeps a secret of its own (a cookie); the code alone gives nothing to whoever reads it off the wall.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from data.database import Cursor, Database
from data.locks import Lock
from data.sessions import token_hash

LETTERS: Final = "ABCDEFGHJKMNPQRTUVWXY346789"
"""No 0/O, 1/I/L, 2/Z, 5/S: read off a wall and typed at a desk."""
LENGTH: Final = 6
STANDS: Final = timedelta(minutes=10)
MOST_OF_ADDRESS: Final = 12
"""Codes that one address may ask for within STANDS."""
MOST_OF_ALL: Final = 200
_KEPT: Final = timedelta(days=1)


class TooManyCodes(RuntimeError):
    """This address, or all of them together, asked for too many codes."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code that waits: `secret` for the browser's cookie."""

    code: str
    secret: str
    expires_at: datetime


class Pairings:
    """Gives codes out, and the account to the browser whose code somebody typed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, address: str, now: datetime) -> Code:
        """A new code for a browser at `address`. Raises TooManyCodes."""
        secret = secrets.token_urlsafe(32)
        with self._database.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.PAIRING,))
            cursor.execute(
                "DELETE FROM screen_pairings WHERE expires_at < %s AND (screen IS NULL OR created_at < %s)",
                (now, now - _KEPT),
            )
            cursor.execute("DELETE FROM pairing_guesses WHERE at < %s", (now - _KEPT,))
            cursor.execute(
                "SELECT count(*) FILTER (WHERE address = %s), count(*) FROM screen_pairings WHERE created_at > %s",
                (address, now - STANDS),
            )
            here, everywhere = cursor.fetchone() or (0, 0)
            if here >= MOST_OF_ADDRESS or everywhere >= MOST_OF_ALL:
                raise TooManyCodes(f"{address}: {here} codes, {everywhere} in all")
            code = _free(cursor)
            cursor.execute(
                "INSERT INTO screen_pairings (code, secret_hash, address, created_at, expires_at)"
                " VALUES (%s, %s, %s, %s, %s)",
                (code, token_hash(secret), address[:100], now, now + STANDS),
            )
        return Code(code, secret, now + STANDS)

    def claim(self, secret: str, now: datetime) -> int | str:
        """The account of the screen that this browser has become; else 'waiting' or 'over'. Again while the code would
        still stand: the answer may have been lost, and with it the session that was in it."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT p.id, p.expires_at, s.account FROM screen_pairings p"
                " LEFT JOIN screens s ON s.id = p.screen AND s.revoked_at IS NULL"
                " WHERE p.secret_hash = %s AND (p.claimed_at IS NULL OR p.expires_at > %s) FOR UPDATE OF p",
                (token_hash(secret), now),
            )
            row = cursor.fetchone()
            if row is None:
                return "over"
            pairing, expires_at, account = row
            if account is None:
                return "waiting" if expires_at > now else "over"
            cursor.execute("UPDATE screen_pairings SET claimed_at = %s WHERE id = %s", (now, pairing))
            return int(account)


def _free(cursor: Cursor) -> str:
    """A code that no screen shows now."""
    while True:
        code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        cursor.execute("SELECT 1 FROM screen_pairings WHERE code = %s AND screen IS NULL", (code,))
        if cursor.fetchone() is None:
            return code
