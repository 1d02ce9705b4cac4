"""The module that touches kafka-python (which has no type hints): its clients, and its errors said in the port's words."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from kafka import (  # type: ignore[import-untyped,unused-ignore]
    ConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
)
from kafka import TopicPartition as _KafkaPartition
from kafka import errors as _errors
from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped,unused-ignore]
from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped,unused-ignore]

from incidents.ports import BusRefused, BusUnavailable, MessageRefused, TopicPartition
from streams.kafka.assignor import PerTopicAssignor
from streams.kafka.group_join import repair_joining
from streams.kafka.record_batches import read_batches_quickly

CONNECT_S: Final = 3.0
"""How long a client looks for a broker before the bus counts as away."""

SESSION_S: Final = 6.0
"""A member that was killed loses its partitions after this many seconds (the least a broker allows by default)."""

PUBLISH_S: Final = 15.0
"""How long a producer keeps trying before the bus counts as away."""

_REQUEST_S: Final = 10.0

GONE_FROM_GROUP: Final[tuple[type[Exception], ...]] = (
    _errors.CommitFailedError,
    _errors.RebalanceInProgressError,
    _errors.IllegalGenerationError,
    _errors.UnknownMemberIdError,
)
UNKNOWN_TOPIC: Final[int] = _errors.UnknownTopicOrPartitionError.errno
TOPIC_EXISTS: Final[type[Exception]] = _errors.TopicAlreadyExistsError


class AssignmentListener(ConsumerRebalanceListener):  # type: ignore[misc,unused-ignore]
    """Hands the partitions that come and go to two functions. They run on the client's own network thread."""

    def __init__(self, came: Callable[[Any], None], went: Callable[[Any], None]) -> None:
        self._came = came
        self._went = went

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Called by the client."""
        self._came(assigned)

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Called by the client."""
        self._went(revoked)

    def on_partitions_lost(self, lost: Any) -> None:
        """Called by the client when another member already has them."""
        self._went(lost)


def theirs(partition: TopicPartition) -> Any:
    """kafka-python's name of a partition."""
    return _KafkaPartition(partition.topic, partition.partition)


def ours(partition: Any) -> TopicPartition:
    """The port's name of a partition."""
    return TopicPartition(partition.topic, partition.partition)


def next_offset(offset: int) -> Any:
    """kafka-python's form of an offset to commit."""
    return OffsetAndMetadata(offset, "", -1)


def without_position(error: BaseException | None) -> list[Any]:
    """kafka-python's names of the partitions of which `error` says that the broker no longer has our position."""
    if isinstance(error, _errors.OffsetOutOfRangeError):
        return list(error.args[0])
    if isinstance(error, _errors.LogTruncationError):
        return list(error.divergent_offsets)
    return []


@contextlib.contextmanager
def port_errors() -> Iterator[None]:
    """Turn Kafka errors raised inside into BusUnavailable (try again later) or BusRefused (it said no)."""
    try:
        yield
    except (_errors.MessageSizeTooLargeError, _errors.RecordListTooLargeError) as error:
        raise MessageRefused(
            f"Kafka refused a message as larger than the topic or the broker allows: {error}"
        ) from error
    except (_errors.RetriableError, _errors.NodeNotReadyError, OSError) as error:
        raise BusUnavailable(f"Kafka cannot be reached: {error}") from error
    except _errors.BrokerResponseError as error:
        raise BusRefused(f"Kafka refused: {error}") from error
    except _errors.KafkaError as error:
        raise BusUnavailable(f"Kafka is not usable now: {error}") from error


def _made(kind: Any, **options: Any) -> Any:
    """A client of `kind`. When no broker answers, its network thread is ended and BusUnavailable raised."""
    nets: list[Any] = []

    def remembered(**net_options: Any) -> Any:
        nets.append(KafkaNetClient(**net_options))
        return nets[-1]

    try:
        with port_errors():
            return kind(
                kafka_client=remembered,
                bootstrap_timeout_ms=int(CONNECT_S * 1000),
                request_timeout_ms=int(_REQUEST_S * 1000),
                reconnect_backoff_max_ms=1000,
                **options,
            )
    except BaseException:
        for net in nets:
            net.close()
        raise


def producer(bootstrap: str, largest_request: int) -> Any:
    """A KafkaProducer: idempotent, every replica acknowledges, lz4.

    Linger 5 ms: 500 messages of 300 bytes at a time went out at 41,000/s, at 10 ms at 33,000/s; a single message
    reached its reader after 7 ms against 12 ms.
    """
    return _made(
        KafkaProducer,
        bootstrap_servers=bootstrap.split(","),
        metrics_enabled=False,
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=5,
        batch_size=256 * 1024,
        max_request_size=largest_request,
        max_block_ms=int(CONNECT_S * 1000),
        delivery_timeout_ms=int(PUBLISH_S * 1000),
        allow_auto_create_topics=False,
    )


def consumer(bootstrap: str, group: str) -> Any:
    """A KafkaConsumer of a group; it never moves its own position: no auto commit, no auto reset."""
    made = _made(
        KafkaConsumer,
        bootstrap_servers=bootstrap.split(","),
        metrics_enabled=False,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        partition_assignment_strategy=[PerTopicAssignor],
        session_timeout_ms=int(SESSION_S * 1000),
        heartbeat_interval_ms=int(SESSION_S * 1000 / 6),
        fetch_max_wait_ms=100,
        fetch_max_bytes=16 * 1024 * 1024,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    repair_joining(made)
    read_batches_quickly(made)
    return made


def admin(bootstrap: str) -> Any:
    """A KafkaAdminClient."""
    return _made(KafkaAdminClient, bootstrap_servers=bootstrap.split(","))


class Shared:
    """One client used by several threads, made when first needed and made anew after `drop`."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._client: Any = None
        self._lock = threading.Lock()

    def get(self) -> Any:
        """The client. Raises BusUnavailable when no broker answers."""
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def drop(self) -> None:
        """Close the client, if there is one; the next `get` makes another."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            if isinstance(client, KafkaProducer):
                # `close` would first wait for what is under way, for ever when it hangs.
                client._sender.force_close()
                client._sender.join(_REQUEST_S)
            client.close()
