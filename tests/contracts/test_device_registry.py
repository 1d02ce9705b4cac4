"""Devices added, changed and retired; their types; their health from real readings. Every store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg2
import pytest

from data.database import Database
from data.health import hear, look_around, look_at
from data.init_poles import load_poles
from data.map_layers import _POINTS
from data.questions.answers import StoreQuestions
from data.registry import load_registry
from incidents import commands as c
from incidents.device_registry import POLE_FUNCTIONS
from incidents.model import Rejected
from incidents.service import City, CityService
from incidents.triage import triage
from tests.conftest import STORES
from tests.contracts.test_store import Intaker
from tests.small_city import (
    CELL,
    CITY,
    DISTRICT,
    EAST,
    NEXT_CELL,
    PATTERN,
    WEST,
    ZONE,
    actor,
    place_of,
    units_of_work,
)
from tests.streams.city_messages import reading

pytestmark = pytest.mark.timeout(120, func_only=True)
ADMIN: Final = actor("administrator")
NOW: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city."""
    return fresh_database(str(request.param))


def door(db: Database, now: datetime = NOW) -> CityService:
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    return CityService(units_of_work(db), questions, lambda: now, City(PATTERN, ZONE, CITY))


def save(db: Database, id: str = "N-1", now: datetime = NOW, who: Any = ADMIN, **more: Any) -> dict[str, Any]:
    return door(db, now).handle(c.SaveDevice(id, **more), who, "desk")


def registry(db: Database, who: Any = ADMIN, **more: Any) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in door(db).ask(c.DeviceRegistry(**more), who)["rows"]}


def test_a_device_from_its_registration_to_its_end(db: Database) -> None:
    version = load_registry(db).version
    made = save(db, type="water", name="新水位计", unit="U1", owner="水务局", address="桥下", lon=WEST[0], lat=WEST[1],
                installed_on="2026-03-05", calibration_due="2026-10-01")  # fmt: skip
    assert (made["how"], made["before"], made["after"]["area"]) == ("new", None, CELL)
    known = load_registry(db)
    assert known.version == version + 1 and known.devices["N-1"].area_path == CELL
    row = registry(db, text="新水位")["N-1"]
    assert (row["owner"], row["unit_name"], row["status"], row["health"], row["due"]) == (
        "水务局", "单位U1", "in_service", "unknown", True)  # fmt: skip
    assert set(registry(db, health="due")) == {"N-1"}

    moved = save(db, name="改名", lon=EAST[0], lat=EAST[1], calibration_due="")
    assert (moved["how"], moved["before"]["name"], moved["after"]["area"]) == (
        "changed",
        "新水位计",
        NEXT_CELL,
    )
    assert moved["after"]["calibration_due"] is None and moved["after"]["owner"] == "水务局", (
        "what is None stays"
    )
    assert load_registry(db).devices["N-1"].name == "改名"
    assert save(db, name="改名")["how"] == "same" and load_registry(db).version == version + 2

    save(db, status="maintenance")
    assert "N-1" in load_registry(db).devices, "one in maintenance is still heard"
    assert registry(db)["N-1"]["health"] == "maintenance"
    with pytest.raises(Rejected, match="reason"):
        door(db).handle(c.RetireDevice("N-1", " "), ADMIN, "desk")
    door(db).handle(c.RetireDevice("N-1", "拆除"), ADMIN, "desk")
    assert "N-1" not in load_registry(db).devices
    assert registry(db, status="retired")["N-1"]["health"] == "retired"
    later = NOW + timedelta(days=9)
    save(db, now=later, status="in_service")
    assert db.query("SELECT disabled, registered_at FROM devices WHERE id = 'N-1'") == [(False, later)]
    audit = db.query("SELECT action, thing, detail->>'reason' FROM audit WHERE thing LIKE 'retire%%'")
    assert audit == [("device.manage", "retire_device:N-1", "拆除")]


