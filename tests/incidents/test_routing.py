"""Routing by class × grid, ranking of workers, incident numbers, arithmetic of the indicators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median as true_median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.indicators import BY_ID, INDICATORS, Value, ancestors, count, middle, share
from incidents.model import Place
from incidents.numbering import BadPattern, incident_number
from incidents.routing import STALE_POSITION, Candidate, rank
from tests.small_city import CELL, CITY, DISTRICT, GRID, TOWN, VILLAGE

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PLACE = Place(113.9, 21.9, "", "c", CELL)


def worker(login: str, **more: object) -> Candidate:
    base: dict[str, object] = {"on_duty": True, "open_tasks": 0}
    return Candidate(login, login, "U1", **{**base, **more})  # type: ignore[arg-type]


def test_workers_ranked_with_reasons() -> None:
    near = {"lon": 113.901, "lat": 21.9, "located_at": NOW - timedelta(minutes=1)}
    far = {"lon": 113.95, "lat": 21.9, "located_at": NOW - timedelta(minutes=1)}
    stale = {"lon": 113.9, "lat": 21.9, "located_at": NOW - STALE_POSITION - timedelta(seconds=1)}
    found = rank(
        PLACE,
        [
            worker("g-off", on_duty=False, area_paths=(GRID,), **near),
            worker("f-unknown"),
            worker("e-stale", **stale),
            worker("d-far", **far),
            worker("c-near-busy", open_tasks=2, **near),
            worker("b-near", **near),
            worker("a-own", open_tasks=3, area_paths=(GRID,)),
        ],
        NOW,
    )
    assert [r.login[0] for r in found] == list("abdefcg")
    reasons = {r.login[0]: r.reasons for r in found}
    assert reasons["a"] == ("own_grid", "no_position", "busy")
    assert reasons["b"] == ("near", "free")
    assert reasons["d"] == ("far", "free")
    assert reasons["e"] == ("stale_position", "free")
    assert "off_duty" in reasons["g"]
    distance = {r.login[0]: r.distance_m for r in found}
    assert distance["e"] is None, "an old position is no position"
    assert distance["b"] == pytest.approx(103.2, abs=1.0)
    assert {r.login[0]: r.position_age_s for r in found}["e"] == STALE_POSITION.total_seconds() + 1


@given(st.permutations([worker(c, open_tasks=n % 3, on_duty=n % 2 == 0) for n, c in enumerate("abcdef")]))
def test_ranking_does_not_depend_on_the_order_asked(candidates: list[Candidate]) -> None:
    assert rank(PLACE, candidates, NOW) == rank(PLACE, sorted(candidates, key=lambda c: c.login), NOW)


# -- numbers -------------------------------------------------------------------------------------------------


def test_numbers_use_the_local_day() -> None:
    late = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)  # 00:30 of the 21st in Shanghai
    assert incident_number("LL{date}{serial:05d}", late, 42, "Asia/Shanghai") == "LL2026112100042"
    assert incident_number("{serial}/{date}", late, 7, "UTC") == "7/20261120"


@pytest.mark.parametrize("pattern", ["LL{date}", "{serial} {place}", "{serial:zz}", "{serial", "{serial}{"])
def test_a_bad_pattern_is_named(pattern: str) -> None:
    with pytest.raises(BadPattern) as bad:
        incident_number(pattern, NOW, 1, "UTC")
    assert "number_pattern" in str(bad.value)


# -- indicators ----------------------------------------------------------------------------------------------


def test_no_data_is_never_zero() -> None:
    assert share(0, 0) == Value(None, 0, 0)
    assert middle([]) == Value(None, None, 0)
    assert count(0) == Value(0, 0, None)


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_share(part: int, whole: int) -> None:
    value = share(min(part, whole), whole).value
    assert value is not None and 0 <= value <= 100
    assert value == pytest.approx(100 * min(part, whole) / whole, abs=0.005)
    assert share(whole, whole).value == 100


@given(st.lists(st.floats(0, 1e5), min_size=1))
def test_middle(values: list[float]) -> None:
    found = middle(values)
    assert found.denominator == len(values) and found.value == pytest.approx(true_median(values), abs=0.051)


def test_ancestors_end_at_the_village() -> None:
    assert ancestors(CELL) == [CITY, DISTRICT, TOWN, VILLAGE]
    assert ancestors(DISTRICT) == [CITY, DISTRICT]
    assert ancestors("") == []


def test_eight_panels_each_told_in_full() -> None:
    assert [i.id for i in INDICATORS] == list(BY_ID) == [
        "open", "overdue", "on_time_closing", "first_dispatch", "median_handling", "devices_online", "completeness",
        "newest_age",
    ]  # fmt: skip
    for i in INDICATORS:
        assert (
            i.name
            and i.name_en
            and i.unit
            and i.formula
            and i.formula_en
            and i.limit_s > 0
            and i.version >= 1
        )
        assert i.records in ("incidents", "devices", "feeds")
