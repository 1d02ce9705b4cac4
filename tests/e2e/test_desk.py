"""The desk, the leader's page and the wall in Chromium against the running product: what an operator does, by key and click.

Other people's steps go through REST with sessions of their own.
"""

from __future__ import annotations

import io
import itertools
import re
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from data.database import Database
from tests.e2e.browser import DESK_SIZE, LEADER_SIZE, PATIENT_MS, WALL_SIZE, Terminal, at_terminal
from tests.e2e.conftest import Running
from tests.e2e.waiting import until
from tests.people import Person

PROFILES = ("embedded",)
CALL_S = 30
"""An operator taking a call files an incident within this time."""

serial = itertools.count(1)
APART = 0.0014
"""Degrees of latitude, some 155 m: nearer reports of one class may be one incident."""


def having(name: str) -> re.Pattern[str]:
    """A class attribute with this class in it."""
    return re.compile(rf"\b{name}\b")


def report(running: Running, **more: Any) -> dict[str, Any]:
    """An incident filed by somebody else's desk, at a place that the city knows."""
    someone = running.person("operator")
    number = next(serial)
    place = someone.ask("find_place", text="花园", limit=1).json()["rows"][0]
    body = {
        "text": f"测试上报 {number}：井盖缺失",
        "class_code": "C0101",
        "lon": place["lon"],
        "lat": place["lat"] + number * APART,
        **more,
    }
    answer: dict[str, Any] = someone.command("report_incident", **body).raise_for_status().json()
    someone.close()
    assert not answer["joined"], f"{body['text']!r} became a further report of {answer['number']}"
    return answer


def carry_out(running: Running, login: str, name: str, **fields: Any) -> None:
    someone = running.person(login)
    someone.command(name, **fields).raise_for_status()
    someone.close()


def sit_down(terminal: Terminal, running: Running, login: str, page: str) -> None:
    """Open a terminal's page with a session of `login`, and wait until it is live."""
    running.sign_in(terminal.context, login)
    terminal.page.goto(f"{running.url}/{page}")
    expect(terminal.page.locator(f"html[data-ready='{page}'][data-link='live']")).to_be_attached(
        timeout=PATIENT_MS
    )
    terminal.stay()


@pytest.fixture
def desk(product: Running, chrome: Browser) -> Iterator[Terminal]:
    """The operator's desk, open and live."""
    with at_terminal(chrome, product.url, "desk", DESK_SIZE) as terminal:
        sit_down(terminal, product, "operator", "desk")
        yield terminal


def find_in_list(page: Page, number: str) -> None:
    """Narrow the list to one incident by its number."""
    page.locator("#desk-search").fill(number)
    expect(page.locator(".grid .ag-row")).to_have_count(1, timeout=PATIENT_MS)


def open_incident(page: Page, number: str) -> None:
    find_in_list(page, number)
    page.locator(".grid .ag-row .two-lines__a").first.click()
    expect(page.locator(".detail__number")).to_have_text(number, timeout=PATIENT_MS)


