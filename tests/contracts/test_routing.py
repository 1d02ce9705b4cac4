"""Routing in the product: advice kept with every incident, followed by itself above a published threshold, withdrawn when its
dispatch comes back, learned from what became of past incidents, replayed before it is in force; over every store."""

from __future__ import annotations

import base64
import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from data.audit import Audit
from data.backtests import Backtests
from data.city_router import CityRouter
from data.database import Database, many
from data.questions.answers import StoreQuestions
from data.router_training import NoTickets, train
from data.uow import UnitsOfWork
from incidents import commands as c
from incidents import routing_commands as r
from incidents import routing_queries as q
from incidents.dispatch_learning import Policy
from incidents.model import Actor, Rejected
from incidents.service import City, CityService
from tests.conftest import STORES
from tests.small_city import (
    CELL,
    CITY,
    DISTRICT,
    EAST,
    NEXT_CELL,
    NEXT_VILLAGE,
    PATTERN,
    VILLAGE,
    WEST,
    ZONE,
    actor,
    light_accounts,
    place_of,
)
from tests.working import WORKING

pytestmark = pytest.mark.timeout(180, func_only=True)
NOW: Final = datetime(2026, 11, 21, 8, tzinfo=UTC)
CALL, DESK, LEADER, JUDGE = (actor(role, id=n) for n, role in enumerate(
    ("operator", "dispatcher", "duty_leader", "evaluator"), 1))  # fmt: skip
