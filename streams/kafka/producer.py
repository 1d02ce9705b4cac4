"""Puts messages on Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from incidents.ports import BusRefused, BusUnavailable, Outgoing, Position
from streams.kafka.clients import DELIVERY_S, RETRIABLE, Shared, port_errors, producer
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
        """See incidents.ports.Producer. Waits at most about twenty seconds for the broker."""
        refuse_oversize(messages, self._max_message_bytes)
        self._inspector.ensure_topics(dict.fromkeys((m.topic for m in messages), self._partitions))
        client = self._producer.get()
        answers: list[Any] = []
        failure: Exception | None = None
        try:
            with port_errors():
                for m in messages:
                    answers.append(client.send(m.topic, m.value, m.key.encode(), headers=list(m.headers)))
        except (BusRefused, BusUnavailable) as error:
            failure = error
        positions: list[Position] = []
        for answer in answers:
            # Every one is waited for, failed or not: none may still be under way when the caller tries again.
            try:
                with port_errors():
                    done = answer.get(timeout=DELIVERY_S + 5)
                positions.append(Position(done.topic, done.partition, done.offset))
            except (BusRefused, BusUnavailable) as error:
                failure = failure or error
        if failure is not None:
            if not isinstance(failure.__cause__, RETRIABLE):
                self._producer.drop()
            raise failure
        return positions

    def close(self) -> None:
        """See incidents.ports.Producer."""
        self._producer.drop()
        self._inspector.close()
