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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite, nan
from typing import Any, Final

import msgspec

from incidents.ingest import CaseRow, DeviceEntry, Flush, IntakeRow, ReadingRow, Registry, Watch
from incidents.ingest import Message as Entry
from incidents.ports import Record, TopicPartition
from incidents.warning import NEUTRAL, Detection, Rule, RuleState, judge
from streams import topics
from streams.envelope import Bad, Message, VideoAlarmData, decode
from streams.validate import Limits, Locate, check_alarm, check_case, check_place, check_report, check_time

UNKNOWN_FEED: Final = "unknown"

Known = tuple[datetime, float, DeviceEntry | None, str]
"""(time, value, device, metric) of the newest reading; device and metric are unknown when the store was asked."""

Newest = dict[tuple[int, int], Known]
"""By (device number, metric number)."""


@dataclass(slots=True)
class Memory:
    """What the last flush left: newest values of the (device, metric) pairs seen so far, rule states of the devices.

    While that flush is on its way to the store this is a promise; when it is broken, all is forgotten (`clear`) and
    loaded again from the store. `age` tells work done before from work done after.
    """

    newest: Newest = field(default_factory=dict)
    states: dict[tuple[str, int, int], RuleState] = field(default_factory=dict)
    devices: set[int] = field(default_factory=set)
    pairs: set[tuple[int, int]] = field(default_factory=set)
    age: int = 0

    def clear(self) -> None:
        """Forget all; it is loaded again from the store when needed (start, rebalance, failed flush)."""
        self.newest.clear()
        self.states.clear()
        self.devices.clear()
        self.pairs.clear()
        self.age += 1


@dataclass(slots=True)
class Work:
    """A flush in the making. `age`: of the memory it was begun with. `judged`, per message: the first of its rows in
    `flush.readings`, its device, the metric of each row, whether it is history, its correlation id."""

    flush: Flush
    registry: Registry
    limits: Limits
    locate: Locate
    memory: Memory
    decoded: list[tuple[int, Message[Any]]] = field(default_factory=list)
    judged: list[tuple[int, DeviceEntry, list[str], bool, str]] = field(default_factory=list)
    newest: Newest = field(default_factory=dict)
    states: dict[tuple[str, int, int], RuleState] = field(default_factory=dict)
    touched: dict[str, DeviceEntry] = field(default_factory=dict)
    age: int = 0
    appended_s: float = nan
    history: bool = False
    window: tuple[float, float] = (nan, nan)
    """Of a message appended at `appended_s`: many have come together."""


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
    minutes: dict[int, datetime] = {}
    feeds: dict[str, str] = {}
    registry, most = work.registry, work.limits.max_bytes
    messages, decoded = work.flush.messages, work.decoded
    for index, record in enumerate(records):
        number = record.timestamp_ms // 60_000
        minute = minutes.get(number)
        if minute is None:
            minute = minutes[number] = minute_of(record)
        entry = Entry(record, UNKNOWN_FEED, minute)
        messages.append(entry)
        try:
            message = decode(record.topic, record.value, most)
        except Bad as bad:
            entry.feed = feed_of(record, "", registry)
            reject(entry, bad)
            continue
        source = message.source
        if record.headers:
            entry.feed = feed_of(record, source, registry)
        else:
            feed = feeds.get(source)
            if feed is None:
                feed = feeds[source] = feed_of(record, source, registry)
            entry.feed = feed
        entry.correlation_id = message.correlationid or message.id
        decoded.append((index, message))


def reject(entry: Entry, bad: Bad) -> None:
    """Mark a message as rejected for this reason."""
    entry.outcome = "rejected"
    entry.reason, entry.field, entry.found, entry.rule = bad.reason, bad.field, bad.found, bad.rule


def validate_step(work: Work, records: Sequence[Record]) -> None:
    """2. and 3. validate and locate, by topic."""
    messages = work.flush.messages
    for index, message in work.decoded:
        entry = messages[index]
        record = entry.record
        try:
            TAKERS[record.topic](work, index, entry, message, record.timestamp_ms / 1000)
        except Bad as bad:
            reject(entry, bad)


