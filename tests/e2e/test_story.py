"""The main job, told once per profile: sense → incident → call → dispatch → phone → check → close, on live screens.

Everything happens as users can make it happen: messages of feeds over HTTP, and clicks, taps and keys in Chromium.
No page is loaded anew after the login, and each page is watched for errors, failed requests and foreign origins.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, Request, Route, expect
from playwright.sync_api import Error as BrowserError

from data.sample_city.read_city import DeviceRow, PlaceRow
from tests.e2e.browser import DESK_SIZE, PHONE_SIZE, WALL_SIZE, Terminal, at_terminal
from tests.e2e.city import RUBBISH, STALL, envelope, lone_lifts, places_with_workers
from tests.e2e.conftest import FAILED, Running
from tests.e2e.lively import photo

STEPS: Final = ("上报", "受理", "派遣", "接单", "到场", "处置", "反馈", "核查", "结案")
"""The path as the stepper shows it."""
TOLD: Final = ("上报", "受理", "派遣", "接单", "到场", "处置完成", "反馈", "核查通过", "结案")
"""The same as the timeline tells it, in the words of the actions."""
DASH: Final = re.compile(r"/_dash-update-component\b")
CALL_S: Final = 30.0
"""An operator files a call within this time (issue A, desk)."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk as its user sees it."""

    terminal: Terminal

    @property
    def page(self) -> Page:
        """The desk's page."""
        return self.terminal.page

    def row(self, words: str) -> Locator:
        """Rows of the incident list that hold these words."""
        return self.page.locator(".ag-center-cols-container .ag-row", has_text=words)

    def narrow(self, words: str) -> None:
        """Type into the search field: the list shows what holds these words (it draws only what is in sight)."""
        self.page.locator("#desk-search").fill(words)

    def open(self, words: str) -> None:
        """Click the row; the detail opens."""
        self.row(words).locator("[col-id='title']").click()
        expect(self.page.locator("#desk-head")).to_contain_text(words)

    def button(self, name: str) -> Locator:
        """A button of the detail."""
        return self.page.locator("#desk-actions").get_by_role("button", name=name, exact=True)

    def expect_stage(self, name: str) -> None:
        """The stepper stands at this step."""
        expect(self.page.locator(".stepper .is-now .step__name")).to_have_text(name)

    def expect_told(self, words: str) -> None:
        """A toast says this."""
        expect(self.page.locator(".cy-toasts .cy-toast", has_text=words).first).to_be_visible()

    def rest_on_the_middle_of_the_map(self, words: str, tries: int = 40) -> Locator:
        """Rest the pointer there until the card of a thing with these words shows: tiles come when they come."""
        box = self.page.locator("#desk-map").bounding_box()
        assert box is not None
        card = self.page.locator(".cy-map__card", has_text=words)
        for turn in range(tries):
            self.page.mouse.move(box["x"] + box["width"] / 2 + turn % 2, box["y"] + box["height"] / 2)
            try:
                card.wait_for(timeout=2000)
                return card
            except BrowserError:
                continue
        raise AssertionError(f"no card with {words!r} in the middle of the map")


Seat = Callable[..., Terminal]


@pytest.fixture
def seat(running: Running, chrome: Browser, request: pytest.FixtureRequest) -> Iterator[Seat]:
    """Opens terminals: `seat("desk", DESK_SIZE)`. At the end they close, and their faults fail the test."""
    opened: list[Terminal] = []
    with ExitStack() as stack:

        def take(name: str, size: dict[str, int], *, touch: bool = False) -> Terminal:
            opened.append(stack.enter_context(at_terminal(chrome, running.url, name, size, touch=touch)))
            return opened[-1]

        yield take
        if request.node.stash.get(FAILED, False):
            for terminal in opened:
                terminal.page.screenshot(path=running.artifacts / f"failed-{terminal.name}.png")


def feed_says(running: Running, topic: str, subject: str, data: Mapping[str, object]) -> None:
    """A feed posts one message; the bus has it when this returns."""
    assert running.product.post(topic, [envelope(topic, subject, data)]) == 202


def lift_says(running: Running, lift: DeviceRow, minutes: float) -> None:
    """The lift reports for how long it has stood between two floors."""
    reading = {"device": lift.id, "readings": [{"metric": STALL, "value": minutes}]}
    feed_says(running, "city.reading.v1", lift.id, reading)


