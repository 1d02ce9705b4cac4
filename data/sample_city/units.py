"""Responsible units, grid workers, and which unit answers for which class where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.sample_city.areas import Area, AreaTree
from data.sample_city.names import person
from data.sample_city.plane import stage_rng
from data.sample_city.split import apportion
from data.sample_city.tables import Tables

SPARE_KINDS = ("派出所", "环卫所", "市政养护队", "应急分队")
_SPARE_EN = {
    "派出所": "Police Station",
    "环卫所": "Sanitation Team",
    "市政养护队": "Works Crew",
    "应急分队": "Response Team",
}
_SPARE_KIND = {"派出所": "公安", "环卫所": "环卫", "市政养护队": "市政", "应急分队": "应急"}


@dataclass(frozen=True)
class Unit:
    """A responsible unit: where it sits and the area it serves."""

    code: str
    name: str
    name_en: str
    kind: str
    area_path: str
    lon: float
    lat: float
    phone: str


@dataclass(frozen=True)
class Worker:
    """A grid worker with the duty grids served (their paths) and a home position."""

    login: str
    name: str
    unit: str
    area_paths: tuple[str, ...]
    lon: float
    lat: float


@dataclass(frozen=True)
class Responsibility:
    """Class × area → unit. The longest area path that begins a cell's path wins."""

    class_code: str
    area_path: str
    unit: str
    reason: str


def make_units(areas: AreaTree, tables: Tables, count: int, seed: int) -> list[Unit]:
    """`count` units: one of each kind per area of its scope, the rest as stations of towns. ValueError if too few."""
    rng = stage_rng(seed, "units")
    city, districts, towns = areas.levels[0], areas.levels[1], areas.levels[2]
    scope = {"city": city, "district": districts, "town": towns}
    wanted: list[tuple[str, Area, str, str, str]] = []
    for row in tables.unit_kinds:
        for area in scope[row["scope"]]:
            wanted.append((f"U{row['code']}-{area.code}", area, row["kind"], row["name"], row["name_en"]))
    if count < len(wanted):
        raise ValueError(f"units={count}: at least {len(wanted)} are needed for these districts and towns")
    spare = [(kind, town) for kind in SPARE_KINDS for town in towns]
    for n in range(count - len(wanted)):
        kind, town = spare[n % len(spare)]
        turn = n // len(spare) + 1
        ordinal = f"第{turn}" if count - len(wanted) > len(spare) else ""
        code = f"US{SPARE_KINDS.index(kind) + 1}{turn:02d}-{town.code}"
        wanted.append((code, town, _SPARE_KIND[kind], ordinal + kind, _SPARE_EN[kind]))
    taken: set[str] = set()
    out: list[Unit] = []
    for n, (code, area, kind, name, english) in enumerate(wanted):
        cell = _office(areas, area, rng, taken)
        taken.add(cell.code)
        short = area.name if area.level != "city" else "临澜市"
        phone = f"0000-{5_550_000 + n + 101:07d}"
        out.append(
            Unit(code, short + name, f"{area.name_en} {english}", kind, area.path, cell.lon, cell.lat, phone)
        )
    return out


def _office(areas: AreaTree, area: Area, rng: np.random.Generator, taken: set[str]) -> Area:
    """A small (so a central) cell of the area that houses no unit yet."""
    inside = [c for c in areas.cells if c.path.startswith(area.path) and c.code not in taken]
    inside.sort(key=lambda c: (c.area_m2, c.code))
    few = inside[: max(12, len(inside) // 12)]
    return few[int(rng.integers(len(few)))] if few else area


@dataclass(frozen=True)
class UnitFinder:
    """Which unit of a kind serves an area path: the one with the longest matching path."""

    by_kind: dict[str, dict[str, str]]

    @staticmethod
    def of(units: list[Unit]) -> UnitFinder:
        """A finder over the first unit of each kind and area."""
        by_kind: dict[str, dict[str, str]] = {}
        for u in units:
            by_kind.setdefault(u.kind, {}).setdefault(u.area_path, u.code)
        return UnitFinder(by_kind)

    def find(self, kind: str, path: str) -> str:
        """The unit's code. KeyError when no unit of the kind serves the path."""
        served = self.by_kind[kind]
        parts = path.rstrip("/").split("/")
        for k in range(len(parts), 0, -1):
            unit = served.get("/".join(parts[:k]) + "/")
            if unit:
                return unit
        raise KeyError(f"no {kind} unit serves {path}")


def make_workers(areas: AreaTree, units: list[Unit], count: int, seed: int) -> list[Worker]:
    """`count` grid workers; the duty grids of one village are shared out in runs of neighbours."""
    rng = stage_rng(seed, "workers")
    finder = UnitFinder.of([u for u in units if u.kind == "镇街"])
    grids, village_of = areas.levels[4], areas.parents[4]
    villages = len(areas.levels[3])
    if count > len(grids):
        raise ValueError(f"workers={count}: more than the {len(grids)} duty grids")
    runs: list[list[Area]] = []
    if count >= villages:
        members: list[list[Area]] = [[] for _ in range(villages)]
        for grid, v in zip(grids, village_of, strict=True):
            members[int(v)].append(grid)
        # each village gets workers by its number of grids, never more than it has grids
        shares = apportion([float(len(m)) for m in members], count)
        spare = sum(max(0, s - len(m)) for s, m in zip(shares, members, strict=True))
        shares = [min(s, len(m)) for s, m in zip(shares, members, strict=True)]
        for i, m in enumerate(members):
            more = min(spare, len(m) - shares[i])
            shares[i] += more
            spare -= more
        for m, s in zip(members, shares, strict=True):
            runs.extend([m[int(i)] for i in part] for part in np.array_split(np.arange(len(m)), s))
    else:
        runs = [[grids[int(i)] for i in part] for part in np.array_split(np.arange(len(grids)), count)]
    width = max(4, len(str(count)))
    return [
        Worker(
            login=f"gw{n:0{width}d}",
            name=person(rng),
            unit=finder.find("镇街", run[0].path),
            area_paths=tuple(g.path for g in run),
            lon=run[0].lon,
            lat=run[0].lat,
        )
        for n, run in enumerate(runs, 1)
    ]


# In towns 镇 these everyday classes are the town's own; in 街道 and above they belong to the trade's unit.
_TOWN_CLASSES = frozenset({"E0101", "E0102", "E0502", "E0503", "E0506", "E0201", "V0102", "V0107", "M0601"})


def make_responsibilities(areas: AreaTree, units: list[Unit], tables: Tables) -> list[Responsibility]:
    """A unit for every class in every cell: the trade's unit per area of its scope, and the towns' own exceptions."""
    finder = UnitFinder.of(units)
    scope_of = {r["kind"]: r["scope"] for r in tables.unit_kinds}
    level = {"city": 0, "district": 1, "town": 2}
    name = {u.code: u.name for u in units}
    out: list[Responsibility] = []
    for row in tables.event_classes:
        kind, code = row["unit_kind"], row["code"]
        for area in areas.levels[level[scope_of[kind]]]:
            unit = finder.find(kind, area.path)
            reason = f"“{row['name']}”归{kind}条线，{area.name}由{name[unit]}负责"
            out.append(Responsibility(code, area.path, unit, reason))
        if code in _TOWN_CLASSES:
            for area in areas.levels[2]:
                if area.name.endswith("镇"):
                    unit = finder.find("镇街", area.path)
                    reason = f"“{row['name']}”在{area.name}下放属地，由{name[unit]}负责"
                    out.append(Responsibility(code, area.path, unit, reason))
    return out
