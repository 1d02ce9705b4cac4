"""Adding, changing, switching and trying feeds through the one door; and the house that runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data.administration import Administration
from data.audit import Audit
from data.database import Database, StoreUnavailable
from data.feed_states import FeedClaims, FeedStates, stored_feed, stored_feeds
from data.questions.answers import StoreQuestions
from data.uow import UnitsOfWork
from deploy.embedded import Embedded
from incidents import commands as c
from incidents.model import Rejected
from incidents.service import City, CityService
from streams.feeds.checking import checked, topics_of_feed
from streams.feeds.kinds import Feed, Surroundings, open_source
from streams.feeds.port import Batch, Position, RawRecord, Source, SourceAway, SourceFault
from streams.feeds.runner import FeedHouse, StoredFeed
from streams.feeds.trial import FeedTrial
from tests.conftest import STORES
from tests.contracts.feed_line import ANYWHERE, AWAY, Clock, HttpServer, open_sql, wait_for
from tests.product import ROOT
from tests.small_city import CITY, PATTERN, ZONE, actor, light_accounts, place_of
from tests.working import WORKING

pytestmark = pytest.mark.timeout(120, func_only=True)

MAPPING: dict[str, Any] = {
    "topic": "city.reading.v1",
    "time": {"path": "t"},
    "data": {"device": {"path": "d"}, "readings": [{"metric": "level", "value": {"path": "z"}}]},
}
RECORDS = [{"t": "2026-11-26T06:00:00Z", "d": "WL-1", "z": n} for n in range(12)]
KEEPER = actor("administrator")


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    return fresh_database(request.param)


class Desk:
    """The service, with adapters at hand."""

    def __init__(self, db: Database, drop_dir: Path) -> None:
        self.db = db
        self.clock = Clock()
        self.world = Surroundings(self.clock, drop_dir, ANYWHERE, open_sql)

        def lookup(feed: str) -> StoredFeed | None:
            row = stored_feed(db, feed)
            return StoredFeed(*row[:6]) if row else None

        trial = FeedTrial(lookup, FeedStates(db).load, self.world, 64 * 1024)
        administration = Administration(light_accounts(db), topics_of_feed)
        self.service = CityService(
            UnitsOfWork(db, Audit(db), administration, place_of, lambda: WORKING),
            StoreQuestions(db, place_of, dict, lambda: CITY, trial),
            self.clock,
            City(PATTERN, ZONE, CITY),
        )

    def save(self, **changes: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            "id": "water", "name": "水务局水位", "kind": "http", "config": {"url": "http://127.0.0.1:9/levels"},
            "mapping": MAPPING, "secrets": {"token": "hunter2-token"}, "owner": "水务局", "expected_period_s": 60.0,
        }  # fmt: skip
        return self.service.handle(c.SaveFeed(**{**given, **changes}), KEEPER, "desk")

    def row(self, who: Any = KEEPER) -> dict[str, Any]:
        rows = self.service.ask(c.Feeds(), who)["rows"]
        found: dict[str, Any] = next(r for r in rows if r["id"] == "water")
        return found

    def trial(self, sample: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self.service.ask(c.TestFeed("water", sample), KEEPER)
        return found


@pytest.fixture
def desk(db: Database, tmp_path: Path) -> Desk:
    return Desk(db, tmp_path)


def test_a_feed_is_added_changed_and_switched(desk: Desk) -> None:
    before = desk.db.query("SELECT n FROM registry_version")
    assert desk.save() == {"id": "water", "version": 1, "topics": ["city.reading.v1"], "secrets": ["token"]}
    assert desk.db.query("SELECT n FROM registry_version") != before, "ingest learns of it"
    row = desk.row()
    assert (row["status"], row["kind"], row["protocol"], row["secrets"]) == (
        "never",
        "http",
        "http",
        ["token"],
    )
    desk.db.query("INSERT INTO feed_states (feed, position) VALUES ('water', '{\"since\": 5}')")
    assert desk.save(name="水位", secrets={}, version=1)["version"] == 2
    assert desk.db.query("SELECT secrets->>'token', name FROM feeds WHERE id = 'water'") == [
        ("hunter2-token", "水位")
    ]
    assert desk.db.query("SELECT position FROM feed_states") == [({"since": 5},)]
    desk.save(secrets={"token": ""}, restart=True)
    assert desk.row()["secrets"] == []
    assert desk.db.query("SELECT position FROM feed_states") == [({},)]
    with pytest.raises(Rejected, match="say why"):
        desk.service.handle(c.SwitchFeed("water", True), KEEPER, "desk")
    assert desk.service.handle(c.SwitchFeed("water", True, "检修"), KEEPER, "desk")["version"] == 4
    assert desk.row()["status"] == "disabled" and stored_feeds(desk.db) == []
    desk.service.handle(c.SwitchFeed("water", False), KEEPER, "desk")
    assert [r[0] for r in stored_feeds(desk.db)] == ["water"]
    log = desk.db.query(
        "SELECT action, thing, detail::text FROM audit WHERE action = 'feed.manage' ORDER BY id"
    )
    assert len(log) == 5 and {thing for _, thing, _ in log} == {"save_feed:water", "switch_feed:water"}
    assert "hunter2" not in str(log) and "hunter2" not in json.dumps(desk.row(), default=str)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"id": "Water"}, "id", "small letters"),
        ({"id": "sensors"}, "id", "writes to us by itself"),
        ({"name": " "}, "name", "must not be empty"),
        ({"kind": "ftp"}, "kind", "must be one of kafka"),
        ({"expected_period_s": 0.0}, "expected_period_s", "from 1"),
        ({"expected_period_s": float("nan")}, "expected_period_s", "from 1"),
        ({"config": {"url": "gopher://x"}}, "config.url", "http://"),
        ({"config": {"url": "http://x", "n": float("inf")}}, "config", "without NaN"),
        ({"config": {"url": "http://x/\ud800"}}, "config", "half characters"),
        ({"config": {"url": "http://x/\x00"}}, "config", "NUL"),
        ({"mapping": {**MAPPING, "data": {"device": "WL-1"}}}, "mapping.data.readings", "is needed"),
        ({"version": 7}, "version", "somebody else"),
    ],
)
def test_a_feed_that_will_not_do_is_refused_in_words(
    desk: Desk, change: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Rejected, match=words) as caught:
        desk.save(**change)
    assert caught.value.field == field
    assert desk.db.query("SELECT count(*) FROM feeds WHERE kind <> ''") == [(0,)]


def test_who_may(desk: Desk) -> None:
    desk.save()
    for who in (actor("operator"), actor("theme_owner"), actor("administrator", area=CITY + "990101/")):
        for command in (c.SwitchFeed("water", True, "x"), c.SaveFeed("b", "b", "http", {}, {})):
            with pytest.raises(Rejected) as caught:
                desk.service.handle(command, who, "desk")
            assert caught.value.code == "forbidden"
        with pytest.raises(Rejected) as caught:
            desk.service.ask(c.TestFeed("water"), who)
        assert caught.value.code == "forbidden"
    assert not {"config", "mapping", "secrets"} & desk.row(actor("operator")).keys()


def test_a_trial_shows_ten_mapped_records_and_stores_nothing(desk: Desk) -> None:
    held: list[Any] = [*RECORDS[:3], {"t": "?", "d": "WL-1", "z": 1}, *RECORDS[3:]]
    server = HttpServer(lambda path, headers: (200, {}, json.dumps(held).encode()))
    server.start()
    try:
        desk.save(config={"url": server.url})
        rows = desk.trial()["rows"]
        assert len(rows) == 10 and [bool(r.get("error")) for r in rows].index(True) == 3
        assert rows[3]["error"]["field"] == "time" and rows[3]["error"]["found"] == "?"
        assert json.loads(rows[0]["message"])["data"]["device"] == "WL-1" and rows[0]["raw"] == RECORDS[0]
    finally:
        server.stop()
    gone = desk.trial()
    assert gone["rows"] == [] and "refused" in gone["error"]
    sampled = desk.trial(json.dumps(RECORDS[0]))
    assert len(sampled["rows"]) == 1 and sampled["from"] == "sample"
    assert "must be JSON" in desk.trial("{")["rows"][0]["error"]["rule"]
    with pytest.raises(Rejected, match="no feed with an adapter"):
        desk.service.ask(c.TestFeed("sensors"), KEEPER)
    assert desk.db.query("SELECT count(*) FROM feed_states") == [(0,)], "no trace"
    assert desk.db.query("SELECT count(*) FROM dead_letters") == [(0,)]


def test_a_draft_is_tried_as_it_stands_and_not_as_it_is_saved(desk: Desk) -> None:
    asked: list[str] = []

    def answer(path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        asked.append(str(headers.get("authorization")))
        return 200, {}, json.dumps(RECORDS).encode()

    server, stranger = HttpServer(answer), HttpServer(answer)
    server.start()
    stranger.start()
    given: dict[str, Any] = {
        "id": "water",
        "name": "水位",
        "kind": "http",
        "config": {"url": f"{server.url}/levels"},
    }
    other: dict[str, Any] = {**MAPPING, "data": {**MAPPING["data"], "device": {"template": "{d}-new"}}}

    def tried(who: Any = KEEPER, **changes: Any) -> list[str]:
        draft = c.SaveFeed(**{**given, "mapping": other, **changes})
        rows = desk.service.ask(c.TestFeed(draft.id, "", draft), who)["rows"]
        return [json.loads(r["message"])["data"]["device"] for r in rows[:1]]

    try:
        assert tried() == ["WL-1-new"] and asked == ["None"], "a feed that was never saved"
        desk.save(config=given["config"])
        asked.clear()
        assert tried() == ["WL-1-new"] and asked == ["Bearer hunter2-token"], "with what is kept"
        assert tried(config={"url": f"{server.url}/other"}) == ["WL-1-new"]
        asked.clear()
        with pytest.raises(Rejected, match="enter its secrets"):
            tried(config={"url": stranger.url})
        assert asked == [], "a kept secret goes nowhere else"
        assert tried(config={"url": stranger.url}, secrets={"token": "another"}) == ["WL-1-new"]
        assert asked == ["Bearer another"]
        for change, words in (
            ({"id": ""}, "small letters"), ({"config": {"url": "http://x/\x00"}}, "NUL"), ({"kind": ""}, "must be one of"),
            ({"mapping": {**MAPPING, "time": {"path": "]"}}}, "mapping.time"),
        ):  # fmt: skip
            with pytest.raises(Rejected, match=words):
                tried(**change)
        for who in (actor("operator"), actor("administrator", area=CITY + "990101/")):
            with pytest.raises(Rejected) as caught:
                tried(who)
            assert caught.value.code == "forbidden"
    finally:
        server.stop()
        stranger.stop()
    assert desk.row()["mapping"] == MAPPING and desk.row()["version"] == 1
    assert desk.db.query("SELECT count(*) FROM feed_states") == [(0,)], "no trace"


def test_a_trial_of_a_folder_moves_nothing(desk: Desk) -> None:
    folder = desk.world.drop_dir / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("t,d,z\n" + "".join(f"{r['t']},{r['d']},{r['z']}\n" for r in RECORDS))
    desk.save(kind="folder", config={"folder": "in"}, secrets={})
    assert len(desk.trial()["rows"]) == 10
    assert [p.name for p in folder.iterdir()] == ["a.csv"]
    desk.save(kind="webhook", config={}, secrets={"key": "a key of some length"})
    with pytest.raises(Rejected, match="cannot be asked"):
        desk.trial()
    assert len(desk.trial(json.dumps(RECORDS))["rows"]) == 10


# -- the house ------------------------------------------------------------------------------------------------


class Sink:
    """Takes everything."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def publish(self, messages: Any) -> None:
        self.keys += [m.key for m in messages]


