"""What the web shell is given by `app.py`: ports as Protocols, and its settings as plain values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from fastapi import APIRouter

from callbacks.live_hub import Source, Standing
from incidents.access import Thing
from incidents.gateway import DEVICE_RATE, DeviceDoor, Rate, Sender
from incidents.model import Actor
from incidents.ports import BusInspector, Outgoing, Producer


class Service(Protocol):
    """The one door of the domain (`incidents/service.py`)."""

    def handle(self, command: object, actor: Actor, channel: str, cause: str = "") -> dict[str, Any]:
        """Carry out a command; raises Rejected. `cause`: id of the request."""

    def ask(self, query: object, actor: Actor) -> Any:
        """Answer a query, JSON-ready; raises Rejected."""


class SessionRow(Protocol):
    """A session that stands."""

    @property
    def token_hash(self) -> bytes: ...
    @property
    def actor(self) -> Actor: ...
    @property
    def csrf(self) -> str: ...
    @property
    def must_change(self) -> bool: ...
    @property
    def expires_at(self) -> datetime: ...


class SessionStore(Standing, Protocol):
    """`data/sessions.py`."""

    def open(
        self, account: int, *, address: str, now: datetime, lifetime: timedelta | None = None
    ) -> tuple[str, str]:
        """A new session: (token, csrf token). `lifetime`: not the usual one."""

    def find(self, token: str, now: datetime) -> SessionRow | None:
        """The session of a token, if it stands."""

    def end(self, digest: bytes, now: datetime) -> None:
        """Log out."""


class AccountRow(Protocol):
    """What a login gives."""

    @property
    def id(self) -> int: ...
    @property
    def login(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def must_change(self) -> bool: ...


class AccountStore(Protocol):
    """`data/accounts.py`."""

    def check(self, login: str, password: str, now: datetime) -> AccountRow | None:
        """The account when login and password fit."""

    def change_password(
        self, account: int, old: str, new: str, *, keep_session: bytes, now: datetime
    ) -> None:
        """Raises Rejected(field)."""


class PairingCode(Protocol):
    """A code that waits for somebody to type it."""

    @property
    def code(self) -> str: ...
    @property
    def secret(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...


class PairingStore(Protocol):
    """`data/screen_pairing.py`."""

    def begin(self, address: str, now: datetime) -> PairingCode:
        """A new code; raises `too_many_codes`."""

    def claim(self, secret: str, now: datetime) -> int | str:
        """The account of the screen it has become, once; else 'waiting' or 'over'."""


class AuditLog(Protocol):
    """`data/audit.py`."""

    def append(
        self,
        *,
        actor: str,
        role: str,
        action: str,
        thing: str,
        allowed: bool,
        now: datetime,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one row."""


class PhotoRow(Protocol):
    """A stored photo."""

    @property
    def mime(self) -> str: ...
    @property
    def bytes(self) -> bytes: ...
    @property
    def stored_by(self) -> str: ...


class PhotoStore(Protocol):
    """`data/photos.py`."""

    def store(
        self,
        content: bytes,
        *,
        mime: str,
        width: int,
        height: int,
        exif: Mapping[str, Any],
        login: str,
        now: datetime,
    ) -> str:
        """Keep it; its SHA-256."""

    def load(self, sha256: str) -> PhotoRow | None:
        """The photo, or None."""

    def shown_on(self, sha256: str) -> list[Thing]:
        """Everything that carries it."""


class FeedRow(Protocol):
    """A registered feed."""

    @property
    def id(self) -> str: ...
    @property
    def topics(self) -> tuple[str, ...]: ...
    @property
    def disabled(self) -> bool: ...


class FeedStore(Protocol):
    """`data/feed_tokens.py`."""

    def find(self, token: str) -> FeedRow | None:
        """The feed of a bearer token."""


