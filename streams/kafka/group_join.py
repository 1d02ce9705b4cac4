"""Repairs joining a group in kafka-python 3.0.12 (the pinned version).

There, `poll` starts a join as a task and, when its timeout passes, leaves the task under way for the next `poll`.
When the task ends between two polls its result is thrown away: `join_group_async` starts another join because the
task is done, or, when the rejoin had been caused by new metadata, `need_rejoin` says no and the member sits there
without partitions and without heartbeats. Members that poll with short timeouts could so keep a group from ever
settling. Here a join that ended in the meantime is completed by the next poll.
"""

from __future__ import annotations

from typing import Any

from kafka.coordinator.base import MemberState  # type: ignore[import-untyped,unused-ignore]
from kafka.coordinator.consumer import ConsumerCoordinator  # type: ignore[import-untyped,unused-ignore]


class _Coordinator(ConsumerCoordinator):  # type: ignore[misc,unused-ignore]
    def need_rejoin(self) -> bool:
        return bool(self.rejoining or super().need_rejoin())

    async def join_group_async(self, timeout_ms: float | None = None) -> bool:
        task: Any = vars(self)["_join_task"]
        if task is not None and task.is_done and task.succeeded():
            self._join_task = None
            with self._lock:
                self.rejoining = False
                self.rejoin_needed = False
                self.state = MemberState.STABLE
                self._enable_heartbeat()
            generation = self._generation
            await self._on_join_complete_async(
                generation.generation_id, generation.member_id, generation.protocol, task.value
            )
            return True
        return bool(await super().join_group_async(timeout_ms=timeout_ms))


def repair_joining(consumer: Any) -> None:
    """Give a new KafkaConsumer the repaired behaviour."""
    consumer._coordinator.__class__ = _Coordinator
