"""Reports that tell of the same thing become one incident, by themselves or by a person, and come apart again with every
record where it was; over every store."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from data.database import Database
from data.questions.answers import StoreQuestions
from incidents import commands as c
from incidents import handling_commands as h
from incidents.model import Actor, Rejected
from incidents.service import City, CityService
from incidents.triage import triage
from tests.conftest import STORES
from tests.contracts.test_store import Intaker
from tests.small_city import CITY, PATTERN, WEST, ZONE, actor, place_of, units_of_work
from tests.streams.city_messages import report as message

pytestmark = pytest.mark.timeout(120, func_only=True)
NOW: Final = datetime(2026, 11, 21, 8, tzinfo=UTC)
CALL, DESK = actor("operator", id=1), actor("dispatcher", id=2)
NUMBERS: Final = itertools.count()
METRE: Final = 1 / 111_195
LON, LAT = WEST


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city."""
    return fresh_database(str(request.param))


class Door:
    """The one door over a store at a time of the test's own."""

    def __init__(self, db: Database) -> None:
        self.db, self.now = db, NOW
        self._door = CityService(
            units_of_work(db),
            StoreQuestions(db, place_of, dict, lambda: CITY),
            lambda: self.now,
            City(PATTERN, ZONE, CITY),
        )
        self._people = itertools.count(138_0000_0000)

    def do(self, command: object, who: Actor = CALL) -> dict[str, Any]:
        return self._door.handle(command, who, "test")

    def refused(self, command: object, who: Actor = CALL) -> Rejected:
        with pytest.raises(Rejected) as found:
            self.do(command, who)
        return found.value

    def report(
        self, north_m: float = 0.0, text: str = "路口积水", code: str = "0101", phone: str = ""
    ) -> dict[str, Any]:
        return self.do(
            c.ReportIncident(
                text=text, class_code=code, lon=LON, lat=LAT + north_m * METRE,
                reporter_phone=phone or str(next(self._people)), key=f"k{next(NUMBERS)}",
            )
        )  # fmt: skip

    def rows(self) -> list[tuple[Any, ...]]:
        """Every source as it is: (id, incident, text, place, reporter)."""
        return self.db.query(
            "SELECT id, incident_id, text, lon, lat, reporter::text, homes FROM intake ORDER BY id"
        )

    def incidents(self) -> list[tuple[Any, ...]]:
        """(id, stage, sources, level, merged into), oldest first."""
        return self.db.query("SELECT id, stage, sources, level, merged_into FROM incidents ORDER BY id")

    def told(self, id: int) -> list[tuple[str, dict[str, Any]]]:
        return self.db.query("SELECT action, detail FROM timeline WHERE incident_id = %s ORDER BY seq", (id,))

    def suggestions(self) -> list[tuple[Any, ...]]:
        return self.db.query("SELECT incident_id, other_id, answer FROM merge_suggestions ORDER BY 1, 2")


def test_voices_of_one_thing_are_one_incident_and_raise_its_level(db: Database) -> None:
    door = Door(db)
    first = door.report()
    assert not first["joined"]
    door.now += timedelta(hours=1)
    second = door.report(20)
    assert second["joined"] and second["id"] == first["id"] and second["number"] == first["number"]
    assert door.incidents() == [(first["id"], "reported", 2, 3, None)]
    door.report(10)
    assert door.incidents() == [(first["id"], "reported", 3, 2, None)], "three voices"
    action, detail = door.told(first["id"])[-1]
    assert action == "join" and detail["voices"] == 3 and 0.5 <= detail["score"] <= 1
    reasons = {r["code"]: r for r in detail["reasons"]}
    assert reasons["distance"]["distance_m"] == pytest.approx(10, abs=0.5) and "same_kind" in reasons


def test_one_person_who_calls_again_is_one_voice(db: Database) -> None:
    door = Door(db)
    for _ in range(4):
        door.report(phone="13800000000")
    [(_, _, sources, level, _)] = door.incidents()
    assert (sources, level) == (4, 3)


def test_what_is_far_late_or_of_another_class_is_its_own(db: Database) -> None:
    door = Door(db)
    door.report()
    assert not door.report(150)["joined"]
    assert not door.report(0, "井盖没了", "0201")["joined"]
    door.now += timedelta(hours=60)
    assert not door.report()["joined"]
    assert len(door.incidents()) == 4


