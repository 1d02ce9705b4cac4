"""`app.py backup FILE` and `app.py restore FILE`: the whole store, photos included, as one zip of COPY texts; beside them the
files of the trained routers (CHENGYUN_MODELS), checked against the registry's SHA-256.

The archive is taken in one snapshot while the product runs, and restores into an empty, migrated store of any
edition (plain PostgreSQL ↔ TimescaleDB). Sessions are left out: nobody is logged in after a restore.
Messages that the bus holds and nobody has read are not part of it; with `same_bus` they are read again from
where the backup stands, without it counting starts at the first message of the new bus.
On the community edition rollups are aggregates of the readings and no part of it: what was rolled up of readings that
were dropped does not come back there.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from data.database import Cursor, Database
from data.migrate import pending
from data.new_bus import start_anew
from data.timeseries import TABLES as TIME_TABLES
from data.timeseries import Partitions
from incidents.ports import TopicPartition
from incidents.router_file import sealed

FORMAT: Final = 1

TABLES: Final = (
    "city", "areas", "units", "accounts", "audit", "feeds", "feed_states", "device_types", "metrics", "devices",
    "cameras", "components", "places", "map_features", "event_classes", "responsibilities", "camera_alarm_kinds",
    "device_health", "composites", "composite_members", "warning_rules", "registry_version", "workers", "ledger",
    "ledger_reasons", "partition_positions", "ledger_mismatches", "readings", "rule_states", "warnings", "incidents",
    "camera_alarm_maps", "camera_channels", "alarm_windows", "camera_shelves", "view_requests", "intake", "timeline",
    "orders", "order_receipts", "form_efforts", "incident_facts", "incident_facts_check", "inbox", "outbox", "positions", "photos", "photo_likeness",
    "incident_photos", "dead_letters", "held", "indicator_history", "rollup_minute", "rollup_hour", "rollup_day",
    "rollup_dirty", "rollup_state", "working_years", "working_days", "catalogues", "standards", "merge_suggestions",
    "storage_samples", "device_credentials", "device_limits", "device_access_version", "device_links",
    "gateway_refusals", "gateway_drops", "unit_roles", "special_periods", "responsibility_tables", "responsibility_rows",
    "router_models", "routing_advice", "withdrawn_rules", "formula_versions", "score_versions", "addresses",
    "address_book", "replies", "enforcement_messages", "enforcement_cases", "incident_states",
    "screens", "screen_pairings", "pairing_guesses", "marks", "vital_states", "vital_values", "saved_views",
)  # fmt: skip
"""In an order that keeps foreign keys; a test holds that no table of the schema is forgotten."""

LEFT_OUT: Final = (
    "sessions",
    "schema_migrations",
    "incident_said",
    "incident_said_open",
    "form_effort_salts",
)
"""Nobody is logged in after a restore; salts are nobody's to keep; and what is said of incidents is made anew as they are loaded."""


class BadBackup(RuntimeError):
    """The archive cannot be used, or the store is not fit to take it; the text says why."""


