"""The pure steps of the flush, on registries made by hand: what becomes of each message, and what is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.ingest import AlarmKind, CameraEntry, DeviceEntry, Flush, Registry
from incidents.ports import Outgoing, Record, TopicPartition
from incidents.warning import Rule, RuleState
from streams import topics
from streams.flush import STEPS, UNKNOWN_FEED, Memory, Work, feed_of, minute_of, next_positions, remember
from tests.small_city import CAMERA, CELL, EAST, FAR, LIMITS, NEXT_CELL, NO_CELL, WEST, locate
from tests.streams.city_messages import alarm, message, position, reading, report

NOW = datetime(2026, 11, 21, 8, 0, 30, 250_000, tzinfo=UTC)
HIGH = Rule("high-water", 1, "water", "level", ">", 3.0, 2.5, 0.0, 2, "0101", "水位超限")
DRY = Rule("no-flow", 3, "water", "flow", "<", 0.1, 0.2, 120.0, 4, "0101", "断流")
REGISTRY = Registry(
    version=1,
    devices={
        "WL-1": DeviceEntry(1, "WL-1", "water", "西河水位", CELL, *WEST, 60.0),
        "WL-2": DeviceEntry(2, "WL-2", "water", "东河水位", NEXT_CELL, *EAST, 60.0),
    },
    metrics={"level": 1, "flow": 2},
    cameras={CAMERA: CameraEntry(CAMERA, "西路口", CELL, CELL.split("/")[-2], *WEST)},
    alarm_kinds={"flood": AlarmKind("flood", "积水", "0101", 2)},
    workers=frozenset({"worker-1"}),
    rules={("water", "level"): (HIGH,), ("water", "flow"): (DRY,)},
    classes={"0101": 1},
    feeds=frozenset({"sensors", "reports"}),
)


def flushed(messages: Sequence[Outgoing], memory: Memory | None = None, at: datetime = NOW) -> Work:
    """Run the pure steps over messages appended at `at`, and remember the result as after a commit."""
    records = [
        Record(m.topic, 0, n, m.key, m.value, m.headers, int(at.timestamp() * 1000))
        for n, m in enumerate(messages)
    ]
    work = Work(Flush(at, {}), REGISTRY, LIMITS, locate, memory or Memory())
    for step in STEPS:
        step(work, records)
    remember(work)
    return work


def outcome(work: Work) -> list[tuple[str, str, str]]:
    return [(m.outcome, m.reason, m.field) for m in work.flush.messages]


def test_a_device_reports_what_its_type_measures() -> None:
    """Another type's metric is refused with the type named: it would be stored where no screen of the device looks.
    A metric of no type is everybody's."""
    work = Work(Flush(NOW, {}), replace(REGISTRY, metrics={"level": 1, "flow": 2, "pm25": 3, "volt": 4},
                metric_types={"level": "water", "pm25": "air", "volt": ""}), LIMITS, locate, Memory())  # fmt: skip
    sent = [reading("WL-1", {name: 1.0}, NOW, name) for name in ("level", "flow", "volt", "pm25")]
    records = [
        Record(m.topic, 0, n, m.key, m.value, m.headers, int(NOW.timestamp() * 1000))
        for n, m in enumerate(sent)
    ]
    for step in STEPS:
        step(work, records)
    assert [m.outcome for m in work.flush.messages] == ["stored"] * 3 + ["rejected"]
    foreign = work.flush.messages[3]
    assert (foreign.reason, foreign.found) == ("unknown_metric", "pm25") and "(water)" in foreign.rule
    assert [row[2] for row in work.flush.readings] == [1, 2, 4]


# -- what becomes of a message -------------------------------------------------------------------------------

