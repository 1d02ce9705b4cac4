"""Edges and nodes of the sample city's road graph, and which of them hang together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from data.sample_city.plane import Floats, to_lattice, to_plane

CLASSES: Final = ("arterial", "secondary", "local")
NodeKey = tuple[int, int]


@dataclass(frozen=True)
class Edge:
    """One road edge between two nodes (lattice points). Geometry (n, 2) on the lattice, length in metres."""

    start: NodeKey
    end: NodeKey
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

    nodes: tuple[NodeKey, ...]
    edges: tuple[Edge, ...]


def node_key(point: Floats) -> NodeKey:
    """The node at a lattice point."""
    return int(point[0]), int(point[1])


def make_edge(line_plane: Floats, road_class: str, along: str = "", bridge: bool = False) -> Edge | None:
    """An edge from plane coordinates; None when it shrinks to a point on the lattice."""
    line = to_lattice(line_plane)
    keep = np.r_[True, np.any(np.diff(line, axis=0) != 0, axis=1)]
    line = line[keep]
    if len(line) < 2 or node_key(line[0]) == node_key(line[-1]):
        return None
    length = float(np.hypot(*np.diff(to_plane(line), axis=0).T).sum())
    return Edge(node_key(line[0]), node_key(line[-1]), road_class, line, round(length, 1), along, bridge)


def components(edges: Sequence[Edge]) -> dict[NodeKey, NodeKey]:
    """Node → representative node of its connected component."""
    up: dict[NodeKey, NodeKey] = {}

    def find(p: NodeKey) -> NodeKey:
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


def largest(edges: Sequence[Edge]) -> list[Edge]:
    """The edges of the component with the most metres of road."""
    member = components(edges)
    length: dict[NodeKey, float] = defaultdict(float)
    for e in edges:
        length[member[e.start]] += e.length_m
    root = max(sorted(length), key=lambda p: length[p])
    return [e for e in edges if member[e.start] == root]
