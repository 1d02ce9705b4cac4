"""Chengyun 城运: the composition root and the command line. Who meets whom is said here and nowhere else.

python app.py web | ingest | relay | gateway | feed | demo | migrate | init | import | device | pole | router | deadletter |
              reconcile | newbus | backup | restore | bench
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import structlog

import settings as configuration
from settings import BadSetting, Settings

if TYPE_CHECKING:
    from data.questions.context import TryFeed
    from incidents.gb28181 import Edition
    from incidents.ports import TopicPartition
    from streams.feeds.alarm_mapping import Alarms


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
        from data.city_router import CityRouter
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
        self.router = CityRouter(self.database, s.models)
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
        from data.working_days import WorkingDays
        from streams.feeds.checking import topics_of_feed

        administration = Administration(self.accounts, topics_of_feed)
        working = WorkingDays(self.database, self.settings.timezone)
        return UnitsOfWork(self.database, self.audit, administration, finder.place_of, working, self.router)

    def feed_world(self) -> Any:
        """What adapters of feeds are given."""
        from data.feed_sql import ForeignTable, SqlAway, SqlWrong
        from streams.feeds.addresses import AddressPolicy
        from streams.feeds.kinds import Surroundings
        from streams.feeds.sql_pull import sql_opener

        try:
            policy = AddressPolicy.parse(self.settings.feed_addresses)
        except ValueError as error:
            raise BadSetting(f"CHENGYUN_FEED_ADDRESSES: {error}") from None
        return Surroundings(
            clock, self.settings.drop_dir, policy, sql_opener(ForeignTable, SqlAway, SqlWrong)
        )

    def input_ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """First offset and end of every partition that ingest reads, as the bus has them."""
        from streams import topics

        inspector = self.bus.inspector()
        return {p: r for topic in topics.INPUT_TOPICS for p, r in inspector.ranges(topic).items()}

    def try_feed(self) -> TryFeed:
        """The look at a feed that leaves no trace."""
        from data.feed_states import FeedStates, stored_feed
        from streams.feeds.runner import StoredFeed
        from streams.feeds.trial import FeedTrial

        def lookup(feed: str) -> StoredFeed | None:
            row = stored_feed(self.database, feed)
            return StoredFeed(*row[:6]) if row else None

        limit = self.settings.max_message_kb * 1024
        return FeedTrial(lookup, FeedStates(self.database).load, self.feed_world(), limit, self.alarms())

    def alarms(self) -> Alarms:
        """Video systems as the city has set them up."""
        from data.alarm_sources import alarm_maps, camera_channels
        from streams.adapters.alarm import Source, shipped_kinds
        from streams.feeds.alarm_mapping import Alarms

        zone = ZoneInfo(self.settings.timezone)

        def source_of(feed: str, system: str, edition: Edition) -> Source:
            kinds = shipped_kinds({system: alarm_maps(self.database, system)})[system]
            return Source(feed, kinds, camera_channels(self.database, feed), zone, edition)

        return Alarms(source_of, clock)

    def service(self, facts: Any, finder: Any, extra: Callable[[], dict[str, Any]]) -> Any:
        """The one door of the domain."""
        from data.backtests import Backtests
        from data.questions.answers import StoreQuestions
        from incidents.service import City, CityService

        zone = self.settings.timezone
        questions = StoreQuestions(
            self.database, finder.place_of, extra, lambda: facts.path, self.try_feed(), zone,
            Backtests(self.database, self.router, self.settings.models, zone),
        )  # fmt: skip
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
    from data.timeseries import compress_after, enable
    from streams.bus import open_bus

    database = Database(s.dsn, name="chengyun-migrate")
    done = run(database)
    edition = enable(database, s.timezone)
    compress_after(database, s.compress_after_days)
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
    from callbacks.http.base_maps import base_maps_router
    from callbacks.http.deps import Deps
    from callbacks.http.login import actor_of
    from callbacks.http.phone import phone_router
    from callbacks.http.text import text_router
    from callbacks.http.tiles import tiles_router
    from callbacks.http.video import video_router
    from callbacks.http.webhook import webhook_router
    from callbacks.server import WebServer, make_server
    from data.base_maps import BaseMaps, MapAway, read_base_maps
    from data.device_access import DeviceAccess
    from data.feed_tokens import FeedTokens
    from data.map_layers import StoreLayers
    from data.migrate import pending
    from data.photos import Photos
    from data.screen_pairing import Pairings, TooManyCodes
    from data.sessions import Sessions
    from data.situations import Situations
    from data.store_counts import store_counts
    from data.view_links import SAMPLE_FILES, ViewLinks, sample_file
    from incidents.gateway import Rate
    from incidents.gb28181 import EDITIONS
    from streams import cloudevents, topics
    from streams.adapters.alarm import Quiet, message
    from streams.adapters.letter import letter_of
    from streams.adapters.table import ADAPTERS
    from streams.device_payload import message_of
    from streams.envelope import Bad, decode, key_of

    parts = Parts(s, "web")
    facts, finder = parts.city()
    inspector = parts.bus.inspector()
    limit = s.max_message_kb * 1024
    service = parts.service(facts, finder, lambda: process_facts(parts, inspector))

    def check_message(topic: str, value: bytes) -> str:
        key = key_of(topic, decode(topic, value, limit))
        cloudevents.check(value)
        return key

    alarms = parts.alarms()

    def adapt_alarm(feed: str, system: str, edition: Any, payload: bytes) -> tuple[str, bytes] | str:
        if system not in ADAPTERS:
            raise Bad("unknown_system", field="system", found=system, rule=f"one of {', '.join(ADAPTERS)}")
        if edition not in EDITIONS:
            raise Bad("unknown_edition", field="edition", found=edition, rule=f"one of {', '.join(EDITIONS)}")
        source = alarms.source_of(feed, system, edition)
        found = ADAPTERS[system](payload, source, clock())
        return found.why if isinstance(found, Quiet) else (found.camera, message(source, found))

    def migrations_current() -> str:
        waiting = pending(parts.database)
        return f"migrations {waiting} have not run" if waiting else ""

    def unit_name(actor: Any) -> str:
        rows = parts.database.query("SELECT name FROM units WHERE code = %s", (actor.unit,))
        return str(rows[0][0]) if rows else ""

    producer = parts.bus.producer()
    dash_app = make_dash(DashDeps(service, facts.name, facts.name_en, facts.centre, s.timezone))
    base_maps = BaseMaps(read_base_maps(s.base_maps), s.base_map_key, clock)
    map_layers = StoreLayers(parts.database)
    map_layers.warm()
    groups = {t: f"{s.ingest_group}-{lane}" for lane, ts in lanes().items() for t in ts}
    app = make_server(
        Deps(
            service=service,
            accounts=parts.accounts,
            sessions=Sessions(parts.database, lifetime_h=s.session_h, idle_min=s.session_idle_min),
            audit=parts.audit,
            photos=Photos(parts.database),
            pairings=Pairings(parts.database),
            too_many_codes=TooManyCodes,
            feeds=FeedTokens(parts.database),
            live=parts.live,
            producer=producer,
            inspector=inspector,
            check_message=check_message,
            bad_message=Bad,
            topics=topics.INPUT_TOPICS,
            position_topic=topics.POSITION,
            migrations_current=migrations_current,
            alarm_topic=topics.VIDEO_ALARM,
            adapt_alarm=adapt_alarm,
            alarm_letter=lambda feed, system, value, bad: letter_of(feed, system, value, bad, clock()),
            counts=partial(store_counts, parts.database),
            now=clock,
            past=Situations(
                parts.database,
                facts.path,
                ZoneInfo(s.timezone),
                timedelta(days=s.replay_days) if s.replay_days else None,
            ),
            store_away=parts.store_away,
            dash_server=dash_app.server,
            script_sources=tuple(dash_app.csp_hashes()),
            routers=(
                tiles_router(map_layers, actor_of),
                base_maps_router(base_maps, MapAway, actor_of),
                text_router(),
                phone_router(actor_of, unit_name=unit_name, timezone=s.timezone),
                webhook_router(webhook_intake(parts, producer, limit).take, parts.store_away),
                video_router(
                    ViewLinks(parts.database),
                    parts.audit,
                    clock,
                    {name: (sample_file(name), kind) for name, kind in SAMPLE_FILES.items()},
                    s.timezone,
                ),
            ),
            ingest_groups=groups,
            devices=DeviceAccess(parts.database),
            device_message=lambda sender, value, cause: message_of(sender, value, limit, cause).outgoing,
            device_rate=Rate(s.device_per_s, s.device_burst),
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


def webhook_intake(parts: Parts, producer: Any, limit: int) -> Any:
    """Takes what feeds of the kind webhook send."""
    from data.feed_states import FeedStates, stored_feed
    from streams.feeds.checking import checked
    from streams.feeds.runner import StoredFeed
    from streams.feeds.webhook_intake import WebhookIntake

    def lookup(feed: str) -> tuple[StoredFeed, bool] | None:
        row = stored_feed(parts.database, feed)
        return (StoredFeed(*row[:6]), row[6]) if row else None

    check = partial(checked, alarms=parts.alarms())
    return WebhookIntake(lookup, check, producer, FeedStates(parts.database), clock, limit)


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
    from data.health import keep_skews
    from data.live import LiveAway
    from incidents.triage import triage
    from streams.consumer import Consumer, Counters
    from streams.garbage import sweep_garbage
    from streams.live_feed import LiveFeed
    from streams.live_items import LiveValues, warning_items, worker_places
    from streams.skews import Skews
    from streams.validate import Limits

    # The thread that stores asks for its turn after each of some twenty answers of the store: 5 ms each, Python's usual
    # patience with the one that judges meanwhile, is a third of the time that a flush is stored in.
    sys.setswitchinterval(0.0005)
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
                        taken = triage(uow, clock(), facts.number_pattern, s.timezone, city_path=facts.path)
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

    # A feed of its own for each lane: what is critical never waits for the rest after ordinary values.
    live_feeds = {lane: LiveFeed(parts.live, parts.away) for lane in chosen}
    lanes_alive: dict[str, float] = {}

    counters: dict[str, Counters] = {}
    skews = Skews(partial(keep_skews, parts.database, clock), parts.store_away)

    def heartbeat(lane: str) -> None:
        """A lane that turned within the last seconds is alive; one that hangs is not said to be."""
        at = lanes_alive.get(lane)
        if at is not None and time.monotonic() - at < 10:
            totals = asdict(counters[lane])
            parts.live.beat(f"ingest:{lane}:{os.getpid()}", int(time.time() * 1000), totals)

    def run_lane(lane: str, topics_: tuple[str, ...]) -> None:
        values = LiveValues()

        def after(work: Any) -> None:
            lanes_alive[lane] = time.monotonic()
            if work.flush.intake:
                waiting.set()
            skews.note(work.flush.delays)
            shown, gone = warning_items(work)
            places = worker_places(work)
            try:
                items = [*values.items(work, partial(newest_values, parts.database)), *shown]
                if places:
                    items += workers_shown(parts.database, places)
            except parts.store_away as error:
                log.warning("live items wait for the store", error=str(error))
                return
            live_feeds[lane].put(items, gone)

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
            store=FlushStore(parts.database, s.dead_letters_kept),
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
        "ingest-garbage": partial(sweep_garbage, stop),
        "ingest-skews": partial(skews.run, stop),
        **{
            f"ingest-live-{lane}": partial(live_feeds[lane].run, stop, partial(heartbeat, lane))
            for lane in chosen
        },
        **{f"ingest-{lane}": partial(run_lane, lane, topics_) for lane, topics_ in chosen.items()},
    }
    threads = [threading.Thread(target=watched, args=(work,), name=name) for name, work in works.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 1 if failed else 0


def gateway(s: Settings, args: argparse.Namespace) -> int:
    """Devices' readings from Mosquitto onto the bus, acknowledged only once the bus has them."""
    from data.device_access import DeviceAccess
    from data.live import LiveAway
    from incidents.gateway import Rate
    from streams.gateway.access_files import AccessFiles
    from streams.gateway.address import parse_address
    from streams.gateway.connection import Connection
    from streams.gateway.gateway import TOPICS, Gateway

    try:
        address = parse_address(s.mqtt)
    except ValueError as error:
        raise BadSetting(f"CHENGYUN_MQTT: {error}") from None
    stop = stop_on_signals()
    parts = Parts(s, "gateway")
    parts.city()
    files = AccessFiles(s.mqtt_access)
    log = structlog.get_logger()

    def subscribed(had_session: bool) -> None:
        working.subscribed(had_session)
        files.subscribed()

    def beat(totals: dict[str, int]) -> None:
        try:
            parts.live.beat(f"gateway:{os.getpid()}", int(time.time() * 1000), totals)
        except LiveAway as error:
            log.warning("heartbeat not told", error=str(error))

    working = Gateway(
        connection=Connection(address, TOPICS, subscribed),
        producer=parts.bus.producer(),
        store=DeviceAccess(parts.database),
        write_access=files.write,
        clock=clock,
        rate=Rate(s.device_per_s, s.device_burst),
        max_bytes=s.max_message_kb * 1024,
        store_away=parts.store_away,
    )
    failed: list[BaseException] = []
    over = threading.Event()  # after the last batch: what was refused in it is written down as well

    def books() -> None:
        try:
            working.keep(over, beat)
        except BaseException as error:
            failed.append(error)
            stop.set()
            raise

    thread = threading.Thread(target=books, name="gateway-books")
    thread.start()
    try:
        working.run(stop)
    finally:
        over.set()
        thread.join()
    return 1 if failed else 0


