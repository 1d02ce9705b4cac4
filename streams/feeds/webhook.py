"""Feeds that are sent to us: a POST with a token or a signature. Pure but for the clock that is handed in."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from streams.feeds.http_pull import check_path, records_in
from streams.feeds.port import (
    BadConfig,
    BadRaw,
    RawRecord,
    SourceFault,
    content_identity,
    decode_json,
)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class WebhookConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Configuration of the kind `webhook`.

    auth token: `header` holds the token (Authorization: with "Bearer " before it). auth hmac: `header` holds
    `prefix` and the HMAC of the body, hex; with `time_header` of "<its value>.<body>", and its value, epoch
    seconds, may be at most `tolerance_s` away from our clock.
    """

    auth: Literal["token", "hmac"] = "token"
    header: Name = "Authorization"
    prefix: Annotated[str, msgspec.Meta(max_length=50)] = ""
    algorithm: Literal["sha256", "sha512"] = "sha256"
    time_header: Annotated[str, msgspec.Meta(max_length=100)] = ""
    tolerance_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300.0
    id_header: Annotated[str, msgspec.Meta(max_length=100)] = ""
    records: Annotated[str, msgspec.Meta(max_length=500)] = ""


class WebhookSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`key`: the token, or the key of the signature."""

    key: str = ""


LEAST_KEY: Final = 16


def check(config: WebhookConfig, secrets: WebhookSecrets) -> None:
    """What a shape cannot say. Raises BadConfig."""
    if len(secrets.key) < LEAST_KEY:
        raise BadConfig("secrets.key", f"{len(secrets.key)} characters", f"at least {LEAST_KEY} characters")
    check_path("config.records", config.records)


class NotSigned(Exception):
    """The request does not show that it comes from the source; the text is for our log, not for the sender."""


def require_signed(
    config: WebhookConfig, secrets: WebhookSecrets, headers: Mapping[str, str], body: bytes, now: datetime
) -> None:
    """Raise NotSigned unless the request is the source's. `headers` by lower-case name."""
    given = headers.get(config.header.lower(), "")
    if config.auth == "token":
        if config.header.lower() == "authorization":
            scheme, _, given = given.partition(" ")
            given = given.strip() if scheme.lower() == "bearer" else ""
        if not hmac.compare_digest(given.encode(), secrets.key.encode()):
            raise NotSigned(f"{config.header}: not the token")
        return
    signed = body
    if config.time_header:
        moment = headers.get(config.time_header.lower(), "")
        if not moment.isascii() or not moment.isdecimal() or len(moment) > 12:
            raise NotSigned(f"{config.time_header}: not epoch seconds")
        if abs(int(moment) - now.timestamp()) > config.tolerance_s:
            raise NotSigned(f"{config.time_header}: more than {config.tolerance_s:g} s away from our clock")
        signed = moment.encode() + b"." + body
    wanted = config.prefix + hmac.new(secrets.key.encode(), signed, config.algorithm).hexdigest()
    if not hmac.compare_digest(given.encode().lower(), wanted.encode().lower()):
        raise NotSigned(f"{config.header}: not the signature")


def records_of(
    config: WebhookConfig, headers: Mapping[str, str], body: bytes, now: datetime
) -> Sequence[RawRecord | BadRaw]:
    """The records of a request. What cannot be read is one bad record: it was sent, so it is counted."""
    own = headers.get(config.id_header.lower(), "") if config.id_header else ""
    try:
        found = records_in(config.records, decode_json(body))
    except (ValueError, SourceFault) as error:
        shown = body[:60].decode("utf-8", "backslashreplace")
        return [BadRaw(own or hashlib.sha256(body).hexdigest()[:40], body, "body", shown, str(error))]
    return [
        RawRecord(f"{own}/{n}" if own else content_identity(one), one, now) for n, one in enumerate(found)
    ]
