"""Words are drawn by the shipped fonts alone: Chromium itself says which font drew each character.

A machine with fonts of its own would hide what is missing from ours, so the question is not what is seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page

from layouts.text import LANGUAGES, catalogue
from tests.layouts.browser import Server

ROOT: Final = Path(__file__).resolve().parents[2]
DICTIONARIES: Final = (".csv", ".json", ".jsonl", ".geojson", ".toml")
"""Files of the product that hold names: of classes, device types, places, streets, units."""

SHOW: Final = """async ([theme, weight, text]) => {
  document.documentElement.innerHTML = '<head><link rel="stylesheet" href="/assets/tokens.css"></head><body></body>';
  await new Promise((done) => { document.querySelector('link').onload = done; });
  const host = document.createElement('div');
  host.className = theme;
  const line = Object.assign(document.createElement('p'), {id: 'drawn', textContent: text});
  line.style.fontWeight = weight;
  host.append(line);
  document.body.append(host);
  await Promise.all(['"Chengyun Sans"', '"Chengyun Latin"'].map((family) => document.fonts.load(`${weight} 16px ${family}`, text)));
}"""


def dictionary_characters() -> set[str]:
    """What the shipped dictionaries of names hold, of scripts that are written with our fonts."""
    read = [
        p for folder in ("data", "incidents") for p in (ROOT / folder).rglob("*") if p.suffix in DICTIONARIES
    ]
    # The sample city makes the names of its streets and houses.
    read += (ROOT / "data" / "sample_city").rglob("*.py")
    assert len(read) > 10
    return {c for path in read for c in path.read_text(encoding="utf-8")}


def catalogue_characters() -> set[str]:
    return {c for lang in LANGUAGES for value in catalogue(lang).values() for c in value}


@pytest.fixture(scope="module")
def characters() -> str:
    """Every character that has a shape, once."""
    found = catalogue_characters() | dictionary_characters()
    return "".join(sorted(c for c in found if c.isprintable() and not c.isspace()))


def drawn_by(page: Page, theme: str, weight: int, text: str) -> list[dict[str, Any]]:
    """The fonts that drew `text`: [{familyName, isCustomFont, glyphCount}]."""
    page.evaluate(SHOW, [theme, weight, text])
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": "#drawn"})["nodeId"]
    fonts: list[dict[str, Any]] = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    session.detach()
    return fonts


TOFU: Final = """([weight, text]) => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 40, height: 40});
  const g = canvas.getContext('2d', {willReadFrequently: true});
  g.font = `${weight} 24px ${getComputedStyle(document.getElementById('drawn')).fontFamily}`;
  const picture = (c) => { g.clearRect(0, 0, 40, 40); g.fillText(c, 4, 30); return g.getImageData(0, 0, 40, 40).data.join(); };
  const nothing = new Set(['\\u{F0000}', '\\u{E000}'].map(picture)); // private: no font has them
  return [...text].filter((c) => nothing.has(picture(c)));
}"""
"""Where no font has a character, Chromium draws one and the same box for it, and says that a font of ours did."""


def missing(page: Page, theme: str, weight: int, text: str) -> list[str]:
    """The characters of `text` that no font of ours has."""
    others = foreign(page, theme, weight, text)
    page.evaluate(SHOW, [theme, weight, text])
    boxes: list[str] = page.evaluate(TOFU, [weight, text])
    return sorted({*others, *boxes})


def foreign(page: Page, theme: str, weight: int, text: str) -> list[str]:
    """The characters of `text` that a font of the machine draws, found by halving."""
    if all(font["isCustomFont"] for font in drawn_by(page, theme, weight, text)):
        return []
    if len(text) == 1:
        return [text]
    half = len(text) // 2
    return foreign(page, theme, weight, text[:half]) + foreign(page, theme, weight, text[half:])


@pytest.fixture
def plain(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url + "/page")
    yield page
    context.close()


@pytest.mark.parametrize("weight", [400, 700])
@pytest.mark.parametrize("theme", ["theme-desk", "theme-wall"])
def test_every_word_is_drawn_by_a_shipped_font(plain: Page, characters: str, theme: str, weight: int) -> None:
    assert len(characters) > 1000
    assert missing(plain, theme, weight, characters) == []


def test_a_character_that_does_not_ship_is_found(plain: Page) -> None:
    """The measure itself: a rare character and an emoji are not ours."""
    assert missing(plain, "theme-desk", 400, "城𠮷运") == ["𠮷"]


def test_the_coverage_that_is_told_is_what_was_drawn(characters: str) -> None:
    """`coverage.json` is what other tests and the tool for subsets go by."""
    told = json.loads((ROOT / "layouts" / "assets" / "fonts" / "coverage.json").read_text(encoding="utf-8"))
    latin_only = {"↵", "⇧", "⌘"}
    assert sorted(set(characters) - set(told["characters"]) - latin_only) == []
