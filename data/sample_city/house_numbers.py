"""The address book of the sample city, worked out of its streets, communities and villages: no file of its own.

Odd numbers on the left, even ones on the right, one each 12 m along a street from its first end; the book has one in
some hundred metres of each side, as a survey would. Numbers between them are real and the book does not have them.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from data.sample_city.read_city import AreaRow, PlaceRow, RoadEdgeRow
from gis.borders import METRES_PER_DEGREE
from gis.cells import CellIndex
from incidents.address_book import Address

FRONT_M: Final = 12.0
"""From one house number of a side to the next."""
ASIDE_M: Final = 14.0
EVERY: Final = 8
"""One of so many numbers of a side stands in the book."""
BUILDING_M: Final = 45.0


class Streets:
    """Where every house number of the city is. Built once."""

    def __init__(self, edges: Iterable[RoadEdgeRow]) -> None:
        by_name: dict[str, list[RoadEdgeRow]] = defaultdict(list)
        for edge in edges:
            if edge.name and not edge.bridge:
                by_name[edge.name].append(edge)
        self._lines = {name: _laid_out(found) for name, found in sorted(by_name.items())}
        ends: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
        for name, found in by_name.items():
            for edge in found:
                first, last = edge.geometry.coords[0], edge.geometry.coords[-1]
                ends[edge.from_node][name] = (first[0], first[1])
                ends[edge.to_node][name] = (last[0], last[1])
        self.crossings = sorted(
            (one, other, *names[one])
            for names in ends.values()
            for one in names
            for other in names
            if one < other
        )

    def names(self) -> list[str]:
        """All streets."""
        return list(self._lines)

    def most(self, street: str) -> int:
        """The highest house number."""
        return 2 * int(self._lines[street][-1][0] / FRONT_M)

    def at(self, street: str, number: int) -> tuple[float, float]:
        """The point of a house number from 1 to `most`."""
        along = (number + 1) // 2 * FRONT_M
        pieces = self._lines[street]
        begin = 0.0
        for end, line in pieces:
            if along <= end or end == pieces[-1][0]:
                return _beside(line, along - begin, left=number % 2 == 1)
            begin = end
        raise AssertionError("a street has at least one piece")


def _laid_out(edges: Sequence[RoadEdgeRow]) -> list[tuple[float, BaseGeometry]]:
    """Pieces of a street from its first end on, each with the metres at its end."""
    at: dict[str, list[RoadEdgeRow]] = defaultdict(list)
    for edge in edges:
        at[edge.from_node].append(edge)
        at[edge.to_node].append(edge)
    left = {edge.id: edge for edge in edges}
    pieces: list[tuple[float, BaseGeometry]] = []
    along = 0.0
    while left:
        ends = sorted(n for n, met in at.items() if sum(e.id in left for e in met) == 1)
        node = ends[0] if ends else min(e.from_node for e in left.values())
        while open_ := sorted((e for e in at[node] if e.id in left), key=lambda e: e.id):
            edge = open_[0]
            del left[edge.id]
            forward = edge.from_node == node
            along += edge.length_m
            pieces.append((along, edge.geometry if forward else edge.geometry.reverse()))
            node = edge.to_node if forward else edge.from_node
    return pieces


def _beside(line: BaseGeometry, along_m: float, *, left: bool) -> tuple[float, float]:
    """A point ASIDE_M beside a line (degrees), so many metres from its beginning."""
    stretch = math.cos(math.radians(line.coords[0][1]))
    plane = shapely.transform(line, lambda xy: xy * np.array([stretch, 1.0]) * METRES_PER_DEGREE)
    on = plane.interpolate(along_m)
    before, after = (
        plane.interpolate(max(0.0, along_m - 3)),
        plane.interpolate(min(plane.length, along_m + 3)),
    )
    dx, dy = after.x - before.x, after.y - before.y
    length = math.hypot(dx, dy) or 1.0
    side = ASIDE_M if left else -ASIDE_M
    x, y = on.x - dy / length * side, on.y + dx / length * side
    return round(x / METRES_PER_DEGREE / stretch, 6), round(y / METRES_PER_DEGREE, 6)


def addresses(
    streets: Streets,
    places: Iterable[PlaceRow],
    areas: Sequence[AreaRow],
    cells: CellIndex,
    paths: dict[str, str],
) -> Iterator[tuple[Address, str]]:
    """(address, cell) of everything in the book that lies in a cell. `paths`: cell → area path."""
    found = list(_all(streets, places, areas))
    held = cells.locate([a.lon for a in found], [a.lat for a in found])
    for address, index in zip(found, held, strict=True):
        if index >= 0:
            cell = cells.codes[index]
            yield (
                Address(
                    address.kind,
                    address.name,
                    address.lon,
                    address.lat,
                    paths[cell],
                    address.number,
                    address.other,
                ),
                cell,
            )


def _all(streets: Streets, places: Iterable[PlaceRow], areas: Sequence[AreaRow]) -> Iterator[Address]:
    for street in streets.names():
        most = streets.most(street)
        for side in (1, 2):
            numbers = range(side, most + 1, 2)
            for number in {*numbers[::EVERY], *numbers[-1:]}:
                yield Address("number", street, *streets.at(street, number), "", str(number))
    for one, other, lon, lat in streets.crossings:
        yield Address("crossing", one, lon, lat, "", "", other)
    for place in places:
        if place.kind != "路口":
            yield Address("place", place.name, place.lon, place.lat, "")
        if place.kind == "小区":
            yield from _around(
                "building", place.name, place.lon, place.lat, 4 + _fixed(place.name) % 9, BUILDING_M
            )
    for area in areas:
        if area.level == "village":
            yield from _around("group", area.name, area.lon, area.lat, 3 + _fixed(area.name) % 6, 180.0)


def _fixed(name: str) -> int:
    return zlib.crc32(name.encode())


def _around(kind: str, name: str, lon: float, lat: float, count: int, apart_m: float) -> Iterator[Address]:
    """Buildings or groups in rows of three."""
    stretch = math.cos(math.radians(lat))
    for n in range(count):
        east, north = (n % 3 - 1) * apart_m, (n // 3 - 1) * apart_m
        yield Address(
            kind, name, round(lon + east / METRES_PER_DEGREE / stretch, 6), round(lat + north / METRES_PER_DEGREE, 6),
            "", str(n + 1),
        )  # fmt: skip
