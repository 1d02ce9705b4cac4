"""Writes rows as gzip CSV, byte for byte the same for the same rows."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from data.sample_city.plane import MICRO, Floats


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> int:
    """Write rows (only `columns`, in order) to `path`; returns the number of rows."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    n = 0
    for row in rows:
        writer.writerow(row)
        n += 1
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    return n


def degrees(micro: float) -> str:
    """A whole number of micro-degrees as degrees, without trailing zeros."""
    whole, part = divmod(abs(int(micro)), MICRO)
    text = f"{whole}.{part:06d}".rstrip("0").rstrip(".")
    return f"-{text}" if micro < 0 else text


def _pairs(coords: Floats) -> str:
    return "[" + ",".join(f"[{degrees(x)},{degrees(y)}]" for x, y in coords) + "]"


def line_json(lattice: Floats) -> str:
    """A lattice line as a compact GeoJSON LineString in degrees."""
    return f'{{"type":"LineString","coordinates":{_pairs(lattice)}}}'


def polygon_json(lattice: BaseGeometry) -> str:
    """A lattice polygon or multipolygon as compact GeoJSON in degrees (exterior rings counter-clockwise)."""
    polygons = shapely.get_parts(shapely.orient_polygons(lattice))
    bodies = ["[" + ",".join(_pairs(_ring(r)) for r in (p.exterior, *p.interiors)) + "]" for p in polygons]
    if len(bodies) == 1:
        return f'{{"type":"Polygon","coordinates":{bodies[0]}}}'
    return f'{{"type":"MultiPolygon","coordinates":[{",".join(bodies)}]}}'


def _ring(ring: BaseGeometry) -> Floats:
    coords: Floats = np.asarray(shapely.get_coordinates(ring))
    return coords
