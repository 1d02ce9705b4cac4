"""What evaluation keeps of an incident is what happened to it, step by step, and what it counts in SQL is what the formulas
say; over every store."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta

import pytest

from data.database import Database, many
from data.incident_facts import POSTS, kept, recount, recounted, told
from data.rates import PARTS, cases_behind, rates_by
from incidents import commands as c
from incidents import handling_commands as h
from incidents.evaluation import BY, Count, Placed
from incidents.evaluation import rates_by as pure_rates
from incidents.evaluation_queries import Evaluation, EvaluationCases
from incidents.formulas import ANCHORS, FACTS, SHIPPED, Case, Formula, Period
from tests.conftest import STORES
from tests.contracts.test_handling import (
    ADMIN,
    CALL,
    DESK,
    HOUR,
    JUDGE,
    LEADER,
    MORNING,
    OFFICE,
    WORKER,
    City1,
    at,
)
from tests.small_city import CELL, CITY, DISTRICT, TOWN

pytestmark = pytest.mark.timeout(120, func_only=True)
NOVEMBER = Period(at(1, 0), at(30, 0) + timedelta(days=1))
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city; its class 0101 has 4 working hours."""
    database: Database = fresh_database(str(request.param))
    database.query("UPDATE event_classes SET limit_min = 240, clock_kind = 'work_hour' WHERE code = '0101'")
    return database


def cases(db: Database) -> dict[int, Placed]:
    """What is kept, which must be what the timelines tell."""
    ids = [id for (id,) in db.query("SELECT id FROM incidents")]
    with db.transaction() as cursor:
        found = kept(cursor, ids)
        assert found == told(cursor, ids)
        return {placed.case.id: placed for placed in found}


def rates(db: Database, period: Period = NOVEMBER, area: str = "") -> dict[str, tuple[int, int]]:
    with db.transaction() as cursor:
        made = rates_by(cursor, "total", (area,), SHIPPED, period).get("", {})
    return {formula.id: _pair(made.get(formula.id)) for formula in SHIPPED}


def _pair(count: Count | None) -> tuple[int, int]:
    return (count.numerator, count.denominator) if count else (0, 0)


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


def test_reopening_takes_no_exemption_back(db: Database) -> None:
    """What was granted against the first round stays; the second has a clock, and an appeal, of its own."""

    def exempt(against: str) -> str:
        city.do(OFFICE, h.AppealIncident(city.id, against, "等审批"))
        city.do(JUDGE, h.AnswerAppeal(city.id, True, "属实"))
        return cases(db)[city.id].case.exempt

    def again() -> str:
        city.now += HOUR
        city.do(CALL, h.ReopenIncident(city.id, "又积水"))
        return cases(db)[city.id].case.exempt

    def closed() -> None:
        city.do(DESK, c.DispatchIncident(city.id, "U1"))
        city.now += 48 * HOUR
        city.do(WORKER, c.TakeIncident(city.id), c.ArriveIncident(city.id))
        city.finish()
        city.do(CALL, c.CheckIncident(city.id, True), c.CloseIncident(city.id))

    city = City1(db)
    city.now = at(23, 16)
    city.close()
    assert rates(db)["handle_on_time_rate"] == (0, 1)
    assert exempt("overdue") == "overdue"
    assert again() == "overdue" and rates(db)["handle_on_time_rate"] == (0, 0)
    closed()
    assert exempt("rework") == "overdue rework" and rates(db)["rework_rate"] == (0, 0)
    assert again() == "overdue", "the rework that reopening is was not yet there when the other was granted"
    assert rates(db)["rework_rate"] == (1, 1)
    late = City1(db, 400)
    late.now = at(23, 16)
    late.close()
    city = late
    again()
    closed()
    assert exempt("overdue") == "", "the second round's; what the rate tells is the first's"


def test_what_counts_when_and_where(db: Database) -> None:
    city = City1(db)
    city.close()
    december = Period(
        datetime(2026, 12, 1, tzinfo=MORNING.tzinfo), datetime(2027, 1, 1, tzinfo=MORNING.tzinfo)
    )
    assert set(rates(db, december).values()) == {(0, 0)}
    assert set(rates(db, Period(at(1, 0), at(2, 0))).values()) == {(0, 0)}, "not reported yet"
    assert rates(db)["handle_rate"] == rates(db, area=CITY)["handle_rate"] == (1, 1)
    assert set(rates(db, area=CITY + "990102/").values()) == {(0, 0)}


