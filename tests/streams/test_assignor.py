"""Every topic is shared out evenly, whatever was before, and no partition ever has two owners."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from kafka.structs import TopicPartition

from streams.kafka.assignor import PerTopicAssignor


class Cluster:
    """What the assignor asks of the client's view of the cluster."""

    def __init__(self, partitions: dict[str, int]) -> None:
        self._partitions = partitions

    def topics(self) -> set[str]:
        return set(self._partitions)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        count = self._partitions.get(topic)
        return None if count is None else set(range(count))


class Group:
    """Members with what they own, as the broker and the client keep it."""

    def __init__(self, partitions: dict[str, int]) -> None:
        self.cluster, self.topics = Cluster(partitions), sorted(partitions)
        self.owned: dict[str, set[TopicPartition]] = {}

    def round(self) -> bool:
        """One rebalance; whether a member gave something up, so that another one follows."""
        members = [SimpleNamespace(member_id=name, metadata=self._metadata(name)) for name in self.owned]
        answer = PerTopicAssignor().assign(self.cluster, members)
        assert answer.keys() == self.owned.keys()
        new = {
            name: {TopicPartition(topic, p) for topic, ps in one.assigned_partitions for p in ps}
            for name, one in answer.items()
        }
        given = [tp for owned in new.values() for tp in owned]
        assert len(given) == len(set(given)), "two owners"
        for name, owned in new.items():
            others = {tp for other, had in self.owned.items() if other != name for tp in had}
            assert not owned & others, "given before the one who has it gave it up"
        gave_up = any(had - new[name] for name, had in self.owned.items())
        self.owned = new
        return gave_up

    def _metadata(self, name: str) -> Any:
        assignor = PerTopicAssignor()
        assignor.member_assignment = sorted(self.owned[name])
        return assignor.metadata(self.topics)

    def settle(self) -> None:
        for _ in range(3):
            if not self.round():
                break
        else:
            raise AssertionError("it never settles")
        for topic in self.topics:
            shares = [sum(tp.topic == topic for tp in owned) for owned in self.owned.values()]
            assert sum(shares) == len(self.cluster.partitions_for_topic(topic) or ())
            assert max(shares) - min(shares) <= 1, topic


@given(
    st.dictionaries(
        st.sampled_from(["city.reading.v1", "city.position.v1", "x"]), st.integers(1, 9), min_size=1
    ),
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
)
def test_members_come_and_go(partitions: dict[str, int], moves: list[int]) -> None:
    group = Group(partitions)
    for number in moves:
        name = f"member-{number}"
        if name in group.owned and len(group.owned) > 1:
            del group.owned[name]  # killed: what it had is free
        else:
            group.owned.setdefault(name, set())
        group.settle()
        settled = dict(group.owned)
        group.settle()
        assert group.owned == settled, "nothing moves without a reason"


def test_heavy_and_quiet_topics() -> None:
    """Sixteen partitions, one topic that weighs: each of two members has half of it."""
    group = Group(
        {"city.reading.v1": 4, "city.video-alarm.v1": 4, "city.grid-report.v1": 4, "city.position.v1": 4}
    )
    group.owned["a"] = set()
    group.settle()
    group.owned["b"] = set()
    group.settle()
    assert [sum(tp.topic == "city.reading.v1" for tp in owned) for owned in group.owned.values()] == [2, 2]
