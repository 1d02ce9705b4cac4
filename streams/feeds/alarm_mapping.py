"""The mapping of feeds whose records are alarms in the words of a video system: its adapter makes the message.

    {"alarm": "frigate"}                                   the record is the alarm
    {"alarm": "frigate", "payload": "payload"}             JMESPath to the alarm in the record (of MQTT: its payload)
    {"alarm": "gb28181", "edition": "2022", "payload": "xml"}

So Frigate's own topic is a feed of the kind `mqtt`, and a platform that lets alarms be fetched one of the kind `http` or
`kafka`. A payload that is text goes to the adapter as it is, anything else as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeGuard, cast

import msgspec

from incidents.gb28181 import EDITIONS, Edition
from streams import topics
from streams.adapters.alarm import Quiet, Source, identity, message
from streams.adapters.table import ADAPTERS
from streams.envelope import Bad, decode, key_of
from streams.feeds.mapping import BadMapping, BadRecord, Fault, Mapped, expression
from streams.feeds.port import RawRecord


@dataclass(frozen=True, slots=True)
class Alarms:
    """What an alarm mapping needs to know. `source_of`: (feed, system, edition) → the source as the city has set it up;
    `received`: now, for records of which the transport does not say when they were made; without it such a record is bad."""

    source_of: Callable[[str, str, Edition], Source]
    received: Callable[[], datetime] | None = None


DEFAULT_EDITION: Final = "2016"
_FIELDS: Final = ("alarm", "edition", "payload")


@dataclass(frozen=True, slots=True)
class AlarmMapping:
    """A checked mapping, ready for records. Made by `alarm_mapping`."""

    system: str
    edition: Edition
    _payload: Callable[[Any], Any]
    _alarms: Alarms
    _source: Source | None = None

    @property
    def topics(self) -> frozenset[str]:
        """The topic of alarms."""
        return frozenset({topics.VIDEO_ALARM})

    @property
    def first_topic(self) -> str:
        """The topic of records of which no topic is known."""
        return topics.VIDEO_ALARM

    def ready(self, feed: str) -> AlarmMapping:
        """The mapping with the source as the city has set it up now: asked once for many records.

        Raises what the store raises when it is away.
        """
        return replace(self, _source=self._alarms.source_of(feed, self.system, self.edition))

    def messages(self, feed: str, record: RawRecord, max_bytes: int) -> list[Mapped | BadRecord]:
        """The alarm of a record, none of a quiet one (a heartbeat, an end), or what is wrong with it. Raises as `ready`,
        which it does itself where nobody has.

        An alarm of which the source does not say when it was is told from its repetition by the record's identity.
        """
        source = self._source or self._alarms.source_of(feed, self.system, self.edition)
        try:
            payload = self._bytes(record.body)
            found = ADAPTERS[self.system](payload, source, self._made(record))
            if isinstance(found, Quiet):
                return []
            if not found.source_time:
                found = replace(found, id=identity(self.system, feed, record.identity))
            value = message(source, found)
            key = key_of(topics.VIDEO_ALARM, decode(topics.VIDEO_ALARM, value, max_bytes))
        except BadRecord as bad:
            return [bad]
        except Bad as bad:
            return [BadRecord(bad.field or "payload", bad.found, f"{bad.reason}: {bad.rule}")]
        return [Mapped(topics.VIDEO_ALARM, key, found.id, value)]

    def _made(self, record: RawRecord) -> datetime:
        if record.time is not None:
            return record.time
        if self._alarms.received is None:
            raise BadRecord("time", None, "must be told by the transport")
        return self._alarms.received()

    def _bytes(self, body: Any) -> bytes:
        found = self._payload(body)
        if found is None:
            raise BadRecord("payload", body, "must be there")
        try:
            return found.encode() if isinstance(found, str) else msgspec.json.encode(found)
        except (TypeError, ValueError, RecursionError) as error:
            raise BadRecord("payload", found, f"must be text or JSON: {error}") from None


def is_alarm(spec: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a mapping is one of alarms."""
    return isinstance(spec, dict) and "alarm" in spec


def alarm_mapping(spec: Mapping[str, object], alarms: Alarms) -> AlarmMapping:
    """Check a mapping and make it ready. Raises BadMapping with all faults, each naming field, value and rule."""
    faults = [
        Fault(str(name), str(spec[name])[:200], f"must be one of {', '.join(_FIELDS)}")
        for name in sorted(spec.keys() - set(_FIELDS), key=str)
    ]
    system, edition = spec["alarm"], spec.get("edition", DEFAULT_EDITION)
    for name, value, known in (("alarm", system, tuple(ADAPTERS)), ("edition", edition, EDITIONS)):
        if value not in known:
            faults.append(Fault(name, str(value)[:200], f"must be one of {', '.join(known)}"))
    payload = expression("payload", spec.get("payload", "@"), faults)
    if faults:
        raise BadMapping(faults)
    return AlarmMapping(str(system), cast(Edition, edition), payload, alarms)
