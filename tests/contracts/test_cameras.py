"""Cameras on every store: adoption and held alarms, windows, shelving, precision, what sees a point, asking to view."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from callbacks.dash_view import DashDeps
from callbacks.desk_camera import camera_of
from data.audit import Audit
from data.backup import TABLES
from data.cameras import end_due
from data.clockwork import TIMERS, Clockwork
from data.database import Database
from data.outbox import Outbox
from data.questions.answers import StoreQuestions
from data.registry import load_registry
from incidents import commands as c
from incidents.model import Actor, Rejected
from incidents.service import City, CityService
from incidents.triage import triage
from layouts.desk import camera, detail
from layouts.shell.view import View
from streams import topics
from streams.relay import outgoing
from tests.contracts.test_store import NOW, Intaker, at_once, db, store_name  # noqa: F401 (fixtures)
from tests.product import ROOT
from tests.small_city import (
    CAMERA,
    CITY,
    NEXT_CAMERA,
    OTHER_DISTRICT,
    PATTERN,
    WEST,
    ZONE,
    actor,
    place_of,
    units_of_work,
)
from tests.streams.city_messages import alarm

pytestmark = pytest.mark.timeout(120, func_only=True)
UNKNOWN: Final = "99010100001320000099"
ADMIN: Final = actor("administrator")
OPERATOR: Final = actor("operator")
MINUTE: Final = timedelta(minutes=1)


def door(database: Database, now: datetime = NOW) -> CityService:
    """The service at a moment."""
    questions = StoreQuestions(database, place_of, dict, lambda: CITY)
    return CityService(units_of_work(database), questions, lambda: now, City(PATTERN, ZONE, CITY))


def account(database: Database, login: str) -> Actor:
    """An account of the store as an actor."""
    ((number, name, role, unit, areas),) = database.query(
        "SELECT id, name, role, coalesce(unit, ''), areas FROM accounts WHERE login = %s", (login,)
    )
    return Actor(number, login, name, role, unit, tuple(areas))


def refused(database: Database, command: object, by: Actor, now: datetime = NOW) -> Rejected:
    with pytest.raises(Rejected) as caught:
        door(database, now).handle(command, by, "rest")
    return caught.value


def saved(code: str = UNKNOWN, **changes: Any) -> c.SaveCamera:
    fields: dict[str, Any] = {"name": "北路口", "lon": WEST[0], "lat": WEST[1], "direction_deg": 0.0,
                              "view_deg": 90.0, "range_m": 150.0, "share_range": "government"}  # fmt: skip
    return c.SaveCamera(code, **fields | changes)


def taken_in(database: Database, now: datetime) -> list[bool]:
    """What triage made of what waits: joined or not, of each."""
    with units_of_work(database)() as uow:
        return [one.joined for one in triage(uow, now, PATTERN, ZONE)]


def incidents(database: Database) -> list[tuple[str, int]]:
    return database.query("SELECT stage, sources FROM incidents ORDER BY id")


# -- adoption ------------------------------------------------------------------------------------------------


def test_an_adopted_camera_gets_its_held_alarms(db: Database) -> None:  # noqa: F811
    """Held while unknown; released with the adoption; each becomes stored once, also when it is put out twice."""
    intaker = Intaker(db)
    held = [alarm(UNKNOWN, "flood", NOW + n * MINUTE, f"a{n}") for n in range(3)]
    held[2] = replace(held[2], key="a key of the sender's own")
    assert intaker.take(held, NOW + 3 * MINUTE) == ["held"] * 3
    done = door(db, NOW + 4 * MINUTE).handle(saved(), ADMIN, "desk")
    assert (done["new"], done["released"]) == (True, 3)
    outbox = Outbox(db)
    waiting = outbox.waiting()
    assert [w.topic for w in waiting] == ["replay"] * 3
    back = [outgoing(w) for w in waiting]
    assert [b.key for b in back] == [h.key for h in held]
    intaker.registry = load_registry(db)
    assert [b.value for b in back] == [h.value for h in held] and {b.topic for b in back} == {
        topics.VIDEO_ALARM
    }
    assert intaker.take(back, NOW + 5 * MINUTE) == ["stored"] * 3
    assert intaker.take(back, NOW + 6 * MINUTE) == ["duplicate"] * 3
    assert db.query("SELECT count(*) FROM held WHERE released_at IS NULL") == [(0,)]
    again = door(db, NOW + 7 * MINUTE).handle(saved(name="北路口2"), ADMIN, "desk")
    assert (again["new"], again["released"]) == (False, 0)


def test_two_adoptions_at_once_release_once(db: Database) -> None:  # noqa: F811
    Intaker(db).take([alarm(UNKNOWN, "flood", NOW, f"a{n}") for n in range(5)], NOW)
    answers = at_once(4, lambda _: door(db).handle(saved(), ADMIN, "desk"))
    assert sorted(a["released"] for a in answers if isinstance(a, dict))[-1] == 5
    assert sum(a["released"] for a in answers if isinstance(a, dict)) == 5
    assert db.query("SELECT count(*) FROM outbox WHERE topic = 'replay'") == [(5,)]


def test_a_release_that_the_bus_refuses_is_set_aside(db: Database) -> None:  # noqa: F811
    Intaker(db).take([alarm(UNKNOWN, "flood", NOW, "a")], NOW)
    door(db).handle(saved(), ADMIN, "desk")
    outbox = Outbox(db)
    (row,) = outbox.waiting()
    outbox.set_aside(row.id, "too large", NOW)
    assert db.query("SELECT state, reason FROM held") == [("rejected", "too large")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "123"}, "code"),
        ({"name": " "}, "name"),
        ({"lon": 114.3}, "lon"),
        ({"view_deg": 0.0}, "view_deg"),
        ({"direction_deg": float("nan")}, "direction_deg"),
        ({"range_m": 1e6}, "range_m"),
        ({"share_range": "everybody"}, "share_range"),
        ({"picture_state": "pretty"}, "picture_state"),
        ({"status": "lost"}, "status"),
        ({"unit": "U9"}, "unit"),
        ({"share_units": ["U9"]}, "share_units"),
        ({"share_areas": ["9/"]}, "share_areas"),
        ({"hls_url": "ftp://media/1.m3u8"}, "hls_url"),
        ({"hls_url": "http://me:secret@media/1.m3u8"}, "hls_url"),
        ({"webrtc_url": "http://["}, "webrtc_url"),
        ({"gb_channel": "12"}, "gb_channel"),
    ],
)
def test_a_wrong_file_names_what_is_wrong(city: Database, changes: dict[str, Any], field: str) -> None:
    refusal = refused(city, saved(**changes), ADMIN)
    assert (refusal.code, refusal.field) == ("field", field)
    assert "secret" not in str(refusal)
    assert city.query("SELECT count(*) FROM cameras") == [(2,)]


def test_the_file_says_what_the_code_means(city: Database) -> None:
    """A camera of a district the tables do not know: its part is named, the camera is kept. Addresses are not told."""
    code = "99990100771320000001"
    door(city).handle(saved(code, hls_url="http://media.example/1.m3u8", unit="U1"), ADMIN, "desk")
    file = door(city).ask(c.CameraDetail(code), OPERATOR)
    assert file["parts"]["unknown"] == ["division=999901", "industry=77"]
    assert file["parts"]["type"] == {"code": "132", "name": "网络摄像机(IPC)", "known": True}
    assert (file["has_stream"], file["hls_url"], file["unit_name"]) == (True, "", "单位U1")
    assert door(city).ask(c.CameraDetail(code), ADMIN)["hls_url"] == "http://media.example/1.m3u8"
    assert door(city).ask(c.CameraDetail(CAMERA), OPERATOR)["parts"]["division"]["name"] == "区域990101"
    assert refused(city, saved(), actor("administrator", OTHER_DISTRICT)).code == "forbidden"


def test_the_registry_is_searched(city: Database) -> None:
    door(city).handle(saved(picture_state="blurred", scene="河道"), ADMIN, "desk")
    ask = door(city).ask
    assert [row["code"] for row in ask(c.Cameras(text="河"), OPERATOR)["rows"]] == [UNKNOWN]
    assert ask(c.Cameras(picture_state="blurred"), OPERATOR)["total"] == 1
    assert ask(c.Cameras(limit=1), OPERATOR)["total"] == 3
    assert ask(c.Cameras(), actor("operator", OTHER_DISTRICT))["total"] == 0
    with pytest.raises(Rejected):
        ask(c.Cameras(status="gone"), OPERATOR)


# -- what sees a point ---------------------------------------------------------------------------------------


def test_what_sees_a_point(db: Database) -> None:  # noqa: F811
    """The nearest that see it, first; who looks away or is in repair is none of them."""
    north = (WEST[0], WEST[1] + 0.001)  # 111 m
    for number, changes in enumerate(
        ({}, {"direction_deg": 180.0}, {"view_deg": 360.0, "lat": WEST[1] + 0.0005}, {"range_m": 50.0},
         {"status": "repair"}, {"lat": WEST[1] + 0.01, "range_m": 20_000.0, "direction_deg": 180.0})
    ):  # fmt: skip
        door(db).handle(saved(f"{UNKNOWN[:-1]}{number}", **changes), ADMIN, "desk")
    found = door(db).ask(c.CamerasSeeing(*north), OPERATOR)
    assert [row["code"][-1] for row in found["rows"]] == ["2", "0", "5"]
    assert [round(row["distance_m"]) for row in found["rows"]] == [56, 111, 1001]
    assert {row["code"] for row in found["near"]} == {f"{UNKNOWN[:-1]}1", f"{UNKNOWN[:-1]}3", CAMERA}
    assert found["total"] == 3
    assert len(door(db).ask(c.CamerasSeeing(*north, limit=1), OPERATOR)["rows"]) == 1
    with pytest.raises(Rejected):
        door(db).ask(c.CamerasSeeing(200, 0), OPERATOR)


def test_an_incident_names_what_sees_it(city: Database) -> None:
    """On the desk and the phone, with what is set aside marked; who may not know of cameras is told of none."""
    door(city).handle(saved(view_deg=360.0), ADMIN, "desk")
    door(city).handle(c.ShelveCamera(UNKNOWN, 30, "检修"), OPERATOR, "desk")
    filed = door(city).handle(c.ReportIncident("积水", lon=WEST[0], lat=WEST[1] + 0.0005), OPERATOR, "desk")
    (seen,) = door(city).ask(c.IncidentDetail(filed["id"]), OPERATOR)["cameras"]
    assert (seen["code"], seen["shelved"], round(seen["distance_m"])) == (UNKNOWN, True, 56)
    assert door(city).ask(c.IncidentDetail(filed["id"]), actor("auditor"))["cameras"] == []
    view = View("zh", ZONE, OPERATOR, "临澜市")
    card = str(camera.card(view, door(city).ask(c.CameraDetail(UNKNOWN), OPERATOR)))
    assert "检修" in card and "已搁置" in card and "全市政务" in card
    assert "已搁置" in str(detail.cameras(view, {"cameras": [seen]}))


# -- one scene, one incident ---------------------------------------------------------------------------------


def test_alarms_of_a_scene_join_within_its_window(db: Database) -> None:  # noqa: F811
    """Within the window after the last they join; later ones open another, and the first keeps what it has."""
    door(db).handle(c.SaveAlarmWindow("flood", 600), ADMIN, "rest")
    intaker = Intaker(db)
    joined: list[bool] = []
    for n, minutes in enumerate((0, 8, 16, 27, 30)):
        at = NOW + minutes * MINUTE
        intaker.take([alarm(CAMERA, "flood", at, f"a{n}")], at)
        joined += taken_in(db, at)
    assert joined == [False, True, True, False, True]
    assert incidents(db) == [("reported", 3), ("reported", 2)]
    # A line of the camera's own goes before; 0 takes it away again.
    door(db).handle(c.SaveAlarmWindow("flood", 3600, CAMERA), ADMIN, "rest")
    at = NOW + 70 * MINUTE
    intaker.take([alarm(CAMERA, "flood", at, "b")], at)
    assert taken_in(db, at) == [True]
    door(db).handle(c.SaveAlarmWindow("flood", 0, CAMERA), ADMIN, "rest")
    door(db).handle(c.SaveAlarmWindow("flood", 0), ADMIN, "rest")
    at = NOW + 7000 * MINUTE
    intaker.take([alarm(CAMERA, "flood", at, "c")], at)
    assert taken_in(db, at) == [True], "without a window as long as the incident is open"


def test_kinds_without_a_class_do_not_mix(db: Database) -> None:  # noqa: F811
    """Two kinds that have no class are two scenes of one camera."""
    for kind, name in (("loitering", "徘徊"), ("left_object", "遗留物")):
        door(db).handle(c.SaveAlarmKind(kind, name), ADMIN, "rest")
    intaker = Intaker(db)
    for n, kind in enumerate(("loitering", "left_object", "loitering")):
        intaker.take(
            [alarm(CAMERA, kind, NOW + n * MINUTE, f"a{n}", algorithm=f"x:{kind}")], NOW + n * MINUTE
        )
    assert taken_in(db, NOW + 3 * MINUTE) == [False, False, True]
    assert db.query("SELECT alarm_kind, algorithm FROM intake ORDER BY id") == [
        ("loitering", "x:loitering"), ("left_object", "x:left_object"), ("loitering", "x:loitering"),
    ]  # fmt: skip


def test_what_is_only_observed_makes_no_incident(db: Database) -> None:  # noqa: F811
    """Stored and counted; from the day the city wants it, it files."""
    door(db).handle(c.SaveAlarmKind("motion", "运动目标", files=False), ADMIN, "rest")
    intaker = Intaker(db)
    intaker.take([alarm(CAMERA, "motion", NOW, "a"), alarm(CAMERA, "flood", NOW, "b")], NOW)
    assert taken_in(db, NOW) == [False]
    assert db.query("SELECT alarm_kind, aside, incident_id IS NULL FROM intake ORDER BY id") == [
        ("motion", "observed", True), ("flood", "", False),
    ]  # fmt: skip
    (row,) = [r for r in door(db).ask(c.AlarmPrecision(), OPERATOR)["rows"] if r["algorithm"] == "motion"]
    assert (row["alarms"], row["observed"], row["open"]) == (1, 1, 0)
    door(db).handle(c.SaveAlarmKind("motion", "运动目标", "0101", 3), ADMIN, "rest")
    intaker.registry = load_registry(db)
    intaker.take([alarm(NEXT_CAMERA, "motion", NOW, "c")], NOW)
    assert taken_in(db, NOW) == [False]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "A b"}, "kind"),
        ({"name": ""}, "name"),
        ({"level": 5}, "level"),
        ({"class_code": "9"}, "class_code"),
    ],
)
def test_a_wrong_kind_is_refused(city: Database, changes: dict[str, Any], field: str) -> None:
    fields: dict[str, Any] = {"kind": "motion", "name": "运动"}
    assert refused(city, c.SaveAlarmKind(**fields | changes), ADMIN).field == field


def test_window_refusals(city: Database) -> None:
    assert refused(city, c.SaveAlarmWindow("ufo", 60), ADMIN).field == "kind"
    assert refused(city, c.SaveAlarmWindow("flood", -1), ADMIN).field == "window_s"
    assert refused(city, c.SaveAlarmWindow("flood", 60, "9"), ADMIN).code == "not_found"
    assert refused(city, c.SaveAlarmWindow("flood", 60), OPERATOR).code == "forbidden"


# -- shelving ------------------------------------------------------------------------------------------------


def test_a_shelved_camera_makes_no_incident_and_comes_back(db: Database) -> None:  # noqa: F811
    """Its alarms are stored and counted; after its time it is as before, with nobody's help."""
    intaker = Intaker(db)
    shelf = door(db).handle(c.ShelveCamera(CAMERA, 60, "镜头积水"), OPERATOR, "desk")
    for n, (code, minutes) in enumerate(((CAMERA, 1), (NEXT_CAMERA, 2), (CAMERA, 59), (CAMERA, 61))):
        at = NOW + minutes * MINUTE
        assert intaker.take([alarm(code, "flood", at, f"a{n}")], at) == ["stored"]
    assert taken_in(db, NOW + 62 * MINUTE) == [False, False]
    assert db.query("SELECT camera, shelf_id, incident_id IS NULL FROM intake ORDER BY id") == [
        (CAMERA, shelf["shelf"], True), (NEXT_CAMERA, None, False), (CAMERA, shelf["shelf"], True),
        (CAMERA, None, False),
    ]  # fmt: skip
    during = door(db, NOW + 10 * MINUTE)
    assert [(r["camera"], r["alarms"]) for r in during.ask(c.Shelves(), OPERATOR)["rows"]] == [(CAMERA, 2)]
    assert during.ask(c.CameraDetail(CAMERA), OPERATOR)["shelf"]["reason"] == "镜头积水"
    assert [r["shelved"] for r in during.ask(c.Cameras(), OPERATOR)["rows"]] == [True, False]
    after = door(db, NOW + 61 * MINUTE)
    assert after.ask(c.Shelves(), OPERATOR)["rows"] == []
    assert after.ask(c.CameraDetail(CAMERA), OPERATOR)["shelf"] is None
    with db.transaction() as cursor:
        assert end_due(cursor, NOW + 61 * MINUTE) == [(shelf["shelf"], CAMERA)]
        assert end_due(cursor, NOW + 62 * MINUTE) == []
    (past,) = after.ask(c.Shelves(past=True), OPERATOR)["rows"]
    assert past["ended_by"] == "timer" and past["ended_at"] == past["until"]


