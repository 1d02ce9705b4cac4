"""The phone terminal in Chromium at phone size, against the running product: with signal, without, and in between.

Other people's steps (a dispatcher's) go through the REST commands with a session of their own; everything the worker
does is a tap.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import (
    APIResponse,
    Browser,
    BrowserContext,
    FilePayload,
    Page,
    Request,
    Route,
    expect,
)

from tests.axe import serious
from tests.e2e.waiting import until

SMALL = {"width": 360, "height": 740}
COMMON = {"width": 390, "height": 844}
CLASS = "C0101"  # 井盖缺损: asks for a photo of the result
CLASS_NAME = "井盖缺损"
PATIENT_MS = 30_000
FIRST_LOAD_BYTES = 200 * 1024

serial = itertools.count(1)
expect.set_options(timeout=PATIENT_MS)


def photo(side: int = 2400) -> bytes:
    """A picture as a camera makes it: far larger than what may be sent."""
    stream = io.BytesIO()
    Image.effect_mandelbrot((side, side * 3 // 4), (-2, -1.2, 1, 1.2), 60).convert("RGB").save(stream, "JPEG")
    return stream.getvalue()


def camera(content: bytes) -> FilePayload:
    """What the camera hands to the file field."""
    return {"name": "IMG_0001.jpg", "mimeType": "image/jpeg", "buffer": content}


@dataclass(frozen=True, slots=True)
class Someone:
    """A signed-in browser context and its CSRF token; asks and commands over REST, opens phone pages."""

    context: BrowserContext
    url: str
    login: str

    @property
    def csrf(self) -> str:
        """The session's token, as the browser holds it."""
        return next(str(c.get("value")) for c in self.context.cookies() if c.get("name") == "chengyun_csrf")

    def post(self, name: str, **body: object) -> APIResponse:
        """POST a command."""
        headers = {"X-CSRF-Token": self.csrf, "X-Chengyun-Channel": "desk"}
        return self.context.request.post(f"{self.url}/api/v1/commands/{name}", data=body, headers=headers)

    def do(self, name: str, **body: object) -> dict[str, Any]:
        """A command that must succeed."""
        answer = self.post(name, **body)
        assert answer.ok, f"{name}: {answer.status} {answer.text()}"
        found: dict[str, Any] = answer.json()
        return found

    def ask(self, name: str, **parameters: str | float | bool) -> Any:
        """A query's answer."""
        answer = self.context.request.get(f"{self.url}/api/v1/queries/{name}", params=parameters)
        assert answer.ok, f"{name}: {answer.status} {answer.text()}"
        return answer.json()

    def steps(self, incident: int) -> list[str]:
        """Actions of an incident's timeline."""
        return [entry["action"] for entry in self.ask("incident", id=incident)["timeline"]]


SignIn = Callable[..., Someone]
Sessions = dict[str, Any]


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    """Login → the cookies of its session: signing in once is enough for all tests."""
    return {}


@pytest.fixture()
def sign_in(product: Any, chrome: Browser, sessions: Sessions) -> Iterator[SignIn]:
    """Signs accounts in: `product.sign_in(context, login)` leaves the session in the context."""
    contexts: list[BrowserContext] = []

    def signed_in(login: str, size: dict[str, int] = COMMON, locale: str = "zh-CN") -> Someone:
        context = chrome.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            device_scale_factor=2,
            is_mobile=True,
            has_touch=True,
            locale=locale,
            permissions=["geolocation"],
            storage_state=sessions.get(login),
        )
        context.set_default_timeout(PATIENT_MS)
        contexts.append(context)
        if login not in sessions:
            product.sign_in(context, login)
            sessions[login] = context.storage_state()
        return Someone(context, product.url, login)

    yield signed_in
    for context in contexts:
        context.close()


@dataclass(frozen=True, slots=True)
class Crew:
    """A worker on the phone, a dispatcher, and what the phone's page did wrong."""

    worker: Someone
    page: Page
    dispatcher: Someone
    unit: str
    place: dict[str, float]
    areas: list[str]
    faults: list[str]

    def task(self, text: str = "", place: Mapping[str, float] | None = None) -> int:
        """A new incident at the worker's place (or `place`), dispatched to the worker; its id."""
        text = text or f"望兴路人行道井盖缺失（第 {next(serial)} 处）"
        filed = self.dispatcher.do(
            "report_incident", text=text, class_code=CLASS, channel="desk", **(place or self.place)
        )
        incident = int(filed["id"])
        assert not filed.get("joined"), f"{text!r} became a further report of {filed['number']}"
        self.dispatcher.do("accept_incident", id=incident)
        self.dispatcher.do("dispatch_incident", id=incident, unit=self.unit, worker=self.worker.login)
        return incident

    def go(self, hash_: str) -> None:
        """Another page of the phone, without loading anew."""
        self.page.evaluate("hash => { location.hash = hash; }", hash_)

    def finish(self, phrase: str = "已更换损坏部件") -> None:
        """On the task page of a task on site: photo, phrase, send."""
        self.page.get_by_role("link", name="处置完成").tap()
        self.page.locator("#ph-photo").set_input_files(camera(photo()))
        expect(self.page.locator(".ph-photos img")).to_be_visible()
        self.page.get_by_role("button", name=phrase).tap()
        self.page.get_by_role("button", name="提交处置结果").tap()


