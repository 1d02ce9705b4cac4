"""Reads the sample city's files into typed rows. Columns carry the names of the tables in data/migrations.

Every reader takes the folder of the files (default: the committed city) and yields rows in file order. Geometry is
shapely in EPSG:4326 degrees. A file with other columns raises ValueError naming it.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

FILES: Final = Path(__file__).parent / "files"
TABLES: Final = Path(__file__).parent / "tables"

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "areas": ("code", "level", "name", "name_en", "parent", "path", "lon", "lat", "area_m2", "geometry"),
    "road_nodes": ("id", "lon", "lat", "degree"),
    "road_edges": (
        "id", "from_node", "to_node", "class", "name", "name_en", "length_m", "speed_kmh", "bridge", "geometry",
    ),
    "water": ("id", "kind", "name", "name_en", "geometry"),
    "land": ("id", "kind", "name", "name_en", "geometry"),
    "units": ("code", "name", "name_en", "kind", "area_path", "lon", "lat", "phone"),
    "workers": ("login", "name", "unit", "area_paths", "lon", "lat"),
    "device_types": ("id", "name", "name_en", "icon", "period_s", "critical", "prefix"),
    "metrics": ("id", "device_type", "name", "name_en", "unit", "low", "high", "typical", "stuck_periods"),
    "devices": (
        "id", "type", "name", "unit", "area_path", "cell", "lon", "lat", "expected_period_s", "critical",
        "installed_on",
    ),
    "cameras": (
        "code", "name", "lon", "lat", "cell", "area_path", "scene", "sector", "share_range", "direction_deg",
        "view_deg", "range_m",
    ),
    "components": (
        "code", "class", "subclass", "name", "lon", "lat", "cell", "area_path", "owner_unit", "event_class",
    ),
    "places": ("name", "kind", "lon", "lat", "cell", "area_path", "road"),
    "event_classes": (
        "code", "kind", "big_class", "name", "name_en", "level", "limit_min", "clock_kind", "needs_photo",
        "closing_condition", "keywords",
    ),
    "responsibilities": ("class_code", "area_path", "unit", "reason"),
    "warning_rules": (
        "id", "version", "device_type", "metric", "op", "threshold", "clear_threshold", "for_s", "level",
        "class_code", "message", "message_en",
    ),
    "camera_alarm_kinds": ("kind", "name", "name_en", "class_code", "level"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AreaRow:
    """One area; `parent` is None for the city; `area_m2` in square metres."""

    code: str
    level: str
    name: str
    name_en: str
    parent: str | None
    path: str
    lon: float
    lat: float
    area_m2: float
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class RoadNodeRow:
    """A junction or end of the road graph, with the number of edges there."""

    id: str
    lon: float
    lat: float
    degree: int


@dataclass(frozen=True, slots=True)
class RoadEdgeRow:
    """A two-way road edge; `road_class` is arterial 主干路, secondary 次干路 or local 支路."""

    id: str
    from_node: str
    to_node: str
    road_class: str
    name: str
    name_en: str
    length_m: float
    speed_kmh: float
    bridge: bool
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class SurfaceRow:
    """A water body (river, tributary, reservoir, lake) or a piece of land (mainland, island)."""

    id: str
    kind: str
    name: str
    name_en: str
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A responsible unit; the phone is fictional."""

    code: str
    name: str
    name_en: str
    kind: str
    area_path: str
    lon: float
    lat: float
    phone: str


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A grid worker: the duty grids served (area paths) and the home position."""

    login: str
    name: str
    unit: str
    area_paths: tuple[str, ...]
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class DeviceTypeRow:
    """A kind of device; `prefix` begins the ids of its devices."""

    id: str
    name: str
    name_en: str
    icon: str
    period_s: float
    critical: bool
    prefix: str


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A measured quantity: unit, what a sound device can report (low..high), an ordinary value (typical), and after how
    many periods with the very same value it is stuck (None: it may stand still)."""

    id: str
    device_type: str
    name: str
    name_en: str
    unit: str
    low: float
    high: float
    typical: float
    stuck_periods: int | None


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device of the Internet of Things."""

    id: str
    type: str
    name: str
    unit: str
    area_path: str
    cell: str
    lon: float
    lat: float
    expected_period_s: float
    critical: bool
    installed_on: date


@dataclass(frozen=True, slots=True)
class CameraRow:
    """A camera; the code has 20 digits in the style of GB/T 28181; direction is clockwise from north."""

    code: str
    name: str
    lon: float
    lat: float
    cell: str
    area_path: str
    scene: str
    sector: str
    share_range: str
    direction_deg: float
    view_deg: float
    range_m: float


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """A component 部件 with a 16-digit code; `component_class` is one of the five classes."""

    code: str
    component_class: str
    subclass: str
    name: str
    lon: float
    lat: float
    cell: str
    area_path: str
    owner_unit: str
    event_class: str


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A named place for sentences; `road` is the street it lies on."""

    name: str
    kind: str
    lon: float
    lat: float
    cell: str
    area_path: str
    road: str