ADMIN: Final = actor("administrator", id=9)
OFFICE_1, OFFICE_2 = (actor("unit_handler", unit=unit, id=10 + n) for n, unit in enumerate(("U1", "U2")))
NUMBERS: Final = itertools.count()


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city."""
    return fresh_database(str(request.param))


class Door:
    """The one door over a store, with a folder of models and a clock of the test's own."""

    def __init__(self, db: Database, folder: Path) -> None:
        from data.administration import Administration

        self.db, self.now, self.folder, self.seconds = db, NOW, folder, 0.0
        self.router = CityRouter(db, folder, lambda: self.seconds)
        units = UnitsOfWork(
            db, Audit(db), Administration(light_accounts(db)), place_of, lambda: WORKING, self.router
        )
        backtests = Backtests(db, self.router, folder, ZONE)
        questions = StoreQuestions(db, place_of, dict, lambda: CITY, None, ZONE, backtests)
        self._door = CityService(units, questions, lambda: self.now, City(PATTERN, ZONE, CITY))

    def do(self, command: object, who: Actor = CALL) -> dict[str, Any]:
        return self._door.handle(command, who, "test")

    def ask(self, query: object, who: Actor = DESK) -> Any:
        return self._door.ask(query, who)

    def refused(self, command: object, who: Actor) -> Rejected:
        with pytest.raises(Rejected) as found:
            self.do(command, who)
        return found.value

    def later(self) -> None:
        """As long as any process takes to see what was published."""
        self.seconds += 6

    def report(
        self, point: tuple[float, float] | None = WEST, code: str = "0101", text: str = "路口积水"
    ) -> int:
        self.now += timedelta(days=3)  # late enough to be no second report of the one before
        lon, lat = point or (None, None)
        filed = self.do(c.ReportIncident(text, class_code=code, lon=lon, lat=lat, key=f"k{next(NUMBERS)}"))
        return int(filed["id"])

    def filed(
        self, point: tuple[float, float] = WEST, code: str = "0101", text: str = "路口积水"
    ) -> dict[str, Any]:
        return self.do(c.AcceptIncident(self.report(point, code, text), level=4))

    def advice(self, id: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ask(q.RoutingAdvice(id))["rows"]
        return rows

    def train(self, path: Path | None = None, goal: float = 0.95, text: bool = False) -> Any:
        said: list[str] = []
        policy = Policy(goal=goal, records_err=False)
        done = train(
            self.db, Audit(self.db), self.folder, path, policy, lambda: self.now, text=text, say=said.append
        )
        return done, said


@pytest.fixture
def door(db: Database, tmp_path: Path) -> Door:
    return Door(db, tmp_path / "models")


def past(db: Database, count: int = 700, seed: int = 1, end: datetime = NOW) -> None:
    """Closed incidents in which U1 takes the west and U2 the east of class 0101, whatever the table says of the west's
    class 0201: there U1 does it."""
    rng = random.Random(seed)
    rows = []
    for n in range(count):
        code = rng.choice(("0101", "0201"))
        west = rng.random() < 0.5
        lon, lat = WEST if west else EAST
        unit = "U1" if west else "U2"
        name = {"0101": "道路积水", "0201": "井盖缺失"}[code]
        at = end - timedelta(days=300) * (1 - n / count)
        rows.append((
            f"P{seed}-{n}", code, name, name, f"{name}，{'西' if west else '东'}侧", "closed", 3, lon + rng.uniform(-3e-3, 3e-3),
            lat + rng.uniform(-3e-3, 3e-3), CELL if west else NEXT_CELL, at, 9, unit, unit, at, at + timedelta(hours=3),
            "test",
        ))  # fmt: skip
    with db.transaction() as cursor:
        many(
            cursor,
            "INSERT INTO incidents (number, class_code, class_name, title, text, stage, level, lon, lat, area_path,"
            " reported_at, version, unit, first_unit, dispatched_at, closed_at, correlation_id) VALUES %s",
            rows,
        )


# -- the table alone --------------------------------------------------------------------------------------------


def test_the_table_alone_ranks_explains_and_sends_nothing(door: Door) -> None:
    """A fresh city: the same shape of answer, every unit with its reasons, nothing by itself for nobody has measured it."""
    filed = door.filed(EAST)
    assert filed["stage"] == "accepted"
    newest, opened = door.advice(filed["id"])
    assert (opened["moment"], newest["moment"]) == ("opened", "filed")
    decision = newest["decision"]
    assert decision["ranked"][0]["unit"] == "U2" and not decision["automatic"]
    assert decision["version"].startswith("rules-") and decision["rule"] == f"0101@{NEXT_VILLAGE}"
    first = decision["ranked"][0]["reasons"][0]
    assert (
        "道路积水" in first["zh"] and "单位U2" in first["zh"] and "道路积水 belongs to 单位U2" in first["en"]
    )
    assert decision["threshold"] > 1 and "转人工派遣" in decision["why"] and decision["why_en"]
    asked = door.ask(c.RouteIncident(filed["id"]))
    assert asked["unit"] == "U2" and asked["decision"]["ranked"][0]["open_incidents"] == 0


def test_near_a_border_both_sides_are_named(door: Door) -> None:
    border = (113.9 + 5 / 103_000, 21.905)  # five metres east of the border of the two villages
    decision = door.advice(door.filed(border)["id"])[0]["decision"]
    assert {side["area_name"] for side in decision["sides"]} == {"区域990101001001", "区域990101001002"}
    assert {side["unit"] for side in decision["sides"]} == {"U1", "U2"}
    assert {ranked["unit"] for ranked in decision["ranked"]} == {"U1", "U2"}
    assert any(reason["evidence"] == "border" for reason in decision["ranked"][0]["reasons"])


def test_a_disabled_unit_answers_for_nothing_and_without_a_class_nobody_does(door: Door) -> None:
    door.db.query("UPDATE units SET disabled = true WHERE code = 'U2'")
    door.db.query("UPDATE registry_version SET n = n + 1")
    assert door.advice(door.filed(EAST)["id"])[0]["decision"]["ranked"][0]["unit"] == "U1"
    nobody = door.advice(door.report(EAST, ""))[0]["decision"]
    assert nobody["ranked"] == [] and "没有任何依据" in nobody["why"]


def test_a_place_that_is_only_an_area_is_enough(door: Door) -> None:
    """Without a point the report belongs to the area of whoever reports it; the whole city's unit answers there."""
    assert door.advice(door.report(None))[0]["decision"]["ranked"][0]["unit"] == "U1"


# -- 退回 teaches -------------------------------------------------------------------------------------------------


def sent_back(door: Door, who: Actor, id: int, field: str = "scope") -> None:
    door.do(c.TakeIncident(id), who)
    door.do(c.ReturnIncident(id, field, "不归我们管"), who)


def test_what_comes_back_names_the_rule_and_only_a_person_approves_it_again(door: Door) -> None:
    id = door.filed(EAST)["id"]
    door.do(c.DispatchIncident(id, "U2"), DESK)
    sent_back(door, OFFICE_2, id)
    rule = f"0101@{NEXT_VILLAGE}"
    state = door.ask(q.RoutingState())
    [withdrawn] = state["withdrawn"]
    assert (withdrawn["rule"], withdrawn["wrong_field"], withdrawn["unit"]) == (rule, "scope", "U2")
    assert withdrawn["returns"] == 1 and withdrawn["why"] == "不归我们管" and withdrawn["said"]
    decision = door.ask(c.RouteIncident(id))["decision"]
    assert "曾被退回" in decision["why"] and not decision["automatic"]
    assert door.advice(id)[0]["moment"] == "returned"
    assert "曾被退回" not in door.advice(door.filed(WEST)["id"])[0]["decision"]["why"], (
        "another cell of the table"
    )
    assert door.refused(r.ApproveRule(rule, "已核"), DESK).code == "forbidden"
    assert door.refused(r.ApproveRule(rule, " "), JUDGE).field == "reason"
    assert door.do(r.ApproveRule(rule, "单位误退，责任表无误"), JUDGE) == {"rule": rule, "returns": 1}
    assert door.refused(r.ApproveRule(rule, "再来一次"), JUDGE).code == "not_found"
    state = door.ask(q.RoutingState())
    assert state["withdrawn"] == [] and state["approved"][0]["approved_by"] == "evaluator"
    audited = door.db.query("SELECT actor, allowed FROM audit WHERE action = 'routing.approve' ORDER BY id")
    assert ("dispatcher", False) in audited and ("evaluator", True) in audited


def test_a_unit_that_routing_did_not_name_blames_no_rule(door: Door) -> None:
    id = door.filed(WEST)["id"]
    door.do(c.DispatchIncident(id, "U2"), DESK)
    sent_back(door, OFFICE_2, id)
    assert door.ask(q.RoutingState())["withdrawn"] == []


def test_who_rules_a_district_approves_nothing_of_the_city(door: Door) -> None:
    id = door.filed(EAST)["id"]
    door.do(c.DispatchIncident(id, "U2"), DESK)
    sent_back(door, OFFICE_2, id)
    local = actor("evaluator", area=DISTRICT, id=30)
    assert door.refused(r.ApproveRule(f"0101@{NEXT_VILLAGE}", "可以"), local).code == "forbidden"


# -- trained, measured, published -----------------------------------------------------------------------------------


def test_a_router_learns_is_measured_published_and_switched_off(door: Door) -> None:
    past(door.db)
    done, said = door.train()
    assert said == ["closed incidents: 700 used"]
    assert done.figures["measured_on"] == 210 and done.figures["automatic_share"] > 0.5
    assert done.figures["right_share"] == pytest.approx(1, abs=0.02) and done.threshold <= 1
    assert door.filed(WEST, "0201")["stage"] == "accepted", "a candidate sends nothing"
    assert door.refused(r.PublishRouter(done.version), DESK).code == "forbidden"
    assert door.refused(r.PublishRouter("router-0"), LEADER).code == "not_found"
    assert door.do(r.PublishRouter(done.version), LEADER)["automatic"]
    assert door.refused(r.PublishRouter(done.version), LEADER).code == "rule"
    door.later()
    sent = door.filed(WEST, "0201", "井盖缺失")
    assert sent["stage"] == "dispatched"
    decision = door.advice(sent["id"])[0]["decision"]
    assert decision["automatic"] and decision["ranked"][0]["unit"] == "U1", (
        "the table says U2, what became of such cases U1"
    )
    assert decision["version"].startswith(f"{done.version}+rules-")
    assert any("过去" in reason["zh"] for reason in decision["ranked"][0]["reasons"])
    [(who, detail)] = door.db.query(
        "SELECT actor_name, detail FROM timeline WHERE incident_id = %s AND action = 'dispatch'",
        (sent["id"],),
    )
    assert who == "系统" and detail["automatic"] and detail["version"] == decision["version"]
    assert door.db.query("SELECT issued_by FROM orders WHERE incident_id = %s", (sent["id"],)) == [
        ("system",)
    ]

    sent_back(door, OFFICE_1, sent["id"], "owner")
    assert door.filed(WEST, "0201", "又一处井盖缺失")["stage"] == "accepted", "its rule came back"
    [withdrawn] = door.ask(q.RoutingState())["withdrawn"]
    assert withdrawn["automatic"] and withdrawn["version"] == decision["version"]
    door.do(r.ApproveRule(withdrawn["rule"], "已核"), LEADER)
    assert door.filed(WEST, "0201", "第三处井盖缺失")["stage"] == "dispatched"

    assert door.refused(r.SwitchOffRouter(""), ADMIN).field == "reason"
    assert door.do(r.SwitchOffRouter("演练"), ADMIN) == {"off": done.version}
    door.later()
    after = door.filed(WEST, "0201", "第四处井盖缺失")
    assert after["stage"] == "accepted" and door.advice(after["id"])[0]["decision"]["version"].startswith(
        "rules-"
    )
    assert door.refused(r.SwitchOffRouter("再来"), ADMIN).code == "rule"


def test_who_is_off_duty_gets_nothing_by_itself(door: Door) -> None:
    past(door.db)
    door.do(r.PublishRouter(door.train()[0].version), LEADER)
    door.later()
    door.db.query("UPDATE accounts SET on_duty = false WHERE unit = 'U1'")
    filed = door.filed(WEST, "0201", "井盖缺失")
    assert filed["stage"] == "accepted" and "不值班" in door.advice(filed["id"])[0]["decision"]["why"]


def test_who_has_no_free_hand_gets_nothing_by_itself(door: Door) -> None:
    past(door.db)
    door.do(r.PublishRouter(door.train()[0].version), LEADER)
    door.later()
    assert door.refused(r.SetCapacity("U1", 1), DESK).code == "forbidden"
    assert door.refused(r.SetCapacity("U9", 1), LEADER).code == "not_found"
    assert door.refused(r.SetCapacity("U1", 0), LEADER).field == "capacity"
    local = actor("duty_leader", area=DISTRICT, id=31)
    assert door.refused(r.SetCapacity("U1", 1), local).code == "forbidden", "U1 answers for the whole city"
    assert door.do(r.SetCapacity("U1", 1), LEADER) == {"unit": "U1", "capacity": 1, "former": None}
    first = door.filed(WEST, "0201", "井盖缺失")
    assert first["stage"] == "dispatched"
    second = door.filed(WEST, "0201", "又一处井盖缺失")
    decision = door.advice(second["id"])[0]["decision"]
    assert second["stage"] == "accepted" and "在办 1 件，已达 1 件的能力" in decision["why"]
    [ranked, *_] = door.ask(c.RouteIncident(second["id"]))["decision"]["ranked"]
    assert (ranked["unit"], ranked["open_incidents"], ranked["capacity"]) == ("U1", 1, 1)
    loads = {row["code"]: row for row in door.ask(q.RoutingState())["units"]}
    assert (loads["U1"]["capacity"], loads["U1"]["open_incidents"], loads["U2"]["capacity"]) == (1, 1, None)
    door.do(c.DispatchIncident(second["id"], "U1"), DESK)  # a person may
    third = door.filed(WEST, "0201", "第三处井盖缺失")
    assert "在办 2 件，超过 1 件的能力" in door.advice(third["id"])[0]["decision"]["why"]
    door.do(r.SetCapacity("U1"), ADMIN)
    assert door.filed(WEST, "0201", "第四处井盖缺失")["stage"] == "dispatched", "not judged any more"


def test_a_model_that_is_gone_or_another_stands_back_for_the_table(door: Door) -> None:
    past(door.db)
    done, _ = door.train()
    door.do(r.PublishRouter(done.version), LEADER)
    [file] = door.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    door.later()
    assert door.filed(WEST, "0201")["stage"] == "accepted"
    assert door.router().version.startswith("rules-")


def test_a_file_of_tickets_teaches_text_and_units(door: Door, tmp_path: Path) -> None:
    """Units and classes by code or name; what the city does not know is counted, never guessed."""
    rng = random.Random(3)
    things = {
        "0101": ("道路积水", "路面有积水", "下雨后积水很深", "积水不退"),
        "0201": ("井盖缺失", "井盖没了", "窨井盖子被偷", "井口敞开"),
    }
    lines = ["text,class,lat,lon,created,unit"]
    for n in range(900):
        code = rng.choice(("0101", "0201"))
        words = f"{rng.choice(things[code])}，{rng.choice(('请尽快处理', '影响通行', '行人不便'))}{rng.choice('甲乙丙丁戊己庚辛')}{n % 37}号门口"
        unit = {"0101": "单位U1", "0201": "U2"}[code] if n % 50 else "别处的单位"
        at = NOW - timedelta(days=200) * (1 - n / 900)
        lines.append(f"{words},{code},{WEST[1]},{WEST[0]},{at.isoformat()},{unit}")
    path = tmp_path / "tickets.csv"
    path.write_text("\n".join(lines), "utf-8")
    done, said = door.train(path, text=True)
    assert any("18 left out: no unit of this city" in line for line in said)
    assert done.figures["text"]["classes"] == 2 and done.figures["text"]["right_share"] > 0.95
    door.do(r.PublishRouter(done.version), LEADER)
    door.later()
    decision = door.advice(door.report(WEST, "", "窨井盖子被偷了，请处理"))[0]["decision"]
    assert decision["ranked"][0]["unit"] == "U2"
    assert any("判断属“井盖缺失”" in reason["zh"] for reason in decision["ranked"][0]["reasons"])
    empty = tmp_path / "other.csv"
    empty.write_text("text,class,lat,lon,created,unit\na,b,1,2,2026-01-01,nobody\n", "utf-8")
    with pytest.raises(NoTickets, match="none of 1 rows"):
        door.train(empty)


# -- backtest before publish ----------------------------------------------------------------------------------------


def sheet(*rows: str) -> str:
    return base64.b64encode("\n".join(("class_code,area,unit,reason", *rows)).encode()).decode()


def test_a_changed_table_is_replayed_before_it_is_in_force(door: Door) -> None:
    past(door.db, 300)
    good = sheet(
        "0101,990100,U1,",
        f"0101,{NEXT_VILLAGE},U2,",
        "0201,990100,U1,西片归U1",
        f"0201,{NEXT_VILLAGE},单位U2,",
    )
    bad = door.do(r.ImportResponsibilities(sheet("0101,990100,nobody,", "0999,x,U1,"), "a.csv"), LEADER)
    assert bad["faulty"] == 2 and {f["column"] for f in bad["faults"]} == {"unit", "class_code", "area"}
    assert door.refused(r.ImportResponsibilities(good, "a.csv", "", True), LEADER).field == "name"
    kept = door.do(r.ImportResponsibilities(good, "a.csv", "2027 版", True), LEADER)
    table, covered = kept["table"], kept["coverage"]
    assert (covered["classes"], covered["everywhere"], covered["nowhere"]) == (2, 2, 0)
    assert covered["covered"] == covered["cells"]
    part = door.do(r.ImportResponsibilities(sheet(f"0101,{NEXT_VILLAGE},U2,"), "b.csv"), LEADER)["coverage"]
    assert (part["partly_of"], part["nowhere_of"]) == (["道路积水"], ["井盖缺失"]) and part["covered"] == 1
    [shown] = door.ask(q.RoutingState(), LEADER)["tables"]
    assert shown["coverage"] == covered
    found = door.ask(q.Backtest(table=table), LEADER)
    before, after = found["all"]["before"], found["all"]["after"]
    assert before["cases"] == 300 and 0.6 < before["accuracy"] < 0.9 and after["accuracy"] == 1.0
    assert after["coverage"] == 0.0, "no threshold is published for a table alone"
    moved = found["counts"]["moved"]
    assert moved == found["counts"]["gained"] > 0 and found["counts"]["lost"] == 0
    gains = {load["unit"]: load["after"] - load["before"] for load in found["loads"]}
    assert gains["U1"] == moved == -gains["U2"] and found["loads"][0]["unit"] == "U1"
    cases = door.ask(q.BacktestCases("moved", table=table, unit="U1"), LEADER)
    assert cases["total"] == moved and {row["after"] for row in cases["rows"]} == {"单位U1"}
    assert {row["number"] for row in cases["rows"]} <= {n for (n,) in door.db.query(
        "SELECT number FROM incidents WHERE class_code = '0201' AND unit = 'U1'")}  # fmt: skip
    with pytest.raises(Rejected, match="no such imported table"):
        door.ask(q.Backtest(table=99), LEADER)
    with pytest.raises(Rejected, match="has no right"):
        door.ask(q.Backtest(), CALL)
    assert door.do(r.PublishResponsibilities(table), LEADER) == {"table": table, "rows": 4, "former_rows": 3}
    door.later()
    decision = door.advice(door.filed(WEST, "0201")["id"])[0]["decision"]
    assert decision["ranked"][0]["unit"] == "U1" and "西片归U1" in decision["ranked"][0]["reasons"][0]["zh"]


def test_a_candidate_is_measured_on_what_it_never_saw(door: Door) -> None:
    past(door.db)
    done, _ = door.train()
    found = door.ask(q.Backtest(done.version), LEADER)
    assert found["all"]["after"]["cases"] == 700 and found["unseen"]["after"]["cases"] == 210
    assert found["unseen"]["after"]["coverage"] == done.figures["automatic_share"]
    assert found["unseen"]["after"]["automatic_accuracy"] == done.figures["right_share"]
    assert found["before"].startswith("rules-") and found["after"].startswith(done.version)
    manual = door.ask(q.BacktestCases("manual", done.version), LEADER)
    assert manual["total"] == found["counts"]["manual"]
    with pytest.raises(Rejected, match="must be one of"):
        door.ask(q.BacktestCases("nothing", done.version), LEADER)


def test_a_special_period_brings_its_rows_into_force(door: Door) -> None:
    door.db.query(
        "INSERT INTO responsibilities (class_code, area_path, unit, period) VALUES ('0101', %s, 'U2', '汛期')",
        (CITY,),
    )
    assert door.advice(door.filed(WEST)["id"])[0]["decision"]["ranked"][0]["unit"] == "U1"
    begins, ends = NOW + timedelta(days=4), NOW + timedelta(days=8)
    assert door.refused(r.SavePeriod("汛期", "秋汛", ends, begins), LEADER).field == "ends"
    door.do(r.SavePeriod("汛期", "秋汛", begins, ends), LEADER)
    door.later()
    decision = door.advice(door.filed(WEST)["id"])[0]["decision"]
    assert decision["ranked"][0]["unit"] == "U2"
    assert any("秋汛期间适用" in reason["zh"] for reason in decision["ranked"][0]["reasons"])
    coming = begins + timedelta(days=30)
    door.do(r.SavePeriod("创建文明城市", "复检", coming, coming + timedelta(days=5)), LEADER)
    shown = door.ask(q.RoutingState(), LEADER)["periods"]
    assert [(row["kind"], row["state"]) for row in shown] == [("创建文明城市", "coming"), ("汛期", "now")]
    assert door.refused(r.EndPeriod("汛期", begins), DESK).code == "forbidden"
    assert door.refused(r.EndPeriod("汛期", coming), LEADER).code == "not_found"
    assert not door.do(r.EndPeriod("汛期", begins), LEADER)["taken_back"]
    assert door.refused(r.EndPeriod("汛期", begins), LEADER).code == "rule", "it is over"
    assert door.do(r.EndPeriod("创建文明城市", coming), LEADER)["taken_back"]
    assert [row["state"] for row in door.ask(q.RoutingState(), LEADER)["periods"]] == ["over"]
    door.later()
    assert door.advice(door.filed(WEST)["id"])[0]["decision"]["ranked"][0]["unit"] == "U1"


def test_the_register_of_components_tells_owner_and_place(door: Door) -> None:
    door.db.query(
        "INSERT INTO components (code, class, subclass, name, lon, lat, area_path, owner_unit, event_class) VALUES"
        " ('1', '公用设施', '井盖', '雨水井盖', %s, %s, %s, 'U1', '0201')",
        (*EAST, NEXT_CELL),
    )
    from data.routing_store import asked_of

    with door.db.transaction() as cursor:
        rules = door.router().scenes.rules
        [found] = _incidents(door, (EAST[0] + 1e-4, EAST[1]), "0201")
        asked = asked_of(cursor, found, rules)
        assert (asked.owner, asked.registered_area) == ("U1", NEXT_VILLAGE)
        [far] = _incidents(door, (EAST[0] + 1e-3, EAST[1]), "0201")
        assert asked_of(cursor, far, rules).owner == ""


def standard(db: Database, code: str, class_code: str, *units: str) -> None:
    """One of a sheet that is in force."""
    db.query(
        "INSERT INTO catalogues (name, filename, bare_day, bare_hour, imported_at, imported_by, published_at, published_by)"
        " SELECT 'c', 'c', 'work_day', 'work_hour', now(), 'me', now(), 'me' WHERE NOT EXISTS (SELECT 1 FROM catalogues)"
    )
    db.query(
        "INSERT INTO standards (catalogue, code, row, kind, big_class, small_class, class_code, condition, units,"
        " departments, limit_text, limit_min, clock_kind) SELECT max(id), %s, 1, 'event', 'b', 's', %s, '', %s, '{}',"
        " '1工作时', 60, 'work_hour' FROM catalogues",
        (code, class_code, list(units)),
    )


def test_words_of_the_sheet_are_units_by_area_by_owner_and_by_road(door: Door) -> None:
    from data.routing_rules import read_rules

    door.db.query("DELETE FROM responsibilities WHERE class_code = '0201'")
    door.db.query(
        "INSERT INTO unit_roles (role, road_class, area_path, unit) VALUES ('所属街办', '', %s, 'U1'),"
        " ('所属街办', '', %s, 'U2'), ('道路管养单位', 'arterial', %s, 'U1'), ('道路管养单位', 'local', %s, 'U2'),"
        " ('城管执法', '', %s, 'U3')",
        (VILLAGE, NEXT_VILLAGE, CITY, CITY, CITY),
    )
    standard(door.db, "A", "0201", "所属街办", "城管执法", "没有的单位")
    standard(door.db, "B", "0301", "权属单位", "道路管养单位")
    with door.db.transaction() as cursor:
        rules = read_rules(cursor)
    [street] = rules.rows("0201", "", "")
    assert rules.role_names[street.role] == "所属街办", "who takes no orders and who is unknown is nobody"
    assert [rules.unit_of(street.role, path, "", "") for path in (CELL, NEXT_CELL, "")] == ["U1", "U2", ""]
    owner, road = rules.rows("0301", "", "")
    assert rules.unit_of(owner.role, CELL, "", "U2") == "U2"
    assert [rules.unit_of(road.role, CELL, kind, "") for kind in ("arterial", "local", "")] == [
        "U1",
        "U2",
        "",
    ]
    door.later()
    for point, unit in ((WEST, "U1"), (EAST, "U2")):
        [first, *_] = door.advice(door.filed(point, "0201", "井盖缺失")["id"])[0]["decision"]["ranked"]
        assert first["unit"] == unit and "所属街办" in first["reasons"][0]["zh"]


def test_roles_come_from_a_file(door: Door) -> None:
    def file(*rows: str) -> str:
        return base64.b64encode("\n".join(("角色,区域,责任单位,道路等级", *rows)).encode()).decode()

    bad = door.do(r.ImportRoles(file("所属街办,nowhere,U1,", ",990100,U3,大道"), "a.csv"), LEADER)
    assert bad["faulty"] == 2 and [f["column"] for f in bad["faults"]] == [
        "area",
        "role",
        "unit",
        "road_class",
    ]
    assert door.refused(r.ImportRoles(file("所属街办,nowhere,U1,"), "a.csv", True), LEADER).field == "area"
    twice = file("所属街办,990100,U1,", "所属街办,990100,U2,")
    assert door.refused(r.ImportRoles(twice, "a.csv", True), LEADER).field == "area"
    assert door.refused(r.ImportRoles(file(), "a.csv", True), LEADER).field == "role"
    good = file("所属街办,990100,单位U1,", "道路管养单位,990100,U2,主干道")
    assert door.refused(r.ImportRoles(good, "a.csv", True), DESK).code == "forbidden"
    assert not door.do(r.ImportRoles(good, "a.csv"), LEADER)["stored"]
    assert door.db.query("SELECT count(*) FROM unit_roles") == [(0,)]
    assert door.do(r.ImportRoles(good, "a.csv", True), LEADER)["former_rows"] == 0
    assert door.do(r.ImportRoles(good, "a.csv", True), LEADER)["former_rows"] == 2
    assert door.db.query("SELECT role, road_class, area_path, unit FROM unit_roles ORDER BY 2") == [
        ("所属街办", "", CITY, "U1"), ("道路管养单位", "arterial", CITY, "U2"),
    ]  # fmt: skip


def test_the_table_in_force_stands_before_what_the_sheet_allows(door: Door) -> None:
    door.db.query("INSERT INTO unit_roles (role, area_path, unit) VALUES ('城管执法', %s, 'U2')", (CITY,))
    standard(door.db, "A", "0101", "城管执法")
    door.later()
    decision = door.advice(door.filed(WEST)["id"])[0]["decision"]
    assert [one["unit"] for one in decision["ranked"]] == ["U1", "U2"], "the sheet brings in a runner-up"
    assert decision["rule"].startswith("0101@")


def test_the_map_tells_the_class_of_the_road(door: Door) -> None:
    import shapely

    from data.past_incidents import read_past
    from data.routing_store import asked_of

    street = shapely.LineString([(WEST[0] - 1e-3, WEST[1]), (WEST[0] + 1e-3, WEST[1])])
    door.db.query(
        "INSERT INTO map_features (layer, name, properties, geometry) VALUES ('roads', '一路', %s, %s)",
        ('{"class": "arterial"}', shapely.to_wkb(street)),
    )
    past(door.db, 40)
    with door.db.transaction() as cursor:
        rules = door.router().scenes.rules
        assert rules is not None
        [at_road] = _incidents(door, WEST, "0101")
        [off_road] = _incidents(door, (WEST[0], WEST[1] + 2e-3), "0101")
        assert asked_of(cursor, at_road, rules).road_class == "arterial"
        assert asked_of(cursor, off_road, rules).road_class == ""
        told = read_past(cursor, rules, NOW - timedelta(days=400), NOW, 100, WEST[1])
        seen = {
            (
                case.outcome.asked.road_class,
                rules.road_class_at(case.outcome.asked.lon, case.outcome.asked.lat, 15.0),
            )
            for case in told
        }
    assert all(one == other for one, other in seen), "learned from as it is asked about"


def _incidents(door: Door, point: tuple[float, float], code: str) -> list[Any]:
    from data.incident_rows import COLUMNS, to_incident

    id = door.report(point, code, f"第{next(NUMBERS)}处")
    rows = door.db.query(f"SELECT id, {', '.join(COLUMNS)} FROM incidents WHERE id = %s", (id,))
    return [to_incident(row) for row in rows]
