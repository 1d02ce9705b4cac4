"""Every terminal with a city at work on it: pictures for the eye, no faults, and no Chinese left in English.

The pictures go to `tests/artifacts/<profile>/`; with UPDATE_SCREENS=1 those of the embedded profile also become
the ones of the README (`docs/screens/`, palette PNG).
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import (
    DESK_SIZE,
    HAN,
    LEADER_SIZE,
    PHONE_SIZE,
    WALL_SIZE,
    Terminal,
    at_terminal,
)
from tests.e2e.conftest import Running
from tests.e2e.lively import enliven

UPDATE: Final = os.environ.get("UPDATE_SCREENS") == "1"
SCREENS: Final = Path(__file__).resolve().parents[2] / "docs" / "screens"
PROFILES: Final = ("embedded",)
MOST_BYTES: Final = 400_000
COMPLETE_S: Final = 20 * 60.0

UI_HAN: Final = """(data) => {
  const han = /[\\u3400-\\u9fff]/;
  const found = new Set();
  for (const element of document.querySelectorAll('body, body *')) {
    if (element.closest(data) || !element.checkVisibility()) continue;
    for (const node of element.childNodes) {
      if (node.nodeType === Node.TEXT_NODE && han.test(node.textContent)) found.add(node.textContent.trim());
    }
    for (const name of ['title', 'aria-label', 'placeholder', 'alt']) {
      const value = element.getAttribute(name);
      if (value && han.test(value)) found.add(`${name}=${value}`);
    }
  }
  return [...found];
}"""
"""Visible Chinese of a page outside of the elements that show data."""


@pytest.fixture(scope="module")
def city(running: Running) -> Running:
    """The running product, its city at work."""
    enliven(running)
    return running


def sharp(page: Page, selector: str, seconds: float = 120.0) -> None:
    """Until the map is drawn: bright pixels are there, and no more come."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    deadline, before = time.monotonic() + seconds, -1.0
    while True:
        shot = page.screenshot(
            clip={"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
        )
        pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("L"))
        bright = float((pixels > 70).mean())
        if bright > 0.01 and abs(bright - before) < 0.02 * bright:
            return
        assert time.monotonic() < deadline, f"{selector} is not drawn after {seconds:g} s: {bright:.4f}"
        before = bright


def keep(running: Running, page: Page, name: str) -> None:
    """The picture among the artifacts; with UPDATE_SCREENS=1 among the documents."""
    shot = page.screenshot()
    (running.artifacts / f"{name}.png").write_bytes(shot)
    if UPDATE and running.profile == "embedded":
        SCREENS.mkdir(parents=True, exist_ok=True)
        small = io.BytesIO()
        picture = Image.open(io.BytesIO(shot)).convert("RGB")
        picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            small, "PNG", optimize=True
        )
        assert len(small.getvalue()) < MOST_BYTES, f"{name}.png: {len(small.getvalue())} bytes"
        (SCREENS / f"{name}.png").write_bytes(small.getvalue())


@contextmanager
def seated(
    running: Running, chrome: Browser, login: str, page: str, size: dict[str, int], *, touch: bool = False
) -> Iterator[Terminal]:
    """Someone logged in at a terminal."""
    with at_terminal(chrome, running.url, page, size, touch=touch) as terminal:
        running.log_in(terminal, login, page)
        yield terminal


def test_the_desk(city: Running, chrome: Browser) -> None:
    """A dispatcher looks at an accepted incident: the list, the map, the unit with its reason, ranked workers."""
    with seated(city, chrome, "dispatcher", "desk", DESK_SIZE) as desk:
        page = desk.page
        rows = page.locator(".ag-center-cols-container .ag-row")
        expect(rows.nth(4)).to_be_visible()
        if (
            UPDATE
        ):  # a quarter of an hour after the start the figures on data speak of the city, not of the start
            tile = page.locator(".cy-tile[data-of='completeness']:not(.is-bad):not(.is-unknown)")
            expect(tile).to_be_visible(timeout=COMPLETE_S * 1000)
        page.locator("[data-group='waiting']").click()
        numbers = [row["number"] for row in waiting_with_workers(city)]
        page.locator("#desk-search").fill(numbers[0])
        rows.first.locator("[col-id='title']").click()
        expect(page.locator("#desk-dispatch .worker").first).to_be_visible()
        page.locator("#desk-search").fill("")
        page.locator("[data-group='all']").click()
        expect(rows.nth(4)).to_be_visible()
        page.locator(".map-host").get_by_role("button", name="缩小").click()
        page.locator(".map-host").get_by_role("button", name="缩小").click()
        sharp(page, "#desk-map")
        keep(city, page, "desk")


def waiting_with_workers(running: Running) -> list[dict[str, Any]]:
    """Accepted incidents for which the responsible unit has workers, worst first."""
    dispatcher = running.person("dispatcher")
    rows = dispatcher.ask("incidents", stages="accepted").raise_for_status().json()["rows"]
    found = [row for row in rows if dispatcher.ask("route_incident", id=row["id"]).json()["workers"]]
    dispatcher.close()
    assert found, "no accepted incident of a unit with workers"
    return sorted(found, key=lambda row: (row["level"], row["id"]))


def test_the_leaders_page(city: Running, chrome: Browser) -> None:
    with seated(city, chrome, "leader", "leader", LEADER_SIZE) as leader:
        expect(leader.page.locator("#leader-wrong .cy-item").first).to_be_visible()
        expect(leader.page.locator("#leader-waiting .cy-item").first).to_be_visible()
        keep(city, leader.page, "leader")


