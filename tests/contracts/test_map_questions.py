"""What the map asks: only what the asker may see, whole and in the right place; over every store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import shapely

from data.address_store import store_addresses
from data.database import Database
from gis.crs import wgs84_to_gcj02
from incidents.address_book import Address
from incidents.commands import LayerCounts
from incidents.map_queries import BuildingDetail, FindOnMap, IncidentsCompared, MapLayers, WithinShape
from incidents.model import Actor, Rejected
from tests.conftest import STORES
from tests.contracts.test_intake_merging import CALL, NOW, Door
from tests.small_city import CELL, CITY, DISTRICT, EAST, NEXT_CELL, OTHER_DISTRICT, WEST, actor

pytestmark = pytest.mark.timeout(120, func_only=True)
CODE = CELL.split("/")[-2]
HERE, NEXT = actor("operator", area=DISTRICT), actor("operator", area=NEXT_CELL)
DAY = NOW.date()
OWN = ("AQ-1", "AQ-2", "WL-1", "WL-2", "WL-3", "99010100001320000001")
"""Devices and a camera that the small city has of its own."""


def put(db: Database, sql: str, *rows: tuple[Any, ...]) -> None:
    with db.transaction() as cursor:
        for row in rows:
            cursor.execute(sql, row)


@pytest.fixture(params=STORES)
def door(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Door:
    """The small city with things west and east, a building and roads of one name at two places."""
    db = fresh_database(str(request.param))
    put(db, "INSERT INTO device_types (id, name, name_en) VALUES (%s, %s, '')", ("ufo", "飞碟"))
    device = "INSERT INTO devices (id, type, name, area_path, lon, lat, disabled) VALUES (%s, %s, %s, %s, %s, %s, %s)"
    put(
        db, device,
        ("W-1", "ufo", "西一", CELL, *WEST, False), ("W-2", "ufo", "西二", CELL, WEST[0] + 0.001, WEST[1], False),
        ("E-1", "ufo", "东一", NEXT_CELL, *EAST, False), ("W-3", "ufo", "停用", CELL, *WEST, True),
    )  # fmt: skip
    put(db, "UPDATE areas SET lon = %s, lat = %s WHERE code = %s", (*WEST, CODE))
    put(
        db, "INSERT INTO cameras (code, name, area_path, lon, lat, sector) VALUES (%s, %s, %s, %s, %s, %s)",
        ("K-1", "西口", CELL, *WEST, "公安"),
    )  # fmt: skip
    feature = "INSERT INTO map_features (layer, name, properties, geometry) VALUES (%s, %s, %s::jsonb, %s)"
    road = shapely.LineString([(113.89, WEST[1]), (113.90, WEST[1])])
    house = shapely.box(WEST[0] - 1e-4, WEST[1] - 1e-4, WEST[0] + 1e-4, WEST[1] + 1e-4)
    put(
        db, feature,
        ("roads", "安航路", "{}", shapely.to_wkb(road)),
        ("roads", "安航路", "{}", shapely.to_wkb(shapely.transform(road, lambda xy: xy + [0.05, 0.05]))),
        ("buildings", "西楼", '{"code": "B1", "use": "homes", "floors": 3, "height_m": 9.3, "address": "安航路9号"}',
         shapely.to_wkb(house)),
    )  # fmt: skip
    with db.transaction() as cursor:
        store_addresses(cursor, [(Address("number", "安航路", *WEST, CELL, "9"), CODE)])
    return Door(db)


def ask(door: Door, query: object, who: Actor = CALL) -> dict[str, Any]:
    found: dict[str, Any] = door._door.ask(query, who)
    return found


def incident(
    door: Door, number: int, area: str, at: tuple[float, float], days_ago: int, stage: str = "reported"
) -> None:
    put(
        door.db,
        "INSERT INTO incidents (id, number, title, stage, level, area_path, cell, lon, lat, reported_at, version)"
        " OVERRIDING SYSTEM VALUE VALUES (%s, %s, '积水', %s, 3, %s, %s, %s, %s, %s, 1)",
        (number, f"LL-{number}", stage, area, area.split("/")[-2], *at, NOW - timedelta(days=days_ago)),
    )  # fmt: skip


def keys(answer: dict[str, Any], kind: str) -> list[str]:
    """Keys of a kind in the order of the answer; the small city's own devices left out."""
    return [row["key"] for row in answer["rows"] if row["kind"] == kind and row["key"] not in OWN]


