"""The road graph of the sample city: nodes and edges along area boundaries, embankments, coast roads and bridges.

District and town boundaries are arterials 主干路, village boundaries secondary roads 次干路, a share of the duty-grid
boundaries local roads 支路. Nothing runs inside the river corridor, the coastal strip or a lake: roads end at a road
round them, and bridges join the two banks. The graph is connected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry import LineString, MultiLineString, Point
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

from data.sample_city.areas import AreaTree, CellFinder
from data.sample_city.coverage import shared_segments
from data.sample_city.land import Land
from data.sample_city.names import NameBook, numeral, pinyin
from data.sample_city.plane import Floats, stage_rng, to_lattice, to_plane

CLASSES: Final = ("arterial", "secondary", "local")
LocalKey = tuple[int, int]


@dataclass(frozen=True)
class Edge:
    """One road edge between two nodes (lattice points). Geometry (n, 2) on the lattice, length in metres."""

    start: LocalKey
    end: LocalKey
    road_class: str
    line: Floats
    length_m: float
    along: str = ""  # what a shore road follows: river | coast | island | a lake's code
    bridge: bool = False
    name: str = ""
    name_en: str = ""
    speed_kmh: int = 40


@dataclass(frozen=True)
class RoadGraph:
    """Nodes (lattice points, sorted) and edges of a connected graph."""

    nodes: tuple[LocalKey, ...]
    edges: tuple[Edge, ...]


def _key(point: Floats) -> LocalKey:
    return int(point[0]), int(point[1])


def _edge(line_plane: Floats, road_class: str, along: str = "", bridge: bool = False) -> Edge | None:
    """An edge from plane coordinates; None when it shrinks to a point on the lattice."""
    line = to_lattice(line_plane)
    keep = np.r_[True, np.any(np.diff(line, axis=0) != 0, axis=1)]
    line = line[keep]
    if len(line) < 2 or _key(line[0]) == _key(line[-1]):
        return None
    length = float(np.hypot(*np.diff(to_plane(line), axis=0).T).sum())
    return Edge(_key(line[0]), _key(line[-1]), road_class, line, round(length, 1), along, bridge)


# ---- from area boundaries to chains -------------------------------------------------------------------------------


def _chains(segments: Floats, rank: Floats) -> list[tuple[Floats, int]]:
    """Segments (m, 4) with a rank each, merged into lines between junctions (or changes of rank)."""
    touching: dict[LocalKey, list[int]] = defaultdict(list)
    ends = [((int(s[0]), int(s[1])), (int(s[2]), int(s[3]))) for s in segments]
    for i, (a, b) in enumerate(ends):
        touching[a].append(i)
        touching[b].append(i)
    stop = {p for p, at in touching.items() if len(at) != 2 or rank[at[0]] != rank[at[1]]}
    used = np.zeros(len(segments), dtype=bool)
    out: list[tuple[Floats, int]] = []

    def walk(start: LocalKey, first: int) -> None:
        line, here, i = [start], start, first
        while True:
            used[i] = True
            here = ends[i][1] if ends[i][0] == here else ends[i][0]
            line.append(here)
            if here in stop:
                break
            following = [j for j in touching[here] if not used[j]]
            if not following:
                break
            i = following[0]
        out.append((np.array(line, dtype=float), int(rank[first])))

    for start in sorted(stop):
        for i in touching[start]:
            if not used[i]:
                walk(start, i)
    for i in range(len(segments)):  # closed loops without a junction
        if not used[i]:
            walk(ends[i][0], i)
    return out


def _boundary_lines(areas: AreaTree, rng: np.random.Generator) -> list[tuple[Floats, int]]:
    """Road lines (lattice) with rank 0 arterial, 1 secondary, 2 local."""
    segments, beside = shared_segments([c.geometry for c in areas.cells])
    inner = beside[:, 1] >= 0
    segments, beside = segments[inner], beside[inner]
    rank = np.full(len(segments), 9)
    for level, road in ((4, 2), (3, 1), (2, 0), (1, 0)):
        index = areas.ancestors(level)
        rank[index[beside[:, 0]] != index[beside[:, 1]]] = road
    grid = areas.ancestors(4)
    size = np.array([g.area_m2 for g in areas.levels[4]])
    near = np.sqrt(size[grid[beside[:, 0]]])
    keep = rank <= 2
    chains = _chains(segments[keep], rank[keep])
    at = {(*_key(s[:2]), *_key(s[2:])): float(m) for s, m in zip(segments, near, strict=True)}
    chosen: list[Floats] = []
    ranks: list[int] = []
    for line, road in chains:
        if road == 2:
            a, b = sorted((_key(line[0]), _key(line[1])))
            urban = float(np.clip((1_300 - at[(*a, *b)]) / 900, 0.0, 1.0))
            if rng.random() > 0.22 + 0.70 * urban:
                continue
        for p, q in zip(line[:-1], line[1:], strict=True):
            chosen.append(np.concatenate([p, q]))
            ranks.append(road)
    return _chains(np.array(chosen), np.array(ranks))


# ---- shores -------------------------------------------------------------------------------------------------------


def _shore_zones(land: Land) -> list[tuple[str, BaseGeometry]]:
    """Where no road runs, by what the road round it follows; plane metres."""
    river = next(w for w in land.waters if w.kind == "river")
    inland = shapely.buffer(shapely.buffer(land.ashore, -620), 500)
    zones = [
        ("river", shapely.simplify(shapely.buffer(shapely.buffer(river.shape, 145), -100), 6.0)),
        ("coast", shapely.difference(land.mainland, shapely.simplify(inland, 12.0))),
    ]
    for island in land.islands:
        inner = shapely.simplify(shapely.buffer(shapely.buffer(island, -330), 210), 12.0)
        zones.append(("island", shapely.difference(shapely.buffer(island, 30), inner)))
    for water in land.waters:
        if water.kind in ("lake", "reservoir"):
            around = shapely.buffer(shapely.buffer(water.shape, 220), -165)
            zones.append((water.code, shapely.simplify(around, 8.0)))
    return zones


def _shore_lines(
    land: Land, zones: Sequence[tuple[str, BaseGeometry]], whole: BaseGeometry
) -> list[tuple[str, Floats]]:
    """The roads round the zones: the zones' outline where it runs over land."""
    edge_of_land = shapely.buffer(shapely.boundary(land.shape), 40.0)
    outline = shapely.difference(shapely.boundary(whole), edge_of_land)
    outline = shapely.intersection(outline, land.shape)
    lines = shapely.get_parts(shapely.line_merge(outline))
    kinds = [k for k, _ in zones]
    borders = [shapely.boundary(z) for _, z in zones]
    out: list[tuple[str, Floats]] = []
    for line in lines:
        # one outline may follow the river and then the coast: cut it where the nearest zone changes
        xy = shapely.get_coordinates(shapely.segmentize(line, 60.0))
        distance = np.array([shapely.distance(shapely.points(xy), b) for b in borders])
        nearest = distance.argmin(axis=0)
        start = 0
        for i in range(1, len(xy)):
            if nearest[i] != nearest[start] and nearest[min(i + 3, len(xy) - 1)] != nearest[start]:
                out.append((kinds[nearest[start]], xy[start : i + 1]))
                start = i
        if len(xy) - start > 1:
            out.append((kinds[nearest[start]], xy[start:]))
    return out


