"""Places, devices, cameras and components: where they stand, what they are called, which cell and unit they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np
import shapely
from shapely import STRtree

from data.sample_city.areas import AreaTree, CellFinder
from data.sample_city.land import Land
from data.sample_city.plane import MICRO, Floats, stage_rng, to_lattice, to_plane
from data.sample_city.road_graph import CLASSES, RoadGraph
from data.sample_city.split import apportion
from data.sample_city.tables import Row, Tables
from data.sample_city.units import UnitFinder

REACH_M: Final = 24_700.0
"""Nothing stands farther from the centre: reports from beyond 25 km are refused."""


@dataclass(frozen=True)
class Spot:
    """A place on the ground, found in a cell; `road`, `other` (crossing road) and `water` as far as they apply."""

    lon: float
    lat: float
    cell: int
    road: str = ""
    other: str = ""
    water: str = ""
    bridge: str = ""


@dataclass(frozen=True)
class Place:
    """A named place people use in sentences."""

    name: str
    kind: str
    lon: float
    lat: float
    cell: str
    area_path: str
    road: str


@dataclass(frozen=True)
class Thing:
    """A device, camera or component, with its columns beyond place and name in `more`."""

    code: str
    name: str
    spot: Spot
    more: dict[str, str]


class Ground:
    """Where things can stand: samples spots of each kind of site."""

    def __init__(self, land: Land, areas: AreaTree, roads: RoadGraph) -> None:
        self.areas = areas
        self._finder = CellFinder.of(areas)
        self._roads = roads
        self._water = land.water_shape
        shapely.prepare(self._water)
        self._land = land
        self.village = areas.ancestors(3)
        self._road_tree = STRtree([shapely.LineString(to_plane(e.line)) for e in roads.edges])
        meeting: dict[tuple[int, int], set[tuple[int, str]]] = defaultdict(set)
        for e in roads.edges:
            if not e.bridge:
                for p in (e.start, e.end):
                    meeting[p].add((CLASSES.index(e.road_class), e.name))
        names = {p: list(dict.fromkeys(name for _, name in sorted(at))) for p, at in sorted(meeting.items())}
        self._crossings = [(p, at) for p, at in names.items() if len(at) >= 2]
        size = np.array([c.area_m2 for c in areas.cells])
        middles = np.array([e.line[len(e.line) // 2] for e in roads.edges])
        cell = self._finder.find(middles)
        factor = np.array(
            [{"arterial": 1.5, "secondary": 1.1, "local": 0.9}[e.road_class] for e in roads.edges]
        )
        busy = np.where(cell >= 0, 1.0 / np.sqrt(size[cell]), 0.0)
        weight = np.array([e.length_m for e in roads.edges]) * factor * busy**1.15
        self._edge_weight = weight / weight.sum()

    def spots(self, site: str, n: int, rng: np.random.Generator) -> list[Spot]:
        """n spots of a kind of site: road, junction, bridge, river, building, open or slope."""
        found: list[Spot] = []
        for _ in range(60):
            if len(found) >= n:
                break
            found += getattr(self, f"_{site}")(int((n - len(found)) * 1.3) + 4, rng)
        if len(found) < n:
            raise ValueError(f"no room for {n} spots of kind {site!r}")
        return found[:n]

    def _settled(self, lattice: Floats, texts: Sequence[dict[str, str]], dry: bool = True) -> list[Spot]:
        plane = to_plane(lattice)
        ok = np.hypot(*plane.T) < REACH_M
        if dry:
            ok &= ~shapely.contains_xy(self._water, plane[:, 0], plane[:, 1])
        cell = self._finder.find(lattice)
        ok &= cell >= 0
        return [
            Spot(float(lattice[i, 0]) / MICRO, float(lattice[i, 1]) / MICRO, int(cell[i]), **texts[i])
            for i in np.flatnonzero(ok).tolist()
        ]

    def _road(self, n: int, rng: np.random.Generator) -> list[Spot]:
        chosen = rng.choice(len(self._roads.edges), size=n, p=self._edge_weight)
        points, texts = [], []
        for i in chosen:
            e = self._roads.edges[int(i)]
            if e.bridge:
                continue
            line = shapely.LineString(to_plane(e.line))
            at = rng.uniform(0.04, 0.96) * line.length
            a, b = (shapely.get_coordinates(line.interpolate(at + d))[0] for d in (-2.0, 2.0))
            side = np.array([a[1] - b[1], b[0] - a[0]]) / (np.hypot(*(b - a)) or 1.0)
            points.append((a + b) / 2 + side * rng.choice([-1, 1]) * rng.uniform(6, 14))
            texts.append({"road": e.name})
        return self._settled(to_lattice(np.array(points)), texts)

    def _junction(self, n: int, rng: np.random.Generator) -> list[Spot]:
        chosen = rng.permutation(len(self._crossings))[:n]
        if len(chosen) < n:
            chosen = np.concatenate([chosen, rng.integers(len(self._crossings), size=n - len(chosen))])
        points = np.array([self._crossings[int(i)][0] for i in chosen], dtype=float)
        points += np.round(rng.uniform(-120, 120, size=points.shape))
        texts = [
            {"road": self._crossings[int(i)][1][0], "other": self._crossings[int(i)][1][1]} for i in chosen
        ]
        return self._settled(points, texts, dry=False)

    def _bridge(self, n: int, rng: np.random.Generator) -> list[Spot]:
        bridges = [
            e for e in self._roads.edges if e.bridge and np.hypot(*to_plane(e.line).mean(axis=0)) < REACH_M
        ]
        if not bridges:
            return []
        weight = np.array([6.0 if e.along else 1.0 for e in bridges])
        points, texts = [], []
        for i in rng.choice(len(bridges), size=n, p=weight / weight.sum()):
            e = bridges[int(i)]
            line = shapely.LineString(to_plane(e.line))
            points.append(
                shapely.get_coordinates(line.interpolate(rng.uniform(0.1, 0.9), normalized=True))[0]
            )
            name = e.name if e.along else f"{e.name}桥"
            texts.append({"road": e.name, "bridge": name})
        return self._settled(to_lattice(np.array(points)), texts, dry=False)

    def _river(self, n: int, rng: np.random.Generator) -> list[Spot]:
        points, texts = [], []
        waters = self._land.waters
        weight = np.array(
            [{"river": 10.0, "tributary": 5.0, "reservoir": 1.6, "lake": 1.0}[w.kind] for w in waters]
        )
        bridges = [
            (e.name, to_plane(e.line).mean(axis=0))
            for e in self._roads.edges
            if e.bridge and e.along == "river"
        ]
        for i in rng.choice(len(waters), size=n, p=weight / weight.sum()):
            water = waters[int(i)]
            rim = shapely.boundary(water.shape)
            t = rng.uniform() ** 0.8
            p = shapely.get_coordinates(rim.interpolate(t, normalized=True))[0]
            near = [name for name, at in bridges if np.hypot(*(at - p)) < 700]
            points.append(p)
            texts.append({"water": water.name, "bridge": near[0] if near else ""})
        return self._settled(to_lattice(np.array(points)), texts, dry=False)

    def _building(self, n: int, rng: np.random.Generator) -> list[Spot]:
        points = self.areas.settlement[rng.integers(len(self.areas.settlement), size=n)]
        return self._with_road(points)

    def near(self, places: Sequence[Place], n: int, rng: np.random.Generator) -> list[tuple[Spot, Place]]:
        """n spots within 50 m of places drawn from the list, each with its place."""
        found: list[tuple[Spot, Place]] = []
        while len(found) < n:
            chosen = rng.integers(len(places), size=int((n - len(found)) * 1.2) + 4).tolist()
            middle = np.round(np.array([[places[i].lon * MICRO, places[i].lat * MICRO] for i in chosen]))
            turn, away = rng.uniform(0, 2 * np.pi, len(chosen)), rng.uniform(5, 50, len(chosen))
            plane = to_plane(middle) + np.column_stack([np.cos(turn), np.sin(turn)]) * away[:, None]
            # the place's index rides along, because spots in water or beyond reach fall away
            spots = self._settled(to_lattice(plane), [{"road": str(i)} for i in chosen])
            found += [(replace(s, road=places[int(s.road)].road), places[int(s.road)]) for s in spots]
        return found[:n]

    def _open(self, n: int, rng: np.random.Generator) -> list[Spot]:
        cells = rng.integers(len(self.areas.cells), size=n)
        lattice = np.round(
            np.array(
                [[self.areas.cells[int(i)].lon * MICRO, self.areas.cells[int(i)].lat * MICRO] for i in cells]
            )
        )
        return self._with_road(to_plane(lattice))

    def _slope(self, n: int, rng: np.random.Generator) -> list[Spot]:
        away = np.hypot(*self.areas.settlement.T)
        hills = self.areas.settlement[(away > 12_000) & (self.areas.settlement[:, 1] > 2_000)]
        return self._with_road(hills[rng.integers(len(hills), size=n)])

    def _with_road(self, plane: Floats) -> list[Spot]:
        nearest = self._road_tree.nearest(shapely.points(plane))
        texts = [{"road": self._roads.edges[int(i)].name} for i in np.atleast_1d(nearest).tolist()]
        return self._settled(to_lattice(plane), texts)

    def village_short(self, cell: int) -> str:
        """The short name of the cell's village."""
        return self.areas.levels[3][int(self.village[cell])].name.removesuffix("社区").removesuffix("村")

    def lattice_of(self, spots: Sequence[Spot]) -> Floats:
        """The lattice points of spots, (n, 2)."""
        return np.round(np.array([[s.lon * MICRO, s.lat * MICRO] for s in spots]))


