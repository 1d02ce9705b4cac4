"""`python app.py demo`: everything on embedded servers, one command, one terminal.

Start: PostgreSQL and two Redis servers, `migrate`, `init --sample`, then `ingest`, `relay`, `web`,
`feed run` (adapters) and `feed simulate`; when /readyz says 200, the last line is `ready http://127.0.0.1:8050/`.
Stop (Ctrl-C, SIGTERM, a closed terminal): feeds, web, ingest, relay, Redis, PostgreSQL. What dies is started
again, with growing pauses and a line that says so. Killed itself, it leaves nothing running.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deploy.children import Child, Command
from deploy.embedded import Embedded, Held, hold
from deploy.embedded import start as start_embedded
from deploy.lan import Certificates, certificates, lan_address, qr_code
from deploy.processes import port_is_free
from deploy.refusal import Refusal, from_os_error, tell
from deploy.text import text
from settings import BadSetting, Settings, read

ROOT = Path(__file__).resolve().parents[1]
# Run one after another before anything else; each must succeed.
STEPS = (Command("migrate", ("migrate",), 20), Command("init", ("init", "--sample"), 20))
# In the order in which they start; `patience_s` is the time each gets to stop in order.
CHILDREN = (
    Command("ingest", ("ingest",), 15),
    Command("relay", ("relay",), 10),
    Command("web", ("web",), 10),
    Command("feeds", ("feed", "run"), 10),
    Command("feed", ("feed", "simulate"), 10),
)
STOP_ORDER = ("feed", "feeds", "web", "ingest", "relay")
_READY_S = 180.0
_TELL_AFTER_S = 10.0
_DEATHS_BEFORE_READY = 3
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - only with LAN=1, which is asked for
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Asked(Exception):
    """A signal asked us to stop."""


@dataclass(slots=True)
class Bell:
    """Signals as bytes on a socket, so that waiting for them, for children and for time is one `select`."""

    reading: socket.socket
    stops: int = 0

    def wait(self, seconds: float) -> bool:
        """Wait for a signal, at most `seconds`; True when any came. Raises Asked when asked to stop."""
        ready, _, _ = select.select([self.reading], [], [], max(0.0, seconds))
        if not ready:
            return False
        heard = self.reading.recv(4096)
        if any(signal.Signals(byte) in _SIGNALS for byte in heard):
            raise Asked
        return True


@contextmanager
def bell_of_signals() -> Iterator[Bell]:
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    # A signal that was ignored when we were started (nohup) stays ignored.
    wanted = [s for s in _SIGNALS if signal.getsignal(s) != signal.SIG_IGN] + [signal.SIGCHLD]
    handlers = {s: signal.signal(s, lambda number, frame: None) for s in wanted}
    try:
        yield Bell(reading)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        reading.close()
        writing.close()


@dataclass(frozen=True, slots=True)
class Door:
    """Where `web` listens and how we reach it."""

    host: str
    port: int
    certificates: Certificates | None
    shown: str

    def missing(self) -> str | None:
        """What /readyz still waits for, in its own words; None when it says 200."""
        scheme, context = "http", None
        if self.certificates is not None:
            scheme, context = "https", ssl.create_default_context(cafile=str(self.certificates.authority))
        address = "127.0.0.1" if self.host == _EVERYWHERE else self.host
        try:
            url = f"{scheme}://{address}:{self.port}/readyz"
            with urllib.request.urlopen(url, timeout=3, context=context):  # noqa: S310 - http(s) only
                return None
        except urllib.error.HTTPError as error:
            return _said(error.read(), error.code)
        except OSError:
            return "web"


def _said(body: bytes, code: int) -> str:
    """The links that /readyz calls broken: {"links": {name: {"ok": bool, "why": text}}}."""
    try:
        links = json.loads(body)["links"]
        return "; ".join(f"{name}: {link.get('why', '')}" for name, link in links.items() if not link["ok"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {code}"


@dataclass(slots=True)
class Supervisor:
    """One run, from the first server to the last one stopped."""

    app: Path
    var: Path
    door: Door
    bell: Bell
    embedded: Embedded
    children: dict[str, Child] = field(default_factory=dict)
    server_due: dict[str, float] = field(default_factory=dict)
    server_deaths: dict[str, int] = field(default_factory=dict)

    def bring_up(self) -> None:
        """Prepare the store, start the children and wait until the first page is there."""
        for step in STEPS:
            self._run_step(step)
        for command in CHILDREN:
            say("child", name=command.name)
            self._child(command).start(time.monotonic())
        begin = time.monotonic()
        told = ""
        while missing := self.door.missing():
            self.bell.wait(0.1)
            self._look_after()
            broken = [c for c in self.children.values() if c.deaths >= _DEATHS_BEFORE_READY]
            waited = time.monotonic() - begin
            if broken or waited > _READY_S:
                raise _unready(broken, missing, self.var / "log")
            if waited > _TELL_AFTER_S and missing != told:
                say("waiting", what=missing)
                told = missing

    def watch(self) -> None:
        """Look after everything until a signal asks to stop."""
        while True:
            dues = [c.due for c in self.children.values() if c.due is not None]
            now = time.monotonic()
            self.bell.wait(min([60.0, *(due - now for due in [*dues, *self.server_due.values()])]))
            self._look_after()

    def take_down(self) -> None:
        """Stop everything in order. A second signal takes the children's time to stop away."""
        for name in STOP_ORDER:
            child = self.children.pop(name, None)
            if child is None:
                continue
            child.stop(self._patience(child))
        for child in self.children.values():  # a step that was interrupted
            child.stop(self._patience(child))
        self.embedded.stop()

    def _patience(self, child: Child) -> float:
        try:
            self.bell.wait(0)
        except Asked:
            self.bell.stops += 1
        return 0.5 if self.bell.stops else child.command.patience_s

    def _child(self, command: Command) -> Child:
        child = Child(command, self.app, ROOT, self._environment(), self.var / "log")
        self.children[command.name] = child
        return child

    def _environment(self) -> dict[str, str]:
        """Ours, with the addresses of the servers just started."""
        env = dict(os.environ)
        env.update(
            CHENGYUN_DSN=self.embedded.dsn,
            CHENGYUN_BUS=self.embedded.bus_url,
            CHENGYUN_LIVE_URL=self.embedded.live_url,
            CHENGYUN_HTTP_HOST=self.door.host,
            CHENGYUN_HTTP_PORT=str(self.door.port),
            CHENGYUN_VAR=str(self.var),
            CHENGYUN_STORE_DISK=str(self.var),
            PYTHONUNBUFFERED="1",
            PYTHONPATH=str(ROOT),
        )
        if self.door.certificates is not None:
            env["CHENGYUN_TLS_CERT"] = str(self.door.certificates.cert)
            env["CHENGYUN_TLS_KEY"] = str(self.door.certificates.key)
        return env

    def _run_step(self, command: Command) -> None:
        begin = time.monotonic()
        child = self._child(command)
        child.start(begin)
        code = None
        while code is None:
            self.bell.wait(1.0)
            code = child.wait(0)
        del self.children[command.name]
        if code != 0:
            raise Refusal(
                f"{command.name} 失败（{code}），日志 {child.log}",
                f"{command.name} failed ({code}): {child.last_words()}",
            )
        say(command.name, seconds=time.monotonic() - begin)

    def _look_after(self) -> None:
        now = time.monotonic()
        self._look_after_servers(now)
        for child in self.children.values():
            code = child.ended(now)
            if code is not None and child.due is not None:
                say(
                    "died",
                    name=child.command.name,
                    code=_outcome(code),
                    seconds=child.due - now,
                    log=child.log,
                )
            elif child.due is not None and child.due <= now:
                child.start(now)

    def _look_after_servers(self, now: float) -> None:
        for server in self.embedded.servers:
            name = server.name
            if name in self.server_due:
                if self.server_due[name] <= now:
                    self._restart_server(name)
            elif not server.running.alive():
                deaths = self.server_deaths[name] = self.server_deaths.get(name, 0) + 1
                pause = 0.0 if deaths == 1 else min(30.0, 2.0 ** (deaths - 1))
                self.server_due[name] = now + pause
                say("died", name=name, code="", seconds=pause, log=server.log())
                if not pause:
                    self._restart_server(name)

    def _restart_server(self, name: str) -> None:
        try:
            self.embedded.restart(name)
        except Refusal as refusal:
            tell(refusal)
            deaths = self.server_deaths[name] = self.server_deaths[name] + 1
            self.server_due[name] = time.monotonic() + min(30.0, 2.0 ** (deaths - 1))
            return
        del self.server_due[name]
        say("back", name=name)