class _Hashed:
    """A file that counts and hashes what passes through."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _columns(cursor: Cursor, table: str) -> list[str]:
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum",
        (table,),
    )
    return [f'"{name}"' for (name,) in cursor.fetchall()]


def _is_view(cursor: Cursor, table: str) -> bool:
    """True for a continuous aggregate in the place of a rollup table: it is made of the readings, and made anew."""
    cursor.execute("SELECT relkind = 'v' FROM pg_class WHERE oid = to_regclass(%s)", (table,))
    row = cursor.fetchone()
    return bool(row and row[0])


MODELS: Final = "models/"
"""Where the archive has the files of trained routers."""


def _keep_models(
    cursor: Cursor, archive: zipfile.ZipFile, folder: Path, missing: Callable[[str], object]
) -> list[str]:
    """Every registered router's file (a candidate may be published after the restore). One that is gone, or is not the one
    that was registered, is told to `missing` and left out: the city itself must be saved nevertheless."""
    cursor.execute("SELECT version, file, sha256 FROM router_models ORDER BY version")
    kept = []
    for version, name, sha256 in cursor.fetchall():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            missing(f"{version}: its file {name} cannot be read in CHENGYUN_MODELS: {error}")
            continue
        if sealed(content) != sha256:
            missing(f"{version}: its file {name} in CHENGYUN_MODELS is not the one that was registered")
            continue
        archive.writestr(MODELS + name, content)
        kept.append(name)
    return kept


def _put_models(cursor: Cursor, archive: zipfile.ZipFile, names: Sequence[str], folder: Path) -> None:
    """The files of the archive, each checked against what the restored registry says of it, where they are not yet."""
    cursor.execute("SELECT file, sha256 FROM router_models")
    known = dict(cursor.fetchall())
    for name in names:
        content = archive.read(MODELS + name)
        # The registry's names only: an archive must not choose where a file is written.
        if known.get(name) != sealed(content) or Path(name).name != name:
            raise BadBackup(f"{MODELS}{name}: the archive is damaged (it is not the registered router)")
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)  # a process that reads meanwhile finds the whole or nothing


def backup(
    database: Database, path: Path, now: datetime, models: Path, missing: Callable[[str], object]
) -> dict[str, int]:
    """Write the archive, with the routers' files of the folder `models`; returns rows per table. What of the files is
    missing is told to `missing`, a sentence each."""
    tables: dict[str, Any] = {}
    part = path.with_name(path.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=5) as archive:
        with database.transaction() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for table in TABLES:
                if _is_view(cursor, table):
                    continue
                columns = _columns(cursor, table)
                with archive.open(f"{table}.copy", "w", force_zip64=True) as file:
                    hashed = _Hashed(file)
                    cursor.copy_expert(f"COPY (SELECT {', '.join(columns)} FROM {table}) TO STDOUT", hashed)
                tables[table] = {
                    "columns": columns, "rows": cursor.rowcount, "sha256": hashed.digest.hexdigest(),
                }  # fmt: skip
            weeks = {}
            for table in TIME_TABLES:
                cursor.execute(f"SELECT DISTINCT date_trunc('week', time) FROM {table} ORDER BY 1")
                weeks[table] = [at.isoformat() for (at,) in cursor.fetchall()]
            cursor.execute("SELECT max(number) FROM schema_migrations")
            row = cursor.fetchone()
            cursor.execute("SELECT last_value, is_called FROM incident_numbers")
            numbers = cursor.fetchone()
            kept = _keep_models(cursor, archive, models, missing)
        manifest = {
            "format": FORMAT, "made_at": now.isoformat(), "migration": row[0] if row else 0, "tables": tables,
            "weeks": weeks, "incident_numbers": list(numbers) if numbers else [1, False], "models": kept,
        }  # fmt: skip
        archive.writestr("manifest.json", json.dumps(manifest, indent=1))
    part.replace(path)
    return {table: found["rows"] for table, found in tables.items()}


def restore(
    database: Database,
    path: Path,
    models: Path,
    first_offsets: Callable[[], Mapping[TopicPartition, int]],
    same_bus: bool = False,
) -> dict[str, int]:
    """Load the archive into an empty store in one transaction, and its routers' files into the folder `models`; returns rows
    per table. Raises BadBackup, OSError."""
    try:
        archive = zipfile.ZipFile(path)
        manifest = json.loads(archive.read("manifest.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BadBackup(f"{path.name}: not a backup of ours: {error}") from None
    if manifest.get("format") != FORMAT:
        raise BadBackup(f"{path.name}: format {manifest.get('format')!r}, must be {FORMAT}")
    if pending(database):
        raise BadBackup("the store is not migrated: run `app.py migrate` first")
    with archive, database.transaction() as cursor:
        cursor.execute("SELECT max(number) FROM schema_migrations")
        row = cursor.fetchone()
        if row is None or row[0] < manifest["migration"]:
            raise BadBackup(f"{path.name}: made by a newer version (migration {manifest['migration']})")
        cursor.execute("SELECT count(*) FROM city")
        row = cursor.fetchone()
        if row is None or row[0]:
            raise BadBackup("the store already holds a city; restore needs an empty one")
        cursor.execute("DELETE FROM registry_version")
        if "address_book" in manifest["tables"]:
            cursor.execute("DELETE FROM address_book")
        if "device_access_version" in manifest["tables"]:  # else the backup is older than the gateway
            cursor.execute("DELETE FROM device_access_version")
        if "incident_facts_check" in manifest["tables"]:
            cursor.execute("DELETE FROM incident_facts_check")
        for table, weeks in manifest["weeks"].items():
            Partitions().cover(cursor, table, [datetime.fromisoformat(week).timestamp() for week in weeks])
        rows = {}
        for table, found in manifest["tables"].items():
            if (
                table == "rollup_dirty"
                and "rollup_minute" in manifest["tables"]
                and not _is_view(cursor, "rollup_minute")
            ):
                # Loading the ledger has noted that all is to be rolled up; these readings are, but for the notes to come.
                cursor.execute("DELETE FROM rollup_dirty")
            rows[table] = _load(cursor, archive, table, found)
        if "incident_facts_check" not in manifest["tables"]:
            # An older backup: evaluation knows none of its incidents until the timer has read their timelines.
            cursor.execute(
                "UPDATE incident_facts_check SET first_to = (SELECT coalesce(max(id), 0) FROM incidents)"
            )
        _set_sequences(cursor, manifest["incident_numbers"])
        if not same_bus:
            start_anew(cursor, first_offsets())
        # Backups of before this have no files: their routers are copied by hand, or trained anew.
        _put_models(cursor, archive, manifest.get("models", []), models)
    return rows


def _load(cursor: Cursor, archive: zipfile.ZipFile, table: str, found: Mapping[str, Any]) -> int:
    if table not in TABLES:
        raise BadBackup(f"{table}: this version knows no such table")
    if _is_view(cursor, table):
        return 0
    known = set(_columns(cursor, table))
    strange = [column for column in found["columns"] if column not in known]
    if strange:
        raise BadBackup(f"{table}: this version knows no column {strange[0]}")
    with archive.open(f"{table}.copy") as file:
        hashed = _Hashed(file)
        cursor.copy_expert(f"COPY {table} ({', '.join(found['columns'])}) FROM STDIN", hashed)
    if hashed.digest.hexdigest() != found["sha256"] or cursor.rowcount != found["rows"]:
        raise BadBackup(f"{table}: the archive is damaged ({cursor.rowcount} of {found['rows']} rows)")
    return int(cursor.rowcount)


def _set_sequences(cursor: Cursor, numbers: list[Any]) -> None:
    """Identity columns go on after what was loaded."""
    cursor.execute("SELECT setval('incident_numbers', %s, %s)", numbers)
    cursor.execute(
        "SELECT c.relname, a.attname, pg_get_serial_sequence(quote_ident(c.relname), a.attname) FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid WHERE a.attidentity <> '' AND c.relname = ANY(%s)",
        (list(TABLES),),
    )
    for table, column, sequence in cursor.fetchall():
        cursor.execute(
            f'SELECT setval(%s, coalesce((SELECT max("{column}") FROM {table}), 0) + 1, false)', (sequence,)
        )
