"""A city's own boundaries and grids: previewed with everything that is wrong with them and how they fit together; stored
when confirmed, then all of them or none (issue C "Intake").

A boundary's place in the area tree is what its file says (a column with the code of the area above); where it says
nothing, the deepest area of a higher level that holds a point inside of it, or the city where no such area has a shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from data.boundary_files import CRS_OF, Feature, read_features
from data.database import Cursor, many
from data.registry import bump
from data.sheets import BadFile, content_of, refused_file
from gis.boundaries import BadShape, Spot, Topology, area_m2, topology, true_shape
from gis.cells import NOWHERE, CellIndex
from incidents import commands as c
from incidents.access import Thing
from incidents.areas import LEVELS
from incidents.model import Actor, Place, Rejected
from incidents.service import require
from incidents.video import Fault

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "code": ("code", "adcode", "代码", "编码", "区划代码", "行政区划代码", "网格编码", "网格代码", "单元网格编码", "bgcode"),
    "name": ("name", "名称", "区划名称", "网格名称", "bgname"),
    "name_en": ("name_en", "英文名称"),
    "parent": ("parent", "上级代码", "上级编码", "上级区划代码", "所属网格编码", "parent_code"),
}  # fmt: skip
"""Field → what its column may be called when nobody names it."""
SHOWN: Final = 500
"""Faults, notes, gaps and overlaps that an answer lists, each; all are counted."""
_PLACED: Final[Mapping[str, tuple[str, str]]] = {
    table: (
        f"SELECT {key}, lon, lat, cell, area_path FROM {table} WHERE lon IS NOT NULL ORDER BY {key}",  # noqa: S608
        f"UPDATE {table} t SET cell = v.cell, area_path = v.path FROM (VALUES %s) AS v (key, cell, path)"  # noqa: S608
        f" WHERE t.{key} = v.key",
    )
    for table, key in (("devices", "id"), ("cameras", "code"), ("components", "code"), ("places", "id"))
}
"""Things with a place of their own, which a change of cells puts into others: how they are read and put there.
Incidents keep the cell of their filing."""

PlaceOf = Callable[[float, float], Place]


@dataclass(frozen=True, slots=True)
class Area:
    """An area of the store. `shape` None: it has no outline."""

    code: str
    level: str
    name: str
    path: str
    shape: BaseGeometry | None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Boundary:
    """An area as a file tells it, its place in the tree found."""

    number: int
    code: str
    name: str
    name_en: str
    parent: Area
    shape: BaseGeometry

    @property
    def path(self) -> str:
        """Its path in the area tree."""
        return f"{self.parent.path}{self.code}/"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would do. `faults` and `notes` with the feature's number; `by_place`: areas whose parent was found by
    where they lie; `absent`: enabled areas of the level that the file does not name, which stay as they are."""

    features: int
    new: tuple[Boundary, ...]
    changed: tuple[Boundary, ...]
    same: int
    faults: tuple[tuple[int, Fault], ...]
    notes: tuple[tuple[int, str], ...]
    by_place: int
    absent: int
    fits: Topology
    parents: frozenset[str] = field(default_factory=frozenset)
    """Paths of the areas above."""

    @property
    def faulty(self) -> int:
        """Features with a fault."""
        return len({number for number, _ in self.faults})


def read_areas(cursor: Cursor) -> dict[str, Area]:
    """Code → area, with its shape."""
    cursor.execute("SELECT code, level, name, path, geometry, disabled FROM areas ORDER BY code")
    rows = cursor.fetchall()
    shapes = shapely.from_wkb([None if row[4] is None else bytes(row[4]) for row in rows])
    return {
        row[0]: Area(row[0], row[1], row[2], row[3], shape, row[5])
        for row, shape in zip(rows, shapes, strict=True)
    }