def _take_reading(work: Work, index: int, entry: Entry, message: Message[Any], appended_s: float) -> None:
    data, limits, registry = message.data, work.limits, work.registry
    history, readings = data.history, data.readings
    entry.records = len(readings)
    if data.missing:
        entry.missing = data.missing
    if appended_s != work.appended_s or history != work.history:
        work.appended_s, work.history = appended_s, history
        work.window = limits.window(appended_s, history)
    earliest, latest = work.window
    sent = message.time
    seconds = sent.timestamp()
    if not earliest <= seconds <= latest:
        check_time("time", sent, appended_s, limits, history)
    device = registry.devices.get(data.device)
    no = device.no if device is not None else 0
    number_of = registry.metrics
    if device is not None:
        number_of = registry.measured.get(device.type) or registry.measured[""]
    rows: list[ReadingRow] = []
    epochs: list[float] = []
    names: list[str] = []
    for reading in readings:
        value, time, at = reading.value, reading.time, seconds
        if not isfinite(value):
            field = f"data.readings[{len(names)}].value"
            raise Bad("not_finite", field=field, found=value, rule="a number")
        if time is None:
            time = sent
        else:
            at = time.timestamp()
            if not earliest <= at <= latest:
                check_time(f"data.readings[{len(names)}].time", time, appended_s, limits, history)
        name = reading.metric
        names.append(name)
        if device is None:
            continue
        metric = number_of.get(name)
        if metric is None:
            field = f"data.readings[{len(names) - 1}].metric"
            rule = f"must be a registered metric of the device's type ({device.type})"
            raise Bad("unknown_metric", field=field, found=name, rule=rule)
        if time.tzinfo is not UTC:
            time = time.astimezone(UTC)
        rows.append((index, no, metric, time, value))
        epochs.append(at)
    if device is None:
        entry.outcome = "held"
        return
    flush = work.flush
    work.judged.append((len(flush.readings), device, names, history, entry.correlation_id))
    flush.readings += rows
    flush.epochs += epochs
    if not history:
        delay, known = appended_s - seconds, flush.delays.get(no)
        if known is None or delay < known:
            flush.delays[no] = delay
    entry.records_stored = len(rows)


def _digest(data: msgspec.Struct) -> bytes:
    return hashlib.sha256(msgspec.json.encode(data)).digest()


def _alarm_digest(data: VideoAlarmData) -> bytes:
    """A field that came later counts only where it is given: a message from before is still the same message."""
    if data.algorithm:
        return _digest(data)
    fields = msgspec.structs.asdict(data)
    del fields["algorithm"]
    return hashlib.sha256(msgspec.json.encode(fields)).digest()


def _take_alarm(work: Work, index: int, entry: Entry, message: Message[Any], appended_s: float) -> None:
    data = message.data
    check_time("time", message.time, appended_s, work.limits)
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
            digest=_alarm_digest(data),
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
            alarm_kind=kind.kind,
            algorithm=data.algorithm,
            aside="" if kind.files else "observed",
        )
    )


def _take_report(work: Work, index: int, entry: Entry, message: Message[Any], appended_s: float) -> None:
    data = message.data
    check_time("time", message.time, appended_s, work.limits, data.history)
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


def _take_position(work: Work, index: int, entry: Entry, message: Message[Any], appended_s: float) -> None:
    data = message.data
    check_time("time", message.time, appended_s, work.limits)
    if data.worker not in work.registry.workers:
        raise Bad(
            "unknown_worker", field="data.worker", found=data.worker, rule="must be a registered worker"
        )
    place = check_place(data.point, work.limits, work.locate)
    row = (index, data.worker, message.time.astimezone(UTC), place.lon, place.lat, data.accuracy_m)
    work.flush.places.append(row)


def _take_case(work: Work, index: int, entry: Entry, message: Message[Any], appended_s: float) -> None:
    data = message.data
    check_time("time", message.time, appended_s, work.limits, history=True)
    check_case(message, appended_s, work.limits)
    work.flush.cases.append(
        CaseRow(
            message=index,
            source=message.source,
            message_id=message.id,
            digest=_digest(data),
            time=message.time,
            number=data.case.strip(),
            title=data.title.strip(),
            unit=data.unit.strip(),
            stage=data.stage.strip(),
            result=data.result.strip(),
            incident=data.incident.strip(),
            about_source=data.source.strip(),
            about_message=data.message.strip(),
            opened_at=data.opened_at,
            closed_at=data.closed_at,
        )
    )


