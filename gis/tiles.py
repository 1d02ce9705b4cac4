"""Vector tiles: layers of features → Mapbox vector tiles (MVT 2). Pure; caching and rights' names live elsewhere.

A TileLayer is built once per version of its data (project, index) and asked for many tiles. Tiles are in Web
Mercator, 4,096 units wide with a margin of 64, y down, as the format asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import mapbox_vector_tile
import numpy as np
import shapely
from mapbox_vector_tile.encoder import on_invalid_geometry_make_valid
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

EXTENT: Final = 4096
MARGIN: Final = 64
MAX_ZOOM: Final = 22
MERCATOR_LIMIT_DEG: Final = 85.0511287798066
MAX_POINTS: Final = 4000
"""More points than this in one tile are shown as density instead of dots."""
BINS: Final = 64
"""Density cells per tile side."""
NEAR_ZOOM: Final = 13
TOLERANCE: Final = 1.0
"""Simplification, in tile units (a quarter of a 256th of a tile: not visible)."""

Value = str | int | float | bool
Sees = Callable[[str], bool]
"""May the reader see what lies in the area with this path?"""


class UnknownLayer(KeyError):
    """No layer of this name."""


@dataclass(frozen=True, slots=True)
class TileFeature:
    """One thing on the map: geometry in EPSG:4326, properties, area path for rights, zoom it appears from."""

    geometry: BaseGeometry
    properties: Mapping[str, Value] = field(default_factory=dict)
    area: str = ""
    min_zoom: int = 0
    group: str = ""
    """What it is switched by on the map: the type of a device, the subclass of a component, the sector of a camera."""
    near: Mapping[str, Value] = field(default_factory=dict)
    """Properties that only tiles from NEAR_ZOOM on carry: nobody reads names of dots two pixels wide."""

    def shown(self, z: int) -> dict[str, Value]:
        """The properties a tile of zoom `z` carries."""
        return {**self.properties, **self.near} if z >= NEAR_ZOOM else dict(self.properties)


class TileLayer:
    """Features of one layer in one version, projected and indexed. Immutable after building, thread-safe."""

    __slots__ = (
        "_area",
        "_areas",
        "_dots_from",
        "_geometries",
        "_group",
        "_groups",
        "_is_points",
        "_min_zoom",
        "_tree",
        "features",
        "version",
    )

    def __init__(self, version: str, features: Iterable[TileFeature], dots_from: int = 0) -> None:
        """`dots_from`: below this zoom points are always shown as density, however few they are."""
        self.version = version
        self._dots_from = dots_from
        self.features: tuple[TileFeature, ...] = tuple(f for f in features if not f.geometry.is_empty)
        geometries: NDArray[Any] = np.array([f.geometry for f in self.features], dtype=object)
        self._geometries: NDArray[Any] = (
            shapely.transform(geometries, _to_world) if len(geometries) else geometries
        )
        self._min_zoom = np.array([f.min_zoom for f in self.features], dtype=np.int64)
        # Rights and switches are asked once for each area and group of a tile, not once for each of its things.
        self._areas, self._area = _numbered(f.area for f in self.features)
        self._groups, self._group = _numbered(f.group for f in self.features)
        kinds = shapely.get_type_id(self._geometries) if len(geometries) else np.empty(0, dtype=np.int64)
        self._is_points = bool(len(kinds)) and bool((kinds == shapely.GeometryType.POINT).all())
        self._tree = shapely.STRtree(self._geometries)

    def __len__(self) -> int:
        return len(self.features)

    def tile(
        self, z: int, x: int, y: int, sees: Sees | None, hidden: frozenset[str] = frozenset()
    ) -> list[dict[str, Any]]:
        """Features of one tile for the encoder: {"geometry" (tile units, y down), "properties"}; groups that are `hidden`
        are left out."""
        if not self.features:
            return []
        side = 1.0 / (1 << z)
        margin = side * MARGIN / EXTENT
        west, north = x * side - margin, y * side - margin
        east, south = (x + 1) * side + margin, (y + 1) * side + margin
        hits = np.sort(self._tree.query(shapely.box(west, north, east, south)))
        hits = hits[self._min_zoom[hits] <= z]
        if sees is not None:
            hits = hits[_accepted(self._area[hits], lambda n: sees(self._areas[n]))]
        if hidden:
            hits = hits[_accepted(self._group[hits], lambda n: self._groups[n] not in hidden)]
        if not len(hits):
            return []
        scale = (1 << z) * EXTENT

        def to_tile(xy: NDArray[np.float64]) -> NDArray[np.float64]:
            out: NDArray[np.float64] = xy * scale - np.array([x, y], dtype=np.float64) * EXTENT
            return out

        if self._is_points:
            xy = to_tile(shapely.get_coordinates(self._geometries[hits]))
            return self._dots(hits, xy, z) if z >= self._dots_from and len(hits) <= MAX_POINTS else _bins(xy)
        cut = shapely.clip_by_rect(self._geometries[hits], west, north, east, south)
        cut = shapely.simplify(shapely.transform(cut, to_tile), TOLERANCE, preserve_topology=True)
        # Snap to whole units here, validly and in C: rounding in the encoder would make bow ties.
        cut = shapely.set_precision(cut, 1.0)
        out: list[dict[str, Any]] = []
        for index, geometry in zip(hits, cut, strict=True):
            kept = _same_dimension(geometry, self._geometries[index])
            if kept is not None:
                out.append({"geometry": kept, "properties": self.features[index].shown(z)})
        return out

    def _dots(self, hits: NDArray[np.int64], xy: NDArray[np.float64], z: int) -> list[dict[str, Any]]:
        points: NDArray[Any] = np.asarray(shapely.points(np.rint(xy)))
        return [
            {"geometry": p, "properties": self.features[i].shown(z)}
            for i, p in zip(hits, points, strict=True)
        ]


def _numbered(values: Iterable[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The different values, and for each place the number of its value."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(value, len(numbers)) for value in values]
    return tuple(numbers), np.array(found, dtype=np.int64)


def _accepted(numbers: NDArray[np.int64], accept: Callable[[int], bool]) -> NDArray[np.bool_]:
    different, place = np.unique(numbers, return_inverse=True)
    return np.array([accept(int(n)) for n in different], dtype=bool)[place]


def _bins(xy: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Points as density: one point for each cell that holds any, with their number `n`."""
    inside = ((xy >= 0) & (xy < EXTENT)).all(axis=1)
    cells = (xy[inside] * BINS / EXTENT).astype(np.int64)
    keys, group, counts = np.unique(cells[:, 1] * BINS + cells[:, 0], return_inverse=True, return_counts=True)
    centre = np.stack(
        [np.bincount(group, xy[inside][:, axis], len(keys)) / counts for axis in (0, 1)], axis=1
    )
    return [
        {"geometry": p, "properties": {"n": int(n)}}
        for p, n in zip(np.asarray(shapely.points(np.rint(centre))), counts, strict=True)
    ]


