"""A table of devices taken into the registry: looked at first, then all of it or nothing.

Each row is judged as one saved by hand would be (`change_of`); the same file a second time changes nothing.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from data.database import Cursor
from data.device_registry import Change, PlaceOf, change_of, read_entries, read_known, write
from data.sheets import BadFile, Sheet, content_of, read_sheet, refused_file
from gis.crs import TO_WGS84, to_wgs84
from incidents import commands as c
from incidents.device_registry import Fault, columns_of, fold, read_cells
from incidents.model import Actor, Rejected

TABLES: Final = Path(__file__).parent / "tables"

SHOWN_FAULTS: Final = 500
SHOWN_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class Columns:
    """What headers may be called (folded) → column, how a column is called in Chinese and English, and what words in
    it mean."""

    names: Mapping[str, str]
    shown: Mapping[str, tuple[str, str]]
    words: Mapping[str, Mapping[str, str]]


def read_columns(folder: Path = TABLES) -> Columns:
    """From `device_columns.csv` and `device_words.csv`."""
    names: dict[str, str] = {}
    shown: dict[str, tuple[str, str]] = {}
    with (folder / "device_columns.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            shown[row["column"]] = (row["zh"], row["en"])
            for name in (row["column"], row["zh"], row["en"], *row["also"].split(";")):
                names[fold(name)] = row["column"]
    words: dict[str, dict[str, str]] = {}
    with (folder / "device_words.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            words.setdefault(row["column"], {})[row["word"]] = row["means"]
    return Columns(names, shown, words)


@dataclass(slots=True)
class Plan:
    """What a file would do: changes in the order of its rows, faults with their row numbers."""

    header: Sheet
    rows: int = 0
    changes: list[tuple[int, Change]] = field(default_factory=list)
    faults: list[tuple[int, Fault]] = field(default_factory=list)


def plan_of(cursor: Cursor, content: bytes, actor: Actor, place_of: PlaceOf) -> Plan:
    """Read and judge a file; locks the entries that it names. Raises BadFile."""
    columns = read_columns()
    sheet = read_sheet(content, lambda cells: any(columns.names.get(fold(cell)) == "id" for cell in cells))
    plan = Plan(sheet, len(sheet.rows), faults=list(sheet.faults))
    where, faults = columns_of(sheet.header, columns.names)
    plan.faults += [(sheet.header_row, fault) for fault in faults]
    if "id" not in where.values():
        return plan
    read = []
    for number, cells in sheet.rows:
        if any(text.strip() for text in cells[len(sheet.header) :]):
            extra = next(text for text in cells[len(sheet.header) :] if text.strip())
            plan.faults.append((number, Fault("header", extra, "long")))
        filled = {column: cells[at] if at < len(cells) else "" for at, column in where.items()}
        read.append((number, *read_cells(filled, columns.words)))
    known = read_known(cursor)
    stored = read_entries(cursor, [given["id"] for _, given, _ in read if "id" in given])
    first: dict[str, int] = {}
    for number, given, unreadable in read:
        device = given.get("id", "")
        if not device:
            plan.faults.append((number, Fault("id", "", "id")))
            continue
        if device in first:
            plan.faults.append((number, Fault("id", device, "twice", str(first[device]))))
            continue
        first[device] = number
        unreadable = [*unreadable, *_in_degrees(given)]
        change, wrong = change_of(stored.get(device), given, known, actor, place_of)
        named = {fault.column for fault in unreadable}
        plan.faults += [
            (number, fault) for fault in (*unreadable, *(w for w in wrong if w.column not in named))
        ]
        if change is not None and not unreadable:
            plan.changes.append((number, change))
    plan.faults.sort(key=lambda found: found[0])
    return plan


def _in_degrees(given: dict[str, Any]) -> list[Fault]:
    """A point in another coordinate system becomes one in EPSG:4326; the system itself is not stored."""
    crs = given.pop("crs", "EPSG:4326")
    if crs not in TO_WGS84:
        return [Fault("crs", crs, "crs", ", ".join(TO_WGS84))]
    if "lon" in given and "lat" in given and max(abs(given["lon"]), abs(given["lat"])) <= 180:
        lon, lat = to_wgs84(crs, given["lon"], given["lat"])
        given["lon"], given["lat"] = round(float(lon), 7), round(float(lat), 7)
    return []


def told(plan: Plan) -> dict[str, Any]:
    """A plan as an answer: {rows, new, changed, same, faulty, faults: [{row, column, column_zh, value, rule,
    rule_zh}], sample}; at most SHOWN_FAULTS faults are told, `faulty` counts the rows that have one."""
    shown = read_columns().shown
    hows = Counter(change.how for _, change in plan.changes)
    faults = [
        {
            "row": number,
            "column": shown.get(fault.column, ("", fault.column))[1],
            "column_zh": shown.get(fault.column, (fault.column, ""))[0],
            "value": fault.value,
            "rule": fault.rule,
            "rule_zh": fault.rule_zh,
        }
        for number, fault in plan.faults[:SHOWN_FAULTS]
    ]
    sample = [
        {"row": number, "how": change.how, "id": change.after.sheet.id, "name": change.after.sheet.name}
        for number, change in plan.changes
        if change.how != "same"
    ]
    return {
        "rows": plan.rows,
        **{how: hows[how] for how in ("new", "changed", "same")},
        "faulty": len({number for number, _ in plan.faults}),
        "faults": faults,
        "sample": sample[:SHOWN_ROWS],
    }


def import_devices(
    cursor: Cursor, command: c.ImportDevices, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    """See ImportDevices. Raises Rejected when the file cannot be read, or with `confirm` when anything is wrong."""
    try:
        plan = plan_of(cursor, content_of(command.content), actor, place_of)
    except BadFile as bad:
        raise refused_file(command.filename, bad) from None
    answer = told(plan)
    if command.confirm:
        if plan.faults:
            number, fault = plan.faults[0]
            text = f"row {number}: {fault}; {answer['faulty']} rows are wrong, nothing was stored"
            raise Rejected("rule", text, field=fault.column, **answer)
        write(cursor, [change for _, change in plan.changes], now)
    return {**answer, "stored": command.confirm}


def template() -> str:
    """An empty table to fill in: the Chinese headers, as a CSV that Excel opens rightly."""
    out = io.StringIO()
    out.write("\ufeff")
    csv.writer(out).writerow(zh for zh, _ in read_columns().shown.values())
    return out.getvalue()
