"""A topic of somebody else's Kafka, read from where we say and without a group: the position is ours to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer

from incidents.ports import BusUnavailable, TopicPartition
from streams.kafka.clients import _made, ours, port_errors, theirs, without_position


@dataclass(frozen=True, slots=True)
class ForeignRecord:
    """One record; `timestamp_ms` as the topic has it, `value` None for a tombstone."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class ForeignTopic:
    """Reads all partitions of a topic. Not thread-safe. Everything may raise BusUnavailable or BusRefused."""

    def __init__(self, bootstrap: str, topic: str, security: Mapping[str, Any]) -> None:
        self._topic = topic
        self._consumer: Any = _made(
            KafkaConsumer,
            bootstrap_servers=bootstrap.split(","),
            metrics_enabled=False,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            **security,
        )
        self._next: dict[int, int] = {}

    def ranges(self) -> dict[int, tuple[int, int]]:
        """Partition → (first offset it still has, end); empty when there is no such topic."""
        with port_errors():
            found = self._consumer.partitions_for_topic(self._topic) or ()
            partitions = [theirs(TopicPartition(self._topic, number)) for number in sorted(found)]
            if not partitions:
                return {}
            first = self._consumer.beginning_offsets(partitions)
            ends = self._consumer.end_offsets(partitions)
        return {p.partition: (first[p], ends[p]) for p in partitions}

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Read these partitions, from these offsets; nothing is asked of the broker when that is where we are."""
        if dict(offsets) == self._next:
            return
        with port_errors():
            partitions = {number: theirs(TopicPartition(self._topic, number)) for number in offsets}
            if set(offsets) != set(self._next):
                self._consumer.assign(list(partitions.values()))
            for number, offset in offsets.items():
                self._consumer.seek(partitions[number], offset)
        self._next = dict(offsets)

    def poll(self, most: int, wait_s: float) -> Sequence[ForeignRecord] | None:
        """Records in order within each partition; None when the broker no longer has our positions: ask `ranges`."""
        try:
            with port_errors():
                found = self._consumer.poll(timeout_ms=int(wait_s * 1000), max_records=most)
        except BusUnavailable as error:
            if without_position(error.__cause__):
                self._next = {}
                return None
            raise
        records = [
            ForeignRecord(ours(partition).partition, r.offset, r.timestamp, r.key, r.value)
            for partition, rows in found.items()
            for r in rows
        ]
        for record in records:
            self._next[record.partition] = record.offset + 1
        return records

    def close(self) -> None:
        """Release the connection."""
        self._consumer.close()
