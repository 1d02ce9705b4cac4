"""The operator's place is kept: a thousand deltas of the live state pass, and nothing under hand or eye moves.

The deltas go the way of all deltas (live state → web → stream → page); they change, add and remove incidents of the
list, figures and devices, and the very incident that is open.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import pytest
import redis
from playwright.sync_api import Browser, Page, expect

from data.live import LiveState
from tests.e2e.browser import DESK_SIZE, PATIENT_MS, Terminal, at_terminal
from tests.e2e.conftest import Running
from tests.e2e.test_desk import open_incident, report, sit_down

PROFILES = ("embedded",)
DELTAS: Final = 1000
ROWS: Final = 120
TEXT: Final = "已电话核实，井盖由市政抢修，现场有护栏"
CARET: Final = 7
SAME_PX: Final = 1.0

PLACE: Final = """() => {
  // Rows of the storm alone: an incident of the running city may change its own place meanwhile.
  const sight = document.querySelector('.grid .ag-body-viewport').getBoundingClientRect();
  const rows = [...document.querySelectorAll('.grid .ag-center-cols-container .ag-row')]
    .map((row) => [row.getAttribute('row-id'), Math.round(row.getBoundingClientRect().top)])
    .filter(([key, top]) => key.length > 10 && top > sight.top && top < sight.bottom).sort((a, b) => a[1] - b[1]);
  const map = chengyun.map.map;
  const records = document.getElementById('records');
  const focus = document.activeElement;
  return {
    first: rows[0], text: document.getElementById('desk-act-reason').value, focus: focus.id,
    caret: focus.selectionStart ?? null, search: document.getElementById('desk-search').value,
    groups: [...document.querySelectorAll('.list [aria-pressed="true"]')].map((b) => b.textContent.replace(/[0-9,+]/g, '')),
    number: document.querySelector('.detail__number')?.textContent, selected: dash_ag_grid.getApi('desk-grid').getSelectedNodes().map((n) => n.data.key),
    act: !document.getElementById('desk-act').hidden, detail: document.querySelector('.detail__body').scrollTop,
    dialog: records.open, inside: records.querySelector('.table-host')?.scrollTop ?? null,
    lines: records.open ? records.querySelectorAll('#records-body tr').length : null,
    zoom: map.getZoom().toFixed(6), centre: map.getCenter().toArray().map((x) => x.toFixed(7)).join(), hash: location.hash,
  };
}"""


AT_REST: Final = """() => {
  const {top} = dash_ag_grid.getApi('desk-grid').getVerticalPixelRange();
  if (top !== window.topWas) [window.topWas, window.topSince] = [top, performance.now()];
  return top > 600 && performance.now() - window.topSince > 700;
}"""
"""The wheel's scroll, which the browser spreads over some frames, has come to its end."""


class Storm:
    """Deltas of a busy city, given to the live state as ingest and relay give them."""

    def __init__(self, running: Running, like: dict[str, Any]) -> None:
        self.live = LiveState(running.product.env["CHENGYUN_LIVE_URL"])
        self.dice = random.Random(20261130)
        self.like = like
        self.items: dict[str, dict[str, Any]] = {}
        self.serial = like["now"]  # each storm its own numbers: a removed item does not come back
        self.live.apply([self._born() for _ in range(ROWS)])

    def _born(self) -> dict[str, Any]:
        self.serial += 1
        # Most are late, so that the middle of the list is of the storm whatever else the city has open.
        due = self.like["now"] + self.dice.randint(-9, 3) * 3_600_000 + self.serial % 3_600_000
        item = {
            **self.like["item"],
            "key": str(self.serial),
            "id": self.serial,
            "version": 1,
            "number": f"S{self.serial}",
            "title": f"风暴中的事件 {self.serial}",
            "stage": "reported",
            "stage_due_at": due,
            "due_at": due,
            "level": self.dice.choice((3, 4)),
        }
        self.items[item["key"]] = item
        return item

    def blow(self, deltas: int, watched: dict[str, Any], still: str) -> None:
        """So many deltas; `watched` is the item of the incident that the operator has open, `still` the key of the one
        row that does not change its own place."""
        for n in range(deltas):
            keys = [key for key in self.items if key != still]
            changed = []
            for key in self.dice.sample(keys, 3):
                item = self.items[key]
                item["version"] += 1
                item["stage_due_at"] = item["due_at"] = item["due_at"] + self.dice.randint(-9, 9) * 600_000
                changed.append(dict(item))
            gone = []
            if n % 2:
                changed.append(self._born())
                gone = [("incident", self.dice.choice(keys))]
                self.items.pop(gone[0][1])
                changed = [c for c in changed if c["key"] != gone[0][1]]
            if n % 20 == 0:
                changed.append({**watched, "title": f"{watched['title']}（第{n}次更新）"})
                watched["version"] += 1
            if n % 5 == 0:
                figure = self.like["figure"]
                changed.append({**figure, "value": n, "as_of": figure["as_of"] + n})
            _, self.n = self.live.apply(changed, gone)

    def over(self) -> None:
        self.live.apply((), [("incident", key) for key in self.items])
        self.live.close()


