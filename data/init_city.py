"""`app.py init`: a real city starts empty (a name, one administrator); `init --sample` loads the sample city.

Both do nothing, and say so, when the store already holds a city. First passwords are handed to `keep` as the last
thing before the commit: a city whose passwords nobody can read cannot come to be, whatever ends the process.
"""

from __future__ import annotations

import csv
import io
import math
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import shapely
from shapely.geometry.base import BaseGeometry

from data.accounts import Accounts
from data.database import Cursor, Database, json, many
from data.init_poles import load_poles
from data.init_roles import load_roles
from data.init_standards import load_standards
from data.locks import Lock
from data.registry import bump
from data.sample_city import read_city
from data.sample_city.buildings import make_buildings
from data.sample_city.house_numbers import Streets, addresses
from data.sessions import token_hash
from gis.cells import CellIndex, haversine_m
from incidents.address_book import Address
from incidents.areas import LEVELS
from incidents.numbering import DEFAULT_PATTERN, BadPattern, check_pattern
from incidents.video import SAMPLE_URL

SAMPLE_ACCOUNTS: Final = (
    ("operator", "坐席 林晓", "operator", ""),
    ("dispatcher", "派遣员 周宁", "dispatcher", ""),
    ("leader", "值班领导 陈致远", "duty_leader", ""),
    ("evaluator", "考评员 何静", "evaluator", ""),
    ("themes", "专题负责人 许牧", "theme_owner", ""),
    ("admin", "管理员 方维", "administrator", ""),
    ("auditor", "审计员 沈明", "auditor", ""),
    ("wall", "指挥大厅大屏", "wall", ""),
)
"""Sample accounts of the whole city; unit handlers and grid workers come from the units and workers files."""

SAMPLE_FEEDS: Final = (
    ("simulation", "演示数据源", ["city.reading.v1", "city.reading-critical.v1", "city.video-alarm.v1",
                            "city.grid-report.v1", "city.position.v1"], 5.0, True),
)  # fmt: skip

OWN_FEEDS: Final = (
    ("phone", "移动端位置", ["city.position.v1"], None),
    ("api", "接口接入", ["city.reading.v1", "city.reading-critical.v1", "city.video-alarm.v1",
                     "city.grid-report.v1", "city.enforcement-case.v1"], None),
)  # fmt: skip
"""Feeds every city has: phones' positions, and one for trying the HTTP interface."""

_KINDS: Final = Path(__file__).with_name("camera_kinds.csv")


@dataclass(frozen=True, slots=True)
class Made:
    """What init made: first passwords by login, feed tokens by feed."""

    passwords: dict[str, str]
    tokens: dict[str, str]


@dataclass(frozen=True, slots=True)
class NewCity:
    """A city to be made: its centre in degrees EPSG:4326, and how far it reaches from there, in km."""

    name: str
    name_en: str
    code: str
    lon: float
    lat: float
    reach_km: float = 25.0
    number_pattern: str = DEFAULT_PATTERN


class BadCity(ValueError):
    """A city that cannot be made; the text names field, value and rule."""


