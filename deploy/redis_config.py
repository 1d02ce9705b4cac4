"""The two kinds of Redis server the product needs, as configuration text, and whether one really answers.

Nothing here needs Redis 7: the embedded server is 6.2.
"""

from __future__ import annotations

import socket
from pathlib import Path

_BUS_MEMORY = "1gb"
_LIVE_MEMORY = "512mb"


def redis_config(folder: Path, port: int, password: str, *, durable: bool) -> str:
    """Configuration of the bus (`durable`) or of the live state, on loopback, working in `folder`.

    Neither ever evicts: at its limit the bus refuses producers, who are told, and nothing is dropped silently.
    The password stands here, in a file only its owner reads, because a command line is visible to everybody.
    """
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        "protected-mode yes",
        f'requirepass "{password}"',
        f'dir "{folder}"',
        "daemonize no",
        'logfile ""',
        'save ""',
        "maxmemory-policy noeviction",
        f"maxmemory {_BUS_MEMORY if durable else _LIVE_MEMORY}",
        f"appendonly {'yes' if durable else 'no'}",
    ]
    if durable:
        lines += ["appendfsync always", "no-appendfsync-on-rewrite no", "aof-load-truncated yes"]
    return "\n".join(lines) + "\n"


def answers(port: int, password: str) -> bool:
    """Whether the server on that port takes our password and has finished loading its data."""
    if not port:
        return False
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            s.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            reply = s.makefile("rb")
            return reply.readline() == b"+OK\r\n" and reply.readline() == b"+PONG\r\n"
    except OSError:
        return False