@pytest.fixture(scope="module", autouse=True)
def put_right(running: Running) -> Iterator[None]:
    """After the storms the live state is filled from the store again: tests that come later see the city as it is."""
    yield
    url = running.product.env["CHENGYUN_LIVE_URL"]
    live = LiveState(url)
    epoch, _ = live.version()
    with closing(redis.Redis.from_url(url)) as client:
        client.delete("live:ready")
    deadline = time.monotonic() + 60
    while live.needs_rebuild() or live.version()[0] == epoch:
        assert time.monotonic() < deadline, "the relay fills the live state"
        time.sleep(0.2)  # watching another process
    live.close()


@pytest.fixture
def desk(product: Running, chrome: Browser) -> Iterator[Terminal]:
    with at_terminal(chrome, product.url, "desk", DESK_SIZE) as terminal:
        sit_down(terminal, product, "operator", "desk")
        yield terminal


def place(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(PLACE)
    return found


def filled(page: Page) -> None:
    """All rows are in the list, and it can be scrolled over them."""
    page.wait_for_function(
        "n => document.querySelector('.grid .ag-body-viewport').scrollHeight > n * 50", arg=ROWS
    )


def arrived(page: Page, storm: Storm) -> None:
    page.wait_for_function("n => chengyun.live.n >= n", arg=storm.n, timeout=PATIENT_MS)
    page.evaluate("() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 400))")


def same(before: dict[str, Any], after: dict[str, Any]) -> None:
    moved = {k: (before[k], after[k]) for k in before if k != "first" and before[k] != after[k]}
    assert not moved, moved
    assert before["first"][0] == after["first"][0], "another row lies under the pointer"
    assert abs(before["first"][1] - after["first"][1]) <= SAME_PX, (before["first"], after["first"])


def test_nothing_moves_while_a_thousand_deltas_arrive(product: Running, desk: Terminal) -> None:
    page, mine = desk.page, report(product)
    open_incident(page, mine["number"])
    page.locator("[data-clear]").click()
    page.locator("[data-group='waiting']").click()
    snapshot = product.person("operator").snapshot()
    item = snapshot["items"]["incident"][str(mine["id"])]
    figure = next(i for i in snapshot["items"]["indicator"].values() if i["id"] == "open")
    storm = Storm(product, {"item": item, "figure": figure, "now": snapshot["now"]})
    try:
        # The one that the operator has open lies in the middle of the list, and so does the operator.
        filled(page)
        page.locator(".list__grid").hover()
        page.mouse.wheel(0, 1207)
        page.wait_for_function(AT_REST)
        page.evaluate("() => chengyun.map.map.jumpTo({zoom: 13.37, center: [113.91, 21.93]})")
        page.locator("#desk-actions").get_by_role("button", name="备注", exact=True).click()
        note = page.locator("#desk-act-reason")
        note.fill(TEXT)
        note.evaluate(f"e => e.setSelectionRange({CARET}, {CARET})")
        before = place(page)
        assert before["caret"] == CARET and before["act"] and before["focus"] == "desk-act-reason"
        storm.blow(DELTAS // 2, item, before["first"][0])
        arrived(page, storm)
        same(before, place(page))
        page.keyboard.type("再次")  # the caret is where it was: a word goes into the middle
        assert note.input_value() == TEXT[:CARET] + "再次" + TEXT[CARET:]

        # And with the records of a figure open over it.
        page.locator("#desk-tiles [data-of='devices_online']").click()
        expect(page.locator("#records-body tbody tr").first).to_be_visible()
        page.locator("#records .table-host").evaluate("e => { e.scrollTop = 233; }")
        before = place(page)
        assert before["dialog"] and before["inside"] == 233
        storm.blow(DELTAS // 2, item, before["first"][0])
        arrived(page, storm)
        same(before, place(page))
    finally:
        storm.over()


def test_at_the_top_of_the_list_the_new_is_seen(product: Running, desk: Terminal) -> None:
    """The other half: who has not scrolled sees what comes in at the top, and a scroll bar that does not creep."""
    page, mine = desk.page, report(product)
    snapshot = product.person("operator").snapshot()
    item = snapshot["items"]["incident"][str(mine["id"])]
    figure = next(i for i in snapshot["items"]["indicator"].values() if i["id"] == "open")
    storm = Storm(product, {"item": item, "figure": figure, "now": snapshot["now"]})
    try:
        filled(page)
        worst = {**storm._born(), "stage_due_at": 1, "due_at": 1, "title": "最急的一件"}
        _, storm.n = storm.live.apply([worst])
        arrived(page, storm)
        expect(page.locator(f".grid .ag-row[row-id='{worst['key']}'][row-index='0']")).to_be_visible()
        assert page.locator(".grid .ag-body-viewport").evaluate("e => e.scrollTop") == 0
    finally:
        storm.over()
