"""答复: whoever spoke of an incident is told what became of it, once through each channel; over every store (S10, S11)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from data.database import Database
from incidents import commands as c
from incidents.commands import IncidentDetail
from incidents.handling_commands import ReopenIncident, SeparateSources, UnmaskIncident
from incidents.model import Actor, Incident, Place, Stage
from incidents.reply_commands import RepliesWaiting, TellReporter
from incidents.replying import reply_text, teller
from incidents.triage import triage
from tests.conftest import STORES
from tests.contracts.test_intake_merging import CALL, DESK, NOW, Door
from tests.contracts.test_store import Intaker
from tests.small_city import DISTRICT, OTHER_DISTRICT, PATTERN, WEST, ZONE, actor, units_of_work
from tests.streams.city_messages import report as message

pytestmark = pytest.mark.timeout(120, func_only=True)
SECOND = Actor(901, "op-2", "坐席二", "operator", "", (DISTRICT,))
OFFICE = Actor(902, "office", "单位", "unit_handler", "U1", (DISTRICT,))


@pytest.fixture(params=STORES)
def door(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Door:
    return Door(fresh_database(str(request.param)))


def call(door: Door, phone: str, key: str, name: str = "", channel: str = "hotline") -> int:
    lon, lat = WEST
    told = door.do(
        c.ReportIncident(
            text="路口积水", class_code="0101", lon=lon, lat=lat, channel=channel, key=key,
            reporter_phone=phone, reporter_name=name,
        )
    )  # fmt: skip
    return int(told["id"])


def handled(door: Door, id: int, said: str = "已抽排") -> None:
    for command, who in (
        (c.AcceptIncident(id), CALL), (c.DispatchIncident(id, unit="U1"), DESK), (c.TakeIncident(id), OFFICE),
        (c.ArriveIncident(id), OFFICE), (c.FinishIncident(id, said), OFFICE), (c.CheckIncident(id, True), CALL),
        (c.CloseIncident(id), CALL),
    ):  # fmt: skip
        door.do(command, who)


def put_out(door: Door) -> list[dict[str, Any]]:
    return [
        row[0]
        for row in door.db.query("SELECT payload FROM outbox WHERE topic = 'city.reply.v1' ORDER BY id")
    ]


def test_everybody_who_spoke_is_answered_once_through_each_channel(door: Door) -> None:
    id = call(door, "13900000001", "a", "王小明")
    assert id == call(door, "13900000002", "b") == call(door, "13900000001", "c")
    point = {"lon": WEST[0], "lat": WEST[1]}
    Intaker(door.db).take(
        [message(NOW, "T-1", point=point, **{"class": "0101"}, reporter={"phone": "13700000001"})]
    )
    Intaker(door.db).take([message(NOW, "T-2", point=point, **{"class": "0101"})])
    with units_of_work(door.db)() as uow:
        assert {taken.incident for taken in triage(uow, NOW, PATTERN, ZONE)} == {id}
    handled(door, id, "已抽排，王小明现场确认，电话13900000001")
    told = put_out(door)
    assert [(t["teller"], len(t["reports"])) for t in told] == [
        ("person", 2),
        ("person", 1),
        ("message", 1),
        ("message", 1),
    ]
    assert told[3]["reports"] == [{"source": "urn:feed:reports", "id": "T-2"}], (
        "the system knows whom to tell"
    )
    assert told[2]["reports"] == [{"source": "urn:feed:reports", "id": "T-1"}], "by its own number"
    assert {t["text"] for t in told} == {told[0]["text"]} and "已抽排" in told[0]["text"]
    assert "王小明" not in told[0]["text"] and "13900000001" not in told[0]["text"], (
        "nobody learns who else spoke"
    )
    rows = door.ask(RepliesWaiting())
    assert rows["total"] == 2 and [r["reports"] for r in rows["rows"]] == [2, 1]
    assert door.ask(IncidentDetail(id))["replies"] == {"waiting": 2, "told": 2}


def test_a_person_tells_it_once_and_says_why_nobody_was_reached(door: Door) -> None:
    id = call(door, "13900000001", "a")
    call(door, "13900000002", "b")
    door.do(c.RefuseIncident(id, "属于物业管理范围"))
    first, second = door.ask(RepliesWaiting())["rows"]
    people = door.do(UnmaskIncident(id, "答复", second["id"]))["people"]
    assert [one["phone"] for one in people] == ["13900000002"], "whom this one is for, and nobody else"
    assert first["outcome"] == "refuse" and first["reply"].endswith("经核实不予受理：属于物业管理范围")
    door.do(TellReporter(first["id"], True))
    again = door.refused(TellReporter(first["id"], True), SECOND)
    assert (again.code, again.field) == ("stage", "id")
    assert door.refused(TellReporter(second["id"], False)).field == "note"
    door.do(TellReporter(second["id"], False, "三次无人接听"))
    assert door.ask(RepliesWaiting()) == {"rows": [], "total": 0}
    assert door.ask(IncidentDetail(id))["replies"] == {"told": 1, "unreached": 1}
    assert door.refused(TellReporter(10_000, True)).code == "unknown"


def test_what_is_reopened_is_not_told_any_more_and_its_new_end_is(door: Door) -> None:
    id = call(door, "13900000001", "a")
    handled(door, id, "已抽排")
    door.now += timedelta(hours=1)
    door.do(ReopenIncident(id, "又积水"))
    assert door.ask(RepliesWaiting())["total"] == 0
    door.do(c.VoidIncident(id, "并入道路改造"), DESK)
    (row,) = door.ask(RepliesWaiting())["rows"]
    assert row["outcome"] == "void" and "并入道路改造" in row["reply"]
    assert len(put_out(door)) == 2


def test_who_only_asked_is_answered_and_counts_in_no_rate(door: Door) -> None:
    id = call(door, "13900000001", "a")
    assert door.refused(c.AnswerConsultation(id, " ")).field == "reason"
    door.do(c.AnswerConsultation(id, "服务大厅周一至周五8:30开门"))
    found = door.ask(IncidentDetail(id))
    assert found["stage"] == "refused" and found["timeline"][-1]["action"] == "consult"
    (row,) = door.ask(RepliesWaiting())["rows"]
    assert row["outcome"] == "consult" and row["reply"].startswith("您咨询的“路口积水”")
    assert row["reply"].endswith("答复如下：服务大厅周一至周五8:30开门")
    assert door.db.query("SELECT merged FROM incident_facts WHERE incident_id = %s", (id,)) == [(True,)]


def test_who_was_merged_by_mistake_is_not_told_of_the_other(door: Door) -> None:
    id = call(door, "13900000001", "a")
    call(door, "13900000002", "b")
    handled(door, id)
    ((source,),) = door.db.query("SELECT max(id) FROM intake")
    door.do(SeparateSources(id, "不是一回事", [source]))
    (left,) = door.ask(RepliesWaiting())["rows"]
    assert left["incident"] == id and left["reports"] == 1


def test_offices_numbers_stay_and_peoples_do_not() -> None:
    said = "请拨打大厅电话0756-2212345，或找张三13800001111、身份证44040119800101123X，联系人：李小四"
    incident = Incident(
        1, "LL2026112100010", "0101", "道路积水", "路口积水", "", Stage.REPORTED, 3, Place(), NOW, 1
    )
    told = reply_text(incident, "consult", said, "", ("张三",), ())
    assert (
        "0756-2212345" in told and "13800001111" not in told and "张三" not in told and "李小四" not in told
    )
    assert "19800101123X" not in told
    assert reply_text(incident, "void", "长" * 1200, "").endswith("…")


def test_an_answer_that_would_be_cut_is_not_taken(door: Door) -> None:
    id = call(door, "13900000001", "a")
    assert door.refused(c.AnswerConsultation(id, "长" * 1001)).field == "text"


def test_without_a_phone_it_says_so_and_waits_for_nobody(door: Door) -> None:
    id = call(door, "", "a", "李四")
    unknown = call(door, "", "b")
    assert unknown == id, "one place"
    door.do(c.RefuseIncident(id, "重复"))
    assert door.ask(RepliesWaiting())["total"] == 0
    assert door.ask(IncidentDetail(id))["replies"] == {"unreached": 1}, (
        "who cannot be told apart is nobody to call"
    )


def test_only_operators_of_the_area_tell(door: Door) -> None:
    id = call(door, "13900000001", "a")
    door.do(c.RefuseIncident(id, "重复"))
    (row,) = door.ask(RepliesWaiting())["rows"]
    elsewhere = actor("operator", area=OTHER_DISTRICT)
    assert door.ask(RepliesWaiting(), elsewhere) == {"rows": [], "total": 0}
    assert door.refused(TellReporter(row["id"], True), elsewhere).code == "forbidden"
    assert door.refused(TellReporter(row["id"], True), OFFICE).code == "forbidden"


def test_who_tells_is_known_by_where_it_was_reported() -> None:
    assert [
        teller(f"urn:chengyun:{channel}:op") for channel in ("desk", "hotline", "citizen", "department")
    ] == ["person"] * 4
    assert [teller(f"urn:chengyun:{channel}:w") for channel in ("grid", "patrol", "phone")] == ["screen"] * 3
    assert teller("urn:feed:12345") == "message"


def test_a_number_of_an_incident_is_no_phone(door: Door) -> None:
    id = call(door, "13900000001", "a")
    with units_of_work(door.db)() as uow:
        incident = uow.incident(id)
    assert incident.number in reply_text(incident, "void", "", "", ())
