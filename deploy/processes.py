"""Processes named so that a recycled process id is never mistaken for ours, and ports that are free.

Linux only (it reads /proc). Standard library only, so that it also runs before anything is installed.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process: its id and the moment it was born (clock ticks since boot), which no successor shares."""

    pid: int
    born: int


def identify(pid: int) -> Identity | None:
    """The identity of a living process; None when it is gone or only a zombie waiting to be reaped."""
    stat = _stat_fields(pid)
    if stat is None or stat[0] in ("Z", "X"):
        return None
    return Identity(pid, int(stat[19]))


def alive(who: Identity) -> bool:
    """Whether that very process, and not another with its number, still runs."""
    return identify(who.pid) == who


def all_pids() -> Iterator[int]:
    """The ids of all processes visible to us."""
    for name in os.listdir(_PROC):
        if name.isdigit():
            yield int(name)


def descendants(pid: int) -> list[Identity]:
    """Living children, grandchildren and so on of `pid`, parents before children."""
    children: dict[int, list[int]] = {}
    for other in all_pids():
        stat = _stat_fields(other)
        if stat is not None:
            children.setdefault(int(stat[1]), []).append(other)
    found: list[Identity] = []
    queue = list(children.get(pid, ()))
    while queue:
        child = queue.pop(0)
        who = identify(child)
        if who is not None:
            found.append(who)
        queue.extend(children.get(child, ()))
    return found


def working_in(folder: Path, program: str) -> list[Identity]:
    """Living processes of `program` (base name of the executable) whose working directory is `folder`.

    PostgreSQL and Redis both work inside their data folder, so this finds a server that an earlier, killed
    supervisor left behind, whatever its pid file says; folders are compared by device and inode, which also
    holds across chroot and mount namespaces. Eldest first.
    """
    try:
        there = os.stat(folder)
    except OSError:
        return []
    found: list[Identity] = []
    for pid in all_pids():
        try:
            if not os.path.samestat(os.stat(_PROC / str(pid) / "cwd"), there):
                continue
            exe = os.path.basename(os.readlink(_PROC / str(pid) / "exe")).removesuffix(" (deleted)")
        except OSError:
            continue
        who = identify(pid)
        if exe == program and who is not None:
            found.append(who)
    return sorted(found, key=lambda w: (w.born, w.pid))


def wait_gone(who: Iterable[Identity], seconds: float) -> list[Identity]:
    """Wait until all of them are gone, at most `seconds`; the ones that are still there."""
    deadline = time.monotonic() + seconds
    left = [w for w in who if alive(w)]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [w for w in left if alive(w)]
    return left


def put_down(who: Identity, signals: Iterable[tuple[signal.Signals, float]]) -> bool:
    """Send each signal in turn and wait its seconds; True as soon as the process is gone."""
    for number, seconds in signals:
        if not alive(who):
            return True
        try:
            os.kill(who.pid, number)
        except ProcessLookupError:
            return True
        if not wait_gone([who], seconds):
            return True
    return not alive(who)


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on that port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((host, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """`count` different free ports on 127.0.0.1, outside the range from which the kernel takes client ports.

    Inside that range a client that keeps trying a server that is down would one day be given the server's own
    port, be connected to itself, and the server could not come back.
    """
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    choice = range(20001, low) if low > 21000 else range(61000, 65000)
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(choice)
        if port not in found and port_is_free(port):
            found.append(port)
    return found


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat after the command name: [0] state, [1] parent, [19] birth in ticks."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()