# ---- places -------------------------------------------------------------------------------------------------------

_PLACES: Final = (
    # kind, how many per 200 villages, endings
    ("小区", 560, ("花园", "新村", "雅苑", "嘉园", "名庭", "家园", "里弄", "公寓")),
    ("学校", 190, ("小学", "中学", "幼儿园", "实验学校")),
    ("市场", 120, ("市场", "农贸市场", "集贸市场")),
    ("公园", 90, ("公园", "湿地公园", "社区公园")),
    ("医院", 60, ("医院", "社区卫生服务中心", "中医馆")),
    ("商圈", 60, ("广场", "百货", "购物中心", "步行街")),
    ("工业园", 50, ("工业园", "科技园", "物流园")),
    ("公交站", 160, ("站", "路口站")),
    ("公共", 70, ("文化站", "体育馆", "图书馆", "政务中心", "客运站")),
)


def make_places(ground: Ground, seed: int) -> list[Place]:
    """Road crossings and named places, each name once; about 2,000 for 200 villages."""
    rng = stage_rng(seed, "places")
    scale = len(ground.areas.levels[3]) / 200
    out: dict[str, Place] = {}

    def add(name: str, kind: str, spot: Spot) -> None:
        cell = ground.areas.cells[spot.cell]
        out.setdefault(name, Place(name, kind, spot.lon, spot.lat, cell.code, cell.path, spot.road))

    for spot in ground.spots("junction", max(20, int(700 * scale)), rng):
        add(f"{spot.road}与{spot.other}路口", "路口", spot)
    for kind, per_200, endings in _PLACES:
        for n, spot in enumerate(ground.spots("building", max(6, int(per_200 * scale)), rng)):
            add(ground.village_short(spot.cell) + endings[n % len(endings)], kind, spot)
    for spot in ground.spots("bridge", 30, rng):
        add(spot.bridge, "桥梁", spot)
    for spot in ground.spots("river", max(20, int(120 * scale)), rng):
        add(f"{spot.water}{ground.village_short(spot.cell)}段", "河道", spot)
    return sorted(out.values(), key=lambda p: (p.kind, p.name))


