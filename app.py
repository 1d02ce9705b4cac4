"""Chengyun 城运: the composition root and the command line. Who meets whom is said here and nowhere else.

python app.py web | ingest | relay | feed | demo | migrate | init | deadletter | reconcile | backup | restore |
              bench
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

import settings as configuration
from settings import BadSetting, Settings


def clock() -> datetime:
    """The one real clock."""
    return datetime.now(UTC)


def log_json(level: str) -> None:
    """JSON lines on standard error, one clock, correlation ids from the context."""
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*chain, as_json],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper(), logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log by the standard library: the same lines, with the logger's name.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *chain],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, as_json],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def stop_on_signals() -> threading.Event:
    """Set by SIGTERM and SIGINT: stop in order."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


class Parts:
    """The parts that several processes share, made when first asked for."""

    def __init__(self, s: Settings, name: str) -> None:
        from data.accounts import Accounts
        from data.audit import Audit
        from data.database import Busy, Database, StoreUnavailable
        from data.live import LiveAway, LiveState
        from streams.bus import open_bus

        for setting, value in (
            ("CHENGYUN_DSN", s.dsn),
            ("CHENGYUN_BUS", s.bus),
            ("CHENGYUN_LIVE_URL", s.live_url),
        ):
            if not value:
                raise BadSetting(f"{setting} is not set; `make run` sets it for the embedded services")
        self.settings = s
        self.database = Database(s.dsn, size=24 if name == "web" else 8, name=f"chengyun-{name}")
        self.bus = open_bus(s.bus, s.partitions)
        self.live = LiveState(s.live_url)
        self.audit = Audit(self.database)
        self.accounts = Accounts(self.database, attempts=s.login_attempts, lock_min=s.login_lock_min)
        self.store_away = (StoreUnavailable, Busy)
        self.away = (StoreUnavailable, Busy, LiveAway)

    def city(self) -> Any:
        """(facts, cell finder). Raises NoCity."""
        from data.city_facts import CellFinder, load_facts

        facts = load_facts(self.database)
        return facts, CellFinder(self.database, facts)

    def units_of_work(self, finder: Any) -> Any:
        """The factory of units of work."""
        from data.administration import Administration
        from data.uow import UnitsOfWork

        return UnitsOfWork(self.database, self.audit, Administration(self.accounts), finder.place_of)

    def service(self, facts: Any, finder: Any, extra: Callable[[], dict[str, Any]]) -> Any:
        """The one door of the domain."""
        from data.questions.answers import StoreQuestions
        from incidents.service import City, CityService

        questions = StoreQuestions(self.database, finder.place_of, extra, lambda: facts.path)
        city = City(facts.number_pattern, self.settings.timezone, facts.path)
        return CityService(self.units_of_work(finder), questions, clock, city)


def topics_of(partitions: int) -> dict[str, int]:
    """Every topic with its number of partitions; outputs and dead letters need no more than one."""
    from streams import topics

    return {t: partitions if t in topics.INPUT_TOPICS else 1 for t in topics.ALL_TOPICS}


def migrate(s: Settings, args: argparse.Namespace) -> int:
    """Bring schema and topics up to date."""
    from data.database import Database
    from data.migrate import migrate as run
    from data.timeseries import enable
    from streams.bus import open_bus

    database = Database(s.dsn, name="chengyun-migrate")
    done = run(database)
    edition = enable(database)
    if s.bus:
        inspector = open_bus(s.bus, s.partitions).inspector()
        inspector.ensure_topics(topics_of(s.partitions))
        inspector.close()
    print(f"migrations run: {done or 'none, up to date'}; store: {edition}")
    return 0


