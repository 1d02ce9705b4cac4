"""Tables of devices: read as people make them, judged row by row, stored all or not at all, twice without effect."""

from __future__ import annotations

import base64
import csv
import io
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import openpyxl
import pytest

from data import sheets
from data.database import Database
from data.device_import import template
from data.questions.answers import StoreQuestions
from data.sheets import BadFile, read_sheet
from deploy.embedded import Embedded
from gis.crs import to_wgs84
from incidents import commands as c
from incidents.model import Rejected
from incidents.service import City, CityService
from tests.conftest import STORES
from tests.product import ROOT
from tests.small_city import CELL, CITY, DISTRICT, NEXT_CELL, PATTERN, ZONE, actor, place_of, units_of_work

pytestmark = pytest.mark.timeout(120, func_only=True)
ADMIN: Final = actor("administrator")
NOW: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HEAD: Final = ("设备编号", "设备类型", "设备名称", "管理单位", "经度", "纬度", "安装日期", "状态")
ROWS: Final = (
    ("N-1", "水位计", "甲水位计", "U1", "113.895", "21.905", "2024/3/5", "在用"),
    ("N-2", "air", "乙空气站", "单位U2", "113.905", "21.905", "", "检修"),
)


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city."""
    return fresh_database(str(request.param))


def door(db: Database) -> CityService:
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    return CityService(units_of_work(db), questions, lambda: NOW, City(PATTERN, ZONE, CITY))


def as_csv(rows: Sequence[Sequence[str]], encoding: str = "utf-8", head: Sequence[str] = HEAD) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([head, *rows])
    return out.getvalue().encode(encoding)


def as_xlsx(rows: Sequence[Sequence[Any]], merges: Sequence[str] = ()) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    for merge in merges:
        sheet.merge_cells(merge)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def put(db: Database, content: bytes, confirm: bool = False, who: Any = ADMIN) -> dict[str, Any]:
    command = c.ImportDevices(base64.b64encode(content).decode(), "设备.csv", confirm)
    return door(db).handle(command, who, "desk")


def registry(db: Database) -> list[tuple[Any, ...]]:
    return db.query("SELECT id, type, name, unit, area_path, lon, expected_period_s, installed_on, status FROM devices"
                    " WHERE id LIKE 'N-%%' ORDER BY id")  # fmt: skip


def version(db: Database) -> int:
    return int(db.query("SELECT n FROM registry_version")[0][0])


STORED: Final = [
    ("N-1", "water", "甲水位计", "U1", CELL, 113.895, 60.0, date(2024, 3, 5), "in_service"),
    ("N-2", "air", "乙空气站", "U2", NEXT_CELL, 113.905, 60.0, None, "maintenance"),
]


@pytest.mark.parametrize("content", [
    as_csv(ROWS), as_csv(ROWS, "utf-8-sig"), as_csv(ROWS, "gbk"), as_xlsx([HEAD, *ROWS]),
    as_xlsx([HEAD, (*ROWS[0][:4], 113.895, 21.905, datetime(2024, 3, 5), "在用"), ROWS[1]]),
    as_csv(ROWS).replace(b",", b"\t"),
    as_csv(ROWS, head=("Device ID", "type", "Name", "Responsible unit", "longitude", "LAT", "installed_on", "Status")),
], ids=["utf-8", "bom", "gbk", "xlsx", "xlsx typed", "tabs", "english"])  # fmt: skip
def test_looked_at_then_stored_then_the_same_changes_nothing(city: Database, content: bytes) -> None:
    before = version(city)
    seen = put(city, content)
    assert (seen["rows"], seen["new"], seen["faulty"], seen["stored"]) == (2, 2, 0, False)
    assert registry(city) == [] and version(city) == before, "a look stores nothing"
    done = put(city, content, confirm=True)
    assert (done["new"], done["changed"], done["same"], done["stored"]) == (2, 0, 0, True)
    assert registry(city) == STORED and version(city) == before + 1
    again = put(city, content, confirm=True)
    assert (again["new"], again["changed"], again["same"]) == (0, 0, 2)
    assert registry(city) == STORED and version(city) == before + 1, "ingest has nothing to load again"


def test_every_store_takes_an_import_and_a_change(db: Database) -> None:
    put(db, as_csv(ROWS), confirm=True)
    assert registry(db) == STORED
    changed = put(db, as_csv([("N-1", "新名称"), ("N-2", "")], head=("编号", "名称")), confirm=True)
    assert (changed["changed"], changed["same"]) == (1, 1), "an empty cell says nothing"
    assert [row[2] for row in registry(db)] == ["新名称", "乙空气站"]
    assert db.query("SELECT detail->>'content', detail->>'filename' FROM audit LIMIT 1") == [
        (None, "设备.csv")
    ]


def test_faults_name_row_column_value_and_rule_and_nothing_is_stored(city: Database) -> None:
    rows = [
        ROWS[0],
        ("坏 编号", "水位计", "", "", "", "", "", ""),
        ("N-3", "不明", "", "U9", "abc", "21.9", "2024-13-01", "坏了"),
        ("N-1", "水位计", "", "", "", "", "", ""),
        ("", "水位计", "", "", "", "", "", ""),
        ("N-5", "水位计", "", "", "120", "21.9", "", ""),
        ("N-6", "水位计", "", "", "113.9", "", "", ""),
        ("N-7", "水位计", "", "", "", "", "", "", "多出"),
    ]
    seen = put(city, as_csv(rows))
    told = [(f["row"], f["column_zh"], f["value"]) for f in seen["faults"]]
    assert told == [
        (3, "设备编号", "坏 编号"),
        (4, "经度", "abc"), (4, "安装日期", "2024-13-01"), (4, "设备类型", "不明"), (4, "管理单位", "U9"),
        (4, "状态", "坏了"),
        (5, "设备编号", "N-1"),
        (6, "设备编号", ""),
        (7, "经度", "120.0,21.9"),
        (8, "纬度", ""),
        (9, "header", "多出"),
    ]  # fmt: skip
    assert all(f["rule"] and f["rule_zh"] for f in seen["faults"]) and seen["faulty"] == 7
    with pytest.raises(Rejected, match="row 3: id='坏 编号'.*nothing was stored") as refused:
        put(city, as_csv(rows), confirm=True)
    assert len(refused.value.facts["faults"]) == len(told)
    assert registry(city) == []


def test_headers_that_nobody_knows_are_faults(city: Database) -> None:
    seen = put(city, as_csv([("N-1", "water", "red")], head=("设备编号", "类型", "颜色")))
    assert [(f["row"], f["value"]) for f in seen["faults"]] == [(1, "颜色")]
    assert put(city, as_csv([("water",)], head=("类型",)))["faults"][0]["rule"].startswith(
        "there: a column with"
    )


def test_merged_cells(city: Database) -> None:
    """Within a column the merge's value holds for each row; across columns it is a fault that names the cells."""
    rows = [HEAD, ROWS[0], (ROWS[1][0], "", *ROWS[1][2:])]
    put(city, as_xlsx(rows, ["B2:B3"]), confirm=True)
    assert [row[1] for row in registry(city)] == ["water", "water"]
    seen = put(city, as_xlsx([HEAD, *ROWS], ["C2:D2"]))
    assert [(f["row"], f["column_zh"]) for f in seen["faults"]] == [(2, "设备名称")]
    assert "C2:D2" in seen["faults"][0]["rule_zh"]
    titled = as_xlsx([("某市设备清单",), (), HEAD, *ROWS], ["A1:H1"])
    seen = put(city, titled)
    assert (seen["rows"], seen["faulty"], seen["new"]) == (2, 0, 0), "a title above the header is no row"
    assert [f["row"] for f in put(city, as_xlsx([("清单",), HEAD, *ROWS], ["A2:B2"]))["faults"]] == [2]


