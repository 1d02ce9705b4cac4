"""A consumer that holds records while the store is away: what is assigned to it meanwhile is not passed over."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from incidents.ingest import Fenced, Flush, Registry
from incidents.ports import Record, StartPositions, TopicPartition
from incidents.warning import RuleState
from streams import consumer as consumer_module
from streams import topics
from streams.consumer import Consumer
from streams.flush import Work
from streams.validate import Limits

NOW: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
FIRST: Final = TopicPartition(topics.READING, 0)
SECOND: Final = TopicPartition(topics.READING, 1)
LENGTH: Final = 3
LIMITS: Final = Limits(timedelta(hours=72), timedelta(minutes=5), 1024, 113.9, 21.9, 25_000)


class Away(Exception):
    """The store is away."""


@dataclass
class FakeStore:
    """Positions and what was flushed, in memory; away for the first flushes."""

    away: int
    known: dict[TopicPartition, int] = field(default_factory=dict)
    flushed: list[tuple[int, int]] = field(default_factory=list)
    asked_in_vain: int = 0

    def registry(self, known: int) -> Registry | None:
        return Registry(1, {}, {}, {}, {}, frozenset(), {})

    def positions(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if SECOND in partitions and self.asked_in_vain:
            self.asked_in_vain -= 1
            raise Away
        return {p: self.known[p] for p in partitions if p in self.known}

    def begin(self, partition: TopicPartition, first: int) -> int:
        return self.known.setdefault(partition, first)

    def latest(self, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[datetime, float]]:
        return {}

    def rule_states(self, devices: Sequence[int]) -> dict[tuple[str, int, int], RuleState]:
        return {}

    def flush(self, flush: Flush) -> None:
        if self.away:
            self.away -= 1
            raise Away
        for partition, (old, new) in flush.positions.items():
            if self.known[partition] != old:
                raise Fenced
            self.known[partition] = new
        self.flushed += [(m.record.partition, m.record.offset) for m in flush.messages]


@dataclass
class FakeReader:
    """Two partitions of LENGTH messages. The second is assigned in the n-th poll (`late`), unpaused, and delivered
    at once, as the port allows."""

    start: StartPositions
    late: int
    polls: int = 0
    at: dict[TopicPartition, int] = field(default_factory=dict)
    paused: frozenset[TopicPartition] = frozenset()

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        self.polls += 1
        for partition, due in ((FIRST, 1), (SECOND, self.late)):
            if partition not in self.at and self.polls >= due:
                self.at |= self.start(frozenset({partition}))
        for partition, offset in self.at.items():
            if partition not in self.paused and offset < LENGTH:
                self.at[partition] = offset + 1
                return [Record(*_key(partition), offset, "k", b"no json", (), int(NOW.timestamp() * 1000))]
        return []

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.at)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.at[partition] = offset

    def pause(self, partitions: frozenset[TopicPartition]) -> None:
        self.paused |= partitions

    def resume(self, partitions: frozenset[TopicPartition]) -> None:
        self.paused -= partitions

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        pass

    def close(self) -> None:
        pass


def _key(partition: TopicPartition) -> tuple[str, int]:
    return partition.topic, partition.partition


@dataclass
class FakeBus:
    """One reader over logs that begin at 0."""

    late: int
    name: str = "fake"

    def reader(self, group: str, topics_: Sequence[str], start: StartPositions) -> FakeReader:
        return FakeReader(start, self.late)

    def inspector(self) -> FakeBus:
        return self

    def producer(self) -> FakeBus:
        return self

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        return {FIRST: (0, LENGTH), SECOND: (0, LENGTH)}

    def close(self) -> None:
        pass


@pytest.mark.parametrize("asked_in_vain", [0, 2])
@pytest.mark.parametrize("late", [2, 3, 4])
def test_a_partition_that_comes_while_records_are_held_is_read_from_its_start(
    late: int, asked_in_vain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its start position cannot be asked for, because the store is still away."""
    monkeypatch.setattr(consumer_module, "RETRY_S", 0.0)
    store, stop = FakeStore(away=4, asked_in_vain=asked_in_vain), threading.Event()

    def after(work: Work) -> None:
        if len(store.flushed) == 2 * LENGTH:
            stop.set()

    def idle() -> None:
        stop.set()  # there is nothing left to read: what is missing now was passed over

    Consumer(
        bus=FakeBus(late),  # type: ignore[arg-type]
        group="g", topics=(topics.READING,), store=store, limits=LIMITS, locate=lambda lon, lat: None,
        clock=lambda: NOW, after=after, idle=idle, store_away=(Away,),
    ).run(stop)  # fmt: skip
    assert sorted(store.flushed) == [(p, n) for p in (0, 1) for n in range(LENGTH)], (
        "each once, none left out"
    )
