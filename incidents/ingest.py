"""What one flush of an ingest process hands to the store, and what comes back. Plain data.

The flush is written down in `streams/flush.py`; the store's side is `data/flush.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from incidents.ports import Record, TopicPartition
from incidents.warning import Detection, Rule, RuleState, quiet_band


class Fenced(RuntimeError):
    """Another process has moved a partition's position: this flush is void, start again from the store."""


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """What the hot path knows of a registered device."""

    no: int
    id: str
    type: str
    name: str
    area_path: str
    lon: float | None
    lat: float | None
    period_s: float


@dataclass(frozen=True, slots=True)
class CameraEntry:
    """What the hot path knows of a registered camera."""

    code: str
    name: str
    area_path: str
    cell: str
    lon: float | None
    lat: float | None


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """A kind of camera alarm: its event class and default level; one that does not file is only observed."""

    kind: str
    name: str
    class_code: str
    level: int
    files: bool = True


Watch = tuple[float, float, tuple[Rule, ...]]
"""(lowest, highest) value that no rule of a metric is over, and its rules."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The registries as of `version`: devices, metric numbers, cameras, alarm kinds, workers, rules."""

    version: int
    devices: Mapping[str, DeviceEntry]
    metrics: Mapping[str, int]
    cameras: Mapping[str, CameraEntry]
    alarm_kinds: Mapping[str, AlarmKind]
    workers: frozenset[str]
    rules: Mapping[tuple[str, str], tuple[Rule, ...]]
    classes: Mapping[str, int] = field(default_factory=dict)
    feeds: frozenset[str] = frozenset()
    metric_types: Mapping[str, str] = field(default_factory=dict)
    """Metric → the device type that measures it; what is not named here any device may report."""
    measured: Mapping[str, Mapping[str, int]] = field(init=False)
    """Metric numbers once more: by device type, '' for types that have no metrics of their own."""
    watches: Mapping[str, Mapping[str, Watch]] = field(init=False)
    """The rules once more: by device type, then by metric."""

    def __post_init__(self) -> None:
        watches: dict[str, dict[str, Watch]] = {}
        for (kind, metric), rules in self.rules.items():
            watches.setdefault(kind, {})[metric] = (*quiet_band(rules), rules)
        object.__setattr__(self, "watches", watches)
        common = {name: no for name, no in self.metrics.items() if not self.metric_types.get(name)}
        measured: dict[str, dict[str, int]] = {"": common}
        for name, kind in self.metric_types.items():
            if kind:
                measured.setdefault(kind, dict(common))[name] = self.metrics[name]
        object.__setattr__(self, "measured", measured)


class Message:
    """One message of a flush and what becomes of it. `outcome`: stored, rejected, duplicate or held.

    `correlation_id`: its own, else its CloudEvents id; '' when it could not be read. (One is made of every message, and
    nearly all keep nearly all defaults: these stay with the class, to be made takes a third of the time.)
    """

    record: Record
    feed: str
    minute: datetime
    outcome: str = "stored"
    reason: str = ""
    field: str = ""
    found: str = ""
    rule: str = ""
    records: int = 1
    records_stored: int = 0
    records_duplicate: int = 0
    records_late: int = 0
    missing: int = 0
    correlation_id: str = ""

    def __init__(self, record: Record, feed: str, minute: datetime) -> None:
        self.record, self.feed, self.minute = record, feed, minute


ReadingRow = tuple[int, int, int, datetime, float]
"""(message index, device number, metric number, time (UTC), value)."""

PositionRow = tuple[int, str, datetime, float, float, float | None]
"""(message index, worker, time, lon, lat, accuracy in metres)."""


@dataclass(frozen=True, slots=True)
class IntakeRow:
    """An accepted alarm or report, or a raised warning, waiting for triage. `message` -1: not of the bus."""

    message: int
    source: str
    message_id: str
    digest: bytes
    kind: str
    time: datetime
    channel: str = ""
    class_code: str = ""
    level: int | None = None
    device: str = ""
    camera: str = ""
    title: str = ""
    text: str = ""
    lon: float | None = None
    lat: float | None = None
    address: str = ""
    cell: str = ""
    area_path: str = ""
    reporter: Mapping[str, Any] = field(default_factory=dict)
    photos: Sequence[str] = ()
    source_time: str = ""
    correlation_id: str = ""
    history: bool = False
    alarm_kind: str = ""
    algorithm: str = ""
    aside: str = ""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """What an enforcement platform says of a case at `time`. `incident`, or `about_source` and `about_message`: the event
    that caused it, as the platform names it; '' where it does not."""

    message: int
    source: str
    message_id: str
    digest: bytes
    time: datetime
    number: str
    title: str
    unit: str
    stage: str
    result: str
    incident: str
    about_source: str
    about_message: str
    opened_at: datetime
    closed_at: datetime | None


@dataclass(slots=True)
class Flush:
    """Everything of one flush. `positions`: partition → (old, new) next-to-read offsets.

    `epochs`: the time of each reading in seconds since 1970. `doubtful`: numbers of the readings that may already be
    stored; the others are newer than everything this consumer knows of their device and metric. `delays`: device number →
    least seconds between the time of one of its messages (history aside) and its arrival on the bus.
    """

    now: datetime
    positions: dict[TopicPartition, tuple[int, int]]
    messages: list[Message] = field(default_factory=list)
    readings: list[ReadingRow] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)
    doubtful: list[int] = field(default_factory=list)
    delays: dict[int, float] = field(default_factory=dict)
    places: list[PositionRow] = field(default_factory=list)
    intake: list[IntakeRow] = field(default_factory=list)
    cases: list[CaseRow] = field(default_factory=list)
    rule_states: dict[tuple[Rule, int], RuleState] = field(default_factory=dict)
    detections: list[tuple[Detection, DeviceEntry, str]] = field(default_factory=list)


class IngestStore(Protocol):
    """The store's side of the flush."""

    def registry(self, known: int) -> Registry | None:
        """The registries, or None when their version is still `known`."""

    def positions(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Next-to-read offsets of partitions this store has seen."""

    def begin(self, partition: TopicPartition, first: int) -> int:
        """Start counting a partition at offset `first`; returns its position (an earlier one wins)."""

    def latest(self, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[datetime, float]]:
        """Newest stored (time, value) of (device number, metric number) pairs; absent = none."""

    def rule_states(self, devices: Sequence[int]) -> dict[tuple[str, int, int], RuleState]:
        """(rule id, rule version, device number) → state, for those that are not neutral."""

    def flush(self, flush: Flush) -> None:
        """Store a flush in one transaction and set each message's outcome. Raises Fenced, StoreUnavailable."""
