"""延期, 挂账, 督办, 申诉, 回访, 重开 through the one door, over every store: what each leaves behind, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from data.administration import Administration
from data.audit import Audit
from data.database import Database
from data.questions.answers import StoreQuestions
from data.uow import UnitsOfWork
from data.working_days import read_working_time
from incidents import commands as c
from incidents import handling_commands as h
from incidents.deadlines import DeadlineRounds, announce_unpublished, recount_deadlines
from incidents.model import Actor, Incident, Rejected
from incidents.service import City, CityService
from incidents.triage import escalate_due, raise_supervisions, triage
from tests.conftest import STORES
from tests.small_city import CITY, GRID, PATTERN, WEST, ZONE, actor, light_accounts, place_of

pytestmark = pytest.mark.timeout(120, func_only=True)
MORNING: Final = datetime(2026, 11, 23, 9, 0, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
"""A Monday."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CALL, DESK = actor("operator", id=1), actor("dispatcher", id=2)
LEADER, JUDGE = actor("duty_leader", id=3), actor("evaluator", id=4)
OFFICE: Final = actor("unit_handler", CITY, "U1", "office", 5)
WORKER: Final = actor("grid_worker", GRID, "U1", "grid-worker", 6)
ADMIN: Final = actor("administrator", id=7)


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city; its class 0101 has 4 working hours."""
    database: Database = fresh_database(str(request.param))
    database.query("UPDATE event_classes SET limit_min = 240, clock_kind = 'work_hour' WHERE code = '0101'")
    return database


class City1:
    """The door over a store at a time of the test's own, and one incident that U1 works on since MORNING; `north_m` from
    others, with which it would be merged."""

    def __init__(self, db: Database, north_m: float = 0.0) -> None:
        self.db, self.now = db, MORNING
        questions = StoreQuestions(db, place_of, dict, lambda: CITY)
        self.units = UnitsOfWork(
            db,
            Audit(db),
            Administration(light_accounts(db)),
            place_of,
            lambda: read_working_time(db, ZONE, 2026),
        )
        self.door = CityService(self.units, questions, lambda: self.now, City(PATTERN, ZONE, CITY))
        lat = WEST[1] + north_m / 111_195
        report = c.ReportIncident(text="路口积水", class_code="0101", lon=WEST[0], lat=lat, key=f"{north_m}")
        self.id: int = self.door.handle(report, CALL, "desk")["id"]
        self.do(CALL, c.AcceptIncident(self.id))
        self.do(DESK, c.DispatchIncident(self.id, "U1"))
        self.do(WORKER, c.TakeIncident(self.id))
        self.do(WORKER, c.ArriveIncident(self.id))

    def do(self, who: Actor, *commands: object) -> None:
        for command in commands:
            self.door.handle(command, who, "test")

    def refused(self, who: Actor, command: object) -> Rejected:
        with pytest.raises(Rejected) as found:
            self.door.handle(command, who, "test")
        return found.value

    def seen(self, who: Actor = CALL) -> dict[str, Any]:
        found: dict[str, Any] = self.door.ask(c.IncidentDetail(self.id), who)
        return found

    def due(self) -> datetime | None:
        ms = self.seen()["handle_due_at"]
        return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)

    def told(self) -> list[str]:
        return [e["action"] for e in self.seen()["timeline"]]

    def finish(self) -> None:
        self.do(WORKER, c.FinishIncident(self.id, "已抽排"))

    def close(self) -> None:
        self.finish()
        self.do(CALL, c.CheckIncident(self.id, True), c.CloseIncident(self.id))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A local moment of November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def test_working_hours_are_worked_hours(db: Database) -> None:
    """From 9:00, four working hours: three before lunch, one after it; sent on a Friday evening it is Monday's."""
    city = City1(db)
    assert city.due() == at(23, 15)
    city.now = at(27, 17, 30)
    report = c.ReportIncident(text="又一处积水", class_code="0101", lon=WEST[0], lat=WEST[1])
    city.id = city.door.handle(report, CALL, "desk")["id"]
    city.do(CALL, c.AcceptIncident(city.id))
    city.do(DESK, c.DispatchIncident(city.id, "U1"))
    assert city.due() == datetime(2026, 11, 30, 11, 30, tzinfo=ZoneInfo(ZONE))


