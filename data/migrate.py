"""Numbered, checksummed migrations: `data/migrations/NNNN_name.sql`, each in a transaction of its own.

A migration that has run may never change: its checksum is compared at every start.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from data.database import Database
from data.locks import Lock

FOLDER = Path(__file__).parent / "migrations"
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


class BadMigration(RuntimeError):
    """A migration file is misnamed, out of order, or was changed after it had run."""


def files(folder: Path = FOLDER) -> list[tuple[int, Path]]:
    """(number, path) in order; raises BadMigration for a wrong name or a gap."""
    found = sorted(folder.glob("*.sql"))
    numbered = []
    for expected, path in enumerate(found, start=1):
        match = _NAME.match(path.name)
        if match is None or int(match[1]) != expected:
            raise BadMigration(f"{path.name}: must be {expected:04d}_<name>.sql")
        numbered.append((expected, path))
    return numbered


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pending(database: Database, folder: Path = FOLDER) -> list[int]:
    """Numbers of migrations that have not run; raises BadMigration when one that ran was changed."""
    exists = database.query("SELECT to_regclass('schema_migrations') IS NOT NULL")[0][0]
    applied: dict[int, str] = {}
    if exists:
        applied = dict(database.query("SELECT number, checksum FROM schema_migrations"))
    waiting = []
    for number, path in files(folder):
        if number not in applied:
            waiting.append(number)
        elif applied[number] != _checksum(path):
            raise BadMigration(f"{path.name}: was changed after it had run; add a new migration instead")
    return waiting


def migrate(database: Database, folder: Path = FOLDER) -> list[int]:
    """Run what has not run, in order; returns the numbers. Safe to call from several processes at once."""
    done = []
    with database.transaction() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 0")  # another process migrates: as long as that takes
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.MIGRATION,))
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        cursor.execute("SELECT number, checksum FROM schema_migrations")
        applied = dict(cursor.fetchall())
        for number, path in files(folder):
            if number in applied:
                if applied[number] != _checksum(path):
                    raise BadMigration(
                        f"{path.name}: was changed after it had run; add a new migration instead"
                    )
                continue
            cursor.execute(path.read_text(encoding="utf-8"))
            cursor.execute(
                "INSERT INTO schema_migrations (number, name, checksum) VALUES (%s, %s, %s)",
                (number, path.name, _checksum(path)),
            )
            done.append(number)
    return done
