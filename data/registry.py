"""The registries as the hot path needs them, loaded whole and again when `registry_version` moves."""

from __future__ import annotations

from collections import defaultdict

from data.database import Cursor, Database
from incidents.ingest import AlarmKind, CameraEntry, DeviceEntry, Registry
from incidents.warning import Rule


def registry_version(database: Database) -> int:
    """The present version."""
    return int(database.query("SELECT n FROM registry_version")[0][0])


def bump(cursor: Cursor) -> None:
    """Tell every ingest process that registries or rules changed (within the changing transaction)."""
    cursor.execute("UPDATE registry_version SET n = n + 1")


def load_rules(cursor: Cursor) -> dict[tuple[str, str], tuple[Rule, ...]]:
    """(device type, metric) → enabled rules, newest version of each."""
    cursor.execute(
        "SELECT DISTINCT ON (id) id, version, device_type, metric, op, threshold, clear_threshold, for_s,"
        " level, class_code, message, message_en, enabled FROM warning_rules ORDER BY id, version DESC"
    )
    rules: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    for *columns, enabled in cursor.fetchall():
        if enabled:
            rule = Rule(*columns)
            rules[(rule.device_type, rule.metric)].append(rule)
    return {key: tuple(found) for key, found in rules.items()}


def load_registry(database: Database) -> Registry:
    """All registries in one consistent read."""
    with database.transaction() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT n FROM registry_version")
        row = cursor.fetchone()
        version = int(row[0]) if row else 0
        cursor.execute(
            "SELECT no, id, type, name, area_path, lon, lat, expected_period_s FROM devices WHERE NOT disabled"
        )
        devices = {found[1]: DeviceEntry(*found) for found in cursor.fetchall()}
        cursor.execute("SELECT id, no, coalesce(device_type, '') FROM metrics")
        declared = cursor.fetchall()
        metrics, types = {name: no for name, no, _ in declared}, {name: kind for name, _, kind in declared}
        cursor.execute("SELECT code, name, area_path, cell, lon, lat FROM cameras")
        cameras = {found[0]: CameraEntry(*found) for found in cursor.fetchall()}
        cursor.execute("SELECT kind, name, class_code, level, files FROM camera_alarm_kinds")
        kinds = {found[0]: AlarmKind(*found) for found in cursor.fetchall()}
        cursor.execute("SELECT login FROM workers")
        workers = frozenset(found[0] for found in cursor.fetchall())
        cursor.execute("SELECT code, max(version) FROM event_classes GROUP BY code")
        classes = dict(cursor.fetchall())
        cursor.execute("SELECT id FROM feeds WHERE NOT disabled")
        feeds = frozenset(found[0] for found in cursor.fetchall())
        rules = load_rules(cursor)
    return Registry(version, devices, metrics, cameras, kinds, workers, rules, classes, feeds, types)