class Dying:
    """An adapter with a fault that nobody foresaw, the first time it is opened."""

    opened = 0

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def read(self, position: Position, wait_s: float) -> Batch:
        type(self).opened += 1
        if type(self).opened == 1:
            raise ZeroDivisionError("nobody foresaw this")
        if position:
            return Batch()
        return Batch([RawRecord("1", RECORDS[0])], {"had": 1})

    def done(self, batch: Batch) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def city_desk(city: Database, tmp_path: Path) -> Desk:
    return Desk(city, tmp_path)


@pytest.fixture
def house(city_desk: Desk) -> Iterator[Callable[..., FeedHouse]]:
    stops: list[tuple[threading.Event, FeedHouse]] = []

    def make(opener: Callable[[Feed, Surroundings], Source] = open_source) -> FeedHouse:
        stop = threading.Event()
        db = city_desk.db
        made = FeedHouse(
            stored=lambda: [StoredFeed(*row) for row in stored_feeds(db)],
            check=checked,
            claim=FeedClaims(db).claim,
            sink=Sink(),
            states=FeedStates(db),
            world=city_desk.world,
            stop=stop,
            store_away=AWAY,
            max_bytes=64 * 1024,
            opener=opener,
            jitter=lambda: 0.0,
        )
        stops.append((stop, made))
        return made

    yield make
    for stop, made in stops:
        stop.set()
        made.run()  # ends what it has begun