class TileLayers(Protocol):
    """The port: where layers come from (the store, a folder, a test)."""

    def layer(self, name: str) -> TileLayer:
        """The newest version of layer `name`. Raises UnknownLayer. Called for every tile: must be cheap."""
        ...


def encode_tile(
    layers: Mapping[str, TileLayer],
    z: int,
    x: int,
    y: int,
    sees: Sees | None = None,
    hidden: frozenset[str] = frozenset(),
) -> bytes:
    """One tile of the named layers as MVT bytes; b'' when nothing is in it.

    `sees`: only features whose area path it accepts; None = all. `hidden`: groups left out. Raises ValueError for a tile that
    cannot exist.
    """
    if not (0 <= z <= MAX_ZOOM and 0 <= x < (1 << z) and 0 <= y < (1 << z)):
        raise ValueError(f"tile {z}/{x}/{y}: no such tile (zoom 0 to {MAX_ZOOM}, x and y below 2^zoom)")
    parts = [{"name": name, "features": layer.tile(z, x, y, sees, hidden)} for name, layer in layers.items()]
    parts = [part for part in parts if part["features"]]
    if not parts:
        return b""
    options = {
        "extents": EXTENT,
        "y_coord_down": True,
        "on_invalid_geometry": on_invalid_geometry_make_valid,
    }
    return bytes(mapbox_vector_tile.encode(parts, default_options=options))


def tile_of(lon: float, lat: float, z: int) -> tuple[int, int]:
    """Column and row of the tile at zoom `z` that holds a point in degrees."""
    world = _to_world(np.array([[lon, lat]], dtype=np.float64))[0]
    last = (1 << z) - 1
    return min(last, int(world[0] * (1 << z))), min(last, int(world[1] * (1 << z)))


def _to_world(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees (n, 2) → Web Mercator in the unit square, y down."""
    lat = np.radians(np.clip(lonlat[:, 1], -MERCATOR_LIMIT_DEG, MERCATOR_LIMIT_DEG))
    y = 0.5 - np.log(np.tan(np.pi / 4 + lat / 2)) / (2 * np.pi)
    return np.stack([lonlat[:, 0] / 360.0 + 0.5, y], axis=1)


def _same_dimension(part: BaseGeometry, whole: BaseGeometry) -> BaseGeometry | None:
    """What of a clipped geometry still is an area (a line), or None: clipping leaves crumbs of lower dimension."""
    if part is None or part.is_empty:
        return None
    wanted = shapely.get_dimensions(whole)
    if part.geom_type != "GeometryCollection":
        return part if shapely.get_dimensions(part) == wanted else None
    pieces = [p for p in shapely.get_parts(part) if shapely.get_dimensions(p) == wanted]
    if not pieces:
        return None
    joined: BaseGeometry = shapely.union_all(pieces)
    return joined
