"""The relay: in order, at least once, and one message that the bus will never take holds up nothing behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest

from incidents.ports import BusRefused, BusUnavailable, MessageRefused, Outgoing, Position
from streams import relay as relay_module
from streams import topics
from streams.relay import Leader, Relay, Waiting, outgoing

NOW: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A row of the outbox."""

    id: int
    topic: str = topics.INCIDENT
    key: str = "1"
    payload: dict[str, Any] = field(default_factory=dict)
    created_at: datetime = NOW


@dataclass
class FakeOutbox:
    """Rows in memory. Whoever leads is told to stop once nothing waits any more (`stop`)."""

    rows: dict[int, Waiting]
    stop: threading.Event = field(default_factory=threading.Event)
    settled: list[int] = field(default_factory=list)
    aside: dict[int, str] = field(default_factory=dict)

    @contextmanager
    def leadership(self) -> Iterator[Leader | None]:
        yield self

    def wait(self, seconds: float) -> None:
        self.stop.set()

    def waiting(self, limit: int = 500) -> Sequence[Waiting]:
        done = {*self.settled, *self.aside}
        return [row for number, row in sorted(self.rows.items()) if number not in done][:limit]

    def settle(self, ids: Sequence[int], now: datetime) -> None:
        self.settled += ids

    def set_aside(self, number: int, why: str, now: datetime) -> None:
        self.aside[number] = why


@dataclass
class FakeProducer:
    """Takes a list whole or, when `fault` finds something wrong with one of it, not at all."""

    fault: Callable[[Outgoing], Exception | None] = lambda message: None
    taken: list[Outgoing] = field(default_factory=list)
    calls: int = 0

    def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        self.calls += 1
        for message in messages:
            error = self.fault(message)
            if error is not None:
                raise error
        self.taken += messages
        return [Position(m.topic, 0, n) for n, m in enumerate(messages)]

    def close(self) -> None:
        pass