def state(desk: Desk) -> Any:
    rows = desk.db.query("SELECT failure, reason, records FROM feed_states WHERE feed = 'water'")
    return rows[0] if rows else ("", "", 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_adapter_that_dies_is_in_error_and_is_started_again(city_desk: Desk, house: Any) -> None:
    city_desk.save()
    Dying.opened = 0
    running = house(lambda feed, world: Dying(feed))
    running.look()
    wait_for(lambda: state(city_desk)[0] == "fault", 20, lambda: str(state(city_desk)))
    assert city_desk.row()["status"] == "error"
    assert "ZeroDivisionError: nobody foresaw this" in city_desk.row()["reason"]

    def again() -> bool:
        running.look()
        return bool(state(city_desk)[2])

    wait_for(again, 20, lambda: str(state(city_desk)))
    assert running.sink.keys == ["WL-1"] and state(city_desk)[:2] == ("", "")


def test_two_houses_share_out_the_feeds_and_follow_the_store(city_desk: Desk, house: Any) -> None:
    server = HttpServer(lambda path, headers: (200, {}, json.dumps(RECORDS).encode()))
    server.start()
    try:
        city_desk.save(config={"url": server.url})
        first, second = house(), house()
        first.look()
        second.look()
        wait_for(lambda: state(city_desk)[2] == 12, 20, lambda: str(state(city_desk)))
        assert len(first.sink.keys) == 12 and second.sink.keys == []
        city_desk.save(config={"url": f"{server.url}/other"}, restart=True)  # another version: it begins anew
        wait_for(lambda: (first.look(), len(first.sink.keys) == 24)[1], 20, lambda: str(len(first.sink.keys)))
        assert server.asked == ["/", "/other"]
        city_desk.service.handle(c.SwitchFeed("water", True, "检修"), KEEPER, "desk")
        wait_for(lambda: (first.look(), not first._workers)[1], 20, lambda: "the feed still runs")
        city_desk.service.handle(c.SwitchFeed("water", False), KEEPER, "desk")
        second.look()
        wait_for(lambda: bool(second._workers), 20, lambda: "the other house has it")
    finally:
        server.stop()


def holders(db: Database) -> list[int]:
    """The backends that hold the claim of a feed."""
    found = db.query(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return [pid for (pid,) in found]


def end_backends(db: Database, pids: list[int]) -> None:
    """As a restart of the server does, and wait until they are gone."""
    for pid in pids:
        assert db.query("SELECT pg_terminate_backend(%s, 10000)", (pid,)) == [(True,)]


def test_a_claim_is_lost_with_its_connection_and_may_be_taken(db: Database) -> None:
    first = FeedClaims(db).claim("water")
    assert first is not None and first.held()
    assert FeedClaims(db).claim("water") is None
    end_backends(db, holders(db))
    second = FeedClaims(db).claim("water")
    assert second is not None and second.held()
    assert not first.held() and not first.held()
    first.release()
    assert FeedClaims(db).claim("water") is None, "what was lost is not given back in the other's name"
    second.release()
    again = FeedClaims(db).claim("water")
    assert again is not None
    again.release()


class Cut(Database):
    """The server goes away as soon as it has been reached."""

    def connect(self) -> Any:
        made = super().connect()
        other = Database(self.dsn, 1)
        end_backends(other, [made.info.backend_pid])
        other.close()
        return made


def test_a_store_that_goes_while_a_feed_is_claimed_is_a_store_that_is_away(db: Database) -> None:
    with pytest.raises(StoreUnavailable):
        FeedClaims(Cut(db.dsn)).claim("water")


class Slow:
    """An adapter that is in the middle of a read until it is let go; positions say whose it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reading = threading.Event()
        self.let_go = threading.Event()
        self.closed = 0
        self.acknowledged = 0
        self.failure: Exception | None = None

    def read(self, position: Position, wait_s: float) -> Batch:
        self.reading.set()
        assert self.let_go.wait(60)
        if self.failure:
            raise self.failure
        return Batch([RawRecord(self.name, RECORDS[0])], {"by": self.name})

    def done(self, batch: Batch) -> None:
        self.acknowledged += 1

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("failure", [None, SourceAway("gone"), SourceFault("broken")], ids=str)
def test_who_lost_the_claim_stops_and_writes_nothing(
    city_desk: Desk, house: Any, failure: Exception | None
) -> None:
    city_desk.save(config={"url": "http://127.0.0.1:9/levels", "period_s": 3600})
    slow, other = Slow("first"), Slow("second")
    slow.failure = failure
    first, second = house(lambda feed, world: slow), house(lambda feed, world: other)
    first.look()
    assert slow.reading.wait(20)
    end_backends(city_desk.db, holders(city_desk.db))
    second.look()
    other.let_go.set()
    wait_for(lambda: state(city_desk)[2] == 1, 20, lambda: str(state(city_desk)))
    slow.let_go.set()
    thread = first._workers["water"].thread
    thread.join(20)
    assert not thread.is_alive() and (slow.closed, slow.acknowledged) == (1, 0)
    rows = city_desk.db.query("SELECT position, records::int, failure FROM feed_states")
    assert rows == [({"by": "second"}, 1, "")]
    wait_for(
        lambda: (first.look(), first._workers["water"].again_at > 0)[1],
        20,
        lambda: "it is to be claimed anew",
    )
    second.stop.set()
    second.run()  # ends; then the first one may have it again

    def back() -> bool:
        first.look()
        return bool(first._workers["water"].thread.is_alive())

    wait_for(back, 20, lambda: "the first has it again")


def test_the_command_line_runs_feeds_and_ends_in_order(
    city_desk: Desk, servers: Embedded, tmp_path: Path
) -> None:
    """`app.py feed run`: fetches, survives a kill -9 without loss or doubling, and stops when told."""
    folder = city_desk.world.drop_dir / "in"
    folder.mkdir()
    config = {"folder": "in", "stable_s": 0, "period_s": 1}
    city_desk.save(kind="folder", config=config, secrets={})
    env = {
        **os.environ, "CHENGYUN_DSN": city_desk.db.dsn, "CHENGYUN_BUS": servers.bus_url,
        "CHENGYUN_LIVE_URL": servers.live_url, "CHENGYUN_DROP_DIR": str(tmp_path), "CHENGYUN_VAR": str(tmp_path / "var"),
    }  # fmt: skip

    def run(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "app.py", "feed", "run", *words]
        return subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    nobody = run("nobody")
    assert (
        "'nobody': there is no enabled feed" in nobody.communicate(timeout=60)[1] and nobody.returncode == 2
    )
    process = run("water")
    try:
        lines = "t,d,z\n" + "".join(f"{r['t']},{r['d']},{r['z']}\n" for r in RECORDS)
        (folder / "a.csv").write_text(lines)
        wait_for(lambda: (folder / "done" / "a.csv").exists(), 60, lambda: str(state(city_desk)))
        process.kill()
        process.wait()
        (folder / "b.csv").write_text(lines.replace("WL-1", "WL-2"))
        process = run()
        wait_for(lambda: (folder / "done" / "b.csv").exists(), 60, lambda: str(state(city_desk)))
        assert state(city_desk) == ("", "", 24)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
