"""Every kind of feed against a real source, the real bus, ingest and store: heard, late, silent, heard again, with
exact counts; and broken between the bus and the store, where repetition must be counted as duplicates."""

from __future__ import annotations

import json
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg2
import pytest
import uvicorn
from fastapi import FastAPI
from paho.mqtt.publish import multiple
from psycopg2.extensions import connection, make_dsn, parse_dsn

from callbacks.http.errors import register as register_errors
from callbacks.http.webhook import webhook_router
from data.database import Database
from deploy.embedded import Embedded
from deploy.processes import free_ports
from incidents.ports import Outgoing
from streams import topics
from streams.bus import open_bus
from streams.feeds.kinds import Feed, check_feed
from streams.feeds.runner import Count, FeedRunner, StoredFeed
from streams.feeds.webhook_intake import WebhookIntake
from tests.contracts.feed_line import AWAY, HttpServer, Line, Mosquitto, run_sql, running_line, wait_for
from tests.services import not_run

pytestmark = pytest.mark.timeout(180, func_only=True)

PROFILES = {"embedded": "embedded", "real": "timescale-apache"}


@pytest.fixture(params=PROFILES)
def line(
    request: pytest.FixtureRequest, servers: Embedded, fresh_database: Callable[..., Database], tmp_path: Path
) -> Iterator[Line]:
    """The line on the embedded services, and on Kafka and TimescaleDB."""
    if request.param == "embedded":
        bus = open_bus(servers.bus_url, 2)
    else:
        kafka = os.environ.get("TEST_KAFKA") or not_run("feeds on Kafka (TEST_KAFKA unset)")
        bus = open_bus(f"kafka://{kafka}", 2)
    with running_line(fresh_database(PROFILES[request.param]), bus, tmp_path / "drop") as made:
        yield made


def mapping_of(prefix: str = "") -> dict[str, Any]:
    """Stations by their numbers, centimetres to metres."""
    return {
        "topic": topics.READING,
        "id": {"template": f"{{{prefix}st}}-{{{prefix}t}}"},
        "time": {"path": f"{prefix}t"},
        "data": {
            "device": {"path": f"{prefix}st", "table": {"8001": "WL-1", "8002": "WL-2"}},
            "readings": [{"metric": "level", "value": {"path": f"{prefix}z", "times": 0.01}}],
        },
    }


class Kind:
    """Somebody's source. `up`/`down`: it can or cannot be heard; `make`: new records, each with a time of its own."""

    name = ""
    away = False
    """Whether its absence shows as a failed attempt (else there is just nothing)."""
    secrets: Mapping[str, str] = {}
    mapping = mapping_of()

    def __init__(self, line: Line, folder: Path) -> None:
        self.line = line
        self.folder = folder
        self.made = 0
        self.began = line.clock.now - timedelta(hours=1)

    def config(self) -> dict[str, Any]:
        raise NotImplementedError

    def up(self) -> None: ...

    def down(self) -> None: ...

    def close(self) -> None:
        self.down()

    def rows(self, count: int, bad: int = 0) -> list[dict[str, Any]]:
        """Records; the last `bad` of them cannot be mapped."""
        found = []
        for n in range(count + bad):
            self.made += 1
            at = self.began + timedelta(seconds=self.made)
            value: Any = self.made if n < count else "deep"
            found.append({"n": self.made, "st": "8001", "t": at.isoformat(), "z": value})
        return found

    def make(self, count: int, bad: int = 0) -> None:
        raise NotImplementedError

    def step(self, runner: FeedRunner) -> bool:
        return runner.step(0.2)


