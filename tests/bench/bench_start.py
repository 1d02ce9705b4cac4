"""From a clean clone to the first page: `make install`, `make run`, SIGTERM, `make run` again; as root and as a user.

The clone is of HEAD, not of the working tree. The seconds of the installation are reported apart: they are the
network's. `first_page` counts from the command to the `ready` line, and that page must then be healthy.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from deploy.processes import free_ports
from tests.bench.frame import Bench, Figures
from tests.people import Person
from tests.product import ROOT

GOALS = {"first_page_s": 60, "processes_left": 0}

MARK = "BENCH_START_MARK"  # not CHENGYUN_…: an unknown setting is refused
INSTALL_S = 1500.0
READY_S = 300.0
STOP_S = 60.0


class Failed(RuntimeError):
    """A command did not do what it is for; the text carries its last words."""


@dataclass(slots=True)
class Clone:
    """A clean clone that belongs to one account of the machine (None: ourselves)."""

    folder: Path
    account: pwd.struct_passwd | None
    mark: str = field(default_factory=lambda: uuid4().hex)
    port: int = field(default_factory=lambda: free_ports(1)[0])

    @property
    def who(self) -> str:
        """root or user."""
        uid = self.account.pw_uid if self.account else os.geteuid()
        return "root" if uid == 0 else "user"

    @property
    def url(self) -> str:
        """Where its web process listens."""
        return f"http://127.0.0.1:{self.port}"

    def make(self) -> None:
        """Clone HEAD."""
        git = ["git", "-c", "safe.directory=*", "clone", "--quiet", "--no-local", str(ROOT), str(self.folder)]
        subprocess.run(git, check=True, capture_output=True)
        if self.account:
            for folder, _, files in os.walk(self.folder):
                for path in (Path(folder), *(Path(folder) / name for name in files)):
                    os.chown(path, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)

    def environment(self) -> dict[str, str]:
        """A plain shell's: nothing of the product, of this environment, nor of our home."""
        env: dict[str, str] = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CHENGYUN_", "TEST_", "PYTHON", "VIRTUAL_ENV", "MAKE", "MFLAGS"))
        }
        env |= {"CHENGYUN_HTTP_PORT": str(self.port), MARK: self.mark}
        if self.account:
            env |= {"HOME": str(self.folder), "USER": self.account.pw_name, "LOGNAME": self.account.pw_name}
            env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
        return env

    def start(self, target: str) -> Started:
        """`make TARGET` in the clone, as its account, in a session of its own."""
        return Started(
            subprocess.Popen(
                ["make", target],
                cwd=self.folder,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                user=self.account.pw_uid if self.account else None,
                group=self.account.pw_gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        )

    def install(self) -> float:
        """`make install`; its seconds."""
        began = time.monotonic()
        started = self.start("install")
        if started.process.wait(INSTALL_S):
            raise Failed(f"make install ({self.who}): {started.last_words()}")
        return time.monotonic() - began

    def left(self) -> dict[int, str]:
        """Processes of this clone that still run: by our mark in their environment, or by what they have open."""
        found: dict[int, str] = {}
        inside = str(self.folder)
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                marked = f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes()
                works_in = os.readlink(entry / "cwd")
                program = os.readlink(entry / "exe")
            except OSError:  # it ended meanwhile, or is another user's and so none of ours
                continue
            if state != "Z" and (marked or inside in command or inside in works_in or inside in program):
                found[int(entry.name)] = command[:120]
        return found


class Started:
    """A `make` under way; its output is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._lines.append("")
            self._news.notify_all()

    def last_words(self) -> str:
        """End of the output."""
        return "\n".join(self._lines[-15:])

    def wait_ready(self, url: str) -> None:
        """Until the line `ready URL`, and the page behind it answers."""
        ready = f"ready {url}/"
        with self._news:
            done = self._news.wait_for(
                lambda: ready in self._lines or self.process.poll() is not None, READY_S
            )
            if not done or ready not in self._lines:
                raise Failed(f"make run: no line {ready!r}: {self.last_words()}")
        for path in ("/readyz", "/login"):
            with urllib.request.urlopen(url + path, timeout=30) as answer:
                if answer.status != 200:
                    raise Failed(f"{path}: HTTP {answer.status} after the line {ready!r}")

    def stop(self, number: signal.Signals, *, group: bool) -> float:
        """Ask it to stop, as `kill` (make alone) or a terminal (its whole group) would; the seconds it took."""
        began = time.monotonic()
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        self.process.wait(STOP_S)
        return time.monotonic() - began


def file_report(clone: Clone) -> str:
    """An operator files a report; its number."""
    lines = (clone.folder / "var" / "accounts.txt").read_text(encoding="utf-8").splitlines()
    passwords = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    with closing(Person(clone.url, "operator", passwords["operator"])) as operator:
        answer = operator.command("report_incident", text="启动测试：路灯不亮", class_code="C0102")
        if answer.status_code != 200:
            raise Failed(f"report_incident: HTTP {answer.status_code} {answer.text[:300]}")
        return str(answer.json()["number"])


def is_kept(clone: Clone, number: str) -> bool:
    """Whether the account with its changed password, and its report, are still there."""
    with closing(Person(clone.url, "operator", "")) as operator:
        rows = operator.ask("search_incident", number=number).raise_for_status().json()["rows"]
        return [row["number"] for row in rows] == [number]


def ordinary_account() -> pwd.struct_passwd | None:
    """An unprivileged account that exists on this machine; it need not have a home."""
    for name in ("chengyun", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def one_clone(bench: Bench, clone: Clone) -> Figures:
    """Install, first start, stop by SIGTERM, second start, stop by Ctrl-C; figures named by who it was."""
    who = clone.who
    clone.make()
    install = clone.install()
    bench.say(f"{who}: installed in {install:.1f} s")
    figures: Figures = {f"install_{who}_s": round(install, 1)}
    left: dict[int, str] = {}
    number = ""
    for turn, (name, sign, group) in enumerate(
        ((f"first_page_{who}_s", signal.SIGTERM, False), (f"second_start_{who}_s", signal.SIGINT, True))
    ):
        began = time.monotonic()
        started = clone.start("run")
        try:
            started.wait_ready(clone.url)
            figures[name] = round(time.monotonic() - began, 1)
            bench.say(f"{who}: {name} {figures[name]}")
            if turn == 0:
                number = file_report(clone)
            else:
                figures[f"data_kept_{who}"] = is_kept(clone, number)
        finally:
            stopped = started.stop(sign, group=group)
        left |= clone.left()
        bench.say(
            f"{who}: {sign.name}: stopped in {stopped:.1f} s; left running: {clone.left() or 'nothing'}"
        )
        figures[f"stop_{'first' if turn == 0 else 'second'}_{who}_s"] = round(stopped, 1)
    for pid in clone.left():
        os.kill(pid, signal.SIGKILL)
    figures[f"processes_left_{who}"] = len(left)
    return figures


def run(bench: Bench) -> Figures:
    """As whoever runs the bench; as root also as an ordinary user. Always the embedded profile: it is `make run`."""
    clones = [Clone(bench.folder / "own", None)]
    if os.geteuid() == 0:
        account = ordinary_account()
        if account is None:
            bench.say("no unprivileged account here: as root only")
        else:
            home = bench.folder / "user"
            home.mkdir()
            os.chown(home, account.pw_uid, account.pw_gid)
            clones.append(Clone(home / "clone", account))
    figures: Figures = {}
    for clone in clones:
        figures |= one_clone(bench, clone)
        shutil.rmtree(clone.folder)
    figures["install_s"] = max(v for k, v in figures.items() if k.startswith("install_"))
    figures["first_page_s"] = max(v for k, v in figures.items() if k.startswith("first_page_"))
    figures["second_start_s"] = max(v for k, v in figures.items() if k.startswith("second_start_"))
    figures["processes_left"] = sum(v for k, v in figures.items() if k.startswith("processes_left_"))
    figures["data_kept"] = all(v for k, v in figures.items() if k.startswith("data_kept_"))
    return figures
