"""Routing in Chromium: a router is trained from what became of past incidents, replayed, published; it sends by itself and
says why; what comes back leaves automatic until a person approves the rule again. Issue C "Must show" 3 and 9."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser, expect

from data.database import Database, many
from data.sample_city import read_city
from data.sample_city.read_city import PlaceRow
from tests.e2e.browser import DESK_SIZE, at_terminal
from tests.e2e.city import RUBBISH
from tests.e2e.conftest import Running
from tests.e2e.test_story import Desk
from tests.e2e.waiting import until

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""

SQUAD = "UCG-990101"
"""In the streets of this district the squad of urban management takes rubbish away, whatever the table says."""


def streets() -> list[PlaceRow]:
    """Stops in the streets of the district, by name."""
    names = {area.path: area.name for area in read_city.read_areas() if area.level == "town"}
    town = {path: name for path, name in names.items() if path.startswith("990100/990101/")}
    found = [
        place
        for place in read_city.read_places()
        if place.kind == "公交站"
        and any(place.area_path.startswith(path) and name.endswith("街道") for path, name in town.items())
    ]
    return sorted(found, key=lambda place: place.name)


def history(store: Database, count: int = 900) -> None:
    """Closed incidents of the last months: of the district's streets by the squad, elsewhere as the table says."""
    rng = random.Random(7)
    table = {r.area_path: r.unit for r in read_city.read_responsibilities() if r.class_code == RUBBISH}
    places = list(read_city.read_places())
    ours = streets()
    now = datetime.now(UTC)
    rows = []
    for n in range(count):
        inside = rng.random() < 0.3
        place = rng.choice(ours if inside else places)
        path = max((p for p in table if place.area_path.startswith(p)), key=len)
        unit = SQUAD if place.area_path.startswith("990100/990101/") and path.count("/") == 2 else table[path]
        if rng.random() < 0.02:
            unit = "UZJB-990103006"  # some record always errs
        at = now - timedelta(days=200) * (1 - n / count) - timedelta(hours=1)
        rows.append((
            f"LS-{n:05d}", RUBBISH, "暴露垃圾", f"{place.name}旁有垃圾堆放", f"{place.name}旁有垃圾堆放", "closed", 4, place.lon,
            place.lat, place.area_path, at, 9, unit, unit, at, at + timedelta(hours=2), "history",
        ))  # fmt: skip
    with store.transaction() as cursor:
        many(
            cursor,
            "INSERT INTO incidents (number, class_code, class_name, title, text, stage, level, lon, lat, area_path,"
            " reported_at, version, unit, first_unit, dispatched_at, closed_at, correlation_id) VALUES %s",
            rows,
        )


def test_a_router_from_history_to_the_desk(running: Running, chrome: Browser) -> None:
    store = Database(running.product.env["CHENGYUN_DSN"])
    history(store)
    trained = running.product.run("router", "train", "--from-store", "--no-text", "--goal", "0.9").stdout
    version = trained.splitlines()[-2].split("\t")[0]
    assert version.startswith("router-") and "never automatic" not in trained, trained
    # A street well inside, so that the border of the district is no matter.
    place = streets()[4]
    words = f"{place.name}站牌下垃圾成堆"

    with at_terminal(chrome, running.url, "leader", DESK_SIZE) as terminal:
        running.log_in(terminal, "leader", "leader")
        with terminal.leaving():
            terminal.page.goto(f"{running.url}/backtest")
            expect(terminal.page.locator("html[data-ready='routing']")).to_be_attached()
        terminal.stay()
        page = terminal.page
        candidate = page.locator("#routing-state .backtest__one", has_text=version)
        expect(candidate).to_contain_text("候选")
        candidate.get_by_role("button", name="回测").click()
        result = page.locator("#backtest-result")
        expect(result).to_contain_text("自动覆盖率")
        expect(result).to_contain_text("未学习过的")
        moved = result.locator(".backtest__count", has_text="改派").first.locator(".behind")
        expect(moved).to_be_visible()
        assert int(moved.inner_text()) > 100
        moved.click()
        cases = page.locator("#backtest-cases tbody tr")
        expect(cases.first).to_contain_text("澜江区城管执法大队")
        page.screenshot(path=running.artifacts / "backtest.png")
        page.locator("#routing-reason").fill("回测通过")
        result.get_by_role("button", name="发布此模型").click()
        expect(page.locator(".cy-toasts")).to_contain_text("模型已发布")
        expect(candidate).to_contain_text("已发布")

    with closing(running.person("operator")) as operator, closing(running.person("dispatcher")) as dispatcher:
        report = {"text": words, "class_code": RUBBISH, "lon": place.lon, "lat": place.lat}
        filed = operator.command("report_incident", **report).json()
        until(
            lambda: (
                dispatcher.ask("route_incident", id=filed["id"])
                .json()["decision"]["version"]
                .startswith(version)
            ),
            "the published router to be asked",
        )
        sent = operator.command("accept_incident", id=filed["id"]).json()
        assert sent["stage"] == "dispatched", sent

        with at_terminal(chrome, running.url, "dispatcher", DESK_SIZE) as terminal:
            running.log_in(terminal, "dispatcher", "desk")
            desk = Desk(terminal)
            desk.narrow(words)
            desk.open(words)
            desk.expect_stage("派遣")
            panel = desk.page.locator("#desk-dispatch")
            expect(panel).to_contain_text("已自动派遣")
            expect(panel.locator(".route")).to_contain_text("澜江区城管执法大队")
            expect(panel.locator(".route .route__why")).to_contain_text("过去")
            expect(panel.locator(".routing__version")).to_contain_text(version)
            panel.scroll_into_view_if_needed()
            desk.page.screenshot(path=running.artifacts / "routing-sent.png")

            with closing(running.person(f"unit-{SQUAD.lower()}")) as office:
                for name, more in (
                    ("take_incident", {}),
                    ("return_incident", {"wrong_field": "scope", "reason": "此处归环卫中心"}),
                ):
                    answer = office.command(name, id=filed["id"], **more)
                    assert answer.status_code == 200, answer.text
            desk.expect_stage("受理")
            expect(panel).to_contain_text("曾被退回")
            expect(panel.get_by_role("button", name="派遣").first).to_be_visible()
            panel.scroll_into_view_if_needed()
            desk.page.screenshot(path=running.artifacts / "routing-explained.png")
            panel.locator(".routing__other").get_by_role("button", name="派遣").first.click()
            desk.expect_stage("派遣")
            expect(panel).to_contain_text("该规则已停止自动派遣")

    with at_terminal(chrome, running.url, "evaluator", DESK_SIZE) as terminal:
        running.log_in(terminal, "evaluator", "evaluation")
        with terminal.leaving():
            terminal.page.goto(f"{running.url}/backtest")
            expect(terminal.page.locator("html[data-ready='routing']")).to_be_attached()
        terminal.stay()
        page = terminal.page
        rule = page.locator("#routing-state .backtest__one", has_text="此处归环卫中心")
        expect(rule).to_contain_text("超出职责")
        page.screenshot(path=running.artifacts / "routing-withdrawn.png")
        page.locator("#routing-reason").fill("单位误退，规则无误")
        rule.get_by_role("button", name="重新批准").click()
        expect(page.locator(".cy-toasts")).to_contain_text("规则已重新批准")
        expect(rule).to_have_count(0)
        terminal.in_english()
        expect(page.locator("#routing-state")).to_contain_text("No rule has come back")
        page.screenshot(path=running.artifacts / "backtest-en.png")
    running.product.run("router", "off", "--reason", "end of the story")
    store.close()