def _shore_class(kind: str, line: Floats) -> str:
    middle = line[len(line) // 2]
    if kind == "coast":
        return "arterial" if -9_500 < middle[0] < 12_500 else "secondary"
    if kind == "river":
        return "secondary"
    return "secondary" if kind == "island" else "local"


@dataclass(frozen=True)
class _Meet:
    """Where a road ends at a shore road: which one, how far along it (m), the point, the road's rank."""

    shore: int
    along_m: float
    point: Floats
    rank: int


def _cut_at_zones(
    lines: Sequence[tuple[Floats, int]], whole: BaseGeometry, shores: Sequence[tuple[str, Floats]]
) -> tuple[list[Edge], list[_Meet]]:
    """Boundary lines without their parts inside the zones, and where they meet the shore roads."""
    shapely.prepare(whole)
    outline = shapely.boundary(whole)
    shapely.prepare(outline)
    shore_lines = [LineString(xy) for _, xy in shores]
    tree = STRtree(shore_lines)
    meets: list[_Meet] = []
    edges: list[Edge] = []
    for lattice, road in lines:
        line = LineString(to_plane(lattice))
        if shapely.disjoint(whole, line):
            parts: Iterable[BaseGeometry] = [line]
        else:
            parts = shapely.get_parts(shapely.difference(line, whole))
        for part in parts:
            if part.is_empty:
                continue
            xy = shapely.get_coordinates(part)
            edge = _edge(xy, CLASSES[road])
            if edge is None or edge.length_m < 12:
                continue
            edges.append(edge)
            for end in (xy[0], xy[-1]):
                point = Point(end)
                if shapely.dwithin(outline, point, 0.5):
                    i = int(tree.nearest(point))
                    if shapely.distance(shore_lines[i], point) < 1.5:
                        meets.append(_Meet(i, float(shore_lines[i].project(point)), end, road))
    return edges, meets


def _split_shore(kind: str, xy: Floats, found: list[tuple[float, Floats]]) -> list[Edge]:
    road_class = _shore_class(kind, xy)
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(xy, axis=0).T))]
    closed = bool(np.hypot(*(xy[0] - xy[-1])) < 0.01)
    stops = sorted(found, key=lambda m: m[0])
    if closed:
        if len(stops) < 2:
            return []
        turn = stops[0][0]
        k = int(np.searchsorted(along, turn, side="right"))
        xy = np.vstack([stops[0][1], xy[k:-1], xy[:k], stops[0][1]])
        along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(xy, axis=0).T))]
        stops = [((d - turn) % along[-1], p) for d, p in stops[1:]]
    cuts = [(0.0, xy[0]), *sorted(stops, key=lambda m: m[0]), (float(along[-1]), xy[-1])]
    out: list[Edge] = []
    for (d0, p0), (d1, p1) in zip(cuts[:-1], cuts[1:], strict=True):
        between = xy[(along > d0 + 1.0) & (along < d1 - 1.0)]
        raw = np.vstack([p0, between, p1])
        smooth = shapely.get_coordinates(shapely.simplify(LineString(raw), 4.0)) if len(raw) > 2 else raw
        edge = _edge(smooth, road_class, kind)
        if edge is not None:
            out.append(edge)
    return out


