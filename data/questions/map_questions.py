"""Questions that the map asks: its layer tree, finding, what lies in a shape, a building, two periods compared."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from data.questions.context import Answer, Ask, bounded, contains
from data.scope import area_scope, incident_scope
from gis.crs import to_wgs84
from gis.layer_tree import Group, Tree, tree_of
from gis.shapes import SHAPES, BadShape, Drawn, along, circle, polygon
from incidents.access import ANYWHERE, may
from incidents.address_reading import resolve
from incidents.map_queries import BuildingDetail, FindOnMap, IncidentsCompared, MapLayers, WithinShape
from incidents.model import Rejected

OPEN: Final = "i.stage NOT IN ('closed', 'refused', 'void')"
CRS: Final = {"wgs84": "EPSG:4326", "gcj02": "GCJ-02"}
CITY_BOX: Final = (72.0, 3.0, 138.0, 54.0)
"""West, south, east, north: what two numbers must be to be meant as a place."""
SCANNED: Final = 20_000
"""Things of one kind that are looked at within the bounds of a shape."""
AT_BUILDING_M: Final = 15.0
LONGEST: Final = 200

_LAYERS: Final = Path(__file__).parents[1] / "map_layers.toml"
_COORDINATES: Final = re.compile(
    r"\s*[（(]?\s*(?:东经|E)?\s*(-?\d{1,3}(?:\.\d+)?)\s*°?\s*[,，;；\s]\s*(?:北纬|N)?\s*(-?\d{1,3}(?:\.\d+)?)\s*°?\s*[)）]?\s*"
)

_GROUPS: Final = (
    "SELECT 'devices', d.type, t.name, t.name_en, count(*) FROM devices d JOIN device_types t ON t.id = d.type"
    " WHERE NOT d.disabled AND {devices} GROUP BY 2, 3, 4",
    "SELECT 'cameras', sector, sector, '', count(*) FROM cameras WHERE {cameras} GROUP BY 2",
    "SELECT 'components', subclass, subclass, '', count(*) FROM components WHERE {components} GROUP BY 2",
)


def tree() -> Tree:
    """The sectors of data/map_layers.toml."""
    return tree_of(tomllib.loads(_LAYERS.read_text(encoding="utf-8")))


def map_layers(ask: Ask, query: MapLayers) -> dict[str, Any]:
    """See MapLayers."""
    groups: list[Group] = []
    for sql, kind in zip(_GROUPS, ("devices", "cameras", "components"), strict=True):
        right = "map.see" if kind == "components" else f"{kind.removesuffix('s')}.see"
        if not may(ask.actor, right, ANYWHERE):
            continue
        scope, params = area_scope(ask.actor, "d.area_path" if kind == "devices" else "area_path")
        groups += [Group(*row) for row in ask.database.query(sql.format(**{kind: scope}), params)]
    return {"sectors": tree().branches(groups)}


# -- finding -------------------------------------------------------------------------------------------------------


def find_on_map(ask: Ask, query: FindOnMap) -> dict[str, Any]:
    """See FindOnMap. Codes come before names, and an address before places that sound like it."""
    text = query.text.strip()
    if len(text) > LONGEST:
        raise Rejected("field", f"text: {len(text)} characters, at most {LONGEST}", field="text")
    if query.crs not in CRS:
        raise Rejected("field", f"crs={query.crs!r}: must be one of {', '.join(CRS)}", field="crs")
    if not text:
        return {"rows": [], "total": 0}
    rows = _point(text, query.crs)
    if not rows:
        things = _things(ask, text)
        coded = [
            row
            for row in things
            if text.lower() in (row["key"] + row["name"] * (row["kind"] == "incident")).lower()
        ]
        rows = [
            *coded,
            *_address(ask, text),
            *_names(ask, text),
            *(row for row in things if row not in coded),
        ]
    unique = {(row["kind"], row["key"], row["name"], row["lon"], row["lat"]): row for row in rows}
    found = list(unique.values())
    return {"rows": found[: bounded(query.limit, 1, 50)], "total": len(found)}


def _row(kind: str, key: str, name: str, note: str, lon: float, lat: float) -> dict[str, Any]:
    return {"kind": kind, "key": key, "name": name, "note": note, "lon": lon, "lat": lat}


def _point(text: str, crs: str) -> list[dict[str, Any]]:
    found = _COORDINATES.fullmatch(text)
    if found is None:
        return []
    lon, lat = float(found[1]), float(found[2])
    west, south, east, north = CITY_BOX
    if not (west <= lon <= east and south <= lat <= north):
        lon, lat = lat, lon  # said the other way round, as maps of phones do
    if not (west <= lon <= east and south <= lat <= north):
        raise Rejected("field", f"text={text!r}: is not a longitude and a latitude of China", field="text")
    shifted, up = (float(v) for v in to_wgs84(CRS[crs], lon, lat)) if crs != "wgs84" else (lon, lat)
    return [_row("point", "", f"{lon:.6f}, {lat:.6f}", crs, round(shifted, 7), round(up, 7))]


def _things(ask: Ask, text: str) -> list[dict[str, Any]]:
    """Incidents by number, and registered things by code or name, as far as the actor may see them."""
    rows: list[dict[str, Any]] = []
    if may(ask.actor, "incident.see", ANYWHERE):
        scope, params = incident_scope(ask.actor)
        rows += [
            _row("incident", str(row[0]), row[1], row[2], row[3], row[4])
            for row in ask.database.query(
                "SELECT i.id, i.number, i.title, i.lon, i.lat FROM incidents i WHERE i.lon IS NOT NULL AND i.number ILIKE"
                f" %s AND {scope} ORDER BY i.reported_at DESC LIMIT 8",
                [contains(text), *params],
            )
        ]
    scope, params = area_scope(ask.actor)
    for kind, table, key, gone in (
        ("device", "devices", "id", " AND NOT disabled"),
        ("camera", "cameras", "code", ""),
        ("component", "components", "code", ""),
    ):
        if may(ask.actor, "map.see" if kind == "component" else f"{kind}.see", ANYWHERE):
            rows += [
                _row(kind, row[0], row[1] or row[0], row[0], row[2], row[3])
                for row in ask.database.query(
                    f"SELECT {key}, name, lon, lat FROM {table} WHERE lon IS NOT NULL AND ({key} ILIKE %s OR name ILIKE %s)"
                    f" AND {scope}{gone} ORDER BY {key} = %s DESC, {key} ILIKE %s DESC, {key} LIMIT 6",
                    [contains(text), contains(text), *params, text, contains(text)],
                )
            ]
    return rows


def _address(ask: Ask, text: str) -> list[dict[str, Any]]:
    """The address that the text says, or those that it may mean."""
    with ask.database.transaction() as cursor:
        read = resolve(text, ask.book.book(cursor))
    said = [read.found] if read.found is not None else list(read.candidates[:5])
    return [_row("address", "", one.address, "", one.lon, one.lat) for one in said]


def _names(ask: Ask, text: str) -> list[dict[str, Any]]:
    pattern = contains(text)
    found = ask.database.query(
        "SELECT kind, key, name, note, lon, lat FROM ("
        "SELECT 'place' AS kind, '' AS key, name, kind AS note, lon, lat FROM places WHERE name ILIKE %(p)s"
        " UNION ALL SELECT level, code, name, name_en, lon, lat FROM areas WHERE level <> 'cell' AND NOT disabled"
        " AND (name ILIKE %(p)s OR name_en ILIKE %(p)s OR code = %(t)s)"
        " UNION ALL SELECT level, code, code, '', lon, lat FROM areas WHERE level = 'cell' AND code = %(t)s"
        " UNION ALL SELECT 'unit', code, name, name_en, lon, lat FROM units WHERE name ILIKE %(p)s OR name_en ILIKE %(p)s"
        ") n WHERE lon IS NOT NULL ORDER BY name = %(t)s DESC, length(name), name LIMIT 20",
        {"p": pattern, "t": text},
    )
    return [_row(*row) for row in found]


# -- shapes --------------------------------------------------------------------------------------------------------

_INSIDE: Final[dict[str, tuple[str, str]]] = {
    "device": (
        "device.see",
        "SELECT d.id, d.name, d.type, NULL, d.lon, d.lat FROM devices d WHERE NOT d.disabled AND {scope:d.area_path} AND {box:d}",
    ),
    "camera": (
        "camera.see",
        "SELECT k.code, k.name, k.scene, NULL, k.lon, k.lat FROM cameras k WHERE {scope:k.area_path} AND {box:k}",
    ),
    "component": (
        "map.see",
        "SELECT k.code, k.name, k.subclass, NULL, k.lon, k.lat FROM components k WHERE {scope:k.area_path} AND {box:k}",
    ),
    "incident": (
        "incident.see",
        "SELECT i.id::text, i.title, i.number, i.level, i.lon, i.lat FROM incidents i WHERE " + OPEN + " AND {scope} AND {box:i}",
    ),
    "worker": (
        "worker.see",
        "SELECT w.login, a.name, coalesce(a.unit, ''), NULL, w.lon, w.lat FROM workers w JOIN accounts a USING (login)"
        " WHERE NOT a.disabled AND {scope:a.areas[1]} AND {box:w}",
    ),
}  # fmt: skip
"""Kind → the right to see it, and its rows: key, name, type, level, lon, lat."""


def within_shape(ask: Ask, query: WithinShape) -> dict[str, Any]:
    """See WithinShape."""
    wanted = [kind for kind in query.kinds.split(",") if kind] or list(_INSIDE)
    unknown = set(wanted) - set(_INSIDE)
    if unknown:
        raise Rejected("field", f"kinds={min(unknown)!r}: must be of {', '.join(_INSIDE)}", field="kinds")
    try:
        drawn = _drawn(ask, query)
    except BadShape as bad:
        raise Rejected("field", str(bad), field=str(bad).split(":")[0].split("=")[0]) from None
    rows: list[dict[str, Any]] = []
    more = False
    for kind in dict.fromkeys(wanted):
        right, sql = _INSIDE[kind]
        if may(ask.actor, right, ANYWHERE):
            found, cut = _inside(ask, kind, sql, drawn)
            rows += found
            more = more or cut
    rows.sort(key=lambda row: (row["distance_m"], row["kind"], row["key"]))
    counts = {kind: sum(row["kind"] == kind for row in rows) for kind in wanted}
    return {
        "rows": rows[: bounded(query.limit, 1, 1000)], "counts": counts, "total": len(rows), "more": more,
    }  # fmt: skip


def _drawn(ask: Ask, query: WithinShape) -> Drawn:
    points = _points(query.points)
    if query.shape == "circle":
        if len(points) != 1:
            raise BadShape("points: a circle has one point, its middle")
        return circle(*points[0], query.radius_m)
    if query.shape == "polygon":
        return polygon(points)
    if query.shape == "road":
        return along(_road(ask, query.road, points), query.radius_m)
    raise BadShape(f"shape={query.shape!r}: must be one of {', '.join(SHAPES)}")


def _points(text: str) -> list[tuple[float, float]]:
    try:
        pairs = [tuple(float(v) for v in part.split(",")) for part in text.split(";") if part.strip()]
    except ValueError:
        raise BadShape(f"points={text[:60]!r}: must be lon,lat;lon,lat") from None
    for pair in pairs:
        if len(pair) != 2 or not (-180 <= pair[0] <= 180 and -85 <= pair[1] <= 85):
            raise BadShape(f"points={text[:60]!r}: must be lon,lat;lon,lat in degrees")
    return [(pair[0], pair[1]) for pair in pairs]


def _road(ask: Ask, name: str, points: Sequence[tuple[float, float]]) -> list[BaseGeometry]:
    """The pieces of the road of this name that hang together and pass nearest to the point."""
    if not name:
        raise BadShape("road: say its name")
    rows = ask.database.query(
        "SELECT geometry FROM map_features WHERE layer = 'roads' AND name = %s", (name,)
    )
    if not rows:
        raise BadShape(f"road={name!r}: no road of this name")
    lines = list(shapely.from_wkb([bytes(row[0]) for row in rows]))
    if not points:
        return lines
    joined = shapely.get_parts(shapely.line_merge(shapely.union_all(lines)))
    tree = shapely.STRtree(lines)
    at = shapely.Point(points[0])
    nearest = min(joined, key=at.distance)
    found = {int(i) for i in tree.query(nearest, predicate="intersects")}
    while True:  # pieces that touch one another are one road; another road of that name elsewhere is not
        grown = found | {int(i) for n in found for i in tree.query(lines[n], predicate="intersects")}
        if grown == found:
            return [lines[n] for n in sorted(found)]
        found = grown


def _inside(ask: Ask, kind: str, sql: str, drawn: Drawn) -> tuple[list[dict[str, Any]], bool]:
    """Rows of one kind in a shape, and whether there was more in its bounds than is looked at."""
    west, south, east, north = drawn.bounds()
    params: list[Any] = []

    def scoped(column: str) -> str:
        scope, values = incident_scope(ask.actor) if kind == "incident" else area_scope(ask.actor, column)
        params.extend(values)
        return scope

    sql = re.sub(r"\{scope:?([^}]*)\}", lambda m: scoped(m[1]), sql)
    sql = re.sub(r"\{box:(\w)\}", r"\1.lon BETWEEN %s AND %s AND \1.lat BETWEEN %s AND %s", sql)
    rows = ask.database.query(f"{sql} LIMIT {SCANNED + 1}", [*params, west, east, south, north])
    if not rows:
        return [], False
    lon: NDArray[np.float64] = np.array([row[4] for row in rows], dtype=np.float64)
    lat: NDArray[np.float64] = np.array([row[5] for row in rows], dtype=np.float64)
    away = drawn.distances_m(lon, lat)
    found = [
        {
            "kind": kind, "key": row[0], "name": row[1] or row[0], "type": row[2], "level": row[3], "lon": row[4],
            "lat": row[5], "distance_m": round(float(metres), 1),
        }
        for row, metres in zip(rows[:SCANNED], away, strict=False)
        if not np.isnan(metres)
    ]  # fmt: skip
    return found, len(rows) > SCANNED


# -- buildings -----------------------------------------------------------------------------------------------------


def building(ask: Ask, query: BuildingDetail) -> dict[str, Any]:
    """See BuildingDetail."""
    rows = ask.database.query(
        "SELECT name, properties, geometry FROM map_features WHERE layer = 'buildings' AND properties->>'code' = %s",
        (query.building,),
    )
    if not rows:
        raise Rejected("not_found", f"building={query.building!r}: no such building", field="building")
    name, properties, geometry = rows[0]
    footprint: Any = shapely.from_wkb(bytes(geometry))
    drawn = polygon(list(footprint.exterior.coords)[:-1])
    drawn = Drawn(drawn.lon, drawn.lat, drawn.core, AT_BUILDING_M)
    found = {
        kind: _inside(ask, kind, _INSIDE[kind][1], drawn)[0]
        if may(ask.actor, _INSIDE[kind][0], ANYWHERE)
        else []
        for kind in ("device", "camera", "incident")
    }
    middle = footprint.centroid
    return {
        "building": query.building, "name": name, **{k: properties[k] for k in ("use", "floors", "height_m", "address")},
        "area_m2": round(drawn.core.area), "lon": round(middle.x, 6), "lat": round(middle.y, 6),
        **{f"{kind}s": sorted(rows, key=lambda row: row["distance_m"]) for kind, rows in found.items()},
    }  # fmt: skip


# -- two periods ---------------------------------------------------------------------------------------------------

_AREA_OF: Final[dict[str, str]] = {"town": "split_part(i.area_path, '/', 3)", "cell": "i.cell"}


def incidents_compared(ask: Ask, query: IncidentsCompared) -> dict[str, Any]:
    """See IncidentsCompared."""
    if query.by not in _AREA_OF:
        raise Rejected("field", f"by={query.by!r}: must be one of {', '.join(_AREA_OF)}", field="by")
    for name, begin, end in (("a", query.a_begin, query.a_end), ("b", query.b_begin, query.b_end)):
        if not 0 <= (end - begin).days <= 366:
            raise Rejected(
                "field", f"{name}_end={end}: must be 0 to 366 days after {begin}", field=f"{name}_end"
            )
    scope, params = incident_scope(ask.actor)
    day = "(i.reported_at AT TIME ZONE %s)::date BETWEEN %s AND %s"
    a, b = (ask.zone, query.a_begin, query.a_end), (ask.zone, query.b_begin, query.b_end)
    rows = ask.database.query(
        f"SELECT n.key, coalesce(r.name, ''), coalesce(r.name_en, ''), r.lon, r.lat, n.a, n.b FROM (SELECT {_AREA_OF[query.by]} AS key,"
        f" count(*) FILTER (WHERE {day}) AS a, count(*) FILTER (WHERE {day}) AS b FROM incidents i"
        f" WHERE i.stage NOT IN ('refused', 'void') AND ({day} OR {day}) AND {scope} GROUP BY 1) n"
        " LEFT JOIN areas r ON r.code = n.key ORDER BY abs(n.b - n.a) DESC, n.key",
        [*a, *b, *a, *b, *params],
    )
    names = ("key", "name", "name_en", "lon", "lat", "a", "b")
    found = [{**dict(zip(names, row, strict=True)), "change": row[6] - row[5]} for row in rows]
    return {
        "rows": found[:2000], "total": len(found),
        "total_a": sum(row["a"] for row in found), "total_b": sum(row["b"] for row in found),
    }  # fmt: skip


ANSWERS: Final[dict[type, Answer]] = {
    MapLayers: map_layers,
    FindOnMap: find_on_map,
    WithinShape: within_shape,
    BuildingDetail: building,
    IncidentsCompared: incidents_compared,
}
