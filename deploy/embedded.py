"""Embedded PostgreSQL and two Redis servers for `make run`, tests and benches: no root, no installation.

    with hold(var) as held:              # or: embedded = start(var) ... embedded.stop()
        embedded = start(var, held)

Everything lives below `var`: ports and passwords in `embedded/state.json` (0600), logs in `log/`, data in
`embedded/`, or, when root runs a checkout that its unprivileged server user cannot enter, in a folder of its
own below /var/lib/chengyun whose path `embedded/home` remembers. Data are kept between starts. The servers end
with the process that started them, even when that is killed.

Start it from the main thread: the kernel ties the servers to the thread that started them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

from deploy.account import Account, server_account
from deploy.embedded_servers import EmbeddedPostgres, EmbeddedRedis, Surroundings
from deploy.place import Place
from deploy.refusal import Refusal, from_os_error
from deploy.service import pids, stop, wait_ready

_NEEDED_MB = 400
_PATIENCE_S = 60.0
# Used only by root, and only when `var` itself is out of the server user's reach.
_ELSEWHERE = Path("/var/lib/chengyun")
Server = EmbeddedPostgres | EmbeddedRedis


class Held:
    """The right to run servers in one `var`: a lock that the kernel drops when its holder ends."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def note(self, text: str) -> None:
        """Leave a word for whoever asks while we run (the address)."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"{os.getpid()}\n{text}\n")
        self._file.flush()

    def release(self) -> None:
        """Give the right back."""
        self._file.close()

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def hold(var: Path) -> Held:
    """Take the right to run servers in `var`; refuses when another process has it, naming that process."""
    try:
        folder = _folder(var)
        file = open(folder / "lock", "a+", encoding="utf-8")  # noqa: SIM115 - kept open while we run
    except OSError as error:
        raise from_os_error(error, var) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        pid, _, note = (file.read().strip() or "?").partition("\n")
        file.close()
        raise Refusal(
            f"已经在运行（进程 {pid}{'，' + note if note else ''}）",
            f"already running (process {pid}{', ' + note if note else ''})",
        ) from None
    held = Held(file)
    held.note("")
    return held


def holder(var: Path) -> int:
    """Process id of whoever runs servers in `var`; 0 when nobody does."""
    try:
        with open(var / "embedded" / "lock", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.readline() or 0)
    except FileNotFoundError:
        pass
    return 0


@dataclass(frozen=True, slots=True)
class Embedded:
    """Running servers and their addresses. `seconds`: how long each took to answer, by name."""

    dsn: str
    bus_url: str
    live_url: str
    servers: tuple[Server, ...]
    seconds: dict[str, float]
    held: Held | None

    @property
    def processes(self) -> dict[str, list[int]]:
        """Process ids by server name, main process first."""
        return {s.name: pids(s) for s in self.servers}

    def down(self) -> list[str]:
        """Names of the servers that are not running."""
        return [s.name for s in self.servers if not s.processes()]

    def restart(self, name: str) -> float:
        """Stop what is left of a server and start it again; the seconds until it answers."""
        server = next(s for s in self.servers if s.name == name)
        stop(server)
        server.running.close()
        begin = time.monotonic()
        server.start()
        for _ in wait_ready([(server, begin)], _PATIENCE_S):
            pass
        return time.monotonic() - begin

    def stop(self) -> None:
        """Stop all servers, Redis first, PostgreSQL last (fast shutdown)."""
        for server in reversed(self.servers):
            stop(server)
            server.running.close()
        if self.held is not None:
            self.held.release()


def start(
    var: Path, held: Held | None = None, say: Callable[[str, float], None] = lambda name, seconds: None
) -> Embedded:
    """Start the servers in `var` and wait until each answers; `say(name, seconds)` as each does.

    Takes the lock itself, and gives it back on `stop()`, unless the caller holds it already. Refuses with one
    sentence when the disk is full, a right is missing or the data are of another version.
    """
    var = var.resolve()
    own = hold(var) if held is None else None
    try:
        return _start(var, own, say)
    except OSError as error:
        if own is not None:
            own.release()
        raise from_os_error(error, var) from error
    except Refusal:
        if own is not None:
            own.release()
        raise


def _start(var: Path, own: Held | None, say: Callable[[str, float], None]) -> Embedded:
    around = _surroundings(var)
    free_mb = shutil.disk_usage(around.home).free // 2**20
    if free_mb < _NEEDED_MB:
        raise Refusal(
            f"{around.home} 所在磁盘只剩 {free_mb} MB，至少需要 {_NEEDED_MB} MB",
            f"only {free_mb} MB left on the disk of {around.home}, {_NEEDED_MB} MB are needed",
        )
    servers = postgres, bus, live = _servers(around)
    started: list[tuple[Server, float]] = []
    seconds: dict[str, float] = {}
    try:
        for server in servers:
            stop(server)  # left by a run that was killed
            started.append((server, time.monotonic()))
            server.start()
        for name, took in wait_ready(started, _PATIENCE_S):
            seconds[name] = took
            say(name, took)
    except BaseException:
        for server, _ in started:
            stop(server)
            server.running.close()
        raise
    return Embedded(postgres.address(), bus.address(), live.address(), servers, seconds, own)


def _servers(around: Surroundings) -> tuple[EmbeddedPostgres, EmbeddedRedis, EmbeddedRedis]:
    return (
        EmbeddedPostgres(around),
        EmbeddedRedis(around, "redis-bus", durable=True),
        EmbeddedRedis(around, "redis-live", durable=False),
    )


def _surroundings(var: Path) -> Surroundings:
    folder = _folder(var)
    home = home_of(folder)
    account = server_account(home / "postgres" / "data")
    if home == folder and not account.reaches(folder):
        home = _elsewhere(var, folder)
        (folder / "home").write_text(f"{home}\n")
    if not account.reaches(home):
        raise Refusal(
            f"服务用户（uid {account.uid}）无法进入 {home}",
            f"the servers' user (uid {account.uid}) cannot enter {home}",
        )
    _check_owner(home, account)
    return Surroundings(Place(folder), home, var / "log", account)


def _folder(var: Path) -> Path:
    """`var/embedded`: its files are ours alone, but the servers' user may pass through to its own folders."""
    folder = var / "embedded"
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o711)
    return folder