class Kafka(Kind):
    name = "kafka"

    def __init__(self, line: Line, folder: Path) -> None:
        super().__init__(line, folder)
        self.servers = os.environ.get("TEST_KAFKA") or not_run("a topic of a source (TEST_KAFKA unset)")
        self.topic = f"water-{uuid.uuid4().hex[:10]}"
        bus = open_bus(f"kafka://{self.servers}", 2)
        bus.inspector().ensure_topics({self.topic: 2})
        self.producer = bus.producer()

    def config(self) -> dict[str, Any]:
        return {"servers": self.servers, "topic": self.topic}

    def make(self, count: int, bad: int = 0) -> None:
        self.producer.publish(
            [Outgoing(self.topic, str(r["n"]), json.dumps(r).encode()) for r in self.rows(count, bad)]
        )

    def close(self) -> None:
        self.producer.close()


class Http(Kind):
    name = "http"
    away = True
    secrets = {"token": "t0ken-of-the-source"}

    def __init__(self, line: Line, folder: Path) -> None:
        super().__init__(line, folder)
        self.held: list[dict[str, Any]] = []
        self.server = HttpServer(self.answer)

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        if headers.get("authorization") != "Bearer t0ken-of-the-source":
            return 401, {}, b""
        query = {k: v[0] for k, v in parse_qs(urlsplit(path).query).items()}
        etag = f'"{len(self.held)}"'
        if headers.get("if-none-match") == etag:
            return 304, {"ETag": etag}, b""
        found = [r for r in self.held if r["n"] > int(query["since"])]
        page = int(query["page"]) - 1
        body = {"items": found[page * 7 : page * 7 + 7]}
        return 200, {"ETag": etag}, json.dumps(body).encode()

    def config(self) -> dict[str, Any]:
        return {
            "url": f"{self.server.url}/levels",
            "records": "items",
            "paging": {"by": "page", "param": "page"},
            "since": {"param": "since", "path": "max(items[].n)", "start": "0"},
        }

    def up(self) -> None:
        self.server.start()

    def down(self) -> None:
        self.server.stop()

    def make(self, count: int, bad: int = 0) -> None:
        self.held += self.rows(count, bad)


class Mqtt(Kind):
    name = "mqtt"
    away = True
    mapping = mapping_of("payload.")

    def __init__(self, line: Line, folder: Path) -> None:
        super().__init__(line, folder)
        if Mosquitto.program() is None:
            not_run("a broker of a source (mosquitto is not installed)")
        self.broker = Mosquitto(folder / "mosquitto")

    def config(self) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.broker.port, "topics": ["water/+/level"]}

    def up(self) -> None:
        self.broker.start()

    def down(self) -> None:
        self.broker.stop()

    def make(self, count: int, bad: int = 0) -> None:
        sent = [(f"water/{r['st']}/level", json.dumps(r), 1, False) for r in self.rows(count, bad)]
        multiple(sent, port=self.broker.port, hostname="127.0.0.1")  # type: ignore[arg-type]


class Folder(Kind):
    name = "folder"

    def config(self) -> dict[str, Any]:
        return {"folder": "water", "stable_s": 5}

    def make(self, count: int, bad: int = 0) -> None:
        folder = self.line.drop_dir / "water"
        folder.mkdir(parents=True, exist_ok=True)
        lines = ["n,st,t,z,备注"] + [
            f"{r['n']},{r['st']},{r['t']},{r['z']},水位" for r in self.rows(count, bad)
        ]
        (folder / f"level-{self.made:05d}.csv").write_bytes("\n".join(lines).encode("gb18030"))

    def step(self, runner: FeedRunner) -> bool:
        """Seconds pass, in which a file does not change."""
        self.line.clock.pass_(6)
        return super().step(runner)


