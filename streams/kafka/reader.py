"""Reads Kafka as a member of a group."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from incidents.ports import BusRefused, BusUnavailable, Record, StartPositions, TopicPartition
from streams.kafka.clients import (
    GONE_FROM_GROUP,
    AssignmentListener,
    consumer,
    next_offset,
    ours,
    port_errors,
    theirs,
    without_position,
)
from streams.kafka.inspector import KafkaInspector

_SLICE_S: Final = 0.2
"""Newly assigned partitions stand still until the client's own poll returns, hence it never waits longer than this."""

_log = logging.getLogger(__name__)


class KafkaReader:
    """A member of a consumer group. Not thread-safe.

    Partitions arrive on the client's network thread (`_came`), where they are only noted and paused. The next
    `poll` asks `start`, seeks and lets them run, on the caller's thread, so that its errors reach the caller.
    """

    def __init__(
        self,
        bootstrap: str,
        inspector: KafkaInspector,
        partitions: int,
        group: str,
        topics: Sequence[str],
        start: StartPositions,
    ) -> None:
        self._bootstrap = bootstrap
        self._inspector = inspector
        self._partitions = partitions
        self._group = group
        self._topics = tuple(dict.fromkeys(topics))
        self._start = start
        self._client: Any = None
        self._lock = threading.Lock()
        self._unplaced: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._owed: dict[TopicPartition, int] = {}
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """See incidents.ports.Reader.

        Raises BusRefused when a start position lies beyond the end of its log: the log was replaced, and
        reading on would skip messages in silence.
        """
        if self._closed:
            raise ValueError("the reader is closed")
        deadline = time.monotonic() + timeout_s
        client = self._connected()
        while True:
            self._place(client)
            if self._owed:
                self.commit({})
            left = max(0.0, deadline - time.monotonic())
            try:
                with port_errors():
                    batches = client.poll(timeout_ms=int(min(left, _SLICE_S) * 1000), max_records=max_records)
            except (BusRefused, BusUnavailable) as error:
                astray = without_position(error.__cause__)
                if not astray:
                    raise
                self._came(astray)
                continue
            with self._lock:
                waiting = frozenset(self._unplaced)
            records = [r for p, batch in batches.items() if ours(p) not in waiting for r in batch]
            if records or (not waiting and left == 0.0):
                return records

    def assignment(self) -> frozenset[TopicPartition]:
        """See incidents.ports.Reader."""
        return frozenset(map(ours, self._client.assignment())) if self._client is not None else frozenset()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See incidents.ports.Reader. Raises ValueError for a partition that this member does not own."""
        if partition not in self.assignment():
            raise ValueError(f"{partition.topic}:{partition.partition}: not assigned to this reader")
        if offset < 0:
            raise ValueError(f"offset {offset}: must not be negative")
        self._client.seek(theirs(partition), offset)
        with self._lock:
            self._unplaced.discard(partition)
        if partition not in self._paused:
            self._client.resume(theirs(partition))

    def pause(self, partitions: frozenset[TopicPartition]) -> None:
        """See incidents.ports.Reader. Partitions that are not owned are passed over."""
        wanted = partitions & self.assignment()
        with self._lock:
            self._paused |= wanted
        self._client.pause(*map(theirs, wanted))

    def resume(self, partitions: frozenset[TopicPartition]) -> None:
        """See incidents.ports.Reader."""
        with self._lock:
            running = (partitions & self.assignment()) - self._unplaced
            self._paused -= partitions
        self._client.resume(*map(theirs, running))

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """See incidents.ports.Reader. A partition that has gone to another member is left to that member.

        While the group is being shared out anew Kafka takes no commit; `poll` then catches up with it.
        """
        with self._lock:
            self._owed |= {p: offset for p, offset in positions.items() if p in self.assignment()}
            owed = dict(self._owed)
        if not owed:
            return
        with port_errors():
            try:
                self._client.commit({theirs(p): next_offset(at) for p, at in owed.items()}, timeout_ms=5000)
            except GONE_FROM_GROUP as error:
                _log.info("not committed yet, the group is being shared out anew: %s", error)
                return
        with self._lock:
            self._owed = {p: at for p, at in self._owed.items() if owed.get(p) != at}

    def close(self) -> None:
        """See incidents.ports.Reader."""
        if self._closed:
            return
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            try:
                with port_errors():
                    client.close(autocommit=False, timeout_ms=3000)
            except (BusUnavailable, BusRefused) as error:
                _log.info("left the group without telling the bus: %s", error)
        self._inspector.close()

    def _connected(self) -> Any:
        if self._client is None:
            self._inspector.ensure_topics(dict.fromkeys(self._topics, self._partitions))
            client = consumer(self._bootstrap, self._group)
            client.subscribe(list(self._topics), listener=AssignmentListener(self._came, self._went))
            self._client = client
        return self._client

    def _came(self, partitions: Any) -> None:
        """Note and stop them; the seek only gives the client a position, so that it does not look for its own."""
        with self._lock:
            for partition in partitions:
                self._client.pause(partition)
                self._client.seek(partition, 0)
                self._unplaced.add(ours(partition))

    def _went(self, partitions: Any) -> None:
        with self._lock:
            gone = set(map(ours, partitions))
            self._unplaced -= gone
            self._paused -= gone
            self._owed = {p: at for p, at in self._owed.items() if p not in gone}

    def _place(self, client: Any) -> None:
        """Find where reading of newly owned partitions begins. They stay unplaced when `start` raises."""
        with self._lock:
            new = frozenset(self._unplaced)
        if not new:
            return
        answer = dict(self._start(new))
        committed: dict[TopicPartition, int] = {}
        for topic in {p.topic for p in new if p not in answer}:
            committed |= self._inspector.committed(self._group, topic)
        for topic in {p.topic for p in new}:
            for partition, (first, end) in self._inspector.ranges(topic).items():
                if partition not in new:
                    continue
                at = answer.get(partition, committed.get(partition, first))
                name = f"{partition.topic}:{partition.partition}"
                if at > end:
                    raise BusRefused(
                        f"{name}: position {at} lies beyond the end {end} of the log; the log was replaced or"
                        " lost its newest messages, and reading on would skip messages"
                    )
                if at < first:
                    _log.warning("%s: offset %d is no longer kept; reading from %d", name, at, first)
                with self._lock:
                    if partition not in self._unplaced:
                        continue  # taken away while we asked
                    client.seek(theirs(partition), max(at, first))
                    self._unplaced.discard(partition)
                    if partition not in self._paused:
                        client.resume(theirs(partition))
