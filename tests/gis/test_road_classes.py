"""The class of the road that a point lies at."""

from __future__ import annotations

from shapely.geometry import LineString

from gis.road_classes import RoadClasses
from gis.shifted import AT_ROAD_M

METRE = 1 / 111_195
"""Degrees of latitude."""
ROADS = RoadClasses(
    {
        "arterial": [LineString([(113.90, 21.90), (113.92, 21.90)])],
        "local": [LineString([(113.91, 21.90), (113.91, 21.92)])],
    }
)


def test_the_nearest_road_tells_where_no_other_class_is_as_near() -> None:
    assert ROADS.class_at(113.901, 21.90 + 10 * METRE, 15) == "arterial"
    assert ROADS.class_at(113.91, 21.91, 15) == "local"


def test_at_a_crossing_and_with_a_rough_place_nobody_knows() -> None:
    assert ROADS.class_at(113.91, 21.90 + 5 * METRE, 15) == ""
    assert ROADS.class_at(113.91, 21.90 + 25 * METRE, 15) == "local"
    assert ROADS.class_at(113.901, 21.90, 2000) == "", (
        "the other road is not farther off than the place is sure"
    )


def test_away_from_roads_there_is_none() -> None:
    assert ROADS.class_at(113.901, 21.90 + (AT_ROAD_M - 1) * METRE, 15) == "arterial"
    assert ROADS.class_at(113.901, 21.90 + (AT_ROAD_M + 1) * METRE, 15) == ""
    assert RoadClasses({}).class_at(113.901, 21.90, 15) == ""
