"""The rollups of readings on every store: whatever came late, in whatever order, however often a step is made or broken
off, a bucket is the aggregate of all its readings; and the answers made of them are those of the readings.

Values are quarters, so that sums are exact in any order.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import app
from data.database import Database, StoreUnavailable, many
from data.reconcile import Reconciler
from data.retention import Retention
from data.rollups import SLACK, Rollups, Step, runs, state_of
from data.series import StoredSeries
from data.timeseries import COMMUNITY, Partitions, chunks, compress_after, continuous, edition
from incidents.commands import (
    DeviceGaps,
    DeviceSeries,
    DeviceStatistics,
    LatestReadings,
    MetricHistory,
    Status,
)
from incidents.model import Rejected
from incidents.ports import TopicPartition
from incidents.series import Signal, Statistics
from settings import BadSetting
from settings import read as settings_of
from streams import topics
from tests.conftest import STORES
from tests.contracts.test_store import NOW as STORE_NOW
from tests.contracts.test_store import Intaker, service
from tests.small_city import CITY, NEXT_VILLAGE, VILLAGE, ZONE, actor
from tests.streams.city_messages import reading

pytestmark = pytest.mark.timeout(120, func_only=True)
NOW = datetime(2026, 11, 21, 8, 7, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CITY_ZONE = ZoneInfo(ZONE)

Row = tuple[int, int, datetime, float]
"""(device, metric, time, value)."""
Buckets = dict[tuple[int, int, datetime], tuple[Any, ...]]


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city."""
    return fresh_database(str(request.param))


