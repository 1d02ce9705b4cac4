"""One incident through everything that can go wrong, in Chromium: chosen standard, 退回, 延期, 挂账, 督办, 超期, 返工, 申诉.

Issue C "Must show" 9. The unit's handler has a phone and a desk; everybody else a desk. Its standard gives two minutes, so
that its limit can pass while somebody watches: what is overdue stays told, and only statistics leave it out.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from data.sample_city.read_city import PlaceRow
from tests.e2e.browser import PHONE_SIZE, Terminal, at_terminal
from tests.e2e.city import RUBBISH, places_with_workers
from tests.e2e.conftest import FAILED, Running
from tests.e2e.lively import photo
from tests.e2e.test_handling import Office, at_desk
from tests.e2e.test_story import Seat, feed_says

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""
pytestmark = pytest.mark.timeout(2400, func_only=True)

WRONG_UNIT, WRONG_NAME = "USZ-990101", "澜江区市政维护中心"
UNIT, UNIT_NAME = "UHW-990101", "澜江区环卫中心"
CLASS: Final = "工地渣土外溢"
SHEET: Final = "\n".join(
    (
        "类别,大类代码,大类名称,小类代码,小类名称,立案条件,处置单位,处置时限,结案条件",
        f"事件,98,市容环境,01,{CLASS},主干道及公交站周边堆放渣土、影响通行的,{UNIT_NAME}、{WRONG_NAME},0.04紧急工作时,渣土清除、路面恢复整洁",
        f"事件,98,市容环境,01,{CLASS},背街小巷堆放渣土的,{UNIT_NAME}、属地街道办,3天,渣土清除",
    )
)
UNTIL_OVERDUE_MS: Final = 300_000
"""Two minutes of the limit and two of its extension pass on the real clock."""
ZONE: Final = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def seat(running: Running, chrome: Browser, request: pytest.FixtureRequest) -> Iterator[Seat]:
    """Opens terminals; at the end they close, and their faults fail the test."""
    opened: list[Terminal] = []
    with ExitStack() as stack:

        def take(name: str, size: dict[str, int], *, touch: bool = False) -> Terminal:
            opened.append(stack.enter_context(at_terminal(chrome, running.url, name, size, touch=touch)))
            return opened[-1]

        yield take
        if request.node.stash.get(FAILED, False):
            for terminal in opened:
                terminal.page.screenshot(path=running.artifacts / f"failed-loop-{terminal.name}.png")


def publish_the_sheet(running: Running) -> None:
    """The city's rule sheet becomes its catalogue; a limit of bare days is read as working days and marked assumed."""
    with closing(running.person("admin")) as admin:
        content = base64.b64encode(SHEET.encode()).decode()
        sheet = {"content": content, "filename": "标准.csv", "name": "全流程", "confirm": True}
        stored = admin.command("import_catalogue", **sheet)
        assert stored.status_code == 200, stored.text
        assert (stored.json()["standards"], stored.json()["assumed"]) == (2, 1)
        published = admin.command("publish_catalogue", catalogue=stored.json()["catalogue"])
        assert published.status_code == 200, published.text


def picture(running: Running, terminal: Terminal, name: str) -> None:
    """Keep what this person sees, from the top of the page."""
    terminal.page.evaluate("window.scrollTo(0, 0)")
    terminal.page.screenshot(path=running.artifacts / f"loop-{name}.png")


def send_to(desk: Office, unit: str) -> None:
    """Find a unit in the dispatch panel, also among the others, and send."""
    panel = desk.page.locator("#desk-dispatch")
    button = panel.locator(f"""[data-act*='"unit": "{unit}"']""").first
    expect(button).to_be_attached()
    if not button.is_visible():
        panel.locator("details.others:not([open]) > summary").first.click()
    button.click()


@contextmanager
def phone_of(running: Running, chrome: Browser, unit: str, place: PlaceRow) -> Iterator[Terminal]:
    """The phone of a unit's handler, at the place."""
    with at_terminal(chrome, running.url, f"phone-{unit}", PHONE_SIZE, touch=True) as phone:
        phone.context.set_geolocation({"longitude": place.lon, "latitude": place.lat, "accuracy": 8})
        running.log_in(phone, f"unit-{unit.lower()}", "phone")
        try:
            yield phone
        except BaseException:
            phone.page.screenshot(path=running.artifacts / f"failed-loop-phone-{unit}.png")
            raise


