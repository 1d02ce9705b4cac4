"""Rollups of readings per minute, hour and day, kept up in bounded steps (docs/adr/0015).

What has to be rolled up is noted by the ledger itself (`rollup_dirty`, migration 0010), in the transaction that stores
it. A step takes the noted ledger rows, finds the readings that carry their ids, and computes every bucket that these
touch anew from all its readings: done twice, or again after a crash, it gives the same. A row that came late is one
more touched bucket, whatever its age. On the community edition continuous aggregates do the same work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import psycopg2.errors

from data.database import Cursor, Database
from data.locks import Lock
from data.reconcile import READING_TOPICS
from data.timeseries import Partitions, continuous

SLACK: Final = timedelta(minutes=2)
"""What is this young is always read raw: most of a minute's readings arrive after it has begun to be rolled up."""

STEP_RECORDS: Final = 300_000
"""A step takes ledger rows until they hold more readings than this (one at least)."""

MOST_LEDGER_ROWS: Final = 2_000
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)

COLUMNS: Final = "device_no, metric_no, time, n, sum, min, max, first, first_at, last, last_at"

OF_READINGS: Final = (
    "count(*)::int AS n, sum(value) AS sum, min(value) AS min, max(value) AS max,"
    " (array_agg(value ORDER BY time))[1] AS first, min(time) AS first_at,"
    " (array_agg(value ORDER BY time))[count(*)::int] AS last, max(time) AS last_at"
)
"""A bucket of readings."""

OF_BUCKETS: Final = (
    "sum(n)::int AS n, sum(sum) AS sum, min(min) AS min, max(max) AS max,"
    " (array_agg(first ORDER BY first_at))[1] AS first, min(first_at) AS first_at,"
    " (array_agg(last ORDER BY last_at DESC))[1] AS last, max(last_at) AS last_at"
)
"""A bucket of smaller buckets."""