def run(settings: Settings, *, lan: bool = False, app: Path = ROOT / "app.py") -> int:
    """Run the demo until it is asked to stop. 0: stopped as asked; 1: one sentence said why not."""
    try:
        with bell_of_signals() as bell, hold(settings.var.resolve()) as held:
            return _run(settings, bell, held, lan=lan, app=app)
    except Refusal as refusal:
        tell(refusal)
    except OSError as error:
        tell(from_os_error(error))
    return 1


def _run(settings: Settings, bell: Bell, held: Held, *, lan: bool, app: Path) -> int:
    var = settings.var.resolve()
    door = _door(settings, var, lan=lan)
    if not port_is_free(door.port, door.host):
        raise Refusal(
            f"端口 {door.port} 已被其他程序占用，可改用 CHENGYUN_HTTP_PORT={door.port + 1} make run",
            f"port {door.port} is in use by another program; try CHENGYUN_HTTP_PORT={door.port + 1} make run",
        )
    held.note(door.shown)
    embedded = start_embedded(var, held, lambda name, seconds: say("server", name=name, seconds=seconds))
    supervisor = Supervisor(app, var, door, bell, embedded)
    try:
        bell.wait(0)  # asked to stop meanwhile
        supervisor.bring_up()
        _welcome(var, door)
        supervisor.watch()
    except Asked:
        say("stopping")
    finally:
        supervisor.take_down()
    say("stopped", var=var)
    return 0