@pytest.mark.parametrize(("more", "field"), [
    ({"id": "a b", "type": "water"}, "id"), ({}, "type"), ({"type": "ufo"}, "type"),
    ({"type": "water", "unit": "U9"}, "unit"), ({"type": "water", "lon": 120.0, "lat": 21.9}, "lon"),
    ({"type": "water", "lon": 113.9}, "lat"), ({"type": "water", "status": "lost"}, "status"),
    ({"type": "water", "installed_on": "gestern"}, "installed_on"), ({"type": "water", "unit": "U3"}, "unit"),
    ({"type": "water", "expected_period_s": 0.0}, "expected_period_s"),
])  # fmt: skip
def test_a_wrong_entry_is_refused_by_field(city: Database, more: dict[str, Any], field: str) -> None:
    with pytest.raises(Rejected) as refused:
        save(city, **more)
    assert (refused.value.code, refused.value.field) == ("field", field)
    assert city.query("SELECT count(*) FROM devices") == [(4,)]


def test_an_administrator_of_a_district_changes_his_own(db: Database) -> None:
    own = actor("administrator", DISTRICT, login="own")
    far = actor("administrator", "990100/990102/", login="far")
    save(db, "WL-1", who=own, name="甲")
    for attempt in (
        lambda: save(db, "WL-1", who=far, name="乙"),
        lambda: save(db, "N-2", who=own, type="water", lon=113.95, lat=21.95),  # in no cell: the city's
        lambda: save(db, "N-3", who=own, type="water"),
        lambda: door(db).handle(c.RetireDevice("WL-1", "r"), far, "desk"),
        lambda: save(db, "WL-1", who=actor("operator"), name="丙"),
        lambda: door(db).handle(c.SaveDeviceType("t", "t"), own, "desk"),
    ):
        with pytest.raises(Rejected) as refused:
            attempt()
        assert refused.value.code == "forbidden"
    assert registry(db, who=far) == {} and registry(db, who=own)["WL-1"]["name"] == "甲"
    refusals = db.query("SELECT count(*) FROM audit WHERE NOT allowed")
    assert refusals == [(6,)], "refused attempts are audited"


def test_types_and_metrics_are_declared(db: Database) -> None:
    door(db).handle(c.SaveDeviceType("well", "智能井盖", "Smart cover", "manhole", 300.0), ADMIN, "desk")
    door(db).handle(c.SaveMetric("tilt", "well", "倾角", "°", "Tilt", 0.0, 90.0, None), ADMIN, "desk")
    door(db).handle(c.SaveMetric("tilt", "well", "倾角", "°", "Tilt", 0.0, 90.0, 12), ADMIN, "desk")
    types = {row["id"]: row for row in door(db).ask(c.DeviceTypes(), ADMIN)["rows"]}
    assert types["well"]["metrics"] == [
        {
            "id": "tilt",
            "name": "倾角",
            "name_en": "Tilt",
            "unit": "°",
            "low": 0,
            "high": 90,
            "stuck_periods": 12,
        }
    ]
    assert types["water"]["devices"] == 2 and "tilt" in load_registry(db).metrics
    for command, field in (
        (c.SaveMetric("level", "well", "水位", "m"), "device_type"),
        (c.SaveMetric("x", "none", "水位", "m"), "device_type"),
        (c.SaveMetric("x", "well", "水位", "m", low=5.0, high=5.0), "low"),
        (c.SaveMetric("x", "well", "水位", "m", stuck_periods=1), "stuck_periods"),
        (c.SaveDeviceType("", "n"), "id"),
        (c.SaveDeviceType("x", "n", period_s=0.0), "period_s"),
    ):
        with pytest.raises(Rejected) as refused:
            door(db).handle(command, ADMIN, "desk")
        assert refused.value.field == field
    assert save(db, type="智能井盖")["after"]["expected_period_s"] == 300.0, (
        "by its name, with the type's period"
    )


def test_status_and_disabled_always_agree(db: Database) -> None:
    """Whoever writes one of them: the other follows."""
    q = "SELECT status, disabled FROM devices WHERE id = 'WL-1'"
    for change, expected in (
        ("disabled = true", ("retired", True)),
        ("disabled = false", ("in_service", False)),
        ("status = 'retired'", ("retired", True)),
        ("status = 'maintenance'", ("maintenance", False)),
        ("status = 'in_service', disabled = true", ("in_service", False)),
        ("status = 'maintenance'", ("maintenance", False)),
        ("name = 'x'", ("maintenance", False)),
    ):
        db.query(f"UPDATE devices SET {change} WHERE id = 'WL-1'")
        assert db.query(q) == [expected], change
    with pytest.raises(psycopg2.errors.CheckViolation):
        db.query("UPDATE devices SET status = 'gone' WHERE id = 'WL-1'")


