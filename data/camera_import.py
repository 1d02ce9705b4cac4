"""Camera files in bulk from CSV or XLSX (data/sheets.py says how such a file is read): every row is previewed with
what is wrong with it; nothing is stored until the same file is confirmed, then all of it or none.

The header names the columns, in Chinese or English, in any order (COLUMNS).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from data.cameras import ALARM_TOPIC, check_names, store
from data.database import Cursor
from data.divisions import OWN, with_own
from data.registry import bump
from data.sheets import BadFile, Sheet, content_of, read_sheet, refused_file
from gis.crs import TO_WGS84, to_wgs84
from incidents import commands as c
from incidents.access import Thing
from incidents.gb28181 import BadCode, parse
from incidents.model import Actor, Place, Rejected
from incidents.service import require
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
SHOWN: Final = 500
"""Faults that an answer tells."""

_NAMES: Final = {alias.casefold(): f for f, aliases in COLUMNS.items() for alias in (f, *aliases)}

PlaceOf = Callable[[float, float], Place]


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


def read_table(content: bytes) -> tuple[list[tuple[int, dict[str, str]]], dict[int, Fault]]:
    """(line number, field → text) of every row that is not blank, and faults of the layout by line. Raises BadFile."""
    sheet = read_sheet(content, lambda cells: any(_field(cell) == "code" for cell in cells))
    fields = _fields(sheet)
    # A line that ends early has its last cells empty: each is then a fault of its own.
    rows = [
        (number, {title: cells[n].strip() if n < len(cells) else "" for n, title in fields.items()})
        for number, cells in sheet.rows
    ]
    wrong = {
        number: Fault(
            _field(fault.column) or fault.column, fault.value, f"must be {fault.rule}", fault.rule_zh
        )
        for number, fault in sheet.faults
    }
    return rows, wrong


def _field(title: str) -> str:
    return _NAMES.get(title.strip().casefold(), "")


def _fields(sheet: Sheet) -> dict[int, str]:
    fields: dict[int, str] = {}
    for n, title in enumerate(cell.strip() for cell in sheet.header):
        found = _field(title)
        if title and not found:
            raise BadFile(
                f"column {title!r}: is none of {', '.join(COLUMNS)}",
                f"列“{title}”：不是可用的列（{'、'.join(a[0] for a in COLUMNS.values())}）",
            )
        if found in fields.values():
            raise BadFile(f"column {title!r}: {found} is there twice", f"列“{title}”：与另一列重复")
        if found:
            fields[n] = found
    for wanted in REQUIRED:
        if wanted not in fields.values():
            zh = COLUMNS[wanted][0]
            raise BadFile(f"column {wanted!r} ({zh}) is missing", f"缺少列“{zh}”")
    return fields


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
                wrong.append(Fault(name, text, "must be a number", "须为数字"))
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
        known = ", ".join(TO_WGS84)
        return None, [Fault("crs", crs, f"must be one of {known}", f"须为 {known} 之一")]
    file = CameraFile(**values)
    wrong = list(faults(file))
    if not wrong and crs != "EPSG:4326":
        lon, lat = (float(v) for v in to_wgs84(crs, file.lon, file.lat))
        file = replace(file, lon=round(lon, 7), lat=round(lat, 7))
    return (None if wrong else file), wrong


def preview(cursor: Cursor, content: bytes, place_of: PlaceOf) -> Preview:
    """Every row with its state and faults; stores nothing. Raises BadFile."""
    table, broken = read_table(content)
    rows: list[Row] = []
    files: list[tuple[CameraFile, Place]] = []
    lines: dict[str, int] = {}
    known = _known(cursor)
    cursor.execute(OWN)
    divisions = with_own(cursor.fetchall())
    for number, row in table:
        file, wrong = _file(row)
        place = None
        if file is not None:
            place, wrong = _placed(cursor, file, place_of)
            if file.code in lines:
                first = lines[file.code]
                wrong.append(Fault("code", file.code, f"is in line {first} already", f"与第 {first} 行重复"))
            lines.setdefault(file.code, number)
        if number in broken:
            wrong.append(broken.pop(number))
        if file is None or place is None or wrong:
            rows.append(Row(number, row.get("code", ""), row.get("name", ""), "wrong", tuple(wrong)))
            continue
        state = "new" if file.code not in known else "same" if known[file.code] == file else "changed"
        rows.append(Row(number, file.code, file.name, state, (), _notes(file.code, divisions)))
        if state != "same":
            files.append((file, place))
    rows += [Row(number, "", "", "wrong", (fault,)) for number, fault in broken.items()]
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
        found, rule = str(getattr(file, error.field, "")), str(error).partition(": ")[2]
        return None, [Fault(error.field, found, rule, "与城市登记不符（区域、单位或坐标）")]
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


def store_all(cursor: Cursor, found: Preview, login: str, now: datetime) -> int:
    """Store every new and changed camera; how many held messages went back to the bus."""
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM held WHERE topic = %s AND released_at IS NULL)", (ALARM_TOPIC,)
    )
    row = cursor.fetchone()
    waiting = bool(row and row[0])
    released = sum(store(cursor, file, place, login, now, adopt=waiting)[1] for file, place in found.files)
    bump(cursor)
    return released


def told(found: Preview) -> dict[str, Any]:
    """A preview as an answer, of the same shape as that of devices; `notes`: parts of codes that nobody knows."""
    wrong = [(row.number, fault) for row in found.rows for fault in row.faults]
    return {
        "rows": len(found.rows),
        **{state: found.count(state) for state in ("new", "changed", "same")},
        "faulty": found.count("wrong"),
        "faults": [
            {
                "row": number,
                "column": fault.field,
                "column_zh": COLUMNS.get(fault.field, (fault.field,))[0],
                "value": fault.found,
                "rule": fault.rule.removeprefix("must be "),
                "rule_zh": fault.rule_zh.removeprefix("须为").strip(),
            }
            for number, fault in wrong[:SHOWN]
        ],
        "notes": [{"row": row.number, "notes": list(row.notes)} for row in found.rows if row.notes][:SHOWN],
    }


def import_cameras(
    cursor: Cursor, command: c.ImportCameras, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    """See ImportCameras. Raises Rejected when the file cannot be read, or with `confirm` when anything is wrong."""
    try:
        found = preview(cursor, content_of(command.content), place_of)
    except BadFile as bad:
        raise refused_file(command.filename, bad) from None
    answer = told(found)
    if not command.confirm:
        return {**answer, "stored": False}
    for row in found.rows:
        for fault in row.faults:
            text = f"row {row.number}: {fault}; {answer['faulty']} rows are wrong, nothing was stored"
            raise Rejected("rule", text, field=fault.field, **answer)
    codes = [file.code for file, _ in found.files]
    cursor.execute("SELECT DISTINCT area_path FROM cameras WHERE code = ANY(%s)", (codes,))
    for path in {place.area_path for _, place in found.files} | {path for (path,) in cursor.fetchall()}:
        require(actor, "camera.manage", Thing(path))
    return {**answer, "stored": True, "released": store_all(cursor, found, actor.login, now)}