# ---- bridges ------------------------------------------------------------------------------------------------------


def _bridges(
    land: Land, shores: Sequence[tuple[str, Floats]], meets: Sequence[_Meet]
) -> tuple[list[Edge], list[_Meet]]:
    """Bridges straight over the river from main roads that end at it, and where they land on the other bank.

    A road is joined to one that ends nearly opposite, else to a new point of the other bank's shore road.
    """
    river = [i for i, (kind, _) in enumerate(shores) if kind == "river"]
    lines = {i: LineString(shores[i][1]) for i in river}
    middle = {i: lines[i].interpolate(0.5, normalized=True) for i in river}
    west = {i: bool(shapely.contains_xy(land.river_half, middle[i].x, middle[i].y)) for i in river}
    main = [m for m in meets if m.shore in lines and m.rank <= 1]
    plans: list[tuple[float, float, _Meet, _Meet, bool]] = []
    for m in main:
        opposite = [i for i in river if west[i] != west[m.shore]]
        if not opposite:
            continue
        point = Point(m.point)
        far = min(opposite, key=lambda i: float(lines[i].distance(point)))
        width = float(lines[far].distance(point))
        along = float(lines[far].project(point))
        if width > 620 or not 60 < along < lines[far].length - 60:
            continue
        facing = [n for n in main if n.shore == far and abs(n.along_m - along) < 0.55 * width + 60]
        landing = min(facing, key=lambda n: abs(n.along_m - along), default=None)
        new = landing is None
        if landing is None:
            landing = _Meet(far, along, shapely.get_coordinates(lines[far].interpolate(along))[0], m.rank)
        cost = 300.0 * (m.rank + landing.rank) + (350.0 if new else abs(landing.along_m - along)) + width
        plans.append((cost, land.river_line.project(point), m, landing, new))
    out: list[Edge] = []
    landings: list[_Meet] = []
    taken: list[float] = []
    for _, place, m, landing, new in sorted(plans, key=lambda p: (p[0], p[1])):
        spacing = 1_250.0 if m.point[1] < 4_500 else 2_600.0
        if any(abs(place - t) < spacing for t in taken):
            continue
        bridge = _edge(np.vstack([m.point, landing.point]), CLASSES[max(m.rank, landing.rank)], "river", True)
        if bridge is not None:
            taken.append(place)
            out.append(bridge)
            if new:
                landings.append(landing)
    return out, landings


