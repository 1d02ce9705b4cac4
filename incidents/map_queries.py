"""Questions that the map asks (S27, S28, S30). See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, slots=True)
class MapLayers:
    """The layer tree: the ten sectors, what of the registries each shows, and how many of it the actor may see.

    {sectors: [{id, name, name_en, count, layers: [{kind, group, name, name_en, height, count}]}]}: `kind` is a layer
    of /tiles, `group` what its tiles leave out when it stands in `hide`, `height` above, surface or underground.
    """


@dataclass(frozen=True, slots=True)
class FindOnMap:
    """Whatever a person may type to get somewhere on the map: coordinates, a number or code, an address, a name.

    `crs` of coordinates: wgs84 or gcj02. {rows: [{kind, key, name, note, lon, lat}], total}; `kind` is point, incident,
    device, camera, component, cell, address, place, unit or a level of area.
    """

    text: str
    crs: str = "wgs84"
    limit: int = 12


@dataclass(frozen=True, slots=True)
class WithinShape:
    """What lies in a circle, in a polygon or along a road, nearest first.

    `shape`: circle (one point, `radius_m`), polygon (its corners) or road (its name, one point to say which of that name,
    `radius_m` to each side). `points`: "lon,lat;lon,lat". `kinds`: of device, camera, component, incident, worker, joined
    by commas, '' is all. {rows: [{kind, key, name, type, level, lon, lat, distance_m}], counts: {kind: n}, total, more}:
    at most `limit` rows, counts of all of them; `more`: so many lie there that not even all were counted.
    """

    shape: str
    points: str = ""
    radius_m: float = 500.0
    road: str = ""
    kinds: str = ""
    limit: int = 300


@dataclass(frozen=True, slots=True)
class BuildingDetail:
    """A building: name, use, storeys, height, address; devices and cameras at it, open incidents in it.

    "At" is within 15 m of its walls: a lamp on its front belongs to it as well as a lift inside."""

    building: str


@dataclass(frozen=True, slots=True)
class IncidentsCompared:
    """Incidents reported in two periods (days of the city, both ends counted), by town or by cell: what became more or less.

    {rows: [{key, name, name_en, lon, lat, a, b, change}], total_a, total_b}: `key` an area's code; the largest changes first.
    """

    a_begin: date
    a_end: date
    b_begin: date
    b_end: date
    by: str = "town"


QUERIES: Final[dict[str, type]] = {
    "map_layers": MapLayers,
    "find_on_map": FindOnMap,
    "within_shape": WithinShape,
    "building": BuildingDetail,
    "incidents_compared": IncidentsCompared,
}
ACTION_OF: Final[dict[str, str]] = {
    "map_layers": "map.see",
    "find_on_map": "map.see",
    "within_shape": "map.see",
    "building": "map.see",
    "incidents_compared": "incident.list",
}
"""Query → right, see incidents/access.py."""
