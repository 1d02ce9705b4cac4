"""From loose leaf polygons to an exact nested coverage on the lattice: no gaps, no overlaps, shared vertices equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from data.sample_city.plane import geometry_to_lattice

Ints = npt.NDArray[np.int64]


def exact_cells(leaves: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Leaves in plane metres to lattice polygons that form a valid coverage, in the same order.

    All boundaries are noded together by snap rounding on the lattice; every face so found is given to the leaf that
    holds its inner point (a sliver between two leaves goes to the nearer). Raises ValueError when a leaf is left
    without a face.
    """
    rough = [geometry_to_lattice(leaf) for leaf in leaves]
    lines = shapely.union_all(shapely.boundary(np.array(rough, dtype=object)), grid_size=1.0)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    inner = shapely.point_on_surface(faces)
    tree = STRtree(rough)
    owner = np.full(len(faces), -1)
    face_index, leaf_index = tree.query(inner, predicate="within")
    owner[face_index[::-1]] = leaf_index[::-1]
    lost = np.flatnonzero(owner < 0)
    if len(lost):
        leaf_ids, distance = tree.query_nearest(inner[lost], return_distance=True, all_matches=False)
        # a hole of the land (none today) would be far from every leaf; a rounding sliver is within a few steps
        near = distance < 20
        owner[lost[leaf_ids[0][near]]] = leaf_ids[1][near]
    members: list[list[BaseGeometry]] = [[] for _ in leaves]
    for face, leaf in zip(faces, owner, strict=True):
        if leaf >= 0:
            members[leaf].append(face)
    empty = [i for i, faces_of in enumerate(members) if not faces_of]
    if empty:
        raise ValueError(f"leaves without a face after snapping: {empty[:5]}")
    return [
        faces_of[0] if len(faces_of) == 1 else shapely.coverage_union_all(faces_of) for faces_of in members
    ]


def dissolve(shapes: Sequence[BaseGeometry], parent: Ints, count: int) -> list[BaseGeometry]:
    """Union of a coverage's shapes by parent index (0 .. count-1), keeping every shared vertex."""
    groups: list[list[BaseGeometry]] = [[] for _ in range(count)]
    for shape, p in zip(shapes, parent, strict=True):
        groups[int(p)].append(shape)
    return [shapely.coverage_union_all(g) for g in groups]


def shared_segments(cells: Sequence[BaseGeometry]) -> tuple[npt.NDArray[np.float64], Ints]:
    """Every boundary segment of the coverage once: its ends (m, 4: x1 y1 x2 y2 on the lattice) and the one or two
    cells beside it (m, 2; -1 where there is no second cell, which is the coast or the city limit)."""
    coords, index = shapely.get_coordinates(_rings(cells), return_index=True)
    ring_cell = _ring_cells(cells)
    same = index[:-1] == index[1:]
    a, b = coords[:-1][same], coords[1:][same]
    cell = ring_cell[index[:-1][same]]
    swap = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    low, high = np.where(swap[:, None], b, a), np.where(swap[:, None], a, b)
    ends = np.column_stack([low, high])
    unique, where = np.unique(ends, axis=0, return_inverse=True)
    beside = np.full((len(unique), 2), -1, dtype=np.int64)
    for segment, c in zip(where.ravel(), cell, strict=True):
        beside[segment, 0 if beside[segment, 0] < 0 else 1] = c
    return unique, beside


def _rings(cells: Sequence[BaseGeometry]) -> npt.NDArray[np.object_]:
    rings: npt.NDArray[np.object_] = shapely.get_rings(np.array(cells, dtype=object))
    return rings


def _ring_cells(cells: Sequence[BaseGeometry]) -> Ints:
    _, index = shapely.get_rings(np.array(cells, dtype=object), return_index=True)
    result: Ints = index
    return result
