"""The exactly-once law: a run broken between any two steps of the flush ends as the run that was never broken.

Real PostgreSQL, the real Redis bus. One log is read twice: once in peace into one store, once with crashes into
another; then everything the two stores hold must be equal. Also: what the reconciler must find.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import redis

from data.audit import Audit
from data.database import Cursor, Database, StoreUnavailable
from data.flush import FlushStore
from data.new_bus import ahead, settle
from data.reconcile import Mismatch, Reconciler
from deploy.embedded import Embedded
from incidents.ingest import Flush
from incidents.ports import Bus, Outgoing, TopicPartition
from incidents.triage import triage
from streams import consumer as consumer_module
from streams import topics
from streams.bus import open_bus
from streams.consumer import Consumer
from streams.flush import STEPS, Work
from tests.small_city import LIMITS, PATTERN, ZONE, locate, units_of_work
from tests.streams.city_messages import a_day, reading

pytestmark = pytest.mark.timeout(120, func_only=True)

PARTITIONS: Final = 2
SEEDS: Final = (1, 2)
MESSAGES: Final = 220
NOW: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
"""The product's clock in these tests stands still, so that two runs can be compared to the last column."""


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Breaker:
    """Raises at a named point the n-th time it is passed, for each n in `when`."""

    point: str = ""
    when: frozenset[int] = frozenset()
    error: Callable[[], BaseException] = Crash
    passed: int = 0
    broken: int = 0

    def __call__(self, point: str) -> None:
        if point != self.point:
            return
        self.passed += 1
        if self.passed in self.when:
            self.broken += 1
            raise self.error()


class BreakingStore(FlushStore):
    """The real store, which may die before its transaction, in its middle, at its end, or once it is committed."""

    def __init__(self, database: Database, breaker: Breaker) -> None:
        super().__init__(database)
        self._breaker = breaker

    def flush(self, flush: Flush) -> None:
        self._breaker("before store")
        super().flush(flush)
        self._breaker("after store")

    def _store_readings(self, cursor: Cursor, flush: Flush, ledger: Sequence[int]) -> None:
        self._breaker("position moved")
        super()._store_readings(cursor, flush, ledger)
        self._breaker("readings copied")


@dataclass
class Ingest:
    """One ingest process of the tests: the real consumer with the real triage."""

    bus: Bus
    group: str
    database: Database
    total: int
    breaker: Breaker = field(default_factory=Breaker)
    topics: tuple[str, ...] = topics.INPUT_TOPICS
    crashes: int = 0
    last: Consumer | None = None

    def run_until_read(self) -> None:
        """Start again after every crash until every message of the log is counted and triaged."""
        while not self._life():
            self.crashes += 1

    def _life(self) -> bool:
        stop = threading.Event()
        units = units_of_work(self.database)

        def take_in() -> None:
            while True:
                self.breaker("before triage")
                with units() as uow:
                    taken = triage(uow, NOW, PATTERN, ZONE, limit=5)
                    self.breaker("triage not committed")
                self.breaker("after triage")
                if not taken:
                    return

        def after(work: Work) -> None:
            if work.flush.intake:
                take_in()
            self.breaker("before offsets")
            if self._read() >= self.total:
                take_in()
                stop.set()

        def idle() -> None:
            take_in()
            if self._read() >= self.total:
                stop.set()

        self.last = Consumer(
            bus=self.bus, group=self.group, topics=self.topics,
            store=BreakingStore(self.database, self.breaker), limits=LIMITS, locate=locate, clock=lambda: NOW,
            after=after, idle=idle, store_away=(StoreUnavailable,), batch=9,
        )  # fmt: skip
        try:
            self.last.run(stop)
        except Crash:
            return False
        return True

    def _read(self) -> int:
        return int(
            self.database.query("SELECT coalesce(sum(position - start), 0) FROM partition_positions")[0][0]
        )


@dataclass
class Log:
    """A bus that holds some messages."""

    bus: Bus
    sent: list[Outgoing]