def test_extension_asked_in_time_and_granted_late(db: Database) -> None:
    city = City1(db)
    city.now = at(23, 14, 50)
    city.do(OFFICE, h.AskExtension(city.id, "等配件"))
    assert city.refused(OFFICE, h.AskExtension(city.id, "再等")).field == "asked"
    assert city.seen()["asked"]["kind"] == "extension"
    assert (
        "grant_request" in city.seen(DESK)["actions"] and "ask_extension" not in city.seen(OFFICE)["actions"]
    )
    city.now = at(23, 16)
    with city.units() as uow:
        assert escalate_due(uow, city.now) == 1, "while nobody answers it is overdue"
    assert city.seen()["handled_late"]
    city.do(DESK, h.AnswerRequest(city.id, True))
    assert city.due() == at(24, 9), "15:00 and four working hours"
    assert not city.seen()["handled_late"], "it was asked in time"
    city.do(OFFICE, h.AskExtension(city.id, "再等"))
    city.do(LEADER, h.AnswerRequest(city.id, True))
    assert city.due() == at(24, 15)
    assert city.refused(OFFICE, h.AskExtension(city.id, "三等")).field == "extensions"
    assert city.told().count("grant_request") == 2


def test_an_extension_is_not_asked_when_overdue_nor_answered_by_who_asked(db: Database) -> None:
    city = City1(db)
    city.now = at(23, 15, 1)
    assert city.refused(OFFICE, h.AskExtension(city.id, "等配件")).field == "overdue"
    city.now = at(23, 10)
    city.do(OFFICE, h.AskExtension(city.id, "等配件"))
    assert city.refused(OFFICE, h.AnswerRequest(city.id, True)).code == "forbidden"
    assert city.refused(DESK, h.AnswerRequest(city.id, False)).field == "reason"
    city.do(DESK, h.AnswerRequest(city.id, False, "理由不足"))
    assert city.due() == at(23, 15) and city.seen()["asked"] is None
    assert city.refused(DESK, h.AnswerRequest(city.id, True)).code == "rule"


def test_parking_stands_until_its_day_and_goes_on_by_itself(db: Database) -> None:
    city = City1(db)
    city.now = at(23, 11)
    until = at(26, 0)
    city.do(OFFICE, h.AskParking(city.id, until, "等管线迁改"))
    city.do(LEADER, h.AnswerRequest(city.id, True))
    assert city.due() == at(26, 10), "two of four hours are left"
    city.now = at(25, 12)
    with city.units() as uow:
        assert escalate_due(uow, city.now) == 0
    assert city.refused(OFFICE, h.AskParking(city.id, at(28, 0), "再等")).field == "parked"
    city.do(DESK, h.EndParking(city.id, "提前完成"))
    assert city.due() == at(25, 16)
    city.close()
    assert not city.seen()["handled_late"] and city.seen()["clock"]["parked_until"] is None
    naive = h.AskParking(city.id, datetime(2026, 12, 1), "x")
    assert city.refused(OFFICE, naive).field == "until"


def test_what_was_asked_lapses_when_the_unit_gives_it_back(db: Database) -> None:
    city = City1(db)
    city.do(OFFICE, h.AskExtension(city.id, "等配件"))
    city.do(WORKER, c.ReturnIncident(city.id, "owner", "不归我们"))
    assert city.seen()["asked"] is None and city.due() is None
    city.now = at(23, 10)
    city.do(DESK, c.DispatchIncident(city.id, "U1"))
    assert city.due() == at(23, 16), "the hour at the dispatcher is not the unit's"
    city.do(DESK, c.DispatchIncident(city.id, "U2", reason="改派"))
    assert city.due() == at(23, 16), "at another unit four hours from ten o'clock"


def test_the_timeline_tells_from_whom_to_whom(db: Database) -> None:
    city = City1(db)
    taken = c.DispatchIncident(city.id, "", reason="换一家")
    assert city.refused(DESK, taken).field == "unit", "it must be chosen"
    assert city.refused(DESK, replace(taken, unit="U3")).field == "unit", "takes no orders"
    assert city.refused(DESK, replace(taken, unit="U2", reason=" ")).field == "reason"
    assert city.refused(OFFICE, replace(taken, unit="U2")).code == "forbidden"
    city.do(DESK, replace(taken, unit="U2"))
    last = city.seen()["timeline"][-1]
    told = last["detail"]
    assert (last["action"], last["reason"]) == ("reassign", "换一家")
    assert (told["from_unit"], told["from_worker"], told["unit"]) == ("U1", "grid-worker", "U2")
    names = dict(db.query("SELECT code, name FROM units"))
    assert (told["from_unit_name"], told["unit_name"]) == (names["U1"], names["U2"])
    [(kept,)] = db.query("SELECT detail FROM timeline WHERE action = 'reassign'")
    assert "from_unit_name" not in kept, "names are as they are called when it is read"


