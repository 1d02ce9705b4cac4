"""While the store takes one flush the next is read and judged; when the one under way fails, the next is judged anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import pytest

from incidents.ingest import DeviceEntry, Fenced, Flush, Registry
from incidents.ports import Record, TopicPartition
from incidents.warning import Rule
from streams import consumer as consumer_module
from streams import topics
from streams.consumer import Consumer
from streams.flush import Work
from tests.streams.city_messages import reading
from tests.streams.test_holding import LIMITS, NOW, Away, FakeBus, FakeReader, FakeStore

pytestmark = pytest.mark.timeout(30, func_only=True)

WAIT_S: Final = 10.0
RULE: Final = Rule("high-water", 1, "water", "level", ">", 3.0, 2.5, 0.0, 2, "0101", "水位超限")
VALUES: Final = (1.0, 4.0, 5.0)
"""One message each: fine, over the limit (a warning is raised), still over (no second one)."""


@dataclass
class Store(FakeStore):
    """Knows one device and its rule; before it takes its n-th flush it waits for `gate` or does what `faults` say."""

    gate: Callable[[int], None] = lambda n: None
    faults: dict[int, Callable[[], None]] = field(default_factory=dict)
    calls: int = 0
    warnings: list[tuple[str, bool]] = field(default_factory=list)
    newest: dict[tuple[int, int], tuple[datetime, float]] = field(default_factory=dict)

    def registry(self, known: int) -> Registry | None:
        device = DeviceEntry(1, "WL-1", "water", "西河水位", "/a/", 113.9, 21.9, 60.0)
        rules = {("water", "level"): (RULE,)}
        return Registry(1, {"WL-1": device}, {"level": 1}, {}, {}, frozenset(), rules)

    def flush(self, flush: Flush) -> None:
        self.calls += 1
        self.gate(self.calls)
        if self.calls in self.faults:
            self.faults[self.calls]()
        super().flush(flush)
        self.warnings += [(d.warning_id, d.raised) for d, _, _ in flush.detections]


class Reader(FakeReader):
    """One partition: a reading a second of WL-1; tells `polled` when it hands out a message."""

    polled: Callable[[int], None] = staticmethod(lambda offset: None)

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        found = super().poll(max_records, timeout_s)
        records = []
        for record in found:
            at = NOW - timedelta(seconds=len(VALUES) - record.offset)
            message = reading("WL-1", {"level": VALUES[record.offset]}, at, f"m{record.offset}")
            records.append(record._replace(value=message.value))
            self.polled(record.offset)
        return records


class Bus(FakeBus):
    """With that reader."""

    def reader(self, group: str, topics_: object, start: object) -> FakeReader:  # type: ignore[override]
        self.made = Reader(start, 10**9)  # type: ignore[arg-type]
        self.made.polled = self.polled  # type: ignore[method-assign]
        return self.made

    polled: Callable[[int], None] = staticmethod(lambda offset: None)


def run(store: Store, bus: Bus) -> None:
    """Consume everything there is."""
    stop = threading.Event()

    def after(work: Work) -> None:
        if len(store.flushed) == len(VALUES):
            stop.set()

    Consumer(
        bus=bus,  # type: ignore[arg-type]
        group="g", topics=(topics.READING,), store=store, limits=LIMITS, locate=lambda lon, lat: None,
        clock=lambda: NOW, after=after, idle=stop.set, store_away=(Away,),
    ).run(stop)  # fmt: skip


def test_the_next_messages_are_read_while_the_store_is_busy() -> None:
    read = [threading.Event() for _ in VALUES]
    store, bus = Store(away=0), Bus(late=10**9)
    bus.polled = lambda offset: read[offset].set()  # type: ignore[method-assign]

    def gate(call: int) -> None:
        if call == 2:  # the first has met a stranger; from the second on nothing has to be asked
            assert read[2].wait(WAIT_S), "the third message is not read while the second is being stored"

    store.gate = gate
    run(store, bus)
    assert store.flushed == [(0, 0), (0, 1), (0, 2)]


def fenced(store: Store) -> Callable[[], None]:
    def fault() -> None:
        raise Fenced

    return fault


def away(store: Store) -> Callable[[], None]:
    def fault() -> None:
        raise Away

    return fault


def committed_but_not_told(store: Store) -> Callable[[], None]:
    """The link broke during COMMIT."""

    def fault() -> None:
        partition = TopicPartition(topics.READING, 0)
        store.known[partition] += 1
        store.flushed.append((0, store.known[partition] - 1))
        raise Away

    return fault


@pytest.mark.parametrize("kind", [fenced, away, committed_but_not_told])
def test_what_was_judged_after_a_flush_that_failed_is_judged_again(
    kind: Callable[[Store], Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flush that raises the warning fails while the next one, judged by its promise, waits behind it."""
    monkeypatch.setattr(consumer_module, "RETRY_S", 0.0)
    read = [threading.Event() for _ in VALUES]
    store, bus = Store(away=0), Bus(late=10**9)
    bus.polled = lambda offset: read[offset].set()  # type: ignore[method-assign]
    store.gate = lambda call: None if call != 2 else _met(read[2])
    store.faults = {2: kind(store)}
    run(store, bus)
    assert store.flushed == [(0, 0), (0, 1), (0, 2)], "each once, in order"
    if kind is not committed_but_not_told:  # this store keeps no rule states to be asked for; a real one does
        assert [raised for _, raised in store.warnings] == [True], "raised once"


def _met(event: threading.Event) -> None:
    assert event.wait(WAIT_S)