class Sql(Kind):
    name = "sql"
    away = True

    def __init__(self, line: Line, folder: Path) -> None:
        super().__init__(line, folder)
        self.parts = parse_dsn(line.database.dsn)
        self.base = f"source_{uuid.uuid4().hex[:10]}"
        self.admin = line.database.dsn
        run_sql(self.admin, f'CREATE DATABASE "{self.base}"')
        self.dsn = make_dsn(self.admin, dbname=self.base)
        run_sql(
            self.dsn,
            "CREATE TABLE level (n int PRIMARY KEY, st text, t timestamptz, z text, changed timestamptz)",
        )
        self.secrets = {"user": self.parts["user"], "password": self.parts["password"]}

    def config(self) -> dict[str, Any]:
        return {
            "host": self.parts["host"], "port": int(self.parts["port"]), "database": self.base, "table": "public.level",
            "watermark": "changed", "key": "n",
        }  # fmt: skip

    def _allow(self, yes: bool) -> None:
        run_sql(
            self.admin,
            f'ALTER DATABASE "{self.base}" ALLOW_CONNECTIONS {str(yes).lower()}',
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.base}'",
        )

    def up(self) -> None:
        self._allow(True)

    def down(self) -> None:
        self._allow(False)

    def close(self) -> None:
        run_sql(self.admin, f'DROP DATABASE "{self.base}" WITH (FORCE)')

    def make(self, count: int, bad: int = 0) -> None:
        # Two by two they have the same watermark.
        rows = ", ".join(
            f"({r['n']}, '{r['st']}', '{r['t']}', '{r['z']}', '{self.began + timedelta(minutes=r['n'] // 2)}')"
            for r in self.rows(count, bad)
        )
        run_sql(self.dsn, f"INSERT INTO level VALUES {rows}")


class Replay(Kind):
    """A recording of a row a second, with a gap after its 21st row; time passes as far as rows are wanted."""

    name = "replay"
    mapping = {**mapping_of(), "id": {"record": "id"}, "time": {"record": "time"}}
    GAP = 400

    def __init__(self, line: Line, folder: Path) -> None:
        super().__init__(line, folder)
        self.wanted = 0
        file = line.drop_dir / "day.csv"
        file.parent.mkdir(parents=True)
        before = self.rows(20, bad=1)
        self.began += timedelta(seconds=self.GAP)
        lines = [f"{r['st']},{r['t']},{r['z']}" for r in [*before, *self.rows(30)]]
        file.write_text("\n".join(["st,t,z", *lines]))

    def config(self) -> dict[str, Any]:
        return {"file": "day.csv", "time": "t"}

    def make(self, count: int, bad: int = 0) -> None:
        self.wanted += count + bad

    def step(self, runner: FeedRunner) -> bool:
        if 0 < (self.line.row()["records"] or 0) < self.wanted:
            self.line.clock.pass_(1)
        return super().step(runner)


PULLED = (Kafka, Http, Mqtt, Folder, Sql, Replay)


@contextmanager
def kind_of(made: type[Kind], line: Line, folder: Path) -> Iterator[tuple[Kind, Feed]]:
    kind = made(line, folder)
    try:
        yield kind, line.register(kind.name, kind.config(), kind.mapping, kind.secrets)
    finally:
        kind.close()


def drive(kind: Kind, runner: FeedRunner, line: Line, records: int) -> None:
    """Steps until the adapter has read so many records."""
    for _ in range(200):
        kind.step(runner)
        if (line.row()["records"] or 0) >= records:
            kind.step(runner)  # the end of a file, the end of the pages
            return
    raise AssertionError(f"{records} records: {line.row()}")


