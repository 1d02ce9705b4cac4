"""Who reads which partition: shared out topic by topic.

The client's cooperative-sticky assignor counts partitions, whatever their topic. A lane reads several topics of very
different weight, and it may rightly give one member all partitions of the readings and the other all the quiet ones:
measured, two ingest processes then were as fast as one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import (  # type: ignore[import-untyped,unused-ignore]
    CooperativeStickyAssignor,
)
from kafka.coordinator.assignors.sticky.sticky_assignor import (  # type: ignore[import-untyped,unused-ignore]
    StickyAssignmentExecutor,
    StickyAssignorMemberMetadataV1,
)
from kafka.protocol.consumer.metadata import (  # type: ignore[import-untyped,unused-ignore]
    ConsumerProtocolAssignment,
)
from kafka.structs import TopicPartition  # type: ignore[import-untyped,unused-ignore]


class PerTopicAssignor(CooperativeStickyAssignor):  # type: ignore[misc,unused-ignore]
    """Cooperative-sticky (KIP-429) within each topic: members' shares of every topic differ by one partition at most."""

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        """Member id → its partitions for now: one that is still another member's comes in the next round."""
        parsed = {member.member_id: self.parse_member_metadata(member.metadata) for member in members}
        owner = {tp: name for name, one in parsed.items() for tp in one.partitions}
        found: dict[str, dict[str, list[int]]] = {name: defaultdict(list) for name in parsed}
        for topic in sorted({topic for one in parsed.values() for topic in one.subscription}):
            executor = StickyAssignmentExecutor(
                cluster,
                {
                    name: StickyAssignorMemberMetadataV1(
                        partitions=[tp for tp in one.partitions if tp.topic == topic],
                        generation=one.generation,
                        subscription=[topic],
                    )
                    for name, one in parsed.items()
                    if topic in one.subscription
                },
            )
            executor.perform_initial_assignment()
            executor.balance()
            for name in parsed:
                for _, partitions in executor.get_final_assignment(name):
                    found[name][topic] += [
                        p for p in partitions if owner.get(TopicPartition(topic, p), name) == name
                    ]
        return {
            name: ConsumerProtocolAssignment(
                self.version, sorted((topic, sorted(ps)) for topic, ps in topics.items()), b""
            )
            for name, topics in found.items()
        }