def test_health_from_readings(db: Database) -> None:
    """One sound, one stuck and impossible, one with a gap and silent now, one never heard."""
    db.query("UPDATE devices SET registered_at = %s", (NOW - timedelta(minutes=61),))
    db.query("UPDATE metrics SET low = 0, high = 8, stuck_periods = 20 WHERE id = 'level'")
    ingest = Intaker(db)
    for minute in range(60, 0, -1):
        at = NOW - timedelta(minutes=minute)
        batch = [
            reading("WL-1", {"level": 2.0 + minute % 7 / 100, "flow": 0.2}, at, f"a{minute}"),
            reading("WL-2", {"level": 2.5 if minute < 30 else 2.0 + minute / 100}, at, f"b{minute}"),
        ]
        if minute > 40 or 20 < minute < 30:
            batch.append(reading("AQ-1", {"pm25": 30.0}, at, f"c{minute}"))
        ingest.take(batch, at)
    db.query("UPDATE readings SET value = 9 WHERE device_no = (SELECT no FROM devices WHERE id = 'WL-2')"
             " AND time = %s", (NOW - timedelta(minutes=50),))  # fmt: skip
    assert look_at(db, NOW) == 4
    found = registry(db)
    assert (found["WL-1"]["health"], [r["code"] for r in found["WL-1"]["reasons"]]) == ("online", [])
    assert (found["WL-1"]["score"], found["WL-1"]["last_reported_at"]) == (
        100,
        int((NOW - timedelta(minutes=1)).timestamp() * 1000),
    )
    stuck = {r["code"]: r for r in found["WL-2"]["reasons"]}
    assert found["WL-2"]["health"] == "faulty" and set(stuck) == {"range", "stuck"}
    assert "28 分钟" in stuck["stuck"]["text"] and "2.5" in stuck["stuck"]["text_en"]
    assert "60 次读数中 1 次" in stuck["range"]["text"] and found["WL-2"]["score"] == 40
    silent = {r["code"]: r for r in found["AQ-1"]["reasons"]}
    assert found["AQ-1"]["health"] == "silent" and set(silent) == {"silent", "gaps"}
    assert "21 分钟" in silent["silent"]["text"] and silent["gaps"]["text"].startswith("近一天有 2 次中断")
    assert found["AQ-2"]["health"] == "silent" and found["AQ-2"]["last_reported_at"] is None
    assert found["AQ-2"]["score"] == 20
    counts = door(db).ask(c.DeviceRegistry(health="silent"), ADMIN)
    assert counts["total"] == 2 and counts["health"] == {"online": 1, "faulty": 1, "silent": 2}
    db.query("UPDATE devices SET registered_at = %s WHERE id = 'WL-1'", (NOW - timedelta(days=2),))
    look_at(db, NOW + timedelta(seconds=60))
    (gap,) = registry(db)["WL-1"]["reasons"]
    assert gap["text"] == "近一天有 1 次中断，共缺 22 小时" and registry(db)["WL-1"]["score"] == 62
    db.query("UPDATE device_health SET clock_skew_s = 1.5")
    save(db, "AQ-2", status="maintenance")
    look_at(db, NOW + timedelta(seconds=120))
    assert db.query("SELECT DISTINCT clock_skew_s FROM device_health") == [(1.5,)], "somebody else's column"
    assert registry(db)["AQ-2"]["score"] is None


def test_each_has_its_turn(db: Database) -> None:
    """The one not seen for longest is next, and nobody is looked at again within a minute."""
    assert [look_at(db, NOW + timedelta(seconds=n), 3) for n in range(3)] == [3, 1, 0]
    assert look_at(db, NOW + timedelta(seconds=60), 3) == 3
    assert look_around(db, NOW + timedelta(seconds=90)) == 1
    assert look_around(db, NOW + timedelta(days=1), spent_s=0.0) == 4, "one step at least"