def test_a_layer_counts_what_its_asker_may_see(door: Door) -> None:
    for who, devices in ((CALL, 3), (HERE, 3), (NEXT, 1)):
        rows = [row for s in ask(door, MapLayers(), who)["sectors"] for row in s["layers"]]
        assert sum(row["count"] for row in rows if row["group"] == "ufo") == devices
        for kind in ("devices", "cameras", "components"):
            whole = sum(row["count"] for row in rows if row["kind"] == kind)
            assert whole == ask(door, LayerCounts(), who)[kind]
    assert [s["id"] for s in ask(door, MapLayers())["sectors"]][-1] == "other", "a type that no sector names"


@pytest.mark.parametrize("text", ["{lon},{lat}", "{lat}，{lon}", "({lon} {lat})", "东经{lon}°, 北纬{lat}°"])
def test_coordinates_are_a_place_whichever_comes_first(door: Door, text: str) -> None:
    (row,) = ask(door, FindOnMap(text.format(lon=WEST[0], lat=WEST[1])))["rows"]
    assert (row["kind"], row["lon"], row["lat"]) == ("point", *WEST)


def test_shifted_coordinates_are_shifted_back(door: Door) -> None:
    lon, lat = (float(v) for v in wgs84_to_gcj02(*WEST))
    (row,) = ask(door, FindOnMap(f"{lon:.6f},{lat:.6f}", crs="gcj02"))["rows"]
    assert (row["lon"], row["lat"]) == pytest.approx(WEST, abs=2e-6)
    with pytest.raises(Rejected, match="crs"):
        ask(door, FindOnMap("1,1", crs="bd09"))
    with pytest.raises(Rejected, match="China"):
        ask(door, FindOnMap("1,1"))


def test_codes_numbers_and_addresses_are_found_by_who_may_see_them(door: Door) -> None:
    incident(door, 901, CELL, WEST, 0)
    assert keys(ask(door, FindOnMap("LL-901")), "incident") == ["901"]
    assert keys(ask(door, FindOnMap("LL-901"), NEXT), "incident") == []
    assert keys(ask(door, FindOnMap("w-")), "device") == ["W-1", "W-2"], (
        "one that is out of service is not found"
    )
    assert keys(ask(door, FindOnMap("w-"), NEXT), "device") == []
    assert keys(ask(door, FindOnMap("西口")), "camera") == ["K-1"]
    (address,) = [r for r in ask(door, FindOnMap("安航路9号"))["rows"] if r["kind"] == "address"]
    assert (address["lon"], address["lat"]) == WEST
    assert keys(ask(door, FindOnMap(CODE)), "cell") == [CODE]
    assert ask(door, FindOnMap("100%_")) == {"rows": [], "total": 0}, "wildcards of the text are letters"


def test_a_circle_lists_by_distance_counts_by_kind_and_hides_what_is_not_ones_own(door: Door) -> None:
    incident(door, 901, CELL, WEST, 0)
    incident(door, 902, CELL, WEST, 0, stage="closed")
    wide = WithinShape("circle", f"{WEST[0]},{WEST[1]}", radius_m=2000)
    found = ask(door, wide)
    assert keys(found, "device") == ["W-1", "W-2", "E-1"] and keys(found, "incident") == ["901"]
    kinds = [row["kind"] for row in found["rows"]]
    assert found["counts"] == {kind: kinds.count(kind) for kind in found["counts"]}
    assert found["total"] == len(kinds) and not found["more"]
    distances = [row["distance_m"] for row in found["rows"]]
    assert distances == sorted(distances)
    (east,) = [row["distance_m"] for row in found["rows"] if row["key"] == "E-1"]
    assert east == pytest.approx(1031.6, rel=1e-2)
    assert ask(door, wide, NEXT)["counts"]["incident"] == 0 and keys(ask(door, wide, NEXT), "device") == [
        "E-1"
    ]
    near = ask(
        door, WithinShape("circle", f"{WEST[0]},{WEST[1]}", radius_m=50, kinds="camera,incident", limit=1)
    )
    assert len(near["rows"]) == 1 and near["counts"] == {"camera": 2, "incident": 1} and not near["more"]