def _components(edges: Sequence[Edge]) -> dict[LocalKey, LocalKey]:
    """Node → representative node of its connected component."""
    up: dict[LocalKey, LocalKey] = {}

    def find(p: LocalKey) -> LocalKey:
        root = p
        while up.setdefault(root, root) != root:
            root = up[root]
        while up[p] != root:
            up[p], p = root, up[p]
        return root

    for e in edges:
        a, b = find(e.start), find(e.end)
        if a != b:
            up[max(a, b)] = min(a, b)
    return {p: find(p) for p in list(up)}


def _largest(edges: Sequence[Edge]) -> list[Edge]:
    member = _components(edges)
    length: dict[LocalKey, float] = defaultdict(float)
    for e in edges:
        length[member[e.start]] += e.length_m
    root = max(sorted(length), key=lambda p: length[p])
    return [e for e in edges if member[e.start] == root]


def _island_bridges(land: Land, edges: list[Edge]) -> list[Edge]:
    """The edges with the shortest bridge from the largest road component to each island with over 5 km of roads."""
    for island in land.islands:
        shapely.prepare(island)
        own = [e for e in edges if shapely.contains_xy(island, *to_plane(e.line[:1])[0])]
        shore = [e for e in _largest(edges) if e.along == "coast"]
        if sum(e.length_m for e in own) < 5_000 or not shore:
            continue
        here, there = (
            np.unique(np.vstack([e.line for e in some]), axis=0) for some in (shore, _largest(own))
        )
        away = np.hypot(*(to_plane(here)[:, None] - to_plane(there)[None]).transpose(2, 0, 1))
        i, j = (int(k) for k in np.unravel_index(int(away.argmin()), away.shape))
        bridge = _edge(to_plane(np.vstack([here[i], there[j]])), "arterial", "island", True)
        if bridge is not None:
            edges = [*_split_at(_split_at(edges, here[i]), there[j]), bridge]
    return edges


def _split_at(edges: list[Edge], vertex: Floats) -> list[Edge]:
    """The edges, those with this vertex inside their course cut there."""
    out: list[Edge] = []
    for e in edges:
        inner = np.flatnonzero((e.line[1:-1] == vertex).all(axis=1)) + 1
        pieces = [e.line] if not len(inner) else [e.line[: inner[0] + 1], e.line[inner[0] :]]
        if len(pieces) == 1:
            out.append(e)
            continue
        for line in pieces:
            piece = _edge(to_plane(line), e.road_class, e.along, e.bridge)
            if piece is not None:
                out.append(piece)
    return out


# ---- the whole ----------------------------------------------------------------------------------------------------


