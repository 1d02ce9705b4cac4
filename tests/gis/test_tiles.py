"""Vector tiles: what goes in comes out at the right place, clipped, valid, filtered by rights; tiles join up."""

from __future__ import annotations

import math
import random
from typing import Any

import mapbox_vector_tile
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from gis.map_layers import AreaRow, PointRow, ShapeRow, area_layers, point_layer, shape_layer
from gis.tiles import BINS, EXTENT, MARGIN, MAX_POINTS, TileFeature, TileLayer, encode_tile, tile_of

LON, LAT = 113.9, 21.9


def decode(tile: bytes) -> dict[str, Any]:
    """Layers of a tile, y down as the format has it."""
    return dict(mapbox_vector_tile.decode(tile, default_options={"y_coord_down": True})) if tile else {}


def place(z: int, x: int, y: int, px: float, py: float) -> tuple[float, float]:
    """Degrees of a tile coordinate: the inverse of the projection, written independently."""
    world_x, world_y = (x + px / EXTENT) / 2**z, (y + py / EXTENT) / 2**z
    return world_x * 360 - 180, math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * world_y))))


def points(n: int, spread: float = 0.2, area: str = "city/") -> TileLayer:
    rng = random.Random(5)
    return TileLayer(
        "1",
        [
            TileFeature(
                shapely.Point(LON + rng.uniform(-spread, spread), LAT + rng.uniform(-spread, spread)),
                {"key": f"p{i}"},
                area,
            )
            for i in range(n)
        ],
    )


@settings(max_examples=60)
@given(st.floats(-179, 179), st.floats(-84, 84), st.integers(0, 16))
def test_a_point_comes_back_where_it_was(lon: float, lat: float, z: int) -> None:
    layer = TileLayer("1", [TileFeature(shapely.Point(lon, lat), {"key": "a"})])
    x, y = tile_of(lon, lat, z)
    [feature] = decode(encode_tile({"things": layer}, z, x, y))["things"]["features"]
    back = place(z, x, y, *feature["geometry"]["coordinates"])
    unit = 360 / (1 << z) / EXTENT
    assert back[0] == pytest.approx(lon, abs=unit)
    assert back[1] == pytest.approx(lat, abs=unit)
    assert feature["properties"] == {"key": "a"}


@pytest.mark.parametrize("z", [8, 10, 12])
def test_every_point_is_in_one_tile_only_when_margins_are_cut(z: int) -> None:
    layer = points(800)
    x0, y0 = tile_of(LON - 0.2, LAT + 0.2, z)
    x1, y1 = tile_of(LON + 0.2, LAT - 0.2, z)
    seen: list[str] = []
    for x in range(x0, x1 + 1):
        for y in range(y0, y1 + 1):
            for f in decode(encode_tile({"p": layer}, z, x, y)).get("p", {"features": []})["features"]:
                px, py = f["geometry"]["coordinates"]
                assert -MARGIN <= px <= EXTENT + MARGIN
                if 0 <= px < EXTENT and 0 <= py < EXTENT:
                    seen.append(f["properties"]["key"])
    # A point within half a unit of an edge rounds onto it and may be counted on either side.
    assert set(seen) == {f"p{i}" for i in range(800)}
    assert len(seen) - 800 <= 3


def test_polygons_are_clipped_valid_and_cover_the_same_ground() -> None:
    star = [
        (LON + 0.1 * (1 + i % 2) * math.cos(i), LAT + 0.1 * (1 + i % 2) * math.sin(i))
        for i in (k * math.pi / 12 for k in range(24))
    ]
    whole = shapely.Polygon(star, [shapely.Point(LON, LAT).buffer(0.02).exterior.coords])
    assert whole.is_valid
    layer = TileLayer("1", [TileFeature(whole, {"key": "star"})])
    for z in (8, 11, 13):
        x, y = tile_of(LON + 0.021, LAT, z)
        [feature] = decode(encode_tile({"a": layer}, z, x, y))["a"]["features"]
        got = shape(feature["geometry"])
        assert got.is_valid and got.geom_type in ("Polygon", "MultiPolygon")
        window = shapely.box(-MARGIN, -MARGIN, EXTENT + MARGIN, EXTENT + MARGIN)
        scale = 2**z * EXTENT

        def to_tile(xy: Any, z: int = z, x: int = x, y: int = y, scale: int = scale) -> Any:
            out = xy.copy()
            out[:, 0] = (xy[:, 0] / 360 + 0.5) * scale - x * EXTENT
            lat = [math.radians(v) for v in xy[:, 1]]
            out[:, 1] = [(0.5 - math.asinh(math.tan(v)) / (2 * math.pi)) * scale - y * EXTENT for v in lat]
            return out

        want = shapely.transform(whole, to_tile).intersection(window)
        assert got.symmetric_difference(want).area <= 2.0 * want.length + 4, z


def test_lines_stay_lines_and_small_things_vanish() -> None:
    line = shapely.LineString([(LON - 1, LAT), (LON + 1, LAT)])
    speck = shapely.Point(LON, LAT).buffer(1e-6)
    x, y = tile_of(LON, LAT, 9)
    tile = decode(encode_tile({"r": TileLayer("1", [TileFeature(line), TileFeature(speck)])}, 9, x, y))
    assert [f["geometry"]["type"] for f in tile["r"]["features"]] == ["LineString"]


