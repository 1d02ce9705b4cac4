"""The envelope (CloudEvents 1.0, JSON structured mode) and the data of each input topic, decoded by msgspec.

Source: ARCHITECTURE §5. Decoding checks shapes and types; what needs a registry, a place or a clock is
checked in `streams/validate.py`.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from streams import topics


class Reading(msgspec.Struct, frozen=True):
    """One value of one metric; `time` (RFC 3339) defaults to the envelope's."""

    metric: str
    value: float
    time: str | None = None


class ReadingData(msgspec.Struct, frozen=True):
    """Data of city.reading.v1 and city.reading-critical.v1. `history` marks an import of old data."""

    device: str
    readings: list[Reading]
    source_time: str | None = None
    history: bool = False
    missing: int = 0


class Point(msgspec.Struct, frozen=True):
    """A place; degrees in `crs`, which is one of gis.crs.KNOWN."""

    lon: float
    lat: float
    crs: str = "EPSG:4326"


class Reporter(msgspec.Struct, frozen=True):
    """Who reports; masked by role wherever shown."""

    name: str = ""
    phone: str = ""


class VideoAlarmData(msgspec.Struct, frozen=True):
    """Data of city.video-alarm.v1."""

    camera: str
    kind: str
    level: int | None = None
    confidence: float | None = None
    text: str = ""
    picture_sha256: str = ""
    source_time: str | None = None


class GridReportData(msgspec.Struct, frozen=True):
    """Data of city.grid-report.v1: a report of a grid worker, a hotline ticket, a citizen."""

    channel: str
    text: str
    class_: str = msgspec.field(default="", name="class")
    title: str = ""
    point: Point | None = None
    address: str = ""
    reporter: Reporter | None = None
    level: int | None = None
    photos: list[str] = []
    source_time: str | None = None
    category: str = ""


class PositionData(msgspec.Struct, frozen=True):
    """Data of city.position.v1: where a worker is."""

    worker: str
    point: Point
    accuracy_m: float | None = None
    speed_kmh: float | None = None


DATA_OF_TOPIC: dict[str, type[msgspec.Struct]] = {
    topics.READING: ReadingData,
    topics.READING_CRITICAL: ReadingData,
    topics.VIDEO_ALARM: VideoAlarmData,
    topics.GRID_REPORT: GridReportData,
    topics.POSITION: PositionData,
}

CHANNELS = ("grid", "hotline", "phone", "desk", "citizen", "patrol", "department")


class Envelope(msgspec.Struct, frozen=True):
    """CloudEvents 1.0 context attributes; `(source, id)` is the duplicate key; `data` decodes by topic."""

    id: str
    source: str
    specversion: str
    type: str
    time: str
    data: msgspec.Raw
    subject: str = ""
    correlationid: str = ""
    datacontenttype: str = "application/json"


class Bad(Exception):
    """A message that cannot be taken. `reason` is a stable word for counting; the rest names what is wrong."""

    def __init__(self, reason: str, *, field: str = "", found: object = "", rule: str = "") -> None:
        self.reason = reason
        self.field = field
        self.found = str(found)[:200]
        self.rule = rule
        super().__init__(f"{field or 'message'}={self.found!r}: {rule or reason}")


_ENVELOPE = msgspec.json.Decoder(Envelope)
_DATA = {topic: msgspec.json.Decoder(kind) for topic, kind in DATA_OF_TOPIC.items()}


def _field_of(error: msgspec.ValidationError) -> str:
    text = str(error)
    return text.rsplit("`$", 1)[1].rstrip("`").lstrip(".") if "`$" in text else ""


def decode(topic: str, value: bytes, max_bytes: int) -> tuple[Envelope, Any]:
    """Decode one message of `topic` into (envelope, data of DATA_OF_TOPIC[topic]).

    Raises Bad with reason too_large, malformed (not JSON), invalid (a field's type), envelope (context
    attributes), unknown_version (another type or version than the topic's).
    """
    if len(value) > max_bytes:
        raise Bad("too_large", found=f"{len(value)} bytes", rule=f"at most {max_bytes} bytes")
    try:
        envelope = _ENVELOPE.decode(value)
    except msgspec.ValidationError as error:
        raise Bad("envelope", field=_field_of(error), rule=str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Bad("malformed", rule=f"must be JSON: {error}", found=value[:60]) from None
    if envelope.specversion != "1.0":
        raise Bad("envelope", field="specversion", found=envelope.specversion, rule="must be '1.0'")
    if not envelope.id or not envelope.source:
        raise Bad("envelope", field="source" if envelope.id else "id", rule="must not be empty")
    if envelope.type != topic:
        raise Bad("unknown_version", field="type", found=envelope.type, rule=f"must be {topic!r} here")
    try:
        return envelope, _DATA[topic].decode(envelope.data)
    except msgspec.ValidationError as error:
        name = _field_of(error)
        raise Bad("invalid", field=f"data.{name}" if name else "data", rule=str(error)) from None
    except msgspec.DecodeError as error:
        raise Bad("malformed", field="data", rule=f"must be JSON: {error}") from None


def key_of(topic: str, data: Any, envelope: Envelope) -> str:
    """The bus key that keeps order: device, camera, report id or worker."""
    if topic in (topics.READING, topics.READING_CRITICAL):
        return str(data.device)
    if topic == topics.VIDEO_ALARM:
        return str(data.camera)
    if topic == topics.POSITION:
        return str(data.worker)
    return envelope.id


def finite(value: float) -> bool:
    """NaN and the infinities are no readings. (JSON cannot carry them, but 1e999 decodes to one.)"""
    return math.isfinite(value)


def encode(
    *, id: str, source: str, topic: str, time: str, subject: str, data: dict[str, Any], correlation: str = ""
) -> bytes:
    """A CloudEvents message as bytes, for feeds and the relay."""
    message: dict[str, Any] = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": topic,
        "time": time,
        "subject": subject,
        "datacontenttype": "application/json",
        "data": data,
    }
    if correlation:
        message["correlationid"] = correlation
    return msgspec.json.encode(message)
