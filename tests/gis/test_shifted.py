"""Points that look shifted: found in a city of real density for every kind of shift, and never where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import shapely

from data.sample_city.read_city import FILES, read_road_edges
from gis.cells import haversine_m
from gis.crs import bd09_to_wgs84, gcj02_to_wgs84, wgs84_to_bd09, wgs84_to_gcj02
from gis.shifted import FEWEST, Roads, suspicion

LINES = [edge.geometry for edge in read_road_edges(FILES)]
ROADS = Roads(LINES)


def along_roads(n: int, seed: int, error_m: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """Places at roads, with the error of a phone's position."""
    rng = np.random.default_rng(seed)
    lines = np.array(LINES, dtype=object)[rng.integers(0, len(LINES), n)]
    at = shapely.get_coordinates(shapely.line_interpolate_point(lines, rng.random(n), normalized=True))
    error = rng.normal(0, error_m, (n, 2)) / 111_195 / [np.cos(np.radians(21.9)), 1]
    return at[:, 0] + error[:, 0], at[:, 1] + error[:, 1]


@pytest.mark.parametrize(
    ("told", "reading"),
    [(wgs84_to_gcj02, "GCJ-02"), (wgs84_to_bd09, "BD-09"), (gcj02_to_wgs84, "corrected twice")],
)
@pytest.mark.parametrize("seed", range(5))
def test_every_shift_is_found(
    told: Callable[..., tuple[np.ndarray, np.ndarray]], reading: str, seed: int
) -> None:
    found = suspicion(*told(*along_roads(300, seed)), ROADS)
    assert found is not None and found.reading == reading
    assert found.points == 300 and found.share_then > 0.9 > 2 * found.share_now


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_said_where_nothing_is_wrong(seed: int) -> None:
    assert suspicion(*along_roads(500, seed), ROADS) is None
    rng = np.random.default_rng(seed)
    west, south, east, north = shapely.total_bounds(LINES)
    anywhere = rng.uniform(west, east, 3_000), rng.uniform(south, north, 3_000)
    assert suspicion(*anywhere, ROADS) is None, "things that do not lie at roads"


def test_half_of_a_source_shifted_is_found() -> None:
    lon, lat = along_roads(400, 3)
    shifted = wgs84_to_gcj02(lon[:200], lat[:200])
    mixed = np.concatenate((shifted[0], lon[200:])), np.concatenate((shifted[1], lat[200:]))
    assert suspicion(*mixed, ROADS) is None, "the other half would be torn off: no reading is better for all"
    most = wgs84_to_gcj02(lon[:340], lat[:340])
    mixed = np.concatenate((most[0], lon[340:])), np.concatenate((most[1], lat[340:]))
    found = suspicion(*mixed, ROADS)
    assert found is not None and found.reading == "GCJ-02"


def test_few_points_and_one_place_named_often_say_nothing() -> None:
    lon, lat = wgs84_to_gcj02(*along_roads(FEWEST - 1, 1))
    assert suspicion(lon, lat, ROADS) is None
    assert suspicion(np.repeat(lon, 50), np.repeat(lat, 50), ROADS) is None
    assert suspicion(np.full(500, np.nan), np.full(500, np.nan), ROADS) is None


def test_distance_is_in_metres() -> None:
    roads = Roads([shapely.LineString([(113.0, 22.0), (113.1, 22.0)])])
    (found,) = roads.distance_m(113.05, 22.001)
    assert found == pytest.approx(float(haversine_m(113.05, 22.001, 113.05, 22.0)), rel=1e-3)
    with pytest.raises(ValueError, match="at least one"):
        Roads([])


def test_bd09_is_not_taken_for_gcj02() -> None:
    lon, lat = along_roads(300, 9)
    assert np.allclose(bd09_to_wgs84(*wgs84_to_bd09(lon, lat)), (lon, lat), atol=1e-9)
    found = suspicion(*wgs84_to_bd09(lon, lat), ROADS)
    assert found is not None and found.reading == "BD-09"
