"""The consumer loop: poll → flush (steps 1–4) → store → triage → live state → commit offsets last.

While the store takes one flush (in a thread of its own), the next one is read and judged. It is judged by what the one
under way will leave; when that one fails, what was judged after it is forgotten and judged again.

Back-pressure: while the store is away the partitions are paused and the same records are tried again; nothing is
dropped. After a fence, a rebalance or an error the memory is cleared and the store's positions are asked anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
class Pending:
    """A flush that the store is taking."""

    records: Sequence[Record]
    moves: dict[TopicPartition, tuple[int, int]]
    work: Work
    began: float
    stored: Future[None]


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
    batch: int = 8000
    counters: Counters = field(default_factory=Counters)
    _memory: Memory = field(default_factory=Memory)
    _positions: dict[TopicPartition, int] = field(default_factory=dict)
    _registry: Registry | None = None
    _pending: Pending | None = None
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "ingest-store"))

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set; then leave the group. Raises only what nobody foresaw."""
        inspector = self.bus.inspector()
        reader = self.bus.reader(self.group, self.topics, lambda found: self._start(inspector, found))
        try:
            while not stop.is_set():
                try:
                    records = reader.poll(self.batch, 0.0 if self._pending else 0.5)
                except BusUnavailable as error:
                    log.warning("bus unavailable", group=self.group, error=str(error))
                    self._settle(reader, inspector, stop)
                    stop.wait(RETRY_S)
                    continue
                except self.store_away as error:
                    # Asking the store for start positions failed inside of poll: come again.
                    log.warning("store unavailable", group=self.group, error=str(error))
                    self._settle(reader, inspector, stop)
                    stop.wait(RETRY_S)
                    continue
                if records:
                    self._take(reader, inspector, records, stop)
                elif self._pending:
                    self._settle(reader, inspector, stop)
                else:
                    self.idle()
            self._settle(reader, inspector, stop)
        finally:
            self._pool.shutdown()
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
        """Judge records and hand them to the store as soon as it has taken those before them."""
        held = False
        while not stop.is_set():
            began = time.perf_counter()
            try:
                work = self._work(records, self._positions)
                strangers = self._strangers(work)
                if strangers:
                    if not self._settle(reader, inspector, stop):
                        break  # what is not stored is read again from the store's positions
                    strangers = self._strangers(work)  # settling may have cleared the memory
                self._judge(work, strangers)
            except self.store_away as error:
                self._hold(reader, len(records), stop, error)
                held = True
                continue
            if not self._settle(reader, inspector, stop):
                break
            if work.age != self._memory.age:
                continue  # judged by a memory that did not last
            if work.flush.messages:
                self._hand_over(records, work, began)
            break
        if held:
            reader.resume(reader.assignment())

    def _settle(self, reader: Reader, inspector: BusInspector, stop: threading.Event) -> bool:
        """Wait until the store has taken the flush under way, if there is one; while the store is away its records
        are held and tried again. False when they will have to be read again: another process has moved a position,
        or the end has come first."""
        held = False
        while (pending := self._pending) is not None:
            try:
                pending.stored.result()
            except Fenced:
                self._pending = None
                self.counters.fenced += 1
                self._begin_again(reader, inspector, held, stop)
                return False
            except self.store_away as error:
                self._hold(reader, len(pending.records), stop, error)
                held = True
                if stop.is_set():
                    self._pending = None
                    return False
                self._try_again(pending)
                continue
            except BaseException:
                self._pending = None
                raise
            self._pending = None
            self._stored(reader, pending)
        if held:
            reader.resume(reader.assignment())
        return True

    def _stored(self, reader: Reader, pending: Pending) -> None:
        """Steps 6 to 8 of a flush that is committed."""
        flush = pending.work.flush
        self.counters.messages += len(flush.messages)
        self.counters.readings += len(flush.readings)
        tell(flush)
        self.after(pending.work)
        self.counters.flushes += 1
        self.counters.flush_s += time.perf_counter() - pending.began
        self._commit(reader, {partition: move[1] for partition, move in pending.moves.items()})

    def _hand_over(self, records: Sequence[Record], work: Work, began: float) -> None:
        moves = work.flush.positions
        self._positions.update({partition: move[1] for partition, move in moves.items()})
        remember(work)
        stored = self._pool.submit(self.store.flush, work.flush)
        self._pending = Pending(records, moves, work, began, stored)

    def _try_again(self, pending: Pending) -> None:
        """The flush under way once more, from its records."""
        try:
            work = self._work(
                pending.records, {partition: move[0] for partition, move in pending.moves.items()}
            )
            self._judge(work, self._strangers(work))
        except self.store_away as error:
            failed: Future[None] = Future()
            failed.set_exception(error)
            pending.stored = failed
            return
        self._hand_over(pending.records, work, pending.began)

    def _begin_again(
        self, reader: Reader, inspector: BusInspector, held: bool, stop: threading.Event
    ) -> None:
        """Read on from where the store says."""
        while not stop.is_set():
            owned = reader.assignment()
            try:
                found = self._start(inspector, owned)
            except self.store_away as error:
                self._hold(reader, 0, stop, error)
                held = True
                continue
            for partition, offset in found.items():
                reader.seek(partition, offset)
            if held:
                reader.resume(owned)
            return

    def _hold(self, reader: Reader, count: int, stop: threading.Event, error: Exception) -> None:
        """The store is away: forget what was only promised, stop reading, stay in the group, wait a little."""
        self.counters.retries += 1
        log.warning("store unavailable, holding", group=self.group, held=count, error=str(error))
        self._memory.clear()
        reader.pause(reader.assignment())
        self._stay(reader)
        stop.wait(RETRY_S)

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

    def _work(self, records: Sequence[Record], positions: Mapping[TopicPartition, int]) -> Work:
        """Steps 1 to 3. Raises what `store_away` lists."""
        fresh, moves = next_positions(records, positions)
        registry = self.store.registry(self._registry.version if self._registry else -1)
        if registry is not None:
            self._registry = registry
        assert self._registry is not None
        work = Work(Flush(self.clock(), moves), self._registry, self.limits, self.locate, self._memory)
        for step in STEPS[:-1]:
            step(work, fresh)
        return work

    def _strangers(self, work: Work) -> set[tuple[int, int]]:
        """Pairs of device and metric met for the first time since the memory was cleared. What the store knows of
        them can only be asked when no flush is under way."""
        readings, known = work.flush.readings, self._memory.pairs
        return {pair for row in readings if (pair := (row[1], row[2])) not in known}

    def _judge(self, work: Work, pairs: set[tuple[int, int]]) -> None:
        """Step 4, after the store was asked for what it knows of these strangers. Raises what `store_away` lists."""
        memory = self._memory
        work.age = memory.age
        if pairs:
            devices = {number for number, _ in pairs} - memory.devices
            memory.newest.update(
                {pair: (*found, None, "") for pair, found in self.store.latest(sorted(pairs)).items()}
            )
            if devices:
                memory.states.update(self.store.rule_states(sorted(devices)))
            memory.devices |= devices
            memory.pairs |= pairs
        STEPS[-1](work, [])

    def _commit(self, reader: Reader, positions: Mapping[TopicPartition, int]) -> None:
        try:
            if positions:
                reader.commit(positions)
        except BusUnavailable as error:
            log.warning("offsets not committed; the store holds the truth", error=str(error))
