"""A Chromium for tests of browser code, and servers that a test may start, kill and start again."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
"""The closed network, made in the browser: nothing but this machine has an address. tests/e2e/test_offline.py shows it."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, or Playwright's own; without either the test is named as not run."""
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        path = str(own) if own.exists() else shutil.which("chromium") or shutil.which("chromium-browser")
        if path is None:
            if os.environ.get("REQUIRE_SERVICES"):
                pytest.fail("no Chromium on this machine")
            pytest.skip("no Chromium on this machine")
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, OFFLINE])
        try:
            yield browser
        finally:
            browser.close()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A Python module of this package, run as a process of its own on one port, so that it can be killed."""

    def __init__(self, module: str, port: int | None = None) -> None:
        self.module = module
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start and wait until it answers."""
        command = [sys.executable, "-m", self.module, str(self.port), *arguments]
        self._process = subprocess.Popen(command, cwd=ROOT)
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(self.url + "/healthz", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(f"{self.module} did not start") from None
                time.sleep(0.05)

    def kill(self) -> None:
        """kill -9, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def call(self, path: str, body: bytes = b"") -> bytes:
        """POST to the server's control route."""
        request = urllib.request.Request(self.url + path, data=body, method="POST")
        with urllib.request.urlopen(request, timeout=30) as reply:
            return bytes(reply.read())


@contextlib.contextmanager
def serving(module: str, *arguments: str) -> Iterator[Server]:
    """A running Server, killed at the end."""
    server = Server(module)
    server.start(*arguments)
    try:
        yield server
    finally:
        server.kill()


def watched(page: Page) -> list[str]:
    """Collects what a healthy page never does: uncaught errors, and requests to a foreign origin."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(f"pageerror: {error}"))

    def asked(url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            faults.append(f"foreign request: {url}")

    page.on("request", lambda request: asked(request.url))
    return faults
