"""The proof of the closed network: every browser of the tests reaches this machine and nothing else, and says so.

Two locks. The browser itself has no address for any other host (`OFFLINE`); and whoever asks another origin of this
same machine (another port) is written down as a fault by `Terminal`, which fails the test. Both are shown to bite.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import DESK_SIZE, at_terminal
from tests.e2e.conftest import Running
from tests.e2e.test_desk import sit_down

PROFILES = ("embedded",)


class Witness(BaseHTTPRequestHandler):
    """A server of a foreign network, as far as a browser can tell: it writes down who came."""

    came: list[str]

    def do_GET(self) -> None:
        if self.path != "/favicon.ico":
            self.came.append(self.headers["Host"])
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def foreign() -> Iterator[tuple[int, list[str]]]:
    """(port, hosts that were asked for) of a server on every address of this machine."""
    came: list[str] = []
    server = ThreadingHTTPServer(("0.0.0.0", 0), type("Here", (Witness,), {"came": came}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, came
    server.shutdown()
    server.server_close()


ASK = "url => fetch(url, {mode: 'no-cors'}).then(() => 'answered', () => 'refused')"


def test_a_foreign_address_is_refused_before_it_is_asked(
    chrome: Browser, foreign: tuple[int, list[str]]
) -> None:
    port, came = foreign
    page = chrome.new_page()
    page.goto(f"http://127.0.0.1:{port}/")  # without a policy of its own: it is the browser that refuses
    assert came == [f"127.0.0.1:{port}"], "the witness is awake"
    # 127.0.0.2 is answered by this very server, for who gets there; the others are names and addresses of anywhere.
    for host in (f"127.0.0.2:{port}", "tile.openstreetmap.org", "192.0.2.7", "t0.tianditu.gov.cn"):
        assert page.evaluate(ASK, f"http://{host}/tile.png") == "refused", host
    assert page.evaluate(ASK, f"http://localhost:{port}/") == "answered"
    assert came == [f"127.0.0.1:{port}", f"localhost:{port}"]
    page.close()


def test_another_origin_of_this_machine_is_a_fault(
    product: Running, chrome: Browser, foreign: tuple[int, list[str]]
) -> None:
    """The page's own policy refuses it, and the terminal writes it down."""
    port, came = foreign
    with at_terminal(chrome, product.url, "desk", DESK_SIZE) as terminal:
        sit_down(terminal, product, "operator", "desk")
        assert terminal.page.evaluate(ASK, f"http://127.0.0.1:{port}/") == "refused"
        noted = [fault for fault in terminal.faults if f"127.0.0.1:{port}" in fault]
        assert noted, terminal.faults
        terminal.faults.clear()
    assert came == []