# ---- devices, components, cameras ---------------------------------------------------------------------------------


_HOMES: Final = ("小区", "学校", "医院", "商圈", "工业园", "公共", "市场")


class _Sites:
    """Spots with natural names, each name once."""

    def __init__(self, ground: Ground, places: Sequence[Place]) -> None:
        self._ground = ground
        self._places = places
        self._count: dict[str, int] = defaultdict(int)

    def named(
        self, site: str, n: int, noun: str, rng: np.random.Generator, kinds: Sequence[str] = _HOMES
    ) -> list[tuple[Spot, str]]:
        """n spots of a kind of site with names; for site "building" at places of these kinds."""
        if site == "building":
            homes = [p for p in self._places if p.kind in kinds]
            found = self._ground.near(homes, n, rng)
            word = "{}栋" if kinds == _HOMES else "{}号"
            return [(spot, self._numbered(f"{place.name}{word}{noun}", always=True)) for spot, place in found]
        return [(spot, self._name(site, spot, noun)) for spot in self._ground.spots(site, n, rng)]

    def _name(self, site: str, spot: Spot, noun: str) -> str:
        village = self._ground.village_short(spot.cell)
        if site == "road":
            return self._numbered(f"{spot.road}{{}}号{noun}", always=True)
        if site == "junction":
            return self._numbered(f"{spot.road}与{spot.other}路口{noun}{{}}")
        if site == "bridge":
            return self._numbered(f"{spot.bridge}{{}}号{noun}", always=True)
        if site == "river":
            return self._numbered(f"{spot.bridge or f'{spot.water}{village}段'}{noun}{{}}")
        if site == "slope":
            return self._numbered(f"{village}{{}}号{noun}", always=True)
        return self._numbered(f"{village}{noun}{{}}")

    def _numbered(self, pattern: str, always: bool = False) -> str:
        self._count[pattern] += 1
        n = self._count[pattern]
        return pattern.format(n if always or n > 1 else "")


def make_devices(
    ground: Ground, places: Sequence[Place], tables: Tables, units: UnitFinder, count: int, seed: int
) -> list[Thing]:
    """`count` devices over the types by their shares."""
    sites = _Sites(ground, places)
    out: list[Thing] = []
    shares = apportion([float(r["share"]) for r in tables.device_types], count)
    for row, n in zip(tables.device_types, shares, strict=True):
        rng = stage_rng(seed, f"device {row['id']}")
        for i, (spot, name) in enumerate(sites.named(row["site"], n, row["noun"], rng), 1):
            unit = units.find(row["unit_kind"], ground.areas.cells[spot.cell].path)
            installed = date(2019, 1, 1) + timedelta(days=int(rng.integers(0, 2_600)))
            more = {
                "type": row["id"],
                "unit": unit,
                "expected_period_s": row["period_s"],
                "critical": row["critical"],
                "installed_on": installed.isoformat(),
            }
            out.append(Thing(f"{row['prefix']}-{i:06d}", name, spot, more))
    return out


