"""Shapes drawn on the map: distances against the sphere, what is inside against geometry done another way."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.cells import haversine_m
from gis.shapes import MOST_CORNERS, BadShape, along, circle, polygon

lons = st.floats(113.7, 114.1)
lats = st.floats(21.7, 22.1)


@given(lons, lats, st.lists(st.tuples(lons, lats), min_size=1, max_size=40), st.floats(50, 20_000))
def test_a_circle_holds_what_the_sphere_says(
    lon: float, lat: float, points: list[tuple[float, float]], radius: float
) -> None:
    x, y = (np.array(v) for v in zip(*points, strict=True))
    found = circle(lon, lat, radius).distances_m(x, y)
    true = haversine_m(lon, lat, x, y)
    for away, metres in zip(found, true, strict=True):
        if metres < radius * 0.998:
            assert away == pytest.approx(metres, rel=2e-3, abs=0.5)
        elif metres > radius * 1.002 + 0.5:
            assert np.isnan(away)


def test_what_lies_in_a_shape_lies_in_its_bounds() -> None:
    drawn = circle(113.9, 21.9, 1500)
    west, south, east, north = drawn.bounds()
    assert haversine_m(113.9, 21.9, east, 21.9) == pytest.approx(1500, rel=1e-3)
    assert haversine_m(113.9, 21.9, 113.9, north) == pytest.approx(1500, rel=1e-3)
    assert west < 113.9 < east and south < 21.9 < north


def test_a_polygon_holds_its_inside_only_by_distance_from_its_middle() -> None:
    square = polygon([(113.90, 21.90), (113.92, 21.90), (113.92, 21.92), (113.90, 21.92)])
    found = square.distances_m(np.array([113.91, 113.9199, 113.93]), np.array([21.91, 21.9199, 21.91]))
    assert found[0] < 1
    assert found[1] == pytest.approx(float(haversine_m(113.91, 21.91, 113.9199, 21.9199)), rel=1e-3)
    assert np.isnan(found[2])


def test_along_a_road_is_as_far_to_both_sides() -> None:
    road = along([shapely.LineString([(113.90, 21.90), (113.92, 21.90)])], 100)
    degree = 111_195.0
    lat = np.array([21.90 + 99 / degree, 21.90 - 99 / degree, 21.90 + 101 / degree])
    found = road.distances_m(np.full(3, 113.91), lat)
    assert found[:2] == pytest.approx([99, 99], abs=0.5) and np.isnan(found[2])


@pytest.mark.parametrize(
    ("corners", "says"),
    [
        ([(113.9, 21.9), (113.91, 21.9)], "3 to"),
        ([(113.9, 21.9)] * (MOST_CORNERS + 1), "3 to"),
        ([(113.9, 21.9), (113.92, 21.92), (113.92, 21.9), (113.9, 21.92)], "cross"),
        ([(113.9, 21.9), (113.91, 21.9), (113.92, 21.9)], "no area"),
    ],
)
def test_corners_that_make_no_polygon_are_refused(corners: list[tuple[float, float]], says: str) -> None:
    with pytest.raises(BadShape, match=says):
        polygon(corners)


@pytest.mark.parametrize("radius", [0.0, -1.0, 20_001.0, float("nan")])
def test_a_radius_that_cannot_be_is_refused(radius: float) -> None:
    with pytest.raises(BadShape, match="radius_m"):
        circle(113.9, 21.9, radius)
