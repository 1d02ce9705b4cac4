"""`python -m deploy.bare.city [--dir DIR] [--web N] [--ingest N] [--sample] [--simulate]`: the product on the real services of
`deploy.bare`, with several web and ingest processes behind one address (nginx), until it is asked to stop. What dies is
started again. Its services stay; `python -m deploy.bare down` stops them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy.balancer import Balancer
from deploy.bare.__main__ import environment, services
from deploy.children import Child, Command
from deploy.place import Place
from deploy.processes import free_ports
from deploy.refusal import Refusal, from_os_error, tell
from deploy.service import stop, wait_ready
from deploy.supervisor import Asked, Bell, bell_of_signals

_ROOT = Path(__file__).resolve().parents[2]
_READY_S = 120.0
_STEP_S = 900.0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class City:
    """The processes of one run. `webs`, `ingests`: how many of each."""

    def __init__(self, place: Place, webs: int, ingests: int, *, simulate: bool) -> None:
        self._place = place
        self._logs = place.folder("log")
        env = {name: value for name, value in environment(place).items() if name.startswith("CHENGYUN_")}
        self._env = {**os.environ, **env, "CHENGYUN_VAR": str(place.folder("city")), "PYTHONPATH": str(_ROOT)}
        self._ports = tuple(free_ports(webs))
        self.balancer = Balancer(place, self._ports)
        self._commands = [
            *(Command(f"ingest-{n + 1}", ("ingest",), 15) for n in range(ingests)),
            Command("relay", ("relay",), 10),
            *(Command(f"web-{n + 1}", ("web",), 10) for n in range(webs)),
            Command("feeds", ("feed", "run"), 10),
            *([Command("feed", ("feed", "simulate"), 10)] if simulate else []),
        ]
        self._children: list[Child] = []

    def prepare(self, steps: list[Command]) -> None:
        """Run what must succeed first."""
        for step in steps:
            child = self._child(step, {})
            child.start(time.monotonic())
            code = child.wait(_STEP_S)
            if code != 0:
                child.stop(1)
                raise Refusal(
                    f"{step.name} 失败（{code}），日志 {child.log}",
                    f"{step.name} failed ({code}): {child.last_words()}",
                )

    def start(self) -> None:
        """Everything, and one address before it; returns when /readyz says 200 there."""
        ports = iter(self._ports)
        for command in self._commands:
            more = {"CHENGYUN_HTTP_PORT": str(next(ports))} if command.words[0] == "web" else {}
            child = self._child(command, more)
            self._children.append(child)
            child.start(time.monotonic())
        self.balancer.install(_say)
        if self.balancer.processes():
            stop(self.balancer)  # of a run that was killed; its web processes are gone
        begun = time.monotonic()
        self.balancer.start()
        for name, took in wait_ready([(self.balancer, begun)], 20):
            _say(f"{name}: ready after {took:.1f} s")

    def ready(self) -> bool:
        """Whether the product says so of itself."""
        try:
            with urllib.request.urlopen(f"{self.balancer.address()}/readyz", timeout=3):  # noqa: S310 - http
                return True
        except OSError:
            return False

    def look_after(self) -> float:
        """Start again what died; seconds until there is something to do."""
        now = time.monotonic()
        for child in self._children:
            code = child.ended(now)
            if code is not None and child.due is not None:
                _say(
                    f"{child.command.name} ended ({code}), starts again in {child.due - now:.0f} s: {child.log}"
                )
            elif child.due is not None and child.due <= now:
                child.start(now)
        if not self.balancer.running.alive():
            _say("balancer ended, starts again")
            self.balancer.start()
        return min([5.0, *(max(0.0, child.due - now) for child in self._children if child.due is not None)])

    def stop(self) -> None:
        """Feeds first, so that nothing new comes; then the screens, then who writes."""
        stop(self.balancer)
        for child in reversed(self._children):
            child.stop(child.command.patience_s)

    def _child(self, command: Command, more: Mapping[str, str]) -> Child:
        return Child(command, _ROOT / "app.py", _ROOT, {**self._env, **more}, self._logs)


def _waits(city: City, bell: Bell) -> Iterator[None]:
    begun = time.monotonic()
    while not city.ready():
        if time.monotonic() - begun > _READY_S:
            raise Refusal(
                "城市未能就绪，见日志", f"the city is not ready after {_READY_S:.0f} s; see its logs"
            )
        bell.wait(min(0.3, city.look_after()))
        yield


def main(argv: list[str] | None = None) -> int:
    """0 when it was asked to stop; 1 with one sentence when something stands in the way."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bare.city", description=__doc__)
    parser.add_argument("--dir", type=Path, default=_ROOT / "var" / "bare", help="the place of deploy.bare")
    parser.add_argument("--web", type=int, default=2)
    parser.add_argument("--ingest", type=int, default=2)
    parser.add_argument("--sample", action="store_true", help="load the sample city into an empty store")
    parser.add_argument("--simulate", action="store_true", help="feed it with simulated data")
    args = parser.parse_args(argv)
    if not (1 <= args.web <= 16 and 1 <= args.ingest <= 16):
        parser.error("--web and --ingest: 1 to 16")
    place = Place(args.dir.resolve())
    steps = [Command("migrate", ("migrate",), 20)]
    if args.sample:
        steps.append(Command("init", ("init", "--sample"), 20))
    try:
        down = [name for name, service in services(place).items() if not service.processes()]
        if down:
            raise Refusal(
                f"{', '.join(down)} 未运行：先执行 python -m deploy.bare up",
                f"{', '.join(down)}: not running; first python -m deploy.bare up",
            )
        with bell_of_signals() as bell:
            city = City(place, args.web, args.ingest, simulate=args.simulate)
            try:
                city.prepare(steps)
                city.start()
                for _ in _waits(city, bell):
                    pass
                print(f"ready {city.balancer.address()}/", flush=True)
                while True:
                    bell.wait(city.look_after())
            except Asked:
                return 0
            finally:
                city.stop()
    except Refusal as refusal:
        tell(refusal)
    except OSError as error:
        tell(from_os_error(error))
    return 1


if __name__ == "__main__":
    sys.exit(main())
