"""A whole line for tests of feeds: a feed's adapter, the real bus, the real ingest, the real store, and a clock that
the test moves. Topics get a prefix on the bus, so that tests on one bus do not read each other's messages."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from data.database import Busy, Database, StoreUnavailable
from data.feed_sql import ForeignTable, SqlAway, SqlWrong
from data.feed_states import FeedStates
from data.flush import FlushStore
from data.questions.context import Ask
from data.questions.operations import feeds
from deploy.processes import free_ports
from incidents import commands as c
from incidents.ports import (
    Bus,
    BusInspector,
    Outgoing,
    Position,
    Producer,
    Reader,
    Record,
    StartPositions,
    TopicPartition,
    Usage,
)
from streams import topics
from streams.consumer import Consumer
from streams.feeds.addresses import AddressPolicy
from streams.feeds.kinds import Feed, Surroundings, check_feed, open_source
from streams.feeds.runner import FeedRunner
from streams.feeds.sql_pull import sql_opener
from tests.small_city import LIMITS, actor, locate, place_of

AWAY = (StoreUnavailable, Busy)
HALF_AN_HOUR = timedelta(minutes=30)
ANYWHERE = AddressPolicy(frozenset({"public", "private", "loopback"}))


# -- a bus with topics of one's own ---------------------------------------------------------------------------


@dataclass
class PrefixedBus:
    """The product's topics under other names."""

    inner: Bus
    prefix: str
    name: str = "prefixed"

    def there(self, topic: str) -> str:
        return self.prefix + topic

    def here(self, topic: str) -> str:
        return topic.removeprefix(self.prefix)

    def producer(self) -> Producer:
        return _Producer(self, self.inner.producer())

    def reader(self, group: str, names: Sequence[str], start: StartPositions) -> Reader:
        def begin(found: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
            ours = frozenset(TopicPartition(self.here(p.topic), p.partition) for p in found)
            return {TopicPartition(self.there(p.topic), p.partition): n for p, n in start(ours).items()}

        return _Reader(self, self.inner.reader(self.prefix + group, [self.there(t) for t in names], begin))

    def inspector(self) -> BusInspector:
        return _Inspector(self, self.inner.inspector())


@dataclass
class _Producer:
    bus: PrefixedBus
    inner: Producer

    def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        return self.inner.publish([replace(m, topic=self.bus.there(m.topic)) for m in messages])

    def close(self) -> None:
        self.inner.close()


@dataclass
class _Reader:
    bus: PrefixedBus
    inner: Reader

    def _out(self, p: TopicPartition) -> TopicPartition:
        return TopicPartition(self.bus.there(p.topic), p.partition)

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        return [r._replace(topic=self.bus.here(r.topic)) for r in self.inner.poll(max_records, timeout_s)]

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(TopicPartition(self.bus.here(p.topic), p.partition) for p in self.inner.assignment())

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.inner.seek(self._out(partition), offset)

    def pause(self, partitions: frozenset[TopicPartition]) -> None:
        self.inner.pause(frozenset(map(self._out, partitions)))

    def resume(self, partitions: frozenset[TopicPartition]) -> None:
        self.inner.resume(frozenset(map(self._out, partitions)))

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        self.inner.commit({self._out(p): n for p, n in positions.items()})

    def close(self) -> None:
        self.inner.close()


@dataclass
class _Inspector:
    bus: PrefixedBus
    inner: BusInspector

    def ensure_topics(self, partitions: Mapping[str, int]) -> None:
        self.inner.ensure_topics({self.bus.there(t): n for t, n in partitions.items()})

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        found = self.inner.ranges(self.bus.there(topic))
        return {TopicPartition(self.bus.here(p.topic), p.partition): r for p, r in found.items()}

    def offsets_at(self, partition: TopicPartition, times_ms: Sequence[int]) -> list[int]:
        return self.inner.offsets_at(
            TopicPartition(self.bus.there(partition.topic), partition.partition), times_ms
        )

    def committed(self, group: str, topic: str) -> dict[TopicPartition, int]:
        return {}

    def usage(self) -> Usage:
        return self.inner.usage()

    def close(self) -> None:
        self.inner.close()


# -- the line -------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """The product's clock: half an hour behind, and standing until the test moves it: never ahead of the broker's."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - HALF_AN_HOUR)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


open_sql = sql_opener(ForeignTable, SqlAway, SqlWrong)


TOPICS = (topics.READING, topics.GRID_REPORT, topics.VIDEO_ALARM)


@dataclass
class Line:
    """See the module's text."""

    database: Database
    bus: PrefixedBus
    clock: Clock
    drop_dir: Path
    stop: threading.Event = field(default_factory=threading.Event)
    sink: Producer = field(init=False)
    states: FeedStates = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.sink = self.bus.producer()
        self.states = FeedStates(self.database)
        inspector = self.bus.inspector()
        inspector.ensure_topics({topics.READING: 2, topics.GRID_REPORT: 1, topics.VIDEO_ALARM: 1})
        inspector.close()

    def open(self) -> None:
        """Start ingest."""
        consumer = Consumer(
            bus=self.bus, group="feeds", topics=TOPICS, store=FlushStore(self.database),
            limits=LIMITS, locate=locate, clock=self.clock, after=lambda work: None, idle=lambda: None,
            store_away=AWAY, batch=500,
        )  # fmt: skip
        self._thread = threading.Thread(target=consumer.run, args=(self.stop,))
        self._thread.start()

    def close(self) -> None:
        """End ingest."""
        self.stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        self.sink.close()

    @property
    def world(self) -> Surroundings:
        return Surroundings(self.clock, self.drop_dir, ANYWHERE, open_sql)

    def register(self, kind: str, config: Any, mapping: Any, secrets: Any = None, id: str = "source") -> Feed:
        """A feed of this kind, expected every minute."""
        feed = check_feed(id, kind, config, secrets or {}, mapping)
        self.database.query(
            "INSERT INTO feeds (id, name, owner, protocol, kind, config, secrets, mapping, topics, expected_period_s)"
            " VALUES (%s, %s, '水务局', %s, %s, %s, %s, %s, %s, 60)",
            (id, id, kind, kind, json.dumps(config), json.dumps(secrets or {}), json.dumps(mapping), list(feed.mapping.topics)),
        )  # fmt: skip
        self.database.query("UPDATE registry_version SET n = n + 1")
        return feed

    def runner(self, feed: Feed) -> FeedRunner:
        """The feed's adapter, opened anew."""
        return FeedRunner(
            feed, open_source(feed, self.world), self.sink, self.states, self.clock, threading.Event(), AWAY,
            jitter=lambda: 0.0,
        )  # fmt: skip

    def row(self, id: str = "source") -> dict[str, Any]:
        """The feed as the page of the feeds asks for it."""
        ask = Ask(self.database, actor("administrator"), self.clock.now, place_of, dict, "Asia/Shanghai")
        found: dict[str, Any] = next(r for r in feeds(ask, c.Feeds())["rows"] if r["id"] == id)
        return found

    def counts(self, id: str = "source") -> tuple[int, int, int, int]:
        """(stored, rejected, duplicate, held) in the ledger, of all time."""
        found = self.database.query(
            "SELECT coalesce(sum(stored), 0)::int, coalesce(sum(rejected), 0)::int,"
            " coalesce(sum(duplicate), 0)::int, coalesce(sum(held), 0)::int FROM ledger WHERE feed = %s", (id,)
        )[0]  # fmt: skip
        return found[0], found[1], found[2], found[3]

    def settle(self, messages: int, id: str = "source") -> tuple[int, int, int, int]:
        """The counts once so many messages have been counted; fails after 30 s."""
        wait_for(
            lambda: sum(self.counts(id)) >= messages, 30, lambda: f"{messages} counted: {self.counts(id)}"
        )
        return self.counts(id)


def wait_for(what: Callable[[], object], seconds: float, words: Callable[[], str]) -> None:
    """Until `what()`: a store that is filled by another thread is asked again and again."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"after {seconds} s still not {words()}"
        time.sleep(0.02)


@contextmanager
def running_line(database: Database, bus: Bus, drop_dir: Path) -> Iterator[Line]:
    """A line, ended at the end."""
    line = Line(database, PrefixedBus(bus, f"t{uuid.uuid4().hex[:10]}."), Clock(), drop_dir)
    line.open()
    try:
        yield line
    finally:
        line.close()


# -- sources of others ----------------------------------------------------------------------------------------


class HttpServer:
    """Somebody's HTTP service: `answer(path, query, headers)` → (status, headers, body). May be stopped and started."""

    def __init__(self, answer: Callable[[str, Mapping[str, str]], tuple[int, dict[str, str], bytes]]) -> None:
        self.port = free_ports(1)[0]
        self.asked: list[str] = []
        self._answer = answer
        self._server: http.server.ThreadingHTTPServer | None = None
        self._connections: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer._connections.append(self.connection)

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, headers, body = outer._answer(
                    self.path, {k.lower(): v for k, v in self.headers.items()}
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            for connection in self._connections:
                with contextlib.suppress(OSError):  # it is gone already
                    connection.shutdown(socket.SHUT_RDWR)
            self._connections.clear()


class Mosquitto:
    """A Mosquitto of one's own, with persistence. May be killed and started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        return shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

    def start(self) -> None:
        program = self.program()
        assert program
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o777)  # it gives up root
        conf = self.folder / "mosquitto.conf"
        conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {self.folder}/\nautosave_interval 1\nmax_queued_messages 0\n"
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(conf)], stdout=log, stderr=log)
        wait_for(self._answers, 20, lambda: (self.folder / "log").read_text())

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


def run_sql(dsn: str, *statements: str) -> None:
    """Statements of the source's own people, each committed."""
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()
