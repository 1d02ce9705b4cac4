"""Every page in both languages with a city at work on it: filled, nothing cut off, nothing that axe calls serious.

UPDATE_GALLERY=1 writes the pictures of docs/gallery.md to docs/gallery/ (WebP), with gallery_pictures.py those of walls and
phones; what a stranger sees in them is written there by hand.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from layouts.shell.frame import TERMINALS
from tests.axe import serious
from tests.e2e.browser import DESK_SIZE, PATIENT_MS, Terminal, at_terminal
from tests.e2e.conftest import Running
from tests.e2e.lively import enliven

PROFILES: Final = ("embedded",)
UPDATE: Final = os.environ.get("UPDATE_GALLERY") == "1"
GALLERY: Final = Path(__file__).resolve().parents[2] / "docs" / "gallery"
MOST_BYTES: Final = 150_000

WHO: Final = {
    "desk": "operator",
    "leader": "leader",
    "vitals": "leader",
    "places": "operator",
    "replies": "operator",
    "evaluation": "evaluator",
    "formulas": "evaluator",
    "catalogue": "dispatcher",
    "routing": "leader",
    "replay": "leader",
    "screens": "leader",
    "ops": "operator",
    "devices": "operator",
    "admin": "admin",
}
"""Page → who works there."""

CUT: Final = """() => {
  const out = [];
  const wide = document.scrollingElement.scrollWidth - innerWidth;
  if (wide > 1) out.push(`the page is ${wide} px wider than the screen`);
  for (const e of document.querySelectorAll('.cy-bar > *, .nav__link, button, h1, h2, h3, th, label, .cy-tile__name, .cy-tile__value, .lamp')) {
    if (!e.checkVisibility() || !e.textContent.trim() || e.closest('[hidden], .ag-root, .maplibregl-map, .cy-scroll, .table-host')) continue;
    const style = getComputedStyle(e);
    const told = e.closest('[title]') || style.textOverflow === 'ellipsis' || e.querySelector('.cy-clip');
    if (!told && e.scrollWidth > e.clientWidth + 2 && style.overflowX !== 'visible') out.push(`cut off: ${e.className} "${e.textContent.trim().slice(0, 40)}"`);
    const box = e.getBoundingClientRect();
    if (box.right > innerWidth + 1 && box.width) out.push(`beyond the edge: ${e.className} "${e.textContent.trim().slice(0, 40)}"`);
  }
  const bar = [...document.querySelectorAll('.cy-bar > *')].filter((e) => e.checkVisibility() && e.offsetWidth).map((e) => e.getBoundingClientRect());
  bar.forEach((box, n) => { if (n && box.left < bar[n - 1].right - 1) out.push(`parts of the header lie on one another at ${Math.round(box.left)} px`); });
  return out;
}"""
"""What of a page cannot be read: wider than the screen, cut without an ellipsis, one thing on another."""

VENDOR: Final = re.compile(
    r"dash-dropdown|dash-datepicker|-wrapper[: >]|data-option-index|\.selected:|ag-header-row|ag-body-viewport"
    r"|#evaluation-by|#formula-direction"
)
"""Inside the widgets of dash and AG Grid as their wheels bring them: a read-only focus target under aria-hidden, a date
field that says aria-expanded, radio labels that hold their inputs. What we write ourselves is not excused."""

FILLED: Final = """() => {
  const main = document.querySelector('main');
  return main && main.innerText.trim().length > 40 && !document.querySelector('.tiles__wait, ._dash-loading')
    && ![...main.querySelectorAll('.cy-empty')].some((e) => e.checkVisibility() && /^(加载中|Loading)$/.test(e.textContent.trim()))
    && [...main.querySelectorAll('[id$="-body"]')].every((e) => !e.checkVisibility() || e.childElementCount)
    && [...document.querySelectorAll('.ag-root')].every((grid) => !grid.checkVisibility() || grid.querySelector('.ag-overlay-no-rows-center')
      || [...grid.querySelectorAll('.ag-row')].some((row) => row.textContent.trim()))
    && (!globalThis.chengyun?.map?.map || chengyun.map.map.areTilesLoaded())
    && ['live', 'past'].includes(document.documentElement.dataset.link);
}"""


@pytest.fixture(scope="module")
def city(running: Running) -> Running:
    """The running product, its city at work."""
    enliven(running)
    return running


@pytest.fixture(scope="module", params=("zh", "en"))
def terminals(
    city: Running, chrome: Browser, request: pytest.FixtureRequest
) -> Iterator[dict[str, Terminal]]:
    """A terminal for each account, in one language."""
    with ExitStack() as stack:
        opened: dict[str, Terminal] = {}
        for login in sorted(set(WHO.values())):
            terminal = stack.enter_context(at_terminal(chrome, city.url, login, DESK_SIZE))
            city.sign_in(terminal.context, login)
            terminal.context.add_cookies(
                [{"name": "chengyun_lang", "value": str(request.param), "url": city.url}]
            )
            opened[login] = terminal
        yield opened


def shown(terminal: Terminal, name: str) -> Page:
    """The page called `name`, drawn and live."""
    path = next(x.path for x in TERMINALS if x.name == name)
    with terminal.leaving():
        terminal.page.goto(terminal.origin + path)
        expect(terminal.page.locator("html[data-ready]")).to_be_attached(timeout=PATIENT_MS)
        terminal.page.wait_for_function(FILLED, timeout=PATIENT_MS)
    return terminal.page


@pytest.mark.parametrize("name", WHO)
def test_a_page_is_filled_and_nothing_is_cut_off(terminals: dict[str, Terminal], name: str) -> None:
    terminal = terminals[WHO[name]]
    page = shown(terminal, name)
    lang = page.evaluate("document.documentElement.lang.slice(0, 2)")
    if UPDATE:
        keep(page, f"{name}.{lang}")
    assert page.evaluate(CUT) == []
    assert [found for found in serious(page) if not VENDOR.search(found)] == []


def keep(page: Page, name: str) -> None:
    """The picture of docs/gallery/, as small as it stays readable."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in (80, 65, 50, 35):
        out = io.BytesIO()
        image.save(out, "WEBP", quality=quality, method=6)
        if out.tell() <= MOST_BYTES:
            break
    assert out.tell() <= MOST_BYTES, f"{name}: {out.tell()} bytes"
    GALLERY.mkdir(exist_ok=True)
    (GALLERY / f"{name}.webp").write_bytes(out.getvalue())


def test_whoever_has_no_right_is_told_so_and_shown_the_way(city: Running, chrome: Browser) -> None:
    """The auditor at every page that is not his: which page, which role, and a way home; no figure of the city."""
    with at_terminal(chrome, city.url, "auditor", DESK_SIZE) as terminal:
        city.sign_in(terminal.context, "auditor")
        page = terminal.page
        refused = 0
        for one in TERMINALS:
            with terminal.leaving():
                page.goto(city.url + one.path)
                expect(page.locator("main, .refused").first).to_be_visible(timeout=PATIENT_MS)
            if page.locator(".refused").count():
                refused += 1
                expect(page.locator(".refused")).to_contain_text("审计员")
                expect(page.locator(".refused a")).to_have_attribute("href", "/")
                assert page.locator(".cy-tile").count() == 0
        assert refused >= 6
