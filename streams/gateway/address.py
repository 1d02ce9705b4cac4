"""Where the broker of the gateway is: `mqtt://user:password@host:port` or `mqtts://…` (TLS)."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """A broker and the gateway's own account there."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: bool


def parse_address(url: str) -> Address:
    """Raises ValueError, without repeating the password."""
    rule = "must be mqtt://user:password@host:port or mqtts://user:password@host:port"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(rule) from None
    if (
        parts.scheme not in ("mqtt", "mqtts")
        or not parts.hostname
        or not parts.username
        or not parts.password
    ):
        raise ValueError(rule)
    tls = parts.scheme == "mqtts"
    return Address(
        parts.hostname, port or (8883 if tls else 1883), unquote(parts.username), unquote(parts.password), tls
    )
