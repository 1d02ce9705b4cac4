"""Which addresses feeds may be fetched from; each spelling of an address that leads inside is known."""

from __future__ import annotations

import ipaddress

import pytest

from streams.feeds.addresses import AddressPolicy, range_of
from streams.feeds.http_pull import HttpConfig, HttpSecrets, HttpSource
from streams.feeds.port import SourceAway, SourceFault
from tests.contracts.feed_line import HttpServer

PRIVATE = ipaddress.IPv4Address((10 << 24) + 7)


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("127.0.0.1", "loopback"),
        ("127.1.2.3", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("169.254.169.254", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("100.100.100.200", "link-local"),
        ("fd00:ec2::254", "link-local"),
        (str(PRIVATE), "private"),
        (f"::ffff:{PRIVATE}", "private"),
        ("fd12::1", "private"),
        ("100.64.0.1", "private"),
        ("8.8.8.8", "public"),
        ("2606:4700::1", "public"),
        ("0.0.0.0", ""),
        ("::", ""),
        ("224.0.0.1", ""),
        ("ff02::1", ""),
        ("255.255.255.255", ""),
    ],
)
def test_ranges(address: str, where: str) -> None:
    assert range_of(ipaddress.ip_address(address)) == where


def test_the_policy_says_what_it_refuses() -> None:
    policy = AddressPolicy.parse("public, private")
    assert policy.addresses(str(PRIVATE), 80) == [str(PRIVATE)]
    for host in ("127.0.0.1", "localhost", "169.254.169.254", "0", "2130706433", "0x7f.1"):
        with pytest.raises((SourceFault, SourceAway)):
            policy.addresses(host, 80)
    with pytest.raises(
        SourceFault, match=r"loopback addresses are not allowed for feeds \(CHENGYUN_FEED_ADDRESSES\)"
    ):
        policy.addresses("localhost", 80)
    with pytest.raises(ValueError, match="'intranet': must be of public, private"):
        AddressPolicy.parse("public,intranet")
    with pytest.raises(SourceAway, match="no such host"):
        policy.addresses("nowhere.invalid", 80)


def test_a_pull_of_a_refused_address_opens_no_connection() -> None:
    server = HttpServer(lambda path, headers: (200, {}, b"[]"))
    server.start()
    try:
        allowed = AddressPolicy(frozenset({"loopback"}))
        for policy, taken in ((AddressPolicy(), False), (allowed, True)):
            source = HttpSource(HttpConfig(url=f"{server.url}/x"), HttpSecrets(), policy)
            if taken:
                assert source.read({}, 1).records == []
            else:
                with pytest.raises(SourceFault, match="loopback"):
                    source.read({}, 1)
            source.close()
            assert bool(server.asked) == taken
        redirect = HttpServer(lambda path, headers: (302, {"Location": f"{server.url}/secret"}, b""))
        redirect.start()
        source = HttpSource(HttpConfig(url=redirect.url), HttpSecrets(), allowed)
        with pytest.raises(SourceFault, match="give that address instead"):
            source.read({}, 1)
        source.close()
        redirect.stop()
        assert server.asked == ["/x"]
    finally:
        server.stop()
