"""Do the points of a source look shifted: GCJ-02 or BD-09 told as WGS84, or made true twice (ARCHITECTURE §5).

People, vehicles, cameras and most of what is reported lie at roads. A shift of half a kilometre tears them off; read in
the right system they lie at roads again. So the share of points at a road, as they are and as every other reading of
them, says which one is true. Where things do not lie at roads at all no reading is better, and nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from gis.cells import EARTH_RADIUS_M
from gis.crs import Pair, bd09_to_wgs84, gcj02_to_wgs84, wgs84_to_gcj02

FEWEST: Final = 60
"""Points below which nothing is said."""
AT_ROAD_M: Final = 30.0
"""A point so near is at the road: half of a wide one, and the error of a phone's position (3GPP, GSA: 5–20 m)."""
TIMES: Final = 1.5
"""So many times as many points must lie at roads in the other reading …"""
SIGMAS: Final = 5.0
"""… and by so many standard errors more: by chance that happens once in three million."""

READINGS: Final[Mapping[str, Callable[[ArrayLike, ArrayLike], Pair]]] = {
    "GCJ-02": gcj02_to_wgs84,
    "BD-09": bd09_to_wgs84,
    "corrected twice": wgs84_to_gcj02,
}
"""What the points may be in truth → how they become true."""


class Roads:
    """How far points lie from the nearest line. Lines in EPSG:4326; distances in metres, exact to 0.1 % within 50 km of
    the lines' middle."""

    def __init__(self, lines: Sequence[BaseGeometry]) -> None:
        if not len(lines):
            raise ValueError("lines: must hold at least one")
        whole = shapely.total_bounds(list(lines))
        self._scale = np.array([math.cos(math.radians((whole[1] + whole[3]) / 2)), 1.0])
        self._metres = math.radians(1.0) * EARTH_RADIUS_M
        self._lines: NDArray[Any] = shapely.transform(
            np.array(lines, dtype=object), lambda at: at * self._scale * self._metres
        )
        self._tree = shapely.STRtree(self._lines)

    def distance_m(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.float64]:
        """Metres from each point (shape (n,)) to the nearest line."""
        at = np.column_stack((np.atleast_1d(lon), np.atleast_1d(lat))) * self._scale * self._metres
        points = shapely.points(at)
        return np.asarray(shapely.distance(points, self._lines[self._tree.nearest(points)]), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Points that look shifted: read as `reading`, `share_then` of them lie at roads, as they are `share_now`."""

    reading: str
    points: int
    share_now: float
    share_then: float


def suspicion(lon: ArrayLike, lat: ArrayLike, roads: Roads) -> Suspicion | None:
    """The reading in which the points (WGS84 as told, shape (n,)) lie at roads far more often; None: nothing to say."""
    x, y = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    usable = np.isfinite(x) & np.isfinite(y)
    # A place that many reports name is one witness, not many.
    places = np.unique(np.column_stack((x[usable], y[usable])).round(5), axis=0)
    n = len(places)
    if n < FEWEST:
        return None
    x, y = places[:, 0], places[:, 1]
    now = float((roads.distance_m(x, y) <= AT_ROAD_M).mean())
    then = {
        name: float((roads.distance_m(*read(x, y)) <= AT_ROAD_M).mean()) for name, read in READINGS.items()
    }
    reading = max(then, key=lambda name: then[name])
    share = then[reading]
    pooled = (now + share) / 2
    error = math.sqrt(max(2 * pooled * (1 - pooled) / n, 1e-12))
    if share < TIMES * now or share - now < SIGMAS * error:
        return None
    return Suspicion(reading, n, now, share)
