"""Shapes that a person draws on the map, and what lies in them: circle, polygon, or a strip along a road. Pure.

Degrees EPSG:4326, metres. Distances are on a plane that touches the earth at the shape: over the 50 km of a city they
are right to a thousandth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.borders import METRES_PER_DEGREE

SHAPES: Final = ("circle", "polygon", "road")
MOST_CORNERS: Final = 200
MOST_M: Final = 20_000.0

Pairs = Sequence[tuple[float, float]]


class BadShape(ValueError):
    """A shape that cannot be; the text says why."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A shape, ready to be asked: what is inside lies within `reach_m` of `core` (plane); 0: inside of it."""

    lon: float
    lat: float
    core: BaseGeometry
    reach_m: float

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the whole shape in degrees."""
        x0, y0, x1, y1 = self.core.bounds
        r, stretch = self.reach_m, _stretch(self.lat)
        return (
            self.lon + (x0 - r) / METRES_PER_DEGREE / stretch,
            self.lat + (y0 - r) / METRES_PER_DEGREE,
            self.lon + (x1 + r) / METRES_PER_DEGREE / stretch,
            self.lat + (y1 + r) / METRES_PER_DEGREE,
        )

    def distances_m(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each point lies from the middle of a circle or polygon, or from the road; NaN: it is not inside."""
        points = shapely.points(_plane(np.stack([lon, lat], axis=1), self.lon, self.lat))
        away = np.asarray(shapely.distance(self.core, points), dtype=np.float64)
        inside = away <= self.reach_m
        if self.core.area > 0:
            away = np.asarray(shapely.distance(shapely.centroid(self.core), points), dtype=np.float64)
        return np.where(inside, away, np.nan)


def circle(lon: float, lat: float, radius_m: float) -> Drawn:
    """What lies within `radius_m` of a point."""
    return Drawn(lon, lat, shapely.Point(0, 0), _reach(radius_m))


def polygon(corners: Pairs) -> Drawn:
    """What lies in a polygon. Raises BadShape when its corners make none."""
    if not 3 <= len(corners) <= MOST_CORNERS:
        raise BadShape(f"points: {len(corners)} corners, must be 3 to {MOST_CORNERS}")
    lon, lat = (float(v) for v in np.mean(np.array(corners, dtype=np.float64), axis=0))
    core = shapely.Polygon(_plane(np.array(corners, dtype=np.float64), lon, lat))
    if not core.is_valid or core.area == 0:
        raise BadShape("points: the sides of the polygon cross each other, or it has no area")
    return Drawn(lon, lat, core, 0.0)


def along(lines: Sequence[BaseGeometry], reach_m: float) -> Drawn:
    """What lies within `reach_m` of any of these lines (degrees)."""
    if not lines:
        raise BadShape("road: has no line")
    middle = shapely.centroid(shapely.union_all(lines))
    lon, lat = float(middle.x), float(middle.y)
    core = shapely.union_all([shapely.transform(line, lambda xy: _plane(xy, lon, lat)) for line in lines])
    return Drawn(lon, lat, core, _reach(reach_m))


def _reach(metres: float) -> float:
    if not 0 < metres <= MOST_M:
        raise BadShape(f"radius_m={metres:g}: must be above 0 and at most {MOST_M:g}")
    return metres


def _stretch(lat: float) -> float:
    return math.cos(math.radians(lat))


def _plane(lonlat: NDArray[np.float64], lon: float, lat: float) -> NDArray[np.float64]:
    out: NDArray[np.float64] = (lonlat - [lon, lat]) * [METRES_PER_DEGREE * _stretch(lat), METRES_PER_DEGREE]
    return out
