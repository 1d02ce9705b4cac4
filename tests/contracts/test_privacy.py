"""People are masked in every answer, for every role; who unmasks says why and is written down; over every store."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import date
from typing import Any, Final

import pytest

from data.database import Database
from incidents import commands as c
from incidents.access import ROLES
from incidents.handling_commands import UnmaskIncident
from incidents.model import Actor, Rejected
from tests.conftest import STORES
from tests.contracts.test_intake_merging import CALL, DESK, LAT, LON, Door
from tests.small_city import CITY, actor

pytestmark = pytest.mark.timeout(120, func_only=True)
SECRETS: Final = ("王小明", "13912345678", "440711199003074512")
SAID: Final = "王小明反映路口积水，请回电13912345678，证号440711199003074512"
LEADER, OFFICE = actor("duty_leader", id=4), actor("unit_handler", CITY, "U1", "office", 5)
LOOKERS: Final = (
    CALL,
    DESK,
    LEADER,
    OFFICE,
    *(
        actor(role, id=9)
        for role in ROLES
        if role not in ("operator", "dispatcher", "duty_leader", "unit_handler")
    ),
)
ECHO: Final = frozenset({"ReadAddress"})
"""Questions whose answer repeats what was asked with."""


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city."""
    return fresh_database(str(request.param))


def filed(door: Door) -> int:
    report = c.ReportIncident(
        text=SAID,
        class_code="0101",
        lon=LON,
        lat=LAT,
        reporter_name="王小明",
        reporter_phone="13912345678",
        key="p1",
    )
    id = int(door.do(report)["id"])
    door.do(c.AcceptIncident(id))
    door.do(c.DispatchIncident(id, "U1"), DESK)
    door.do(c.NoteIncident(id, "已电话告知王小明（13912345678）"))
    return id


def questions(id: int) -> list[object]:
    """Every query there is, about this incident and this place as far as it names one."""
    found: list[object] = []
    for kind in c.QUERIES.values():
        needed = [
            f for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING
        ]
        given = {"id": id, "lon": LON, "lat": LAT, "number": "20", "text": SAID, "class_code": "0101"}
        usual: dict[str, object] = {"int": 1, "date": date(2026, 11, 30)}
        found.append(
            kind(
                **{
                    f.name: str(given[f.name]) if f.name == "id" and f.type == "str"
                    else given.get(f.name, usual.get(str(f.type), "x"))
                    for f in needed
                }
            )
        )  # fmt: skip
    return [*found, c.SimilarIncidents(SAID, "0101", LON, LAT), c.IncidentList(scope="all")]


def answers(door: Door, id: int, who: Actor) -> dict[str, str]:
    """Every question this role may ask → its whole answer as text."""
    found: dict[str, str] = {}
    for question in questions(id):
        try:
            answer = json.dumps(door.ask(question, who), default=str, ensure_ascii=False)
        except Rejected as refused:
            assert refused.code in ("forbidden", "field", "not_found", "rule"), refused
            continue
        found[type(question).__name__] = found.get(type(question).__name__, "") + answer
    return found


@pytest.mark.parametrize("who", LOOKERS, ids=lambda who: who.role)
def test_no_answer_tells_who_reported(db: Database, who: Actor) -> None:
    door = Door(db)
    id = filed(door)
    door.do(
        c.ReportIncident(text=SAID, reporter_name="王小明", key="p2")
    )  # without a place: one to be read by a person
    found = answers(door, id, who)
    assert found
    for name, text in found.items():
        own = SAID if name in ECHO else ""
        for secret in SECRETS:
            assert secret not in text.replace(own or "\0", ""), (name, who.role, secret)
    if "IncidentDetail" in found:
        assert "王**反映路口积水，请回电********678" in found["IncidentDetail"]


def test_what_leaves_by_the_bus_and_the_live_state_is_masked(db: Database) -> None:
    door = Door(db)
    filed(door)
    for (payload,) in db.query("SELECT payload::text FROM outbox"):
        assert not any(secret in payload for secret in SECRETS)
    [(text,)] = db.query("SELECT text FROM incidents")
    assert text == SAID, "the store keeps what was said"


def test_who_unmasks_says_why_and_is_written_down(db: Database) -> None:
    door = Door(db)
    id = filed(door)
    assert door.refused(UnmaskIncident(id, " ")).field == "reason"
    assert door.refused(UnmaskIncident(id, "想看"), OFFICE).code == "forbidden"
    assert (
        door.refused(UnmaskIncident(id, "想看"), actor("operator", CITY + "990102/", id=9)).code
        == "forbidden"
    )
    answer: dict[str, Any] = door.do(UnmaskIncident(id, "需回电核实地点"))
    assert answer["text"] == SAID
    assert [(p["name"], p["phone"]) for p in answer["people"]] == [("王小明", "13912345678")]
    rows = db.query(
        "SELECT actor, allowed, thing, detail FROM audit WHERE action = 'person.unmask' ORDER BY id"
    )
    assert [(a, ok) for a, ok, _, _ in rows][-1] == (CALL.login, True)
    assert rows[-1][2] == f"unmask_incident:{id}" and rows[-1][3]["reason"] == "需回电核实地点"
    assert (OFFICE.login, False) in [(a, ok) for a, ok, _, _ in rows], "who was refused is written down too"
    assert not any(secret in json.dumps(rows[-1][3], ensure_ascii=False) for secret in SECRETS)
