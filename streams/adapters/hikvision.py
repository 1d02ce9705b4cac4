"""Hikvision ISAPI `EventNotificationAlert` (XML of the alert stream or of HTTP listening; two namespaces occur).

An inactive event is a keep-alive (cameras send `videoloss` inactive every few seconds) or the end of one. The channel
is `channelID`, on recorders `dynChannelID`. Some firmware leaves out time and state: then it is now, and active.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from streams.adapters import xml
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
)
from streams.envelope import Bad

ROOT: Final = "EventNotificationAlert"
_OPENING: Final = re.compile(rb"<EventNotificationAlert\b")
_CLOSING: Final = b"</EventNotificationAlert>"
MAX_MULTIPART: Final = 8 * 1024 * 1024
"""Bytes of a body with its snapshot; the alert in it has the limit of every alarm. The HTTP door lets as much in."""

STATES: Final = ("active", "inactive")


def alerts(body: bytes) -> Iterator[bytes]:
    """The alerts of a multipart body of `/ISAPI/Event/notification/alertStream`, pictures and headers left out."""
    at = 0
    # One way through: a pattern over both would search 8 MB anew from every opening that nothing closes.
    while (opening := _OPENING.search(body, at)) and (end := body.find(_CLOSING, opening.end())) >= 0:
        at = end + len(_CLOSING)
        yield body[opening.start() : at]


def adapt(payload: bytes, source: Source, received: datetime) -> Adapted:
    """An alert as an alarm of its event type; one part of a multipart body may still have its boundary and headers."""
    if payload[:64].lstrip().startswith(b"--"):
        check_size(payload, MAX_MULTIPART)
        parts = list(alerts(payload))
        if len(parts) != 1:
            raise Bad(
                "malformed",
                found=f"{len(parts)} alerts",
                rule="must be one alert; `alerts` takes a body apart",
            )
        payload = parts[0]
    root = xml.read(payload)  # checks the alert's own size
    if root.name != ROOT:
        raise Bad("invalid", field="root", found=root.name, rule=f"must be {ROOT}")
    type_ = _once(root, "eventType")
    if not type_:
        raise Bad("invalid", field="eventType", found="", rule="must be given")
    state = _once(root, "eventState").lower() or "active"
    if state not in STATES:
        raise Bad("invalid", field="eventState", found=state, rule=f"must be one of {', '.join(STATES)}")
    kind = kind_of(source, type_, "eventType")
    if kind == QUIET_KIND or state == "inactive":
        return Quiet("heartbeat" if kind == QUIET_KIND else f"{type_} inactive")
    channel = _once(root, "channelID") or _once(root, "dynChannelID")
    if not channel:
        raise Bad("invalid", field="channelID", found="", rule="channelID or dynChannelID must be given")
    text = _once(root, "dateTime")
    time = moment(text, source.zone, "dateTime") if text else received
    count = _once(root, "activePostCount")
    return Alarm(
        id=identity(
            "hikvision", _once(root, "macAddress"), channel, type_, text or received.isoformat(), count
        ),
        camera=camera_of(source, channel, "channelID"),
        kind=kind,
        algorithm=f"hikvision:{type_}",
        time=time,
        text=_words(root, type_)[:500],
        source_time=text,
        noted=() if text else ("dateTime: must be given",),
    )


def _once(root: xml.Node, name: str) -> str:
    found = root.all(name)
    if len(found) > 1:
        raise Bad("invalid", field=name, found=f"{len(found)} times", rule="at most once")
    if found and found[0].children:
        raise Bad("invalid", field=name, found=found[0].children[0].name, rule="must be plain text")
    return found[0].text if found else ""


def _words(root: xml.Node, type_: str) -> str:
    words = [_once(root, "eventDescription") or type_]
    for regions in root.all("DetectionRegionList"):
        for region in regions.all("DetectionRegionEntry"):
            words += [region.value(name) for name in ("regionID", "detectionTarget") if region.value(name)]
    return " ".join(words)
