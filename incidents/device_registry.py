"""The registry of devices: what an entry says, what it must keep, how a row of a table becomes one.

Every rule is here, whether an entry comes from a form, from quarantine or from a file of ten thousand rows; each
fault names column, value and rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from math import isfinite
from typing import Any, Final

STATUSES: Final = ("in_service", "maintenance", "retired")
"""在用 检修 退役. One in maintenance is still heard, but not judged; a retired one is not known to ingest."""

POLE_FUNCTIONS: Final = (
    "lighting",
    "wifi",
    "environment",
    "traffic",
    "information",
    "cell_5g",
    "emergency_call",
    "charging",
)
"""What a smart lamp pole can do: 智慧绿色照明、Wi-Fi、环境监测、交通监控、信息发布、5G微基站、一键报警求助、智能充电桩
(SYSTEMS S32, JM:906). Each has one member or more, with a status of its own."""

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")

EARLIEST: Final = date(1990, 1, 1)
LATEST: Final = date(2100, 1, 1)
LONGEST_PERIOD_S: Final = 7 * 86_400.0
LONGEST_TEXT: Final = 200

RULES: Final[Mapping[str, tuple[str, str]]] = {
    "id": (
        "1 to 64 letters, digits, '-', '_', '.' or ':', beginning with a letter or digit",
        "1–64 位字母、数字或 - _ . :，以字母或数字开头",
    ),
    "type": ("a device type of the registry (id or name)", "已登记的设备类型（编号或名称）"),
    "unit": ("a responsible unit (code or name), or empty", "已登记的单位（编号或名称），或留空"),
    "text": (f"at most {LONGEST_TEXT} characters", f"不超过 {LONGEST_TEXT} 字"),
    "nul": ("without the character NUL", "不含空字符 NUL"),
    "pair": ("given with its other half", "经度与纬度须同时填写"),
    "lon": ("degrees between -180 and 180", "−180 至 180 之间的度数"),
    "lat": ("degrees between -90 and 90", "−90 至 90 之间的度数"),
    "period": (f"seconds between 1 and {LONGEST_PERIOD_S:g}", f"1 至 {LONGEST_PERIOD_S:g} 之间的秒数"),
    "day": ("a day such as 2026-03-05", "日期，例如 2026-03-05"),
    "days": (f"between {EARLIEST} and {LATEST}", f"{EARLIEST} 至 {LATEST} 之间"),
    "status": (f"one of {', '.join(STATUSES)}", "在用、检修或退役"),
    "number": ("a number", "数字"),
    "crs": ("one of {0}", "{0} 之一"),
    "truth": ("yes or no (是 or 否)", "是或否"),
    "place": ("within the city: {0}", "本市范围内：{0}"),
    "area": ("within your areas, is in {0}", "您所辖区域内，实际在 {0}"),
    "twice": ("there once; row {0} has it too", "只出现一次；第 {0} 行已有"),
    "merged": ("not merged across columns; split the cells {0}", "不跨列合并；请拆分单元格 {0}"),
    "member": (
        f"function=ID, the function one of {', '.join(POLE_FUNCTIONS)}",
        "“功能=编号”，功能为八类之一",
    ),
    "lamp": (
        "with a lamp: a device with the function lighting stands for the pole on the map",
        "须有照明设备：灯杆在图上由它代表",
    ),
    "once": ("there once: a thing has one function of its pole", "只出现一次：一个部件在灯杆上只有一种功能"),
    "members": ("there: a pole has 1 to 100 parts", "必有：灯杆有 1–100 个部件"),
    "name": (f"1 to {LONGEST_TEXT} characters", f"1–{LONGEST_TEXT} 字"),
    "header": ("a column of the registry (see the template)", "登记表的列（见模板）"),
    "column_twice": ("there once; {0} is given twice", "只出现一次；{0} 给出了两次"),
    "no_id": ("there: a column with the device's id", "必有：设备编号列"),
    "long": ("a row no longer than the header", "不多于表头的列数"),
}
"""What a cell must be, in English and Chinese; {0} is told by the fault."""


@dataclass(frozen=True, slots=True)
class DeviceSheet:
    """One entry of the registry, as far as a person fills it in; the cell comes from the point. Degrees EPSG:4326."""

    id: str
    type: str = ""
    name: str = ""
    unit: str = ""
    owner: str = ""
    address: str = ""
    lon: float | None = None
    lat: float | None = None
    expected_period_s: float | None = None
    critical: bool = False
    installed_on: date | None = None
    calibration_due: date | None = None
    status: str = "in_service"


COLUMNS: Final = tuple(field.name for field in fields(DeviceSheet))


@dataclass(frozen=True, slots=True)
class Known:
    """What an entry may name: types (id → expected period in seconds) and units; names lead to ids as well."""

    periods: Mapping[str, float]
    type_names: Mapping[str, str]
    units: frozenset[str]
    unit_names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an entry cannot be taken: `code` is one of RULES, `told` what belongs to it."""

    column: str
    value: str
    code: str
    told: str = ""

    @property
    def rule(self) -> str:
        """What the value must be."""
        return RULES[self.code][0].format(self.told)

    @property
    def rule_zh(self) -> str:
        """The same in Chinese."""
        return RULES[self.code][1].format(self.told)

    def __str__(self) -> str:
        return f"{self.column}={self.value!r}: must be {self.rule}"