@dataclass(frozen=True, slots=True)
class State:
    """See `rollup_state`; where nothing was rolled up yet, all is of 1970: everything is read raw."""

    settled: datetime
    hours_until: datetime
    days_until: datetime
    raw_from: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did: readings looked at, minute buckets computed; `more`: another one has work at once."""

    readings: int
    buckets: int
    more: bool


NOTHING: Final = Step(0, 0, False)
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ALWAYS: Final = datetime(9999, 1, 1, tzinfo=UTC)
NEVER_RUN: Final = State(_NEVER, _NEVER, _NEVER, _NEVER, "UTC")


def state_of(cursor: Cursor) -> State:
    """How far the rollups reach; on the community edition the aggregates answer for what is not yet in them."""
    cursor.execute("SELECT settled, hours_until, days_until, raw_from, zone FROM rollup_state")
    row = cursor.fetchone()
    state = State(*row) if row else NEVER_RUN
    if continuous(cursor):
        return replace(state, settled=_ALWAYS, hours_until=_ALWAYS, days_until=_ALWAYS)
    if state.settled < state.hours_until:  # the first steps are still under way
        return replace(state, settled=_NEVER, hours_until=_NEVER, days_until=_NEVER)
    return state


class _Busy(Exception):
    """Another worker is at it."""


class Rollups:
    """The rollup's work, one step at a time; several may run, one of them works. Not thread-safe.

    `zone`: the city's, by which a day begins; days are summed from hours, so that it must be whole hours from UTC.
    """

    def __init__(self, database: Database, zone: ZoneInfo, step_records: int = STEP_RECORDS) -> None:
        self._database = database
        self._zone = zone
        self._step_records = step_records
        self._partitions = Partitions()
        self._inserted: dict[str, int] = {}

    def step(self, now: datetime) -> Step:
        """One bounded step; NOTHING when another worker is at it. Raises StoreUnavailable: nothing was done."""
        if now.astimezone(self._zone).utcoffset().total_seconds() % 3600:  # type: ignore[union-attr]
            raise ValueError(
                f"zone={self._zone.key!r}: must be whole hours from UTC (days are summed from hours)"
            )
        with self._database.transaction() as cursor:
            aggregates = continuous(cursor)
        if aggregates:
            return self._refresh(now)
        self._summarize()
        try:
            with self._database.transaction() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                try:
                    # Before the snapshot is taken, so that it holds what the last worker did.
                    cursor.execute("LOCK TABLE rollup_state IN SHARE UPDATE EXCLUSIVE MODE NOWAIT")
                except psycopg2.errors.LockNotAvailable:
                    raise _Busy from None
                cursor.execute("SET LOCAL jit = off; SET LOCAL work_mem = '64MB'")
                return self._step(cursor, now)
        except _Busy:
            return NOTHING
        finally:
            self._partitions.forget()

    def run(self, now: datetime) -> Step:
        """Steps until nothing is left; their sum."""
        total = NOTHING
        while True:
            done = self.step(now)
            total = Step(total.readings + done.readings, total.buckets + done.buckets, False)
            if not done.more:
                return total

    # -- our own rollup --------------------------------------------------------------------------------------

    def _step(self, cursor: Cursor, now: datetime) -> Step:
        closed = now.astimezone(UTC).replace(second=0, microsecond=0)
        state = self._state(cursor, now)
        taken, more = self._take(cursor, closed)
        buckets, readings = 0, 0
        if taken:
            readings = sum(records for _, records in taken)
            buckets = self._minutes(cursor, [number for number, records in taken if records], state)
            cursor.execute(
                "DELETE FROM rollup_dirty WHERE ledger_id = ANY(%s)", ([number for number, _ in taken],)
            )
        if not more:
            state = replace(state, settled=max(state.settled, closed - SLACK))
            state, more = self._close(cursor, state)
        cursor.execute(
            "UPDATE rollup_state SET settled = %s, hours_until = %s, days_until = %s, zone = %s",
            (state.settled, state.hours_until, state.days_until, state.zone),
        )
        return Step(readings, buckets, more)

    def _state(self, cursor: Cursor, now: datetime, own: bool = True) -> State:
        """How far we are; the row is made when there is none. `own`: days are ours, not an aggregate's."""
        cursor.execute("SELECT settled, hours_until, days_until, raw_from, zone FROM rollup_state")
        row = cursor.fetchone()
        if row is None:
            hour = (now.astimezone(UTC) - SLACK - _MINUTE).replace(minute=0, second=0, microsecond=0)
            state = State(_NEVER, hour, self._day(hour), _NEVER, self._zone.key)
            cursor.execute(
                "INSERT INTO rollup_state (settled, hours_until, days_until, raw_from, zone) VALUES (%s, %s, %s, %s, %s)",
                (state.settled, state.hours_until, state.days_until, state.raw_from, state.zone),
            )
            return state
        state = State(*row)
        if own and state.zone != self._zone.key:
            # The city's days begin at another moment now.
            state = replace(state, zone=self._zone.key, days_until=self._day(state.hours_until))
            cursor.execute("DELETE FROM rollup_day")
            cursor.execute(
                f"INSERT INTO rollup_day ({COLUMNS}) SELECT device_no, metric_no, date_trunc('day', time, %s) AS day,"
                f" {OF_BUCKETS} FROM rollup_hour WHERE time < %s GROUP BY device_no, metric_no, day",
                (state.zone, state.days_until),
            )
        return state

    def _day(self, moment: datetime) -> datetime:
        return (
            moment.astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        )

    def _take(self, cursor: Cursor, closed: datetime) -> tuple[list[tuple[int, int]], bool]:
        """(noted ledger rows with their numbers of readings, whether some are left for another step).

        The row of the present minute still grows; its readings wait until the minute is over. (One that is further
        ahead is of a broker whose clock is.)
        """
        cursor.execute(
            "SELECT l.id, CASE WHEN l.topic = ANY(%(topics)s) THEN l.records_stored ELSE 0 END FROM ledger l"
            " WHERE l.id IN (SELECT ledger_id FROM rollup_dirty) AND NOT (l.minute >= %(closed)s"
            " AND l.minute <= %(closed)s + interval '1 minute') ORDER BY l.id LIMIT %(most)s",
            {"topics": list(READING_TOPICS), "closed": closed, "most": MOST_LEDGER_ROWS + 1},
        )
        found = cursor.fetchall()
        taken: list[tuple[int, int]] = []
        total = 0
        for number, records in found[:MOST_LEDGER_ROWS]:
            if taken and total + records > self._step_records:
                break
            taken.append((number, records))
            total += records
        return taken, len(taken) < len(found)

    def _minutes(self, cursor: Cursor, ledger: Sequence[int], state: State) -> int:
        """Compute the buckets that the readings of these ledger rows touch; how many minutes that were."""
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS touched (device_no int, metric_no smallint, time timestamptz)"
            " ON COMMIT DELETE ROWS"
        )
        if not ledger:
            return 0
        # Rows lie in the order of their ledger rows: the BRIN index finds them, nothing else could.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        for begin, end in runs(ledger):
            cursor.execute(
                "INSERT INTO touched SELECT DISTINCT device_no, metric_no, date_trunc('minute', time) FROM readings"
                " WHERE ledger_id BETWEEN %s AND %s AND ledger_id = ANY(%s) AND time >= %s",
                (begin, end, list(ledger), state.raw_from),
            )
        # What one device has is found by the key; of a chunk without statistics a plan may think otherwise.
        cursor.execute(
            "SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = off"
        )
        count = self._compute(cursor, state)
        cursor.execute("SET LOCAL enable_bitmapscan = on")
        return count

    def _compute(self, cursor: Cursor, state: State) -> int:
        """Minutes of `touched` from their readings; of what changed the hours that are over, then their days."""
        cursor.execute("SELECT count(*), min(time), max(time) FROM touched")
        count, first, last = cursor.fetchone() or (0, None, None)
        if not count:
            return 0
        self._cover(cursor, "rollup_minute", "SELECT DISTINCT date_trunc('week', time) FROM touched")
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS changed (device_no int, metric_no smallint, time timestamptz)"
            " ON COMMIT DELETE ROWS"
        )
        cursor.execute("DELETE FROM changed")
        cursor.execute(
            "WITH made AS ("
            + _upsert(
                "rollup_minute",
                _grouped(
                    "readings",
                    "touched",
                    "date_trunc('minute', time)",
                    OF_READINGS,
                    "k.run_end + interval '1 minute'",
                    0,
                ),
            )
            + " RETURNING device_no, metric_no, time)"
            " INSERT INTO changed SELECT DISTINCT device_no, metric_no, date_trunc('hour', time) FROM made"
            " WHERE time < %(hours_until)s",
            {"first": first, "end": last + _MINUTE, "hours_until": state.hours_until},
        )
        self._hours_and_days(cursor, state)
        return int(count)

    def _hours_and_days(self, cursor: Cursor, state: State) -> None:
        """Hours of `changed` from their minutes, the days of these (those that are over) from their hours."""
        cursor.execute("SELECT min(time), max(time) FROM changed")
        first, last = cursor.fetchone() or (None, None)
        if first is None:
            return
        self._cover(cursor, "rollup_hour", "SELECT DISTINCT date_trunc('week', time) FROM changed")
        cursor.execute(
            _upsert(
                "rollup_hour",
                _grouped(
                    "rollup_minute",
                    "changed",
                    "date_trunc('hour', time)",
                    OF_BUCKETS,
                    "k.run_end + interval '1 hour'",
                    60,
                ),
            ),
            {"first": first, "end": last + _HOUR},
        )
        days = (
            "(SELECT DISTINCT device_no, metric_no, date_trunc('day', time, %(zone)s) AS time FROM changed"
            " WHERE time < %(days_until)s)"
        )
        cursor.execute(
            _upsert(
                "rollup_day",
                _grouped(
                    "rollup_hour",
                    days,
                    "date_trunc('day', time, %(zone)s)",
                    OF_BUCKETS,
                    "(k.run_end AT TIME ZONE %(zone)s + interval '1 day') AT TIME ZONE %(zone)s",
                    3600,
                ),
            ),
            {
                "zone": state.zone,
                "days_until": state.days_until,
                "first": self._day(first),
                "end": min(state.days_until, self._day(last + timedelta(hours=30))),
            },
        )

    def _close(self, cursor: Cursor, state: State) -> tuple[State, bool]:
        """Sum the next hour that is over, and the day that ends with it; whether another one waits."""
        if state.hours_until + 2 * _HOUR <= state.settled and not self._any(cursor, state.hours_until):
            # Nothing was measured for a while: go on where there is something.
            cursor.execute("SELECT min(time) FROM rollup_minute WHERE time >= %s", (state.hours_until,))
            row = cursor.fetchone()
            found = min(row[0], state.settled) if row and row[0] else state.settled
            state = replace(state, hours_until=found.replace(minute=0, second=0, microsecond=0))
        if state.hours_until + _HOUR <= state.settled:
            begin, end = state.hours_until, state.hours_until + _HOUR
            self._partitions.cover(cursor, "rollup_hour", [begin.timestamp()])
            cursor.execute(
                _upsert(
                    "rollup_hour",
                    f"SELECT device_no, metric_no, %(begin)s::timestamptz, {OF_BUCKETS} FROM rollup_minute"
                    " WHERE time >= %(begin)s AND time < %(end)s GROUP BY device_no, metric_no",
                ),
                {"begin": begin, "end": end},
            )
            state = replace(state, hours_until=end)
        day = self._day(state.days_until + timedelta(hours=30))
        while day <= state.hours_until:
            cursor.execute(
                _upsert(
                    "rollup_day",
                    f"SELECT device_no, metric_no, %(begin)s::timestamptz, {OF_BUCKETS} FROM rollup_hour"
                    " WHERE time >= %(begin)s AND time < %(end)s GROUP BY device_no, metric_no",
                ),
                {"begin": state.days_until, "end": day},
            )
            state = replace(state, days_until=day)
            day = self._day(day + timedelta(hours=30))
        return state, state.hours_until + _HOUR <= state.settled

    def _any(self, cursor: Cursor, hour: datetime) -> bool:
        cursor.execute(
            "SELECT 1 FROM rollup_minute WHERE time >= %s AND time < %s LIMIT 1", (hour, hour + _HOUR)
        )
        return cursor.fetchone() is not None

    def _cover(self, cursor: Cursor, table: str, weeks: str) -> None:
        cursor.execute(weeks)
        self._partitions.cover(cursor, table, [week.timestamp() for (week,) in cursor.fetchall()])

    def _summarize(self) -> None:
        """Let the BRIN indexes know of the pages that were written last; what they do not know they must read."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT i.indexrelid::regclass::text, coalesce(s.n_tup_ins, 0) FROM pg_inherits h"
                " JOIN pg_index i ON i.indrelid = h.inhrelid JOIN pg_class x ON x.oid = i.indexrelid"
                " JOIN pg_am m ON m.oid = x.relam AND m.amname = 'brin'"
                " LEFT JOIN pg_stat_user_tables s ON s.relid = h.inhrelid WHERE h.inhparent = ANY(%s::regclass[])",
                (["readings", "rollup_minute", "rollup_hour"],),
            )
            grown = {name: n for name, n in cursor.fetchall() if self._inserted.get(name, 0) != n}
        for name in grown:
            self._database.query("SELECT brin_summarize_new_values(%s::regclass)", (name,))
        self._inserted.update(grown)

    # -- retention's part ------------------------------------------------------------------------------------

    def merge(self, cursor: Cursor, table: str, state: State) -> None:
        """Add the readings of `table`, a chunk of times whose readings were dropped before, to what their buckets
        hold. Only right when `table` is dropped in the same transaction."""
        self._cover(cursor, "rollup_minute", f"SELECT DISTINCT date_trunc('week', time) FROM {table}")
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS changed (device_no int, metric_no smallint, time timestamptz)"
            " ON COMMIT DELETE ROWS"
        )
        cursor.execute("DELETE FROM changed")
        earlier, later = "EXCLUDED.first_at < old.first_at", "EXCLUDED.last_at > old.last_at"
        cursor.execute(
            f"WITH made AS (INSERT INTO rollup_minute AS old ({COLUMNS}) SELECT device_no, metric_no,"
            f" date_trunc('minute', time) AS minute, {OF_READINGS} FROM {table} GROUP BY 1, 2, 3"
            " ON CONFLICT (device_no, metric_no, time) DO UPDATE SET n = old.n + EXCLUDED.n, sum = old.sum + EXCLUDED.sum,"
            " min = least(old.min, EXCLUDED.min), max = greatest(old.max, EXCLUDED.max),"
            f" first = CASE WHEN {earlier} THEN EXCLUDED.first ELSE old.first END,"
            " first_at = least(old.first_at, EXCLUDED.first_at),"
            f" last = CASE WHEN {later} THEN EXCLUDED.last ELSE old.last END,"
            " last_at = greatest(old.last_at, EXCLUDED.last_at) RETURNING device_no, metric_no, time)"
            " INSERT INTO changed SELECT DISTINCT device_no, metric_no, date_trunc('hour', time) FROM made"
        )
        self._hours_and_days(cursor, state)

    # -- continuous aggregates -------------------------------------------------------------------------------

    def _refresh(self, now: datetime) -> Step:
        """Let TimescaleDB bring its aggregates up to date: it has noted itself which buckets changed."""
        closed = now.astimezone(UTC).replace(second=0, microsecond=0)
        connection = self._database.connect()
        try:
            connection.autocommit = True  # a refresh commits by itself
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", (Lock.ROLLUP,))
                row = cursor.fetchone()
                if not row or not row[0]:
                    return NOTHING
                cursor.execute("SELECT ctid::text FROM rollup_dirty LIMIT 100000")
                notes = [note for (note,) in cursor.fetchall()]
                raw_from = self._state(cursor, now, own=False).raw_from
                if not notes:
                    return NOTHING
                for name in ("rollup_minute", "rollup_hour", "rollup_day"):
                    # Never below `raw_from`: what was rolled up of dropped readings would be dropped as well.
                    cursor.execute(
                        "CALL refresh_continuous_aggregate(%s, %s::timestamptz, %s::timestamptz)",
                        (name, raw_from if raw_from > _NEVER else None, closed),
                    )
                cursor.execute("DELETE FROM rollup_dirty WHERE ctid = ANY(%s::tid[])", (notes,))
                return Step(0, len(notes), False)
        finally:
            connection.close()


def runs(numbers: Sequence[int], gap: int = 64) -> Iterator[tuple[int, int]]:
    """(first, last) of the runs of ascending numbers that lie at most `gap` apart."""
    begin = end = numbers[0]
    for number in numbers[1:]:
        if number - end > gap:
            yield begin, end
            begin = number
        end = number
    yield begin, end


def _upsert(table: str, rows: str) -> str:
    """INSERT of computed buckets. Readings are only ever added: equally many are the same ones."""
    return (
        f"INSERT INTO {table} ({COLUMNS}) {rows} ON CONFLICT (device_no, metric_no, time) DO UPDATE SET n = EXCLUDED.n,"
        " sum = EXCLUDED.sum, min = EXCLUDED.min, max = EXCLUDED.max, first = EXCLUDED.first,"
        " first_at = EXCLUDED.first_at, last = EXCLUDED.last, last_at = EXCLUDED.last_at"
        f" WHERE {table}.n <> EXCLUDED.n"
    )


LOOKUP_ROWS: Final = 20
"""One index lookup costs about as much as reading this many rows on the way."""


def _grouped(source: str, keys: str, bucket: str, columns: str, end: str, source_s: int) -> str:
    """SELECT of the buckets of `keys` (device, metric, begin), each computed from all of its rows in `source`. `end`:
    of the last bucket of a run.

    Keys of one device and metric that lie close to one another are read in one go, with the few rows between them (a
    bucket more that is computed anew stays as it is): an import of the past is not looked up bucket by bucket. What is
    close is said by how often the device measures, or `source` has a row. Needs the bounds `first` and `end` of all.
    """
    near = f"{LOOKUP_ROWS} * greatest(coalesce(d.expected_period_s, 0), {source_s}, 1) * interval '1 second'"
    runs_ = (
        "SELECT device_no, metric_no, min(time) AS run_begin, max(time) AS run_end FROM"
        " (SELECT *, sum(far) OVER (PARTITION BY device_no, metric_no ORDER BY time) AS run FROM"
        " (SELECT k.device_no, k.metric_no, k.time, (k.time - lag(k.time) OVER (PARTITION BY k.device_no, k.metric_no"
        f" ORDER BY k.time) > {near})::int AS far FROM (SELECT DISTINCT device_no, metric_no, time FROM {keys} given) k"
        " LEFT JOIN devices d ON d.no = k.device_no) marked) numbered GROUP BY device_no, metric_no, run"
    )
    return (
        f"SELECT k.device_no, k.metric_no, a.* FROM ({runs_} ORDER BY 1, 2, 3) k, LATERAL (SELECT {bucket} AS bucket,"
        f" {columns} FROM {source} s WHERE s.device_no = k.device_no AND s.metric_no = k.metric_no"
        f" AND s.time >= k.run_begin AND s.time < {end} AND s.time >= %(first)s AND s.time < %(end)s"
        " GROUP BY bucket) a"
    )
