"""What a camera can see: a sector of direction, field and range on the sphere, a full circle where the field is 360°.

Walls and trees are not known: a point in the sector *can* be seen. A camera whose direction or range is not known is
not said to see anything. Degrees EPSG:4326, bearings clockwise from north.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.cells import haversine_m

FULL_CIRCLE_DEG: Final = 360.0
_EDGE_DEG: Final = 1e-9
"""A point on the edge of a sector is seen, whatever the last digit of its bearing says."""
_SPOT_M: Final = 0.01
"""Nearer than this a point is where the camera is: it has no bearing."""


def bearing_deg(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> NDArray[np.float64]:
    """Initial great-circle bearing from the first point to the second, 0 ≤ b < 360 (arrays broadcast)."""
    a1, b1, a2, b2 = (np.radians(np.asarray(v, dtype=np.float64)) for v in (lon1, lat1, lon2, lat2))
    east = np.sin(a2 - a1) * np.cos(b2)
    north = np.cos(b1) * np.sin(b2) - np.sin(b1) * np.cos(b2) * np.cos(a2 - a1)
    return np.asarray(np.degrees(np.arctan2(east, north)) % 360.0, dtype=np.float64)


def off_axis_deg(bearing: ArrayLike, direction: ArrayLike) -> NDArray[np.float64]:
    """How far a bearing lies from a direction, 0 to 180."""
    turn = np.asarray(bearing, dtype=np.float64) - np.asarray(direction, dtype=np.float64)
    return np.abs((turn + 180.0) % 360.0 - 180.0)


@dataclass(frozen=True, slots=True)
class View:
    """Where a camera stands and looks; None is not known."""

    lon: float
    lat: float
    direction_deg: float | None
    view_deg: float | None
    range_m: float | None


@dataclass(frozen=True, slots=True)
class Sight:
    """One camera and a point: its index in what was asked, how far, in which direction; does it see the point."""

    index: int
    distance_m: float
    bearing_deg: float
    sees: bool


def _column(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def sights(views: Sequence[View], lon: float, lat: float) -> list[Sight]:
    """Every camera's sight of a point, the nearest first; of equal distances the one asked first."""
    if not views:
        return []
    x, y = np.array([v.lon for v in views]), np.array([v.lat for v in views])
    distance = haversine_m(x, y, lon, lat)
    bearing = bearing_deg(x, y, lon, lat)
    field = _column([v.view_deg for v in views])
    with np.errstate(invalid="ignore"):  # NaN, the unknown, compares false: not seen
        circle = field >= FULL_CIRCLE_DEG
        turned = off_axis_deg(bearing, _column([v.direction_deg for v in views])) <= field / 2 + _EDGE_DEG
        near = distance <= _column([v.range_m for v in views])
    sees = near & (circle | turned | (distance < _SPOT_M))
    order = np.lexsort((np.arange(len(views)), distance))
    return [Sight(int(i), float(distance[i]), float(bearing[i]), bool(sees[i])) for i in order]


def sees(view: View, lon: float, lat: float) -> bool:
    """Can this camera see the point?"""
    return sights([view], lon, lat)[0].sees


def nearest_seeing(views: Sequence[View], lon: float, lat: float, limit: int) -> list[Sight]:
    """At most `limit` cameras that can see the point, the nearest first."""
    return [sight for sight in sights(views, lon, lat) if sight.sees][:limit]