def test_polygons_and_roads(door: Door) -> None:
    ring = ";".join(
        f"{x},{y}" for x, y in ((113.89, 21.90), (113.8955, 21.90), (113.8955, 21.91), (113.89, 21.91))
    )
    assert keys(ask(door, WithinShape("polygon", ring, kinds="device")), "device") == ["W-1"]
    along = WithinShape("road", f"{WEST[0]},{WEST[1]}", 100, "安航路", kinds="device")
    assert keys(ask(door, along), "device") == ["W-1", "W-2"], "the other road of that name is not meant"
    for wrong in (
        WithinShape("blob", "1,2"), WithinShape("circle", "1;2"), WithinShape("circle", "113.9,21.9", -1),
        WithinShape("road", "", 50, "没有路"), WithinShape("circle", "113.9,21.9", kinds="ghost"),
    ):  # fmt: skip
        with pytest.raises(Rejected) as refused:
            ask(door, wrong)
        assert refused.value.code == "field"


def test_a_building_knows_what_is_at_it(door: Door) -> None:
    incident(door, 901, CELL, WEST, 0)
    found = ask(door, BuildingDetail("B1"))
    assert (found["name"], found["floors"], found["height_m"]) == ("西楼", 3, 9.3)
    assert "W-1" in [d["key"] for d in found["devices"]] and "W-2" not in [d["key"] for d in found["devices"]]
    assert [i["key"] for i in found["incidents"]] == ["901"]
    assert "K-1" in [c["key"] for c in found["cameras"]]
    assert found["area_m2"] == pytest.approx(20.6 * 22.2, rel=0.02)
    elsewhere = ask(door, BuildingDetail("B1"), NEXT)
    assert elsewhere["devices"] == elsewhere["incidents"] == elsewhere["cameras"] == []
    with pytest.raises(Rejected, match="no such building"):
        ask(door, BuildingDetail("B2"))


def test_two_periods_are_compared_by_days_of_the_city(door: Door) -> None:
    for number, area, at, days in (
        (1, CELL, WEST, 1),
        (2, CELL, WEST, 0),
        (3, CELL, WEST, 0),
        (4, NEXT_CELL, EAST, 1),
    ):
        incident(door, 900 + number, area, at, days)
    incident(door, 910, CELL, WEST, 0, stage="void")
    before = DAY - timedelta(days=1)
    by_cell = ask(door, IncidentsCompared(before, before, DAY, DAY, by="cell"))
    assert [(r["key"], r["a"], r["b"], r["change"]) for r in by_cell["rows"]] == [
        (CODE, 1, 2, 1), (NEXT_CELL.split("/")[-2], 1, 0, -1)
    ]  # fmt: skip
    assert (by_cell["total_a"], by_cell["total_b"]) == (2, 2)
    (town,) = ask(door, IncidentsCompared(before, before, DAY, DAY))["rows"]
    assert (town["key"], town["a"], town["b"]) == ("990101001", 2, 2)
    assert ask(door, IncidentsCompared(before, before, DAY, DAY, by="cell"), NEXT)["total_a"] == 1
    assert (
        ask(door, IncidentsCompared(before, before, DAY, DAY), actor("operator", area=OTHER_DISTRICT))["rows"]
        == []
    )
    with pytest.raises(Rejected, match="a_end"):
        ask(door, IncidentsCompared(DAY, before, DAY, DAY))


def test_who_has_no_map_is_refused(door: Door) -> None:
    auditor = actor("auditor", area=CITY)
    for query in (MapLayers(), FindOnMap("x"), WithinShape("circle", "113.9,21.9"), BuildingDetail("B1")):
        with pytest.raises(Rejected) as refused:
            ask(door, query, auditor)
        assert refused.value.code == "forbidden"
