"""axe-core in Chromium: what a page does that people with poor sight or without a mouse cannot use.

`axe.min.js` is axe-core 4.12.1 as the wheel axe_playwright_python 0.1.8 brings it, unchanged (MPL-2.0, text beside it).
It is for tests only: the product never serves it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

SCRIPT: Final = Path(__file__).parent / "axe.min.js"
SHA256: Final = "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc"
SERIOUS: Final = ("serious", "critical")
TALL_PX: Final = 3000
TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")

_RUN: Final = """async (tags) => {
  const {violations} = await axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']});
  return violations.map(({id, impact, help, nodes}) => ({id, impact, help,
    nodes: nodes.map((n) => ({target: n.target.join(' '), html: n.html.slice(0, 160), why: n.failureSummary}))}));
}"""


def findings(page: Page) -> list[dict[str, Any]]:
    """What axe finds on the page as it stands, WCAG 2.2 A and AA: {id, impact, help, nodes: [{target, html, why}]}."""
    # A page that scrolls stands behind its own bars in part, which axe takes for targets without room: it is made tall.
    size = page.viewport_size
    if size is not None:
        page.set_viewport_size({"width": size["width"], "height": max(size["height"], TALL_PX)})
    # By the debugger, not as a <script>: the page's own policy forbids foreign scripts, and it should.
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(_RUN, list(TAGS))
    if size is not None:
        page.set_viewport_size(size)
    return found


def serious(page: Page) -> list[str]:
    """Serious and critical findings, one line for each element: "color-contrast #ph-link: …"."""
    return [
        f"{one['id']} {node['target']}: {node['why'].splitlines()[-1].strip() if node['why'] else one['help']}"
        for one in findings(page)
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]
