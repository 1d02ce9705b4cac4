"""A city's own boundaries: previewed with every fault, gaps and overlaps told, all stored or none."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon, box, mapping

from data.boundary_files import read_features
from data.boundary_import import import_boundaries
from data.city_facts import CellFinder, load_facts
from data.database import Database
from data.migrate import migrate
from data.sheets import BadFile
from gis.cells import haversine_m
from gis.crs import wgs84_to_gcj02
from incidents.commands import ImportBoundaries
from incidents.model import Actor, Rejected
from tests.product import ROOT
from tests.services import not_run
from tests.small_city import CELL, CITY, DISTRICT, GRID, NEXT_CELL, OTHER_DISTRICT, actor, place_of

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
ADMIN = Actor(1, "admin", "管理员", "administrator", "", (CITY,))
GEO = ROOT.parent / "shared" / "data" / "geo"
WESTERN, EASTERN = box(113.80, 21.80, 113.90, 22.0), box(113.90, 21.80, 113.99, 22.0)


def geojson(*features: tuple[dict[str, Any], shapely.Geometry | None]) -> bytes:
    made = [
        {"type": "Feature", "properties": properties, "geometry": None if g is None else mapping(g)}
        for properties, g in features
    ]
    return json.dumps({"type": "FeatureCollection", "features": made}, ensure_ascii=False).encode()


def districts(east: shapely.Geometry = EASTERN) -> bytes:
    return geojson(
        ({"adcode": 990101, "name": "西城区"}, WESTERN), ({"adcode": 990102, "name": "东城区"}, east)
    )


def asked(
    city: Database,
    content: bytes,
    level: str = "district",
    crs: str = "wgs84",
    who: Actor = ADMIN,
    **more: Any,
) -> dict[str, Any]:
    command = ImportBoundaries(base64.b64encode(content).decode(), level, crs, "file.json", **more)
    with city.transaction() as cursor:
        return import_boundaries(cursor, command, who, NOW, place_of)


def areas(city: Database, level: str = "district") -> dict[str, tuple[str, str, shapely.Geometry | None]]:
    rows = city.query("SELECT code, name, path, geometry FROM areas WHERE level = %s", (level,))
    return {c: (n, p, None if g is None else shapely.from_wkb(bytes(g))) for c, n, p, g in rows}


def test_nothing_is_stored_before_it_is_confirmed(city: Database) -> None:
    before = areas(city)
    answer = asked(city, districts())
    assert (answer["rows"], answer["changed"], answer["new"], answer["faulty"]) == (2, 2, 0, 0)
    assert answer["stored"] is False and areas(city) == before
    stored = asked(city, districts(), confirm=True)
    assert stored["stored"] is True
    name, path, shape = areas(city)["990101"]
    assert (name, path) == ("西城区", DISTRICT) and shape is not None and shape.equals(WESTERN)
    again = asked(city, districts())
    assert (again["same"], again["changed"], again["new"]) == (2, 0, 0)


def test_gcj02_is_made_true(city: Database) -> None:
    lon, lat = wgs84_to_gcj02(*np.array(WESTERN.exterior.coords).T)
    shifted = Polygon(zip(lon, lat, strict=True))
    asked(city, geojson(({"code": "990101", "name": "西城区"}, shifted)), crs="gcj02", confirm=True)
    shape = areas(city)["990101"][2]
    assert shape is not None
    stored, meant = shapely.get_coordinates(shape), np.array(WESTERN.exterior.coords)
    apart = haversine_m(stored[:, 0], stored[:, 1], meant[:, 0], meant[:, 1])
    assert apart.max() < 0.01


def test_gaps_and_overlaps_are_told_and_do_not_stop_it(city: Database) -> None:
    answer = asked(city, districts(box(113.89, 21.80, 113.99, 22.0)))
    assert answer["overlaps_count"] == 1 and answer["overlaps"][0]["codes"] == ["990101", "990102"]
    assert asked(city, districts(box(113.89, 21.80, 113.99, 22.0)), confirm=True)["stored"]
    towns = geojson(({"code": "990101001", "name": "一镇"}, box(113.80, 21.80, 113.85, 22.0)))
    answer = asked(city, towns, "town")
    assert answer["by_place"] == 1, "its district holds it"
    assert answer["gaps_count"] == 1 and answer["gaps"][0]["codes"] == ["990101001"]
    assert answer["gaps_m2"] > 1e8


def test_every_fault_names_feature_column_value_and_rule(city: Database) -> None:
    content = geojson(
        ({"code": "990101", "name": ""}, WESTERN),
        ({"code": "990102", "name": "东城区"}, None),
        ({"code": "99/0103", "name": "某区"}, box(113.7, 21.8, 113.8, 22)),
        ({"code": "990104", "name": "远区"}, box(120, 21.8, 121, 22)),
        ({"code": "990105", "name": "点区"}, shapely.Point(113.9, 21.9)),
        ({"code": "990106", "name": "甲", "parent": "nowhere"}, box(113.5, 21.8, 113.6, 22)),
        ({"code": "990106", "name": "乙"}, box(113.4, 21.8, 113.5, 22)),
        ({"code": "990101001", "name": "镇不是区"}, box(113.3, 21.8, 113.4, 22)),
    )
    answer = asked(city, content)
    told = {(f["row"], f["column"]): f["rule"] for f in answer["faults"]}
    assert set(told) == {
        (1, "name"), (2, "geometry"), (3, "code"), (4, "geometry"), (5, "geometry"), (6, "parent"), (7, "code"),
        (8, "code"),
    }  # fmt: skip
    assert "is that of feature 6 already" in told[7, "code"] and "is a town at" in told[8, "code"]
    assert answer["faulty"] == 8
    before = areas(city)
    with pytest.raises(Rejected, match="8 features are wrong, nothing was stored"):
        asked(city, content, confirm=True)
    assert areas(city) == before


def test_cells_put_things_into_others_and_are_found_at_once(city: Database) -> None:
    finder = CellFinder(city, load_facts(city))
    assert finder.locate(113.8995, 21.905) == (CELL.split("/")[-2], CELL)
    west, east = box(113.89, 21.90, 113.8949, 21.91), box(113.8949, 21.90, 113.91, 21.91)
    content = geojson(
        ({"网格编码": CELL.split("/")[-2], "名称": "西网格", "parent": GRID.split("/")[-2]}, west),
        ({"网格编码": NEXT_CELL.split("/")[-2], "名称": "东网格", "parent": NEXT_CELL.split("/")[-3]}, east),
    )
    answer = asked(city, content, "cell", "cgcs2000", confirm=True)
    assert answer["moved"] == {"devices": 2, "cameras": 1, "components": 0, "places": 0}
    rows = city.query("SELECT id, cell, area_path FROM devices ORDER BY id")
    assert {(cell, path) for _, cell, path in rows} == {(NEXT_CELL.split("/")[-2], NEXT_CELL)}
    finder.refresh()
    assert finder.locate(113.8995, 21.905) == (NEXT_CELL.split("/")[-2], NEXT_CELL)


def test_who_may(city: Database) -> None:
    outside = actor("administrator", OTHER_DISTRICT)
    towns = geojson(
        ({"code": "990101001", "name": "一镇", "parent": "990101"}, box(113.80, 21.80, 113.85, 22.0))
    )
    with pytest.raises(Rejected) as refused:
        asked(city, towns, "town", who=outside, confirm=True)
    assert refused.value.code == "forbidden"


def test_levels_and_columns_must_be_known(city: Database) -> None:
    for level in ("city", "country"):
        with pytest.raises(Rejected, match="level="):
            asked(city, districts(), level)
    nameless = geojson(({"number": "1", "label": "甲"}, WESTERN))
    with pytest.raises(Rejected, match=r"column of the code.*number, label"):
        asked(city, nameless)
    answer = asked(city, nameless, code_field="Number", name_field="label")
    assert answer["new"] == 1


def shapefile(
    tmp_path: Path,
    epsg: int | None,
    names: list[str],
    shapes: list[Polygon],
    encoding: str = "utf-8",
    cpg: bool = True,
) -> bytes:
    frame = geopandas.GeoDataFrame(
        {"代码": ["990101", "990102"][: len(names)], "名称": names}, geometry=shapes, crs="EPSG:4326"
    )
    if epsg is not None:
        frame = frame.to_crs(epsg)
    path = tmp_path / "边界.shp"
    frame.to_file(path, engine="pyogrio", encoding=encoding)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for part in sorted(tmp_path.iterdir()):
            if part.suffix != ".cpg" or cpg:
                archive.write(part, f"数据/{part.name}")
    return out.getvalue()


@pytest.mark.parametrize("epsg", [None, 4490, 4547, 32649])
def test_a_shapefile_in_degrees_or_projected(tmp_path: Path, epsg: int | None) -> None:
    content = shapefile(tmp_path, epsg, ["西城区", "东城区"], [WESTERN, EASTERN])
    found = read_features(content, "x.zip", "cgcs2000")
    assert [f.properties["名称"] for f in found] == ["西城区", "东城区"]
    assert found[0].shape is not None
    assert np.allclose(sorted(found[0].shape.bounds), sorted(WESTERN.bounds), atol=1e-6)


def test_a_shapefile_in_gbk_without_its_cpg(tmp_path: Path) -> None:
    content = shapefile(tmp_path, 4490, ["西城区"], [WESTERN], encoding="gbk", cpg=False)
    assert read_features(content, "x.zip", "wgs84")[0].properties == {"代码": "990101", "名称": "西城区"}


def test_what_cannot_be_true_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="GCJ-02 knows degrees only"):
        read_features(shapefile(tmp_path, 4547, ["西城区"], [WESTERN]), "x.zip", "gcj02")
    (old := tmp_path / "old").mkdir()
    with pytest.raises(BadFile, match="must be WGS 84 or CGCS2000"):
        read_features(shapefile(old, 4214, ["西城区"], [WESTERN]), "x.zip", "cgcs2000")
    with pytest.raises(BadFile, match="crs='bd09'"):
        read_features(districts(), "x.json", "bd09")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'{"type": "Feature"}', b'{"type": "FeatureCollection", "features": 3}',
        b'{"type": "FeatureCollection", "features": []}', b"PK\x03\x04 no zip", b"[" * 100_000,
        b'{"type":"FeatureCollection","crs":{"properties":{"name":"EPSG:3857"}},"features":[]}',
    ],
)  # fmt: skip
def test_files_that_are_none(content: bytes) -> None:
    with pytest.raises(BadFile):
        read_features(content, "x.json", "wgs84")


def test_odd_features_are_read_as_such() -> None:
    odd = {
        "type": "FeatureCollection",
        "features": [
            None,
            3,
            {"geometry": {"type": "Polygon", "coordinates": "x"}},
            {"properties": [], "geometry": {}},
        ],
    }
    found = read_features(json.dumps(odd).encode(), "x.json", "wgs84")
    assert [f.shape for f in found] == [None] * 4 and all(f.why for f in found)


@pytest.mark.parametrize("code", ["440700", "441500", "441600", "441800", "445200"])
def test_real_cities(fresh_database: Callable[..., Database], code: str) -> None:
    """Every district of five cities, out of GCJ-02, into a city that is new; what does not fit is told, not hidden."""
    if not GEO.exists():
        not_run("real boundaries (../shared/data absent)")
    empty_store = fresh_database(filled=False)
    migrate(empty_store)
    told = json.loads((GEO / f"counties_{code}_gcj02.json").read_text(encoding="utf-8"))
    empty_store.query(
        "INSERT INTO areas (code, level, name, path) VALUES (%s, 'city', 'X', %s) RETURNING 1",
        (code, f"{code}/"),
    )
    command = ImportBoundaries(
        base64.b64encode(json.dumps(told).encode()).decode(), "district", "gcj02", "x.json", confirm=True
    )
    admin = Actor(1, "admin", "管理员", "administrator", "", (f"{code}/",))
    with empty_store.transaction() as cursor:
        answer = import_boundaries(cursor, command, admin, NOW, lambda lon, lat: place_of(113.5, 21.9))
    assert answer["new"] == answer["rows"] == len(told["features"])
    assert answer["overlaps_m2"] + answer["gaps_m2"] < 1e6, answer
    print(code, {k: v for k, v in answer.items() if k.endswith(("_count", "_m2")) or k == "slivers"})
    assert set(areas(empty_store)) == {str(f["properties"]["adcode"]) for f in told["features"]}