def open_phone(someone: Someone, faults: list[str]) -> Page:
    """The phone's page, live; uncaught errors and foreign requests go into `faults`."""
    page = someone.context.new_page()
    page.on("pageerror", lambda error: faults.append(f"pageerror: {error}"))
    page.on(
        "request",
        lambda asked: (
            faults.append(f"foreign: {asked.url}")
            if not asked.url.startswith((someone.url, "data:", "blob:"))
            else None
        ),
    )
    page.goto(f"{someone.url}/phone")
    expect(page.locator("#ph-link")).to_have_text(re.compile("^(实时|Live)$"))
    expect(page.locator(".ph-summary")).to_contain_text(re.compile("件待办|to do"))
    return page


def downtown(dispatcher: Someone) -> Iterator[dict[str, Any]]:
    """Workers who have a colleague and walk in the own area now; the nearest to the middle of the city first."""
    workers: list[dict[str, Any]] = dispatcher.ask("workers")["rows"]
    units = [row["unit"] for row in workers]
    middle = tuple(sorted(row[axis] for row in workers)[len(workers) // 2] for axis in ("lon", "lat"))
    with_colleague = [row for row in workers if units.count(row["unit"]) > 1]
    with_colleague.sort(key=lambda row: math.dist((row["lon"], row["lat"]), middle))
    return (row for row in with_colleague if any(map(area_of(dispatcher, row).startswith, row["areas"])))


def area_of(dispatcher: Someone, place: Mapping[str, Any]) -> str:
    """Path of the area a place is in."""
    return str(dispatcher.ask("locate", lon=place["lon"], lat=place["lat"])["area"])


APART_M = 150.0
"""Reports of one class so far apart are not one occurrence: farther than the default reach can suggest (120 m)."""

reported: list[tuple[float, float]] = []


def untouched(dispatcher: Someone, near: Mapping[str, float], areas: list[str]) -> dict[str, float] | None:
    """A place of these areas, the nearest first, where nobody has reported a cover: two reports of one place are one incident."""
    step = APART_M / 111_320  # degrees of latitude
    for ring, side in itertools.product(range(12), range(8)):
        turn = (side + ring / 8) * math.pi / 4
        place = {
            "lon": near["lon"] + ring * step * math.cos(turn) / math.cos(math.radians(near["lat"])),
            "lat": near["lat"] + ring * step * math.sin(turn),
        }
        if any(metres(here, place) < APART_M for here in reported):
            continue
        if not any(map(area_of(dispatcher, place).startswith, areas)):
            continue
        like = dispatcher.ask("similar_incidents", class_code=CLASS, **place)["rows"]
        if all(row["distance_m"] is None or row["distance_m"] >= APART_M for row in like):
            reported.append((place["lon"], place["lat"]))
            return place
    return None


def metres(here: tuple[float, float], place: Mapping[str, float]) -> float:
    """Near enough for a few kilometres."""
    east = (here[0] - place["lon"]) * math.cos(math.radians(place["lat"]))
    return 111_320 * math.hypot(east, here[1] - place["lat"])


def elsewhere(crew: Crew) -> dict[str, float]:
    """Where the nearest worker is who is outside of this worker's area."""
    workers = crew.dispatcher.ask("workers")["rows"]
    here = (crew.place["lon"], crew.place["lat"])
    workers.sort(key=lambda row: math.dist((row["lon"], row["lat"]), here))
    found = next(row for row in workers if not any(map(area_of(crew.dispatcher, row).startswith, crew.areas)))
    return {"lon": found["lon"], "lat": found["lat"]}


@pytest.fixture()
def crew(sign_in: SignIn) -> Iterator[Crew]:
    """A worker on the phone, where the registry last saw them, and a dispatcher."""
    dispatcher = sign_in("dispatcher")
    found, place = next(
        (row, place)
        for row in downtown(dispatcher)
        if (place := untouched(dispatcher, row, row["areas"])) is not None
    )
    worker = sign_in(found["login"])
    worker.context.set_geolocation({"longitude": place["lon"], "latitude": place["lat"], "accuracy": 9})
    faults: list[str] = []
    page = open_phone(worker, faults)
    yield Crew(worker, page, dispatcher, str(found["unit"]), place, found["areas"], faults)
    assert faults == []


def test_a_task_arrives_and_is_taken_reached_and_finished(crew: Crew) -> None:
    """The main job: no reload, every step a tap, everything in the timeline."""
    mark = "kept"
    crew.page.evaluate("mark => { window.mark = mark; }", mark)
    incident = crew.task("东圩路口人行道井盖缺失，已有行人绊倒")
    card = crew.page.locator(f"[data-task='{incident}']")
    expect(card).to_contain_text("井盖缺失")
    expect(card).to_contain_text("剩余")
    expect(card.get_by_role("img", name="Ⅱ级 重大")).to_be_visible()
    card.tap()
    crew.page.get_by_role("button", name="接单").tap()
    crew.page.get_by_role("button", name="我已到场").tap()
    with crew.page.expect_response("**/api/v1/photos") as stored:
        crew.finish()
    expect(crew.page.get_by_text("处置结果已提交")).to_be_visible()
    expect(card).to_have_count(0)
    assert crew.page.evaluate("window.mark") == mark
    detail = crew.worker.ask("incident", id=incident)
    assert [e["action"] for e in detail["timeline"]][-4:] == ["take", "arrive", "handle", "feed_back"]
    assert {e["channel"] for e in detail["timeline"][-4:]} == {"phone"}
    arrive = next(e for e in detail["timeline"] if e["action"] == "arrive")
    assert arrive["detail"]["lon"] == pytest.approx(crew.place["lon"], abs=1e-5)
    (shot,) = (p for p in detail["photos"] if p["purpose"] == "handle")
    assert max(shot["width"], shot["height"]) == 1600, "made small before it was sent"
    exif = stored.value.json()["exif"]
    assert exif["lon"] == pytest.approx(crew.place["lon"], abs=1e-5), "the stamp stands in the record too"
    assert re.fullmatch(r"\d{4}(:\d\d){2} \d\d(:\d\d){2}", exif["taken_at"])


def test_without_the_photo_that_the_class_asks_for_nothing_is_sent(crew: Crew) -> None:
    incident = crew.task()
    crew.page.locator(f"[data-task='{incident}']").tap()
    crew.page.get_by_role("button", name="接单").tap()
    crew.page.get_by_role("button", name="我已到场").tap()
    crew.page.get_by_role("link", name="处置完成").tap()
    crew.page.get_by_role("button", name="已清理完毕").tap()
    crew.page.get_by_role("button", name="提交处置结果").tap()
    expect(crew.page.get_by_role("alert")).to_contain_text("此类事件须有处置后的照片")
    crew.page.locator("#ph-photo").set_input_files(camera(b"no image at all"))
    expect(crew.page.get_by_role("alert")).to_contain_text("此文件不是可识别的图片")
    assert crew.worker.steps(incident)[-1] == "arrive"


REPORT_S = 20.0
"""From the wish to report to the number on the screen."""


def in_time(began: float, how: str) -> None:
    """A report begun at `began` (monotonic seconds) was quick enough."""
    took = time.monotonic() - began
    print(f"reported {how} in {took:.1f} s")
    assert took <= REPORT_S, f"reporting {how} took {took:.1f} s"


def test_a_report_takes_two_taps_and_its_stage_is_followed(crew: Crew) -> None:
    began = time.monotonic()
    crew.page.get_by_role("link", name="上报", exact=True).tap()
    crew.page.get_by_role("radio", name=CLASS_NAME).tap()
    expect(crew.page.get_by_text("已定位")).to_be_visible()
    crew.page.locator("#ph-foot").get_by_role("button", name="上报").tap()
    number = crew.page.locator(".ph-number")
    expect(number).to_have_text(re.compile(r"\d{6,}"))
    in_time(began, "by two taps")
    filed = number.inner_text()
    (row,) = crew.dispatcher.ask("search_incident", number=filed)["rows"]
    assert (row["class"], row["title"]) == (CLASS, CLASS_NAME)
    assert row["lon"] == pytest.approx(crew.place["lon"], abs=1e-5)
    crew.page.get_by_role("link", name="我的上报").tap()
    card = crew.page.locator(".ph-card", has_text=filed)
    expect(card.locator(".is-now")).to_have_text("上报")
    crew.dispatcher.do("accept_incident", id=row["id"])
    expect(card.locator(".is-now")).to_have_text("受理")


def test_a_report_from_outside_of_the_own_area_is_followed_too(crew: Crew) -> None:
    filed = crew.worker.do("report_incident", text="路过发现井盖缺失", class_code=CLASS, **elsewhere(crew))
    crew.go("#/mine")
    card = crew.page.locator(".ph-card", has_text=str(filed["number"]))
    expect(card.locator(".is-now")).to_have_text("上报")
    crew.dispatcher.do("accept_incident", id=int(filed["id"]))
    expect(card.locator(".is-now")).to_have_text("受理")


def test_of_two_answers_the_one_that_arrives_last_does_not_hide_the_newer(crew: Crew) -> None:
    """The stage moves while an older answer to "my reports" is still on its way."""
    filed = crew.worker.do("report_incident", text="望兴路人行道井盖缺失", class_code=CLASS, **crew.place)
    held: list[tuple[Route, APIResponse]] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    crew.page.route("**/api/v1/queries/my_reports", hold_the_first)
    crew.go("#/mine")
    deadline = time.monotonic() + PATIENT_MS / 1000
    while not held:  # the handler runs while the page is waited for
        assert time.monotonic() < deadline, "the page has not asked"
        crew.page.wait_for_timeout(20)
    crew.dispatcher.do("accept_incident", id=int(filed["id"]))
    crew.page.wait_for_function(
        "id => window.chengyun.live.get('incident', id)?.stage === 'accepted'", arg=filed["id"]
    )
    crew.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    route, answer = held[0]
    route.fulfill(response=answer)
    card = crew.page.locator(".ph-card", has_text=str(filed["number"]))
    expect(card.locator(".is-now")).to_have_text("受理")


def test_words_bring_the_class_and_the_map_brings_the_place(crew: Crew) -> None:
    began = time.monotonic()
    crew.page.get_by_role("link", name="上报", exact=True).tap()
    crew.page.get_by_label("描述").press_sequentially("路口的井盖没了，很危险", delay=20)
    expect(crew.page.get_by_role("radio").first).to_have_text(CLASS_NAME)
    crew.page.get_by_role("button", name="地图选点").tap()
    take = crew.page.get_by_role("button", name="选定此处")
    expect(take).to_be_enabled()
    take.tap()
    expect(crew.page.get_by_text("已在地图上选定")).to_be_visible()
    expect(crew.page.get_by_label("描述")).to_have_value("路口的井盖没了，很危险")
    crew.page.get_by_role("radio", name=CLASS_NAME).tap()
    crew.page.locator("#ph-foot").get_by_role("button", name="上报").tap()
    number = crew.page.locator(".ph-number")
    expect(number).to_have_text(re.compile(r"\d{6,}"))
    in_time(began, "with words and a point of the map")
    (row,) = crew.dispatcher.ask("search_incident", number=number.inner_text())["rows"]
    assert row["lon"] == pytest.approx(crew.place["lon"], abs=0.002)


def test_work_without_signal_is_kept_and_sent_in_order_and_once(crew: Crew) -> None:
    """Take, arrive and finish with a photo offline; the page is even thrown away in between."""
    incident = crew.task()
    crew.page.locator(f"[data-task='{incident}']").tap()
    expect(crew.page.get_by_role("button", name="接单")).to_be_visible()
    crew.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    crew.page.wait_for_function("() => caches.match('/phone').then(Boolean)")
    crew.worker.context.set_offline(True)
    expect(crew.page.locator("#ph-link")).to_have_text("离线")
    crew.page.get_by_role("button", name="接单").tap()
    expect(crew.page.get_by_text("待发送：接单")).to_be_visible()
    crew.page.reload()
    expect(crew.page.locator("#ph-banner-link")).to_contain_text("1 项待发送")
    crew.page.get_by_role("button", name="我已到场").tap()
    crew.finish()
    expect(crew.page.locator("#ph-banner-link")).to_contain_text("3 项待发送")
    assert crew.dispatcher.steps(incident)[-1] == "dispatch", "nothing has arrived yet"
    crew.worker.context.set_offline(False)
    expect(crew.page.locator("#ph-link")).to_have_text("实时")
    expect(crew.page.locator(f"[data-task='{incident}']")).to_have_count(0)
    assert crew.dispatcher.steps(incident)[-4:] == ["take", "arrive", "handle", "feed_back"]
    crew.go("#/me")
    expect(crew.page.get_by_text("全部已发送")).to_be_visible()


def test_a_lost_answer_doubles_nothing(crew: Crew) -> None:
    """The server does it, the answer is lost on the way, the phone sends again with the same key."""
    incident = crew.task()
    keys: list[str] = []

    def lose_first(route: Route) -> None:
        keys.append(json.loads(route.request.post_data or "{}")["key"])
        if len(keys) == 1:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    crew.page.route("**/api/v1/commands/note_incident", lose_first)
    crew.go(f"#/task/{incident}/note")
    crew.page.get_by_label("备注内容").fill("已在途中")
    crew.page.get_by_role("button", name="提交备注").tap()
    expect(crew.page.get_by_text("已补发")).to_be_visible()
    assert len(keys) == 2 and keys[0] == keys[1]
    assert crew.worker.steps(incident).count("note") == 1


def test_the_second_is_told_in_words_who_was_first(crew: Crew) -> None:
    incident = crew.task()
    crew.page.locator(f"[data-task='{incident}']").tap()
    expect(crew.page.get_by_role("button", name="接单")).to_be_visible()
    news = "**/api/v1/queries/**"
    crew.page.route(news, lambda route: None)  # held back: the phone must not know of it before the press
    crew.dispatcher.do("note_incident", id=incident, text="请注意安全")
    with crew.page.expect_response("**/api/v1/commands/take_incident") as refused:
        crew.page.get_by_role("button", name="接单").tap()
    assert refused.value.status == 409
    crew.page.unroute(news)  # lets go what was held
    notice = crew.page.get_by_role("alert").filter(has_text="未被接受")
    expect(notice).to_contain_text(re.compile("已被 .+ 抢先“备注”"))
    expect(crew.page.locator(".cy-timeline")).to_contain_text("请注意安全")
    notice.get_by_role("button", name="知道了").tap()
    crew.page.get_by_role("button", name="接单").tap()
    expect(crew.page.get_by_role("button", name="我已到场")).to_be_visible()


def test_a_remark_made_meanwhile_does_not_undo_work_without_signal(crew: Crew) -> None:
    incident = crew.task()
    crew.page.locator(f"[data-task='{incident}']").tap()
    expect(crew.page.get_by_role("button", name="接单")).to_be_visible()
    crew.worker.context.set_offline(True)
    crew.page.get_by_role("button", name="接单").tap()
    expect(crew.page.get_by_text("待发送：接单")).to_be_visible()
    crew.dispatcher.do("note_incident", id=incident, text="领导关注")
    crew.worker.context.set_offline(False)
    expect(crew.page.get_by_text("已补发")).to_be_visible()
    assert crew.worker.steps(incident)[-2:] == ["note", "take"]


@pytest.mark.parametrize("where", ["in the own area", "elsewhere"])
def test_work_on_a_task_that_was_taken_away_is_refused_in_words(crew: Crew, where: str) -> None:
    incident = crew.task(place=elsewhere(crew) if where == "elsewhere" else None)
    colleague = next(
        row["login"]
        for row in crew.dispatcher.ask("workers")["rows"]
        if row["unit"] == crew.unit and row["login"] != crew.worker.login
    )
    crew.page.locator(f"[data-task='{incident}']").tap()
    expect(crew.page.get_by_role("button", name="接单")).to_be_visible()
    crew.worker.context.set_offline(True)
    crew.page.get_by_role("button", name="接单").tap()
    expect(crew.page.get_by_text("待发送：接单")).to_be_visible()
    crew.dispatcher.do("dispatch_incident", id=incident, unit=crew.unit, worker=colleague, reason="就近")
    crew.worker.context.set_offline(False)
    expect(crew.page.get_by_role("alert").filter(has_text="未被接受")).to_contain_text("已不在你名下")
    assert "take" not in crew.dispatcher.steps(incident)


def test_sending_back_asks_what_was_wrong(crew: Crew) -> None:
    incident = crew.task()
    crew.page.locator(f"[data-task='{incident}']").tap()
    crew.page.get_by_role("link", name="退回").tap()
    send = crew.page.get_by_role("button", name="退回派遣")
    crew.page.get_by_role("button", name="不属本单位管辖").tap()
    send.tap()
    expect(crew.page.get_by_role("alert")).to_contain_text("请选择哪一项有误")
    crew.page.get_by_role("radio", name="权属不符").tap()
    send.tap()
    expect(crew.page.get_by_text("已退回")).to_be_visible()
    expect(crew.page.locator(f"[data-task='{incident}']")).to_have_count(0)
    last = crew.dispatcher.ask("incident", id=incident)["timeline"][-1]
    assert (last["action"], last["detail"]["wrong_field"]) == ("return", "owner")
    assert last["reason"] == "不属本单位管辖"


WALKING = """
  const watchers = new Map();
  let last = 0;
  navigator.geolocation.watchPosition = (seen) => { watchers.set(++last, seen); return last; };
  navigator.geolocation.clearWatch = (id) => watchers.delete(id);
  window.walk = (lon, lat) => {
    const coords = {longitude: lon, latitude: lat, accuracy: 9, speed: 1.2};
    for (const seen of watchers.values()) seen({coords, timestamp: Date.now()});
    return watchers.size;
  };
"""
"""A position sensor that a test can move step by step; answers how many were told."""


def test_position_is_shared_only_on_duty(crew: Crew) -> None:
    crew.worker.context.add_init_script(WALKING)
    page = crew.worker.context.new_page()
    page.clock.install()
    sent: list[dict[str, Any]] = []

    def note(asked: Request) -> None:
        if asked.url.endswith("/position"):
            sent.append(json.loads(asked.post_data or "{}"))

    page.on("request", note)
    page.goto(f"{crew.worker.url}/phone#/me")
    switch = page.get_by_role("switch")
    expect(switch).to_have_attribute("aria-checked", "false")

    def walk(steps: int) -> int:
        return int(
            page.evaluate(
                "([lon, lat]) => walk(lon, lat)", [crew.place["lon"] + steps * 1e-5, crew.place["lat"]]
            )
        )

    assert walk(1) == 0, "off duty nobody watches"
    switch.tap()
    with page.expect_response("**/api/v1/position") as taken:
        assert walk(2) == 1
    assert taken.value.status == 202
    expect(page.locator("#ph-duty")).to_be_visible()
    expect(page.get_by_text("位置已共享")).to_be_visible()
    for steps in range(3, 9):
        walk(steps)
    assert len(sent) == 1, "at most one in 15 s, however often the phone moves"
    assert sent[0] == {
        "lon": pytest.approx(crew.place["lon"] + 2e-5, abs=1e-9),
        "lat": crew.place["lat"],
        "accuracy_m": 9,
        "speed_kmh": pytest.approx(1.2 * 3.6),
    }
    with page.expect_response("**/api/v1/position"):
        page.clock.fast_forward(15_000)
    assert len(sent) == 2 and sent[1]["lon"] == pytest.approx(crew.place["lon"] + 8e-5, abs=1e-9)
    switch.tap()
    expect(page.locator("#ph-duty")).to_be_hidden()
    page.clock.fast_forward(15_000)
    assert walk(9) == 0
    assert len(sent) == 2


def test_the_back_button_goes_back(crew: Crew) -> None:
    incident = crew.task()
    crew.page.locator(f"[data-task='{incident}']").tap()
    crew.page.get_by_role("link", name="备注").tap()
    expect(crew.page.get_by_label("备注内容")).to_be_visible()
    crew.page.go_back()
    expect(crew.page.get_by_role("button", name="接单")).to_be_visible()
    crew.page.get_by_role("button", name="返回").tap()
    expect(crew.page.locator(f"[data-task='{incident}']")).to_be_visible()
    assert crew.page.get_by_role("button", name="返回").count() == 0


def test_demo_data_is_called_so(crew: Crew) -> None:
    """The product runs on a feed flagged demo here: every terminal says so."""
    expect(crew.page.get_by_text("演示数据")).to_be_visible()


def test_the_map_opens_only_when_asked_for(crew: Crew) -> None:
    incident = crew.task()
    heavy: list[str] = []
    crew.page.on("request", lambda asked: heavy.append(asked.url) if "maplibre" in asked.url else None)
    crew.page.locator(f"[data-task='{incident}']").tap()
    expect(crew.page.get_by_role("button", name="接单")).to_be_visible()
    assert heavy == []
    with crew.page.expect_response(re.compile(r"/tiles/")) as tile:
        crew.page.get_by_role("button", name="查看地图").tap()
    assert tile.value.status in (200, 204)
    expect(crew.page.locator(".ph-task-mark")).to_be_visible()
    expect(crew.page.locator(".ph-map canvas")).to_be_visible()


def held(routes: list[Route], page: Page) -> None:
    """Wait for the first request a route handler has put aside."""
    deadline = time.monotonic() + PATIENT_MS / 1000
    while not routes:
        assert time.monotonic() < deadline, "the page has not asked"
        page.wait_for_timeout(20)  # the only wait of Playwright's that lets route handlers run


def test_signing_out_leaves_nothing_of_the_account(crew: Crew, sessions: Sessions) -> None:
    incident = crew.task()
    expect(crew.page.locator(f"[data-task='{incident}']")).to_be_visible()
    crew.page.wait_for_function("() => caches.match('/phone').then(Boolean)")
    crew.go("#/me")
    # An answer that is still under way while the account leaves, and arrives before the browser has left the page.
    under_way: list[Route] = []
    crew.page.route("**/queries/my_tasks*", lambda route: under_way.append(route))
    crew.task(place=untouched(crew.dispatcher, crew.place, [""]))
    held(under_way, crew.page)
    answer = under_way[0].fetch()
    left: list[Route] = []
    crew.page.route("**/login*", lambda route: left.append(route))
    crew.page.get_by_role("button", name="退出").tap()
    held(left, crew.page)
    del sessions[crew.worker.login]
    with crew.page.expect_request("**/queries/incident?*"):
        under_way[0].fulfill(response=answer)
    crew.page.unroute_all()  # what was put aside goes on
    crew.page.wait_for_url("**/login**")
    kept = crew.page.evaluate(
        """() => new Promise((done, failed) => {
          const request = indexedDB.open('chengyun-phone');
          request.onerror = () => failed(request.error);
          request.onsuccess = () => {
            const all = request.result.transaction('kept').objectStore('kept').getAllKeys();
            all.onsuccess = () => done(all.result);
          };
        })"""
    )
    assert kept == []
    crew.page.wait_for_function("() => caches.match('/phone').then(found => !found)")
    crew.page.goto(f"{crew.worker.url}/phone")
    assert "/login" in crew.page.url


def test_the_first_load_is_light(sign_in: SignIn) -> None:
    """What goes over the air until the tasks stand there, fonts aside (phones have their own), gzip as served."""
    worker = sign_in(next(downtown(sign_in("dispatcher")))["login"])
    page = worker.context.new_page()
    wire = worker.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setBypassServiceWorker", {"bypass": True})
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    wire.on("Network.responseReceived", lambda e: kinds.__setitem__(e["requestId"], e["type"]))
    wire.on("Network.loadingFinished", lambda e: sizes.__setitem__(e["requestId"], e["encodedDataLength"]))
    page.goto(f"{worker.url}/phone")
    expect(page.locator(".ph-summary")).to_contain_text("件待办")
    page.wait_for_load_state("load")
    total = sum(size for request, size in sizes.items() if kinds.get(request) != "Font")
    assert 20 * 1024 < total < FIRST_LOAD_BYTES, f"{total:.0f} bytes"


def test_a_file_lost_on_the_way_does_not_leave_an_empty_page(sign_in: SignIn) -> None:
    """The first load of a phone that has nothing yet loses a module: it begins anew by itself."""
    worker = sign_in(next(downtown(sign_in("dispatcher")))["login"])
    page = worker.context.new_page()
    lost: list[str] = []

    def lose_once(route: Route) -> None:
        lost.append(route.request.url)
        route.abort("connectionreset") if len(lost) == 1 else route.continue_()

    page.route("**/assets/phone/queue.mjs", lose_once)
    page.goto(f"{worker.url}/phone")
    expect(page.locator(".ph-summary")).to_contain_text("件待办")
    assert lost, "nothing was lost"


PAGES = (
    "#/tasks",
    "#/task/{id}",
    "#/task/{id}/note",
    "#/task/{id}/return",
    "#/task/{id}/finish",
    "#/report",
    "#/mine",
    "#/me",
)

SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, textarea, input:not([type=radio]), .ph-choice, .ph-shutter')]
  .filter(e => e.checkVisibility() && !e.closest('.cy-toasts'))
  .map(e => [e.className || e.id || e.tagName, e.getBoundingClientRect()])
  .filter(([, r]) => r.width > 0 && (r.width < 47.5 || r.height < 47.5))
  .map(([name, r]) => `${name} ${Math.round(r.width)}×${Math.round(r.height)}`)"""

SMALL_TEXT = """() => [...document.querySelectorAll('body *')]
  .filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
  .filter(e => parseFloat(getComputedStyle(e).fontSize) < 15.99)
  .map(e => `${e.className || e.tagName} ${getComputedStyle(e).fontSize}`)"""

UNNAMED = """() => [...document.querySelectorAll('a, button, textarea, input, select')]
  .filter(e => e.checkVisibility())
  .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))
  .map(e => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize(("size", "locale"), [(SMALL, "zh-CN"), (COMMON, "en-GB"), (SMALL, "en-GB")])
def test_it_fits_a_hand(crew: Crew, sign_in: SignIn, size: dict[str, int], locale: str) -> None:
    """No sideways scroll, targets of 48 px, text of 16 px, a name for everything that can be pressed."""
    incident = crew.task()
    worker = sign_in(crew.worker.login, size, locale)
    worker.context.add_cookies(
        [{"name": "chengyun_lang", "value": locale[:2], "url": worker.url}]  # what the language button sets
    )
    page = open_phone(worker, crew.faults)
    expect(page.locator(f"[data-task='{incident}']")).to_be_visible()
    for pattern in PAGES:
        hash_ = pattern.format(id=incident)
        page.evaluate("hash => { location.hash = hash; }", hash_)
        expect(page.locator("#ph-main")).to_have_attribute("data-page", hash_)
        expect(page.locator("#ph-main .cy-empty", has_text=re.compile("加载中|Loading"))).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], hash_
        assert page.evaluate(SMALL_TARGETS) == [], hash_
        assert page.evaluate(SMALL_TEXT) == [], hash_
        assert page.evaluate(UNNAMED) == [], hash_
        main = page.locator("#ph-foot .ph-primary, #ph-tabs a").locator("visible=true")
        box = main.last.bounding_box()
        assert box is not None and box["y"] + box["height"] <= size["height"], f"{hash_}: not under the thumb"