def relay(s: Settings, args: argparse.Namespace) -> int:
    """Outbox → bus and live state; escalations, indicators, checks."""
    from data.backlog import backlog
    from data.clockwork import TIMERS, Clockwork
    from data.map_layers import roads_of
    from data.outbox import Outbox
    from data.reconcile import READING_TOPICS, Reconciler
    from data.storage import broker_usage, bus_usage, files_usage, store_usage
    from incidents.deadlines import DeadlineRounds, announce_unpublished
    from incidents.outages import file_outages
    from incidents.ports import BusUnavailable
    from incidents.selfcheck import file_mismatches
    from incidents.shifted_sources import file_shifted
    from incidents.triage import escalate_due, raise_supervisions
    from incidents.vitals import Crossing, Vital, file_crossing
    from streams.relay import Relay, Timer

    stop = stop_on_signals()
    parts = Parts(s, "relay")
    facts, finder = parts.city()
    units = parts.units_of_work(finder)
    inspector = parts.bus.inspector()
    outbox = Outbox(parts.database)

    def escalate(now: datetime) -> int:
        with units() as uow:
            return escalate_due(uow, now) + raise_supervisions(uow, now)

    def file_standing(now: datetime) -> int:
        with units() as uow:
            return file_mismatches(uow, facts.path, now)

    def file_stopped(now: datetime, watching_since: datetime) -> int:
        with units() as uow:
            return file_outages(uow, facts.path, now, watching_since)

    def file_moved(now: datetime) -> int:
        with units() as uow:
            return file_shifted(uow, facts.path, now, partial(roads_of, parts.database))

    def file_vital(vital: Vital, crossed: Crossing, now: datetime) -> int:
        with units() as uow:
            return file_crossing(uow, vital, crossed, facts.path, now)

    rounds = DeadlineRounds(units, time.monotonic)

    def tend_deadlines(now: datetime) -> int:
        if rounds.rests(now):
            return 0
        with units() as uow:
            announced = announce_unpublished(uow, facts.path, now)
        return announced + rounds.turn(now)

    clockwork = Clockwork(
        parts.database,
        parts.live,
        facts.path,
        Reconciler(parts.database, lambda: inspector),
        outbox,
        escalate,
        file_standing,
        file_stopped,
        file_moved,
        tend_deadlines,
        file_vital,
        {
            "store": lambda: store_usage(parts.database, s.store_disk, s.store_capacity_gb),
            "bus": lambda: bus_usage(inspector.usage, s.bus_capacity_gb),
            "live": parts.live.usage,
            "broker": lambda: broker_usage(parts.live.counters, s.mqtt_queue_mb * 2**20),
            "files": lambda: files_usage(s.var),
        },
        ZoneInfo(parts.settings.timezone),
        parts.audit,
        timedelta(days=s.replay_days) if s.replay_days else None,
    )

    def beat(now: datetime) -> None:
        failing = len(working.failing)
        totals = {"published": working.published, "refused": working.refused, "failing": failing}
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

    def waiting() -> int:
        """Messages of readings on the bus; 0 when it cannot be asked: then nothing comes in either."""
        try:
            ends = {p: end for topic in READING_TOPICS for p, (_, end) in inspector.ranges(topic).items()}
        except BusUnavailable:
            return 0
        return backlog(parts.database, ends)

    rolling = threading.Thread(target=partial(roll_up, s, parts, stop, waiting), name="relay-rollup")
    rolling.start()
    try:
        working.run(stop)
    finally:
        stop.set()
        rolling.join(timeout=60)
    return 0


