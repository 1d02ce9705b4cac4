"""Edge nodes for tests and benches: a minimal MQTT 3.1.1 client on asyncio that buffers, resends and keeps its own books.

A node numbers its payloads (`seq`) and keeps each until the gateway says on `…/accepted` that the bus has it; what is
not accepted is sent again after a lost connection, and after a while. Thousands of them fit into one process.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

AGAIN_S = 4.0
"""A payload that was not accepted by then is sent again; then after twice as long each time, up to LONGEST_S."""
LONGEST_S = 64.0


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def packet(kind: int, body: bytes) -> bytes:
    """An MQTT packet: kind and flags in one byte, the length, the body."""
    left, length = len(body), bytearray()
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([kind]) + bytes(length) + body


@dataclass(slots=True)
class Node(asyncio.Protocol):
    """One edge node. `payload(seq)`: what it has measured as its seq-th payload."""

    device: str
    login: str
    secret: str
    port: int
    rng: random.Random
    told: Callable[[float], None] = lambda seconds: None
    outstanding: dict[int, tuple[bytes, float, float, int]] = field(default_factory=dict)
    """seq → (payload, when it was measured, when it is to be sent again, how often it was sent)."""
    sent: int = 0
    again: int = 0
    acknowledged: int = 0
    refused: list[dict[str, object]] = field(default_factory=list)
    connections: int = 0
    up: bool = False
    closing: bool = False
    _transport: asyncio.Transport | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _number: int = 0
    _heard: float = 0.0

    @property
    def base(self) -> str:
        """Its topics."""
        return f"chengyun/devices/{self.device}"

    # -- what it does ----------------------------------------------------------------------------------------

    def measure(self, seq: int, payload: bytes) -> None:
        """A new payload: kept, and sent when there is a connection."""
        now = time.monotonic()
        self.outstanding[seq] = (payload, now, 0.0, 0)
        if self.up:
            self._send(seq, now)

    def tick(self) -> None:
        """Send again what was not accepted in time; give up a connection on which nothing is heard."""
        now = time.monotonic()
        if not self.up:
            return
        for seq, (_, _, due, times) in list(self.outstanding.items()):
            if now > due:
                self.again += times > 0
                self._send(seq, now)
        if now - self._heard > 20 and self._transport is not None:
            self._transport.write(packet(0xC0, b""))
        if now - self._heard > 30 and self._transport is not None:
            self._transport.abort()

    async def stay(self) -> None:
        """Keep a connection until `close`."""
        loop = asyncio.get_running_loop()
        while not self.closing:
            try:
                await loop.create_connection(lambda: self, "127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(self.rng.uniform(0.2, 1.0))
                continue
            while self._transport is not None:
                await asyncio.sleep(0.1)
            await asyncio.sleep(self.rng.uniform(0.1, 0.5))

    def close(self) -> None:
        """Leave in order."""
        self.closing = True
        if self._transport is not None:
            if self.up:
                self._publish(f"{self.base}/status", b"offline", qos=0, retain=True)
                self._transport.write(packet(0xE0, b""))
            self._transport.close()

    def drop(self) -> None:
        """The connection breaks, without a word."""
        if self._transport is not None:
            self._transport.abort()

    # -- the wire --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        # (uvloop's transports are none of asyncio's classes.)
        wire = self._transport = cast(asyncio.Transport, transport)
        self._heard = time.monotonic()
        self._buffer.clear()
        # Clean session, will (QoS 1, retained), user name, password; keep-alive 60 s.
        body = _text("MQTT") + bytes([4, 0b1110_1110]) + (60).to_bytes(2, "big") + _text(self.login)
        body += _text(f"{self.base}/status") + _text("offline") + _text(self.login) + _text(self.secret)
        wire.write(packet(0x10, body))

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._transport, self.up = None, False

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._heard = time.monotonic()
        self._buffer += data
        while (found := self._packet()) is not None:
            self._take(*found)

    def _packet(self) -> tuple[int, bytes] | None:
        length, shift, at = 0, 0, 1
        while True:
            if at >= len(self._buffer):
                return None
            digit = self._buffer[at]
            length |= (digit & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not digit & 0x80:
                break
        if len(self._buffer) < at + length:
            return None
        found = self._buffer[0], bytes(self._buffer[at : at + length])
        del self._buffer[: at + length]
        return found

    def _take(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == 2:  # CONNACK
            if body[1] != 0:
                self.drop()
                return
            topics = b"".join(_text(f"{self.base}/{name}") + b"\x00" for name in ("accepted", "refused"))
            self._write(packet(0x82, self._next() + topics))
        elif kind == 9:  # SUBACK: now nothing that is told can be missed
            self.up = True
            self.connections += 1
            self._publish(f"{self.base}/status", b"online", qos=1, retain=True)
            now = time.monotonic()
            for seq, (_, _, _, times) in list(self.outstanding.items()):
                self.again += times > 0
                self._send(seq, now)
        elif kind == 4:  # PUBACK
            self.acknowledged += 1
        elif kind == 3:  # PUBLISH, QoS 0
            size = int.from_bytes(body[:2], "big")
            topic, told = body[2 : 2 + size].decode(), json.loads(body[2 + size :])
            if topic.endswith("/accepted"):
                now = time.monotonic()
                for seq in told.get("seq", ()):
                    kept = self.outstanding.pop(seq, None)
                    if kept is not None:
                        self.told(now - kept[1])
            else:
                self.refused.append(told)

    def _send(self, seq: int, now: float) -> None:
        payload, measured, _, times = self.outstanding[seq]
        # Who is slow is not helped by hearing everything again, from everybody, at the same moment.
        wait = min(AGAIN_S * 2**times, LONGEST_S) * self.rng.uniform(0.75, 1.25)
        self.outstanding[seq] = (payload, measured, now + wait, times + 1)
        self.sent += 1
        self._publish(f"{self.base}/readings", payload, qos=1)

    def _publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> None:
        number = self._next() if qos else b""
        self._write(packet(0x30 | qos << 1 | retain, _text(topic) + number + payload))

    def _next(self) -> bytes:
        self._number = self._number % 65_535 + 1
        return self._number.to_bytes(2, "big")

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
