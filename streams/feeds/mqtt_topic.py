"""Feeds that are topics of the source's own MQTT broker: a persistent session, acknowledged after the bus."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from streams.feeds.addresses import AddressPolicy
from streams.feeds.port import (
    BadConfig,
    BadRaw,
    Batch,
    Position,
    RawRecord,
    SourceAway,
    SourceFault,
    content_identity,
    decode_json,
)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class MqttConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Configuration of the kind `mqtt`. The record is {topic, levels: [parts of the topic], payload}."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    topics: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=100)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    client_id: Annotated[str, msgspec.Meta(max_length=100)] = ""
    qos: Literal[1, 2] = 1
    version: Literal["5", "3.1.1"] = "5"
    tls: bool = False
    batch: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 500
    session_s: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 7 * 86_400


class MqttSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of the broker."""

    user: str = ""
    password: str = ""


CONNECT_S: Final = 10.0
IN_FLIGHT: Final = 1000
"""Messages that the broker may send ahead of our acknowledgements (MQTT 5); of an older broker: its own limit."""


def check(config: MqttConfig, secrets: MqttSecrets) -> None:
    """What a shape cannot say. Raises BadConfig."""
    for name in config.topics:
        parts = name.split("/")
        if any(
            "#" in p and (p != "#" or n + 1 < len(parts)) or ("+" in p and p != "+")
            for n, p in enumerate(parts)
        ):
            raise BadConfig("config.topics", name, "+ stands for a whole level, # for all at the end")
        if len(name.encode()) > 65_535 or "\x00" in name:
            raise BadConfig("config.topics", name, "must be a topic of MQTT")


class MqttSource:
    """See port.Source. The broker's session holds what is not acknowledged: the position stays empty.

    A record without a time or an id of its own is told from its repetition by what it says.
    """

    def __init__(
        self,
        config: MqttConfig,
        secrets: MqttSecrets,
        policy: AddressPolicy,
        clock: Callable[[], datetime],
        client_id: str,
        keep_session: bool = True,
    ) -> None:
        self._config = config
        self._policy = policy
        self._clock = clock
        self._arrived: queue.SimpleQueue[tuple[int, int, RawRecord | BadRaw]] = queue.SimpleQueue()
        self._refused = ""
        self._up = threading.Event()
        self._down = threading.Event()
        self._started = False
        five = config.version == "5"
        self._properties: Properties | None = None
        if five:
            self._properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            self._properties.SessionExpiryInterval = config.session_s if keep_session else 0
            self._properties.ReceiveMaximum = IN_FLIGHT
        self._keep_session = keep_session
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=config.client_id or client_id,
            protocol=MQTTv5 if five else MQTTv311,
            manual_ack=True,
            clean_session=None if five else not keep_session,
        )
        if secrets.user:
            self._client.username_pw_set(secrets.user, secrets.password)
        if config.tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._came

    # -- on paho's thread -------------------------------------------------------------------------------------

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refused = f"the broker refuses: {reason}"
            self._down.set()
            return
        client.subscribe(
            [(t, SubscribeOptions(qos=self._config.qos)) for t in self._config.topics]  # type: ignore[arg-type]
            if self._config.version == "5"
            else [(t, self._config.qos) for t in self._config.topics]
        )

    def _subscribed(self, _client: Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        refused = [str(r) for r in reasons if r.is_failure]
        if refused:
            self._refused = f"the broker refuses the subscription: {', '.join(refused)}"
            self._down.set()
            return
        self._up.set()

    def _disconnected(self, _client: Client, _data: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        self._down.set()

    def _came(self, _client: Client, _data: Any, message: Any) -> None:
        self._arrived.put((message.mid, message.qos, self._raw(message.topic, bytes(message.payload))))

    def _raw(self, topic: str, payload: bytes) -> RawRecord | BadRaw:
        made = self._clock().astimezone(UTC)
        return mqtt_record(topic, payload, made)

    # -- on ours ----------------------------------------------------------------------------------------------

    def read(self, position: Position, wait_s: float) -> Batch:
        """See port.Source. After a lost connection nothing that had come before it is given: the broker repeats it."""
        if self._down.is_set() or not self._started:
            self._connect()
        records: list[RawRecord | BadRaw] = []
        tags: list[tuple[int, int]] = []
        timeout: float | None = wait_s
        while len(records) < self._config.batch:
            try:
                mid, qos, record = (
                    self._arrived.get(timeout=timeout) if timeout else self._arrived.get_nowait()
                )
            except queue.Empty:
                break
            timeout = None
            records.append(record)
            tags.append((mid, qos))
        if not records and self._down.is_set():
            raise SourceAway(f"{self._config.host}:{self._config.port}: the connection was lost")
        return Batch(records, None, bool(records), tag=tags)

    def _connect(self) -> None:
        self._stop()
        self._policy.require([(self._config.host, self._config.port)])
        self._refused = ""
        self._up.clear()
        self._down.clear()
        self._arrived = queue.SimpleQueue()
        try:
            if self._config.version == "5":
                self._client.connect(
                    self._config.host,
                    self._config.port,
                    keepalive=30,
                    clean_start=not self._keep_session,
                    properties=self._properties,
                )
            else:
                self._client.connect(self._config.host, self._config.port, keepalive=30)
        except (OSError, socket.gaierror) as error:
            raise SourceAway(f"{self._config.host}:{self._config.port}: {error}") from None
        self._client.loop_start()
        self._started = True
        # Either of the two comes: a subscription or the end of the connection.
        for _ in range(int(CONNECT_S / 0.05)):
            if self._up.wait(0.05):
                return
            if self._down.is_set():
                break
        self._stop()
        self._down.set()
        if self._refused:
            raise SourceFault(f"{self._config.host}:{self._config.port}: {self._refused}")
        raise SourceAway(f"{self._config.host}:{self._config.port}: no answer within {CONNECT_S:g} s")

    def _stop(self) -> None:
        if self._started:
            self._client.disconnect()
            self._client.loop_stop()
            self._started = False

    def done(self, batch: Batch) -> None:
        """Acknowledge. An acknowledgement of a connection that is gone is none: the broker sends again."""
        if self._down.is_set():
            return
        for mid, qos in batch.tag or ():
            self._client.ack(mid, qos)

    def close(self) -> None:
        """Leave; the broker keeps the session."""
        self._stop()


def mqtt_record(topic: str, payload: bytes, made: datetime | None) -> RawRecord | BadRaw:
    """The record of one MQTT message. Its identity is topic and content: MQTT gives no other."""
    try:
        body = {"topic": topic, "levels": topic.split("/"), "payload": decode_json(payload)}
        return RawRecord(content_identity(body), body, made)
    except (ValueError, UnicodeEncodeError) as error:
        found = payload[:60].decode("utf-8", "backslashreplace")
        text = topic.encode("utf-8", "backslashreplace")
        return BadRaw(
            content_identity([text.decode(), payload]),
            payload,
            f"payload of {text.decode()}",
            found,
            str(error),
        )
