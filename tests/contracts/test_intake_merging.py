"""Reports that tell of the same thing become one incident, by themselves or by a person, and come apart again with every
record where it was; over every store."""

from __future__ import annotations

import hashlib
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

    def ask(self, query: object, who: Actor = CALL) -> dict[str, Any]:
        found: dict[str, Any] = self._door.ask(query, who)
        return found

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


def photo(db: Database, name: str) -> str:
    """A stored photo; its name."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    db.query(
        "INSERT INTO photos (sha256, mime, width, height, bytes, stored_at, stored_by)"
        " VALUES (%s, 'image/jpeg', 10, 10, %s, %s, 'x')",
        (digest, name.encode(), NOW),
    )
    return digest


def with_photos(door: Door, north_m: float, *photos: str, level: int | None = None) -> int:
    """A report with stored photos; its incident."""
    report = c.ReportIncident(
        text="路口积水", class_code="0101", lon=LON, lat=LAT + north_m * METRE, photos=list(photos), level=level,
        reporter_phone=f"137{next(NUMBERS):08}", key=f"p{next(NUMBERS)}",
    )  # fmt: skip
    return int(door.do(report)["id"])


def photos_of(db: Database) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for id, sha in db.query("SELECT incident_id, sha256 FROM incident_photos"):
        found.setdefault(id, set()).add(sha)
    return found


def test_photos_and_the_level_go_with_the_sources_that_brought_them(db: Database) -> None:
    door = Door(db)
    first, second, both = photo(db, "first"), photo(db, "second"), photo(db, "both")
    one = with_photos(door, 0, first, both)
    assert with_photos(door, 5, second, both, level=1) == one
    assert photos_of(db) == {one: {first, second, both}}
    assert [(row[2], row[3]) for row in door.incidents()] == [(2, 1)], "the worse level has raised it"
    taken = door.rows()[1][0]
    two = door.do(h.SeparateSources(one, "另一处", [taken]))["id"]
    assert photos_of(db) == {one: {first, both}, two: {second, both}}, "what both showed, both keep"
    assert [(row[0], row[3]) for row in door.incidents()] == [(one, 3), (two, 1)]
    door.do(h.MergeIncidents(two, one, "还是同一处"))
    assert photos_of(db) == {one: {first, second, both}}
    door.do(h.SeparateSources(one, "又分开", [], two))
    assert photos_of(db) == {one: {first, both}, two: {second, both}}
    assert [(row[0], row[3]) for row in door.incidents()] == [(one, 3), (two, 1)]


def test_a_level_that_a_person_has_set_stays_when_sources_leave(db: Database) -> None:
    door = Door(db)
    one = with_photos(door, 0)
    with_photos(door, 5, level=2)
    door.do(c.AcceptIncident(one, level=1))
    door.do(h.SeparateSources(one, "另一处", [door.rows()[1][0]]))
    assert [row[3] for row in door.incidents()] == [1, 2]


def test_who_reports_one_occurrence_twice_sees_it_once(db: Database) -> None:
    door = Door(db)
    door.report(phone="13800000000")
    door.report(5, phone="13800000000")
    mine = door.ask(c.MyReports())
    assert (mine["total"], [row["sources"] for row in mine["rows"]]) == (1, [2])


def test_a_report_after_the_result_is_shown_to_who_checks(db: Database) -> None:
    door = Door(db)
    id = door.report()["id"]
    office = actor("unit_handler", CITY, "U1", "office", 5)
    door.do(c.AcceptIncident(id))
    door.do(c.DispatchIncident(id, "U1"), DESK)
    for step in (c.TakeIncident(id), c.ArriveIncident(id)):
        door.do(step, office)
    door.report(5)
    assert door.ask(c.IncidentDetail(id)).get("said_again_at") is None, "it is being worked on"
    door.do(c.FinishIncident(id, "已抽排"), office)
    door.now += timedelta(hours=2)
    assert door.report(5)["id"] == id
    seen = door.ask(c.IncidentDetail(id))
    assert seen["said_again_at"] == int(door.now.timestamp() * 1000) and seen["stage"] == "returned_result"
    door.do(c.CheckIncident(id, False, "仍有积水"))
    assert door.ask(c.IncidentDetail(id)).get("said_again_at") is None, "it is told by the rework now"


def test_a_source_that_cannot_be_triaged_holds_up_none(db: Database) -> None:
    """It is kept with the reason, not tried again, and told as an incident of its own."""
    door, intaker, units = Door(db), Intaker(db), units_of_work(db)
    messages = [
        message(NOW, name, text=name, point={"lon": LON, "lat": LAT + 300 * n * METRE}, **{"class": "0101"})
        for n, name in enumerate(("好的一", "坏的", "好的二"))
    ]
    assert intaker.take(messages) == ["stored"] * 3
    db.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.title = '坏的' THEN RAISE EXCEPTION 'cannot be filed'; END IF; RETURN NEW; END $$"
    )
    db.query("CREATE TRIGGER refusing BEFORE INSERT ON incidents FOR EACH ROW EXECUTE FUNCTION refuse()")
    with units() as uow:
        assert len(triage(uow, NOW, PATTERN, ZONE, city_path=CITY)) == 2
    assert db.query("SELECT aside, incident_id FROM intake WHERE text = '坏的'") == [("failed", None)]
    [(why,)] = db.query("SELECT aside_why FROM intake WHERE text = '坏的'")
    assert "cannot be filed" in why
    with units() as uow:
        assert len(triage(uow, NOW, PATTERN, ZONE, city_path=CITY)) == 1, "what is told of it"
        assert triage(uow, NOW, PATTERN, ZONE, city_path=CITY) == []
    titles = dict(db.query("SELECT title, text FROM incidents"))
    assert set(titles) == {"好的一", "好的二", "有来源无法分拣"}
    assert "cannot be filed" in titles["有来源无法分拣"]
    assert len(door.incidents()) == 3
