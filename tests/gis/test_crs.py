"""GCJ-02 and BD-09: known points, and forward ∘ inverse = identity everywhere in China."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis import crs
from gis.cells import haversine_m

IN_CHINA = (st.floats(73.5, 134.5), st.floats(4.0, 53.5))


def metres(a: crs.Pair, b: crs.Pair) -> float:
    return float(np.max(haversine_m(a[0], a[1], b[0], b[1])))


@pytest.mark.parametrize(
    ("lon", "lat", "gcj_lon", "gcj_lat"),
    [
        # Published test vectors of the common open implementations (coordtransform, eviltransform).
        (116.404, 39.915, 116.41024449916938, 39.91640428150164),
        (121.5, 31.2, 121.50451, 31.19806),
        (113.9, 21.9, 113.90488, 21.89735),
    ],
)
def test_known_points(lon: float, lat: float, gcj_lon: float, gcj_lat: float) -> None:
    assert metres(crs.wgs84_to_gcj02(lon, lat), (np.asarray(gcj_lon), np.asarray(gcj_lat))) < 40.0


def test_the_published_vector_exactly() -> None:
    x, y = crs.wgs84_to_gcj02(116.404, 39.915)
    assert (float(x), float(y)) == pytest.approx((116.41024449916938, 39.91640428150164), abs=1e-12)
    bx, by = crs._gcj02_to_bd09(np.asarray(116.404), np.asarray(39.915))
    assert (float(bx), float(by)) == pytest.approx((116.41036949371029, 39.92133699351022), abs=1e-12)


@given(*IN_CHINA)
def test_gcj02_inverse_is_exact(lon: float, lat: float) -> None:
    shifted = crs.wgs84_to_gcj02(lon, lat)
    assert metres(shifted, (np.asarray(lon), np.asarray(lat))) > 50.0, "in China GCJ-02 is always far off"
    assert metres(crs.gcj02_to_wgs84(*shifted), (np.asarray(lon), np.asarray(lat))) < 1e-6


@given(*IN_CHINA)
def test_bd09_inverse_is_exact(lon: float, lat: float) -> None:
    assert metres(crs.bd09_to_wgs84(*crs.wgs84_to_bd09(lon, lat)), (np.asarray(lon), np.asarray(lat))) < 1e-6


@given(st.floats(-180, 180), st.floats(-85, 85))
def test_outside_china_nothing_moves(lon: float, lat: float) -> None:
    west, south, east, north = crs.CHINA_BOX
    if west - 1 <= lon <= east + 1 and south - 1 <= lat <= north + 1:
        return
    for there in (crs.wgs84_to_gcj02, crs.gcj02_to_wgs84):
        x, y = there(lon, lat)
        assert (float(x), float(y)) == (lon, lat)


def test_arrays_and_scalars_agree_even_beside_points_abroad() -> None:
    lon, lat = np.array([113.9, 2.35, 116.4, -74.0]), np.array([21.9, 48.85, 39.9, 40.7])
    x, y = crs.gcj02_to_wgs84(lon, lat)
    for i in range(len(lon)):
        one = crs.gcj02_to_wgs84(lon[i], lat[i])
        assert metres((x[i], y[i]), one) < 1e-6


def test_names() -> None:
    x, y = crs.to_wgs84("EPSG:4490", 113.9, 21.9)
    assert (float(x), float(y)) == (113.9, 21.9)
    x, y = crs.to_wgs84("GCJ-02", *crs.wgs84_to_gcj02(113.9, 21.9))
    assert metres((x, y), (np.asarray(113.9), np.asarray(21.9))) < 1e-6
    with pytest.raises(crs.UnknownCrs, match=r"crs='EPSG:3857': must be one of EPSG:4326"):
        crs.to_wgs84("EPSG:3857", 0, 0)


def test_empty_arrays() -> None:
    x, y = crs.bd09_to_wgs84(np.array([]), np.array([]))
    assert x.shape == y.shape == (0,)
