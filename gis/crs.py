"""Coordinate truth: GCJ-02 and BD-09 to and from WGS84. EPSG:4490 (CGCS2000) counts as EPSG:4326.

GCJ-02 is the offset that Chinese maps must apply; BD-09 is Baidu's further offset on top of it. Neither formula is
published; these are the ones known to everyone, and the inverses are found by iteration to better than 1e-6 m.
Degrees, longitude first, everywhere. All functions take scalars or arrays and return float64 arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Degrees = NDArray[np.float64]
Pair = tuple[Degrees, Degrees]

_A: Final = 6378245.0
_EE: Final = 0.00669342162296594323
_BD: Final = np.pi * 3000.0 / 180.0
_STEPS: Final = 20
_ENOUGH_DEG: Final = 1e-13

CHINA_BOX: Final = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north: the rectangle in which GCJ-02 shifts points; outside of it GCJ-02 is WGS84."""


class UnknownCrs(ValueError):
    """A coordinate reference system that the product does not know; the text names it and the known ones."""


def _in_china(lon: Degrees, lat: Degrees) -> NDArray[np.bool_]:
    west, south, east, north = CHINA_BOX
    return np.asarray((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))


def _offset(lon: Degrees, lat: Degrees) -> Pair:
    """GCJ-02 minus WGS84 at a WGS84 point, in degrees."""
    x, y = lon - 105.0, lat - 35.0
    common = 20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)
    root = np.sqrt(np.abs(x))
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    d_lat = d_lat + (common + 20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3.0 * y)) * 2.0 / 3.0
    d_lat = d_lat + (160.0 * np.sin(np.pi / 12.0 * y) + 320.0 * np.sin(np.pi / 30.0 * y)) * 2.0 / 3.0
    d_lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    d_lon = d_lon + (common + 20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3.0 * x)) * 2.0 / 3.0
    d_lon = d_lon + (150.0 * np.sin(np.pi / 12.0 * x) + 300.0 * np.sin(np.pi / 30.0 * x)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _EE * np.sin(phi) ** 2
    d_lat = np.degrees(d_lat * magic * np.sqrt(magic) / (_A * (1.0 - _EE)))
    d_lon = np.degrees(d_lon * np.sqrt(magic) / (_A * np.cos(phi)))
    return d_lon, d_lat


def _degrees(lon: ArrayLike, lat: ArrayLike) -> Pair:
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def _invert(forward: Callable[[Degrees, Degrees], Pair], lon: Degrees, lat: Degrees) -> Pair:
    """The point that `forward` sends to (lon, lat): fixed-point iteration, as both offsets vary slowly."""
    x, y = lon.copy(), lat.copy()
    for _ in range(_STEPS):
        fx, fy = forward(x, y)
        dx, dy = lon - fx, lat - fy
        x, y = x + dx, y + dy
        worst = np.max(np.abs(np.stack((dx, dy))), initial=0.0)
        if not worst > _ENOUGH_DEG:
            break
    return x, y


def _shift(lon: Degrees, lat: Degrees) -> Pair:
    d_lon, d_lat = _offset(lon, lat)
    return lon + d_lon, lat + d_lat


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """WGS84 → GCJ-02; points outside of CHINA_BOX stay as they are."""
    x, y = _degrees(lon, lat)
    gx, gy = _shift(x, y)
    inside = _in_china(x, y)
    return np.where(inside, gx, x), np.where(inside, gy, y)


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """GCJ-02 → WGS84, exact to < 1e-6 m; points outside of CHINA_BOX stay as they are.

    Within 1 km of the rectangle's edge (open sea and foreign land) the offset has a jump and no exact inverse.
    """
    x, y = _degrees(lon, lat)
    inside = _in_china(x, y)
    # Points that stay as they are must not spoil the others' convergence: give the loop a harmless place.
    wx, wy = _invert(_shift, np.where(inside, x, 105.0), np.where(inside, y, 35.0))
    return np.where(inside, wx, x), np.where(inside, wy, y)


def _gcj02_to_bd09(x: Degrees, y: Degrees) -> Pair:
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * _BD)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _BD)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def wgs84_to_bd09(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """WGS84 → BD-09."""
    return _gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))


def bd09_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """BD-09 → WGS84, exact to < 1e-6 m inside of CHINA_BOX."""
    x, y = _degrees(lon, lat)
    return gcj02_to_wgs84(*_invert(_gcj02_to_bd09, x, y))


def _same(lon: ArrayLike, lat: ArrayLike) -> Pair:
    return _degrees(lon, lat)


TO_WGS84: Final[dict[str, Callable[[ArrayLike, ArrayLike], Pair]]] = {
    "EPSG:4326": _same,
    "EPSG:4490": _same,
    "GCJ-02": gcj02_to_wgs84,
    "BD-09": bd09_to_wgs84,
}
"""Names that a message may give in its `crs` field."""


def to_wgs84(crs: str, lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Points given in `crs` as WGS84 degrees. Raises UnknownCrs for a name that is not in TO_WGS84."""
    convert = TO_WGS84.get(crs)
    if convert is None:
        raise UnknownCrs(f"crs={crs!r}: must be one of {', '.join(TO_WGS84)}")
    return convert(lon, lat)
