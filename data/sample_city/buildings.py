"""Footprints and heights of the sample city's buildings, worked out of its address book: no file of their own.

Towers of the communities stand at their numbered addresses, schools, hospitals, malls and works at their places, and
low houses at house numbers of the built-up streets. What would stand on another building, on a road or in water is
left out. The same city gives the same buildings.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from data.sample_city.read_city import PlaceRow, RoadEdgeRow, SurfaceRow
from gis.borders import METRES_PER_DEGREE
from incidents.address_book import Address

STOREY_M: Final = 3.1
CARRIAGEWAY_M: Final = 5.0
"""Half of a street's width: nothing stands nearer to its middle."""

_PLACES: Final = {
    "学校": ("school", 46.0, 18.0, 5), "医院": ("hospital", 52.0, 24.0, 14), "商圈": ("shop", 58.0, 40.0, 6),
    "工业园": ("works", 84.0, 42.0, 3), "公共": ("public", 44.0, 22.0, 7), "市场": ("market", 48.0, 30.0, 2),
}  # fmt: skip
"""Kind of place → use, length and depth in metres, storeys."""
_HOUSE_EVERY: Final = 3
"""One of so many house numbers of the book has a house of its own."""


@dataclass(frozen=True, slots=True)
class Building:
    """One building: what it is called, where it stands (EPSG:4326), how high it is. `use`: see layouts/text."""

    code: str
    name: str
    use: str
    floors: int
    height_m: float
    area: str
    address: str
    footprint: BaseGeometry


def make_buildings(
    book: Sequence[Address],
    places: Iterable[PlaceRow],
    roads: Iterable[RoadEdgeRow],
    waters: Iterable[SurfaceRow],
) -> list[Building]:
    """All buildings, the largest first. `book`: the city's addresses, each with its area."""
    wanted = sorted(_wanted(book, places), key=lambda b: -b.footprint.area)
    if not wanted:
        return []
    lines = [road.geometry for road in roads]
    shapes: np.ndarray = np.array([b.footprint for b in wanted], dtype=object)
    free = np.ones(len(wanted), dtype=bool)
    wet = shapely.union_all([water.geometry for water in waters])
    shapely.prepare(wet)
    free &= ~shapely.intersects(wet, shapes)
    near, _ = shapely.STRtree(lines).query(
        shapes, predicate="dwithin", distance=CARRIAGEWAY_M / METRES_PER_DEGREE
    )
    free[near] = False
    tree = shapely.STRtree(shapes)
    for one, other in sorted(zip(*tree.query(shapes, predicate="intersects"), strict=True)):
        if one < other and free[one]:  # the larger stays
            free[other] = False
    kept = [building for building, stands in zip(wanted, free, strict=True) if stands]
    return [
        Building(f"B{n:06d}", b.name, b.use, b.floors, b.height_m, b.area, b.address, b.footprint)
        for n, b in enumerate(kept, 1)
    ]


def _wanted(book: Sequence[Address], places: Iterable[PlaceRow]) -> Iterator[Building]:
    for place in places:
        if place.kind in _PLACES:
            use, length, depth, storeys = _PLACES[place.kind]
            floors = max(1, storeys + _fixed(place.name) % 5 - 2)
            yield _building(place.name, use, floors, place, place.area_path, place.road, length, depth)
    for address in book:
        if address.kind == "building":
            name = f"{address.name}{address.number}栋"
            floors = 7 + _fixed(address.name) % 22 + _fixed(name) % 3
            yield _building(name, "homes", floors, address, address.area, address.name, 26.0, 15.0)
        elif address.kind == "number" and _fixed(address.name + address.number) % _HOUSE_EVERY == 0:
            name = f"{address.name}{address.number}号"
            yield _building(name, "house", 1 + _fixed(name) % 6, address, address.area, name, 12.0, 9.0)


def _building(
    name: str,
    use: str,
    floors: int,
    at: Address | PlaceRow,
    area: str,
    address: str,
    length_m: float,
    depth_m: float,
) -> Building:
    turn = (_fixed(address) % 12) * math.pi / 36  # houses of one street stand alike
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [length_m / 2, depth_m / 2]
    turned = half @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    stretch = math.cos(math.radians(at.lat))
    corners = turned / METRES_PER_DEGREE / [stretch, 1.0] + [at.lon, at.lat]
    return Building(
        "",
        name,
        use,
        floors,
        round(floors * STOREY_M, 1),
        area,
        address,
        shapely.Polygon(np.round(corners, 6)),
    )


def _fixed(name: str) -> int:
    return zlib.crc32(name.encode())
