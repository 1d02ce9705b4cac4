"""Sending: batches to the bus, at least once, and the feed's own record of what it sent.

The record (JSON lines) is written after the bus has a batch, so that it is the producer's own truth, to be
compared with what the product says it received.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

import msgspec

from incidents.ports import BusRefused, BusUnavailable, Outgoing

Say = Callable[[str], None]
"""Prints one line for the person who started the feed."""


class Stop(Protocol):
    """What a feed needs of a threading.Event: whether to end, and a wait that ends early."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Sink(Protocol):
    """Where messages go: a `Producer` of the bus, or `http_sink.HttpSink`."""

    def publish(self, messages: Sequence[Outgoing]) -> object:
        """Take all `messages` durably, or raise BusUnavailable or BusRefused (then send them again)."""


class FeedStopped(Exception):
    """The stop was asked for while messages still waited for the bus."""


class FeedRefused(RuntimeError):
    """The bus went on refusing; the text is the bus's own."""


class RecordedMessage(msgspec.Struct, frozen=True):
    """One line of the record: message `id`, `topic`, bus `key`, `n` records, `kind`, `time`, sha256 of data.

    `kind` is good, late, duplicate or bad (the reason word in `reason`).
    """

    id: str
    topic: str
    key: str
    n: int
    kind: str
    time: str
    sha256: str
    reason: str = ""


@dataclass(slots=True)
class Sent:
    """Counts of what the bus has taken."""

    messages: int = 0
    records: int = 0
    retries: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)


class Sender:
    """Publishes batches in order. `record` gets one JSON line per message, or nothing when None."""

    def __init__(
        self, sink: Sink, stop: Stop, say: Say, record: IO[bytes] | None = None, patience_s: float = 300.0
    ) -> None:
        self._sink = sink
        self._stop = stop
        self._say = say
        self._record = record
        self._patience_s = patience_s
        self._encoder = msgspec.json.Encoder()
        self.sent = Sent()

    def send(self, messages: Sequence[Outgoing], lines: Sequence[RecordedMessage]) -> None:
        """Publish `messages` (described by `lines`), trying again while the bus is away.

        Raises FeedStopped when stopped meanwhile, FeedRefused when the bus refuses for longer than the
        patience. Then the batch may be on the bus in part and is not in the record.
        """
        if not messages:
            return
        waited = refused_s = 0.0
        pause = 0.1
        while True:
            try:
                self._sink.publish(messages)
                break
            except BusUnavailable as error:
                why = str(error)
            except BusRefused as error:
                why, refused_s = str(error), refused_s + pause
                if refused_s > self._patience_s:
                    raise FeedRefused(why) from error
            if not waited:
                self._say(f"the bus does not take messages ({why}); trying again")
            self.sent.retries += 1
            if self._stop.wait(pause):
                raise FeedStopped(f"{len(messages)} messages still waited for the bus: {why}")
            waited += pause
            pause = min(pause * 2, 2.0)
        if waited:
            self._say(f"the bus takes messages again after about {waited:.1f} s")
        sent = self.sent
        sent.messages += len(messages)
        for line in lines:
            sent.records += line.n
            sent.by_kind[line.kind] = sent.by_kind.get(line.kind, 0) + 1
        if self._record is not None:
            self._record.write(self._encoder.encode_lines(lines))

    def note(self, line: dict[str, Any]) -> None:
        """Write one further line (an unreadable row, the summary) into the record."""
        if self._record is not None:
            self._record.write(self._encoder.encode(line) + b"\n")

    def flush(self) -> None:
        """Hand what is written to the operating system."""
        if self._record is not None:
            self._record.flush()
