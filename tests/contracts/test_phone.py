"""What the store keeps for the phone: receipts of orders, time on forms, pictures of the scene, the own cells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg2
import pytest

from data.database import Database
from incidents import commands as c
from incidents.burden import LEAST, LEAST_PEOPLE
from incidents.evaluation_queries import FieldBurden
from incidents.model import Actor
from incidents.phone_commands import NoteReceipt, OwnCells
from tests.conftest import STORES
from tests.contracts.test_intake_merging import CALL, DESK, NOW, Door
from tests.small_city import CITY, DISTRICT, WEST

pytestmark = pytest.mark.timeout(120, func_only=True)
OFFICE = Actor(902, "office", "单位", "unit_handler", "U1", (DISTRICT,))
OTHER = Actor(903, "other", "别单位", "unit_handler", "U2", (DISTRICT,))
LEADER = Actor(904, "leader", "领导", "duty_leader", "", (CITY,))


@pytest.fixture(params=STORES)
def door(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Door:
    return Door(fresh_database(str(request.param)))


def sent(door: Door, key: str = "k") -> int:
    """An incident whose order is out to U1."""
    lon, lat = WEST
    told = door.do(c.ReportIncident(text="路口积水", class_code="0101", lon=lon, lat=lat, key=key))
    door.do(c.AcceptIncident(int(told["id"])), CALL)
    door.do(c.DispatchIncident(int(told["id"]), unit="U1"), DESK)
    return int(told["id"])


def test_an_order_is_delivered_then_read_once_and_nobodys_version_changes(door: Door) -> None:
    id = sent(door)
    version = door.ask(c.IncidentDetail(id), DESK)["version"]
    door.now += timedelta(minutes=1)
    for _ in range(2):
        door.do(NoteReceipt(id, "delivered", door.now - timedelta(seconds=20)), OFFICE)
    door.now += timedelta(minutes=1)
    door.do(NoteReceipt(id, "seen"), OFFICE)
    detail = door.ask(c.IncidentDetail(id), DESK)
    assert [(r["state"], r["name"]) for r in detail["receipts"]] == [
        ("delivered", "office"),
        ("seen", "office"),
    ]
    assert detail["opened_at"] - detail["delivered_at"] == 80_000
    assert detail["version"] == version
    door.do(c.TakeIncident(id, version=version), OFFICE)
    assert "opened_at" not in door.ask(c.IncidentDetail(id), DESK), "taken: the stage says it all"
    assert len(door.ask(c.IncidentDetail(id), DESK)["receipts"]) == 2
    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        door.db.query("UPDATE order_receipts SET at = now()")


def test_only_who_holds_the_order_gives_its_receipt(door: Door) -> None:
    id = sent(door)
    for stranger in (OTHER, DESK, CALL, LEADER):
        assert door.refused(NoteReceipt(id, "seen"), stranger).code == "forbidden"
    assert door.ask(c.IncidentDetail(id), DESK)["receipts"] == []


def test_the_office_does_not_read_for_the_worker(door: Door) -> None:
    door.db.query(
        "INSERT INTO accounts (login, name, role, unit, areas, password_hash, created_at) VALUES"
        " ('gw-x', '网格员', 'grid_worker', 'U1', ARRAY[%s], '', now())",
        (DISTRICT,),
    )
    id = sent(door)
    door.do(c.DispatchIncident(id, unit="U1", worker="gw-x", reason="就近"), DESK)
    door.do(NoteReceipt(id, "seen"), OFFICE)
    assert door.ask(c.IncidentDetail(id), DESK)["receipts"] == []
    door.do(NoteReceipt(id, "seen"), Actor(905, "gw-x", "网格员", "grid_worker", "U1", (DISTRICT,)))
    assert [r["state"] for r in door.ask(c.IncidentDetail(id), DESK)["receipts"]] == ["seen"]


def burdens(door: Door) -> dict[str, Any]:
    day = NOW.date().isoformat()
    found: dict[str, Any] = door.ask(FieldBurden(day, day), LEADER)["forms"]
    return found


def test_time_on_forms_is_told_of_groups_and_of_nobody(door: Door) -> None:
    id = sent(door)
    people = [Actor(910 + n, f"op-{n}", "坐席", "operator", "", (DISTRICT,)) for n in range(LEAST_PEOPLE)]
    for n in range(LEAST):
        door.do(c.NoteIncident(id, f"备注 {n}", form_s=10.0 + n, taps=3), people[0])
    assert burdens(door)["rows"] == [], "five forms of one person are that person's"
    assert burdens(door)["withheld"] == LEAST
    for n, person in enumerate(people[1:]):
        door.do(c.NoteIncident(id, f"又 {n}", form_s=40.0, taps=5), person)
    (row,) = burdens(door)["rows"]
    assert (row["form"], row["count"], row["median_s"], row["taps"]) == ("note", LEAST + 2, 13.0, 3.0)
    kept = door.db.query("SELECT person FROM form_efforts")
    assert not any(person.login in mark for (mark,) in kept for person in people)
    audit = door.db.query("SELECT detail::text FROM audit WHERE thing LIKE 'note_incident%%'")
    assert not any("form_s" in text or "taps" in text for (text,) in audit)


def test_the_same_form_sent_again_counts_once(door: Door) -> None:
    id = sent(door)
    for _ in range(3):
        door.do(c.NoteIncident(id, "备注", key="once", form_s=9.0, taps=2), CALL)
    assert door.db.query("SELECT count(*) FROM form_efforts")[0][0] == 1


@pytest.mark.parametrize("seconds", [-1.0, 7200.0])
def test_a_form_left_open_overnight_is_no_measure(door: Door, seconds: float) -> None:
    door.do(c.NoteIncident(sent(door), "备注", form_s=seconds, taps=2), CALL)
    assert door.db.query("SELECT count(*) FROM form_efforts")[0][0] == 0


def test_a_picture_of_the_scene_comes_with_a_remark(door: Door) -> None:
    id, sha = sent(door), "a" * 64
    door.db.query(
        "INSERT INTO photos (sha256, mime, width, height, bytes, stored_at, stored_by)"
        " VALUES (%s, 'image/jpeg', 1, 1, '', now(), 'office')",
        (sha,),
    )
    door.do(c.NoteIncident(id, "现场情况", photos=[sha]), OFFICE)
    assert [(p["sha256"], p["purpose"]) for p in door.ask(c.IncidentDetail(id), LEADER)["photos"]] == [
        (sha, "scene")
    ]
    assert door.refused(c.NoteIncident(id, "无此照片", photos=["b" * 64]), OFFICE).field == "photos"


def test_own_cells_are_those_of_the_own_area_with_their_outline(door: Door) -> None:
    found = door.ask(OwnCells(), OFFICE)
    whole = door.ask(OwnCells(), LEADER)
    codes = {row["code"] for row in found["rows"]}
    assert codes <= {row["code"] for row in whole["rows"]}
    assert found["total"] == len(codes)
    for row in found["rows"]:
        assert row["area"].startswith(DISTRICT)
        assert all(len(ring) >= 3 for ring in row["rings"])
        assert any(row["area"].startswith(path) for path in found["names"])
