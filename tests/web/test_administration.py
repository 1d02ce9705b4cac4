"""Accounts, units and areas over REST, as an administrator of the city and as one of a district."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.web.conftest import CITY, DISTRICT, GRID, PASSWORD, TOWN, VILLAGE, Stage, log_in, make

OTHER_DISTRICT = CITY + "990102/"


@pytest.fixture(scope="module")
def places(stage: Stage) -> Iterator[None]:
    """A second district, a unit of each district, an administrator of the first one."""
    with stage.db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO areas (code, level, name, parent, path) VALUES ('990102', 'district', '邻区', '990100', %s)",
            (OTHER_DISTRICT,),
        )
        for code, path in (("D1", DISTRICT), ("D2", OTHER_DISTRICT)):
            cursor.execute(
                "INSERT INTO units (code, name, area_path) VALUES (%s, %s, %s)", (code, code, path)
            )
        make(stage.accounts, cursor, "district-admin", "administrator", DISTRICT, "", stage.clock())
        make(stage.accounts, cursor, "own-handler", "unit_handler", DISTRICT, "D1", stage.clock())
        make(stage.accounts, cursor, "city-handler", "unit_handler", DISTRICT, "U1", stage.clock())
        make(stage.accounts, cursor, "own-operator", "operator", DISTRICT, "", stage.clock())
        make(stage.accounts, cursor, "far-operator", "operator", OTHER_DISTRICT, "", stage.clock())
        cursor.execute("UPDATE accounts SET must_change = false")
    yield
    with stage.db.transaction() as cursor:
        # Other modules' lists and counts know the small city only.
        cursor.execute("UPDATE accounts SET disabled = true WHERE areas && %s", ([DISTRICT, OTHER_DISTRICT],))


def command(client: httpx.Client, what: str, /, **fields: Any) -> httpx.Response:
    """POST a command."""
    return client.post(f"/api/v1/commands/{what}", json=fields)


def account(stage: Stage, login: str) -> tuple[Any, ...]:
    """(role, unit, areas, disabled) of an account, as the store has it."""
    rows = stage.db.query("SELECT role, unit, areas, disabled FROM accounts WHERE login = %s", (login,))
    return rows[0] if rows else ()


# -- what an administrator does ------------------------------------------------------------------------------


def test_an_account_from_its_first_password_to_its_end(stage: Stage, places: None) -> None:
    with closing(stage.login("administrator-city")) as admin:
        made = command(
            admin, "create_account", login="new-hand", name="新手", role="operator", areas=[VILLAGE, GRID]
        )
        assert made.status_code == 200, made.text
        with stage.client() as person:
            assert log_in(person, "new-hand", made.json()["password"]).headers["location"] == "/password"
        stage.db.query("UPDATE accounts SET must_change = false WHERE login = 'new-hand'")
        with stage.client() as person:
            log_in(person, "new-hand", made.json()["password"])
            assert person.get("/api/v1/me").json()["role"] == "operator"
            changed = command(
                admin, "change_account", login="new-hand", role="unit_handler", unit="U1", areas=[TOWN]
            )
            assert changed.json()["after"] == {
                "role": "unit_handler", "unit": "U1", "areas": [TOWN], "disabled": False,
            }  # fmt: skip
            assert person.get("/api/v1/me").status_code == 401, "an open session ends at once"
        with stage.client() as person:
            log_in(person, "new-hand", made.json()["password"])
            me = person.get("/api/v1/me").json()
            assert (me["role"], me["unit"], me["areas"], me["home"]) == (
                "unit_handler",
                "U1",
                [TOWN],
                "/phone",
            )
            assert command(admin, "change_account", login="new-hand", disabled=True).status_code == 200
            assert person.get("/api/v1/me").status_code == 401
            assert log_in(person, "new-hand", made.json()["password"]).status_code == 401
        assert command(admin, "change_account", login="new-hand", disabled=False).status_code == 200
        fresh = command(admin, "reset_password", login="new-hand").json()["password"]
        with stage.client() as person:
            assert log_in(person, "new-hand", made.json()["password"]).status_code == 401
            assert log_in(person, "new-hand", fresh).status_code == 303
        command(admin, "change_account", login="new-hand", disabled=True)
    actions = stage.db.query("SELECT action, count(*) FROM audit WHERE thing LIKE '%%:new-hand' AND allowed"
                             " AND action = 'account.manage' GROUP BY 1")  # fmt: skip
    assert actions == [("account.manage", 6)]


def test_a_unit_is_made_changed_disabled_and_stays_so(stage: Stage, places: None) -> None:
    with closing(stage.login("administrator-city")) as admin:

        def save(**more: Any) -> dict[str, Any]:
            answer = command(admin, "save_unit", code="N1", **{"name": "新单位", "kind": "市政",
                             "area_path": DISTRICT, **more})  # fmt: skip
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        def row() -> tuple[Any, ...]:
            return stage.db.query(
                "SELECT name, kind, area_path, phone, disabled FROM units WHERE code = 'N1'"
            )[0]

        save(phone="123")
        assert row() == ("新单位", "市政", DISTRICT, "123", False)
        assert save(disabled=True)["disabled"] is True
        assert save(name="改名") == {"code": "N1", "disabled": True}, "saving does not enable"
        assert row() == ("改名", "市政", DISTRICT, "", True)
        new = command(admin, "create_account", login="n1-hand", name="n", role="unit_handler", unit="N1",
                      areas=[DISTRICT])  # fmt: skip
        assert (new.status_code, new.json()["field"]) == (422, "unit") and "disabled" in new.json()["message"]
        assert save(disabled=False)["disabled"] is False
        units = admin.get("/api/v1/queries/units").json()["rows"]
        assert [u["disabled"] for u in units if u["code"] == "N1"] == [False]
        save(disabled=True)


def test_an_area_is_disabled_only_when_nobody_and_nothing_is_left(stage: Stage, places: None) -> None:
    with closing(stage.login("administrator-city")) as admin:

        def save(code: str, parent: str, level: str, **more: Any) -> httpx.Response:
            return command(
                admin, "save_area", code=code, name=f"区{code}", parent=parent, level=level, **more
            )

        assert save("990103", "990100", "district").json()["path"] == CITY + "990103/"
        assert save("990103001", "990103", "town").status_code == 200
        town = CITY + "990103/990103001/"
        assert command(admin, "create_account", login="town-hand", name="镇", role="operator",
                       areas=[VILLAGE, town]).status_code == 200  # fmt: skip
        assert command(admin, "save_unit", code="T1", name="镇队", kind="", area_path=town).status_code == 200
        stage.db.query(
            "INSERT INTO incidents (number, title, stage, level, area_path, reported_at, version)"
            " VALUES ('AREA-1', 'area', 'accepted', 3, %s, now(), 1)",
            (town,),
        )

        def left() -> tuple[int, ...]:
            answer = save("990103", "990100", "district", disabled=True)
            assert answer.status_code == 422, answer.text
            body = answer.json()
            assert body["field"] == "disabled" and "still there" in body["message"]
            return body["incidents"], body["accounts"], body["units"]

        assert left() == (1, 1, 1)
        stage.db.query("UPDATE incidents SET stage = 'closed' WHERE number = 'AREA-1'")
        assert left() == (0, 1, 1)
        command(admin, "change_account", login="town-hand", areas=[VILLAGE])
        assert left() == (0, 0, 1)
        command(admin, "save_unit", code="T1", name="镇队", kind="", area_path=town, disabled=True)
        assert save("990103", "990100", "district", disabled=True).json()["disabled"] is True
        assert save("990103", "990100", "district").json()["disabled"] is True, "saving does not enable"

        # Nobody, no unit and no area comes under a disabled one, at whatever depth.
        for refused in (
            command(admin, "change_account", login="town-hand", areas=[town]),
            command(admin, "create_account", login="t-2", name="n", role="operator", areas=[town]),
            command(admin, "save_unit", code="T1", name="镇队", kind="", area_path=town, disabled=False),
            save("990103002", "990103", "town"),
            save("990103001001", "990103001", "village"),
        ):
            assert refused.status_code == 422 and "990103/ is disabled" in refused.json()["message"], (
                refused.text
            )
        found = admin.get("/api/v1/queries/areas", params={"text": "区990103"}).json()["rows"]
        assert "990103" not in [row["code"] for row in found]
        assert save("990103", "990100", "district", disabled=False).json()["disabled"] is False
        assert command(admin, "change_account", login="town-hand", areas=[town]).status_code == 200
        command(admin, "change_account", login="town-hand", disabled=True)
        # An account of a closed area is not woken; other changes to it are possible.
        assert save("990103", "990100", "district", disabled=True).status_code == 200
        woken = command(admin, "change_account", login="town-hand", disabled=False)
        assert (woken.status_code, woken.json()["field"]) == (422, "areas")
        assert command(admin, "change_account", login="town-hand", role="evaluator").status_code == 200


def test_villages_and_grids_are_found_by_name_or_code_and_only_ones_own(stage: Stage, places: None) -> None:
    with closing(stage.login("district-admin")) as admin:
        rows = admin.get("/api/v1/queries/areas", params={"text": "990101001001"}).json()["rows"]
        assert [(r["level"], r["path"]) for r in rows] == [("village", VILLAGE), ("duty_grid", GRID)]
        assert rows[1]["trail"].split(" › ") == [f"区域{x}" for x in GRID.split("/")[1:-1]]
        assert admin.get("/api/v1/queries/areas", params={"text": "邻区"}).json()["rows"] == []
    with closing(stage.login("administrator-city")) as admin:
        assert len(admin.get("/api/v1/queries/areas", params={"text": "邻区"}).json()["rows"]) == 1


# -- what an administrator of a district may not -------------------------------------------------------------

_NEW = {"login": "sneak", "name": "n", "role": "unit_handler", "unit": "D1", "areas": [DISTRICT]}
ESCALATIONS = {
    "create unit of the city": ("create_account", {**_NEW, "unit": "U1"}),
    "create unit of another district": ("create_account", {**_NEW, "unit": "D2"}),
    "create worker of the city's unit": ("create_account", {**_NEW, "role": "grid_worker", "unit": "U1"}),
    "create idle role with the city's unit": ("create_account", {**_NEW, "role": "operator", "unit": "U1"}),
    "create area of the city": ("create_account", {**_NEW, "areas": [CITY]}),
    "create one area more": ("create_account", {**_NEW, "areas": [DISTRICT, OTHER_DISTRICT]}),
    "change unit": ("change_account", {"login": "own-handler", "unit": "U1"}),
    "change unit to another district's": ("change_account", {"login": "own-handler", "unit": "D2"}),
    "change areas": ("change_account", {"login": "own-operator", "areas": [CITY]}),
    "change role of the city's unit's": ("change_account", {"login": "city-handler", "role": "grid_worker"}),
    "take over the city's unit's": ("reset_password", {"login": "city-handler"}),
    "disable the city's unit's": ("change_account", {"login": "city-handler", "disabled": True}),
    "change another district's": ("change_account", {"login": "far-operator", "role": "evaluator"}),
    "fetch another district's": ("change_account", {"login": "far-operator", "areas": [DISTRICT]}),
    "reset another district's": ("reset_password", {"login": "far-operator"}),
    "widen himself": ("change_account", {"login": "district-admin", "areas": [CITY]}),
    "join the city's unit himself": ("change_account", {"login": "district-admin", "unit": "U1"}),
    "make a unit of the city": ("save_unit", {"code": "X", "name": "x", "kind": "", "area_path": CITY}),
    "move the city's unit": ("save_unit", {"code": "U1", "name": "x", "kind": "", "area_path": DISTRICT}),
    "move his unit out": ("save_unit", {"code": "D1", "name": "x", "kind": "", "area_path": OTHER_DISTRICT}),
    "an area of the city": ("save_area", {"code": "X", "name": "x", "parent": "990100", "level": "district"}),
    "an area of another": ("save_area", {"code": "X", "name": "x", "parent": "990102", "level": "town"}),
}


@pytest.mark.parametrize("what", ESCALATIONS)
def test_a_district_administrator_gives_no_right_beyond_his_district(
    stage: Stage, places: None, what: str
) -> None:
    name, fields = ESCALATIONS[what]
    logins = ("sneak", "own-handler", "own-operator", "city-handler", "far-operator", "district-admin")
    tables = "SELECT (SELECT array_agg(u ORDER BY code) FROM units u), (SELECT count(*) FROM areas)"
    before = [account(stage, login) for login in logins], stage.db.query(tables)
    with closing(stage.login("district-admin")) as admin:
        answer = command(admin, name, **fields)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), answer.text
    assert ([account(stage, login) for login in logins], stage.db.query(tables)) == before


def test_a_district_administrator_manages_his_district(stage: Stage, places: None) -> None:
    with closing(stage.login("district-admin")) as admin:
        made = command(admin, "create_account", login="district-hand", name="n", role="unit_handler", unit="D1",
                       areas=[VILLAGE])  # fmt: skip
        assert made.status_code == 200, made.text
        assert (
            command(admin, "change_account", login="district-hand", unit="D1", areas=[TOWN]).status_code
            == 200
        )
        assert command(admin, "reset_password", login="district-hand").status_code == 200
        assert command(admin, "change_account", login="own-operator", role="evaluator").status_code == 200
    with stage.client() as person:
        assert log_in(person, "own-operator", PASSWORD).status_code == 303
        assert person.get("/api/v1/me").json()["role"] == "evaluator"
