"""A real web process over a real embedded PostgreSQL and two real Redis servers, with a small city."""

from __future__ import annotations

import json
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from flask import Flask, jsonify

from callbacks.actor import current_actor
from callbacks.http.deps import Deps
from callbacks.http.login import actor_of
from callbacks.http.phone import phone_router
from callbacks.http.text import text_router
from callbacks.http.video import video_router
from callbacks.http.webhook import webhook_router
from callbacks.server import WebServer, make_server
from data.accounts import Accounts
from data.administration import Administration
from data.alarm_sources import alarm_maps, camera_channels
from data.audit import Audit
from data.database import Busy, Database, StoreUnavailable
from data.device_access import DeviceAccess
from data.feed_states import FeedStates, stored_feed
from data.feed_tokens import FeedTokens
from data.live import LiveState
from data.migrate import migrate, pending
from data.photos import Photos
from data.questions.answers import StoreQuestions
from data.screen_pairing import Pairings, TooManyCodes
from data.sessions import Sessions, token_hash
from data.uow import UnitsOfWork
from data.view_links import SAMPLE_FILES, ViewLinks, sample_file
from deploy import embedded
from incidents.access import ROLES
from incidents.model import Place, Rejected
from incidents.ports import Bus
from incidents.service import City, CityService
from streams import cloudevents, topics
from streams.adapters.alarm import Quiet, Source, message, shipped_kinds
from streams.adapters.letter import letter_of
from streams.adapters.table import ADAPTERS
from streams.bus import open_bus
from streams.device_payload import message_of
from streams.envelope import Bad, decode, key_of
from streams.feeds.checking import checked
from streams.feeds.runner import StoredFeed
from streams.feeds.webhook_intake import WebhookIntake
from tests.working import WORKING

CITY = "990100/"
DISTRICT = CITY + "990101/"
TOWN = DISTRICT + "990101001/"
VILLAGE = TOWN + "990101001001/"
NEXT_VILLAGE = TOWN + "990101001002/"
GRID = VILLAGE + "990101001001G01/"
NEXT_GRID = NEXT_VILLAGE + "990101001002G01/"
FEED_TOKEN = "feed-token-of-the-tests"
SHUT_TOKEN = "token-of-a-disabled-feed"
PASSWORD = "correct horse 9"

_AREAS = (
    ("990100", "city", "", CITY),
    ("990101", "district", "990100", DISTRICT),
    ("990101001", "town", "990101", TOWN),
    ("990101001001", "village", "990101001", VILLAGE),
    ("990101001002", "village", "990101001", NEXT_VILLAGE),
    ("990101001001G01", "duty_grid", "990101001001", GRID),
    ("990101001002G01", "duty_grid", "990101001002", NEXT_GRID),
)


@dataclass
class Clock:
    """The tests' clock: real time, moved ahead at will."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Stage:
    """What is running."""

    url: str
    app: FastAPI
    deps: Deps
    db: Database
    live: LiveState
    accounts: Accounts
    audit: Audit
    clock: Clock
    bus_url: str
    servers: embedded.Embedded

    def client(self) -> httpx.Client:
        """A browser that is not logged in."""
        return httpx.Client(base_url=self.url, timeout=20)

    def login(self, login: str, password: str = PASSWORD) -> httpx.Client:
        """A logged-in browser; unsafe requests carry the CSRF token."""
        client = self.client()
        reply = log_in(client, login, password)
        assert reply.status_code == 303, reply.text
        client.headers["X-CSRF-Token"] = client.cookies["chengyun_csrf"]
        return client


def log_in(client: httpx.Client, login: str, password: str) -> httpx.Response:
    """Fill in the login form as a browser does."""
    page = client.get("/login").text
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page
    return client.post("/login", data={"login": login, "password": password, "csrf": found[1], "next": ""})


def wait_for(what: Callable[[], object], seconds: float, words: str) -> None:
    """Until `what()` is true; fails with `words` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {words}"
        time.sleep(0.05)


