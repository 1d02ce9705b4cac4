"""Questions to a person, and the burden of field work: each sign is found where it is, and nowhere else; over every store."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageDraw

from data.database import Database
from data.photo_likeness import dhash, look_at_photos
from data.photos import Photos
from incidents import commands as c
from incidents.doubts import BURDEN_LEAST
from incidents.evaluation_queries import EvaluationDoubts, FieldBurden
from tests.conftest import STORES
from tests.contracts.test_handling import CALL, DESK, HOUR, JUDGE, MORNING, OFFICE, WORKER, City1
from tests.small_city import CITY, WEST, actor

pytestmark = pytest.mark.timeout(120, func_only=True)
MONTH = ("2026-11-01", "2026-11-30")


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """The small city."""
    return fresh_database(str(request.param))


def picture(left: int, quality: int = 90) -> bytes:
    """A street with something at one place; saved anew at another quality it is another file of the same scene."""
    made = Image.effect_mandelbrot((320, 240), (-2, -1.2, 1, 1.2), 40).convert("RGB")
    ImageDraw.Draw(made).rectangle((left, 60, left + 90, 200), fill=(250, 250, 250))
    out = io.BytesIO()
    made.save(out, "JPEG", quality=quality)
    return out.getvalue()


def photo(db: Database, content: bytes) -> str:
    return Photos(db).store(
        content, mime="image/jpeg", width=320, height=240, exif={}, login="grid-worker", now=MORNING
    )


def finished(city: City1, photos: list[str]) -> None:
    city.now += 2 * HOUR
    city.do(WORKER, c.FinishIncident(city.id, "已处置", photos))


def asked(city: City1) -> dict[str, dict[str, Any]]:
    city.now += HOUR
    answer = city.door.ask(EvaluationDoubts(*MONTH), JUDGE)
    return {question["kind"]: question for question in answer["questions"]}


def ids(question: dict[str, Any]) -> list[int]:
    assert question["found"] == len(question["rows"])
    return [row["id"] for row in question["rows"]]


def test_a_photo_used_before_is_asked_about(db: Database) -> None:
    first, again, other = (City1(db, metres) for metres in (0, 300, 600))
    finished(first, [photo(db, picture(20))])
    finished(again, [photo(db, picture(20, quality=60))])
    finished(other, [photo(db, picture(200))])
    assert look_at_photos(db) == 3 and look_at_photos(db) == 0
    found = asked(other)["reused_photo"]
    assert ids(found) == [first.id, again.id] and found["of"] == 3
    assert found["rows"][1]["why"] == str(first.id)


def test_what_cannot_be_read_is_looked_at_once_and_resembles_nothing(db: Database) -> None:
    city, other = City1(db), City1(db, 300)
    for number, one in enumerate((city, other)):
        finished(one, [photo(db, f"no picture {number}".encode())])
    assert look_at_photos(db) == 2 and look_at_photos(db) == 0
    assert ids(asked(other)["reused_photo"]) == []


def test_dhash_is_signed_and_of_the_picture() -> None:
    values = [dhash(picture(left)) for left in range(0, 230, 10)]
    assert all(value is not None and -(2**63) <= value < 2**63 for value in values)
    assert len(set(values)) > 15 and dhash(b"") is None


def test_far_away_and_own_report(db: Database) -> None:
    near, far = City1(db), City1(db, 300)
    for city, metres in ((near, 100), (far, 800)):
        finished(city, [])
        city.do(CALL, c.CheckIncident(city.id, False, "还有积水"))
        lon, lat = db.query("SELECT lon, lat FROM incidents WHERE id = %s", (city.id,))[0]
        city.do(WORKER, c.TakeIncident(city.id), c.ArriveIncident(city.id, lon, lat + metres / 111_195))
        finished(city, [])
    own = City1(db, 600)
    both = replace(OFFICE, role="grid_worker", login="grid-worker", areas=(CITY,))
    report = c.ReportIncident(text="自己发现", class_code="0101", lon=WEST[0], lat=WEST[1] - 0.004)
    own.id = own.door.handle(report, both, "phone")["id"]
    own.do(CALL, c.AcceptIncident(own.id))
    own.do(DESK, c.DispatchIncident(own.id, "U1"))
    own.do(both, c.TakeIncident(own.id), c.ArriveIncident(own.id))
    own.now += HOUR
    own.do(both, c.FinishIncident(own.id, "已处置"))
    own.now = max(own.now, far.now)
    found = asked(own)
    assert ids(found["far_away"]) == [far.id] and found["far_away"]["rows"][0]["why"] == "800 m"
    assert ids(found["own_report"]) == [own.id] and found["own_report"]["rows"][0]["why"] == "U1"


def test_closed_in_seconds_and_month_end(db: Database) -> None:
    slow = City1(db)
    finished(slow, [])
    slow.do(CALL, c.CheckIncident(slow.id, True), c.CloseIncident(slow.id))
    fast = City1(db, 300)
    fast.do(WORKER, c.FinishIncident(fast.id, "已处置"))
    fast.do(CALL, c.CheckIncident(fast.id, True), c.CloseIncident(fast.id))
    assert ids(asked(fast)["in_seconds"]) == [fast.id]
    burst = [City1(db, 400 + 100 * n).id for n in range(12)]
    db.query(
        "UPDATE incident_facts SET reported_at = '2026-11-29 10:00+08' WHERE incident_id = ANY(%s)", (burst,)
    )
    fast.now = MORNING.replace(day=30)
    found = asked(fast)["month_end"]
    assert ids(found) == burst and found["of"] == 14 and found["rows"][0]["why"].startswith("U1: 4.0 / 0.1")


def test_burden_is_a_median_by_class_and_town_and_of_enough_tasks(db: Database) -> None:
    minutes = (30, 60, 90, 120, 600)
    for number, took in enumerate(minutes):
        city = City1(db, 100 * number)
        city.now += took * HOUR / 60
        city.do(WORKER, c.FinishIncident(city.id, "已处置"))
        city.now += 48 * HOUR
        (told,) = [city.door.ask(FieldBurden(*MONTH), JUDGE)]
        if number < BURDEN_LEAST - 1:
            assert told["rows"] == [] and told["withheld"] == number + 1
    (row,) = told["rows"]
    assert (row["class"], row["tasks"], row["median_min"], told["withheld"]) == ("0101", 5, 90.0, 0)
    assert row["town"].count("/") == 3 and "worker" not in str(told)


def test_only_those_who_evaluate_may_ask(db: Database) -> None:
    city = City1(db)
    for query in (EvaluationDoubts(*MONTH), FieldBurden(*MONTH)):
        for role in ("operator", "dispatcher", "unit_handler", "grid_worker", "wall"):
            with pytest.raises(Exception, match="no right"):
                city.door.ask(query, actor(role))