def test_a_unit_handler_sees_the_units_tasks_and_nothing_of_the_workers_duty(
    crew: Crew, sign_in: SignIn
) -> None:
    incident = crew.task()
    handler = sign_in(f"unit-{crew.unit.lower()}")
    page = open_phone(handler, crew.faults)
    expect(page.locator(f"[data-task='{incident}']")).to_be_visible()
    expect(page.get_by_role("link", name="我的上报")).to_have_count(0)
    page.evaluate("() => { location.hash = '#/me'; }")
    expect(page.get_by_role("button", name="退出")).to_be_visible()
    expect(page.get_by_role("switch")).to_have_count(0)


def receipts(crew: Crew, incident: int) -> list[str]:
    """What is known of the order, as the desk is told."""
    return [row["state"] for row in crew.dispatcher.ask("incident", id=incident)["receipts"]]


def test_an_order_is_delivered_and_read_before_anybody_takes_it(crew: Crew) -> None:
    """The phone says so by itself; a step on the version of before it is still accepted."""
    incident = crew.task()
    until(lambda: receipts(crew, incident) == ["delivered"], "the order is delivered")
    version = crew.dispatcher.ask("incident", id=incident)["version"]
    crew.page.locator(f"[data-task='{incident}']").tap()
    until(lambda: receipts(crew, incident) == ["delivered", "seen"], "the order is read")
    assert crew.dispatcher.ask("incident", id=incident)["version"] == version
    crew.page.get_by_role("button", name="接单").tap()
    expect(crew.page.get_by_role("button", name="我已到场")).to_be_visible()
    (order,) = crew.dispatcher.ask("incident", id=incident)["orders"]
    assert order["seen_at"] is not None, "taken"


