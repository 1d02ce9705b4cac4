"""The catalogue page in Chromium: a sheet is looked at, stored as a draft, its odd limit decided, published, and revised."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.browser import DESK_SIZE, at_terminal
from tests.e2e.conftest import Running

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""

SHEET = (
    "类别,大类代码,大类名称,小类代码,小类名称,立案条件,处置单位,处置时限,结案条件,取证要求\n"
    "事件,71,样例大类,01,游船靠泊无序,占用主航道,水务管理站、交通设施管理所,2紧急工作时,航道畅通,靠泊前后照片\n"
    "事件,71,样例大类,01,游船靠泊无序,岸边零散停放,水务管理站,4小时,停放整齐,停放照片\n"
    "事件,71,样例大类,02,亲水台阶湿滑,青苔成片,水务管理站,尽快清理,清理干净,清理照片\n"
)


def test_a_sheet_becomes_the_catalogue(running: Running, chrome: Browser, tmp_path: Path) -> None:
    good, bad = tmp_path / "立案结案标准.csv", tmp_path / "缺列.csv"
    good.write_bytes(SHEET.encode("gb18030"))
    bad.write_bytes("大类名称,小类名称\n甲,乙\n".encode())
    with at_terminal(chrome, running.url, "admin", DESK_SIZE) as terminal:
        running.log_in(terminal, "admin", "catalogue")
        page = terminal.page
        body, sheets, side = (
            page.locator("#catalogue-body"),
            page.locator("#catalogue-list"),
            page.locator("[data-side]"),
        )
        sheets.locator(
            ".catalogue__sheet", has_text="样例城市事项目录"
        ).click()  # other stories have sheets too
        expect(body.locator("h1")).to_have_text("样例城市事项目录")
        expect(body).to_contain_text("市政维护中心、供水抢修中心")
        page.screenshot(path=running.artifacts / "catalogue.png")
        body.locator(".ag-row").first.click()
        expect(side).to_contain_text("已发布的目录不再改动")
        expect(side.locator("#catalogue-form")).to_be_hidden()

        upload = page.locator("#catalogue-upload input[type=file]")
        preview = page.locator("#catalogue-preview")
        upload.set_input_files(bad)
        expect(preview).to_contain_text("立案条件")
        expect(preview.locator("[data-store]")).to_have_count(0)
        upload.set_input_files(good)
        expect(preview).to_contain_text("尽快清理")
        page.screenshot(path=running.artifacts / "catalogue-preview.png")
        page.locator("#catalogue-name").fill("滨水补充目录")
        preview.locator("[data-store]").click()
        expect(body.locator("h1")).to_have_text("滨水补充目录")
        expect(sheets).to_contain_text("1 条时限待判定")

        body.get_by_text("时限待判定", exact=True).click()
        expect(body.locator(".ag-center-cols-container .ag-row")).to_have_count(1)
        body.locator(".ag-row", has_text="青苔成片").click()
        expect(side.locator("#catalogue-condition")).to_have_value("青苔成片")
        side.locator("#catalogue-amount").fill("1")
        side.locator("#catalogue-kind").click()
        page.get_by_role("option", name="工作日", exact=True).click()
        side.locator("#catalogue-reason").fill("清理需晾干，按一个工作日")
        page.screenshot(path=running.artifacts / "catalogue-form.png")
        side.locator("[data-save='standard']").click()
        expect(page.locator(".cy-toast").last).to_contain_text("已保存")
        expect(sheets).to_contain_text("草稿，可发布")
        body.locator("[data-save='publish']").click()
        expect(page.locator(".cy-toast").last).to_contain_text("已发布，2 个小类更新")
        expect(sheets).to_contain_text("由 admin 发布")

        page.locator("#catalogue-revised").fill("滨水补充目录（修订）")
        body.locator("[data-save='revise']").click()
        expect(body.locator("h1")).to_have_text("滨水补充目录（修订）")
        expect(sheets.locator(".catalogue__sheet", has_text="滨水补充目录")).to_have_count(2)
        terminal.in_english()
        expect(body.locator("h1")).to_have_text("滨水补充目录")  # the newest that is published
        expect(page.locator(".catalogue__import")).to_contain_text("Import a rule sheet")
        page.screenshot(path=running.artifacts / "catalogue-english.png")


def test_who_may_not_change_it_reads_it(running: Running, chrome: Browser) -> None:
    with at_terminal(chrome, running.url, "dispatcher", DESK_SIZE) as terminal:
        running.log_in(terminal, "dispatcher", "catalogue")
        page = terminal.page
        page.locator(".catalogue__sheet", has_text="样例城市事项目录").click()
        expect(page.locator("#catalogue-body h1")).to_have_text("样例城市事项目录")
        page.locator("#catalogue-search").fill("井盖")
        page.locator("#catalogue-search").press("Enter")
        expect(page.locator("#catalogue-body .ag-row", has_text="盖板缺失").first).to_be_visible()
        expect(page.locator(".catalogue__import")).to_be_hidden()
        expect(page.locator("[data-save='revise']")).to_have_count(0)
