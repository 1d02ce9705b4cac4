"""The consumer loop: poll → flush (steps 1–4) → store → triage → live state → commit offsets last.

Back-pressure: while the store is away the partitions are paused and the same records are tried again; nothing is
dropped. After a fence, a rebalance or an error the memory is cleared and the store's positions are asked anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from incidents.ingest import Fenced, Flush, IngestStore, Registry
from incidents.ports import Bus, BusInspector, BusUnavailable, Reader, Record, TopicPartition
from streams.flush import STEPS, Memory, Work, next_positions, remember
from streams.intake_log import tell
from streams.validate import Limits, Locate

log = structlog.get_logger()

RETRY_S = 0.5


class AfterFlush(Protocol):
    """What happens once a flush is committed (steps 6 and 7): must be idempotent and must not raise."""

    def __call__(self, work: Work) -> None: ...


class Idle(Protocol):
    """Called when there was nothing to read."""

    def __call__(self) -> None: ...


@dataclass(slots=True)
class Counters:
    """Running totals of one consumer, for /metrics and its heartbeat."""

    messages: int = 0
    readings: int = 0
    flushes: int = 0
    retries: int = 0
    fenced: int = 0
    flush_s: float = 0.0


@dataclass(slots=True)
class Consumer:
    """One member of the consumer group of `topics`. Not thread-safe; `stop` may be set by anyone."""

    bus: Bus
    group: str
    topics: Sequence[str]
    store: IngestStore
    limits: Limits
    locate: Locate
    clock: Callable[[], datetime]
    after: AfterFlush
    idle: Idle
    store_away: tuple[type[Exception], ...]
    batch: int = 4000
    counters: Counters = field(default_factory=Counters)
    _memory: Memory = field(default_factory=Memory)
    _positions: dict[TopicPartition, int] = field(default_factory=dict)
    _registry: Registry | None = None

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set; then leave the group. Raises only what nobody foresaw."""
        inspector = self.bus.inspector()
        reader = self.bus.reader(self.group, self.topics, lambda found: self._start(inspector, found))
        try:
            while not stop.is_set():
                try:
                    records = reader.poll(self.batch, 0.5)
                except BusUnavailable as error:
                    log.warning("bus unavailable", group=self.group, error=str(error))
                    stop.wait(RETRY_S)
                    continue
                except self.store_away as error:
                    # Asking the store for start positions failed inside of poll: come again.
                    log.warning("store unavailable", group=self.group, error=str(error))
                    stop.wait(RETRY_S)
                    continue
                if records:
                    self._take(reader, inspector, records, stop)
                else:
                    self.idle()
        finally:
            reader.close()
            inspector.close()

    def _start(
        self, inspector: BusInspector, found: frozenset[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Partitions were assigned: forget what was known, ask the store where each stands."""
        self._memory.clear()
        known = self.store.positions(sorted(found, key=lambda p: (p.topic, p.partition)))
        for partition in found - known.keys():
            first, _end = inspector.ranges(partition.topic)[partition]
            known[partition] = self.store.begin(partition, first)
        self._positions = {**self._positions, **known}
        return known

    def _take(
        self, reader: Reader, inspector: BusInspector, records: Sequence[Record], stop: threading.Event
    ) -> None:
        paused = False
        while not stop.is_set():
            began = time.perf_counter()
            try:
                moves = self._flush(records)
            except Fenced:
                self.counters.fenced += 1
                owned = reader.assignment()
                for partition, offset in self._start(inspector, owned).items():
                    reader.seek(partition, offset)
                if paused:
                    reader.resume(owned)
                return
            except self.store_away as error:
                self.counters.retries += 1
                log.warning(
                    "store unavailable, holding", group=self.group, held=len(records), error=str(error)
                )
                self._memory.clear()
                reader.pause(reader.assignment())
                paused = True
                self._stay(reader)
                stop.wait(RETRY_S)
                continue
            if paused:
                reader.resume(reader.assignment())
            self.counters.flushes += 1
            self.counters.flush_s += time.perf_counter() - began
            self._commit(reader, moves)
            return

    def _stay(self, reader: Reader) -> None:
        """Stay in the group while records are held. Raises only what nobody foresaw.

        Paused partitions give nothing, but one that is assigned inside of this poll runs: what it gives is not
        taken, so reading goes back to it, and it is paused with the others.
        """
        try:
            came = reader.poll(1, 0.0)
        except BusUnavailable as error:
            log.warning("bus unavailable", group=self.group, error=str(error))
            return
        except self.store_away as error:
            # Asking the store for start positions failed inside of poll: the next one asks again.
            log.warning("store unavailable", group=self.group, error=str(error))
            return
        first: dict[TopicPartition, int] = {}
        for record in came:
            first.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        reader.pause(frozenset(first))
        for partition, offset in first.items():
            reader.seek(partition, offset)

    def _flush(self, records: Sequence[Record]) -> dict[TopicPartition, int]:
        """One flush; returns the new positions. Raises Fenced or what `store_away` lists."""
        fresh, moves = next_positions(records, self._positions)
        if not fresh:
            return {}
        registry = self.store.registry(self._registry.version if self._registry else -1)
        if registry is not None:
            self._registry = registry
        assert self._registry is not None
        work = Work(Flush(self.clock(), moves), self._registry, self.limits, self.locate, self._memory)
        for step in STEPS[:-1]:
            step(work, fresh)
        self._recall(work)
        STEPS[-1](work, fresh)
        self.store.flush(work.flush)
        remember(work)
        new = {partition: move[1] for partition, move in moves.items()}
        self._positions.update(new)
        self.counters.messages += len(fresh)
        self.counters.readings += len(work.flush.readings)
        tell(work.flush)
        self.after(work)
        return new

    def _recall(self, work: Work) -> None:
        """Load what the store knows of devices and metrics met for the first time since the memory was cleared."""
        pairs = {(row[0].no, row[2]) for row in work.judged} - self._memory.pairs
        if not pairs:
            return
        devices = {number for number, _ in pairs} - self._memory.devices
        self._memory.newest.update(self.store.latest(sorted(pairs)))
        if devices:
            self._memory.states.update(self.store.rule_states(sorted(devices)))
        self._memory.devices |= devices
        self._memory.pairs |= pairs

    def _commit(self, reader: Reader, positions: Mapping[TopicPartition, int]) -> None:
        try:
            if positions:
                reader.commit(positions)
        except BusUnavailable as error:
            log.warning("offsets not committed; the store holds the truth", error=str(error))
