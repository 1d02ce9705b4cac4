"""Running feeds: read → map → on the bus → position kept → done; back-off with jitter; one thread a feed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import structlog

from incidents.feeds import Failure
from incidents.ports import BusRefused, BusUnavailable, MessageRefused, Outgoing
from streams.feed.sending import Sink, Stop
from streams.feeds.kinds import PUSHED, AnyMapping, Feed, Surroundings, open_source
from streams.feeds.mapping import BadMapping, Mapped, outgoing, set_aside
from streams.feeds.port import (
    BadConfig,
    BadRaw,
    Batch,
    Position,
    RawRecord,
    Source,
    SourceAway,
    SourceFault,
)

log = structlog.get_logger()

WAIT_S: Final = 1.0
"""How long a source that is listened to is waited for in one read."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
QUIET_S: Final = 10.0
"""How often the store is told that an attempt went well in which there was nothing."""
LOOK_S: Final = 5.0
"""How often the configuration is looked at, and the dead are looked for."""


@dataclass(frozen=True, slots=True)
class Count:
    """What one batch came to."""

    records: int = 0
    messages: int = 0
    set_aside: int = 0
    lost: int = 0


class States(Protocol):
    """Where positions and states rest (`data/feed_states.py`). May raise one of `store_away`."""

    def load(self, feed: str) -> Position:
        """The position; empty when it was never read."""

    def keep(self, feed: str, position: Position | None, count: Count, now: datetime) -> None:
        """An attempt went well; the position as given, or as it was."""

    def failed(self, feed: str, failure: Failure, reason: str, now: datetime) -> None:
        """An attempt did not."""


class Claim(Protocol):
    """The right to run a feed (`data/feed_states.py`); it may be lost while the feed runs."""

    def held(self) -> bool:
        """Whether it is ours still."""

    def release(self) -> None:
        """Give it back."""


def _always() -> bool:
    return True


def messages_of(
    feed: str, mapping: AnyMapping, records: Sequence[RawRecord | BadRaw], now: datetime, max_bytes: int
) -> tuple[list[Outgoing], int]:
    """The messages of records, in order, and how many of them are set aside. Raises what the store raises when a mapping
    asks it and it is away."""
    mapping = mapping.ready(feed) if records else mapping
    made: list[Outgoing] = []
    aside = 0
    for record in records:
        if isinstance(record, BadRaw):
            made.append(set_aside(feed, mapping.first_topic, record, record, now))
            aside += 1
            continue
        for n, found in enumerate(mapping.messages(feed, record, max_bytes)):
            if isinstance(found, Mapped):
                made.append(outgoing(feed, found))
            else:
                made.append(set_aside(feed, mapping.first_topic, record, found, now, n))
                aside += 1
    return made, aside


def publish(sink: Sink, feed: str, mapping: AnyMapping, messages: Sequence[Outgoing], now: datetime) -> int:
    """Put them on the bus; one that the bus will never take is set aside in its place. Returns how many those are.

    Raises BusUnavailable or BusRefused.
    """
    try:
        if messages:
            sink.publish(messages)
    except MessageRefused:
        refused = 0
        for message in messages:
            try:
                sink.publish([message])
            except MessageRefused as error:
                raw = BadRaw(message.key, message.value, "message", f"{len(message.value)} bytes", str(error))
                sink.publish([set_aside(feed, mapping.first_topic, raw, raw, now)])
                refused += 1
        return refused
    return 0


