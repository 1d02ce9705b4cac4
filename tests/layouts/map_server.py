"""The sample city's tiles beside the test live endpoint: a page on which citymap.mjs can be driven.

python -m tests.layouts.map_server PORT EPOCH
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from PIL import Image

from callbacks.http.base_maps import base_maps_router
from callbacks.http.tiles import tiles_router
from data.base_maps import BaseMap, BaseMaps, MapAway
from data.sample_city import read_city
from gis.map_layers import AreaRow, PointRow, ShapeRow, area_layers, point_layer, shape_layer
from gis.tiles import TileLayer, UnknownLayer
from incidents.model import Actor
from tests.layouts.live_server import Hub, make_app

PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/tokens.css"></head>
<body><div class="{theme} cy-app"><div class="cy-grow" id="map"></div></div></body></html>"""


def _picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (256, 256), (70, 74, 78)).save(stream, "PNG")
    return stream.getvalue()


PICTURE = _picture()


class SampleLayers:
    """A TileLayers on the files of the sample city."""

    def __init__(self) -> None:
        areas = (
            AreaRow(a.code, a.level, a.name, a.name_en, a.path, a.lon, a.lat, a.geometry)
            for a in read_city.read_areas()
        )
        self._layers: dict[str, TileLayer] = area_layers("1", areas)
        land = [ShapeRow(s.name, s.name_en, s.geometry, {"kind": s.kind}) for s in read_city.read_land()]
        water = [ShapeRow(s.name, s.name_en, s.geometry, {"kind": s.kind}) for s in read_city.read_water()]
        roads = [
            ShapeRow(r.name, r.name_en, r.geometry, {"class": r.road_class, "bridge": r.bridge})
            for r in read_city.read_road_edges()
        ]
        for name, shapes in (("land", land), ("water", water), ("roads", roads)):
            self._layers[name] = shape_layer("1", name, shapes)
        types = {t.id: t for t in read_city.read_device_types()}
        devices = [
            PointRow(
                d.id, d.type, d.name, d.area_path, d.lon, d.lat,
                {"type_name": types[d.type].name, "type_name_en": types[d.type].name_en},
            )
            for d in read_city.read_devices()
        ]  # fmt: skip
        cameras = [
            PointRow(c.code, "camera", c.name, c.area_path, c.lon, c.lat, {"direction_deg": c.direction_deg})
            for c in read_city.read_cameras()
        ]
        components = [
            PointRow(c.code, c.component_class, c.name, c.area_path, c.lon, c.lat, {"subclass": c.subclass})
            for c in read_city.read_components()
        ]
        for name, points in (("devices", devices), ("cameras", cameras), ("components", components)):
            self._layers[name] = point_layer("1", name, points)

    def layer(self, name: str) -> TileLayer:
        """See TileLayers."""
        if name not in self._layers:
            raise UnknownLayer(name)
        return self._layers[name]

    def counts(self) -> dict[str, int]:
        """Features per layer."""
        return {name: len(layer) for name, layer in self._layers.items()}


def make_map_app(hub: Hub) -> FastAPI:
    """The live test server with tiles, layer counts and a map page."""
    layers = SampleLayers()
    actor = Actor(1, "op", "坐席", "operator", areas=("990100/",))
    asked: Counter[str] = Counter()
    app = make_app(hub)

    def authorise(request: Request) -> Actor:
        asked[request.url.path.split("/")[2]] += 1
        return actor

    app.include_router(tiles_router(layers, authorise))
    away = {"fails": False}

    def fetch(url: str) -> bytes:
        if away["fails"]:
            raise MapAway("HTTP 503")
        return PICTURE

    elsewhere = BaseMap("else", "外部底图", "Elsewhere", "https://map.example/{z}/{x}/{y}?tk={key}")
    app.include_router(
        base_maps_router(BaseMaps([elsewhere], "key", lambda: datetime.now(UTC), fetch), MapAway, authorise)
    )

    @app.post("/away")
    async def go_away(fails: bool) -> dict[str, bool]:
        """The base map from elsewhere stops, or is back."""
        away["fails"] = fails
        return away

    @app.get("/api/v1/queries/layer_counts")
    async def layer_counts() -> dict[str, int]:
        return layers.counts()

    @app.get("/api/v1/queries/device")
    async def device(device: str) -> dict[str, object]:
        found = next(d for d in read_city.read_devices() if d.id == device)
        return {"device": {"id": found.id, "lon": found.lon, "lat": found.lat}}

    @app.get("/asked")
    async def asked_for() -> dict[str, int]:
        """Tile requests so far, by source."""
        return dict(asked)

    @app.get("/map")
    async def page(lang: str = "zh", theme: str = "theme-desk") -> HTMLResponse:
        return HTMLResponse(PAGE.format(lang=lang, theme=theme))

    return app


if __name__ == "__main__":
    app = make_map_app(Hub(sys.argv[2]))
    # Mounted static files were added first and would not shadow these routes: they live below /assets.
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
