"""What the map shows and from which zoom on: rows of the registry → layers of tiles.

Property names here are the ones `layouts/assets/citymap.mjs` styles by; `key` identifies a thing on the map and in
the live stream alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

from gis.tiles import TileFeature, TileLayer, Value

BASE_LAYERS: Final = ("land", "water", "roads", "areas", "grids", "cells", "places", "buildings")
"""Layers that every signed-in account may see whole."""

POINT_LAYERS: Final = ("devices", "cameras", "components")
"""Layers of registered things, of which an account sees those in its areas."""

LAYERS: Final = BASE_LAYERS + POINT_LAYERS

_AREA_ZOOM: Final = {"district": 0, "town": 8, "village": 11}
_PLACE_ZOOM: Final = {"district": 0, "town": 8, "village": 12}
_ROAD_ZOOM: Final = {"arterial": 0, "secondary": 10, "local": 12}
_SHAPE_PROPERTIES: Final = frozenset({"class", "kind", "bridge", "use", "height_m", "floors"})
"""What the map styles shapes by; the rest (road graph, lengths) would only make tiles heavier."""
_GRIDS_ZOOM: Final = 11
_CELLS_ZOOM: Final = 12
_COMPONENTS_ZOOM: Final = 12
_BUILDINGS_ZOOM: Final = 14
_GROUP: Final = {"components": "subclass", "cameras": "sector"}
"""The property things of a layer are switched by; devices are by their type."""
_DOTS_FROM: Final = {"cameras": 11}
"""Farther out the map draws no single camera: sending them would be weight for nothing."""


@dataclass(frozen=True, slots=True)
class AreaRow:
    """One area of the tree; lon/lat a point inside of it (EPSG:4326), geometry its outline."""

    code: str
    level: str
    name: str
    name_en: str
    path: str
    lon: float
    lat: float
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class ShapeRow:
    """A shape of the base map: land, water or a road. `properties` may hold kind, class, bridge."""

    name: str
    name_en: str
    geometry: BaseGeometry
    properties: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PointRow:
    """A registered thing at a place: device, camera or component. `type` picks its symbol."""

    key: str
    type: str
    name: str
    area_path: str
    lon: float
    lat: float
    properties: Mapping[str, Value] = field(default_factory=dict)


def area_layers(version: str, rows: Iterable[AreaRow]) -> dict[str, TileLayer]:
    """The layers made of the area tree: areas (district, town, village), grids, cells, and places (labels)."""
    shapes: dict[str, list[TileFeature]] = {"areas": [], "grids": [], "cells": []}
    places: list[TileFeature] = []
    for row in rows:
        names: dict[str, Value] = {"key": row.code, "name": row.name, "name_en": row.name_en}
        if row.level in _AREA_ZOOM:
            properties = {**names, "level": row.level}
            shapes["areas"].append(TileFeature(row.geometry, properties, row.path, _AREA_ZOOM[row.level]))
            point = shapely.Point(row.lon, row.lat)
            places.append(TileFeature(point, properties, row.path, _PLACE_ZOOM[row.level]))
        elif row.level == "duty_grid":
            shapes["grids"].append(TileFeature(row.geometry, names, row.path, _GRIDS_ZOOM))
        elif row.level == "cell":
            shapes["cells"].append(TileFeature(row.geometry, {"key": row.code}, row.path, _CELLS_ZOOM))
    layers = {name: TileLayer(version, features) for name, features in shapes.items()}
    return layers | {"places": TileLayer(version, places)}


def shape_layer(version: str, name: str, rows: Iterable[ShapeRow]) -> TileLayer:
    """A base layer: 'land', 'water', 'roads' or 'buildings'. Roads appear by class, arterials first."""
    features = []
    for row in rows:
        kept = {k: v for k, v in row.properties.items() if k in _SHAPE_PROPERTIES}
        properties: dict[str, Value] = {**kept, "name": row.name, "name_en": row.name_en}
        zoom = _ROAD_ZOOM.get(str(row.properties.get("class", "")), 0) if name == "roads" else 0
        if name == "buildings":
            properties["key"] = str(row.properties["code"])
            zoom = _BUILDINGS_ZOOM
        features.append(TileFeature(row.geometry, properties, "", zoom))
    return TileLayer(version, features)


def point_layer(version: str, name: str, rows: Iterable[PointRow]) -> TileLayer:
    """A layer of registered things: 'devices', 'cameras' or 'components'."""
    zoom = _COMPONENTS_ZOOM if name == "components" else 0
    features = (
        TileFeature(
            shapely.Point(row.lon, row.lat),
            {"key": row.key, "type": row.type},
            row.area_path,
            zoom,
            str(row.properties.get(_GROUP.get(name, ""), row.type)),
            {**row.properties, "name": row.name},
        )
        for row in rows
    )
    return TileLayer(version, features, _DOTS_FROM.get(name, 0))
