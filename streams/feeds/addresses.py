"""Which addresses an adapter may open a connection to: the guard against being sent inside (SSRF).

A closed government network is made of private addresses, so those are allowed unless the setting says otherwise;
this machine itself and link-local addresses (cloud metadata) are refused unless it allows them.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from streams.feeds.port import SourceAway, SourceFault

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

RANGES: Final = ("public", "private", "loopback", "link-local")
_SHARED: Final = ipaddress.ip_network("100.64.0.0/10")
_METADATA: Final = (ipaddress.ip_address("100.100.100.200"), ipaddress.ip_address("fd00:ec2::254"))
"""Metadata services of clouds that lie outside of the link-local range."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def range_of(address: Address) -> str:
    """One of RANGES, or '' for what is no address of a machine (multicast, unspecified, reserved)."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return range_of(inner)
    if address.is_unspecified or address.is_multicast:
        return ""
    if address.is_loopback:
        return "loopback"
    if address.is_link_local or address in _METADATA:
        return "link-local"
    if address.is_reserved:
        return ""
    if address.is_private or (address.version == 4 and address in _SHARED):
        return "private"
    return "public"


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The ranges that are allowed; made by `parse`."""

    allowed: frozenset[str] = frozenset({"public", "private"})

    @staticmethod
    def parse(text: str) -> AddressPolicy:
        """A comma list of RANGES. Raises ValueError naming the word that is none."""
        words = [w.strip() for w in text.split(",") if w.strip()]
        for word in words:
            if word not in RANGES:
                raise ValueError(f"{word!r}: must be of {', '.join(RANGES)}")
        return AddressPolicy(frozenset(words))

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, all of them allowed: connect to these, not to the name, which may change.

        Raises SourceAway when the name is not found, SourceFault when an address is refused.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SourceAway(f"{host}: no such host: {error}") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for text in addresses:
            where = range_of(ipaddress.ip_address(text.partition("%")[0]))
            if where not in self.allowed:
                raise SourceFault(
                    f"{host}={text!r}: {where or 'no machine'} addresses are not allowed for feeds"
                    " (CHENGYUN_FEED_ADDRESSES)"
                )
        return addresses

    def require(self, servers: Iterable[tuple[str, int]]) -> None:
        """Every one of these (host, port) is allowed. Raises SourceAway, SourceFault."""
        for host, port in servers:
            self.addresses(host, port)
