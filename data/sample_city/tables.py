"""The hand-written tables of the sample city (`tables/*.csv`), loaded as rows of text."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TABLES: Final = Path(__file__).parent / "tables"
Row = dict[str, str]


@dataclass(frozen=True)
class Tables:
    """Every table as a tuple of rows, column name → text."""

    device_types: tuple[Row, ...]
    metrics: tuple[Row, ...]
    warning_rules: tuple[Row, ...]
    camera_alarm_kinds: tuple[Row, ...]
    component_classes: tuple[Row, ...]
    event_classes: tuple[Row, ...]
    unit_kinds: tuple[Row, ...]


def _rows(name: str) -> tuple[Row, ...]:
    with (TABLES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file, strict=True))


def load_tables() -> Tables:
    """All tables. Raises ValueError naming table, row and rule when they contradict one another."""
    tables = Tables(*(_rows(name) for name in Tables.__dataclass_fields__))
    kinds = {r["kind"] for r in tables.unit_kinds}
    classes = {r["code"] for r in tables.event_classes}
    types = {r["id"] for r in tables.device_types}
    metric_type = {r["id"]: r["device_type"] for r in tables.metrics}

    def require(ok: bool, table: str, row: str, rule: str) -> None:
        if not ok:
            raise ValueError(f"tables/{table}.csv row {row}: {rule}")

    for r in (*tables.device_types, *tables.event_classes, *tables.component_classes):
        require(
            r["unit_kind"] in kinds,
            "unit_kinds",
            str(r),
            f"unit kind {r['unit_kind']!r} is not in unit_kinds",
        )
    for r in tables.metrics:
        require(
            r["device_type"] in types, "metrics", r["id"], f"device type {r['device_type']!r} is not known"
        )
    for r in tables.warning_rules:
        require(
            metric_type.get(r["metric"]) == r["device_type"],
            "warning_rules",
            r["id"],
            "metric is not the type's",
        )
        require(
            r["class_code"] in classes, "warning_rules", r["id"], f"class {r['class_code']!r} is not known"
        )
        gap = float(r["threshold"]) - float(r["clear_threshold"])
        require(gap > 0 if r["op"] == ">" else gap < 0, "warning_rules", r["id"], "clears on the wrong side")
    for r in tables.camera_alarm_kinds:
        require(r["class_code"] in classes, "camera_alarm_kinds", r["kind"], "class is not known")
    return tables
