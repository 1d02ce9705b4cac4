"""The layer tree: the ten sectors of the plan, everything of the sample city in exactly one place."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data.sample_city import read_city
from gis.layer_tree import HEIGHTS, Group, tree_of

WRITTEN: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "data" / "map_layers.toml").read_text(encoding="utf-8")
)


def sample() -> list[Group]:
    counts: Counter[tuple[str, str]] = Counter()
    counts.update(("devices", d.type) for d in read_city.read_devices())
    counts.update(("cameras", c.sector) for c in read_city.read_cameras())
    counts.update(("components", c.subclass) for c in read_city.read_components())
    return [Group(kind, group, group, "", n) for (kind, group), n in counts.items()]


def test_the_ten_sectors_stand_in_the_order_of_the_plan() -> None:
    names = [branch["name"] for branch in tree_of(WRITTEN).branches([])]
    assert names == ["应急", "消防", "水利", "城管", "住建", "交通", "环保", "警务", "市场监管", "社会组织"]


def test_every_thing_of_the_sample_city_is_in_one_sector() -> None:
    groups = sample()
    branches = tree_of(WRITTEN).branches(groups)
    shown = Counter({(row["kind"], row["group"]): row["count"] for b in branches for row in b["layers"]})
    assert "other" not in [b["id"] for b in branches]
    assert shown == Counter({(g.kind, g.group): g.count for g in groups})
    assert all(b["count"] == sum(row["count"] for row in b["layers"]) for b in branches)


def test_heights_split_what_lies_below_from_what_stands_above() -> None:
    heights = {g.group: tree_of(WRITTEN).height(g.group) for g in sample()}
    assert set(heights.values()) == set(HEIGHTS)
    assert heights["manhole_cover"] == heights["燃气井盖"] == "underground"
    assert heights["street_lamp"] == "above" and heights["road_flood"] == "surface"


def test_what_no_sector_names_is_shown_last_and_not_lost() -> None:
    branches = tree_of(WRITTEN).branches([Group("devices", "ufo", "飞碟", "", 3)])
    assert [b["count"] for b in branches] == [0] * 10 + [3]
    assert branches[-1]["id"] == "other"


def test_a_group_in_two_sectors_is_refused() -> None:
    sectors = [{**s} for s in WRITTEN["sectors"]]
    sectors[1]["devices"] = [*sectors[1]["devices"], "slope_tilt"]
    with pytest.raises(ValueError, match="slope_tilt"):
        tree_of({**WRITTEN, "sectors": sectors})
    with pytest.raises(ValueError, match="two heights"):
        tree_of({**WRITTEN, "surface": [*WRITTEN["surface"], "manhole_cover"]})