class _Reader:
    """Reads the features of one file against the areas of the store; gathers faults and notes."""

    def __init__(self, areas: Mapping[str, Area], command: c.ImportBoundaries, place_of: PlaceOf) -> None:
        self._areas = areas
        self._command = command
        self._place_of = place_of
        self.faults: list[tuple[int, Fault]] = []
        self.notes: list[tuple[int, str]] = []
        self.by_place = 0
        self._lines: dict[str, int] = {}
        above = LEVELS[: LEVELS.index(command.level)]
        self._above = [
            (held, CellIndex([a.code for a in held], [a.shape for a in held if a.shape is not None]))
            for level in reversed(above)
            if (
                held := [
                    a for a in areas.values() if a.level == level and a.shape is not None and not a.disabled
                ]
            )
        ]
        self._city = next(area for area in areas.values() if area.level == "city")

    def columns(self, names: Sequence[str]) -> dict[str, str]:
        """Field → which of the file's columns it is, '' where there is none."""
        known = {name.casefold(): name for name in names}
        wanted = {
            "code": self._command.code_field,
            "name": self._command.name_field,
            "parent": self._command.parent_field,
            "name_en": "",
        }
        found = {}
        for name, aliases in COLUMNS.items():
            ways = (wanted[name],) if wanted[name] else aliases
            found[name] = next((known[way.casefold()] for way in ways if way.casefold() in known), "")
        return found

    def boundary(self, feature: Feature, columns: Mapping[str, str]) -> Boundary | None:
        """The feature as a boundary; None when something is wrong with it, which is a fault then."""
        row = {name: feature.properties.get(column, "") for name, column in columns.items()}
        before = len(self.faults)
        self._names(feature.number, row)
        shape = self._shape(feature)
        parent = self._parent(feature.number, row["parent"], shape) if shape is not None else None
        if len(self.faults) > before or shape is None or parent is None:
            return None
        found = Boundary(feature.number, row["code"], row["name"], row["name_en"], parent, shape)
        known = self._areas.get(found.code)
        if known is not None and known.disabled:
            self._wrong(
                feature.number, "code", found.code, "is a disabled area: enable it before", "该区域已停用"
            )
            return None
        if known is not None and (known.level, known.path) != (self._command.level, found.path):
            where = f"{known.level} at {known.path}"
            self._wrong(
                feature.number, "code", found.code, f"is a {where} already; must lie at {found.path}",
                f"已存在于 {known.path}",
            )  # fmt: skip
            return None
        return found

    def _wrong(self, number: int, column: str, value: str, rule: str, rule_zh: str) -> None:
        self.faults.append((number, Fault(column, value[:100], rule, rule_zh)))

    def _names(self, number: int, row: Mapping[str, str]) -> None:
        code, name = row["code"], row["name"]
        if not code or len(code) > 40 or "/" in code or not code.isprintable():
            self._wrong(
                number, "code", code, "must be 1 to 40 characters without '/'", "须为 1 至 40 字，不含“/”"
            )
        elif code in self._lines:
            first = self._lines[code]
            self._wrong(
                number, "code", code, f"is that of feature {first} already", f"与第 {first} 个要素重复"
            )
        else:
            self._lines[code] = number
        if not name or len(name) > 60 or not name.isprintable():
            self._wrong(number, "name", name, "must be 1 to 60 characters", "须为 1 至 60 字")

    def _shape(self, feature: Feature) -> BaseGeometry | None:
        if feature.shape is None:
            self._wrong(feature.number, "geometry", "", feature.why, "没有可用的图形")
            return None
        try:
            shape, mended = true_shape(CRS_OF[self._command.crs], feature.shape)
        except BadShape as error:
            self._wrong(feature.number, "geometry", "", str(error).removeprefix("geometry: "), "图形无效")
            return None
        point = shape.representative_point()
        try:
            self._place_of(point.x, point.y)
        except Rejected as error:
            found = f"{point.x:.6f}, {point.y:.6f}"
            self._wrong(feature.number, "geometry", found, str(error).partition(": ")[2], "不在城市范围内")
            return None
        if mended:
            self.notes.append((feature.number, mended))
        return shape

    def _parent(self, number: int, code: str, shape: BaseGeometry) -> Area | None:
        if self._command.level == "city":
            raise Rejected("field", "level='city': must be below the city", field="level")
        if code:
            parent = self._areas.get(code)
            if parent is None or parent.disabled:
                self._wrong(number, "parent", code, "must be the code of an enabled area", "没有这个上级区域")
            elif LEVELS.index(parent.level) >= LEVELS.index(self._command.level):
                self._wrong(
                    number,
                    "parent",
                    code,
                    f"is a {parent.level}: must be above {self._command.level}",
                    "须为上级区域",
                )
            else:
                return parent
            return None
        self.by_place += 1
        point = shape.representative_point()
        for held, index in self._above:
            at = int(index.locate(point.x, point.y)[0])
            if at != NOWHERE:
                return held[at]
        return self._city


