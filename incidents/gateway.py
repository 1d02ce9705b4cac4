"""Rules of the device gateway: names, credentials, how fast a device may send, and what the gateway asks of the store.

Pure: moments are passed in (`now`: seconds of any clock that only goes forward).
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

FEED: Final = "gateway"
"""The feed under which messages of devices are counted in the ledger."""

_NAME: Final = re.compile(r"[^\s/+#:~$\x00-\x1f\x7f]{1,100}")
NAME_RULE: Final = "1–100 characters, none of them a space or one of / + # : ~ $"


def usable_name(device: str) -> bool:
    """Whether a device id can be a user name, a part of a topic and a part of a path."""
    return _NAME.fullmatch(device) is not None


def login_of(device: str, number: int) -> str:
    """MQTT user name of a device's credential: the device's id; those issued later carry their number.

    Two credentials that overlap need two names: Mosquitto keeps one password a name.
    """
    return device if number == 1 else f"{device}~{number}"


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket's size: `per_s` messages a second for ever, `burst` at once after a pause."""

    per_s: float
    burst: int


DEVICE_RATE: Final = Rate(20.0, 2000)
"""What a device may send unless something else is set: an hour of buffered messages at one in two seconds at once."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens left at the moment `at`."""

    tokens: float
    at: float


def take(bucket: Bucket | None, rate: Rate, n: int, now: float) -> tuple[Bucket, float]:
    """Take `n` tokens: (the bucket afterwards, 0.0), or, when there are too few, (as it was, seconds to wait).

    None is a full bucket. More than `burst` never fit: the wait is infinite.
    """
    tokens = float(rate.burst)
    if bucket is not None:
        tokens = min(tokens, bucket.tokens + max(0.0, now - bucket.at) * rate.per_s)
    if n > rate.burst:
        return Bucket(tokens, now), math.inf
    # A part in a million is left to rounding: who waits as long as told is let in.
    if n <= tokens + 1e-6:
        return Bucket(max(0.0, tokens - n), now), 0.0
    return Bucket(tokens, now), (n - tokens) / rate.per_s


@dataclass(slots=True)
class Limiter:
    """The buckets of one process. Thread-safe. A full bucket is the same as none and is forgotten."""

    most: int = 50_000
    _buckets: dict[str, tuple[Bucket, Rate]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_s(self, device: str, rate: Rate, n: int, now: float) -> float:
        """0.0 and the tokens are taken, or the seconds after which `n` messages may come."""
        with self._lock:
            held = self._buckets.get(device)
            bucket, wait = take(held[0] if held else None, rate, n, now)
            self._buckets[device] = (bucket, rate)
            if len(self._buckets) > self.most:
                self._forget(now)
            return wait

    def _forget(self, now: float) -> None:
        for device, (bucket, rate) in list(self._buckets.items()):
            if bucket.tokens + (now - bucket.at) * rate.per_s >= rate.burst:
                del self._buckets[device]
        # All of them busy: the oldest go, which lets them send a little more, and memory stays bounded.
        for device in list(self._buckets)[: max(0, len(self._buckets) - self.most)]:
            del self._buckets[device]


@dataclass(frozen=True, slots=True)
class Sender:
    """A device that may write: `rate` None means the setting's."""

    device: str
    critical: bool = False
    disabled: bool = False
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A standing credential as the broker in front of the gateway needs it."""

    login: str
    device: str
    mqtt_hash: str


@dataclass(frozen=True, slots=True)
class Access:
    """Who may write, as of `version`; it holds until `until` (a credential ends then), None: until it changes."""

    version: tuple[int, int]
    senders: Mapping[str, Sender]
    logins: Sequence[Login]
    until: datetime | None = None


Refusal = tuple[str, str, str]
"""(device, door, reason)."""


class DeviceDoor(Protocol):
    """The store's side of the HTTPS door."""

    def find(self, secret: str, now: datetime) -> Sender | None:
        """Whose credential this is, if it stands."""

    def refused(self, counts: Mapping[Refusal, int], now: datetime) -> None:
        """Add to what was refused."""


class GatewayStore(Protocol):
    """The store's side of the MQTT gateway."""

    def access(self, known: Access | None, now: datetime) -> Access | None:
        """Who may write, or None when that is still `known`."""

    def refused(self, counts: Mapping[Refusal, int], now: datetime) -> None:
        """Add to what was refused."""

    def links(self, links: Mapping[str, tuple[bool, datetime]]) -> None:
        """Note who is online (True) or offline since when."""

    def dropped(self, broker: str, seen: int, now: datetime) -> int:
        """The broker's own counter of dropped messages; returns how many are new, kept as loss in the ledger."""


class Tally:
    """Counts kept in memory and handed on at most once in `period_s`. Thread-safe."""

    def __init__(self, period_s: float = 1.0) -> None:
        self._period_s = period_s
        self._counts: dict[Refusal, int] = {}
        self._due = 0.0
        self._lock = threading.Lock()

    def add(self, refusal: Refusal, n: int = 1) -> None:
        """Count."""
        with self._lock:
            self._counts[refusal] = self._counts.get(refusal, 0) + n

    def take(self, now: float, *, at_once: bool = False) -> dict[Refusal, int]:
        """What is to be handed on now; {} when it is too early or there is nothing."""
        with self._lock:
            if not self._counts or (now < self._due and not at_once):
                return {}
            counts, self._counts = self._counts, {}
            self._due = now + self._period_s
            return counts

    def put_back(self, counts: Mapping[Refusal, int]) -> None:
        """They could not be handed on."""
        with self._lock:
            for refusal, n in counts.items():
                self._counts[refusal] = self._counts.get(refusal, 0) + n
