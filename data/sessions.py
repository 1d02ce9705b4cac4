"""Sessions: who is behind a cookie, and whether still. The database knows only the SHA-256 of a token."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from data.database import Database
from incidents.model import Actor

_SEEN_EVERY = timedelta(seconds=30)
"""`last_seen` is written at most this often: a screen asks many times a second."""

_KEPT = timedelta(days=30)
"""Ended sessions are kept for so long: who was logged in, from where (the audit log has it for good)."""

_STANDS = """
    s.ended_at IS NULL AND s.expires_at > %(now)s AND NOT a.disabled AND s.rights_version = a.rights_version
    AND (a.role = 'wall' OR s.last_seen > %(now)s - %(idle)s)
"""
_FIND = (
    "SELECT a.id, a.login, a.name, a.role, coalesce(a.unit, ''), a.areas, s.csrf, a.must_change, s.expires_at,"
    " s.last_seen FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.token_hash = %(hash)s AND"
    + _STANDS
)
_STANDING = (
    "SELECT s.token_hash, a.role = 'wall' AND s.last_seen < %(now)s - %(every)s FROM sessions s JOIN accounts a ON a.id = s.account"
    " WHERE s.token_hash = ANY(%(hashes)s) AND" + _STANDS
)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that stands: its actor, the token every unsafe request must carry, and what is asked first."""

    token_hash: bytes
    actor: Actor
    csrf: str
    must_change: bool
    expires_at: datetime


def token_hash(token: str) -> bytes:
    """What the database knows of a session token or a feed token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Sessions:
    """Opens, finds and ends sessions. `lifetime_h`: hours until the end whatever the use; `idle_min`: minutes
    without a request (walls are exempt: nobody touches them)."""

    def __init__(self, db: Database, *, lifetime_h: float, idle_min: float) -> None:
        self._db = db
        self._lifetime = timedelta(hours=lifetime_h)
        self._idle = timedelta(minutes=idle_min)

    def open(
        self, account: int, *, address: str, now: datetime, lifetime: timedelta | None = None
    ) -> tuple[str, str]:
        """A new session of an account: (token for the cookie, csrf token). `lifetime`: not the usual one."""
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        self._db.query("DELETE FROM sessions WHERE expires_at < %s", (now - _KEPT,))
        self._db.query(
            "INSERT INTO sessions (token_hash, account, csrf, rights_version, created_at, last_seen, expires_at,"
            " address) SELECT %s, id, %s, rights_version, %s, %s, %s, %s FROM accounts WHERE id = %s",
            (token_hash(token), csrf, now, now, now + (lifetime or self._lifetime), address[:100], account),
        )
        return token, csrf

    def find(self, token: str, now: datetime) -> Session | None:
        """The session of a token, or None when it does not stand (any more). Counts as a use of it."""
        digest = token_hash(token)
        rows = self._db.query(
            _FIND,
            {"hash": digest, "now": now, "idle": self._idle},
        )
        if not rows:
            return None
        number, login, name, role, unit, areas, csrf, must_change, expires_at, last_seen = rows[0]
        if now - last_seen > min(_SEEN_EVERY, self._idle / 2):
            self._db.query(
                "UPDATE sessions SET last_seen = %s WHERE token_hash = %s AND last_seen < %s",
                (now, digest, now),
            )
        actor = Actor(number, login, name, role, unit, tuple(areas), digest.hex())
        return Session(digest, actor, csrf, must_change, expires_at)

    def standing(self, hashes: Collection[bytes], now: datetime) -> set[bytes]:
        """Those of `hashes` whose sessions still stand: one query for all live streams. Not a use of them, but of a wall's:
        it only ever looks."""
        if not hashes:
            return set()
        rows = self._db.query(
            _STANDING,
            {"hashes": list(hashes), "now": now, "idle": self._idle, "every": _SEEN_EVERY},
        )
        looking = [row[0] for row in rows if row[1]]
        if looking:
            self._db.query(
                "UPDATE sessions SET last_seen = %s WHERE token_hash = ANY(%s) AND last_seen < %s",
                (now, looking, now),
            )
        return {bytes(row[0]) for row in rows}

    def end(self, digest: bytes, now: datetime) -> None:
        """Log out."""
        self._db.query(
            "UPDATE sessions SET ended_at = %s WHERE token_hash = %s AND ended_at IS NULL", (now, digest)
        )
