"""Puts messages on Kafka."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from incidents.ports import BusRefused, BusUnavailable, Outgoing, Position
from streams.kafka.clients import PUBLISH_S, Shared, port_errors, producer
from streams.kafka.inspector import KafkaInspector
from streams.message_size import refuse_oversize

_FRAMING_BYTES: Final = 64 * 1024


class KafkaBusProducer:
    """Puts messages on the bus; idempotent, so that a repeated request is not a repeated message."""

    def __init__(
        self, bootstrap: str, inspector: KafkaInspector, partitions: int, max_message_bytes: int
    ) -> None:
        self._inspector = inspector
        self._partitions = partitions
        self._max_message_bytes = max_message_bytes
        self._producer = Shared(lambda: producer(bootstrap, max_message_bytes + _FRAMING_BYTES))

    def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        """See incidents.ports.Producer. Waits at most PUBLISH_S for the broker."""
        refuse_oversize(messages, self._max_message_bytes)
        self._inspector.ensure_topics(dict.fromkeys((m.topic for m in messages), self._partitions))
        client = self._producer.get()
        deadline = time.monotonic() + PUBLISH_S
        positions: list[Position] = []
        try:
            with port_errors():
                answers = [
                    client.send(m.topic, m.value, m.key.encode(), headers=list(m.headers)) for m in messages
                ]
                for answer in answers:
                    done = answer.get(timeout=max(0.0, deadline - time.monotonic()))
                    positions.append(Position(done.topic, done.partition, done.offset))
        except (BusRefused, BusUnavailable):
            # None may still be under way when the caller tries again, hence a new client.
            self._producer.drop()
            raise
        return positions

    def close(self) -> None:
        """See incidents.ports.Producer."""
        self._producer.drop()
        self._inspector.close()
