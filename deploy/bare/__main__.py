"""`python -m deploy.bare up|down|status|env|start|stop|restart|kill [NAME] [--dir DIR] [--json]`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from deploy.bare.kafka_broker import Kafka
from deploy.bare.parts import Part
from deploy.bare.redis_servers import RedisServer
from deploy.bare.timescale import Timescale
from deploy.place import Place
from deploy.refusal import Refusal, from_os_error, tell
from deploy.service import Service, kill, pids, stop, wait_ready

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_S = 90.0


def services(place: Place) -> dict[str, Part]:
    """The services of a place by name, in the order in which they start."""
    made: list[Part] = [
        Timescale(place),
        Kafka(place),
        RedisServer(place, "redis-bus", durable=True),
        RedisServer(place, "redis-live", durable=False),
    ]
    return {s.name: s for s in made}


def environment(place: Place) -> dict[str, str]:
    """What the product (CHENGYUN_) and its tests (TEST_) need to reach these services."""
    by_name = services(place)
    dsn, kafka = by_name["timescale"].address(), by_name["kafka"].address()
    bus, live = by_name["redis-bus"].address(), by_name["redis-live"].address()
    return {
        "CHENGYUN_DSN": dsn,
        "CHENGYUN_BUS": f"kafka://{kafka}",
        "CHENGYUN_LIVE_URL": live,
        "TEST_TIMESCALE_DSN": dsn,
        "TEST_KAFKA": kafka,
        "TEST_REDIS_URL": bus,
        "TEST_REDIS_LIVE_URL": live,
        "TEST_BARE_DIR": str(place.root),
    }


def exports(place: Place) -> str:
    """The environment as shell lines (no value holds a character that the shell would read)."""
    return "".join(f"export {name}='{value}'\n" for name, value in environment(place).items())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _up(place: Place, names: list[str]) -> None:
    chosen = [services(place)[n] for n in names]
    for service in chosen:
        service.install(_say)
    started: list[tuple[Service, float]] = []
    for service in chosen:
        if service.processes() and not service.ready():
            stop(service)  # a half-dead one, left by a killed run
        if not service.processes():
            started.append((service, time.monotonic()))
            service.start()
    for name, took in wait_ready(started, _PATIENCE_S):
        _say(f"{name}: ready after {took:.1f} s")


def _status(place: Place) -> dict[str, object]:
    return {
        "dir": str(place.root),
        "services": {
            name: {"pids": pids(s), "ready": bool(s.processes()) and s.ready(), "port": place.port(name)}
            for name, s in services(place).items()
        },
    }


def main(argv: list[str] | None = None) -> int:
    """The command line; 0 when done, 1 with one sentence on stderr when something stands in the way."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bare", description=__doc__)
    parser.add_argument(
        "command", choices=["up", "down", "status", "env", "install", "start", "stop", "restart", "kill"]
    )
    parser.add_argument("names", nargs="*", help="timescale, kafka, redis-bus, redis-live; none means all")
    parser.add_argument(
        "--dir", type=Path, default=_ROOT / "var" / "bare", help="folder of data, logs and ports"
    )
    parser.add_argument("--json", action="store_true", help="status as JSON, process ids included")
    args = parser.parse_args(argv)
    place = Place(args.dir.resolve())
    known = services(place)
    names: list[str] = args.names or list(known)
    wrong = [n for n in names if n not in known]
    if wrong:
        parser.error(f"no such service: {wrong[0]} (there are {', '.join(known)})")
    try:
        return _do(args.command, place, names, as_json=args.json)
    except Refusal as refusal:
        tell(refusal)
    except OSError as error:
        tell(from_os_error(error))
    return 1


def _do(command: str, place: Place, names: list[str], *, as_json: bool) -> int:
    known = services(place)
    if command == "env":
        print(exports(place), end="")
        return 0
    if command == "status":
        status = _status(place)
        if as_json:
            print(json.dumps(status))
        else:
            for name, s in known.items():
                print(f"{name}: {'ready' if s.processes() and s.ready() else 'down'} {pids(s)}")
        return 0 if all(s.processes() and s.ready() for s in known.values()) else 3
    with place.alone():
        if command == "install":
            for name in names:
                known[name].install(_say)
        if command in ("down", "stop", "restart"):
            for name in reversed(names):
                stop(known[name])
        if command == "kill":
            print(json.dumps({name: kill(known[name]) for name in names}))
        if command in ("up", "start", "restart"):
            _up(place, names)
    if command == "up":
        print(exports(place), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
