"""协办 through the one door, over every store: who sees it, what each unit leaves behind, what the lead must wait for."""

from __future__ import annotations

import pytest

from data import migrate as migrations
from data.database import Database
from incidents import commands as c
from incidents import handling_commands as h
from incidents.scopes import scope_of
from tests.contracts.test_handling import CALL, DESK, MORNING, OFFICE, WORKER, City1, db
from tests.small_city import OTHER_DISTRICT, actor

__all__ = ["db"]
pytestmark = pytest.mark.timeout(120, func_only=True)
PHOTO = "a5" * 32
HELPER = actor("unit_handler", OTHER_DISTRICT, "U2", "helper", 8)
"""Of another district: what it sees, it sees because it was asked."""


def test_the_result_waits_for_every_unit_that_was_asked(db: Database) -> None:
    city = City1(db)
    assert city.refused(HELPER, c.NoteIncident(city.id, "?")).code == "forbidden"
    assert city.refused(DESK, h.AskAssist(city.id, ["U1"])).field == "unit"
    assert city.refused(DESK, h.AskAssist(city.id, [])).field == "units"
    assert city.refused(DESK, h.AskAssist(city.id, ["U3"])).field == "units", "takes no orders"
    assert city.refused(WORKER, h.AskAssist(city.id, ["U2"])).code == "forbidden"
    city.do(DESK, h.AskAssist(city.id, ["U2"], "疏导交通"))
    assert city.refused(DESK, h.AskAssist(city.id, ["U2"])).field == "unit"

    seen = city.seen(HELPER)
    assert [(a["unit"], a["what"], a["open"]) for a in seen["assists"]] == [("U2", "疏导交通", True)]
    assert [a for a in seen["actions"] if "assist" in a] == ["take_assist"]
    tasks = city.door.ask(c.MyTasks(), HELPER)["rows"]
    assert [(t["id"], t["assist"]["what"]) for t in tasks] == [(city.id, "疏导交通")]
    assert city.door.ask(c.IncidentList(), HELPER)["total"] == 1
    assert "assist" not in city.door.ask(c.MyTasks(), OFFICE)["rows"][0], "the lead leads"

    refused = city.refused(WORKER, c.FinishIncident(city.id, "已抽排"))
    assert refused.field == "assisting" and refused.facts["units"] == ["U2"]
    assert "handle" not in city.seen(OFFICE)["actions"]
    assert city.refused(HELPER, h.ArriveAssist(city.id)).code == "rule", "not before it has accepted"
    city.do(HELPER, h.TakeAssist(city.id), h.ArriveAssist(city.id))
    assert city.refused(HELPER, h.AnswerAssist(city.id, " ")).field == "text"
    assert city.refused(HELPER, h.AnswerAssist(city.id, "x", ["0" * 64])).field == "photos"
    db.query("INSERT INTO photos (sha256, mime, width, height, bytes, stored_by, stored_at) VALUES (%s, 'image/jpeg', 1, 1,"
             " '', %s, now())", (PHOTO, HELPER.login))  # fmt: skip
    city.do(HELPER, h.AnswerAssist(city.id, "已疏导，恢复通行", [PHOTO]))
    assert db.query("SELECT purpose FROM incident_photos WHERE sha256 = %s", (PHOTO,)) == [("assist",)]
    assert city.door.ask(c.MyTasks(), HELPER)["rows"] == []
    one = city.seen(HELPER)["assists"][0]
    assert (one["answer"], one["open"]) == ("已疏导，恢复通行", False)
    assert one["taken_at"] and one["arrived_at"] and one["done_at"]
    city.finish()
    assert city.seen()["stage"] == "returned_result"
    assert [e["detail"].get("unit") for e in city.seen()["timeline"] if "assist" in e["action"]] == ["U2"] * 4


def test_who_is_not_needed_is_let_go_with_a_reason(db: Database) -> None:
    city = City1(db)
    city.do(DESK, h.AskAssist(city.id, ["U2"]))
    assert city.refused(OFFICE, h.ReleaseAssist(city.id, "U2", "不用了")).code == "forbidden"
    assert city.refused(DESK, h.ReleaseAssist(city.id, "U2", " ")).field == "reason"
    city.do(DESK, h.ReleaseAssist(city.id, "U2", "现场不需要疏导"))
    assert city.refused(HELPER, h.TakeAssist(city.id)).code == "forbidden"
    assert city.door.ask(c.IncidentList(), HELPER)["total"] == 0
    city.finish()


def test_asked_with_the_dispatch_and_leading_ends_assisting(db: Database) -> None:
    city = City1(db)
    city.do(OFFICE, c.ReturnIncident(city.id, "owner", "不归我们"))
    city.do(DESK, c.DispatchIncident(city.id, "U1", assisting=["U2"]))
    assert [a["unit"] for a in city.seen()["assists"]] == ["U2"]
    city.do(DESK, c.DispatchIncident(city.id, "U2", reason="改由你方主办"))
    one = city.seen()["assists"][0]
    assert not one["open"] and one["why"] == "lead"
    city.do(DESK, c.VoidIncident(city.id, "误报"))


