"""`python -m deploy.mosquitto run|env [--dir DIR] [--host H] [--port N] [--queue-mb N] [--reserve-mb N] …`."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deploy.mosquitto.config import GATEWAY, Options
from deploy.mosquitto.watch import Watchman, run
from deploy.place import Place
from deploy.refusal import Refusal, from_os_error, tell
from settings import BadSetting, read

MOST_FILES = 1_048_576


def _say(text: str) -> None:
    print(f"mosquitto: {text}", file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """The command line; 0 when told to stop, else Mosquitto's exit code or 1 with one sentence."""
    parser = argparse.ArgumentParser(prog="python -m deploy.mosquitto", description=__doc__)
    parser.add_argument("command", choices=["run", "env"], help="env: print CHENGYUN_MQTT for the gateway")
    parser.add_argument(
        "--dir", type=Path, help="folder of data and accounts; default: mosquitto in CHENGYUN_VAR"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address on which devices are served")
    parser.add_argument(
        "--port", type=int, default=0, help="port; default: that of CHENGYUN_MQTT, else one is chosen"
    )
    parser.add_argument(
        "--queue-mb",
        type=int,
        default=0,
        help="most that waits for a gateway that is away; default: CHENGYUN_MQTT_QUEUE_MB",
    )
    parser.add_argument(
        "--reserve-mb", type=int, default=512, help="room kept free on the disk beside the queue"
    )
    parser.add_argument("--cert", default="", help="PEM certificate: with --key, TLS")
    parser.add_argument("--key", default="", help="PEM key of --cert")
    args = parser.parse_args(argv)
    try:
        settings = read()
        if bool(args.cert) != bool(args.key):
            parser.error("--cert and --key: both or none")
        folder = (args.dir or settings.mqtt_access.parent).resolve()
        given = urlsplit(settings.mqtt) if settings.mqtt and args.command == "run" else None
        place = Place(folder)
        port = args.port or (given.port if given else 0) or 0
        port = port or place.port("mqtt") or place.usable_port("mqtt")
        user = unquote(given.username or "") if given else GATEWAY
        password = unquote(given.password or "") if given else place.password("mqtt")
        if args.command == "env":
            scheme = "mqtts" if args.cert else "mqtt"
            print(f"export CHENGYUN_MQTT='{scheme}://{user}:{password}@127.0.0.1:{port}'")
            return 0
        queue_mb = args.queue_mb or settings.mqtt_queue_mb
        options = Options(
            args.host, port, queue_mb, settings.max_message_kb, args.reserve_mb, args.cert, args.key
        )
        return _run(Watchman(folder, options, user, password, _say))
    except (BadSetting, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except Refusal as refusal:
        tell(refusal)
    except OSError as error:
        tell(from_os_error(error))
    return 1


def _many_files() -> None:
    """As many connections as the system lets us have: a device is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _run(watchman: Watchman) -> int:
    _many_files()
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: asked.append(got))
    return run(watchman, lambda: bool(asked))


if __name__ == "__main__":
    sys.exit(main())