def test_the_check_is_not_the_units_time(db: Database) -> None:
    city = City1(db)
    city.now = at(23, 10)
    city.finish()
    assert city.due() is None
    city.now = at(23, 14, 30)
    city.do(CALL, c.CheckIncident(city.id, False, "还有积水"))
    assert city.due() == at(23, 17, 30), "three of four hours are left"
    assert city.seen()["reworks"] == 1


def test_supervision_is_signed_answered_and_raised_when_it_is_not(db: Database) -> None:
    city = City1(db)
    assert city.refused(CALL, h.SuperviseIncident(city.id, 3, "加快")).code == "forbidden"
    assert city.refused(LEADER, h.SuperviseIncident(city.id, 4, "加快")).field == "level"
    assert city.refused(LEADER, h.SuperviseIncident(city.id, 3, " ")).field == "demand"
    city.do(LEADER, h.SuperviseIncident(city.id, 3, "两小时内到位", 2))
    assert city.refused(LEADER, h.SuperviseIncident(city.id, 3, "再催", 2)).code == "rule"
    city.now += 3 * HOUR
    assert city.seen()["supervision"]["late"]
    with city.units() as uow:
        assert raise_supervisions(uow, city.now) == 1
        assert raise_supervisions(uow, city.now) == 0
    raised = city.seen()["supervision"]
    assert (raised["level"], raised["late"], raised["signed_at"]) == (2, False, None)
    assert {"sign_supervision", "answer_supervision"} <= set(city.seen(OFFICE)["actions"])
    city.do(OFFICE, h.SignSupervision(city.id), h.AnswerSupervision(city.id, "已加派一组"))
    city.now += 5 * HOUR
    with city.units() as uow:
        assert raise_supervisions(uow, city.now) == 0, "answered"
    city.do(LEADER, h.EndSupervision(city.id))
    assert city.seen()["supervision"]["ended_at"]
    assert [a for a in city.told() if "supervis" in a] == [
        "supervise", "raise_supervision", "sign_supervision", "answer_supervision", "end_supervision",
    ]  # fmt: skip


def test_an_appeal_keeps_the_fact(db: Database) -> None:
    city = City1(db)
    city.now = at(23, 16)
    city.close()
    assert city.seen()["handled_late"]
    assert city.refused(OFFICE, h.AppealIncident(city.id, "rework", "没有返工")).field == "against"
    assert city.refused(WORKER, h.AppealIncident(city.id, "overdue", "等审批")).code == "forbidden"
    city.do(OFFICE, h.AppealIncident(city.id, "overdue", "等交警审批"))
    assert city.refused(OFFICE, h.AnswerAppeal(city.id, True, "x")).code == "forbidden"
    assert city.refused(CALL, h.ReopenIncident(city.id, "又积水")).field == "appeal", (
        "it would be lost unanswered"
    )
    city.do(JUDGE, h.AnswerAppeal(city.id, True, "审批记录属实"))
    found = city.seen()
    assert found["appeal"]["granted"] is True and found["handled_late"], "the fact stays"
    assert city.refused(OFFICE, h.AppealIncident(city.id, "overdue", "再申诉")).field == "appeal"


def test_called_back_and_reopened(db: Database) -> None:
    city = City1(db)
    city.close()
    assert city.refused(CALL, h.CallBack(city.id, 6)).field == "satisfaction"
    city.do(CALL, h.CallBack(city.id, 2, "又积水了"))
    assert city.seen()["satisfaction"] == 2
    city.now += DAY
    city.do(CALL, h.ReopenIncident(city.id, "回访发现未解决"))
    again = city.seen()
    assert (again["stage"], again["closed_at"], again["reworks"], again["unit"]) == ("accepted", None, 1, "")
    city.do(DESK, c.DispatchIncident(city.id, "U1"))
    assert city.due() == at(24, 15), "a new limit"