FLOOD: Final = 50_000
"""Messages that wait on the bus: from here on what comes in goes before what is summed."""


def roll_up(s: Settings, parts: Parts, stop: threading.Event, waiting: Callable[[], int]) -> None:
    """Rollups and retention, in a thread of their own so that a long step never holds up an escalation.

    Every relay does this, leading or not: the steps themselves see to it that one works at a time. What is not rolled
    up yet is read raw, so that a step may wait: behind, it takes a third of the time at most; a twentieth while ingest
    is behind as well (`waiting`: messages on the bus).
    """
    from data.retention import Retention
    from data.rollups import Rollups

    log = structlog.get_logger()
    rollups = Rollups(parts.database, ZoneInfo(s.timezone))
    keep = timedelta(days=s.keep_raw_days) if s.keep_raw_days else None
    retention = Retention(parts.database, rollups, keep)
    looked = -3600.0
    while not stop.is_set():
        more, rest, took, began = False, 2, 0.0, time.monotonic()
        try:
            more = rollups.step(clock()).more
            took = time.monotonic() - began
            rest = 19 if more and waiting() > FLOOD else 2
            if not more and time.monotonic() - looked >= 3600:
                looked = time.monotonic()
                while not stop.is_set() and retention.step(clock()):
                    pass
        except parts.store_away as error:
            log.warning("rollup waits for the store", error=str(error))
        except Exception:
            log.exception("rollup failed, tries again")
        stop.wait(rest * took + 0.05 if more else 10.0)


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