@pytest.fixture
def bus(servers: Embedded) -> Iterator[Bus]:
    """The embedded bus, empty, with its topics."""
    redis.Redis.from_url(servers.bus_url).flushall()
    bus = open_bus(servers.bus_url, PARTITIONS)
    inspector = bus.inspector()
    inspector.ensure_topics(dict.fromkeys(topics.INPUT_TOPICS, PARTITIONS))
    inspector.close()
    yield bus


def publish(bus: Bus, messages: Sequence[Outgoing]) -> None:
    """Put messages on the bus."""
    producer = bus.producer()
    for n in range(0, len(messages), 50):
        producer.publish(messages[n : n + 50])
    producer.close()


def content(db: Database) -> dict[str, Any]:
    """Everything the flush and the triage have made, without the numbers that a sequence gives."""
    q = db.query
    found: dict[str, Any] = {
        "positions": q("SELECT topic, partition, start, position FROM partition_positions ORDER BY 1, 2"),
        "readings": q(
            "SELECT d.id, m.id, r.time, r.value, l.topic, l.partition, l.minute, l.feed FROM readings r"
            " JOIN devices d ON d.no = r.device_no JOIN metrics m ON m.no = r.metric_no"
            " JOIN ledger l ON l.id = r.ledger_id ORDER BY 1, 2, 3"
        ),
        "places": q("SELECT worker, time, lon, lat FROM positions ORDER BY 1, 2"),
        "workers": q("SELECT login, lon, lat, located_at FROM workers ORDER BY 1"),
        "ledger": q(
            "SELECT topic, partition, minute, feed, stored, rejected, duplicate, held, records_stored,"
            " records_rejected, records_duplicate, records_held, records_missing FROM ledger ORDER BY 1, 2, 3, 4"
        ),
        "reasons": q(
            "SELECT l.topic, l.partition, l.minute, l.feed, r.reason, r.n FROM ledger_reasons r"
            " JOIN ledger l ON l.id = r.ledger_id ORDER BY 1, 2, 3, 4, 5"
        ),
        "rule states": q("SELECT rule, version, device_no, since, raised, last_time, warning_id FROM rule_states"
                         " ORDER BY 1, 2, 3"),
        "warnings": q("SELECT id, value, level, class_code, time, created_at, cleared_at, area_path FROM warnings"
                      " ORDER BY 1"),
        "dead letters": q('SELECT topic, partition, "offset", feed, key, value, reason, field, found, rule'
                          " FROM dead_letters ORDER BY 1, 2, 3"),
        "held": q('SELECT topic, partition, "offset", feed, key, value FROM held ORDER BY 1, 2, 3'),
        "intake": q(
            "SELECT s.source, s.message_id, s.digest, s.kind, s.feed, s.time, s.channel, s.class_code, s.level,"
            " s.device, s.camera, s.title, s.text, s.lon, s.lat, s.cell, s.area_path, s.correlation_id,"
            " (SELECT min(t.source || t.message_id) FROM intake t WHERE t.incident_id = s.incident_id)"
            " FROM intake s ORDER BY 1, 2"
        ),
        "outbox": Counter(
            str({k: v for k, v in payload.items() if k not in ("key", "number")}) + topic
            for topic, payload in q("SELECT topic, payload FROM outbox")
        ),
    }  # fmt: skip
    found["incidents"] = sorted(
        (
            first, *columns,
            tuple(q("SELECT seq, at, action, from_stage, to_stage, actor_name, channel, reason, detail::text, cause_id"
                    " FROM timeline WHERE incident_id = %s ORDER BY seq", (number,))),
        )
        for number, first, *columns in q(
            "SELECT i.id, (SELECT min(source || message_id) FROM intake WHERE incident_id = i.id), class_code, title,"
            " text, stage, level, area_path, version, merge_key, sources, last_action, correlation_id FROM incidents i"
        )
    )  # fmt: skip
    return found


