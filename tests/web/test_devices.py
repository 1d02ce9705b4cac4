"""POST /api/v1/devices/{device}/readings: credentials, who may write as whom, limits, bad payloads, the bus."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from callbacks.http.devices import DOOR
from callbacks.http.messages import MOST
from incidents.gateway import DEVICE_RATE
from streams import topics
from tests.web.conftest import CITY, FEED_TOKEN, Stage
from tests.web.test_messages import on_the_bus

NOW = "2026-11-26T08:00:00.000Z"


def reading(value: float = 1.5, **more: Any) -> dict[str, Any]:
    return {"metric": "level", "value": value, "time": NOW} | more


@pytest.fixture(scope="module")
def admin(stage: Stage) -> httpx.Client:
    """An administrator of the city, and devices: GW-1 to GW-9, GW-K critical."""
    with stage.db.transaction() as cursor:
        cursor.execute("INSERT INTO device_types (id, name) VALUES ('gw', '网关表')")
        for name in (*(f"GW-{n}" for n in range(1, 10)), "GW-K", "水位-1"):
            cursor.execute(
                "INSERT INTO devices (id, type, area_path, critical) VALUES (%s, 'gw', %s, %s)",
                (name, CITY, name == "GW-K"),
            )
    return stage.login("administrator-city")


@pytest.fixture
def issue(admin: httpx.Client) -> Callable[[str], str]:
    """A credential of a device: the first one, or one more."""

    def get(device: str) -> str:
        reply = command(admin, "issue_device_credential", device=device)
        if reply.status_code == 422:
            reply = command(admin, "rotate_device_credential", device=device)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["secret"])

    return get


def command(admin: httpx.Client, name: str, **given: Any) -> httpx.Response:
    return admin.post(f"/api/v1/commands/{name}", json=given)


def send(stage: Stage, device: str, secret: str, body: object) -> httpx.Response:
    return httpx.post(
        f"{stage.url}/api/v1/devices/{device}/readings",
        content=body if isinstance(body, bytes) else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {secret}".strip()},
        timeout=30,
    )


def messages_of(stage: Stage, device: str, topic: str = topics.READING) -> list[dict[str, Any]]:
    found = [(at, m, h) for at, (key, m, h) in on_the_bus(stage, topic).items() if key == device]
    assert all(h == {"feed": b"gateway"} for _, _, h in found)
    return [message for _, message, _ in sorted(found, key=lambda one: one[0])]


def test_202_means_the_bus_has_it(stage: Stage, issue: Callable[[str], str]) -> None:
    reply = send(stage, "GW-1", issue("GW-1"), reading(seq=7))
    assert (reply.status_code, reply.json()) == (202, {"accepted": 1})
    (message,) = messages_of(stage, "GW-1")
    assert message["id"] == "GW-1#7" and message["correlationid"] == reply.headers["x-request-id"]
    assert message["data"] == {"device": "GW-1", "readings": [{"metric": "level", "value": 1.5}]}


def test_an_array_and_a_critical_device(stage: Stage, issue: Callable[[str], str]) -> None:
    batch = [reading(n, seq=n) for n in range(50)]
    assert send(stage, "GW-K", issue("GW-K"), batch).json() == {"accepted": 50}
    found = messages_of(stage, "GW-K", topics.READING_CRITICAL)
    assert [m["id"] for m in found] == [f"GW-K#{n}" for n in range(50)]
    secret = issue("水位-1")
    assert send(stage, "%E6%B0%B4%E4%BD%8D-1", secret, reading()).status_code == 202
    assert send(stage, "水位-1", secret, []).json() == {"accepted": 0}
    too_many = send(stage, "水位-1", secret, [reading()] * (MOST + 1))
    assert (too_many.status_code, too_many.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("secret", ["", "wrong", FEED_TOKEN, "x" * 501])
def test_without_a_good_credential(stage: Stage, issue: Callable[[str], str], secret: str) -> None:
    reply = send(stage, "GW-2", secret, reading())
    assert (reply.status_code, reply.json()["field"]) == (401, "Authorization")
    assert reply.headers["www-authenticate"] == 'Bearer realm="devices"'
    basic = {"Authorization": f"Basic {issue('GW-2')}"}
    assert (
        httpx.post(f"{stage.url}/api/v1/devices/GW-2/readings", json=reading(), headers=basic).status_code
        == 401
    )


def test_a_device_writes_only_as_itself(stage: Stage, issue: Callable[[str], str]) -> None:
    secret = issue("GW-2")
    reply = send(stage, "GW-3", secret, reading())
    assert (reply.status_code, reply.json()["field"]) == (403, "device")
    reply = send(stage, "GW-2", secret, reading(device="GW-3"))
    assert (reply.status_code, reply.json()["code"]) == (403, "other_device")
    assert messages_of(stage, "GW-3") == [] == messages_of(stage, "GW-2")
    for path in (
        "/api/v1/me",
        "/live",
        "/api/v1/queries/device_credentials",
        "/api/v1/devices/GW-2/readings",
    ):
        assert httpx.get(stage.url + path, headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_revoked_and_rotated(stage: Stage, admin: httpx.Client) -> None:
    first = command(admin, "issue_device_credential", device="GW-4").json()["secret"]
    second = command(admin, "rotate_device_credential", device="GW-4", overlap_h=1).json()["secret"]
    assert [send(stage, "GW-4", s, reading()).status_code for s in (first, second)] == [202, 202]
    stage.clock.ahead = timedelta(hours=1)
    assert [send(stage, "GW-4", s, reading()).status_code for s in (first, second)] == [401, 202]
    stage.clock.ahead = timedelta()
    assert command(admin, "revoke_device_credential", device="GW-4").status_code == 200
    assert send(stage, "GW-4", second, reading()).status_code == 401, "from the very next request on"
    stage.db.query("UPDATE devices SET disabled = true WHERE id = 'GW-5'")
    assert command(admin, "issue_device_credential", device="GW-5").status_code == 422
    stage.db.query("UPDATE devices SET disabled = false WHERE id = 'GW-5'")
    secret = command(admin, "issue_device_credential", device="GW-5").json()["secret"]
    stage.db.query("UPDATE devices SET disabled = true WHERE id = 'GW-5'")
    reply = send(stage, "GW-5", secret, reading())
    assert (reply.status_code, reply.json()["message"]) == (403, "device='GW-5': is retired")


def test_faster_than_it_may(stage: Stage, admin: httpx.Client, issue: Callable[[str], str]) -> None:
    secret = issue("GW-6")
    assert command(admin, "limit_device", device="GW-6", per_s=0.01, burst=3).status_code == 200
    assert send(stage, "GW-6", secret, [reading(1), reading(2)]).status_code == 202
    reply = send(stage, "GW-6", secret, [reading(3), reading(4)])
    answer = reply.json()
    assert (reply.status_code, answer["code"], answer["per_s"], answer["burst"]) == (429, "rate", 0.01, 3)
    assert 90 <= int(reply.headers["retry-after"]) <= 100
    assert send(stage, "GW-6", secret, reading(5)).status_code == 202, "one still fits"
    reply = send(stage, "GW-6", secret, [reading(6)] * 4)
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large"), "waiting would be no use"
    assert len(messages_of(stage, "GW-6")) == 3
    other = issue("GW-7")
    assert send(stage, "GW-7", other, [reading()] * MOST).status_code == 202, "a limit is each device's own"
    assert command(admin, "limit_device", device="GW-6").status_code == 200
    assert DEVICE_RATE.burst >= MOST


def test_bad_payloads_name_field_value_and_rule(
    stage: Stage, admin: httpx.Client, issue: Callable[[str], str]
) -> None:
    secret = issue("GW-8")
    for body, status, code, field in (
        (b"{", 400, "malformed", ""),
        (b"[" * 60_000, 400, "malformed", "body"),
        (reading(value="high"), 400, "invalid", "value"),
        ({"metric": "level", "value": 1}, 400, "bad_time", "time"),
        (reading(metric="m" * 1_048_500), 413, "too_large", ""),
    ):
        reply = send(stage, "GW-8", secret, body)
        answer = reply.json()
        assert (reply.status_code, answer["code"], answer["field"]) == (status, code, field), answer
        assert answer["message"]
    listed = send(stage, "GW-8", secret, [reading(), reading(value="high")])
    assert (listed.status_code, listed.json()["index"]) == (400, 1)
    assert messages_of(stage, "GW-8") == [], "an array is taken whole or not at all"
    assert send(stage, "GW-8", secret, b"x" * (2 * 1024 * 1024)).status_code == 413


def test_what_is_refused_is_counted(stage: Stage, admin: httpx.Client, issue: Callable[[str], str]) -> None:
    secret = issue("GW-9")
    # More than a second after the last hand-over, whenever that was: the next request hands on what there is.
    for _ in range(40):
        send(stage, "GW-9", secret, reading(value="high"))
        rows = admin.get("/api/v1/queries/device_credentials", params={"device": "GW-9"}).json()["rows"]
        if rows[0]["refused"]:
            break
    assert set(rows[0]["refused"]) == {f"{DOOR}:invalid"}
    metrics = httpx.get(f"{stage.url}/metrics").text
    assert 'chengyun_messages_refused_total{reason="invalid"}' in metrics
    assert 'chengyun_messages_accepted_total{feed="gateway",topic="city.reading.v1"}' in metrics
