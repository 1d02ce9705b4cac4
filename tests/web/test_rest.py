"""Commands and queries over REST: types, unknown fields, refusals, who was first."""

from __future__ import annotations

import io
import itertools
from datetime import datetime

import pytest
from openpyxl import load_workbook

from callbacks.http import export
from callbacks.http.export import neutral
from tests.web.conftest import Stage

serial = itertools.count()
APART = 0.0014
"""Degrees of latitude, some 155 m: nearer reports of one class may be one incident."""


def file_one(
    stage: Stage, text: str = "路面积水很深", lon: float = 113.85, **more: object
) -> dict[str, object]:
    reply = stage.login("operator-city").post(
        "/api/v1/commands/report_incident",
        json={"text": text, "class_code": "0101", "lon": lon, "lat": 21.9 + next(serial) * APART, **more},
    )
    assert reply.status_code == 200, reply.text
    found: dict[str, object] = reply.json()
    return found


@pytest.mark.parametrize(
    ("body", "field", "part"),
    [
        ({"id": "seven"}, "id", "'seven'"),
        ({"id": "7"}, "id", "'7'"),
        ({"id": 7.5}, "id", "7.5"),
        ({"id": True}, "id", "True"),
        ({"id": 2**63}, "id", "less than"),
        ({}, "id", "required"),
        ({"id": 1, "version": 1, "nonsense": 2}, "nonsense", "no such field"),
        ({"id": 1, "key": 5}, "key", "5"),
        ({"id": 1, "class_code": "a\x00b"}, "class_code", "NUL"),
        ({"id": 1, "class_code": "x" * 20_001}, "class_code", "20000"),
        ([], "body", ""),
    ],
)
def test_wrong_types_name_field_value_and_rule(stage: Stage, body: object, field: str, part: str) -> None:
    reply = stage.login("operator").post("/api/v1/commands/accept_incident", json=body)
    answer = reply.json()
    assert (reply.status_code, answer["code"], answer["field"] or "body") == (422, "field", field), answer
    assert part in answer["message"]


@pytest.mark.parametrize(("content", "status"), [(b"{", 422), (b"", 422), (b"\xff\xfe", 422), (b"null", 422)])
def test_no_json(stage: Stage, content: bytes, status: int) -> None:
    client = stage.login("operator")
    headers = {"Content-Type": "application/json"}
    reply = client.post("/api/v1/commands/accept_incident", content=content, headers=headers)
    assert reply.status_code == status and reply.json()["code"] == "field"