@pytest.mark.parametrize("made", PULLED, ids=lambda k: k.name)
def test_heard_late_silent_heard_again(made: type[Kind], line: Line, tmp_path: Path) -> None:
    with kind_of(made, line, tmp_path) as (kind, feed):
        kind.up()
        runner = line.runner(feed)
        if kind.name != "replay":
            kind.step(runner)  # a listener must be there before anything is said
        assert line.row()["status"] == "never"
        kind.make(20, bad=1)
        drive(kind, runner, line, 21)
        assert line.settle(21) == (20, 1, 0, 0)
        assert line.row()["status"] == "normal" and line.row()["reason"] == ""
        reason = line.database.query("SELECT reason, field, found FROM dead_letters")
        assert reason == [("mapping", "data.readings[0].value", "deep")]

        kind.down()
        line.clock.pass_(100)
        assert kind.step(runner) is not kind.away
        assert line.row()["status"] == ("error" if kind.away else "late"), line.row()
        assert bool(line.row()["reason"]) == kind.away
        line.clock.pass_(100)
        kind.step(runner)
        assert line.row()["status"] == "silent", line.row()
        assert line.counts() == (20, 1, 0, 0)

        kind.up()
        if kind.name == "replay":
            line.clock.pass_(Replay.GAP - 200)
        if kind.name == "mqtt":
            wait_for(lambda: kind.step(runner), 20, lambda: line.row()["reason"])
        kind.make(15)
        drive(kind, runner, line, 36)
        assert line.settle(36) == (35, 1, 0, 0)
        row = line.row()
        assert (row["status"], row["reason"], row["records"], row["set_aside"], row["lost"]) == (
            "normal",
            "",
            36,
            1,
            0,
        )
        assert line.database.query("SELECT count(*), count(DISTINCT time) FROM readings") == [(35, 35)]
        runner.source.close()


CAMERA = "99010200131320000001"


def test_frigate_is_heard_on_its_own_topic(line: Line, tmp_path: Path) -> None:
    """Three tellings of one object, one of a false positive, one of a label that nobody has mapped."""
    line.database.query(
        "INSERT INTO cameras (code, name, lon, lat) VALUES (%s, '东门', 113.91, 21.88)", (CAMERA,)
    )
    line.database.query(
        "INSERT INTO camera_alarm_kinds (kind, name, class_code, level) VALUES ('person_seen', '有人', '', 4)"
    )
    line.database.query("UPDATE registry_version SET n = n + 1")
    broker = Mosquitto.program() and Mosquitto(tmp_path / "mosquitto")
    if not broker:
        not_run("Frigate's broker (mosquitto is not installed)")
    config = {"host": "127.0.0.1", "port": broker.port, "topics": ["frigate/events"]}
    feed = line.register("mqtt", config, {"alarm": "frigate", "payload": "payload"})
    broker.start()
    try:
        runner = line.runner(feed)
        runner.step(0.2)  # a listener must be there before anything is said
        at = line.clock.now.timestamp()
        told = [
            {"type": kind, "after": {"id": "1.5-abc", "camera": CAMERA, "label": label, "start_time": at, **more}}
            for kind, label, more in (
                ("new", "person", {}), ("update", "person", {"score": 0.9}), ("end", "person", {}),
                ("new", "person", {"false_positive": True}), ("new", "giraffe", {}),
            )
        ]  # fmt: skip
        multiple(
            [("frigate/events", json.dumps(e), 1, False) for e in told],
            port=broker.port,
            hostname="127.0.0.1",
        )
        wait_for(lambda: runner.step(0.2) and line.row()["records"] == 5, 30, lambda: str(line.row()))
        assert line.settle(4) == (1, 1, 2, 0), line.database.query(
            "SELECT reason, field, found FROM dead_letters"
        )
        assert line.database.query("SELECT kind, feed, camera FROM intake") == [("alarm", "source", CAMERA)]
        assert line.database.query("SELECT reason, field, found FROM dead_letters") == [
            ("mapping", "after.label", "giraffe")
        ]
    finally:
        runner.source.close()
        broker.stop()


class Crash(BaseException):
    """The process dies here."""


@dataclass
class DyingStates:
    """The process dies once the bus has a batch, before the store knows."""

    inner: Any
    deaths: int = 1
    messages: int = 0

    def load(self, feed: str) -> Any:
        return self.inner.load(feed)

    def keep(self, feed: str, position: Any, count: Count, now: datetime) -> None:
        if self.deaths and count.messages:
            self.deaths -= 1
            self.messages += count.messages
            raise Crash
        self.inner.keep(feed, position, count, now)

    def failed(self, feed: str, failure: Any, reason: str, now: datetime) -> None:
        self.inner.failed(feed, failure, reason, now)