def open_task(page: Page, words: str) -> None:
    """Tap the task's card."""
    page.locator(".ph-card", has_text=words).tap()
    expect(page.locator(".ph-head")).to_contain_text(words)


def fill_form(page: Page, link: str, text: str, send: str) -> None:
    """Open a form of the task, write, send."""
    page.get_by_role("link", name=link).tap()
    page.locator("#ph-text").fill(text)
    page.get_by_role("button", name=send).tap()


@contextmanager
def desk_of(running: Running, chrome: Browser, login: str, home: str = "desk") -> Iterator[Office]:
    """Somebody's desk for as long as it is needed: a machine that draws maps in software has no room for all at once."""
    with ExitStack() as stack:

        def take(name: str, size: dict[str, int], *, touch: bool = False) -> Terminal:
            return stack.enter_context(at_terminal(chrome, running.url, name, size, touch=touch))

        desk = at_desk(running, take, login, login, home)
        try:
            yield desk
        except BaseException:
            desk.page.screenshot(path=running.artifacts / f"failed-loop-{login}.png")
            raise


def found(desk: Office, words: str) -> Office:
    """The desk with the incident open."""
    desk.narrow(words)
    expect(desk.row(words)).to_have_count(1)
    desk.open(words)
    return desk


def test_the_whole_loop(running: Running, chrome: Browser, seat: Seat) -> None:
    stop = places_with_workers()[3]
    words = f"{stop.name}旁渣土堆积占道"
    publish_the_sheet(running)
    report = {"channel": "hotline", "title": words, "text": words, "address": stop.name,
              "point": {"lon": stop.lon, "lat": stop.lat}}  # fmt: skip
    feed_says(running, "city.grid-report.v1", "", report)
    with desk_of(running, chrome, "operator") as operator:
        it_is_filed_under_a_standard(running, found(operator, words))
    dispatcher = found(at_desk(running, seat, "dispatcher", "dispatcher", "desk"), words)
    the_first_unit_returns_it(running, chrome, dispatcher, stop, words)
    office_login = f"unit-{UNIT.lower()}"
    with phone_of(running, chrome, UNIT, stop) as phone:
        send_to(dispatcher, UNIT)
        dispatcher.expect_stage("派遣")
        more_time_is_asked_for(running, dispatcher, phone, words)
        with desk_of(running, chrome, office_login, "phone") as office:
            it_is_parked_and_comes_back(running, dispatcher, found(office, words), phone)
        it_is_supervised(running, chrome, phone, words)
        it_is_done_too_late(running, dispatcher, phone)
        with desk_of(running, chrome, "operator") as operator:
            it_is_done_again(running, found(operator, words), phone, words)
    number = dispatcher.page.locator("#desk-head .detail__number").inner_text()
    with desk_of(running, chrome, office_login, "phone") as office:
        it_is_appealed(running, chrome, dispatcher, closed(office, number), number)
    assert told_in_order(dispatcher) == [
        "上报", "受理", "派遣", "退回", "派遣", "申请延期", "同意申请", "申请挂账", "同意申请", "解除挂账",
        "督办", "签收督办", "回复督办", "督办办结", "接单", "到场", "处置完成", "反馈", "核查不通过",
        "接单", "到场", "处置完成", "反馈", "核查通过", "结案", "申诉", "申诉成立",
    ]  # fmt: skip


def closed(desk: Office, number: str) -> Office:
    """The desk with a closed incident open, found by its number."""
    desk.narrow(number)
    desk.page.locator("#desk-search").press("Enter")
    desk.page.locator("#desk-found [data-incident]", has_text=number).click()
    desk.expect_stage("结案")
    return desk


def told_in_order(desk: Office) -> list[str]:
    """What people did; what the clock did by itself (升级) comes when it comes."""
    return [what for what in desk.told() if what not in ("升级", "确认知晓")]