def test_who_falls_silent_or_speaks_again_is_looked_at_at_once(db: Database) -> None:
    """Without waiting for the turn of all; who is as he was is left alone. In slices, round and round."""
    db.query("UPDATE devices SET registered_at = %s", (NOW - timedelta(minutes=1),))
    ingest = Intaker(db)
    ingest.take([reading("WL-1", {"level": 2.0}, NOW, "a"), reading("WL-2", {"level": 2.0}, NOW, "b")], NOW)

    def states(at: datetime) -> dict[str, str]:
        hear(db, at, 0)
        look_around(db, at)
        return {row["id"]: row["health"] for row in registry(db).values()}

    assert set(states(NOW).values()) == {"online", "unknown"}
    soon = NOW + timedelta(seconds=50)
    ingest.take([reading("WL-1", {"level": 2.1}, soon, "c"), reading("AQ-1", {"pm25": 2.1}, soon, "d")], soon)
    assert states(soon) == {"WL-1": "online", "WL-2": "online", "AQ-1": "online", "AQ-2": "unknown"}
    looked = dict(db.query("SELECT device_no, looked_at FROM device_health"))
    assert sorted(looked.values()) == [NOW, NOW, NOW, soon], "only the one that spoke was looked at again"
    broken = soon + timedelta(seconds=5)
    db.query("INSERT INTO device_links (device, online, at) VALUES ('AQ-1', false, %s)", (broken,))
    assert states(broken)["AQ-1"] == "silent", "its last will says so at once"
    assert [r["code"] for r in registry(db)["AQ-1"]["reasons"]] == ["offline"]
    db.query("UPDATE device_links SET online = true, at = %s", (broken + timedelta(seconds=2),))
    assert states(broken + timedelta(seconds=2))["AQ-1"] == "online"
    later = NOW + timedelta(seconds=185)
    assert states(later) == {"WL-1": "online", "WL-2": "silent", "AQ-1": "online", "AQ-2": "silent"}
    assert hear(db, later, 0, 3) == 3 and hear(db, later, 3, 3) == 0
    assert db.query("SELECT count(*) FROM device_health WHERE looked_at IS NULL") == [(0,)], (
        "nobody asked for nothing"
    )


def test_a_lamp_pole_is_one_thing_with_eight_functions(db: Database) -> None:
    """Each with its own status; on the map it is its lamp; pressing its button is an event at the pole."""
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO device_types (id, name) VALUES ('street_lamp', '路灯'), ('air_quality', '空气站')"
        )
        cursor.execute("INSERT INTO metrics (id, device_type) VALUES ('lamp_power_w', 'street_lamp')")
        cursor.execute(
            "INSERT INTO responsibilities (class_code, area_path, unit) VALUES ('E0408', %s, 'U2')", (CITY,)
        )
        cursor.execute(
            "INSERT INTO devices (id, type, name, area_path, cell, lon, lat) SELECT 'SL-' || n, 'street_lamp',"
            " '中山路' || n || '号路灯', %s, %s, %s, %s FROM generate_series(1, 3) n",
            (CELL, CELL.split("/")[-2], *WEST),
        )
        load_poles(cursor, NOW)
    assert db.query("SELECT id, name, area_path FROM composites ORDER BY id") == [
        (f"PL-000{n}", f"中山路{n}号智慧灯杆", CELL) for n in (1, 2, 3)
    ]
    look_around(db, NOW)
    pole = door(db).ask(c.DeviceDetail("EC-000001"), ADMIN)["pole"]
    assert list(dict.fromkeys(m["function"] for m in pole["members"])) == list(POLE_FUNCTIONS)
    assert pole["id"] == "PL-0001" and {m["state"] for m in pole["members"]} == {"unknown"}
    camera = next(m["camera"] for m in pole["members"] if m["function"] == "traffic")
    assert {row["pole"] for row in registry(db, text="PL-0001").values()} == {"PL-0001"}
    assert len(registry(db, text="PL-0001")) == 9, "all but its camera"
    eye = actor("operator")
    assert (
        door(db).ask(c.CameraDetail(camera), eye)["pole"]
        == pole
        == door(db).ask(c.DeviceDetail("SL-1"), eye)["pole"]
    )
    assert door(db).ask(c.DeviceDetail("WL-1"), ADMIN)["pole"] is None
    drawn = {p for (p,) in db.query(f"SELECT x.id FROM ({_POINTS['devices']}) x")}
    assert {"SL-1", "SL-2", "SL-3", "WL-1"} <= drawn and not any(d.startswith("EC-") for d in drawn)

    ingest = Intaker(db)
    assert ingest.take([reading("EC-000001", {"emergency_press": 0.0}, NOW, "rest")], NOW) == ["stored"]
    at = NOW + timedelta(seconds=60)
    assert ingest.take([reading("EC-000001", {"emergency_press": 1.0}, at, "press")], at) == ["stored"]
    with units_of_work(db)() as uow:
        (incident,) = triage(uow, at, PATTERN, ZONE)
    (found,) = db.query(
        "SELECT class_code, level, lon, lat, title FROM incidents WHERE id = %s", (incident.incident,)
    )
    assert found == ("M0801", 2, *WEST, "中山路1号智慧灯杆一键报警按钮 灯杆一键报警按下")