@pytest.mark.parametrize("made", PULLED, ids=lambda k: k.name)
def test_a_crash_between_bus_and_store_repeats_and_nothing_is_twice(
    made: type[Kind], line: Line, tmp_path: Path
) -> None:
    with kind_of(made, line, tmp_path) as (kind, feed):
        kind.up()
        runner = line.runner(feed)
        if kind.name != "replay":
            kind.step(runner)
        kind.make(10)
        drive(kind, runner, line, 10)
        kind.make(8)
        dying = DyingStates(line.states)
        runner.states = dying
        with pytest.raises(Crash):
            drive(kind, runner, line, 18)
        runner.source.close()
        runner = line.runner(feed)  # another process
        drive(kind, runner, line, 18)
        assert dying.messages > 0
        assert line.settle(18 + dying.messages) == (18, 0, dying.messages, 0)
        assert line.database.query("SELECT count(*) FROM readings") == [(18,)]
        runner.source.close()


# -- webhooks -------------------------------------------------------------------------------------------------


@dataclass
class Door:
    """The web process with the one route, and a sender that signs."""

    url: str
    key: str = "key-of-the-webhook-source"
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20))

    def send(self, rows: Any, now: datetime, key: str = "", feed: str = "source") -> httpx.Response:
        import hashlib
        import hmac

        body = json.dumps(rows).encode() if not isinstance(rows, bytes) else rows
        moment = str(int(now.timestamp()))
        signed = moment.encode() + b"." + body
        mark = "sha256=" + hmac.new((key or self.key).encode(), signed, hashlib.sha256).hexdigest()
        headers = {"X-Signature": mark, "X-Time": moment, "Content-Type": "application/json"}
        return self.client.post(f"{self.url}/api/v1/feeds/{feed}/records", content=body, headers=headers)


@contextmanager
def door(line: Line, sink: Any = None) -> Iterator[Door]:
    def lookup(id: str) -> tuple[StoredFeed, bool] | None:
        rows = line.database.query(
            "SELECT id, kind, config, secrets, mapping, version, disabled FROM feeds WHERE id = %s", (id,)
        )
        return (StoredFeed(*rows[0][:6]), rows[0][6]) if rows else None

    def check(f: StoredFeed) -> Feed:
        return check_feed(f.id, f.kind, f.config, f.secrets, f.mapping, f.version)

    intake = WebhookIntake(lookup, check, sink or line.sink, line.states, line.clock, 64 * 1024)
    app = FastAPI()
    register_errors(app, AWAY)
    app.include_router(webhook_router(intake.take, AWAY))
    port = free_ports(1)[0]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, 20, lambda: "the door is open")
    yield Door(f"http://127.0.0.1:{port}")
    server.should_exit = True
    thread.join(20)


HOOK = {"auth": "hmac", "header": "X-Signature", "prefix": "sha256=", "time_header": "X-Time"}


def test_a_webhook_heard_late_silent_heard_again(line: Line, tmp_path: Path) -> None:
    rows = Kind(line, tmp_path)
    with door(line) as at:
        line.register("webhook", HOOK, mapping_of(), {"key": at.key})
        assert at.send(rows.rows(20, bad=1), line.clock.now).json() == {"accepted": 20, "set_aside": 1}
        assert line.settle(21) == (20, 1, 0, 0) and line.row()["status"] == "normal"
        line.clock.pass_(100)
        assert line.row()["status"] == "late"
        line.clock.pass_(100)
        assert line.row()["status"] == "silent"
        again = rows.rows(15)
        assert at.send(again, line.clock.now).status_code == 202
        assert at.send(again, line.clock.now).status_code == 202, "the answer was lost on its way; sent again"
        assert line.settle(51) == (35, 1, 15, 0)
        assert line.row()["status"] == "normal" and line.row()["records"] == 51


