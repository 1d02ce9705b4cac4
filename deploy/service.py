"""What every service has in common, and how one is started, stopped and waited for."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from deploy.bare.install import Say
from deploy.processes import Identity, descendants, put_down, wait_gone
from deploy.refusal import Refusal


class Service(Protocol):
    """One server: what it needs, how it starts, which processes are it, and when it really answers."""

    @property
    def name(self) -> str: ...
    @property
    def stop_signals(self) -> tuple[tuple[signal.Signals, float], ...]: ...

    def install(self, say: Say) -> None:
        """Bring what is missing to the machine."""

    def processes(self) -> list[Identity]:
        """Its living processes, main process first; empty when it is down."""

    def start(self, say: Say) -> None:
        """Start it; only while it is down."""

    def ready(self) -> bool:
        """Whether it answers a real request."""

    def address(self) -> str:
        """Its address, as its clients write it."""


def launch(command: list[str], folder: Path, log: Path, env: Mapping[str, str] | None = None) -> None:
    """Start a server in `folder`, in a session of its own, its output appended to `log`."""
    with open(log, "ab") as out:
        subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )


def wait_ready(started: Mapping[str, tuple[Service, float, Path]], seconds: float) -> Iterator[tuple[str, float]]:
    """Yield (name, seconds since its start) as each service begins to answer.

    `started`: name -> (service, monotonic moment of its start, log file). Refuses when one dies or takes too long.
    """
    waiting = dict(started)
    while waiting:
        for name, (service, begin, log) in list(waiting.items()):
            waited = time.monotonic() - begin
            if service.ready():
                del waiting[name]
                yield name, time.monotonic() - begin
                continue
            # A start-up wrapper needs a moment until it has become the server itself.
            died = waited > 3 and not service.processes()
            if died or waited > seconds:
                tail = log.read_text(errors="replace").splitlines()[-12:] if log.exists() else []
                raise Refusal(
                    f"{name} 启动失败,日志:{log}",
                    f"{name} {'died' if died else f'gave no answer in {seconds:.0f} s'}:\n" + "\n".join(tail),
                )
        time.sleep(0.05)


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
