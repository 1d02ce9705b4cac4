"""What words of rule sheets mean in this city, from a file: role × area (and class of road) → unit. Inside the caller's
transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from data.database import Cursor, many
from data.registry import bump
from data.sheets import BadFile, content_of, read_sheet, refused_file
from incidents.model import Actor, Rejected
from incidents.responsibility import ROAD_WORDS
from incidents.routing_commands import ImportRoles

HEADERS: Final[Mapping[str, Sequence[str]]] = {
    "role": ("role", "角色"),
    "area": ("area", "area_path", "区域", "区域代码"),
    "unit": ("unit", "责任单位", "单位", "单位代码"),
    "road_class": ("road_class", "道路等级"),
}
NEEDED: Final = ("role", "area", "unit")
SHOWN: Final = 500
_ROADS: Final = {word: code for code, names in ROAD_WORDS.items() for word in (code, names)}


def import_roles(cursor: Cursor, command: ImportRoles, actor: Actor, now: datetime) -> dict[str, Any]:
    """See ImportRoles. Raises Rejected."""
    try:
        sheet = read_sheet(content_of(command.content), lambda cells: set(NEEDED) <= set(_columns(cells)))
    except BadFile as bad:
        raise refused_file(command.filename, bad) from None
    where = _columns(sheet.header)
    faults = [
        _fault(sheet.header_row, name, "", "a column of the table") for name in NEEDED if name not in where
    ]
    rows: dict[tuple[str, str, str], str] = {}
    if not faults:
        rows, faults = _read(cursor, where, sheet.rows)
    answer = {"rows": len(sheet.rows), "understood": len(rows), "faulty": len({f["row"] for f in faults}),
              "faults": faults[:SHOWN]}  # fmt: skip
    if not command.confirm:
        return {**answer, "stored": False}
    if faults or not rows:
        first = faults[0] if faults else _fault(sheet.header_row, "role", "", "told by one row at least")
        text = f"row {first['row']}: {first['column']}={first['value']!r} must be {first['rule']}"
        raise Rejected("rule", text, field=str(first["column"]), **answer)
    cursor.execute("LOCK TABLE unit_roles IN SHARE ROW EXCLUSIVE MODE")
    cursor.execute("DELETE FROM unit_roles")
    former = cursor.rowcount
    many(
        cursor,
        "INSERT INTO unit_roles (role, road_class, area_path, unit) VALUES %s",
        [(*key, unit) for key, unit in rows.items()],
    )
    bump(cursor)
    return {**answer, "stored": True, "former_rows": former}


def _columns(header: Sequence[str]) -> dict[str, int]:
    places = {cell.strip().lower(): n for n, cell in enumerate(header)}
    return {name: places[h] for name, heads in HEADERS.items() for h in reversed(heads) if h in places}


def _fault(row: int, column: str, value: str, rule: str) -> dict[str, Any]:
    return {"row": row, "column": column, "value": value, "rule": rule}


def _read(
    cursor: Cursor, where: Mapping[str, int], rows: Sequence[tuple[int, tuple[str, ...]]]
) -> tuple[dict[tuple[str, str, str], str], list[dict[str, Any]]]:
    """((role, class of road, area path) → unit, faults)."""
    cursor.execute("SELECT code, path FROM areas WHERE NOT disabled")
    areas = {name: path for code, path in cursor.fetchall() for name in (code, path)}
    cursor.execute("SELECT code, name FROM units WHERE NOT disabled")
    units = {name: code for code, title in cursor.fetchall() for name in (title, code)}
    found: dict[tuple[str, str, str], str] = {}
    faults: list[dict[str, Any]] = []
    for number, cells in rows:
        told = {name: cells[n].strip() if n < len(cells) else "" for name, n in where.items()}
        road = told.get("road_class", "")
        rules = {
            "role": (bool(told["role"]), "a word of the rule sheet"),
            "area": (told["area"] in areas, "code or path of an area"),
            "unit": (told["unit"] in units, "code or name of a unit that takes orders"),
            "road_class": (not road or road in _ROADS, f"one of {', '.join(_ROADS)}"),
        }
        wrong = [
            _fault(number, name, told.get(name, ""), rule) for name, (fine, rule) in rules.items() if not fine
        ]
        if not wrong:
            key = (told["role"], _ROADS.get(road, ""), areas[told["area"]])
            if key in found:
                wrong = [_fault(number, "area", told["area"], "once for a role, a class of road and an area")]
            found[key] = units[told["unit"]]
        faults += wrong
    return found, faults