def test_min_zoom_and_rights() -> None:
    layer = TileLayer(
        "1",
        [
            TileFeature(shapely.Point(LON, LAT), {"key": "here"}, "990100/990101/", 0),
            TileFeature(shapely.Point(LON, LAT), {"key": "there"}, "990100/990102/", 0),
            TileFeature(shapely.Point(LON, LAT), {"key": "near"}, "990100/990101/", 12),
        ],
    )

    def keys(z: int, area: str | None) -> set[str]:
        x, y = tile_of(LON, LAT, z)
        sees = None if area is None else (lambda path: path.startswith(area))
        tile = decode(encode_tile({"d": layer}, z, x, y, sees))
        return {f["properties"]["key"] for f in tile.get("d", {"features": []})["features"]}

    assert keys(10, None) == {"here", "there"}
    assert keys(12, None) == {"here", "there", "near"}
    assert keys(12, "990100/990101/") == {"here", "near"}
    assert keys(12, "990100/990103/") == set()


def test_too_many_points_become_density_and_none_is_lost() -> None:
    n = MAX_POINTS + 500
    layer = points(n, spread=0.001)
    x, y = tile_of(LON, LAT, 8)
    features = decode(encode_tile({"p": layer}, 8, x, y))["p"]["features"]
    assert sum(f["properties"]["n"] for f in features) == n
    assert len(features) <= BINS * BINS
    close = decode(encode_tile({"p": layer}, 18, *tile_of(LON, LAT, 18)))["p"]["features"]
    assert close and all("key" in f["properties"] for f in close)


def test_density_counts_only_what_may_be_seen() -> None:
    rng = random.Random(1)
    layer = TileLayer(
        "1",
        [
            TileFeature(shapely.Point(LON - rng.uniform(0, 0.01), LAT), {"key": str(i)}, f"c/{i % 2}/")
            for i in range(2 * MAX_POINTS + 2000)
        ],
    )
    x, y = tile_of(LON, LAT, 9)
    tile = decode(encode_tile({"p": layer}, 9, x, y, lambda path: path == "c/1/"))
    assert sum(f["properties"]["n"] for f in tile["p"]["features"]) == MAX_POINTS + 1000


def test_empty_and_impossible_tiles() -> None:
    layer = points(3)
    assert encode_tile({"p": layer}, 12, 0, 0) == b""
    assert encode_tile({"p": TileLayer("1", [])}, 12, 0, 0) == b""
    for z, x, y in ((3, 8, 0), (3, 0, -1), (23, 0, 0)):
        with pytest.raises(ValueError, match=f"tile {z}/{x}/{y}: no such tile"):
            encode_tile({"p": layer}, z, x, y)


def test_joined_tiles_are_one_tile() -> None:
    """The route joins base and rights-filtered parts by joining bytes: the format allows it."""
    x, y = tile_of(LON, LAT, 8)
    joined = encode_tile({"a": points(3, 0.001)}, 8, x, y) + encode_tile({"b": points(4, 0.001)}, 8, x, y)
    assert {name: len(layer["features"]) for name, layer in decode(joined).items()} == {"a": 3, "b": 4}


def test_map_layers_appear_by_zoom_and_carry_what_the_map_styles_by() -> None:
    box = shapely.box(LON - 0.01, LAT - 0.01, LON + 0.01, LAT + 0.01)
    levels = ("city", "district", "town", "village", "duty_grid", "cell")
    rows = [
        AreaRow(f"k{i}", level, "名", "Name", "/".join(levels[: i + 1]) + "/", LON, LAT, box)
        for i, level in enumerate(levels)
    ]
    layers = area_layers("7", rows)
    layers["roads"] = shape_layer(
        "7",
        "roads",
        [
            ShapeRow("路", "Road", shapely.LineString([(LON - 0.01, LAT), (LON + 0.01, LAT)]), {"class": c})
            for c in ("arterial", "secondary", "local")
        ],
    )
    layers["components"] = point_layer("7", "components", [PointRow("c1", "lamp", "灯", "city/", LON, LAT)])
    assert {layer.version for layer in layers.values()} == {"7"}

    def at(z: int) -> dict[str, list[dict[str, Any]]]:
        x, y = tile_of(LON, LAT, z)
        return {
            name: [f["properties"] for f in layer["features"]]
            for name, layer in decode(encode_tile(layers, z, x, y)).items()
        }

    far, near = at(9), at(13)
    assert [p["level"] for p in far["areas"]] == ["district", "town"]
    assert [p["class"] for p in far["roads"]] == ["arterial"]
    assert "cells" not in far and "grids" not in far and "components" not in far
    assert [p["level"] for p in near["places"]] == ["district", "town", "village"]
    assert near["cells"] == [{"key": "k5"}]
    assert near["grids"] == [{"key": "k4", "name": "名", "name_en": "Name"}]
    assert near["components"] == [{"key": "c1", "type": "lamp", "name": "灯"}]
    assert len(near["roads"]) == 3