def device(s: Settings, args: argparse.Namespace) -> int:
    """Credentials of devices: issue, rotate, revoke. A secret is printed once; the store keeps only hashes."""
    from incidents import commands as c
    from incidents.model import Actor, Rejected

    parts = Parts(s, "device")
    facts, finder = parts.city()
    service = parts.service(facts, finder, dict)
    actor = Actor(0, "command line", "命令行", "administrator", "", (facts.path,))
    failed = 0
    for name in args.device:
        command: object = c.IssueDeviceCredential(name, args.days)
        if args.rotate:
            command = c.RotateDeviceCredential(name, args.overlap_h)
        elif args.revoke:
            command = c.RevokeDeviceCredential(name, args.number)
        try:
            done = service.handle(command, actor, "cli")
        except Rejected as error:
            print(f"device: {error}", file=sys.stderr)
            failed = 1
            continue
        if args.revoke:
            print(f"{name}\trevoked {', '.join(map(str, done['revoked']))}")
        else:
            print(f"{done['device']}\t{done['login']}\t{done['secret']}")
    return failed


def at_the_server(s: Settings, name: str) -> tuple[Any, Any]:
    """The domain's door, and who commands there: whoever may run the program on the server acts for the whole city, under
    that name in the audit log."""
    from data.dead_letters import COMMAND_LINE
    from incidents.model import Actor

    parts = Parts(s, name)
    facts, finder = parts.city()
    return parts.service(facts, finder, dict), Actor(
        0, COMMAND_LINE, COMMAND_LINE, "administrator", "", (facts.path,)
    )


