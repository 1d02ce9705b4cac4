"""The envelope (CloudEvents 1.0, JSON structured mode) and the data of each input topic, decoded by msgspec.

Source: ARCHITECTURE §5. Decoding checks shapes and types; what needs a registry, a place or a clock is
checked in `streams/validate.py`.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from streams import topics

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339 with a zone."""

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


PhotoName = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""SHA-256 of a stored photo, hex."""


class Reading(msgspec.Struct, frozen=True):
    """One value of one metric; `time` defaults to the envelope's."""

    metric: Word
    value: float
    time: Time | None = None


class ReadingData(msgspec.Struct, frozen=True):
    """Data of city.reading.v1 and city.reading-critical.v1. `history` marks an import of old data."""

    device: Word
    readings: Annotated[list[Reading], msgspec.Meta(min_length=1, max_length=1000)]
    source_time: str | None = None
    history: bool = False
    missing: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


class Point(msgspec.Struct, frozen=True):
    """A place; degrees in `crs`, which is one of gis.crs.KNOWN."""

    lon: float
    lat: float
    crs: str = "EPSG:4326"


class Reporter(msgspec.Struct, frozen=True):
    """Who reports; masked by role wherever shown."""

    name: str = ""
    phone: str = ""


Level = Annotated[int, msgspec.Meta(ge=1, le=4)]


class VideoAlarmData(msgspec.Struct, frozen=True):
    """Data of city.video-alarm.v1. `algorithm`: what judged the picture, as its maker names it (`hikvision:group`)."""

    camera: Word
    kind: Word
    level: Level | None = None
    confidence: float | None = None
    text: str = ""
    picture_sha256: str = ""
    source_time: str | None = None
    algorithm: Annotated[str, msgspec.Meta(max_length=200)] = ""


class GridReportData(msgspec.Struct, frozen=True):
    """Data of city.grid-report.v1: a report of a grid worker, a hotline ticket, a citizen."""

    channel: str
    text: str
    class_: str = msgspec.field(default="", name="class")
    title: str = ""
    point: Point | None = None
    address: str = ""
    reporter: Reporter | None = None
    level: Level | None = None
    photos: Annotated[list[PhotoName], msgspec.Meta(max_length=50)] = []
    source_time: str | None = None
    history: bool = False
    category: str = ""


class PositionData(msgspec.Struct, frozen=True):
    """Data of city.position.v1: where a worker is."""

    worker: Word
    point: Point
    accuracy_m: float | None = None
    speed_kmh: float | None = None


Sentence = Annotated[str, msgspec.Meta(max_length=2000)]


class EnforcementCaseData(msgspec.Struct, frozen=True):
    """Data of city.enforcement-case.v1: how a case of an enforcement platform stands at the envelope's time. `incident` (its
    number), or `source` and `message` (the report's own), name the event that caused it."""

    case: Word
    unit: Word
    stage: Word
    opened_at: Time
    title: Sentence = ""
    result: Sentence = ""
    closed_at: Time | None = None
    incident: Annotated[str, msgspec.Meta(max_length=200)] = ""
    source: Annotated[str, msgspec.Meta(max_length=200)] = ""
    message: Annotated[str, msgspec.Meta(max_length=200)] = ""


DATA_OF_TOPIC: dict[str, type[msgspec.Struct]] = {
    topics.READING: ReadingData,
    topics.READING_CRITICAL: ReadingData,
    topics.VIDEO_ALARM: VideoAlarmData,
    topics.GRID_REPORT: GridReportData,
    topics.POSITION: PositionData,
    topics.ENFORCEMENT_CASE: EnforcementCaseData,
}


Data = TypeVar("Data")


class Message(msgspec.Struct, Generic[Data], frozen=True):
    """CloudEvents 1.0 context attributes with typed `data`; `(source, id)` is the duplicate key."""

    id: Word
    source: Word
    specversion: str
    type: str
    time: Time
    data: Data
    subject: str = ""
    correlationid: str = ""
    datacontenttype: Annotated[str, msgspec.Meta(min_length=1)] = "application/json"
    data_base64: None = None
    """Never: our data are JSON."""


class Bad(Exception):
    """A message that cannot be taken. `reason` is a stable word for counting; the rest names what is wrong."""

    def __init__(self, reason: str, *, field: str = "", found: object = "", rule: str = "") -> None:
        self.reason = reason
        self.field = field
        self.found = str(found)[:200].replace("\x00", "\\u0000")  # the store's texts cannot hold it
        self.rule = rule
        super().__init__(f"{field or 'message'}={self.found!r}: {rule or reason}")


_ENVELOPE = msgspec.json.Decoder(Message[msgspec.Raw])
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    topic: msgspec.json.Decoder(Message[kind])  # type: ignore[valid-type]
    for topic, kind in DATA_OF_TOPIC.items()
}