def it_is_filed_under_a_standard(running: Running, operator: Office) -> None:
    """The class has two standards whose limits differ: the operator sees what each asks for, and chooses."""
    page, form = operator.page, operator.page.locator("#desk-act")
    operator.button("受理").click()
    expect(form).to_be_visible()
    standards = form.locator("[data-for='standard']")
    expect(standards).to_be_hidden()
    page.locator("#desk-act-class").click()
    search = page.locator(".dash-dropdown-search")
    expect(search).to_be_focused()
    search.fill(CLASS)
    page.locator(".dash-dropdown-option", has_text=CLASS).click()
    expect(standards.locator("label:has(input)")).to_have_count(2)
    expect(standards).to_contain_text(f"可处置单位：{UNIT_NAME}、{WRONG_NAME}")
    expect(standards).to_contain_text("3 工作日")
    expect(standards).to_contain_text("时限种类为推定")
    form.locator("[data-act-confirm]").click()
    operator.expect_told("请选择立案标准")
    picture(running, operator.terminal, "01-standards")
    standards.get_by_text("主干道及公交站周边").click()
    form.locator("[data-act-confirm]").click()
    operator.expect_stage("受理")
    operator.expect_told_of("主干道及公交站周边堆放渣土、影响通行的")
    operator.expect_told_of("渣土清除、路面恢复整洁")


def the_first_unit_returns_it(
    running: Running, chrome: Browser, dispatcher: Office, stop: PlaceRow, words: str
) -> None:
    """退回: the unit names what was wrong and why."""
    with phone_of(running, chrome, WRONG_UNIT, stop) as phone:
        dispatcher.expect_stage("受理")
        send_to(dispatcher, WRONG_UNIT)
        dispatcher.expect_stage("派遣")
        open_task(phone.page, words)
        phone.page.get_by_role("link", name="退回").tap()
        phone.page.locator(".ph-choice", has=phone.page.locator("input[value='owner']")).tap()
        expect(phone.page.locator(".ph-choice", has=phone.page.locator("input[value='owner']"))).to_have_css(
            "color", "rgb(255, 255, 255)"
        )
        phone.page.locator("#ph-text").fill("渣土归环卫清运，非市政设施")
        picture(running, phone, "02-return")
        phone.page.get_by_role("button", name="退回派遣").tap()
        expect(phone.page.get_by_text("已退回")).to_be_visible()
        expect(phone.page.locator(".ph-card", has_text=words)).to_have_count(0)
    dispatcher.expect_stage("受理")
    dispatcher.expect_told_of("退回 1 次")
    picture(running, dispatcher.terminal, "03-returned")


def more_time_is_asked_for(running: Running, dispatcher: Office, phone: Terminal, words: str) -> None:
    """延期 from the phone, granted at the desk."""
    page = phone.page
    open_task(page, words)
    fill_form(page, "申请延期", "清运车检修，需等待调车", "提交申请")
    expect(page.locator(".ph-task")).to_contain_text("申请延期：等待答复")
    picture(running, phone, "04-extension-asked")
    dispatcher.expect_told_of("清运车检修，需等待调车")
    dispatcher.act("同意申请")
    dispatcher.expect_told_of("已延期 1 次")
    expect(page.locator(".ph-task")).not_to_contain_text("等待答复")


def it_is_parked_and_comes_back(
    running: Running, dispatcher: Office, office: Office, phone: Terminal
) -> None:
    """挂账 from the unit's desk; its clock stands; it goes on before its day."""
    day = (datetime.now(ZONE) + timedelta(days=30)).date().isoformat()
    office.act("申请挂账", "待产权方确认权属", until=day)
    dispatcher.expect_told_of(f"申请挂账至 {day}")
    dispatcher.act("同意申请")
    for desk in (office, dispatcher):
        desk.expect_told_of(f"挂账至 {day}")
    expect(phone.page.locator(".ph-task")).to_contain_text("到期自动恢复")
    picture(running, office.terminal, "05-parked")
    dispatcher.act("解除挂账", "产权方已确认")
    expect(office.page.locator("#desk-facts")).not_to_contain_text(f"挂账至 {day}")
    expect(phone.page.locator(".ph-task")).not_to_contain_text("到期自动恢复")