def _copy(cursor: Cursor, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    def text(value: Any) -> str:
        if value is None:
            return "\\N"
        if isinstance(value, bool):
            return "t" if value else "f"
        if isinstance(value, bytes):
            return "\\\\x" + value.hex()
        return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")

    lines = io.StringIO("".join("\t".join(map(text, row)) + "\n" for row in rows))
    cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", lines)


def init_empty(
    database: Database, accounts: Accounts, city: NewCity, now: datetime, keep: Callable[[Made], object]
) -> Made | None:
    """A city with a name, a code and an administrator; None when there is a city already.

    `keep` puts the passwords where they can be read, before anything is committed. Raises BadCity.
    """
    check_city(city)
    code, name = city.code, city.name
    with database.transaction() as cursor:
        if not _alone(cursor):
            return None
        cursor.execute(
            "INSERT INTO areas (code, level, name, name_en, path, lon, lat)"
            " VALUES (%s, 'city', %s, %s, %s, %s, %s)",
            (code, name, city.name_en, f"{code}/", city.lon, city.lat),
        )
        _city(cursor, city)
        password = accounts.create(
            cursor, login="admin", name="管理员", role="administrator", unit="", areas=[f"{code}/"], now=now
        )
        _load_kinds(cursor)
        tokens = {
            feed: _feed(cursor, feed, title, topics, period, False)
            for feed, title, topics, period in OWN_FEEDS
        }
        bump(cursor)
        made = Made({"admin": password}, tokens)
        keep(made)
    return made


def check_city(city: NewCity) -> None:
    """Raise BadCity with the field, its value and the rule it breaks."""
    for option, value in (("name", city.name), ("name-en", city.name_en)):
        if not value.strip() or len(value) > 60 or not value.isprintable():
            raise BadCity(f"--{option}={value!r}: must be 1 to 60 characters")
    if not re.fullmatch(r"[1-9][0-9]{5}", city.code):
        raise BadCity(f"--code={city.code!r}: must be the six digits of the city's division code")
    # NaN compares false with everything, so it is refused too.
    if not -180 <= city.lon <= 180:
        raise BadCity(f"--lon={city.lon}: must be degrees from -180 to 180 (EPSG:4326)")
    if not -85 <= city.lat <= 85:
        raise BadCity(f"--lat={city.lat}: must be degrees from -85 to 85 (EPSG:4326)")
    if not 1 <= city.reach_km <= 500:
        raise BadCity(f"--reach-km={city.reach_km:g}: must be 1 to 500 kilometres")
    try:
        check_pattern(city.number_pattern)
    except BadPattern as error:
        raise BadCity(str(error).replace("number_pattern", "--number-pattern", 1)) from None


SAMPLE_CENTRE: Final = (113.9, 21.9)
"""Degrees EPSG:4326."""
MARGIN_KM: Final = 1.0
"""Beyond the outline: a phone at its edge is some metres off, and a bridge goes a little further."""


def reach_of(outline: BaseGeometry, lon: float, lat: float) -> float:
    """How far a city reaches from a centre (degrees EPSG:4326), whole kilometres: around its whole outline, and the margin."""
    corners = shapely.get_coordinates(outline)
    return float(math.ceil(haversine_m(lon, lat, corners[:, 0], corners[:, 1]).max() / 1000 + MARGIN_KM))


def _alone(cursor: Cursor) -> bool:
    """True when no city is set up; held until the end, so that of two inits at once one makes a city."""
    cursor.execute("SET LOCAL lock_timeout = 0")  # another process fills the city: as long as that takes
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.CITY,))
    cursor.execute("SELECT count(*) FROM city")
    return cursor.fetchone() == (0,)


def _city(cursor: Cursor, city: NewCity) -> None:
    facts = {
        "name": city.name,
        "name_en": city.name_en,
        "code": city.code,
        "path": f"{city.code}/",
        "centre": [city.lon, city.lat],
        "reach_km": city.reach_km,
        "number_pattern": city.number_pattern,
    }
    many(
        cursor,
        "INSERT INTO city (key, value) VALUES %s",
        [(key, json(value)) for key, value in facts.items()],
    )


def _feed(
    cursor: Cursor, feed: str, name: str, topics: Sequence[str], period: float | None, demo: bool
) -> str:
    token = secrets.token_urlsafe(24)
    cursor.execute(
        "INSERT INTO feeds (id, name, owner, protocol, topics, token_hash, expected_period_s, demo)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (feed, name, "城市运行中心", "http/kafka", list(topics), token_hash(token), period, demo),
    )
    return token


def init_sample(
    database: Database,
    accounts: Accounts,
    now: datetime,
    keep: Callable[[Made], object] = lambda made: None,
    files: Path = read_city.FILES,
) -> Made | None:
    """The sample city; None when there is a city already. `keep`: see `init_empty`."""
    with database.transaction() as cursor:
        if not _alone(cursor):
            return None
        areas = sorted(read_city.read_areas(files), key=lambda a: (LEVELS.index(a.level), a.code))
        _copy(
            cursor, "areas",
            ("code", "level", "name", "name_en", "parent", "path", "lon", "lat", "area_m2", "geometry"),
            ((a.code, a.level, a.name, a.name_en, a.parent, a.path, a.lon, a.lat, a.area_m2,
              shapely.to_wkb(a.geometry)) for a in areas),
        )  # fmt: skip
        city = areas[0]
        lon, lat = SAMPLE_CENTRE
        reach_km = reach_of(city.geometry, lon, lat)
        _city(cursor, NewCity(city.name, city.name_en, city.code, lon, lat, reach_km))
        _copy(
            cursor, "units", ("code", "name", "name_en", "kind", "area_path", "lon", "lat", "phone"),
            ((u.code, u.name, u.name_en, u.kind, u.area_path, u.lon, u.lat, u.phone)
             for u in read_city.read_units(files)),
        )  # fmt: skip
        _load_devices(cursor, files)
        _entrust_devices(cursor, now)
        _load_map(cursor, files)
        _load_catalogue(cursor, files)
        load_standards(cursor, now)
        load_roles(cursor, files)
        _load_kinds(cursor)
        load_poles(cursor, now)
        made = _load_people(cursor, accounts, city.path, now, files)
        for feed, name, topics, period, demo in SAMPLE_FEEDS:
            made.tokens[feed] = _feed(cursor, feed, name, topics, period, demo)
        for feed, name, topics, own in OWN_FEEDS:
            made.tokens[feed] = _feed(cursor, feed, name, topics, own, False)
        bump(cursor)
        keep(made)
    database.query("ANALYZE")
    return made


