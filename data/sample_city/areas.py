"""The area tree of the sample city: districts, towns, villages, duty grids, cells; codes, names, exact geometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from data.sample_city import names
from data.sample_city.coverage import Ints, dissolve, exact_cells
from data.sample_city.land import Land
from data.sample_city.plane import MICRO, Floats, geometry_to_plane, stage_rng, to_lattice
from data.sample_city.split import Block, Splitter, apportion, settle
from incidents.areas import LEVELS

CITY_CODE = "990100"
_COUNTY_SEAT: Final = np.array([[-2_900.0, 14_200.0]])  # plane metres, see split._SEATS


@dataclass(frozen=True)
class Area:
    """One area; geometry on the lattice, area in m², lon/lat of a dry point inside it."""

    code: str
    level: str
    name: str
    name_en: str
    parent: str
    path: str
    lon: float
    lat: float
    area_m2: float
    geometry: BaseGeometry


@dataclass(frozen=True)
class AreaTree:
    """All areas by level (0 city … 5 cell), each level in code order, with the parent's index in the level above."""

    levels: tuple[tuple[Area, ...], ...]
    parents: tuple[Ints, ...]  # parents[k][i] = index in levels[k - 1] of levels[k][i]; parents[0] is empty
    settlement: Floats  # dry settlement points, plane metres

    @property
    def cells(self) -> tuple[Area, ...]:
        """The cells."""
        return self.levels[5]

    def ancestors(self, level: int) -> Ints:
        """For every cell the index of its ancestor at `level`."""
        index = np.arange(len(self.levels[5]), dtype=np.int64)
        for step in range(5, level, -1):
            index = self.parents[step][index]
        return index


@dataclass(frozen=True)
class CellFinder:
    """Which cell holds a lattice point. Points in no cell (sea, beyond the limit) get -1."""

    tree: STRtree

    @staticmethod
    def of(areas: AreaTree) -> CellFinder:
        """A finder over the tree's cells."""
        return CellFinder(STRtree([c.geometry for c in areas.cells]))

    def find(self, lattice: Floats) -> Ints:
        """Cell indices of lattice points (n, 2); a point on a shared edge gets the lowest."""
        points = shapely.points(lattice)
        found = np.full(len(lattice), -1, dtype=np.int64)
        point_index, cell_index = self.tree.query(points, predicate="intersects")
        order = np.argsort(-cell_index, kind="stable")
        found[point_index[order]] = cell_index[order]
        return found


def _split_all(
    land: Land, settlement: Floats, counts: tuple[int, ...], seed: int
) -> tuple[list[Block], list[Ints]]:
    """Leaf blocks and, for each level, the index of the parent."""
    splitter = Splitter(land, stage_rng(seed, "split"))
    blocks = [Block(land.shape, settlement)]
    parents: list[Ints] = [np.zeros(0, dtype=np.int64)]
    for level in range(1, len(LEVELS)):
        weights = [float(len(b.points)) for b in blocks] if level == 2 else [1.0] * len(blocks)
        shares = apportion(weights, counts[level - 1])
        parents.append(np.repeat(np.arange(len(blocks), dtype=np.int64), shares))
        blocks = [
            child
            for block, n in zip(blocks, shares, strict=True)
            for child in splitter.parts(block, n, level)
        ]
        if level == 1 and len(blocks) >= 4:  # west to east, the northern county last
            blocks = [*sorted(blocks[:-1], key=lambda b: float(b.points[:, 0].mean())), blocks[-1]]
    return blocks, parents


def _check_counts(counts: tuple[int, ...]) -> None:
    for name, (parent, child), limit in zip(
        ("districts", "towns", "villages", "duty grids", "cells"),
        [
            (1, counts[0]),
            (counts[0], counts[1]),
            (counts[1], counts[2]),
            (counts[2], counts[3]),
            (counts[2], counts[4]),
        ],
        (99, 300, 900, 95, 950),
        strict=True,
    ):
        if not parent <= child <= parent * limit:
            raise ValueError(
                f"{name}={child}: must be from {parent} to {parent * limit} (codes have no more room)"
            )


def _representatives(shapes: list[BaseGeometry], settlement: Floats) -> Floats:
    """A lattice point inside each shape, dry where the shape has a settlement point: the one nearest the middle."""
    lattice = to_lattice(settlement)
    tree = STRtree([Point(p) for p in lattice])
    out = np.round(shapely.get_coordinates(shapely.point_on_surface(np.array(shapes, dtype=object))))
    middle = shapely.get_coordinates(shapely.centroid(np.array(shapes, dtype=object)))
    shape_index, point_index = tree.query(shapes, predicate="contains_properly")
    if len(shape_index):
        away = np.hypot(*(lattice[point_index] - middle[shape_index]).T)
        order = np.lexsort((-away, shape_index))  # the nearest last, so that it is the one kept
        out[shape_index[order]] = lattice[point_index[order]]
    return out