def test_a_merged_incident_counts_nowhere_until_it_comes_back(db: Database) -> None:
    one, other = City1(db), City1(db, 400)
    one.do(DESK, h.MergeIncidents(other.id, one.id, "同一处"))
    assert cases(db)[other.id].merged and rates(db)["valid_report_rate"] == (1, 1)
    one.do(DESK, h.SeparateSources(one.id, "不是同一处", back_to=other.id))
    assert not cases(db)[other.id].merged and rates(db)["valid_report_rate"] == (2, 2)


def test_a_second_closing_does_not_rewrite_the_first(db: Database) -> None:
    city = City1(db)
    city.close()
    before = cases(db)[city.id].case
    city.now += 30 * HOUR
    city.do(CALL, h.ReopenIncident(city.id, "又积水"))
    city.do(DESK, c.DispatchIncident(city.id, "U2"))
    after = cases(db)[city.id].case
    moments = ("filed_at", "dispatch_due_at", "dispatched_at", "handled_at", "handle_due_at", "check_due_at",
               "checked_at", "closed_at")  # fmt: skip
    assert [getattr(after, name) for name in moments] == [getattr(before, name) for name in moments]
    assert (before.reworks, after.reworks) == (0, 1)


def test_what_differs_from_its_timeline_is_found_and_set_right(db: Database) -> None:
    first, second = City1(db), City1(db, 400)
    right = cases(db)
    assert recount(db, MORNING) == 2 and recounted(db).differed == 0
    db.query("UPDATE incident_facts SET handled_at = now() WHERE incident_id = %s", (first.id,))
    db.query("DELETE FROM incident_facts WHERE incident_id = %s", (second.id,))
    assert recount(db, MORNING) == 2
    found = recounted(db)
    assert (found.rounds, found.filled, found.differed, found.differed_ids) == (2, 1, 1, (first.id,))
    assert found.differed_at == MORNING and cases(db) == right


def test_incidents_of_before_are_filled_in_steps_and_said_to_be_missing(db: Database) -> None:
    """As after the migration of a store that had incidents: evaluation knows none of them yet, and says so."""
    city = City1(db)
    db.query("DELETE FROM incident_facts")
    db.query("UPDATE incident_facts_check SET first_to = %s", (city.id,))
    assert not recounted(db).whole
    recount(db, MORNING)
    assert recounted(db).whole and city.id in cases(db)


def test_an_older_snapshot_overwrites_nothing(db: Database) -> None:
    city = City1(db)
    db.query(
        "UPDATE incident_facts SET version = version + 1, reworks = 7 WHERE incident_id = %s", (city.id,)
    )
    recount(db, MORNING)
    assert db.query("SELECT reworks FROM incident_facts WHERE incident_id = %s", (city.id,)) == [(7,)]


_FORMULAS = [
    Formula(f"{part}-{fact}", 1, fact, ("reported",), (anchor,), (fact,)) if part == "without" else
    Formula(f"{part}-{fact}", 1, fact, (fact,), (anchor,))
    for number, fact in enumerate(FACTS)
    for part, anchor in (("of", list(ANCHORS)[number % len(ANCHORS)]), ("without", "to_handle"))
]  # fmt: skip
"""Every fact asked for, and every fact left out."""


def test_sql_counts_what_the_formulas_say(db: Database) -> None:
    """400 incidents with any moments at all, on the edges of the period too: the same ids from SQL and from `rate_of`."""
    rng = random.Random(17)
    days = [at(1, 0) + timedelta(hours=12 * n) for n in range(-6, 70)] + [NOVEMBER.begin, NOVEMBER.end]
    rows = [_any_facts(rng, days, number) for number in range(1, 401)]
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE incident_facts DROP CONSTRAINT incident_facts_incident_id_fkey")
        names = list(rows[0])
        many(
            cursor,
            f"INSERT INTO incident_facts ({', '.join(names)}) VALUES %s",
            [list(r.values()) for r in rows],
        )
        found = kept(cursor, range(1, 401))
        for formula in (*SHIPPED, *_FORMULAS):
            for by in BY:
                for area in ("", CITY, DISTRICT):
                    wanted = pure_rates(by, area, found, {formula.id: formula}, NOVEMBER)
                    made = rates_by(cursor, by, (area,), [formula], NOVEMBER)
                    counted = {group: rates[formula.id] for group, rates in wanted.items()}
                    assert {g: _pair(rates[formula.id]) for g, rates in made.items()} == {
                        g: (len(rate.numerator), len(rate.denominator)) for g, rate in counted.items()
                    }, (formula, by, area)
                    for group, rate in counted.items():
                        parts = dict(zip(PARTS, (rate.numerator, rate.denominator), strict=False))
                        parts["rest"] = tuple(sorted({*rate.denominator} - {*rate.numerator}))
                        for part, ids in parts.items():
                            args = (formula, part, by, group, (area,), NOVEMBER, 1000)
                            assert cases_behind(cursor, *args) == (list(ids), len(ids))