def pole(s: Settings, args: argparse.Namespace) -> int:
    """Put a smart lamp pole together from registered devices and cameras, or take it apart."""
    from incidents import commands as c
    from incidents.model import Rejected

    service, actor = at_the_server(s, "pole")
    command: object = c.SavePole(args.id, args.name, args.part)
    if args.remove:
        command = c.RemovePole(args.id, args.remove)
    try:
        done = service.handle(command, actor, "cli")
    except Rejected as error:
        print(f"pole: {error}", file=sys.stderr)
        return 1
    print(f"{args.id}\tremoved" if args.remove else f"{args.id}\t{done['how']}\t{done['members']} parts")
    return 0


def workdays(s: Settings, args: argparse.Namespace) -> int:
    """Enter the working days of a year as the State Council published them."""
    from incidents.handling_commands import SaveWorkingYear
    from incidents.model import Rejected

    service, actor = at_the_server(s, "workdays")
    try:
        off, work = (_days(told) for told in (args.off, args.work))
        done = service.handle(SaveWorkingYear(args.year, off, work, args.source), actor, "cli")
    except (Rejected, ValueError) as error:
        print(f"workdays: {error}", file=sys.stderr)
        return 1
    print(f"{done['year']}\t{done['off']} weekdays off\t{done['work']} weekend days worked")
    print(
        f"{done['waiting']} deadlines are computed by these days now, by the relay; `status` tells how many still wait"
    )
    return 0


