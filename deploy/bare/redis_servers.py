"""Debian's Redis: one server that never loses a write (bus) and one that keeps nothing (live state)."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path

from deploy.bare.install import Say, apt, find_program
from deploy.bare.parts import launch
from deploy.place import Place, write_private
from deploy.processes import Identity, working_in
from deploy.redis_config import answers, redis_config
from deploy.service import Launched


@dataclass(frozen=True, slots=True)
class RedisServer:
    """`durable`: append-only file, synced at every write. Else no persistence at all."""

    place: Place
    name: str
    durable: bool
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10), (signal.SIGKILL, 5))
    running: Launched = field(default_factory=Launched)

    def install(self, say: Say) -> None:
        apt({"redis-server": "redis-server"}, say)

    def processes(self) -> list[Identity]:
        # Debian's redis-server is a link to this program.
        folder = self.place.folder(self.name)
        return working_in(folder, "redis-check-rdb") or working_in(folder, "redis-server")

    def start(self) -> None:
        folder = self.place.folder(self.name)
        config = folder / "redis.conf"
        text = redis_config(
            folder, self.place.usable_port(self.name), self.place.password(self.name), durable=self.durable
        )
        write_private(config, text)
        launch(self.running, [find_program("redis-server"), str(config)], folder, self.log())

    def ready(self) -> bool:
        return answers(self.place.port(self.name), self.place.password(self.name))

    def log(self) -> Path:
        return self.place.log(self.name)

    def address(self) -> str:
        return f"redis://:{self.place.password(self.name)}@127.0.0.1:{self.place.port(self.name)}/0"