def test_a_pole_is_put_together_and_taken_apart(db: Database) -> None:
    camera = "99010100001320000077"
    for device, point in (("LAMP-1", WEST), ("WIFI-1", WEST), ("AIR-1", EAST)):
        save(db, device, type="water", name=device, owner="城管局", lon=point[0], lat=point[1])
    db.query(
        "INSERT INTO cameras (code, name, area_path, lon, lat) VALUES (%s, '路口', %s, %s, %s)",
        (camera, CELL, *WEST),
    )

    def on_map() -> set[str]:
        found = {row[0] for layer in ("devices", "cameras") for row in db.query(_POINTS[layer])}
        return found & {"LAMP-1", "WIFI-1", "AIR-1", camera}

    version = load_registry(db).version

    def pole(*members: str, id: str = "PL-1", who: Any = ADMIN) -> Any:
        return door(db).handle(c.SavePole(id, "智慧灯杆一", list(members)), who, "desk")

    made = pole("lighting=LAMP-1", "wifi = WIFI-1", f"traffic={camera}", "lighting=LAMP-1")
    assert (made["how"], made["members"]) == ("new", 3)
    place = "SELECT owner, area_path, lon, lat FROM composites"
    assert db.query(place) == [("城管局", CELL, *WEST)], "it stands where its lamp stands"
    assert load_registry(db).version == version + 1, "the map is drawn anew"
    assert on_map() == {"LAMP-1", "AIR-1"}
    shown = door(db).ask(c.DeviceDetail("WIFI-1"), ADMIN)["pole"]
    assert [(m["function"], m["device"] or m["camera"]) for m in shown["members"]] == [
        ("lighting", "LAMP-1"), ("wifi", "WIFI-1"), ("traffic", camera)]  # fmt: skip

    assert pole("lighting=LAMP-1", "environment=AIR-1")["how"] == "changed"
    assert door(db).ask(c.DeviceDetail("WIFI-1"), ADMIN)["pole"] is None
    for members, words in (
        (["lighting=LAMP-1"], "is a part of PL-1"),
        (["lighting=NOBODY"], "no such device"),
        (["lighting=WIFI-1", "traffic=99010100001320000099"], "no such camera"),
        (["wifi=WIFI-1", f"lighting={camera}"], "with a lamp"),
        (["lighting=WIFI-1", "wifi=WIFI-1"], "has one function"),
        (["video=WIFI-1"], "function=ID"),
        (["wifi"], "function=ID"),
        ([], "1 to 100 parts"),
    ):
        with pytest.raises(Rejected, match=words):
            pole(*members, id="PL-2")
    near = replace(ADMIN, areas=(CELL,))
    with pytest.raises(Rejected) as refused:
        pole("lighting=LAMP-1", who=near)  # AIR-1, in the next cell, would lose its pole
    assert refused.value.code == "forbidden"
    with pytest.raises(Rejected, match="reason"):
        door(db).handle(c.RemovePole("PL-1", " "), ADMIN, "desk")
    door(db).handle(c.RemovePole("PL-1", "道路改造"), ADMIN, "desk")
    assert door(db).ask(c.DeviceDetail("LAMP-1"), ADMIN)["pole"] is None
    assert on_map() == {"LAMP-1", "WIFI-1", "AIR-1", camera} and load_registry(db).version == version + 3
    with pytest.raises(Rejected, match="no such pole"):
        door(db).handle(c.RemovePole("PL-1", "再次"), ADMIN, "desk")
    audit = db.query(
        "SELECT thing, detail->>'reason' FROM audit WHERE thing LIKE '%%pole:%%' AND allowed ORDER BY id"
    )
    assert audit[-1] == ("remove_pole:PL-1", "道路改造") and audit[0][0] == "save_pole:PL-1"