def test_the_relays_clock_takes_cameras_back(city: Database) -> None:
    """Once each, with a line in the audit log, by the timer that the relay runs."""
    assert "shelves" in dict(TIMERS)
    nothing: Any = None
    clockwork = Clockwork(
        city, nothing, CITY, nothing, nothing, lambda now: 0, lambda now: 0, lambda now, since: 0,
        lambda now: 0, lambda now: 0, lambda vital, crossed, now: 0, {},
        ZoneInfo(ZONE), Audit(city),
    )  # fmt: skip
    door(city).handle(c.ShelveCamera(CAMERA, 10, "检修"), OPERATOR, "desk")
    for minutes in (9, 10, 11):
        clockwork.shelves(NOW + minutes * MINUTE)
    assert city.query("SELECT at, actor, thing FROM audit WHERE actor = 'timer'") == [
        (NOW + 10 * MINUTE, "timer", f"shelf_over:{CAMERA}")
    ]
    assert Audit(city).verify().whole


def test_taken_back_before_its_time(db: Database) -> None:  # noqa: F811
    door(db).handle(c.ShelveCamera(CAMERA, 60, "施工"), OPERATOR, "desk")
    assert refused(db, c.ShelveCamera(CAMERA, 60, "施工"), OPERATOR).code == "stale"
    answer = door(db, NOW + 5 * MINUTE).handle(c.UnshelveCamera(CAMERA), OPERATOR, "desk")
    assert answer["alarms"] == 0
    at = NOW + 6 * MINUTE
    Intaker(db).take([alarm(CAMERA, "flood", at, "a")], at)
    assert taken_in(db, at) == [False]
    assert refused(db, c.UnshelveCamera(CAMERA), OPERATOR, at).code == "stale"
    door(db, at).handle(c.ShelveCamera(CAMERA, 60, "又施工"), OPERATOR, "desk")
    log = db.query("SELECT action, thing, allowed FROM audit WHERE action = 'camera.shelve' ORDER BY id")
    assert log[0] == ("camera.shelve", f"shelve_camera:{CAMERA}", True) and len(log) == 3


