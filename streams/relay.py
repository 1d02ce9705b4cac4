"""The relay: outbox → bus and live state, in order; and the clock's work (escalations, indicators, checks).

Exactly one relay works at a time (`Leader` of the outbox); others wait. At least once: what was published twice
after a crash carries the same CloudEvents id. A message that the bus will never take (too large) is set aside in the
outbox with the reason, so that it does not hold up what stands behind it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import structlog

from incidents.ports import BusRefused, BusUnavailable, MessageRefused, Outgoing, Producer
from streams import topics
from streams.envelope import encode

log = structlog.get_logger()

SOURCE = "urn:chengyun"
REPLAY = "replay"
SHOW = "show"
"""Rows for the live state alone: {"set": items, "del": [[kind, key]…]}."""
RETRY_S = 0.5


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
    def set_aside(self, number: int, why: str, now: datetime) -> None: ...


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
        correlation=correlation_of(message),
    )
    return Outgoing(message.topic, message.key, value)


def correlation_of(message: Waiting) -> str:
    """The id of what caused an outbox row, '' when there is none (a replayed message carries its own inside)."""
    return str(message.payload.get("cid") or message.payload.get("correlation_id") or "")


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
    refused: int = 0
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
        fault = ""
        for_bus = [message for message in batch if message.topic != SHOW]
        try:
            if for_bus:
                self.producer.publish([outgoing(message) for message in for_bus])
            done = for_bus
        except BusUnavailable as error:
            done, fault = [], str(error)
        except BusRefused:
            done, fault = self._singly(for_bus, stop)
        # Screens must not wait for the bus: they show what the store has decided.
        if self._show(batch):
            done = [*done, *(message for message in batch if message.topic == SHOW)]
        if done:
            self.outbox.settle([message.id for message in done], self.clock())
            self.published += len(done)
            _tell(done)
        if fault:
            self.failing["bus"] = fault
            log.warning("relay waits for the bus", error=fault, waiting=len(batch) - len(done))
            stop.wait(RETRY_S)
        elif not done:
            stop.wait(RETRY_S)  # only the live state is away
        else:
            self.failing.pop("bus", None)
        return True

    def _singly(self, batch: Sequence[Waiting], stop: threading.Event) -> tuple[list[Waiting], str]:
        """Publish a refused batch one by one: (what the bus has taken, why the rest must wait or '').

        What is refused for good is set aside. A bus that refuses for a while (memory limit) holds up that topic
        only as long as it does; the order within a topic is kept.
        """
        done: list[Waiting] = []
        full: dict[str, str] = {}
        for message in batch:
            if stop.is_set():
                return done, "stopping"
            if message.topic in full:
                continue
            try:
                self.producer.publish([outgoing(message)])
                done.append(message)
            except MessageRefused as error:
                self.outbox.set_aside(message.id, str(error), self.clock())
                self.refused += 1
                log.error(
                    "outbox row refused by the bus and set aside",
                    outbox=message.id,
                    topic=message.topic,
                    key=message.key,
                    correlation_id=correlation_of(message),
                    error=str(error),
                )
            except BusRefused as error:
                full[message.topic] = str(error)
            except BusUnavailable as error:
                return done, str(error)
        return done, next(iter(full.values()), "")

    def _show(self, batch: Sequence[Waiting]) -> bool:
        """Bring the live state up to a batch; False when it is away."""
        newest: dict[tuple[str, str], dict[str, Any] | None] = {}
        for message in batch:
            if message.topic == topics.INCIDENT:
                newest["incident", message.key] = message.payload
            elif message.topic == SHOW:
                newest |= {(item["kind"], item["key"]): item for item in message.payload["set"]}
                newest |= dict.fromkeys((kind, key) for kind, key in message.payload["del"])
        try:
            if newest:
                self.live.apply(
                    [item for item in newest.values() if item is not None],
                    [key for key, item in newest.items() if item is None],
                )
        except self.away as error:
            log.warning("live state away; it will be rebuilt", error=str(error))
            return False
        return True

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


def _tell(published: Sequence[Waiting]) -> None:
    """One line per incident, order and warning; dead letters and replays may come in floods: one line per topic."""
    others: Counter[str] = Counter()
    for message in published:
        if message.topic in topics.OUTPUT_TOPICS:
            log.info(
                "published",
                topic=message.topic,
                key=message.key,
                outbox=message.id,
                correlation_id=correlation_of(message),
            )
        else:
            others[message.topic] += 1
    for topic, number in sorted(others.items()):
        log.info("published", topic=topic, messages=number)
