"""Opens the bus that an address names. The transports are imported only when they are asked for."""

from __future__ import annotations

from urllib.parse import urlsplit

from incidents.ports import Bus


def open_bus(url: str, partitions: int = 4) -> Bus:
    """The transport behind `url`: `redis://…`, `rediss://…`, `unix://…` (Redis Streams) or `kafka://h:p,h:p`.

    `partitions` is the number given to a topic that does not exist yet when it is first written or read.
    Opens no connection. Raises ValueError, without repeating a password, when the address cannot be used.
    """
    if partitions < 1:
        raise ValueError(f"partitions={partitions}: must be at least 1")
    scheme, separator, rest = url.partition("://")
    if not separator or not rest:
        raise ValueError("bus address: expected redis://host:port/0 or kafka://host:port,host:port")
    if scheme in ("redis", "rediss", "unix"):
        from streams.redis_streams.bus import RedisStreamsBus

        return RedisStreamsBus(url, partitions)
    if scheme == "kafka":
        from streams.kafka.bus import KafkaBus

        servers = urlsplit(url)
        if servers.path not in ("", "/") or "@" in rest:
            raise ValueError("bus address: kafka:// takes only host:port,host:port")
        return KafkaBus(servers.netloc, partitions)
    raise ValueError(f"bus address: scheme {scheme!r} is not known; use redis:// or kafka://")