def test_an_account_of_several_areas_is_told_of_all_of_them(db: Database) -> None:
    """And of nothing twice: an area that lies in another of them is counted with it."""
    other, third = CITY + "990102/", CITY + "990103/"
    places = [DISTRICT, TOWN, other, third]
    city = City1(db)
    ids = [city.id, *(City1(db, 200 * n).id for n in range(1, len(places)))]
    city.now = at(28, 12)
    for id, place in zip(ids, places, strict=True):
        db.query("UPDATE incident_facts SET area = %s WHERE incident_id = %s", (place, id))
    judge = replace(JUDGE, areas=(TOWN, DISTRICT, other))
    asked = Evaluation("2026-11-01", "2026-11-30")
    found = city.door.ask(asked, judge)
    assert found["total"]["rates"]["handle_rate"]["denominator"] == 3
    assert {g["group"] for g in found["groups"]} == {DISTRICT, TOWN, other}
    behind = EvaluationCases("handle_rate", asked.begin, asked.end)
    assert [row["id"] for row in city.door.ask(behind, judge)["rows"]] == ids[:3]


def test_every_incident_behind_a_number_can_be_paged_to(db: Database) -> None:
    """Page by page from a key, each once; the total is of all."""
    cities = [City1(db, 200 * n) for n in range(5)]
    asked = EvaluationCases("handle_rate", "2026-11-01", "2026-11-30", limit=2)
    cities[0].now = at(28, 12)
    seen, sizes = list[int](), list[int]()
    while True:
        answer = cities[0].door.ask(asked, JUDGE)
        seen += [row["id"] for row in answer["rows"]]
        sizes.append(len(answer["rows"]))
        assert answer["total"] == 5
        if answer["next"] is None:
            break
        asked = replace(asked, after=answer["next"])
    assert sizes == [2, 2, 1] and seen == sorted(city.id for city in cities)


def _any_facts(rng: random.Random, days: list[datetime], number: int) -> dict[str, object]:
    moments = [f.name for f in fields(Case) if f.name.endswith("_at")]
    row: dict[str, object] = {name: rng.choice([None, *rng.sample(days, 3)]) for name in moments}
    row |= {
        "reported_at": rng.choice(days), "incident_id": number, "version": 1, "merged": rng.random() < 0.1,
        "area": rng.choice([CITY, DISTRICT, TOWN, CELL, CITY + "990102/", "", "9901/"]), "unit": rng.choice(["", "U1"]),
        "class_code": rng.choice(["", "0101"]), "channel": rng.choice(["desk", "grid"]),
        "returned_for_unit": rng.random() < 0.3, "reworks": rng.randrange(3), "extensions": rng.randrange(2),
        "parked": rng.random() < 0.3, "exempt": rng.choice(["", "overdue", "rework", "return", "overdue rework"]),
        **{name: rng.choice(["", "operator", "dispatcher"]) for name in POSTS},
    }  # fmt: skip
    return row


def test_days_that_are_published_anew_are_no_disagreement(db: Database) -> None:
    """A deadline by other days is unknown until it is computed by these, for the incident and for what is counted of it."""
    city = City1(db)
    db.query("UPDATE incidents SET clock = jsonb_set(clock, '{kind}', '\"work_day\"')")
    both = "SELECT i.handle_due_at, f.handle_due_at FROM incidents i JOIN incident_facts f ON f.incident_id = i.id"
    assert None not in db.query(both)[0]
    city.do(ADMIN, h.SaveWorkingYear(2026, ["2026-01-01"], [], "国务院办公厅通知"))
    assert db.query(both) == [(None, None)]
