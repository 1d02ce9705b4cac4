"""The folder of one set of services: ports, passwords and data, remembered between runs."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.processes import free_ports, port_is_free


@dataclass(slots=True)
class _State:
    ports: dict[str, int] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """`root` holds one sub-folder per service, `log/`, and `state.json` (0600) with ports and passwords."""

    root: Path

    def folder(self, name: str) -> Path:
        """The service's own folder, made when missing."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        """The service's log file."""
        return self.folder("log") / f"{name}.log"

    def password(self, name: str) -> str:
        """The service's password, made on first use."""
        state = self._read()
        if name not in state.passwords:
            state.passwords[name] = secrets.token_hex(24)
            self._write(state)
        return state.passwords[name]

    def port(self, name: str) -> int:
        """The remembered port, or 0 when none was chosen yet."""
        return self._read().ports.get(name, 0)

    def usable_port(self, name: str) -> int:
        """The remembered port when it is still free, else another free one, remembered from now on.

        Ask only while the service is down.
        """
        state = self._read()
        port = state.ports.get(name, 0)
        taken = {p for n, p in state.ports.items() if n != name}
        while not port or port in taken or not port_is_free(port):
            port = free_ports(1)[0]
        if state.ports.get(name) != port:
            state.ports[name] = port
            self._write(state)
        return port

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the place's lock, so that two `up` or `down` never work on it at once."""
        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> _State:
        try:
            state = json.loads((self.root / "state.json").read_text())
        except FileNotFoundError:
            return _State()
        return _State(dict(state["ports"]), dict(state["passwords"]))

    def _write(self, state: _State) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        write_private(self.root / "state.json", json.dumps(asdict(state), indent=1))


def write_private(path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """Write a file that only its owner reads, whole or not at all; `owner` = (user id, group id)."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "w") as f:
        if owner is not None:
            os.fchown(handle, *owner)
        f.write(text)
    os.replace(fresh, path)