def it_is_supervised(running: Running, chrome: Browser, phone: Terminal, words: str) -> None:
    """督办 of the duty leader, signed for and answered on the phone."""
    page = phone.page
    with desk_of(running, chrome, "leader", "leader") as leader:
        found(leader, words)
        leader.act("督办", "今日清完并回复", degree="二级督办", hours="2")
        demand = page.locator(".ph-demand")
        expect(demand).to_contain_text("今日清完并回复")
        expect(demand).to_contain_text("二级督办")
        leader.expect_told_of("未签收")
        picture(running, phone, "06-demand")
        demand.get_by_role("button", name="签收督办").tap()
        expect(demand.get_by_role("button", name="签收督办")).to_have_count(0)
        leader.expect_told_of("已签收")
        fill_form(page, "回复督办", "下午三点前清完，已加派两车", "提交回复")
        expect(demand).to_contain_text("已回复，待督办人确认")
        leader.expect_told_of("下午三点前清完，已加派两车")
        picture(running, leader.terminal, "07-supervised")
        leader.act("督办办结")
        expect(demand).to_have_count(0)


def handle(page: Page, seed: int, text: str) -> None:
    """接单 where it waits, 到场, 处置完成 with a photo."""
    page.get_by_role("button", name="接单").tap()
    page.get_by_role("button", name="我已到场").tap()
    finish(page, seed, text)


def finish(page: Page, seed: int, text: str) -> None:
    """处置完成: photo and text."""
    page.get_by_role("link", name="处置完成").tap()
    taken: FilePayload = {"name": f"IMG_{seed}.jpg", "mimeType": "image/jpeg", "buffer": photo(seed)}
    page.locator("#ph-photo").set_input_files([taken])
    expect(page.locator(".ph-photos img")).to_be_visible()
    page.locator("#ph-text").fill(text)
    page.get_by_role("button", name="提交处置结果").tap()
    expect(page.get_by_text("处置结果已提交")).to_be_visible()


def it_is_done_too_late(running: Running, dispatcher: Office, phone: Terminal) -> None:
    """The limit and its extension pass while the unit is on site: desk and phone say so."""
    page = phone.page
    page.get_by_role("button", name="接单").tap()
    page.get_by_role("button", name="我已到场").tap()
    dispatcher.expect_stage("到场")
    expect(dispatcher.page.locator(".clocks__one .overdue")).to_be_visible(timeout=UNTIL_OVERDUE_MS)
    expect(page.locator(".ph-due-line .overdue")).to_be_visible()
    picture(running, phone, "08-overdue-phone")
    picture(running, dispatcher.terminal, "09-overdue")
    finish(page, 1, "已清运，现场留有少量散落")
    dispatcher.expect_stage("反馈")


def it_is_done_again(running: Running, operator: Office, phone: Terminal, words: str) -> None:
    """核查不通过 with a reason: 返工; handled again, checked by another account than the handler's, closed."""
    operator.expect_stage("反馈")
    operator.act("核查不通过", "路面仍有散落渣土，未恢复整洁")
    operator.expect_stage("派遣")
    operator.expect_told_of("返工 1 次")
    open_task(phone.page, words)
    expect(phone.page.locator(".ph-task")).to_contain_text("路面仍有散落渣土，未恢复整洁")
    picture(running, phone, "10-rework")
    handle(phone.page, 2, "散落渣土已清扫，路面已冲洗")
    operator.expect_stage("反馈")
    expect(operator.page.locator("#desk-photos img")).to_have_count(2)
    picture(running, operator.terminal, "11-to-check")
    operator.button("核查通过").click()
    operator.expect_stage("核查")
    operator.button("结案").click()
    operator.expect_stage("结案")
    operator.expect_told_of("超期结案")


def cases(running: Running, formula: str, part: str = "denominator") -> set[str]:
    """The numbers of the incidents behind a rate of today."""
    today = datetime.now(ZONE).date().isoformat()
    with closing(running.person("evaluator")) as evaluator:
        asked: dict[str, Any] = {"formula": formula, "begin": today, "end": today, "part": part}
        answer = evaluator.ask("evaluation_cases", **asked)
        assert answer.status_code == 200, answer.text
        return {row["number"] for row in answer.json()["rows"]}


