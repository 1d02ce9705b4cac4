"""One id, from the request that brings a message to the detail on the screen, through the logs of every process."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx

from tests.e2e.city import RUBBISH, envelope
from tests.e2e.conftest import Running
from tests.e2e.waiting import until


def lines(running: Running, process: str, identity: str) -> list[dict[str, Any]]:
    """What a process has logged about an id. Every line of its log is JSON."""
    text = (running.product.folder / f"{process}.log").read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1].splitlines()
    return [line for line in map(json.loads, whole) if line.get("correlation_id") == identity]


def test_one_id_leads_from_the_request_to_the_screen(running: Running) -> None:
    identity = f"call-{uuid4().hex}"
    topic = "city.grid-report.v1"
    message = envelope(topic, "r", {"channel": "hotline", "class": RUBBISH, "text": f"路边垃圾 {identity}"})
    answer = httpx.post(
        f"{running.url}/api/v1/messages/{topic}",
        json=message,
        headers={"Authorization": f"Bearer {running.product.token('simulation')}", "X-Request-ID": identity},
        timeout=30,
    )
    assert answer.status_code == 202 and answer.headers["X-Request-ID"] == identity
    operator = running.person("operator")
    try:

        def listed() -> Any:
            return operator.ask("incidents", text=identity).raise_for_status().json()["rows"]

        (row,) = until(listed, "no incident came of it")
        detail = operator.ask("incident", id=row["id"]).raise_for_status().json()
    finally:
        operator.close()
    assert detail["cid"] == identity
    assert [source["correlation_id"] for source in detail["source_list"]] == [identity]
    assert detail["timeline"][0]["cause_id"] == identity
    (request,) = until(lambda: lines(running, "web", identity), "the web process says nothing")
    assert (request["event"], request["path"]) == ("request", f"/api/v1/messages/{topic}")
    taken = until(lambda: lines(running, "ingest", identity)[1:], "ingest says nothing of the incident")
    assert [line["event"] for line in taken] == ["incident opened"] and taken[0]["number"] == row["number"]
    assert lines(running, "ingest", identity)[0]["event"] == "taken in"
    out = until(lambda: lines(running, "relay", identity), "the relay says nothing")
    assert (out[0]["event"], out[0]["key"]) == ("published", str(row["id"]))
