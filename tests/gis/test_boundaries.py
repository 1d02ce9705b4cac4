"""Boundaries: what was wrong with a shape is told, gaps and overlaps are found where they are and as large as they are."""

from __future__ import annotations

import json
from random import Random

import coordTransform
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from gis.boundaries import BadShape, area_m2, topology, true_shape
from gis.cells import haversine_m
from gis.crs import gcj02_to_wgs84, wgs84_to_gcj02
from tests.product import ROOT
from tests.services import not_run

GEO = ROOT.parent / "shared" / "data" / "geo"
HECTARE = 0.001
"""Degrees of a square near the equator of 111 m × 110 m."""


def squares(columns: int, rows: int, side: float = HECTARE) -> dict[str, Polygon]:
    """A tiling: code → square."""
    return {
        f"{x}-{y}": box(x * side, y * side, (x + 1) * side, (y + 1) * side)
        for x in range(columns)
        for y in range(rows)
    }


def fit(shapes: dict[str, Polygon], whole: Polygon | None = None):  # type: ignore[no-untyped-def]
    return topology(list(shapes), list(shapes.values()), whole)


def test_a_tiling_fits() -> None:
    tiles = squares(4, 3)
    found = fit(tiles, box(0, 0, 4 * HECTARE, 3 * HECTARE))
    assert (found.overlaps, found.gaps, found.outside, found.slivers) == ((), (), (), 0)


def test_a_hole_is_a_gap_with_its_neighbours_whether_or_not_the_whole_is_known() -> None:
    tiles = squares(3, 3)
    missing = tiles.pop("1-1")
    for whole in (None, box(0, 0, 3 * HECTARE, 3 * HECTARE)):
        found = fit(tiles, whole)
        (gap,) = found.gaps
        assert gap.area_m2 == pytest.approx(area_m2(missing), rel=1e-6)
        assert missing.contains(Point(gap.lon, gap.lat))
        assert set(gap.codes) >= {"0-1", "1-0", "2-1", "1-2"}
        assert not found.overlaps and not found.outside


def test_an_area_within_a_hole_is_no_gap() -> None:
    ring = box(0, 0, 3, 3).difference(box(1, 1, 2, 2))
    assert fit({"ring": ring, "island": box(1, 1, 2, 2)}).gaps == ()
    (gap,) = fit({"ring": ring, "island": box(1.25, 1.25, 1.75, 1.75)}).gaps
    assert gap.area_m2 == pytest.approx(
        area_m2(box(1, 1, 2, 2)) - area_m2(box(1.25, 1.25, 1.75, 1.75)), rel=1e-9
    )


def test_overlaps_and_what_reaches_out_name_whose_they_are() -> None:
    tiles = squares(2, 1)
    tiles["1-0"] = box(0.9 * HECTARE, 0, 2.1 * HECTARE, HECTARE)
    found = fit(tiles, box(0, 0, 2 * HECTARE, HECTARE))
    (overlap,), (outside,) = found.overlaps, found.outside
    assert set(overlap.codes) == {"0-0", "1-0"} and outside.codes == ("1-0",)
    tenth = area_m2(box(0, 0, 0.1 * HECTARE, HECTARE))
    assert overlap.area_m2 == pytest.approx(tenth, rel=1e-6) == outside.area_m2


def test_roundings_are_counted_and_not_listed() -> None:
    tiles = squares(2, 1)
    tiles["1-0"] = box(HECTARE + 1e-8, 0, 2 * HECTARE, HECTARE)
    found = fit(tiles, box(0, 0, 2 * HECTARE, HECTARE))
    assert found.gaps == () and found.slivers == 1


@given(st.data())
def test_gaps_and_overlaps_balance(data: st.DataObject) -> None:
    """Covered once = the whole − gaps; the areas' sum = the whole − gaps + overlaps + outside (pairs only)."""
    tiles = squares(4, 2)
    whole = box(0, 0, 4 * HECTARE, 2 * HECTARE)
    for code in data.draw(st.lists(st.sampled_from(sorted(tiles)), max_size=3, unique=True)):
        del tiles[code]
    grown = data.draw(st.sampled_from([*sorted(tiles)]))
    by = data.draw(st.floats(0.05, 0.4)) * HECTARE
    west, south, east, north = tiles[grown].bounds
    tiles[grown] = box(west - by, south, east, north)
    found = fit(tiles, whole)
    total = sum(area_m2(tile) for tile in tiles.values())
    parts = {name: sum(s.area_m2 for s in getattr(found, name)) for name in ("gaps", "overlaps", "outside")}
    assert total == pytest.approx(
        area_m2(whole) - parts["gaps"] + parts["overlaps"] + parts["outside"], rel=1e-6, abs=5.0
    )