OK = ("stored", "", "")
HELD = ("held", "", "")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (reading("WL-1", {"level": 1.0, "flow": 2.0}, NOW, "a"), OK),
        (reading("XX-1", {"level": 1.0}, NOW, "a"), HELD),
        (reading("XX-1", {"unheard": 1.0}, NOW, "a"), HELD),
        (
            reading("WL-1", {"unheard": 1.0}, NOW, "a"),
            ("rejected", "unknown_metric", "data.readings[0].metric"),
        ),
        (reading("WL-1", {"level": 1.0}, NOW - timedelta(hours=73), "a"), ("rejected", "too_old", "time")),
        (reading("WL-1", {"level": 1.0}, NOW - timedelta(hours=73), "a", history=True), OK),
        (reading("WL-1", {"level": 1.0}, NOW + timedelta(minutes=6), "a"), ("rejected", "in_future", "time")),
        (reading("XX-1", {"level": 1.0}, NOW - timedelta(hours=73), "a"), ("rejected", "too_old", "time")),
        (Outgoing(topics.READING, "k", b"{"), ("rejected", "malformed", "")),
        (Outgoing(topics.READING, "k", b"x" * 70_000), ("rejected", "too_large", "")),
        (alarm(CAMERA, "flood", NOW, "a"), OK),
        (alarm("9" * 20, "flood", NOW, "a"), HELD),
        (alarm("9" * 19, "flood", NOW, "a"), ("rejected", "bad_camera_code", "data.camera")),
        (alarm(CAMERA, "ufo", NOW, "a"), ("rejected", "unknown_kind", "data.kind")),
        (alarm(CAMERA, "flood", NOW - timedelta(hours=73), "a"), ("rejected", "too_old", "time")),
        (report(NOW, "a"), OK),
        (report(NOW, "a", point={"lon": WEST[0], "lat": WEST[1]}), OK),
        (report(NOW, "a", point={"lon": FAR[0], "lat": FAR[1]}), ("rejected", "outside_city", "data.point")),
        (report(NOW, "a", **{"class": "0999"}), ("rejected", "unknown_class", "data.class")),
        (report(NOW, "a", text=""), ("rejected", "empty_text", "data.text")),
        (position("worker-1", NOW, "a", *WEST), OK),
        (position("nobody", NOW, "a", *WEST), ("rejected", "unknown_worker", "data.worker")),
        (position("worker-1", NOW, "a", *FAR), ("rejected", "outside_city", "data.point")),
    ],
)
def test_outcomes(message: Outgoing, expected: tuple[str, str, str]) -> None:
    work = flushed([message])
    assert outcome(work) == [expected]
    taken = bool(work.flush.readings or work.flush.intake or work.flush.places)
    assert taken == (expected == OK), "only what is stored goes any further"


def test_one_bad_reading_sets_its_whole_message_aside() -> None:
    value = reading("WL-1", {"level": 1.0, "flow": 2.0}, NOW, "a").value.replace(b"2.0", b"1e999")
    work = flushed([Outgoing(topics.READING, "WL-1", value)])
    assert outcome(work) == [("rejected", "invalid", "data.readings[1].value")]
    assert work.flush.readings == []
    work = flushed([reading("WL-1", {"level": 1.0, "unheard": 2.0}, NOW, "a")])
    assert work.flush.readings == [] and work.flush.messages[0].records == 2, "both are counted"


def test_a_bad_message_does_not_disturb_its_neighbours() -> None:
    work = flushed([
        reading("WL-1", {"level": 1.0}, NOW, "a"), Outgoing(topics.READING, "x", b"\xff"),
        reading("WL-2", {"level": 2.0}, NOW, "b", missing=3),
    ])  # fmt: skip
    assert [o[0] for o in outcome(work)] == ["stored", "rejected", "stored"]
    assert [(row[0], row[1], row[4]) for row in work.flush.readings] == [(0, 1, 1.0), (2, 2, 2.0)]
    assert [m.missing for m in work.flush.messages] == [0, 0, 3], "NA cells are counted"


def test_each_reading_may_have_its_own_time() -> None:
    early = (NOW - timedelta(minutes=5)).isoformat()
    data = (
        b'"readings":[{"metric":"level","value":1.0,"time":"%s"},{"metric":"level","value":2.0}]'
        % early.encode()
    )
    value = reading("WL-1", {"level": 1.0}, NOW, "a").value.replace(
        b'"readings":[{"metric":"level","value":1.0}]', data
    )
    work = flushed([Outgoing(topics.READING, "WL-1", value)])
    assert [row[3] for row in work.flush.readings] == [NOW - timedelta(minutes=5), NOW]
    bad = flushed([Outgoing(topics.READING, "WL-1", value.replace(b"2026-11-21T07:55", b"2027-11-21T07:55"))])
    assert outcome(bad) == [("rejected", "in_future", "data.readings[0].time")]


def test_where_a_report_is() -> None:
    def intake(**point: float) -> tuple[float | None, str]:
        more: dict[str, Any] = {"point": point} if point else {}
        (row,) = flushed([report(NOW, "a", **more)]).flush.intake
        return row.lon, row.area_path

    assert intake(lon=WEST[0], lat=WEST[1]) == (WEST[0], CELL)
    assert intake(lon=NO_CELL[0], lat=NO_CELL[1]) == (NO_CELL[0], ""), "in reach, in no cell: unresolved"
    assert intake() == (None, ""), "no point at all: unresolved, not rejected"