def test_deadlines_are_computed_anew_in_batches_the_oldest_first(db: Database) -> None:
    """Each batch is a transaction, one that cannot be saved undoes no other, and a killed process has lost no work."""
    db.query("UPDATE event_classes SET limit_min = 4320, clock_kind = 'work_day' WHERE code = '0101'")
    cities = [City1(db, 200 * n) for n in range(5)]
    newest, oldest, ids = cities[0], cities[3], {city.id for city in cities}
    db.query(
        "UPDATE incidents SET stage_due_at = stage_due_at + interval '9 days' WHERE id = %s", (newest.id,)
    )
    db.query(
        "UPDATE incidents SET stage_due_at = stage_due_at - interval '9 days' WHERE id = %s", (oldest.id,)
    )
    done = oldest.door.handle(h.SaveWorkingYear(2026, ["2026-01-01"], [], "国务院办公厅通知"), ADMIN, "desk")
    assert done["waiting"] == len(ids)

    def waits() -> set[int]:
        return {id for (id,) in db.query("SELECT id FROM incidents WHERE handle_due_at IS NULL")}

    with oldest.units() as uow:
        computed, after = recount_deadlines(uow, oldest.now, None, 2)
    assert computed == 2 and oldest.id not in waits() and newest.id in waits()
    assert after is not None
    with pytest.raises(KeyboardInterrupt), oldest.units() as uow:
        recount_deadlines(uow, oldest.now, after, 2)
        raise KeyboardInterrupt  # killed before the commit
    assert len(waits()) == len(ids) - 2
    rounds = DeadlineRounds(oldest.units, lambda: 0.0)
    assert rounds.turn(oldest.now) == len(ids) - 2 and not waits(), "the next process takes what is left"
    assert rounds.rests(oldest.now) and not rounds.rests(oldest.now + HOUR)


def test_what_cannot_be_saved_keeps_no_other_deadline_from_being_computed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cities = [City1(db, 200 * n) for n in range(3)]
    cities[0].do(ADMIN, h.SaveWorkingYear(2026, ["2026-01-01"], [], "国务院办公厅通知"))
    with cities[0].units() as uow:
        save = uow.save

        def failing(incident: Incident, version: int) -> None:
            if incident.id == cities[1].id:
                raise ValueError("a row that cannot be written")
            save(incident, version)

        monkeypatch.setattr(uow, "save", failing)
        assert recount_deadlines(uow, cities[0].now) == (2, None)
    assert db.query("SELECT id FROM incidents WHERE handle_due_at IS NULL") == [(cities[1].id,)]


def test_a_year_that_is_not_published_is_not_guessed(db: Database) -> None:
    """The deadline is not known, it is announced, and it is computed as soon as the year is entered."""
    db.query("UPDATE event_classes SET limit_min = 43200, clock_kind = 'work_day' WHERE code = '0101'")
    city = City1(db)
    assert city.due() is None and city.seen()["due_unknown"]
    with city.units() as uow:
        assert announce_unpublished(uow, CITY, city.now) == 1
        assert announce_unpublished(uow, CITY, city.now + HOUR) == 0
        triage(uow, city.now, PATTERN, ZONE)
        assert recount_deadlines(uow, city.now) == (0, None)
    [(title, text)] = db.query("SELECT title, text FROM incidents WHERE title LIKE '工作日历%'")
    assert title == "工作日历未公布：2027 年" and "不作推算" in text
    new_year = [date(2027, 1, 1).isoformat()]
    assert city.refused(DESK, h.SaveWorkingYear(2027, new_year, [], "国办")).code == "forbidden"
    for off, work, field in (
        (["2026-01-01"], [], "off"), (["2027-01-02"], [], "off"), (new_year, ["2027-01-04"], "work"),
        (["soon"], [], "off"), (new_year * 2, [], "off"), ([], [], "off"),
    ):  # fmt: skip
        assert city.refused(ADMIN, h.SaveWorkingYear(2027, off, work, "国办")).field == field
    city.do(ADMIN, h.SaveWorkingYear(2027, new_year, ["2027-01-03"], "国务院办公厅通知"))
    with city.units() as uow:
        assert recount_deadlines(uow, city.now) == (1, None)
        assert announce_unpublished(uow, CITY, city.now) == 0
    # 30 working days from Monday 23 November, 9:00: 28 end with the year, 1 January is free, Sunday the 3rd is worked.
    due = city.due()
    assert due is not None and due.astimezone(ZoneInfo(ZONE)).date() == date(2027, 1, 4)
    assert city.told()[-1] == "recount"