def test_a_report_is_kept_at_once_however_slow_the_network(crew: Crew) -> None:
    """The photo hangs on its way; the worker is told that it is kept, goes on, and is told when it has arrived."""
    hung: list[Route] = []
    crew.page.route("**/api/v1/photos", lambda route: hung.append(route))
    crew.go("#/report")
    crew.page.get_by_role("radio", name=CLASS_NAME).tap()
    crew.page.locator("#ph-photo").set_input_files(camera(photo()))
    expect(crew.page.locator(".ph-photos img")).to_be_visible()
    expect(crew.page.locator(".ph-place-line[data-found]")).to_be_visible()
    crew.page.locator("#ph-foot").get_by_role("button", name="上报").tap()
    said = crew.page.locator(".ph-filed")
    expect(said).to_contain_text("已保存，正在发送")
    assert hung, "nothing has arrived yet"
    crew.page.unroute("**/api/v1/photos")  # lets go what was held
    expect(said.locator(".ph-number")).to_have_text(re.compile(r"\d{6,}"))


def ground_of(page: Page) -> str:
    """The colour that most of the map has, as #rrggbb."""
    picture = Image.open(io.BytesIO(page.locator(".ph-map").screenshot())).convert("RGB")
    most = max(picture.getcolors(picture.width * picture.height) or [], default=(0, (0, 0, 0)))
    return "#{:02x}{:02x}{:02x}".format(*most[1])  # type: ignore[misc]


