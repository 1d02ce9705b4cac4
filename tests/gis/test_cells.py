"""Point → cell against the slow, obvious way; ties; distances."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.cells import NOWHERE, CellIndex, haversine_m

SIDE = 6
SQUARES = [shapely.box(x, y, x + 1, y + 1) for y in range(SIDE) for x in range(SIDE)]
INDEX = CellIndex([f"c{i:02d}" for i in range(len(SQUARES))], SQUARES)


def slow(x: float, y: float) -> int:
    point = shapely.Point(x, y)
    return next((i for i, square in enumerate(SQUARES) if square.intersects(point)), NOWHERE)


# Halves and wholes: most points fall on an edge or a corner, where the rule of ties must decide.
NEAR = st.one_of(st.integers(-2, 2 * SIDE + 2).map(lambda n: n / 2), st.floats(-1, SIDE + 1))


@settings(max_examples=300)
@given(st.lists(st.tuples(NEAR, NEAR), min_size=1, max_size=30))
def test_same_as_looking_at_every_cell(points: list[tuple[float, float]]) -> None:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    assert INDEX.locate(xs, ys).tolist() == [slow(x, y) for x, y in points]


def test_lowest_index_wins_on_a_shared_edge_and_corner() -> None:
    assert INDEX.code_at(1.0, 0.5) == "c00"
    assert INDEX.code_at(1.0, 1.0) == "c00"
    assert INDEX.code_at(SIDE, SIDE) == f"c{SIDE * SIDE - 1:02d}"


def test_nowhere() -> None:
    assert INDEX.code_at(-0.1, 0.5) == ""
    assert INDEX.locate([math.nan, math.inf, 0.5], [0.5, 0.5, math.nan]).tolist() == [NOWHERE] * 3
    assert INDEX.locate([], []).tolist() == []
    assert CellIndex([], []).locate([1.0], [1.0]).tolist() == [NOWHERE]


def test_codes_and_polygons_must_match() -> None:
    with pytest.raises(ValueError, match="2 codes for 1 polygons"):
        CellIndex(["a", "b"], [shapely.box(0, 0, 1, 1)])


def test_haversine_knows_the_length_of_a_degree() -> None:
    degree = 2 * math.pi * 6_371_008.8 / 360
    assert float(haversine_m(0, 0, 0, 1)) == pytest.approx(degree)
    assert float(haversine_m(10, 60, 11, 60)) == pytest.approx(degree / 2, rel=1e-4)
    assert float(haversine_m(0, 0, 180, 0)) == pytest.approx(180 * degree)
    assert haversine_m(np.zeros(3), np.zeros(3), np.zeros(3), [0, 1, 2]).shape == (3,)
