"""The gateway's side of the link to its broker: it reads on only while the broker takes what it is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import paho.mqtt.client as mqtt
import pytest

from streams.gateway.address import Address
from streams.gateway.connection import MOST_UNSENT, Connection


@dataclass
class Wire:
    """paho's client as far as a connection asks it: `stuck` while the broker takes nothing."""

    ours: socket.socket
    stuck: bool = True
    said: int = 0
    calls: list[str] = field(default_factory=list)

    def socket(self) -> socket.socket:
        return self.ours

    def want_write(self) -> bool:
        return self.stuck

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        self.said += 1

    def loop_read(self) -> int:
        self.calls.append("read")
        return mqtt.MQTT_ERR_SUCCESS

    def loop_write(self) -> int:
        self.calls.append("write")
        return mqtt.MQTT_ERR_SUCCESS

    def loop_misc(self) -> int:
        return mqtt.MQTT_ERR_SUCCESS


@pytest.fixture
def wire() -> Iterator[Wire]:
    ours, theirs = socket.socketpair()
    theirs.send(b"x")  # there is something to read
    yield Wire(ours)
    ours.close()
    theirs.close()


def test_nothing_is_read_while_the_broker_takes_nothing(wire: Wire) -> None:
    connection = Connection(Address("h", 1, "u", "p", False), (), lambda had: None)
    connection._client, connection._up = wire, True  # type: ignore[assignment]
    for _ in range(MOST_UNSENT - 1):
        connection.say("t", b"")
    assert connection.pump(0) and wire.calls == ["read", "write"], "a full link is not yet a stuck one"
    connection.say("t", b"")
    wire.calls.clear()
    assert connection.pump(0) and wire.calls == ["write"]
    wire.stuck = False
    wire.calls.clear()
    assert connection.pump(0) and wire.calls == ["read"], "all of it is taken"