class LiveStore(Source, Protocol):
    """`data/live.py`."""

    def version(self) -> tuple[str, int]:
        """(epoch, n)."""

    def beats(self) -> dict[str, int]:
        """When each process was last alive: name → ms since the epoch."""

    def counters(self) -> dict[str, dict[str, float]]:
        """Running totals of the processes: process → name → value."""

    def ping(self) -> None:
        """Raises ConnectionError."""


class Change(Protocol):
    """What changed on screens up to a moment (`data/situations.py`)."""

    @property
    def at(self) -> datetime: ...
    @property
    def items(self) -> list[dict[str, Any]]: ...
    @property
    def gone(self) -> list[tuple[str, str, str]]:
        """(kind, key, area path)."""


class Past(Protocol):
    """`data/situations.py`."""

    def begins(self, now: datetime) -> datetime | None:
        """From when on it is known what screens showed of incidents."""

    def at(self, at: datetime) -> list[dict[str, Any]]:
        """Every live item of a moment."""

    def between(self, begin: datetime, end: datetime, step: timedelta) -> Sequence[Change]:
        """What changed, in steps."""


class BadMessage(Protocol):
    """What an error of `check_message` carries."""

    reason: str
    field: str
    found: str
    rule: str


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything the shell needs. Optional parts are left out in tests of one part."""

    service: Service
    accounts: AccountStore
    sessions: SessionStore
    audit: AuditLog
    photos: PhotoStore
    feeds: FeedStore
    live: LiveStore
    producer: Producer
    inspector: BusInspector
    check_message: Callable[[str, bytes], str]
    """(topic, one message) → its bus key; raises `bad_message` naming reason, field, found, rule."""
    bad_message: type[Exception]
    topics: Collection[str]
    """Topics that feeds may write to."""
    position_topic: str
    migrations_current: Callable[[], str]
    """'' when the store answers and its schema is current, else what is wrong; may raise `store_away`."""
    now: Callable[[], datetime]
    past: Past | None = None
    """What screens showed; None: no time machine here."""
    devices: DeviceDoor | None = None
    """Credentials of devices; None: no door for devices here."""
    device_message: Callable[[Sender, bytes, str], Outgoing] | None = None
    """(device, one payload, the request's id) → its message; raises `bad_message`."""
    device_rate: Rate = DEVICE_RATE
    alarm_topic: str = ""
    """The topic whose messages may also come in the words of other makers' video systems."""
    adapt_alarm: Callable[[str, str, str, bytes], tuple[str, bytes] | str] | None = None
    """(feed, system, edition, payload) → (bus key, message), or why nothing comes of it; raises `bad_message`."""
    alarm_letter: Callable[[str, str, bytes, Any], Outgoing] | None = None
    """(feed, system, payload, the `bad_message`) → what the bus gets of it, so that ingest makes a dead letter."""
    counts: Callable[[], Mapping[tuple[str, ...], float]] = dict
    """What the store has counted, for /metrics: (kind, state) → number; may raise `store_away`."""
    store_away: tuple[type[Exception], ...] = ()
    """Errors that mean: the database is away, ask again later."""
    dash_server: Any = None
    """The WSGI app (Dash's Flask server) that answers all other paths."""
    script_sources: tuple[str, ...] = ("'unsafe-inline'",)
    """CSP sources of inline scripts: `tuple(f"'{h}'" for h in dash_app.csp_hashes())`."""
    routers: Sequence[APIRouter] = ()
    """Routers of others: tiles, texts, phone."""
    ingest_groups: Mapping[str, str] = field(default_factory=dict)
    """Topic → consumer group that reads it, for lags."""
    processes: Sequence[str] = ("ingest", "relay")
    """Processes whose heartbeat must be fresh for /readyz."""
    feed_of_phones: str = "phone"
    """Feed id under which positions of phones are counted."""
    pairings: PairingStore | None = None
    """Codes of walls that wait to be paired; None: no pairing here."""
    too_many_codes: type[Exception] = RuntimeError
    tls: bool = False
    max_message_bytes: int = 1024 * 1024
    metrics_token: str = ""
    session_h: float = 12.0
    timezone: str = "Asia/Shanghai"