class Writer:
    """Stores readings as a flush does: readings and what the ledger says of them in one transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._partitions = Partitions()
        self.rows: list[Row] = []

    def store(self, rows: Sequence[Row], arrived: datetime) -> int:
        """How many were new."""
        minute = arrived.replace(second=0, microsecond=0)
        with self._db.transaction() as cursor:
            self._partitions.cover(cursor, "readings", [row[2].timestamp() for row in rows])
            cursor.execute(
                "INSERT INTO ledger (topic, partition, minute, feed) VALUES (%s, 0, %s, 'sensors')"
                " ON CONFLICT (topic, partition, minute, feed) DO UPDATE SET feed = EXCLUDED.feed RETURNING id",
                (topics.READING, minute),
            )
            number = (cursor.fetchone() or (0,))[0]
            made = many(
                cursor,
                "INSERT INTO readings (device_no, metric_no, time, value, ledger_id) VALUES %s ON CONFLICT DO NOTHING"
                " RETURNING device_no, metric_no, time, value",
                sorted({row[:3]: (*row, number) for row in rows}.values()),
            )
            cursor.execute(
                "UPDATE ledger SET stored = stored + 1, records_stored = records_stored + %s WHERE id = %s",
                (len(made), number),
            )
        self.rows += [(device, metric, time, value) for device, metric, time, value in made]
        return len(made)


def begin_of(level: str, time: datetime) -> datetime:
    if level == "day":
        local = time.astimezone(CITY_ZONE)
        return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    time = time.replace(second=0, microsecond=0)
    return time.replace(minute=0) if level == "hour" else time


def truth(rows: Iterable[Row], level: str) -> Buckets:
    """What the buckets must hold, computed here."""
    found: dict[tuple[int, int, datetime], list[tuple[datetime, float]]] = defaultdict(list)
    for device, metric, time, value in rows:
        found[device, metric, begin_of(level, time)].append((time, value))
    out: Buckets = {}
    for key, values in found.items():
        values.sort()
        numbers = [v for _, v in values]
        out[key] = (len(values), sum(numbers), min(numbers), max(numbers), values[0][1], values[0][0],
                    values[-1][1], values[-1][0])  # fmt: skip
    return out


def stored(db: Database, level: str) -> Buckets:
    """What the buckets hold."""
    rows = db.query(
        "SELECT device_no, metric_no, time, n, sum, min, max, first, first_at, last, last_at FROM rollup_"
        + level
    )
    assert len({row[:3] for row in rows}) == len(rows)
    return {(row[0], row[1], row[2]): tuple(row[3:]) for row in rows}


def all_rolled(db: Database, rows: Sequence[Row]) -> None:
    """Everything that is over is in the rollups, and right."""
    with db.transaction() as cursor:
        state = state_of(cursor)
    assert stored(db, "minute") == truth(rows, "minute")
    for level, until in (("hour", state.hours_until), ("day", state.days_until)):
        expected = truth([row for row in rows if row[2] < until], level)
        assert stored(db, level) == expected, level


def quarters(rng: random.Random, number: int, now: datetime, reach: timedelta) -> list[Row]:
    """Readings of the last `reach`, mostly new ones."""
    out = []
    for _ in range(number):
        back = reach * rng.random() ** 4
        at = (now - back).replace(microsecond=rng.randrange(10) * 100_000)
        out.append((rng.randint(1, 4), rng.randint(1, 3), at, rng.randint(-40, 40) / 4))
    return out


def test_every_bucket_is_the_aggregate_of_its_readings(db: Database) -> None:
    rng, writer, rollups = random.Random(1), Writer(db), Rollups(db, CITY_ZONE, step_records=150)
    now = NOW - 3 * DAY
    while now < NOW:
        writer.store(quarters(rng, 60, now, timedelta(minutes=3 if rng.random() < 0.9 else 60 * 50)), now)
        if rng.random() < 0.3:
            rollups.run(now)
        now += timedelta(minutes=rng.choice((1, 7, 90)))
    rollups.run(NOW + 5 * MINUTE)
    all_rolled(db, writer.rows)
    with db.transaction() as cursor:
        state = state_of(cursor)
    if not is_continuous(db):
        assert state.settled == NOW.replace(second=0) + 5 * MINUTE - SLACK
        assert state.hours_until == NOW.replace(minute=0, second=0)
        assert state.days_until == datetime(2026, 11, 20, 16, tzinfo=UTC), "days are the city's"
    assert len(stored(db, "day")) > 12 and len(stored(db, "hour")) > 100


def is_continuous(db: Database) -> bool:
    with db.transaction() as cursor:
        return continuous(cursor)


def test_the_edition_rolls_up_as_it_can(db: Database) -> None:
    assert is_continuous(db) == (edition(db) == COMMUNITY)


def test_late_rows_of_any_age_are_found(db: Database) -> None:
    writer, rollups = Writer(db), Rollups(db, CITY_ZONE)
    writer.store([(1, 1, NOW, 1.0), (1, 1, NOW - 40 * DAY, 2.0)], NOW)
    rollups.run(NOW + HOUR)
    all_rolled(db, writer.rows)
    for back in (timedelta(0), 10 * MINUTE, 5 * HOUR, 3 * DAY, 40 * DAY, 800 * DAY):
        at = NOW - back + timedelta(seconds=3)
        assert writer.store([(1, 1, at, 7.25), (2, 1, at, -3.5)], NOW + HOUR) == 2
        rollups.run(NOW + 3 * HOUR)
        all_rolled(db, writer.rows)
    assert rollups.run(NOW + 3 * HOUR) == Step(0, 0, False), "nothing is done twice"


def test_a_flush_of_the_product_is_noted(db: Database) -> None:
    intaker = Intaker(db)
    first = reading("WL-1", {"level": 1.25, "flow": 2.0}, NOW, "a")
    assert intaker.take([first], NOW) == ["stored"]
    Rollups(db, CITY_ZONE).run(NOW + MINUTE)
    rows = [(1, 1, NOW, 1.25), (1, 2, NOW, 2.0)]
    all_rolled(db, rows)
    assert intaker.take([first], NOW + MINUTE) == ["duplicate"]
    assert db.query("SELECT * FROM rollup_dirty") == []
    late = NOW - 50 * HOUR
    assert intaker.take([reading("WL-1", {"level": 3.0}, late, "b")], NOW + MINUTE) == ["stored"]
    Rollups(db, CITY_ZONE).run(NOW + 5 * MINUTE)
    all_rolled(db, [*rows, (1, 1, late, 3.0)])


def test_a_step_that_breaks_off_changes_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_continuous(db):
        pytest.skip("aggregates: TimescaleDB's own transaction")
    writer = Writer(db)
    writer.store(quarters(random.Random(2), 300, NOW, 30 * HOUR), NOW)
    for moment in ("_minutes", "_hours_and_days", "_close"):
        rollups = Rollups(db, CITY_ZONE)
        real = getattr(rollups, moment)

        def dies(*args: Any, real: Any = real) -> None:
            real(*args)
            raise ConnectionError("killed here")

        monkeypatch.setattr(rollups, moment, dies)
        before = [stored(db, level) for level in ("minute", "hour", "day")]
        with pytest.raises(ConnectionError):
            rollups.step(NOW + HOUR)
        assert [stored(db, level) for level in ("minute", "hour", "day")] == before
        assert db.query("SELECT count(*) FROM rollup_dirty") == [(1,)], moment
    Rollups(db, CITY_ZONE).run(NOW + HOUR)
    all_rolled(db, writer.rows)


def test_several_workers_do_not_double(db: Database) -> None:
    rng, writer, stop = random.Random(3), Writer(db), threading.Event()
    wrong: list[Exception] = []

    def work() -> None:
        rollups = Rollups(db, CITY_ZONE, step_records=200)
        while not stop.is_set():
            try:
                rollups.step(NOW + HOUR)
            except StoreUnavailable:
                continue  # overtaken by another one: again
            except (psycopg2.Error, ArithmeticError) as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(30):
        writer.store(quarters(rng, 50, NOW, 20 * HOUR), NOW - n * MINUTE)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    Rollups(db, CITY_ZONE).run(NOW + HOUR)
    all_rolled(db, writer.rows)


def test_a_flush_under_way_is_not_forgotten(db: Database) -> None:
    """A step sees a transaction whole or not at all: what commits during it is left for the next one."""
    writer, rollups = Writer(db), Rollups(db, CITY_ZONE)
    writer.store([(1, 1, NOW, 1.0)], NOW)
    with db.transaction() as cursor:
        cursor.execute("INSERT INTO readings VALUES (1, 1, %s, 5.0, 1)", (NOW + timedelta(seconds=1),))
        cursor.execute("UPDATE ledger SET records_stored = records_stored + 1")
        done = rollups.run(NOW + HOUR)
        assert done.buckets == 1
    assert stored(db, "minute")[1, 1, begin_of("minute", NOW)][0] >= 1
    rollups.run(NOW + HOUR)
    all_rolled(db, [*writer.rows, (1, 1, NOW + timedelta(seconds=1), 5.0)])


def test_a_step_is_bounded(db: Database) -> None:
    if is_continuous(db):
        pytest.skip("aggregates: TimescaleDB decides")
    rng, writer = random.Random(4), Writer(db)
    for n in range(6):
        writer.store(quarters(rng, 100, NOW, HOUR), NOW + n * MINUTE)
    rollups = Rollups(db, CITY_ZONE, step_records=250)
    steps = [rollups.step(NOW + 10 * MINUTE)]
    while steps[-1].more:
        steps.append(rollups.step(NOW + 10 * MINUTE))
    assert [step.readings <= 250 for step in steps] == [True] * len(steps) and len(steps) >= 3
    assert sum(step.readings for step in steps) == len(writer.rows)


def test_days_follow_the_city_s_zone(db: Database) -> None:
    if is_continuous(db):
        pytest.skip("an aggregate's days are fixed when it is made")
    writer = Writer(db)
    writer.store(quarters(random.Random(5), 200, NOW, 100 * HOUR), NOW)
    Rollups(db, ZoneInfo("Europe/Lisbon")).run(NOW + HOUR)
    Rollups(db, CITY_ZONE).run(NOW + 2 * HOUR)
    all_rolled(db, writer.rows)
    with pytest.raises(ValueError, match="Asia/Kathmandu.*whole hours"):
        Rollups(db, ZoneInfo("Asia/Kathmandu")).step(NOW)


# -- any order -----------------------------------------------------------------------------------------------

RARE = st.integers(0, 60 * 24 * 9)
ACTION = st.one_of(
    st.tuples(
        st.just("store"),
        st.lists(
            st.tuples(
                st.integers(1, 2), st.integers(1, 2), st.one_of(st.integers(0, 4), RARE), st.integers(-8, 8)
            ),
            min_size=1,
            max_size=12,
        ),
    ),
    st.tuples(st.just("step"), st.integers(1, 40)),
    st.tuples(st.just("later"), st.integers(1, 60 * 30)),
)


@pytest.mark.parametrize("store", STORES)
@given(actions=st.lists(ACTION, min_size=1, max_size=14))
@settings(max_examples=40)
def test_any_order_of_readings_and_steps(
    template_of: Callable[[str], Any], shared: dict[str, Database], store: str, actions: list[Any]
) -> None:
    """Random readings, most of them new, some days late, and steps in between: the rollup is the aggregate of all,
    and at every moment an answer from it is that of the readings."""
    db = shared_store(template_of, shared, store)
    writer, now = Writer(db), NOW
    for what, given_ in actions:
        if what == "store":
            writer.store([(d, m, now - back * MINUTE, v / 4) for d, m, back, v in given_], now)
        elif what == "step":
            Rollups(db, CITY_ZONE, step_records=given_).step(now)
        else:
            now += given_ * MINUTE
    now += 2 * HOUR
    Rollups(db, CITY_ZONE, step_records=10).run(now)
    all_rolled(db, writer.rows)
    for device in (1, 2):
        mine = [row for row in writer.rows if row[:2] == (device, 1)]
        agrees(db, Signal(device, 1, 0.01), mine, now + MINUTE)


@pytest.fixture(scope="module")
def shared() -> Iterable[dict[str, Database]]:
    """One database per store for all examples: copying one for each would take longer than the examples."""
    opened: dict[str, Database] = {}
    yield opened
    for database in opened.values():
        database.close()


def shared_store(template_of: Callable[[str], Any], shared: dict[str, Database], store: str) -> Database:
    """The store of this kind, as if fresh."""
    if store not in shared:
        template = template_of(store)
        name = template.fresh()
        template.made.append(name)
        shared[store] = template.open(name)
    db = shared[store]
    tables = ["readings", "ledger", "rollup_dirty", "rollup_state"]
    if not is_continuous(db):
        tables += ["rollup_minute", "rollup_hour", "rollup_day"]
    for table in tables:
        db.query(f"DELETE FROM {table}")
    if is_continuous(db):
        with db.connect() as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for name in ("rollup_minute", "rollup_hour", "rollup_day"):
                    cursor.execute("CALL refresh_continuous_aggregate(%s, NULL, NULL)", (name,))
    return db


# -- what is asked of them -----------------------------------------------------------------------------------


def agrees(db: Database, signal: Signal, rows: Sequence[Row], until: datetime) -> None:
    """Series, statistics and gaps of windows of all lengths against the readings themselves."""
    port = StoredSeries(db)
    for days in (0.02, 2, 12):
        since = until - timedelta(days=days)
        # As frequent as makes each window one for another level.
        for period in (0.01, 60.0, 100_000.0):
            asked = Signal(signal.device_no, signal.metric_no, period)
            found = port.series(asked, since, until, 1500)
            inside = [row for row in rows if since <= row[2] < until]
            if found.level == "raw":
                assert [(p.time, p.value) for p in found.points] == sorted((r[2], r[3]) for r in inside)
            else:
                widened = [r for r in rows if begin_of(found.level, r[2]) >= begin_of(found.level, since)]
                expected: dict[int, list[float]] = defaultdict(list)
                for row in widened:
                    width = found.bucket_s
                    offset = (row[2] - begin_of(found.level, since)).total_seconds()
                    expected[int(offset // width)].append(row[3])
                assert [(p.value, p.low, p.high) for p in found.points] == [
                    (sum(v) / len(v), min(v), max(v)) for _, v in sorted(expected.items())
                ], (found.level, days)
            totals = port.statistics(asked, since, until)
            counted = [r[3] for r in rows if totals.since <= r[2] < totals.until]
            assert totals.since <= since < until <= totals.until
            assert (totals.count, totals.low, totals.high) == (
                len(counted), min(counted, default=None), max(counted, default=None),
            )  # fmt: skip
            assert totals.mean == (sum(counted) / len(counted) if counted else None)
        for longest in (20.0, 90.0, 3600.0, 90_000.0):
            times = [since, *sorted(r[2] for r in inside), until]
            expected_gaps = [
                (a, b) for a, b in zip(times, times[1:], strict=False) if (b - a).total_seconds() > longest
            ]
            gaps = port.gaps(signal, since, until, longest, 10_000)
            assert [(g.begin, g.end) for g in gaps] == expected_gaps, longest


def test_answers_are_right_whatever_the_rollup_has_done(db: Database) -> None:
    rng, writer, rollups = random.Random(6), Writer(db), Rollups(db, CITY_ZONE)
    for n in range(240, 0, -30):
        at = NOW - n * HOUR
        writer.store([(1, 1, at + k * MINUTE, k / 4) for k in range(25)], at + 25 * MINUTE)
    mine = writer.rows
    agrees(db, Signal(1, 1, 60.0), mine, NOW)
    rollups.run(NOW - HOUR)
    agrees(db, Signal(1, 1, 60.0), mine, NOW)
    for k in range(200, -1, -20):
        now = NOW - k * timedelta(seconds=9)
        writer.store([(1, 1, now - j * timedelta(seconds=9), rng.randint(0, 40) / 4) for j in range(20)], now)
    agrees(db, Signal(1, 1, 60.0), writer.rows, NOW)
    rollups.run(NOW)
    agrees(db, Signal(1, 1, 60.0), writer.rows, NOW + MINUTE)


def test_a_chart_is_thinned_and_keeps_its_extremes(db: Database) -> None:
    writer = Writer(db)
    rows = [(1, 1, NOW - k * timedelta(seconds=10), (k % 7) / 4) for k in range(4000)]
    rows[1234] = (1, 1, rows[1234][2], 99.0)
    writer.store(rows, NOW)
    port = StoredSeries(db)
    raw = port.series(Signal(1, 1, 10.0), NOW - 12 * HOUR, NOW + MINUTE, 300)
    assert raw.level == "raw" and 250 < len(raw.points) <= 300
    assert max(p.value for p in raw.points) == 99.0
    assert [p.time for p in raw.points] == sorted(p.time for p in raw.points)
    rolled = port.series(Signal(1, 1, 1.0), NOW - 12 * HOUR, NOW + MINUTE, 300)
    assert rolled.level == "minute" and rolled.bucket_s == 180 and len(rolled.points) <= 300
    assert max(p.high for p in rolled.points) == 99.0


def test_p95_says_what_it_is(db: Database) -> None:
    writer, rollups, port = Writer(db), Rollups(db, CITY_ZONE), StoredSeries(db)
    writer.store([(1, 1, NOW - k * MINUTE, float(k)) for k in range(100)], NOW)
    rollups.run(NOW + HOUR)
    exact = port.statistics(Signal(1, 1, 60.0), NOW - 99 * MINUTE, NOW + MINUTE)
    assert exact == Statistics("raw", NOW - 99 * MINUTE, NOW + MINUTE, 100, 49.5, 0.0, 99.0, 94.0, True)
    rolled = port.statistics(Signal(1, 1, 0.01), NOW - 99 * MINUTE, NOW + MINUTE)
    assert (rolled.level, rolled.p95, rolled.p95_exact) == ("minute", 94.0, False)


def test_averages_of_many_devices(db: Database) -> None:
    writer, rollups, port = Writer(db), Rollups(db, CITY_ZONE), StoredSeries(db)
    writer.store(quarters(random.Random(7), 500, NOW, 50 * HOUR), NOW)
    for now in (NOW - 30 * HOUR, NOW + MINUTE):
        rollups.run(now)
        for scope, devices in ((None, {1, 2, 3, 4}), (("d.id IN (%s, %s)", ["WL-1", "AQ-1"]), {1, 3})):
            level, found = port.averages(1, scope, NOW - 40 * HOUR, NOW + MINUTE)
            expected: dict[datetime, list[float]] = defaultdict(list)
            for device, metric, time, value in writer.rows:
                hour = begin_of("hour", time)
                if device in devices and metric == 1 and hour >= begin_of("hour", NOW - 40 * HOUR):
                    expected[hour].append(value)
            assert level == "hour" and [(a.time, a.value, a.readings) for a in found] == [
                (hour, sum(v) / len(v), len(v)) for hour, v in sorted(expected.items())
            ]


# -- retention -----------------------------------------------------------------------------------------------


class NoBus:
    """A bus that holds nothing: only ledger against store is looked at."""

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        return {}

    def offsets_at(self, partition: TopicPartition, times_ms: list[int]) -> list[int]:
        return [0] * len(times_ms)


def mismatches(db: Database, now: datetime) -> list[Any]:
    return list(Reconciler(db, NoBus).run(now, whole=True))


def test_dropped_readings_are_rolled_up_and_not_missed(db: Database) -> None:
    rng, writer, rollups = random.Random(8), Writer(db), Rollups(db, CITY_ZONE)
    for days in range(60, -1, -5):
        at = NOW - days * DAY
        writer.store(quarters(rng, 80, at, 3 * DAY), at)
    db.query("UPDATE ledger SET stored = records_stored")
    retention = Retention(db, rollups, 30 * DAY)
    assert retention.step(NOW) is None, "nothing goes before it is rolled up"
    assert Retention(db, rollups, None).step(NOW) is None
    rollups.run(NOW + 2 * MINUTE)
    assert mismatches(db, NOW) == []
    gone = []
    while (chunk := retention.step(NOW)) is not None:
        gone.append(chunk)
    assert len(gone) >= 4 and all(chunk.end <= NOW - 30 * DAY for chunk in gone)
    left = db.query("SELECT count(*), min(time) FROM readings")[0]
    assert 0 < left[0] < len(writer.rows) and left[1] >= gone[-1].end
    assert mismatches(db, NOW) == [], "what was dropped is booked"
    all_rolled(db, writer.rows)
    with db.transaction() as cursor:
        assert min(c.begin for c in chunks(cursor, "readings")) >= gone[-1].end
        assert state_of(cursor).raw_from == gone[-1].end
    mine = [row for row in writer.rows if row[:2] == (1, 1)]
    long = StoredSeries(db).statistics(Signal(1, 1, 3600.0), NOW - 70 * DAY, NOW)
    assert long.level != "raw" and long.count == len([r for r in mine if r[2] >= long.since])
    # An import of that past: added to the buckets when its chunk goes again.
    before = len(writer.rows)
    writer.store(quarters(rng, 50, NOW - 55 * DAY, 4 * DAY), NOW)
    rollups.run(NOW + HOUR)
    while retention.step(NOW + HOUR) is not None:
        pass
    db.query("UPDATE ledger SET stored = records_stored")
    assert mismatches(db, NOW + HOUR) == []
    if not is_continuous(db):
        assert len(writer.rows) == before + 50
        all_rolled(db, writer.rows)


def test_a_real_loss_is_still_found_after_a_drop(db: Database) -> None:
    writer, rollups = Writer(db), Rollups(db, CITY_ZONE)
    writer.store([(1, 1, NOW - 60 * DAY, 1.0), (1, 1, NOW, 2.0), (1, 1, NOW - HOUR, 3.0)], NOW)
    db.query("UPDATE ledger SET stored = records_stored")
    rollups.run(NOW + HOUR)
    assert Retention(db, rollups, 30 * DAY).step(NOW) is not None
    assert mismatches(db, NOW) == []
    db.query("DELETE FROM readings WHERE time = %s", (NOW,))
    assert [(m.kind, m.expected, m.found) for m in mismatches(db, NOW)] == [("ledger_vs_store", 2, 1)]


def test_compression_is_a_policy_where_there_is_one(db: Database) -> None:
    assert compress_after(db, 14) == (edition(db) == COMMUNITY)
    if edition(db) == COMMUNITY:
        jobs = db.query(
            "SELECT config FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'"
        )
        assert len(jobs) == 1
        assert compress_after(db, 0) and db.query(
            "SELECT 1 FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'"
        ) == []  # fmt: skip


def test_the_relay_rolls_up_and_drops(city: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of `app.py relay`, on settings that keep five days."""
    writer = Writer(city)
    writer.store([(1, 1, NOW, 1.0)], NOW)
    writer.store([(1, 1, NOW - 30 * DAY, 2.0)], NOW)
    monkeypatch.setattr(app, "clock", lambda: NOW + 2 * MINUTE)
    parts = SimpleNamespace(database=city, store_away=(StoreUnavailable,))
    stop = threading.Event()
    thread = threading.Thread(
        target=app.roll_up, args=(settings_of({"CHENGYUN_KEEP_RAW_DAYS": "5"}), parts, stop, lambda: 0)
    )
    thread.start()
    try:
        until = monotonic() + 60
        while city.query("SELECT count(*) FROM readings") != [(1,)]:
            assert thread.is_alive() and monotonic() < until
            stop.wait(0.05)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    all_rolled(city, writer.rows)


