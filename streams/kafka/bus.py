"""The bus on Apache Kafka, through kafka-python."""

from __future__ import annotations

from collections.abc import Sequence

from incidents.ports import StartPositions
from streams.kafka.inspector import KafkaInspector
from streams.kafka.producer import KafkaBusProducer
from streams.kafka.reader import KafkaReader
from streams.message_size import MAX_MESSAGE_BYTES


class KafkaBus:
    """Makes producers, readers and inspectors for the cluster at `bootstrap` (`host:port,host:port`).

    Opens nothing before it is used. A key's partition is murmur2(UTF-8 of the key) modulo the number of partitions,
    as in the Java client. A topic that does not exist gets `partitions` partitions when it is first written or read.
    """

    name: str = "kafka"

    def __init__(
        self, bootstrap: str, partitions: int = 4, max_message_bytes: int = MAX_MESSAGE_BYTES
    ) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._max_message_bytes = max_message_bytes

    def producer(self) -> KafkaBusProducer:
        """See incidents.ports.Bus."""
        return KafkaBusProducer(self._bootstrap, self.inspector(), self._partitions, self._max_message_bytes)

    def reader(self, group: str, topics: Sequence[str], start: StartPositions) -> KafkaReader:
        """See incidents.ports.Bus. All members of a group must read the same topics."""
        return KafkaReader(self._bootstrap, self.inspector(), self._partitions, group, topics, start)

    def inspector(self) -> KafkaInspector:
        """See incidents.ports.Bus."""
        return KafkaInspector(self._bootstrap, self._max_message_bytes)
