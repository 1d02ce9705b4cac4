"""The gateway's own decisions: when it acknowledges, what it does while the bus is away or refuses, whom it limits.

With a connection and a bus that do as the test says; the real ones are in tests/contracts/test_gateway.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incidents.gateway import Access, Login, Rate, Refusal, Sender
from incidents.ports import BusRefused, BusUnavailable, MessageRefused, Outgoing, Position
from streams.gateway.access_files import AccessFiles, acl_text, passwords_text
from streams.gateway.address import parse_address
from streams.gateway.connection import Arrived
from streams.gateway.gateway import BATCH, FIGURES, Gateway

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
ACCESS = Access(
    (1, 1),
    {
        "WL-1": Sender("WL-1"),
        "WL-2": Sender("WL-2", critical=True),
        "SLOW": Sender("SLOW", rate=Rate(0.001, 2)),
    },
    (Login("WL-1", "WL-1", "$7$a"), Login("WL-2~3", "WL-2", "$7$b")),
)


class Away(RuntimeError):
    """The store is away."""


@dataclass
class Wire:
    """Stands for the connection: what comes, what is acknowledged and said."""

    arrived: list[Arrived] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    said: list[tuple[str, Any]] = field(default_factory=list)
    number: int = 1
    up: bool = True
    empty: Callable[[], None] = lambda: None
    pumped: int = 0

    def send(self, device: str, payload: bytes, again: bool = False, kind: str = "readings") -> None:
        topic = device if device.startswith("$SYS") else f"chengyun/devices/{device}/{kind}"
        self.arrived.append(Arrived(topic, payload, len(self.arrived) + 1, 1, again, self.number))

    def open(self, seconds: float) -> bool:
        self.up = True
        return True

    def pump(self, timeout_s: float) -> bool:
        self.pumped += 1
        if not self.arrived:
            self.empty()
        return self.up

    def waiting(self) -> int:
        return len(self.arrived)

    def take(self, most: int) -> list[Arrived]:
        taken, self.arrived = self.arrived[:most], self.arrived[most:]
        return taken

    def acknowledge(self, message: Arrived) -> bool:
        if message.connection != self.number:
            return False
        self.acknowledged.append(message.number)
        return True

    def say(self, topic: str, payload: bytes) -> None:
        self.said.append((topic.removeprefix("chengyun/devices/"), json.loads(payload)))

    def close(self) -> None:
        self.up = False


@dataclass
class Bus:
    """Stands for the bus; `moods` are raised first, one a call."""

    moods: list[Exception] = field(default_factory=list)
    taken: list[Outgoing] = field(default_factory=list)
    poison: str = "\0"
    between: Callable[[], None] = lambda: None

    def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        self.between()
        if self.moods:
            raise self.moods.pop(0)
        if any(self.poison.encode() in m.value for m in messages):
            raise MessageRefused("larger than the bus allows")
        self.taken += messages
        return [Position(m.topic, 0, 0) for m in messages]

    def close(self) -> None: ...


@dataclass
class Books:
    """Stands for the store."""

    present: Access | None = ACCESS
    counted: dict[Refusal, int] = field(default_factory=dict)
    linked: dict[str, bool] = field(default_factory=dict)
    seen: list[int] = field(default_factory=list)
    away: bool = False

    def access(self, known: Access | None, now: datetime) -> Access | None:
        return None if known is self.present else self.present

    def refused(self, counts: Mapping[Refusal, int], now: datetime) -> None:
        if self.away:
            raise Away
        for refusal, n in counts.items():
            self.counted[refusal] = self.counted.get(refusal, 0) + n

    def links(self, links: Mapping[str, tuple[bool, datetime]]) -> None:
        if self.away:
            raise Away
        self.linked |= {device: online for device, (online, _) in links.items()}

    def dropped(self, broker: str, seen: int, now: datetime) -> int:
        self.seen.append(seen)
        return 0


@dataclass
class Stage:
    wire: Wire = field(default_factory=Wire)
    bus: Bus = field(default_factory=Bus)
    books: Books = field(default_factory=Books)
    files: list[Access] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    beats: list[dict[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wire.empty = self.stop.set  # done when everything is taken
        self.gateway = Gateway(
            connection=self.wire,  # type: ignore[arg-type]
            producer=self.bus, store=self.books, write_access=self.files.append, clock=lambda: NOW,
            rate=Rate(1000, 1000), max_bytes=4096, store_away=(Away,),
        )  # fmt: skip
        self.keep()

    def keep(self) -> None:
        """One turn of the books."""
        over = threading.Event()
        over.set()
        self.gateway.keep(over, self.beats.append)

    def run(self) -> None:
        self.gateway.run(self.stop)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def payload(seq: int, **more: Any) -> bytes:
    return json.dumps({"seq": seq, "metric": "level", "value": 1, "time": NOW.isoformat()} | more).encode()


def test_acknowledged_after_the_bus_has_it_and_told(stage: Stage) -> None:
    stage.bus.between = lambda: before.append(list(stage.wire.acknowledged))
    before: list[list[int]] = []
    for seq in (1, 2):
        stage.wire.send("WL-1", payload(seq))
    stage.wire.send("WL-2", payload(9))
    stage.run()
    assert before == [[]], "one call for all, and nothing acknowledged until then"
    assert stage.wire.acknowledged == [1, 2, 3]
    assert [(m.topic, m.key) for m in stage.bus.taken] == [
        ("city.reading.v1", "WL-1"), ("city.reading.v1", "WL-1"), ("city.reading-critical.v1", "WL-2"),
    ]  # fmt: skip
    assert stage.wire.said == [("WL-1/accepted", {"seq": [1, 2]}), ("WL-2/accepted", {"seq": [9]})]


def test_while_the_bus_is_away_nothing_is_acknowledged_and_all_is_tried_again(stage: Stage) -> None:
    stage.bus.moods = [BusUnavailable("away"), BusRefused("memory limit"), BusUnavailable("away")]
    stage.wire.send("WL-1", payload(1))
    stage.wire.empty = lambda: stage.stop.set() if stage.bus.taken else None
    stage.run()
    assert len(stage.bus.taken) == 1 and stage.wire.acknowledged == [1]
    assert stage.gateway.counters.waits == 3 and stage.wire.pumped > 3, (
        "the connection is kept alive meanwhile"
    )


def test_told_to_stop_while_the_bus_is_away_it_leaves_all_to_the_broker(stage: Stage) -> None:
    stage.bus.moods = [BusUnavailable("away")] * 100
    stage.wire.send("WL-1", payload(1))
    stage.run()
    assert stage.bus.taken == [] == stage.wire.acknowledged and stage.wire.said == []


def test_a_connection_that_broke_in_between_is_not_acknowledged_on(stage: Stage) -> None:
    """The broker may have given the number to another message; ours is on the bus, and comes again at worst."""

    def breaks() -> None:
        stage.wire.number = 2

    stage.bus.between = breaks
    stage.wire.send("WL-1", payload(1))
    stage.run()
    assert len(stage.bus.taken) == 1 and stage.wire.acknowledged == []


def test_what_had_come_before_the_connection_broke_goes_on_the_bus(stage: Stage) -> None:
    stage.wire.send("WL-1", payload(1))
    stage.wire.up = False
    stage.run()
    assert len(stage.bus.taken) == 1


def test_one_that_the_bus_will_never_take_does_not_hold_up_the_others(stage: Stage) -> None:
    stage.bus.poison = "poison"
    for seq, metric in ((1, "level"), (2, "poison"), (3, "level")):
        stage.wire.send("WL-1", payload(seq, metric=metric))
    stage.run()
    assert [json.loads(m.value)["id"] for m in stage.bus.taken] == ["WL-1#1", "WL-1#3"]
    assert stage.wire.acknowledged == [1, 2, 3]
    (refused,) = [said for topic, said in stage.wire.said if topic == "WL-1/refused"]
    assert (refused["seq"], refused["reason"]) == (2, "too_large")
    assert ("WL-1/accepted", {"seq": [1, 3]}) in stage.wire.said


def test_a_bad_one_goes_on_the_bus_as_it_is_and_a_strangers_does_not(stage: Stage) -> None:
    stage.wire.send("WL-1", b"{")
    stage.wire.send("nobody", payload(1))
    stage.run()
    assert [m.value for m in stage.bus.taken] == [b"{"] and stage.wire.acknowledged == [1, 2]
    stage.keep()
    assert stage.books.counted == {("WL-1", "mqtt", "malformed"): 1, ("nobody", "mqtt", "credential"): 1}


def test_whoever_is_too_fast_is_told_when_to_come_again(stage: Stage) -> None:
    for seq in range(4):
        stage.wire.send("SLOW", payload(seq))
    stage.wire.send("SLOW", payload(4), again=True)
    stage.wire.send("WL-1", payload(1))
    stage.run()
    assert stage.wire.acknowledged == [1, 2, 3, 4, 5, 6]
    taken = [json.loads(m.value)["id"] for m in stage.bus.taken]
    assert taken == ["SLOW#0", "SLOW#1", "SLOW#4", "WL-1#1"], (
        "what the broker sends again has been let in before"
    )
    told = [said for topic, said in stage.wire.said if topic == "SLOW/refused"]
    assert [(t["seq"], t["reason"]) for t in told] == [(2, "rate"), (3, "rate")]
    assert all(900 < t["retry_after_s"] <= 1000 for t in told)


def test_what_queued_up_while_we_were_away_is_nobodys_haste(stage: Stage) -> None:
    stage.wire.up = False
    stage.wire.empty = lambda: (
        stage.wire.send("SLOW", b"later") if not stage.wire.pumped > 1 else stage.stop.set()
    )

    def opened(seconds: float) -> bool:
        stage.wire.up = True
        for seq in range(BATCH + 3):
            stage.wire.send("SLOW", payload(seq))
        return True

    stage.wire.open = opened  # type: ignore[method-assign]
    stage.run()
    assert len(stage.bus.taken) >= BATCH, "the first, full batch is catching up"
    assert stage.gateway.counters.connections == 1


def test_links_and_figures(stage: Stage) -> None:
    stage.wire.send("WL-1", b"online", kind="status")
    stage.wire.send("WL-2", b'"offline"', kind="status")
    stage.wire.send("SLOW", b"asleep", kind="status")
    stage.wire.send("SLOW", b"", kind="status")
    stage.wire.send("$SYS/broker/publish/messages/dropped", b"7")
    stage.wire.send("$SYS/broker/clients/connected", b"what?")
    stage.run()
    assert stage.bus.taken == [] and len(stage.wire.acknowledged) == 6
    stage.books.away = True
    stage.keep()
    assert stage.books.linked == {} == stage.books.counted
    stage.books.away = False
    stage.keep()
    assert stage.books.linked == {"WL-1": True, "WL-2": False}
    assert stage.books.counted == {("SLOW", "mqtt", "bad_status"): 1}
    assert stage.books.seen[-1] == 7 and stage.beats[-1]["broker_dropped"] == 7
    assert set(FIGURES.values()) >= set(stage.gateway.figures)


def test_access_is_written_when_it_changes_and_again_when_that_failed(stage: Stage) -> None:
    stage.keep()
    assert stage.files == [ACCESS]
    stage.books.present = Access((2, 1), {}, ())

    def full(access: Access) -> None:
        raise OSError(28, "No space left on device")

    stage.gateway.write_access = full
    stage.keep()
    stage.gateway.write_access = stage.files.append
    stage.keep()
    assert stage.files == [ACCESS, stage.books.present]


def test_the_files_of_the_broker(tmp_path: Path) -> None:
    folder = tmp_path / "mosquitto" / "access"
    files = AccessFiles(folder)
    files.write(ACCESS)
    files.subscribed()
    assert (folder / "passwords").read_text() == passwords_text(ACCESS) == "WL-1:$7$a\nWL-2~3:$7$b\n"
    acl = (folder / "acl").read_text()
    assert acl == acl_text(ACCESS) and acl.startswith(
        "user WL-2~3\ntopic write chengyun/devices/WL-2/readings\n"
    )
    assert "WL-1\n" not in acl, "the device's own name is a pattern of the configuration"
    assert sorted(path.name for path in folder.iterdir()) == ["acl", "passwords", "subscribed"]
    assert (folder / "passwords").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("mqtt://u:p@h", 1883, False),
        ("mqtts://u:p@h", 8883, True),
        ("mqtt://a~b:p%40q@127.0.0.1:21", 21, False),
    ],
)
def test_addresses(url: str, port: int, tls: bool) -> None:
    address = parse_address(url)
    assert (address.port, address.tls) == (port, tls)
    assert address.password not in repr(address) or address.password in "passwordportls"


@pytest.mark.parametrize(
    "url", ["", "http://u:secret@h", "mqtt://h:1", "mqtt://u@h", "mqtt://u:secret@h:port"]
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_address(url)
    assert "secret" not in str(refused.value) and "mqtt://" in str(refused.value)