def test_reports_by_the_bus_are_merged_too_and_a_closed_one_takes_none(db: Database) -> None:
    door, intaker, units = Door(db), Intaker(db), units_of_work(db)

    def send(id: str, north_m: float = 0.0) -> None:
        point = {"lon": LON, "lat": LAT + north_m * METRE}
        reporter = {"phone": id}
        intaker.take([message(NOW, id, point=point, **{"class": "0101"}, reporter=reporter)])
        with units() as uow:
            triage(uow, NOW, PATTERN, ZONE)

    send("a")
    send("b", 15)
    assert [row[2] for row in door.incidents()] == [2]
    [(id, *_)] = door.incidents()
    door.do(c.RefuseIncident(id, "不在职责范围"))
    send("c")
    assert [(row[1], row[2]) for row in door.incidents()] == [("refused", 2), ("reported", 1)]


def test_what_may_be_one_is_suggested_and_merged_by_hand_and_back(db: Database) -> None:
    """Every record is where it was, and what was answered stays answered."""
    door = Door(db)
    one = door.report()["id"]
    door.report(20)
    two = door.report(80)["id"]
    assert door.suggestions() == [(two, one, "")]
    before, incidents = door.rows(), door.incidents()
    assert door.refused(h.MergeIncidents(two, one, "")).field == "reason"
    assert door.refused(h.MergeIncidents(two, two, "同一处")).field == "into"
    assert (
        door.refused(h.MergeIncidents(two, one, "同一处"), actor("operator", "990100/990102/")).code
        == "forbidden"
    )
    door.do(h.MergeIncidents(two, one, "同一处积水"))
    assert door.incidents() == [(one, "reported", 3, 2, None), (two, "void", 0, 3, one)]
    assert {row[1] for row in door.rows()} == {one} and door.suggestions() == [(two, one, "merged")]
    assert door.refused(h.SeparateSources(one, "看错了", [], two + 1)).code == "not_found"
    door.do(h.SeparateSources(one, "现场两处", [], two), DESK)
    assert door.rows() == before
    stages = [(id, stage, sources, into) for id, stage, sources, _, into in door.incidents()]
    assert stages == [(id, stage, sources, into) for id, stage, sources, _, into in incidents]
    assert door.suggestions() == [(two, one, "apart")]
    assert [a for a, _ in door.told(one)] == ["report", "join", "absorb", "release"]
    assert [a for a, _ in door.told(two)] == ["report", "merge", "restore"]


def test_a_source_taken_out_opens_its_own_and_does_not_come_back_by_itself(db: Database) -> None:
    door = Door(db)
    one = door.report()["id"]
    door.report(5)
    taken = door.rows()[1][0]
    assert door.refused(h.SeparateSources(one, "另一处", [taken + 99])).field == "sources"
    assert door.refused(h.SeparateSources(one, "另一处", [r[0] for r in door.rows()])).field == "sources"
    assert len(door.incidents()) == 1, "a refused separation leaves nothing behind"
    done = door.do(h.SeparateSources(one, "另一处", [taken]))
    assert [(row[0], row[2]) for row in door.incidents()] == [(one, 1), (done["id"], 1)]
    apart = dict(db.query("SELECT id, apart FROM incidents"))
    assert taken in apart[one] and door.rows()[0][0] in apart[done["id"]]


def test_two_that_are_kept_separate_are_not_suggested_again(db: Database) -> None:
    door = Door(db)
    one, two = door.report()["id"], door.report(80)["id"]
    door.do(h.KeepSeparate(two, one))
    assert door.suggestions() == [(two, one, "apart")]
    door.do(h.MergeIncidents(two, one, "还是同一处"))
    assert door.suggestions() == [(two, one, "merged")], "a person may change the mind"


def test_two_reports_at_the_same_moment_see_one_another(db: Database) -> None:
    for n in range(10):
        door, gate = Door(db), threading.Barrier(2)
        found: list[dict[str, Any]] = []

        def call(
            phone: str, door: Door = door, gate: threading.Barrier = gate, n: int = n,
            found: list[dict[str, Any]] = found,
        ) -> None:  # fmt: skip
            gate.wait()
            found.append(door.report(n * 300, phone=phone))

        both = [threading.Thread(target=call, args=(phone,)) for phone in ("1390000", "1380000")]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert len({answer["id"] for answer in found}) == 1
        assert sorted(answer["joined"] for answer in found) == [False, True]
