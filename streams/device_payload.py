"""What a device sends, made a message of the bus. The same for both doors: MQTT and HTTPS.

A payload is a JSON object: one reading `{"metric", "value", "time"}` or a batch `{"readings": [{…}, …], "time"}`,
each reading at its own `time` or else at the batch's. `seq` (a number) or `id` (a text) names the payload;
`missing` says how many readings the device had to drop.

What is sent again must become a duplicate, never a second reading. So everything in the message follows from the
payload: its id (device with id or seq, else with the payload's hash) and its time, which the device must say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from incidents.gateway import FEED, Sender
from incidents.ports import Header, Outgoing
from streams import topics
from streams.envelope import Bad, decode, encode

HEADERS: Final[tuple[Header, ...]] = (("feed", FEED.encode()),)

_DECODER: Final = msgspec.json.Decoder()
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LONGEST_ID: Final = 90
_LARGEST_SEQ: Final = 2**63 - 1
_TAKEN: Final = ("readings", "source_time", "history", "missing")
_KNOWN: Final = frozenset({*_TAKEN, "metric", "value", "time", "device", "seq", "id"})


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload that the bus may have. `name`: its own `seq` or `id`, None when it has neither."""

    outgoing: Outgoing
    name: int | str | None


def name_in(value: bytes) -> int | str | None:
    """The `seq` or `id` of a payload, as far as it can be read."""
    try:
        fields = _DECODER.decode(value)
    except _NOT_JSON:
        return None
    found = fields.get("seq", fields.get("id")) if isinstance(fields, dict) else None
    return found if isinstance(found, int | str) and not isinstance(found, bool) else None


def message_of(sender: Sender, value: bytes, max_bytes: int, correlation: str = "") -> Payload:
    """The message of one payload of `sender`. Raises Bad, its field named as the device wrote it."""
    payload, single = _made(sender, value, correlation)
    try:
        decode(payload.outgoing.topic, payload.outgoing.value, max_bytes)
    except Bad as bad:
        field = bad.field.removeprefix("data.")
        if field != bad.field and single:
            field = field.removeprefix("readings[0].")
        raise Bad(bad.reason, field=field, found=bad.found, rule=bad.rule) from None
    return payload


def letter_of(sender: Sender, value: bytes) -> Outgoing:
    """What the bus gets of a payload that is bad and cannot be given back: ingest will make a dead letter of it."""
    try:
        return _made(sender, value, "")[0].outgoing
    except Bad:
        return Outgoing(_topic(sender), sender.device, value, HEADERS)


def _topic(sender: Sender) -> str:
    return topics.READING_CRITICAL if sender.critical else topics.READING


def _made(sender: Sender, value: bytes, correlation: str) -> tuple[Payload, bool]:
    """The message, its data not looked at yet, and whether the payload is one reading. Raises Bad."""
    fields = _fields(value)
    name = _name(fields)
    device = fields.get("device", sender.device)
    if device != sender.device:
        rule = f"must be {sender.device!r}, whose credential this is (or be left out)"
        raise Bad("other_device", field="device", found=device, rule=rule)
    data: dict[str, Any] = {"device": sender.device} | {k: fields[k] for k in _TAKEN if k in fields}
    single = "metric" in fields or "value" in fields
    if single:
        if "readings" in data:
            raise Bad("invalid", field="metric", rule="a payload is one reading or has `readings`, not both")
        data["readings"] = [{k: fields[k] for k in ("metric", "value") if k in fields}]
    message = encode(
        id=_identity(sender.device, name, value),
        source=f"urn:device:{sender.device}",
        topic=_topic(sender),
        time=_time(fields, fields.get("readings")),
        subject=sender.device,
        data=data,
        correlation=correlation,
    )
    return Payload(Outgoing(_topic(sender), sender.device, message, HEADERS), name), single


def _fields(value: bytes) -> Mapping[str, Any]:
    try:
        fields = _DECODER.decode(value)
    except _NOT_JSON as error:
        raise Bad("malformed", found=value[:60], rule=f"must be JSON: {error}") from None
    if not isinstance(fields, dict):
        raise Bad(
            "invalid", found=value[:60], rule="must be an object: one reading, or `readings` and `time`"
        )
    for field in fields:
        if field not in _KNOWN:
            rule = f"no such field; there are {', '.join(sorted(_KNOWN))}"
            raise Bad("invalid", field=field[:60], found=fields[field], rule=rule)
    return fields


def _name(fields: Mapping[str, Any]) -> int | str | None:
    if "seq" in fields and "id" in fields:
        raise Bad("invalid", field="seq", found=fields["seq"], rule="`seq` or `id`, not both")
    if "seq" in fields:
        seq = fields["seq"]
        if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq <= _LARGEST_SEQ:
            raise Bad("invalid", field="seq", found=seq, rule=f"a whole number, 0 to {_LARGEST_SEQ}")
        return seq
    if "id" in fields:
        name = fields["id"]
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID:
            raise Bad("invalid", field="id", found=name, rule=f"a text of 1–{_LONGEST_ID} characters")
        return name
    return None


def _identity(device: str, name: int | str | None, value: bytes) -> str:
    if name is None:
        return f"{device}:{hashlib.sha256(value).hexdigest()[:32]}"
    return f"{device}#{name}" if isinstance(name, int) else f"{device}/{name}"


def _time(fields: Mapping[str, Any], readings: Any) -> Any:
    """The time of the message. Raises Bad when some reading has none: ours would change with every resend."""
    if "time" in fields:
        return fields["time"]
    rule = "must say when it was measured: a reading sent again could not be told from a new one"
    if "readings" not in fields:
        raise Bad("bad_time", field="time", rule=rule)
    times = [r.get("time") if isinstance(r, dict) else None for r in readings or ()] or [None]
    for number, time in enumerate(times):
        if time is None:
            field = f"readings[{number}].time" if isinstance(readings, list) and readings else "time"
            raise Bad("bad_time", field=field, rule=rule)
    return times[0]
