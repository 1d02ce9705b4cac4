"""What every alarm adapter needs and gives: the source as the city has set it up, the alarm, its message.

An adapter is a function (payload, source, received) → Alarm | Quiet; it raises Bad with field, value and rule. It never
guesses: a type that the table of the source does not hold is refused with its number or name, an unknown channel with
its own. `received` is when the payload came in: the time of an alarm whose source says none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from incidents.gb28181 import Edition, is_code
from streams import topics
from streams.envelope import Bad, encode

KINDS_FILE: Final = Path(__file__).with_name("kinds.json")
MAX_PAYLOAD: Final = 256 * 1024
"""Bytes; an alarm is a few hundred. Pictures come by another way."""

QUIET_KIND: Final = "-"
"""In a table of kinds: this type is known and raises nothing (heartbeats)."""


@dataclass(frozen=True, slots=True)
class Source:
    """One video system as the city has set it up.

    `kinds`: its types → kinds of camera alarm of the city. `cameras`: its channels → 20-digit codes; a channel that
    is such a code needs no entry. `zone`: of times without one. `strict`: refuse what the standard forbids even where
    real devices are known to do it.
    """

    feed: str
    kinds: Mapping[str, str]
    cameras: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = ZoneInfo("Asia/Shanghai")
    edition: Edition = "2016"
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm in our words. `algorithm` is the type as the source names it; `noted` what was wrong and tolerated."""

    id: str
    camera: str
    kind: str
    algorithm: str
    time: datetime
    level: int | None = None
    confidence: float | None = None
    text: str = ""
    source_time: str = ""
    noted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quiet:
    """A payload that is in order and raises nothing: a heartbeat, the end of an alarm already told."""

    why: str


Adapted = Alarm | Quiet
Adapter = Callable[[bytes, Source, datetime], Adapted]


def shipped_kinds(overrides: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, dict[str, str]]:
    """System → its types → our kinds, as shipped, with the city's own lines over them."""
    tables: dict[str, dict[str, str]] = json.loads(KINDS_FILE.read_text(encoding="utf-8"))["kinds"]
    for system, own in (overrides or {}).items():
        tables[system] = tables.get(system, {}) | dict(own)
    return tables


def kind_of(source: Source, type_: str, field: str) -> str:
    """The city's kind of a foreign type; Bad(unknown_type) names the type, never the nearest one."""
    kind = source.kinds.get(type_, "")
    if not kind:
        raise Bad(
            "unknown_type", field=field, found=type_, rule="must be in the source's table of alarm types"
        )
    return kind


def camera_of(source: Source, channel: str, field: str) -> str:
    """The camera behind a channel; Bad(unknown_camera) names the channel."""
    code = source.cameras.get(channel, channel)
    if not is_code(code):
        raise Bad(
            "unknown_camera", field=field, found=channel,
            rule="must be mapped to a camera (20 digits, GB/T 28181) in the registry of channels",
        )  # fmt: skip
    return code


def identity(*parts: object) -> str:
    """An id that is the same whenever the same alarm is sent again."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]


def check_size(payload: bytes, limit: int = MAX_PAYLOAD) -> None:
    """Raise Bad(too_large) before anything is read."""
    if len(payload) > limit:
        raise Bad("too_large", found=f"{len(payload)} bytes", rule=f"at most {limit} bytes")


def moment(text: str, zone: tzinfo, field: str) -> datetime:
    """An ISO 8601 time; without a zone it is of `zone`. Raises Bad(bad_time)."""
    try:
        time = datetime.fromisoformat(text)
        time = time if time.tzinfo else time.replace(tzinfo=zone)
        time.timestamp()
    except (ValueError, OverflowError) as error:
        raise Bad("bad_time", field=field, found=text, rule=f"must be an ISO 8601 time: {error}") from None
    return time


def of_epoch(seconds: float, zone: tzinfo, field: str) -> datetime:
    """Seconds since 1970. Raises Bad(bad_time)."""
    try:
        return datetime.fromtimestamp(seconds, zone)
    except (ValueError, OverflowError, OSError) as error:
        raise Bad(
            "bad_time", field=field, found=seconds, rule=f"must be seconds since 1970: {error}"
        ) from None


def message(source: Source, alarm: Alarm) -> bytes:
    """The alarm as a message of city.video-alarm.v1; its key on the bus is the camera."""
    data: dict[str, Any] = {"camera": alarm.camera, "kind": alarm.kind, "algorithm": alarm.algorithm}
    for name, value in (
        ("level", alarm.level),
        ("confidence", alarm.confidence),
        ("text", alarm.text or None),
        ("source_time", alarm.source_time or None),
    ):
        if value is not None:
            data[name] = value
    return encode(
        id=alarm.id, source=f"urn:feed:{source.feed}", topic=topics.VIDEO_ALARM, time=alarm.time.isoformat(),
        subject=alarm.camera, data=data,
    )  # fmt: skip
