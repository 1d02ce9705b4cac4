"""Which areas lie within some metres of a point: a place near a border belongs to both sides until something decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.cells import EARTH_RADIUS_M

METRES_PER_DEGREE: Final = math.pi * EARTH_RADIUS_M / 180


class Borders:
    """Areas of one level by distance. Built once from codes and polygons (EPSG:4326); immutable, thread-safe.

    Distances are on the plane that touches the Earth in the middle of the areas: within 0.1 % over a city.
    """

    __slots__ = ("_lat", "_lon", "_polygons", "_stretch", "_tree", "codes")

    def __init__(self, codes: Sequence[str], polygons: Sequence[BaseGeometry]) -> None:
        if len(codes) != len(polygons):
            raise ValueError(f"{len(codes)} codes for {len(polygons)} polygons")
        self.codes = tuple(codes)
        box = shapely.total_bounds(np.array(polygons, dtype=object)) if polygons else np.zeros(4)
        self._lon, self._lat = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
        self._stretch = math.cos(math.radians(self._lat))
        self._polygons: NDArray[Any] = np.array(
            [shapely.transform(p, self._plane) for p in polygons], dtype=object
        )
        shapely.prepare(self._polygons)
        self._tree = shapely.STRtree(self._polygons)

    def _plane(self, degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        middle = np.array([self._lon, self._lat])
        return np.asarray(
            (degrees - middle) * METRES_PER_DEGREE * np.array([self._stretch, 1.0]), dtype=np.float64
        )

    def within(self, lon: float, lat: float, metres: float) -> list[tuple[str, float]]:
        """(code, distance in metres) of the areas no farther than that, nearest first; 0.0: the area holds the point."""
        if not (math.isfinite(lon) and math.isfinite(lat)) or not self.codes:
            return []
        x = (lon - self._lon) * METRES_PER_DEGREE * self._stretch
        point = shapely.Point(x, (lat - self._lat) * METRES_PER_DEGREE)
        near = self._tree.query(point, predicate="dwithin", distance=metres)
        away = shapely.distance(self._polygons[near], point)
        return sorted(
            ((self.codes[i], float(d)) for i, d in zip(near, away, strict=True)),
            key=lambda found: (found[1], found[0]),
        )

    def middle(self, index: int) -> tuple[float, float]:
        """A place well inside of an area, in degrees."""
        point = shapely.point_on_surface(self._polygons[index])
        lon = self._lon + float(point.x) / METRES_PER_DEGREE / self._stretch
        return lon, self._lat + float(point.y) / METRES_PER_DEGREE
