"""People at their terminals, as a browser sees them: what they do is clicks and keys, what a page does wrong is noted.

A healthy page never logs an error, never throws, never fails a request, never asks another origin, and after the
login never loads itself anew. Each of these becomes a line of `faults`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urldefrag

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Frame,
    Page,
    Request,
    Response,
    WebError,
    expect,
)

from tests.people import NEW_PASSWORD

PATIENT_MS: Final = 60_000
"""How long a condition may take on a busy machine with software GL."""

DESK_SIZE: Final = {"width": 1600, "height": 900}
LEADER_SIZE: Final = {"width": 1440, "height": 900}
WALL_SIZE: Final = {"width": 1920, "height": 1080}
PHONE_SIZE: Final = {"width": 390, "height": 844}

HAN: Final = re.compile(r"[\u3400-\u9fff]")


@dataclass  # no slots: Playwright keeps its wrapped handlers on the object
class Terminal:
    """One person's browser context with one page, and the faults noted so far."""

    context: BrowserContext
    page: Page
    origin: str
    name: str
    faults: list[str] = field(default_factory=list)
    settled: str = ""
    _leaving: bool = False
    _expected: list[tuple[re.Pattern[str], int]] = field(default_factory=list)

    def watch(self) -> None:
        """Note faults from now on."""
        self.context.on("request", self._asked)
        self.context.on("requestfailed", self._failed)
        self.context.on("response", self._answered)
        self.context.on("console", self._said)
        self.context.on("weberror", self._threw)
        self.page.on("framenavigated", self._moved)

    def _note(self, text: str) -> None:
        self.faults.append(f"{self.name}: {text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.origin + "/", "data:", f"blob:{self.origin}/")):
            self._note(f"request to a foreign origin: {request.url}")
        if self.settled and request.is_navigation_request() and request.frame == self.page.main_frame:
            self._note(f"the page was loaded anew: {request.url}")

    def _failed(self, request: Request) -> None:
        # Leaving a page cuts what it was still loading; and an image or tile that is no longer wanted is dropped.
        dropped = request.failure == "net::ERR_ABORTED"
        # A live stream that hears nothing for a while drops itself and begins anew: on a busy machine that happens.
        may_drop = self._leaving or not self.settled or "/tiles/" in request.url or "/live?" in request.url
        if dropped and may_drop:
            return
        self._note(f"request failed: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not self._is_expected(response.url, response.status):
            self._note(f"HTTP {response.status}: {response.request.method} {response.url}")

    def _is_expected(self, url: str, status: int) -> bool:
        return any(status == wanted and pattern.search(url) for pattern, wanted in self._expected)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(
            f"status of {status}" in message.text for _, status in self._expected
        ):
            self._note(f"console: {message.text} ({message.location.get('url', '')})")

    def _threw(self, error: WebError) -> None:
        self._note(f"uncaught: {error.error}")

    def _moved(self, frame: Frame) -> None:
        if self.settled and frame == self.page.main_frame and urldefrag(frame.url)[0] != self.settled:
            self._note(f"the page went to {frame.url}")

    @contextmanager
    def expecting(self, url: str, status: int) -> Iterator[None]:
        """Within, answers with this status from addresses that match `url` are no fault."""
        entry = (re.compile(url), status)
        self._expected.append(entry)
        try:
            yield
        finally:
            self._expected.remove(entry)

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Within, the person goes to another page on purpose."""
        self._leaving, before, self.settled = True, self.settled, ""
        try:
            yield
        finally:
            self._leaving = False
            self.settled = urldefrag(self.page.url)[0] if before else ""

    def stay(self) -> None:
        """From now on a navigation is a fault."""
        self.settled = urldefrag(self.page.url)[0]

    def log_in(self, login: str, password: str, page: str) -> None:
        """Type account and password; at the first login choose a new one; wait for the terminal's own page."""
        new = NEW_PASSWORD.format(login=login)
        self.page.goto(f"{self.origin}/login?next=/{page}")
        self._submit({"login": login, "password": password})
        if "/password" not in self.page.url and "/login" in self.page.url:
            raise AssertionError(f"{login}: login refused: {self.page.locator('form').inner_text()}")
        if "/password" in self.page.url:
            self._submit({"old": password, "new": new, "again": new})
        if not self.page.url.split("#")[0].endswith(f"/{page}"):
            self.page.goto(f"{self.origin}/{page}")
        if page == "phone":
            expect(self.page.locator("#ph-link")).to_have_attribute("data-state", "live", timeout=PATIENT_MS)
        else:
            expect(self.page.locator(f"html[data-ready='{page}']")).to_be_attached(timeout=PATIENT_MS)
        self.stay()

    def _submit(self, fields: dict[str, str]) -> None:
        for name, value in fields.items():
            self.page.locator(f"form input[name='{name}']").fill(value)
        with self.page.expect_navigation(timeout=PATIENT_MS):
            self.page.locator("form button").click()

    def in_english(self) -> None:
        """Press the switch of the header and wait until the page speaks English."""
        with self.leaving():
            self.page.locator("[data-language='en']").click()
            expect(self.page.locator("html[lang^='en'][data-ready]")).to_be_attached(timeout=PATIENT_MS)


@contextmanager
def at_terminal(
    browser: Browser,
    origin: str,
    name: str,
    size: dict[str, int],
    *,
    touch: bool = False,
) -> Iterator[Terminal]:
    """A watched browser context of this size; its faults are raised when it closes without another error."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        is_mobile=touch,
        has_touch=touch,
        device_scale_factor=2 if touch else 1,
        reduced_motion="reduce",  # frames of an easing map cost a software renderer seconds
        permissions=["geolocation"] if touch else [],
    )
    context.set_default_timeout(PATIENT_MS)
    terminal = Terminal(context, context.new_page(), origin, name)
    terminal.watch()
    try:
        yield terminal
        assert terminal.faults == [], "; ".join(terminal.faults)
    finally:
        terminal.settled, terminal._leaving = "", True
        context.close()