def test_a_formula_is_text(city: Database) -> None:
    content = as_xlsx([("设备编号", "设备类型", "名称"), ("N-1", "water", '=HYPERLINK("http://x","y")')])
    put(city, content, confirm=True)
    assert registry(city)[0][2] == '=HYPERLINK("http://x","y")'


def test_others_areas_are_refused_row_by_row(city: Database) -> None:
    own = actor("administrator", DISTRICT, login="own")
    elsewhere = actor("administrator", "990100/990102/", login="far")
    assert put(city, as_csv(ROWS), who=own)["faulty"] == 0
    seen = put(city, as_csv(ROWS), who=elsewhere)
    assert seen["faulty"] == 2 and CELL in seen["faults"][0]["rule"]
    put(city, as_csv(ROWS), confirm=True)
    moved = as_csv([("N-1", "113.95", "21.95")], head=("编号", "经度", "纬度"))
    assert put(city, moved, who=own)["faulty"] == 1, "nobody moves a device out of his area into no area"


def no_header(cells: Sequence[str]) -> bool:
    return False


def test_points_in_other_coordinate_systems(city: Database) -> None:
    """GCJ-02 and BD-09 are converted, the same file again changes nothing, an unknown system is a fault."""
    rows = [("N-1", "water", "113.900000", "21.902000", "高德"), ("N-2", "water", "113.906500", "21.908000", "BD-09"),
            ("N-3", "water", "113.895", "21.905", "")]  # fmt: skip
    content = as_csv(rows, head=("编号", "类型", "经度", "纬度", "坐标系"))
    assert put(city, content, confirm=True)["new"] == 3
    for device, crs, lon, lat in (("N-1", "GCJ-02", 113.9, 21.902), ("N-2", "BD-09", 113.9065, 21.908)):
        expected = [float(v) for v in to_wgs84(crs, lon, lat)]
        (stored,) = city.query("SELECT lon, lat FROM devices WHERE id = %s", (device,))
        assert stored == pytest.approx(expected, abs=1e-6) and abs(stored[0] - lon) > 0.003
    assert registry(city)[2][5] == 113.895
    assert put(city, content, confirm=True)["same"] == 3
    seen = put(city, as_csv([("N-1", "113.9", "21.9", "北京54")], head=("编号", "经度", "纬度", "坐标系")))
    assert [(f["column_zh"], f["value"]) for f in seen["faults"]] == [("坐标系", "北京54")]