def preview(cursor: Cursor, command: c.ImportBoundaries, place_of: PlaceOf) -> Preview:
    """Every feature with its faults and how the areas fit together; stores nothing. Raises BadFile, Rejected."""
    if command.level not in LEVELS[1:]:
        rule = f"must be one of {', '.join(LEVELS[1:])}"
        raise Rejected("field", f"level={command.level!r}: {rule}", field="level")
    features = read_features(content_of(command.content), command.filename, command.crs)
    areas = read_areas(cursor)
    reader = _Reader(areas, command, place_of)
    names = list(dict.fromkeys(name for feature in features for name in feature.properties))
    columns = reader.columns(names)
    for name in ("code", "name"):
        if not columns[name]:
            given = command.code_field if name == "code" else command.name_field
            told = ", ".join(names) or "none"
            raise BadFile(
                f"column of the {name} {given or COLUMNS[name]!r}: is none of the file's columns ({told})",
                f"文件中没有“{COLUMNS[name][2]}”列，现有：{told}",
            )
    found = [b for f in features if (b := reader.boundary(f, columns)) is not None]
    new, changed, same = [], [], 0
    for boundary in found:
        known = areas.get(boundary.code)
        if known is None:
            new.append(boundary)
        elif known.name == boundary.name and known.shape is not None and known.shape.equals(boundary.shape):
            same += 1
        else:
            changed.append(boundary)
    named = {boundary.code for boundary in found}
    rest = [a for a in areas.values() if a.level == command.level and a.code not in named and not a.disabled]
    return Preview(
        len(features), tuple(new), tuple(changed), same, tuple(reader.faults), tuple(reader.notes), reader.by_place,
        len(rest), _fits(found, rest, areas), frozenset(boundary.parent.path for boundary in found),
    )  # fmt: skip


def _fits(found: Sequence[Boundary], rest: Sequence[Area], areas: Mapping[str, Area]) -> Topology:
    """How all areas of the level would lie beside one another, within those above where all of these have shapes."""
    shaped = [a for a in rest if a.shape is not None]
    paths = {a.path: a for a in areas.values()}
    above = {b.parent.code: b.parent for b in found}
    above |= {up.code: up for a in shaped if (up := paths.get(a.path.removesuffix(f"{a.code}/"))) is not None}
    wholes = [a.shape for a in above.values()]
    whole = shapely.union_all(wholes) if wholes and all(w is not None for w in wholes) else None
    return topology(
        [*(b.code for b in found), *(a.code for a in shaped)],
        [*(b.shape for b in found), *(a.shape for a in shaped if a.shape is not None)],
        whole,
    )