@dataclass
class FakeLive:
    """Remembers what the screens were told; cannot be reached the first `away` times."""

    shown: list[Any] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    away: int = 0

    def apply(self, set_items: Iterable[Any] = (), del_keys: Iterable[tuple[str, str]] = ()) -> None:
        if self.away:
            self.away -= 1
            raise ConnectionError("away")
        self.shown += set_items
        self.gone += del_keys


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus that is away is asked again at once."""
    monkeypatch.setattr(relay_module, "RETRY_S", 0.0)


def drained(producer: FakeProducer, *rows: Row) -> tuple[FakeOutbox, Relay, FakeLive]:
    """A relay that has worked until nothing waits any more."""
    outbox, live = FakeOutbox({row.id: row for row in rows}), FakeLive()
    relay = Relay(outbox, producer, live, lambda: NOW, (ConnectionError,))
    relay.run(outbox.stop)
    return outbox, relay, live


def keys(producer: FakeProducer) -> list[str]:
    return [message.key for message in producer.taken]


def test_everything_goes_out_in_order_and_is_settled() -> None:
    producer = FakeProducer()
    outbox, relay, live = drained(producer, *(Row(n, key=str(n), payload={"n": n}) for n in range(1, 1201)))
    assert keys(producer) == [str(n) for n in range(1, 1201)]
    assert outbox.settled == list(range(1, 1201)) and not outbox.aside
    assert (relay.published, relay.refused, producer.calls) == (1200, 0, 3)
    assert [item["n"] for item in live.shown] == list(range(1, 1201))


def test_a_message_refused_for_good_is_set_aside_and_the_others_go_on() -> None:
    """An oversize replay stands between incidents, orders and warnings."""

    def fault(message: Outgoing) -> Exception | None:
        return MessageRefused("12582913 bytes; the limit is 11534336 bytes") if message.key == "big" else None

    producer = FakeProducer(fault)
    big = {"topic": topics.READING, "value": "00", "feed": "f"}
    outbox, relay, live = drained(
        producer,
        Row(1, key="a", payload={"n": 1}),
        Row(2, "replay", "big", big),
        Row(3, topics.ORDER, "b"),
        Row(4, key="c", payload={"n": 4}),
    )
    assert keys(producer) == ["a", "b", "c"] and outbox.settled == [1, 3, 4]
    assert outbox.aside == {2: "12582913 bytes; the limit is 11534336 bytes"}, "kept, with the reason"
    assert (relay.published, relay.refused) == (3, 1), "and counted"
    assert "bus" not in relay.failing
    assert [item["n"] for item in live.shown] == [1, 4]


def test_a_full_bus_loses_nothing_and_keeps_the_order() -> None:
    """A memory limit passes: nothing is set aside, and other topics are asked meanwhile."""
    full = 7

    def fault(message: Outgoing) -> Exception | None:
        nonlocal full
        if message.topic != topics.INCIDENT or not full:
            return None
        full -= 1
        return BusRefused("the bus is at its memory limit")

    producer = FakeProducer(fault)
    outbox, relay, _ = drained(producer, Row(1, key="a"), Row(2, key="b"), Row(3, topics.ORDER, "o"))
    assert keys(producer) == ["o", "a", "b"], "within a topic in order"
    assert sorted(outbox.settled) == [1, 2, 3] and not outbox.aside and relay.refused == 0
    assert full == 0 and not relay.failing


def test_a_bus_that_is_away_holds_everything_but_the_screens() -> None:
    away = 3

    def fault(message: Outgoing) -> Exception | None:
        nonlocal away
        away -= 1
        return BusUnavailable("gone") if away >= 0 else None

    producer = FakeProducer(fault)
    outbox, _, live = drained(producer, Row(1, payload={"n": 1}), Row(2, key="2", payload={"n": 2}))
    assert keys(producer) == ["1", "2"] and outbox.settled == [1, 2] and not outbox.aside
    assert [item["n"] for item in live.shown] == [1, 2] * 4, "shown each time, whatever the bus says"


def test_the_bus_goes_away_amid_single_messages() -> None:
    """What it has taken by then is settled and not sent again; the rest waits."""
    gone = iter([None, BusUnavailable("gone")])

    def fault(message: Outgoing) -> Exception | None:
        if message.key == "big":
            return MessageRefused("too large")
        return next(gone, None) if message.key in ("a", "b") and producer.calls > 1 else None

    producer = FakeProducer(fault)
    outbox, _, _ = drained(producer, Row(1, key="a"), Row(2, key="b"), Row(3, "replay", "big", {
        "topic": topics.READING, "value": "00", "feed": "f"}))  # fmt: skip
    assert keys(producer) == ["a", "b"] and outbox.settled == [1, 2] and set(outbox.aside) == {3}


# -- what a row becomes on the bus ---------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["cid", "correlation_id"])
def test_a_row_becomes_a_cloudevent_with_its_correlation(named: str) -> None:
    message = outgoing(Row(17, topics.ORDER, "U1", {"order": 3, named: "call-1"}))
    event = msgspec.json.decode(message.value)
    assert (message.topic, message.key, message.headers) == (topics.ORDER, "U1", ())
    assert event["id"] == "17" and event["source"] == "urn:chengyun" and event["type"] == topics.ORDER
    assert event["correlationid"] == "call-1" and event["data"] == {"order": 3, named: "call-1"}


def test_a_dead_letter_goes_back_as_the_very_bytes_it_was() -> None:
    value = b"\x00\xff not utf-8 \xe5"
    payload = {"topic": topics.READING, "partition": 2, "offset": 9, "value": value.hex(), "feed": "sensors"}
    message = outgoing(Row(1, "replay", "WL-1", payload))
    assert message == Outgoing(topics.READING, "WL-1", value, (("feed", b"sensors"),))


def test_rows_for_the_screens_alone_never_see_the_bus() -> None:
    """In their order: what is set and then removed is gone; with the bus away they are shown and settled all the same."""
    screen = {"kind": "screen", "key": "1", "scene": "night"}
    mark = {"kind": "mark", "key": "7.0"}
    rows = (
        Row(1, topic=relay_module.SHOW, payload={"set": [screen, mark], "del": []}),
        Row(2, topic=relay_module.SHOW, payload={"set": [], "del": [["mark", "7.0"]]}),
    )
    producer = FakeProducer()
    outbox, _, live = drained(producer, *rows)
    assert (producer.calls, producer.taken) == (0, [])
    assert outbox.settled == [1, 2]
    assert (live.shown, live.gone) == ([screen], [("mark", "7.0")])


def test_rows_for_the_screens_wait_for_a_live_state_that_is_away() -> None:
    """Nobody rebuilds what was only out of reach for a moment: it must be told again."""
    outbox = FakeOutbox(
        {1: Row(1, topic=relay_module.SHOW, payload={"set": [{"kind": "screen", "key": "1"}], "del": []})}
    )
    live = FakeLive(away=2)
    relay = Relay(outbox, FakeProducer(), live, lambda: NOW, (ConnectionError,))
    relay.run(outbox.stop)
    assert (len(live.shown), live.away, outbox.settled) == (1, 0, [1])