def test_a_call_is_filed_by_keyboard_in_half_a_minute(desk: Terminal) -> None:
    page = desk.page
    began = time.monotonic()
    page.keyboard.press("F2")
    expect(page.locator("#intake-text")).to_be_focused()
    page.keyboard.type("花园门口井盖缺失，有车辆绕行")
    chosen = page.locator("#intake-suggest [data-class-choice='C0101']")
    expect(chosen).to_have_class(having("is-on"))
    page.locator("#intake-address").focus()
    page.keyboard.type("花园")
    expect(page.locator("#intake-places [data-place]").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#intake-name")).to_be_focused()
    expect(page.locator("#intake-where")).to_contain_text("›")
    page.keyboard.type("王先生")
    page.keyboard.press("Tab")
    page.keyboard.type("13800001111")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#intake")).to_be_hidden()
    took = time.monotonic() - began
    number = page.locator(".detail__number").inner_text(timeout=PATIENT_MS)
    assert took <= CALL_S, f"{took:.1f} s"
    find_in_list(page, number)
    expect(page.locator("#desk-facts")).to_contain_text("王**")
    expect(page.locator("#desk-facts")).not_to_contain_text("13800001111")
    page.get_by_role("button", name="显示", exact=True).click()
    page.locator("#desk-act-reason").fill("回电核实位置")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#desk-persons")).to_contain_text("13800001111")


def test_possible_duplicates_are_shown_while_the_caller_speaks(product: Running, desk: Terminal) -> None:
    someone = product.person("operator")
    place = someone.ask("find_place", text="花园", limit=1).json()["rows"][0]
    someone.close()
    before = report(product, text="树木倒伏压住车辆", class_code="C0401", lon=place["lon"], lat=place["lat"])
    page = desk.page
    page.keyboard.press("F2")
    page.keyboard.type("树木倒伏压住车辆")
    page.locator("#intake-address").fill(place["name"])
    page.locator("#intake-places [data-place]").first.click()
    expect(page.locator(f"#intake-similar [data-incident='{before['id']}']")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#intake")).to_be_hidden()


def test_filter_and_selection_survive_reload_and_live_changes(product: Running, desk: Terminal) -> None:
    chosen, page = report(product), desk.page
    open_incident(page, chosen["number"])
    report(product)  # somebody else's change must not move anything
    with desk.leaving():
        page.reload()
        expect(page.locator("html[data-ready='desk']")).to_be_attached(timeout=PATIENT_MS)
    expect(page.locator("#desk-search")).to_have_value(chosen["number"])
    expect(page.locator(".grid .ag-row")).to_have_count(1)
    expect(page.locator(".detail__number")).to_have_text(chosen["number"])
    carry_out(product, "dispatcher", "accept_incident", id=chosen["id"])
    expect(page.locator(".detail__head .cy-stage--accepted")).to_be_visible()
    expect(page.locator(".grid .ag-row .cy-stage--accepted")).to_be_visible()
    expect(page.locator(".grid .ag-row-selected")).to_have_count(1)
    page.locator("[data-clear]").click()
    expect(page.locator("#desk-search")).to_have_value("")


def test_list_and_map_follow_each_other(product: Running, desk: Terminal) -> None:
    first, second, page = report(product), report(product), desk.page
    open_incident(page, first["number"])
    page.wait_for_function(
        """async () => (await chengyun.map.map.getSource('selected').getData()).features.length === 1""",
        timeout=PATIENT_MS,
    )
    page.locator("[data-clear]").click()
    page.evaluate(
        "key => document.getElementById('desk-map').dispatchEvent(new CustomEvent('pick', {detail: {kind: 'incident', key}}))",
        str(second["id"]),
    )
    expect(page.locator(".detail__number")).to_have_text(second["number"])
    expect(page.locator(f".ag-row-selected[row-id='{second['id']}']")).to_be_visible()


def test_a_press_chooses_whatever_the_grid_does_meanwhile(product: Running, desk: Terminal) -> None:
    """Dash's wrapper empties the grid's selection when it likes, and a row may change under the finger."""
    first, second, page = report(product), report(product), desk.page
    find_in_list(page, first["number"])
    page.evaluate(
        """async () => {
            const grid = await window.dash_ag_grid.getApiAsync('desk-grid');
            document.querySelector('.grid .ag-row .two-lines__a').click();
            grid.deselectAll();
        }"""
    )
    expect(page.locator(".detail__number")).to_have_text(first["number"])
    find_in_list(page, second["number"])
    page.locator(".grid .ag-row .cy-stage--reported").hover()
    page.mouse.down()
    carry_out(product, "dispatcher", "accept_incident", id=second["id"])
    expect(page.locator(".grid .ag-row .cy-stage--accepted")).to_be_visible()
    page.mouse.up()
    expect(page.locator(".detail__number")).to_have_text(second["number"])
    page.locator("[data-clear]").click()


def test_the_second_to_press_is_told_who_was_first(product: Running, desk: Terminal) -> None:
    told, page = report(product), desk.page
    open_incident(page, told["number"])
    page.evaluate("chengyun.live.stop()")  # this desk hears nothing of what comes now
    carry_out(product, "dispatcher", "accept_incident", id=told["id"])
    page.locator("#desk-actions").get_by_role("button", name="受理", exact=True).click()
    expect(page.locator(".cy-toast--warn")).to_contain_text("周宁")
    expect(page.locator(".cy-toast--warn")).to_contain_text("受理")
    expect(page.locator(".detail__head .cy-stage--accepted")).to_be_visible()
    cut = [
        fault for fault in desk.faults if "/live?from=" in fault
    ]  # the stream that this test hung up itself
    desk.faults[:] = [fault for fault in desk.faults if fault not in cut]


def test_another_unit_is_chosen_with_a_reason(product: Running, chrome: Browser) -> None:
    """改派 by advice and by search; the timeline says from whom to whom."""
    told = report(product, text="路灯不亮，行人看不清")
    carry_out(product, "dispatcher", "accept_incident", id=told["id"])
    with closing(product.person("dispatcher")) as asker:
        route = asker.ask("route_incident", id=told["id"]).json()
        names = {one["code"]: one["name"] for one in route["units"]}
        ranked = [one["unit"] for one in route["decision"]["ranked"]]
        advised = ranked[0]
        first, third = [code for code in names if code != advised][:2]
        asker.command("dispatch_incident", id=told["id"], unit=first).raise_for_status()
        with at_terminal(chrome, product.url, "dispatcher", DESK_SIZE) as terminal:
            sit_down(terminal, product, "dispatcher", "desk")
            page = terminal.page
            open_incident(page, told["number"])
            form, timeline = page.locator("#desk-act"), page.locator("#desk-timeline")
            again = page.locator("#desk-actions").get_by_role("button", name="改派")
            again.click()
            expect(form.locator("#desk-act-advice .cy-item").first).to_contain_text(names[advised])
            form.locator("#desk-act-reason").fill("不归它管")
            form.locator("[data-act-confirm]").click()
            expect(page.locator(".cy-toast--warn")).to_contain_text("责任单位")
            form.locator(f"[data-pick-unit='{advised}']").click()
            expect(form.locator("#desk-act-unit")).to_contain_text(names[advised])
            form.locator("[data-act-confirm]").click()
            expect(timeline).to_contain_text(f"由 {names[first]} 改派 {names[advised]}")
            expect(timeline).to_contain_text("不归它管")
            again.click()
            expect(form.locator("#desk-act-advice")).to_contain_text("现主办单位")
            form.locator("#desk-act-unit").click()
            page.locator(".dash-dropdown-search").fill(third)
            page.locator(".dash-dropdown-option").first.click()
            form.locator("#desk-act-reason").fill("另有分工")
            form.locator("[data-act-confirm]").click()
            expect(timeline).to_contain_text(f"由 {names[advised]} 改派 {names[third]}")
        assert asker.ask("incident", id=told["id"]).json()["unit"] == third


def test_export_holds_what_the_list_shows(product: Running, desk: Terminal) -> None:
    report(product, level=1)
    page = desk.page
    page.locator("[data-level='1']").click()
    expect(page.locator("[data-level='1']")).to_have_attribute("aria-pressed", "true")
    with page.expect_download(timeout=PATIENT_MS) as download:
        page.locator("[data-export]").click()
    sheet = load_workbook(io.BytesIO(download.value.path().read_bytes())).active
    assert sheet is not None
    assert sheet.max_row > 1
    levels = next(i for i, cell in enumerate(sheet[1]) if "级" in str(cell.value))
    assert {str(row[levels].value)[0] for row in sheet.iter_rows(min_row=2)} <= {"1", "Ⅰ"}
    page.locator("[data-clear]").click()


def test_an_indicator_opens_its_formula_and_its_records(product: Running, desk: Terminal) -> None:
    known, page = report(product), desk.page
    expect(page.locator("#desk-tiles [data-of]")).to_have_count(8)
    page.locator("[data-of='open']").click()
    expect(page.locator("#records")).to_contain_text("算式")
    row = page.locator(f"#records [data-incident='{known['id']}']")
    row.click()
    expect(page.locator("#records")).to_be_hidden()
    expect(page.locator(".detail__number")).to_have_text(known["number"])


FIGURES = ("open", "overdue", "on_time_closing", "first_dispatch", "median_handling")
DATA_FIGURES = ("devices_online", "completeness", "newest_age")


def a_page_of(asker: Person, of: str) -> dict[str, Any] | None:
    """What the devices page answers of a figure, once that fills a page of records."""
    answer: dict[str, Any] = asker.ask("devices", of=of, limit=1).json()
    return answer if answer["total"] >= 100 else None


@pytest.mark.parametrize("login", ["operator", "evaluator"])
def test_every_panel_opens_the_records_of_its_figure(product: Running, chrome: Browser, login: str) -> None:
    """Also for those without a right to the city's feeds."""
    with at_terminal(chrome, product.url, "desk", DESK_SIZE) as terminal:
        sit_down(terminal, product, login, "desk")
        page = terminal.page
        asker = product.person(login)
        for of in (*FIGURES, *DATA_FIGURES):
            if of in DATA_FIGURES:
                # A page of records: in the first minutes of a city nothing is due yet.
                before = until(partial(a_page_of, asker, of), f"{of}: less than a page of records", 180)
            page.locator(f"#desk-tiles [data-of='{of}']").click()
            body = page.locator("#records-body")
            if of in FIGURES:
                total = asker.ask("incidents", scope="all", of=of, limit=1).json()["total"]
                if total:
                    expect(body.locator("[data-incident]").first).to_be_visible()
                else:
                    expect(body).to_contain_text("没有记录")
            else:
                expect(body.locator("tr[data-record]")).to_have_count(100)
                shown = re.search(r"共 (\d+) 条", body.inner_text())
                parts = re.search(r"([\d,]+) / ([\d,]+)", body.locator("[data-figure]").inner_text())
                after = asker.ask("devices", of=of, limit=1).json()
                # Devices of a city that has just begun become due from minute to minute: never fewer.
                assert shown and before["total"] <= int(shown[1]) <= after["total"]
                least = {"devices_online": before["denominator"], "completeness": 1}.get(of)
                assert (
                    (parts is None) if least is None else (parts and int(parts[2].replace(",", "")) >= least)
                )
            page.locator("#records [data-records-close]").click()
            expect(page.locator("#records")).to_be_hidden()
        asker.close()


def test_closed_incidents_are_found_by_their_number(product: Running, desk: Terminal) -> None:
    gone, page = report(product), desk.page
    carry_out(product, "operator", "refuse_incident", id=gone["id"], reason="重复上报")
    page.locator("#desk-search").fill(gone["number"])
    expect(page.locator(".grid .ag-row")).to_have_count(0)
    page.keyboard.press("Enter")
    page.locator(f"#desk-found [data-incident='{gone['id']}']").click()
    expect(page.locator("#desk-facts")).to_contain_text("不予受理")
    expect(page.locator("#desk-timeline")).to_contain_text("重复上报")
    page.locator("[data-clear]").click()


def test_a_bell_stops_on_every_desk_when_one_acknowledges(
    product: Running, desk: Terminal, chrome: Browser
) -> None:
    loud = report(product, class_code="E0401", text="道路塌陷，车辆受困", level=1)
    with at_terminal(chrome, product.url, "leader", LEADER_SIZE) as leader:
        sit_down(leader, product, "leader", "leader")
        card = leader.page.locator(f"#leader-wrong [data-key='{loud['id']}']")
        expect(card).to_have_class(having("is-ringing"))
        open_incident(desk.page, loud["number"])
        expect(desk.page.locator(".ring")).to_be_visible()
        card.get_by_role("button", name="确认知晓").click()
        expect(desk.page.locator(".ring")).to_have_count(0)
        expect(card).not_to_have_class(having("is-ringing"))


def test_the_wall_is_scaled_as_a_whole_and_commands_nothing(product: Running, chrome: Browser) -> None:
    report(product)
    with at_terminal(chrome, product.url, "wall", WALL_SIZE) as wall:
        sit_down(wall, product, "wall", "wall")
        page = wall.page
        for size in (WALL_SIZE, {"width": 1280, "height": 1024}, {"width": 2560, "height": 1440}):
            page.set_viewport_size({"width": size["width"], "height": size["height"]})
            scale = min(size["width"] / 1920, size["height"] / 1080)
            page.wait_for_function(
                """([w, h]) => {
                  const box = document.querySelector('[data-canvas]').getBoundingClientRect();
                  return Math.abs(box.width - w) < 1.5 && Math.abs(box.height - h) < 1.5 && box.x >= -1 && box.y >= -1;
                }""",
                arg=[1920 * scale, 1080 * scale],
                timeout=PATIENT_MS,
            )
        assert page.locator("[data-canvas] :is(a[href], input, [data-act], [data-incident])").count() == 0
        assert page.locator("[data-canvas] button:not([data-of])").count() == 0, (
            "figures alone can be pressed"
        )
        expect(page.locator(".wall__tiles [data-of]")).to_have_count(8)
        expect(page.locator("[data-worst] .row").first).to_be_visible()


def test_a_figure_of_the_wall_shows_its_formula_and_its_records(product: Running, chrome: Browser) -> None:
    """To be read only; gone by a click, by Esc, by themselves, and for a new level I."""
    report(product)
    with at_terminal(chrome, product.url, "wall", WALL_SIZE) as wall:
        sit_down(wall, product, "wall", "wall")
        page = wall.page
        sent: list[str] = []
        page.on("request", lambda r: sent.append(r.url) if r.method == "POST" else None)
        records = page.locator("[data-records]")
        expect(records).to_be_hidden()
        for tile in page.locator(".wall__tiles [data-of] .cy-tile__formula").all():
            expect(tile).not_to_be_empty()
            assert tile.evaluate("e => e.scrollHeight <= e.clientHeight + 1"), "the formula is cut off"
        for of in (*FIGURES, *DATA_FIGURES):
            page.locator(f".wall__tiles [data-of='{of}']").click()
            expect(records.locator("[data-records-title]")).to_have_text(
                page.locator(f"[data-of='{of}'] .cy-tile__name").inner_text()
            )
            expect(records.locator("[data-record], .cy-empty").first).to_be_visible()
            expect(records.locator(".is-fault")).to_have_count(0)
            assert records.locator("[data-record]").count() <= 12
        page.locator(".wall__tiles [data-of='open']").click()
        expect(records.locator("[data-record]").first).to_be_visible()
        page.keyboard.press("Escape")
        expect(records).to_be_hidden()
        page.locator(".wall__tiles [data-of='devices_online']").click()
        expect(records.locator("[data-record]")).to_have_count(12)
        expect(records).to_contain_text(re.compile(r"共 \d{3,} 条，显示 12 条 · [\d,]+ / [\d,]+"))
        page.locator("[data-records] h2").click()
        expect(records).to_be_hidden()
        page.locator(".wall__tiles [data-of='open']").click()
        expect(records).to_be_visible()
        loud = report(product, class_code="E0401", text="道路塌陷，车辆受困", level=1)
        expect(page.locator("[data-alert]")).to_be_visible()
        expect(records).to_be_hidden()
        page.locator(".wall__tiles [data-of='open']").click()
        expect(records).to_be_visible()
        boxes = [page.locator(x).bounding_box() for x in ("[data-alert]", "[data-records]")]
        assert boxes[0] and boxes[1] and boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"], (
            "an alert stays in sight"
        )
        page.keyboard.press("Escape")
        expect(records).to_have_attribute("data-close-s", "60")
        records.evaluate("e => { e.dataset.closeS = 1; }")  # a test need not wait for a minute
        page.locator(".wall__tiles [data-of='open']").click()
        expect(records).to_be_visible()
        expect(records).to_be_hidden()
        assert {urlsplit(url).path for url in sent} == {"/_dash-update-component"}, "it only asks"
        carry_out(product, "operator", "acknowledge_incident", id=loud["id"])


def test_one_press_on_the_leaders_page_acts(product: Running, chrome: Browser) -> None:
    """Acknowledge, send to the unit that the route names, open at the desk: one press each."""
    loud = report(product, class_code="E0401", text="道路塌陷，车辆受困", level=1)
    sent = report(product, class_code="E0401", text="路面塌陷，无人受困", level=2)
    carry_out(product, "dispatcher", "accept_incident", id=sent["id"])
    with at_terminal(chrome, product.url, "leader", LEADER_SIZE) as leader:
        sit_down(leader, product, "leader", "leader")
        page = leader.page
        asker = product.person("leader")
        page.locator(f"#leader-wrong [data-key='{loud['id']}']").get_by_role(
            "button", name="确认知晓"
        ).click()
        expect(page.locator(".cy-toast")).to_contain_text("确认知晓")
        assert asker.ask("incident", id=loud["id"]).json()["acknowledged"]
        card = page.locator(f"#leader-wrong [data-key='{sent['id']}']")
        card.get_by_role("button", name="派遣").click()
        expect(card.locator(".cy-stage--dispatched")).to_be_visible()
        assert (
            asker.ask("incident", id=sent["id"]).json()["unit"]
            == asker.ask("route_incident", id=sent["id"]).json()["unit"]
        )
        asker.close()
        with leader.leaving():
            card.get_by_role("link", name="打开").click()
            expect(page.locator(".detail__number")).to_have_text(sent["number"], timeout=PATIENT_MS)


TERMINALS = (
    ("operator", "desk"),
    ("leader", "leader"),
    ("wall", "wall"),
    ("admin", "ops"),
    ("admin", "admin"),
)


def test_demo_data_are_called_so_on_every_terminal_while_a_feed_is_demo(
    product: Running, chrome: Browser
) -> None:
    """And no longer when none is. (Which feeds are demo is said where the store is set up, so here too.)"""
    store = Database(product.product.env["CHENGYUN_DSN"])
    demo = [feed for (feed,) in store.query("SELECT id FROM feeds WHERE demo")]
    assert demo
    with at_terminal(chrome, product.url, "ops", LEADER_SIZE) as watched:
        sit_down(watched, product, "admin", "ops")
        tag = watched.page.locator("[data-demo]")
        expect(tag).to_have_text("演示数据")
        try:
            for on in (True, False):
                store.query("UPDATE feeds SET demo = %s WHERE id = ANY(%s)", (on, demo))
                expect(tag).to_be_visible(visible=on)  # without a reload
                for login, page in TERMINALS:
                    with at_terminal(chrome, product.url, page, LEADER_SIZE) as terminal:
                        sit_down(terminal, product, login, page)
                        shown = terminal.page.locator("[data-demo]")
                        expect(shown).to_have_count(1)
                        expect(shown).to_be_visible(visible=on)
        finally:
            store.query("UPDATE feeds SET demo = true WHERE id = ANY(%s)", (demo,))
            expect(tag).to_be_visible()
            store.close()


def test_who_has_no_right_is_told_so(product: Running, chrome: Browser) -> None:
    with at_terminal(chrome, product.url, "auditor", LEADER_SIZE) as terminal:
        product.sign_in(terminal.context, "auditor")
        terminal.page.goto(f"{product.url}/desk")
        expect(terminal.page.locator(".refused")).to_contain_text("审计员", timeout=PATIENT_MS)


def test_an_account_made_and_disabled_loses_its_session(product: Running, chrome: Browser) -> None:
    with at_terminal(chrome, product.url, "admin", LEADER_SIZE) as terminal:
        sit_down(terminal, product, "admin", "admin")
        page = terminal.page
        page.get_by_role("button", name="新增").click()
        page.locator("#admin-login").fill("desk-2")
        page.locator("#admin-name").fill("坐席 二号")
        page.locator("#admin-role").click()
        page.locator(".dash-dropdown-content").get_by_text("坐席", exact=True).click()
        page.keyboard.press("Escape")
        page.locator("#admin-areas").click()
        page.locator(".dash-dropdown-content").get_by_text("临澜市", exact=True).click()
        page.keyboard.press("Escape")
        page.locator("[data-save='account']").click()
        password = page.locator(".secret").inner_text(timeout=PATIENT_MS)
        new = Person(product.url, "desk-2", password)
        assert new.ask("classes").status_code == 200
        page.locator("#admin-search").fill("desk-2")
        page.keyboard.press("Enter")
        page.locator("#admin-grid .ag-row", has_text="desk-2").click()
        expect(page.locator("[data-save='disable']")).to_be_visible()
        expect(page.locator("#admin-login")).to_have_value("desk-2")
        page.locator("[data-save='disable']").click()
        expect(page.locator("#admin-grid")).to_contain_text("已停用")
        assert new.ask("classes").status_code == 401
        new.close()