def completed(sheet: DeviceSheet, known: Known) -> DeviceSheet:
    """Type and unit by their ids, and the type's own period where none is given."""
    kind = sheet.type if sheet.type in known.periods else known.type_names.get(sheet.type, sheet.type)
    unit = sheet.unit if sheet.unit in known.units else known.unit_names.get(sheet.unit, sheet.unit)
    period = known.periods.get(kind) if sheet.expected_period_s is None else sheet.expected_period_s
    return replace(sheet, type=kind, unit=unit, expected_period_s=period)


def faults_of(sheet: DeviceSheet, known: Known) -> list[Fault]:
    """Everything that is wrong with a completed entry, in the order of its columns."""
    found: list[Fault] = []

    def must(holds: bool, column: str, code: str) -> None:
        if not holds:
            value = getattr(sheet, column)
            found.append(Fault(column, "" if value is None else str(value), code))

    must(ID.fullmatch(sheet.id) is not None, "id", "id")
    must(sheet.type in known.periods, "type", "type")
    must(not sheet.unit or sheet.unit in known.units, "unit", "unit")
    for column in ("name", "owner", "address"):
        must(len(getattr(sheet, column)) <= LONGEST_TEXT, column, "text")
        must("\x00" not in getattr(sheet, column), column, "nul")
    must((sheet.lon is None) == (sheet.lat is None), "lat" if sheet.lat is None else "lon", "pair")
    must(sheet.lon is None or abs(sheet.lon) <= 180, "lon", "lon")
    must(sheet.lat is None or abs(sheet.lat) <= 90, "lat", "lat")
    period = sheet.expected_period_s
    must(period is None or 1 <= period <= LONGEST_PERIOD_S, "expected_period_s", "period")
    for column in ("installed_on", "calibration_due"):
        day = getattr(sheet, column)
        must(day is None or EARLIEST <= day <= LATEST, column, "days")
    must(sheet.status in STATUSES, "status", "status")
    return found


class Unreadable(ValueError):
    """A cell that cannot be read; the text is the code of its rule."""


def _number(text: str) -> float:
    try:
        found = float(text.replace("，", "").replace(",", ""))
    except ValueError:
        raise Unreadable("number") from None
    if not isfinite(found):
        raise Unreadable("number")
    return found


_DAY: Final = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]00:00(?::00)?)?")


def day_of(text: str) -> date:
    """2026-03-05, 2026/3/5, 2026.3.5 or 2026年3月5日. Raises Unreadable."""
    match = _DAY.fullmatch(text)
    try:
        if match is not None:
            return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        pass
    raise Unreadable("day")


_YES: Final = frozenset({"1", "true", "yes", "y", "是", "√"})
_NO: Final = frozenset({"0", "false", "no", "n", "否", "×"})


def _truth(text: str) -> bool:
    word = text.casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise Unreadable("truth")


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "lon": _number,
    "lat": _number,
    "expected_period_s": _number,
    "critical": _truth,
    "installed_on": day_of,
    "calibration_due": day_of,
}


def read_cells(
    cells: Mapping[str, str], words: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, Any], list[Fault]]:
    """(column → value of what is filled in, faults). `words`: column → {what people write: what it means}.

    An empty cell says nothing: of a known device it changes nothing, of a new one it takes the default.
    """
    given: dict[str, Any] = {}
    faults: list[Fault] = []
    for column, raw in cells.items():
        text = raw.strip()
        if not text:
            continue
        text = words.get(column, {}).get(text, text)
        try:
            given[column] = _READERS[column](text) if column in _READERS else text
        except Unreadable as unreadable:
            faults.append(Fault(column, text, str(unreadable)))
    return given, faults


def columns_of(header: Sequence[str], names: Mapping[str, str]) -> tuple[dict[int, str], list[Fault]]:
    """(position → column, faults) of a header row. `names`: what a header may be called (folded) → column.

    A name that is not known, one that comes twice and a missing `id` are faults: nothing is skipped silently.
    """
    found: dict[int, str] = {}
    faults: list[Fault] = []
    for position, text in enumerate(header):
        name = fold(text)
        if not name:
            continue
        column = names.get(name)
        if column is None:
            faults.append(Fault("header", text.strip(), "header"))
        elif column in found.values():
            faults.append(Fault("header", text.strip(), "column_twice", column))
        else:
            found[position] = column
    if "id" not in found.values():
        faults.append(Fault("header", "", "no_id"))
    return found, faults


def fold(header: str) -> str:
    """A header without what people add: case, spaces, a star, a unit in brackets."""
    text = re.sub(r"[（(].*?[)）]", "", header).strip().strip("*＊").casefold()
    return re.sub(r"[\s_\-]+", "", text)