def _load_devices(cursor: Cursor, files: Path) -> None:
    _copy(
        cursor, "device_types", ("id", "name", "name_en", "icon", "period_s"),
        ((t.id, t.name, t.name_en, t.icon, t.period_s) for t in read_city.read_device_types(files)),
    )  # fmt: skip
    _copy(
        cursor, "metrics", ("id", "device_type", "name", "name_en", "unit", "low", "high", "stuck_periods"),
        ((m.id, m.device_type, m.name, m.name_en, m.unit, m.low, m.high, m.stuck_periods)
         for m in read_city.read_metrics(files)),
    )  # fmt: skip
    _copy(
        cursor, "devices",
        ("id", "type", "name", "unit", "area_path", "cell", "lon", "lat", "expected_period_s", "critical",
         "installed_on"),
        ((d.id, d.type, d.name, d.unit, d.area_path, d.cell, d.lon, d.lat, d.expected_period_s, d.critical,
          d.installed_on) for d in read_city.read_devices(files)),
    )  # fmt: skip
    _copy(
        cursor, "cameras",
        ("code", "name", "lon", "lat", "cell", "area_path", "scene", "sector", "share_range", "direction_deg",
         "view_deg", "range_m", "picture_state", "hls_url"),
        ((c.code, c.name, c.lon, c.lat, c.cell, c.area_path, c.scene, c.sector, c.share_range, c.direction_deg,
          c.view_deg, c.range_m, "good", SAMPLE_URL) for c in read_city.read_cameras(files)),
    )  # fmt: skip


def _entrust_devices(cursor: Cursor, now: datetime) -> None:
    """The sample's devices are owned by the unit that answers for them and calibrated every year on the day of their
    installation; one in fifty was forgotten last year."""
    cursor.execute(
        "UPDATE devices d SET owner = u.name, calibration_due = (d.installed_on + make_interval(years =>"
        " extract(year FROM age(%(today)s::date, d.installed_on))::int + CASE WHEN d.no %% 50 = 0 THEN 0 ELSE 1 END))::date"
        " FROM units u WHERE u.code = d.unit AND d.installed_on <= %(today)s::date",
        {"today": now.date()},
    )


def _load_map(cursor: Cursor, files: Path) -> None:
    _copy(
        cursor, "components",
        ("code", "class", "subclass", "name", "lon", "lat", "cell", "area_path", "owner_unit", "event_class"),
        ((c.code, c.component_class, c.subclass, c.name, c.lon, c.lat, c.cell, c.area_path, c.owner_unit, c.event_class)
         for c in read_city.read_components(files)),
    )  # fmt: skip
    _copy(
        cursor, "places", ("name", "kind", "lon", "lat", "cell", "area_path", "road"),
        ((p.name, p.kind, p.lon, p.lat, p.cell, p.area_path, p.road) for p in read_city.read_places(files)),
    )  # fmt: skip
    book = _load_addresses(cursor, files)
    features: list[tuple[str, str, str, dict[str, Any], Any]] = []
    for surface in read_city.read_land(files):
        features.append(("land", surface.name, surface.name_en, {"kind": surface.kind}, surface.geometry))
    for surface in read_city.read_water(files):
        features.append(("water", surface.name, surface.name_en, {"kind": surface.kind}, surface.geometry))
    for road in read_city.read_road_edges(files):
        properties = {
            "id": road.id, "class": road.road_class, "from": road.from_node, "to": road.to_node,
            "length_m": road.length_m, "speed_kmh": road.speed_kmh, "bridge": road.bridge,
        }  # fmt: skip
        features.append(("roads", road.name, road.name_en, properties, road.geometry))
    for building in make_buildings(
        book, read_city.read_places(files), read_city.read_road_edges(files), read_city.read_water(files)
    ):
        properties = {
            "code": building.code, "use": building.use, "floors": building.floors, "height_m": building.height_m,
            "area": building.area, "address": building.address,
        }  # fmt: skip
        features.append(("buildings", building.name, building.name, properties, building.footprint))
    many(
        cursor,
        "INSERT INTO map_features (layer, name, name_en, properties, geometry) VALUES %s",
        [
            (layer, name, en, json(properties), shapely.to_wkb(g))
            for layer, name, en, properties, g in features
        ],
    )