def test_shelving_refusals(city: Database) -> None:
    assert refused(city, c.ShelveCamera(CAMERA, 0, "x"), OPERATOR).field == "minutes"
    assert refused(city, c.ShelveCamera(CAMERA, 10**6, "x"), OPERATOR).field == "minutes"
    assert refused(city, c.ShelveCamera(CAMERA, 5, " "), OPERATOR).field == "reason"
    assert refused(city, c.ShelveCamera(UNKNOWN, 5, "x"), OPERATOR).code == "not_found"
    assert (
        refused(city, c.ShelveCamera(CAMERA, 5, "x"), actor("operator", OTHER_DISTRICT)).code == "forbidden"
    )
    assert refused(city, c.ShelveCamera(CAMERA, 5, "x"), actor("grid_worker")).code == "forbidden"


# -- precision -----------------------------------------------------------------------------------------------


def test_precision_per_camera_and_algorithm(db: Database) -> None:  # noqa: F811
    """Confirmed by being accepted, false by being refused; open ones say nothing; many alarms of one incident are one
    verdict."""
    intaker, desk = Intaker(db), door(db)
    for n, (algorithm, verdict) in enumerate((("a", "accept"), ("a", "refuse"), ("a", "accept"), ("b", ""))):
        for again in range(2):
            at = NOW + (10 * n + again) * MINUTE
            intaker.take([alarm(CAMERA, "flood", at, f"{n}-{again}", algorithm=algorithm)], at)
            taken_in(db, at)
        ((number,),) = db.query("SELECT max(id) FROM incidents")
        if verdict == "accept":
            desk.handle(c.AcceptIncident(number), OPERATOR, "desk")
            db.query("UPDATE incidents SET merge_key = '' WHERE id = %s", (number,))
        elif verdict == "refuse":
            desk.handle(c.RefuseIncident(number, "误报"), OPERATOR, "desk")
    intaker.take([alarm(NEXT_CAMERA, "cover", NOW, "old style")], NOW)
    taken_in(db, NOW)
    rows = door(db, NOW + 60 * MINUTE).ask(c.AlarmPrecision(), OPERATOR)["rows"]
    found = {(r["camera"], r["algorithm"]): (r["alarms"], r["confirmed"], r["false"], r["open"], r["precision"])
             for r in rows}  # fmt: skip
    assert found == {
        (CAMERA, "a"): (6, 2, 1, 0, pytest.approx(2 / 3)),
        (CAMERA, "b"): (2, 0, 0, 1, None),
        (NEXT_CAMERA, "cover"): (1, 0, 0, 1, None),
    }
    assert door(db).ask(c.AlarmPrecision(camera=NEXT_CAMERA), OPERATOR)["total"] == 1
    assert door(db, NOW + timedelta(days=40)).ask(c.AlarmPrecision(), OPERATOR)["rows"] == []