def _days(told: Sequence[str]) -> list[str]:
    """Dates and ranges BEGIN..END (of weekdays, where a range holds other days too) as dates. Raises ValueError."""
    from datetime import date, timedelta

    found: list[str] = []
    for one in told:
        begin, _, end = one.partition("..")
        day, last = date.fromisoformat(begin), date.fromisoformat(end or begin)
        while day <= last:
            if not end or day.weekday() < 5:
                found.append(day.isoformat())
            day += timedelta(days=1)
    return found


def import_table(s: Settings, args: argparse.Namespace) -> int:
    """Look at a table of devices or cameras (CSV, XLSX) or at boundaries (GeoJSON, a Shapefile in a ZIP), or with
    --confirm store all of it or nothing."""
    import base64

    from incidents.address_commands import ImportAddresses
    from incidents.catalogue_commands import ImportCatalogue
    from incidents.commands import ImportBoundaries, ImportCameras, ImportDevices
    from incidents.model import Rejected

    boundaries = args.what == "boundaries"
    if boundaries and not (args.level and args.crs):
        print("import boundaries: --level and --crs must be given", file=sys.stderr)
        return 2

    try:
        content = Path(args.file).read_bytes()
    except OSError as error:
        print(f"import: {args.file}: {error.strerror}", file=sys.stderr)
        return 1
    service, actor = at_the_server(s, "import")
    encoded, name = base64.b64encode(content).decode(), Path(args.file).name
    command: object = ImportBoundaries(
        encoded, args.level, args.crs, name, args.code_field, args.name_field, args.parent_field, args.confirm
    )
    if args.what == "catalogue":
        command = ImportCatalogue(encoded, name, args.name, confirm=args.confirm)
    elif args.what == "addresses":
        command = ImportAddresses(encoded, name, args.crs or "wgs84", args.confirm)
    elif not boundaries:
        make = ImportCameras if args.what == "cameras" else ImportDevices
        command = make(encoded, name, args.confirm)
    try:
        answer: dict[str, Any] = service.handle(command, actor, "rest")
    except Rejected as refused:
        answer = refused.facts
        print(f"import: {refused}", file=sys.stderr)
    for fault in answer.get("faults", ()):
        print(f"row {fault['row']}: {fault['column']}={fault['value']!r} must be {fault['rule']}")
    for row in answer.get("odd", ()):
        print(f"row {row['row']}: {row['code']}: limit {row['limit']!r} is for a person: {row['why']}")
    for row in answer.get("notes", ()):
        print(f"row {row['row']}: unusual: {', '.join(row['notes'])}")
    for kind in ("overlaps", "gaps", "outside"):
        for spot in answer.get(kind, ())[: args.show]:
            whose = ", ".join(spot["codes"]) or "nobody beside it"
            print(f"{kind}: {spot['area_m2']:,} m² at {spot['lon']}, {spot['lat']}: {whose}")
        if answer.get(f"{kind}_count"):
            print(f"{kind}: {answer[f'{kind}_count']} in all, {answer[f'{kind}_m2']:,} m²")
    for table, moved in answer.get("moved", {}).items():
        print(f"{table}: {moved} lie in another cell now")
    if "standards" in answer:
        parts = ("standards", "classes", "assumed", "several_units")
        print(
            ", ".join(f"{answer[part]} {part.replace('_', ' ')}" for part in parts),
            f"{len(answer['odd'])} odd",
            sep=", ",
        )
        print(f"stored as catalogue {answer['catalogue']}" if answer.get("stored") else "nothing stored")
    elif "rows" in answer:
        told = ", ".join(f"{answer[how]} {how}" for how in ("new", "changed", "same", "faulty"))
        print(f"{answer['rows']} rows: {told}; {'stored' if answer.get('stored') else 'nothing stored'}")
    return 0 if answer.get("faulty") == 0 else 1


def router(s: Settings, args: argparse.Namespace) -> int:
    """Train a router from past tickets, publish one, switch it off, or list them."""
    from incidents.model import Rejected
    from incidents.routing_commands import PublishRouter, SwitchOffRouter
    from incidents.routing_queries import RoutingState

    if args.what == "train":
        return train_router(s, args)
    service, actor = at_the_server(s, "router")
    try:
        if args.what == "publish":
            done = service.handle(PublishRouter(args.version, args.reason), actor, "cli")
            acts = f"automatic from {done['threshold']:.4f}" if done["automatic"] else "never automatic"
            print(f"{done['router']}\tpublished\t{acts}")
        elif args.what == "off":
            print(f"{service.handle(SwitchOffRouter(args.reason), actor, 'cli')['off']}\toff")
        else:
            state = service.ask(RoutingState(), actor)
            print(f"in force\t{state['version']}\tthreshold {state['threshold']:.4f}")
            for model in state["models"]:
                print(f"{model['version']}\t{model['state']}\t{told_of(model['figures'])}")
    except Rejected as error:
        print(f"router: {error}", file=sys.stderr)
        return 1
    return 0