@pytest.mark.parametrize("name", ["CHENGYUN_KEEP_RAW_DAYS", "CHENGYUN_COMPRESS_AFTER_DAYS"])
def test_nothing_is_put_away_before_it_may_come_late(name: str) -> None:
    assert settings_of({name: "3.1"}) and settings_of({name: "0"})
    with pytest.raises(BadSetting, match=f"{name}='3': must be 0 or more than the 72 h"):
        settings_of({name: "3"})


def test_runs() -> None:
    assert list(runs([1, 2, 60, 200, 201, 900])) == [(1, 60), (200, 201), (900, 900)]


# -- asked by an actor ---------------------------------------------------------------------------------------


def test_everybody_is_answered_for_his_areas(db: Database) -> None:
    """WL-1 and AQ-1 stand in VILLAGE, WL-2 and AQ-2 in the next one."""
    writer, door = Writer(db), service(db)
    db.query("UPDATE devices SET expected_period_s = 60")
    at = service_now()
    for device, value in ((1, 1.0), (2, 3.0)):
        writer.store([(device, 1, at - k * MINUTE, value) for k in range(120) if not 30 < k < 50], at)
    Rollups(db, CITY_ZONE).run(at + 2 * MINUTE)
    whole, village = actor("operator"), actor("operator", VILLAGE)
    latest = door.ask(LatestReadings("level"), whole)
    assert [(row["id"], row["value"], row["time"]) for row in latest["rows"]] == [
        ("WL-1", 1.0, at.timestamp() * 1000),
        ("WL-2", 3.0, at.timestamp() * 1000),
    ]
    assert [row["id"] for row in door.ask(LatestReadings("level"), village)["rows"]] == ["WL-1"]
    assert [row["id"] for row in door.ask(LatestReadings("level", NEXT_VILLAGE), whole)["rows"]] == ["WL-2"]
    assert door.ask(LatestReadings("level", NEXT_VILLAGE), village)["rows"] == []
    for person, area, mean, counted in (
        (whole, "", 2.0, 202), (whole, CITY, 2.0, 202), (village, "", 1.0, 101), (whole, NEXT_VILLAGE, 3.0, 101),
        (village, CITY, 1.0, 101),
    ):  # fmt: skip
        history = door.ask(MetricHistory("level", 4.0, None, area), person)
        assert history["level"] == "hour" and set(history["v"]) == {mean} and sum(history["n"]) == counted
    assert door.ask(MetricHistory("level", 4.0, None, NEXT_VILLAGE), village)["t"] == []
    for query in (DeviceSeries, DeviceStatistics, DeviceGaps):
        with pytest.raises(Rejected, match="outside"):
            door.ask(query("WL-2", "level"), village)
        with pytest.raises(Rejected, match="no such metric"):
            door.ask(query("WL-1", "no"), village)
        with pytest.raises(Rejected, match="until=.*time zone"):
            door.ask(query("WL-1", "level", 1.0, datetime(2026, 1, 1)), village)
    curve = door.ask(DeviceSeries("WL-1", "level", 3.0), village)
    assert curve["level"] == "raw" and len(curve["t"]) == 101 and curve["low"] == curve["high"] == curve["v"]
    long = door.ask(DeviceSeries("WL-1", "level", 24.0 * 40), village)
    assert long["level"] == "hour" and set(long["v"]) == {1.0} and long["bucket_s"] == 3600
    totals = door.ask(DeviceStatistics("WL-1", "level", 2.5), village)
    assert (totals["count"], totals["mean"], totals["p95"], totals["p95_exact"]) == (101, 1.0, 1.0, True)
    assert door.ask(Status(), whole)["rollup"]["waiting"] == 0
    gaps = door.ask(DeviceGaps("WL-1", "level", 1.9, at), village)
    assert gaps["longest_s"] == 180 and [row["seconds"] for row in gaps["rows"]] == [20 * 60]


def service_now() -> datetime:
    """The minute that has just begun for `service`, whose clock is NOW of the store's tests."""
    return STORE_NOW.replace(second=0, microsecond=0)
