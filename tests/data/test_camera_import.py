"""Cameras in bulk: every row previewed with its faults, nothing stored before it is confirmed, all of it or none."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest

from data.audit import Audit
from data.camera_import import COLUMNS, BadTable, Preview, confirm, preview, read_table
from data.database import Database
from data.divisions import divisions_above, divisions_of
from gis.crs import wgs84_to_gcj02
from incidents.gb28181 import division_of
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


def seen(city: Database, content: bytes, name: str = "cameras.csv") -> Preview:
    return preview(city, name, content, place_of)


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
    done = confirm(city, Audit(city), found, "command line", NOW)
    assert (done.new, done.changed, done.released) == (1, 0, 0)
    assert ("99010100001320000101", "北门", "public_security", ["U1", "U2"], 90.0) in stored(city)
    assert [r.state for r in seen(city, content).rows] == ["same"]
    changed = seen(city, csv_of(GOOD.replace("北门", "南门")))
    assert confirm(city, Audit(city), changed, "command line", NOW).changed == 1
    assert city.query("SELECT detail->>'new' FROM audit WHERE thing = 'camera_import' ORDER BY id") == [
        ("1",),
        ("0",),
    ]


def test_an_xlsx_says_the_same(city: Database) -> None:
    rows = [HEADER.split(","), [*GOOD.split(",")[:2], *WEST, "路口", "公安", 90, 75, 120.0, "U1;U2"]]
    assert seen(city, xlsx_of(rows), "cameras.xlsx").files == seen(city, csv_of(GOOD)).files


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
    assert fault.field == field and fault.rule
    with pytest.raises(BadTable, match="1 rows are wrong"):
        confirm(city, Audit(city), found, "x", NOW)
    assert stored(city) == before
    assert confirm(city, Audit(city), found, "x", NOW, good_rows=True).new == 1


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
    confirm(city, Audit(city), found, "x", NOW)
    assert city.query("SELECT name, starts_with(area_path, %s) FROM cameras WHERE code = %s", (CITY, CAMERA)) == [
        ("西路口改", True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\xff\xff\xff", "neither UTF-8 nor GBK"),
        ("a.csv", csv_of(header="code,name,lon"), "'lat' .* is missing"),
        ("a.csv", csv_of(header="code,name,lon,lat,colour"), "'colour': is none of"),
        ("a.csv", csv_of(header="code,name,lon,lat,经度"), "lon is there twice"),
        ("a.csv", csv_of('"x', header="code,name,lon,lat"), "line"),
        ("a.xlsx", b"PK no", "is no XLSX file"),
        ("a.xlsx", xlsx_of([["code", "name", "lon", "lat"], ["1", "", 2, 3]], "A2:B2"), "merged cells A2:B2"),
    ],
)
def test_what_is_no_table(name: str, content: bytes, words: str) -> None:
    with pytest.raises(BadTable, match=words):
        read_table(name, content)


def test_every_column_has_a_chinese_name() -> None:
    names = [alias for aliases in COLUMNS.values() for alias in aliases]
    assert len(names) == len(set(names)) and all(COLUMNS.values())


@pytest.mark.parametrize(
    "code", ["340200", "340202", "110101", "990101", "990100", "999999", "341299", "820001"]
)
def test_one_division_is_called_as_in_the_whole_table(city: Database, code: str) -> None:
    assert division_of(code, divisions_above(city, code)) == division_of(code, divisions_of(city))
