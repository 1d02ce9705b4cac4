"""The watchman beside Mosquitto: who is let in (the gateway's files, the disk), written for it and reloaded."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.account import Account, server_account
from deploy.bare.install import find_program
from deploy.mosquitto.config import Options, acl_text, config_text, password_line
from deploy.place import write_private
from deploy.processes import Identity, put_down, working_in
from deploy.refusal import Refusal
from deploy.tethered import tethered

PERIOD_S = 0.5
_STOP = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))


def free_mb(folder: Path) -> int:
    """Room on the disk of `folder`."""
    return shutil.disk_usage(folder).free // 2**20


@dataclass(slots=True)
class Watchman:
    """Mosquitto in `folder` (`access/` is the gateway's, `run/` and `data/` are Mosquitto's)."""

    folder: Path
    options: Options
    user: str
    password: str
    say: Callable[[str], None]
    free: Callable[[Path], int] = free_mb
    account: Account | None = None
    process: subprocess.Popen[bytes] | None = None
    open: bool | None = None
    _line: str = ""
    _written: dict[str, str] = field(default_factory=dict)
    _marked: float | None = None
    _kept: bool = field(default=False)

    @property
    def data(self) -> Path:
        """Where Mosquitto works, and keeps its snapshot."""
        return self.folder / "data"

    def start(self) -> None:
        """Write everything and start Mosquitto. Raises Refusal."""
        program = find_program("mosquitto")
        if not program:
            raise Refusal(
                "本机没有 mosquitto（apt-get install mosquitto）",
                "no mosquitto here (apt-get install mosquitto)",
            )
        for name in ("access", "run", "data"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.account = server_account(self.data)
        if not self.account.reaches(self.folder):
            raise Refusal(
                f"服务用户（uid {self.account.uid}）无法进入 {self.folder}",
                f"the servers' user (uid {self.account.uid}) cannot enter {self.folder}",
            )
        for found in working_in(self.data, "mosquitto"):
            put_down(found, _STOP)  # left by a watchman that was killed
        for name in ("run", "data"):
            os.chown(self.folder / name, *self.account.owner)
            (self.folder / name).chmod(0o700)
        self._line = password_line(self.user, self.password)
        # A snapshot that is younger than the gateway's subscription holds its session: nothing sent is lost.
        self._marked = _age(self.folder / "access" / "subscribed")
        snapshot = _age(self.data / "mosquitto.db")
        self._kept = snapshot is not None and self._marked is not None and snapshot > self._marked
        config = self.folder / "run" / "mosquitto.conf"
        write_private(config, config_text(self.options, self.folder / "run"), self.account.owner)
        self._write()
        user = self.account.owner if self.account.switch else (-1, -1)
        self.process = subprocess.Popen(
            tethered([program, "-c", str(config)], signal.SIGTERM, user),
            cwd=self.data,
            stdin=subprocess.DEVNULL,
        )

    def running(self) -> list[Identity]:
        """Mosquitto's process."""
        return working_in(self.data, "mosquitto")

    def turn(self) -> int | None:
        """Look once: reload Mosquitto when something has changed; its exit code when it has ended."""
        assert self.process is not None
        code = self.process.poll()
        if code is None and self._write():
            self.process.send_signal(signal.SIGHUP)
        return code

    def stop(self) -> None:
        """Stop Mosquitto in order: it writes its snapshot."""
        for found in self.running():
            put_down(found, _STOP)
        if self.process is not None:
            self.process.wait(10)

    def _write(self) -> bool:
        """The files as they should be now; whether they were others before."""
        assert self.account is not None
        why = self._closed()
        if self.open is not (not why):
            self.open = not why
            self.say(f"devices are let in no more: {why}" if why else "devices are let in")
        access = self.folder / "access"
        devices = _text(access / "passwords")
        own = f"{self.user}:"
        lines = (
            ""
            if why
            else "".join(f"{one}\n" for one in devices.splitlines() if one and not one.startswith(own))
        )
        wanted = {"passwords": self._line + lines, "acl": acl_text(self.user, _text(access / "acl"))}
        wanted |= self._certificate()
        if wanted == self._written:
            return False
        for name, text in wanted.items():
            write_private(self.folder / "run" / name, text, self.account.owner)
        self._written = wanted
        return True

    def _certificate(self) -> dict[str, str]:
        """Copies that Mosquitto's user may read. Renewed ones are taken; while they are being renewed the old stay."""
        if not self.options.cert:
            return {}
        try:
            return {
                "cert.pem": Path(self.options.cert).read_text(),
                "key.pem": Path(self.options.key).read_text(),
            }
        except OSError:
            if "cert.pem" not in self._written:
                raise
            return {name: self._written[name] for name in ("cert.pem", "key.pem")}

    def _closed(self) -> str:
        """Why devices are not let in; '' when they are."""
        free = self.free(self.data)
        if free < self.options.needed_mb:
            return f"{free} MB left on the disk, {self.options.needed_mb} MB are needed"
        if not self._kept and _age(self.folder / "access" / "subscribed") == self._marked:
            return "the gateway has not subscribed yet"
        return ""


def _age(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def run(watchman: Watchman, stopped: Callable[[], bool]) -> int:
    """Until Mosquitto ends (its exit code) or `stopped` says so (0)."""
    watchman.start()
    try:
        while not stopped():
            code = watchman.turn()
            if code is not None:
                watchman.say(f"mosquitto ended: {code}")
                return code or 1
            time.sleep(PERIOD_S)  # files of another process and a disk's room: nothing tells when they change
    finally:
        watchman.stop()
    return 0