def test_an_alarm_takes_place_class_and_level_from_the_registries() -> None:
    (row,) = flushed([alarm(CAMERA, "flood", NOW, "a", text="水深")]).flush.intake
    assert (row.kind, row.class_code, row.level, row.camera, row.area_path) == (
        "alarm",
        "0101",
        2,
        CAMERA,
        CELL,
    )
    assert row.title == "西路口 积水" and row.correlation_id == "a"
    (louder,) = flushed([alarm(CAMERA, "flood", NOW, "a", level=1)]).flush.intake
    assert louder.level == 1 and louder.digest != row.digest


# -- feeds and minutes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "source", "feed"),
    [
        ((("feed", b"sensors"),), "urn:feed:reports", "sensors"),
        ((("feed", b"nobody"),), "urn:feed:reports", UNKNOWN_FEED),
        ((("feed", b"\xff"),), "", UNKNOWN_FEED),
        ((("other", b"x"),), "urn:feed:reports", "reports"),
        ((), "urn:feed:reports:file:7", "reports"),
        ((), "urn:feed:nobody", UNKNOWN_FEED),
        ((), "reports", UNKNOWN_FEED),
        ((), "", UNKNOWN_FEED),
    ],
)
def test_the_feed_of_a_message(headers: tuple[tuple[str, bytes], ...], source: str, feed: str) -> None:
    record = Record(topics.READING, 0, 0, "k", b"", headers, 0)
    assert feed_of(record, source, REGISTRY) == feed


def test_a_message_that_cannot_be_read_still_counts_for_its_feed() -> None:
    work = flushed([Outgoing(topics.READING, "k", b"{", (("feed", b"sensors"),))])
    assert work.flush.messages[0].feed == "sensors"


@given(st.integers(0, 4_000_000_000_000))
def test_the_minute_is_the_brokers(ms: int) -> None:
    minute = minute_of(Record("t", 0, 0, "", b"", (), ms))
    assert (minute.second, minute.microsecond) == (0, 0)
    assert 0 <= ms - minute.timestamp() * 1000 < 60_000


# -- positions -----------------------------------------------------------------------------------------------


def record(offset: int, partition: int = 0) -> Record:
    return Record("t", partition, offset, "", b"", (), 0)


def test_what_was_counted_is_dropped() -> None:
    fresh, moves = next_positions([record(n) for n in (3, 4, 5, 6)], {TopicPartition("t", 0): 5})
    assert [r.offset for r in fresh] == [5, 6]
    assert moves == {TopicPartition("t", 0): (5, 7)}
    assert next_positions([record(2)], {TopicPartition("t", 0): 5}) == ([], {})


def test_a_hole_is_not_covered_up() -> None:
    """Offsets that were skipped leave the position ahead of the count: the reconciler sees it."""
    fresh, moves = next_positions([record(5), record(9)], {TopicPartition("t", 0): 3})
    assert len(fresh) == 2 and moves == {TopicPartition("t", 0): (3, 10)}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), max_size=60), st.integers(0, 10))
def test_each_offset_is_taken_once(found: list[tuple[int, int]], position: int) -> None:
    known = {TopicPartition("t", n): position for n in range(3)}
    fresh, moves = next_positions([record(offset, partition) for partition, offset in found], known)
    seen = [(r.partition, r.offset) for r in fresh]
    assert len(set(seen)) == len(seen) and all(offset >= position for _, offset in seen)
    for partition, (old, new) in moves.items():
        assert old == position and new == 1 + max(o for p, o in seen if p == partition.partition)


# -- detection -----------------------------------------------------------------------------------------------


def raised(work: Work) -> list[str]:
    return [d.warning_id for d, _, _ in work.flush.detections if d.raised]


def test_a_warning_waits_for_triage_with_all_it_needs() -> None:
    work = flushed([reading("WL-1", {"level": 3.4}, NOW, "a", source_time="x")])
    (row,) = work.flush.intake
    assert (row.kind, row.message, row.device, row.class_code, row.level) == (
        "warning",
        -1,
        "WL-1",
        "0101",
        2,
    )
    assert (row.area_path, row.cell, row.title) == (CELL, CELL.split("/")[-2], "西河水位 水位超限")
    assert row.text == "水位超限：3.4（限值 > 3）" and row.correlation_id == "a"
    assert row.message_id == raised(work)[0] == f"high-water.1:WL-1:{NOW.isoformat(timespec='microseconds')}"
    assert work.flush.rule_states[(HIGH, 1)] == RuleState(NOW, True, NOW, row.message_id)


def test_an_excursion_is_followed_over_flushes() -> None:
    memory = Memory()
    times = [NOW + timedelta(seconds=60 * n) for n in range(5)]
    works = [flushed([reading("WL-1", {"flow": v}, at, f"m{n}")], memory, at)
             for n, (at, v) in enumerate(zip(times, (0.0, 0.05, 0.0, 0.15, 0.3), strict=True))]  # fmt: skip
    assert [len(raised(w)) for w in works] == [0, 0, 1, 0, 0]
    cleared = [d for d, _, _ in works[4].flush.detections]
    assert [d.raised for d in cleared] == [False] and memory.states == {}
    assert works[4].flush.rule_states[(DRY, 1)].neutral, "the store forgets it too"