def init(s: Settings, args: argparse.Namespace) -> int:
    """A new city: empty with a name, or the sample city."""
    from argon2 import PasswordHasher

    from data.accounts import Accounts
    from data.accounts_file import NAME, write_accounts
    from data.database import Database
    from data.init_city import BadCity, Made, NewCity, init_empty, init_sample

    if not args.sample:
        missing = [f"--{x}" for x in ("name", "code", "lon", "lat") if getattr(args, x) is None]
        if missing:
            print(f"init: {', '.join(missing)} must be given (or --sample: the sample city)", file=sys.stderr)
            return 2

    def keep(made: Made) -> None:
        write_accounts(s.var, made.passwords, made.tokens)

    database = Database(s.dsn, name="chengyun-init")
    # First passwords are random (59 bits) and changed at the first login: a light hash protects them enough,
    # and 460 sample accounts do not take half a minute.
    light = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    accounts = Accounts(database, attempts=s.login_attempts, lock_min=s.login_lock_min, hasher=light)
    try:
        if args.sample:
            made = init_sample(database, accounts, clock(), keep)
        else:
            city = NewCity(
                args.name,
                args.name_en or args.name,
                args.code,
                args.lon,
                args.lat,
                args.reach_km,
                args.number_pattern,
            )
            made = init_empty(database, accounts, city, clock(), keep)
    except BadCity as error:
        print(f"init: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"init: {s.var / NAME}: {error.strerror}; no city was made", file=sys.stderr)
        return 1
    if made is None:
        print("the store already holds a city; nothing changed")
        if not (s.var / NAME).exists() and (waiting := accounts.never_entered()):
            print(
                f"{s.var / NAME} is not there, and {waiting} accounts still have their first passwords:"
                " an administrator gives new ones (`make reset` starts anew)"
            )
        return 0
    print(f"accounts and feed tokens: {s.var / NAME}")
    return 0


def web(s: Settings, args: argparse.Namespace) -> int:
    """Pages, live stream, REST."""
    from callbacks.dash_app import make_dash
    from callbacks.dash_view import DashDeps
    from callbacks.http.deps import Deps
    from callbacks.http.login import actor_of
    from callbacks.http.phone import phone_router
    from callbacks.http.text import text_router
    from callbacks.http.tiles import tiles_router
    from callbacks.server import WebServer, make_server
    from data.feed_tokens import FeedTokens
    from data.map_layers import StoreLayers
    from data.migrate import pending
    from data.photos import Photos
    from data.sessions import Sessions
    from data.store_counts import store_counts
    from streams import topics
    from streams.envelope import Bad, decode, key_of

    parts = Parts(s, "web")
    facts, finder = parts.city()
    inspector = parts.bus.inspector()
    limit = s.max_message_kb * 1024
    service = parts.service(facts, finder, lambda: process_facts(parts, inspector))

    def check_message(topic: str, value: bytes) -> str:
        return key_of(topic, decode(topic, value, limit))

    def migrations_current() -> str:
        waiting = pending(parts.database)
        return f"migrations {waiting} have not run" if waiting else ""

    def unit_name(actor: Any) -> str:
        rows = parts.database.query("SELECT name FROM units WHERE code = %s", (actor.unit,))
        return str(rows[0][0]) if rows else ""

    dash_app = make_dash(DashDeps(service, facts.name, facts.name_en, facts.centre, s.timezone))
    groups = {t: f"{s.ingest_group}-{lane}" for lane, ts in lanes().items() for t in ts}
    app = make_server(
        Deps(
            service=service,
            accounts=parts.accounts,
            sessions=Sessions(parts.database, lifetime_h=s.session_h, idle_min=s.session_idle_min),
            audit=parts.audit,
            photos=Photos(parts.database),
            feeds=FeedTokens(parts.database),
            live=parts.live,
            producer=parts.bus.producer(),
            inspector=inspector,
            check_message=check_message,
            bad_message=Bad,
            topics=topics.INPUT_TOPICS,
            position_topic=topics.POSITION,
            migrations_current=migrations_current,
            counts=partial(store_counts, parts.database),
            now=clock,
            store_away=parts.store_away,
            dash_server=dash_app.server,
            script_sources=tuple(dash_app.csp_hashes()),
            routers=(
                tiles_router(StoreLayers(parts.database), actor_of),
                text_router(),
                phone_router(actor_of, unit_name=unit_name, timezone=s.timezone),
            ),
            ingest_groups=groups,
            tls=bool(s.tls_cert),
            max_message_bytes=limit,
            metrics_token=s.metrics_token,
            session_h=s.session_h,
            timezone=s.timezone,
        )
    )
    WebServer(
        app,
        host=s.http_host,
        port=s.http_port,
        ssl_certfile=s.tls_cert or None,
        ssl_keyfile=s.tls_key or None,
    ).run()
    return 0


def process_facts(parts: Parts, inspector: Any) -> dict[str, Any]:
    """What a web process knows of the bus and the live state, for /status and the ledger."""
    from data.live import LiveAway
    from incidents.ports import BusUnavailable
    from streams import topics

    facts: dict[str, Any] = {"bus": parts.bus.name}
    try:
        ends: dict[str, int] = {}
        for topic in topics.INPUT_TOPICS:
            for partition, (_, end) in inspector.ranges(topic).items():
                ends[f"{partition.topic}/{partition.partition}"] = end
        facts["bus_ends"] = ends
    except BusUnavailable as error:
        facts["bus_away"] = str(error)
    try:
        epoch, n = parts.live.version()
        facts["live"] = {"epoch": epoch, "n": n}
        facts["beats"] = parts.live.beats()
    except LiveAway as error:
        facts["live_away"] = str(error)
    return facts


def lanes() -> dict[str, tuple[str, ...]]:
    """Consumer lanes: critical messages never wait behind ordinary ones."""
    from streams import topics

    return {"ordinary": topics.ORDINARY_TOPICS, "critical": topics.CRITICAL_TOPICS}


def ingest(s: Settings, args: argparse.Namespace) -> int:
    """Consume the bus: one thread a lane, or one lane a process (`--lane`)."""
    from data.boards import newest_values, workers_shown
    from data.city_facts import NoCity
    from data.flush import FlushStore
    from data.live import LiveAway
    from incidents.triage import triage
    from streams.consumer import Consumer, Counters
    from streams.live_feed import LiveFeed
    from streams.live_items import LiveValues, warning_items, worker_places
    from streams.validate import Limits

    stop = stop_on_signals()
    parts = Parts(s, "ingest")
    facts, finder = parts.city()
    finder.refresh()
    units = parts.units_of_work(finder)
    log = structlog.get_logger()
    limits = Limits(
        max_age=timedelta(hours=s.max_age_h),
        max_ahead=timedelta(seconds=s.max_ahead_s),
        max_bytes=s.max_message_kb * 1024,
        centre_lon=facts.centre[0],
        centre_lat=facts.centre[1],
        max_distance_m=facts.reach_m,
    )

    waiting = threading.Event()

    def take_in() -> None:
        """Step 6: intake → incidents, in a thread of its own so that a flood of reports never holds up readings.

        What fails stays waiting in the store and is tried again within half a second.
        """
        while not stop.is_set():
            waiting.wait(0.5)
            waiting.clear()
            try:
                while not stop.is_set():
                    with units() as uow:
                        taken = triage(uow, clock(), facts.number_pattern, s.timezone)
                    if not taken:
                        break
                    for one in taken:
                        what = "incident joined" if one.joined else "incident opened"
                        log.info(what, **asdict(one))
            except parts.store_away as error:
                log.warning("triage waits for the store", error=str(error))
                stop.wait(0.5)

    chosen = lanes() if args.lane == "all" else {args.lane: lanes()[args.lane]}
    failed: list[BaseException] = []

    def watched(work: Callable[[], None]) -> None:
        """A thread that dies takes the process with it: the supervisor starts it again, in one piece."""
        try:
            work()
        except BaseException as error:
            failed.append(error)
            stop.set()
            raise

    live_feed = LiveFeed(parts.live, parts.away)
    lanes_alive: dict[str, float] = {}

    counters: dict[str, Counters] = {}

    def heartbeats() -> None:
        """A lane that turned within the last seconds is alive; one that hangs is not said to be."""
        for lane, at in list(lanes_alive.items()):
            if time.monotonic() - at < 10:
                totals = asdict(counters[lane])
                parts.live.beat(f"ingest:{lane}:{os.getpid()}", int(time.time() * 1000), totals)

    def run_lane(lane: str, topics_: tuple[str, ...]) -> None:
        values = LiveValues()

        def after(work: Any) -> None:
            lanes_alive[lane] = time.monotonic()
            if work.flush.intake:
                waiting.set()
            shown, gone = warning_items(work)
            places = worker_places(work)
            try:
                items = [*values.items(work, partial(newest_values, parts.database)), *shown]
                if places:
                    items += workers_shown(parts.database, places)
            except parts.store_away as error:
                log.warning("live items wait for the store", error=str(error))
                return
            live_feed.put(items, gone)

        def idle() -> None:
            lanes_alive[lane] = time.monotonic()
            try:
                finder.refresh()
            except parts.store_away as error:
                log.warning("idle", error=str(error))

        consumer = Consumer(
            bus=parts.bus,
            group=f"{s.ingest_group}-{lane}",
            topics=topics_,
            store=FlushStore(parts.database),
            limits=limits,
            locate=finder.locate,
            clock=clock,
            after=after,
            idle=idle,
            store_away=(*parts.store_away, LiveAway, NoCity),
            batch=s.ingest_batch,
        )
        counters[lane] = consumer.counters
        consumer.run(stop)

    works: dict[str, Callable[[], None]] = {
        "ingest-triage": take_in,
        "ingest-live": partial(live_feed.run, stop, heartbeats),
        **{f"ingest-{lane}": partial(run_lane, lane, topics_) for lane, topics_ in chosen.items()},
    }
    threads = [threading.Thread(target=watched, args=(work,), name=name) for name, work in works.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 1 if failed else 0


def relay(s: Settings, args: argparse.Namespace) -> int:
    """Outbox → bus and live state; escalations, indicators, checks."""
    from data.clockwork import TIMERS, Clockwork
    from data.outbox import Outbox
    from data.reconcile import Reconciler
    from incidents.triage import escalate_due
    from streams.relay import Relay, Timer

    stop = stop_on_signals()
    parts = Parts(s, "relay")
    facts, finder = parts.city()
    units = parts.units_of_work(finder)
    inspector = parts.bus.inspector()
    outbox = Outbox(parts.database)

    def escalate(now: datetime) -> int:
        with units() as uow:
            return escalate_due(uow, now)

    clockwork = Clockwork(
        parts.database,
        parts.live,
        facts.path,
        Reconciler(parts.database, lambda: inspector),
        outbox,
        escalate,
        ZoneInfo(parts.settings.timezone),
    )

    def beat(now: datetime) -> None:
        totals = {"published": working.published, "refused": working.refused}
        parts.live.beat(f"relay:{os.getpid()}", int(now.timestamp() * 1000), totals)

    working = Relay(
        outbox=outbox,
        producer=parts.bus.producer(),
        live=parts.live,
        clock=clock,
        away=parts.away,
        timers=(
            Timer("beat", 2.0, beat),
            *(Timer(name, period, getattr(clockwork, name)) for name, period in TIMERS),
        ),
    )
    working.run(stop)
    return 0


def demo(s: Settings, args: argparse.Namespace) -> int:
    """Everything on embedded services (`make run`)."""
    from deploy.supervisor import run

    return run(s, lan=args.lan)


def reconcile(s: Settings, args: argparse.Namespace) -> int:
    """Check the whole ledger now; exit 1 when something disagrees."""
    from data.reconcile import Reconciler

    parts = Parts(s, "reconcile")
    inspector = parts.bus.inspector()
    found = Reconciler(parts.database, lambda: inspector).run(clock(), whole=True)
    for m in found:
        minute = m.minute.isoformat() if m.minute else "all"
        print(
            f"{m.kind} {m.topic}/{m.partition} feed={m.feed or '-'} {minute}: {m.expected} expected, {m.found} found"
        )
    print(f"{len(found)} mismatches")
    return 1 if found else 0


def deadletter(s: Settings, args: argparse.Namespace) -> int:
    """List open dead letters, or put them back on their topics."""
    from data.dead_letters import listing, replay

    parts = Parts(s, "deadletter")
    if args.what == "list":
        for line in listing(parts.database, args.topic, args.reason, args.limit):
            print(line)
        return 0
    done = replay(parts.database, parts.audit, args.topic, args.reason, args.limit, clock())
    print(f"{done.handed} dead letters handed to the relay")
    if done.too_large:
        print(
            f"{done.too_large} are too large for the bus and stay; send them anew in smaller messages",
            file=sys.stderr,
        )
    return 0


def backup(s: Settings, args: argparse.Namespace) -> int:
    """Write the whole store to one file while it runs."""
    from data.backup import backup as run

    parts = Parts(s, "backup")
    rows = run(parts.database, Path(args.file), clock())
    print(f"{args.file}: {sum(rows.values())} rows of {len(rows)} tables")
    return 0


def restore(s: Settings, args: argparse.Namespace) -> int:
    """Load a backup into an empty store; stop ingest and relay before."""
    from data.backup import BadBackup
    from data.backup import restore as run
    from streams import topics

    parts = Parts(s, "restore")
    inspector = parts.bus.inspector()

    def first_offsets() -> dict[Any, int]:
        return {p: first for t in topics.INPUT_TOPICS for p, (first, _) in inspector.ranges(t).items()}

    try:
        rows = run(parts.database, Path(args.file), first_offsets, same_bus=args.same_bus)
    except BadBackup as error:
        print(f"restore: {error}", file=sys.stderr)
        return 1
    print(f"{args.file}: {sum(rows.values())} rows restored")
    return 0


def bench(s: Settings, args: argparse.Namespace) -> int:
    """Run a bench; its last line on stdout is one JSON object."""
    from tests.bench import frame

    if args.list:
        print("\n".join(frame.BENCHES))
        return 0
    if not args.name:
        print("bench: which one? `python app.py bench --list`", file=sys.stderr)
        return 2
    return frame.main(args.name, quick=args.quick, data=args.data, profile=args.profile, out=args.out)


def feed(s: Settings, args: argparse.Namespace) -> int:
    """Simulate or replay: a client of the bus like any other."""
    from data.feed_registry import FeedRegistry, city_rows
    from streams import topics
    from streams.feed import city as view
    from streams.feed.cli import FeedDeps, run

    parts = Parts(s, "feed")
    facts, finder = parts.city()
    makers: dict[str, Callable[..., Any]] = {
        "devices": view.Device,
        "cameras": view.Camera,
        "alarm_kinds": view.AlarmKind,
        "workers": view.Worker,
        "places": view.Place,
        "classes": view.EventClass,
        "roads": view.Road,
    }

    def city() -> view.CityView:
        rows = city_rows(parts.database)
        made: dict[str, Any] = {
            name: tuple(make(*(tuple(v) if isinstance(v, list) else v for v in row)) for row in rows[name])
            for name, make in makers.items()
        }
        lon, lat = facts.centre
        feeds = dict.fromkeys(topics.INPUT_TOPICS, view.DEFAULT_FEED)
        return view.CityView(lon=lon, lat=lat, feeds=feeds, reach_km=facts.reach_m / 1000, **made)

    return run(
        args,
        FeedDeps(
            producer=parts.bus.producer,
            city=city,
            registrar=lambda: FeedRegistry(parts.database, finder.locate),
            clock=clock,
            zone=ZoneInfo(s.timezone),
            stop=stop_on_signals(),
        ),
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from incidents.numbering import DEFAULT_PATTERN

    top = argparse.ArgumentParser(prog="python app.py", description="Chengyun 城运")
    commands = top.add_subparsers(dest="command", required=True)

    def add(name: str, run: Callable[[Settings, argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=(run.__doc__ or "").split("\n")[0])
        sub.set_defaults(run=run)
        return sub

    add("web", web)
    add("ingest", ingest).add_argument("--lane", choices=("all", "ordinary", "critical"), default="all")
    add("relay", relay)
    add("demo", demo).add_argument("--lan", action="store_true", help="HTTPS on the local network, QR code")
    add("migrate", migrate)
    sub = add("init", init)
    sub.add_argument("--sample", action="store_true", help="load the sample city")
    sub.add_argument("--name", help="name of a new, empty city")
    sub.add_argument("--name-en", default="", help="its English name")
    sub.add_argument("--code", help="its six-digit division code")
    sub.add_argument("--lon", type=float, help="longitude of its centre, degrees EPSG:4326")
    sub.add_argument("--lat", type=float, help="latitude of its centre")
    sub.add_argument("--reach-km", type=float, default=25.0, help="how far it reaches from there, kilometres")
    sub.add_argument(
        "--number-pattern", default=DEFAULT_PATTERN, help="incident numbers: text, {date}, {serial:05d}"
    )
    add("reconcile", reconcile)
    add("backup", backup).add_argument("file")
    sub = add("restore", restore)
    sub.add_argument("file")
    sub.add_argument("--same-bus", action="store_true", help="the bus of the backup is still there: read on")
    from streams.feed.cli import add_arguments

    add_arguments(commands)
    commands.choices["feed"].set_defaults(run=feed)
    sub = add("bench", bench)
    sub.add_argument("name", nargs="?", default="")
    sub.add_argument("--list", action="store_true", help="name the benches")
    sub.add_argument("--quick", action="store_true", help="at most five minutes")
    sub.add_argument("--data", default="", help="a file of real data, where the bench takes one")
    sub.add_argument("--profile", choices=("auto", "embedded", "real"), default="auto")
    sub.add_argument("--out", default="", help="folder for the result file")
    sub = add("deadletter", deadletter)
    sub.add_argument("what", choices=("list", "replay"))
    sub.add_argument("--topic", default="")
    sub.add_argument("--reason", default="")
    sub.add_argument("--limit", type=int, default=1000)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; a wrong setting or a missing service is one sentence, not a traceback."""
    args = parser().parse_args(argv)
    try:
        s = configuration.read()
    except BadSetting as error:
        print(error, file=sys.stderr)
        return 2
    log_json(s.log)
    from data.city_facts import NoCity
    from data.database import StoreUnavailable
    from data.migrate import BadMigration
    from incidents.ports import BusUnavailable

    try:
        return int(args.run(s, args))
    except (BadSetting, NoCity, StoreUnavailable, BadMigration, BusUnavailable) as error:
        print(f"{args.command}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
