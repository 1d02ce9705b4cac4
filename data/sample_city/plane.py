"""The local metric plane of the sample city and the integer lattice its coordinates are kept on.

Two systems are used while the city is built:

* plane: metres east and north of the city centre (EPSG:4526, CGCS2000 3-degree zone 38, shifted);
* lattice: whole micro-degrees of longitude and latitude (EPSG:4490, equal to EPSG:4326 here). Every published
  coordinate is a lattice point, so that neighbours share exactly equal vertices and text output is exact.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

Floats = npt.NDArray[np.float64]

CENTRE_LON: Final = 113.900
CENTRE_LAT: Final = 21.900
MICRO: Final = 1_000_000

_TO_PLANE: Final = Transformer.from_crs(4490, 4526, always_xy=True)
_X0, _Y0 = _TO_PLANE.transform(CENTRE_LON, CENTRE_LAT)


def stage_rng(seed: int, stage: str) -> np.random.Generator:
    """A random generator of one stage's own, so that a change in one stage leaves the others as they were."""
    return np.random.default_rng([seed, zlib.crc32(stage.encode())])


def to_lattice(xy: Floats) -> Floats:
    """Plane metres (n, 2) to lattice micro-degrees (n, 2), rounded to whole numbers."""
    lon, lat = _TO_PLANE.transform(xy[:, 0] + _X0, xy[:, 1] + _Y0, direction="INVERSE")
    return np.round(np.column_stack([lon, lat]) * MICRO)


def to_plane(lattice: Floats) -> Floats:
    """Lattice micro-degrees (n, 2) to plane metres (n, 2)."""
    x, y = _TO_PLANE.transform(lattice[:, 0] / MICRO, lattice[:, 1] / MICRO)
    return np.column_stack([x - _X0, y - _Y0])


def geometry_to_lattice(geometry: BaseGeometry) -> BaseGeometry:
    """The geometry with every vertex moved to its nearest lattice point (topology is not repaired)."""
    return shapely.transform(geometry, to_lattice)


def geometry_to_plane(geometry: BaseGeometry) -> BaseGeometry:
    """The lattice geometry in plane metres."""
    return shapely.transform(geometry, to_plane)
