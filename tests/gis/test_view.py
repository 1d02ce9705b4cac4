"""Does a camera see a point: against a geometry of vectors and against polygons, both made another way than the product's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gis.cells import EARTH_RADIUS_M
from gis.view import View, bearing_deg, nearest_seeing, off_axis_deg, sees, sights

LON, LAT = 113.9, 21.9
DEGREES = st.floats(0, 359.999, allow_nan=False)
FIELDS = st.one_of(st.floats(1, 359.9), st.just(360.0))
RANGES = st.floats(5, 2000)
OFFSETS = st.floats(-0.02, 0.02)


def unit(lon: float, lat: float) -> np.ndarray:
    """The point on the unit sphere."""
    a, b = math.radians(lon), math.radians(lat)
    return np.array([math.cos(b) * math.cos(a), math.cos(b) * math.sin(a), math.sin(b)])


def by_vectors(lon: float, lat: float, to_lon: float, to_lat: float) -> tuple[float, np.ndarray]:
    """(distance, the way there as (east, north) on the camera's tangent plane) with nothing but dot products."""
    here, there = unit(lon, lat), unit(to_lon, to_lat)
    a, b = math.radians(lon), math.radians(lat)
    east = np.array([-math.sin(a), math.cos(a), 0.0])
    north = np.array([-math.sin(b) * math.cos(a), -math.sin(b) * math.sin(a), math.cos(b)])
    angle = math.atan2(float(np.linalg.norm(np.cross(here, there))), float(here @ there))
    return angle * EARTH_RADIUS_M, np.array([there @ east, there @ north])


@given(DEGREES, FIELDS, RANGES, OFFSETS, OFFSETS)
@example(0.0, 90.0, 100.0, 0.0, 0.0005)
@example(359.0, 10.0, 2000.0, 0.0, 0.01)
@example(10.0, 359.0, 2000.0, -0.001, -0.0001)
def test_against_vectors(direction: float, field: float, reach: float, dx: float, dy: float) -> None:
    """In range, and the angle between the way there and the axis at most half the field; edges are left out."""
    distance, way = by_vectors(LON, LAT, LON + dx, LAT + dy)
    assume(abs(distance - reach) > 0.001 and distance > 0.1)
    axis = np.array([math.sin(math.radians(direction)), math.cos(math.radians(direction))])
    turn = math.degrees(math.acos(max(-1.0, min(1.0, float(way @ axis) / float(np.linalg.norm(way))))))
    assume(abs(turn - field / 2) > 1e-4)
    expected = distance <= reach and (field >= 360 or turn <= field / 2)
    assert sees(View(LON, LAT, direction, field, reach), LON + dx, LAT + dy) is expected


@given(DEGREES, st.floats(5, 170), st.floats(50, 2000), OFFSETS, OFFSETS)
def test_against_a_polygon(direction: float, field: float, reach: float, dx: float, dy: float) -> None:
    """The sector drawn as a polygon on a plane holds the same points, but for a hair at its edge."""
    metre = math.radians(1) * EARTH_RADIUS_M
    arc = np.radians(np.linspace(direction - field / 2, direction + field / 2, 721))
    sector = shapely.Polygon([(0, 0), *zip(reach * np.sin(arc), reach * np.cos(arc), strict=True)])
    point = shapely.Point(dx * metre * math.cos(math.radians(LAT)), dy * metre)
    # A plane is not a sphere: within 3 km they differ by less than a metre.
    assume(sector.exterior.distance(point) > 1.5)
    assert sees(View(LON, LAT, direction, field, reach), LON + dx, LAT + dy) is bool(sector.contains(point))


VIEWS = st.lists(
    st.builds(View, st.floats(LON - 0.01, LON + 0.01), st.floats(LAT - 0.01, LAT + 0.01), st.none() | DEGREES,
              st.none() | FIELDS, st.none() | RANGES),
    max_size=12,
)  # fmt: skip


@given(VIEWS, st.integers(0, 5))
def test_many_are_each_one(views: list[View], limit: int) -> None:
    """All cameras at once say what each says alone; the nearest come first, and no more than asked."""
    found = sights(views, LON, LAT)
    assert sorted(s.index for s in found) == list(range(len(views)))
    assert [s.distance_m for s in found] == sorted(s.distance_m for s in found)
    for sight in found:
        assert sight.sees == sees(views[sight.index], LON, LAT)
    assert nearest_seeing(views, LON, LAT, limit) == [s for s in found if s.sees][:limit]


@pytest.mark.parametrize(
    ("direction", "field", "reach", "seen"),
    [
        (0.0, 90.0, 200.0, True),
        (180.0, 90.0, 200.0, False),
        (180.0, 360.0, 200.0, True),
        (None, 360.0, 200.0, True),
        (None, 90.0, 200.0, False),
        (0.0, None, 200.0, False),
        (0.0, 90.0, None, False),
        (0.0, 90.0, 50.0, False),
        (350.0, 30.0, 200.0, True),
    ],
)
def test_a_point_to_the_north(
    direction: float | None, field: float | None, reach: float | None, seen: bool
) -> None:
    """111 m north of the camera; the unknown sees nothing, a dome needs no direction."""
    assert sees(View(LON, LAT, direction, field, reach), LON, LAT + 0.001) is seen


def test_its_own_spot() -> None:
    """A point where the camera stands has no bearing and is seen."""
    assert sees(View(LON, LAT, 90.0, 10.0, 100.0), LON, LAT)


def test_bearings() -> None:
    assert [round(float(bearing_deg(LON, LAT, LON + dx, LAT + dy))) for dx, dy in
            ((0, 0.01), (0.01, 0), (0, -0.01), (-0.01, 0))] == [0, 90, 180, 270]  # fmt: skip
    assert off_axis_deg([350, 10, 180, 0], [10, 350, 0, 180]).tolist() == [20, 20, 180, 180]


def test_nobody() -> None:
    assert sights([], LON, LAT) == [] and nearest_seeing([], LON, LAT, 3) == []