def store_all(cursor: Cursor, found: Preview, level: str, actor: Actor) -> dict[str, int]:
    """Store every new and changed area; how many things of each table lie in another cell now. Raises Rejected(forbidden)
    when something would come to, or leave, an area that the actor does not manage."""
    rows = []
    for b in (*found.new, *found.changed):
        point = b.shape.representative_point()
        rows.append(
            (b.code, level, b.name, b.name_en, b.parent.code, b.path, point.x, point.y, area_m2(b.shape),
             shapely.to_wkb(b.shape))
        )  # fmt: skip
    many(
        cursor,
        "INSERT INTO areas (code, level, name, name_en, parent, path, lon, lat, area_m2, geometry) VALUES %s"
        " ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name,"
        " name_en = coalesce(nullif(EXCLUDED.name_en, ''), areas.name_en), lon = EXCLUDED.lon, lat = EXCLUDED.lat,"
        " area_m2 = EXCLUDED.area_m2, geometry = EXCLUDED.geometry",
        rows,
    )
    moved = _place_again(cursor, actor) if level == "cell" and rows else {}
    bump(cursor)
    return moved


def _place_again(cursor: Cursor, actor: Actor) -> dict[str, int]:
    cells = [
        a for a in read_areas(cursor).values() if a.level == "cell" and a.shape is not None and not a.disabled
    ]
    index = CellIndex([a.code for a in cells], [a.shape for a in cells if a.shape is not None])
    moved = {}
    for table, (read, put) in _PLACED.items():
        cursor.execute(read)
        things = cursor.fetchall()
        at = index.locate(np.array([t[1] for t in things]), np.array([t[2] for t in things]))
        changed = [
            (thing[0], cell.code, cell.path)
            for thing, n in zip(things, at, strict=True)
            if n != NOWHERE and (cell := cells[n]).code != thing[3]
        ]
        former = {thing[0]: thing[4] for thing in things}
        for path in sorted({path for key, _, new in changed for path in (former[key], new)}):
            require(actor, "area.manage", Thing(path))
        many(cursor, put, changed)
        moved[table] = len(changed)
    return moved


def _spots(spots: Sequence[Spot]) -> list[dict[str, Any]]:
    return [
        {
            "area_m2": round(s.area_m2, 1),
            "lon": round(s.lon, 6),
            "lat": round(s.lat, 6),
            "codes": list(s.codes),
        }
        for s in spots[:SHOWN]
    ]


def told(found: Preview) -> dict[str, Any]:
    """A preview as an answer."""
    fits = {name: getattr(found.fits, name) for name in ("overlaps", "gaps", "outside")}
    return {
        "rows": found.features,
        "new": len(found.new),
        "changed": len(found.changed),
        "same": found.same,
        "faulty": found.faulty,
        "by_place": found.by_place,
        "absent": found.absent,
        "faults": [
            {
                "row": number,
                "column": fault.field,
                "value": fault.found,
                "rule": fault.rule.removeprefix("must be "),
                "rule_zh": fault.rule_zh,
            }
            for number, fault in found.faults[:SHOWN]
        ],
        "notes": [{"row": number, "notes": [note]} for number, note in found.notes[:SHOWN]],
        "slivers": found.fits.slivers,
        **{name: _spots(spots) for name, spots in fits.items()},
        **{f"{name}_count": len(spots) for name, spots in fits.items()},
        **{f"{name}_m2": round(sum(s.area_m2 for s in spots)) for name, spots in fits.items()},
    }


def import_boundaries(
    cursor: Cursor, command: c.ImportBoundaries, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    """See ImportBoundaries. Raises Rejected when the file cannot be read, or with `confirm` when a feature is wrong."""
    try:
        found = preview(cursor, command, place_of)
    except BadFile as bad:
        raise refused_file(command.filename, bad) from None
    except BadShape as bad:
        raise Rejected("field", f"content={command.filename!r}: {bad}", field="content") from None
    answer = told(found)
    if not command.confirm:
        return {**answer, "stored": False}
    for number, fault in found.faults:
        text = f"feature {number}: {fault}; {found.faulty} features are wrong, nothing was stored"
        raise Rejected("rule", text, field=fault.field, **answer)
    for path in sorted(found.parents):
        require(actor, "area.manage", Thing(path))
    return {**answer, "stored": True, "moved": store_all(cursor, found, command.level, actor)}
