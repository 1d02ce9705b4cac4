"""Camera files in bulk from CSV or XLSX: every row is previewed with what is wrong with it; nothing is stored until the
same file is confirmed.

CSV in UTF-8 or GBK, separated by comma, semicolon or tab; XLSX: the first sheet, without merged cells. The first row
names the columns, in Chinese or English, in any order (COLUMNS).
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from data.audit import Audit
from data.cameras import ALARM_TOPIC, check_names, store
from data.database import Cursor, Database
from data.divisions import divisions_of
from data.registry import bump
from gis.crs import TO_WGS84, to_wgs84
from incidents.gb28181 import BadCode, parse
from incidents.model import Place, Rejected
from incidents.video import CameraFile, Fault, faults

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "code": ("监控点位编码", "编码", "国标编码"),
    "name": ("名称", "点位名称"),
    "lon": ("经度",),
    "lat": ("纬度",),
    "crs": ("坐标系",),
    "scene": ("应用场景", "场景"),
    "sector": ("行业属性", "行业"),
    "unit": ("责任单位", "所属单位"),
    "share_range": ("共享范围",),
    "share_units": ("共享单位",),
    "share_areas": ("共享区域",),
    "direction_deg": ("朝向", "朝向角"),
    "view_deg": ("视场角",),
    "range_m": ("视距", "可视距离"),
    "platform": ("平台", "所属平台"),
    "gb_channel": ("国标通道",),
    "hls_url": ("HLS地址",),
    "webrtc_url": ("WebRTC地址",),
    "picture_state": ("图像质量",),
    "status": ("状态",),
}
"""Field → what its column may also be called. Lists (share_units, share_areas) are separated by ; or 、."""
REQUIRED: Final = ("code", "name", "lon", "lat")
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "share_range": {"公安": "public_security", "区县": "district", "政务": "government", "不共享": ""},
    "picture_state": {"未知": "unknown", "正常": "good", "模糊": "blurred", "遮挡": "blocked", "偏移": "displaced",
                      "丢失": "lost"},
    "status": {"在用": "in_use", "维修": "repair", "停用": "retired"},
}  # fmt: skip
_NUMBERS: Final = ("lon", "lat", "direction_deg", "view_deg", "range_m")
_OPTIONAL_NUMBERS: Final = ("direction_deg", "view_deg", "range_m")
_LISTS: Final = ("share_units", "share_areas")
MOST_ROWS: Final = 100_000
MAX_BYTES: Final = 64 * 1024 * 1024

PlaceOf = Callable[[float, float], Place]


class BadTable(ValueError):
    """A file that is no table of cameras; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the preview. `state`: new | changed | same | wrong; `notes`: parts of the code nobody knows."""

    number: int
    code: str
    name: str
    state: str
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would do."""

    rows: tuple[Row, ...]
    files: tuple[tuple[CameraFile, Place], ...] = field(repr=False)

    def count(self, state: str) -> int:
        """Rows of this state."""
        return sum(row.state == state for row in self.rows)


def read_table(name: str, content: bytes) -> list[tuple[int, dict[str, str]]]:
    """(line number, field → text) of every row that is not blank. Raises BadTable."""
    if len(content) > MAX_BYTES:
        raise BadTable(f"{name}: {len(content)} bytes, at most {MAX_BYTES}")
    lines = _xlsx(name, content) if name.lower().endswith(".xlsx") else _csv(name, content)
    header = next(lines, None)
    if header is None:
        raise BadTable(f"{name}: is empty")
    fields = _fields(name, header[1])
    found = []
    for number, cells in lines:
        # A line that ends early has its last cells empty: each is then a fault of its own.
        row = {title: cells[n].strip() if n < len(cells) else "" for n, title in fields.items()}
        if any(row.values()):
            found.append((number, row))
        if len(found) > MOST_ROWS:
            raise BadTable(f"{name}: more than {MOST_ROWS} rows; split the file")
    return found


def _fields(name: str, header: Sequence[str]) -> dict[int, str]:
    known = {alias.casefold(): f for f, aliases in COLUMNS.items() for alias in (f, *aliases)}
    fields: dict[int, str] = {}
    for n, title in enumerate(header):
        found = known.get(title.strip().casefold())
        if found is None:
            if title.strip():
                raise BadTable(f"{name}: column {title.strip()!r}: is none of {', '.join(COLUMNS)}")
            continue
        if found in fields.values():
            raise BadTable(f"{name}: column {title.strip()!r}: {found} is there twice")
        fields[n] = found
    for wanted in REQUIRED:
        if wanted not in fields.values():
            raise BadTable(f"{name}: column {wanted!r} ({COLUMNS[wanted][0]}) is missing")
    return fields