# -- viewing -------------------------------------------------------------------------------------------------


def test_ask_approve_view_until_it_ends(db: Database) -> None:  # noqa: F811
    """The whole way, every step in the audit log; the link is the asker's and ends with the approval."""
    door(db).handle(saved(hls_url="http://media.example/1.m3u8"), ADMIN, "desk")
    operator, leader = account(db, "operator"), account(db, "duty-leader")
    asked = door(db).handle(c.RequestView(UNKNOWN, "核实积水"), operator, "desk")
    number = asked["request"]
    assert refused(db, c.OpenView(number), operator).code == "rule"
    assert refused(db, c.AnswerView(number, True), operator).code == "forbidden"
    answered = door(db).handle(c.AnswerView(number, True, 10), leader, "desk")
    assert answered["state"] == "approved"
    assert refused(db, c.AnswerView(number, True, 10), leader).code == "stale"
    link = door(db).handle(c.OpenView(number), operator, "desk")["link"]
    assert (
        link.startswith("/api/v1/video/")
        and link.encode() not in repr(db.query("SELECT * FROM audit")).encode()
    )
    assert refused(db, c.OpenView(number), leader).code == "forbidden"
    assert refused(db, c.OpenView(number), operator, NOW + 11 * MINUTE).code == "rule"
    log = db.query("SELECT actor, thing, allowed FROM audit WHERE action LIKE 'camera.a%%' ORDER BY id")
    assert log[:2] == [
        ("operator", f"request_view:{UNKNOWN}", True),
        ("operator", f"answer_view:{number}", False),
    ]
    assert ("duty-leader", f"answer_view:{number}", True) in log and (log[-1][0], log[-1][2]) == (
        "duty-leader",
        False,
    )
    (row,) = door(db).ask(c.ViewRequests(), leader)["rows"]
    assert (row["own"], row["open"], row["state"], row["login"]) == (False, True, "approved", "operator")
    assert door(db).ask(c.ViewRequests(), account(db, "evaluator"))["rows"] == []


