"""The whole product, running once per profile for all stories: services, ingest, relay, web, and the simulated city.

`embedded` always; `real` (Kafka, TimescaleDB, Redis by `deploy.bare`) where this machine can start them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.e2e.browser import PATIENT_MS, Terminal
from tests.layouts.browser import chromium
from tests.people import NEW_PASSWORD, Person
from tests.product import Product, real_services_possible
from tests.services import not_run

PROFILES: Final = ("embedded", "real")
FEED_BEGINS: Final = "08:30"
"""The simulated day begins in the morning rush: workers are out, whatever the clock of this machine says."""

TESTS: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Running:
    """The product as its users meet it: an address, first passwords, feed tokens."""

    product: Product
    profile: str
    url: str
    passwords: dict[str, str]
    entered: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    """What was done to this city and must not be done twice."""

    @property
    def artifacts(self) -> Path:
        """Where screenshots of this profile go."""
        folder = TESTS / "artifacts" / self.profile
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def person(self, login: str) -> Person:
        """A session over HTTP."""
        someone = Person(self.url, login, self.passwords[login])
        self.entered.add(login)
        return someone

    def log_in(self, terminal: Terminal, login: str, page: str) -> None:
        """Log in by the login page; the first login of an account in this run changes its password."""
        password = NEW_PASSWORD.format(login=login) if login in self.entered else self.passwords[login]
        terminal.log_in(login, password, page)
        self.entered.add(login)

    def sign_in(self, context: BrowserContext, login: str) -> None:
        """Leave a session of `login` in the browser context, as its login page would."""
        someone = self.person(login)
        context.add_cookies(
            [{"name": c.name, "value": c.value or "", "url": self.url} for c in someone.client.cookies.jar]
        )
        someone.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Stories run on both profiles; tests of the phone alone (fixture `product`) on the embedded one, those of what
    only real services have (fixture `real`) on the other."""
    if "running" in metafunc.fixturenames:
        only = {"product": ("embedded",), "real": ("real",)}
        # What is about screens alone says so in its module: a browser cannot tell the profiles apart.
        usual = getattr(metafunc.module, "PROFILES", PROFILES)
        profiles = next((only[name] for name in only if name in metafunc.fixturenames), usual)
        metafunc.parametrize("running", profiles, indirect=True, scope="session")


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """The product of one profile with the simulated city; stopped when no test needs this profile any more."""
    profile = str(request.param)
    reason = real_services_possible() if profile == "real" else ""
    if reason:
        not_run(f"real profile: {reason}")
    folder = Path(tempfile.mkdtemp(prefix=f"chengyun-e2e-{profile}-")).resolve()
    folder.chmod(0o755)  # the embedded servers run under an account of their own
    try:
        with Product(profile, folder) as product:
            product.start("feed", "simulate", "--at", FEED_BEGINS)
            yield Running(product, profile, product.base_url, product.passwords())
    finally:
        if os.environ.get("KEEP_E2E") != "1":
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def product(running: Running) -> Running:
    """What `test_phone.py` calls the running product."""
    return running


@pytest.fixture(scope="session")
def real(running: Running) -> Running:
    """The running product on Kafka, TimescaleDB and Redis."""
    return running


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    """Conditions on pages may take long on a machine that others use too (Playwright gives them 5 s)."""
    expect.set_options(timeout=PATIENT_MS)


FAILED: Final = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fixtures may ask whether their test failed: then its terminals are kept as pictures."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """One Chromium for a module: two Playwrights cannot live in one process at once."""
    with chromium() as browser:
        yield browser
