"""Land, coast, islands and waters of the sample city, in plane metres (see `plane`).

All shapes are ours: a coast drawn from a few named features (bays, a headland) plus seeded roughness, a river from
the northern hills to an estuary, one tributary, two reservoirs and two park lakes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from data.sample_city.plane import Floats, stage_rng

RADIUS_M = 25_900.0
"""Mean radius of the city limit. Its roughness stays above 25 km, the distance at which reports are refused."""


@dataclass(frozen=True)
class Water:
    """One water body: polygon in plane metres, and the kind the map styles it by."""

    code: str
    name: str
    name_en: str
    kind: str  # river | tributary | reservoir | lake
    shape: BaseGeometry


@dataclass(frozen=True)
class Land:
    """The ground the city is built on, in plane metres."""

    shape: BaseGeometry  # mainland and islands
    mainland: Polygon
    islands: tuple[Polygon, ...]
    island_names: tuple[tuple[str, str], ...]
    waters: tuple[Water, ...]
    river_line: LineString  # centre line, north to south, reaching beyond the land at both ends
    river_half: BaseGeometry  # everything west of the river line
    ashore: Polygon  # everything north of the coast, without the city limit

    @property
    def water_shape(self) -> BaseGeometry:
        """All waters as one geometry."""
        return shapely.union_all([w.shape for w in self.waters])


def _octaves(rng: np.random.Generator, t: Floats, wavelength_m: float, count: int, height_m: float) -> Floats:
    """Seeded smooth roughness along t (metres): `count` octaves, each half as long and 0.55 as high."""
    out = np.zeros_like(t)
    for octave in range(count):
        length = wavelength_m / 2**octave
        knots = np.arange(t.min() - 2 * length, t.max() + 3 * length, length)
        out += _cosine(t, knots, rng.normal(0.0, height_m * 0.55**octave, len(knots)))
    return out


def _cosine(t: Floats, knots: Floats, values: Floats) -> Floats:
    """Cosine interpolation of values given at evenly spaced knots."""
    i = np.clip(np.searchsorted(knots, t) - 1, 0, len(knots) - 2)
    u = (t - knots[i]) / (knots[i + 1] - knots[i])
    w = (1 - np.cos(np.pi * u)) / 2
    result: Floats = values[i] * (1 - w) + values[i + 1] * w
    return result


def _bump(x: Floats, at: float, width: float, height: float) -> Floats:
    """A smooth hill (or bay, when negative) of the coast at `at`."""
    result: Floats = height * np.exp(-(((x - at) / width) ** 2))
    return result


def _coast(rng: np.random.Generator) -> Floats:
    """The coast line from west to east, (n, 2)."""
    x = np.arange(-32_000.0, 32_001.0, 95.0)
    y = np.full_like(x, -9_000.0)
    y += _bump(x, -9_500, 3_200, 2_600)  # western bay, biting north
    y += _bump(x, -15_500, 1_500, -2_300)  # its western arm
    y += _bump(x, -5_500, 1_500, -1_900)  # the spit west of the estuary
    y += _bump(x, -2_350, 1_000, 1_900)  # estuary notch
    y += _bump(x, 3_600, 2_000, -1_200)  # the delta's foreshore
    y += _bump(x, 10_800, 1_250, -4_900)  # the headland
    y += _bump(x, 12_300, 900, -1_200)
    y += _bump(x, 15_600, 1_900, 2_700)  # the eastern bay behind it
    y += _bump(x, 20_500, 1_900, -1_600)
    y += _bump(x, -22_000, 2_600, 1_500)
    y += _octaves(rng, x, 2_600.0, 5, 300.0)
    x = x + _octaves(rng, x, 1_900.0, 3, 170.0)
    return np.column_stack([x, y])


def _island(
    rng: np.random.Generator, x: float, y: float, along: float, across: float, turn_deg: float
) -> Polygon:
    """A rough blob of the given half axes, turned by `turn_deg`."""
    n = max(40, int((along + across) / 22))
    a = np.linspace(0, 2 * np.pi, n, endpoint=False)
    r = np.ones_like(a)
    for k in range(2, 13):
        r += rng.normal(0, 0.42 / k**1.35) * np.cos(k * a + rng.uniform(0, 2 * np.pi))
    r = np.clip(r, 0.45, 1.6)
    px, py = along * r * np.cos(a), across * r * np.sin(a)
    t = np.radians(turn_deg)
    return Polygon(
        np.column_stack([x + px * np.cos(t) - py * np.sin(t), y + px * np.sin(t) + py * np.cos(t)])
    )


_ISLANDS = (
    # name, English, x, y, half axes, turn
    ("青屿岛", "Qingyu Island", 15_200.0, -15_900.0, 3_300.0, 1_650.0, 28.0),
    ("鹭洲岛", "Luzhou Island", -7_200.0, -12_300.0, 850.0, 430.0, -20.0),
    ("望归礁", "Wanggui Rock", 4_200.0, -13_900.0, 420.0, 260.0, 60.0),
    ("白螺岛", "Bailuo Island", 7_300.0, -17_300.0, 620.0, 380.0, 10.0),
    ("月牙屿", "Yueya Islet", -12_900.0, -14_600.0, 1_050.0, 520.0, 35.0),
    ("渔灯屿", "Yudeng Islet", 19_600.0, -12_700.0, 480.0, 330.0, -40.0),
)


def _river_line(rng: np.random.Generator) -> Floats:
    """Centre line of the main river from far north to beyond the estuary, (n, 2)."""
    y = np.arange(34_000.0, -16_001.0, -140.0)
    x = -1_700 + 2_000 * np.sin((y - 600) / 3_100) * np.clip((y + 9_500) / 9_000, 0.12, 1.0)
    x += 900 * np.sin((y + 2_000) / 8_700) + np.clip(y - 9_000, 0, None) * 0.22
    x += _octaves(rng, -y, 4_200.0, 2, 130.0)
    return np.column_stack([x, y])


def _ribbon(line: Floats, half_width: Floats) -> BaseGeometry:
    """A ribbon of varying half width round a line."""
    pieces = [
        shapely.union(Point(p).buffer(w, quad_segs=6), Point(q).buffer(v, quad_segs=6)).convex_hull
        for p, q, w, v in zip(line[:-1], line[1:], half_width[:-1], half_width[1:], strict=True)
    ]
    return shapely.simplify(shapely.union_all(pieces), 4.0)


def make_land(seed: int) -> Land:
    """The land and waters of the city of this seed. Raises ValueError when the coast crosses itself."""
    rng = stage_rng(seed, "land")
    coast = _coast(rng)
    if not LineString(coast).is_simple:
        raise ValueError(f"seed {seed}: the coast line crosses itself; choose another seed")
    north = Polygon([*coast, (40_000, 40_000), (-40_000, 40_000)])
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    limit = RADIUS_M + _octaves(rng, angle * RADIUS_M, 9_000.0, 4, 190.0)
    limit = np.clip(limit, 25_150.0, 27_000.0)
    limit[-20:] += (limit[0] - limit[-1]) * np.linspace(0, 1, 20)
    disc = Polygon(np.column_stack([limit * np.cos(angle), limit * np.sin(angle)]))
    mainland = max(shapely.get_parts(shapely.intersection(north, disc)), key=lambda p: float(p.area))
    islands = tuple(_island(rng, *numbers) for _, _, *numbers in _ISLANDS)

    line = _river_line(rng)
    south = np.clip((9_000 - line[:, 1]) / 18_000, 0, 1)  # 0 in the north, 1 at the sea
    half = 45 + 110 * south**1.5 + 520 * np.clip((-6_500 - line[:, 1]) / 4_000, 0, 1) ** 1.6
    river = shapely.intersection(_ribbon(line, half), shapely.union(mainland, Point(0, 30_000).buffer(1)))
    river = max(shapely.get_parts(river), key=lambda p: float(p.area))

    joint = int(np.argmin(np.abs(line[:, 1] - 4_300)))
    t = np.linspace(0, 1, 110)
    source, mouth = np.array([-15_000.0, 14_600.0]), line[joint]
    stream = source + t[:, None] * (mouth - source)
    bend = np.column_stack(
        [_octaves(rng, t * 20_000, 3_600.0, 3, 520.0), _octaves(rng, t * 20_000, 3_600.0, 3, 520.0)]
    )
    stream = stream + bend * np.clip(np.minimum(t, 1 - t) * 6, 0, 1)[:, None]
    tributary = shapely.difference(_ribbon(stream, 14 + 22 * t), shapely.buffer(river, 0.0))
    tributary = max(shapely.get_parts(tributary), key=lambda p: float(p.area))

    waters = (
        Water("W01", "澜江", "Lan River", "river", river),
        Water("W02", "禾溪", "He Creek", "tributary", tributary),
        Water(
            "W03", "云栖水库", "Yunqi Reservoir", "reservoir", _island(rng, -15_300, 15_300, 1_500, 620, 55)
        ),
        Water(
            "W04", "石门水库", "Shimen Reservoir", "reservoir", _island(rng, 13_600, 15_200, 1_150, 560, -35)
        ),
        Water("W05", "镜心湖", "Jingxin Lake", "lake", _island(rng, 2_600, 1_500, 560, 330, 20)),
        Water("W06", "芦花湖", "Luhua Lake", "lake", _island(rng, 8_700, -3_100, 640, 300, -15)),
    )
    west = Polygon([*line, (-90_000, line[-1, 1]), (-90_000, line[0, 1])])
    return Land(
        shape=MultiPolygon([mainland, *islands]),
        mainland=mainland,
        islands=islands,
        island_names=tuple((name, english) for name, english, *_ in _ISLANDS),
        waters=waters,
        river_line=LineString(line),
        river_half=west,
        ashore=north,
    )