def seed(db: Database, accounts: Accounts, now: datetime) -> None:
    """Two villages, two units, an account per role: `<role>` in the village, `<role>-city` for the city."""
    with db.transaction() as cursor:
        for code, level, parent, path in _AREAS:
            cursor.execute(
                "INSERT INTO areas (code, level, name, parent, path) VALUES (%s, %s, %s, %s, %s)",
                (code, level, f"区域{code}", parent or None, path),
            )
        city = {
            "name": "临澜市",
            "name_en": "Linlan",
            "code": "990100",
            "path": CITY,
            "centre": [113.9, 21.9],
            "reach_km": 25,
            "number_pattern": "{date}{serial:05d}",
        }
        for key, value in city.items():
            cursor.execute("INSERT INTO city (key, value) VALUES (%s, %s)", (key, json.dumps(value)))
        for code in ("U1", "U2"):
            cursor.execute(
                "INSERT INTO units (code, name, area_path) VALUES (%s, %s, %s)", (code, code, CITY)
            )
        cursor.execute(
            "INSERT INTO event_classes (code, kind, big_class, name, level, limit_min, clock_kind)"
            " VALUES ('0101', 'event', '市容', '道路积水', 3, 60, 'urgent_hour')"
        )
        for feed, token, disabled in (("sensors", FEED_TOKEN, False), ("shut", SHUT_TOKEN, True)):
            cursor.execute(
                "INSERT INTO feeds (id, name, topics, token_hash, disabled) VALUES (%s, %s, %s, %s, %s)",
                (feed, feed, [topics.READING, topics.GRID_REPORT], token_hash(token), disabled),
            )
        for role in ROLES:
            unit = "U1" if role in ("unit_handler", "grid_worker") else ""
            for login, area in ((role, VILLAGE), (f"{role}-city", CITY)):
                make(accounts, cursor, login, role, area, unit, now)
        make(accounts, cursor, "neighbour", "operator", NEXT_VILLAGE, "", now)
        make(accounts, cursor, "neighbour-worker", "grid_worker", NEXT_GRID, "U2", now)
        cursor.execute("UPDATE accounts SET must_change = false")


def make(
    accounts: Accounts, cursor: object, login: str, role: str, area: str, unit: str, now: datetime
) -> None:
    """An account with the tests' password."""
    accounts.create(
        cursor,  # type: ignore[arg-type]
        login=login.replace("_", "-"),
        name=f"某{login}",
        role=role,
        unit=unit,
        areas=[area],
        now=now,
        password=PASSWORD,
    )


def place_of(lon: float, lat: float) -> Place:
    """West of 113.9 is the village, east of it the next one."""
    if not 113 < lon < 115:
        raise Rejected("field", f"lon={lon}: outside of the city", field="lon")
    grid = GRID if lon < 113.9 else NEXT_GRID
    return Place(lon, lat, "", grid.rstrip("/").split("/")[-1], grid)


def check(topic: str, value: bytes) -> str:
    """As app.py joins it."""
    key = key_of(topic, decode(topic, value, 1024 * 1024))
    cloudevents.check(value)
    return key


def adapt(db: Database, feed: str, system: str, edition: str, payload: bytes) -> tuple[str, bytes] | str:
    """As app.py joins it."""
    if system not in ADAPTERS:
        raise Bad("unknown_system", field="system", found=system, rule="one of the adapters")
    kinds = shipped_kinds({system: alarm_maps(db, system)})[system]
    of = Source(feed, kinds, camera_channels(db, feed), edition=edition)  # type: ignore[arg-type]
    found = ADAPTERS[system](payload, of, datetime.now(UTC))
    return found.why if isinstance(found, Quiet) else (found.camera, message(of, found))


