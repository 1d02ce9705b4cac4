"""The responsibility table 责任清单 as sheets write it: a standard names the roles that may answer (“所属街办、各产权单位”),
and the place, the owner, the road and the period make a unit of a role."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gis.borders import Borders
from gis.road_classes import RoadClasses

OWNER: Final = "owner"
"""The role 产权单位: the unit that the component's register names."""

ROAD: Final = "road"
"""The role of who keeps the road: its offices are told by `road:` and the class of the road."""

CELL: Final = "table:"
"""Begins the role of a class whose units the table names place by place: each of its cells, class × area, is a rule."""

WHOLE_CITY: Final = ""

ROAD_WORDS: Final[Mapping[str, str]] = {
    "arterial": "主干道", "secondary": "次干道", "local": "支路", "alley": "街巷",
}  # fmt: skip
"""Classes of roads as map data call them, in the words of rule sheets; another word stands for itself."""


def paths_up(path: str) -> list[str]:
    """An area's path and those of all that hold it: `1/2/3/` → `1/2/3/`, `1/2/`, `1/`."""
    found = []
    while path:
        found.append(path)
        path = path[: path.rstrip("/").rfind("/") + 1]
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """In the standard (class, condition; '' = all conditions) this role may answer; in a `period` only while it lasts."""

    rule: str
    class_code: str
    condition: str
    role: str
    period: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """A special period: its kind (汛期), from `begin` to before `end`, both aware."""

    kind: str
    name: str
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit with the area it belongs to, '' for the whole city."""

    code: str
    name: str
    area_path: str = WHOLE_CITY


@dataclass(frozen=True, slots=True)
class Area:
    """An area by path, and the other names by which people call places in it."""

    path: str
    name: str
    names: tuple[str, ...] = ()


class Rules:
    """One version of the table with all it refers to. Built once; immutable, thread-safe.

    `offices`: role → area path → unit (WHOLE_CITY: for all that is not told); the longest path that begins the place's
    wins. `role_names`: role → what people call it. `borders`: the smallest areas that any office is told for.
    `class_names`: code → name. `cell_reasons`: why, as the table says it, by the rule that `rule_at` names.
    """

    __slots__ = ("_class_names", "_conditions", "_owners", "_periodic", "_places", "_rows", "_words", "areas", "borders",
                 "cell_reasons", "offices", "periods", "roads", "role_names", "units", "version")  # fmt: skip

    def __init__(
        self,
        version: str,
        rows: Iterable[Row],
        offices: Mapping[str, Mapping[str, str]],
        units: Iterable[Unit],
        areas: Iterable[Area],
        borders: Borders,
        periods: Sequence[Period] = (),
        role_names: Mapping[str, str] | None = None,
        owner_words: Mapping[str, str] | None = None,
        class_names: Mapping[str, str] | None = None,
        cell_reasons: Mapping[str, str] | None = None,
        roads: RoadClasses | None = None,
    ) -> None:
        self.version = version
        self._class_names = dict(class_names or {})
        self.cell_reasons = dict(cell_reasons or {})
        self.offices = offices
        self.roads = roads
        self.units = {unit.code: unit for unit in units}
        self.areas = {area.path: area for area in areas}
        self.borders = borders
        self.periods = tuple(periods)
        self.role_names = dict(role_names or {})
        self._rows: dict[tuple[str, str], list[Row]] = {}
        self._conditions: dict[str, dict[str, None]] = {}
        for row in rows:
            self._rows.setdefault((row.class_code, row.condition), []).append(row)
            if row.condition:
                self._conditions.setdefault(row.class_code, {})[row.condition] = None
        self._periodic = {
            (r.class_code, r.period) for found in self._rows.values() for r in found if r.period
        }
        places: dict[str, list[str]] = {}
        for area in self.areas.values():
            for name in dict.fromkeys((area.name, *area.names)):
                if len(name) > 1:
                    places.setdefault(name, []).append(area.path)
        self._places = {name: tuple(paths) for name, paths in places.items()}
        self._owners = dict(owner_words or {})
        names = sorted({*self._places, *self._owners}, key=lambda name: (-len(name), name))
        self._words = re.compile("|".join(map(re.escape, names)) or r"(?!)")

    def rows(self, class_code: str, condition: str, period: str) -> list[Row]:
        """The rows of a standard that are in force, those of the whole class with them; each role once."""
        found: dict[str, Row] = {}
        for key in ((class_code, condition), (class_code, "")) if condition else ((class_code, ""),):
            for row in self._rows.get(key, ()):
                if not row.period or row.period == period:
                    found.setdefault(row.role, row)
        return list(found.values())

    def conditions(self, class_code: str) -> list[str]:
        """The filing conditions of a class that have rows of their own."""
        return list(self._conditions.get(class_code, ()))

    def period_at(self, at: datetime, class_code: str) -> Period | None:
        """The special period in force that this class has rows for."""
        for period in self.periods:
            if period.begin <= at < period.end and (class_code, period.kind) in self._periodic:
                return period
        return None

    def unit_of(self, role: str, area_path: str, road_class: str, owner: str) -> str:
        """The unit that a role is at a place, '' when that cannot be told from what is known."""
        if role == OWNER:
            return owner
        if role == ROAD:
            role = f"{ROAD}:{road_class}"
        offices = self.offices.get(role, {})
        return next(
            (offices[path] for path in paths_up(area_path) if path in offices), offices.get(WHOLE_CITY, "")
        )

    def road_class_at(self, lon: float | None, lat: float | None, uncertainty_m: float) -> str:
        """The class of the road that a place is at, '' when that cannot be told."""
        if self.roads is None or lon is None or lat is None:
            return ""
        return self.roads.class_at(lon, lat, uncertainty_m)

    def rule_at(self, row: Row, area_path: str) -> str:
        """The rule by which a row answers at a place: the cell of the table where its class has cells, else the row."""
        if not row.role.startswith(CELL):
            return row.rule
        offices = self.offices.get(row.role, {})
        area = next((path for path in paths_up(area_path) if path in offices), WHOLE_CITY)
        return f"{row.rule}@{area or '*'}"

    def class_name(self, code: str) -> str:
        """The name of a class, its code when it has none."""
        return self._class_names.get(code, code)

    def named_in(self, text: str) -> tuple[list[tuple[str, tuple[str, ...]]], list[str]]:
        """What a text names: places, as (name, paths of the areas so called), and units that own components."""
        places: dict[str, tuple[str, ...]] = {}
        owners: dict[str, None] = {}
        for name in self._words.findall(text):
            if name in self._places:
                places[name] = self._places[name]
            if name in self._owners:
                owners[self._owners[name]] = None
        return list(places.items()), list(owners)

    def unit_name(self, code: str) -> str:
        """The name of a unit, its code when it has none."""
        return self.units[code].name if code in self.units else code

    def area_name(self, path: str) -> str:
        """The name of an area, its path when it has none."""
        return self.areas[path].name if path in self.areas else path
