"""The store's side of a flush (step 5 of `streams/flush.py`): one transaction, idempotent, fenced."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import psycopg2.errors
import structlog

from data.database import Cursor, Database, json, many
from data.enforcement_store import store_cases
from data.known_messages import tell_apart
from data.registry import load_registry, registry_version
from data.timeseries import Partitions
from incidents.ingest import Fenced, Flush, Registry
from incidents.ports import TopicPartition
from incidents.warning import RuleState

log = structlog.get_logger()

LedgerKey = tuple[str, int, datetime, str]
"""(topic, partition, minute, feed)."""


class FlushStore:
    """`IngestStore` on PostgreSQL or TimescaleDB. One per consumer; not thread-safe."""

    def __init__(self, database: Database, dead_letters_kept: int = 1000) -> None:
        """`dead_letters_kept`: per feed, partition and minute; more are only counted."""
        self._database = database
        self._dead_letters_kept = dead_letters_kept
        self._partitions = Partitions()
        self._ledger_ids: dict[LedgerKey, int] = {}

    def registry(self, known: int) -> Registry | None:
        """See IngestStore."""
        if registry_version(self._database) == known:
            return None
        return load_registry(self._database)

    def positions(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """See IngestStore."""
        rows = self._database.query("SELECT topic, partition, position FROM partition_positions")
        found = {TopicPartition(topic, number): position for topic, number, position in rows}
        return {partition: found[partition] for partition in partitions if partition in found}

    def begin(self, partition: TopicPartition, first: int) -> int:
        """See IngestStore."""
        row = self._database.query(
            "INSERT INTO partition_positions (topic, partition, start, position) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (topic, partition) DO UPDATE SET topic = EXCLUDED.topic RETURNING position",
            (partition.topic, partition.partition, first, first),
        )
        return int(row[0][0])

    def latest(self, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[datetime, float]]:
        """See IngestStore."""
        rows = self._database.query(
            "SELECT p.device, p.metric, r.time, r.value FROM unnest(%s::int[], %s::smallint[])"
            " AS p(device, metric), LATERAL (SELECT time, value FROM readings WHERE device_no = p.device"
            " AND metric_no = p.metric ORDER BY time DESC LIMIT 1) r",
            ([pair[0] for pair in pairs], [pair[1] for pair in pairs]),
        )
        return {(device, metric): (time, value) for device, metric, time, value in rows}

    def rule_states(self, devices: Sequence[int]) -> dict[tuple[str, int, int], RuleState]:
        """See IngestStore."""
        rows = self._database.query(
            "SELECT rule, version, device_no, since, raised, last_time, warning_id FROM rule_states"
            " WHERE device_no = ANY(%s)",
            (list(devices),),
        )
        return {
            (rule, version, device): RuleState(since, raised, last_time, warning)
            for rule, version, device, since, raised, last_time, warning in rows
        }

    def flush(self, flush: Flush) -> None:
        """See IngestStore."""
        made: dict[LedgerKey, int] = {}
        try:
            with self._database.transaction() as cursor:
                _fence(cursor, flush)
                ledger = self._ledger(cursor, flush, made)
                self._store_readings(cursor, flush, ledger)
                self._store_places(cursor, flush, ledger)
                _store_intake(cursor, flush, ledger)
                store_cases(cursor, flush, ledger)
                _store_warnings(cursor, flush)
                _store_rule_states(cursor, flush)
                _store_dead_letters(cursor, flush, ledger, self._dead_letters_kept)
                _store_held(cursor, flush, ledger)
                _count(cursor, flush, ledger)
        except BaseException:
            self._partitions.forget()
            raise
        self._ledger_ids.update(made)
        if len(self._ledger_ids) > 20_000:
            self._ledger_ids.clear()

    def _ledger(self, cursor: Cursor, flush: Flush, made: dict[LedgerKey, int]) -> list[int]:
        """Ledger row id of each message; rows are made when their minute begins."""
        keys = [(m.record.topic, m.record.partition, m.minute, m.feed) for m in flush.messages]
        known = self._ledger_ids
        missing = sorted({key for key in keys if key not in known})
        if missing:
            rows = many(
                cursor,
                "INSERT INTO ledger (topic, partition, minute, feed) VALUES %s"
                " ON CONFLICT (topic, partition, minute, feed) DO UPDATE SET feed = EXCLUDED.feed"
                " RETURNING topic, partition, minute, feed, id",
                missing,
            )
            made.update({(topic, part, minute, feed): number for topic, part, minute, feed, number in rows})
            known = {**known, **made}
        return [known[key] for key in keys]

    def _store_readings(self, cursor: Cursor, flush: Flush, ledger: Sequence[int]) -> None:
        """Readings that are newer than all that is known of their device and metric are copied straight into the
        table; what may be there already goes through a staging table, where it is told from what is there. Should one
        of the first kind be there after all (two consumers, one device), all of them take the second way."""
        rows = flush.readings
        if not rows:
            return
        self._partitions.cover(cursor, "readings", flush.epochs)
        doubtful = flush.doubtful
        if len(doubtful) < len(rows):
            content = _content(flush, ledger)
            cursor.execute("SAVEPOINT fresh")
            try:
                cursor.copy_expert(_COPY_READINGS, content)
            except psycopg2.errors.UniqueViolation:
                cursor.execute("ROLLBACK TO SAVEPOINT fresh")
                doubtful = list(range(len(rows)))
        if doubtful:
            _store_doubtful(cursor, flush, ledger, doubtful)

    def _store_places(self, cursor: Cursor, flush: Flush, ledger: Sequence[int]) -> None:
        rows = flush.places
        if not rows:
            return
        self._partitions.cover(cursor, "positions", [row[2].timestamp() for row in rows])
        first: dict[tuple[str, datetime], int] = {}
        for n, (_, worker, time, *_rest) in enumerate(rows):
            first.setdefault((worker, time), n)
        made = many(
            cursor,
            "INSERT INTO positions (worker, time, lon, lat, accuracy_m, ledger_id) VALUES %s"
            " ON CONFLICT DO NOTHING RETURNING worker, time",
            [(*rows[n][1:], ledger[rows[n][0]]) for n in first.values()],
        )
        stored = {first[(worker, time)] for worker, time in made}
        for n, (index, *_place) in enumerate(rows):
            message = flush.messages[index]
            if n in stored:
                message.records_stored = 1
            else:
                message.outcome, message.records_duplicate = "duplicate", 1
        newest: dict[str, tuple[Any, ...]] = {}
        for n in sorted(stored):
            _, worker, time, lon, lat, _ = rows[n]
            if worker not in newest or newest[worker][1] < time:
                newest[worker] = (worker, time, lon, lat)
        many(
            cursor,
            "UPDATE workers w SET lon = v.lon, lat = v.lat, located_at = v.time"
            " FROM (VALUES %s) AS v(worker, time, lon, lat) WHERE w.login = v.worker"
            " AND (w.located_at IS NULL OR w.located_at < v.time)",
            sorted(newest.values()),
        )


_COPY_READINGS = "COPY readings (device_no, metric_no, time, value, ledger_id) FROM STDIN (FORMAT binary)"

_TUPLE = np.dtype(
    [
        ("fields", ">i2"),
        ("device_length", ">i4"), ("device", ">i4"),
        ("metric_length", ">i4"), ("metric", ">i2"),
        ("time_length", ">i4"), ("time", ">i8"),
        ("value_length", ">i4"), ("value", ">f8"),
        ("ledger_length", ">i4"), ("ledger", ">i4"),
    ]
)  # fmt: skip
"""One tuple of PostgreSQL's binary COPY format (https://www.postgresql.org/docs/current/sql-copy.html): each field with
its length before it, big-endian; a timestamptz counts microseconds from 2000-01-01."""

_EMPTY_TUPLE = np.array((5, 4, 0, 2, 0, 8, 0, 8, 0, 4, 0), _TUPLE)
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_Y2000_US = 946_684_800_000_000


def _content(flush: Flush, ledger: Sequence[int]) -> io.BytesIO:
    """The readings that are not doubtful, as binary COPY takes them: a fifth of the time that text takes."""
    messages, devices, metrics, _times, values = zip(*flush.readings, strict=True)
    table = np.full(len(devices), _EMPTY_TUPLE, _TUPLE)
    table["device"], table["metric"], table["value"] = devices, metrics, values
    table["time"] = np.rint(np.array(flush.epochs) * 1e6).astype(np.int64) - _Y2000_US
    table["ledger"] = np.array(ledger, np.int32)[np.array(messages)]
    if flush.doubtful:
        table = np.delete(table, flush.doubtful)
    return io.BytesIO(_HEADER + table.tobytes() + _TRAILER)


def _store_doubtful(cursor: Cursor, flush: Flush, ledger: Sequence[int], numbers: Sequence[int]) -> None:
    """Store these readings unless they are there; say of each message what became of its readings."""
    rows = flush.readings
    cursor.execute(
        "CREATE TEMP TABLE IF NOT EXISTS staged_readings (n int, device_no int, metric_no smallint,"
        " time timestamptz, value double precision, ledger_id int) ON COMMIT DELETE ROWS"
    )
    lines = []
    for n in numbers:
        index, device, metric, time, value = rows[n]
        lines.append(f"{n}\t{device}\t{metric}\t{time.isoformat()}\t{value!r}\t{ledger[index]}\n")
    cursor.copy_expert("COPY staged_readings FROM STDIN", io.StringIO("".join(lines)))
    # The first of equal keys within the flush wins; what was not inserted is a duplicate or a conflict.
    cursor.execute(
        "WITH first AS (SELECT DISTINCT ON (device_no, metric_no, time) * FROM staged_readings"
        " ORDER BY device_no, metric_no, time, n),"
        " made AS (INSERT INTO readings (device_no, metric_no, time, value, ledger_id)"
        " SELECT device_no, metric_no, time, value, ledger_id FROM first"
        " ON CONFLICT DO NOTHING RETURNING device_no, metric_no, time)"
        " SELECT s.n FROM staged_readings s LEFT JOIN (first f JOIN made m USING (device_no, metric_no, time))"
        " ON s.n = f.n WHERE f.n IS NULL"
    )
    refused = [row[0] for row in cursor.fetchall()]
    for n in set(flush.doubtful).difference(refused):
        flush.messages[rows[n][0]].records_late += 1
    if not refused:
        return
    cursor.execute(
        "SELECT s.n, r.value FROM staged_readings s JOIN readings r"
        " USING (device_no, metric_no, time) WHERE s.n = ANY(%s) AND r.value IS DISTINCT FROM s.value",
        (refused,),
    )
    stored = dict(cursor.fetchall())
    for n in sorted(stored):
        message = flush.messages[rows[n][0]]
        message.outcome, message.reason = "rejected", "conflict"
        message.field, message.found = "data.readings.value", f"{rows[n][4]:g}"
        message.rule = f"{rows[n][3].isoformat()} is stored with {stored[n]:g}"
    for n in refused:
        message = flush.messages[rows[n][0]]
        message.records_stored -= 1
        if n not in stored:
            message.records_duplicate += 1
    for index in {rows[n][0] for n in refused}:
        message = flush.messages[index]
        if message.outcome == "stored" and message.records_stored == 0:
            message.outcome = "duplicate"


def _fence(cursor: Cursor, flush: Flush) -> None:
    for partition, (old, new) in sorted(flush.positions.items(), key=lambda p: (p[0].topic, p[0].partition)):
        cursor.execute(
            "UPDATE partition_positions SET position = %s WHERE topic = %s AND partition = %s AND position = %s",
            (new, partition.topic, partition.partition, old),
        )
        if cursor.rowcount != 1:
            raise Fenced(f"{partition.topic}/{partition.partition}: position is not {old} any more")


def _store_intake(cursor: Cursor, flush: Flush, ledger: Sequence[int]) -> None:
    rows = flush.intake
    if not rows:
        return
    first: dict[tuple[str, str], int] = {}
    for n, row in enumerate(rows):
        first.setdefault((row.source, row.message_id), n)
    values = []
    for n in first.values():
        row = rows[n]
        of_bus = row.message >= 0
        values.append(
            (
                row.source, row.message_id, row.digest, row.kind,
                flush.messages[row.message].feed if of_bus else "",
                ledger[row.message] if of_bus else None,
                flush.now, row.time, row.channel, row.class_code, row.level, row.device, row.camera, row.title,
                row.text, row.lon, row.lat, row.address, row.cell, row.area_path, json(dict(row.reporter)),
                list(row.photos), row.source_time, row.correlation_id, row.history,
                row.alarm_kind, row.algorithm, row.aside,
            )
        )  # fmt: skip
    made = many(
        cursor,
        "INSERT INTO intake (source, message_id, digest, kind, feed, ledger_id, received_at, time, channel,"
        " class_code, level, device, camera, title, text, lon, lat, address, cell, area_path, reporter, photos,"
        " source_time, correlation_id, history, alarm_kind, algorithm, aside) VALUES %s"
        " ON CONFLICT (source, message_id) DO NOTHING"
        " RETURNING source, message_id",
        values,
    )
    stored = {first[(source, identity)] for source, identity in made}
    tell_apart(
        cursor, flush, "intake", [row for row in rows if row.message >= 0], {rows[n].message for n in stored}
    )


def _store_warnings(cursor: Cursor, flush: Flush) -> None:
    told = []
    for detection, device, correlation in flush.detections:
        rule = detection.rule
        if not detection.raised:
            cursor.execute(
                "UPDATE warnings SET cleared_at = %s WHERE id = %s AND cleared_at IS NULL",
                (detection.time, detection.warning_id),
            )
            continue
        cursor.execute(
            "INSERT INTO warnings (id, rule, version, device, metric, value, threshold, level, class_code,"
            " message, time, created_at, area_path, lon, lat)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                detection.warning_id, rule.id, rule.version, device.id, rule.metric, detection.value,
                rule.threshold, rule.level, rule.class_code, rule.message, detection.time, flush.now,
                device.area_path, device.lon, device.lat,
            ),
        )  # fmt: skip
        payload = {
            "id": detection.warning_id,
            "rule": rule.id,
            "version": rule.version,
            "device": device.id,
            "metric": rule.metric,
            "value": detection.value,
            "threshold": rule.threshold,
            "level": rule.level,
            "class": rule.class_code,
            "time": detection.time.isoformat(),
            "correlation_id": correlation,
        }
        told.append(("city.warning.v1", device.id, payload))
    _outbox(cursor, told, flush.now)


def _store_rule_states(cursor: Cursor, flush: Flush) -> None:
    keep, drop = [], []
    for (rule, device), state in flush.rule_states.items():
        if state.neutral:
            drop.append((rule.id, rule.version, device))
        else:
            keep.append(
                (rule.id, rule.version, device, state.since, state.raised, state.last_time, state.warning_id)
            )
    many(
        cursor,
        "INSERT INTO rule_states (rule, version, device_no, since, raised, last_time, warning_id) VALUES %s"
        " ON CONFLICT (rule, version, device_no) DO UPDATE SET since = EXCLUDED.since,"
        " raised = EXCLUDED.raised, last_time = EXCLUDED.last_time, warning_id = EXCLUDED.warning_id",
        sorted(keep, key=lambda row: (row[0], row[1], row[2])),
    )
    many(
        cursor,
        "DELETE FROM rule_states s USING (VALUES %s) AS v(rule, version, device_no)"
        " WHERE s.rule = v.rule AND s.version = v.version AND s.device_no = v.device_no",
        sorted(drop),
    )


def _store_dead_letters(cursor: Cursor, flush: Flush, ledger: Sequence[int], kept: int) -> None:
    rejected = [(n, m) for n, m in enumerate(flush.messages) if m.outcome == "rejected"]
    if not rejected:
        return
    # The ledger's own count of what was kept: it moves with this transaction and survives this process.
    cursor.execute(
        "SELECT id, rejected - rejected_unkept FROM ledger WHERE id = ANY(%s)",
        (sorted({ledger[n] for n, _ in rejected}),),
    )
    room = {number: kept - before for number, before in cursor.fetchall()}
    chosen, unkept = [], defaultdict[int, int](int)
    for n, m in rejected:
        if room[ledger[n]] > 0:
            room[ledger[n]] -= 1
            chosen.append((n, m))
        else:
            unkept[ledger[n]] += 1
    if unkept:
        many(
            cursor,
            "UPDATE ledger l SET rejected_unkept = l.rejected_unkept + v.n FROM (VALUES %s) AS v(id, n)"
            " WHERE l.id = v.id",
            sorted(unkept.items()),
        )
        feeds = sorted({m.feed for n, m in rejected if ledger[n] in unkept})
        log.warning(
            "dead letters only counted", feeds=feeds, messages=sum(unkept.values()), kept_a_minute=kept
        )
    rows = [
        (
            m.record.topic, m.record.partition, m.record.offset, m.feed, ledger[n], _text(m.record.key),
            m.record.value, m.reason, _text(m.field), _text(m.found), _text(m.rule), flush.now,
        )
        for n, m in chosen
    ]  # fmt: skip
    many(
        cursor,
        'INSERT INTO dead_letters (topic, partition, "offset", feed, ledger_id, key, value, reason, field,'
        " found, rule, received_at) VALUES %s ON CONFLICT DO NOTHING",
        rows,
    )
    told = [
        (
            m.record.topic + ".dead",
            _text(m.record.key),
            {
                "partition": m.record.partition,
                "offset": m.record.offset,
                "feed": m.feed,
                "reason": m.reason,
                "field": _text(m.field),
                "found": _text(m.found),
                "rule": _text(m.rule),
                "correlation_id": _text(m.correlation_id),
            },
        )
        for _, m in chosen
    ]
    _outbox(cursor, told, flush.now)


def _text(value: str) -> str:
    """PostgreSQL text cannot hold NUL; JSON cannot hold lone surrogates."""
    return value.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")


def _store_held(cursor: Cursor, flush: Flush, ledger: Sequence[int]) -> None:
    rows = [
        (
            m.record.topic, m.record.partition, m.record.offset, m.feed, ledger[n],
            _text(m.record.key)[:200],  # indexed: PostgreSQL takes no index rows beyond 2.7 kB
            m.record.value, flush.now,
        )
        for n, m in enumerate(flush.messages)
        if m.outcome == "held"
    ]  # fmt: skip
    many(
        cursor,
        'INSERT INTO held (topic, partition, "offset", feed, ledger_id, key, value, received_at) VALUES %s'
        " ON CONFLICT DO NOTHING",
        rows,
    )


def _count(cursor: Cursor, flush: Flush, ledger: Sequence[int]) -> None:
    """Messages and records counted apart, per ledger row; reasons beside them."""
    totals: dict[int, list[int]] = defaultdict(lambda: [0] * 10)
    reasons: dict[tuple[int, str], int] = defaultdict(int)
    for number, message in zip(ledger, flush.messages, strict=True):
        total = totals[number]
        outcome = message.outcome
        total[_COLUMN[outcome]] += 1
        total[4] += message.records_stored
        total[8] += message.missing
        if outcome == "stored" and not message.records_duplicate and not message.records_late:
            continue  # what nearly every message comes to
        total[9] += message.records_late
        total[6] += message.records_duplicate
        left = message.records - message.records_stored - message.records_duplicate
        if outcome == "held":
            total[7] += left
        elif outcome == "rejected":
            total[5] += left
        if message.reason:
            reasons[(number, message.reason)] += 1
    feeds = sorted({message.feed for message in flush.messages})
    many(
        cursor,
        "UPDATE ledger l SET stored = l.stored + v.a, rejected = l.rejected + v.b,"
        " duplicate = l.duplicate + v.c, held = l.held + v.d, records_stored = l.records_stored + v.e,"
        " records_rejected = l.records_rejected + v.f, records_duplicate = l.records_duplicate + v.g,"
        " records_held = l.records_held + v.h, records_missing = l.records_missing + v.i,"
        " records_late = l.records_late + v.j"
        " FROM (VALUES %s) AS v(id, a, b, c, d, e, f, g, h, i, j) WHERE l.id = v.id",
        [(number, *total) for number, total in sorted(totals.items())],
    )
    many(
        cursor,
        "INSERT INTO ledger_reasons (ledger_id, reason, n) VALUES %s"
        " ON CONFLICT (ledger_id, reason) DO UPDATE SET n = ledger_reasons.n + EXCLUDED.n",
        [(number, reason, n) for (number, reason), n in sorted(reasons.items())],
    )
    # Once in two seconds is often enough, and a row that another consumer is just moving is left to it.
    cursor.execute(
        "UPDATE feeds f SET last_message_at = %(now)s FROM (SELECT id FROM feeds WHERE id = ANY(%(feeds)s)"
        " AND (last_message_at IS NULL OR last_message_at < %(now)s - interval '2 seconds')"
        " FOR NO KEY UPDATE SKIP LOCKED) heard WHERE f.id = heard.id",
        {"now": flush.now, "feeds": feeds},
    )


_COLUMN = {"stored": 0, "rejected": 1, "duplicate": 2, "held": 3}


def _outbox(cursor: Cursor, told: Sequence[tuple[str, str, dict[str, Any]]], now: datetime) -> None:
    """Messages (topic, key, payload) for the relay, in this order."""
    many(
        cursor,
        "INSERT INTO outbox (topic, key, payload, created_at) VALUES %s",
        [(topic, key, json(payload), now) for topic, key, payload in told],
    )