def _field_of(error: msgspec.ValidationError) -> str:
    text = str(error)
    return text.rsplit("`$", 1)[1].rstrip("`").lstrip(".") if "`$" in text else ""


def decode(topic: str, value: bytes, max_bytes: int) -> Message[Any]:
    """Decode one message of `topic`; its `data` is of DATA_OF_TOPIC[topic].

    Raises Bad with reason too_large, malformed (not JSON), envelope (a context attribute), bad_time,
    unknown_version (another type or version than the topic's), invalid (a field of data).
    """
    if len(value) > max_bytes:
        raise Bad("too_large", found=f"{len(value)} bytes", rule=f"at most {max_bytes} bytes")
    try:
        try:
            message: Message[Any] = _DECODERS[topic].decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _explain(topic, value, error) from None
        if b"\\u0000" in value:
            _refuse_nul(msgspec.json.decode(value), "")
    except RecursionError:
        # A few thousand brackets: one such message would stop ingest for ever.
        raise Bad("malformed", rule="must be JSON of fewer levels", found=value[:60]) from None
    if message.specversion != "1.0":
        raise Bad("envelope", field="specversion", found=message.specversion, rule="must be '1.0'")
    if message.type != topic:
        raise Bad("unknown_version", field="type", found=message.type, rule=f"must be {topic!r} here")
    return message


def _refuse_nul(part: Any, path: str) -> None:
    """U+0000 is legal in JSON and nowhere in PostgreSQL: one such message would stop ingest for ever."""
    if isinstance(part, str) and "\x00" in part:
        raise Bad(
            "invalid", field=path, found=part.replace("\x00", "\\u0000"), rule="must not contain U+0000"
        )
    if isinstance(part, dict):
        for name, inner in part.items():
            _refuse_nul(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            _refuse_nul(inner, f"{path}[{number}]")


def _explain(topic: str, value: bytes, error: Exception) -> Bad:
    """The slow road of a bad message: find out what is wrong in the order a person would ask."""
    if not isinstance(error, msgspec.ValidationError):
        return Bad("malformed", rule=f"must be JSON: {error}", found=value[:60])
    try:
        envelope = _ENVELOPE.decode(value)
    except msgspec.ValidationError as outer:
        name = _field_of(outer)
        return Bad("bad_time" if name == "time" else "envelope", field=name, rule=str(outer))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        # The first wrong field stopped the decoder before it came to what is no JSON.
        return Bad("malformed", rule=f"must be JSON: {broken}", found=value[:60])
    if envelope.type != topic:
        return Bad("unknown_version", field="type", found=envelope.type, rule=f"must be {topic!r} here")
    if (set_aside := _mapping_error(envelope.data)) is not None:
        return set_aside
    name = _field_of(error)
    found: object = ""
    try:
        found = _found(msgspec.json.decode(envelope.data), name.removeprefix("data").lstrip("."))
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, RecursionError):
        found = ""
    reason = "bad_time" if name.endswith(("time", "_at")) and "source_time" not in name else "invalid"
    return Bad(reason, field=name, found=found, rule=str(error).split(" - at", maxsplit=1)[0])


class _MappingError(msgspec.Struct, frozen=True):
    field: str
    found: str
    rule: str


class _SetAside(msgspec.Struct, frozen=True):
    """Data of a record that its feed's mapping could not turn into a message (`streams/feeds/mapping.py`)."""

    mapping_error: _MappingError


_SET_ASIDE = msgspec.json.Decoder(_SetAside)


def _mapping_error(data: msgspec.Raw) -> Bad | None:
    """Why a feed set this record aside, when it did."""
    try:
        error = _SET_ASIDE.decode(data).mapping_error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Bad("mapping", field=error.field, found=error.found, rule=error.rule)


def _found(data: Any, path: str) -> object:
    """The value at a path such as `point.lon`, for the message to the sender."""
    for part in path.split("."):
        if "[" in part or not part:
            return ""
        data = data[part]
    return data


def key_of(topic: str, message: Message[Any]) -> str:
    """The bus key that keeps order: device, camera, report id, worker or case."""
    data = message.data
    if topic in (topics.READING, topics.READING_CRITICAL):
        return str(data.device)
    if topic == topics.VIDEO_ALARM:
        return str(data.camera)
    if topic == topics.POSITION:
        return str(data.worker)
    if topic == topics.ENFORCEMENT_CASE:
        return str(data.case)
    return message.id


def finite(value: float) -> bool:
    """NaN and the infinities are no readings. (JSON cannot carry them and the decoder refuses 1e999 as `invalid`;
    this guards readings that come another way.)"""
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
