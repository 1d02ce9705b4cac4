"""Ports: what the domain and its neighbours ask of the outside world, as Protocols.

`streams/` and `data/` implement them, `app.py` joins them, and one contract suite per port runs over every
implementation (`tests/contracts/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Header = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class TopicPartition:
    """One ordered log of the bus. `offset`s in it are dense: 0, 1, 2 … one per accepted message."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be put on the bus. Equal keys keep their order (they share a partition)."""

    topic: str
    key: str
    value: bytes
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Where the bus has put a message; returned only once the bus holds it durably."""

    topic: str
    partition: int
    offset: int


class Record(NamedTuple):
    """A message read from the bus. `timestamp_ms` is the broker's own append time (ms since the epoch).

    (A NamedTuple: one is made per message, and a frozen dataclass takes four times as long to make.)
    """

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: tuple[Header, ...]
    timestamp_ms: int


class BusUnavailable(RuntimeError):
    """The bus cannot be reached now; nothing is known to be accepted; the caller may try again."""


class BusRefused(RuntimeError):
    """The bus answered and refused (memory limit, message too large); the text says why."""


class MessageRefused(BusRefused):
    """The bus refuses this very message and will refuse it every time (too large): sending it again is no use."""


class Producer(Protocol):
    """Puts messages on the bus. Safe to call from several threads."""

    def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        """Put all `messages`, return their positions in order, only after the bus holds every one durably.

        Raises BusUnavailable or BusRefused; then some of them may have been accepted (at least once).
        """

    def close(self) -> None:
        """Release the connection; idempotent."""


StartPositions = Callable[[frozenset[TopicPartition]], Mapping[TopicPartition, int]]
"""Given newly assigned partitions, the offset at which reading of each must start (the store's truth).
A partition that is absent from the answer starts at the group's committed offset, else at the first one."""


class Reader(Protocol):
    """A member of a consumer group. Not thread-safe; `on_assigned` is called from inside `poll`."""

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Wait up to `timeout_s` for records; return at once when there are some, at most `max_records`.

        Records of one partition come in offset order. Raises BusUnavailable when the bus is away (call again
        later; the reader recovers by itself).
        """

    def assignment(self) -> frozenset[TopicPartition]:
        """Partitions this member owns now."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read `partition` from `offset` next."""

    def pause(self, partitions: frozenset[TopicPartition]) -> None:
        """Back-pressure: stop fetching these partitions, stay in the group."""

    def resume(self, partitions: frozenset[TopicPartition]) -> None:
        """Fetch these partitions again."""

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Record next-to-read offsets as the group's progress (bookkeeping: the store holds the truth)."""

    def close(self) -> None:
        """Leave the group at once, so that others take over; idempotent."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What something takes and may take, in bytes; `capacity` None: nobody here knows."""

    used: int
    capacity: int | None = None


class BusInspector(Protocol):
    """Read-only questions about the bus, for the loss ledger and the operations page; and topic creation."""

    def ensure_topics(self, partitions: Mapping[str, int]) -> None:
        """Create the topics that do not exist, with this many partitions; leave existing ones alone."""

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        """Per partition (first retained offset, end offset = next to be written)."""

    def offsets_at(self, partition: TopicPartition, times_ms: Sequence[int]) -> list[int]:
        """For each time the offset of the first message appended at or after it; the end offset if none."""

    def committed(self, group: str, topic: str) -> dict[TopicPartition, int]:
        """What a group has committed, per partition (absent = nothing yet)."""

    def usage(self) -> Usage:
        """What the messages that are kept take, and the limit if the bus knows one."""

    def close(self) -> None:
        """Release the connection; idempotent."""


class Bus(Protocol):
    """One transport, opened from its address; makes producers, readers and an inspector."""

    name: str

    def producer(self) -> Producer:
        """A new producer."""

    def reader(self, group: str, topics: Sequence[str], start: StartPositions) -> Reader:
        """Join `group` on `topics`."""

    def inspector(self) -> BusInspector:
        """A new inspector."""
