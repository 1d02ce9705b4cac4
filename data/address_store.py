"""The city's address book in the store: read by name, imported from a table (S20)."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from data.database import Cursor, many
from data.sheets import BadFile, content_of, read_sheet, refused_file
from gis.cells import distance_m
from gis.crs import to_wgs84
from incidents.access import Thing
from incidents.address_book import KINDS, Address, AddressBook, AddressNames
from incidents.address_commands import ImportAddresses
from incidents.address_text import kept_number, plain_address
from incidents.model import Actor, Place, Rejected
from incidents.service import require
from incidents.video import Fault

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "kind": ("类型", "kind"), "name": ("名称", "name"), "number": ("号码", "门牌号", "number"), "other": ("另一路名", "other"),
    "standard": ("标准地址", "standard"), "lon": ("经度", "lon"), "lat": ("纬度", "lat"),
}  # fmt: skip
"""Field → what its column may be called; the first is shown."""
KIND_WORDS: Final[Mapping[str, str]] = {
    "门牌": "number", "楼栋": "building", "路口": "crossing", "村组": "group", "地点": "place",
}  # fmt: skip
CRS_OF: Final = {"wgs84": "EPSG:4326", "cgcs2000": "EPSG:4490", "gcj02": "GCJ-02"}
NUMBERED: Final = ("number", "building", "group")
SHOWN: Final = 500
_ROWS: Final = (
    "SELECT kind, name, lon, lat, area_path, number, other, standard FROM addresses WHERE name = ANY(%(n)s)"
    " UNION ALL SELECT kind, name, lon, lat, area_path, number, other, standard FROM addresses"
    " WHERE other = ANY(%(n)s) AND other <> '' AND NOT name = ANY(%(n)s)"
)
_AREAS: Final = (
    "SELECT path, name FROM areas WHERE level IN ('city', 'district', 'town', 'village') AND NOT disabled"
)


class StoredBook:
    """The names of the book, read again when it was imported anew; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version: tuple[int, int] | None = None
        self._names = AddressNames((), ())

    def book(self, cursor: Cursor) -> AddressBook:
        """The book, on an open transaction."""
        return AddressBook(self._now(cursor), lambda names: _rows(cursor, names))

    def _now(self, cursor: Cursor) -> AddressNames:
        cursor.execute("SELECT (SELECT version FROM address_book), (SELECT n FROM registry_version)")
        version = cursor.fetchone()
        with self._lock:
            if version != self._version:
                cursor.execute("SELECT DISTINCT kind, name, other FROM addresses")
                names = cursor.fetchall()
                cursor.execute(_AREAS)
                self._names, self._version = AddressNames(names, cursor.fetchall()), version
            return self._names


def _rows(cursor: Cursor, names: Sequence[str]) -> Iterable[Address]:
    cursor.execute(_ROWS, {"n": list(names)})
    return [Address(*row) for row in cursor.fetchall()]


def store_addresses(cursor: Cursor, rows: Iterable[tuple[Address, str]]) -> int:
    """Put (address, cell) into the book; one that is there takes the new place. Returns how many."""
    values = [(a.kind, a.name, a.number, a.other, a.standard, a.lon, a.lat, cell, a.area) for a, cell in rows]
    many(
        cursor,
        "INSERT INTO addresses (kind, name, number, other, standard, lon, lat, cell, area_path) VALUES %s"
        " ON CONFLICT (kind, name, number, other, area_path) DO UPDATE SET standard = EXCLUDED.standard,"
        " lon = EXCLUDED.lon, lat = EXCLUDED.lat, cell = EXCLUDED.cell",
        list({row[:4] + row[8:]: row for row in values}.values()),
        page=2000,
    )
    cursor.execute("UPDATE address_book SET version = version + 1")
    return len(values)


def import_addresses(
    cursor: Cursor, command: ImportAddresses, actor: Actor, now: datetime, place_of: Any
) -> dict[str, Any]:
    """See ImportAddresses. Raises Rejected when the file cannot be read, or with `confirm` when anything is wrong."""
    if command.crs not in CRS_OF:
        raise Rejected("field", f"crs={command.crs!r}: must be one of {', '.join(CRS_OF)}", field="crs")
    try:
        sheet = read_sheet(content_of(command.content), _is_header)
    except BadFile as bad:
        raise refused_file(command.filename, bad) from None
    if not _is_header(sheet.header):
        bad_file = BadFile(
            f"no header: {', '.join(names[-1] for names in COLUMNS.values())}",
            f"没有表头：{'、'.join(names[0] for names in COLUMNS.values())}",
        )
        raise refused_file(command.filename, bad_file)
    at = {
        field: n
        for n, head in enumerate(sheet.header)
        for field, names in COLUMNS.items()
        if head.strip().lower() in names
    }
    faults = [(n, Fault(f.column, f.value, f"must be {f.rule}", f"须为{f.rule_zh}")) for n, f in sheet.faults]
    good: list[tuple[Address, str]] = []
    for number, cells in sheet.rows:
        row = {field: cells[n].strip() if n < len(cells) else "" for field, n in at.items()}
        address, place, wrong = _read(row, CRS_OF[command.crs], place_of)
        faults += [(number, fault) for fault in wrong]
        if address is not None and place is not None:
            good.append((address, place.cell))
    answer: dict[str, Any] = {
        "rows": len(sheet.rows), **_states(cursor, good), "faulty": len({number for number, _ in faults}), "unplaced": sum(not cell for _, cell in good),
        "faults": [
            {"row": n, "column": f.field, "column_zh": COLUMNS.get(f.field, (f.field,))[0], "value": f.found,
             "rule": f.rule.removeprefix("must be "), "rule_zh": f.rule_zh.removeprefix("须为")}
            for n, f in faults[:SHOWN]
        ],
    }  # fmt: skip
    if not command.confirm:
        return {**answer, "stored": False}
    for number, fault in faults[:1]:
        text = f"row {number}: {fault}; {answer['faulty']} rows are wrong, nothing was stored"
        raise Rejected("rule", text, field=fault.field, **answer)
    moved = _moved(cursor, good)
    for path in {a.area for a in (*(a for a, _ in good), *moved)}:
        require(actor, "area.manage", Thing(path))
    many(
        cursor,
        "DELETE FROM addresses a USING (VALUES %s) AS old (kind, name, number, other, area_path)"
        " WHERE (a.kind, a.name, a.number, a.other, a.area_path) ="
        " (old.kind, old.name, old.number, old.other, old.area_path)",
        [_key(old) for old in moved],
    )
    return {**answer, "stored": True, "addresses": store_addresses(cursor, good)}


