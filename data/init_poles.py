"""The sample's smart lamp poles 智慧灯杆: one entry each, with members for every one of its eight functions.

A pole grows out of a street lamp that stands already; what else it carries stands at the same point. Pressing its
call button is a warning at once, and so an event at the pole.
"""

from __future__ import annotations

import csv
from datetime import datetime
from typing import Any, Final

from data.database import Cursor, many
from data.sample_city.tables import TABLES

POLES: Final = 12
CALL_CLASS: Final = "M0801"
LIKE_CLASS: Final = "E0408"
"""Whoever answers for missing persons answers for calls from a pole."""


def load_poles(cursor: Cursor, now: datetime) -> None:
    """Types, metrics, devices, cameras, the call's class and rule, and the poles."""
    with (TABLES / "pole_functions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    _types(cursor, rows)
    _call(cursor)
    kinds = {row["type"]: row for row in rows}
    # Far apart from one another: every so many of the lamps.
    cursor.execute(
        "SELECT no, id, name, unit, owner, area_path, cell, lon, lat FROM (SELECT *, row_number() OVER (ORDER BY id) - 1"
        " AS n, count(*) OVER () AS lamps FROM devices WHERE type = 'street_lamp') x"
        " WHERE n %% greatest(1, lamps / %(poles)s) = 0 ORDER BY id LIMIT %(poles)s",
        {"poles": POLES},
    )
    lamps = cursor.fetchall()
    for number, (_, lamp, name, unit, owner, area, cell, lon, lat) in enumerate(lamps, 1):
        pole, label = f"PL-{number:04d}", name.replace("路灯", "智慧灯杆")
        where = (owner, unit, area, cell, lon, lat)
        cursor.execute(
            "INSERT INTO composites (id, kind, name, owner, unit, area_path, cell, lon, lat)"
            " VALUES (%s, 'lamp_pole', %s, %s, %s, %s, %s, %s, %s)",
            (pole, label, *where),
        )
        camera = _camera(cursor, number, label, lon, lat, cell, area)
        members: list[tuple[str, str, str | None, str | None]] = [
            (pole, "lighting", lamp, None),
            (pole, "traffic", None, camera),
        ]
        for kind in kinds.values():
            device = f"{kind['prefix']}-{number:06d}"
            _device(cursor, device, kind, f"{label}{kind['name'].removeprefix('灯杆')}", where, now)
            members.append((pole, kind["function"], device, None))
        many(cursor, "INSERT INTO composite_members (composite, function, device, camera) VALUES %s", members)


def _types(cursor: Cursor, rows: list[dict[str, str]]) -> None:
    many(
        cursor,
        "INSERT INTO device_types (id, name, name_en, icon, period_s) VALUES %s ON CONFLICT (id) DO NOTHING",
        [(r["type"], r["name"], r["name_en"], r["icon"], float(r["period_s"])) for r in rows if r["metric"]],
    )
    many(
        cursor,
        "INSERT INTO metrics (id, device_type, name, name_en, unit, low, high, stuck_periods) VALUES %s",
        [
            (r["metric"], r["type"], r["metric_name"], r["metric_name_en"], r["unit"], float(r["low"]), float(r["high"]),
             int(r["stuck_periods"]) if r["stuck_periods"] else None)
            for r in rows
            if r["metric"]
        ],
    )  # fmt: skip


def _call(cursor: Cursor) -> None:
    cursor.execute(
        "INSERT INTO event_classes (code, version, kind, big_class, name, name_en, level, limit_min, clock_kind,"
        " needs_photo, closing_condition, keywords) VALUES (%s, 1, 'event', '监测预警', '一键报警求助', 'Emergency call',"
        " 2, 60, 'urgent_hour', false, '现场核实，求助人得到帮助或误报说明', '一键报警 报警求助')",
        (CALL_CLASS,),
    )
    cursor.execute(
        "INSERT INTO responsibilities (class_code, area_path, unit, reason) SELECT %s, area_path, unit, reason"
        " FROM responsibilities WHERE class_code = %s",
        (CALL_CLASS, LIKE_CLASS),
    )
    cursor.execute(
        "INSERT INTO warning_rules (id, version, device_type, metric, op, threshold, clear_threshold, for_s, level,"
        " class_code, message, message_en) VALUES ('pole-emergency-call', 1, 'emergency_call', 'emergency_press', '>', 0.5,"
        " 0.4, 0, 2, %s, '灯杆一键报警按下', 'Emergency call pressed at the pole')",
        (CALL_CLASS,),
    )


def _camera(cursor: Cursor, number: int, label: str, lon: float, lat: float, cell: str, area: str) -> str:
    """A camera with a code of 20 digits in the style of GB/T 28181; its serial is of the poles' own series."""
    code = f"{area.split('/')[0]}00001320{900_000 + number:06d}"
    cursor.execute(
        "INSERT INTO cameras (code, name, lon, lat, cell, area_path, scene, sector, share_range, direction_deg, view_deg,"
        " range_m) VALUES (%s, %s, %s, %s, %s, %s, '道路', '城管', 'government', %s, 90, 80)",
        (code, f"{label}视频", lon, lat, cell, area, number * 30 % 360),
    )
    return code


def _device(
    cursor: Cursor, device: str, kind: dict[str, str], name: str, where: tuple[Any, ...], now: datetime
) -> None:
    cursor.execute(
        "INSERT INTO devices (id, type, name, owner, unit, area_path, cell, lon, lat, expected_period_s, installed_on)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (device, kind["type"], name, *where, float(kind["period_s"]), now.date()),
    )
