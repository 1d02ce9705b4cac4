"""Cases of administrative enforcement arrive, stand as their newest message says, belong to the event that caused them, and
are listed when they are late; over every store (S85)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.database import Database
from data.reconcile import recount
from incidents import commands as c
from incidents import handling_commands as h
from incidents.enforcement_commands import EnforcementCases, SetCaseLimit
from incidents.model import Actor, Rejected
from incidents.triage import triage
from streams.topics import ENFORCEMENT_CASE
from tests.conftest import STORES
from tests.contracts.test_intake_merging import CALL, DESK, NOW, Door
from tests.contracts.test_store import Intaker
from tests.small_city import CITY, DISTRICT, OTHER_DISTRICT, PATTERN, VILLAGE, ZONE, actor, units_of_work
from tests.streams.city_messages import case
from tests.streams.city_messages import report as report_message

pytestmark = pytest.mark.timeout(120, func_only=True)
LEADER = actor("duty_leader", id=7)
ADMIN = actor("administrator", id=8)
HOUR = timedelta(hours=1)
NUMBERS = itertools.count()


@pytest.fixture(params=STORES)
def door(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Door:
    """A fresh store that holds the small city and a feed of cases."""
    db = fresh_database(str(request.param))
    for feed in ("cases", "other-cases"):
        db.query(
            "INSERT INTO feeds (id, name, expected_period_s) VALUES (%s, %s, 60) RETURNING id", (feed, feed)
        )
    return Door(db)


def cases(door: Door, who: Actor = LEADER, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = door.ask(EnforcementCases(**query), who)["rows"]
    return rows


def numbers(door: Door, who: Actor = LEADER, **query: Any) -> list[str]:
    return [row["case"] for row in cases(door, who, **query)]


def test_a_case_arrives_once_with_all_its_platform_says(door: Door) -> None:
    intaker = Intaker(door.db)
    first = case(NOW, "m-1", title="占道经营", result="", closed_at=None)
    other = case(NOW, "m-1", title="另一件事")
    assert intaker.take([first, first, other, case(NOW, "m-2", source="urn:x")]) == [
        "stored", "duplicate", "conflict", "half_reference",
    ]  # fmt: skip
    assert intaker.take([first, other]) == ["duplicate", "conflict"], "in a later flush too"
    (row,) = cases(door)
    shown = (
        row["feed"],
        row["case"],
        row["title"],
        row["unit"],
        row["stage"],
        row["result"],
        row["closed_at"],
    )
    assert shown == ("cases", "执-1", "占道经营", "单位U1", "立案", "", None)
    assert row["opened_at"] == datetime(2026, 8, 1, tzinfo=UTC).timestamp() * 1000
    assert (row["incident"], row["number"], row["can_supervise"]) == (None, None, False)
    counted = door.db.query(
        "SELECT sum(stored)::int, sum(duplicate)::int, sum(rejected)::int, sum(records_stored)::int FROM ledger WHERE topic = %s",
        (ENFORCEMENT_CASE,),
    )
    assert counted == [(1, 2, 3, 1)]
    with door.db.transaction() as cursor:
        assert recount(cursor, 0, 10_000) == [], "the ledger and the rows agree"
    door.db.query("DELETE FROM enforcement_messages RETURNING source")
    with door.db.transaction() as cursor:
        (lost,) = recount(cursor, 0, 10_000)
    assert (lost.topic, lost.expected - lost.found) == (ENFORCEMENT_CASE, 1), "a row that is gone is missed"


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_message_stands_however_they_come(
    door: Door, order: tuple[int, ...], together: bool
) -> None:
    said = [
        case(NOW - 3 * HOUR, "a", incident="LL2026112100077"),
        case(NOW - 2 * HOUR, "b", stage="调查"),
        case(NOW - HOUR, "c", stage="结案", result="罚款", closed_at=(NOW - HOUR).isoformat()),
    ]
    intaker = Intaker(door.db)
    batches = [[said[n] for n in order]] if together else [[said[n]] for n in order]
    for batch in batches:
        assert intaker.take(batch) == ["stored"] * len(batch)
    (row,) = cases(door)
    assert (row["stage"], row["result"], row["closed_at"]) == (
        "结案", "罚款", (NOW - HOUR).timestamp() * 1000,
    )  # fmt: skip
    assert door.db.query("SELECT incident FROM enforcement_cases") == [("LL2026112100077",)]
    assert door.db.query("SELECT stage FROM enforcement_messages ORDER BY time") == [
        ("立案",), ("调查",), ("结案",),
    ], "every change is kept"  # fmt: skip


def test_of_two_messages_of_one_moment_the_later_one_stands(door: Door) -> None:
    intaker = Intaker(door.db)
    intaker.take([case(NOW, "a", stage="立案"), case(NOW, "b", stage="调查")])
    assert cases(door)[0]["stage"] == "调查"
    intaker.take([case(NOW, "c", stage="处罚告知")])
    assert cases(door)[0]["stage"] == "处罚告知"


def test_two_platforms_may_number_alike(door: Door) -> None:
    first = case(NOW, "a", title="甲")
    value = case(NOW, "b", title="乙").value.replace(b"urn:feed:cases", b"urn:feed:other-cases")
    assert Intaker(door.db).take([first, type(first)(first.topic, first.key, value)]) == ["stored"] * 2
    assert {(r["feed"], r["title"]) for r in cases(door)} == {("cases", "甲"), ("other-cases", "乙")}


def linked(door: Door) -> list[tuple[str, int | None]]:
    return [(row["case"], row["incident"]) for row in cases(door)]


def test_a_case_belongs_to_the_incident_whose_number_it_names(door: Door) -> None:
    told = door.report()
    Intaker(door.db).take([case(NOW, "a", incident=f" {told['number']} ")])
    (row,) = cases(door)
    assert (row["incident"], row["number"]) == (told["id"], told["number"])
    detail = door.ask(c.IncidentDetail(told["id"]), LEADER)
    assert door.ask(c.IncidentDetail(told["id"]))["cases"] == [], "an operator may not see cases"
    (of_it,) = detail["cases"]
    assert (of_it["case"], of_it["unit"], of_it["stage"], of_it["result"]) == ("执-1", "单位U1", "立案", "")
    assert door.ask(c.IncidentDetail(door.report(500, code="0201")["id"]), LEADER)["cases"] == []


def test_a_case_that_names_the_report_finds_the_incident_when_it_is_there(door: Door) -> None:
    """The case first, then the report, then its incident: at every step the answer is what is true."""
    intaker = Intaker(door.db)
    intaker.take([case(NOW, "a", source="urn:feed:reports", message="R-1")])
    assert linked(door) == [("执-1", None)]
    intaker.take([report_message(NOW, "R-1", "店外经营")])
    assert linked(door) == [("执-1", None)]
    with units_of_work(door.db)() as uow:
        (taken,) = triage(uow, NOW, PATTERN, ZONE)
    assert linked(door) == [("执-1", taken.incident)]
    assert [r["case"] for r in door.ask(c.IncidentDetail(taken.incident), LEADER)["cases"]] == ["执-1"]


def test_a_case_that_names_a_number_of_the_future_finds_it(door: Door) -> None:
    first = door.report()
    coming = f"{first['number'][:-5]}{int(first['number'][-5:]) + 1:05d}"
    Intaker(door.db).take([case(NOW, "a", incident=coming)])
    assert linked(door) == [("执-1", None)]
    second = door.report(800, "井盖缺失", "0201")
    assert second["number"] == coming and linked(door) == [("执-1", second["id"])]


def test_a_case_is_where_its_incident_was_merged_to(door: Door) -> None:
    lost, middle, kept = (door.report(n * 400) for n in range(3))
    Intaker(door.db).take([case(NOW, "a", incident=lost["number"])])
    door.do(h.MergeIncidents(lost["id"], middle["id"], "同一件事"), DESK)
    assert linked(door) == [("执-1", middle["id"])]
    door.do(h.MergeIncidents(middle["id"], kept["id"], "同一件事"), DESK)
    assert linked(door) == [("执-1", kept["id"])]
    assert [r["case"] for r in door.ask(c.IncidentDetail(kept["id"]), LEADER)["cases"]] == ["执-1"]


def opened(days: float, number: str, **more: Any) -> Any:
    at = (NOW - timedelta(days=days)).isoformat()
    return case(NOW, f"m-{number}-{next(NUMBERS)}", number, opened_at=at, **more)


def test_what_has_no_result_beyond_the_limit_is_listed(door: Door) -> None:
    Intaker(door.db).take(
        [
            opened(89.99, "近"), opened(90.01, "过"), opened(200, "久"), opened(300, "有", result="警告"),
            opened(400, "销", closed_at=NOW.isoformat()),
        ]
    )  # fmt: skip
    assert numbers(door) == ["销", "有", "久", "过", "近"]
    answer = door.ask(EnforcementCases(late=True), LEADER)
    assert [r["case"] for r in answer["rows"]] == ["销", "久", "过"], "closed without a result is no result"
    assert answer["total"] == 3 and answer["limit"] == {"days": 90, "kind": "natural_day"}
    old = answer["rows"][1]
    assert old["age_s"] == 200 * 86400 and old["late_s"] == 110 * 86400 and old["late"]
    assert old["due_at"] == (NOW - timedelta(days=110)).timestamp() * 1000
    assert [r["late_s"] for r in cases(door) if r["case"] in ("近", "有")] == [None, None]
    assert numbers(door, late=True, limit=1) == ["销"]


def test_the_administrator_sets_the_limit(door: Door) -> None:
    Intaker(door.db).take([opened(10, "十"), opened(13, "十三"), opened(30, "三十")])
    assert numbers(door, late=True) == []
    assert door.do(SetCaseLimit(12), ADMIN) == {"days": 12, "kind": "natural_day"}
    assert numbers(door, late=True) == ["三十", "十三"]
    # NOW is Saturday 21 November 2026: since Sunday the 8th ten days were worked, and the last of them is over.
    door.do(SetCaseLimit(10, "work_day"), ADMIN)
    assert numbers(door, late=True) == ["三十", "十三"]
    door.do(SetCaseLimit(11, "work_day"), ADMIN)
    assert numbers(door, late=True) == ["三十"]
    for command, field in (
        (SetCaseLimit(0), "days"),
        (SetCaseLimit(367), "days"),
        (SetCaseLimit(9, "hour"), "kind"),
    ):
        assert door.refused(command, ADMIN).field == field
    assert door.refused(SetCaseLimit(5), LEADER).code == "forbidden"
    assert door.refused(SetCaseLimit(5), actor("administrator", DISTRICT)).code == "forbidden", (
        "a city's rule"
    )


def test_working_days_that_are_not_published_make_nothing_late(door: Door) -> None:
    Intaker(door.db).take([opened(200, "久")])
    door.do(SetCaseLimit(5, "work_day"), ADMIN)
    door.now = datetime(2035, 3, 1, tzinfo=UTC)
    answer = door.ask(EnforcementCases(late=True), LEADER)
    assert answer["rows"] == [] and answer["due_unknown"]
    (row,) = cases(door)
    assert (row["late"], row["due_at"], row["late_s"]) == (False, None, None)


def test_everybody_sees_the_cases_of_his_area(door: Door) -> None:
    told = door.report()  # in CELL, of DISTRICT
    door.db.query("UPDATE units SET area_path = %s WHERE code = 'U2' RETURNING code", (OTHER_DISTRICT,))
    Intaker(door.db).take(
        [
            opened(100, "事", unit="U2", incident=told["number"]), opened(101, "单", unit="单位U2"),
            opened(102, "外", unit="不认识的单位"),
        ]
    )  # fmt: skip
    assert numbers(door) == ["外", "单", "事"]
    assert numbers(door, actor("duty_leader", DISTRICT)) == ["事"], (
        "where the event lies goes before whose unit it is"
    )
    assert numbers(door, actor("duty_leader", OTHER_DISTRICT)) == ["单"]
    assert numbers(door, area=DISTRICT) == ["事"] and numbers(door, area=OTHER_DISTRICT, late=True) == ["单"]
    assert numbers(door, actor("evaluator", CITY), area=VILLAGE.split("/")[-2]) == ["事"]
    for who in (CALL, actor("unit_handler", unit="U1"), actor("wall"), ADMIN):
        with pytest.raises(Rejected, match="case.see"):
            cases(door, who)
    with pytest.raises(Rejected):
        cases(door, actor("duty_leader", DISTRICT), area=OTHER_DISTRICT)


def test_what_people_wrote_is_masked(door: Door) -> None:
    told = door.do(
        c.ReportIncident(
            text="占道", class_code="0101", reporter_name="王小明", reporter_phone="13900000001", key="k"
        )
    )
    Intaker(door.db).take(
        [
            case(
                NOW,
                "a",
                title="王小明投诉",
                stage="回访13912345678",
                result="当事人：李大力 13912345678",
                incident=told["number"],
            )
        ]
    )
    (row,) = cases(door)
    (same,) = door.ask(c.IncidentDetail(told["id"]), LEADER)["cases"]
    for found in (row, same):
        words = found["title"] + found["stage"] + found["result"]
        assert "王小明" not in words and "李大力" not in words and "13912345678" not in words


def test_a_late_case_is_supervised_through_its_incident(door: Door) -> None:
    told = door.report()
    Intaker(door.db).take([opened(100, "迟", incident=told["number"])])
    (row,) = cases(door, late=True)
    assert not row["can_supervise"], "nobody has it yet"
    door.do(c.AcceptIncident(told["id"]))
    door.do(c.DispatchIncident(told["id"], unit="U1"), DESK)
    (row,) = cases(door, late=True)
    assert row["can_supervise"] and not row["supervised"]
    assert not cases(door, DESK, late=True)[0]["can_supervise"], "a dispatcher sees it and supervises nobody"
    door.do(h.SuperviseIncident(told["id"], 3, "请督促出结果", version=row["version"]), LEADER)
    (row,) = cases(door, late=True)
    assert row["supervised"] and not row["can_supervise"]
