"""What a phone keeps for the time without signal: the cells of the own area, to tell which one a position is in."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import shapely

from data.questions.context import Answer, Ask
from data.scope import area_scope
from incidents.phone_commands import OwnCells

MOST_CELLS: Final = 2000
"""More is no worker's ground any more, and no phone's either (some 300 kB)."""
_DIGITS: Final = 5


def own_cells(ask: Ask, query: OwnCells) -> dict[str, Any]:
    """See OwnCells."""
    scope, params = area_scope(ask.actor, "path")
    where = f"level = 'cell' AND geometry IS NOT NULL AND NOT disabled AND {scope}"
    total = int(ask.database.query(f"SELECT count(*) FROM areas WHERE {where}", params)[0][0])
    empty = {"total": total, "most": MOST_CELLS, "version": "", "bbox": None, "names": {}, "rows": []}
    if not 0 < total <= MOST_CELLS:
        return empty
    found = ask.database.query(f"SELECT code, path, geometry FROM areas WHERE {where} ORDER BY code", params)
    rows = [
        {"code": code, "area": path, "rings": _rings(shapely.from_wkb(bytes(geometry)))}
        for code, path, geometry in found
    ]
    above = sorted({prefix for _, path, _ in found for prefix in _prefixes(path)})
    names = ask.database.query("SELECT path, level, name, name_en FROM areas WHERE path = ANY(%s)", (above,))
    points = [point for row in rows for ring in row["rings"] for point in ring]
    lons, lats = [lon for lon, _ in points], [lat for _, lat in points]
    return {
        **empty,
        "version": hashlib.sha256(repr(rows).encode()).hexdigest()[:12],
        "bbox": [min(lons), min(lats), max(lons), max(lats)],
        "names": {
            path: {"level": level, "name": name, "name_en": name_en} for path, level, name, name_en in names
        },
        "rows": rows,
    }


def _prefixes(path: str) -> list[str]:
    """The paths of the areas above a cell: "a/b/c/" → "a/", "a/b/"."""
    return [path[: at + 1] for at, sign in enumerate(path[:-1]) if sign == "/"]


def _rings(geometry: Any) -> list[list[list[float]]]:
    """Outer rings of a cell, without the closing point, rounded to a metre."""
    parts = geometry.geoms if isinstance(geometry, shapely.MultiPolygon) else [geometry]
    return [[[round(x, _DIGITS), round(y, _DIGITS)] for x, y in part.exterior.coords[:-1]] for part in parts]


ANSWERS: Final[dict[type, Answer]] = {OwnCells: own_cells}
