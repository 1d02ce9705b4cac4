"""Dahua: the event line of cameras (`Code=…;action=…;index=…[;data={…}]`), the same as JSON, and the numbered alarm types
of its city platforms (JSON with `alarmType`, `channelId`, `alarmTime`).

Event lines carry no time: it is when they came in, unless `data` says `UTC`. Action Stop ends an alarm already told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from streams.adapters.alarm import (
    QUIET_KIND,
    Adapted,
    Alarm,
    Quiet,
    Source,
    camera_of,
    check_size,
    identity,
    kind_of,
    moment,
    of_epoch,
)
from streams.envelope import Bad

_LINE: Final = re.compile(
    r"Code=(?P<code>[^;\s]{1,100});\s*action=(?P<action>[^;\s]{1,20});\s*index=(?P<index>[^;\s]{1,50})"
    r"(?:;\s*data=(?P<data>\{.*\}))?\s*", re.DOTALL,
)  # fmt: skip
HEARTBEAT: Final = "Heartbeat"
ACTIONS: Final = ("Start", "Pulse", "Stop")
_EARLIEST_MS: Final = 100_000_000_000
"""Above this a number of seconds would be of the year 5138: it is milliseconds."""
_LATEST_MS: Final = 253_402_300_800_000
"""The year 10000."""


def events(body: bytes) -> Iterator[bytes]:
    """The events of a multipart body of `eventManager.cgi?action=attach`, without its boundaries and headers."""
    for part in re.split(rb"(?:^|\r?\n)--[^\r\n]*", body):
        _, blank, rest = part.lstrip(b"\r\n").partition(b"\r\n\r\n")
        text = (rest if blank and b":" in part.partition(b"\r\n\r\n")[0] else part).strip()
        if text:
            yield text


def adapt(payload: bytes, source: Source, received: datetime) -> Adapted:
    """An event as an alarm of its code."""
    check_size(payload)
    text = payload.strip()
    if text.startswith(b"{"):
        fields = _json(text, "payload")
        return (
            _numbered(fields, source, received) if "alarmType" in fields else _event(fields, source, received)
        )
    try:
        line = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Bad("malformed", found=payload[:60], rule=f"must be UTF-8: {error}") from None
    if line == HEARTBEAT:
        return Quiet("heartbeat")
    found = _LINE.fullmatch(line)
    if found is None:
        raise Bad("malformed", found=line[:60], rule="must be Code=…;action=…;index=… or JSON")
    data = _json(found["data"].encode(), "data") if found["data"] else {}
    fields = {"Code": found["code"], "Action": found["action"], "Index": found["index"], "Data": data}
    return _event(fields, source, received)


def _json(text: bytes, field: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Bad("malformed", field=field, found=text[:60], rule=f"must be JSON: {error}") from None
    if not isinstance(found, dict):
        raise Bad("malformed", field=field, found=text[:60], rule="must be a JSON object")
    return found


def _word(fields: Mapping[str, Any], name: str) -> str:
    """A text or whole number; Bad when it is neither or absent."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or not 0 < len(str(value).strip()) <= 100:
        raise Bad("invalid", field=name, found=value, rule="must be a text or a whole number")
    return str(value).strip()


def _event(fields: Mapping[str, Any], source: Source, received: datetime) -> Adapted:
    code, action, index = (_word(fields, name) for name in ("Code", "Action", "Index"))
    if action not in ACTIONS:
        raise Bad("invalid", field="action", found=action, rule=f"must be one of {', '.join(ACTIONS)}")
    kind = kind_of(source, code, "Code")
    if kind == QUIET_KIND or action == "Stop":
        return Quiet(f"{code} {action}")
    data = fields.get("Data")
    if data is not None and not isinstance(data, dict):
        raise Bad("invalid", field="Data", found=data, rule="must be a JSON object")
    time, told = _time(data or {}, "UTC", source, received)
    return _alarm(code, kind, index, "Index", time, told, "", source)


def _numbered(fields: Mapping[str, Any], source: Source, received: datetime) -> Adapted:
    number, channel = _word(fields, "alarmType"), _word(fields, "channelId")
    kind = kind_of(source, number, "alarmType")
    if kind == QUIET_KIND:
        return Quiet(f"{number}")
    time, told = _time(fields, "alarmTime", source, received)
    words = fields.get("memo", "")
    if not isinstance(words, str):
        raise Bad("invalid", field="memo", found=words, rule="must be a text")
    return _alarm(number, kind, channel, "channelId", time, told, words, source)


def _time(fields: Mapping[str, Any], name: str, source: Source, received: datetime) -> tuple[datetime, str]:
    value = fields.get(name)
    if value is None:
        return received, ""
    if isinstance(value, str):
        return moment(value, source.zone, name), value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Bad("bad_time", field=name, found=value, rule="must be a time or a number")
    if abs(value) > _LATEST_MS:  # a whole number may be too long for a division
        raise Bad("bad_time", field=name, found=str(value)[:60], rule="must be seconds since 1970")
    return of_epoch(value / 1000 if value >= _EARLIEST_MS else value, UTC, name), str(value)


def _alarm(
    code: str, kind: str, channel: str, field: str, time: datetime, told: str, words: str, source: Source
) -> Alarm:
    return Alarm(
        id=identity("dahua", channel, code, told or time.isoformat()),
        camera=camera_of(source, channel, field),
        kind=kind,
        algorithm=f"dahua:{code}",
        time=time,
        text=f"{code} {words}".strip()[:500],
        source_time=told,
        noted=() if told else ("time: not said by the source",),
    )
