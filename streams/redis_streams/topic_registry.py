"""Which topics exist and how many partitions each has."""

from __future__ import annotations

import threading

import redis

from incidents.ports import TopicPartition
from streams.message_size import refuse_topic_name
from streams.redis_streams.connection import call
from streams.redis_streams.layout import TOPICS


class TopicRegistry:
    """Knows the number of partitions of each topic. It never changes once made, so it is asked for once.

    Safe to use from several threads.
    """

    def __init__(self, client: redis.Redis, default_partitions: int) -> None:
        self._client = client
        self._default = default_partitions
        self._known: dict[str, int] = {}
        self._lock = threading.Lock()

    def ensure(self, topic: str, partitions: int | None = None) -> int:
        """Number of partitions of `topic`, which is made (with `partitions`, else the default) when it is new."""
        with self._lock:
            count = self._known.get(topic)
        if count is None:
            refuse_topic_name(topic)
            count = self.find(
                topic
            )  # asked first: at its memory limit the server refuses HSETNX, needed or not
        if count is None:
            call(self._client, "HSETNX", TOPICS, topic, partitions or self._default)
            count = self.find(topic)
            assert count is not None, topic
        return count

    def find(self, topic: str) -> int | None:
        """Number of partitions of `topic`, or None when there is no such topic."""
        answer = call(self._client, "HGET", TOPICS, topic)
        if answer is None:
            return None
        count = int(answer)
        with self._lock:
            self._known[topic] = count
        return count

    def forget(self) -> None:
        """Ask the server again: after a lost connection it may have come back without its data."""
        with self._lock:
            self._known.clear()

    def partitions(self, topic: str) -> list[TopicPartition]:
        """The partitions of `topic` in order; empty when there is no such topic."""
        return [TopicPartition(topic, p) for p in range(self.find(topic) or 0)]