def it_is_appealed(
    running: Running, chrome: Browser, dispatcher: Office, office: Office, number: str
) -> None:
    """申诉 against 超期, granted by the evaluator: the fact stays told, the rates in time leave it out, others do not."""
    assert number in cases(running, "handle_on_time_rate", "rest")
    office.act("申诉", "产权争议期间无法清运，有街道证明", against="超期")
    office.expect_told_of("待裁定")
    with desk_of(running, chrome, "evaluator", "evaluation") as judge:
        closed(judge, number)
        judge.expect_told_of("产权争议期间无法清运")
        picture(running, judge.terminal, "12-appeal")
        judge.act("申诉成立", "证明属实，按规定剔除")
        judge.expect_told_of("成立：统计豁免，超期事实保留")
    for desk in (dispatcher, office):
        desk.expect_told_of("证明属实，按规定剔除")
        desk.expect_told_of("超期结案")
    picture(running, dispatcher.terminal, "13-exempt")
    assert number not in cases(running, "handle_on_time_rate")
    assert number in cases(running, "handle_rate")
    assert number in cases(running, "rework_rate", "numerator")


def test_units_that_work_together(running: Running, chrome: Browser, seat: Seat) -> None:
    """协办: asked with the dispatch, accepted, answered with a photo on the phone; the lead cannot hand in before that."""
    stop = places_with_workers()[4]
    words = f"{stop.name}路面大面积污染"
    dispatcher = at_desk(running, seat, "dispatcher", "dispatcher", "desk")
    report = {"channel": "hotline", "class": RUBBISH, "title": words, "text": words, "address": stop.name,
              "point": {"lon": stop.lon, "lat": stop.lat}}  # fmt: skip
    feed_says(running, "city.grid-report.v1", "", report)
    dispatcher.narrow(words)
    expect(dispatcher.row(words)).to_have_count(1)
    dispatcher.open(words)
    dispatcher.button("受理").click()
    dispatcher.expect_stage("受理")
    choose = dispatcher.page.locator("#desk-assist")
    expect(choose).to_be_visible()
    choose.locator("#desk-assisting").click()
    search = dispatcher.page.locator(".dash-dropdown-search")
    expect(search).to_be_focused()
    search.fill(WRONG_NAME)
    dispatcher.page.locator(".dash-dropdown-option", has_text=WRONG_NAME).click()
    dispatcher.page.keyboard.press("Escape")
    expect(choose.locator("#desk-assisting")).to_contain_text(WRONG_NAME)
    picture(running, dispatcher.terminal, "20-assisting-chosen")
    send_to(dispatcher, UNIT)
    dispatcher.expect_stage("派遣")
    dispatcher.expect_told_of(WRONG_NAME)
    dispatcher.expect_told_of("未接单")
    with phone_of(running, chrome, UNIT, stop) as lead:
        open_task(lead.page, words)
        lead.page.get_by_role("button", name="接单").tap()
        lead.page.get_by_role("button", name="我已到场").tap()
        expect(lead.page.locator(".ph-task")).to_contain_text(f"等待协办单位答复：{WRONG_NAME}")
        expect(lead.page.get_by_role("link", name="处置完成")).to_have_count(0)
        picture(running, lead, "21-lead-waits")
        with phone_of(running, chrome, WRONG_UNIT, stop) as helper:
            help_out(running, helper, words)
        dispatcher.expect_told_of("路面已冲洗，恢复通行")
        dispatcher.expect_told_of("已答复")
        expect(dispatcher.page.locator("#desk-photos img")).to_have_count(1)
        picture(running, dispatcher.terminal, "23-answered")
        finish(lead.page, 3, "污染物已清运")
    dispatcher.expect_stage("反馈")


def help_out(running: Running, helper: Terminal, words: str) -> None:
    """What an assisting unit does on its phone."""
    page = helper.page
    expect(page.locator(".ph-card", has_text=words)).to_contain_text("协办")
    open_task(page, words)
    page.get_by_role("button", name="协办接单").tap()
    page.get_by_role("button", name="协办到场").tap()
    page.get_by_role("link", name="协办答复").tap()
    taken: FilePayload = {"name": "IMG_9.jpg", "mimeType": "image/jpeg", "buffer": photo(9)}
    page.locator("#ph-photo").set_input_files([taken])
    expect(page.locator(".ph-photos img")).to_be_visible()
    page.locator("#ph-text").fill("路面已冲洗，恢复通行")
    picture(running, helper, "22-assist-answer")
    page.get_by_role("button", name="提交答复").tap()
    expect(page.get_by_text("协办答复已提交")).to_be_visible()