def bomb(size: int) -> bytes:
    """A small XLSX whose sheet unpacks to `size` bytes."""
    source = io.BytesIO(as_xlsx([HEAD, *ROWS]))
    out = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, old.read(part) + (b" " * size if part.endswith("sheet1.xml") else b""))
    return out.getvalue()


def with_sheet(xml: bytes) -> bytes:
    """A workbook with this sheet."""
    source, out = io.BytesIO(as_xlsx([HEAD])), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            new.writestr(part, xml if part.endswith("sheet1.xml") else old.read(part))
    return out.getvalue()


_NS: Final = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_LAUGHS: Final = b'<!DOCTYPE x [<!ENTITY a "' + b"ha" * 5_000 + b'">' + b"".join(
    b'<!ENTITY %s "%s">' % (bytes([98 + n]), b"&%s;" % bytes([97 + n]) * 10) for n in range(6)
) + b"]>"  # fmt: skip


@pytest.mark.parametrize(("content", "says"), [
    (b"x" * 8_000_001, "8000001 bytes"), (bomb(90_000_000), "unpacked"), (b"PK\x03\x04 no archive", "no readable XLSX"),
    (b"\xd0\xcf\x11\xe0....", "old Excel"), (b"", "no table"), (b"\n\n , \n", "no table"), (b"\xff\xfe\xff\x81", "neither"),
    (b"a,b\x00", "NUL"), (b'a,"b', "unexpected end"), (b"id\n" + b"x\n" * 50_001, "50000 rows"),
    (b"id\n" + b"y" * 2_001, "2000 characters"), (b"id\n" + b"a," * 80 + b"a", "60 columns"),
    (as_xlsx([HEAD])[:900], "no readable XLSX"),
    (with_sheet(_NS + b'<row r="1048576"><c r="A1048576" t="str"><v>x</v></c></row></sheetData></worksheet>'), "50000 rows"),
    (with_sheet(_LAUGHS + _NS + b'<row r="1"><c r="A1" t="str"><v>&g;</v></c></row></sheetData></worksheet>'), "no readable"),
    (with_sheet(b"<worksheet"), "no readable XLSX"),
], ids=range(16))  # fmt: skip
def test_what_cannot_be_read_says_why_and_soon(content: bytes, says: str) -> None:
    begun = time.monotonic()
    with pytest.raises(BadFile, match=says) as refused:
        read_sheet(content, no_header)
    assert refused.value.text_zh and time.monotonic() - begun < 20


