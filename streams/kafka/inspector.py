"""Questions about the logs, and topic creation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from incidents.ports import BusRefused, BusUnavailable, TopicPartition, Usage
from streams.kafka.clients import TOPIC_EXISTS, UNKNOWN_TOPIC, Shared, admin, ours, port_errors, theirs
from streams.message_size import refuse_topic_name

_EARLIEST: Final = -2
_LATEST: Final = -1
_FRAMING_BYTES: Final = 64 * 1024


class KafkaInspector:
    """Questions about the bus. Safe to use from several threads."""

    def __init__(self, bootstrap: str, max_message_bytes: int) -> None:
        self._admin = Shared(lambda: admin(bootstrap))
        self._max_message_bytes = max_message_bytes
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def ensure_topics(self, partitions: Mapping[str, int]) -> None:
        """See incidents.ports.BusInspector. New topics carry the broker's own append time."""
        with self._lock:
            asked = {topic: count for topic, count in partitions.items() if topic not in self._known}
        if not asked:
            return
        for topic, count in asked.items():
            refuse_topic_name(topic)
            if count < 1:
                raise BusRefused(f"topic {topic}: {count} partitions; at least 1 is needed")
        existing = {t["name"] for t in self._describe(list(asked)) if t["error_code"] == 0}
        for topic, count in asked.items():
            if topic not in existing:
                self._create(topic, count)
        self._ask(lambda client: client.wait_for_topics(list(asked)))
        with self._lock:
            self._known |= asked.keys()

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        """See incidents.ports.BusInspector. Empty when there is no such topic."""
        partitions = self._partitions(topic)
        if not partitions:
            return {}
        firsts = self._offsets(dict.fromkeys(partitions, _EARLIEST))
        ends = self._offsets(dict.fromkeys(partitions, _LATEST))
        return {p: (firsts[p], ends[p]) for p in partitions}

    def offsets_at(self, partition: TopicPartition, times_ms: Sequence[int]) -> list[int]:
        """See incidents.ports.BusInspector."""
        found: dict[int, int] = {}
        for time_ms in times_ms:
            if time_ms not in found:
                found[time_ms] = self._offsets({partition: max(0, int(time_ms))})[partition]
        if any(offset < 0 for offset in found.values()):
            # Asked after the answers above, so the end may only be later than "none" was true for: then it is
            # still right to say that the message wanted is at or behind the end known when we asked.
            end = self._offsets({partition: _LATEST})[partition]
            found = {t: end if offset < 0 else offset for t, offset in found.items()}
        return [found[t] for t in times_ms]

    def committed(self, group: str, topic: str) -> dict[TopicPartition, int]:
        """See incidents.ports.BusInspector."""
        wanted = [theirs(p) for p in self._partitions(topic)]
        if not wanted:
            return {}
        answer = self._ask(lambda client: client.list_group_offsets({group: wanted}))
        return {ours(p): at.offset for p, at in answer.get(group, {}).items() if at.offset >= 0}

    def usage(self) -> Usage:
        """See incidents.ports.BusInspector: logs of every replica on every broker."""
        brokers = self._ask(lambda client: client.describe_log_dirs())
        return Usage(
            sum(
                int(partition["partition_size"])
                for broker in brokers
                for folder in broker["log_dirs"]
                for topic in folder["topics"]
                for partition in topic["partitions"]
            )
        )

    def close(self) -> None:
        """See incidents.ports.BusInspector."""
        self._admin.drop()

    def _create(self, topic: str, partitions: int) -> None:
        settings = {
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(self._max_message_bytes + _FRAMING_BYTES),
        }
        new = {topic: {"num_partitions": partitions, "replication_factor": -1, "configs": settings}}
        try:
            self._ask(lambda client: client.create_topics(new))
        except BusRefused as error:
            if not isinstance(error.__cause__, TOPIC_EXISTS):
                raise

    def _describe(self, topics: list[str]) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._ask(lambda client: client.describe_topics(topics))
        return answer

    def _partitions(self, topic: str) -> list[TopicPartition]:
        (described,) = self._describe([topic])
        if described["error_code"] == UNKNOWN_TOPIC:
            return []
        if described["error_code"] != 0:
            raise BusUnavailable(
                f"Kafka does not know the state of {topic} (error {described['error_code']})"
            )
        return sorted(
            (TopicPartition(topic, p["partition_index"]) for p in described["partitions"]),
            key=lambda p: p.partition,
        )

    def _offsets(self, wanted: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        specs = {theirs(p): at for p, at in wanted.items()}
        answer = self._ask(lambda client: client.list_partition_offsets(specs, timeout_ms=5000))
        return {ours(p): at.offset for p, at in answer.items()}

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        client = self._admin.get()
        try:
            with port_errors():
                return question(client)
        except BusUnavailable:
            self._admin.drop()
            raise
