"""A wall's browser over HTTP: it shows a code, somebody types it at a desk, it gets a session that ends when it is unpaired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from data.screen_pairing import MOST_OF_ADDRESS
from tests.web.conftest import CITY, VILLAGE, Stage, wait_for


@pytest.fixture(autouse=True)
def no_codes_before(stage: Stage) -> Iterator[None]:
    """All tests come from one address: each begins with its own allowance."""
    stage.db.query("DELETE FROM screen_pairings")
    stage.db.query("DELETE FROM pairing_guesses")
    yield


def pair(stage: Stage, wall: httpx.Client, areas: list[str]) -> int:
    code = wall.post("/wall/pair/code").raise_for_status().json()["code"]
    leader = stage.login("duty-leader-city")
    body = {"code": code, "name": "大厅", "size": "5760x2160", "areas": areas}
    reply = leader.post("/api/v1/commands/pair_screen", json=body)
    assert reply.status_code == 200, reply.text
    assert wall.post("/wall/pair/state").json() == {"state": "paired"}
    return int(reply.json()["screen"])


def test_a_wall_is_paired_and_lives_until_it_is_unpaired(stage: Stage) -> None:
    with stage.client() as wall:
        page = wall.get("/wall/pair")
        assert page.status_code == 200 and "大屏配对" in page.text
        reply = wall.post("/wall/pair/code")
        assert reply.json()["seconds"] == pytest.approx(600, abs=2)
        (cookie,) = (c for c in wall.cookies.jar if c.name == "chengyun_pairing")
        assert cookie.has_nonstandard_attr("HttpOnly") and cookie.path == "/wall/pair"
        assert wall.post("/wall/pair/state").json() == {"state": "waiting"}
        assert wall.get("/api/v1/me").status_code == 401
        screen = pair(stage, wall, [VILLAGE])
        me = wall.get("/api/v1/me").json()
        assert (me["role"], me["login"], me["areas"]) == ("wall", f"screen-{screen}", [VILLAGE])
        assert wall.post("/wall/pair/state").json() == {"state": "over"}
        command = wall.post(
            "/api/v1/commands/mute_screen",
            json={"screen": screen, "muted": True},
            headers={"X-CSRF-Token": wall.cookies["chengyun_csrf"]},
        )
        assert command.status_code == 403, "the wall shows and never commands"
        (session,) = (c for c in wall.cookies.jar if c.name == "chengyun_session")
        assert session.expires is not None and session.has_nonstandard_attr("HttpOnly")
        snapshot = wall.get("/api/v1/live/snapshot").json()
        ended = []
        with wall.stream("GET", "/live", params={"from": f"{snapshot['epoch']}:{snapshot['n']}"}) as stream:
            lines = stream.iter_lines()
            next(lines)
            admin = stage.login("administrator-city")
            assert admin.post("/api/v1/commands/unpair_screen", json={"screen": screen}).status_code == 200
            began = stage.clock()
            ended = [line for line in lines if line == "event: end"]
        assert ended and (stage.clock() - began).total_seconds() < 5
        assert wall.get("/api/v1/me").status_code == 401
    log = stage.db.query(
        "SELECT action, allowed FROM audit WHERE thing LIKE %s OR (action = 'screen.pair' AND role = 'administrator')"
        " ORDER BY id DESC LIMIT 2",
        (f"%screen-{screen}",),
    )
    assert log == [("screen.pair", True), ("session.login", True)]


def test_codes_of_one_address_are_limited(stage: Stage) -> None:
    with stage.client() as wall:
        found = [wall.post("/wall/pair/code").status_code for _ in range(MOST_OF_ADDRESS + 1)]
    assert found == [200] * MOST_OF_ADDRESS + [429]


def test_another_page_cannot_press_for_the_wall(stage: Stage) -> None:
    with stage.client() as wall:
        for path in ("code", "state"):
            reply = wall.post(f"/wall/pair/{path}", headers={"Origin": "https://elsewhere.example"})
            assert (reply.status_code, reply.json()["code"]) == (403, "csrf")


def test_a_stranger_with_the_code_alone_gets_nothing(stage: Stage) -> None:
    with stage.client() as wall, stage.client() as stranger:
        pairing = wall.post("/wall/pair/code").json()
        leader = stage.login("duty-leader-city")
        body = {"code": pairing["code"], "name": "大厅", "size": "1920x1080", "areas": [CITY]}
        assert leader.post("/api/v1/commands/pair_screen", json=body).status_code == 200
        assert stranger.post("/wall/pair/state").json() == {"state": "over"}
        assert wall.post("/wall/pair/state").json() == {"state": "paired"}


def test_a_wall_on_the_stream_counts_as_seen(stage: Stage) -> None:
    with stage.client() as wall:
        screen = pair(stage, wall, [CITY])
        digest = stage.db.query(
            "SELECT token_hash FROM sessions JOIN accounts a ON a.id = account WHERE a.login = %s",
            (f"screen-{screen}",),
        )[0][0]
        stage.db.query(
            "UPDATE sessions SET last_seen = last_seen - interval '1 hour' WHERE token_hash = %s", (digest,)
        )
        snapshot = wall.get("/api/v1/live/snapshot").json()
        stage.db.query(
            "UPDATE sessions SET last_seen = last_seen - interval '1 hour' WHERE token_hash = %s", (digest,)
        )
        with wall.stream("GET", "/live", params={"from": f"{snapshot['epoch']}:{snapshot['n']}"}):
            leader = stage.login("duty-leader-city")

            def age_s() -> float:
                rows = leader.get("/api/v1/queries/screens").json()["rows"]
                seen = next(row["last_seen"] for row in rows if row["key"] == str(screen))
                return stage.clock().timestamp() - datetime.fromisoformat(seen).timestamp()

            wait_for(lambda: age_s() < 60, 8, "the screen is seen by its stream")
