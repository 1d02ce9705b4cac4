"""A city's own file for `bench routing --data`: every way in which offices write one is read, or refused with its reason."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bench.bench_routing import of_file
from tests.bench.frame import Bench
from tests.bench.routing_file import COLUMNS, BadFile, moment, read

HEADER = ",".join(COLUMNS)
LINES = (
    "井盖破损,C01,21.95,111.01,2019年1月9日 10:40:23,排水中心",
    "路灯不亮,C02,21.96,111.02,2019/1/10 8:05:00,路灯所",
    "垃圾满溢,E01,,,2019年1月8日 下午2点30分,环卫所",
)
CONTENT = "\r\n".join((HEADER, *LINES))


@pytest.mark.parametrize(
    "packed",
    [
        CONTENT.encode(),
        CONTENT.encode("utf-8-sig"),
        CONTENT.encode("gb18030"),
        CONTENT.encode("utf-16"),
        gzip.compress(CONTENT.encode("gb18030")),
        CONTENT.replace(",", "\t").encode("gb18030"),
        CONTENT.replace(",", ";").encode(),
    ],
    ids=["utf-8", "utf-8 marked", "GBK", "utf-16", "packed", "tabs", "semicolons"],
)
def test_a_file_is_read_however_it_is_written(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "tickets.csv"
    path.write_bytes(packed)
    outcomes, counts = read(path)
    assert [o.unit for o in outcomes] == ["环卫所", "排水中心", "路灯所"]
    assert outcomes[0].asked.at == datetime(2019, 1, 8, 14, 30, tzinfo=UTC)
    assert outcomes[1].asked.text == "井盖破损" and outcomes[1].asked.lat == 21.95
    assert counts["used"] == 3 and counts["without a place"] == 1


def test_a_broken_byte_costs_a_character(tmp_path: Path) -> None:
    path = tmp_path / "tickets.csv"
    path.write_bytes(
        CONTENT.encode() + b"\r\n\xff\xff,C01,21.9,111,2019-01-11,\xe8\xb7\xaf\xe7\x81\xaf\xe6\x89\x80"
    )
    assert [o.unit for o in read(path)[0]] == ["环卫所", "排水中心", "路灯所", "路灯所"]


@pytest.mark.parametrize(
    ("header", "lacking"),
    [
        ("text,class,lat,lon,created", "unit"),
        ("内容,类别", "created, unit"),
        ("created,unit", "one of text, class"),
    ],
)
def test_a_missing_column_is_named(tmp_path: Path, header: str, lacking: str) -> None:
    path = tmp_path / "tickets.csv"
    path.write_text(header + "\n1,2,3\n", encoding="utf-8")
    with pytest.raises(BadFile, match=lacking):
        read(path)
    with pytest.raises(SystemExit, match=r"tickets\.csv: columns="):
        of_file(Bench("routing", False, "embedded", tmp_path, path))


def test_what_is_no_file_of_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tickets.csv"
    path.write_bytes(gzip.compress(CONTENT.encode())[:-9])
    with pytest.raises(BadFile, match="packed by gzip"):
        read(path)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2019年01月09日10时40分", datetime(2019, 1, 9, 10, 40, tzinfo=UTC)),
        ("2019年3月5日 星期二 上午9:05", datetime(2019, 3, 5, 9, 5, tzinfo=UTC)),
        ("2019年3月5日 中午12点", datetime(2019, 3, 5, 12, tzinfo=UTC)),
        ("2019年3月5日 上午12:10", datetime(2019, 3, 5, 0, 10, tzinfo=UTC)),
        ("2019.3.5", datetime(2019, 3, 5, tzinfo=UTC)),
        ("2019年13月5日", None),
        ("3月5日", None),
        ("2019年3月5日 25时", None),
    ],
)
def test_a_moment_as_offices_write_it(written: str, meant: datetime | None) -> None:
    assert moment(written) == meant


@given(st.text(alphabet="0123456789年月日时点分秒上下午:：/.- ", max_size=24))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    found = moment(text)
    assert found is None or found.tzinfo is not None


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 2), st.integers(1, 2))
def test_one_class_or_one_unit_only_is_scored_all_the_same(tmp_path: Path, classes: int, units: int) -> None:
    path = tmp_path / "tickets.csv"
    rows = [
        f"路灯不亮{n % 7},C{n % classes},21.9{n % 10},111.0{n % 9},2019年{1 + n % 12}月{1 + n % 28}日 {n % 24}:{n % 60:02d},单位{n % units}"
        for n in range(400)
    ]
    path.write_text("\n".join((HEADER, *rows)), encoding="gb18030")
    figures = of_file(Bench("routing", False, "embedded", tmp_path, path))
    assert figures["rows"]["used"] == 400
    assert figures["scored"] == 120 and figures["units"] == units
    assert figures["reasons_share"] == 1.0
