"""The day over a city: traffic hours, sun, tide and rain, as functions of time that depend on the seed only.

Times are seconds since 1970 in the city's own wall-clock time; places are kilometres east and north of its centre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

DAY_S = 86_400
_M2_H = 12.4206
_S2_H = 12.0
_RAINY = (0, 3, 5, 8, 11)
"""Rain cells of a day, from dry to wet."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A rain cell: from `start` for `length` seconds from (x, y) with speed (vx, vy) km/s; `peak` mm/h."""

    start: float
    length: float
    x: float
    y: float
    vx: float
    vy: float
    radius_km: float
    peak: float


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of the day at one instant. `rush` 0…1 is traffic, `rain` the cells now: x, y, radius, mm/h."""

    time: float
    hour: float
    weekend: bool
    rush: float
    sun: float
    tide: float
    season: float
    rain: tuple[tuple[float, float, float, float], ...]

    @property
    def dark(self) -> bool:
        """Whether street lamps burn."""
        return self.sun < -0.02

    def rain_at(self, x: float, y: float) -> float:
        """Rain rate in mm/h at a place."""
        total = 0.0
        for cx, cy, radius, peak in self.rain:
            far = ((x - cx) ** 2 + (y - cy) ** 2) / (radius * radius)
            if far < 9.0:
                total += peak * math.exp(-far / 2)
        return total


class Sky:
    """Moments of a city at a latitude and longitude, in a time zone `offset_s` east of Greenwich."""

    def __init__(self, seed: int, lon: float, lat: float, offset_s: float) -> None:
        self._seed = seed
        self._lat = math.radians(lat)
        self._solar_shift_h = lon / 15 - offset_s / 3600
        self._cells: dict[int, tuple[Cell, ...]] = {}

    def at(self, time: float) -> Moment:
        """The moment at a wall-clock time."""
        day = int(time // DAY_S)
        hour = time % DAY_S / 3600
        weekend = (day + 3) % 7 >= 5
        drift = math.sin(time / (2.7 * DAY_S) + self._seed % 7)
        return Moment(
            time,
            hour,
            weekend,
            _rush(hour, weekend),
            self._sun(day, hour),
            _tide(time),
            drift,
            self._rain(time),
        )

    def _sun(self, day: int, hour: float) -> float:
        tilt = math.radians(-23.44) * math.cos(2 * math.pi * (day % 365.25 + 10) / 365.25)
        angle = math.radians(15 * (hour + self._solar_shift_h - 12))
        return math.sin(self._lat) * math.sin(tilt) + math.cos(self._lat) * math.cos(tilt) * math.cos(angle)

    def _day_cells(self, day: int) -> tuple[Cell, ...]:
        found = self._cells.get(day)
        if found is None:
            rng = Random(f"rain/{self._seed}/{day}")
            cells = []
            for _ in range(rng.choice(_RAINY)):
                hour = rng.triangular(0, 24, 16)
                strong = rng.random()
                peak = rng.uniform(5, 22) if strong < 0.8 else rng.uniform(34, 50)
                if strong > 0.98:
                    peak = rng.uniform(72, 90)
                heading, speed = rng.uniform(0, 2 * math.pi), rng.uniform(12, 30) / 3600
                length = rng.uniform(40, 110) * 60
                vx, vy = speed * math.cos(heading), speed * math.sin(heading)
                x = rng.uniform(-16, 16) - vx * length / 2
                y = rng.uniform(-8, 20) - vy * length / 2
                cells.append(
                    Cell(day * DAY_S + hour * 3600, length, x, y, vx, vy, rng.uniform(1.1, 2.6), peak)
                )
            found = self._cells[day] = tuple(cells)
        return found

    def _rain(self, time: float) -> tuple[tuple[float, float, float, float], ...]:
        day = int(time // DAY_S)
        now = []
        for cell in (*self._day_cells(day - 1), *self._day_cells(day)):
            age = time - cell.start
            if 0 < age < cell.length:
                strength = cell.peak * math.sin(math.pi * age / cell.length) ** 0.6
                now.append((cell.x + cell.vx * age, cell.y + cell.vy * age, cell.radius_km, strength))
        return tuple(now)


def _bump(hour: float, at: float, width: float) -> float:
    return math.exp(-(((hour - at) / width) ** 2) / 2)


def _rush(hour: float, weekend: bool) -> float:
    night = 0.06 + 0.05 * _bump(hour, 0, 1.5) + 0.05 * _bump(hour, 24, 1.5)
    plateau = 0.42 / (1 + math.exp(-(hour - 6.6) * 2.2)) / (1 + math.exp((hour - 21.8) * 1.5))
    if weekend:
        return min(1.0, night + plateau + 0.22 * _bump(hour, 11.5, 2.2) + 0.3 * _bump(hour, 18, 2.2))
    return min(1.0, night + plateau + 0.5 * _bump(hour, 8.0, 0.75) + 0.46 * _bump(hour, 18.0, 0.95))


def _tide(time: float) -> float:
    hours = time / 3600
    return 0.75 * math.sin(2 * math.pi * hours / _M2_H) + 0.25 * math.sin(2 * math.pi * hours / _S2_H)