def test_a_merge_of_everything_costs_nothing() -> None:
    xml = _NS + b'<row r="1"><c r="A1" t="str"><v>id</v></c></row></sheetData>'
    sheet = read_sheet(
        with_sheet(xml + b'<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells></worksheet>'), no_header
    )
    assert [fault.code for _, fault in sheet.faults] == ["merged"]


def test_ten_thousand_rows_in_seconds(city: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"N-{n}", "水位计", f"水位计{n}", "U1", f"{113.89 + n % 100 / 10_000:.6f}", "21.905", "2024-03-05", "在用")
            for n in range(10_000)]  # fmt: skip
    took = {}
    for name, content in (("csv", as_csv(rows, "gbk")), ("xlsx", as_xlsx([HEAD, *rows]))):
        begun = time.monotonic()
        seen = put(city, content)
        took[f"look at {name}"] = time.monotonic() - begun
        assert (seen["rows"], seen["faulty"]) == (10_000, 0)
    begun = time.monotonic()
    assert put(city, as_csv(rows), confirm=True)["new"] == 10_000
    took["store csv"] = time.monotonic() - begun
    print({name: round(seconds, 2) for name, seconds in took.items()})
    assert max(took.values()) < 60, took  # a machine that is shared; alone it is a few seconds


def test_the_template_is_read_without_a_fault(city: Database) -> None:
    seen = put(city, template().encode() + "N-9,水位计\r\n".encode())
    assert (seen["faulty"], seen["new"]) == (0, 1)


def test_limits_are_those_of_the_text() -> None:
    assert sheets.MAX_BYTES * 4 / 3 < 12_000_000, "a whole file fits into the command as base64"


def test_the_command_line_looks_and_confirms(city: Database, servers: Embedded, tmp_path: Path) -> None:
    env = {**os.environ, "CHENGYUN_DSN": city.dsn, "CHENGYUN_BUS": servers.bus_url,
           "CHENGYUN_LIVE_URL": servers.live_url, "PYTHONPATH": str(ROOT)}  # fmt: skip

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "app.py", "import", "devices", *words], cwd=ROOT, env=env,
                              capture_output=True, text=True, timeout=60)  # fmt: skip

    good, bad = tmp_path / "设备.csv", tmp_path / "bad.csv"
    good.write_bytes(as_csv(ROWS, "gbk"))
    bad.write_bytes(as_csv([("坏 号", *ROWS[0][1:])]))
    assert (
        (done := run(str(good))).returncode == 0
        and "2 new" in done.stdout
        and "nothing stored" in done.stdout
    )
    assert registry(city) == []
    assert (done := run(str(good), "--confirm")).returncode == 0 and done.stdout.endswith("; stored\n")
    assert registry(city) == STORED
    done = run(str(bad), "--confirm")
    assert done.returncode == 1 and "row 2: Device id='坏 号' must be 1 to 64" in done.stdout
    assert "nothing was stored" in done.stderr
    assert run(str(tmp_path / "none.csv")).returncode == 1
    audit = city.query("SELECT DISTINCT actor, role FROM audit WHERE action = 'device.manage' AND allowed")
    assert audit == [("command line", "administrator")]
