"""Buildings of the sample city: always the same, on dry land, beside the streets, none on another."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from data.sample_city import read_city
from data.sample_city.buildings import CARRIAGEWAY_M, STOREY_M, Building, make_buildings
from gis.borders import METRES_PER_DEGREE
from incidents.address_book import Address


def book() -> list[Address]:
    """Addresses as the book has them: towers in rows at communities, and a number each 12 m along streets."""
    towers = [
        Address("building", place.name, place.lon + n % 3 * 0.00045, place.lat + n // 3 * 0.00045, place.area_path, str(n + 1))
        for place in read_city.read_places()
        if place.kind == "小区"
        for n in range(6)
    ]  # fmt: skip
    numbers = [
        Address("number", edge.name, *edge.geometry.coords[0], "990100/", str(n))
        for n, edge in enumerate(read_city.read_road_edges())
    ]
    return [*towers, *numbers]


@pytest.fixture(scope="module")
def buildings() -> list[Building]:
    return make_buildings(
        book(), read_city.read_places(), read_city.read_road_edges(), read_city.read_water()
    )


def test_the_same_book_gives_the_same_buildings(buildings: list[Building]) -> None:
    again = make_buildings(
        book(), read_city.read_places(), read_city.read_road_edges(), read_city.read_water()
    )
    assert len(buildings) > 1000 and again == buildings
    assert len({b.code for b in buildings}) == len(buildings)


def test_none_stands_on_another_on_a_street_or_in_water(buildings: list[Building]) -> None:
    shapes = np.array([b.footprint for b in buildings], dtype=object)
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    assert (one == other).all()
    streets = shapely.STRtree([road.geometry for road in read_city.read_road_edges()])
    reach = CARRIAGEWAY_M / METRES_PER_DEGREE
    assert not len(streets.query(shapes, predicate="dwithin", distance=reach * 0.99)[0])
    water = shapely.union_all([w.geometry for w in read_city.read_water()])
    assert not shapely.intersects(water, shapes).any()


def test_heights_are_storeys_and_sizes_are_those_of_houses(buildings: list[Building]) -> None:
    for building in buildings:
        assert building.height_m == round(building.floors * STOREY_M, 1) and 1 <= building.floors <= 32
        lat = building.footprint.centroid.y
        square = METRES_PER_DEGREE**2 * np.cos(np.radians(lat))
        assert 80 < building.footprint.area * square < 4000, building
    assert {"homes", "school", "hospital", "works"} <= {b.use for b in buildings}
