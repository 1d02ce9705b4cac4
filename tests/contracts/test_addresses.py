"""A report without a point finds its place in the city's address book, marked as read there, or waits for a person (S20);
over every store."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from data.address_store import store_addresses
from data.database import Database
from gis.crs import wgs84_to_gcj02
from incidents.address_book import Address
from incidents.address_commands import ImportAddresses, PlaceIncident, ReadAddress, UnplacedIncidents
from incidents.commands import AcceptIncident, DispatchIncident, IncidentDetail, ReportIncident
from incidents.model import Rejected
from incidents.triage import triage
from tests.conftest import STORES
from tests.contracts.test_intake_merging import CALL, DESK, NOW, Door
from tests.contracts.test_store import Intaker
from tests.small_city import (
    CELL,
    CITY,
    DISTRICT,
    EAST,
    NO_CELL,
    OTHER_DISTRICT,
    PATTERN,
    WEST,
    ZONE,
    actor,
    units_of_work,
)
from tests.streams.city_messages import report as message

pytestmark = pytest.mark.timeout(120, func_only=True)
CODE = CELL.split("/")[-2]
BOOK = [
    (Address("number", "安航路", WEST[0], WEST[1], CELL, "9"), CODE),
    (Address("number", "安航路", WEST[0] + 0.001, WEST[1], CELL, "25"), CODE),
    (Address("place", "榕洲新村", WEST[0], WEST[1] + 0.001, CELL), CODE),
    (Address("place", "八一公园", *WEST, CELL), CODE), (Address("place", "八一公园", *EAST, OTHER_DISTRICT), ""),
    (Address("crossing", "安航路", WEST[0], WEST[1] - 0.001, CELL, "", "茶台二街"), CODE),
]  # fmt: skip


@pytest.fixture(params=STORES)
def door(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Door:
    """A fresh store that holds the small city and a small book."""
    db = fresh_database(str(request.param))
    with db.transaction() as cursor:
        store_addresses(cursor, BOOK)
    return Door(db)


def call(door: Door, address: str, text: str = "路口积水", key: str = "k") -> dict[str, Any]:
    """A report by phone; the incident as it is shown."""
    told = door.do(ReportIncident(text=text, address=address, class_code="0101", channel="hotline", key=key))
    return shown(door, told["id"])


def shown(door: Door, id: int) -> dict[str, Any]:
    found: dict[str, Any] = door._door.ask(IncidentDetail(id), CALL)
    return found


def ask(door: Door, query: object) -> dict[str, Any]:
    found: dict[str, Any] = door._door.ask(query, CALL)
    return found


def test_an_address_becomes_a_place_that_says_where_it_comes_from(door: Door) -> None:
    found = call(door, "临澜市安航路９號")
    assert (found["lon"], found["lat"], found["cell"]) == (*WEST, CODE)
    assert found["address"] == "临澜市安航路９號", "what was said stays"
    assert found["place_from"]["address"] == "安航路9号" and found["place_from"]["precision_m"] == 10
    assert [r["code"] for r in found["place_from"]["reasons"]] == ["number", "in_area"] or found[
        "place_from"
    ]["reasons"]
    assert ask(door, UnplacedIncidents()) == {"rows": [], "total": 0}


def test_without_an_address_the_text_is_read(door: Door) -> None:
    found = call(door, "", "安航路与茶台2街交叉口井盖没了")
    assert (
        found["place_from"]["address"] == "安航路与茶台二街路口"
        and found["address"] == "安航路与茶台二街路口"
    )
    assert call(door, "", "井盖没了", key="other")["place_from"] is None


def test_what_is_no_place_waits_for_a_person_with_the_reason(door: Door) -> None:
    found = call(door, "八一公园")
    assert (found["lon"], found["cell"], found["place_from"]) == (None, "", None)
    (row,) = ask(door, UnplacedIncidents())["rows"]
    assert (row["id"], row["read"]["why"]) == (found["id"], "several")
    assert {(c["lon"], c["lat"]) for c in row["read"]["candidates"]} == {WEST, EAST}
    lon, lat = WEST
    with pytest.raises(Rejected, match="reason"):
        door.do(PlaceIncident(found["id"], lon, lat, reason=" "))
    placed = door.do(PlaceIncident(found["id"], lon, lat, reason="问过来电人", address="八一公园南门"))
    after = shown(door, found["id"])
    assert (after["lon"], after["lat"], after["cell"], after["address"]) == (*WEST, CODE, "八一公园南门")
    assert placed["version"] == found["version"] + 1 == after["version"]
    assert after["timeline"][-1]["action"] == "correct" and after["timeline"][-1]["reason"] == "问过来电人"
    assert after["timeline"][-1]["detail"]["was"] == "八一公园"
    assert ask(door, UnplacedIncidents())["total"] == 0


def test_a_place_is_not_changed_under_the_unit_that_has_it(door: Door) -> None:
    found = call(door, "安航路9号")
    door.do(
        PlaceIncident(found["id"], *EAST, reason="在东边")
    )  # a place that was read may be put right as well
    assert shown(door, found["id"])["place_from"] is None, "it is no longer the one that was read"
    door.do(AcceptIncident(found["id"]))
    door.do(DispatchIncident(found["id"], unit="U1"), DESK)
    assert door.refused(PlaceIncident(found["id"], *WEST, reason="r")).code == "stage"


def test_only_who_answers_for_the_place_puts_it_there(door: Door) -> None:
    found = call(door, "八一公园")
    elsewhere = actor("operator", area=OTHER_DISTRICT)
    assert door.refused(PlaceIncident(found["id"], *WEST, reason="r"), elsewhere).code == "forbidden"
    here = actor("operator", area=DISTRICT)
    assert door.refused(PlaceIncident(found["id"], *WEST, reason="r"), here).code == "forbidden", (
        "the city's so far"
    )


def test_reports_of_the_bus_are_placed_too(door: Door) -> None:
    intaker = Intaker(door.db)
    intaker.take([message(NOW, "R-1", "井盖缺失", address="安航路25号")])
    with units_of_work(door.db)() as uow:
        (taken,) = triage(uow, NOW, PATTERN, ZONE)
    found = shown(door, taken.incident)
    assert found["place_from"]["address"] == "安航路25号" and found["cell"] == CODE


def test_merging_measures_only_from_points_that_are_well_known(door: Door) -> None:
    call(door, "安航路9号", "路口积水很深", key="1")
    near = call(door, "安航路9号门口", "积水很深", key="2")
    assert near["sources"] == 2, "a house number is as good as a phone's position"
    rough = call(door, "榕洲新村附近", "积水", key="3")
    assert rough["cell"] == CODE and rough["sources"] == 1
    assert door.db.query("SELECT lon FROM intake WHERE message_id = '3'") == [(None,)]


def test_the_book_is_read_anew_after_an_import(door: Door) -> None:
    assert ask(door, ReadAddress("福民巷3号"))["why"] == "no_name"
    table = f"类型,名称,门牌号,经度,纬度\n门牌,福民巷,3号,{WEST[0]},{WEST[1]}\n门牌,安航路,9,{WEST[0]},{WEST[1]}\n"
    lines = ImportAddresses(base64.b64encode(table.encode()).decode(), "a.csv")
    root = actor("administrator", area=CITY)
    told = door.do(lines, root)
    assert (told["rows"], told["new"], told["same"], told["faulty"], told["stored"]) == (2, 1, 1, 0, False)
    assert ask(door, ReadAddress("福民巷3号"))["why"] == "no_name", "a look stores nothing"
    assert door.do(ImportAddresses(lines.content, "a.csv", confirm=True), root)["stored"]
    found = ask(door, ReadAddress("福民巷３号"))
    assert (found["status"], found["lon"], found["cell"]) == ("resolved", WEST[0], CODE)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("街道,福民巷,3,113.895,21.905", "kind"), ("门牌,福,3,113.895,21.905", "name"), ("门牌,福民巷,甲,113.895,21.905", "number"),
        ("路口,福民巷,,113.895,21.905", "other"), ("门牌,福民巷,3,东,21.905", "lon"), ("门牌,福民巷,3,120,21.905", "lon"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_and_nothing_is_stored(door: Door, line: str, column: str) -> None:
    content = base64.b64encode(f"kind,name,number,lon,lat\n{line}\n".encode()).decode()
    root = actor("administrator", area=CITY)
    (fault,) = door.do(ImportAddresses(content, "a.csv"), root)["faults"]
    assert (fault["row"], fault["column"]) == (2, column) and fault["rule"] and fault["rule_zh"]
    with pytest.raises(Rejected, match="nothing was stored"):
        door.do(ImportAddresses(content, "a.csv", confirm=True), root)
    assert door.db.query("SELECT count(*) FROM addresses WHERE name LIKE '福%'") == [(0,)]


def test_an_address_put_right_across_a_border_is_there_once(door: Door) -> None:
    """The old row would speak against the new one. Far away the same words are another address, and stay."""
    root = actor("administrator", area=CITY)

    def imported(*lines: str) -> dict[str, Any]:
        table = "\n".join(["kind,name,number,other,lon,lat", *lines])
        content = base64.b64encode(table.encode()).decode()
        return door.do(ImportAddresses(content, "a.csv", confirm=True), root)

    def stored() -> list[tuple[Any, ...]]:
        return door.db.query(
            "SELECT number, name, other, lon FROM addresses WHERE name LIKE '福%' ORDER BY 1, 2, 4"
        )

    edge, lat = NO_CELL[0], NO_CELL[1]
    imported(
        f"number,福民巷,3,,{edge},{lat}",
        f"crossing,福寿路,,福民巷,{edge},{lat}",
        f"number,福民巷,5,,{edge},{lat}",
    )
    # As if the border had run otherwise: these points lay in another area when they were read.
    door.db.query("UPDATE addresses SET area_path = '990100/990199/' WHERE name LIKE '福%'")
    door.db.query("UPDATE addresses SET lon = lon + 0.02 WHERE number = '5'")
    told = imported(
        f"number,福民巷,03号,,{edge + 0.0001},{lat}",
        f"crossing,福民巷,,福寿路,{edge},{lat}",
        f"number,福民巷,5,,{edge},{lat}",
    )
    assert (told["changed"], told["new"]) == (2, 1)
    assert stored() == [
        ("", "福寿路", "福民巷", edge), ("3", "福民巷", "", edge + 0.0001), ("5", "福民巷", "", edge),
        ("5", "福民巷", "", pytest.approx(edge + 0.02)),
    ]  # fmt: skip


def test_files_that_are_no_book_are_refused(door: Door) -> None:
    root = actor("administrator", area=CITY)
    content = base64.b64encode(b"a,b\n1,2\n").decode()
    assert "no header" in str(door.refused(ImportAddresses(content, "a.csv"), root))
    assert door.refused(ImportAddresses(content, "a.csv", crs="bd09"), root).field == "crs"


def test_gcj02_points_are_put_where_they_are(door: Door) -> None:
    lon, lat = (float(v) for v in wgs84_to_gcj02(*WEST))
    content = base64.b64encode(
        f"kind,name,number,lon,lat\nnumber,福民巷,3,{lon:.9f},{lat:.9f}\n".encode()
    ).decode()
    door.do(ImportAddresses(content, "a.csv", crs="gcj02", confirm=True), actor("administrator", area=CITY))
    ((lon, lat),) = door.db.query("SELECT lon, lat FROM addresses WHERE name = '福民巷'")
    assert (lon, lat) == pytest.approx(WEST, abs=1e-6)
