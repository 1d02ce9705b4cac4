"""POST /api/v1/messages/{topic}: tokens, bad messages, all or nothing, and what the bus then holds."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from callbacks.http.messages import MOST
from streams import topics
from streams.bus import open_bus
from tests.web.conftest import FEED_TOKEN, SHUT_TOKEN, Stage

BEARER = {"Authorization": f"Bearer {FEED_TOKEN}", "Content-Type": "application/json"}


def event(number: object = 1, **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"m-{number}",
        "source": "urn:feed:sensors",
        "type": topics.READING,
        "time": "2026-11-21T08:00:00.000Z",
        "subject": "D1",
        "data": {"device": "D1", "readings": [{"metric": "level", "value": 1.5}]},
    } | more


def send(stage: Stage, body: object, topic: str = topics.READING, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(
        f"{stage.url}/api/v1/messages/{topic}", content=content, headers=BEARER | headers, timeout=30
    )


def on_the_bus(
    stage: Stage, topic: str = topics.READING
) -> dict[tuple[int, int], tuple[str, Any, dict[str, bytes]]]:
    """Everything that the topic holds: (partition, offset) → (key, message, headers)."""
    bus = open_bus(stage.bus_url)
    inspector = bus.inspector()
    wanted = sum(end - first for first, end in inspector.ranges(topic).values())
    ranges = inspector.ranges(topic)
    reader = bus.reader(
        f"look-{time.monotonic_ns()}", [topic], lambda parts: {p: ranges[p][0] for p in parts}
    )
    found: dict[tuple[int, int], tuple[str, Any, dict[str, bytes]]] = {}
    deadline = time.monotonic() + 20
    while len(found) < wanted and time.monotonic() < deadline:
        for record in reader.poll(1000, 0.5):
            found[record.partition, record.offset] = (
                record.key,
                json.loads(record.value),
                dict(record.headers),
            )
    reader.close()
    inspector.close()
    assert len(found) == wanted
    return found


def test_one_message(stage: Stage) -> None:
    reply = send(stage, event("one"))
    assert reply.status_code == 202, reply.text
    answer = reply.json()
    assert answer["accepted"] == 1
    (position,) = answer["positions"]
    key, message, headers = on_the_bus(stage)[position["partition"], position["offset"]]
    assert (key, message["id"], headers["feed"]) == ("D1", "m-one", b"sensors")


def test_an_array(stage: Stage) -> None:
    messages = [
        event(f"a{n}", data={"device": f"D{n % 7}", "readings": [{"metric": "level", "value": n}]})
        for n in range(MOST)
    ]
    answer = send(stage, messages).json()
    assert answer["accepted"] == MOST
    held = on_the_bus(stage)
    assert [held[p["partition"], p["offset"]][1]["id"] for p in answer["positions"]] == [
        m["id"] for m in messages
    ]
    too_many = send(stage, [*messages, event("extra")])
    assert (too_many.status_code, too_many.json()["code"]) == (413, "too_large")
    assert send(stage, []).json() == {"accepted": 0, "positions": []}


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"{", "malformed", ""),
        (b"", "malformed", ""),
        (b"\xff\xfe\x00", "malformed", ""),
        (b'"text"', "envelope", ""),
        (event(specversion="0.3"), "envelope", "specversion"),
        (event(id=""), "envelope", "id"),
        (event(id=7), "envelope", "id"),
        (event(type="city.reading.v2"), "unknown_version", "type"),
        (event(data={"device": 7, "readings": []}), "invalid", "data.device"),
        (
            event(data={"device": "D", "readings": [{"metric": "m", "value": "high"}]}),
            "invalid",
            "data.readings[0].value",
        ),
        ({k: v for k, v in event().items() if k != "data"}, "envelope", ""),
    ],
)
def test_bad_messages_name_field_value_and_rule(stage: Stage, body: object, code: str, field: str) -> None:
    before = len(on_the_bus(stage))
    reply = send(stage, body)
    answer = reply.json()
    assert (reply.status_code, answer["code"], answer["field"]) == (400, code, field), answer
    assert answer["message"] and "rule" in answer and "found" in answer
    if not isinstance(body, bytes):
        listed = send(stage, [event("good"), body, event("good2")])
        assert (listed.status_code, listed.json()["index"], listed.json()["code"]) == (400, 1, code)
    assert len(on_the_bus(stage)) == before, "an array is taken whole or not at all"


def test_size(stage: Stage) -> None:
    reply = send(stage, event(pad="x" * (10 * 1024 * 1024)))
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", f"Basic {FEED_TOKEN}", f"Bearer {FEED_TOKEN}x", "Bearer " + "x" * 501],
)
def test_without_a_good_token(stage: Stage, authorization: str) -> None:
    reply = send(stage, event(), Authorization=authorization)
    assert reply.status_code == 401 and reply.headers["www-authenticate"].startswith("Bearer")


def test_topics(stage: Stage) -> None:
    assert send(stage, event(), "city.nonsense.v1").status_code == 404
    assert send(stage, event(), topics.WARNING).status_code == 404, "outputs are not for feeds"
    other = send(stage, event(type=topics.POSITION), topics.POSITION)
    assert (other.status_code, other.json()["field"]) == (403, "topic")
    shut = send(stage, event(), Authorization=f"Bearer {SHUT_TOKEN}")
    assert (shut.status_code, shut.json()["field"]) == (403, "feed")


def test_a_feed_token_opens_nothing_else(stage: Stage) -> None:
    for path in ("/api/v1/me", "/live", "/api/v1/queries/feeds"):
        assert httpx.get(stage.url + path, headers=BEARER).status_code == 401


def test_position_of_a_phone(stage: Stage) -> None:
    worker = stage.login("grid-worker")
    began = datetime.now(UTC)
    reply = worker.post("/api/v1/position", json={"lon": 113.9, "lat": 21.9, "accuracy_m": 12})
    assert reply.status_code == 202, reply.text
    newest = max(on_the_bus(stage, topics.POSITION).values(), key=lambda found: found[1]["time"])
    key, message, headers = newest
    assert (key, message["data"]["worker"], headers["feed"]) == ("grid-worker", "grid-worker", b"phone")
    assert abs((datetime.fromisoformat(message["time"]) - began).total_seconds()) < 10
    assert message["correlationid"] == reply.headers["x-request-id"]
    assert worker.post("/api/v1/position", json={"lon": 200, "lat": 21.9}).status_code == 422
    assert worker.post("/api/v1/position", json={"lon": 1, "lat": 1, "worker": "other"}).status_code == 422
    assert stage.login("operator").post("/api/v1/position", json={"lon": 1, "lat": 1}).status_code == 403


def test_a_bus_that_is_away(stage: Stage) -> None:
    """Real: the bus server is stopped, messages are refused with 503, and taken again when it is back."""
    for server in stage.servers.servers:
        if server.name == "redis-bus":
            from deploy.service import stop

            stop(server)
    reply = send(stage, event("away"))
    assert (reply.status_code, reply.json()["code"]) == (503, "away")
    assert reply.headers["retry-after"].isdigit()
    ready = httpx.get(f"{stage.url}/readyz", timeout=30)
    assert ready.status_code == 503 and not ready.json()["links"]["bus"]["ok"]
    stage.servers.restart("redis-bus")
    deadline = time.monotonic() + 20
    while send(stage, event("back")).status_code != 202:
        assert time.monotonic() < deadline
    assert httpx.get(f"{stage.url}/readyz", timeout=30).json()["links"]["bus"]["ok"]


@pytest.mark.parametrize(("own", "expected"), [({}, "call-77"), ({"correlationid": "own-1"}, "own-1")])
def test_a_message_without_a_correlation_gets_its_requests(
    stage: Stage, own: dict[str, str], expected: str
) -> None:
    reply = send(stage, [event(f"c-{expected}", **own)], **{"X-Request-ID": "call-77"})
    assert reply.status_code == 202, reply.text
    (position,) = reply.json()["positions"]
    _, message, _ = on_the_bus(stage)[position["partition"], position["offset"]]
    assert message == event(f"c-{expected}") | {"correlationid": expected}


def test_a_correlation_spelt_with_an_escape_is_the_senders_own(stage: Stage) -> None:
    body = json.dumps(event("escaped", correlationid="own-2")).replace("correlationid", "correlation\\u0069d")
    (position,) = send(stage, body.encode(), **{"X-Request-ID": "call-78"}).json()["positions"]
    _, message, _ = on_the_bus(stage)[position["partition"], position["offset"]]
    assert message["correlationid"] == "own-2"
