"""The gateway's one connection to Mosquitto, through paho-mqtt, on the gateway's own thread.

QoS 1 with manual acknowledgement and a session that outlives us: what is not acknowledged comes again. A message
may be acknowledged only on the connection on which it came (`Arrived.connection`): a broker that has started anew
gives its numbers to other messages.
"""

from __future__ import annotations

import select
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from streams.gateway.address import Address

KEEPALIVE_S: Final = 30
MOST_WAITING: Final = 4000
"""Messages held here; beyond it nothing is read (QoS 1 stops at the broker's window long before)."""
MOST_UNSENT: Final = 20_000
"""Packets made since the broker last had taken all of them; beyond it nothing is read either."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it came; `again`: the broker says that it has sent it before."""

    topic: str
    payload: bytes
    number: int
    qos: int
    again: bool
    connection: int


class Connection:
    """See the module's text. Not thread-safe. `subscribed`: called when the broker has taken the subscriptions."""

    def __init__(self, address: Address, topics: Sequence[str], subscribed: Callable[[bool], None]) -> None:
        self._address = address
        self._topics = topics
        self._subscribed = subscribed
        self._arrived: list[Arrived] = []
        self._number = 0
        self._unsent = 0
        self._up = False
        self._had_session = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=address.user,
            clean_session=False,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(address.user, address.password)
        if address.tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    @property
    def up(self) -> bool:
        """Connected and let in."""
        return self._up

    @property
    def number(self) -> int:
        """Which connection this is; a new one has another number."""
        return self._number

    def open(self, seconds: float) -> bool:
        """Connect; whether the broker has let us in within `seconds`."""
        self._number += 1
        self._unsent = 0
        try:
            self._client.connect(self._address.host, self._address.port, keepalive=KEEPALIVE_S)
        except OSError as error:
            log.warning("broker unavailable", error=str(error))
            return False
        deadline = time.monotonic() + seconds
        while not self._up and time.monotonic() < deadline and self.pump(0.1):
            pass
        return self._up

    def pump(self, timeout_s: float) -> bool:
        """Read and write what there is, waiting at most `timeout_s` for something; False: the connection is gone."""
        sock: Any = self._client.socket()
        if sock is None:
            return False
        if not self._client.want_write():
            self._unsent = 0
        if self._unsent >= MOST_UNSENT:
            # The broker does not take what we tell: to read on would only make more to be told.
            _, writable, _ = select.select([], [sock], [], timeout_s)
            if writable:
                self._client.loop_write()
        elif len(self._arrived) < MOST_WAITING:
            waiting = sock.pending() if self._address.tls else 0
            write = [sock] if self._client.want_write() else []
            readable, writable, _ = select.select([sock], write, [], 0.0 if waiting else timeout_s)
            if (readable or waiting) and not self._read():
                return False
            if writable:
                self._client.loop_write()
        elif timeout_s:
            time.sleep(min(timeout_s, 0.05))  # full: the caller must take what is here first
        return self._client.loop_misc() == mqtt.MQTT_ERR_SUCCESS

    def _read(self) -> bool:
        """Packets that are here already, as long as they are messages."""
        while True:
            before = len(self._arrived)
            if self._client.loop_read() != mqtt.MQTT_ERR_SUCCESS:
                return False
            if len(self._arrived) == before or before >= MOST_WAITING:
                return True

    def waiting(self) -> int:
        """Messages that `take` would give."""
        return len(self._arrived)

    def take(self, most: int) -> list[Arrived]:
        """The oldest messages that have come."""
        taken, self._arrived = self._arrived[:most], self._arrived[most:]
        return taken

    def acknowledge(self, message: Arrived) -> bool:
        """Tell the broker to forget it; False when it came on an earlier connection."""
        if message.qos and message.connection == self._number and self._up:
            self._client.ack(message.number, message.qos)
            self._unsent += 1
            return True
        return False

    def say(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0: told once, or not at all."""
        if self._up:
            self._client.publish(topic, payload, qos=0)
            self._unsent += 1

    def close(self) -> None:
        """Leave in order; the session stays."""
        if self._up:
            self._client.disconnect()
        self._up = False

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            log.error("broker refused us", reason=str(reason))
            return
        self._up = True
        self._had_session = bool(flags.session_present)
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(self, client: Any, data: Any, number: Any, reasons: Any, properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("broker refused the subscription", reasons=[str(reason) for reason in reasons])
            return
        self._subscribed(self._had_session)

    def _on_disconnect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._up = False
        log.warning("broker lost", reason=str(reason))

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        self._arrived.append(
            Arrived(
                message.topic, bytes(message.payload), message.mid, message.qos, message.dup, self._number
            )
        )