def _csv(name: str, content: bytes) -> Iterator[tuple[int, list[str]]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise BadTable(f"{name}: is neither UTF-8 nor GBK text")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise BadTable(f"{name}: line {reader.line_num}: {error}") from None


def _xlsx(name: str, content: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise BadTable(f"{name}: is no XLSX file: {error}") from None
    sheet: Any = book.worksheets[0]
    merged = sorted(str(part) for part in sheet.merged_cells.ranges)
    if merged:
        raise BadTable(
            f"{name}: sheet {sheet.title!r}: merged cells {merged[0]}: unmerge them, each row for itself"
        )
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        yield number, [_cell(cell) for cell in cells]


def _cell(value: object) -> str:
    """A cell as text. Twenty digits kept as a number have lost their last ones: they will not pass for a code."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _file(row: Mapping[str, str]) -> tuple[CameraFile | None, list[Fault]]:
    wrong: list[Fault] = []
    values: dict[str, Any] = {}
    for name, text in row.items():
        if name in _NUMBERS:
            if not text and name in _OPTIONAL_NUMBERS:
                continue
            try:
                values[name] = float(text)
            except ValueError:
                wrong.append(Fault(name, text, "must be a number"))
        elif name in _LISTS:
            values[name] = tuple(
                x.strip() for x in text.replace("、", ";").replace("；", ";").split(";") if x.strip()
            )
        elif name != "crs" and (text or name in REQUIRED):
            values[name] = WORDS.get(name, {}).get(text, text)
    if wrong:
        return None, wrong
    crs = row.get("crs") or "EPSG:4326"
    if crs not in TO_WGS84:
        return None, [Fault("crs", crs, f"must be one of {', '.join(TO_WGS84)}")]
    file = CameraFile(**values)
    wrong = list(faults(file))
    if not wrong and crs != "EPSG:4326":
        lon, lat = (float(v) for v in to_wgs84(crs, file.lon, file.lat))
        file = replace(file, lon=round(lon, 7), lat=round(lat, 7))
    return (None if wrong else file), wrong


def preview(database: Database, name: str, content: bytes, place_of: PlaceOf) -> Preview:
    """Every row with its state and faults; stores nothing. Raises BadTable."""
    table = read_table(name, content)
    divisions = divisions_of(database)
    rows: list[Row] = []
    files: list[tuple[CameraFile, Place]] = []
    lines: dict[str, int] = {}
    with database.transaction() as cursor:
        known = _known(cursor)
        for number, row in table:
            file, wrong = _file(row)
            place = None
            if file is not None:
                place, wrong = _placed(cursor, file, place_of)
                if file.code in lines:
                    wrong.append(Fault("code", file.code, f"is in line {lines[file.code]} already"))
                lines.setdefault(file.code, number)
            if file is None or place is None or wrong:
                rows.append(Row(number, row.get("code", ""), row.get("name", ""), "wrong", tuple(wrong)))
                continue
            state = "new" if file.code not in known else "same" if known[file.code] == file else "changed"
            rows.append(Row(number, file.code, file.name, state, (), _notes(file.code, divisions)))
            if state != "same":
                files.append((file, place))
    return Preview(tuple(rows), tuple(files))


def _notes(code: str, divisions: Mapping[str, str]) -> tuple[str, ...]:
    try:
        parsed = parse(code, divisions)
    except BadCode:
        return ()
    return (*parsed.unknown, *(() if parsed.is_camera else (f"type={parsed.type.code} {parsed.type.name}",)))


def _placed(cursor: Cursor, file: CameraFile, place_of: PlaceOf) -> tuple[Place | None, list[Fault]]:
    try:
        place = place_of(file.lon, file.lat)
        check_names(cursor, file)
    except Rejected as error:
        return None, [Fault(error.field, str(getattr(file, error.field, "")), str(error).partition(": ")[2])]
    return place, []


def _known(cursor: Cursor) -> dict[str, CameraFile]:
    names = tuple(CameraFile.__dataclass_fields__)
    cursor.execute(f"SELECT {', '.join(names)} FROM cameras")
    found = {}
    for row in cursor.fetchall():
        values = dict(zip(names, row, strict=True))
        values |= {name: tuple(values[name]) for name in _LISTS}
        for name in ("lon", "lat"):
            values[name] = math.nan if values[name] is None else values[name]
        found[str(row[0])] = CameraFile(**values)
    return found


@dataclass(frozen=True, slots=True)
class Stored:
    """What an import did."""

    new: int
    changed: int
    released: int


def confirm(
    database: Database, audit: Audit, found: Preview, login: str, now: datetime, *, good_rows: bool = False
) -> Stored:
    """Store a preview in one transaction; refused while a row is wrong, unless only the `good_rows` are wanted."""
    wrong = found.count("wrong")
    if wrong and not good_rows:
        raise BadTable(f"{wrong} rows are wrong: nothing was stored")
    new = released = 0
    with database.transaction() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM held WHERE topic = %s AND released_at IS NULL)", (ALARM_TOPIC,)
        )
        row = cursor.fetchone()
        waiting = bool(row and row[0])
        for file, place in found.files:
            made, out = store(cursor, file, place, login, now, adopt=waiting)
            new, released = new + made, released + out
        bump(cursor)
        audit.append(
            actor=login, role="system", action="camera.manage", thing="camera_import", allowed=True, now=now,
            detail={"new": new, "changed": len(found.files) - new, "wrong": wrong, "released": released},
            cursor=cursor,
        )  # fmt: skip
    return Stored(new, len(found.files) - new, released)
