"""/healthz, /readyz, /metrics, /status."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx

from tests.web.conftest import Stage


def test_healthz(stage: Stage) -> None:
    assert httpx.get(f"{stage.url}/healthz").json() == {"ok": True}


def test_readyz_names_the_broken_link(stage: Stage) -> None:
    now = int(stage.clock().timestamp() * 1000)
    stage.live.beat("relay", now)
    stage.live.beat("ingest:1", now - 60_000)
    reply = httpx.get(f"{stage.url}/readyz")
    links = reply.json()["links"]
    assert (
        reply.status_code == 503 and not links["ingest"]["ok"] and "silent for 60 s" in links["ingest"]["why"]
    )
    assert links["relay"]["ok"] and links["store"]["ok"] and links["bus"]["ok"] and links["live"]["ok"]
    stage.live.beat("ingest:2", now)
    assert httpx.get(f"{stage.url}/readyz").status_code == 200
    stage.clock.ahead = timedelta(seconds=20)
    assert httpx.get(f"{stage.url}/readyz").status_code == 503


def test_strangers_are_not_told_why(stage: Stage) -> None:
    through_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
    links = httpx.get(f"{stage.url}/readyz", headers=through_a_proxy).json()["links"]
    assert set(links) >= {"store", "bus", "live", "ingest", "relay"}
    assert all(set(link) == {"ok"} for link in links.values())


def test_readyz_notices_a_missing_migration(stage: Stage) -> None:
    row = stage.db.query(
        "SELECT number, name, checksum, applied_at FROM schema_migrations ORDER BY number DESC LIMIT 1"
    )[0]
    stage.db.query("DELETE FROM schema_migrations WHERE number = %s", (row[0],))
    try:
        store = httpx.get(f"{stage.url}/readyz").json()["links"]["store"]
        assert not store["ok"] and str(row[0]) in store["why"]
    finally:
        stage.db.query(
            "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES (%s, %s, %s, %s)", row
        )


def test_metrics(stage: Stage) -> None:
    stage.login("operator").get("/api/v1/queries/classes")
    text = httpx.get(f"{stage.url}/metrics").text
    counted = re.search(
        r'requests_total\{method="GET",route="/api/v1/queries/classes",status="200"\} (\d+)', text
    )
    assert counted and int(float(counted[1])) >= 1
    for name in (
        "chengyun_sse_clients",
        "chengyun_live_n",
        "chengyun_ingest_lag",
        "chengyun_http_seconds_bucket",
    ):
        assert name in text
    through_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
    assert httpx.get(f"{stage.url}/metrics", headers=through_a_proxy).status_code == 401


def test_lag_is_what_the_bus_says(stage: Stage) -> None:
    from streams import topics
    from streams.bus import open_bus

    inspector = open_bus(stage.bus_url).inspector()
    held = sum(end - first for first, end in inspector.ranges(topics.GRID_REPORT).values())
    text = httpx.get(f"{stage.url}/metrics").text
    shown = re.search(rf'chengyun_ingest_lag\{{topic="{topics.GRID_REPORT}"\}} ([\d.]+)', text)
    assert shown and float(shown[1]) == held


def test_status(stage: Stage) -> None:
    told = stage.login("operator-city").get("/status")
    assert told.status_code == 200
    version = stage.db.query("SHOW server_version")[0][0]
    assert (told.json()["store"], told.json()["postgresql"]) == ("postgresql", version)
    assert stage.login("auditor-city").get("/status").status_code == 200


def test_metrics_tell_what_ingest_and_relay_have_counted(stage: Stage) -> None:
    stage.live.beat(
        "ingest:ordinary:7", int(stage.clock().timestamp() * 1000), {"messages": 12, "flush_s": 0.25}
    )
    text = httpx.get(f"{stage.url}/metrics").text
    for counter, value in (("messages", 12), ("flush_s", 0.25)):
        shown = re.search(
            rf'chengyun_process\{{counter="{counter}",process="ingest:ordinary:7"\}} ([\d.]+)', text
        )
        assert shown and float(shown[1]) == value