def test_the_main_job(running: Running, seat: Seat) -> None:
    lift, stop = lone_lifts()[1], places_with_workers()[0]
    operator, dispatcher = Desk(seat("operator", DESK_SIZE)), Desk(seat("dispatcher", DESK_SIZE))
    wall = seat("wall", WALL_SIZE)
    running.log_in(operator.terminal, "operator", "desk")
    running.log_in(dispatcher.terminal, "dispatcher", "desk")
    running.log_in(wall, "wall", "wall")

    a_new_incident_appears(running, operator, dispatcher, lift)
    readings_move(running, operator, lift)
    number = a_call_is_taken(running, operator, dispatcher, stop)
    expect(wall.page.locator("[data-newest]")).to_contain_text(stop.name)
    two_press_the_same_button(operator, dispatcher, number)
    phone = seat("phone", PHONE_SIZE, touch=True)
    work_is_done(running, operator, dispatcher, phone, stop, number)
    closed = int(wall.page.locator("[data-total='closed']").inner_text())
    it_is_checked_and_closed(operator, dispatcher, number)
    expect(wall.page.locator("[data-total='closed']")).to_have_text(str(closed + 1))
    for name, terminal in (("desk", operator.terminal), ("wall", wall), ("phone", phone)):
        terminal.page.screenshot(path=running.artifacts / f"story-{name}.png")


def a_new_incident_appears(running: Running, operator: Desk, dispatcher: Desk, lift: DeviceRow) -> None:
    """A reading over a rule: both desks have the incident, and nobody loaded anything."""
    for desk in (operator, dispatcher):
        desk.narrow(lift.name)
        expect(desk.row(lift.name)).to_have_count(0)
        expect(desk.page.get_by_role("grid").get_by_text("没有符合条件的在办事件")).to_be_visible()
    for _ in range(4):
        # The simulated city speaks for this lift too: after a newer reading of its own this one would be late.
        lift_says(running, lift, 7.0)
        try:
            operator.row(lift.name).wait_for(timeout=15_000)
            break
        except BrowserError:
            continue
    for desk in (operator, dispatcher):
        expect(desk.row(lift.name)).to_have_count(1)
    expect(operator.page.locator("html.is-ringing")).to_be_attached()


def readings_move(running: Running, operator: Desk, lift: DeviceRow) -> None:
    """The card under the resting pointer follows the readings; the panels' ages move too."""
    newest = operator.page.locator(".cy-tile[data-of='newest_age']")
    as_of = newest.get_attribute("data-as-of")
    operator.open(lift.name)
    layer = operator.page.locator(".layer input[data-layer='incidents']")
    layer.uncheck()  # the incident lies on top of its device
    for minutes in (11.25, 12.75):
        seen = f"非平层停梯时间 {minutes:g} min"
        for _ in range(6):  # the simulated city speaks for this lift too, and may be the last to speak
            card = operator.rest_on_the_middle_of_the_map(lift.name)
            lift_says(running, lift, minutes)
            try:
                card.filter(has_text=seen).wait_for(timeout=8000)
                break
            except BrowserError:
                continue
        else:
            raise AssertionError(f"the card did not show {seen!r}")
    layer.check()
    expect(newest).not_to_have_attribute("data-as-of", as_of or "")


def a_call_is_taken(running: Running, operator: Desk, dispatcher: Desk, stop: PlaceRow) -> str:
    """Class, text, caller, place and possible duplicates within half a minute, by keyboard; the number."""
    earlier = f"{stop.name}旁有生活垃圾堆放"
    feed_says(
        running,
        "city.grid-report.v1",
        "",
        {
            "channel": "grid",
            "class": RUBBISH,
            "title": earlier,
            "text": earlier,
            "address": stop.name,
            "point": {"lon": stop.lon + 0.0008, "lat": stop.lat},
        },
    )
    operator.narrow(stop.name)
    expect(operator.row(earlier)).to_have_count(1)
    page = operator.page
    began = time.monotonic()
    page.keyboard.press("F2")
    expect(page.locator("#intake-text")).to_be_focused()
    page.keyboard.type("公交站后面的垃圾堆了三天没人清，气味很大", delay=20)
    expect(page.locator("#intake-suggest .is-on")).to_have_text("暴露垃圾")
    page.locator("#intake-address").click()
    page.keyboard.type(stop.name, delay=20)
    page.locator("[data-place]", has_text=stop.name).first.click()
    expect(page.locator("#intake-name")).to_be_focused()
    page.keyboard.type("王女士", delay=20)
    page.keyboard.press("Tab")
    page.keyboard.type("13900000001", delay=20)
    expect(page.locator("#intake-where")).to_contain_text("›")
    expect(page.locator("#intake-similar")).to_contain_text(earlier)
    page.keyboard.press("Control+Enter")
    toast = page.locator(".cy-toasts .cy-toast", has_text="已上报，编号").first
    expect(toast).to_be_visible()
    took = time.monotonic() - began
    print(f"call filed in {took:.1f} s")
    found = toast.inner_text().partition("编号")[2].strip()
    assert re.fullmatch(r"LL\d{13}", found), found
    expect(page.locator("#desk-head .detail__number")).to_have_text(found)
    operator.expect_stage("上报")
    dispatcher.narrow(stop.name)
    expect(dispatcher.row(found)).to_have_count(1)
    assert took <= CALL_S, f"filing a call took {took:.1f} s"
    return found


