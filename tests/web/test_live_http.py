"""The live endpoints as a browser meets them: rights in the raw stream, ends of sessions, recovery."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from callbacks.live_columns import MANY, MEDIA_TYPE
from callbacks.server import make_server
from tests.columns import items_of
from tests.web.conftest import CITY, GRID, NEXT_GRID, VILLAGE, Stage, served, wait_for


@dataclass
class Listener:
    """One raw stream, read byte by byte in a thread."""

    raw: bytearray = field(default_factory=bytearray)
    closed_at: float = 0.0

    def text(self) -> str:
        return self.raw.decode(errors="replace")

    def events(self) -> list[tuple[str, Any]]:
        found = []
        for block in self.text().split("\n\n")[:-1]:
            lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "event" in lines:
                found.append((lines["event"], json.loads(lines["data"])))
        return found


@contextmanager
def listening(client: httpx.Client, since: str) -> Iterator[Listener]:
    listener = Listener()

    def read() -> None:
        with client.stream("GET", "/live", params={"from": since}, timeout=30) as reply:
            try:
                for chunk in reply.iter_raw():
                    listener.raw += chunk
            except httpx.HTTPError:
                pass
            listener.closed_at = time.monotonic()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    wait_for(lambda: b"event: beat" in listener.raw, 10, "the stream talks")
    yield listener


def snapshot(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/live/snapshot").json()
    return found


def since(client: httpx.Client) -> str:
    found = snapshot(client)
    return f"{found['epoch']}:{found['n']}"


def incident(key: str, area: str, version: int, **more: Any) -> dict[str, Any]:
    return {
        "kind": "incident", "key": key, "area": area, "version": version, "stage": "reported", "level": 3,
        "reported_at": 1, "title": f"title of {key} in {area}", "unit": "", "worker": "",
    } | more  # fmt: skip


def device(key: str, area: str, t: int) -> dict[str, Any]:
    return {"kind": "device", "key": key, "area": area, "t": t, "values": {"level": t}, "status": "online"}


def test_many_items_come_as_columns_to_whom_accepts_them_and_only_those_that_are_seen(stage: Stage) -> None:
    client = stage.login("operator")
    mine = [device(f"many-{n:05d}", GRID, n) for n in range(MANY)]
    stage.live.apply([*mine, *(device(f"theirs-{n}", NEXT_GRID, n) for n in range(9))])
    wait_for(lambda: "many-00000" in json.dumps(snapshot(client)), 5, "the snapshot has them")
    stage.live.apply([incident("after-many", GRID, 1)])
    wait_for(lambda: "after-many" in json.dumps(snapshot(client)), 5, "and what came after")
    plain = snapshot(client)
    reply = client.get("/api/v1/live/snapshot", headers={"Accept": f"{MEDIA_TYPE}, application/json"})
    assert reply.headers["content-type"] == MEDIA_TYPE
    found = reply.json()
    assert "device" not in found["items"] and set(found["columns"]) == {"device"}
    assert items_of(found["columns"]["device"]) == plain["items"]["device"]
    assert found["items"]["incident"] == plain["items"]["incident"]
    assert len(reply.content) < len(client.get("/api/v1/live/snapshot").content) / 3
    stage.live.apply([], [("device", item["key"]) for item in mine] + [("incident", "after-many")])


@pytest.mark.parametrize(
    "role", ["operator", "dispatcher", "grid-worker", "unit-handler", "wall", "duty-leader"]
)
def test_a_village_never_hears_of_the_next_one(stage: Stage, role: str) -> None:
    client = stage.login(role)
    mark = f"{role}-{time.monotonic_ns()}"
    stage.live.apply([incident(f"mine-{mark}", GRID, 1), incident(f"theirs-{mark}", NEXT_GRID, 1)])
    stage.live.apply([incident(f"whole-{mark}", CITY, 1), incident(f"nowhere-{mark}", "", 1)])
    wait_for(lambda: f"mine-{mark}" in json.dumps(snapshot(client)), 5, "the snapshot has it")
    first = json.dumps(snapshot(client))
    with listening(client, since(client)) as heard:
        for n in range(2, 30):
            stage.live.apply(
                [
                    incident(f"mine-{mark}", GRID, n),
                    incident(f"theirs-{mark}", NEXT_GRID, n),
                    device(f"dev-mine-{mark}", GRID, n),
                    device(f"dev-theirs-{mark}", NEXT_GRID, n),
                ]
            )
        # Theirs moves here and back: it appears, and it goes.
        stage.live.apply([incident(f"guest-{mark}", NEXT_GRID, 1)])
        stage.live.apply([incident(f"guest-{mark}", GRID, 2)])
        wait_for(lambda: f"guest-{mark}" in heard.text(), 5, "what came here is seen")
        stage.live.apply([incident(f"guest-{mark}", NEXT_GRID, 3, title="secret")])
        stage.live.apply([], [("incident", f"theirs-{mark}"), ("device", f"dev-theirs-{mark}")])
        stage.live.apply([incident(f"last-{mark}", GRID, 1)])
        wait_for(lambda: f"last-{mark}" in heard.text(), 5, "the last one came")
        removed = [pair for event, data in heard.events() if event == "delta" for pair in data["del"]]
        assert ["incident", f"guest-{mark}"] in removed
        for text in (first, heard.text()):
            assert f"mine-{mark}" in text
            for word in ("theirs", "nowhere", "whole", "secret", NEXT_GRID.split("/")[-3] + "/"):
                assert word not in text, f"{word} in the stream of {role}"


def test_the_assigned_see_their_order_from_afar(stage: Stage) -> None:
    worker, other = stage.login("grid-worker"), stage.login("neighbour-worker")
    key = f"order-{time.monotonic_ns()}"
    with listening(worker, since(worker)) as mine, listening(other, since(other)) as theirs:
        stage.live.apply([incident(key, CITY, 1)])
        stage.live.apply([incident(key, CITY, 2, unit="U1", worker="grid-worker")])
        wait_for(lambda: key in mine.text(), 5, "the worker hears of the order")
        stage.live.apply([incident(key, CITY, 3, unit="U2", worker="neighbour-worker")])
        wait_for(lambda: key in theirs.text(), 5, "so does the next one")
        wait_for(lambda: f'["incident","{key}"]' in mine.text(), 5, "and the first one loses it")


def end_by_logout(stage: Stage, client: httpx.Client, login: str) -> None:
    httpx.post(
        f"{stage.url}/logout",
        cookies=dict(client.cookies),
        headers={"X-CSRF-Token": client.cookies["chengyun_csrf"]},
    ).raise_for_status()


def end_by_change(**change: Any) -> Callable[[Stage, httpx.Client, str], None]:
    def end(stage: Stage, client: httpx.Client, login: str) -> None:
        admin = stage.login("administrator-city")
        admin.post("/api/v1/commands/change_account", json={"login": login, **change}).raise_for_status()

    return end


def end_by_reset(stage: Stage, client: httpx.Client, login: str) -> None:
    stage.login("administrator-city").post(
        "/api/v1/commands/reset_password", json={"login": login}
    ).raise_for_status()


@pytest.mark.parametrize(
    "end",
    [
        end_by_logout,
        end_by_change(disabled=True),
        end_by_change(role="dispatcher"),
        end_by_change(areas=[CITY]),
        end_by_reset,
    ],
    ids=["logout", "disabled", "re-roled", "moved", "password reset"],
)
def test_the_stream_ends_within_5_s(
    stage: Stage, request: pytest.FixtureRequest, end: Callable[[Stage, httpx.Client, str], None]
) -> None:
    from tests.web.conftest import make

    login = f"ends-{time.monotonic_ns()}"
    with stage.db.transaction() as cursor:
        make(stage.accounts, cursor, login, "operator", VILLAGE, "", stage.clock())
        cursor.execute("UPDATE accounts SET must_change = false WHERE login = %s", (login,))
    client, bystander = stage.login(login), stage.login("operator")
    with listening(client, since(client)) as heard, listening(bystander, since(bystander)) as other:
        began = time.monotonic()
        end(stage, client, login)
        wait_for(lambda: heard.closed_at, 6, "the stream is closed")
        assert heard.closed_at - began <= 5
        assert heard.events()[-1][0] == "end"
        assert not other.closed_at
    assert client.get("/api/v1/live/snapshot").status_code == 401


def test_a_client_that_does_not_read_is_cut_off(stage: Stage) -> None:
    """Its buffers are full when the session ends: the stream must close all the same."""
    from tests.web.conftest import make

    login = f"deaf-{time.monotonic_ns()}"
    with stage.db.transaction() as cursor:
        make(stage.accounts, cursor, login, "operator", VILLAGE, "", stage.clock())
        cursor.execute("UPDATE accounts SET must_change = false WHERE login = %s", (login,))
    client = stage.login(login)
    version = since(client)
    before = stage.app.state.hub.clients
    connection = http.client.HTTPConnection(stage.url.removeprefix("http://"), timeout=30)
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    connection.request("GET", f"/live?from={version}", headers={"Cookie": cookies})
    connection.getresponse()
    wait_for(lambda: stage.app.state.hub.clients == before + 1, 5, "it is connected")
    for n in range(60):
        stage.live.apply([device(f"big{k}", GRID, n) | {"pad": "x" * 2000} for k in range(200)])
    began = time.monotonic()
    end_by_logout(stage, client, login)
    wait_for(lambda: stage.app.state.hub.clients == before, 5, "its stream is gone")
    assert time.monotonic() - began <= 5
    connection.close()
    stage.live.apply([], [("device", f"big{k}") for k in range(200)])


def test_without_a_version_or_a_strange_one_reset(stage: Stage) -> None:
    client = stage.login("operator")
    for version in ("", "x", "abc:1:2", "0123abcd:5", "../..:1", "a" * 100 + ":1"):
        reply = client.get("/live", params={"from": version})
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert "event: reset" in reply.text, version


def test_resume_from_where_it_was(stage: Stage) -> None:
    client = stage.login("operator")
    version = since(client)
    keys = [f"resume-{n}-{time.monotonic_ns()}" for n in range(3)]
    for key in keys:
        stage.live.apply([incident(key, GRID, 1)])
    for headers, query in (({}, version), ({"Last-Event-ID": version}, "0123:4")):
        client.headers.update(headers)
        with listening(client, query) as heard:
            wait_for(lambda h=heard: all(key in h.text() for key in keys), 5, "what was missed comes")
            assert "event: reset" not in heard.text()


def test_snapshot_is_gzipped_json(stage: Stage) -> None:
    client = stage.login("operator")
    with client.stream("GET", "/api/v1/live/snapshot") as reply:
        raw = b"".join(reply.iter_raw())
        assert reply.headers["content-encoding"] == "gzip" and reply.headers["cache-control"] == "no-store"
    found = json.loads(gzip.decompress(raw))
    assert set(found) >= {"epoch", "n", "now", "items"}
    assert abs(found["now"] / 1000 - time.time()) < 5


def test_streams_are_not_compressed_and_leave_no_trace(stage: Stage) -> None:
    client = stage.login("operator")
    before = stage.app.state.hub.clients
    with client.stream("GET", "/live", params={"from": since(client)}) as reply:
        assert "content-encoding" not in reply.headers
        assert reply.headers["x-accel-buffering"] == "no"
        wait_for(lambda: stage.app.state.hub.clients == before + 1, 5, "it counts")
    wait_for(lambda: stage.app.state.hub.clients == before, 12, "a browser that left is forgotten")


def test_an_auditor_gets_a_stream_with_nothing_of_the_city(stage: Stage) -> None:
    client = stage.login("auditor-city")
    stage.live.apply(
        [incident("audit-me", CITY, 1), {"kind": "link", "key": "relay", "area": "", "ok": True}]
    )
    wait_for(lambda: "relay" in snapshot(client)["items"].get("link", {}), 5, "links are shown")
    assert set(snapshot(client)["items"]) <= {"link"}


def test_a_new_epoch_resets_everyone(stage: Stage) -> None:
    client = stage.login("operator")
    with listening(client, since(client)) as heard:
        stage.live.reset([incident("after-rebuild", GRID, 1)])
        wait_for(lambda: heard.closed_at, 5, "the stream asks for a new snapshot")
        assert heard.events()[-1][0] == "reset"
    wait_for(lambda: set(snapshot(client)["items"]["incident"]) == {"after-rebuild"}, 5, "the new state")


def test_redis_lost_and_back(stage: Stage) -> None:
    """Kill the real live Redis: screens stay, are told, and recover by themselves once it is rebuilt."""
    from deploy.service import stop

    client = stage.login("operator")
    stage.live.apply([incident("before-the-loss", GRID, 1)])
    wait_for(lambda: "before-the-loss" in json.dumps(snapshot(client)), 5, "it is there")
    with listening(client, since(client)) as heard:
        for server in stage.servers.servers:
            if server.name == "redis-live":
                stop(server)
        wait_for(lambda: any(d.get("lost") for e, d in heard.events() if e == "beat"), 12, "beats say lost")
        assert not heard.closed_at
        assert "before-the-loss" in json.dumps(snapshot(client)), "the last known state is still shown"
        assert snapshot(client)["lost"] is True
        ready = client.get("/readyz")
        assert ready.status_code == 503 and not ready.json()["links"]["live"]["ok"]
        stage.servers.restart("redis-live")
        assert stage.live.needs_rebuild()
        stage.live.reset([incident("after-the-loss", GRID, 1)])
        wait_for(lambda: heard.closed_at, 15, "the stream asks for a new snapshot")
        assert heard.events()[-1][0] == "reset"
    found = snapshot(client)
    assert set(found["items"]["incident"]) == {"after-the-loss"} and "lost" not in found


def test_the_store_away_keeps_streams(stage: Stage) -> None:
    """PostgreSQL gone: rights cannot change meanwhile, so screens keep their picture; requests are told 503."""
    from deploy.service import stop

    client = stage.login("operator")
    with listening(client, since(client)) as heard:
        for server in stage.servers.servers:
            if server.name == "postgres":
                stop(server)
        reply = client.get("/api/v1/me")
        assert (reply.status_code, reply.json()["code"]) == (503, "away")
        assert not client.get("/readyz").json()["links"]["store"]["ok"]
        stage.live.apply([incident("while-away", GRID, 1)])
        wait_for(lambda: "while-away" in heard.text(), 5, "deltas go on")
        stage.servers.restart("postgres")
        wait_for(lambda: client.get("/api/v1/me").status_code == 200, 15, "the store is back")
        assert not heard.closed_at


def test_a_web_process_goes_quickly_and_another_takes_over(stage: Stage) -> None:
    """Two web processes behind one address: screens of the one that stops resume at the other, without a snapshot."""
    client = stage.login("operator")
    with served(make_server(stage.deps)) as other:
        elsewhere = httpx.Client(base_url=other, cookies=dict(client.cookies), timeout=20)
        version = since(elsewhere)
        with listening(elsewhere, version) as heard:
            stage.live.apply([incident("two-processes", GRID, 1)])
            wait_for(lambda: "two-processes" in heard.text(), 5, "both follow the live state")
            began = time.monotonic()
    # `served` has waited for the process to end.
    assert heard.closed_at and time.monotonic() - began < 3
    newest = [data for event, data in heard.events() if event == "delta"][-1]
    with listening(client, f"{newest['epoch']}:{newest['n']}") as again:
        stage.live.apply([incident("two-processes", GRID, 2)])
        wait_for(lambda: '"version":2' in again.text(), 5, "the other one goes on")
        assert "event: reset" not in again.text()


def test_hsts_and_secure_cookies_with_tls(stage: Stage) -> None:
    with served(make_server(replace(stage.deps, tls=True))) as url:
        reply = httpx.get(f"{url}/login")
        assert reply.headers["strict-transport-security"].startswith("max-age=")
        assert all("Secure" in cookie for cookie in reply.headers.get_list("set-cookie"))
