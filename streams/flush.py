"""From records of the bus to one flush. The order is the law of this product:

 1. decode      bytes → typed message, else a dead letter
 2. validate    times, places, names against the registries; unknown devices and cameras are held
 3. locate      points → grid cell
 4. detect      readings → warnings raised and cleared (rule state of the last committed flush)
 5. store       ONE transaction: positions (fenced), readings, intake, warnings, rule state, dead letters,
                held messages, ledger, outbox — `IngestStore.flush`
 6. triage      intake → incidents (idempotent; what a crash leaves is picked up again)
 7. live state  best effort, rebuilt from the store when lost
 8. commit      offsets on the bus, last (bookkeeping: the store's positions are the truth)

Steps 1–4 are pure and stand in this module (STEPS); 5–8 are called by `streams/consumer.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from incidents.ingest import DeviceEntry, Flush, IntakeRow, Registry
from incidents.ingest import Message as Entry
from incidents.ports import Record, TopicPartition
from incidents.warning import NEUTRAL, Detection, Rule, RuleState, judge
from streams import topics
from streams.envelope import Bad, Message, decode, finite
from streams.validate import Limits, Locate, check_alarm, check_place, check_report, check_time

UNKNOWN_FEED: Final = "unknown"

Newest = dict[tuple[int, int], tuple[datetime, float]]


@dataclass(slots=True)
class Memory:
    """What the last committed flush left: newest values of the (device, metric) pairs seen so far, rule states of
    the devices."""

    newest: Newest = field(default_factory=dict)
    states: dict[tuple[str, int, int], RuleState] = field(default_factory=dict)
    devices: set[int] = field(default_factory=set)
    pairs: set[tuple[int, int]] = field(default_factory=set)

    def clear(self) -> None:
        """Forget all; it is loaded again from the store when needed (start, rebalance, failed flush)."""
        self.newest.clear()
        self.states.clear()
        self.devices.clear()
        self.pairs.clear()


@dataclass(slots=True)
class Work:
    """A flush in the making."""

    flush: Flush
    registry: Registry
    limits: Limits
    locate: Locate
    memory: Memory
    decoded: list[tuple[int, Message[Any]]] = field(default_factory=list)
    judged: list[tuple[DeviceEntry, str, int, datetime, float, bool, str]] = field(default_factory=list)
    newest: Newest = field(default_factory=dict)
    states: dict[tuple[str, int, int], RuleState] = field(default_factory=dict)
    touched: dict[str, DeviceEntry] = field(default_factory=dict)


def minute_of(record: Record) -> datetime:
    """The minute of the broker's append time."""
    return datetime.fromtimestamp(record.timestamp_ms // 60_000 * 60, UTC)


def feed_of(record: Record, source: str, registry: Registry) -> str:
    """The feed a message belongs to: its header, else its source `urn:feed:<id>[:…]`, if registered."""
    for name, value in record.headers:
        if name == "feed":
            feed = value.decode("utf-8", "replace")
            return feed if feed in registry.feeds else UNKNOWN_FEED
    if source.startswith("urn:feed:"):
        feed = source[9:].split(":", 1)[0]
        if feed in registry.feeds:
            return feed
    return UNKNOWN_FEED


def decode_step(work: Work, records: Sequence[Record]) -> None:
    """1. decode."""
    for index, record in enumerate(records):
        entry = Entry(record, UNKNOWN_FEED, minute_of(record))
        work.flush.messages.append(entry)
        try:
            message = decode(record.topic, record.value, work.limits.max_bytes)
        except Bad as bad:
            entry.feed = feed_of(record, "", work.registry)
            reject(entry, bad)
            continue
        entry.feed = feed_of(record, message.source, work.registry)
        entry.correlation_id = message.correlationid or message.id
        work.decoded.append((index, message))


def reject(entry: Entry, bad: Bad) -> None:
    """Mark a message as rejected for this reason."""
    entry.outcome = "rejected"
    entry.reason, entry.field, entry.found, entry.rule = bad.reason, bad.field, bad.found, bad.rule


def validate_step(work: Work, records: Sequence[Record]) -> None:
    """2. and 3. validate and locate, by topic."""
    for index, message in work.decoded:
        entry = work.flush.messages[index]
        appended = datetime.fromtimestamp(entry.record.timestamp_ms / 1000, UTC)
        try:
            TAKERS[entry.record.topic](work, index, entry, message, appended)
        except Bad as bad:
            reject(entry, bad)


def _take_reading(work: Work, index: int, entry: Entry, message: Message[Any], appended: datetime) -> None:
    data = message.data
    entry.records, entry.missing = len(data.readings), data.missing
    check_time("time", message.time, appended, work.limits, data.history)
    device = work.registry.devices.get(data.device)
    rows = []
    for number, reading in enumerate(data.readings):
        if not finite(reading.value):
            raise Bad(
                "not_finite", field=f"data.readings[{number}].value", found=reading.value, rule="a number"
            )
        time = message.time
        if reading.time is not None:
            time = reading.time
            check_time(f"data.readings[{number}].time", time, appended, work.limits, data.history)
        metric = work.registry.metrics.get(reading.metric)
        if metric is None and device is not None:
            raise Bad(
                "unknown_metric",
                field=f"data.readings[{number}].metric",
                found=reading.metric,
                rule="must be a registered metric",
            )
        rows.append((metric, reading.metric, time, reading.value))
    if device is None:
        entry.outcome = "held"
        return
    for metric, name, time, value in rows:
        assert metric is not None  # checked above for a registered device
        work.flush.readings.append((index, device.no, metric, time.astimezone(UTC), value))
        work.judged.append((device, name, metric, time, value, data.history, entry.correlation_id))


def _digest(data: msgspec.Struct) -> bytes:
    return hashlib.sha256(msgspec.json.encode(data)).digest()


def _take_alarm(work: Work, index: int, entry: Entry, message: Message[Any], appended: datetime) -> None:
    data = message.data
    check_time("time", message.time, appended, work.limits)
    check_alarm(message, work.registry.alarm_kinds)
    camera = work.registry.cameras.get(data.camera)
    if camera is None:
        entry.outcome = "held"
        return
    kind = work.registry.alarm_kinds[data.kind]
    work.flush.intake.append(
        IntakeRow(
            message=index,
            source=message.source,
            message_id=message.id,
            digest=_digest(data),
            kind="alarm",
            time=message.time,
            channel="video",
            class_code=kind.class_code,
            level=data.level or kind.level,
            camera=camera.code,
            title=f"{camera.name} {kind.name}",
            text=data.text,
            lon=camera.lon,
            lat=camera.lat,
            address=camera.name,
            cell=camera.cell,
            area_path=camera.area_path,
            source_time=data.source_time or "",
            correlation_id=entry.correlation_id,
        )
    )


def _take_report(work: Work, index: int, entry: Entry, message: Message[Any], appended: datetime) -> None:
    data = message.data
    check_time("time", message.time, appended, work.limits, data.history)
    check_report(message, frozenset(work.registry.classes))
    place = check_place(data.point, work.limits, work.locate) if data.point is not None else None
    reporter = {} if data.reporter is None else {"name": data.reporter.name, "phone": data.reporter.phone}
    work.flush.intake.append(
        IntakeRow(
            message=index,
            source=message.source,
            message_id=message.id,
            digest=_digest(data),
            kind="report",
            time=message.time,
            channel=data.channel,
            class_code=data.class_,
            level=data.level,
            title=data.title,
            text=data.text,
            lon=place.lon if place else None,
            lat=place.lat if place else None,
            address=data.address,
            cell=place.cell if place else "",
            area_path=place.area_path if place else "",
            reporter=reporter,
            photos=tuple(data.photos),
            source_time=data.source_time or "",
            correlation_id=entry.correlation_id,
            history=data.history,
        )
    )


def _take_position(work: Work, index: int, entry: Entry, message: Message[Any], appended: datetime) -> None:
    data = message.data
    check_time("time", message.time, appended, work.limits)
    if data.worker not in work.registry.workers:
        raise Bad(
            "unknown_worker", field="data.worker", found=data.worker, rule="must be a registered worker"
        )
    place = check_place(data.point, work.limits, work.locate)
    row = (index, data.worker, message.time.astimezone(UTC), place.lon, place.lat, data.accuracy_m)
    work.flush.places.append(row)


TAKERS: Final[dict[str, Callable[[Work, int, Entry, Message[Any], datetime], None]]] = {
    topics.READING: _take_reading,
    topics.READING_CRITICAL: _take_reading,
    topics.VIDEO_ALARM: _take_alarm,
    topics.GRID_REPORT: _take_report,
    topics.POSITION: _take_position,
}


def detect_step(work: Work, records: Sequence[Record]) -> None:
    """4. detect: judge readings newer than the newest known one; late data and history raise nothing."""
    memory, rules = work.memory, work.registry.rules
    for device, name, metric, time, value, history, correlation in work.judged:
        pair = (device.no, metric)
        known = work.newest.get(pair) or memory.newest.get(pair)
        if known is not None and time <= known[0]:
            continue
        work.newest[pair] = (time, value)
        work.touched[device.id] = device
        if history:
            continue
        for rule in rules.get((device.type, name), ()):
            key = (rule.id, rule.version, device.no)
            state = work.states.get(key) or memory.states.get(key) or NEUTRAL
            new, detection = judge(rule, state, device.id, time, value)
            if new.neutral and state.neutral:
                continue
            work.states[key] = new
            work.flush.rule_states[(rule, device.no)] = new
            if detection is not None:
                work.flush.detections.append((detection, device, correlation))
    for detection, device, correlation in work.flush.detections:
        if detection.raised:
            work.flush.intake.append(_warning_intake(detection, device, correlation, work.locate))


def _warning_intake(detection: Detection, device: DeviceEntry, correlation: str, locate: Locate) -> IntakeRow:
    rule: Rule = detection.rule
    text = f"{rule.message}：{detection.value:g}（限值 {rule.op} {rule.threshold:g}）"
    cell = device.area_path.rstrip("/").rsplit("/", 1)[-1]
    return IntakeRow(
        message=-1,
        source="urn:chengyun:warning",
        message_id=detection.warning_id,
        digest=hashlib.sha256(detection.warning_id.encode()).digest(),
        kind="warning",
        time=detection.time,
        channel="sensor",
        class_code=rule.class_code,
        level=rule.level,
        device=device.id,
        title=f"{device.name} {rule.message}",
        text=text,
        lon=device.lon,
        lat=device.lat,
        address=device.name,
        cell=cell,
        area_path=device.area_path,
        correlation_id=correlation,
    )


STEPS: Final = (decode_step, validate_step, detect_step)
"""The pure steps, in order (docs/walk-a-reading.md names them; a test holds both together)."""


def remember(work: Work) -> None:
    """After the flush is committed: its newest values and rule states become the memory."""
    work.memory.newest.update(work.newest)
    for key, state in work.states.items():
        if state.neutral:
            work.memory.states.pop(key, None)
        else:
            work.memory.states[key] = state


def next_positions(
    records: Sequence[Record], positions: dict[TopicPartition, int]
) -> tuple[list[Record], dict[TopicPartition, tuple[int, int]]]:
    """Drop records already counted (offset below the position); (rest, partition → (old, new) position)."""
    fresh: list[Record] = []
    moves: dict[TopicPartition, tuple[int, int]] = {}
    for record in records:
        partition = TopicPartition(record.topic, record.partition)
        old = positions.get(partition, record.offset)
        if record.offset < moves.get(partition, (old, old))[1]:
            continue
        fresh.append(record)
        moves[partition] = (old, record.offset + 1)
    return fresh, moves
