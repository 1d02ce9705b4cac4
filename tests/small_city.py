"""A city of two districts and four cells, small enough to be known by heart: for tests of the store and ingest."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Final

import shapely
from argon2 import PasswordHasher

from data.accounts import Accounts
from data.administration import Administration
from data.audit import Audit
from data.database import Cursor, Database, many
from data.registry import bump
from data.uow import UnitsOfWork
from gis.cells import CellIndex
from incidents.access import ROLES
from incidents.model import Actor, Place, Rejected
from streams.validate import Limits
from tests.working import WORKING

CITY: Final = "990100/"
DISTRICT: Final = CITY + "990101/"
OTHER_DISTRICT: Final = CITY + "990102/"
TOWN: Final = DISTRICT + "990101001/"
VILLAGE: Final = TOWN + "990101001001/"
NEXT_VILLAGE: Final = TOWN + "990101001002/"
GRID: Final = VILLAGE + "990101001001G01/"
NEXT_GRID: Final = NEXT_VILLAGE + "990101001002G01/"
CELL: Final = GRID + "990101001001001/"
NEXT_CELL: Final = NEXT_GRID + "990101001002001/"

AREAS: Final = (
    ("city", CITY),
    ("district", DISTRICT),
    ("district", OTHER_DISTRICT),
    ("town", TOWN),
    ("village", VILLAGE),
    ("village", NEXT_VILLAGE),
    ("duty_grid", GRID),
    ("duty_grid", NEXT_GRID),
    ("cell", CELL),
    ("cell", NEXT_CELL),
)
WEST: Final = (113.895, 21.905)
"""A point in CELL (lon 113.89–113.90, lat 21.90–21.91)."""
EAST: Final = (113.905, 21.905)
"""A point in NEXT_CELL (lon 113.90–113.91)."""
NO_CELL: Final = (113.95, 21.95)
"""A point inside the city's reach and in no cell."""
FAR: Final = (114.3, 21.9)
"""About 41 km from the centre."""

_CELLS: Final = {
    CELL: shapely.box(113.89, 21.90, 113.90, 21.91),
    NEXT_CELL: shapely.box(113.90, 21.90, 113.91, 21.91),
}

DEVICES: Final = (
    ("WL-1", "water", CELL, *WEST),
    ("WL-2", "water", NEXT_CELL, *EAST),
    ("AQ-1", "air", CELL, *WEST),
    ("AQ-2", "air", NEXT_CELL, *EAST),
)
METRICS: Final = (("level", "water"), ("flow", "water"), ("pm25", "air"))
CAMERA: Final = "99010100001320000001"
NEXT_CAMERA: Final = "99010100001320000002"
CLASSES: Final = (("0101", "道路积水", 3, 60, False), ("0201", "井盖缺失", 2, 120, True))
UNITS: Final = (("U1", CITY, False), ("U2", CITY, False), ("U3", CITY, True))
FEEDS: Final = ("sensors", "reports")

LIMITS: Final = Limits(
    max_age=timedelta(hours=72),
    max_ahead=timedelta(minutes=5),
    max_bytes=64 * 1024,
    centre_lon=113.9,
    centre_lat=21.9,
    max_distance_m=25_000,
)
PATTERN: Final = "LL{date}{serial:05d}"
ZONE: Final = "Asia/Shanghai"

_INDEX = CellIndex([path.split("/")[-2] for path in _CELLS], list(_CELLS.values()))
_PATH_OF: Final = {path.split("/")[-2]: path for path in _CELLS}


def locate(lon: float, lat: float) -> tuple[str, str] | None:
    """(cell code, area path) of a point, or None."""
    code = _INDEX.code_at(lon, lat)
    return (code, _PATH_OF[code]) if code else None


def place_of(lon: float, lat: float) -> Place:
    """The place of a point; beyond 114° east it is outside of the city."""
    if not 113 < lon < 114:
        raise Rejected("field", f"lon={lon}: outside of the city", field="lon")
    found = locate(lon, lat)
    return Place(lon, lat, "", *found) if found else Place(lon, lat)


def light_accounts(db: Database) -> Accounts:
    """Accounts whose password hashes take a millisecond."""
    return Accounts(db, attempts=5, lock_min=15, hasher=PasswordHasher(1, 64, 1))


def units_of_work(db: Database) -> UnitsOfWork:
    """The factory of units of work over `db`."""
    return UnitsOfWork(db, Audit(db), Administration(light_accounts(db)), place_of, lambda: WORKING)


def actor(role: str, area: str = CITY, unit: str = "", login: str = "", id: int = 100) -> Actor:
    """An actor of a role and an area; not an account of the store."""
    return Actor(id, login or role, f"某{role}", role, unit, (area,) if area else ())


