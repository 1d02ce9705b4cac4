"""Figures are told when they change, always for the city, and often enough that none looks old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from data.figures_told import FiguresTold
from incidents.indicators import INDICATORS

NOW = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)
CITY = "1/"


def figure(area: str, value: float, at: datetime) -> dict[str, Any]:
    return {"key": f"open@{area}", "area": area, "value": value, "as_of": int(at.timestamp() * 1000)}


@given(st.lists(st.tuples(st.sampled_from(["1/", "1/2/", "1/3/"]), st.integers(0, 2)), max_size=60))
def test_a_screen_knows_every_value_and_none_looks_old(steps: list[tuple[str, int]]) -> None:
    told = FiguresTold(CITY)
    values = {"1/": 0, "1/2/": 0, "1/3/": 0}
    shown: dict[str, dict[str, Any]] = {}
    limit_s = min(i.limit_s for i in INDICATORS)
    for n, (area, value) in enumerate(steps):
        values[area] = value
        now = NOW + timedelta(seconds=5 * n)
        for item in told.worth_telling([figure(a, v, now) for a, v in values.items()], now):
            shown[item["area"]] = item
        assert {a: i["value"] for a, i in shown.items()} == values
        assert all(now.timestamp() * 1000 - i["as_of"] < limit_s * 1000 - 5000 for i in shown.values())
        assert shown[CITY]["as_of"] == int(now.timestamp() * 1000)


def test_what_did_not_change_is_not_told_again_at_once_but_all_is_after_a_loss() -> None:
    told = FiguresTold(CITY)
    items = [figure("1/", 1, NOW), figure("1/2/", 1, NOW)]
    assert list(told.worth_telling(items, NOW)) == items
    assert list(told.worth_telling(items, NOW + timedelta(seconds=5))) == items[:1]
    assert list(told.worth_telling(items, NOW + timedelta(seconds=15))) == items
    told.forget()
    assert list(told.worth_telling(items, NOW + timedelta(seconds=16))) == items
