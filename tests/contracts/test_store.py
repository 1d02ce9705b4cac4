"""What every store must do: embedded PostgreSQL, TimescaleDB (Apache edition), TimescaleDB (community), one suite.

The embedded one is always there. TEST_TIMESCALE_DSN names the Apache edition (`python -m deploy.bare env`),
COMMUNITY_DSN the other. Each test has a fresh database, copied from a template that holds the small city.
"""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data import migrate as migrations
from data.audit import Audit
from data.database import Database, LockTimeout, StoreUnavailable, many
from data.flush import FlushStore
from data.health import keep_skews
from data.incident_rows import COLUMNS, live_item, ms, to_incident, to_row
from data.indicators import completeness_values, device_values, incident_values, keep, told_areas
from data.locks import Lock
from data.map_layers import roads_of
from data.outbox import Outbox
from data.questions.answers import StoreQuestions
from data.questions.incidents import INDICATOR_RECORDS
from data.reconcile import Reconciler, recount
from data.registry import load_registry
from data.scope import area_scope, incident_scope
from data.storage import broker_usage, bus_usage, files_usage, measure, storage, store_usage
from data.timeseries import TABLES, edition, enable
from gis.crs import wgs84_to_gcj02
from incidents.access import ROLES, Thing, covers, may
from incidents.appeals import AGAINST, Appeal
from incidents.clocks import Clock
from incidents.commands import (
    AcceptIncident,
    AcknowledgeIncident,
    Devices,
    IncidentList,
    LeaderBoard,
    Ledger,
    NoteIncident,
    ReplayDeadLetter,
    ReportIncident,
)
from incidents.concessions import KINDS, Request
from incidents.escalation import waits_for_leader
from incidents.indicators import count, share
from incidents.ingest import Fenced, Flush
from incidents.lifecycle import Step, escalation_due, file_report
from incidents.model import Actor, ClockKind, Incident, Place, Policy, Rejected, Stage
from incidents.outages import file_outages
from incidents.ports import BusUnavailable, Outgoing, Record, TopicPartition, Usage
from incidents.selfcheck import LEDGER_CLASS, file_mismatches
from incidents.service import City, CityService
from incidents.shifted_sources import SHIFT_CLASS, file_shifted
from incidents.supervision import Supervision
from incidents.triage import SYSTEM, escalate_due, triage
from streams import topics
from streams.flush import STEPS, Memory, Work, next_positions
from tests.conftest import STORES
from tests.small_city import (
    AREAS,
    CELL,
    CITY,
    DISTRICT,
    EAST,
    GRID,
    LIMITS,
    NEXT_CELL,
    NEXT_VILLAGE,
    OTHER_DISTRICT,
    PATTERN,
    TOWN,
    VILLAGE,
    WEST,
    ZONE,
    actor,
    locate,
    place_of,
    units_of_work,
)
from tests.streams.city_messages import alarm, position, reading, report
from tests.working import advance

pytestmark = pytest.mark.timeout(120, func_only=True)
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PATHS = [path for _, path in AREAS]


