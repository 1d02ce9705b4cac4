"""Streets of the sample city: edges grouped into streets, and a name for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import shapely
from shapely.geometry import MultiLineString, Point

from data.sample_city.areas import AreaTree, CellFinder
from data.sample_city.land import Land
from data.sample_city.names import NameBook, numeral, pinyin
from data.sample_city.plane import stage_rng, to_plane
from data.sample_city.road_graph import Edge, NodeKey


def _strokes(edges: Sequence[Edge]) -> list[list[int]]:
    """Edges grouped into streets: at every node the straightest continuation of the same class belongs together."""
    up = list(range(len(edges)))

    def find(i: int) -> int:
        while up[i] != i:
            up[i] = up[up[i]]
            i = up[i]
        return i

    at: dict[NodeKey, list[tuple[int, float]]] = defaultdict(list)
    for i, e in enumerate(edges):
        if e.along:
            continue
        xy = to_plane(e.line)
        for p, (a, b) in ((e.start, (xy[0], xy[1])), (e.end, (xy[-1], xy[-2]))):
            at[p].append((i, float(np.arctan2(b[1] - a[1], b[0] - a[0]))))
    for p in sorted(at):
        turns = sorted(
            (abs(float(np.angle(np.exp(1j * (s - t - np.pi))))), i, j)
            for n, (i, s) in enumerate(at[p])
            for j, t in at[p][n + 1 :]
            if i != j and edges[i].road_class == edges[j].road_class
        )
        done: set[int] = set()
        for turn, i, j in turns:
            if turn < 0.7 and i not in done and j not in done:
                done |= {i, j}
                up[find(i)] = find(j)
    groups: dict[int, list[int]] = defaultdict(list)
    for i, e in enumerate(edges):
        if not e.along:
            groups[find(i)].append(i)
    return sorted(groups.values())


# Avenue names that belong somewhere: x, y in plane metres near which the avenue must pass (None = anywhere).
_GREAT: Final[tuple[tuple[str, tuple[float, float] | None], ...]] = (
    ("澜江", (-5_000.0, 0.0)),
    ("望海", (2_500.0, -4_500.0)),
    ("青屿", (15_000.0, -1_000.0)),
    ("禾丰", (-4_000.0, 13_000.0)),
    ("镜湖", (3_000.0, 1_800.0)),
    ("海晏", (6_500.0, -1_500.0)),
    ("临港", (12_000.0, -5_000.0)),
    ("南薰", (1_000.0, -3_000.0)),
    ("揽翠", (500.0, -1_500.0)),
    ("迎宾", None), ("环城", None), ("云帆", None), ("锦澜", None), ("长虹", None), ("归帆", None), ("松涛", None),
    ("银沙", None), ("星湾", None), ("金埠", None), ("新澜", None),
)  # fmt: skip
_BRIDGES: Final = (
    "澜江",
    "望江",
    "揽月",
    "归帆",
    "锦帆",
    "古渡",
    "南薰",
    "云津",
    "双水",
    "朝晖",
    "雁洲",
    "松江",
    "石矶",
)


def named(land: Land, areas: AreaTree, edges: list[Edge], seed: int) -> list[Edge]:
    """Every edge with its name and speed."""
    book = NameBook(stage_rng(seed, "road names"))
    finder = CellFinder.of(areas)
    middle = np.array([e.line[len(e.line) // 2] for e in edges])
    cell = finder.find(middle)
    village = areas.ancestors(3)[np.clip(cell, 0, None)]
    named: list[tuple[str, str]] = [("", "")] * len(edges)
    serial: dict[int, int] = defaultdict(int)
    strokes = _strokes(edges)
    strokes.sort(key=lambda s: -sum(edges[i].length_m for i in s))
    reserved = _avenues([[edges[i] for i in stroke] for stroke in strokes])
    free = iter([short for short, at in _GREAT if at is None])
    for n, stroke in enumerate(strokes):
        kind = edges[stroke[0]].road_class
        length = sum(edges[i].length_m for i in stroke)
        if kind == "arterial" and length > 2_500:
            short = reserved.get(n) or next(free, None) or book.road()
            name = (f"{short}大道", f"{pinyin(short)} Avenue")
        elif kind != "local":
            short = book.road()
            name = (f"{short}路", f"{pinyin(short)} Road")
        else:
            v = int(village[stroke[len(stroke) // 2]])
            serial[v] += 1
            short = areas.levels[3][v].name.removesuffix("社区").removesuffix("村")
            word, english = ("巷", "Lane") if length < 380 else ("街", "Street")
            name = (f"{short}{numeral(serial[v])}{word}", f"{pinyin(short)} {english} {serial[v]}")
        for i in stroke:
            named[i] = name
    return _with_shores(land, edges, named)


def _avenues(strokes: Sequence[Sequence[Edge]]) -> dict[int, str]:
    """Which long arterial (index of its stroke) gets which avenue name that belongs somewhere: the nearest free one."""
    long = [
        (n, MultiLineString([to_plane(e.line) for e in stroke]))
        for n, stroke in enumerate(strokes)
        if stroke[0].road_class == "arterial" and sum(e.length_m for e in stroke) > 2_500
    ]
    out: dict[int, str] = {}
    for short, at in _GREAT:
        left = [(float(line.distance(Point(at))), n) for n, line in long if n not in out] if at else []
        if left:
            out[min(left)[1]] = short
    return out


def _with_shores(land: Land, edges: list[Edge], named: list[tuple[str, str]]) -> list[Edge]:
    lakes = {w.code: (w.name, w.name_en) for w in land.waters}
    bridge_names = iter(_BRIDGES)
    out: list[Edge] = []
    order = sorted(
        (i for i, e in enumerate(edges) if e.bridge and e.along == "river"),
        key=lambda i: abs(float(to_plane(edges[i].line[:1])[0, 1]) + 900),
    )
    for n, i in enumerate(order):
        short = next(bridge_names, None)
        if short is None:
            named[i] = (f"澜江{numeral(n + 1)}桥", f"Lan River Bridge {n + 1}")
        else:
            named[i] = (f"{short}大桥", f"{pinyin(short)} Bridge")
    for i, e in enumerate(edges):
        x, y = to_plane(e.line[len(e.line) // 2][None])[0]
        if e.along == "river" and not e.bridge:
            side = ("西", "West") if shapely.contains_xy(land.river_half, x, y) else ("东", "East")
            word = ("滨江", "Riverside") if y < 6_500 else ("沿江", "Upper Riverside")
            named[i] = (f"{word[0]}{side[0]}路", f"{word[1]} Road {side[1]}")
        elif e.along == "coast":
            if e.road_class == "arterial":
                named[i] = ("滨海大道", "Binhai Avenue")
            else:
                named[i] = ("海滨西路", "Seaside Road West") if x < 0 else ("海滨东路", "Seaside Road East")
        elif e.along == "island":
            named[i] = ("青屿大桥", "Qingyu Bridge") if e.bridge else ("环岛路", "Island Ring Road")
        elif e.along in lakes:
            named[i] = (f"{lakes[e.along][0]}环路", f"{lakes[e.along][1]} Ring Road")
        speed = {"arterial": 60, "secondary": 50, "local": 30}[e.road_class]
        if e.road_class == "arterial" and np.hypot(x, y) > 11_000:
            speed = 80
        out.append(replace(e, name=named[i][0], name_en=named[i][1], speed_kmh=speed))
    return out