def two_press_the_same_button(operator: Desk, dispatcher: Desk, number: str) -> None:
    """Both see 受理; the dispatcher's press is slow on its way, the operator is first, the dispatcher is told so."""
    dispatcher.open(number)
    for desk in (operator, dispatcher):
        expect(desk.button("受理")).to_be_enabled()
    held: list[Route] = []

    def is_press(request: Request) -> bool:
        return "desk-press.data" in json.loads(request.post_data or "{}").get("changedPropIds", [])

    def hold(route: Route) -> None:
        if is_press(route.request):
            held.append(route)
        else:
            route.continue_()

    dispatcher.page.route(DASH, hold)
    with dispatcher.page.expect_request(lambda request: bool(DASH.search(request.url)) and is_press(request)):
        dispatcher.button("受理").click()
    operator.button("受理").click()
    operator.expect_stage("受理")
    for route in held:
        route.continue_()
    dispatcher.page.unroute(DASH)
    dispatcher.expect_told("坐席 林晓 已先“受理”")
    dispatcher.expect_stage("受理")


def work_is_done(
    running: Running, operator: Desk, dispatcher: Desk, phone: Terminal, stop: PlaceRow, number: str
) -> None:
    """Dispatched to the first of the ranked workers, who takes it, arrives, and finishes with a photo."""
    panel = dispatcher.page.locator("#desk-dispatch")
    expect(panel.locator(".route .route__why")).to_contain_text("下放属地")
    workers = panel.locator(".worker")
    expect(workers.nth(1)).to_be_visible()
    first = workers.first
    expect(first.locator(".route__why")).to_contain_text("空闲")
    send = first.get_by_role("button", name="派遣")
    login = str(json.loads(send.get_attribute("data-act") or "{}")["worker"])
    name = first.locator(".cy-item__title").inner_text()

    phone.context.set_geolocation({"longitude": stop.lon, "latitude": stop.lat, "accuracy": 8})
    running.log_in(phone, login, "phone")
    page = phone.page
    expect(page.locator(".ph-summary")).to_contain_text("件待办")
    card = page.locator(".ph-card", has_text="公交站后面的垃圾")
    expect(card).to_have_count(0)
    send.click()
    for desk in (operator, dispatcher):
        desk.expect_stage("派遣")
    expect(operator.row(number)).to_contain_text(name)

    card.tap()
    page.get_by_role("button", name="接单").tap()
    for desk in (operator, dispatcher):
        desk.expect_stage("接单")
    page.get_by_role("button", name="我已到场").tap()
    operator.expect_stage("到场")
    page.get_by_role("link", name="处置完成").tap()
    taken: FilePayload = {"name": "IMG_0001.jpg", "mimeType": "image/jpeg", "buffer": photo(1)}
    page.locator("#ph-photo").set_input_files([taken])
    expect(page.locator(".ph-photos img")).to_be_visible()
    page.get_by_role("button", name="已清理完毕").tap()
    page.get_by_role("button", name="提交处置结果").tap()
    expect(page.get_by_text("处置结果已提交")).to_be_visible()
    expect(card).to_have_count(0)
    for desk in (operator, dispatcher):
        desk.expect_stage("反馈")


def it_is_checked_and_closed(operator: Desk, dispatcher: Desk, number: str) -> None:
    """The operator looks at the photo, passes the check and closes; the timeline tells all of it in order."""
    page = operator.page
    shot = page.locator("#desk-photos img")
    expect(shot).to_have_count(1)
    shot.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('#desk-photos img').naturalWidth >= 1000")
    operator.button("核查通过").click()
    dispatcher.expect_stage("核查")
    operator.button("结案").click()
    dispatcher.expect_stage("结案")
    for desk in (operator, dispatcher):
        expect(desk.row(number)).to_have_count(0)
        expect(desk.page.locator(".stepper .step__name")).to_have_text(list(STEPS))
        expect(desk.page.locator("#desk-timeline .cy-timeline__what")).to_have_text(list(TOLD))
    times = page.locator(".stepper .step__time").all_inner_texts()
    assert all(re.fullmatch(r"\d\d:\d\d", text) for text in times), times
    people = page.locator("#desk-timeline li").all_inner_texts()
    who: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("上报", lambda line: "坐席 林晓" in line and "坐席受话" in line),
        ("派遣", lambda line: "派遣员 周宁" in line),
        ("接单", lambda line: "网格员" in line and "手机端" in line),
        ("结案", lambda line: "坐席 林晓" in line),
    )
    for step, told in who:
        assert told(people[TOLD.index(step)]), people