def test_a_table_from_a_file_special_periods_and_capacities(running: Running, chrome: Browser) -> None:
    unit = next(r.unit for r in read_city.read_responsibilities() if r.class_code == RUBBISH)
    head = "小类代码,区域,责任单位,特殊时期"
    wrong = "\n".join((head, f"{RUBBISH},990100,没有这个单位,"))
    right = "\n".join((head, f"{RUBBISH},990100,{unit},", f"{RUBBISH},990100,{SQUAD},创文"))
    with (
        closing(running.person("leader")) as asker,
        at_terminal(chrome, running.url, "leader", DESK_SIZE) as terminal,
    ):
        names = {row["code"]: row["name"] for row in asker.ask("routing_state").json()["units"]}
        running.log_in(terminal, "leader", "leader")
        with terminal.leaving():
            terminal.page.goto(f"{running.url}/backtest")
            expect(terminal.page.locator("html[data-ready='routing']")).to_be_attached()
        terminal.stay()
        page = terminal.page
        side, toasts = page.locator("#routing-state"), page.locator(".cy-toasts")

        page.get_by_text("导入责任表").click()
        file, preview = page.locator("#routing-upload input[type=file]"), page.locator("#routing-preview")
        file.set_input_files({"name": "wrong.csv", "mimeType": "text/csv", "buffer": wrong.encode()})
        expect(preview).to_contain_text("没有这个单位")
        expect(preview).to_contain_text("须为可接单单位的代码或名称")
        file.set_input_files({"name": "right.csv", "mimeType": "text/csv", "buffer": right.encode("gbk")})
        expect(preview).to_contain_text("2 行中 2 行可用")
        expect(preview).to_contain_text("未指定")
        preview.get_by_role("button", name="保存为草稿").click()
        expect(toasts).to_contain_text("must name the table")
        page.locator("#routing-table").fill("创文试行表")
        preview.get_by_role("button", name="保存为草稿").click()
        expect(preview).to_contain_text("已存为草稿")
        draft = side.locator(".backtest__one", has_text="创文试行表")
        expect(draft).to_contain_text("未指定")
        draft.get_by_role("button", name="回测").click()
        expect(page.locator("#backtest-result")).to_contain_text("既往已结案事件")
        page.screenshot(path=running.artifacts / "backtest-draft.png")

        page.get_by_text("新增特殊时期").click()
        page.locator("#routing-kind").fill("创文")
        page.locator("#routing-period").fill("复检周")
        today = datetime.now(UTC).date()
        for id, day in (
            ("routing-begins", today - timedelta(days=2)),
            ("routing-last", today + timedelta(days=5)),
        ):
            page.locator(f"#{id}").fill(day.isoformat())
            page.locator(f"#{id}").press("Tab")
        page.locator("[data-routing*='\"period\"']").last.click()
        expect(toasts).to_contain_text("特殊时期已保存")
        period = side.locator(".backtest__one", has_text="复检周（创文）")
        expect(period).to_contain_text("进行中")
        period.get_by_role("button", name="立即结束").click()
        expect(period).to_contain_text("已结束")

        page.get_by_text("设定单位能力").click()
        page.locator("#routing-unit").click()
        page.locator(".dash-dropdown-search").fill(SQUAD)
        page.locator(".dash-dropdown-option").first.click()
        page.locator("#routing-capacity").fill("10")
        page.locator("[data-routing*='capacity']").click()
        expect(toasts).to_contain_text("单位能力已保存")
        expect(side.locator(".backtest__one", has_text=names[SQUAD]).last).to_contain_text("能力 10 件")
        page.screenshot(path=running.artifacts / "backtest-forms.png")
