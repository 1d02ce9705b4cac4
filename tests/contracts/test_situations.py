"""The time machine over every store: what it says of a moment is what was shown then, and its changes lead from one to
the next. The truth is kept beside it, in the test, while things happen."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from data.boards import incident_items
from data.database import Database
from data.incident_states import forget_states, seed_states
from data.incident_totals import total_items
from data.situations import Situations
from data.timeseries import Partitions
from incidents import commands as c
from incidents.model import FINAL_STAGES, Incident, Place, Stage
from tests.conftest import STORES
from tests.contracts.test_handling import CALL, DESK, City1
from tests.contracts.test_handling import db as db  # the fixture
from tests.small_city import AREAS, CELL, CITY, ZONE, units_of_work

pytestmark = pytest.mark.timeout(180, func_only=True)
BEGIN: Final = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
SPAN_S: Final = 600
ZONE_INFO: Final = ZoneInfo(ZONE)
FINAL: Final = frozenset(map(str, FINAL_STAGES))
LATER: Final = BEGIN + timedelta(days=2)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Iterator[Database]:
    """A fresh small city whose devices were there before anything happened."""
    database: Database = fresh_database(str(request.param))
    database.query("UPDATE devices SET registered_at = %s", (BEGIN - timedelta(days=30),))
    yield database


@dataclass
class Truth:
    """What happened, in the order it happened, written down by the test itself."""

    incidents: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    readings: list[tuple[str, str, datetime, float]] = field(default_factory=list)
    warnings: list[tuple[str, str, datetime, datetime | None]] = field(default_factory=list)
    places: list[tuple[str, datetime, float, float]] = field(default_factory=list)
    periods: dict[str, float] = field(default_factory=dict)

    def incidents_at(self, at: datetime) -> dict[str, dict[str, Any]]:
        return {item["key"]: item for time, item in self.incidents if time <= at}

    def devices_at(self, at: datetime) -> dict[str, tuple[dict[str, float], str]]:
        found = {}
        for device, period in self.periods.items():
            known = [r for r in self.readings if r[0] == device and r[2] <= at]
            values = {metric: value for _, metric, _, value in sorted(known, key=lambda r: r[2])}
            newest = max((r[2] for r in known), default=None)
            raised = any(w[1] == device and w[2] <= at and (w[3] is None or w[3] > at) for w in self.warnings)
            silent = newest is None or (at - newest).total_seconds() > 3 * period
            found[device] = (values, "silent" if silent else "warning" if raised else "online")
        return found


def happen(db: Database, seed: int) -> Truth:
    """Ten minutes of incidents, readings, warnings and positions at random moments."""
    rng = random.Random(seed)
    truth = Truth(periods=dict(db.query("SELECT id, expected_period_s FROM devices")))

    def moment() -> datetime:
        return BEGIN + timedelta(milliseconds=rng.randrange(SPAN_S * 1000))

    paths = ["", *(path for _, path in AREAS)]
    incidents = {}
    for n in range(25):
        incidents[n] = Incident(
            id=0, number=f"N{n}", class_code="0101", class_name="道路积水", title=f"积水 {n}", text="t",
            stage=Stage.REPORTED, level=rng.randint(1, 4), version=1, place=Place(area_path=rng.choice(paths)),
            reported_at=BEGIN - timedelta(minutes=rng.randint(0, 1200)),
        )  # fmt: skip
    ids: dict[int, int] = {}
    for time in sorted(moment() for _ in range(160)):
        n = rng.randrange(25)
        one = incidents[n]
        changed: dict[str, Any] = {"stage": rng.choice(list(Stage)), "level": rng.randint(1, 4)}
        incident = Incident(
            **{
                **{name: getattr(one, name) for name in one.__slots__},
                **changed,
                "version": one.version + (n in ids),
                "place": Place(area_path=rng.choice(paths)),
                "stage_due_at": rng.choice([None, BEGIN + timedelta(seconds=rng.randrange(SPAN_S))]),
                "closed_at": time if changed["stage"] in FINAL_STAGES else None,
            }
        )
        with units_of_work(db)() as uow:
            if n not in ids:
                ids[n] = uow.add_incident(incident).id
            incident = Incident(
                **{**{name: getattr(incident, name) for name in incident.__slots__}, "id": ids[n]}
            )
            uow.incident_changed(incident, time)
        incidents[n] = incident
        ((item,),) = db.query(
            "SELECT payload FROM outbox WHERE key = %s ORDER BY id DESC LIMIT 1", (str(ids[n]),)
        )
        truth.incidents.append((time, item))
    metrics = db.query(
        "SELECT d.id, d.no, m.id, m.no FROM devices d JOIN metrics m ON m.device_type = d.type"
    )
    rows = {}
    for _ in range(120):
        device, device_no, metric, metric_no = rng.choice(metrics)
        time = moment() - timedelta(seconds=rng.choice([0, 0, 400]))
        rows[device_no, metric_no, time] = (device, metric, time, round(rng.random(), 3))
    with db.transaction() as cursor:
        Partitions().cover(cursor, "readings", [t.timestamp() for *_, t in rows])
        Partitions().cover(cursor, "positions", [BEGIN.timestamp(), BEGIN.timestamp() + SPAN_S])
        for (device_no, metric_no, time), (*_, value) in rows.items():
            cursor.execute(
                "INSERT INTO readings VALUES (%s, %s, %s, %s, 0)", (device_no, metric_no, time, value)
            )
        for n in range(14):
            begin, end = sorted((moment(), moment()))
            cleared = None if n % 4 == 0 else end
            device = rng.choice(metrics)[0]
            cursor.execute(
                "INSERT INTO warnings (id, rule, version, device, metric, value, threshold, level, class_code, message,"
                " time, created_at, cleared_at, area_path) VALUES (%s, 'r', 1, %s, 'level', 1, 1, 2, '0101', '水位超限',"
                " %s, %s, %s, %s)",
                (f"w{n}", device, begin, begin, cleared, CELL),
            )
            truth.warnings.append((f"w{n}", device, begin, cleared))
        for login in ("grid-worker", "worker-2"):
            cursor.execute(
                "INSERT INTO workers (login, unit) VALUES (%s, 'U1') ON CONFLICT DO NOTHING", (login,)
            )
            for time in sorted({moment() for _ in range(12)}):
                place = (round(113.8 + rng.random() / 10, 5), 21.9)
                cursor.execute(
                    "INSERT INTO positions (worker, time, lon, lat, ledger_id) VALUES (%s, %s, %s, %s, 0)",
                    (login, time, *place),
                )
                truth.places.append((login, time, *place))
    truth.readings = list(rows.values())
    return truth


def by_key(items: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    found = {(item["kind"], item["key"]): item for item in items}
    assert len(found) == len(items), "nothing is shown twice"
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_moments_are_shown_as_they_were(store: Database, seed: int) -> None:
    truth = happen(store, seed)
    past = Situations(store, CITY, ZONE_INFO)
    rng = random.Random(seed * 7)
    begin = truth.incidents[0][0]
    assert past.begins(LATER) == begin
    for at in sorted(begin + timedelta(seconds=rng.uniform(0, SPAN_S)) for _ in range(10)):
        shown = by_key(past.at(at))
        kinds: dict[str, dict[str, Any]] = {}
        for (kind, key), item in shown.items():
            kinds.setdefault(kind, {})[key] = item
        expected = truth.incidents_at(at)
        assert kinds.get("incident", {}) == expected
        opened = [i for i in expected.values() if i["stage"] not in FINAL]
        at_ms = int(at.timestamp() * 1000)
        midnight = (
            at.astimezone(ZONE_INFO).replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000
        )
        totals = shown["trend", f"totals@{CITY.rstrip('/')}"]
        assert totals["open"] == len(opened)
        assert totals["levels"] == [sum(i["level"] == n for i in opened) for n in (1, 2, 3, 4)]
        assert totals["overdue"] == sum((i["stage_due_at"] or at_ms) < at_ms for i in opened)
        assert totals["today"] == sum(i["reported_at"] >= midnight for i in expected.values())
        assert totals["closed"] == sum(i["stage"] == "closed" for i in expected.values())
        devices = {key: (item["values"], item["status"]) for key, item in kinds["device"].items()}
        assert devices == truth.devices_at(at)
        standing = {w[0] for w in truth.warnings if w[2] <= at and (w[3] is None or w[3] > at)}
        assert set(kinds.get("warning", {})) == standing
        places = {login: (lon, lat) for login, time, lon, lat in truth.places if time <= at}
        assert {k: (w["lon"], w["lat"]) for k, w in kinds.get("worker", {}).items()} == places


@pytest.mark.parametrize("step_s", [0.7, 5, 60, 1000])
def test_the_changes_lead_from_one_moment_to_the_next(store: Database, step_s: float) -> None:
    truth = happen(store, 3)
    past = Situations(store, CITY, ZONE_INFO)
    first = truth.incidents[0][0]
    for begin_s, length_s in ((0, 590), (100, 60), (333, 7)):
        begin, end = first + timedelta(seconds=begin_s), first + timedelta(seconds=begin_s + length_s)
        state = by_key(past.at(begin))
        moments = past.between(begin, end, timedelta(seconds=step_s))
        assert [m.at for m in moments] == sorted(m.at for m in moments) and moments[-1].at == end
        for moment in moments:
            state |= {(item["kind"], item["key"]): item for item in moment.items}
            for kind, key, _ in moment.gone:
                state.pop((kind, key), None)
        assert state == by_key(past.at(end))


def test_steps_through_the_door_are_kept_as_screens_showed_them(db: Database) -> None:
    """The very items of the live state, at every moment of a life, with the totals the wall had."""
    city = City1(db)
    shown = []

    def look() -> None:
        items = [*incident_items(db), *total_items(db, CITY, city.now, ZONE_INFO)]
        shown.append((city.now, by_key(items)))

    look()
    for step in (c.NoteIncident(city.id, "已联系"), c.VoidIncident(city.id, "误报")):
        city.now += timedelta(minutes=30)
        city.do(DESK, step)
        look()
    city.now += timedelta(minutes=5)
    other = c.ReportIncident(text="井盖缺失", class_code="0201", lon=113.905, lat=21.905, key="other")
    city.door.handle(other, CALL, "desk")
    look()
    past = Situations(db, CITY, ZONE_INFO)
    for at, items in shown:
        found = by_key([i for i in past.at(at) if i["kind"] in ("incident", "trend")])
        assert found == items, at


def test_older_incidents_come_in_as_they_are_shown_now(db: Database) -> None:
    city = City1(db)
    past = Situations(db, CITY, ZONE_INFO)
    db.query("DELETE FROM incident_states")  # a store made before there was a time machine
    later = city.now + timedelta(hours=1)
    assert (seed_states(db, later), seed_states(db, later)) == (1, 0)
    assert not [i for i in past.at(city.now) if i["kind"] == "incident"], "nobody knows what was shown then"
    (item,) = [i for i in past.at(later) if i["kind"] == "incident"]
    assert item == next(iter(incident_items(db)))
    city.now = later + timedelta(hours=1)
    city.do(DESK, c.NoteIncident(city.id, "已联系"))
    assert [i["version"] for i in past.at(later) if i["kind"] == "incident"] == [item["version"]]
    assert [i["version"] for i in past.at(city.now) if i["kind"] == "incident"] == [item["version"] + 1]
    forget_states(db, city.now)
    assert past.begins(LATER) == later, "a state that ended in the last moment that is kept stays"
    forget_states(db, city.now + timedelta(seconds=1))
    assert past.begins(LATER) == city.now


def test_what_stands_since_long_ago_makes_nobody_believe_that_all_is_known(db: Database) -> None:
    city = City1(db)
    began = city.now
    city.do(DESK, c.VoidIncident(city.id, "误报"))
    past = Situations(db, CITY, ZONE_INFO, timedelta(days=90))
    assert past.begins(began + timedelta(days=89)) == began
    late = began + timedelta(days=200)
    assert past.begins(late) == late - timedelta(days=90)
    forget_states(db, late - timedelta(days=90))
    assert db.query("SELECT count(*) FROM incident_states") == [(0,)], "what ended long ago goes, too"
    assert past.begins(late) is None
