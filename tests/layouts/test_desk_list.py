"""The desk's list in a real Chromium: what it says when it holds only the newest incidents, and when an export fails.

The grid itself is a stand-in that counts rows: Dash is not needed for what is said beside it.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.layouts.browser import Server

BODY: Final = """
<div class="cy-toasts"></div>
<section class="list">
  <input id="desk-search"><select data-class></select><button data-clear></button><div data-chips></div>
  <button data-group="all"></button><button data-group="waiting"></button>
  <span data-count="all"></span><span data-count="waiting"></span><span data-count="working"></span>
  <span data-count="overdue"></span><span data-count="mine"></span><span data-count="inview"></span>
  <a data-export href="#">x</a>
  <div class="list__grid"><div class="ag-body-viewport"></div></div><div data-foot></div>
</section>
"""
START: Final = """
async (body) => {
  document.body.innerHTML = body;
  await globalThis.chengyun?.text;
  const {live} = await import('/assets/live.mjs');
  await globalThis.chengyun.text;
  const {IncidentList} = await import('/assets/desk/list.mjs');
  const rows = new Map();
  const nothing = () => {};
  let list;
  window.dash_ag_grid = {getApiAsync: async () => ({
    applyColumnState: nothing, addEventListener: nothing, getColumnState: () => [], onFilterChanged: nothing,
    setColumnsVisible: nothing, getRowNode: nothing, getSelectedNodes: () => [], deselectAll: nothing,
    getDisplayedRowCount: () => [...rows.values()].filter((item) => list.passes(item)).length,
    applyTransactionAsync: ({add, update, remove}) => {
      for (const item of [...add, ...update]) rows.set(item.key, item);
      for (const {key} of remove) rows.delete(key);
    },
  })};
  list = new IncidentList(document.querySelector('.list'), 'dispatcher');
  await list.start();
  live.start({});
}
"""


def push(server: Server, *items: dict[str, Any]) -> None:
    server.call("/control", json.dumps({"do": "push", "set": items}).encode())


def incident(n: int, **more: Any) -> dict[str, Any]:
    return {
        "kind": "incident", "key": str(n), "area": "c/d/", "number": f"N{n}", "class": "0101",
        "class_name": "道路积水", "title": "积水", "address": "", "stage": "reported", "level": 3, "lon": 113.9,
        "lat": 21.9, "unit": "", "unit_name": "", "worker": "", "worker_name": "", "reported_at": 1,
        "stage_due_at": None, "handle_due_at": None, "closed_at": None, "handled_late": False, "version": 1,
        **more,
    }  # fmt: skip


def totals(area: str, opened: int, *, capped: bool, **more: Any) -> dict[str, Any]:
    return {
        "kind": "trend", "key": f"totals@{area.rstrip('/').rsplit('/', 1)[-1]}", "area": area, "open": opened,
        "overdue": 7, "today": 20, "closed": 5, "levels": [1, 2, 3, opened - 6],
        "stages": {"reported": opened - 1000, "accepted": 1, "taken": 999}, "capped": capped, "as_of": 1000, **more,
    }  # fmt: skip


def said(page: Page, what: str) -> Any:
    return page.locator(f"[data-count='{what}']")


def test_a_list_that_holds_only_the_newest_says_so(page: Page, server: Server) -> None:
    push(server, *(incident(n) for n in range(12)), totals("c/", 62_050, capped=True))
    page.evaluate(START, BODY)
    expect(page.locator("[data-foot]")).to_contain_text("显示最新 12 件，共 62,050 件")
    expect(said(page, "all")).to_have_text("62,050")
    expect(said(page, "waiting")).to_have_text("61,051")
    expect(said(page, "working")).to_have_text("999")
    expect(said(page, "overdue")).to_have_text("7")
    expect(said(page, "mine")).to_have_text("61,051")
    # Counted among those on the screen: no more than "at least" can be said.
    expect(said(page, "inview")).to_have_text("12+")
    page.locator("#desk-search").fill("N1")
    expect(said(page, "all")).to_have_text("3+")


def test_a_list_that_holds_all_counts_its_own(page: Page, server: Server) -> None:
    """What was closed a moment ago is still in the store's figure: that is no reason to speak of more."""
    push(server, *(incident(n) for n in range(12)), totals("c/", 13, capped=False, stages={"reported": 13}))
    page.evaluate(START, BODY)
    expect(page.locator("[data-foot]")).to_contain_text("显示 12 / 在办 12")
    expect(said(page, "all")).to_have_text("12")
    push(server, incident(3, stage="closed", version=2))
    expect(said(page, "all")).to_have_text("11")


def test_figures_of_areas_within_one_another_are_counted_once(page: Page, server: Server) -> None:
    """An account of two districts sees the sum of both, not of their villages again."""
    push(
        server,
        totals("c/d/v/", 1100, capped=False),
        totals("c/d/", 2000, capped=False, as_of=500),
        totals("c/e/", 3000, capped=True),
    )
    page.evaluate(START, BODY)
    page.wait_for_function("() => chengyun.live.items('trend').size === 3")
    found = page.evaluate("import('/assets/totals.mjs').then(({totals}) => totals())")
    assert found == {
        "open": 5000, "overdue": 14, "today": 40, "closed": 10, "levels": [2, 4, 6, 4988], "capped": True,
        "stages": {"reported": 3000, "accepted": 2, "taken": 1998}, "as_of": 500,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (422, {"code": "rule", "total": 62_050, "most": 50_000}, "共 62,050 件，一次最多导出 50,000 件，请缩小筛选范围"),
        (503, {"code": "away"}, "导出未成功"),
        (502, None, "导出未成功"),
    ],
)  # fmt: skip
def test_an_export_that_is_refused_is_told(
    page: Page, server: Server, status: int, body: Any, told: str
) -> None:
    asked: list[str] = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(status=status, body="<html>" if body is None else json.dumps(body))

    page.route("**/api/v1/export/**", answer)
    push(server, incident(1))
    page.evaluate(START, BODY)
    page.locator("#desk-search").fill("积水 N1")
    page.wait_for_function("() => document.querySelector('[data-export]').href.includes('text=')")
    page.locator("[data-export]").click()
    expect(page.locator(".cy-toast--warn")).to_contain_text(told)
    assert len(asked) == 1 and "scope=open" in asked[0] and "text=" in asked[0]
    assert page.url.endswith("/page"), "the page stays where it is"


def test_an_export_arrives_under_its_name(page: Page, server: Server) -> None:
    headers = {
        "Content-Disposition": "attachment; filename=\"a.xlsx\"; filename*=UTF-8''%E4%BA%8B%E4%BB%B6.xlsx"
    }
    page.route("**/api/v1/export/**", lambda route: route.fulfill(body=b"PK", headers=headers))
    page.evaluate(START, BODY)
    with page.expect_download() as download:
        page.locator("[data-export]").click()
    assert download.value.suggested_filename == "事件.xlsx"
    assert download.value.path().read_bytes() == b"PK"


def test_a_time_that_was_just_painted_is_there_before_the_next_tick(page: Page, server: Server) -> None:
    """The detail panel is painted by a callback: its clock must not stand empty until the page's timer comes round."""
    page.evaluate(START, BODY)
    said = page.evaluate("""async () => {
      clearInterval(chengyun.age.timer);
      const box = document.createElement('div');
      box.innerHTML = `<div class="clocks__left"><span class="due" data-due="${Date.now() + 600000}"></span></div>`;
      document.body.append(box);
      await Promise.resolve();
      return box.textContent;
    }""")
    assert said.strip()