def _prune(land: Land, edges: list[Edge]) -> list[Edge]:
    """Without local dead ends (roads leaving the city stay)."""
    for _ in range(3):
        degree: dict[LocalKey, int] = defaultdict(int)
        for e in edges:
            degree[e.start] += 1
            degree[e.end] += 1
        kept = [
            e
            for e in edges
            if e.road_class != "local" or (degree[e.start] > 1 and degree[e.end] > 1) or e.length_m > 1_500
        ]
        if len(kept) == len(edges):
            break
        edges = kept
    return edges


def _over_streams(land: Land, edges: Sequence[Edge]) -> list[Edge]:
    """Edges split where they cross the tributary, the crossing itself as a bridge; a local road that runs along in
    the water is dropped."""
    stream = shapely.union_all([w.shape for w in land.waters if w.kind == "tributary"])
    banks = shapely.buffer(stream, 22.0)
    shapely.prepare(stream)
    out: list[Edge] = []
    for e in edges:
        line = LineString(to_plane(e.line))
        if e.bridge or not shapely.intersects(stream, line):
            out.append(e)
            continue
        over = [
            p for p in shapely.get_parts(shapely.intersection(line, banks)) if shapely.intersects(stream, p)
        ]
        if e.road_class == "local" and sum(p.length for p in over) > 330:
            continue
        spans = sorted(
            tuple(sorted(float(line.project(Point(xy))) for xy in shapely.get_coordinates(p)[[0, -1]]))
            for p in over
        )
        at = 0.0
        for start, end in spans:
            start, end = (0.0 if start < 15 else start), (line.length if end > line.length - 15 else end)
            out += _piece(e, line, at, start, False) + _piece(e, line, start, end, end - start < 330)
            at = end
        out += _piece(e, line, at, line.length, False)
    return out


def _piece(e: Edge, line: LineString, start: float, end: float, bridge: bool) -> list[Edge]:
    if end - start < 0.5:
        return []
    piece = _edge(shapely.get_coordinates(substring(line, start, end)), e.road_class, e.along, bridge)
    return [piece] if piece else []


def _strokes(edges: Sequence[Edge]) -> list[list[int]]:
    """Edges grouped into streets: at every node the straightest continuation of the same class belongs together."""
    up = list(range(len(edges)))

    def find(i: int) -> int:
        while up[i] != i:
            up[i] = up[up[i]]
            i = up[i]
        return i

    at: dict[LocalKey, list[tuple[int, float]]] = defaultdict(list)
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


def _named(land: Land, areas: AreaTree, edges: list[Edge], seed: int) -> list[Edge]:
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


def make_roads(land: Land, areas: AreaTree, seed: int) -> RoadGraph:
    """The connected road graph of the city."""
    rng = stage_rng(seed, "roads")
    zones = _shore_zones(land)
    whole = shapely.union_all([z for _, z in zones])
    shores = _shore_lines(land, zones, whole)
    lines = _boundary_lines(areas, rng)
    edges, meets = _cut_at_zones(lines, whole, shores)
    bridges, landings = _bridges(land, shores, meets)
    for i, (kind, xy) in enumerate(shores):
        edges += _split_shore(kind, xy, [(m.along_m, m.point) for m in (*meets, *landings) if m.shore == i])
    edges += bridges
    edges = _over_streams(land, _prune(land, edges))
    edges = _island_bridges(land, edges)
    edges = _unique(_prune(land, _largest(edges)))
    edges = _named(land, areas, edges, seed)
    nodes = sorted({p for e in edges for p in (e.start, e.end)})
    return RoadGraph(tuple(nodes), tuple(edges))


def _unique(edges: Sequence[Edge]) -> list[Edge]:
    """Without edges of exactly the same course, in a stable order."""
    seen: dict[bytes, Edge] = {}
    for e in edges:
        forward, backward = e.line.tobytes(), e.line[::-1].copy().tobytes()
        seen.setdefault(min(forward, backward), e)
    return sorted(seen.values(), key=lambda e: (e.start, e.end, e.line.tobytes()))
