"""Boundaries that a city brings: their coordinates made true, their shapes mended, gaps and overlaps between neighbours.

Degrees EPSG:4326, longitude first; areas in m² on the WGS84 ellipsoid, which differs from that of CGCS2000 by less than
0.1 mm. Nothing is mended silently: what was wrong with a shape comes out as words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gis.crs import to_wgs84

SMALLEST_M2: Final = 1.0
"""A gap or an overlap below this is the rounding of coordinates (1e-6 degrees are 0.1 m), and told by number only."""
MOST_CHANGED: Final = 0.01
"""Share of its area that mending may change; a shape that changes by more is not the one that was meant."""
MOST_TOUCHES: Final = 40
"""Neighbours that an area may have on the average; a tiling has six."""

_GEOD: Final = Geod(ellps="WGS84")


class BadShape(ValueError):
    """A shape that no area can have; the text says why."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A gap, an overlap or a part that lies outside: how large it is, a point inside of it, and whose it is."""

    area_m2: float
    lon: float
    lat: float
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """How areas that ought to tile a whole do so; each list with the largest first, those under SMALLEST_M2 only counted
    in `slivers`. `gaps`: what nobody covers, with the neighbours around it. `outside`: what reaches out of the whole."""

    overlaps: tuple[Spot, ...]
    gaps: tuple[Spot, ...]
    outside: tuple[Spot, ...]
    slivers: int


def true_shape(crs: str, shape: BaseGeometry) -> tuple[MultiPolygon, str]:
    """A shape given in `crs` as polygons in EPSG:4326, and what was mended ('' = nothing). Raises BadShape, UnknownCrs."""
    found = polygons_of(shape)
    if found is None:
        raise BadShape(f"geometry={shape.geom_type!r}: must be a polygon or several, with an area")
    if not np.isfinite(shapely.get_coordinates(found)).all():
        raise BadShape("geometry: must have finite coordinates")
    west, south, east, north = found.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise BadShape(
            f"geometry: reaches from {west:.6f}, {south:.6f} to {east:.6f}, {north:.6f}; must be degrees, longitude first"
        )
    moved = shapely.transform(found, _mover(crs))
    if moved.is_valid:
        return moved, ""
    why = shapely.is_valid_reason(moved)
    mended = polygons_of(shapely.make_valid(moved))
    if mended is None:
        raise BadShape(f"geometry: {why}; nothing with an area is left of it")
    before, after = area_m2(moved), area_m2(mended)
    changed = abs(after - before) / after
    if changed > MOST_CHANGED:
        raise BadShape(f"geometry: {why}; mending it would change its area by {changed:.1%}")
    return mended, f"{why}; mended, its area changed by {after - before:+.0f} m²"


def _mover(crs: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def move(points: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack(to_wgs84(crs, points[:, 0], points[:, 1]))

    return move


def polygons_of(shape: BaseGeometry) -> MultiPolygon | None:
    """All polygons of a shape; None when it has none."""
    parts = shapely.get_parts(shape, return_index=False)
    flat = chain.from_iterable(
        shapely.get_parts(part) if part.geom_type.startswith(("Multi", "Geometry")) else (part,)
        for part in parts
    )
    found = [part for part in flat if isinstance(part, Polygon) and not part.is_empty]
    return MultiPolygon(found) if found else None


def area_m2(shape: BaseGeometry) -> float:
    """Area on the ellipsoid; holes count as holes whichever way their rings run."""
    total = 0.0
    for part in shapely.get_parts(shape):
        if not isinstance(part, Polygon):
            continue
        total += abs(_GEOD.geometry_area_perimeter(Polygon(part.exterior))[0])
        total -= sum(abs(_GEOD.geometry_area_perimeter(Polygon(ring))[0]) for ring in part.interiors)
    return total


def topology(
    codes: Sequence[str], shapes: Sequence[BaseGeometry], whole: BaseGeometry | None = None
) -> Topology:
    """Gaps and overlaps of valid shapes, and, where `whole` is given, what of it nobody covers and what reaches out."""
    if not shapes:
        return Topology((), (), (), 0)
    slivers = 0

    def spots(found: Iterable[tuple[BaseGeometry, tuple[str, ...]]]) -> tuple[Spot, ...]:
        nonlocal slivers
        listed: list[Spot] = []
        for shape, whose in found:
            for part in shapely.get_parts(polygons_of(shape) or MultiPolygon()):
                size = area_m2(part)
                if size < SMALLEST_M2:
                    slivers += 1
                    continue
                point = part.representative_point()
                listed.append(Spot(size, point.x, point.y, whose))
        return tuple(sorted(listed, key=lambda s: (-s.area_m2, s.codes, s.lon, s.lat)))

    tree = shapely.STRtree(list(shapes))
    first, second = tree.query(list(shapes), predicate="intersects")
    pairs = [(int(a), int(b)) for a, b in zip(first, second, strict=True) if a < b]
    if len(pairs) > MOST_TOUCHES * len(shapes):
        raise BadShape(
            f"geometry: {len(pairs)} pairs touch; must be at most {MOST_TOUCHES} for each area: areas lie on one another"
        )
    overlaps = spots((shapes[a].intersection(shapes[b]), (codes[a], codes[b])) for a, b in sorted(pairs))
    union = shapely.union_all(list(shapes))
    holes = [Polygon(ring) for part in shapely.get_parts(union) for ring in getattr(part, "interiors", ())]
    if whole is None:
        missing = [hole.difference(union) for hole in holes]
        outside: tuple[Spot, ...] = ()
    else:
        missing = [whole.difference(union)]
        outside = spots((shape.difference(whole), (code,)) for code, shape in zip(codes, shapes, strict=True))
    pieces = [
        p for shape in missing for p in shapely.get_parts(polygons_of(shape) or MultiPolygon()) if p.area > 0
    ]
    gaps = spots(
        (
            piece,
            tuple(sorted(codes[int(n)] for n in tree.query(piece, predicate="dwithin", distance=1e-6))),
        )
        for piece in pieces
    )
    return Topology(overlaps, gaps, outside, slivers)
