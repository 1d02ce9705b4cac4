"""Events of Frigate (MQTT topic `frigate/events`, JSON): one tracked object, told as new, updated any number of times, ended.

All tellings of one object become the same message, byte for byte (its id, start and label never change; scores and
zones do and are left out): whichever comes first opens the alarm, the others are duplicates, and one that was missed
costs nothing. What Frigate itself holds for a false positive raises nothing until it says otherwise.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from streams.adapters.alarm import (
    Adapted,
    Alarm,
    Quiet,
    Source,
    camera_of,
    check_size,
    identity,
    kind_of,
    of_epoch,
)
from streams.envelope import Bad

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Tracked(msgspec.Struct, frozen=True):
    """The object, as it is after the event."""

    id: Word
    camera: Word
    label: Word
    start_time: float
    false_positive: bool | None = False


class Event(msgspec.Struct, frozen=True):
    """One message of `frigate/events`."""

    type: Literal["new", "update", "end"]
    after: Tracked


def adapt(payload: bytes, source: Source, received: datetime) -> Adapted:
    """An event as an alarm of the object's label."""
    check_size(payload)
    try:
        event = msgspec.json.decode(payload, type=Event)
    except msgspec.ValidationError as error:
        rule, _, field = str(error).partition(" - at `$.")
        raise Bad("invalid", field=field.rstrip("`"), rule=rule) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Bad("malformed", found=payload[:60], rule=f"must be JSON: {error}") from None
    tracked = event.after
    kind = kind_of(source, tracked.label, "after.label")
    camera = camera_of(source, tracked.camera, "after.camera")
    time = of_epoch(tracked.start_time, UTC, "after.start_time")
    if tracked.false_positive:
        return Quiet("false positive, says the source")
    return Alarm(
        id=identity("frigate", tracked.camera, tracked.id),
        camera=camera,
        kind=kind,
        algorithm=f"frigate:{tracked.label}",
        time=time,
        text=f"Frigate {tracked.label}",
        source_time=str(tracked.start_time),
    )