def told_of(figures: dict[str, Any]) -> str:
    """What was measured of a router, in a line."""
    right = "–" if figures["right_share"] is None else f"{figures['right_share']:.4f}"
    return (
        f"{figures['measured_on']} held-out tickets: {figures['automatic_share']:.4f} automatic, {right} of them right;"
        f" first unit right {figures['first_dispatch_accuracy']:.4f}, among two {figures['top2_accuracy']:.4f}"
    )


def train_router(s: Settings, args: argparse.Namespace) -> int:
    """A router from a file of tickets or from the city's own closed incidents: a candidate of the registry."""
    from data.router_training import NoTickets, train
    from incidents.dispatch_learning import Policy
    from incidents.router_training import TooFew

    parts = Parts(s, "router")
    parts.city()
    if bool(args.file) == args.from_store:
        print("router train: a file, or --from-store", file=sys.stderr)
        return 2
    policy = Policy(goal=args.goal, records_err=args.records_err)
    try:
        done = train(
            parts.database, parts.audit, s.models, Path(args.file) if args.file else None, policy,
            clock, text=not args.no_text, say=print,
        )  # fmt: skip
    except (NoTickets, TooFew, OSError) as error:
        print(f"router train: {error}", file=sys.stderr)
        return 1
    print(f"{done.version}\tcandidate\t{told_of(done.figures)}")
    print(
        f"threshold {done.threshold:.5f}"
        if done.threshold <= 1
        else "no threshold meets the goal: never automatic"
    )
    return 0


def backup(s: Settings, args: argparse.Namespace) -> int:
    """Write the whole store to one file while it runs."""
    from data.backup import backup as run

    parts = Parts(s, "backup")
    tell = partial(print, "backup: not in it:", file=sys.stderr)
    rows = run(parts.database, Path(args.file), clock(), s.models, tell)
    print(f"{args.file}: {sum(rows.values())} rows of {len(rows)} tables")
    return 0


def restore(s: Settings, args: argparse.Namespace) -> int:
    """Load a backup into an empty store; stop ingest and relay before."""
    from data.backup import BadBackup
    from data.backup import restore as run

    parts = Parts(s, "restore")

    def first_offsets() -> dict[TopicPartition, int]:
        return {partition: first for partition, (first, _) in parts.input_ranges().items()}

    try:
        rows = run(parts.database, Path(args.file), s.models, first_offsets, same_bus=args.same_bus)
    except BadBackup as error:
        print(f"restore: {error}", file=sys.stderr)
        return 1
    print(f"{args.file}: {sum(rows.values())} rows restored")
    return 0


def newbus(s: Settings, args: argparse.Namespace) -> int:
    """The bus has lost its log: say which partitions are shorter than what was read of them; with --confirm read these
    from their first message. Stop ingest before."""
    from data.dead_letters import COMMAND_LINE
    from data.new_bus import ahead, settle

    parts = Parts(s, "newbus")
    found = ahead(parts.database, parts.input_ranges())
    for one in found:
        where = f"{one.partition.topic}:{one.partition.partition}"
        print(f"{where}: read up to {one.position}, the bus holds {one.first} to {one.end}")
    if not found:
        print("no partition is shorter than what was read of it")
        return 0
    if not args.confirm:
        print("nothing was changed; --confirm REASON reads these from their first message")
        return 1
    settle(parts.database, parts.audit, found, COMMAND_LINE, args.confirm, clock())
    print(f"{len(found)} partitions begin at their first message")
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
    """Simulate, replay, or run the configured adapters: a client of the bus like any other."""
    if args.feed_command == "run":
        return run_feeds(s, args)
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


