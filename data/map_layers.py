"""Map layers read from the store, rebuilt when the registries change. Port: `gis.tiles.TileLayers`."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

import shapely
import structlog

from data.database import Database, StoreUnavailable
from data.registry import registry_version
from gis.map_layers import AreaRow, PointRow, ShapeRow, area_layers, point_layer, shape_layer
from gis.shifted import Roads
from gis.tiles import TileLayer, UnknownLayer

CHECK_S: Final = 5.0

log = structlog.get_logger()

_POINTS: Final = {
    "devices": (
        "SELECT d.id, d.type, d.name, d.area_path, d.lon, d.lat,"
        " jsonb_build_object('type_name', t.name, 'type_name_en', t.name_en, 'icon', t.icon)"
        " FROM devices d JOIN device_types t ON t.id = d.type WHERE NOT d.disabled AND d.lon IS NOT NULL"
        # A pole is one thing on the map: its lamp stands for it, and its card shows the others.
        " AND NOT EXISTS (SELECT 1 FROM composite_members m WHERE m.device = d.id AND m.function <> 'lighting')"
    ),
    "cameras": (
        "SELECT code, 'camera', name, area_path, lon, lat, jsonb_build_object('scene', scene, 'sector', sector, 'direction_deg',"
        " direction_deg, 'view_deg', view_deg, 'range_m', range_m) FROM cameras k WHERE lon IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM composite_members m WHERE m.camera = k.code)"
    ),
    "components": (
        "SELECT code, class, name, area_path, lon, lat, jsonb_build_object('subclass', subclass) FROM components"
        " WHERE lon IS NOT NULL"
    ),
}


def _without_nulls(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows whose last column, a dict, has no null left: a tile has no word for it."""
    return [
        (*row[:-1], {name: value for name, value in row[-1].items() if value is not None}) for row in rows
    ]


def roads_of(database: Database) -> Roads | None:
    """The city's roads as lines to be near to; None: the store holds none."""
    rows = database.query("SELECT geometry FROM map_features WHERE layer = 'roads'")
    return Roads(list(shapely.from_wkb([bytes(row[0]) for row in rows]))) if rows else None


class StoreLayers:
    """`TileLayers` on the store. Thread-safe; a change of registries is looked for every CHECK_S.

    Layers of a large city take seconds to build: the first asker waits for them (or `warm` built them at start), later
    ones get the old layers until the new ones are there.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._building = threading.Lock()
        self._layers: dict[str, TileLayer] = {}
        self._version = -1
        self._checked = -CHECK_S
        self._thread: threading.Thread | None = None

    def layer(self, name: str) -> TileLayer:
        """See TileLayers."""
        if self._version < 0:
            self._refresh()
        elif time.monotonic() - self._checked > CHECK_S and (
            self._thread is None or not self._thread.is_alive()
        ):
            self._thread = threading.Thread(target=self._refresh, name="map-layers", daemon=True)
            self._thread.start()
        found = self._layers.get(name)
        if found is None:
            raise UnknownLayer(name)
        return found

    def warm(self) -> None:
        """Begin to build the layers now, beside whatever else is being started."""
        self._thread = threading.Thread(target=self._refresh, name="map-layers", daemon=True)
        self._thread.start()

    def _refresh(self) -> None:
        with self._building:
            if time.monotonic() - self._checked <= CHECK_S:
                return
            try:
                version = registry_version(self._database)
                if version != self._version:
                    self._layers = self._read(str(version))
                    self._version = version
            except StoreUnavailable as error:
                log.warning("map_layers_not_refreshed", error=str(error))
                if self._version < 0 and threading.current_thread() is not self._thread:
                    raise  # nothing to show yet: the asker is told
                return
            self._checked = time.monotonic()

    def _read(self, version: str) -> dict[str, TileLayer]:
        rows = self._database.query(
            "SELECT code, level, name, name_en, path, lon, lat, geometry FROM areas"
            " WHERE geometry IS NOT NULL AND NOT disabled AND level <> 'city'"
        )
        geometries = shapely.from_wkb([bytes(row[7]) for row in rows])
        located = [(*row[:-1], g) for row, g in zip(rows, geometries, strict=True)]
        layers = area_layers(version, [AreaRow(*row) for row in located])
        shapes = self._database.query("SELECT layer, name, name_en, properties, geometry FROM map_features")
        by_layer: dict[str, list[ShapeRow]] = {"land": [], "water": [], "roads": [], "buildings": []}
        for layer, name, name_en, properties, geometry in shapes:
            by_layer.setdefault(layer, []).append(
                ShapeRow(name, name_en, shapely.from_wkb(bytes(geometry)), properties)
            )
        for name, found in by_layer.items():
            layers[name] = shape_layer(version, name, found)
        for name, sql in _POINTS.items():
            points: list[tuple[Any, ...]] = self._database.query(sql)
            layers[name] = point_layer(
                version,
                name,
                [PointRow(*row) for row in _without_nulls(points)],
            )
        return layers