@pytest.fixture(params=STORES)
def store_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def db(store_name: str, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city."""
    return fresh_database(store_name)


@pytest.fixture
def empty(store_name: str, fresh_database: Callable[..., Database]) -> Database:
    """A fresh database that holds nothing."""
    return fresh_database(store_name, filled=False)


def at_once(number: int, work: Callable[[int], Any]) -> list[Any]:
    """The results (or exceptions) of `work(0..number-1)`, all begun at the same moment."""
    gate = threading.Barrier(number)

    def run(n: int) -> Any:
        gate.wait(10)
        try:
            return work(n)
        except (StoreUnavailable, Fenced, Rejected, psycopg2.Error) as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


# -- migrations and time tables ------------------------------------------------------------------------------


def copied(tmp_path: Path) -> Path:
    """The migrations, where a test may change them."""
    return Path(shutil.copytree(migrations.FOLDER, tmp_path / "migrations"))


def test_migrations_run_once(empty: Database) -> None:
    numbers = [number for number, _ in migrations.files()]
    assert migrations.pending(empty) == numbers
    assert migrations.migrate(empty) == numbers
    assert migrations.migrate(empty) == [] and migrations.pending(empty) == []
    assert empty.query("SELECT number FROM schema_migrations ORDER BY 1") == [(n,) for n in numbers]


def test_migrations_run_once_from_several_processes(empty: Database) -> None:
    found = at_once(4, lambda _: migrations.migrate(empty))
    assert sorted(len(numbers) for numbers in found) == [0, 0, 0, len(migrations.files())]
    editions = at_once(4, lambda _: enable(empty))
    assert len(set(editions)) == 1 and isinstance(editions[0], str), editions


def test_a_changed_migration_is_refused(empty: Database, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    migrations.migrate(empty, folder)
    first = next(iter(sorted(folder.iterdir())))
    first.write_text(first.read_text() + "\n-- a word more\n")
    for run in (migrations.migrate, migrations.pending):
        with pytest.raises(migrations.BadMigration, match=first.name):
            run(empty, folder)


def test_a_broken_migration_leaves_nothing(empty: Database, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    number = len(list(folder.iterdir())) + 1
    (folder / f"{number:04d}_half.sql").write_text("CREATE TABLE half (n int); SELECT nonsense;")
    with pytest.raises(psycopg2.Error):
        migrations.migrate(empty, folder)
    assert empty.query("SELECT to_regclass('half'), to_regclass('incidents')") == [(None, None)]


@pytest.mark.parametrize("name", ["0009_gap.sql", "add_table.sql", "0001_again.sql"])
def test_migrations_are_numbered_without_gaps(name: str, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / name).write_text("SELECT 1")
    with pytest.raises(migrations.BadMigration):
        migrations.files(folder)


def test_time_tables_are_what_the_server_offers(db: Database, store_name: str) -> None:
    kinds = dict(db.query("SELECT relname, relkind FROM pg_class WHERE relname = ANY(%s)", (list(TABLES),)))
    expected = {"embedded": "postgresql", "timescale-apache": "timescaledb-apache",
                "timescale-community": "timescaledb-community"}[store_name]  # fmt: skip
    assert edition(db) == enable(db) == expected
    assert kinds == dict.fromkeys(TABLES, "p" if store_name == "embedded" else "r")
    if store_name != "embedded":
        found = db.query("SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1")
        assert [name for (name,) in found] == sorted(TABLES)
    keys = db.query("SELECT indexdef FROM pg_indexes WHERE tablename = 'readings' ORDER BY 1")
    assert any("UNIQUE" in k and '(device_no, metric_no, "time")' in k for (k,) in keys)
    assert any("brin (ledger_id)" in k for (k,) in keys)


# -- the flush -----------------------------------------------------------------------------------------------


class Intaker:
    """Steps 1–5 of the flush over messages, as the consumer does them; offsets go on from where they are."""

    def __init__(self, db: Database) -> None:
        self.store = FlushStore(db)
        self.memory = Memory()
        self.registry = load_registry(db)
        self.ends: dict[TopicPartition, int] = {}

    def records(self, messages: Sequence[Outgoing], at: datetime, partition: int = 0) -> list[Record]:
        found = []
        for m in messages:
            where = TopicPartition(m.topic, partition)
            if where not in self.ends:
                self.ends[where] = self.store.begin(where, 0)
            offset = self.ends[where]
            self.ends[where] += 1
            found.append(
                Record(m.topic, partition, offset, m.key, m.value, m.headers, int(at.timestamp() * 1000))
            )
        return found

    def work(self, records: Sequence[Record]) -> Work:
        partitions = sorted({TopicPartition(r.topic, r.partition) for r in records}, key=str)
        fresh, moves = next_positions(records, self.store.positions(partitions))
        work = Work(Flush(NOW, moves), self.registry, LIMITS, locate, self.memory)
        for step in STEPS:
            step(work, fresh)
        return work

    def take(self, messages: Sequence[Outgoing], at: datetime = NOW, partition: int = 0) -> list[str]:
        """Flush; the outcome of each message (a rejected one's reason)."""
        work = self.work(self.records(messages, at, partition))
        self.store.flush(work.flush)
        return [m.reason or m.outcome for m in work.flush.messages]


def test_duplicates_and_conflicts_are_told_apart(db: Database) -> None:
    intaker = Intaker(db)
    first = reading("WL-1", {"level": 1.0, "flow": 2.0}, NOW, "a")
    other = reading("WL-1", {"level": 1.5, "flow": 2.0}, NOW, "b")
    half = reading("WL-1", {"level": 1.0}, NOW, "c")
    assert intaker.take([first, first, other, half]) == ["stored", "duplicate", "conflict", "duplicate"]
    assert intaker.take([first, other]) == ["duplicate", "conflict"], "in a later flush too"
    assert db.query("SELECT metric_no, value FROM readings ORDER BY 1") == [(1, 1.0), (2, 2.0)], (
        "the first one stays"
    )
    ledger = db.query("SELECT stored, rejected, duplicate, held, records_stored, records_rejected, records_duplicate"
                      " FROM ledger")  # fmt: skip
    assert ledger == [(1, 2, 3, 0, 2, 2, 7)]
    found = db.query('SELECT field, found, rule FROM dead_letters ORDER BY "offset"')
    assert found[0] == ("data.readings.value", "1.5", "2026-11-21T08:00:00+00:00 is stored with 1")


def test_late_readings_are_stored_and_counted(db: Database) -> None:
    """Late: after a newer one of its device and metric. A repeated one is a duplicate and not late as well."""
    intaker = Intaker(db)
    times = [NOW - timedelta(seconds=s) for s in (40, 10, 30, 20, 5)]
    sent = [reading("WL-1", {"level": 1.0}, at, f"m{n}") for n, at in enumerate(times)]
    late = reading("WL-1", {"level": 1.0, "flow": 1.0}, NOW - timedelta(seconds=35), "z")
    assert intaker.take([*sent, late, sent[2], late]) == ["stored"] * 6 + ["duplicate"] * 2
    # The flow was the first of its kind, and so not late.
    assert db.query("SELECT records_stored, records_late, records_duplicate FROM ledger") == [(7, 3, 3)]


def test_a_source_gone_wild_is_counted_and_does_not_fill_the_disk(db: Database) -> None:
    """The limit holds for the minute, whatever process stores it; the next minute begins anew."""
    wild = [Outgoing(topics.READING, "k", b"{") for _ in range(5)]
    intaker = Intaker(db)
    for _ in range(2):
        intaker.store = FlushStore(db, dead_letters_kept=3)
        assert intaker.take(wild) == ["malformed"] * 5
    intaker.take(wild, NOW + timedelta(minutes=1))
    assert db.query("SELECT rejected, rejected_unkept FROM ledger ORDER BY minute") == [(10, 7), (5, 2)]
    assert db.query("SELECT count(*) FROM dead_letters") == [(6,)]
    assert db.query("SELECT count(*) FROM outbox WHERE topic LIKE '%%.dead'") == [(6,)]
    with db.transaction() as cursor:
        assert recount(cursor, 0, 10**6) == [], "what is only counted is not missed"


def test_how_far_clocks_are_off_is_kept_beside_the_health(db: Database) -> None:
    first, second = (row[0] for row in db.query("SELECT no FROM devices ORDER BY no LIMIT 2"))
    keep_skews(db, lambda: NOW, {first: 2.5, second: -40.0, 999_999: 1.0})
    keep_skews(db, lambda: NOW + timedelta(minutes=1), {second: -39.0})
    assert db.query("SELECT device_no, state, clock_skew_s, clock_skew_at FROM device_health ORDER BY 1") == [
        (first, "unknown", 2.5, NOW),
        (second, "unknown", -39.0, NOW + timedelta(minutes=1)),
    ]


def test_a_conflict_keeps_the_other_readings_of_its_message(db: Database) -> None:
    intaker = Intaker(db)
    intaker.take([reading("WL-1", {"level": 1.0}, NOW, "a")])
    assert intaker.take([reading("WL-1", {"level": 1.5, "flow": 3.0}, NOW, "b")]) == ["conflict"]
    assert db.query("SELECT records_stored, records_rejected FROM ledger") == [(2, 1)]
    assert Reconciler(db, lambda: NoBus()).run(NOW, whole=True) == []


def test_reports_alarms_and_positions_are_taken_once(db: Database) -> None:
    intaker = Intaker(db)
    messages = [
        report(NOW, "r"),
        alarm("99010100001320000001", "flood", NOW, "v"),
        position("grid-worker", NOW, "p", *WEST),
    ]
    other = [report(NOW, "r", text="别的事"), alarm("99010100001320000001", "cover", NOW, "v"),
             position("grid-worker", NOW, "p2", *EAST)]  # fmt: skip
    assert intaker.take(messages) == ["stored"] * 3
    assert intaker.take(messages) == ["duplicate"] * 3
    assert intaker.take(other) == ["conflict", "conflict", "duplicate"]
    assert db.query("SELECT count(*) FROM intake") == [(2,)]
    assert db.query("SELECT lon FROM workers WHERE login = 'grid-worker'") == [(WEST[0],)]


def test_a_workers_place_never_goes_back(db: Database) -> None:
    intaker = Intaker(db)
    intaker.take([position("grid-worker", NOW, "p2", *EAST)])
    intaker.take([position("grid-worker", NOW - timedelta(minutes=5), "p1", *WEST)])
    assert db.query("SELECT lon, located_at FROM workers WHERE login = 'grid-worker'") == [(EAST[0], NOW)]
    assert db.query("SELECT count(*) FROM positions") == [(2,)]


def test_data_years_old_find_their_place(db: Database, store_name: str) -> None:
    years = [datetime(year, 6, 1, tzinfo=UTC) for year in range(2001, 2027)]
    intaker = Intaker(db)
    outcomes = intaker.take(
        [reading("WL-1", {"level": 1.0}, at, f"h{n}", history=True) for n, at in enumerate(years)]
    )
    assert outcomes == ["stored"] * len(years)
    assert db.query("SELECT count(*), min(time), max(time) FROM readings") == [(26, years[0], years[-1])]
    assert intaker.store.latest([(1, 1), (2, 1)]) == {(1, 1): (years[-1], 1.0)}
    if store_name == "embedded":
        parts = db.query("SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass")
        assert parts == [(26,)]


def test_partitions_are_made_by_two_at_the_same_time(db: Database) -> None:
    """Two members of a group meet the same new weeks at the same moment."""
    weeks = [NOW - timedelta(weeks=n) for n in range(12)]
    members = [Intaker(db) for _ in range(2)]

    def work(n: int) -> list[str]:
        device = ("WL-1", "WL-2")[n]
        messages = [
            reading(device, {"level": 1.0}, at, f"{n}-{k}", history=True) for k, at in enumerate(weeks)
        ]
        return [members[n].take([m], partition=n)[0] for m in (messages if n else messages[::-1])]

    assert at_once(2, work) == [["stored"] * 12] * 2
    assert db.query("SELECT count(*) FROM readings") == [(24,)]


def test_a_second_owner_is_fenced(db: Database) -> None:
    ours, theirs = Intaker(db), Intaker(db)
    first = ours.records([reading("WL-1", {"level": 1.0}, NOW, "a")], NOW)
    theirs.ends = dict(ours.ends)
    work_of_both = [ours.work(first), theirs.work(first)]
    ours.store.flush(work_of_both[0].flush)
    before = db.query("SELECT * FROM ledger"), db.query("SELECT * FROM readings")
    with pytest.raises(Fenced, match=topics.READING):
        theirs.store.flush(work_of_both[1].flush)
    assert (db.query("SELECT * FROM ledger"), db.query("SELECT * FROM readings")) == before
    assert theirs.take([reading("WL-1", {"level": 2.0}, NOW + timedelta(seconds=1), "b")]) == ["stored"]


def test_of_two_at_the_same_moment_one_is_fenced(db: Database) -> None:
    members = [Intaker(db) for _ in range(4)]
    records = members[0].records([reading("WL-1", {"level": float(n)}, NOW, f"m{n}") for n in range(3)], NOW)
    works = [member.work(records) for member in members]
    found = at_once(4, lambda n: members[n].store.flush(works[n].flush))
    assert sorted(type(f).__name__ for f in found) == ["Fenced", "Fenced", "Fenced", "NoneType"]
    assert db.query("SELECT stored + rejected + duplicate, stored, rejected FROM ledger") == [(3, 1, 2)]


def test_a_partition_begins_once(db: Database) -> None:
    store, partition = FlushStore(db), TopicPartition(topics.READING, 3)
    assert store.positions([partition]) == {}
    assert store.begin(partition, 40) == 40
    assert store.begin(partition, 99) == 40, "an earlier begin wins"
    assert store.positions([partition, TopicPartition(topics.READING, 4)]) == {partition: 40}


def test_rule_states_survive_a_restart(db: Database) -> None:
    intaker = Intaker(db)
    intaker.take([reading("WL-1", {"level": 3.5, "flow": 0.0}, NOW, "a")])
    later = Intaker(db)
    states = later.store.rule_states([1, 2])
    assert {key[0]: (s.since, s.raised) for key, s in states.items()} == {
        "high-water": (NOW, True), "no-flow": (NOW, False),
    }  # fmt: skip
    later.memory.states.update(states)
    later.memory.newest.update(later.store.latest([(1, 1), (1, 2)]))
    later.take([reading("WL-1", {"level": 2.0, "flow": 0.0}, NOW + timedelta(seconds=120), "b")])
    raised = db.query("SELECT rule, time, cleared_at FROM warnings ORDER BY 1")
    at = NOW + timedelta(seconds=120)
    assert raised == [("high-water", NOW, at), ("no-flow", at, None)]
    assert {key[0] for key in later.store.rule_states([1])} == {"no-flow"}, "what is neutral is forgotten"


@pytest.mark.parametrize(
    "message",
    [
        Outgoing(topics.READING, "k" * 20_000, reading("XX-9", {"level": 1.0}, NOW, "a").value),
        Outgoing(topics.READING, "\x00", b"\x00"),
        Outgoing(topics.READING, "k\x00" * 3000, reading("XX-9", {"level": 1.0}, NOW, "a").value),
        report(NOW, "i" * 200, text="积水" * 5000, title="题" * 5000, address="址" * 5000),
        report(NOW, "a", text="'; DROP TABLE intake; --\\", address="\\N\t\n"),
        report(NOW, "a", reporter={"name": "李\t'\"\\", "phone": "1" * 3000}),
        report(NOW, "a", photos=["x" * 20_000]),
        reading("WL-1", {"level": 1e308}, NOW, "a", missing=10**30),
        reading("WL-1", {"level": -5e-324}, NOW, "a"),
        reading("XX" * 100, {"level": 1.0}, NOW, "a"),
        position("grid-worker", NOW, "a", *WEST),
    ],
    ids=lambda m: f"{m.topic}:{len(m.value)}",
)
def test_no_message_stops_the_flush(db: Database, message: Outgoing) -> None:
    """Whatever a sender can write, the message becomes something and the next one is taken."""
    intaker = Intaker(db)
    (outcome,) = intaker.take([message])
    assert outcome in ("stored", "held", "malformed", "invalid")
    assert intaker.take([reading("WL-2", {"level": 1.0}, NOW, "next")]) == ["stored"]
    with units_of_work(db)() as uow:
        triage(uow, NOW, PATTERN, ZONE)
    assert db.query("SELECT count(*) FROM intake WHERE incident_id IS NULL") == [(0,)]


def test_registries_are_loaded_again_when_they_change(db: Database) -> None:
    store = FlushStore(db)
    registry = store.registry(-1)
    assert registry is not None and store.registry(registry.version) is None
    assert set(registry.devices) == {"WL-1", "WL-2", "AQ-1", "AQ-2"}
    db.query("UPDATE devices SET disabled = true WHERE id = 'AQ-2'")
    db.query("UPDATE registry_version SET n = n + 1")
    again = store.registry(registry.version)
    assert again is not None and set(again.devices) == {"WL-1", "WL-2", "AQ-1"}


# -- the ledger ----------------------------------------------------------------------------------------------


class NoBus:
    """A bus whose positions are just what the store has read: only the store is looked at."""

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        return {TopicPartition(topic, n): (0, 1 << 40) for n in range(4)}

    def offsets_at(self, partition: TopicPartition, times_ms: list[int]) -> list[int]:
        return [1 << 40 for _ in times_ms]


def test_rows_that_vanish_are_found_and_resolved(db: Database) -> None:
    intaker, reconciler = Intaker(db), Reconciler(db, NoBus)
    for n in range(40):
        intaker.take([reading("WL-1", {"level": 1.0}, NOW + timedelta(seconds=n), f"m{n}")])
    assert reconciler.run(NOW, whole=True) == []
    gone = db.query("DELETE FROM readings WHERE time < %s RETURNING *", (NOW + timedelta(seconds=10),))
    (found,) = reconciler.run(NOW)
    assert (found.kind, found.expected, found.found) == ("ledger_vs_store", 40, 30)
    with db.transaction() as cursor:
        cursor.executemany("INSERT INTO readings VALUES (%s, %s, %s, %s, %s)", gone)
    assert reconciler.run(NOW) == []
    assert db.query("SELECT count(*) FROM ledger_mismatches WHERE resolved_at IS NULL") == [(0,)]


def test_a_flood_is_recounted_piece_by_piece(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many readings a run: what is missing from any minute is found in turn, and nothing is resolved unseen."""
    monkeypatch.setattr("data.reconcile.RECOUNTED", 3)
    monkeypatch.setattr("data.reconcile.LOOKED_AT_AGAIN", 1)
    counted: list[tuple[int, int]] = []
    monkeypatch.setattr("data.reconcile.recount", lambda cursor, begin, end: (
        counted.append((begin, end)), recount(cursor, begin, end))[1])  # fmt: skip
    intaker, reconciler = Intaker(db), Reconciler(db, NoBus)
    for minute in range(6):
        for n in range(4):
            at = NOW + timedelta(minutes=minute, seconds=n)
            intaker.take([reading("WL-1", {"level": 1.0}, at, f"m{minute}-{n}")], at=at)
    rows = [number for (number,) in db.query("SELECT id FROM ledger ORDER BY id")]
    later = NOW + timedelta(minutes=6)
    assert len(rows) == 6 and reconciler.run(later) == []
    assert counted == [(rows[5], rows[5]), (rows[0], rows[0])], "the newest, and the first of the others"
    db.query("DELETE FROM readings WHERE time < %s", (NOW + timedelta(minutes=2),))
    standing = "SELECT count(*) FROM ledger_mismatches WHERE resolved_at IS NULL"
    found = []
    for _ in range(6):
        reconciler.run(later)
        found.append(db.query(standing)[0][0])
    assert found == [1, 1, 1, 1, 1, 2], "row 2 at once, row 1 when it is its turn again"
    for _ in range(3):
        reconciler.run(later + timedelta(days=1))
        assert db.query(standing) == [(2,)], "one of them is not looked at: it stays"


def test_what_the_ledger_page_shows_adds_up(db: Database) -> None:
    """Received = stored + rejected + duplicate + held + in flight, whatever waits on the bus; else the bus is silent."""
    intaker = Intaker(db)
    for n in (0, 1, 1, 2):
        intaker.take([reading("WL-1", {"level": 1.0}, NOW + timedelta(seconds=n), f"m{n}")])
    for end, received, in_flight in ((None, 4, None), (4, 4, 0), (9, 9, 5), (2, 4, 0)):
        facts = {} if end is None else {"bus_ends": {f"{topics.READING}/{n}": end for n in range(4)}}
        questions = StoreQuestions(db, place_of, lambda facts=facts: facts, lambda: CITY)
        shown = questions.answer(Ledger(60), actor("administrator", CITY), NOW)["partitions"]
        (part,) = (row for row in shown if row["topic"] == topics.READING and row["stored"])
        counted = part["stored"] + part["rejected"] + part["duplicate"] + part["held"]
        assert (part["received"], part["in_flight"]) == (received, in_flight)
        assert part["received"] - counted - (part["in_flight"] or 0) == part["difference"] == 0


def test_an_old_mismatch_stays_until_it_agrees_again(db: Database) -> None:
    intaker, reconciler = Intaker(db), Reconciler(db, NoBus)
    for n in range(4):
        intaker.take([reading("WL-1", {"level": 1.0}, NOW + timedelta(seconds=n), f"m{n}")])
    gone = db.query("DELETE FROM readings WHERE time = %s RETURNING *", (NOW,))
    assert len(reconciler.run(NOW)) == 1
    days_later = NOW + timedelta(days=3)
    still_open = "SELECT count(*) FROM ledger_mismatches WHERE resolved_at IS NULL"
    for _ in range(3):
        reconciler.run(days_later)
        assert db.query(still_open) == [(1,)]
    with db.transaction() as cursor:
        cursor.executemany("INSERT INTO readings VALUES (%s, %s, %s, %s, %s)", gone)
    reconciler.run(days_later)
    assert db.query(still_open) == [(0,)]


def test_a_mismatch_that_stands_becomes_one_incident_of_the_platform(db: Database) -> None:
    """Filed at the second look, once; further ones join it while it is open; what comes back is filed anew."""
    intaker, reconciler, units = Intaker(db), Reconciler(db, NoBus), units_of_work(db)

    def look(at: datetime) -> int:
        """What the relay's timers and the ingest's triage do at that moment; sources filed."""
        reconciler.run(at)
        with units() as uow:
            filed = file_mismatches(uow, CITY, at)
            triage(uow, at, PATTERN, ZONE)
        return filed

    later = [NOW + timedelta(seconds=30 * n) for n in range(8)]
    intaker.take([reading("WL-1", {"level": 1.0}, NOW + timedelta(seconds=n), f"m{n}") for n in range(4)])
    gone = db.query("DELETE FROM readings WHERE time = %s RETURNING *", (NOW,))
    assert [look(later[0]), look(later[1]), look(later[2])] == [0, 1, 0]
    [(number, class_code, text, area, stage)] = db.query(
        "SELECT id, class_code, text, area_path, stage FROM incidents"
    )
    assert (area, stage) == (CITY, "reported") and "应有 4 条，实有 3 条" in text and topics.READING in text
    assert class_code in ("", LEDGER_CLASS)
    answer = StoreQuestions(db, place_of, dict, lambda: CITY).answer(
        Ledger(60), actor("administrator", CITY), later[2]
    )
    [shown] = answer["mismatches"]
    assert shown["incident"] == number and shown["incident_number"]

    with db.transaction() as cursor:
        cursor.executemany("INSERT INTO readings VALUES (%s, %s, %s, %s, %s)", gone)
    assert look(later[3]) == 0
    assert db.query("SELECT count(*) FROM ledger_mismatches WHERE resolved_at IS NULL") == [(0,)]
    db.query("DELETE FROM readings WHERE time = %s", (NOW,))
    assert [look(later[4]), look(later[5])] == [0, 1]
    assert db.query("SELECT id, sources FROM incidents") == [(number, 2)]


def test_a_feed_that_stops_is_one_incident_and_its_return_one_note(db: Database) -> None:
    """However often the timer runs and whoever begins to watch; the next outage is an incident of its own."""
    units = units_of_work(db)

    def run(first: datetime, until: datetime, watching_since: datetime) -> int:
        """The relay's timer and the ingest's triage every ten seconds; outages filed."""
        filed, at = 0, first
        while at <= until:
            with units() as uow:
                filed += file_outages(uow, CITY, at, watching_since)
            with units() as uow:
                triage(uow, at, PATTERN, ZONE)
            at += timedelta(seconds=10)
        return filed

    def hear(at: datetime) -> None:
        db.query("UPDATE feeds SET last_message_at = %s WHERE id = 'sensors'", (at,))

    notes = "SELECT incident_id, reason FROM timeline WHERE action = 'note' ORDER BY at"
    minute = timedelta(minutes=1)
    hear(NOW)
    assert run(NOW, NOW + 3 * minute, NOW) == 0
    assert run(NOW + 3 * minute, NOW + 6 * minute, NOW) == 1
    assert run(NOW + 6 * minute, NOW + 20 * minute, NOW + 6 * minute) == 0  # another process, the same outage
    [(first, title, text, area, sources)] = db.query(
        "SELECT id, title, text, area_path, sources FROM incidents"
    )
    assert (area, sources) == (CITY, 1) and "sensors" in title and "静默" in text and "60 秒" in text
    assert db.query(notes) == []
    hear(NOW + 20 * minute)
    assert run(NOW + 20 * minute, NOW + 21 * minute, NOW) == 0
    [(noted, reason)] = db.query(notes)
    assert noted == first and "数据源已恢复" in reason
    assert run(NOW + 21 * minute, NOW + 30 * minute, NOW) == 1
    assert db.query("SELECT count(*) FROM incidents") == [(2,)]
    hear(NOW + 30 * minute)
    assert run(NOW + 30 * minute, NOW + 31 * minute, NOW) == 0
    assert len(db.query(notes)) == 2
    db.query("UPDATE feeds SET disabled = true")
    assert run(NOW + 31 * minute, NOW + 50 * minute, NOW) == 0


def test_a_feed_that_sends_shifted_points_is_one_incident(db: Database) -> None:
    """Issue C "Must show" 8. Told once a day while it lasts, joined to the open incident; true points raise nothing."""
    lines = [shapely.LineString([(113.8, 21.8 + n * 0.007), (114.0, 21.8 + n * 0.007)]) for n in range(28)]
    with db.transaction() as cursor:
        many(cursor, "INSERT INTO map_features (layer, name, geometry) VALUES %s",
             [("roads", f"{n}路", shapely.to_wkb(line)) for n, line in enumerate(lines)])  # fmt: skip
    intaker, units, numbers = Intaker(db), units_of_work(db), itertools.count()

    def send(shift: Callable[[float, float], Any]) -> None:
        db.query("UPDATE intake SET received_at = received_at - interval '3 days'")
        found = []
        for n in range(120):
            lon, lat = shift(113.82 + (n * 0.0137) % 0.16, 21.8 + (n % 28) * 0.007 + 0.0001)
            point = {"lon": float(lon), "lat": float(lat)}
            found.append(report(NOW, f"r{next(numbers)}", f"第 {n} 处积水", point=point))
        intaker.take(found)

    def look(at: datetime) -> int:
        with units() as uow:
            filed = file_shifted(uow, CITY, at, lambda: roads_of(db))
        with units() as uow:
            triage(uow, at, PATTERN, ZONE, limit=1000)
        return filed

    send(lambda lon, lat: (lon, lat))
    assert look(NOW) == 0
    send(wgs84_to_gcj02)
    assert [look(NOW), look(NOW + timedelta(minutes=30))] == [1, 0]
    told = "SELECT class_code, area_path, sources, text FROM incidents WHERE title = '坐标疑似偏移：reports'"
    [(class_code, area, sources, text)] = db.query(told)
    assert class_code in ("", SHIFT_CLASS) and (area, sources) == (CITY, 1)
    assert "GCJ-02" in text and "120 个不同地点" in text and "不会自动改动" in text
    assert look(NOW + timedelta(hours=20)) == 1, "the next day it is told again"
    assert [row[2] for row in db.query(told)] == [2]
    send(lambda lon, lat: (lon, lat))
    assert look(NOW) == 0


def test_the_watch_over_feeds_does_not_wait_for_the_relay_that_leads(db: Database) -> None:
    """It is a timer of that very relay: waiting for its lock it would stand still, and every other timer with it."""
    units = units_of_work(db)

    def watch() -> list[str]:
        with units() as uow:
            return [feed.id for feed in uow.watched_feeds()]

    with ThreadPoolExecutor(1) as pool, Outbox(db).leadership() as leader:
        assert leader is not None
        assert "sensors" in pool.submit(watch).result(timeout=30)


def test_a_wait_for_a_lock_ends_and_is_told(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.database.LOCK_S", 1)
    impatient, lock = Database(db.dsn, 1), "SELECT pg_advisory_xact_lock(%s)"
    with db.transaction() as cursor:
        cursor.execute(lock, (Lock.CITY,))
        with pytest.raises(LockTimeout, match="lock timeout"):
            impatient.query(lock, (Lock.CITY,))
    impatient.query(lock, (Lock.CITY,))
    impatient.close()


def test_room_is_measured_and_forecast(db: Database, tmp_path: Path) -> None:
    grown = iter(range(1_000_000, 10_000_000, 1_000_000))

    def away() -> Usage:
        raise BusUnavailable("the bus is away")

    minutes = [NOW + timedelta(minutes=5 * n) for n in range(5)]
    for at in minutes:
        gateways = {"gateway:1": {"broker_queue_bytes": 2**20}, "relay:2": {"published": 7}}
        rooms = {
            "broker": lambda gateways=gateways: broker_usage(lambda: gateways, 2**28),
            "store": lambda: store_usage(db, "", 0),
            "live": lambda: Usage(next(grown), 6_000_000),
            "files": lambda: files_usage(tmp_path),
            "bus": away,
        }
        measure(db, rooms, at)
    found = {row["what"]: row for row in storage(db, minutes[-1])}
    assert "bus" not in found
    assert found["store"]["used"] > 1_000_000 and found["store"]["capacity"] is None
    assert found["live"] | {"per_day": None} == {
        "what": "live", "unit": "bytes", "used": 5_000_000, "capacity": 6_000_000, "at": ms(minutes[-1]),
        "per_day": None, "full_at": ms(minutes[-1] + timedelta(minutes=5)),
    }  # fmt: skip
    assert found["live"]["per_day"] == pytest.approx(12 * 24 * 1_000_000)
    assert found["files"]["capacity"] > found["files"]["used"] > 0
    assert (found["broker"]["used"], found["broker"]["capacity"]) == (2**20, 2**28)
    assert broker_usage(dict, 2**28) is None, "no gateway tells: nobody knows"
    assert found["held"]["used"] == 0 and found["held"]["per_day"] == 0
    measure(db, {}, minutes[-1] + timedelta(days=8))
    assert db.query("SELECT count(DISTINCT at) FROM storage_samples") == [(1,)]
    assert bus_usage(lambda: Usage(3), 2).capacity == 2 * 10**9
    assert bus_usage(lambda: Usage(3, 7), 2).capacity == 7
    assert store_usage(db, str(tmp_path), 0).capacity > shutil.disk_usage(tmp_path).free


def test_what_the_bus_said_of_an_old_minute_is_not_taken_back(db: Database) -> None:
    """A minute that disagreed and has left the window is not resolved by nobody looking at it any more."""
    db.query(
        "INSERT INTO ledger_mismatches (found_at, kind, topic, partition, minute, expected, found)"
        " VALUES (%s, 'broker_vs_ledger', %s, 0, %s, 10, 0)",
        (NOW, topics.READING, NOW - timedelta(hours=2)),
    )
    for whole in (False, True):
        Reconciler(db, NoBus).run(NOW, whole=whole)
    assert db.query("SELECT count(*) FROM ledger_mismatches WHERE resolved_at IS NULL") == [(1,)]


class Trimmed:
    """A bus of which one partition was read: a message a second from NOW on; it holds only those from `first` on."""

    def __init__(self, first: int, lost: int = 0) -> None:
        self.first, self.lost = first, lost

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        return {TopicPartition(topic, 0): (self.first, 300 + self.lost)}

    def offsets_at(self, partition: TopicPartition, times_ms: list[int]) -> list[int]:
        """The first message held that is not older."""
        seconds = (round(ms / 1000 - NOW.timestamp()) for ms in times_ms)
        return [min(max(s + (self.lost if s > 200 else 0), self.first), 300 + self.lost) for s in seconds]


@pytest.mark.parametrize("first", [0, 60, 90, 120, 200, 300])
def test_minutes_that_the_bus_has_trimmed_are_not_compared(db: Database, first: int) -> None:
    intaker = Intaker(db)
    for minute in range(5):
        at = NOW + timedelta(minutes=minute)
        intaker.take(
            [reading("WL-1", {"level": 1.0}, at + timedelta(seconds=s), f"{minute}-{s}") for s in range(60)],
            at,
        )
    later = NOW + timedelta(minutes=10)
    assert Reconciler(db, lambda: Trimmed(first)).run(later) == []
    if first < 200:
        db.query("UPDATE partition_positions SET position = position + 7")
        wrong = Reconciler(db, lambda: Trimmed(first, lost=7)).run(later)
        assert [(m.minute, m.expected, m.found) for m in wrong] == [
            (None, 307, 300),
            (NOW + timedelta(minutes=3), 67, 60),
        ], "a minute that is still held is compared"


def test_a_moved_position_is_found(db: Database) -> None:
    Intaker(db).take([reading("WL-1", {"level": 1.0}, NOW, "m")])
    db.query("UPDATE partition_positions SET position = position + 10")
    (found,) = Reconciler(db, NoBus).run(NOW)
    assert (found.kind, found.expected, found.found) == ("broker_vs_ledger", 11, 1)


# -- unit of work --------------------------------------------------------------------------------------------


def service(db: Database, now: datetime = NOW) -> CityService:
    """The one door of the domain over `db`."""
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    return CityService(units_of_work(db), questions, lambda: now, City(PATTERN, ZONE, CITY))


def an_incident(db: Database, **changes: Any) -> Incident:
    """A reported incident in the store."""
    with units_of_work(db)() as uow:
        number = f"T{uow.next_serial():05d}"
        base = Incident(
            id=0, number=number, class_code="0101", class_name="道路积水", title="积水", text="积水",
            stage=Stage.REPORTED, level=3, place=Place(*WEST, "", CELL.split("/")[-2], CELL), reported_at=NOW, version=1,
        )  # fmt: skip
        return uow.add_incident(
            file_report(dataclasses.replace(base, **changes), changes.get("reported_at", NOW))
        )


moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
times = st.none() | moments
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
policies = st.none() | st.builds(
    Policy, class_code=words, class_version=st.integers(1, 9), limit_min=st.integers(1, 9999),
    clock_kind=st.sampled_from(ClockKind), needs_photo=st.booleans(),
    stage_limits_min=st.dictionaries(st.sampled_from(["reported", "accepted"]), st.integers(1, 99)),
)  # fmt: skip
seconds = st.floats(-1e7, 1e7)
clocks = st.none() | st.builds(
    Clock, kind=st.sampled_from(ClockKind), limit_s=seconds, allowed_s=seconds, unit=words, since=times, used_s=seconds,
    extensions=st.integers(0, 2), parked_until=times, was_parked=st.booleans(),
)  # fmt: skip
requests = st.none() | st.builds(
    Request, kind=st.sampled_from(KINDS), by=st.integers(0, 9), at=moments, reason=words, until=times,
    overdue=st.booleans(),
)  # fmt: skip
supervisions = st.none() | st.builds(
    Supervision, level=st.integers(1, 3), demand=words, by=st.integers(0, 9), at=moments, due_at=moments,
    signed_at=times, answer=words, answered_at=times, ended_at=times,
)  # fmt: skip
appeals = st.none() | st.builds(
    Appeal, against=st.sampled_from(AGAINST), reason=words, by=st.integers(0, 9), at=moments,
    granted=st.none() | st.booleans(), why=words, decided_by=st.none() | st.integers(0, 9), decided_at=times,
)  # fmt: skip
anything = st.builds(
    Incident, id=st.just(0), number=words, class_code=words, class_name=words, title=words, text=words,
    stage=st.sampled_from(Stage), level=st.integers(1, 4), version=st.integers(1, 99), policy=policies,
    place=st.builds(Place, st.none() | st.floats(-180, 180), st.none() | st.floats(-90, 90), words, words,
                    st.sampled_from(["", *PATHS])),
    reported_at=moments, unit=words, worker=words, first_unit=words, stage_since=times, stage_due_at=times,
    handle_due_at=times, dispatched_at=times, returned_result_at=times, closed_at=times,
    handled_by=st.none() | st.integers(1, 9), checked_by=st.none() | st.integers(1, 9),
    acknowledged_by=st.none() | st.integers(1, 9), acknowledged_at=times, escalated_stage=words, escalated_at=times,
    overdue=st.booleans(), returns=st.integers(0, 9), reworks=st.integers(0, 9), sources=st.integers(1, 9),
    last_action=words, last_actor=words, correlation_id=words, clock=clocks, asked=requests,
    supervision=supervisions, appeal=appeals, satisfaction=st.none() | st.integers(1, 5),
)  # fmt: skip


@settings(max_examples=60)
@given(found=st.lists(anything, min_size=1, max_size=8, unique_by=lambda i: i.number))
def test_an_incident_comes_back_as_it_was(shared_db: Database, found: list[Incident]) -> None:
    shared_db.query("DELETE FROM incidents")
    with units_of_work(shared_db)() as uow:
        kept = [uow.add_incident(incident) for incident in found]
    rows = shared_db.query(f"SELECT id, {', '.join(COLUMNS)} FROM incidents ORDER BY id")
    assert [to_incident(row) for row in rows] == kept
    assert all(len(to_row(i)) == len(COLUMNS) for i in kept)


@pytest.fixture(scope="module", params=STORES)
def shared_db(request: pytest.FixtureRequest, template_of: Callable[[str], Any]) -> Iterator[Database]:
    """One store for tests that look at many examples; each example clears what it needs cleared."""
    template = template_of(request.param)
    name = template.fresh()
    template.made.append(name)
    database = template.open(name)
    yield database
    database.close()


def test_a_stale_version_is_refused(db: Database) -> None:
    incident = an_incident(db)
    changed, _, _ = advance(incident, Step("note", "desk", reason="一"), SYSTEM, NOW)
    with units_of_work(db)() as uow:
        uow.save(changed, incident.version)
    with pytest.raises(Rejected) as refused, units_of_work(db)() as uow:
        uow.save(changed, incident.version)
    assert refused.value.code == "stale"
    with pytest.raises(Rejected) as told:
        service(db).handle(AcceptIncident(incident.id, version=incident.version), actor("operator"), "desk")
    assert told.value.code == "stale" and told.value.facts["first"] == SYSTEM.name


@pytest.mark.parametrize("number", [0, -1, 10**6, 2**63, 2**80])
def test_no_such_incident(db: Database, number: int) -> None:
    with pytest.raises(Rejected) as refused, units_of_work(db)() as uow:
        uow.incident(number)
    assert refused.value.code == "not_found"


def test_only_one_of_many_presses_wins(db: Database) -> None:
    incident = an_incident(db)
    desks = [actor("operator", id=n, login=f"desk-{n}") for n in range(6)]
    door = service(db)
    found = at_once(6, lambda n: door.handle(AcceptIncident(incident.id, version=1), desks[n], "desk"))
    assert sum(isinstance(answer, dict) for answer in found) == 1
    assert {e.code for e in found if isinstance(e, Rejected)} == {"stale"}
    assert db.query("SELECT version, stage FROM incidents") == [(2, "accepted")]
    assert db.query("SELECT count(*) FROM timeline WHERE action = 'accept'") == [(1,)]


def test_one_key_is_answered_once_however_often_it_is_sent(db: Database) -> None:
    door, phone = service(db), actor("grid_worker", GRID, "U1", "grid-worker")
    command = ReportIncident(text="井盖缺失", channel="phone", lon=WEST[0], lat=WEST[1], key="k-1")
    found = at_once(6, lambda _: door.handle(command, phone, "phone"))
    assert all(isinstance(answer, dict) for answer in found), found
    assert len({answer["id"] for answer in found}) == 1
    assert db.query("SELECT count(*) FROM incidents") == db.query("SELECT count(*) FROM intake") == [(1,)]
    other = door.handle(command, actor("grid_worker", GRID, "U1", "worker-2"), "phone")
    assert other["id"] != found[0]["id"], "a key is the account's own"


def test_a_refused_command_leaves_nothing_but_its_audit(db: Database) -> None:
    incident = an_incident(db)
    with pytest.raises(Rejected):
        service(db).handle(AcceptIncident(incident.id), actor("operator", NEXT_VILLAGE), "desk")
    with pytest.raises(Rejected):
        service(db).handle(NoteIncident(incident.id, "  "), actor("operator"), "desk")
    assert db.query("SELECT version FROM incidents") == [(1,)] and db.query(
        "SELECT count(*) FROM timeline"
    ) == [(0,)]
    assert db.query("SELECT action, allowed FROM audit") == [("incident.accept", False)]
    assert Audit(db).verify().whole


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"channel": "pigeon"}, "channel"),
        ({"level": 5}, "level"),
        ({"text": " "}, "text"),
        ({"lon": 1.0}, "lon"),
    ],
)
def test_a_report_that_is_wrong_names_field_and_value(
    db: Database, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(Rejected) as refused:
        service(db).handle(ReportIncident(**{"text": "积水", **wrong}), actor("operator"), "desk")
    assert (refused.value.code, refused.value.field) == ("field", field)
    assert str(refused.value).startswith(field)
    assert db.query("SELECT count(*) FROM incidents") == [(0,)]


def intake_of_one_camera(db: Database, number: int) -> None:
    Intaker(db).take(
        [alarm("99010100001320000001", "flood", NOW + timedelta(seconds=n), f"v{n}") for n in range(number)]
    )


def test_sources_of_one_place_make_one_incident_whoever_triages(db: Database) -> None:
    """Two processes triage at once: the merge key lets only one of them open the incident."""
    intake_of_one_camera(db, 8)
    units = units_of_work(db)

    def work(_: int) -> int:
        taken = 0
        while True:
            try:
                with units() as uow:
                    found = triage(uow, NOW, PATTERN, ZONE, limit=1)
            except StoreUnavailable:
                continue
            if not found:
                return taken
            taken += len(found)

    assert sum(at_once(4, work)) == 8
    assert db.query("SELECT sources, version, level FROM incidents") == [(8, 8, 2)]
    assert db.query("SELECT count(*), count(DISTINCT seq) FROM timeline") == [(8, 8)]
    assert db.query("SELECT count(*) FROM intake WHERE incident_id IS NULL") == [(0,)]


def test_a_closed_incident_is_not_joined(db: Database) -> None:
    intake_of_one_camera(db, 1)
    with units_of_work(db)() as uow:
        triage(uow, NOW, PATTERN, ZONE)
    db.query("UPDATE incidents SET stage = 'closed'")
    Intaker(db).take([alarm("99010100001320000001", "flood", NOW + timedelta(minutes=1), "later"),
                      alarm("99010100001320000001", "cover", NOW + timedelta(minutes=1), "other class"),
                      alarm("99010100001320000002", "flood", NOW + timedelta(minutes=1), "other camera")])  # fmt: skip
    with units_of_work(db)() as uow:
        assert len(triage(uow, NOW, PATTERN, ZONE)) == 3
    assert db.query("SELECT count(*), sum(sources) FROM incidents") == [(4, 4)]


def test_a_class_ahead_of_the_catalogue_holds_nobody_up(db: Database) -> None:
    db.query("UPDATE camera_alarm_kinds SET class_code = '0999' WHERE kind = 'flood'")
    Intaker(db).take([alarm("99010100001320000001", "flood", NOW, "v1"), report(NOW, "r1")])
    with units_of_work(db)() as uow:
        assert len(triage(uow, NOW, PATTERN, ZONE)) == 2
    assert db.query("SELECT class_code, level FROM incidents ORDER BY id") == [("", 2), ("", 3)]


def test_photos_not_yet_stored_are_noted(db: Database) -> None:
    Intaker(db).take([report(NOW, "r", photos=["a" * 64])])
    with units_of_work(db)() as uow:
        triage(uow, NOW, PATTERN, ZONE)
    assert [row[0] for row in db.query("SELECT action FROM timeline ORDER BY seq")] == ["report", "note"]


def test_a_report_of_the_past_keeps_its_time_and_neither_rings_nor_escalates(db: Database) -> None:
    then = NOW - timedelta(days=900)
    Intaker(db).take([report(then, "old", level=1, history=True), report(NOW, "new", level=1)])
    with units_of_work(db)() as uow:
        assert len(triage(uow, NOW, PATTERN, ZONE)) == 2
    with units_of_work(db)() as uow:
        assert escalate_due(uow, NOW + timedelta(days=1)) == 1, "the new one alone"
    found = db.query(
        "SELECT n.message_id, i.reported_at, i.stage_due_at IS NULL, i.acknowledged_at, i.escalated_at IS NULL,"
        " i.overdue FROM incidents i JOIN intake n ON n.incident_id = i.id ORDER BY n.message_id DESC"
    )
    assert found == [("old", then, True, NOW, True, False), ("new", NOW, False, None, False, False)]
    number = db.query("SELECT incident_id FROM intake WHERE message_id = 'old'")[0][0]
    service(db).handle(AcceptIncident(number, class_code="0101"), actor("operator"), "desk")
    assert db.query("SELECT stage_due_at IS NULL FROM incidents WHERE id = %s", (number,)) == [(False,)]


def test_what_two_lock_in_opposite_order_is_tried_again(db: Database) -> None:
    """A deadlock is nobody's fault: one of the two hears 'try again', not an error of its own."""
    ids = [an_incident(db).id, an_incident(db).id]
    half = threading.Barrier(2)

    def work(n: int) -> None:
        with units_of_work(db)() as uow:
            uow.incident(ids[n])
            half.wait(10)
            uow.incident(ids[1 - n])

    found = at_once(2, work)
    assert sorted(type(f).__name__ for f in found) == ["NoneType", "StoreUnavailable"], found


def test_a_server_that_ends_the_link_is_unavailable_and_then_there_again(db: Database) -> None:
    with pytest.raises(StoreUnavailable), db.transaction() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert db.query("SELECT 1") == [(1,)]


# -- append-only ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["timeline", "audit"])
@pytest.mark.parametrize("what", ["UPDATE {} SET action = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_append_only(db: Database, table: str, what: str) -> None:
    service(db).handle(ReportIncident(text="积水"), actor("operator"), "desk")
    before = db.query(f"SELECT * FROM {table}")
    assert before
    with pytest.raises(psycopg2.Error, match="append-only"):
        db.query(what.format(table))
    assert db.query(f"SELECT * FROM {table}") == before


def test_a_changed_audit_row_shows(db: Database) -> None:
    door = service(db)
    for n in range(4):
        door.handle(ReportIncident(text=f"第{n}件"), actor("operator"), "desk")
    assert Audit(db).verify().whole
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE audit DISABLE TRIGGER audit_append_only")
        cursor.execute("UPDATE audit SET actor = 'nobody' WHERE id = 2")
    assert Audit(db).verify().broken_at == 2


# -- scope, lists, indicators --------------------------------------------------------------------------------

units = st.sampled_from(["", "U1", "U2"])
logins = st.sampled_from(["", "me", "other"])
spots = st.sampled_from(["", *PATHS, CITY + "9901021/", CITY + "99010_/", CITY + "%/"])
actors = st.builds(
    lambda role, areas, unit: Actor(1, "me", "我", role, unit, tuple(areas)),
    st.sampled_from(ROLES), st.lists(spots.filter(bool), max_size=2), units,
)  # fmt: skip


@settings(max_examples=80)
@given(who=actors, found=st.lists(st.tuples(spots, units, logins, units), min_size=1, max_size=12))
def test_lists_hold_what_may_allows(
    shared_db: Database, who: Actor, found: list[tuple[str, str, str, str]]
) -> None:
    """`data/scope.py` says in SQL what `may` says one by one."""

    def thing(area: str, unit: str, worker: str, helping: str) -> Thing:
        return Thing(area, unit, worker, (helping,) if helping else ())

    sql, params = incident_scope(who)
    shown = shared_db.query(
        "SELECT n FROM (SELECT n, area_path, unit, worker, array_remove(ARRAY[helping], '') AS assisting"
        " FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
        " WITH ORDINALITY AS i(area_path, unit, worker, helping, n)) i"
        f" WHERE {sql} ORDER BY n",
        [*([f[k] for f in found] for k in range(4)), *params],
    )
    seeing = dataclasses.replace(
        who, role=who.role if may(who, "incident.see", Thing(CITY, "", "")) else who.role
    )
    if who.role != "administrator":  # has no right to incidents at all: refused at the door, before any list
        expected = [n for n, f in enumerate(found, 1) if may(seeing, "incident.see", thing(*f))]
        assert [n for (n,) in shown] == expected
    sql, params = area_scope(who)
    shown = shared_db.query(
        f"SELECT n FROM unnest(%s::text[]) WITH ORDINALITY AS i(area_path, n) WHERE {sql} ORDER BY n",
        [[f[0] for f in found], *params],
    )
    assert [n for (n,) in shown] == [n for n, f in enumerate(found, 1) if covers(who.areas, f[0])]


past = st.integers(0, 40 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes))
around = st.none() | st.integers(-500, 500).map(lambda minutes: NOW + timedelta(minutes=minutes))
incidents_of_a_month = st.builds(
    lambda stage, area, level, at, due, sent, took, returns, moved, overdue, ack, told: {
        "stage": stage, "area": area, "level": level, "reported_at": at, "stage_due_at": due, "dispatched_at": sent,
        "returned_result_at": sent + timedelta(minutes=took) if sent and took else None,
        "closed_at": at + timedelta(hours=1) if stage in ("closed", "refused", "void") else None,
        "returns": returns, "unit": "U2" if moved else "U1", "overdue": overdue,
        "acknowledged_by": 1 if ack else None, "escalated_at": told,
    },
    st.sampled_from(Stage), st.sampled_from(["", *PATHS]), st.integers(1, 4), past, around, st.none() | past,
    st.integers(0, 600), st.integers(0, 1), st.booleans(), st.booleans(), st.booleans(), st.none() | past,
)  # fmt: skip


def fill(db: Database, rows: list[dict[str, Any]]) -> list[Incident]:
    """Put incidents into the store as they are told."""
    db.query("DELETE FROM incidents")
    made = []
    with units_of_work(db)() as uow:
        for n, row in enumerate(rows):
            more = {k: v for k, v in row.items() if k not in ("area", "stage")}
            made.append(uow.add_incident(Incident(
                id=0, number=f"I{n}", class_code="", class_name="", title="t", text="t", version=1, first_unit="U1",
                stage=Stage(row["stage"]), place=Place(area_path=row["area"]), **more,
            )))  # fmt: skip
    return made


@settings(max_examples=25)
@given(rows=st.lists(incidents_of_a_month, max_size=25))
def test_indicators_count_what_the_click_shows(shared_db: Database, rows: list[dict[str, Any]]) -> None:
    """Every indicator of every area equals the list of records behind it, numerator and denominator."""
    fill(shared_db, rows)
    values = incident_values(shared_db, INDICATOR_RECORDS, CITY, NOW)
    questions = StoreQuestions(shared_db, place_of, dict, lambda: CITY)
    who = actor("duty_leader")
    for area in (CITY, DISTRICT, OTHER_DISTRICT, TOWN, VILLAGE, NEXT_VILLAGE):
        for name in ("open", "overdue", "on_time_closing", "first_dispatch", "median_handling"):
            found = values[name].get(area)
            total = {
                part: questions.answer(IncidentList(of=name, part=part, area=area), who, NOW)["total"]
                for part in ("numerator", "denominator")
            }
            if found is None:
                assert total["denominator"] == 0, (name, area)
            elif name in ("open", "overdue"):
                assert found.value == total["denominator"], (name, area)
            else:
                assert (found.denominator or 0) == total["denominator"], (name, area)
                if name != "median_handling" and total["denominator"]:
                    assert found.numerator == total["numerator"], (name, area)
                    assert found.value == pytest.approx(
                        100 * total["numerator"] / total["denominator"], abs=0.005
                    )


@settings(max_examples=25)
@given(rows=st.lists(incidents_of_a_month, max_size=25))
def test_the_store_finds_what_is_due(shared_db: Database, rows: list[dict[str, Any]]) -> None:
    """The SQL that looks for escalations and `escalation_due` agree on every incident."""
    made = fill(shared_db, rows)
    with units_of_work(shared_db)() as uow:
        found = {incident.id for incident in uow.due_for_escalation(NOW, 1000)}
    assert found == {incident.id for incident in made if escalation_due(incident, NOW)}


@settings(max_examples=25)
@given(
    rows=st.lists(incidents_of_a_month, max_size=25),
    told=st.lists(st.sampled_from(["", *Stage]), min_size=25, max_size=25),
)
def test_what_waits_for_the_leader(shared_db: Database, rows: list[dict[str, Any]], told: list[str]) -> None:
    """The leader's list, its total and the live item's `escalated` agree with `waits_for_leader` on every incident."""
    made = fill(shared_db, rows)
    now = [
        dataclasses.replace(one, escalated_stage=str(stage)) for one, stage in zip(made, told, strict=False)
    ]
    for one in now:
        shared_db.query(
            "UPDATE incidents SET escalated_stage = %s WHERE id = %s", (one.escalated_stage, one.id)
        )
    expected = {one.id for one in now if waits_for_leader(one)}
    board = StoreQuestions(shared_db, place_of, dict, lambda: CITY).answer(
        LeaderBoard(), actor("duty_leader"), NOW
    )
    assert {row["id"] for row in board["waiting"]["rows"]} == expected
    assert board["waiting"]["total"] == len(expected)
    assert {one.id for one in now if live_item(one, "", "")["escalated"]} == expected


def test_an_escalation_is_over_when_it_is_answered(db: Database) -> None:
    """Escalated for its silence, then acknowledged; escalated for its stage, then dispatched: no longer waiting."""
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    door = service(db)

    def waiting(at: datetime) -> int:
        total: int = questions.answer(LeaderBoard(), actor("duty_leader"), at)["waiting"]["total"]
        return total

    loud = an_incident(db, level=1)
    later = NOW + timedelta(seconds=61)
    with units_of_work(db)() as uow:
        assert escalate_due(uow, later) == 1
    assert waiting(later) == 1
    door.handle(AcknowledgeIncident(loud.id), actor("duty_leader"), "leader")
    assert waiting(later) == 0
    late = NOW + timedelta(days=1)
    with units_of_work(db)() as uow:
        assert escalate_due(uow, late) == 1
    assert waiting(late) == 1, "its stage is past now: escalated again"
    door.handle(AcceptIncident(loud.id, "0101"), actor("operator"), "desk")
    assert waiting(late) == 0, "the next stage has a clock of its own"


def test_an_area_whose_last_incident_has_gone_is_told_so(db: Database) -> None:
    an_incident(db)
    keep(db, incident_values(db, INDICATOR_RECORDS, CITY, NOW), NOW)
    told = told_areas(db, NOW + timedelta(minutes=5))
    assert VILLAGE in told["open"] and told_areas(db, NOW + timedelta(hours=2))["open"] == set()
    db.query("UPDATE incidents SET stage = 'void'")
    assert VILLAGE not in incident_values(db, INDICATOR_RECORDS, CITY, NOW)["open"]
    assert incident_values(db, INDICATOR_RECORDS, CITY, NOW, told)["open"][VILLAGE].value == 0


def test_devices_online_and_age(db: Database) -> None:
    at = NOW.timestamp()
    db.query("UPDATE devices SET registered_at = %s", (NOW - timedelta(days=1),))
    values = device_values(db, {"WL-1": at - 10, "WL-2": at - 181, "AQ-1": at - 180}, CITY, NOW)
    online = values["devices_online"]
    assert (online[CITY].numerator, online[CITY].denominator) == (2, 4)
    assert (online[VILLAGE].numerator, online[VILLAGE].denominator) == (2, 2)
    assert online[NEXT_VILLAGE].value == 0
    assert {a: v.value for a, v in values["newest_age"].items()} == {
        CITY: 10, DISTRICT: 10, TOWN: 10, VILLAGE: 10, NEXT_VILLAGE: 181,
    }  # fmt: skip
    silent = device_values(db, {}, CITY, NOW)
    assert silent["newest_age"][CITY].value is None and silent["devices_online"][CITY].value == 0
    db.query("UPDATE devices SET registered_at = %s WHERE id LIKE 'WL%%'", (NOW - timedelta(seconds=59),))
    begun = device_values(db, {"WL-1": at - 10}, CITY, NOW)["devices_online"][CITY]
    assert (begun.numerator, begun.denominator) == (1, 3), "WL-2 was not due yet"


def test_the_figures_on_data_count_what_their_click_shows(db: Database) -> None:
    """Numerator and denominator of every area equal those of the devices behind the figure, the worst first."""
    intaker = Intaker(db)
    db.query("UPDATE devices SET registered_at = %s, expected_period_s = 60", (NOW - timedelta(days=1),))
    ago = {"WL-1": range(0, 900, 60), "WL-2": range(400, 900, 60), "AQ-1": (30,)}
    for device, seconds in ago.items():
        metric = "level" if device.startswith("WL") else "pm25"
        for s in seconds:
            intaker.take([reading(device, {metric: 1.0}, NOW - timedelta(seconds=s), f"{device}-{s}")])
    seen = {device: (NOW - timedelta(seconds=min(seconds))).timestamp() for device, seconds in ago.items()}
    values = {**device_values(db, seen, CITY, NOW), "completeness": completeness_values(db, CITY, NOW)}
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)

    def ask(of: str, area: str = "", own: str = CITY) -> dict[str, Any]:
        answer: dict[str, Any] = questions.answer(Devices(of=of, area=area), actor("evaluator", own), NOW)
        return answer

    for name in ("devices_online", "completeness"):
        for area in (CITY, DISTRICT, TOWN, VILLAGE, NEXT_VILLAGE):
            found = ask(name, area)
            figure = values[name][area]
            assert (found["numerator"], found["denominator"]) == (figure.numerator, figure.denominator), (
                name,
                area,
            )
            assert ask(name, own=area)["total"] == found["total"] == len(found["rows"]), area
    assert ask("devices_online", OTHER_DISTRICT)["denominator"] == 0
    silent = [(row["id"], row["silent"]) for row in ask("devices_online")["rows"]]
    assert silent == [("AQ-2", True), ("WL-2", True), ("AQ-1", False), ("WL-1", False)]
    least = ask("completeness")["rows"]
    assert [row["id"] for row in least] == ["AQ-2", "AQ-1", "WL-2", "WL-1"]
    assert [(row["received"], row["expected"]) for row in least][::3] == [(0, 15), (15, 15)]
    newest = ask("newest_age")["rows"][0]
    assert newest["id"] == "WL-1" and NOW.timestamp() * 1000 - newest["newest"] == 0
    assert values["newest_age"][CITY].value == 0
    board = questions.answer(LeaderBoard(), actor("duty_leader", VILLAGE), NOW)
    assert board["unknown"]["silent_devices"] == 0
    board = questions.answer(LeaderBoard(), actor("duty_leader"), NOW)
    assert board["unknown"]["silent_devices"] == 2
    with pytest.raises(Rejected, match="no devices behind it"):
        ask("open")


def test_what_is_not_known_is_counted(db: Database) -> None:
    """Held messages and figures past their limit are on the leader's board."""
    intaker = Intaker(db)
    assert intaker.take([reading("WL-404", {"level": 1.0}, NOW, "h")]) == ["held"]
    keep(db, {"open": {CITY: count(3)}, "completeness": {CITY: share(1, 2)}}, NOW - timedelta(seconds=60))
    board = StoreQuestions(db, place_of, dict, lambda: CITY).answer(LeaderBoard(), actor("duty_leader"), NOW)
    assert board["unknown"]["held_messages"] == 1
    assert [row["id"] for row in board["unknown"]["stale_indicators"]] == ["open"], "completeness has 180 s"


def test_completeness_expects_nothing_from_before_a_device_was_known(db: Database) -> None:
    db.query("UPDATE devices SET registered_at = %s, expected_period_s = 60", (NOW - timedelta(minutes=3),))
    db.query("UPDATE devices SET registered_at = %s, expected_period_s = 3600 WHERE id = 'AQ-1'",
             (NOW - timedelta(days=1),))  # fmt: skip
    db.query("UPDATE devices SET registered_at = %s WHERE id = 'WL-2'", (NOW - timedelta(seconds=30),))
    db.query("UPDATE devices SET disabled = true WHERE id NOT IN ('WL-1', 'WL-2', 'AQ-1')")
    taken = Intaker(db).take(
        [
            *(reading("WL-1", {"level": n}, NOW - timedelta(seconds=50 * n), f"w{n}") for n in range(2)),
            reading("AQ-1", {"pm25": 9.0}, NOW - timedelta(minutes=40), "a"),
            reading("WL-2", {"level": 1.0}, NOW - timedelta(seconds=20), "not due yet"),
        ]
    )
    assert taken == ["stored"] * 4
    value = completeness_values(db, CITY, NOW)[CITY]
    # Two of the three minutes of WL-1 and the hour of AQ-1; WL-2 is known for less than its period.
    assert (value.numerator, value.denominator) == (3, 4)


# -- outbox, dead letters ------------------------------------------------------------------------------------


def test_the_outbox_is_read_in_order_and_settled_once(db: Database) -> None:
    outbox = Outbox(db)
    with units_of_work(db)() as uow:
        for n in range(5):
            uow.publish("city.incident.v1", str(n), {"n": n}, NOW)
    waiting = outbox.waiting(3)
    assert [w.payload["n"] for w in waiting] == [0, 1, 2]
    outbox.settle([w.id for w in waiting], NOW)
    assert [w.payload["n"] for w in outbox.waiting()] == [3, 4]
    outbox.tidy(NOW + timedelta(seconds=1))
    assert db.query("SELECT count(*) FROM outbox") == [(2,)]


def test_one_relay_leads_and_is_woken(db: Database) -> None:
    outbox = Outbox(db)
    with outbox.leadership() as leader, outbox.leadership() as second:
        assert leader is not None and second is None
        woken: list[float] = []

        def sleep() -> None:
            leader.wait(20)
            woken.append(time.monotonic())

        waiter = threading.Thread(target=sleep)
        waiter.start()
        with units_of_work(db)() as uow:
            uow.publish("city.incident.v1", "1", {}, NOW)
        done = time.monotonic()
        waiter.join(20)
        assert woken and woken[0] - done < 5, "woken by the transaction, not by its patience"
    with outbox.leadership() as next_leader:
        assert next_leader is not None


def test_a_dead_letter_goes_back_once(db: Database) -> None:
    intaker = Intaker(db)
    assert intaker.take([reading("WL-1", {"volt": 1.0}, NOW, "a")]) == ["unknown_metric"]
    command = ReplayDeadLetter(topics.READING, 0, 0, value='{"corrected": true}')
    door, admin = service(db), actor("administrator")
    found = at_once(3, lambda _: door.handle(command, admin, "desk"))
    assert sum(isinstance(f, dict) for f in found) == 1
    assert {f.code for f in found if isinstance(f, Rejected)} == {"stale"}
    back = [payload for topic, payload in db.query("SELECT topic, payload FROM outbox") if topic == "replay"]
    assert [bytes.fromhex(p["value"]) for p in back] == [b'{"corrected": true}']
    assert db.query("SELECT state, settled_by FROM dead_letters") == [("replayed", "administrator")]


def test_places_are_found(db: Database) -> None:
    assert place_of(*EAST).area_path == NEXT_CELL and db.query("SELECT count(*) FROM areas") == [
        (len(AREAS),)
    ]