def fill(db: Database) -> None:
    """Put the city into an empty, migrated store."""
    with db.transaction() as cursor:
        _areas(cursor)
        facts = {
            "name": "临澜市",
            "name_en": "Linlan",
            "code": "990100",
            "path": CITY,
            "centre": [113.9, 21.9],
            "reach_km": 25.0,
            "number_pattern": PATTERN,
        }
        many(
            cursor, "INSERT INTO city (key, value) VALUES %s", [(k, json.dumps(v)) for k, v in facts.items()]
        )
        many(cursor, "INSERT INTO units (code, name, area_path, disabled) VALUES %s",
             [(code, f"单位{code}", path, disabled) for code, path, disabled in UNITS])  # fmt: skip
        many(cursor, "INSERT INTO feeds (id, name, expected_period_s) VALUES %s",
             [(feed, feed, 60.0) for feed in FEEDS])  # fmt: skip
        _things(cursor)
        _catalogue(cursor)
        accounts = light_accounts(db)
        for role in ROLES:
            unit = "U1" if role in ("unit_handler", "grid_worker") else ""
            accounts.create(
                cursor, login=role.replace("_", "-"), name=f"某{role}", role=role, unit=unit,
                areas=[GRID if role == "grid_worker" else CITY], password="correct horse 9", now=_start(cursor),
            )  # fmt: skip
        accounts.create(
            cursor, login="worker-2", name="某人", role="grid_worker", unit="U2", areas=[NEXT_GRID],
            password="correct horse 9", now=_start(cursor),
        )  # fmt: skip
        bump(cursor)


def _start(cursor: Cursor):  # type: ignore[no-untyped-def]
    cursor.execute("SELECT now()")
    return cursor.fetchone()[0]  # type: ignore[index]


def _areas(cursor: Cursor) -> None:
    for level, path in AREAS:
        *_, code = path.rstrip("/").split("/")
        parts = path.rstrip("/").split("/")
        parent = parts[-2] if len(parts) > 1 else None
        shape = shapely.to_wkb(_CELLS[path]) if path in _CELLS else None
        cursor.execute(
            "INSERT INTO areas (code, level, name, parent, path, geometry) VALUES (%s, %s, %s, %s, %s, %s)",
            (code, level, f"区域{code}", parent, path, shape),
        )


def _things(cursor: Cursor) -> None:
    many(cursor, "INSERT INTO device_types (id, name) VALUES %s", [("water", "水位计"), ("air", "空气站")])
    many(cursor, "INSERT INTO metrics (id, device_type) VALUES %s", METRICS)
    many(cursor, "INSERT INTO devices (id, type, name, area_path, cell, lon, lat, expected_period_s) VALUES %s",
         [(id, kind, f"设备{id}", path, path.split("/")[-2], lon, lat, 60.0)
          for id, kind, path, lon, lat in DEVICES])  # fmt: skip
    many(cursor, "INSERT INTO cameras (code, name, lon, lat, cell, area_path) VALUES %s",
         [(CAMERA, "西路口", *WEST, CELL.split("/")[-2], CELL),
          (NEXT_CAMERA, "东路口", *EAST, NEXT_CELL.split("/")[-2], NEXT_CELL)])  # fmt: skip


def _catalogue(cursor: Cursor) -> None:
    many(cursor, "INSERT INTO event_classes (code, kind, big_class, name, level, limit_min, clock_kind,"
         " needs_photo) VALUES %s",
         [(code, "event", "市政", name, level, limit, "urgent_hour", photo)
          for code, name, level, limit, photo in CLASSES])  # fmt: skip
    many(cursor, "INSERT INTO responsibilities (class_code, area_path, unit) VALUES %s",
         [("0101", CITY, "U1"), ("0101", NEXT_VILLAGE, "U2"), ("0201", CITY, "U2")])  # fmt: skip
    many(cursor, "INSERT INTO camera_alarm_kinds (kind, name, class_code, level) VALUES %s",
         [("flood", "积水", "0101", 2), ("cover", "井盖", "0201", 3)])  # fmt: skip
    many(cursor, "INSERT INTO warning_rules (id, device_type, metric, op, threshold, clear_threshold, for_s,"
         " level, class_code, message) VALUES %s",
         [("high-water", "water", "level", ">", 3.0, 2.5, 0.0, 2, "0101", "水位超限"),
          ("no-flow", "water", "flow", "<", 0.1, 0.2, 120.0, 4, "0101", "断流"),
          ("bad-air", "air", "pm25", ">", 150.0, 120.0, 60.0, 3, "0201", "空气污染")])  # fmt: skip