@dataclass(frozen=True, slots=True)
class EventClassRow:
    """An event class 小类: level 1 (worst) to 4, limit in continuous minutes, keywords separated by spaces."""

    code: str
    kind: str
    big_class: str
    name: str
    name_en: str
    level: int
    limit_min: int
    clock_kind: str
    needs_photo: bool
    closing_condition: str
    keywords: str


@dataclass(frozen=True, slots=True)
class ResponsibilityRow:
    """Class × area → unit; the longest path that begins a cell's path wins."""

    class_code: str
    area_path: str
    unit: str
    reason: str


@dataclass(frozen=True, slots=True)
class WarningRuleRow:
    """A threshold rule with hysteresis."""

    id: str
    version: int
    device_type: str
    metric: str
    op: str
    threshold: float
    clear_threshold: float
    for_s: float
    level: int
    class_code: str
    message: str
    message_en: str


@dataclass(frozen=True, slots=True)
class CameraAlarmKindRow:
    """What a camera can raise."""

    kind: str
    name: str
    name_en: str
    class_code: str
    level: int


def rows(name: str, files: Path = FILES) -> Iterator[dict[str, str]]:
    """The rows of file `name` as text. ValueError when its columns are not COLUMNS[name]."""
    csv.field_size_limit(16_000_000)
    with gzip.open(files / f"{name}.csv.gz", "rb") as packed:
        reader = csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8", newline=""), strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS[name]:
            raise ValueError(f"{name}.csv.gz: columns {reader.fieldnames} must be {list(COLUMNS[name])}")
        yield from reader


def read_areas(files: Path = FILES) -> Iterator[AreaRow]:
    """All areas, the city first, parents before children."""
    for r in rows("areas", files):
        yield AreaRow(
            r["code"], r["level"], r["name"], r["name_en"], r["parent"] or None, r["path"], float(r["lon"]),
            float(r["lat"]), float(r["area_m2"]), shapely.from_geojson(r["geometry"]),
        )  # fmt: skip


def read_road_nodes(files: Path = FILES) -> Iterator[RoadNodeRow]:
    """Nodes of the road graph."""
    for r in rows("road_nodes", files):
        yield RoadNodeRow(r["id"], float(r["lon"]), float(r["lat"]), int(r["degree"]))


def read_road_edges(files: Path = FILES) -> Iterator[RoadEdgeRow]:
    """Edges of the road graph."""
    for r in rows("road_edges", files):
        yield RoadEdgeRow(
            r["id"], r["from_node"], r["to_node"], r["class"], r["name"], r["name_en"], float(r["length_m"]),
            float(r["speed_kmh"]), r["bridge"] == "1", shapely.from_geojson(r["geometry"]),
        )  # fmt: skip


def read_water(files: Path = FILES) -> Iterator[SurfaceRow]:
    """Water bodies."""
    return _surfaces("water", files)


def read_land(files: Path = FILES) -> Iterator[SurfaceRow]:
    """Mainland first, then islands."""
    return _surfaces("land", files)


def _surfaces(name: str, files: Path) -> Iterator[SurfaceRow]:
    for r in rows(name, files):
        yield SurfaceRow(r["id"], r["kind"], r["name"], r["name_en"], shapely.from_geojson(r["geometry"]))


def read_units(files: Path = FILES) -> Iterator[UnitRow]:
    """Responsible units."""
    for r in rows("units", files):
        yield UnitRow(
            r["code"],
            r["name"],
            r["name_en"],
            r["kind"],
            r["area_path"],
            float(r["lon"]),
            float(r["lat"]),
            r["phone"],
        )


