"""CloudEvents 1.0 in its JSON format, checked in full: names, types and combinations of all context attributes.

`streams/envelope.py` reads the attributes the product uses and lets all others through, which is right on the hot path:
what is on the bus was accepted once. This is the door's check, where a sender can still be told.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

import msgspec

from streams.envelope import Bad, Time

REQUIRED: Final = ("id", "source", "specversion", "type")
_NAME: Final = re.compile(r"[a-z0-9]+")
_MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+*-]+\s*(;.*)?", re.ASCII | re.DOTALL)
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_URI_REFERENCE: Final = re.compile(r"[^\s<>\"{}|\\^`]+")
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII
)
"""The decoder is more generous: it takes a blank for T and an offset without its colon."""
_INT32: Final = range(-(2**31), 2**31)


def check(value: bytes) -> dict[str, Any]:
    """The event as a JSON object. Raises Bad(malformed | envelope | bad_time) with field, value and rule."""
    try:
        event = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Bad("malformed", rule=f"must be JSON: {error}", found=value[:60]) from None
    if not isinstance(event, dict):
        raise Bad("malformed", rule="must be a JSON object", found=value[:60])
    present = {name: found for name, found in event.items() if found is not None}
    for name in REQUIRED:
        if name not in present:
            raise Bad("envelope", field=name, rule="must be given")
    for name, found in present.items():
        if name == "data":
            continue
        if not _NAME.fullmatch(name) and name != "data_base64":
            raise Bad("envelope", field=name, found=found, rule="names are lower-case letters and digits")
        _check(name, found)
    if "data" in present and "data_base64" in present:
        raise Bad("envelope", field="data_base64", rule="data or data_base64, not both")
    return event


def _check(name: str, found: object) -> None:
    match name:
        case "id" | "type" | "subject":
            _text(name, found)
        case "source":
            _text(name, found, _URI_REFERENCE, "must be a URI reference")
        case "specversion":
            if found != "1.0":
                raise Bad("envelope", field=name, found=found, rule="must be '1.0'")
        case "datacontenttype":
            _text(name, found, _MEDIA_TYPE, "must be a media type")
        case "dataschema":
            _text(name, found, _URI, "must be a URI")
        case "time":
            text = _text(name, found)
            if not _TIME.fullmatch(text):
                raise Bad(
                    "bad_time",
                    field=name,
                    found=text,
                    rule="must be like 2026-11-21T16:00:00+08:00 (RFC 3339)",
                )
            try:
                msgspec.convert(text, Time)
            except msgspec.ValidationError as error:
                raise Bad("bad_time", field=name, found=found, rule=str(error)) from None
        case "data_base64":
            try:
                base64.b64decode(_text(name, found, empty=True), validate=True)
            except (binascii.Error, ValueError) as error:
                raise Bad("envelope", field=name, found=found, rule=f"must be base64: {error}") from None
        case _:
            _extension(name, found)


def _text(
    name: str, found: object, shape: re.Pattern[str] | None = None, rule: str = "", empty: bool = False
) -> str:
    if not isinstance(found, str) or not (found or empty):
        raise Bad("envelope", field=name, found=found, rule="must be a text that is not empty")
    if shape is not None and not shape.fullmatch(found):
        raise Bad("envelope", field=name, found=found, rule=rule)
    return found


def _extension(name: str, found: object) -> None:
    whole = isinstance(found, int) and (isinstance(found, bool) or found in _INT32)
    if not whole and not isinstance(found, str):
        raise Bad(
            "envelope", field=name, found=found, rule="must be a text, a boolean or an integer of 32 bits"
        )
