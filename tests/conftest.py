"""Shared fixtures: the embedded servers, and for every test a fresh database made from a filled template."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
from hypothesis import HealthCheck, settings
from psycopg2.extensions import make_dsn, parse_dsn

from data.database import Database
from data.migrate import migrate
from data.timeseries import enable
from deploy import embedded
from tests import small_city
from tests.services import not_run

# Times on a machine that others use too say nothing; examples are drawn from a fixed seed so that a red run is
# red again.
settings.register_profile(
    "chengyun", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("chengyun")

# A shell that starts us in the background has SIGINT ignored, and every process of ours would inherit that: tests
# that press Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

STORES = (
    "embedded",
    "timescale-apache",
    *(["timescale-community"] if os.environ.get("COMMUNITY_DSN") else []),
)
"""The community edition may not be shipped nor installed by CI: it alone may be absent, and the summary says so."""
_DSN_OF = {"timescale-apache": "TEST_TIMESCALE_DSN", "timescale-community": "COMMUNITY_DSN"}
_number = itertools.count(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the one store that may be absent without a skip."""
    if "timescale-community" not in STORES:
        terminalreporter.write_line("not run: the store suite on timescale-community (COMMUNITY_DSN unset)")


@pytest.fixture(scope="session")
def servers() -> Iterator[embedded.Embedded]:
    """Embedded PostgreSQL and two Redis servers, in a folder that their user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="chengyun-tests-")).resolve()
    folder.chmod(0o711)
    running = embedded.start(folder)
    _spare_the_disk(running)
    yield running
    for pid in running.processes["postgres"][:1]:
        os.kill(pid, signal.SIGQUIT)  # at once, without writing out what nobody will read
    running.stop()
    embedded.forget(folder)
    shutil.rmtree(folder)


def _spare_the_disk(running: embedded.Embedded) -> None:
    """These servers are thrown away: nothing needs to survive a power cut. (Drills use servers of their own.)"""
    postgres: Any = running.servers[0]
    with closing(psycopg2.connect(postgres.superuser_address())) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                cursor.execute(f"ALTER SYSTEM SET {setting} = off")
            cursor.execute("SELECT pg_reload_conf()")
    with closing(redis.Redis.from_url(running.bus_url)) as bus:
        bus.config_set("appendfsync", "no")


class Template:
    """A filled database of one server, from which each test gets a copy of its own within 0.1 s."""

    def __init__(self, admin_dsn: str, dsn: str) -> None:
        self._admin_dsn = admin_dsn
        self._dsn = dsn
        self._owner = str(parse_dsn(dsn)["user"])
        self._prefix = f"chengyun_test_{os.getpid()}"
        self._filled = f"{self._prefix}_template"
        self.made: list[str] = []
        self._dropper = ThreadPoolExecutor(2)
        self.create(self._filled, "template0")
        with closing(self.open(self._filled)) as db:
            migrate(db)
            self.edition = enable(db)
            small_city.fill(db)
        # TimescaleDB's scheduler and autovacuum would sit in the template just when it is to be copied.
        self._run(f'ALTER DATABASE "{self._filled}" ALLOW_CONNECTIONS false')
        self._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._filled}'")

    def open(self, name: str, size: int = 8) -> Database:
        """The pool of one of this server's databases."""
        return Database(make_dsn(self._dsn, dbname=name), size=size, name="chengyun-tests")

    def create(self, name: str, template: str) -> None:
        """A database named `name`, a copy of `template`."""
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{self._owner}"')

    def drop(self, name: str) -> None:
        """End whoever is connected and drop it."""
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def fresh(self, filled: bool = True) -> str:
        """The name of a new database: the small city, or with `filled` False an empty one."""
        name = f"{self._prefix}_{next(_number)}"
        if filled:
            self.create(name, self._filled)
        else:
            self.create(name, "template0")
        return name

    def close(self) -> None:
        """Drop the template and the copies that are still there."""
        for name in list(self.made):
            self.retire(name)
        self._dropper.shutdown()
        self.drop(self._filled)

    def retire(self, name: str) -> None:
        """Drop a copy behind the tests' back: a drop waits for a checkpoint."""
        if name in self.made:
            self.made.remove(name)
            self._dropper.submit(self.drop, name)

    def _run(self, sql: str) -> None:
        with closing(psycopg2.connect(self._admin_dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)


@pytest.fixture(scope="session")
def template_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Template]]:
    """Store name → its template, made when first asked for; skips when that store is absent."""
    made: dict[str, Template] = {}

    def get(store: str) -> Template:
        if store not in made:
            if store == "embedded":
                running: embedded.Embedded = request.getfixturevalue("servers")
                postgres: Any = running.servers[0]
                made[store] = Template(postgres.superuser_address(), running.dsn)
            else:
                dsn = os.environ.get(_DSN_OF[store], "")
                if not dsn:
                    not_run(f"{store} ({_DSN_OF[store]} unset)")
                made[store] = Template(dsn, dsn)
        return made[store]

    yield get
    for store, template in made.items():
        if store != "embedded":  # that server is gone by now, with all that it held
            template.close()


@pytest.fixture
def fresh_database(template_of: Callable[[str], Template]) -> Iterator[Callable[..., Database]]:
    """Make fresh databases: `fresh_database(store="embedded", filled=True)`."""
    opened: list[tuple[Callable[[], None], Database]] = []

    def make(store: str = "embedded", filled: bool = True) -> Database:
        template = template_of(store)
        name = template.fresh(filled)
        database = template.open(name)
        template.made.append(name)
        # The embedded server is thrown away with all that it holds.
        retire = partial(template.retire, name) if store != "embedded" else database.close
        opened.append((retire, database))
        return database

    yield make
    for retire, database in opened:
        database.close()
        retire()


@pytest.fixture
def city(fresh_database: Callable[..., Database]) -> Database:
    """A fresh embedded store that holds the small city."""
    return fresh_database()
