"""The command line of feeds: `feed simulate` and `feed replay FILE … --as KIND`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import IO, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.feed.city import CityView, Registrar
from streams.feed.columns import HOTLINE, KINDS, SENSOR, parse_overrides
from streams.feed.http_sink import HttpSink
from streams.feed.recording import RecordingError
from streams.feed.replay import Plan, replay
from streams.feed.sending import FeedRefused, FeedStopped, Sink, Stop
from streams.feed.simulate import Limits, simulate


class ClosableSink(Sink, Protocol):
    """A sink that is given back after use (a Producer of the bus is one)."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FeedDeps:
    """What the composition root hands to feeds; each opener is called only when it is needed.

    `producer` opens a producer of the bus, `city` reads the registries, `registrar` opens the store for a
    replay's registrations; `clock` gives aware UTC; `zone` is the city's time zone; `stop` ends the feed.
    """

    producer: Callable[[], ClosableSink]
    city: Callable[[], CityView]
    registrar: Callable[[], Registrar]
    clock: Callable[[], datetime]
    zone: tzinfo
    stop: Stop


def add_arguments(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add `feed` with its `simulate`, `replay` and `run` to the command line of the product; return its parser."""
    feed = subparsers.add_parser("feed", help="send simulated or recorded data to the bus")
    kinds = feed.add_subparsers(dest="feed_command", required=True)

    sim = kinds.add_parser("simulate", help="a plausible day of the city, for ever")
    sim.add_argument("--seed", type=int, default=1, help="another seed, another day (default 1)")
    sim.add_argument("--rate", type=_positive, help="readings per second (default: the devices' own periods)")
    sim.add_argument("--speed", type=_positive, default=1.0, help="how fast the day passes (default 1)")
    sim.add_argument("--at", type=_hour, metavar="HH:MM", help="local time at which the day begins")
    sim.add_argument("--minutes", type=_positive, help="stop after so many minutes")
    sim.add_argument("--count", type=_whole, help="stop after so many messages")

    rep = kinds.add_parser("replay", help="real recordings, at the recorded pace or faster")
    rep.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV files, .gz too")
    rep.add_argument("--as", dest="kind", required=True, choices=KINDS, help="what the rows are")
    rep.add_argument("--speed", type=_speed, default=1.0, help="times the recorded pace, or max (default 1)")
    rep.add_argument("--keep-time", action="store_true", help="keep recorded times: an import of history")
    rep.add_argument(
        "--columns", type=_columns, default={}, metavar="NAME=COLUMN,…", help="which column is what"
    )
    rep.add_argument("--encoding", default="", help="default: UTF-8 or GB18030, as found")
    rep.add_argument("--zone", type=_zone, help="zone of times that name none (default: the city's)")
    rep.add_argument("--channel", default="", help="channel of reports (default: grid, or hotline)")
    rep.add_argument("--feed", default="", help="id of the feed (default: replay-<file>)")
    rep.add_argument("--batch", type=_whole, default=500, help="most messages per batch (default 500)")

    adapters = kinds.add_parser("run", help="fetch the configured feeds (docs/feeds.md)")
    adapters.add_argument("ids", nargs="*", metavar="ID", help="only these (default: all that are enabled)")

    for parser in (sim, rep):
        parser.add_argument("--record", type=Path, metavar="FILE", help="write what was sent, as JSON lines")
        parser.add_argument("--url", default="", help="send over HTTP to this address instead of to the bus")
        parser.add_argument("--token-file", type=Path, help="file with the feed's token, for --url")
    return feed


def run(args: argparse.Namespace, deps: FeedDeps) -> int:
    """Do what was asked; 0 when done or stopped, 1 when it could not be done (said on stderr)."""
    try:
        with ExitStack() as stack:
            record: IO[bytes] | None = stack.enter_context(args.record.open("wb")) if args.record else None
            sink = _sink(args, deps)
            stack.callback(sink.close)
            if args.feed_command == "simulate":
                _simulate(args, deps, sink, record)
            else:
                _replay(args, deps, sink, record)
            if isinstance(sink, HttpSink) and sink.refused:
                say(f"{sink.refused} messages were refused over HTTP")
    except FeedStopped as stopped:
        say(str(stopped))
    except (RecordingError, FeedRefused, OSError, ValueError) as error:
        say(f"{type(error).__name__}: {error}" if isinstance(error, OSError) else str(error))
        return 1
    return 0


def say(line: str) -> None:
    """Print a line for the person who started the feed: on stderr, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _sink(args: argparse.Namespace, deps: FeedDeps) -> ClosableSink:
    if not args.url:
        return deps.producer()
    if args.token_file is None:
        raise ValueError("--url needs --token-file: a file with the feed's token")
    return HttpSink(args.url, args.token_file.read_text(encoding="utf-8").strip())


def _simulate(args: argparse.Namespace, deps: FeedDeps, sink: Sink, record: IO[bytes] | None) -> None:
    opens = None
    if args.at is not None:
        local = deps.clock().astimezone(deps.zone)
        opens = local.replace(hour=0, minute=0, second=0, microsecond=0) + args.at
    simulate(
        deps.city(),
        sink,
        deps.clock,
        args.seed,
        args.rate,
        args.speed,
        deps.stop,
        say,
        deps.zone,
        opens,
        Limits(args.count, args.minutes),
        record,
    )


def _replay(args: argparse.Namespace, deps: FeedDeps, sink: Sink, record: IO[bytes] | None) -> None:
    city = deps.city()
    registrar = deps.registrar()
    if args.channel and args.kind == SENSOR:
        raise ValueError(f"--channel {args.channel}: a sensor has no channel; it is for reports")
    if args.channel and args.kind == HOTLINE and args.channel != "hotline":
        raise ValueError(f"--channel {args.channel}: a hotline ticket's channel is hotline")
    for path in args.files:
        if deps.stop.is_set():
            return
        plan = Plan(
            path,
            args.kind,
            (city.lon, city.lat),
            args.speed,
            args.keep_time,
            args.zone or deps.zone,
            args.columns,
            args.encoding,
            args.channel,
            args.feed,
            args.batch,
        )
        replay(plan, sink, registrar, deps.clock, deps.stop, say, record)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r}: must be above 0")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be at least 1")
    return value


def _speed(text: str) -> float | None:
    return None if text == "max" else _positive(text)


def _hour(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise argparse.ArgumentTypeError(f"{text!r}: must be HH:MM")
    return timedelta(hours=int(match[1]), minutes=int(match[2]))


def _columns(text: str) -> dict[str, str]:
    try:
        return parse_overrides(text)
    except RecordingError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r}: no such time zone") from None