def _states(cursor: Cursor, found: Sequence[tuple[Address, str]]) -> dict[str, int]:
    """How many are new, changed or there already as they are."""
    known = {_key(a): a for a in _rows(cursor, sorted({a.name for a, _ in found}))}
    moved = {_said(old) for old in _moved(cursor, found)}
    states = dict.fromkeys(("new", "changed", "same"), 0)
    for address, _ in found:
        if _key(address) in known:
            state = "same" if known[_key(address)] == address else "changed"
        else:
            state = "changed" if _said(address) in moved else "new"
        states[state] += 1
    return states


MOVED_M: Final = 500
"""An address that comes again no farther away than this is the same, put right; farther it is another of that name."""


def _moved(cursor: Cursor, found: Sequence[tuple[Address, str]]) -> list[Address]:
    """What the book has of these addresses in another area, or the other way round, and the file does not: their point was put
    right across a border, and the old one would speak against the new."""
    given: dict[tuple[str, ...], list[Address]] = defaultdict(list)
    for address, _ in found:
        # Places of one name may stand near one another; a house number or a crossing is one.
        if address.kind in ("number", "crossing"):
            given[_said(address)].append(address)
    kept = {_key(address) for address, _ in found}
    names = sorted({name for a, _ in found for name in (a.name, a.other) if name})
    return [
        old
        for old in _rows(cursor, names)
        if _key(old) not in kept
        and any(distance_m(old.lon, old.lat, a.lon, a.lat) <= MOVED_M for a in given.get(_said(old), ()))
    ]


def _said(address: Address) -> tuple[str, ...]:
    """What is said of an address, whichever way it is written."""
    names = sorted(plain_address(name) for name in (address.name, address.other))
    return address.kind, *names, kept_number(address.number)


def _key(address: Address) -> tuple[str, ...]:
    return address.kind, address.name, address.number, address.other, address.area


def _is_header(cells: Sequence[str]) -> bool:
    found = {cell.strip().lower() for cell in cells}
    return all(found & set(COLUMNS[field]) for field in ("kind", "name", "lon", "lat"))


_NUMBER: Final = re.compile(r"[0-9]{1,5}(-[0-9]{1,3})?")
"""As the table of the book demands it."""


def _read(
    row: Mapping[str, str], crs: str, place_of: Any
) -> tuple[Address | None, Place | None, list[Fault]]:
    wrong: list[Fault] = []

    def fault(field: str, rule: str, rule_zh: str) -> None:
        wrong.append(Fault(field, row.get(field, ""), f"must be {rule}", f"须为{rule_zh}"))

    kind = KIND_WORDS.get(row["kind"], row["kind"])
    if kind not in KINDS:
        fault("kind", f"one of {', '.join(KINDS)}", "、".join(KIND_WORDS))
    if not 1 < len(row["name"]) <= 40:
        fault("name", "2 to 40 characters", "2 至 40 个字")
    number = kept_number(row.get("number", ""))
    if kind in NUMBERED and not _NUMBER.fullmatch(number):
        fault("number", "a number, like 12 or 12-3", "号码，如 12 或 12-3")
    if kind == "crossing" and not row.get("other"):
        fault("other", "the second street of the crossing", "路口的另一条路名")
    place = None
    try:
        lon, lat = float(row["lon"]), float(row["lat"])
        if crs == "GCJ-02":
            lon, lat = (float(v) for v in to_wgs84(crs, lon, lat))
        place = place_of(lon, lat)
    except (ValueError, Rejected):
        fault("lon", "a point of the city in degrees", "城市范围内的经纬度")
    if wrong or place is None or place.lon is None or place.lat is None:
        return None, None, wrong
    name, other = row["name"], row.get("other", "") if kind == "crossing" else ""
    if other:  # where two streets cross is one place, whichever is said first
        name, other = sorted((name, other))
    return (
        Address(
            kind, name, round(place.lon, 7), round(place.lat, 7), place.area_path,
            number if kind in NUMBERED else "", other, row.get("standard", ""),
        ),
        place,
        [],
    )  # fmt: skip