def read_workers(files: Path = FILES) -> Iterator[WorkerRow]:
    """Grid workers."""
    for r in rows("workers", files):
        paths = tuple(r["area_paths"].split(";"))
        yield WorkerRow(r["login"], r["name"], r["unit"], paths, float(r["lon"]), float(r["lat"]))


def read_device_types(files: Path = FILES) -> Iterator[DeviceTypeRow]:
    """Kinds of device."""
    for r in rows("device_types", files):
        yield DeviceTypeRow(
            r["id"],
            r["name"],
            r["name_en"],
            r["icon"],
            float(r["period_s"]),
            r["critical"] == "1",
            r["prefix"],
        )


def read_metrics(files: Path = FILES) -> Iterator[MetricRow]:
    """Measured quantities of the device kinds."""
    for r in rows("metrics", files):
        yield MetricRow(
            r["id"], r["device_type"], r["name"], r["name_en"], r["unit"], float(r["low"]), float(r["high"]),
            float(r["typical"]), int(r["stuck_periods"]) if r["stuck_periods"] else None,
        )  # fmt: skip


def read_devices(files: Path = FILES) -> Iterator[DeviceRow]:
    """Devices."""
    for r in rows("devices", files):
        yield DeviceRow(
            r["id"], r["type"], r["name"], r["unit"], r["area_path"], r["cell"], float(r["lon"]), float(r["lat"]),
            float(r["expected_period_s"]), r["critical"] == "1", date.fromisoformat(r["installed_on"]),
        )  # fmt: skip


def read_cameras(files: Path = FILES) -> Iterator[CameraRow]:
    """Cameras."""
    for r in rows("cameras", files):
        yield CameraRow(
            r["code"], r["name"], float(r["lon"]), float(r["lat"]), r["cell"], r["area_path"], r["scene"], r["sector"],
            r["share_range"], float(r["direction_deg"]), float(r["view_deg"]), float(r["range_m"]),
        )  # fmt: skip


def read_components(files: Path = FILES) -> Iterator[ComponentRow]:
    """Components 部件."""
    for r in rows("components", files):
        yield ComponentRow(
            r["code"], r["class"], r["subclass"], r["name"], float(r["lon"]), float(r["lat"]), r["cell"],
            r["area_path"], r["owner_unit"], r["event_class"],
        )  # fmt: skip


def read_places(files: Path = FILES) -> Iterator[PlaceRow]:
    """Named places."""
    for r in rows("places", files):
        yield PlaceRow(
            r["name"], r["kind"], float(r["lon"]), float(r["lat"]), r["cell"], r["area_path"], r["road"]
        )


def read_event_classes(files: Path = FILES) -> Iterator[EventClassRow]:
    """Event classes."""
    for r in rows("event_classes", files):
        yield EventClassRow(
            r["code"], r["kind"], r["big_class"], r["name"], r["name_en"], int(r["level"]), int(r["limit_min"]),
            r["clock_kind"], r["needs_photo"] == "1", r["closing_condition"], r["keywords"],
        )  # fmt: skip


def read_standards() -> Iterator[dict[str, str]]:
    """The sample city's rule sheet, written by hand: when a class is filed, who may answer, within which time."""
    with (TABLES / "standards.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, strict=True)


def read_unit_roles() -> Iterator[dict[str, str]]:
    """Words of rule sheets → the kind of unit that they mean here (role, unit_kind, road_class), written by hand."""
    with (TABLES / "unit_roles.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, strict=True)


def read_responsibilities(files: Path = FILES) -> Iterator[ResponsibilityRow]:
    """Class × area → unit."""
    for r in rows("responsibilities", files):
        yield ResponsibilityRow(r["class_code"], r["area_path"], r["unit"], r["reason"])


def read_warning_rules(files: Path = FILES) -> Iterator[WarningRuleRow]:
    """Threshold rules."""
    for r in rows("warning_rules", files):
        yield WarningRuleRow(
            r["id"], int(r["version"]), r["device_type"], r["metric"], r["op"], float(r["threshold"]),
            float(r["clear_threshold"]), float(r["for_s"]), int(r["level"]), r["class_code"], r["message"],
            r["message_en"],
        )  # fmt: skip


def read_camera_alarm_kinds(files: Path = FILES) -> Iterator[CameraAlarmKindRow]:
    """What cameras can raise."""
    for r in rows("camera_alarm_kinds", files):
        yield CameraAlarmKindRow(r["kind"], r["name"], r["name_en"], r["class_code"], int(r["level"]))
