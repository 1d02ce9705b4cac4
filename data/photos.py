"""Photos by the SHA-256 of their re-encoded bytes, in the store that all web processes share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data.database import Database, json
from incidents.access import Thing


@dataclass(frozen=True, slots=True)
class Photo:
    """A stored photo: `bytes` as re-encoded, without the camera's EXIF."""

    sha256: str
    mime: str
    width: int
    height: int
    bytes: bytes
    stored_by: str


class Photos:
    """Stores and finds photos."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def store(
        self,
        content: bytes,
        *,
        mime: str,
        width: int,
        height: int,
        exif: Mapping[str, Any],
        login: str,
        now: datetime,
    ) -> str:
        """Keep a photo and answer its SHA-256 (hex); the same bytes again are the same photo."""
        digest = hashlib.sha256(content).hexdigest()
        self._db.query(
            "INSERT INTO photos (sha256, mime, width, height, bytes, exif, stored_at, stored_by)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (sha256) DO NOTHING",
            (digest, mime, width, height, content, json(dict(exif)), now, login),
        )
        return digest

    def load(self, sha256: str) -> Photo | None:
        """The photo, or None."""
        rows = self._db.query(
            "SELECT sha256, mime, width, height, bytes, stored_by FROM photos WHERE sha256 = %s", (sha256,)
        )
        if not rows:
            return None
        digest, mime, width, height, content, login = rows[0]
        return Photo(digest, mime, width, height, bytes(content), login)

    def shown_on(self, sha256: str) -> list[Thing]:
        """Everything that carries the photo — incidents, and reports not yet triaged — as things to ask
        `may(actor, "photo.see", thing)` about."""
        rows = self._db.query(
            "SELECT i.area_path, i.unit, i.worker, i.assisting FROM incident_photos p JOIN incidents i ON i.id = p.incident_id"
            " WHERE p.sha256 = %(sha)s UNION SELECT i.area_path, i.unit, i.worker, i.assisting FROM intake k"
            " JOIN incidents i ON i.id = k.incident_id WHERE k.photos @> ARRAY[%(sha)s]"
            " UNION SELECT area_path, '', '', '{}'::text[] FROM intake WHERE incident_id IS NULL AND photos @> ARRAY[%(sha)s]",
            {"sha": sha256},
        )
        return [Thing(area, unit, worker, tuple(helping)) for area, unit, worker, helping in rows]
