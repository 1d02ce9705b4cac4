"""The bus on Redis Streams: dense offsets, durable cursors, leases. Needs nothing newer than Redis 6.2.

The server must run with `appendonly yes`, `appendfsync always` and `maxmemory-policy noeviction`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from incidents.ports import StartPositions
from streams.message_size import MAX_MESSAGE_BYTES
from streams.redis_streams.connection import connect
from streams.redis_streams.inspector import RedisInspector
from streams.redis_streams.producer import RedisProducer
from streams.redis_streams.reader import RedisReader
from streams.redis_streams.topic_registry import TopicRegistry

_ANSWER_TIMEOUT_S: Final = 10.0


class RedisStreamsBus:
    """Makes producers, readers and inspectors for the Redis at `url`; opens nothing before it is used.

    A topic that does not exist gets `partitions` partitions when it is first written or read.
    """

    name: str = "redis-streams"

    def __init__(self, url: str, partitions: int, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._url = url
        self._partitions = partitions
        self._max_message_bytes = max_message_bytes

    def producer(self) -> RedisProducer:
        """See incidents.ports.Bus."""
        client = connect(self._url, _ANSWER_TIMEOUT_S)
        return RedisProducer(client, TopicRegistry(client, self._partitions), self._max_message_bytes)

    def reader(self, group: str, topics: Sequence[str], start: StartPositions) -> RedisReader:
        """See incidents.ports.Bus. All members of a group must read the same topics."""
        client = connect(self._url, _ANSWER_TIMEOUT_S)
        registry = TopicRegistry(client, self._partitions)
        return RedisReader(client, registry, RedisInspector(client, registry), group, topics, start)

    def inspector(self) -> RedisInspector:
        """See incidents.ports.Bus."""
        client = connect(self._url, _ANSWER_TIMEOUT_S)
        return RedisInspector(client, TopicRegistry(client, self._partitions))