def run_feeds(s: Settings, args: argparse.Namespace) -> int:
    """The adapters of the configured feeds, a thread each; several processes share them out among themselves."""
    from data.feed_states import FeedClaims, FeedStates, stored_feeds
    from streams.feeds.checking import checked
    from streams.feeds.runner import FeedHouse, StoredFeed

    stop = stop_on_signals()
    parts = Parts(s, "feeds")
    world = parts.feed_world()
    known = {row[0] for row in stored_feeds(parts.database)}
    if missing := sorted(set(args.ids) - known):
        print(
            f"feed run: {missing[0]!r}: there is no enabled feed with an adapter of this name",
            file=sys.stderr,
        )
        return 2
    producer = parts.bus.producer()
    FeedHouse(
        stored=lambda: [StoredFeed(*row) for row in stored_feeds(parts.database)],
        check=partial(checked, alarms=parts.alarms()),
        claim=FeedClaims(parts.database).claim,
        sink=producer,
        states=FeedStates(parts.database),
        world=world,
        stop=stop,
        store_away=parts.store_away,
        max_bytes=s.max_message_kb * 1024,
        only=frozenset(args.ids),
    ).run()
    producer.close()
    return 0


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
    add("gateway", gateway)
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
    sub = add("pole", pole)
    sub.add_argument("id")
    sub.add_argument("part", nargs="*", help="function=ID of a device or camera: all that the pole has then")
    sub.add_argument("--name", default="")
    sub.add_argument("--remove", metavar="REASON", default="", help="take it apart; its devices stay")
    sub = add("import", import_table)
    sub.add_argument("what", choices=("devices", "cameras", "boundaries", "catalogue", "addresses"))
    sub.add_argument("file")
    sub.add_argument("--confirm", action="store_true", help="store it, unless anything is wrong")
    from incidents.areas import LEVELS

    sub.add_argument("--level", choices=LEVELS[1:], help="boundaries: what they are")
    sub.add_argument(
        "--crs", choices=("wgs84", "cgcs2000", "gcj02"), help="boundaries, addresses: of their coordinates"
    )
    sub.add_argument("--name", default="", help="catalogue: what it is called")
    sub.add_argument("--code-field", default="", help="boundaries: column of the code")
    sub.add_argument("--name-field", default="", help="boundaries: column of the name")
    sub.add_argument("--parent-field", default="", help="boundaries: column of the code of the area above")
    sub.add_argument("--show", type=int, default=20, help="boundaries: gaps and overlaps to list, each")
    sub = add("workdays", workdays)
    sub.add_argument("year", type=int)
    sub.add_argument("--off", nargs="+", default=[], metavar="DAY", help="free weekdays, also as BEGIN..END")
    sub.add_argument(
        "--work", nargs="*", default=[], metavar="DAY", help="weekend days that are worked (调休)"
    )
    sub.add_argument("--source", required=True, help="where it was published, for the audit log")
    sub = add("newbus", newbus)
    sub.add_argument("--confirm", metavar="REASON", default="", help="do it; why goes into the audit log")
    sub = add("router", router)
    acts = sub.add_subparsers(dest="what", required=True)
    train = acts.add_parser("train", help="from past tickets; measured on the last 30 %% of them")
    train.add_argument("file", nargs="?", default="", help="CSV: text, class, lat, lon, created, unit")
    train.add_argument("--from-store", action="store_true", help="from the city's own closed incidents")
    train.add_argument("--goal", type=float, default=0.996, help="share of the automatic that must be right")
    train.add_argument("--records-err", action="store_true", help="recorded units may be wrong themselves")
    train.add_argument("--no-text", action="store_true", help="without a text model")
    publish = acts.add_parser("publish", help="a trained router comes into force")
    publish.add_argument("version")
    publish.add_argument("--reason", default="")
    acts.add_parser("off", help="the responsibility table alone advises").add_argument(
        "--reason", required=True
    )
    acts.add_parser("list", help="which one is in force, and all that were trained")
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
    sub = add("device", device)
    sub.add_argument("what", choices=("credential",))
    sub.add_argument(
        "device", nargs="+", help="device ids; each is printed with login and secret, tabs between"
    )
    sub.add_argument("--days", type=float, help="life of a new credential; without it: until it is revoked")
    how = sub.add_mutually_exclusive_group()
    how.add_argument(
        "--rotate", action="store_true", help="a new one; the present one works on for the overlap"
    )
    how.add_argument("--revoke", action="store_true", help="end it at once")
    sub.add_argument("--overlap-h", type=float, default=24.0, help="hours both work after --rotate")
    sub.add_argument("--number", type=int, help="which one to revoke; without it: all")

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