def make_components(
    ground: Ground, places: Sequence[Place], tables: Tables, units: UnitFinder, count: int, seed: int
) -> list[Thing]:
    """`count` components; 16-digit code = 6 district + 2 class + 2 subclass + 6 serial (in the style of GB/T 30428)."""
    sites = _Sites(ground, places)
    out: list[Thing] = []
    serial: dict[str, int] = defaultdict(int)
    shares = apportion([float(r["share"]) for r in tables.component_classes], count)
    for row, n in zip(tables.component_classes, shares, strict=True):
        rng = stage_rng(seed, f"component {row['big_code']}{row['small_code']}")
        for spot, name in sites.named(row["site"], n, row["subclass"], rng):
            path = ground.areas.cells[spot.cell].path
            prefix = path.split("/")[1] + row["big_code"] + row["small_code"]
            serial[prefix] += 1
            more = {
                "class": row["class"],
                "subclass": row["subclass"],
                "event_class": row["event_class"],
                "owner_unit": units.find(row["unit_kind"], path),
            }
            out.append(Thing(f"{prefix}{serial[prefix]:06d}", name, spot, more))
    return out


_SCENES: Final = (
    # scene, share, site or kind of place, sectors, share range, view degrees, range m
    ("路口", 0.40, "junction", ("公安", "交通"), "public_security", 75, 120),
    ("道路", 0.10, "road", ("交通", "公安"), "public_security", 60, 150),
    ("社区", 0.18, "小区", ("公安", "城管"), "district", 90, 60),
    ("商圈", 0.08, "商圈", ("公安", "城管"), "government", 90, 80),
    ("广场", 0.05, "公园", ("城管", "公安"), "government", 110, 100),
    ("学校", 0.06, "学校", ("公安",), "public_security", 90, 70),
    ("医院", 0.03, "医院", ("公安",), "public_security", 90, 70),
    ("河道", 0.06, "river", ("水务",), "government", 60, 200),
    ("工地", 0.04, "工业园", ("城管",), "government", 90, 120),
)
_INDUSTRY: Final = {"公安": "00", "交通": "05", "城管": "06", "水务": "08"}


def make_cameras(ground: Ground, places: Sequence[Place], count: int, seed: int) -> list[Thing]:
    """`count` cameras; 20-digit code = 8 division + 2 industry + 3 type + 1 network + 6 serial (GB/T 28181)."""
    sites = _Sites(ground, places)
    out: list[Thing] = []
    shares = apportion([s[1] for s in _SCENES], count)
    serial: dict[str, int] = defaultdict(int)
    for (scene, _, site, sectors, shared, view, reach), n in zip(_SCENES, shares, strict=True):
        rng = stage_rng(seed, f"camera {scene}")
        for spot, name in _camera_sites(sites, site, n, rng):
            town = ground.areas.cells[spot.cell].path.split("/")[2]
            sector = sectors[0] if rng.random() < 0.7 else sectors[-1]
            kind = "131" if rng.random() < 0.25 else "132"
            network = "5" if shared == "public_security" else "7"
            prefix = f"{town[:6]}{int(town[6:]) % 100:02d}{_INDUSTRY[sector]}{kind}{network}"
            serial[prefix] += 1
            more = {
                "scene": scene,
                "sector": sector,
                "share_range": shared,
                "direction_deg": str(int(rng.integers(0, 72) * 5)),
                "view_deg": str(view),
                "range_m": str(reach),
            }
            out.append(Thing(f"{prefix}{serial[prefix]:06d}", name, spot, more))
    return out


def _camera_sites(sites: _Sites, site: str, n: int, rng: np.random.Generator) -> list[tuple[Spot, str]]:
    if site in ("junction", "road", "river"):
        return sites.named(site, n, "摄像头", rng)
    return sites.named("building", n, "摄像头", rng, (site,))


def rows_of(things: Sequence[Thing], areas: AreaTree) -> list[Row]:
    """Things as rows with lon, lat, cell and area_path."""
    return [
        {
            "code": t.code,
            "name": t.name,
            "lon": f"{t.spot.lon:.6f}",
            "lat": f"{t.spot.lat:.6f}",
            "cell": areas.cells[t.spot.cell].code,
            "area_path": areas.cells[t.spot.cell].path,
            **t.more,
        }
        for t in things
    ]
