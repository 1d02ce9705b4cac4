"""Recursive splitting of land into nested blocks: small and regular in the centre, large and loose outside.

Where people live is a cloud of points (`settle`); every cut divides a polygon so that both sides keep their share of
the points. A river that divides a block well is cut first, so that districts and towns end at the river.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from data.sample_city.land import Land
from data.sample_city.plane import Floats, stage_rng

CLEAN_M: Final = 0.01  # precision of every overlay, far below the lattice's 0.1 m

# Where people live: x, y, spread (m), share of all. The rest is spread evenly over the land.
_SEATS: Final = (
    (-400.0, -900.0, 2_900.0, 0.26),  # old centre on both banks
    (3_900.0, -3_300.0, 2_500.0, 0.14),  # new centre towards the sea
    (-6_300.0, -1_900.0, 2_100.0, 0.09),  # western works
    (10_600.0, -3_900.0, 2_100.0, 0.10),  # port town
    (-2_900.0, 14_200.0, 1_500.0, 0.06),  # county seat
    (5_800.0, 4_800.0, 1_800.0, 0.05),  # university town
    (-14_300.0, -4_700.0, 1_100.0, 0.03),
    (10_100.0, 17_300.0, 750.0, 0.015),
    (-12_700.0, 9_300.0, 800.0, 0.015),
    (19_300.0, -4_600.0, 950.0, 0.02),
    (-19_300.0, 2_300.0, 700.0, 0.012),
    (17_600.0, 7_200.0, 800.0, 0.014),
    (15_900.0, -15_300.0, 1_000.0, 0.014),  # island harbour
)


@dataclass(frozen=True)
class Block:
    """A polygon (plane metres) with the settlement points inside it."""

    shape: BaseGeometry
    points: Floats


def settle(land: Land, count: int, seed: int) -> Floats:
    """`count` settlement points (plane metres) on dry land, dense in the centre; every island has some."""
    rng = stage_rng(seed, "settle")
    dry = shapely.difference(land.shape, shapely.buffer(land.water_shape, 25.0))
    shapely.prepare(dry)
    left, bottom, right, top = dry.bounds
    clouds: list[Floats] = []
    even = 1.0 - sum(share for *_, share in _SEATS)
    for x, y, spread, share in _SEATS:
        n = int(count * share * 1.6)
        # a peaked core with a wide skirt looks more like a town than one bell
        spreads = np.where(rng.random(n) < 0.6, spread * 0.62, spread * 1.45)[:, None]
        cloud = np.array([x, y]) + rng.normal(size=(n, 2)) * spreads
        clouds.append(cloud[shapely.contains_xy(dry, cloud[:, 0], cloud[:, 1])][: int(count * share)])
    n = int(count * even * 2.2)
    cloud = np.column_stack([rng.uniform(left, right, n), rng.uniform(bottom, top, n)])
    clouds.append(cloud[shapely.contains_xy(dry, cloud[:, 0], cloud[:, 1])][: int(count * even)])
    for island in land.islands:
        n = max(40, int(count * 0.0004))
        left, bottom, right, top = island.bounds
        cloud = np.column_stack([rng.uniform(left, right, 4 * n), rng.uniform(bottom, top, 4 * n)])
        clouds.append(cloud[shapely.contains_xy(island, cloud[:, 0], cloud[:, 1])][:n])
    return np.concatenate(clouds)


def _inside(shape: BaseGeometry, points: Floats) -> Floats:
    if not len(points):
        return points
    shapely.prepare(shape)
    kept: Floats = points[shapely.contains_xy(shape, points[:, 0], points[:, 1])]
    return kept


def _street_angle(x: float, y: float) -> float:
    """The direction (radians) streets follow here: one lay of the land in the centre, others further out."""
    away = np.hypot(x, y) / 10_000
    turn = (
        0.16
        + 0.30 * np.sin(x / 6_100 + 0.7) * min(away, 1.6)
        + 0.26 * np.cos(y / 5_300 - 0.4) * min(away, 1.6)
    )
    if x < -1_800 and away < 0.9:
        turn -= 0.21  # the west bank was laid out along the river
    return float(turn)


@dataclass(frozen=True)
class Splitter:
    """Cuts blocks; holds the land and the generator, no other state."""

    land: Land
    rng: np.random.Generator

    def parts(self, block: Block, n: int, level: int) -> list[Block]:
        """The block cut into exactly n nested blocks, in an order in which neighbours follow each other."""
        if n == 1:
            return [block]
        block = self._enough_points(block, n)
        groups = self._split_off_islands(block, n)
        if groups is None:
            groups = self._river_cut(block, n, level)
        if groups is None:
            groups = self._straight_cut(block, n, level)
        return [leaf for part, k in groups for leaf in self.parts(part, k, level)]

    def _enough_points(self, block: Block, n: int) -> Block:
        need = 8 * n
        points = block.points
        left, bottom, right, top = block.shape.bounds
        while len(points) < need:
            more = np.column_stack([self.rng.uniform(left, right, 64), self.rng.uniform(bottom, top, 64)])
            points = np.concatenate([points, _inside(block.shape, more)])
        return Block(block.shape, points)

    def _split_off_islands(self, block: Block, n: int) -> list[tuple[Block, int]] | None:
        """Separate parts that are worth at least half a block of their own."""
        pieces = shapely.get_parts(block.shape)
        if len(pieces) == 1:
            return None
        blocks = sorted((Block(p, _inside(p, block.points)) for p in pieces), key=lambda b: -len(b.points))
        total = sum(len(b.points) for b in blocks)
        groups: list[tuple[Block, int]] = []
        rest, left = [blocks[0]], n
        for part in blocks[1:]:
            share = len(part.points) / total * n
            if share >= 0.5 and left > 1:
                k = min(max(1, round(share)), left - 1)
                groups.append((part, k))
                left -= k
            else:
                rest.append(part)
        if not groups:
            return None
        main = Block(shapely.union_all([b.shape for b in rest]), np.concatenate([b.points for b in rest]))
        return [(main, left), *groups]

    def _river_cut(self, block: Block, n: int, level: int) -> list[tuple[Block, int]] | None:
        if level == 1 and n >= 4:  # the northern county keeps both banks
            return None
        if not shapely.intersects(self.land.river_line, block.shape):
            return None
        west = _inside(self.land.river_half, block.points)
        share = len(west) / len(block.points) * n
        if min(share, n - share) < 0.6:
            return None
        k = min(max(1, round(share)), n - 1)
        return self._groups(block, self.land.river_half, k, n)

    def _straight_cut(self, block: Block, n: int, level: int) -> list[tuple[Block, int]]:
        x, y = block.points.mean(axis=0)
        main = max(shapely.get_parts(block.shape), key=lambda p: float(p.area))
        urban = float(np.exp(-block.shape.area / n / 60_000)) if level >= 4 else 0.0
        angle = _street_angle(float(x), float(y)) + self.rng.normal(0, 0.035 + 0.10 * (1 - urban))
        if level == 1 and n >= 4:
            angle, long_axis, k = 0.08, 1, n - 1
        else:
            ring = np.asarray(main.exterior.coords)
            along = np.array([np.cos(angle), np.sin(angle)])
            across = np.array([-along[1], along[0]])
            long_axis = int(np.ptp(ring @ across) > np.ptp(ring @ along))
            k = n // 2 if n % 2 == 0 or self.rng.random() < 0.5 else n - n // 2
        normal = angle + (np.pi / 2 if long_axis else 0.0)
        nx, ny = float(np.cos(normal)), float(np.sin(normal))
        s = -block.points[:, 0] * ny + block.points[:, 1] * nx
        extent = float(np.sqrt(main.area))
        knots, bends = self._bends(s, extent, level, urban)
        v = block.points[:, 0] * nx + block.points[:, 1] * ny - np.interp(s, knots, bends)
        at = float(np.quantile(v, k / n if level != 1 or n < 4 else 1 - 0.19))
        line = np.column_stack([-ny * knots + nx * (at + bends), nx * knots + ny * (at + bends)])
        far = 90_000.0
        half = Polygon([*line, line[-1] - far * np.array([nx, ny]), line[0] - far * np.array([nx, ny])])
        return self._groups(block, half, k, n)

    def _bends(self, s: Floats, extent: float, level: int, urban: float) -> tuple[Floats, Floats]:
        """Knots along the cut (reaching far beyond it) and the cut's deviation from a straight line there."""
        low, high = float(s.min()) - extent, float(s.max()) + extent
        step = min(max(extent / (9 if level <= 3 else 3.2), 130.0), 900.0)
        roughness = (
            (0.055 if level <= 3 else 0.04) * (1 - urban) * (0.4 if extent < 2_500 and level <= 4 else 1.0)
        )
        knots = np.arange(low, high + step, step)
        bends = self.rng.normal(0, roughness * step, len(knots))
        if level <= 3:
            bends += np.cumsum(self.rng.normal(0, roughness * step * 0.8, len(knots)))
        if level >= 4 and (urban > 0.25 or extent < 420):
            bends = bends * 0.0
        knots = np.concatenate([[-90_000.0], knots, [90_000.0]])
        return knots, np.concatenate([bends[:1], bends, bends[-1:]])

    def _groups(self, block: Block, half: BaseGeometry, k: int, n: int) -> list[tuple[Block, int]]:
        """Both sides of a cut; a fragment the cut left on the wrong side goes back to the side it touches."""
        pieces = shapely.get_parts(block.shape)
        main_index = int(np.argmax(shapely.area(pieces)))
        main = pieces[main_index]
        sides = [
            list(shapely.get_parts(shapely.intersection(main, half, grid_size=CLEAN_M))),
            list(shapely.get_parts(shapely.difference(main, half, grid_size=CLEAN_M))),
        ]
        sides = [sorted((p for p in side if p.area > 0), key=lambda p: -p.area) for side in sides]
        if not sides[0] or not sides[1]:
            raise ValueError(f"a cut left one side empty at {main.centroid.wkt}")
        keep: list[list[BaseGeometry]] = [[sides[0][0]], [sides[1][0]]]
        for own, other in ((0, 1), (1, 0)):
            for piece in sides[own][1:]:
                worth = len(_inside(piece, block.points)) / max(1, len(block.points)) * n
                to = own if worth >= 0.6 else other
                keep[to].append(piece)
        for index, piece in enumerate(pieces):
            if index != main_index:
                nearer = int(shapely.distance(piece, keep[1][0]) < shapely.distance(piece, keep[0][0]))
                keep[nearer].append(piece)
        blocks = []
        for side in keep:
            shape = shapely.union_all(side, grid_size=CLEAN_M) if len(side) > 1 else side[0]
            blocks.append(Block(shape, _inside(shape, block.points)))
        return [(blocks[0], k), (blocks[1], n - k)]


def apportion(weights: Sequence[float], n: int) -> list[int]:
    """n things over the weights, each at least one, by largest remainder. ValueError when n < len(weights)."""
    if n < len(weights):
        raise ValueError(f"{n} things cannot give at least one to each of {len(weights)}")
    spare = np.asarray(weights, float) / sum(weights) * (n - len(weights))
    shares = np.floor(spare).astype(int)
    order = np.argsort(-(spare - shares), kind="stable")
    shares[order[: n - len(weights) - int(shares.sum())]] += 1
    return [int(s) + 1 for s in shares]