def test_a_webhook_takes_nothing_that_is_not_signed(line: Line, tmp_path: Path) -> None:
    rows = Kind(line, tmp_path).rows(1)
    with door(line) as at:
        line.register("webhook", HOOK, mapping_of(), {"key": at.key})
        now = line.clock.now
        assert at.send(rows, now, key="another key of 24 letters").status_code == 401
        assert at.send(rows, now - timedelta(seconds=301)).status_code == 401, "an old request, played again"
        assert at.send(rows, now, feed="nobody").status_code == 401
        bad = at.send(b"{no json", now)
        assert (bad.status_code, bad.json()) == (202, {"accepted": 0, "set_aside": 1})
        assert line.settle(1) == (0, 1, 0, 0)
        line.database.query("UPDATE feeds SET disabled = true")
        assert at.send(rows, now).status_code == 403


class OlderMqtt(Mqtt):
    def config(self) -> dict[str, Any]:
        return {**super().config(), "version": "3.1.1"}


def test_mqtt_of_the_older_version_keeps_its_session_too(line: Line, tmp_path: Path) -> None:
    with kind_of(OlderMqtt, line, tmp_path) as (kind, feed):
        kind.up()
        runner = line.runner(feed)
        kind.step(runner)
        runner.source.close()
        kind.make(60)  # while nobody listens: the broker's session holds them, and sends twenty at a time
        runner = line.runner(feed)
        drive(kind, runner, line, 60)
        assert line.settle(60) == (60, 0, 0, 0)
        runner.source.close()


def test_ties_at_the_watermark_that_come_late_are_had_once(line: Line, tmp_path: Path) -> None:
    with kind_of(Sql, line, tmp_path) as (kind, feed):
        assert isinstance(kind, Sql)
        runner = line.runner(feed)
        first, late = kind.rows(3), kind.rows(3)
        for n, r in enumerate([*first, *late]):
            # The late ones have smaller keys than what was read, and the same watermark.
            statement = f"INSERT INTO level VALUES ({100 - n}, '8001', '{r['t']}', '{r['z']}', '2026-01-01')"
            if n == 3:
                drive(kind, runner, line, 3)
            run_sql(kind.dsn, statement)
        drive(kind, runner, line, 6)
        for _ in range(3):
            kind.step(runner)
        assert line.settle(6) == (6, 0, 0, 0)
        assert line.row()["records"] == 6
        runner.source.close()


class Queue(Sql):
    """A table that many transactions write to, read by its serial or by the time at which they began."""

    watermark = "n"

    def __init__(self, line: Line, folder: Path) -> None:
        super().__init__(line, folder)
        run_sql(
            self.dsn,
            "CREATE TABLE queue (n bigserial PRIMARY KEY, st text, t timestamptz, z text,"
            " changed timestamptz DEFAULT now())",
        )

    def config(self) -> dict[str, Any]:
        return {**super().config(), "table": "queue", "watermark": self.watermark, "overlap_s": 60}

    def put(self, writer: connection, row: dict[str, Any]) -> None:
        """Insert a row; the caller commits."""
        with writer.cursor() as cursor:
            cursor.execute(
                "INSERT INTO queue (st, t, z) VALUES (%s, %s, %s)", (row["st"], row["t"], row["z"])
            )


class TimedQueue(Queue):
    watermark = "changed"