def test_the_card_on_the_desk(city: Database) -> None:
    """Pressed as the page presses: aside and back, asked, approved by another, opened; then the card says so."""
    door(city).handle(saved(hls_url="sample:loop"), ADMIN, "desk")
    deps = DashDeps(door(city), "临澜市", "Linlan", WEST, ZONE)

    def press(login: str, **asked: Any) -> str:
        view = View("zh", ZONE, account(city, login), "临澜市")
        with Flask("desk").test_request_context():
            return str(camera_of({"camera": UNKNOWN, **asked}, deps, view))

    assert "搁置 30" in press("operator") and "申请查看" in press("operator")
    assert "告警失真" in press("operator", do="shelve", minutes=30, reason="告警失真")
    assert "已搁置" not in press("operator", do="unshelve")
    assert "待批准" in press("operator", do="ask", reason="核实现场")
    ((number,),) = city.query("SELECT id FROM view_requests")
    assert "批准" in press("duty-leader") and "批准" not in press("operator").replace("待批准", "")
    assert "可观看至" in press("duty-leader", do="approve", request=number, minutes=30)
    card = press("operator", do="open", request=number)
    assert "href='/video/" in card and "/api/v1/video" not in card
    assert "申请查看" not in press("evaluator") and "搁置 30" not in press("evaluator")
    with pytest.raises(Rejected, match="no such button"):
        press("operator", do="explode")


