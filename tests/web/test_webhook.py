"""Webhooks through the whole shell: no session, no CSRF token, but the feed's own signature; never more than the limit."""

from __future__ import annotations

import json

from tests.web.conftest import Stage

KEY = "a-key-of-24-characters-ok"
MAPPING = {
    "topic": "city.reading.v1",
    "time": {"path": "t"},
    "data": {"device": {"path": "d"}, "readings": [{"metric": "level", "value": {"path": "z"}}]},
}


def test_a_webhook_needs_its_key_and_no_session(stage: Stage) -> None:
    stage.db.query(
        "INSERT INTO feeds (id, name, kind, config, secrets, mapping) VALUES ('hook', 'hook', 'webhook', '{}', %s, %s)",
        (json.dumps({"key": KEY}), json.dumps(MAPPING)),
    )
    client = stage.client()
    body = [{"t": "2026-11-26T06:00:00Z", "d": "WL-1", "z": 1}, {"d": "WL-1"}]
    url = "/api/v1/feeds/hook/records"
    signed = {"Authorization": f"Bearer {KEY}"}
    taken = client.post(url, json=body, headers=signed)
    assert (taken.status_code, taken.json()) == (202, {"accepted": 1, "set_aside": 1})
    assert client.post(url, json=body).status_code == 401
    assert client.post(url, json=body, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.post("/api/v1/feeds/sensors/records", json=body, headers=signed).status_code == 401
    assert client.post("/api/v1/feeds/nobody/records", json=body, headers=signed).status_code == 401
    assert client.post(url, content=b"x" * (1024 * 1024 + 1), headers=signed).status_code == 413
    assert client.get(url, headers=signed).status_code in (401, 405), "only POST is open"
    assert (
        client.post("/api/v1/commands/switch_feed", json={"id": "hook", "disabled": True}).status_code == 401
    )
