"""The rules of a registry entry: what is refused, what a row of a table says, and that nothing is skipped silently."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.device_registry import (
    COLUMNS,
    RULES,
    STATUSES,
    DeviceSheet,
    Known,
    columns_of,
    completed,
    day_of,
    faults_of,
    fold,
    read_cells,
)

KNOWN = Known({"water": 60.0, "air": 300.0}, {"水位计": "water"}, frozenset({"U1"}), {"水务一队": "U1"})
GOOD = DeviceSheet(
    "WL-1", "water", "双水大桥水位计", "U1", "水务局", "双水大桥", 113.9, 21.9, 60.0, True, date(2024, 1, 2)
)


@pytest.mark.parametrize(("column", "value", "code"), [
    ("id", "", "id"), ("id", "a b", "id"), ("id", "-x", "id"), ("id", "x" * 65, "id"), ("id", "设备", "id"),
    ("id", "a/b", "id"), ("id", "a#", "id"), ("type", "ufo", "type"), ("unit", "U9", "unit"),
    ("name", "x" * 201, "text"), ("owner", "\x00", "nul"), ("lon", 181.0, "lon"), ("lat", -90.5, "lat"),
    ("lon", None, "pair"), ("lat", None, "pair"), ("expected_period_s", 0.5, "period"),
    ("expected_period_s", float("nan"), "period"), ("expected_period_s", 1e9, "period"),
    ("installed_on", date(1889, 1, 1), "days"), ("calibration_due", date(2222, 1, 1), "days"),
    ("status", "broken", "status"),
])  # fmt: skip
def test_a_wrong_value_is_one_fault_that_names_it(column: str, value: object, code: str) -> None:
    (fault,) = faults_of(replace(GOOD, **{column: value}), KNOWN)  # type: ignore[arg-type]
    assert fault.column == column and fault.code == code
    assert fault.rule and fault.rule_zh and fault.column in str(fault)
    assert fault.value == ("" if value is None else str(value))


def test_a_good_entry_has_no_fault_and_every_fault_is_told() -> None:
    assert faults_of(GOOD, KNOWN) == []
    bad = replace(GOOD, id="?", type="?", unit="?", status="?", expected_period_s=-1)
    assert [f.column for f in faults_of(bad, KNOWN)] == ["id", "type", "unit", "expected_period_s", "status"]


def test_names_lead_to_ids_and_the_type_gives_its_period() -> None:
    sheet = completed(DeviceSheet("a", "水位计", unit="水务一队"), KNOWN)
    assert (sheet.type, sheet.unit, sheet.expected_period_s) == ("water", "U1", 60.0)
    assert completed(replace(sheet, expected_period_s=5.0), KNOWN).expected_period_s == 5.0


@pytest.mark.parametrize(
    "text", ["2026-03-05", "2026/3/5", "2026.3.5", "2026年3月5日", "2026-03-05 00:00:00"]
)
def test_a_day_is_read_as_people_write_it(text: str) -> None:
    assert day_of(text) == date(2026, 3, 5)


def test_cells_are_read_and_what_cannot_be_is_told() -> None:
    cells = {"id": " WL-1 ", "lon": "113.9", "lat": "N 21.9", "critical": "是", "installed_on": "2026-02-30",
             "status": "检修", "name": "", "expected_period_s": "1,800"}  # fmt: skip
    given, faults = read_cells(cells, {"status": {"检修": "maintenance"}})
    assert given == {
        "id": "WL-1",
        "lon": 113.9,
        "critical": True,
        "status": "maintenance",
        "expected_period_s": 1800.0,
    }
    assert [(f.column, f.value, f.code) for f in faults] == [
        ("lat", "N 21.9", "number"),
        ("installed_on", "2026-02-30", "day"),
    ]


def test_headers_are_found_whatever_is_added_to_them() -> None:
    names = {
        fold(n): c for n, c in (("设备编号", "id"), ("经度", "lon"), ("上报周期(秒)", "expected_period_s"))
    }
    found, faults = columns_of(["*设备编号 ", "", "经度（°）", "上报周期"], names)
    assert found == {0: "id", 2: "lon", 3: "expected_period_s"} and faults == []
    found, faults = columns_of(["经度", "经 度", "颜色"], names)
    assert [f.code for f in faults] == ["column_twice", "header", "no_id"] and found == {0: "lon"}


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=40)))
def test_no_text_breaks_the_reading_of_a_row(cells: dict[str, str]) -> None:
    """Whatever stands in the cells: each filled one is read, or a fault names it; the rules then never raise."""
    given_, faults = read_cells(cells, {})
    assert set(given_) | {f.column for f in faults} == {c for c, text in cells.items() if text.strip()}
    assert not set(given_) & {f.column for f in faults}
    sheet = completed(replace(DeviceSheet(""), **given_), KNOWN)
    for fault in faults_of(sheet, KNOWN):
        assert fault.code in RULES and fault.rule_zh


@given(st.builds(
    DeviceSheet, id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True), type=st.sampled_from(["water", "air"]),
    name=st.text(st.characters(exclude_characters="\x00"), max_size=200), lon=st.floats(-180, 180), lat=st.floats(-90, 90),
    expected_period_s=st.floats(1, 604_800), status=st.sampled_from(STATUSES),
    installed_on=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
))  # fmt: skip
def test_what_keeps_the_rules_is_taken(sheet: DeviceSheet) -> None:
    assert faults_of(sheet, KNOWN) == []
