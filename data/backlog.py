"""How many messages wait on the bus for ingest."""

from __future__ import annotations

from collections.abc import Mapping

from data.database import Database
from incidents.ports import TopicPartition


def backlog(database: Database, ends: Mapping[TopicPartition, int]) -> int:
    """Messages before these ends (next offsets to be written) that no flush has counted yet."""
    at = {
        TopicPartition(topic, number): position
        for topic, number, position in database.query(
            "SELECT topic, partition, position FROM partition_positions"
        )
    }
    return sum(max(0, end - at.get(partition, 0)) for partition, end in ends.items())