def test_the_wall(city: Running, chrome: Browser) -> None:
    with seated(city, chrome, "wall", "wall", WALL_SIZE) as wall:
        page = wall.page
        expect(page.locator("[data-worst] .cy-item").nth(4)).to_be_visible()
        expect(page.locator("[data-newest] .cy-item").nth(4)).to_be_visible()
        expect(page.locator(".cy-tile")).to_have_count(8)
        expect(page.locator(".trend .main-svg").first).to_be_visible()
        assert (
            page.locator("button:visible, a:visible, input:visible").evaluate_all(
                "found => found.filter(e => !e.closest('.cy-tile') && e.tabIndex >= 0 && !e.disabled).length"
            )
            == 0
        ), "the wall shows and never commands"
        sharp(page, "#wall-map")
        keep(city, page, "wall")


def test_the_phone(city: Running, chrome: Browser) -> None:
    """A worker with tasks: the list, then the task that has been reached."""
    operator = city.person("operator")
    rows = operator.ask("incidents", stages="on_site").raise_for_status().json()["rows"]
    operator.close()
    row = next(row for row in rows if row["worker"])
    with seated(city, chrome, row["worker"], "phone", PHONE_SIZE, touch=True) as phone:
        card = phone.page.locator(f"[data-task='{row['id']}']")
        expect(card).to_be_visible()
        keep(city, phone.page, "phone-tasks")
        card.tap()
        expect(phone.page.locator("#ph-foot .ph-primary")).to_be_visible()
        expect(phone.page.locator(".cy-timeline li").first).to_be_attached()
        keep(city, phone.page, "phone")


def by_header(terminal: Terminal) -> None:
    """The switch in the header."""
    with terminal.leaving():
        terminal.page.locator("[data-language='en']").click()
        expect(terminal.page.locator("html[lang='en'][data-ready]")).to_be_attached()


def on_the_me_page(terminal: Terminal) -> None:
    """The switch on the phone's page of oneself."""
    terminal.page.locator("#ph-tabs a[href='#/me']").tap()
    with terminal.leaving():
        terminal.page.get_by_role("button", name="English").tap()
        expect(terminal.page.locator("html[lang='en']")).to_be_attached()
        expect(terminal.page.locator("#ph-link")).to_have_attribute("data-state", "live")


def at_the_login(terminal: Terminal) -> None:
    """The wall has no switch of its own: the language of the login page stays."""
    with terminal.leaving():
        terminal.page.goto(f"{terminal.origin}/login?lang=en")
        terminal.page.goto(f"{terminal.origin}/wall")
        expect(terminal.page.locator("html[lang='en'][data-ready='wall']")).to_be_attached()


DATA: Final = ", ".join(
    (
        ".brand", ".strip__city", ".focus", ".bar__name", ".note__why", ".user", ".ag-row", ".cy-item", ".wall__alert", ".alert", ".trend",
        ".detail__title", ".detail__head .cy-chip", ".detail dd", ".cy-timeline", ".route", ".routing__verdict", ".routing__other", ".routing__sides",
        ".routing__withdrawn", ".detail .chart",
        ".detail .js-plotly-plot",
        ".ringing", "select", ".ph-card", ".ph-person", ".cy-toast", ".cy-map", "[lang='zh']", "script", "style",
        "[data-language]", ".class-pick", ".admin-data", "td", "[hreflang='zh']",
    )
)  # fmt: skip
"""What shows names of people and places, titles, and other words of the city."""

Switch = Callable[[Terminal], None]

ENGLISH: Final[tuple[tuple[str, str, dict[str, int], bool, Switch, str], ...]] = (
    ("operator", "desk", DESK_SIZE, False, by_header, ".ag-center-cols-container .two-lines"),
    ("leader", "leader", LEADER_SIZE, False, by_header, "#leader-wrong .cy-item"),
    ("wall", "wall", WALL_SIZE, False, at_the_login, "[data-newest] .cy-item"),
    ("admin", "admin", LEADER_SIZE, False, by_header, ".ag-header-cell-text"),
    ("auditor", "ops", LEADER_SIZE, False, by_header, "#ops-body td"),
    ("gw0001", "phone", PHONE_SIZE, True, on_the_me_page, ".ph-summary"),
)
"""Who, page, size, touch, how the language is switched, what shows that the page is filled."""


@pytest.mark.parametrize(
    ("login", "page", "size", "touch", "switch", "filled"), ENGLISH, ids=[e[1] for e in ENGLISH]
)
def test_in_english_no_chinese_is_left(
    city: Running,
    chrome: Browser,
    login: str,
    page: str,
    size: dict[str, int],
    touch: bool,
    switch: Switch,
    filled: str,
) -> None:
    with seated(city, chrome, login, page, size, touch=touch) as terminal:
        if page != "phone":
            assert HAN.search(terminal.page.locator("body").inner_text()), "the page begins in Chinese"
        switch(terminal)
        if page == "phone":
            terminal.page.locator("#ph-tabs a[href='#/tasks']").tap()
            expect(terminal.page.locator(filled)).to_contain_text("to do")
        expect(terminal.page.locator(filled).first).to_be_visible()
        if page == "desk":
            terminal.page.locator(filled).first.click()
            expect(terminal.page.locator("#desk-timeline li").first).to_be_attached()
        keep(city, terminal.page, f"english-{page}")
        assert terminal.page.evaluate(UI_HAN, DATA) == []
