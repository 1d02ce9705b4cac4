"""Every rule of `streams/validate.py`, at its edge and past it; what is refused names field, value and rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.crs import TO_WGS84
from incidents.model import REPORT_CHANNELS
from streams.envelope import Bad, EnforcementCaseData, GridReportData, Message, Point, VideoAlarmData
from streams.validate import check_alarm, check_case, check_place, check_report, check_time
from tests.small_city import CAMERA, CELL, FAR, LIMITS, NO_CELL, WEST, locate

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
KINDS = {"flood": 1}


def reason(check: Any, *args: Any, **more: Any) -> tuple[str, str]:
    """(reason, field) of a refusal; ('', '') when it is taken."""
    try:
        check(*args, **more)
    except Bad as bad:
        assert bad.rule and bad.field and bad.field in str(bad)
        return bad.reason, bad.field
    return "", ""


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (NOW, ""),
        (NOW - LIMITS.max_age, ""),
        (NOW - LIMITS.max_age - timedelta(microseconds=1), "too_old"),
        (NOW + LIMITS.max_ahead, ""),
        (NOW + LIMITS.max_ahead + timedelta(microseconds=1), "in_future"),
        (datetime(2000, 1, 1, tzinfo=UTC), "too_old"),
        (datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), "bad_time"),
        (datetime(1970, 1, 1, tzinfo=UTC), "bad_time"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "in_future"),
    ],
)
def test_times(time: datetime, expected: str) -> None:
    assert reason(check_time, "time", time, NOW.timestamp(), LIMITS) == (expected, "time" if expected else "")


def test_a_history_import_may_be_old_but_not_absurd() -> None:
    assert reason(
        check_time, "t", datetime(2000, 1, 1, tzinfo=UTC), NOW.timestamp(), LIMITS, history=True
    ) == ("", "")
    assert (
        reason(check_time, "t", datetime(1999, 1, 1, tzinfo=UTC), NOW.timestamp(), LIMITS, history=True)[0]
        == "bad_time"
    )
    assert (
        reason(check_time, "t", NOW + timedelta(days=1), NOW.timestamp(), LIMITS, history=True)[0]
        == "in_future"
    )


@given(st.datetimes(timezones=st.timezones()), st.booleans())
def test_any_time_is_taken_or_refused(time: datetime, history: bool) -> None:
    found, _ = reason(check_time, "t", time, NOW.timestamp(), LIMITS, history=history)
    assert found in ("", "bad_time", "in_future", "too_old")


def test_a_place_in_a_cell() -> None:
    place = check_place(Point(*WEST), LIMITS, locate)
    assert (place.lon, place.lat) == WEST and place.area_path == CELL and place.cell == CELL.split("/")[-2]


def test_a_place_in_no_cell_is_unresolved() -> None:
    place = check_place(Point(*NO_CELL), LIMITS, locate)
    assert (place.cell, place.area_path) == ("", "")


def test_what_a_cell_holds_is_in_the_city_however_far() -> None:
    """The reach is a circle about the centre; an outline may go beyond it, and a report from there is one of the city's."""
    near = replace(LIMITS, max_distance_m=10.0)
    assert check_place(Point(*WEST), near, locate).cell
    assert reason(check_place, Point(*NO_CELL), near, locate) == ("outside_city", "data.point")


@pytest.mark.parametrize(
    ("point", "expected", "field"),
    [
        (Point(*FAR), "outside_city", "data.point"),
        (Point(0.0, 0.0), "outside_city", "data.point"),
        (Point(21.9, 113.9), "bad_point", "data.point.lat"),
        (Point(181.0, 0.0), "bad_point", "data.point.lon"),
        (Point(float("nan"), 21.9), "bad_point", "data.point.lon"),
        (Point(113.9, float("inf")), "bad_point", "data.point.lat"),
        (Point(*WEST, "EPSG:3857"), "unknown_crs", "data.point.crs"),
        (Point(*WEST, ""), "unknown_crs", "data.point.crs"),
    ],
)
def test_bad_places(point: Point, expected: str, field: str) -> None:
    assert reason(check_place, point, LIMITS, locate) == (expected, field)


def test_the_city_reaches_25_km() -> None:
    """One degree of latitude is about 111.2 km."""
    assert reason(check_place, Point(113.9, 21.9 + 24.9 / 111.2), LIMITS, locate) == ("", "")
    assert reason(check_place, Point(113.9, 21.9 + 25.1 / 111.2), LIMITS, locate)[0] == "outside_city"


