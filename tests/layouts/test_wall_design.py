"""The wall's designs by arithmetic: everything inside one cell and clear of everything else, every slot filled in every scene."""

from __future__ import annotations

import itertools

import pytest

from data.sample_city import read_city
from incidents.screens import SCENES, SIZES
from layouts.text import LANGUAGES, t
from layouts.wall import wall
from layouts.wall_design import EDGE, PANELS, PANELS_OF, PROFILES, THEMES, Profile, Rect
from tests.layouts.test_pages import view, walk

MOST_HALF_SEAM = 4


def overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def panels(profile: Profile) -> list[Rect]:
    return [*profile.slots, profile.tiles]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_everything_lies_inside_one_cell(profile: Profile) -> None:
    columns, rows = SIZES[profile.name]
    width, height = profile.width // columns, profile.height // rows
    words = [profile.strip, profile.over, profile.foot, *panels(profile)]
    for x, y, w, h in [*words, *([profile.note] if profile.note else [])]:
        assert x // width == (x + w - 1) // width and y // height == (y + h - 1) // height, (x, y, w, h)
        for at, size, cell, whole in ((x, w, width, profile.width), (y, h, height, profile.height)):
            before, after = at % cell, cell - (at + size - 1) % cell - 1
            assert before > MOST_HALF_SEAM or at == 0
            assert after > MOST_HALF_SEAM or at + size == whole


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_nothing_covers_anything_else(profile: Profile) -> None:
    for a, b in itertools.combinations([*panels(profile), profile.map, profile.strip], 2):
        assert not overlap(a, b), (a, b)
    for x, y, w, h in panels(profile):
        assert x >= EDGE and y >= EDGE and x + w <= profile.width - EDGE and y + h <= profile.height - EDGE


def test_sizes_scenes_and_panels_belong_together() -> None:
    assert list(PROFILES) == list(SIZES) and list(PANELS_OF) == list(SCENES)
    most = max(len(profile.slots) for profile in PROFILES.values())
    for scene, names in PANELS_OF.items():
        assert len(set(names)) == len(names) >= most, scene
    drawn = [getattr(part, "data-panel", None) for part in walk(wall(view("zh", "wall")))]
    assert sorted(filter(None, drawn)) == sorted(PANELS), "every panel is in the page once, and no other"
    for lang in LANGUAGES:
        for scene in SCENES:
            t(lang, f"scene.{scene}")


def test_every_theme_watches_classes_that_the_city_has() -> None:
    codes = [one.code for one in read_city.read_event_classes()]
    for theme, beginnings in THEMES.items():
        for beginning in beginnings:
            assert any(code.startswith(beginning) for code in codes), (theme, beginning)
    claimed = [beginning for beginnings in THEMES.values() for beginning in beginnings]
    assert len(set(claimed)) == len(claimed), "no beginning belongs to two themes"
