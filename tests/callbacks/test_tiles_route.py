"""The tile route: rights, layers, caching headers, gzip, joined layers."""

from __future__ import annotations

import gzip
from typing import Any

import mapbox_vector_tile
import pytest
import shapely
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from callbacks.http.tiles import ACTION_OF, TileCache, tiles_router
from gis.map_layers import LAYERS, AreaRow, PointRow, ShapeRow, area_layers, point_layer, shape_layer
from gis.tiles import TileLayer, UnknownLayer, tile_of
from incidents.access import ANYWHERE, ROLES, may
from incidents.model import Actor

LON, LAT, Z = 113.91, 21.9, 13
X, Y = tile_of(LON, LAT, Z)
ONE, TWO = "990100/990101/", "990100/990102/"


def city(version: str = "1") -> dict[str, TileLayer]:
    box = shapely.box(LON - 0.01, LAT - 0.01, LON + 0.01, LAT + 0.01)
    areas = [AreaRow(c, "district", c, c, f"990100/{c}/", LON, LAT, box) for c in ("990101", "990102")]
    layers = area_layers(version, areas)
    for name in ("land", "water", "roads"):
        layers[name] = shape_layer(
            version, name, [ShapeRow("名", "Name", box.exterior if name == "roads" else box)]
        )
    layers["buildings"] = shape_layer(version, "buildings", [ShapeRow("楼", "House", box, {"code": "B1"})])
    for name in ("devices", "cameras", "components"):
        rows = [PointRow(f"{name}-{i}", "t", "", area, LON, LAT) for i, area in enumerate((ONE, TWO))]
        layers[name] = point_layer(version, name, rows)
    return layers


class Shelf:
    """A TileLayers whose content a test may exchange."""

    def __init__(self) -> None:
        self.layers = city()

    def layer(self, name: str) -> TileLayer:
        if name not in self.layers:
            raise UnknownLayer(name)
        return self.layers[name]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def client(shelf: Shelf) -> TestClient:
    def authorise(request: Request) -> Actor:
        role, _, areas = request.headers.get("x-actor", "").partition(" ")
        if not role:
            raise HTTPException(401, "no session")
        return Actor(1, "a", "A", role, areas=tuple(areas.split(",")) if areas else ())

    app = FastAPI()
    app.include_router(tiles_router(shelf, authorise))
    return TestClient(app)


def get(client: TestClient, layer: str, actor: str = f"operator {ONE}", **headers: str) -> Any:
    return client.get(f"/tiles/{layer}/{Z}/{X}/{Y}.mvt", headers={"x-actor": actor, **headers})


def keys(reply: Any) -> dict[str, set[str]]:
    assert reply.status_code == 200, reply.text
    decoded = mapbox_vector_tile.decode(reply.content)
    return {
        name: {f["properties"].get("key", "") for f in layer["features"]} for name, layer in decoded.items()
    }


def test_every_layer_has_a_right() -> None:
    assert set(ACTION_OF) == set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_without_a_session_nothing(client: TestClient, layer: str) -> None:
    assert client.get(f"/tiles/{layer}/{Z}/{X}/{Y}.mvt").status_code == 401


@pytest.mark.parametrize("role", [*ROLES, "system", "nobody"])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_role_decides_as_may_says(client: TestClient, role: str, layer: str) -> None:
    reply = get(client, layer, f"{role} 990100/")
    expected = may(Actor(1, "a", "A", role, areas=("990100/",)), ACTION_OF[layer], ANYWHERE)
    assert reply.status_code in ((200, 204) if expected else (403,))


@pytest.mark.parametrize("layer", ["devices", "cameras", "components"])
def test_registered_things_stop_at_the_areas_edge(client: TestClient, layer: str) -> None:
    assert keys(get(client, layer)) == {layer: {f"{layer}-0"}}
    assert keys(get(client, layer, f"operator {TWO}")) == {layer: {f"{layer}-1"}}
    assert keys(get(client, layer, "operator 990100/")) == {layer: {f"{layer}-0", f"{layer}-1"}}
    assert get(client, layer, "operator 990100/990103/").status_code == 204


def test_the_order_of_asking_never_leaks_through_the_cache(client: TestClient) -> None:
    whole = keys(get(client, "land,devices", "operator 990100/"))
    assert whole["devices"] == {"devices-0", "devices-1"}
    assert keys(get(client, "land,devices"))["devices"] == {"devices-0"}
    assert "devices" not in keys(get(client, "land,devices", "operator 990100/990103/"))


def test_the_base_map_is_the_same_for_all(client: TestClient) -> None:
    a, b = get(client, "areas,land"), get(client, "areas,land", f"wall {TWO}")
    assert a.content == b.content and keys(a)["areas"] == {"990101", "990102"}
    assert a.headers["etag"] == b.headers["etag"]


def test_headers_and_revalidation(client: TestClient, shelf: Shelf) -> None:
    base, things = get(client, "land"), get(client, "devices")
    assert base.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert base.headers["cache-control"] == "private, max-age=300"
    assert things.headers["cache-control"] == "private, no-cache", "another account may sit down here next"
    assert things.headers["vary"] == "Cookie, Accept-Encoding"
    for layer, reply in (("land", base), ("devices", things)):
        again = get(client, layer, **{"if-none-match": f'"other", W/{reply.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
    other = get(client, "devices", f"operator {TWO}", **{"if-none-match": things.headers["etag"]})
    assert other.status_code == 200, "another scope is another tile"
    shelf.layers = city("2")
    renewed = get(client, "devices", **{"if-none-match": things.headers["etag"]})
    assert renewed.status_code == 200 and renewed.headers["etag"] != things.headers["etag"]


def test_gzip_only_for_those_who_ask(client: TestClient) -> None:
    plain = get(client, "land", **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream(
        "GET", f"/tiles/land/{Z}/{X}/{Y}.mvt", headers={"x-actor": "wall 990100/", "accept-encoding": "gzip"}
    ) as reply:
        packed = b"".join(reply.iter_raw())
        assert reply.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == plain.content


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"secrets/{Z}/{X}/{Y}", 404, "layer='secrets': must be one of land"),
        (f"land,secrets/{Z}/{X}/{Y}", 404, "layer='secrets'"),
        ("land/3/8/0", 404, "tile=3/8/0: x and y must be below 2^3"),
        ("land/23/0/0", 422, "less than or equal to 22"),
        ("land/-1/0/0", 422, "greater than or equal to 0"),
        ("land/a/0/0", 422, "valid integer"),
    ],
)
def test_impossible_asks_name_field_and_rule(client: TestClient, path: str, status: int, words: str) -> None:
    reply = client.get(f"/tiles/{path}.mvt", headers={"x-actor": "operator 990100/"})
    assert reply.status_code == status and words in reply.text


def test_a_city_without_a_layer_says_so(client: TestClient, shelf: Shelf) -> None:
    del shelf.layers["water"]
    reply = get(client, "water")
    assert reply.status_code == 404 and "this city has none" in reply.text


def test_the_cache_is_bounded_and_makes_each_tile_once() -> None:
    cache, made = TileCache(limit_bytes=600), []

    def make(name: str) -> bytes:
        made.append(name)
        return b"x" * 40

    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get((name,), lambda name=name: make(name))  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"], "b was the least recently used when c came"
    assert cache.size_bytes <= 600
    for n in range(50):
        cache.get(("empty", n), lambda: b"")
    assert cache.size_bytes <= 600, "empty tiles take room, too"