TAKERS: Final[dict[str, Callable[[Work, int, Entry, Message[Any], float], None]]] = {
    topics.READING: _take_reading,
    topics.READING_CRITICAL: _take_reading,
    topics.VIDEO_ALARM: _take_alarm,
    topics.GRID_REPORT: _take_report,
    topics.POSITION: _take_position,
    topics.ENFORCEMENT_CASE: _take_case,
}


_UNWATCHED: Final[Mapping[str, Watch]] = {}


def detect_step(work: Work, records: Sequence[Record]) -> None:
    """4. detect: judge readings newer than the newest known one; late data and history raise nothing."""
    memory, watches, flush = work.memory, work.registry.watches, work.flush
    readings, doubtful = flush.readings, flush.doubtful
    newest, before = work.newest, memory.newest
    restless = {key[2] for key in memory.states}  # devices of which a rule remembers something
    for first, device, names, history, correlation in work.judged:
        number = device.no
        watched = watches.get(device.type, _UNWATCHED)
        fresh = False
        # A message may hold several readings of one metric, in any order: those newer than all that was known before it
        # are stored nowhere yet, but for one that it holds twice.
        floors: dict[tuple[int, int], Known | None] | None
        floors = {} if len(names) > 1 and len(set(names)) < len(names) else None
        seen: dict[tuple[int, int], set[datetime]] = {}  # times of a pair, from its first one out of order on
        row = first - 1
        for name in names:
            row += 1
            _, _, metric, time, value = readings[row]
            pair = (number, metric)
            known = newest.get(pair) or before.get(pair)
            if known is not None and time <= known[0]:
                if floors is None:
                    doubtful.append(row)
                    continue
                times = seen.get(pair)
                if times is None:
                    times = seen[pair] = {r[3] for r in readings[first:row] if r[2] == metric}
                floor = floors.get(pair, known)
                if time in times or (floor is not None and time <= floor[0]):
                    doubtful.append(row)
                times.add(time)
                continue
            if floors is not None:
                floors.setdefault(pair, known)
                if pair in seen:
                    seen[pair].add(time)
            newest[pair] = (time, value, device, name)
            fresh = True
            if history:
                continue
            watch = watched.get(name)
            if watch is None or (watch[0] <= value <= watch[1] and number not in restless):
                continue  # nothing to remember, nothing to say: what nearly every reading comes to
            for rule in watch[2]:
                key = (rule.id, rule.version, number)
                state = work.states.get(key) or memory.states.get(key) or NEUTRAL
                new, detection = judge(rule, state, device.id, time, value)
                if new.neutral and state.neutral:
                    continue
                work.states[key] = new
                restless.add(number)
                flush.rule_states[(rule, number)] = new
                if detection is not None:
                    flush.detections.append((detection, device, correlation))
        if fresh:
            work.touched[device.id] = device
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
    """What a flush leaves: its newest values and rule states become the memory."""
    work.memory.newest.update(work.newest)
    for key, state in work.states.items():
        if state.neutral:
            work.memory.states.pop(key, None)
        else:
            work.memory.states[key] = state


def next_positions(
    records: Sequence[Record], positions: Mapping[TopicPartition, int]
) -> tuple[list[Record], dict[TopicPartition, tuple[int, int]]]:
    """Drop records already counted (offset below the position); (rest, partition → (old, new) position)."""
    fresh: list[Record] = []
    ends: dict[tuple[str, int], list[int]] = {}
    for record in records:
        where = (record.topic, record.partition)
        offset = record.offset
        found = ends.get(where)
        if found is None:
            old = positions.get(TopicPartition(*where), offset)
            if offset < old:
                continue
            ends[where] = [old, offset + 1]
        elif offset < found[1]:
            continue
        else:
            found[1] = offset + 1
        fresh.append(record)
    return fresh, {TopicPartition(*where): (old, new) for where, (old, new) in ends.items()}