def test_area_of_a_known_square() -> None:
    # One degree by one at the equator on WGS84 (GeographicLib's planimeter): 12308.78 km².
    assert area_m2(box(0, 0, 1, 1)) / 1e6 == pytest.approx(12308.778, abs=0.01)
    reversed_hole = Polygon(box(0, 0, 1, 1).exterior.coords, [box(0.2, 0.2, 0.4, 0.4).exterior.coords])
    expected = area_m2(box(0, 0, 1, 1)) - area_m2(box(0.2, 0.2, 0.4, 0.4))
    assert area_m2(reversed_hole) == pytest.approx(expected, rel=1e-12)


def test_what_was_mended_is_told() -> None:
    spike = Polygon([(0, 0), (1, 0), (1, 1), (0.5, 1), (0.5, 1.2), (0.5, 1), (0, 1)])
    shape, words = true_shape("EPSG:4326", spike)
    assert shape.is_valid and "Self-intersection" in words and "area changed by +0 m²" in words
    assert true_shape("EPSG:4490", box(113, 22, 114, 23))[1] == ""


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (Point(1, 1), "must be a polygon"),
        (LineString([(0, 0), (1, 1)]), "must be a polygon"),
        (Polygon(), "must be a polygon"),
        (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "would change its area"),
        (Polygon([(0, 0), (1, 1), (0, 0), (0, 0)]), "nothing with an area"),
        (box(500000, 2400000, 510000, 2410000), "must be degrees"),
        (Polygon([(0, 0), (float("nan"), 0), (1, 1)]), "finite"),
    ],
)
def test_shapes_no_area_can_have(shape: shapely.Geometry, why: str) -> None:
    with pytest.raises(BadShape, match=why):
        true_shape("EPSG:4326", shape)


def test_points_and_lines_beside_polygons_are_left_out() -> None:
    mixed = GeometryCollection([Point(0, 0), MultiPolygon([box(0, 0, 1, 1)]), LineString([(0, 0), (2, 2)])])
    assert true_shape("EPSG:4326", mixed)[0].equals(box(0, 0, 1, 1))


def far_apart_m(lon: np.ndarray, lat: np.ndarray, others: list[tuple[float, float]]) -> float:
    """Metres between points of ours and those of another library (lat, lon), at worst."""
    there = np.array(others)
    return float(haversine_m(lon, lat, there[:, 1], there[:, 0]).max())


def theirs_to_wgs84(lon: float, lat: float) -> tuple[float, float]:
    """By coordTransform's own way there, followed back (its own way back stops some metres away)."""
    x, y = lon, lat
    for _ in range(10):
        there = coordTransform.wgs84_to_gcj02(x, y)
        x, y = x - (there[0] - lon), y - (there[1] - lat)
    return y, x


def compared_with_another(lon: np.ndarray, lat: np.ndarray) -> None:
    """`lon`, `lat`: GCJ-02. Issue C "Must show" 8: at most 1 m apart, at most 0.5 m there and back."""
    ours = gcj02_to_wgs84(lon, lat)
    theirs = [theirs_to_wgs84(float(x), float(y)) for x, y in zip(lon, lat, strict=True)]
    apart = far_apart_m(*ours, theirs)
    back = float(haversine_m(*wgs84_to_gcj02(*ours), lon, lat).max())
    print(
        f"{len(lon)} points: {apart:.6f} m from coordTransform at most, {back:.9f} m there and back at most"
    )
    assert apart <= 1.0 and back <= 0.5


def test_gcj02_beside_an_independent_library() -> None:
    rng = Random(8)
    points = np.array([(rng.uniform(80, 125), rng.uniform(20, 45)) for _ in range(2_000)])
    compared_with_another(points[:, 0], points[:, 1])


@pytest.mark.parametrize("city", ["440700", "441500", "441600", "441800", "445200"])
def test_gcj02_of_real_boundaries_beside_an_independent_library(city: str) -> None:
    if not GEO.exists():
        not_run("real boundaries (../shared/data absent)")
    told = json.loads((GEO / f"counties_{city}_gcj02.json").read_text(encoding="utf-8"))
    shapes = [shapely.from_geojson(json.dumps(f["geometry"])) for f in told["features"]]
    points = shapely.get_coordinates(shapes)
    assert len(points) >= 1_000
    compared_with_another(points[:, 0], points[:, 1])
