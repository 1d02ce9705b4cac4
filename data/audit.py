"""The audit log: append-only, each row's hash covering the one before it, so that a change anywhere shows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from data.database import Cursor, Database
from data.locks import Lock

_PAGE = 5000
_GENESIS = b"\x00" * 32


@dataclass(frozen=True, slots=True)
class Chain:
    """State of the chain: rows checked, the newest row's id and hash, and the first row that does not fit."""

    rows: int
    last_id: int
    last_hash: str
    broken_at: int | None

    @property
    def whole(self) -> bool:
        """True when every row fits the one before it."""
        return self.broken_at is None


class Audit:
    """Writes and verifies the log."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def append(
        self,
        *,
        actor: str,
        role: str,
        action: str,
        thing: str,
        allowed: bool,
        now: datetime,
        detail: Mapping[str, Any] | None = None,
        cursor: Cursor | None = None,
    ) -> None:
        """Add one row, refused attempts included; with `cursor`, inside the caller's transaction.

        The chain has one end, so writers wait for one another until that transaction is over: append last.
        """
        row = (_clean(actor, 200), _clean(role, 50), _clean(action, 100), _clean(thing, 400), allowed)
        text = _clean(orjson.dumps(detail or {}, default=str).decode().replace("\\u0000", ""), 100_000)
        if cursor is not None:
            _append(cursor, now, row, text)
            return
        with self._db.transaction() as own:
            _append(own, now, row, text)

    def verify(self) -> Chain:
        """Walk the whole log and recompute every hash."""
        rows, last_id, last_hash = 0, 0, _GENESIS
        while True:
            page = self._db.query(
                "SELECT id, at, actor, role, action, thing, allowed, detail::text, hash FROM audit"
                " WHERE id > %s ORDER BY id LIMIT %s",
                (last_id, _PAGE),
            )
            for number, at, actor, role, action, thing, allowed, detail, found in page:
                expected = _hash(last_hash, at, (actor, role, action, thing, allowed), detail)
                if bytes(found) != expected:
                    return Chain(rows, last_id, last_hash.hex(), int(number))
                rows, last_id, last_hash = rows + 1, int(number), expected
            if len(page) < _PAGE:
                return Chain(rows, last_id, last_hash.hex(), None)


def _append(cursor: Cursor, now: datetime, row: tuple[str, str, str, str, bool], detail: str) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.AUDIT,))
    # What is hashed is what the server stores: jsonb reorders keys and rewrites numbers.
    cursor.execute("SELECT %s::jsonb::text, (SELECT hash FROM audit ORDER BY id DESC LIMIT 1)", (detail,))
    found = cursor.fetchone()
    assert found is not None  # a SELECT without FROM gives one row
    stored, previous = found
    digest = _hash(_GENESIS if previous is None else bytes(previous), now, row, stored)
    cursor.execute(
        "INSERT INTO audit (at, actor, role, action, thing, allowed, detail, hash)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s)",
        (now, *row, detail, digest),
    )


def _hash(previous: bytes, at: datetime, row: tuple[str, str, str, str, bool], detail: str) -> bytes:
    body = orjson.dumps([at.astimezone(UTC).isoformat(timespec="microseconds"), *row, detail])
    return hashlib.sha256(previous + body).digest()


def _clean(text: str, most: int) -> str:
    """Text that PostgreSQL can store: no NUL, no lone surrogates, not endless."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:most]