@pytest.mark.parametrize("body", ['{"text":"x","lon":NaN,"lat":1}', '{"text":"x","lon":1e999,"lat":1}'])
def test_no_infinities(stage: Stage, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    client = stage.login("operator")
    reply = client.post("/api/v1/commands/report_incident", content=body, headers=headers)
    assert reply.status_code == 422, reply.text


def test_a_large_body_is_refused_before_it_is_read(stage: Stage) -> None:
    client = stage.login("operator")
    reply = client.post("/api/v1/commands/report_incident", json={"text": "x" * (3 * 1024 * 1024)})
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")

    def endless():  # type: ignore[no-untyped-def]
        for _ in range(64):
            yield b"x" * 65536

    headers = {"Content-Type": "application/json"}
    reply = client.post("/api/v1/commands/report_incident", content=endless(), headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")


def test_queries_take_strings_but_no_strangers(stage: Stage) -> None:
    client = stage.login("operator")
    assert client.get("/api/v1/queries/incidents?scope=all&overdue=true&limit=5").status_code == 200
    wrong = client.get("/api/v1/queries/incidents?limit=many")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "limit")
    strange = client.get("/api/v1/queries/incidents?color=red")
    assert (strange.status_code, strange.json()["field"]) == (422, "color")


def test_refusals_have_their_status(stage: Stage) -> None:
    number = file_one(stage)["id"]
    operator, worker = stage.login("operator-city"), stage.login("grid-worker")
    path = "/api/v1/commands/accept_incident"
    assert worker.post(path, json={"id": number}).status_code == 403
    assert operator.post(path, json={"id": 999_999}).status_code == 404
    assert operator.post(path, json={"id": number, "class_code": "nope"}).status_code == 422
    assert operator.post(path, json={"id": number}).status_code == 200
    second = operator.post(path, json={"id": number})
    assert (second.status_code, second.json()["code"]) == (409, "stage")
    assert second.json()["first"] == "某operator-city" and second.json()["first_action"] == "accept"
    stale = operator.post(
        "/api/v1/commands/refuse_incident", json={"id": number, "reason": "x", "version": 1}
    )
    assert stale.status_code == 409


def test_neighbour_is_refused_and_audited(stage: Stage) -> None:
    number = file_one(stage, lon=113.85)["id"]
    neighbour = stage.login("neighbour")
    assert neighbour.post("/api/v1/commands/accept_incident", json={"id": number}).status_code == 403
    assert neighbour.get(f"/api/v1/queries/incident?id={number}").status_code == 403
    listed = neighbour.get("/api/v1/queries/incidents?scope=all&limit=1000").json()["rows"]
    assert number not in [row["id"] for row in listed]
    refused = stage.db.query("SELECT action FROM audit WHERE actor = 'neighbour' AND NOT allowed ORDER BY id")
    assert [row[0] for row in refused][-2:] == ["incident.accept", "incident.see"]
    assert stage.audit.verify().whole


def test_idempotency_key(stage: Stage) -> None:
    one = file_one(stage, key="the-same-key")
    assert file_one(stage, key="the-same-key") == one


def test_export_as_filtered_and_as_allowed(stage: Stage) -> None:
    own = file_one(stage, text='=HYPERLINK("http://evil")', lon=113.85)
    other = file_one(stage, text="邻村的事", lon=113.95)
    client = stage.login("operator")
    reply = client.get("/api/v1/export/incidents.xlsx?scope=all")
    assert reply.status_code == 200 and "attachment" in reply.headers["content-disposition"]
    rows = list(load_workbook(io.BytesIO(reply.content)).active.values)
    numbers = [row[0] for row in rows[1:]]
    assert rows[0][0] == "编号" and own["number"] in numbers and other["number"] not in numbers
    listed = client.get("/api/v1/queries/incidents?scope=all&limit=1000").json()
    assert numbers == [row["number"] for row in listed["rows"]] and len(numbers) == listed["total"]
    title = next(row[2] for row in rows[1:] if row[0] == own["number"])
    assert title.startswith("'=")
    at = next(row[10] for row in rows[1:] if row[0] == own["number"])
    assert isinstance(at, datetime) and "Asia/Shanghai" in rows[0][10]
    filtered = client.get(f"/api/v1/export/incidents.xlsx?scope=all&text={own['number']}")
    assert [row[0] for row in list(load_workbook(io.BytesIO(filtered.content)).active.values)[1:]] == [
        own["number"]
    ]
    assert client.get("/api/v1/export/incidents.xlsx?nonsense=1").status_code == 422


def test_an_export_over_its_limit_says_how_many_fit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [file_one(stage, text="限量导出") for _ in range(2)]
    client = stage.login("operator")
    monkeypatch.setattr(export, "MOST_ROWS", 1)
    reply = client.get("/api/v1/export/incidents.xlsx?text=限量导出")
    answer = reply.json()
    assert (reply.status_code, answer["code"], answer["total"], answer["most"]) == (
        422,
        "rule",
        len(found),
        1,
    )
    monkeypatch.setattr(export, "MOST_ROWS", 2)
    assert client.get("/api/v1/export/incidents.xlsx?text=限量导出").status_code == 200


def test_export_is_for_those_who_may_and_audited(stage: Stage) -> None:
    assert stage.login("grid-worker").get("/api/v1/export/incidents.xlsx").status_code == 403
    stage.login("operator").get("/api/v1/export/incidents.xlsx?scope=all")
    rows = stage.db.query(
        "SELECT actor, allowed FROM audit WHERE action = 'incident.export' ORDER BY id DESC LIMIT 2"
    )
    assert rows == [("operator", True), ("grid-worker", False)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("=1+1", "'=1+1"),
        ("+86", "'+86"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("a=b", "a=b"),
        ("a\x01b", "ab"),
    ],
)
def test_no_formulas(text: str, found: str) -> None:
    assert neutral(text) == found