def test_outside_of_the_share_range(db: Database) -> None:  # noqa: F811
    """Refused and logged; the range may also end while a view is approved."""
    door(db).handle(saved(share_range="public_security", hls_url="http://m.example/1"), ADMIN, "desk")
    operator, handler, leader = (account(db, login) for login in ("operator", "unit-handler", "duty-leader"))
    assert refused(db, c.RequestView(UNKNOWN, "看看"), operator).code == "forbidden"
    ((who, allowed, why),) = db.query(
        "SELECT actor, allowed, detail->>'why' FROM audit WHERE thing = %s", (f"request_view:{UNKNOWN}",)
    )
    assert (who, allowed) == ("operator", False) and "public_security" in why
    assert refused(db, c.RequestView(UNKNOWN, "看看"), handler).code == "forbidden"
    db.query("UPDATE units SET kind = '公安' WHERE code = 'U1'")
    number = door(db).handle(c.RequestView(UNKNOWN, "看看"), handler, "desk")["request"]
    door(db).handle(c.AnswerView(number, True), leader, "desk")
    door(db).handle(saved(share_range="", hls_url="http://m.example/1"), ADMIN, "desk")
    assert refused(db, c.OpenView(number), handler).code == "forbidden"


def test_viewing_refusals(city: Database) -> None:
    operator, leader = account(city, "operator"), account(city, "duty-leader")
    door(city).handle(saved(), ADMIN, "desk")
    assert refused(city, c.RequestView(UNKNOWN, ""), operator).field == "reason"
    assert refused(city, c.RequestView(UNKNOWN, "x", incident=99), operator).field == "incident"
    assert refused(city, c.RequestView(CAMERA, "x"), operator).code == "forbidden", "shared with nobody"
    own = door(city).handle(c.RequestView(UNKNOWN, "x"), leader, "desk")["request"]
    assert refused(city, c.AnswerView(own, True), leader).code == "rule"
    number = door(city).handle(c.RequestView(UNKNOWN, "x"), operator, "desk")["request"]
    assert refused(city, c.AnswerView(number, True, 0), leader).field == "minutes"
    assert refused(city, c.AnswerView(number, False), leader).field == "reason"
    assert refused(city, c.AnswerView(10**6, True), leader).code == "not_found"
    door(city).handle(c.AnswerView(number, True), leader, "desk")
    assert refused(city, c.OpenView(number), operator).field == "hls_url"
    door(city).handle(saved(status="retired"), ADMIN, "desk")
    assert refused(city, c.RequestView(UNKNOWN, "x"), operator).code == "rule"


# -- the catalogue -------------------------------------------------------------------------------------------


def test_an_old_city_gets_the_kinds_that_a_new_one_has() -> None:
    """The migration and the file say the same."""
    sql = (ROOT / "data/migrations/0011_video.sql").read_text(encoding="utf-8")
    with (ROOT / "data/camera_kinds.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        files = "true" if row["files"] == "1" else "false"
        assert f"('{row['kind']}', '{row['name']}', '{row['name_en']}', '', {row['level']}, {files})" in sql
    assert sql.count(", '', ") == len(rows)
    assert {
        "camera_alarm_maps",
        "camera_channels",
        "alarm_windows",
        "camera_shelves",
        "view_requests",
    } <= set(TABLES)


def test_times_are_those_of_the_clock_handed_in(city: Database) -> None:
    door(city).handle(c.ShelveCamera(CAMERA, 1, "x"), OPERATOR, "desk")
    assert city.query("SELECT since, until FROM camera_shelves") == [(NOW, NOW + MINUTE)]