def test_without_signal_the_own_ground_is_known(crew: Crew) -> None:
    """The cell of the position, and the map of the own area from what was kept, which says of when it is."""
    cell = str(crew.worker.ask("locate", **crew.place)["cell"])
    own = {row["code"] for row in crew.worker.ask("own_cells")["rows"]}
    assert cell in own
    crew.go("#/me")
    crew.page.get_by_role("button", name="保存本责任区地图").tap()
    expect(crew.page.get_by_text("地图保存于")).to_be_visible()
    incident = crew.task()
    crew.go("#/tasks")
    crew.page.locator(f"[data-task='{incident}']").tap()
    expect(crew.page.get_by_role("button", name="接单")).to_be_visible()
    crew.page.wait_for_function("() => caches.match('/phone').then(Boolean)")
    crew.worker.context.set_offline(True)
    crew.page.reload()
    crew.page.get_by_role("button", name="查看地图").tap()
    expect(crew.page.locator(".ph-task-mark")).to_be_visible()
    expect(crew.page.locator(".ph-map-age")).to_contain_text("离线地图，保存于")
    land = "() => getComputedStyle(document.body).getPropertyValue('--map-land').trim()"
    until(lambda: ground_of(crew.page) == crew.page.evaluate(land), "land is drawn, not the empty sea", 30)
    crew.go("#/report")
    expect(crew.page.locator(".ph-place-line")).to_contain_text(cell)
    crew.worker.context.set_offline(False)


