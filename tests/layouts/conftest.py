"""One Chromium for a module, the little live server anew for a test, and a page of it whose faults fail the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.layouts.browser import Server, chromium, serving, watched


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium."""
    with chromium() as one:
        yield one


@pytest.fixture
def server() -> Iterator[Server]:
    """`tests/layouts/live_server.py` in a process of its own."""
    with serving("tests.layouts.live_server", "e1") as one:
        yield one


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Its page; an uncaught error or a request to a foreign origin fails the test."""
    context = browser.new_context(locale="zh-CN")
    one = context.new_page()
    faults = watched(one)
    one.goto(server.url + "/page")
    yield one
    context.close()
    assert faults == []