def a_dash() -> Flask:
    """Stands for Dash at "/": tells who it thinks is asking."""
    flask = Flask("stand-in")

    @flask.route("/", defaults={"path": ""}, methods=["GET", "POST"])
    @flask.route("/<path:path>", methods=["GET", "POST"])
    def page(path: str):  # type: ignore[no-untyped-def]
        if path.startswith("assets/"):
            return "asset"
        return jsonify({"path": path, "login": current_actor().login})

    return flask


@pytest.fixture(scope="session")
def servers() -> Iterator[embedded.Embedded]:
    """The three servers, in a folder that their user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="chengyun-web-")).resolve()
    folder.chmod(0o711)
    running = embedded.start(folder)
    yield running
    running.stop()
    embedded.forget(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stage(servers: embedded.Embedded) -> Iterator[Stage]:
    """The web process."""
    db = Database(servers.dsn)
    migrate(db)
    clock = Clock()
    accounts = Accounts(db, attempts=5, lock_min=15, hasher=PasswordHasher(1, 64, 1))
    seed(db, accounts, clock())
    audit = Audit(db)
    live = LiveState(servers.live_url)
    live.reset([])
    bus = open_bus(servers.bus_url)
    inspector = bus.inspector()
    inspector.ensure_topics(dict.fromkeys(topics.INPUT_TOPICS, 2))
    units = UnitsOfWork(db, audit, Administration(accounts), place_of, lambda: WORKING)
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    service = CityService(units, questions, clock, City("{date}{serial:05d}", "Asia/Shanghai", CITY))
    deps = Deps(
        service=service,
        accounts=accounts,
        sessions=Sessions(db, lifetime_h=12, idle_min=120),
        audit=audit,
        photos=Photos(db),
        pairings=Pairings(db),
        too_many_codes=TooManyCodes,
        feeds=FeedTokens(db),
        live=live,
        producer=bus.producer(),
        inspector=inspector,
        check_message=check,
        bad_message=Bad,
        topics=frozenset(topics.INPUT_TOPICS),
        position_topic=topics.POSITION,
        devices=DeviceAccess(db),
        device_message=lambda sender, value, cause: message_of(sender, value, 1024 * 1024, cause).outgoing,
        migrations_current=partial(_fault, db),
        alarm_topic=topics.VIDEO_ALARM,
        adapt_alarm=partial(adapt, db),
        alarm_letter=lambda feed, system, value, bad: letter_of(feed, system, value, bad, clock()),
        now=clock,
        store_away=(StoreUnavailable, Busy),
        dash_server=a_dash(),
        routers=(
            phone_router(actor_of),
            text_router(),
            video_router(
                ViewLinks(db),
                audit,
                clock,
                {name: (sample_file(name), kind) for name, kind in SAMPLE_FILES.items()},
                "Asia/Shanghai",
            ),
            webhook_router(webhooks(db, bus, clock).take, (StoreUnavailable, Busy)),
        ),
        ingest_groups=dict.fromkeys(topics.INPUT_TOPICS, "chengyun-ingest"),
    )
    app = make_server(deps)
    with served(app) as url:
        yield Stage(url, app, deps, db, live, accounts, audit, clock, servers.bus_url, servers)
    db.close()


def webhooks(db: Database, bus: Bus, clock: Clock) -> WebhookIntake:
    """As app.py joins it."""

    def lookup(feed: str) -> tuple[StoredFeed, bool] | None:
        row = stored_feed(db, feed)
        return (StoredFeed(*row[:6]), row[6]) if row else None

    return WebhookIntake(lookup, checked, bus.producer(), FeedStates(db), clock, 1024 * 1024)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """`app` listening on a free port, in a thread."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = WebServer(app, host="127.0.0.1", port=port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, 20, "the web process listens")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive(), "the web process does not end"


def _fault(db: Database) -> str:
    waiting = pending(db)
    return f"migrations {waiting} have not run" if waiting else ""


@pytest.fixture(autouse=True)
def _real_time(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "stage" in request.fixturenames:
        request.getfixturevalue("stage").clock.ahead = timedelta()
