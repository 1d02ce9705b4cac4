"""Vital signs over every store (S07): changing the data changes the value, its records say what was counted, and a
crossed limit raises one warning, which becomes an incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from data.database import Database, many
from data.timeseries import Partitions
from data.vitals import filed, raised, tick
from incidents.desk_commands import DeleteView, SavedViews, SaveView, VitalRecords, Vitals
from incidents.model import Actor, Rejected
from incidents.triage import triage
from incidents.vitals import file_crossing
from tests.conftest import STORES
from tests.contracts.test_intake_merging import NOW, Door
from tests.small_city import CITY, PATTERN, ZONE, actor, units_of_work

pytestmark = pytest.mark.timeout(120, func_only=True)
LEADER = actor("duty_leader")


@pytest.fixture(params=STORES)
def door(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Door:
    """The small city with three traffic detectors."""
    db = fresh_database(str(request.param))
    with db.transaction() as cursor:
        cursor.execute("INSERT INTO device_types (id, name) VALUES ('traffic_flow', '车流')")
        cursor.execute("INSERT INTO metrics (id, device_type) VALUES ('mean_speed_kmh', 'traffic_flow')")
        many(
            cursor,
            "INSERT INTO devices (id, type, name, area_path, expected_period_s, registered_at) VALUES %s",
            [(f"T{n}", "traffic_flow", f"断面{n}", CITY, 60.0, NOW - timedelta(days=9)) for n in (1, 2, 3)],
        )
    return Door(db)


def drive(db: Database, minute: float, **speeds: float) -> None:
    """Readings of mean speed at NOW + minute."""
    at = NOW + timedelta(minutes=minute)
    with db.transaction() as cursor:
        Partitions().cover(cursor, "readings", [at.timestamp()])
        cursor.execute("SELECT no FROM metrics WHERE id = 'mean_speed_kmh'")
        metric = (cursor.fetchone() or (0,))[0]
        cursor.execute("SELECT id, no FROM devices WHERE type = 'traffic_flow'")
        numbers = dict(cursor.fetchall())
        rows = [(numbers[id], metric, at, speed, 1) for id, speed in speeds.items()]
        many(cursor, "INSERT INTO readings (device_no, metric_no, time, value, ledger_id) VALUES %s", rows)


def speed(door: Door) -> dict[str, Any]:
    rows = [r for d in door.ask(Vitals(), LEADER)["domains"] for r in d["rows"]]
    return next(r for r in rows if r["id"] == "mean_speed")


def test_changing_the_data_changes_the_value_and_its_records(door: Door) -> None:
    assert (speed(door)["value"], speed(door)["state"]) == (None, "nodata"), "no reading is not zero"
    drive(door.db, -5, T1=40, T2=30)
    drive(door.db, -30, T3=90)  # older than its window
    assert speed(door)["state"] == "nodata", "who looks measures nothing: the clockwork does"
    tick(door.db, CITY, NOW)
    found = speed(door)
    assert (found["value"], found["numerator"], found["denominator"], found["state"]) == (35.0, 70.0, 2, "ok")
    assert found["as_of"] == (NOW - timedelta(minutes=5)).timestamp() * 1000
    drive(door.db, -1, T2=14)
    tick(door.db, CITY, NOW)
    assert (speed(door)["value"], speed(door)["state"]) == (27.0, "off")
    rows = door.ask(VitalRecords("mean_speed"), LEADER)["rows"]
    assert [(row["id"], row["value"]) for row in rows] == [("T2", 14.0), ("T1", 40.0)], "the worst first"
    assert sum(row["value"] for row in rows) / len(rows) == speed(door)["value"]


def test_no_source_no_figure(door: Door) -> None:
    rows = [r for d in door.ask(Vitals(), LEADER)["domains"] for r in d["rows"]]
    none = [r for r in rows if r["source"] == "none"]
    assert none and all(r["value"] is None and r["state"] == "none" and r["needs"] for r in none)
    assert door.ask(VitalRecords("power_use"), LEADER)["rows"] == []


def test_a_crossed_limit_is_one_incident_until_it_is_over(door: Door) -> None:
    def clock(minute: float) -> list[str]:
        now = NOW + timedelta(minutes=minute)
        crossed = tick(door.db, CITY, now)
        for vital, crossing in crossed:
            with units_of_work(door.db)() as uow:
                file_crossing(uow, vital, crossing, CITY, now)
            filed(door.db, vital.id, crossing.at)
        with units_of_work(door.db)() as uow:
            triage(uow, now, PATTERN, ZONE)
        return [vital.id for vital, _ in crossed]

    drive(door.db, 0, T1=11, T2=9)
    assert clock(1) == ["mean_speed"]
    assert list(raised(door.db)) == ["mean_speed"] and speed(door)["raised_at"]
    drive(door.db, 2, T1=13, T2=13)
    assert clock(3) == [], "between limit and clear it stays raised, and is not filed again"
    rows = door.db.query("SELECT title, class_code FROM incidents WHERE title LIKE '城市体征超限%%'")
    assert [title for title, _ in rows] == ["城市体征超限：路网平均车速"]
    drive(door.db, 4, T1=20, T2=20)
    assert clock(5) == [] and raised(door.db) == {}
    assert len(speed(door)["trend"]) >= 1


def test_a_crossing_that_was_noted_but_not_filed_is_said_again(door: Door) -> None:
    drive(door.db, 0, T1=5)
    ((vital, first),) = tick(door.db, CITY, NOW + timedelta(minutes=1))
    ((_, again),) = tick(door.db, CITY, NOW + timedelta(minutes=2))
    assert first == again, "with the same moment, so that the same message is filed once"
    filed(door.db, vital.id, first.at)
    assert tick(door.db, CITY, NOW + timedelta(minutes=3)) == []


def test_views_are_ones_own_or_the_units(door: Door) -> None:
    one, two = (Actor(n, f"op-{n}", f"坐席{n}", "operator", "U1", (CITY,)) for n in (901, 902))
    other = Actor(903, "op-903", "坐席", "operator", "U2", (CITY,))

    def names(who: Actor) -> list[tuple[str, bool]]:
        return [(row["name"], row["own"]) for row in door.ask(SavedViews("desk"), who)["rows"]]

    door.do(SaveView("desk", "我的", {"list": {"filter": {"overdue": True}}}), one)
    mine = door.do(SaveView("desk", "大家的", {}, shared=True), one)
    assert names(one) == [("大家的", True), ("我的", True)] and names(two) == [("大家的", False)]
    assert names(other) == []
    door.do(SaveView("desk", "我的", {"map": {"zoom": 12}}), one)
    assert [row["content"] for row in door.ask(SavedViews("desk"), one)["rows"]][1] == {"map": {"zoom": 12}}
    with pytest.raises(Rejected, match="no such view of yours"):
        door.do(DeleteView(mine["id"]), two)
    door.do(DeleteView(mine["id"]), one)
    assert names(two) == []
    for bad in (SaveView("desk", " "), SaveView("../x", "n"), SaveView("desk", "n", {"x": "字" * 9000})):
        with pytest.raises(Rejected):
            door.do(bad, one)
