"""Reads the logs as a member of a group."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import redis

from incidents.ports import BusRefused, BusUnavailable, Record, StartPositions, TopicPartition
from streams.redis_streams.connection import call, call_all, port_errors
from streams.redis_streams.inspector import TIGHT, RedisInspector
from streams.redis_streams.layout import cursor_id, head_key, log_key, name_of, record_of, size_of_entry
from streams.redis_streams.membership import Membership
from streams.redis_streams.scripts import COMMIT, ENROL
from streams.redis_streams.topic_registry import TopicRegistry

_FETCH_BYTES: Final = 8 * 1024 * 1024
_FETCH_FEWEST: Final = 32
_TRIM_EVERY_S: Final = 5.0
_TRIM_EVERY_TIGHT_S: Final = 0.5

_log = logging.getLogger(__name__)


class RedisReader:
    """A member of a consumer group. Not thread-safe.

    `_position` holds, per owned partition, the next offset to hand out; what is fetched but not yet handed out
    waits in `_buffer` and is simply dropped when a partition is paused, sought or lost.
    """

    def __init__(
        self,
        client: redis.Redis,
        registry: TopicRegistry,
        inspector: RedisInspector,
        group: str,
        topics: Sequence[str],
        start: StartPositions,
    ) -> None:
        self._client = client
        self._registry = registry
        self._inspector = inspector
        self._group = group
        self._topics = tuple(dict.fromkeys(topics))
        self._start = start
        self._membership = Membership(client, group, self._topics)
        self._commit = client.register_script(COMMIT)
        self._all: list[TopicPartition] = []
        self._position: dict[TopicPartition, int] = {}
        self._unplaced: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._by_log: dict[bytes, TopicPartition] = {}
        self._buffer: deque[Record] = deque()
        self._change = "0-0"
        self._count = _FETCH_FEWEST
        self._sync_at = 0.0
        self._unverified = False
        self._trim_at = time.monotonic() + _TRIM_EVERY_S
        self._closed = False

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """See incidents.ports.Reader.

        Raises BusRefused when a start position lies beyond the end of its log: the log was replaced, and
        reading on would skip messages in silence.
        """
        if self._closed:
            raise ValueError("the reader is closed")
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                if time.monotonic() >= self._sync_at:
                    self._sync()
                self._place()
                if self._unverified:
                    self._verify()
                if self._buffer:
                    return self._take(max_records)
                self._fetch(max_records, min(deadline, self._sync_at) - time.monotonic())
                if not self._buffer and time.monotonic() >= deadline:
                    return []
        except BusUnavailable:
            self._unverified = True
            self._sync_at = 0.0
            self._all = []
            self._registry.forget()
            raise

    def assignment(self) -> frozenset[TopicPartition]:
        """See incidents.ports.Reader."""
        return frozenset(self._position) | frozenset(self._unplaced)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See incidents.ports.Reader. Raises ValueError for a partition that this member does not own."""
        if partition not in self.assignment():
            raise ValueError(f"{name_of(partition)}: not assigned to this reader")
        if offset < 0:
            raise ValueError(f"offset {offset}: must not be negative")
        self._forget_fetched(frozenset({partition}))
        self._unplaced.discard(partition)
        self._position[partition] = offset
        self._unverified = True

    def pause(self, partitions: frozenset[TopicPartition]) -> None:
        """See incidents.ports.Reader. Partitions that are not owned are passed over."""
        wanted = partitions & self.assignment()
        self._forget_fetched(wanted)
        self._paused |= wanted

    def resume(self, partitions: frozenset[TopicPartition]) -> None:
        """See incidents.ports.Reader."""
        self._paused -= partitions

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """See incidents.ports.Reader. A partition that has gone to another member is left to that member.

        Every few seconds the logs are trimmed as well (see RedisInspector.trim), sooner when memory runs short.
        """
        with port_errors():
            for partition, offset in positions.items():
                self._commit(
                    keys=[log_key(partition), self._membership.owners_key],
                    args=[self._group, cursor_id(offset), name_of(partition), self._membership.member],
                )
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + _TRIM_EVERY_S
            try:
                for topic in self._topics:
                    self._inspector.trim(topic)
                if self._inspector.memory_used() > TIGHT:
                    self._trim_at = time.monotonic() + _TRIM_EVERY_TIGHT_S
            except (BusUnavailable, BusRefused) as error:
                _log.warning("the logs were not trimmed: %s", error)

    def close(self) -> None:
        """See incidents.ports.Reader."""
        if not self._closed:
            self._closed = True
            self._membership.leave()
            self._client.close()

    def _sync(self) -> None:
        if not self._all:
            self._enrol()
        kept, taken = self._membership.sync(self._all)
        self._sync_at = time.monotonic() + self._membership.interval_s
        lost = self.assignment() - kept
        self._forget_fetched(lost)
        for partition in lost:
            self._position.pop(partition, None)
            self._unplaced.discard(partition)
            self._paused.discard(partition)
        # A partition may be kept by the server's book and yet be unknown here: its answer got lost on the way.
        self._unplaced |= (kept | taken) - self._position.keys()

    def _enrol(self) -> None:
        every: list[TopicPartition] = []
        for topic in self._topics:
            every += [TopicPartition(topic, p) for p in range(self._registry.ensure(topic))]
        enrol = self._client.register_script(ENROL)
        with port_errors():
            for partition in every:
                enrol(keys=[log_key(partition)], args=[self._group])
        self._all = every
        self._by_log = {log_key(partition).encode(): partition for partition in every}

    def _place(self) -> None:
        """Find where reading of newly owned partitions begins. They stay unplaced when `start` raises."""
        if not self._unplaced:
            return
        new = frozenset(self._unplaced)
        answer = dict(self._start(new))
        left = [p for p in new if p not in answer]
        committed: dict[TopicPartition, int] = {}
        for topic in {p.topic for p in left}:
            committed |= self._inspector.committed(self._group, topic)
        for partition, (first, end) in self._inspector.ranges_of(list(new)).items():
            at = answer.get(partition, committed.get(partition, first))
            if at > end:
                raise _beyond(partition, at, end)
            if at < first:
                _log.warning("%s: offset %d is trimmed; reading from %d", name_of(partition), at, first)
            self._position[partition] = max(at, first)
            self._unplaced.discard(partition)

    def _verify(self) -> None:
        """After a lost connection or a seek: make sure that the logs still hold what our positions stand on."""
        owned = list(self._position)
        ends = call_all(self._client, [("HGET", head_key(partition), "n") for partition in owned])
        for partition, end in zip(owned, ends, strict=True):
            if self._position[partition] > int(end or 0):
                raise _beyond(partition, self._position[partition], int(end or 0))
        self._unverified = False

    def _fetch(self, max_records: int, wait_s: float) -> None:
        """One read over all owned, unpaused partitions; waits up to `wait_s` for the first record or a change."""
        active = [p for p in self._position if p not in self._paused]
        per_log = min(self._count, max_records)
        command: list[str | bytes | int] = ["XREAD", "COUNT", per_log]
        if wait_s > 0:
            command += ["BLOCK", max(1, int(wait_s * 1000))]
        command += ["STREAMS", self._membership.changes_key, *map(log_key, active), self._change]
        command += [f"{self._position[p]}-0" for p in active]
        answer = call(self._client, *command)
        size = 0
        full = False
        for key, entries in answer or ():
            partition = self._by_log.get(key)
            if partition is None:
                self._change = entries[-1][0].decode()
                self._sync_at = 0.0
                continue
            self._buffer.extend([record_of(partition, entry) for entry in entries])
            size += sum(map(size_of_entry, entries))
            full = full or len(entries) == per_log
        # Redis counts entries, not bytes: find the number that keeps one answer within bounds.
        if size > _FETCH_BYTES:
            self._count = max(_FETCH_FEWEST, self._count // 2)
        elif full and size * 2 <= _FETCH_BYTES:
            self._count = min(self._count * 2, 1 << 14)

    def _take(self, max_records: int) -> list[Record]:
        records = [self._buffer.popleft() for _ in range(min(max_records, len(self._buffer)))]
        for record in records:
            self._position[TopicPartition(record.topic, record.partition)] = record.offset + 1
        return records

    def _forget_fetched(self, partitions: frozenset[TopicPartition]) -> None:
        if partitions and self._buffer:
            self._buffer = deque(
                r for r in self._buffer if TopicPartition(r.topic, r.partition) not in partitions
            )


def _beyond(partition: TopicPartition, at: int, end: int) -> BusRefused:
    return BusRefused(
        f"{name_of(partition)}: position {at} lies beyond the end {end} of the log; the log was replaced or"
        " lost its newest messages, and reading on would skip messages"
    )
