"""The folder of one set of services: ports, passwords and data, remembered between runs."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.processes import free_ports, port_is_free


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
        made: str = state["passwords"].get(name, "")
        if not made:
            made = state["passwords"][name] = secrets.token_hex(24)
            self._write(state)
        return made

    def port(self, name: str) -> int:
        """The remembered port, or 0 when none was chosen yet."""
        return int(self._read()["ports"].get(name, 0))

    def usable_port(self, name: str) -> int:
        """The remembered port when it is still free, else another free one, remembered from now on.

        Ask only while the service is down.
        """
        state = self._read()
        port = int(state["ports"].get(name, 0))
        taken = {int(p) for n, p in state["ports"].items() if n != name}
        while not port or port in taken or not port_is_free(port):
            port = free_ports(1)[0]
        if state["ports"].get(name) != port:
            state["ports"][name] = port
            self._write(state)
        return port

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the place's lock, so that two `up` or `down` never work on it at once."""
        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> dict[str, dict[str, str | int]]:  # type: ignore[type-arg,unused-ignore]
        try:
            return json.loads((self.root / "state.json").read_text())  # type: ignore[no-any-return]
        except FileNotFoundError:
            return {"ports": {}, "passwords": {}}

    def _write(self, state: dict[str, dict[str, str | int]]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        fresh = self.root / "state.json.new"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w") as f:
            json.dump(state, f, indent=1)
        os.replace(fresh, self.root / "state.json")