def orders(city: City1) -> list[tuple[object, ...]]:
    """(unit, seen?, outcome) of the orders to assist, oldest first."""
    return city.db.query(
        "SELECT unit, seen_at IS NOT NULL, outcome FROM orders WHERE kind = 'assist' ORDER BY id"
    )


def told(city: City1, unit: str = "U2") -> list[tuple[str, str]]:
    """What a unit was told on the bus: (kind, state or outcome), oldest first."""
    rows = city.db.query(
        "SELECT payload FROM outbox WHERE topic = 'city.order.v1' AND key = %s ORDER BY id", (unit,)
    )
    return [(one["kind"], one.get("outcome") or one["state"]) for (one,) in rows]


def test_a_unit_that_assists_has_an_order_until_it_has_answered(db: Database) -> None:
    city = City1(db)
    city.do(DESK, h.AskAssist(city.id, ["U2"], "疏导交通"))
    assert orders(city) == [("U2", False, "")] and told(city) == [("assist", "issued")]
    [(payload,)] = db.query("SELECT payload FROM outbox WHERE topic = 'city.order.v1' AND key = 'U2'")
    assert (payload["what"], payload["incident"], payload["due_at"]) == ("疏导交通", city.id, None)
    city.do(HELPER, h.TakeAssist(city.id))
    assert orders(city) == [("U2", True, "")]
    city.do(HELPER, h.ArriveAssist(city.id), h.AnswerAssist(city.id, "已疏导"))
    assert orders(city) == [("U2", True, "handled")]
    city.close()
    assert told(city) == [("assist", "issued"), ("assist", "handled")], "its end is told once"
    assert told(city, "U1") == [("lead", "issued"), ("lead", "handled")]
    assert [one["kind"] for one in city.seen()["orders"]] == ["lead", "assist"]


def test_an_order_to_assist_is_withdrawn_with_the_assistance(db: Database) -> None:
    city = City1(db)
    city.do(DESK, h.AskAssist(city.id, ["U2"]), h.ReleaseAssist(city.id, "U2", "不用了"))
    city.do(DESK, h.AskAssist(city.id, ["U2"]))
    assert [row[2] for row in orders(city)] == ["released", ""], "asked again is another order"
    city.do(OFFICE, c.ReturnIncident(city.id, "owner", "不归我们"))
    assert [row[2] for row in orders(city)] == ["released", ""], "the lead's return is not theirs"
    city.do(DESK, c.DispatchIncident(city.id, "U2"))
    assert [row[2] for row in orders(city)] == ["released", "superseded"]
    city.do(DESK, h.AskAssist(city.id, ["U1"]), c.VoidIncident(city.id, "误报"))
    assert told(city)[-2:] == [("lead", "issued"), ("lead", "void")]
    assert told(city, "U1")[-2:] == [("assist", "issued"), ("assist", "void")]
    assert db.query("SELECT count(*) FROM orders WHERE ended_at IS NULL") == [(0,)]


def test_a_merge_ends_the_orders_to_assist(db: Database) -> None:
    city, other = City1(db), City1(db, north_m=400)
    city.do(DESK, h.AskAssist(city.id, ["U2"]))
    city.do(DESK, h.MergeIncidents(city.id, other.id, "同一处"))
    assert orders(city) == [("U2", False, "void")] and told(city) == [
        ("assist", "issued"),
        ("assist", "void"),
    ]


def test_units_that_assisted_before_there_were_such_orders_are_told(db: Database) -> None:
    city = City1(db)
    city.do(DESK, h.AskAssist(city.id, ["U2"], "疏导交通"))
    city.do(HELPER, h.TakeAssist(city.id))
    db.query("DELETE FROM orders WHERE kind = 'assist'")
    db.query("DELETE FROM outbox WHERE key = 'U2'")
    [script] = [path for number, path in migrations.files() if number == 33]
    db.query(script.read_text()[script.read_text().index("WITH waiting") :])
    assert orders(city) == [("U2", True, "")] and told(city) == [("assist", "issued")]
    city.do(HELPER, h.AnswerAssist(city.id, "已疏导"))
    assert told(city) == [("assist", "issued"), ("assist", "handled")]


def test_a_live_item_reaches_the_units_that_assist(db: Database) -> None:
    city = City1(db)
    city.do(DESK, h.AskAssist(city.id, ["U2"]))
    [(payload,)] = db.query(
        "SELECT payload FROM outbox WHERE topic = 'city.incident.v1' ORDER BY id DESC LIMIT 1"
    )
    assert payload["assisting"] == ["U2"] and scope_of(payload).endswith("\tU2")
    assert city.now == MORNING and city.seen(CALL)["version"] == payload["version"]
