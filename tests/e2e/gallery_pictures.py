"""Pictures of walls and phones for docs/gallery.md, run by name: their own tests look at them at every run.

UPDATE_GALLERY=1 pytest tests/e2e/test_gallery.py tests/e2e/gallery_pictures.py
"""

from __future__ import annotations

import re
from contextlib import closing
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from incidents.screens import SCENES, SIZES
from tests.e2e.browser import PHONE_SIZE, at_terminal
from tests.e2e.conftest import Running
from tests.e2e.lively import enliven
from tests.e2e.test_gallery import keep
from tests.e2e.test_screens import sharp
from tests.e2e.test_wall import FITTED, drawn, screen

PROFILES: Final = ("embedded",)
LANGS: Final = ("zh", "en")
WALLS: Final = {
    "1920x1080": SCENES,
    **{size: ("overview", "emergency") for size in SIZES if size != "1920x1080"},
}
"""Size → its scenes that are pictured."""

PHONES: Final = {"tasks": "", "task/{id}": "", "report": "", "me": "", "command": "leader"}
"""Page of the phone → who holds it; '' is the worker who has tasks."""


@pytest.fixture(scope="module")
def city(running: Running) -> Running:
    """The running product, its city at work."""
    enliven(running)
    return running


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("size", WALLS)
def test_walls_are_pictured(city: Running, chrome: Browser, size: str, lang: str) -> None:
    with screen(city, chrome, size, lang=lang) as (number, wall, leader):
        drawn(wall.page)
        for scene in WALLS[size]:
            leader.command("send_to_screen", screen=number, scene=scene).raise_for_status()
            expect(wall.page.locator("[data-canvas]")).to_have_attribute("data-scene", scene)
            wall.page.wait_for_function(FITTED)
            sharp(wall.page, "[data-place='map']")
            keep(wall.page, f"wall-{size}-{scene}.{lang}")


@pytest.mark.parametrize("lang", LANGS)
def test_phones_are_pictured(city: Running, chrome: Browser, lang: str) -> None:
    with closing(city.person("dispatcher")) as dispatcher:
        rows = dispatcher.ask("incidents", limit=200).raise_for_status().json()["rows"]
    task = next(row for row in rows if row["stage"] == "on_site" and row["worker"])
    for page_, login in PHONES.items():
        with at_terminal(chrome, city.url, page_, PHONE_SIZE, touch=True) as phone:
            city.sign_in(phone.context, login or task["worker"])
            phone.context.add_cookies([{"name": "chengyun_lang", "value": lang, "url": city.url}])
            hash_ = "#/" + page_.format(id=task["id"])
            phone.page.goto(f"{city.url}/phone{hash_}")
            expect(phone.page.locator("#ph-main")).to_have_attribute("data-page", hash_)
            expect(phone.page.locator("#ph-link")).to_have_text(re.compile("^(实时|Live)$"))
            expect(
                phone.page.locator("#ph-main .cy-empty", has_text=re.compile("加载中|Loading"))
            ).to_have_count(0)
            phone.stay()
            keep(phone.page, f"phone-{page_.split('/')[0]}.{lang}")