@pytest.mark.parametrize("crs", sorted(TO_WGS84))
def test_shifted_coordinates_are_set_right(crs: str) -> None:
    """GCJ-02 and BD-09 lie hundreds of metres off; the same place in each must find the same cell."""
    shifted = {"GCJ-02": (113.8999, 21.9023), "BD-09": (113.9065, 21.9082)}
    lon, lat = shifted.get(crs, WEST)
    place = check_place(Point(lon, lat, crs), LIMITS, locate)
    assert place.area_path == CELL
    assert abs(place.lon - WEST[0]) < 0.002 and abs(place.lat - WEST[1]) < 0.002


@given(st.floats(), st.floats(), st.sampled_from([*TO_WGS84, "x"]))
def test_any_point_is_taken_or_refused(lon: float, lat: float, crs: str) -> None:
    found, _ = reason(check_place, Point(lon, lat, crs), LIMITS, locate)
    assert found in ("", "bad_point", "unknown_crs", "outside_city")


def report(**data: Any) -> Message[GridReportData]:
    return Message(
        "1", "s", "1.0", "t", NOW, GridReportData(**{"channel": "hotline", "text": "积水", **data})
    )


@pytest.mark.parametrize("channel", REPORT_CHANNELS)
def test_known_channels(channel: str) -> None:
    assert reason(check_report, report(channel=channel), frozenset()) == ("", "")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"channel": "pigeon"}, ("bad_channel", "data.channel")),
        ({"class_": "0999"}, ("unknown_class", "data.class")),
        ({"class_": "0101"}, ("", "")),
        ({"text": " \n"}, ("empty_text", "data.text")),
        ({"text": "", "title": "积水"}, ("", "")),
    ],
)
def test_reports(data: dict[str, Any], expected: tuple[str, str]) -> None:
    assert reason(check_report, report(**data), frozenset({"0101"})) == expected


@pytest.mark.parametrize(
    ("camera", "kind", "expected"),
    [
        (CAMERA, "flood", ("", "")),
        (CAMERA[:19], "flood", ("bad_camera_code", "data.camera")),
        (CAMERA + "0", "flood", ("bad_camera_code", "data.camera")),
        (CAMERA[:19] + "x", "flood", ("bad_camera_code", "data.camera")),
        ("９" * 20, "flood", ("bad_camera_code", "data.camera")),
        ("²" * 20, "flood", ("bad_camera_code", "data.camera")),
        (CAMERA, "ufo", ("unknown_kind", "data.kind")),
    ],
)
def test_alarms(camera: str, kind: str, expected: tuple[str, str]) -> None:
    message = Message("1", "s", "1.0", "t", NOW, VideoAlarmData(camera, kind))
    assert reason(check_alarm, message, KINDS) == expected


OPENED = NOW - timedelta(days=2000)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, ("", "")),
        ({"closed_at": OPENED}, ("", "")),
        ({"incident": "LL2026112100010", "source": "urn:x", "message": "1"}, ("", "")),
        ({"case": " "}, ("empty_text", "data.case")),
        ({"unit": "\t"}, ("empty_text", "data.unit")),
        ({"stage": "　"}, ("empty_text", "data.stage")),
        ({"opened_at": datetime(1999, 12, 31, tzinfo=UTC)}, ("bad_time", "data.opened_at")),
        ({"opened_at": NOW + timedelta(hours=1)}, ("in_future", "data.opened_at")),
        ({"closed_at": NOW + timedelta(hours=1)}, ("in_future", "data.closed_at")),
        ({"closed_at": OPENED - timedelta(seconds=1)}, ("bad_time", "data.closed_at")),
        ({"source": "urn:x"}, ("half_reference", "data.message")),
        ({"message": "1", "source": " "}, ("half_reference", "data.source")),
    ],
)
def test_cases(data: dict[str, Any], expected: tuple[str, str]) -> None:
    given = {"case": "1", "unit": "U1", "stage": "立案", "opened_at": OPENED, **data}
    message = Message("1", "s", "1.0", "t", NOW, EnforcementCaseData(**given))
    assert reason(check_case, message, NOW.timestamp(), LIMITS) == expected
