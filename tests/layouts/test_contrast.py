"""Contrast as Chromium computes it: every rule that gives words a colour, on the ground that they stand on.

`test_tokens.py` holds the tokens; this holds what the style sheets make of them, literals and mixtures included.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.sync_api import Page

from tests.layouts.rules_shown import ASSETS, build, selectors

DESK: Final = tuple(sorted(p.relative_to(ASSETS).as_posix() for p in (ASSETS / "desk").glob("*.css")))
THEMES: Final = {
    "theme-wall": (7.0, ("tokens.css", "wall/wall.css")),
    "theme-desk": (4.5, ("tokens.css", "map/map.css", *DESK)),
    "theme-phone": (4.5, ("tokens.css", "phone/phone.css")),
}
BADGES: Final = {".cy-level--1", ".cy-level--4", ".cy-count--alert"}
"""A bold numeral on a legal colour, which is given: its shape says the same, and black on it is as much as there is (4.5)."""
BARE: Final = {"button", "select"}
"""Never shown without a class of ours, which brings its own ground."""

MEASURE: Final = """() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r / 255, g / 255, b / 255, a / 255];
  };
  const over = ([r, g, b, a], ground) => [r, g, b].map((c, n) => c * a + ground[n] * (1 - a));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [1, 1, 1]);
  };
  const luminance = (c) => c.map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)).reduce((sum, x, n) => sum + x * [0.2126, 0.7152, 0.0722][n], 0);
  return [...document.querySelectorAll('[data-rule]')].map((element) => {
    const below = ground(element);
    const [a, b] = [luminance(over(rgba(getComputedStyle(element).color), below)), luminance(below)].sort((x, y) => y - x);
    return [element.dataset.rule, Math.round((100 * (a + 0.05)) / (b + 0.05)) / 100];
  });
}"""


def measured(page: Page, theme: str) -> dict[str, float]:
    """Rule → contrast of its words."""
    _, sheets = THEMES[theme]
    build(page, theme, sheets, selectors(sheets, "color"))
    found: list[Any] = page.evaluate(MEASURE)
    return {rule: ratio for rule, ratio in found if rule not in BARE}


@pytest.mark.parametrize("theme", THEMES)
def test_every_rule_keeps_its_words_legible(page: Page, theme: str) -> None:
    least, _ = THEMES[theme]
    found = measured(page, theme)
    assert len(found) > 40
    wanted = {rule: 4.5 if rule in BADGES else least for rule in found}
    assert {rule: ratio for rule, ratio in found.items() if ratio < wanted[rule]} == {}


def test_a_faint_word_is_found(page: Page) -> None:
    """The measure itself: grey on nearly the same grey."""
    build(page, "theme-wall", ("tokens.css",), [".cy-panel .faint"])
    page.add_style_tag(content=".faint { color: #555b61; }")
    [[_, ratio]] = page.evaluate(MEASURE)
    assert 1 < ratio < 4
