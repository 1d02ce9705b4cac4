"""TimescaleDB (Debian's Apache edition) on PostgreSQL 17 in a root file system of its own.

The server runs inside a private mount namespace (`unshare --mount`): the mounts it needs vanish with it, so
nothing has to be unmounted, not even after `kill -9`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from deploy.bare.install import Say, apt, timescale_root
from deploy.bare.parts import launch
from deploy.place import Place
from deploy.processes import Identity, working_in
from deploy.refusal import Refusal
from deploy.service import Launched

_BIN = "/usr/lib/postgresql/17/bin"
# $1 root file system, $2 host folder seen inside as /srv, $3 uid:gid, then the command.
_INSIDE = """
root=$1 host=$2 who=$3; shift 3
mount --bind "$host" "$root/srv" && mount -t proc proc "$root/proc" &&
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" && cd / && exec chroot --userspec="$who" "$root" "$@"
"""
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "4",
    "max_worker_processes": "16",
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "shared_buffers": "512MB",
    "effective_cache_size": "2GB",
    "max_wal_size": "4GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "fsync": "on",
}


@dataclass(frozen=True, slots=True)
class Timescale:
    """Data in `timescale/data`; superuser and database are both called `chengyun`."""

    place: Place
    name: str = "timescale"
    stop_signals: tuple[tuple[signal.Signals, float], ...] = (
        (signal.SIGINT, 20),
        (signal.SIGQUIT, 5),
        (signal.SIGKILL, 5),
    )
    running: Launched = field(default_factory=Launched)

    def install(self, say: Say) -> None:
        apt({"debootstrap": "debootstrap", "unshare": "util-linux"}, say)
        timescale_root(say)

    def processes(self) -> list[Identity]:
        return working_in(self._data, "postgres")

    def start(self) -> None:
        root = timescale_root()
        if not self._data.exists():
            self._create(root)
        # Nobody works in the folder (`start` is only for a service that is down), so a pid file there is stale.
        # PostgreSQL cannot tell: a killed server that nobody has reaped yet still counts as running for it.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        port = self.place.usable_port(self.name)
        options = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
        launch(
            self.running,
            self._inside(root, [f"{_BIN}/postgres", "-D", "/srv/data", "-p", str(port), *options]),
            self.place.root,
            self.log(),
        )

    def ready(self) -> bool:
        return self._sql("SELECT 1") == "1"

    def log(self) -> Path:
        return self.place.log(self.name)

    def address(self) -> str:
        return f"postgresql://chengyun:{self.place.password(self.name)}@127.0.0.1:{self.place.port(self.name)}/chengyun"

    @property
    def _data(self) -> Path:
        return self.place.folder(self.name) / "data"

    def _inside(self, root: Path, command: list[str]) -> list[str]:
        who = ":".join(map(str, _account(root)))
        host = str(self.place.folder(self.name))
        return ["unshare", "--mount", "sh", "-c", _INSIDE, "sh", str(root), host, who, *command]

    def _create(self, root: Path) -> None:
        """Make the cluster under another name and rename it last, so a half-made one never counts."""
        folder = self.place.folder(self.name)
        fresh = folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        uid, gid = _account(root)
        os.chown(folder, uid, gid)
        folder.chmod(0o700)
        secret = folder / "password"
        secret.touch(0o600)
        os.chown(secret, uid, gid)
        secret.write_text(self.place.password(self.name) + "\n")
        try:
            self._once(
                root,
                [f"{_BIN}/initdb", "-D", "/srv/data.new", "-U", "chengyun", "--pwfile=/srv/password",
                 "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
                 "--builtin-locale=C.UTF-8"],
            )  # fmt: skip
        finally:
            secret.unlink()
        self._once(
            root,
            [f"{_BIN}/postgres", "--single", "-D", "/srv/data.new", "postgres"],
            "CREATE DATABASE chengyun\n",
        )
        fresh.rename(self._data)

    def _once(self, root: Path, command: list[str], text: str = "") -> None:
        done = subprocess.run(
            self._inside(root, command), input=text, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Refusal(
                "TimescaleDB 数据目录初始化失败",
                "TimescaleDB: initialisation failed: " + (done.stdout + done.stderr)[-800:],
            )

    def _sql(self, text: str) -> str:
        """The answer of one statement through the network, or an empty text."""
        if not self.place.port(self.name):
            return ""
        done = subprocess.run(
            ["chroot", str(timescale_root()), "/usr/bin/psql", "-qAtX", "-h", "127.0.0.1", "-p",
             str(self.place.port(self.name)), "-U", "chengyun", "-d", "chengyun", "-c", text],
            env={"PGPASSWORD": self.place.password(self.name), "PGCONNECT_TIMEOUT": "3", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        return done.stdout.strip()


def _account(root: Path) -> tuple[int, int]:
    """User and group id of `postgres` inside the root file system."""
    for line in (root / "etc" / "passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == "postgres":
            return int(fields[2]), int(fields[3])
    raise Refusal(f"{root} 中没有 postgres 用户", f"no postgres account in {root}")
