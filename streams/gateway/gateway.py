"""From Mosquitto to the bus: collect → judge → publish → acknowledge, one batch after the other.

A message is acknowledged to Mosquitto only once the bus has it (or once it is refused, which is counted and told to
the device). Killed anywhere between, the gateway gets it again, and the store knows it for a duplicate. While the bus
is away nothing is acknowledged: Mosquitto's window (`max_inflight_messages`) bounds what is held here, its queue what
waits there, on its disk.

A device that numbers its payloads (`seq` or `id`) is told on `…/accepted` which of them the bus has, and on
`…/refused` which it will not get and why. Mosquitto's own PUBACK says less: only that Mosquitto has it in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog

from incidents.gateway import Access, GatewayStore, Limiter, Rate, Sender, Tally
from incidents.ports import BusRefused, BusUnavailable, MessageRefused, Outgoing, Producer
from streams.device_payload import letter_of, message_of, name_in
from streams.envelope import Bad
from streams.gateway.access_files import ROOT
from streams.gateway.connection import Arrived, Connection

DOOR: Final = "mqtt"
BROKER: Final = "mqtt"
BATCH: Final = 500
LINGER_S: Final = 0.01
"""From the first message of a batch to its going out: more of them then share one answer of the bus."""

RETRY_S: Final = 0.5
CATCH_UP_S: Final = 600.0
"""After a pause of ours, what has queued up comes faster than its devices have sent it: for at most this long, and
until a batch is small again, nobody is refused for his speed."""

SYS: Final = "$SYS/broker/"
FIGURES: Final = {
    "publish/messages/dropped": "broker_dropped",
    "store/messages/count": "broker_queue_messages",
    "store/messages/bytes": "broker_queue_bytes",
    "clients/connected": "broker_clients",
}
"""What the broker says of itself, and what it is called among our counters."""

TOPICS: Final = (f"{ROOT}/+/readings", f"{ROOT}/+/status", *(SYS + name for name in FIGURES))

_JSON: Final = msgspec.json.Encoder()

log = structlog.get_logger()


@dataclass(slots=True)
class Counters:
    """Running totals of one gateway process."""

    received: int = 0
    again: int = 0
    published: int = 0
    refused: int = 0
    acknowledged: int = 0
    batches: int = 0
    waits: int = 0
    connections: int = 0
    sessions_lost: int = 0


@dataclass(slots=True)
class _Item:
    """A message of a batch and what becomes of it: on the bus (`outgoing`), told (`name`), refused (`bad`)."""

    arrived: Arrived
    device: str
    outgoing: Outgoing | None = None
    name: int | str | None = None
    bad: Bad | None = None
    wait_s: float = 0.0


@dataclass(slots=True)
class Gateway:
    """See the module's text. `run` belongs to one thread, `keep` to another."""

    connection: Connection
    producer: Producer
    store: GatewayStore
    write_access: Callable[[Access], None]
    clock: Callable[[], datetime]
    rate: Rate
    max_bytes: int
    store_away: tuple[type[Exception], ...]
    counters: Counters = field(default_factory=Counters)
    figures: dict[str, int] = field(default_factory=dict)
    _access: Access | None = None
    _loaded: threading.Event = field(default_factory=threading.Event)
    _limiter: Limiter = field(default_factory=Limiter)
    _tally: Tally = field(default_factory=Tally)
    _links: dict[str, tuple[bool, datetime]] = field(default_factory=dict)
    _links_lock: threading.Lock = field(default_factory=threading.Lock)
    _catch_up_until: float = 0.0

    # -- the stream ------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Nothing is taken before it is known who may send."""
        while not stop.is_set() and not self._loaded.wait(0.2):
            pass
        while not stop.is_set():
            if self._connected(stop):
                batch = self._collect(stop)
                if batch:
                    self._settle(batch, stop)
        self.connection.close()

    def _connected(self, stop: threading.Event) -> bool:
        """Whether there is something to do. What had come before a connection broke is still put on the bus."""
        if self.connection.up or self.connection.waiting():
            return True
        if self.connection.open(5.0):
            self.counters.connections += 1
            self._pause_is_over()
            return True
        stop.wait(RETRY_S)
        return False

    def _pause_is_over(self) -> None:
        self._catch_up_until = time.monotonic() + CATCH_UP_S

    def _collect(self, stop: threading.Event) -> list[Arrived]:
        deadline = 0.0
        while not stop.is_set():
            waiting = self.connection.waiting()
            if waiting and not deadline:
                deadline = time.monotonic() + LINGER_S
            left = deadline - time.monotonic() if deadline else 0.2
            if waiting >= BATCH or (waiting and left <= 0):
                break
            if not self.connection.pump(left) and not self.connection.waiting():
                break
            if not self.connection.up:
                break
        taken = self.connection.take(BATCH)
        if len(taken) < BATCH // 2:
            self._catch_up_until = min(self._catch_up_until, time.monotonic())
        return taken

    def _settle(self, batch: Sequence[Arrived], stop: threading.Event) -> None:
        items = [item for arrived in batch if (item := self._sorted(arrived)) is not None]
        for item in items:
            self._judge(item)
        if not self._published([item for item in items if item.outgoing is not None], stop):
            return
        for arrived in batch:
            self.counters.acknowledged += self.connection.acknowledge(arrived)
        self._tell(items)
        self.counters.batches += 1

    def _sorted(self, arrived: Arrived) -> _Item | None:
        """A message with readings, or None: a status or a figure, noted."""
        if arrived.topic.startswith(SYS):
            name = FIGURES.get(arrived.topic.removeprefix(SYS))
            if name and arrived.payload.isdigit():
                self.figures[name] = int(arrived.payload)
            return None
        device, _, kind = arrived.topic.removeprefix(ROOT + "/").partition("/")
        if kind == "status":
            self._link(device, arrived.payload)
            return None
        self.counters.received += 1
        self.counters.again += arrived.again
        return _Item(arrived, device)

    def _judge(self, item: _Item) -> None:
        assert self._access is not None
        sender = self._access.senders.get(item.device)
        if sender is None:
            self._refuse(
                item, Bad("credential", field="device", found=item.device, rule="no credential of it stands")
            )
            return
        if not self._slow_enough(item, sender):
            return
        try:
            payload = message_of(sender, item.arrived.payload, self.max_bytes)
            item.outgoing, item.name = payload.outgoing, payload.name
        except Bad as bad:
            # The device may not listen: what it has sent must be found in the dead letters, not nowhere.
            item.outgoing = letter_of(sender, item.arrived.payload)
            self._refuse(item, bad)

    def _slow_enough(self, item: _Item, sender: Sender) -> bool:
        rate = sender.rate or self.rate
        now = time.monotonic()
        wait = self._limiter.wait_s(sender.device, rate, 1, now)
        if not wait or item.arrived.again or now < self._catch_up_until:
            return True
        item.wait_s = wait
        rule = f"at most {rate.per_s:g} messages a second and {rate.burst} at once"
        self._refuse(item, Bad("rate", field="device", found=item.device, rule=rule))
        return False

    def _refuse(self, item: _Item, bad: Bad) -> None:
        item.bad = bad
        self.counters.refused += 1
        self._tally.add((item.device, DOOR, bad.reason))

    def _published(self, items: list[_Item], stop: threading.Event) -> bool:
        """Put them on the bus, however long it takes; False: told to stop before, nothing may be acknowledged."""
        begun = 0
        size = max(1, len(items))
        while begun < len(items):
            part = items[begun : begun + size]
            try:
                self.producer.publish([item.outgoing for item in part if item.outgoing is not None])
            except MessageRefused as error:
                if size > 1:
                    size = 1  # one of them: find out which
                    continue
                part[0].name = name_in(part[0].arrived.payload)
                self._refuse(
                    part[0], Bad("too_large", found=f"{len(part[0].arrived.payload)} bytes", rule=str(error))
                )
            except (BusUnavailable, BusRefused) as error:
                log.warning("gateway waits for the bus", error=str(error), held=len(items) - begun)
                self.counters.waits += 1
                if not self._breathe(RETRY_S, stop):
                    return False
                continue
            else:
                self.counters.published += len(part)
            begun += len(part)
        return True

    def _breathe(self, seconds: float, stop: threading.Event) -> bool:
        """Keep the connection alive while the bus is away; False when told to stop."""
        self._pause_is_over()
        deadline = time.monotonic() + seconds
        while not stop.is_set() and (left := deadline - time.monotonic()) > 0:
            if not self.connection.pump(min(left, 0.1)):
                stop.wait(min(left, 0.1))
        return not stop.is_set()

    def _tell(self, items: Sequence[_Item]) -> None:
        accepted: dict[str, dict[str, list[int | str]]] = {}
        for item in items:
            if item.bad is not None:
                self.connection.say(f"{ROOT}/{item.device}/refused", _JSON.encode(_refusal(item)))
            elif item.name is not None:
                kind = "seq" if isinstance(item.name, int) else "id"
                accepted.setdefault(item.device, {}).setdefault(kind, []).append(item.name)
        for device, names in accepted.items():
            self.connection.say(f"{ROOT}/{device}/accepted", _JSON.encode(names))

    def _link(self, device: str, payload: bytes) -> None:
        word = payload.strip(b' "').lower()
        if word in (b"online", b"offline"):
            with self._links_lock:
                self._links[device] = (word == b"online", self.clock())
        elif payload:
            self._tally.add((device, DOOR, "bad_status"))

    # -- the books -------------------------------------------------------------------------------------------

    def keep(self, stop: threading.Event, beat: Callable[[dict[str, int]], None]) -> None:
        """Once a second: who may send, what was refused, who is online, what the broker has dropped."""
        while True:
            last = stop.is_set()
            try:
                self._renew()
                self._write_down(at_once=last)
            except self.store_away as error:
                log.warning("gateway's books wait for the store", error=str(error))
            except OSError as error:
                log.error("access files cannot be written", error=str(error))
            beat(self.totals())
            if last:
                return
            stop.wait(1.0)

    def totals(self) -> dict[str, int]:
        """Counters and the broker's figures."""
        own = {name: int(getattr(self.counters, name)) for name in self.counters.__slots__}
        return {**own, **self.figures}

    def _renew(self) -> None:
        access = self.store.access(self._access, self.clock())
        if access is not None:
            # First who is let through here, then who is let in there.
            known, self._access = self._access, access
            try:
                self.write_access(access)
            except OSError:
                self._access = known  # to be written again
                raise
            log.info("access renewed", devices=len(access.senders), logins=len(access.logins))
        self._loaded.set()

    def _write_down(self, *, at_once: bool) -> None:
        counts = self._tally.take(time.monotonic(), at_once=at_once)
        if counts:
            try:
                self.store.refused(counts, self.clock())
            except self.store_away:
                self._tally.put_back(counts)
                raise
        with self._links_lock:
            links, self._links = self._links, {}
        if links:
            try:
                self.store.links(links)
            except self.store_away:
                with self._links_lock:
                    self._links = {**links, **self._links}
                raise
        if "broker_dropped" in self.figures:
            lost = self.store.dropped(BROKER, self.figures["broker_dropped"], self.clock())
            if lost:
                log.error("the broker has dropped messages", n=lost)

    def subscribed(self, had_session: bool) -> None:
        """Called by the connection. Without a session what was sent meanwhile has gone nowhere."""
        if not had_session and self.counters.connections:
            self.counters.sessions_lost += 1
            log.error("the broker has forgotten our session; messages may be lost")


def _refusal(item: _Item) -> dict[str, Any]:
    bad = item.bad
    assert bad is not None
    name = item.name if item.name is not None else name_in(item.arrived.payload)
    told: dict[str, Any] = {"reason": bad.reason, "field": bad.field, "found": bad.found, "rule": bad.rule}
    if name is not None:
        told["seq" if isinstance(name, int) else "id"] = name
    if item.wait_s:
        told["retry_after_s"] = round(item.wait_s, 1)
    return told