def _door(settings: Settings, var: Path, *, lan: bool) -> Door:
    port = settings.http_port
    if not lan:
        return Door(settings.http_host, port, None, f"http://{settings.http_host}:{port}/")
    address = lan_address()
    made = certificates(var / "tls", address, datetime.now(UTC))
    return Door(_EVERYWHERE, port, made, f"https://{address}:{port}/")


def _welcome(var: Path, door: Door) -> None:
    if door.certificates is not None:
        _print(qr_code(door.shown))
        say("scan", url=door.shown)
        say("certificate", path=door.certificates.authority)
    if (var / "accounts.txt").exists():
        say("accounts", path=var / "accounts.txt")
    else:
        say("no_accounts", path=var / "accounts.txt")
    _print(f"ready {door.shown}")


def _unready(broken: list[Child], missing: str, logs: Path) -> Refusal:
    if broken:
        name, log = broken[0].command.name, broken[0].log
        return Refusal(f"{name} 没有就绪，日志 {log}", f"{name} did not get ready: {broken[0].last_words()}")
    return Refusal(f"{_READY_S:.0f} 秒内没有就绪，日志 {logs}", f"not ready in {_READY_S:.0f} s: {missing}")


def _outcome(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else str(code)


def say(key: str, **values: object) -> None:
    """One line of progress."""
    _print(text(key, **values))


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError:
        # Whoever read our output is gone (`make run | head`); the servers do not depend on it.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def main(argv: list[str] | None = None) -> int:
    """`python -m deploy.supervisor [--lan] [--app FILE]`, what `app.py demo` calls."""
    parser = argparse.ArgumentParser(prog="python app.py demo", description="Everything on embedded servers.")
    parser.add_argument(
        "--lan", action="store_true", help="HTTPS on all addresses, with a QR code for phones"
    )
    parser.add_argument("--app", type=Path, default=ROOT / "app.py", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    try:
        return run(read(), lan=args.lan, app=args.app.resolve())
    except BadSetting as error:
        tell(Refusal(f"设置有误：{error}", str(error)))
        return 1


if __name__ == "__main__":
    sys.exit(main())
