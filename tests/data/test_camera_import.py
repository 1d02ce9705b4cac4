"""Cameras in bulk: every row previewed with its faults, nothing stored before it is confirmed, all of it or none."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest

from data.camera_import import COLUMNS, Preview, import_cameras, preview, read_table
from data.database import Database
from data.divisions import divisions_above, divisions_of
from data.sheets import BadFile
from gis.crs import wgs84_to_gcj02
from incidents.commands import ImportCameras
from incidents.gb28181 import division_of
from incidents.model import Actor, Rejected
from tests.small_city import CAMERA, CITY, WEST, place_of

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
HEADER = "监控点位编码,名称,经度,纬度,应用场景,共享范围,朝向,视场角,视距,共享单位"
GOOD = f"99010100001320000101,北门,{WEST[0]},{WEST[1]},路口,公安,90,75,120,U1;U2"


def csv_of(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join((header, *rows)).encode()


def xlsx_of(rows: list[list[Any]], merge: str = "") -> bytes:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in rows:
        sheet.append(row)
    if merge:
        sheet.merge_cells(merge)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def seen(city: Database, content: bytes) -> Preview:
    with city.transaction() as cursor:
        return preview(cursor, content, place_of)


ADMIN = Actor(1, "admin", "管理员", "administrator", "", (CITY,))


def confirm(city: Database, content: bytes, actor: Actor = ADMIN) -> dict[str, Any]:
    command = ImportCameras(base64.b64encode(content).decode(), "cameras.csv", confirm=True)
    with city.transaction() as cursor:
        return import_cameras(cursor, command, actor, NOW, place_of)


def stored(city: Database) -> list[tuple[Any, ...]]:
    return city.query("SELECT code, name, share_range, share_units, direction_deg FROM cameras ORDER BY code")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize("mark", [",", "\t"])
def test_a_csv_is_previewed_and_confirmed(city: Database, encoding: str, mark: str) -> None:
    before = stored(city)
    content = csv_of(GOOD).decode().replace(",", mark).encode(encoding)
    found = seen(city, content)
    assert [(r.number, r.state, r.faults) for r in found.rows] == [(2, "new", ())]
    assert stored(city) == before
    done = confirm(city, content)
    assert (done["new"], done["changed"], done["released"], done["stored"]) == (1, 0, 0, True)
    assert ("99010100001320000101", "北门", "public_security", ["U1", "U2"], 90.0) in stored(city)
    assert [r.state for r in seen(city, content).rows] == ["same"]
    assert confirm(city, csv_of(GOOD.replace("北门", "南门")))["changed"] == 1


def test_only_who_may_manage_the_cameras_of_an_area(city: Database) -> None:
    before = stored(city)
    stranger = Actor(2, "other", "外市", "administrator", "", ("440100/",))
    with pytest.raises(Rejected, match="camera.manage"):
        confirm(city, csv_of(GOOD), stranger)
    assert stored(city) == before


def test_an_xlsx_says_the_same(city: Database) -> None:
    rows = [HEADER.split(","), [*GOOD.split(",")[:2], *WEST, "路口", "公安", 90, 75, 120.0, "U1;U2"]]
    assert seen(city, xlsx_of(rows)).files == seen(city, csv_of(GOOD)).files


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (GOOD.replace("99010100001320000101", "9901010000132"), "code"),
        (GOOD.replace("99010100001320000101", "99010100001320000000.0"), "code"),
        (GOOD.replace("北门", ""), "name"),
        (GOOD.replace(str(WEST[0]), "东经"), "lon"),
        (GOOD.replace(str(WEST[0]), "nan"), "lon"),
        (GOOD.replace(str(WEST[0]), "120.5"), "lon"),
        (GOOD.replace("公安", "大家"), "share_range"),
        (GOOD.replace(",90,", ",999,"), "direction_deg"),
        (GOOD.replace("U1;U2", "U1;U9"), "share_units"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_stored(city: Database, row: str, field: str) -> None:
    before = stored(city)
    good = GOOD.replace("0000101", "0000102")
    found = seen(city, csv_of(good, row))
    assert [r.state for r in found.rows] == ["new", "wrong"]
    (fault,) = found.rows[1].faults
    assert fault.field == field and fault.rule and fault.rule_zh
    with pytest.raises(Rejected, match="1 rows are wrong") as refused:
        confirm(city, csv_of(good, row))
    (told,) = refused.value.facts["faults"]
    assert told["row"] == 3 and told["column"] == field and told["column_zh"] == COLUMNS[field][0]
    assert stored(city) == before


def test_a_code_twice(city: Database) -> None:
    found = seen(city, csv_of(GOOD, "", GOOD.replace("北门", "南门")))
    assert [(r.number, r.state) for r in found.rows] == [(2, "new"), (4, "wrong")]
    assert str(found.rows[1].faults[0]).endswith("is in line 2 already")


def test_unknown_parts_are_noted(city: Database) -> None:
    """They stop nothing; a server among the cameras is noted too."""
    found = seen(city, csv_of(GOOD.replace("99010100001320000101", "12999900772000000001")))
    assert found.rows[0].notes == ("division=129999", "industry=77", "type=200 中心信令控制服务器")
    assert found.count("new") == 1


def test_shifted_points_are_put_right(city: Database) -> None:
    lon, lat = wgs84_to_gcj02(*WEST)
    row = f"99010100001320000101,北门,{float(lon)!r},{float(lat)!r},GCJ-02"
    found = seen(city, csv_of(row, header="编码,名称,经度,纬度,坐标系"))
    ((file, _),) = found.files
    assert (file.lon, file.lat) == pytest.approx(WEST, abs=1e-6)
    bad = seen(city, csv_of(row.replace("GCJ-02", "MARS"), header="编码,名称,经度,纬度,坐标系"))
    assert bad.rows[0].faults[0].field == "crs"


def test_a_known_camera_is_changed_whole(city: Database) -> None:
    found = seen(city, csv_of(f"{CAMERA},西路口改,{WEST[0]},{WEST[1]}", header="code,name,lon,lat"))
    assert [r.state for r in found.rows] == ["changed"]
    confirm(city, csv_of(f"{CAMERA},西路口改,{WEST[0]},{WEST[1]}", header="code,name,lon,lat"))
    assert city.query("SELECT name, starts_with(area_path, %s) FROM cameras WHERE code = %s", (CITY, CAMERA)) == [
        ("西路口改", True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no table"),
        (b"\xff\xff\xff", "neither UTF-8 nor GBK"),
        (csv_of(header="code,name,lon"), "'lat' .* is missing"),
        (csv_of(header="code,name,lon,lat,colour"), "'colour': is none of"),
        (csv_of(header="code,name,lon,lat,经度"), "lon is there twice"),
        (csv_of('"x', header="code,name,lon,lat"), "line"),
        (b"PK\x03\x04 no", "no readable XLSX file"),
    ],
)
def test_what_is_no_table(content: bytes, words: str) -> None:
    with pytest.raises(BadFile, match=words) as bad:
        read_table(content)
    assert bad.value.text_zh


def test_cells_merged_across_columns_are_a_fault_of_their_row(city: Database) -> None:
    """A title above the table is none; one unit merged over several rows stands in each."""
    rows = [["全市摄像机"], HEADER.split(","), GOOD.split(","), ["", "x", *WEST]]
    rows[2][2:4] = WEST
    found = seen(city, xlsx_of(rows, "A4:B4"))
    assert [(r.number, r.state) for r in found.rows] == [(3, "new"), (4, "wrong")]
    assert any("A4:B4" in fault.rule for fault in found.rows[1].faults)


def test_every_column_has_a_chinese_name() -> None:
    names = [alias for aliases in COLUMNS.values() for alias in aliases]
    assert len(names) == len(set(names)) and all(COLUMNS.values())


@pytest.mark.parametrize(
    "code", ["340200", "340202", "110101", "990101", "990100", "999999", "341299", "820001"]
)
def test_one_division_is_called_as_in_the_whole_table(city: Database, code: str) -> None:
    assert division_of(code, divisions_above(city, code)) == division_of(code, divisions_of(city))
