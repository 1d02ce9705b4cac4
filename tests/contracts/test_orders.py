"""An order from its issue to its end, in every store, and what its unit is told of it on the bus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from data.database import Database
from data.questions.answers import StoreQuestions
from incidents import commands as c
from incidents.model import Rejected
from incidents.service import City, CityService
from tests.conftest import STORES
from tests.small_city import CITY, GRID, PATTERN, WEST, ZONE, actor, place_of, units_of_work

pytestmark = pytest.mark.timeout(120, func_only=True)
NOW: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
DESK: Final = actor("dispatcher", id=1)
CALL: Final = actor("operator", id=2)
WORKER: Final = actor("grid_worker", GRID, "U1", "grid-worker", 3)
PHOTO: Final = "a" * 64


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city and one photo."""
    database: Database = fresh_database(str(request.param))
    database.query(
        "INSERT INTO photos (sha256, mime, width, height, bytes, stored_at, stored_by)"
        " VALUES (%s, 'image/jpeg', 1, 1, 'x', %s, 'grid-worker')",
        (PHOTO, NOW),
    )
    return database


class Desk:
    """The one door over a store, and one incident that has been sent to U1."""

    def __init__(self, db: Database) -> None:
        self._db = db
        questions = StoreQuestions(db, place_of, dict, lambda: CITY)
        self._door = CityService(units_of_work(db), questions, lambda: NOW, City(PATTERN, ZONE, CITY))
        report = c.ReportIncident(text="井盖缺失", class_code="0201", lon=WEST[0], lat=WEST[1])
        self.id: int = self._door.handle(report, CALL, "desk")["id"]
        self.do(c.AcceptIncident(self.id), c.DispatchIncident(self.id, "U1", "grid-worker"))

    def do(self, *commands: object) -> None:
        """Each by whom it befits."""
        for command in commands:
            unit = isinstance(
                command, c.TakeIncident | c.ArriveIncident | c.FinishIncident | c.ReturnIncident
            )
            call = isinstance(command, c.AcceptIncident | c.CheckIncident | c.CloseIncident)
            self._door.handle(command, WORKER if unit else CALL if call else DESK, "test")

    def on_site(self) -> None:
        """Taken, and the worker is there."""
        self.do(c.TakeIncident(self.id), c.ArriveIncident(self.id))

    def orders(self) -> list[tuple[Any, ...]]:
        """(unit, worker, seen?, ended?, outcome), oldest first."""
        return self._db.query(
            "SELECT unit, worker, seen_at IS NOT NULL, ended_at IS NOT NULL, outcome FROM orders ORDER BY id"
        )

    def told(self) -> list[tuple[str, str, str, str]]:
        """What units were told on the bus: (key, state, worker, outcome), oldest first."""
        rows = self._db.query("SELECT key, payload FROM outbox WHERE topic = 'city.order.v1' ORDER BY id")
        return [(key, told["state"], told["worker"], told.get("outcome", "")) for key, told in rows]


ISSUED: Final = ("U1", "issued", "grid-worker", "")


def ended(outcome: str) -> tuple[str, str, str, str]:
    return ("U1", "ended", "grid-worker", outcome)


def test_an_order_is_seen_when_it_is_taken(db: Database) -> None:
    desk = Desk(db)
    assert desk.orders() == [("U1", "grid-worker", False, False, "")]
    desk.do(c.TakeIncident(desk.id))
    assert desk.orders() == [("U1", "grid-worker", True, False, "")]
    assert desk.told() == [ISSUED]


@pytest.mark.parametrize("outcome", ["handled", "returned", "void"])
def test_an_order_ends_when_its_unit_has_the_incident_no_more(db: Database, outcome: str) -> None:
    desk = Desk(db)
    desk.on_site()
    last = {
        "handled": c.FinishIncident(desk.id, "已补盖", [PHOTO]),
        "returned": c.ReturnIncident(desk.id, "owner", "不属本单位"),
        "void": c.VoidIncident(desk.id, "误报"),
    }
    desk.do(last[outcome])
    assert desk.orders() == [("U1", "grid-worker", True, True, outcome)]
    assert desk.told() == [ISSUED, ended(outcome)]


def test_nothing_is_left_of_it_when_closed(db: Database) -> None:
    desk = Desk(db)
    desk.on_site()
    desk.do(
        c.FinishIncident(desk.id, "已补盖", [PHOTO]), c.CheckIncident(desk.id, True), c.CloseIncident(desk.id)
    )
    assert desk.orders() == [("U1", "grid-worker", True, True, "handled")]


def test_the_former_unit_is_told_that_its_order_was_taken_away(db: Database) -> None:
    desk = Desk(db)
    desk.do(c.DispatchIncident(desk.id, "U2", "worker-2", reason="就近"))
    assert desk.orders() == [
        ("U1", "grid-worker", False, True, "superseded"), ("U2", "worker-2", False, False, ""),
    ]  # fmt: skip
    assert desk.told() == [ISSUED, ended("superseded"), ("U2", "issued", "worker-2", "")]


def test_a_failed_check_orders_anew(db: Database) -> None:
    desk = Desk(db)
    desk.on_site()
    desk.do(c.FinishIncident(desk.id, "已补盖", [PHOTO]), c.CheckIncident(desk.id, False, "未盖严"))
    assert [row[3:] for row in desk.orders()] == [(True, "handled"), (False, "")]
    assert desk.told() == [ISSUED, ended("handled"), ISSUED]


# -- what is done to an incident is asked for before anything is written ----------------------------------------


@pytest.mark.parametrize(
    ("which", "who", "code"),
    [
        (10**6, WORKER, "not_found"),
        (0, actor("grid_worker", GRID, "U2", "worker-2", 4), "forbidden"),
        (0, WORKER, "stage"),
    ],
)
def test_a_photo_is_attached_only_by_a_step_that_may_be_done(
    db: Database, which: int, who: Any, code: str
) -> None:
    desk = Desk(db)  # not taken yet: nothing to finish
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    door = CityService(units_of_work(db), questions, lambda: NOW, City(PATTERN, ZONE, CITY))
    with pytest.raises(Rejected) as refused:
        door.handle(c.FinishIncident(which or desk.id, "已补盖", [PHOTO]), who, "phone")
    assert refused.value.code == code
    assert db.query("SELECT count(*) FROM incident_photos") == [(0,)]


def test_a_photo_that_is_not_stored_finishes_nothing(db: Database) -> None:
    desk = Desk(db)
    desk.on_site()
    with pytest.raises(Rejected) as refused:
        desk.do(c.FinishIncident(desk.id, "已补盖", [PHOTO, "b" * 64]))
    assert (refused.value.code, refused.value.field) == ("field", "photos")
    assert db.query("SELECT stage FROM incidents") == [("on_site",)]
    assert db.query("SELECT count(*) FROM incident_photos") == [(0,)]