def _load_addresses(cursor: Cursor, files: Path) -> list[Address]:
    areas = list(read_city.read_areas(files))
    cells = [area for area in areas if area.level == "cell"]
    found = list(addresses(
        Streets(read_city.read_road_edges(files)), read_city.read_places(files), areas,
        CellIndex([cell.code for cell in cells], [cell.geometry for cell in cells]), {cell.code: cell.path for cell in cells},
    ))  # fmt: skip
    _copy(
        cursor, "addresses", ("kind", "name", "number", "other", "lon", "lat", "cell", "area_path"),
        ((a.kind, a.name, a.number, a.other, a.lon, a.lat, cell, a.area) for a, cell in found),
    )  # fmt: skip
    return [address for address, _ in found]


def _load_catalogue(cursor: Cursor, files: Path) -> None:
    _copy(
        cursor, "event_classes",
        ("code", "version", "kind", "big_class", "name", "name_en", "level", "limit_min", "clock_kind",
         "needs_photo", "closing_condition", "keywords"),
        ((e.code, 1, e.kind, e.big_class, e.name, e.name_en, e.level, e.limit_min, e.clock_kind, e.needs_photo,
          e.closing_condition, e.keywords) for e in read_city.read_event_classes(files)),
    )  # fmt: skip
    _copy(
        cursor, "responsibilities", ("class_code", "area_path", "unit", "reason"),
        ((r.class_code, r.area_path, r.unit, r.reason) for r in read_city.read_responsibilities(files)),
    )  # fmt: skip
    _copy(
        cursor, "warning_rules",
        ("id", "version", "device_type", "metric", "op", "threshold", "clear_threshold", "for_s", "level",
         "class_code", "message", "message_en"),
        ((r.id, r.version, r.device_type, r.metric, r.op, r.threshold, r.clear_threshold, r.for_s, r.level,
          r.class_code, r.message, r.message_en) for r in read_city.read_warning_rules(files)),
    )  # fmt: skip
    _copy(
        cursor, "camera_alarm_kinds", ("kind", "name", "name_en", "class_code", "level"),
        ((k.kind, k.name, k.name_en, k.class_code, k.level) for k in read_city.read_camera_alarm_kinds(files)),
    )  # fmt: skip


def _load_kinds(cursor: Cursor) -> None:
    """Kinds of alarm that cameras of any maker may send; a city gives them a class where it wants one."""
    with _KINDS.open(encoding="utf-8", newline="") as file:
        rows = [
            (r["kind"], r["name"], r["name_en"], "", r["level"], r["files"] == "1")
            for r in csv.DictReader(file)
        ]
    _copy(cursor, "camera_alarm_kinds", ("kind", "name", "name_en", "class_code", "level", "files"), rows)


def _load_people(cursor: Cursor, accounts: Accounts, city: str, now: datetime, files: Path) -> Made:
    """City accounts, a handler of each unit, every grid worker: each with a first password of its own."""
    passwords: dict[str, str] = {}

    def account(login: str, name: str, role: str, unit: str, areas: Sequence[str]) -> None:
        passwords[login] = accounts.create(
            cursor, login=login, name=name, role=role, unit=unit, areas=areas, now=now
        )

    for login, name, role, unit in SAMPLE_ACCOUNTS:
        account(login, name, role, unit, [city])
    cursor.execute("SELECT code, name, area_path FROM units ORDER BY code")
    for code, name, path in cursor.fetchall():
        account(f"unit-{code.lower()}", f"{name}值班员", "unit_handler", code, [path])
    workers = list(read_city.read_workers(files))
    for worker in workers:
        account(worker.login, worker.name, "grid_worker", worker.unit, worker.area_paths)
    many(
        cursor,
        "UPDATE workers w SET lon = v.lon, lat = v.lat FROM (VALUES %s) AS v(login, lon, lat)"
        " WHERE w.login = v.login",
        [(w.login, w.lon, w.lat) for w in workers],
    )
    return Made(passwords, {})
