"""The relay: outbox → bus and live state, in order; and the clock's work (escalations, indicators, checks).

Exactly one relay works at a time (`Leader` of the outbox); others wait. At least once: what was published twice
after a crash carries the same CloudEvents id.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import structlog

from incidents.ports import BusRefused, BusUnavailable, Outgoing, Producer
from streams import topics
from streams.envelope import encode

log = structlog.get_logger()

SOURCE = "urn:chengyun"
REPLAY = "replay"


class Waiting(Protocol):
    """A message of the outbox."""

    @property
    def id(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def payload(self) -> dict[str, Any]: ...
    @property
    def created_at(self) -> datetime: ...


class Leader(Protocol):
    """Proof of being the one relay."""

    def wait(self, seconds: float) -> None:
        """Until there is something new; raises when leadership is lost."""


class Outbox(Protocol):
    """`data/outbox.py`."""

    def leadership(self) -> AbstractContextManager[Leader | None]: ...
    def waiting(self, limit: int = 500) -> Sequence[Waiting]: ...
    def settle(self, ids: Sequence[int], now: datetime) -> None: ...


class Live(Protocol):
    """`data/live.py`, the writing side."""

    def apply(self, set_items: Iterable[Any] = (), del_keys: Iterable[tuple[str, str]] = ()) -> Any: ...


@dataclass(frozen=True, slots=True)
class Timer:
    """Something done every `period_s` seconds, given the moment."""

    name: str
    period_s: float
    run: Callable[[datetime], None]


def outgoing(message: Waiting) -> Outgoing:
    """An outbox row as a bus message: CloudEvents, or a replayed message as it was."""
    if message.topic == REPLAY:
        payload = message.payload
        feed = str(payload["feed"]).encode()
        return Outgoing(payload["topic"], message.key, bytes.fromhex(payload["value"]), (("feed", feed),))
    value = encode(
        id=str(message.id),
        source=SOURCE,
        topic=message.topic,
        time=message.created_at.isoformat(),
        subject=message.key,
        data=message.payload,
        correlation=str(message.payload.get("cid") or message.payload.get("correlation_id") or ""),
    )
    return Outgoing(message.topic, message.key, value)


@dataclass(slots=True)
class Relay:
    """See the module's text. `away`: errors of store and live state that pass."""

    outbox: Outbox
    producer: Producer
    live: Live
    clock: Callable[[], datetime]
    away: tuple[type[Exception], ...]
    timers: Sequence[Timer] = ()
    published: int = 0
    failing: dict[str, str] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        while not stop.is_set():
            try:
                with self.outbox.leadership() as leader:
                    if leader is None:
                        stop.wait(1.0)
                        continue
                    self._lead(leader, stop)
            except self.away as error:
                log.warning("relay waits for the store", error=str(error))
                stop.wait(0.5)

    def _lead(self, leader: Leader, stop: threading.Event) -> None:
        lost = threading.Event()
        clockwork = threading.Thread(target=self._tick, args=(stop, lost), name="relay-timers", daemon=True)
        clockwork.start()
        try:
            while not stop.is_set():
                if not self._drain(stop):
                    leader.wait(0.5)
        finally:
            lost.set()
            clockwork.join(timeout=60)

    def _drain(self, stop: threading.Event) -> bool:
        """Publish one batch; True when there was something."""
        batch = self.outbox.waiting()
        if not batch:
            return False
        try:
            self.producer.publish([outgoing(message) for message in batch])
        except (BusUnavailable, BusRefused) as error:
            self.failing["bus"] = str(error)
            log.warning("relay waits for the bus", error=str(error), waiting=len(batch))
            stop.wait(0.5)
            # Screens must not wait for the bus: they show what the store has decided.
            self._show(batch)
            return True
        self.failing.pop("bus", None)
        self._show(batch)
        self.outbox.settle([message.id for message in batch], self.clock())
        self.published += len(batch)
        return True

    def _show(self, batch: Sequence[Waiting]) -> None:
        newest: dict[str, dict[str, Any]] = {}
        for message in batch:
            if message.topic == topics.INCIDENT:
                newest[message.key] = message.payload
        try:
            if newest:
                self.live.apply(newest.values())
        except self.away as error:
            log.warning("live state away; it will be rebuilt", error=str(error))

    def _tick(self, stop: threading.Event, lost: threading.Event) -> None:
        due = {timer.name: 0.0 for timer in self.timers}
        while not stop.is_set() and not lost.is_set():
            for timer in self.timers:
                if stop.is_set() or lost.is_set():
                    return
                if time.monotonic() < due[timer.name]:
                    continue
                due[timer.name] = time.monotonic() + timer.period_s
                try:
                    timer.run(self.clock())
                    self.failing.pop(timer.name, None)
                except self.away as error:
                    self.failing[timer.name] = str(error)
                    log.warning("timer failed, tries again", timer=timer.name, error=str(error))
                except Exception as error:
                    self.failing[timer.name] = str(error)
                    log.exception("timer failed", timer=timer.name)
            lost.wait(0.2)