def test_a_leader_orders_with_one_tap_and_follows_it(crew: Crew, sign_in: SignIn) -> None:
    """S42: from the list of the worst to the order in two taps, the second without signal; it is sent once."""
    text = f"望兴路人行道井盖缺失，有人跌落受伤（第 {next(serial)} 处）"
    incident = crew.task(text)
    crew.page.locator(f"[data-task='{incident}']").tap()
    leader = sign_in("leader")
    page = open_command(leader, crew.faults)
    card = page.locator(f"[data-task='{incident}']")
    expect(card).to_contain_text("已读")
    card.tap()
    order = page.get_by_role("button", name="请立即接单并赶赴现场")
    expect(order).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    leader.context.set_offline(True)
    expect(page.locator("#ph-link")).to_have_text("离线")
    order.tap()
    expect(page.get_by_text("待发送：督办")).to_be_visible()
    assert "supervise" not in crew.dispatcher.steps(incident)
    leader.context.set_offline(False)
    expect(page.get_by_text("已补发")).to_be_visible()
    assert crew.dispatcher.steps(incident).count("supervise") == 1
    expect(crew.page.get_by_text("二级督办 请立即接单并赶赴现场")).to_be_visible()
    crew.page.get_by_role("button", name="接单").tap()
    expect(page.locator(".ph-head .cy-stage")).to_contain_text("接单")


