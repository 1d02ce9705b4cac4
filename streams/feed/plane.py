"""A flat map around a city's centre: degrees to kilometres and back (good to a few metres within 30 km)."""

from __future__ import annotations

import math
from dataclasses import dataclass

_KM_PER_DEGREE = 111.195


@dataclass(frozen=True, slots=True)
class Plane:
    """Kilometres east and north of (lon, lat)."""

    lon: float
    lat: float

    @property
    def _shrink(self) -> float:
        return math.cos(math.radians(self.lat))

    def xy(self, lon: float, lat: float) -> tuple[float, float]:
        """Kilometres east and north of the centre."""
        return (lon - self.lon) * _KM_PER_DEGREE * self._shrink, (lat - self.lat) * _KM_PER_DEGREE

    def degrees(self, x: float, y: float) -> tuple[float, float]:
        """(lon, lat) of a place, rounded to about 0.1 m."""
        lon = self.lon + x / (_KM_PER_DEGREE * self._shrink)
        return round(lon, 6), round(self.lat + y / _KM_PER_DEGREE, 6)
