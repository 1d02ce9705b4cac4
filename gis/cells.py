"""Which cell holds a point: one STRtree, then an exact test. 0.5–1.7 million points/s on one core (TECH §8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of the Earth (IUGG), metres."""

NOWHERE: Final = -1
"""Index given to a point that no cell holds."""


class CellIndex:
    """Cells by place. Built once from codes and polygons (EPSG:4326, longitude first); immutable, thread-safe."""

    __slots__ = ("_polygons", "_tree", "codes")

    def __init__(self, codes: Sequence[str], polygons: Sequence[BaseGeometry]) -> None:
        if len(codes) != len(polygons):
            raise ValueError(f"{len(codes)} codes for {len(polygons)} polygons")
        self.codes = tuple(codes)
        self._polygons: NDArray[Any] = np.array(polygons, dtype=object)
        shapely.prepare(self._polygons)
        self._tree = shapely.STRtree(self._polygons)

    def __len__(self) -> int:
        return len(self.codes)

    def locate(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.int64]:
        """Index into `codes` for each point (shape (n,)), NOWHERE where no cell holds it or it is not finite.

        A point on a shared edge belongs to the cell with the lowest index, so every run gives the same answer.
        """
        x = np.atleast_1d(np.asarray(lon, dtype=np.float64))
        y = np.atleast_1d(np.asarray(lat, dtype=np.float64))
        found = np.full(x.shape, NOWHERE, dtype=np.int64)
        usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if not len(usable) or not len(self.codes):
            return found
        point, cell = self._tree.query(shapely.points(x[usable], y[usable]))
        # intersects, not contains: `contains` leaves a point on an edge without any cell.
        hit = shapely.intersects_xy(self._polygons[cell], x[usable][point], y[usable][point])
        lowest = np.full(len(usable), np.iinfo(np.int64).max)
        np.minimum.at(lowest, point[hit], cell[hit])
        held = lowest < np.iinfo(np.int64).max
        found[usable[held]] = lowest[held]
        return found

    def code_at(self, lon: float, lat: float) -> str:
        """Code of the cell that holds one point, '' when none does."""
        index = int(self.locate(lon, lat)[0])
        return self.codes[index] if index != NOWHERE else ""


def haversine_m(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> NDArray[np.float64]:
    """Great-circle distance in metres between points in degrees (arrays broadcast)."""
    a1, b1, a2, b2 = (np.radians(np.asarray(v, dtype=np.float64)) for v in (lon1, lat1, lon2, lat2))
    h = np.sin((b2 - b1) / 2) ** 2 + np.cos(b1) * np.cos(b2) * np.sin((a2 - a1) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(h, 0.0, 1.0))), dtype=np.float64)


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """`haversine_m` of one pair of points, without the price of an array; the same whichever point comes first."""
    a1, b1, a2, b2 = map(math.radians, (lon1, lat1, lon2, lat2))
    h = math.sin((b2 - b1) / 2) ** 2 + math.cos(b1) * math.cos(b2) * math.sin((a2 - a1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(h, 1.0)))