def test_late_doubled_and_historical_readings_raise_nothing() -> None:
    memory = Memory()
    flushed([reading("WL-1", {"level": 1.0}, NOW, "a")], memory)
    late = flushed([reading("WL-1", {"level": 9.0}, NOW - timedelta(minutes=1), "b")], memory)
    same = flushed([reading("WL-1", {"level": 9.0}, NOW, "c")], memory)
    history = flushed(
        [reading("WL-1", {"level": 9.0}, NOW + timedelta(seconds=1), "d", history=True)], memory
    )
    for work in (late, same, history):
        assert work.flush.detections == [] and len(work.flush.readings) == 1, "stored, not judged"


def batch(device: str, found: Sequence[tuple[str, int]], id: str) -> Outgoing:
    """A message with several readings, each with a time of its own (seconds after NOW)."""
    rows = [
        {"metric": metric, "value": 1.0, "time": (NOW + timedelta(seconds=second)).isoformat()}
        for metric, second in found
    ]
    return message(topics.READING, device, {"device": device, "readings": rows}, NOW, id)


batches = st.lists(
    st.tuples(
        st.sampled_from(["WL-1", "WL-2"]),
        st.lists(st.tuples(st.sampled_from(["level", "flow"]), st.integers(-9, 9)), min_size=1, max_size=5),
    ),
    max_size=12,
)


@given(batches, st.integers(1, 6))
def test_what_is_not_doubtful_is_nowhere_yet(
    found: list[tuple[str, list[tuple[str, int]]]], size: int
) -> None:
    """The store copies these without looking: no two of them may be the same device, metric and time, and none may be
    a doubtful one of before."""
    memory, stored = Memory(), set[tuple[object, ...]]()
    for n in range(0, len(found), size):
        flush = flushed([batch(d, rows, f"m{n}") for d, rows in found[n : n + size]], memory).flush
        doubtful = set(flush.doubtful)
        assert len(doubtful) == len(flush.doubtful)
        for row, reading_row in enumerate(flush.readings):
            if row not in doubtful:
                assert reading_row[1:4] not in stored
                stored.add(reading_row[1:4])
        stored |= {flush.readings[row][1:4] for row in doubtful}


def test_a_batch_in_any_order_is_not_doubtful() -> None:
    memory = Memory()
    first = flushed([batch("WL-1", [("level", 3), ("level", 1), ("level", 2), ("flow", 1)], "a")], memory)
    assert first.flush.doubtful == []
    second = flushed(
        [
            batch("WL-1", [("level", 6), ("level", 5), ("level", 3), ("level", 5)], "b"),
            batch("WL-1", [("level", 4)], "c"),
        ],
        memory,
    )
    assert second.flush.doubtful == [2, 3, 4], (
        "known before, twice in its message, older than a message before"
    )


readings = st.lists(
    st.tuples(st.sampled_from(["WL-1", "WL-2"]), st.sampled_from(["level", "flow"]),
              st.integers(0, 40), st.sampled_from([0.0, 0.05, 0.15, 2.4, 2.9, 3.1, 9.0])), max_size=30
)  # fmt: skip


@given(readings, st.integers(1, 30))
def test_detection_does_not_depend_on_how_the_stream_is_cut(
    found: list[tuple[str, str, int, float]], size: int
) -> None:
    messages = [
        reading(device, {metric: value}, NOW + timedelta(seconds=5 * second), f"m{n}")
        for n, (device, metric, second, value) in enumerate(found)
    ]
    memory = Memory()
    whole = [d.warning_id + str(d.raised) for d, _, _ in flushed(messages, memory).flush.detections]
    cut_memory, cut = Memory(), []
    for n in range(0, len(messages), size):
        work = flushed(messages[n : n + size], cut_memory)
        cut += [d.warning_id + str(d.raised) for d, _, _ in work.flush.detections]
    assert sorted(cut) == sorted(whole)
    assert cut_memory.states == memory.states and cut_memory.newest == memory.newest


@given(st.lists(st.tuples(st.sampled_from(topics.INPUT_TOPICS), st.binary(max_size=60)), max_size=6))
def test_no_bytes_break_the_steps(found: list[tuple[str, bytes]]) -> None:
    work = flushed([Outgoing(topic, "k", value) for topic, value in found])
    assert [o[0] for o in outcome(work)] == ["rejected"] * len(found)
