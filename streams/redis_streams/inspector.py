"""Questions about the logs, topic creation, and housekeeping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis

from incidents.ports import BusRefused, TopicPartition, Usage
from streams.redis_streams.connection import call, call_all, port_errors
from streams.redis_streams.layout import committed_offset, head_key, log_key
from streams.redis_streams.scripts import OFFSETS_AT
from streams.redis_streams.topic_registry import TopicRegistry

KEEP_S: Final = 3600
"""Messages younger than this stay, so that `offsets_at` answers for the last hour …"""

KEEP_MESSAGES: Final = 200_000
"""… but no more of them than this per partition,"""

KEEP_MESSAGES_TIGHT: Final = 10_000
"""… or than this when the server has used up more than TIGHT of its memory limit, and none beyond VERY_TIGHT."""

TIGHT: Final = 0.7
VERY_TIGHT: Final = 0.9

KEEP_UNREAD_S: Final = 7 * 24 * 3600
"""A topic that no group has ever read keeps this much (Kafka's own default)."""


class RedisInspector:
    """Questions about the bus. Safe to use from several threads."""

    def __init__(self, client: redis.Redis, registry: TopicRegistry) -> None:
        self._client = client
        self._registry = registry
        self._offsets_at = client.register_script(OFFSETS_AT)

    def ensure_topics(self, partitions: Mapping[str, int]) -> None:
        """See incidents.ports.BusInspector."""
        for topic, count in partitions.items():
            if count < 1:
                raise BusRefused(f"topic {topic}: {count} partitions; at least 1 is needed")
            self._registry.ensure(topic, count)

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        """See incidents.ports.BusInspector. Empty when there is no such topic."""
        return self.ranges_of(self._registry.partitions(topic))

    def ranges_of(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """As `ranges`, of these partitions; (0, 0) for one that does not exist."""
        commands: list[tuple[str | int, ...]] = []
        for partition in partitions:
            commands.append(("XRANGE", log_key(partition), "-", "+", "COUNT", 1))
            commands.append(("HGET", head_key(partition), "n"))
        answers = call_all(self._client, commands)
        found: dict[TopicPartition, tuple[int, int]] = {}
        for partition, oldest, n in zip(partitions, answers[::2], answers[1::2], strict=True):
            end = int(n or 0)
            found[partition] = (int(oldest[0][0].partition(b"-")[0]) - 1 if oldest else end, end)
        return found

    def offsets_at(self, partition: TopicPartition, times_ms: Sequence[int]) -> list[int]:
        """See incidents.ports.BusInspector. Exact as far back as messages are retained."""
        if not times_ms:
            return []
        with port_errors():
            answer: Any = self._offsets_at(
                keys=[log_key(partition), head_key(partition)], args=[str(int(t)) for t in times_ms]
            )
        return [int(offset) for offset in answer]

    def committed(self, group: str, topic: str) -> dict[TopicPartition, int]:
        """See incidents.ports.BusInspector."""
        found: dict[TopicPartition, int] = {}
        for partition in self._registry.partitions(topic):
            offset = self._cursors(partition).get(group)
            if offset is not None:
                found[partition] = offset
        return found

    def trim(self, topic: str) -> int:
        """Give back the memory of messages that every group has committed; returns how many went.

        Kept in any case: what some group has not committed, and of the rest what is younger than KEEP_S, up to
        KEEP_MESSAGES per partition (KEEP_MESSAGES_TIGHT when memory runs short, none when it is nearly gone: to
        refuse new messages for the sake of read ones would be worse). A topic without any group keeps
        KEEP_UNREAD_S.
        """
        used = self.memory_used()
        keep = KEEP_MESSAGES if used <= TIGHT else KEEP_MESSAGES_TIGHT if used <= VERY_TIGHT else 0
        removed = 0
        for partition, (first, end) in self.ranges(topic).items():
            cursors = self._cursors(partition)
            now_ms = self._now_ms()
            if cursors:
                young = self.offsets_at(partition, [now_ms - KEEP_S * 1000])[0]
                below = min(min(offset or 0 for offset in cursors.values()), max(young, end - keep))
            else:
                below = self.offsets_at(partition, [now_ms - KEEP_UNREAD_S * 1000])[0]
            if below > first:
                # LIMIT 0 lets it go all the way; "~" leaves the last block of entries whole, which is cheap.
                lowest = f"{below + 1}-0"
                removed += call(self._client, "XTRIM", log_key(partition), "MINID", "~", lowest, "LIMIT", 0)
        return removed

    def forget_group(self, group: str, topic: str) -> None:
        """Drop a group that will never come back, so that it no longer holds back trimming."""
        for partition in self._registry.partitions(topic):
            if group in self._cursors(partition):
                call(self._client, "XGROUP", "DESTROY", log_key(partition), group)

    def memory_used(self) -> float:
        """Used share of the server's memory limit; 0 when it has none."""
        usage = self.usage()
        return usage.used / usage.capacity if usage.capacity else 0.0

    def usage(self) -> Usage:
        """See incidents.ports.BusInspector: the server's memory."""
        with port_errors():
            memory: Any = self._client.info("memory")
        return Usage(int(memory["used_memory"]), int(memory.get("maxmemory") or 0) or None)

    def close(self) -> None:
        """See incidents.ports.BusInspector."""
        self._client.close()

    def _cursors(self, partition: TopicPartition) -> dict[str, int | None]:
        """Every group enrolled on the log, with its committed offset (None = nothing yet)."""
        if not call(self._client, "EXISTS", log_key(partition)):
            return {}
        groups = call(self._client, "XINFO GROUPS", log_key(partition))
        found: dict[str, int | None] = {}
        for raw in groups:
            group = dict(zip(raw[::2], raw[1::2], strict=True))
            found[group[b"name"].decode()] = committed_offset(group[b"last-delivered-id"])
        return found

    def _now_ms(self) -> int:
        seconds, microseconds = call(self._client, "TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000
