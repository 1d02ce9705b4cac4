"""The road graph of the sample city: nodes and edges along area boundaries, embankments, coast roads and bridges.

District and town boundaries are arterials 主干路, village boundaries secondary roads 次干路, a share of the duty-grid
boundaries local roads 支路. Nothing runs inside the river corridor, the coastal strip or a lake: roads end at a road
round them, and bridges join the two banks. The graph is connected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

from data.sample_city.areas import AreaTree
from data.sample_city.coverage import shared_segments
from data.sample_city.land import Land
from data.sample_city.plane import Floats, stage_rng, to_plane
from data.sample_city.road_graph import CLASSES, Edge, NodeKey, RoadGraph, largest, make_edge, node_key
from data.sample_city.road_names import named

# ---- from area boundaries to chains -------------------------------------------------------------------------------


def _chains(segments: Floats, rank: Floats) -> list[tuple[Floats, int]]:
    """Segments (m, 4) with a rank each, merged into lines between junctions (or changes of rank)."""
    touching: dict[NodeKey, list[int]] = defaultdict(list)
    ends = [((int(s[0]), int(s[1])), (int(s[2]), int(s[3]))) for s in segments]
    for i, (a, b) in enumerate(ends):
        touching[a].append(i)
        touching[b].append(i)
    stop = {p for p, at in touching.items() if len(at) != 2 or rank[at[0]] != rank[at[1]]}
    used = np.zeros(len(segments), dtype=bool)
    out: list[tuple[Floats, int]] = []

    def walk(start: NodeKey, first: int) -> None:
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
    at = {(*node_key(s[:2]), *node_key(s[2:])): float(m) for s, m in zip(segments, near, strict=True)}
    chosen: list[Floats] = []
    ranks: list[int] = []
    for line, road in chains:
        if road == 2:
            a, b = sorted((node_key(line[0]), node_key(line[1])))
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
            edge = make_edge(xy, CLASSES[road])
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
        edge = make_edge(smooth, road_class, kind)
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
        bridge = make_edge(
            np.vstack([m.point, landing.point]), CLASSES[max(m.rank, landing.rank)], "river", True
        )
        if bridge is not None:
            taken.append(place)
            out.append(bridge)
            if new:
                landings.append(landing)
    return out, landings


def _island_bridges(land: Land, edges: list[Edge]) -> list[Edge]:
    """The edges with the shortest bridge from the largest road component to each island with over 5 km of roads."""
    for island in land.islands:
        shapely.prepare(island)
        own = [e for e in edges if shapely.contains_xy(island, *to_plane(e.line[:1])[0])]
        shore = [e for e in largest(edges) if e.along == "coast"]
        if sum(e.length_m for e in own) < 5_000 or not shore:
            continue
        here, there = (np.unique(np.vstack([e.line for e in some]), axis=0) for some in (shore, largest(own)))
        away = np.hypot(*(to_plane(here)[:, None] - to_plane(there)[None]).transpose(2, 0, 1))
        i, j = (int(k) for k in np.unravel_index(int(away.argmin()), away.shape))
        bridge = make_edge(to_plane(np.vstack([here[i], there[j]])), "arterial", "island", True)
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
            piece = make_edge(to_plane(line), e.road_class, e.along, e.bridge)
            if piece is not None:
                out.append(piece)
    return out


# ---- the whole ----------------------------------------------------------------------------------------------------


def _prune(land: Land, edges: list[Edge]) -> list[Edge]:
    """Without local dead ends (roads leaving the city stay)."""
    for _ in range(3):
        degree: dict[NodeKey, int] = defaultdict(int)
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
    piece = make_edge(shapely.get_coordinates(substring(line, start, end)), e.road_class, e.along, bridge)
    return [piece] if piece else []


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
    edges = _unique(_prune(land, largest(edges)))
    edges = named(land, areas, edges, seed)
    nodes = sorted({p for e in edges for p in (e.start, e.end)})
    return RoadGraph(tuple(nodes), tuple(edges))


def _unique(edges: Sequence[Edge]) -> list[Edge]:
    """Without edges of exactly the same course, in a stable order."""
    seen: dict[bytes, Edge] = {}
    for e in edges:
        forward, backward = e.line.tobytes(), e.line[::-1].copy().tobytes()
        seen.setdefault(min(forward, backward), e)
    return sorted(seen.values(), key=lambda e: (e.start, e.end, e.line.tobytes()))
