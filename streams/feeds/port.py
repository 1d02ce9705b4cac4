"""What a source of records is: the port of the adapters, and the errors they may raise.

The order is the whole law: read → map → on the bus → position kept in the store → `done`. A crash anywhere between
repeats records, and since their message ids follow from the records, the repetition is counted as duplicates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

Position = Mapping[str, Any]
"""How far a source has been read: JSON, kept in the store. Empty: it was never read."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of a source. `identity` is the same whenever the record is read again; `time` is when the source
    (or its transport) says it was made, None when it does not say."""

    identity: str
    body: Any
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class BadRaw:
    """Something that should have been a record and cannot be read as one."""

    identity: str
    raw: bytes
    field: str
    found: str
    rule: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in order; `position` to be kept once the bus has them (None: it has not moved); `more`: read on at
    once; `lost`: records that the source itself no longer had."""

    records: Sequence[RawRecord | BadRaw] = ()
    position: Position | None = None
    more: bool = False
    lost: int = 0
    tag: Any = field(default=None, compare=False)
    """What the source itself needs in `done`."""


class SourceAway(Exception):
    """The source cannot be reached now; try again later. `retry_after_s`: when the source said so."""

    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class SourceFault(Exception):
    """The source answers and will not do as configured, until somebody changes something; the text says what."""


class Source(Protocol):
    """One open source. Not thread-safe."""

    def read(self, position: Position, wait_s: float) -> Batch:
        """The next records after `position`; an empty batch when there are none within `wait_s`.

        Raises SourceAway or SourceFault.
        """

    def done(self, batch: Batch) -> None:
        """The bus holds the batch's messages and the store its position: acknowledge, move files. Idempotent.

        Raises SourceAway: then the source will give the records again.
        """

    def close(self) -> None:
        """Release what is open; idempotent."""


class BadConfig(ValueError):
    """A feed's configuration that cannot be used; the text names field, value and rule."""

    def __init__(self, field: str, found: object, rule: str) -> None:
        self.field = field
        self.found = str(found)[:200]
        self.rule = rule
        super().__init__(f"{field}={self.found!r}: {rule}")


def content_identity(body: Any) -> str:
    """The identity of a record that has none: what it says."""
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()[:40]


def decode_json(raw: bytes) -> Any:
    """A record's bytes as JSON. Raises ValueError saying what is wrong; NaN and Infinity are no JSON."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"must be JSON: {error}") from None
    except RecursionError:
        raise ValueError("must be JSON: nested too deep") from None


def json_record(raw: bytes, identity: str = "", time: datetime | None = None) -> RawRecord | BadRaw:
    """One JSON record, or what is wrong with it; without `identity` it is told by what it says."""
    try:
        body = decode_json(raw)
    except ValueError as error:
        found = raw[:60].decode("utf-8", "backslashreplace")
        return BadRaw(identity or hashlib.sha256(raw).hexdigest()[:40], raw, "record", found, str(error))
    return RawRecord(identity or content_identity(body), body, time)
