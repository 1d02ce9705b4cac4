"""Feeds that are a topic of the source's own Kafka."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from incidents.ports import BusRefused, BusUnavailable
from streams.feeds.addresses import AddressPolicy
from streams.feeds.port import (
    BadConfig,
    BadRaw,
    Batch,
    Position,
    RawRecord,
    SourceAway,
    SourceFault,
    json_record,
)
from streams.kafka.foreign_topic import ForeignRecord, ForeignTopic


class KafkaConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Configuration of the kind `kafka`. `start`: where a first reading begins."""

    servers: Annotated[str, msgspec.Meta(min_length=3, max_length=1000)]
    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=249)]
    start: Literal["first", "last"] = "first"
    batch: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 500
    tls: bool = False
    mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""


class KafkaSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """For SASL."""

    user: str = ""
    password: str = ""


LOOK_AGAIN_S: Final = 30.0
"""How often partitions that came later are looked for."""


def servers_of(text: str) -> list[tuple[str, int]]:
    """`host:port,host:port`. Raises BadConfig."""
    found = []
    for server in text.split(","):
        host, mark, port = server.strip().rpartition(":")
        if not mark or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise BadConfig("config.servers", server, "must be host:port, several with commas between")
        found.append((host.strip("[]"), int(port)))
    return found


def check(config: KafkaConfig, secrets: KafkaSecrets) -> None:
    """What a shape cannot say. Raises BadConfig."""
    servers_of(config.servers)
    if bool(config.mechanism) != bool(secrets.user):
        raise BadConfig("config.mechanism", config.mechanism, "goes together with secrets.user")


def security(config: KafkaConfig, secrets: KafkaSecrets) -> Mapping[str, Any]:
    """Options of the client."""
    sasl = bool(config.mechanism)
    options: dict[str, Any] = {
        "security_protocol": ("SASL_" if sasl else "") + ("SSL" if config.tls else "PLAINTEXT")
    }
    if sasl:
        options |= {
            "sasl_mechanism": config.mechanism,
            "sasl_plain_username": secrets.user,
            "sasl_plain_password": secrets.password,
        }
    return options


class KafkaSource:
    """See port.Source. Position: `offsets`, partition → next offset."""

    def __init__(self, config: KafkaConfig, secrets: KafkaSecrets, policy: AddressPolicy) -> None:
        self._config = config
        self._secrets = secrets
        self._policy = policy
        self._topic: ForeignTopic | None = None
        self._looked = 0.0

    def read(self, position: Position, wait_s: float) -> Batch:
        """See port.Source."""
        try:
            if self._topic is None:
                self._policy.require(servers_of(self._config.servers))
                self._topic = ForeignTopic(
                    self._config.servers, self._config.topic, security(self._config, self._secrets)
                )
                self._looked = 0.0
            return self._read(self._topic, position, wait_s)
        except BusUnavailable as error:
            self.close()
            raise SourceAway(str(error)) from None
        except BusRefused as error:
            self.close()
            raise SourceFault(str(error)) from None

    def _read(self, topic: ForeignTopic, position: Position, wait_s: float) -> Batch:
        offsets = {int(k): int(v) for k, v in dict(position.get("offsets", {})).items()}
        if not self._looked or time.monotonic() - self._looked > LOOK_AGAIN_S:
            begun, lost = self._places(topic, offsets, bool(position))
            if begun != offsets:
                return Batch((), {"offsets": _by_name(begun)}, True, lost)
        topic.seek(offsets)
        records = topic.poll(self._config.batch, wait_s)
        if records is None:
            self._looked = 0.0
            return Batch((), None, True)
        if not records:
            return Batch()
        for record in records:
            offsets[record.partition] = record.offset + 1
        return Batch([self._raw(r) for r in records], {"offsets": _by_name(offsets)}, True)

    def _places(
        self, topic: ForeignTopic, offsets: Mapping[int, int], was_read: bool
    ) -> tuple[dict[int, int], int]:
        """Where to read each partition from, and how many records the broker no longer has."""
        ranges = topic.ranges()
        if not ranges:
            raise SourceFault(f"config.topic={self._config.topic!r}: there is no such topic")
        lost = 0
        begun = {}
        for number, (first, end) in ranges.items():
            at = offsets.get(number)
            if at is None:
                # A partition that came later is read from its beginning: all of it is new.
                at = end if self._config.start == "last" and not was_read else first
            elif at < first:
                lost += first - at
                at = first
            elif at > end:
                at = first  # the topic was made anew: what it holds now was never read
            begun[number] = at
        self._looked = time.monotonic()
        return begun, lost

    def _raw(self, record: ForeignRecord) -> RawRecord | BadRaw:
        # The time is part of it: a topic that was made anew counts from 0 again.
        identity = f"{self._config.topic}/{record.partition}/{record.offset}@{record.timestamp_ms}"
        if record.value is None:
            return BadRaw(identity, b"", "record", "", "must not be empty (a tombstone)")
        made = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC) if record.timestamp_ms >= 0 else None
        return json_record(record.value, identity, made)

    def done(self, batch: Batch) -> None:
        """Nothing to acknowledge: the position is ours."""

    def close(self) -> None:
        """See port.Source."""
        topic, self._topic = self._topic, None
        if topic is not None:
            topic.close()


def _by_name(offsets: Mapping[int, int]) -> dict[str, int]:
    return {str(number): offset for number, offset in sorted(offsets.items())}