def open_command(someone: Someone, faults: list[str]) -> Page:
    """A commander's phone, live, on the list of the worst."""
    page = someone.context.new_page()
    page.on("pageerror", lambda error: faults.append(f"pageerror: {error}"))
    page.goto(f"{someone.url}/phone")
    expect(page.locator("#ph-link")).to_have_text("实时")
    expect(page.locator(".ph-summary")).to_contain_text("级在办")
    return page


def test_a_picture_of_the_scene_goes_with_a_remark(crew: Crew) -> None:
    incident = crew.task()
    crew.go(f"#/task/{incident}/note")
    crew.page.locator("#ph-photo").set_input_files(camera(photo()))
    expect(crew.page.locator(".ph-photos img")).to_be_visible()
    crew.page.get_by_role("button", name="已在途中").tap()
    crew.page.get_by_role("button", name="提交备注").tap()
    expect(crew.page.get_by_text("备注已提交")).to_be_visible()
    (shot,) = crew.dispatcher.ask("incident", id=incident)["photos"]
    assert shot["purpose"] == "scene"


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_axe_finds_nothing_serious(crew: Crew, sign_in: SignIn, locale: str) -> None:
    incident = crew.task()
    leader = sign_in("leader", COMMON, locale)
    for someone, pages in ((crew.worker, PAGES), (leader, ("#/command", "#/task/{id}", "#/me"))):
        someone.context.add_cookies([{"name": "chengyun_lang", "value": locale[:2], "url": someone.url}])
        page = someone.context.new_page()
        page.goto(f"{someone.url}/phone")
        expect(page.locator("#ph-link")).to_have_text(re.compile("^(实时|Live)$"))
        for pattern in pages:
            hash_ = pattern.format(id=incident)
            page.evaluate("hash => { location.hash = hash; }", hash_)
            expect(page.locator("#ph-main")).to_have_attribute("data-page", hash_)
            expect(page.locator("#ph-main .cy-empty", has_text=re.compile("加载中|Loading"))).to_have_count(0)
            assert serious(page) == [], hash_
        page.close()


def test_an_answer_that_comes_late_does_not_draw_over_the_page_that_is_open(crew: Crew) -> None:
    """接单 is still on its way when the worker has gone on to a remark: its buttons stay the remark's."""
    incident = crew.task()
    crew.page.locator(f"[data-task='{incident}']").tap()
    take = "**/api/v1/commands/take_incident"
    crew.page.route(take, lambda route: None)  # held back
    crew.page.get_by_role("button", name="接单").tap()
    crew.go(f"#/task/{incident}/note")
    send = crew.page.get_by_role("button", name="提交备注")
    expect(send).to_be_visible()
    with crew.page.expect_response(take):
        crew.page.unroute(take)  # lets go what was held
    until(lambda: "take" in crew.dispatcher.steps(incident), "the step has arrived")
    crew.page.wait_for_function(
        "id => window.chengyun.live.get('incident', id)?.stage === 'taken'", arg=str(incident)
    )
    crew.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(send).to_be_visible()
