"""Which column of a recording means what: by its header, or as the user says.

Roles: time, device, lon, lat, category, address, title, text, name, phone; for sensors every further column of
numbers is a metric, and a column of compass points (N, NNE …) is one in degrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streams.feed.recording import MISSING, BadRow, RecordingError, Row

SENSOR, GRID_REPORT, HOTLINE = "sensor", "grid-report", "hotline"
KINDS = (SENSOR, GRID_REPORT, HOTLINE)

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "time": (
        "time",
        "timestamp",
        "datetime",
        "date_time",
        "first_seen_at_timestamp",
        "requested_datetime",
        "created_at",
        "created",
        "date",
        "留言时间",
        "上报时间",
        "受理时间",
        "来电时间",
        "时间",
        "日期",
    ),
    "device": ("device", "device_id", "station", "sensor", "sensor_id", "site", "设备编号", "设备", "站点"),
    "lon": ("lon", "lng", "long", "longitude", "经度"),
    "lat": ("lat", "latitude", "纬度"),
    "category": (
        "category",
        "service_name",
        "type",
        "class",
        "label",
        "一级标签",
        "一级分类",
        "类别",
        "事件类型",
    ),
    "address": ("address", "location", "address_string", "地址", "位置", "事发地址"),
    "title": ("title", "subject", "留言主题", "标题", "主题"),
    "text": ("text", "description", "content", "message", "body", "留言详情", "内容", "详情", "描述"),
    "name": ("name", "caller", "reporter", "姓名", "来电人"),
    "phone": ("phone", "telephone", "电话", "联系电话"),
}
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_ROW_NAMES = frozenset({"", "no", "id", "index", "row", "序号", "编号", "留言编号"})
_ROLES: Mapping[str, tuple[str, ...]] = {
    SENSOR: ("time", "device"),
    GRID_REPORT: ("time", "category", "address", "title", "text", "lon", "lat", "name", "phone"),
    HOTLINE: ("time", "category", "address", "title", "text", "name", "phone"),
}
COMPASS: Mapping[str, float] = {
    point: 22.5 * i
    for i, point in enumerate(
        ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]
    )
}
"""Where the wind comes from, in degrees clockwise from north."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A column that gives readings: its index, its name in the file, the metric id, and whether compass."""

    index: int
    column: str
    id: str
    compass: bool


@dataclass(frozen=True, slots=True)
class Columns:
    """The meaning found: index per role, date parts when there is no time column, metrics, and the rest."""

    roles: Mapping[str, int]
    parts: tuple[int, ...]
    metrics: tuple[Metric, ...]
    ignored: tuple[str, ...]


def parse_overrides(text: str) -> dict[str, str]:
    """`name=column,name=column` as a dict. Raises RecordingError naming the part that is no pair."""
    pairs = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, mark, column = part.partition("=")
        if not mark or not name.strip() or not column.strip():
            raise RecordingError(f"--columns {part!r}: must be name=column")
        pairs[name.strip()] = column.strip()
    return pairs


def metric_id(column: str) -> str:
    """A metric id from a column name: 'PM2.5' → 'pm25', 'Wind speed (m/s)' → 'wind_speed_m_s'."""
    return re.sub(r"\W+", "_", column.replace(".", "").lower()).strip("_") or "value"


def number(cell: str) -> float:
    """The finite number a cell holds. Raises ValueError."""
    value = float(cell)
    if value - value != 0.0 or "_" in cell:
        raise ValueError(f"{cell!r} is not a finite number")
    return value


def _find_roles(kind: str, header: tuple[str, ...], overrides: Mapping[str, str]) -> dict[str, int]:
    known = _ROLES[kind]
    lower = [name.lower() for name in header]
    roles: dict[str, int] = {}
    for role, column in overrides.items():
        if kind != SENSOR and role not in known:
            raise RecordingError(f"--columns {role}={column}: {kind} knows {', '.join(known)}")
        if column.lower() not in lower:
            raise RecordingError(
                f"--columns {role}={column}: no such column; the file has {', '.join(header)}"
            )
        if role in known:
            roles[role] = lower.index(column.lower())
    for role in known:
        if role in roles:
            continue
        for name in _SYNONYMS[role]:
            if name in lower and lower.index(name) not in roles.values():
                roles[role] = lower.index(name)
                break
    return roles


def _metric(index: int, column: str, name: str, cells: Iterable[str]) -> Metric | None:
    numbers = points = 0
    others = 0
    for cell in cells:
        try:
            number(cell)
            numbers += 1
        except ValueError:
            if cell.lower() in MISSING:
                continue
            if cell in COMPASS:
                points += 1
            else:
                others += 1
    if numbers > max(others, points):
        return Metric(index, column, name or metric_id(column), False)
    if points and not numbers and not others:
        return Metric(index, column, name or metric_id(column) + "_deg", True)
    return None


def find_columns(
    kind: str, header: tuple[str, ...], sample: Iterable[Row | BadRow], overrides: Mapping[str, str]
) -> Columns:
    """The meaning of the columns of a recording of `kind`; `sample` are rows from which numbers are known.

    Raises RecordingError naming the role that no column fills.
    """
    roles = _find_roles(kind, header, overrides)
    lower = [name.lower() for name in header]
    parts: tuple[int, ...] = ()
    if "time" not in roles:
        if not all(p in lower for p in _PARTS[:3]):
            raise RecordingError(
                f"no column for the time among {', '.join(header)}: say --columns time=<column>"
            )
        parts = tuple(lower.index(p) for p in _PARTS if p in lower)
    used = {*roles.values(), *parts}
    metrics: list[Metric] = []
    if kind == SENSOR:
        wanted = {column.lower(): name for name, column in overrides.items() if name not in _ROLES[SENSOR]}
        cells = [row.cells for row in sample if isinstance(row, Row)]
        for i, column in enumerate(header):
            if i in used or (lower[i] not in wanted if wanted else lower[i] in _ROW_NAMES):
                continue
            metric = _metric(i, column, wanted.get(lower[i], ""), (c[i].strip() for c in cells))
            if metric is not None:
                metrics.append(metric)
                used.add(i)
        if not metrics:
            raise RecordingError(f"no column of numbers among {', '.join(header)}: a sensor needs one")
        if len({m.id for m in metrics}) < len(metrics):
            raise RecordingError(f"two columns give the same metric: {', '.join(m.id for m in metrics)}")
    elif not {"text", "title", "category"} & roles.keys():
        raise RecordingError(f"no column for the text among {', '.join(header)}: say --columns text=<column>")
    if kind == GRID_REPORT and ("lon" in roles) != ("lat" in roles):
        raise RecordingError("one of longitude and latitude has no column: say --columns lon=…,lat=…")
    return Columns(roles, parts, tuple(metrics), tuple(h for i, h in enumerate(header) if i not in used))
