"""Grid workers on their rounds: they walk (or ride) along the roads around their duty grid.

The road graph is made from the roads' lines; places are kept in kilometres from the city's centre.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from streams.feed.city import Road, Worker
from streams.feed.plane import Plane

XY = tuple[float, float]

_ROUND_KM = 0.7


class RoadGraph:
    """The points of all roads within reach and which are joined; finds the point nearest to a place."""

    def __init__(self, roads: Sequence[Road], plane: Plane, reach_km: float) -> None:
        numbers: dict[XY, int] = {}
        self.points: list[XY] = []
        self.next: list[list[int]] = []
        self._squares: dict[tuple[int, int], list[int]] = {}
        for road in roads:
            before = -1
            for lon, lat in road.line:
                x, y = plane.xy(lon, lat)
                if math.hypot(x, y) > reach_km:
                    before = -1
                    continue
                key = (round(x, 3), round(y, 3))
                found = numbers.get(key)
                if found is None:
                    found = numbers[key] = len(self.points)
                    self.points.append((x, y))
                    self.next.append([])
                    self._squares.setdefault((math.floor(x), math.floor(y)), []).append(found)
                if before not in (-1, found) and found not in self.next[before]:
                    self.next[before].append(found)
                    self.next[found].append(before)
                before = found

    def nearest(self, x: float, y: float) -> int | None:
        """The road point nearest to (x, y) within about 3 km; None when there is none."""
        column, row = math.floor(x), math.floor(y)
        best, best_far = None, math.inf
        for ring in range(4):
            for i in range(column - ring, column + ring + 1):
                for j in range(row - ring, row + ring + 1):
                    for n in self._squares.get((i, j), ()):
                        far = (self.points[n][0] - x) ** 2 + (self.points[n][1] - y) ** 2
                        if far < best_far:
                            best, best_far = n, far
            if best is not None and math.sqrt(best_far) <= ring:
                break
        return best


class Walker:
    """One worker's round. `move` walks on for some seconds and says where and how fast."""

    def __init__(self, worker: Worker, graph: RoadGraph, plane: Plane, rng: Random) -> None:
        self.login = worker.login
        self._graph = graph
        home = plane.xy(worker.lon, worker.lat)
        self._at = graph.nearest(*home)
        self.home = home if self._at is None else graph.points[self._at]
        self._to = self._at
        self._from = -1
        self._gone = 0.0
        self._rides = rng.random() < 0.35
        self._rests_s = 0.0
        self.night_shift = rng.random() < 0.18

    def on_duty(self, hour: float) -> bool:
        """Day shift 7:00–20:30, night shift the rest and an hour around."""
        return 7.0 <= hour < 20.5 if not self.night_shift else hour >= 19.5 or hour < 8.0

    def move(self, seconds: float, rng: Random) -> tuple[float, float, float]:
        """(x, y, km/h) after walking on for `seconds`."""
        if self._at is None or self._to is None or not self._graph.next[self._at]:
            return *self.home, 0.0
        if self._rests_s > 0:
            self._rests_s -= seconds
            return *self._here(), 0.0
        if rng.random() < 0.06:
            self._rests_s = rng.uniform(60, 600)
        kmh = rng.uniform(9, 16) if self._rides else rng.uniform(3.2, 5.4)
        left = kmh * seconds / 3600
        for _ in range(200):
            if self._to == self._at:
                self._choose(rng)
            length = math.dist(self._graph.points[self._at], self._graph.points[self._to])
            if self._gone + left < length:
                self._gone += left
                break
            left -= length - self._gone
            self._from, self._at, self._gone = self._at, self._to, 0.0
        return *self._here(), kmh

    def _choose(self, rng: Random) -> None:
        assert self._at is not None
        ways = self._graph.next[self._at]
        on = [n for n in ways if n != self._from] or ways
        if math.dist(self._graph.points[self._at], self.home) > _ROUND_KM:
            self._to = min(ways, key=lambda n: math.dist(self._graph.points[n], self.home))
        else:
            self._to = rng.choice(on)

    def _here(self) -> XY:
        assert self._at is not None and self._to is not None
        (ax, ay), (bx, by) = self._graph.points[self._at], self._graph.points[self._to]
        length = math.dist((ax, ay), (bx, by))
        share = self._gone / length if length else 0.0
        return ax + (bx - ax) * share, ay + (by - ay) * share