def pause_after(failures: int, jitter: float, asked_s: float | None = None) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4 … 300, times 0.5 … 1 (`jitter` 0 … 1).

    What the source itself asked for is kept, up to an hour.
    """
    pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20)) * (0.5 + 0.5 * jitter)
    return pause if asked_s is None else max(pause, min(asked_s, 3600.0))


@dataclass(slots=True)
class FeedRunner:
    """One feed. `step` is one attempt; `run` goes on until `stop`, or until the feed is no longer `held`: another
    process may have it then, so nothing is written any more. Not thread-safe."""

    feed: Feed
    source: Source
    sink: Sink
    states: States
    clock: Callable[[], datetime]
    stop: Stop
    store_away: tuple[type[Exception], ...] = ()
    max_bytes: int = 1024 * 1024
    jitter: Callable[[], float] = random.random
    held: Callable[[], bool] = _always
    failures: int = 0
    _position: Position | None = None
    _asked_s: float | None = None
    _more: bool = False
    _told: float = 0.0

    def run(self) -> None:
        """Until `stop` is set or the claim is lost; the source is closed at the end."""
        try:
            while not self.stop.is_set():
                if not self.held():
                    log.warning("feed stops: its claim is lost", feed=self.feed.id)
                    return
                if self.step(WAIT_S):
                    if not self._more and self.feed.period_s:
                        self.stop.wait(self.feed.period_s)
                else:
                    self.stop.wait(pause_after(self.failures, self.jitter(), self._asked_s))
        finally:
            self.source.close()

    def step(self, wait_s: float) -> bool:
        """One attempt: False when it failed and its state says so."""
        self._asked_s = None
        self._more = False
        try:
            if self._position is None:
                self._position = dict(self.states.load(self.feed.id))
            batch = self.source.read(self._position, wait_s)
            if self._deliver(batch):
                self.source.done(batch)
                self._more = batch.more
            else:
                self._more = True  # told to stop, or no longer ours: nothing to wait for
            self.failures = 0
            return True
        except SourceAway as error:
            self._asked_s = error.retry_after_s
            self._fail("away", str(error))
        except SourceFault as error:
            self._fail("fault", str(error))
        except self.store_away as error:
            # The state cannot be written either; the screens say themselves that the store is away.
            self.failures += 1
            log.warning("feed waits for the store", feed=self.feed.id, error=str(error))
        return False

    def _fail(self, failure: Failure, reason: str) -> None:
        self.failures += 1
        log.warning("feed failed", feed=self.feed.id, failure=failure, reason=reason)
        if not self.held():
            return  # whoever runs it now says how it is
        try:
            self.states.failed(self.feed.id, failure, reason, self.clock())
        except self.store_away as error:
            log.warning("feed waits for the store", feed=self.feed.id, error=str(error))

    def _deliver(self, batch: Batch) -> bool:
        """Bus first, then the store: tried until both have it. False when stopped before, or when the claim is lost:
        then the position stays, and whoever runs the feed reads the batch again."""
        if self._nothing_new(batch):
            return True
        now = self.clock()
        feed = self.feed
        tries = 0
        while True:
            try:
                messages, aside = messages_of(feed.id, feed.mapping, batch.records, now, self.max_bytes)
                break
            except self.store_away as error:
                # The batch is kept: not every source gives it again.
                tries += 1
                if not self.held() or self._stopped_while_away("feed waits for the store", error, tries):
                    return False
        tries = 0
        while True:
            try:
                aside += publish(self.sink, feed.id, feed.mapping, messages, now)
                break
            except (BusUnavailable, BusRefused) as error:
                tries += 1
                if self._stopped_while_away("feed waits for the bus", error, tries):
                    return False
        count = Count(len(batch.records), len(messages), aside, batch.lost)
        while self.held():
            try:
                self.states.keep(feed.id, batch.position, count, self.clock())
                break
            except self.store_away as error:
                tries += 1
                if self._stopped_while_away("feed waits for the store", error, tries):
                    return False
        else:
            return False
        self._told = time.monotonic()
        if batch.position is not None:
            self._position = batch.position
        return True

    def _stopped_while_away(self, words: str, error: Exception, tries: int) -> bool:
        """Say what is waited for, and wait; whether the feed was told to stop meanwhile."""
        log.warning(words, feed=self.feed.id, error=str(error))
        return self.stop.wait(min(10.0, pause_after(tries, self.jitter())))

    def _nothing_new(self, batch: Batch) -> bool:
        """An empty attempt after another that went well, of which the store was told a moment ago."""
        empty = not batch.records and not batch.lost and batch.position is None
        return empty and not self.failures and 0 < time.monotonic() - self._told < QUIET_S and self._told > 0


# -- all of them ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredFeed:
    """A feed as the store has it, not checked yet."""

    id: str
    kind: str
    config: object
    secrets: object
    mapping: object
    version: int


@dataclass(slots=True)
class _Worker:
    version: int
    stop: threading.Event
    thread: threading.Thread
    begun: float
    deaths: int = 0
    again_at: float = 0.0


@dataclass(slots=True)
class FeedHouse:
    """Keeps a thread for every feed that is to run: starts, stops and renews them as the store says; one that dies is
    started again, and its state says why. `claim` makes sure that no other process runs the same feed; one whose claim
    is lost ends, and is claimed anew."""

    stored: Callable[[], Sequence[StoredFeed]]
    check: Callable[[StoredFeed], Feed]
    claim: Callable[[str], Claim | None]
    sink: Sink
    states: States
    world: Surroundings
    stop: threading.Event
    store_away: tuple[type[Exception], ...]
    max_bytes: int
    only: Collection[str] = ()
    opener: Callable[[Feed, Surroundings], Source] = open_source
    jitter: Callable[[], float] = random.random
    _workers: dict[str, _Worker] = field(default_factory=dict)

    def run(self) -> None:
        """Until `stop`; then every feed ends in order."""
        try:
            while not self.stop.is_set():
                try:
                    self.look()
                except self.store_away as error:
                    log.warning("feeds wait for the store", error=str(error))
                self.stop.wait(LOOK_S)
        finally:
            for worker in self._workers.values():
                worker.stop.set()
            for worker in self._workers.values():
                worker.thread.join(30)

    def look(self) -> None:
        """Compare what runs with what is to run."""
        wanted = {
            f.id: f
            for f in self.stored()
            if f.kind and f.kind != PUSHED and (not self.only or f.id in self.only)
        }
        for id, worker in list(self._workers.items()):
            if id not in wanted or wanted[id].version != worker.version:
                worker.stop.set()
                if not worker.thread.is_alive():
                    del self._workers[id]
        for id, stored in wanted.items():
            running = self._workers.get(id)
            if running is None:
                self._start(stored, 0)
            elif not running.thread.is_alive() and not running.stop.is_set():
                self._restart(stored, running)

    def _restart(self, stored: StoredFeed, dead: _Worker) -> None:
        now = time.monotonic()
        if not dead.again_at:
            if now - dead.begun > LONGEST_PAUSE_S:
                dead.deaths = 0  # it had lived well
            dead.deaths += 1
            dead.again_at = now + pause_after(dead.deaths, self.jitter())
        if now >= dead.again_at:
            self._start(stored, dead.deaths)

    def _start(self, stored: StoredFeed, deaths: int) -> None:
        try:
            feed = self.check(stored)
        except (BadConfig, BadMapping) as error:
            self.states.failed(stored.id, "fault", str(error), self.world.clock())
            return
        claim = self.claim(stored.id)
        if claim is None:
            return  # another process has it
        stop = threading.Event()
        thread = threading.Thread(target=self._live, args=(feed, stop, claim), name=f"feed-{feed.id}")
        self._workers[feed.id] = _Worker(feed.version, stop, thread, time.monotonic(), deaths)
        thread.start()

    def _live(self, feed: Feed, stop: threading.Event, claim: Claim) -> None:
        """A feed's thread. What nobody foresaw ends it; `look` starts it again."""
        try:
            runner = FeedRunner(
                feed,
                self.opener(feed, self.world),
                self.sink,
                self.states,
                self.world.clock,
                stop,
                self.store_away,
                self.max_bytes,
                held=claim.held,
            )
            runner.run()
        except BaseException as error:
            reason = f"the adapter died and is started again: {type(error).__name__}: {error}"
            log.error("feed died", feed=feed.id, error=reason)
            if claim.held():
                self.states.failed(feed.id, "fault", reason, self.world.clock())
            raise
        finally:
            claim.release()
