"""The whole product, started for a test or a bench as an operator would: real services, real processes.

Profiles: `embedded` (servers from wheels) and `real` (Kafka, TimescaleDB, Redis by `deploy.bare`). Everything
lives in one folder and is stopped at the end; `kill` is SIGKILL, nothing softer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from deploy import embedded
from deploy.balancer import Balancer
from deploy.place import Place
from deploy.processes import free_ports
from deploy.service import stop, wait_ready

ROOT = Path(__file__).resolve().parents[1]

SERVICE_NAMES = {
    "embedded": {"store": "postgres", "bus": "redis-bus", "live": "redis-live"},
    "real": {"store": "timescale", "bus": "kafka", "live": "redis-live"},
}


class NotReady(RuntimeError):
    """Something did not start; the text carries the last words of its log."""


def real_services_possible() -> str:
    """'' when `deploy.bare` can start real services here, else why not."""
    if os.geteuid() != 0:
        return "real services need root (deploy.bare)"
    if not Path("/etc/debian_version").exists():
        return "real services need Debian (deploy.bare)"
    return ""


@dataclass(slots=True)
class Product:
    """See the module's text. Use as a context manager."""

    profile: str
    folder: Path
    children: tuple[str, ...] = ("ingest", "relay", "web")
    settings: Mapping[str, str] = field(default_factory=dict)
    bare_dir: Path | None = None
    webs: int = 1
    """Web processes; from two on, nginx stands before them at `base_url`. The second is known as `web-2`."""
    env: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    web_ports: tuple[int, ...] = ()
    balancer: Balancer | None = None
    _embedded: embedded.Embedded | None = None

    @property
    def var(self) -> Path:
        """Run-time folder of this product."""
        return self.folder / "var"

    @property
    def base_url(self) -> str:
        """Address of the web process, or of what stands before several."""
        if self.balancer is not None:
            return self.balancer.address()
        return f"http://127.0.0.1:{self.env['CHENGYUN_HTTP_PORT']}"

    def __enter__(self) -> Product:
        try:
            self.start_services()
            self.run("migrate")
            self.run("init", "--sample")
            for child in self.children:
                self.start(*child.split())
            names = {child.split()[0] for child in self.children}
            if "web" in names:
                self._balance()
                self.wait_ready(path="/readyz" if "ingest" in names else "/healthz")  # /readyz wants them all
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- services --------------------------------------------------------------------------------------------

    def start_services(self) -> None:
        """Start store, bus and live state, and make the environment of the processes."""
        self.var.mkdir(parents=True, exist_ok=True)
        if self.profile == "embedded":
            self._embedded = embedded.start(self.var)
            addresses = {
                "CHENGYUN_DSN": self._embedded.dsn,
                "CHENGYUN_BUS": self._embedded.bus_url,
                "CHENGYUN_LIVE_URL": self._embedded.live_url,
            }
        else:
            self._bare("up")
            lines = self._bare("env").splitlines()
            addresses = {}
            for line in lines:
                name, _, value = line.removeprefix("export ").partition("=")
                if name.startswith("CHENGYUN_"):
                    addresses[name] = value.strip("'")
        self.web_ports = tuple(free_ports(self.webs))
        self.env = {
            **os.environ,
            **addresses,
            "CHENGYUN_HTTP_PORT": str(self.web_ports[0]),
            "CHENGYUN_VAR": str(self.var),
            "PYTHONPATH": str(ROOT),
            **self.settings,
        }

    def _bare(self, *words: str) -> str:
        folder = self.bare_dir or self.folder / "bare"
        done = subprocess.run(
            [sys.executable, "-m", "deploy.bare", *words, "--dir", str(folder)],
            cwd=ROOT, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        if done.returncode:
            raise NotReady(f"deploy.bare {' '.join(words)}: {done.stderr[-2000:]}")
        return done.stdout

    def kill_service(self, part: str) -> None:
        """SIGKILL to every process of the store, the bus or the live state."""
        name = SERVICE_NAMES[self.profile][part]
        if self._embedded is None:
            self._bare("kill", name)
            return
        for pid in self._embedded.processes[name]:
            os.kill(pid, signal.SIGKILL)

    def start_service(self, part: str) -> None:
        """Start a killed service again; returns when it answers."""
        name = SERVICE_NAMES[self.profile][part]
        if self._embedded is None:
            self._bare("restart", name)
        else:
            self._embedded.restart(name)

    def _balance(self) -> None:
        """The other web processes, and one address for all."""
        if self.webs < 2:
            return
        for number in range(2, self.webs + 1):
            port = self.web_ports[number - 1]
            self.start_as(f"web-{number}", "web", CHENGYUN_HTTP_PORT=str(port))
        self.balancer = Balancer(Place(self.folder / "balancer"), self.web_ports)
        self.balancer.install(lambda _: None)
        self.balancer.start()
        for _ in wait_ready([(self.balancer, time.monotonic())], 20):
            pass

    # -- processes -------------------------------------------------------------------------------------------

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`python app.py WORDS` to its end."""
        done = subprocess.run(
            [sys.executable, "app.py", *words],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=900,
        )
        if check and done.returncode:
            raise NotReady(
                f"app.py {' '.join(words)}: {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-2000:]}"
            )
        return done

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """Start `python app.py NAME WORDS` in the background; its log is `<folder>/NAME.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "app.py", name, *words], cwd=ROOT, env=self.env, stdout=log, stderr=log
            )
        return self.running[name]

    def start_as(self, key: str, name: str, *words: str, **settings: str) -> subprocess.Popen[bytes]:
        """Like `start`, for a second process of the same kind: known (and logged) as `key`, with other settings."""
        with (self.folder / f"{key}.log").open("ab") as log:
            self.running[key] = subprocess.Popen(
                [sys.executable, "app.py", name, *words],
                cwd=ROOT,
                env={**self.env, **settings},
                stdout=log,
                stderr=log,
            )
        return self.running[key]

    def end(self, name: str) -> None:
        """SIGTERM to a process of ours; wait for its end."""
        process = self.running.pop(name)
        process.terminate()
        process.wait(30)

    def service_pids(self, part: str) -> list[int]:
        """Process ids of the store, the bus or the live state."""
        name = SERVICE_NAMES[self.profile][part]
        if self._embedded is not None:
            return list(self._embedded.processes[name])
        return list(json.loads(self._bare("status", "--json"))["services"][name]["pids"])

    def kill(self, name: str) -> None:
        """SIGKILL a process of ours."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def wait_ready(self, seconds: float = 60.0, path: str = "/readyz") -> float:
        """Until this page answers 200; the seconds it took."""
        began = time.monotonic()
        last = ""
        while time.monotonic() - began < seconds:
            dead = [n for n, p in self.running.items() if p.poll() is not None]
            if dead:
                raise NotReady(f"{dead[0]} ended: {self.last_words(dead[0])}")
            try:
                with urllib.request.urlopen(self.base_url + path, timeout=5) as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            except urllib.error.HTTPError as error:
                last = error.read().decode()
            except OSError as error:
                last = str(error)
            time.sleep(0.1)  # polling a web address: there is no event to wait for
        raise NotReady(f"not ready after {seconds:g} s: {last}; web: {self.last_words('web')}")

    def last_words(self, name: str) -> str:
        """End of a process's log."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-1500:] if path.exists() else ""

    def stop(self) -> None:
        """Stop everything; nothing is left running."""
        if self.balancer is not None:
            stop(self.balancer)
            self.balancer = None
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()
        if self._embedded is not None:
            self._embedded.stop()
            self._embedded = None
        elif self.env and self.profile == "real" and self.bare_dir is None:
            self._bare("down")

    # -- what init made --------------------------------------------------------------------------------------

    def passwords(self) -> dict[str, str]:
        """First passwords of the sample accounts by login."""
        return {k: v for k, v in self._accounts_file() if not k.startswith("feed:")}

    def token(self, feed: str) -> str:
        """Token of a feed."""
        return dict(self._accounts_file())[f"feed:{feed}"]

    def _accounts_file(self) -> list[tuple[str, str]]:
        lines = (self.var / "accounts.txt").read_text(encoding="utf-8").splitlines()
        return [(a, b) for a, _, b in (line.partition(" ") for line in lines if not line.startswith("#"))]

    def post(self, topic: str, messages: list[dict[str, object]], feed: str = "simulation") -> int:
        """POST messages to the bus as a feed would; the HTTP status."""
        request = urllib.request.Request(
            f"{self.base_url}/api/v1/messages/{topic}",
            data=json.dumps(messages).encode(),
            headers={"Authorization": f"Bearer {self.token(feed)}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
