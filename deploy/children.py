"""One process of the product as the supervisor sees it: started, watched, started again, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.logs import LogSink
from deploy.processes import Identity, identify, put_down
from deploy.tethered import tethered

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_SETTLED_S = 60.0


@dataclass(frozen=True, slots=True)
class Command:
    """`python app.py WORDS...` in the project root, and how long it may take to stop in order."""

    name: str
    words: tuple[str, ...]
    patience_s: float


@dataclass(slots=True)
class Child:
    """A running command. `due`: when it is to be started again, None while it runs."""

    command: Command
    app: Path
    root: Path
    env: Mapping[str, str]
    logs: Path
    process: subprocess.Popen[bytes] | None = None
    sink: LogSink | None = None
    who: Identity | None = None
    begun: float = 0.0
    due: float | None = None
    deaths: int = field(default=0)

    @property
    def log(self) -> Path:
        """Its log file."""
        return self.logs / f"{self.command.name}.log"

    def start(self, now: float) -> None:
        """Start it; `now` is the monotonic clock. It is killed with us, should we be killed."""
        self.sink = LogSink(self.logs, self.command.name)
        self.process = subprocess.Popen(
            tethered([sys.executable, str(self.app), *self.command.words], signal.SIGKILL),
            cwd=self.root,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=self.sink.pipe,
            stderr=self.sink.pipe,
            start_new_session=True,
        )
        self.who = identify(self.process.pid)
        self.begun, self.due = now, None

    def ended(self, now: float) -> int | None:
        """Its exit code when it has just ended (told once); plans the next start with growing pauses."""
        code = self._reaped()
        if code is None:
            return None
        self.deaths = 1 if now - self.begun > _SETTLED_S else self.deaths + 1
        self.due = now + min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self.deaths - 1))
        return code

    def wait(self, seconds: float) -> int | None:
        """Its exit code when it ends within `seconds`."""
        if self.process is None:
            return None
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return self._reaped()

    def stop(self, patience_s: float) -> None:
        """SIGTERM, then after `patience_s` SIGKILL; whatever it had started itself goes with it."""
        self.due = None
        if self.process is None:
            return
        if self.who is not None:
            put_down(self.who, ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5)))
        self.process.wait(5)
        self._reaped()

    def last_words(self) -> str:
        """What it said last: the text of the last line of its log."""
        lines = (
            self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        )
        if not lines:
            return ""
        try:
            fields = json.loads(lines[-1])
        except ValueError:
            return lines[-1][:400]
        said = [
            fields[k]
            for k in ("text", "error", "event", "message")
            if isinstance(fields, dict) and k in fields
        ]
        return str(said[0] if said else lines[-1])[:400]

    def _reaped(self) -> int | None:
        if self.process is None or self.process.poll() is None:
            return None
        # The session it led is ours to clear: nothing it started may stay behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.returncode
        if self.sink is not None:
            self.sink.close()
        self.process = self.sink = self.who = None
        return code