# -- the law -------------------------------------------------------------------------------------------------

POINTS: Final = (
    "decode_step", "validate_step", "detect_step", "before store", "position moved", "readings copied",
    "after store", "before triage", "triage not committed", "after triage", "before offsets",
)  # fmt: skip


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def break_steps(monkeypatch: pytest.MonkeyPatch, breaker: Breaker) -> None:
    """The pure steps, each followed by a place where the process may die."""

    def breaking(step: Any) -> Any:
        def run(work: Work, records: Any) -> None:
            step(work, records)
            breaker(step.__name__)

        return run

    monkeypatch.setattr(consumer_module, "STEPS", tuple(breaking(step) for step in STEPS))


def test_a_run_broken_anywhere_ends_as_the_run_in_peace(
    seed: int, bus: Bus, fresh_database: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime.now(UTC) - timedelta(seconds=20 * MESSAGES)
    sent = a_day(seed, start, MESSAGES)
    publish(bus, sent)
    peaceful = fresh_database()
    Ingest(bus, "peace", peaceful, len(sent)).run_until_read()
    expected = content(peaceful)
    check_the_day_was_worth_it(expected, len(sent))
    dice = random.Random(seed)
    for point in POINTS:
        breaker = Breaker(point, frozenset(dice.sample(range(1, 12), 3)))
        database = fresh_database()
        with monkeypatch.context() as patched:
            break_steps(patched, breaker)
            ingest = Ingest(bus, f"broken {point}", database, len(sent), breaker)
            ingest.run_until_read()
        assert ingest.crashes == breaker.broken == 3, point
        found = content(database)
        for part, rows in expected.items():
            assert found[part] == rows, f"seed {seed}, crash at {point!r}: {part} differ"


def check_the_day_was_worth_it(found: dict[str, Any], sent: int) -> None:
    """Every kind of outcome occurred, and the books balance."""
    stored, rejected, duplicate, held = (sum(row[n] for row in found["ledger"]) for n in range(4, 8))
    assert stored + rejected + duplicate + held == sent
    assert min(stored, rejected, duplicate, held) > 0
    reasons = {row[4] for row in found["reasons"]}
    assert {"conflict", "malformed", "in_future", "unknown_metric"} <= reasons, reasons
    assert len(found["warnings"]) >= 5 and any(row[6] for row in found["warnings"]), "raised and cleared"
    assert any(row[9] > 1 for row in found["incidents"]), "something joined an open incident"
    assert len(found["dead letters"]) == rejected and len(found["held"]) == held


@pytest.mark.parametrize("point", ["before store", "readings copied", "after store"])
def test_the_store_goes_away_and_nothing_is_lost_or_doubled(
    point: str, bus: Bus, fresh_database: Callable[..., Database]
) -> None:
    """The link breaks before the transaction, in it, or during COMMIT (done, but nobody told us)."""
    sent = a_day(3, datetime.now(UTC) - timedelta(hours=1), 120)
    publish(bus, sent)
    peaceful, troubled = fresh_database(), fresh_database()
    Ingest(bus, "peace", peaceful, len(sent)).run_until_read()
    breaker = Breaker(point, frozenset({1, 4, 5}), error=lambda: StoreUnavailable("the server is away"))
    ingest = Ingest(bus, "troubled", troubled, len(sent), breaker)
    ingest.run_until_read()
    assert ingest.crashes == 0 and breaker.broken == 3, "the consumer itself gets over it"
    assert ingest.last is not None and ingest.last.counters.retries == 3
    assert ingest.last.counters.fenced == (3 if point == "after store" else 0)
    expected, found = content(peaceful), content(troubled)
    for part, rows in expected.items():
        assert found[part] == rows, part


def test_two_consumers_share_the_work_and_count_everything_once(
    bus: Bus, fresh_database: Callable[..., Database]
) -> None:
    """A second member joins in the middle: partitions move, rule states are loaded from the store."""
    sent = a_day(4, datetime.now(UTC) - timedelta(hours=1), 200)
    publish(bus, sent)
    peaceful, shared = fresh_database(), fresh_database()
    Ingest(bus, "peace", peaceful, len(sent)).run_until_read()
    members = [Ingest(bus, "shared", shared, len(sent)) for _ in range(2)]
    threads = [threading.Thread(target=member.run_until_read) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    expected, found = content(peaceful), content(shared)
    for part, rows in expected.items():
        if part not in ("incidents", "intake", "outbox"):  # two members: the order of triage is not one
            assert found[part] == rows, part
    assert sum(row[9] for row in found["incidents"]) == len(found["intake"])


def test_a_late_reading_of_another_metric_raises_nothing_after_a_restart(bus: Bus, city: Database) -> None:
    """What the store knows of a metric is loaded when that metric is first met, not only with its device."""
    now = datetime.now(UTC) - timedelta(minutes=30)
    first = [reading("WL-1", {"level": 1.0, "flow": 1.0}, now, "a")]
    late = [reading("WL-1", {"flow": 1.0}, now + timedelta(minutes=1), "b"),
            reading("WL-1", {"level": 9.0}, now - timedelta(minutes=5), "c")]  # fmt: skip
    publish(bus, first)
    Ingest(bus, "g", city, 1).run_until_read()
    publish(bus, late[:1])

    class OneByOne(Ingest):
        """Publishes the late reading once the device is known again by its other metric."""

        def _read(self) -> int:
            read = super()._read()
            if read == 2 and late:
                late.clear()
                publish(self.bus, [reading("WL-1", {"level": 9.0}, now - timedelta(minutes=5), "c")])
            return read

    OneByOne(bus, "g", city, 3).run_until_read()
    assert city.query("SELECT id FROM warnings") == []
    assert city.query("SELECT count(*) FROM readings")[0][0] == 4


# -- what must be found --------------------------------------------------------------------------------------


@pytest.fixture
def reconciled(bus: Bus, city: Database) -> tuple[Database, Reconciler, datetime, int]:
    """A store that has read a day of messages and agrees with the bus."""
    sent = a_day(5, datetime.now(UTC) - timedelta(hours=1), 200)
    publish(bus, sent)
    Ingest(bus, "g", city, len(sent)).run_until_read()
    later = datetime.now(UTC) + timedelta(minutes=3)
    reconciler = Reconciler(city, bus.inspector)
    assert reconciler.run(later) == []
    assert reconciler.run(later, whole=True) == []
    return city, reconciler, later, len(sent)


def open_mismatches(db: Database) -> list[tuple[Any, ...]]:
    return db.query(
        "SELECT kind, topic, partition, expected - found FROM ledger_mismatches WHERE resolved_at IS NULL ORDER BY 1, 2"
    )


def test_ten_deleted_readings_are_found(reconciled: tuple[Database, Reconciler, datetime, int]) -> None:
    """Must show 3."""
    db, reconciler, later, _ = reconciled
    gone = db.query(
        # a hypertable: one ctid is a row in every chunk
        "DELETE FROM readings WHERE (tableoid, ctid) IN"
        " (SELECT tableoid, ctid FROM readings ORDER BY time DESC LIMIT 10)"
        " RETURNING device_no, metric_no, time, value, ledger_id"
    )
    assert len(gone) == 10
    found = reconciler.run(later)
    assert {m.kind for m in found} == {"ledger_vs_store"} and {m.topic for m in found} == {topics.READING}
    assert sum(m.expected - m.found for m in found) == 10
    assert sum(row[3] for row in open_mismatches(db)) == 10, "kept, to be shown"
    with db.transaction() as cursor:
        cursor.executemany("INSERT INTO readings VALUES (%s, %s, %s, %s, %s)", gone)
    assert reconciler.run(later) == [] and open_mismatches(db) == [], "resolved when the numbers agree again"


@pytest.mark.parametrize("table", ["dead_letters", "held", "intake", "positions"])
def test_a_row_that_vanished_is_found(
    table: str, reconciled: tuple[Database, Reconciler, datetime, int]
) -> None:
    db, reconciler, later, _ = reconciled
    db.query(
        f"DELETE FROM {table} WHERE (tableoid, ctid) ="
        f" (SELECT tableoid, ctid FROM {table} WHERE ledger_id IS NOT NULL LIMIT 1)"
    )
    (found,) = reconciler.run(later)
    assert (found.kind, found.expected - found.found) == ("ledger_vs_store", 1)


def test_ten_skipped_offsets_are_found(
    reconciled: tuple[Database, Reconciler, datetime, int], bus: Bus
) -> None:
    """Must show 3: the position is moved by 10 behind the product's back; then it reads on."""
    db, reconciler, later, read = reconciled
    more = [reading("WL-1", {"level": 1.0 + n / 100}, datetime.now(UTC), f"more-{n}") for n in range(30)]
    publish(bus, more)
    partition = next(
        p for p, (_, end) in bus.inspector().ranges(topics.READING).items()
        if end - db.query("SELECT position FROM partition_positions WHERE topic = %s AND partition = %s",
                          (p.topic, p.partition))[0][0] == 30
    )  # fmt: skip
    db.query(
        "UPDATE partition_positions SET position = position + 10 WHERE topic = %s AND partition = %s",
        (partition.topic, partition.partition),
    )
    at_once = Mismatch("broker_vs_ledger", topics.READING, partition.partition, "", None, 10, 0)
    (found,) = reconciler.run(later)
    assert (found.kind, found.partition, found.minute) == (at_once.kind, at_once.partition, None)
    assert found.expected - found.found == 10
    Ingest(bus, "g", db, read + 30).run_until_read()
    assert db.query("SELECT count(*) FROM ledger_mismatches")[0][0] == 1
    found_later = reconciler.run(later, whole=True)
    assert sum(m.expected - m.found for m in found_later if m.minute is None) == 10
    assert sum(m.expected - m.found for m in found_later if m.minute is not None) == 10, "and in which minute"


def test_a_bus_that_lost_messages_is_found(
    reconciled: tuple[Database, Reconciler, datetime, int], servers: Embedded, bus: Bus
) -> None:
    db, reconciler, later, read = reconciled
    redis.Redis.from_url(servers.bus_url).flushall()
    found = {m.kind for m in reconciler.run(later)}
    assert "position_ahead" in found
    # The way on: the partitions of the lost log are read from their first message, and the books balance again.
    publish(
        bus, [reading("WL-1", {"level": 2.0 + n / 100}, datetime.now(UTC), f"new-{n}") for n in range(30)]
    )
    ranges = {p: r for topic in topics.INPUT_TOPICS for p, r in bus.inspector().ranges(topic).items()}
    short = ahead(db, ranges)
    assert short and all(one.position > one.end for one in short)
    settle(db, Audit(db), short, "command line", "总线磁盘损坏", datetime.now(UTC))
    assert ahead(db, ranges) == []
    Ingest(bus, "anew", db, read + 30).run_until_read()
    assert {m.kind for m in reconciler.run(later, whole=True)} == set()
    ((reason, gone),) = db.query("SELECT detail->>'reason', detail->'position_first_end' FROM audit")
    assert reason == "总线磁盘损坏" and len(gone) == len(short)


def test_what_a_partition_is_called() -> None:
    """The reconciler names topics by text; they are those of streams/topics.py."""
    from data import reconcile

    named = {
        *reconcile.INTAKE_TOPICS,
        *reconcile.READING_TOPICS,
        reconcile.POSITION_TOPIC,
        reconcile.CASE_TOPIC,
    }
    assert named == set(topics.INPUT_TOPICS)
    assert TopicPartition("a", 1) == TopicPartition("a", 1)
