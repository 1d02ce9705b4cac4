"""What evaluation reads of an incident is what happened to it, step by step; over every store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from data.database import Database
from data.evaluation import read_cases
from incidents import commands as c
from incidents import handling_commands as h
from incidents.evaluation import Placed
from incidents.formulas import SHIPPED, Period, rate_of
from tests.conftest import STORES
from tests.contracts.test_handling import CALL, DESK, HOUR, JUDGE, LEADER, MORNING, OFFICE, WORKER, City1, at
from tests.small_city import CELL, CITY

pytestmark = pytest.mark.timeout(120, func_only=True)
NOVEMBER = Period(at(1, 0), at(30, 0) + timedelta(days=1))
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city; its class 0101 has 4 working hours."""
    database: Database = fresh_database(str(request.param))
    database.query("UPDATE event_classes SET limit_min = 240, clock_kind = 'work_hour' WHERE code = '0101'")
    return database


def cases(db: Database, period: Period = NOVEMBER, area: str = "") -> dict[int, Placed]:
    with db.transaction() as cursor:
        return {placed.case.id: placed for placed in read_cases(cursor, period, area)}


def rates(db: Database, period: Period = NOVEMBER) -> dict[str, tuple[int, int]]:
    found = [placed.case for placed in cases(db, period).values()]
    made = [rate_of(formula, found, period) for formula in SHIPPED]
    return {rate.formula: (len(rate.numerator), len(rate.denominator)) for rate in made}


def test_every_moment_of_the_way(db: Database) -> None:
    city = City1(db)
    only = cases(db)[city.id]
    assert (only.area, only.unit, only.class_code, only.channel) == (CELL, "U1", "0101", "desk")
    waiting = only.case
    assert (waiting.filed_at, waiting.dispatched_at, waiting.handled_at) == (MORNING, MORNING, None)
    assert waiting.filed_due_at == waiting.dispatch_due_at == MORNING + 15 * MINUTE
    assert waiting.handle_due_at == at(23, 15)
    city.do(OFFICE, h.AskExtension(city.id, "等配件"))
    city.do(DESK, h.AnswerRequest(city.id, True))
    city.now = at(23, 17)
    city.finish()
    city.now += 10 * MINUTE
    city.do(CALL, c.CheckIncident(city.id, False, "还有积水"))
    city.now += HOUR
    city.do(WORKER, c.TakeIncident(city.id), c.ArriveIncident(city.id))
    city.finish()
    city.now += 20 * MINUTE
    city.do(CALL, c.CheckIncident(city.id, True), c.CloseIncident(city.id))
    done = cases(db)[city.id].case
    assert done.handled_at == at(23, 18, 10) and done.checked_at == done.closed_at == at(23, 18, 30)
    assert done.check_due_at == at(23, 18, 40)
    # 9:00 to 17:00 are six working hours of eight; the check's ten minutes are not the unit's: 17:10 + 50 min, then tomorrow.
    assert done.handle_due_at == at(24, 9, 10)
    assert (done.reworks, done.extensions, done.parked, done.returned_for_unit) == (1, 1, False, False)


def test_rates_of_a_few_incidents_counted_by_hand(db: Database) -> None:
    """One in time, one late and appealed, one returned because it was not theirs, one refused, one void."""
    good = City1(db)
    good.close()
    late = City1(db, 200)
    late.now = at(23, 16)
    late.close()
    late.do(OFFICE, h.AppealIncident(late.id, "overdue", "等审批"))
    wrong = City1(db, 400)
    wrong.do(WORKER, c.ReturnIncident(wrong.id, "owner", "不归我们"))
    wrong.do(DESK, c.DispatchIncident(wrong.id, "U2"))
    void = City1(db, 600)
    void.do(LEADER, c.VoidIncident(void.id, "误报"))
    refused = void.door.handle(
        c.ReportIncident(text="咨询", class_code="0101", address="另一处"), CALL, "desk"
    )["id"]
    void.now += 20 * MINUTE
    void.do(CALL, c.RefuseIncident(refused, "不在职责范围"))
    found = rates(db)
    assert found["handle_rate"] == (2, 3), "void ones are not to be handled"
    assert found["handle_on_time_rate"] == (1, 3)
    assert found["file_on_time_rate"] == (4, 5), "one was refused after 20 minutes"
    assert found["valid_report_rate"] == (3, 5)
    assert found["dispatch_right_rate"] == (2, 3)
    assert found["rework_rate"] == (0, 3) and found["overdue_waiting_rate"] == (1, 3)
    late.do(JUDGE, h.AnswerAppeal(late.id, True, "属实"))
    assert rates(db)["handle_on_time_rate"] == (1, 2), "exempt in statistics"
    assert cases(db)[late.id].case.exempt == "overdue" and cases(db)[late.id].case.handled_at > at(23, 15)  # type: ignore[operator]


def test_what_counts_when_and_where(db: Database) -> None:
    city = City1(db)
    city.close()
    december = Period(
        datetime(2026, 12, 1, tzinfo=MORNING.tzinfo), datetime(2027, 1, 1, tzinfo=MORNING.tzinfo)
    )
    assert rates(db, december)["handle_rate"] == (0, 0)
    assert city.id in cases(db, december), "it may still have something due"
    assert cases(db, Period(at(1, 0), at(2, 0))) == {}, "not reported yet"
    assert cases(db, area=CITY + "990102/") == {}