def home_of(folder: Path) -> Path:
    """Where the data of the servers of that `embedded` folder are."""
    note = folder / "home"
    home = Path(note.read_text().strip()) if note.exists() else folder
    return home if home.is_dir() else folder


def _elsewhere(var: Path, folder: Path) -> Path:
    """A new folder outside `var`; those whose `var` somebody deleted are cleared, its own predecessor too."""
    home = _ELSEWHERE / hashlib.sha256(str(var).encode()).hexdigest()[:12]
    for path in (_ELSEWHERE, home):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o711)
    for other in _ELSEWHERE.iterdir():
        owner = other / "var"
        if owner.exists() and (other == home or not Path(owner.read_text().strip()).exists()):
            _clear(var, folder, other)
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    (home / "var").write_text(f"{folder}\n")
    return home


def _check_owner(home: Path, account: Account) -> None:
    """Data made by another user cannot be opened by this one; say so before a server says it less clearly."""
    data = home / "postgres"
    if not account.switch and data.exists() and data.stat().st_uid != account.uid:
        raise Refusal(
            f"{data} 属于另一个用户（uid {data.stat().st_uid}），请用该用户运行",
            f"{data} belongs to another user (uid {data.stat().st_uid}): run as that user",
        )


def forget(var: Path) -> None:
    """Stop what an earlier run left behind and delete the servers' data, wherever they are."""
    folder = var / "embedded"
    if folder.is_dir():
        _clear(var, folder, home_of(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _clear(var: Path, folder: Path, home: Path) -> None:
    ourselves = Account(os.geteuid(), os.getegid(), switch=False)
    for server in reversed(_servers(Surroundings(Place(folder), home, var / "log", ourselves))):
        stop(server)
    shutil.rmtree(home)
