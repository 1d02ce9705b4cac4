"""Appends messages to the logs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import redis

from incidents.ports import BusUnavailable, Outgoing, Position, TopicPartition
from streams.message_size import refuse_oversize
from streams.redis_streams.connection import call_all
from streams.redis_streams.layout import head_key, headers_field, log_key, partition_of
from streams.redis_streams.scripts import APPEND
from streams.redis_streams.topic_registry import TopicRegistry

_APPEND_SHA: Final = hashlib.sha1(APPEND.encode(), usedforsecurity=False).hexdigest()
_CHUNK_MESSAGES: Final = 500
_CHUNK_BYTES: Final = 1024 * 1024


@dataclass(slots=True)
class _Chunk:
    """Messages for one partition that one script call appends."""

    partition: TopicPartition
    places: list[int] = field(default_factory=list)
    arguments: list[bytes] = field(default_factory=list)
    size: int = 0

    def takes(self, size: int) -> bool:
        return not self.places or (len(self.places) < _CHUNK_MESSAGES and self.size + size <= _CHUNK_BYTES)


class RedisProducer:
    """Puts messages on the bus. With `appendfsync always` the answer comes after they are on the disk."""

    def __init__(self, client: redis.Redis, registry: TopicRegistry, max_message_bytes: int) -> None:
        self._client = client
        self._registry = registry
        self._max_message_bytes = max_message_bytes

    def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        """See incidents.ports.Producer. Messages of one partition reach it in the order given.

        Chunks of one partition go one after the other: when one is refused, none behind it is accepted.
        """
        refuse_oversize(messages, self._max_message_bytes)
        positions: list[Position | None] = [None] * len(messages)
        for chunks in self._rounds(messages):
            for chunk, first in zip(chunks, self._append(chunks), strict=True):
                topic, partition = chunk.partition.topic, chunk.partition.partition
                for i, place in enumerate(chunk.places):
                    positions[place] = Position(topic, partition, first + i)
        return [p for p in positions if p is not None]

    def close(self) -> None:
        """See incidents.ports.Producer."""
        self._client.close()

    def _rounds(self, messages: Sequence[Outgoing]) -> Iterator[list[_Chunk]]:
        queues: dict[TopicPartition, list[_Chunk]] = {}
        counts = {topic: self._registry.ensure(topic) for topic in dict.fromkeys(m.topic for m in messages)}
        for place, message in enumerate(messages):
            key = message.key.encode()
            partition = TopicPartition(message.topic, partition_of(key, counts[message.topic]))
            headers = headers_field(message.headers)
            size = len(key) + len(message.value) + len(headers)
            queue = queues.setdefault(partition, [_Chunk(partition)])
            if not queue[-1].takes(size):
                queue.append(_Chunk(partition))
            chunk = queue[-1]
            chunk.places.append(place)
            chunk.arguments += (key, message.value, headers)
            chunk.size += size
        for turn in range(max(map(len, queues.values()), default=0)):
            yield [queue[turn] for queue in queues.values() if turn < len(queue)]

    def _append(self, chunks: Sequence[_Chunk]) -> list[int]:
        # The first call carries the script itself, so that the others find it, whatever the server has forgotten.
        commands: list[list[str | bytes | int]] = []
        for chunk in chunks:
            how = ("EVALSHA", _APPEND_SHA) if commands else ("EVAL", APPEND)
            commands.append([*how, 2, log_key(chunk.partition), head_key(chunk.partition), *chunk.arguments])
        try:
            return [int(answer) for answer in call_all(self._client, commands)]
        except BusUnavailable:
            self._registry.forget()
            raise