@contextmanager
def writers(kind: Sql, count: int) -> Iterator[list[connection]]:
    """Connections of the source's own programs."""
    made = [psycopg2.connect(kind.dsn) for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            one.close()


QUEUES = pytest.mark.parametrize("made", (Queue, TimedQueue), ids=("serial", "time"))


@QUEUES
def test_a_row_that_is_committed_behind_the_watermark_is_had_once(
    made: type[Queue], line: Line, tmp_path: Path
) -> None:
    with kind_of(made, line, tmp_path) as (kind, feed), writers(kind, 2) as (early, late):
        runner = line.runner(feed)
        for n in range(4):
            for writer in (early, late):
                kind.put(writer, kind.rows(1)[0])
            late.commit()
            kind.step(runner)
            assert line.row()["records"] == 2 * n + 1
            if n % 2:
                runner.source.close()
                runner = line.runner(feed)  # another process
            early.commit()
            for _ in range(3):
                kind.step(runner)
                assert line.row()["records"] == 2 * n + 2
            line.clock.pass_(45)  # the window moves on
        assert line.settle(8) == (8, 0, 0, 0)
        assert line.database.query("SELECT count(*), count(DISTINCT time) FROM readings") == [(8, 8)]
        runner.source.close()


@QUEUES
def test_many_transactions_at_once_lose_and_double_nothing(
    made: type[Queue], line: Line, tmp_path: Path
) -> None:
    writing, each, rounds = 4, 12, 4
    with kind_of(made, line, tmp_path) as (kind, feed), writers(kind, writing) as open_writers:
        runner = line.runner(feed)
        dice = random.Random(7)
        for _ in range(rounds):
            jobs = [(w, kind.rows(each), [dice.random() * 0.02 for _ in range(each)]) for w in open_writers]

            def work(writer: connection, rows: list[dict[str, Any]], holds: list[float]) -> None:
                for row, hold in zip(rows, holds, strict=True):
                    kind.put(writer, row)
                    time.sleep(hold)  # the transaction stays open while others commit
                    writer.commit()

            threads = [threading.Thread(target=work, args=job) for job in jobs]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                assert kind.step(runner), line.row()
                if dice.random() < 0.3:
                    runner.source.close()
                    runner = line.runner(feed)  # another process
            kind.step(runner)
            line.clock.pass_(40)
        total = writing * each * rounds
        assert line.row()["records"] == total
        assert line.settle(total) == (total, 0, 0, 0)
        runner.source.close()


def test_a_transaction_longer_than_the_window_is_what_remains(line: Line, tmp_path: Path) -> None:
    """Said in docs/feeds.md; and the position does not grow."""
    with kind_of(Queue, line, tmp_path) as (kind, feed), writers(kind, 2) as (slow, others):
        assert isinstance(kind, Queue)
        runner = line.runner(feed)
        kind.put(slow, kind.rows(1)[0])
        for _ in range(3):
            kind.put(others, kind.rows(1)[0])
            others.commit()
            kind.step(runner)
            line.clock.pass_(61)
        slow.commit()
        kind.step(runner)
        assert line.row()["records"] == 3
        assert len(line.states.load("source")["reads"]) == 1
        runner.source.close()


def test_a_poison_record_in_the_middle_of_a_batch(line: Line, tmp_path: Path) -> None:
    """Bytes that are no JSON between good ones, on a topic of the source's."""
    with kind_of(Kafka, line, tmp_path) as (kind, feed):
        assert isinstance(kind, Kafka)
        good = [json.dumps(r).encode() for r in kind.rows(4)]
        poison = [
            b"\xff\xfe\x00",
            b'{"z": NaN}',
            b"[" * 100_000,
            b'{"st": "8001", "t": "1970-01-01T00:00:01Z", "z": 1}',
        ]
        values = [good[0], poison[0], poison[1], good[1], poison[2], poison[3], good[2], good[3]]
        kind.producer.publish([Outgoing(kind.topic, "one", value) for value in values])
        drive(kind, line.runner(feed), line, 8)
        assert line.settle(8) == (4, 4, 0, 0)
        reasons = line.database.query("SELECT reason, count(*)::int FROM dead_letters GROUP BY 1 ORDER BY 1")
        assert reasons == [("bad_time", 1), ("mapping", 3)]
