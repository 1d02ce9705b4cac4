"""The event-class catalogue of a city, read from its rule sheet: a row is one standard — what is filed, who may handle it,
within which time, and what closes it (S12; the sheets of FIELD E1).

Nothing is guessed silently: a limit without a kind of clock is marked assumed, one that cannot be understood goes to a
person with the reason, and every fault names row, column, value and rule.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from incidents.limits import Limit, Odd, parse_limit
from incidents.model import ClockKind

KINDS: Final[Mapping[str, str]] = {
    "部件": "component",
    "事件": "event",
    "component": "component",
    "event": "event",
}

COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "kind": ("sheet", "kind", "类别", "类型"),
    "big_code": ("big_code", "大类代码", "大类编码"),
    "big_class": ("big_name", "big_class", "大类名称", "大类"),
    "small_code": ("small_code", "小类代码", "小类编码"),
    "small_class": ("small_name", "small_class", "小类名称", "小类"),
    "units": ("handling_unit", "units", "处置单位", "责任单位", "处置部门"),
    "departments": ("dept", "departments", "主管部门", "行业主管部门"),
    "condition": ("filing_condition", "condition", "立案条件", "立案标准"),
    "limit": ("time_limit", "limit", "处置时限", "处理时限", "时限"),
    "closing": ("close_condition", "closing", "结案条件", "结案标准"),
    "evidence": ("evidence", "取证要求", "举证要求", "佐证材料"),
}
"""Column → what sheets call it."""
NEEDED: Final = ("big_class", "small_class", "units", "condition", "limit")
LONGEST: Final = 2000

_BETWEEN: Final = re.compile(r"[、，,；;/\n]+|(?<=\S)\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Standard:
    """One row. `code`: kind, big and small code, and its number within the subclass. `limit`: Odd for a person."""

    row: int
    code: str
    kind: str
    big_class: str
    small_class: str
    condition: str
    units: tuple[str, ...]
    departments: tuple[str, ...]
    limit: Limit | Odd
    closing: str
    text_of_limit: str = ""
    """As the sheet has it."""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row, or the whole sheet (row 0), cannot be taken."""

    row: int
    column: str
    value: str
    rule: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.column}={self.value!r}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a sheet says; `faults` are rows left out."""

    standards: tuple[Standard, ...]
    faults: tuple[Fault, ...]

    @property
    def odd(self) -> tuple[Standard, ...]:
        """Standards whose limit a person must read."""
        return tuple(s for s in self.standards if isinstance(s.limit, Odd))

    @property
    def assumed(self) -> tuple[Standard, ...]:
        """Standards whose kind of clock the profile has told."""
        return tuple(s for s in self.standards if isinstance(s.limit, Limit) and s.limit.assumed)


def columns_of(header: Sequence[str]) -> tuple[dict[str, int], list[Fault]]:
    """Column → place in the header, and which that are needed are not there or there twice."""
    names = {name: column for column, known in COLUMNS.items() for name in known}
    where: dict[str, int] = {}
    faults = []
    for at, cell in enumerate(header):
        column = names.get(cell.strip().lstrip("\ufeff"))
        if column in where:
            faults.append(Fault(0, column or "", cell, "must be there once"))
        elif column:
            where[column] = at
    faults += [
        Fault(0, column, "", f"must be there: one of {', '.join(COLUMNS[column])}")
        for column in NEEDED
        if column not in where
    ]
    return where, faults


def read_catalogue(
    header: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]], profile: Mapping[str, ClockKind]
) -> Catalogue:
    """The standards of a sheet. `rows`: (row number, cells); `profile`: what a bare 天 or 小时 means here.

    A merged big class or subclass, left empty below its first row, is that of the row above.
    """
    where, faults = columns_of(header)
    if faults:
        return Catalogue((), tuple(faults))
    standards: list[Standard] = []
    numbers: Counter[str] = Counter()
    above: dict[str, str] = {}
    for number, cells in rows:
        row = {column: cells[at].strip() if at < len(cells) else "" for column, at in where.items()}
        if not any(row.values()):
            continue
        for column in ("kind", "big_code", "big_class", "small_code", "small_class"):
            if row.get(column):
                above[column] = row[column]
        wrong = _faults(number, row, above)
        if wrong:
            faults += wrong
            continue
        kind = KINDS.get(above.get("kind", ""), "event")
        subclass = "-".join(
            filter(
                None,
                (
                    kind,
                    above.get("big_code") or above["big_class"],
                    above.get("small_code") or above["small_class"],
                ),
            )
        )
        numbers[subclass] += 1
        standards.append(
            Standard(
                number, f"{subclass}-{numbers[subclass]}", kind, above["big_class"], above["small_class"],
                row["condition"], names_in(row["units"]), names_in(row.get("departments", "")),
                parse_limit(row["limit"], profile), row.get("closing", ""), row["limit"],
                row.get("evidence", ""),
            )
        )  # fmt: skip
    return Catalogue(tuple(standards), tuple(faults))


def _faults(number: int, row: Mapping[str, str], above: Mapping[str, str]) -> list[Fault]:
    found = [
        Fault(number, column, "", "must not be empty")
        for column in ("big_class", "small_class")
        if not above.get(column)
    ]
    found += [
        Fault(number, column, "", "must not be empty")
        for column in ("units", "condition", "limit")
        if not row[column]
    ]
    found += [
        Fault(number, column, value[:60], f"must have at most {LONGEST} characters")
        for column, value in row.items()
        if len(value) > LONGEST
    ]
    kind = row.get("kind", "")
    if kind and kind not in KINDS:
        found.append(Fault(number, "kind", kind, f"must be one of {', '.join(KINDS)}"))
    return found


def names_in(text: str) -> tuple[str, ...]:
    """The units that a cell names, in its order, each once."""
    return tuple(dict.fromkeys(name for part in _BETWEEN.split(text) if (name := part.strip(" .。"))))
