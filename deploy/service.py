"""What every server we start has in common, and how one is waited for, stopped and killed."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.processes import Identity, descendants, put_down, wait_gone
from deploy.refusal import Refusal


@dataclass(slots=True)
class Launched:
    """The process that we started ourselves, if any: a wrapper at first, then the server."""

    process: subprocess.Popen[bytes] | None = None

    def alive(self) -> bool:
        """Whether it still runs (reaps it when it has ended)."""
        return self.process is not None and self.process.poll() is None


class Service(Protocol):
    """One server: how it starts, which processes are it, when it really answers, where it logs."""

    @property
    def name(self) -> str: ...
    @property
    def stop_signals(self) -> tuple[tuple[signal.Signals, float], ...]: ...

    @property
    def running(self) -> Launched: ...

    def processes(self) -> list[Identity]:
        """Its living processes, main process first; empty when it is down."""

    def start(self) -> None:
        """Start it; only while it is down."""

    def ready(self) -> bool:
        """Whether it answers a real request."""

    def address(self) -> str:
        """Its address, as its clients write it."""

    def log(self) -> Path:
        """Its log file."""


def wait_ready(started: Iterable[tuple[Service, float]], seconds: float) -> Iterator[tuple[str, float]]:
    """Yield (name, seconds since its start) as each service begins to answer.

    `started`: services, each with the monotonic moment of its start. Refuses when one dies or takes too long.
    """
    waiting = list(started)
    while waiting:
        for entry in list(waiting):
            service, begin = entry
            waited = time.monotonic() - begin
            if service.ready():
                waiting.remove(entry)
                yield service.name, time.monotonic() - begin
                continue
            died = not service.running.alive() and not service.processes()
            if died or waited > seconds:
                raise _failure(service, died, seconds)
        time.sleep(0.02)


def _failure(service: Service, died: bool, seconds: float) -> Refusal:
    log = service.log()
    text = ""
    if log.exists():
        with open(log, "rb") as f:
            f.seek(max(0, log.stat().st_size - 8192))
            text = f.read().decode(errors="replace")
    if "No space left on device" in text:
        return Refusal(f"磁盘已满，{service.name} 无法启动", f"the disk is full: {service.name} cannot start")
    lines = [line for line in text.splitlines() if line.strip()]
    serious = [line for line in lines if any(w in line for w in ("FATAL", "PANIC", "Fatal", "ERROR"))]
    why = (serious or lines or [""])[-1].strip()
    if died:
        return Refusal(
            f"{service.name} 启动后退出，日志 {log}", f"{service.name} ended while starting: {why}"
        )
    return Refusal(
        f"{service.name} 在 {seconds:.0f} 秒内没有应答，日志 {log}",
        f"{service.name} gave no answer in {seconds:.0f} s: {why}",
    )


def stop(service: Service) -> None:
    """Stop the service in order; its orphans too, should its main process have been killed before."""
    running = service.processes()
    if not running:
        return
    main, rest = running[0], running[1:]
    put_down(main, service.stop_signals)
    for who in wait_gone(rest, 5):
        put_down(who, ((signal.SIGKILL, 5),))


def kill(service: Service) -> list[int]:
    """`kill -9` of every process of the service at once; the process ids."""
    running = service.processes()
    for who in running:
        put_down(who, ((signal.SIGKILL, 0),))
    wait_gone(running, 10)
    return [who.pid for who in running]


def pids(service: Service) -> list[int]:
    """All process ids of the service, main process first."""
    running = service.processes()
    seen = {who.pid: None for who in running}
    for who in running[:1]:
        seen.update({child.pid: None for child in descendants(who.pid)})
    return list(seen)
