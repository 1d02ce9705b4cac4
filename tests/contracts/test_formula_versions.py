"""Formulas and the score as stored versions: who may save, what is refused, and that old months keep what was in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from data.database import Database
from incidents.evaluation_commands import SaveFormula, SaveScore
from incidents.evaluation_queries import Evaluation, EvaluationCases, Formulas
from incidents.formulas import SCORE
from incidents.model import Rejected
from tests.conftest import STORES
from tests.contracts.test_handling import ADMIN, CALL, DAY, DESK, HOUR, JUDGE, LEADER, City1, at

pytestmark = pytest.mark.timeout(120, func_only=True)
ON_TIME = SaveFormula(
    "handle_on_time_rate", "按期处置率", ["handled_on_time"], ["to_handle"], "2026-12-01", "省里改了口径", ["parked"]
)  # fmt: skip


@pytest.fixture(params=STORES)
def city(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> City1:
    """The small city on the 23rd of November, with one incident handled late."""
    found = City1(fresh_database(str(request.param)))
    found.now += 5 * DAY
    found.close()
    found.now += HOUR
    return found


def month(city: City1, begin: str, end: str) -> dict[str, Any]:
    answer: dict[str, Any] = city.door.ask(Evaluation(begin, end, "unit"), JUDGE)
    return answer


def formula(answer: dict[str, Any], id: str = "handle_on_time_rate") -> dict[str, Any]:
    return next(f for f in answer["formulas"] if f["id"] == id)


def test_a_new_version_counts_from_its_day_and_old_months_keep_theirs(city: City1) -> None:
    november, before = ("2026-11-01", "2026-11-30"), city.door.ask(Formulas(), JUDGE)
    old = formula(month(city, *november))
    assert (old["version"], old["exclude"], old["until"]) == (1, ["exempt_overdue"], None)
    city.do(JUDGE, ON_TIME)
    assert formula(month(city, *november)) == {**old, "until": "2026-12-01"}
    assert month(city, *november)["total"]["rates"]["handle_on_time_rate"]["denominator"] == 1
    new = formula(month(city, "2026-12-01", "2026-12-31"))
    assert (new["version"], new["exclude"], new["author"], new["reason"]) == (
        2, ["parked"], JUDGE.name, "省里改了口径",
    )  # fmt: skip
    versions = city.door.ask(Formulas(), LEADER)["versions"]
    assert len(versions) == len(before["versions"]) + 1
    mine = [v for v in versions if v["id"] == "handle_on_time_rate"]
    assert [(v["version"], v["in_force"], v["since"]) for v in mine] == [
        (1, True, "0001-01-01"),
        (2, False, "2026-12-01"),
    ]
    behind = EvaluationCases("handle_on_time_rate", "2026-12-01", "2026-12-31")
    assert city.door.ask(behind, JUDGE)["formula"]["version"] == 2


def test_a_rate_of_the_citys_own_opens_its_incidents_until_it_ends(city: City1) -> None:
    own = SaveFormula(
        "park_rate", "挂账率", ["parked"], ["to_handle"], "2026-11-28", "试用", until="2027-02-01"
    )
    city.do(ADMIN, own)
    rate = month(city, "2026-11-01", "2026-11-30")["total"]["rates"]["park_rate"]
    assert (rate["numerator"], rate["denominator"]) == (0, 1)
    behind = city.door.ask(EvaluationCases("park_rate", "2026-11-01", "2026-11-30", "rest"), JUDGE)
    assert [row["id"] for row in behind["rows"]] == [city.id]
    assert "park_rate" not in month(city, "2027-02-01", "2027-02-28")["total"]["rates"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"since": "2026-11-27"}, "since", "2026-11-28 or later"),
        ({"since": "soon"}, "since", "YYYY-MM-DD"),
        ({"id": "Rate"}, "id", "small letters"),
        ({"name": " "}, "name", "1 to 40"),
        ({"reason": ""}, "reason", "say why"),
        ({"numerator": ["done"]}, "numerator", "must be one of"),
        ({"denominator": ["valid"]}, "denominator", "say when it counts"),
        ({"numerator": []}, "numerator", "at least one"),
        ({"direction": "left"}, "direction", "up or down"),
        ({"until": "2026-12-01"}, "until", "after since"),
    ],
)
def test_what_is_refused(city: City1, change: dict[str, Any], field: str, words: str) -> None:
    refused = city.refused(JUDGE, replace(ON_TIME, **change))
    assert refused.field == field and words in str(refused)
    assert city.db.query("SELECT count(*) FROM formula_versions") == [(0,)]


def test_a_version_may_be_replaced_before_it_begins_but_not_overtaken(city: City1) -> None:
    city.do(JUDGE, ON_TIME)
    assert city.refused(JUDGE, replace(ON_TIME, since="2026-11-30")).field == "since"
    city.do(JUDGE, replace(ON_TIME, exclude=["exempt_overdue", "parked"]))
    assert formula(month(city, "2026-12-01", "2026-12-31"))["version"] == 3


def test_the_score_is_data(city: City1) -> None:
    score = SaveScore({"handle_rate": 60, "handle_on_time_rate": 40}, "2026-12-01", "只看两项")
    for weights, words in (
        ({"handle_rate": 99.0}, "99 together"),
        ({"none": 100.0}, "weights.none"),
        ({"handle_rate": 100.0, "rework_rate": 0.0}, "above 0"),
    ):
        refused = city.refused(JUDGE, replace(score, weights=weights))
        assert refused.field == "weights" and words in str(refused)
    november = month(city, "2026-11-01", "2026-11-30")
    assert november["total"]["score"] == pytest.approx(80), "handled late: 20 of 100 are lost"
    assert november["groups"][0]["score"] == november["total"]["score"]
    city.do(JUDGE, score)
    assert month(city, "2026-11-01", "2026-11-30")["total"]["score"] == pytest.approx(80)
    city.now += timedelta(days=30)
    found = month(city, "2026-12-01", "2026-12-28")
    assert found["score"]["version"] == 2 and found["score"]["weights"] == score.weights
    assert [s["weights"] for s in city.door.ask(Formulas(), JUDGE)["scores"]] == [
        SCORE.weights,
        score.weights,
    ]


def test_only_evaluators_and_administrators_save(city: City1) -> None:
    for who in (CALL, DESK, LEADER):
        with pytest.raises(Rejected) as refused:
            city.door.handle(ON_TIME, who, "test")
        assert refused.value.code == "forbidden"
    city.do(JUDGE, ON_TIME)
    thing, allowed = city.db.query("SELECT thing, allowed FROM audit ORDER BY id DESC LIMIT 1")[0]
    assert (thing, allowed) == ("save_formula:handle_on_time_rate", True)
    assert at(28, 10) == city.now