def make_areas(land: Land, counts: tuple[int, int, int, int, int], seed: int) -> AreaTree:
    """The area tree with (districts, towns, villages, duty grids, cells) of these counts. ValueError when codes
    have no room for them."""
    _check_counts(counts)
    settlement = settle(land, max(60_000, 30 * counts[4]), seed)
    blocks, parents = _split_all(land, settlement, counts, seed)
    shapes: list[list[BaseGeometry]] = [[]] * 6
    shapes[5] = exact_cells([b.shape for b in blocks])
    sizes = (1, *counts)
    for level in range(4, -1, -1):
        shapes[level] = dissolve(shapes[level + 1], parents[level + 1], sizes[level])
    named = _name_all(shapes, parents, settlement, seed)
    return AreaTree(tuple(tuple(level) for level in named), tuple(parents), settlement)


def _name_all(
    shapes: list[list[BaseGeometry]], parents: list[Ints], settlement: Floats, seed: int
) -> list[list[Area]]:
    book = names.NameBook(stage_rng(seed, "area names"))
    island = max(
        (p for p in shapely.get_parts(shapes[0][0])), key=lambda p: (p.centroid.y < 21.78 * MICRO) * p.area
    )
    out: list[list[Area]] = []
    for level, level_name in enumerate(LEVELS):
        points = _representatives(shapes[level], settlement)
        size = shapely.area(np.array([geometry_to_plane(s) for s in shapes[level]], dtype=object))
        rows: list[Area] = []
        serial: dict[int, int] = {}
        cells_of_village: dict[str, int] = {}
        for i, shape in enumerate(shapes[level]):
            above = int(parents[level][i]) if level else 0
            up = out[level - 1][above] if level else None
            number = serial[above] = serial.get(above, 0) + 1
            code = CITY_CODE
            if up is not None:
                if level == 5:
                    village = up.parent
                    cells_of_village[village] = number = cells_of_village.get(village, 0) + 1
                    code = f"{village}{number:03d}"
                else:
                    code = {
                        1: f"{CITY_CODE[:4]}{number:02d}",
                        2: f"{up.code}{number:03d}",
                        3: f"{up.code}{number:03d}",
                        4: f"{up.code}G{number:02d}",
                    }[level]
            zh, en = _name(level, i, number, float(size[i]), up, shape, island, book)
            rows.append(
                Area(
                    code=code,
                    level=level_name,
                    name=zh,
                    name_en=en,
                    parent=up.code if up else "",
                    path=(up.path if up else "") + code + "/",
                    lon=float(points[i, 0]) / MICRO,
                    lat=float(points[i, 1]) / MICRO,
                    area_m2=round(float(size[i]), 1),
                    geometry=shape,
                )
            )
        out.append(rows)
    return out


def _name(
    level: int,
    i: int,
    number: int,
    size_m2: float,
    up: Area | None,
    shape: BaseGeometry,
    island: BaseGeometry,
    book: names.NameBook,
) -> tuple[str, str]:
    if level == 0 or up is None:
        return names.CITY
    if level == 1:
        if i < len(names.DISTRICTS):
            return names.DISTRICTS[i]
        return f"第{names.numeral(i + 1)}区", f"District {i + 1}"
    if level == 2:
        if shapely.contains(shape, shapely.point_on_surface(island)):
            return "青屿镇", "Qingyu Town"
        if shapely.contains_xy(shape, *to_lattice(_COUNTY_SEAT)[0]):
            return "禾丰镇", "Hefeng Town"
        if size_m2 < 45e6 and not up.name.endswith("县"):
            short = book.street_town()
            return f"{short}街道", f"{names.pinyin(short)} Subdistrict"
        short = book.rural_town()
        return f"{short}镇", f"{names.pinyin(short)} Town"
    if level == 3:
        short = book.village()
        if up.name.endswith("街道") or size_m2 < 2.5e6:
            return f"{short}社区", f"{names.pinyin(short)} Community"
        return f"{short}村", f"{names.pinyin(short)} Village"
    if level == 4:
        return f"第{number:02d}责任网格", f"Duty Grid {number:02d}"
    return f"{number:03d}单元网格", f"Cell {number:03d}"
