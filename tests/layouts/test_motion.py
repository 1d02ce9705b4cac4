"""prefers-reduced-motion: nothing on a page runs for longer than a millisecond, and nothing glides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page

from tests.layouts.browser import Server
from tests.layouts.rules_shown import ASSETS, build, selectors

SHEETS: Final = sorted(
    p.relative_to(ASSETS).as_posix() for p in ASSETS.rglob("*.css") if "vendor" not in p.parts
)
RUNNING: Final = """() => {
  const found = {animations: 0, long: [], glide: []};
  for (const one of document.getAnimations()) {
    found.animations += 1;
    const {duration, iterations, delay} = one.effect.getTiming();
    if (duration * iterations + delay > 1) found.long.push(`${one.animationName ?? one.transitionProperty}: ${duration} ms × ${iterations}`);
  }
  for (const element of document.body.querySelectorAll('*')) {
    for (const pseudo of [null, '::before', '::after']) {
      const style = getComputedStyle(element, pseudo);
      const rests = style.transitionProperty === 'none' || style.transitionDuration.split(', ').every((d) => parseFloat(d) === 0);
      if (!rests) found.glide.push(`${element.className}${pseudo ?? ''}: ${style.transition}`);
      if (style.animationName !== 'none' && style.animationIterationCount !== '1') found.long.push(`${element.className}: ${style.animationIterationCount}`);
    }
  }
  return found;
}"""


@pytest.fixture(params=["reduce", "no-preference"])
def moving(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[tuple[str, Any]]:
    """What moves on a page that holds everything that may move, with and without the wish."""
    context = browser.new_context(reduced_motion=request.param)
    page: Page = context.new_page()
    page.goto(server.url + "/page")
    build(page, "theme-desk", SHEETS, selectors(SHEETS, "animation|transition"))
    yield request.param, page.evaluate(RUNNING)
    context.close()


def test_nothing_moves_when_that_is_wished(moving: tuple[str, Any]) -> None:
    wish, found = moving
    if wish == "reduce":
        assert found["long"] == []
        assert found["glide"] == []
    else:  # the page does hold what moves: else the line above would be true of an empty one
        assert found["animations"] >= 5, found
        assert len(found["long"]) >= 5
        assert len(found["glide"]) >= 10
