"""The card of a grid cell over every store: where it lies, who answers for it, what is counted in it, and who may ask."""

from __future__ import annotations

import pytest

from data.database import Database
from incidents.cell_commands import CellCard
from incidents.model import Rejected
from tests.contracts.test_handling import CALL, City1
from tests.contracts.test_handling import db as db  # the fixture
from tests.small_city import CELL, CITY, EAST, NEXT_CELL, NEXT_VILLAGE, NO_CELL, VILLAGE, WEST, actor

pytestmark = pytest.mark.timeout(120, func_only=True)
CODE = CELL.split("/")[-2]
NEXT = NEXT_CELL.split("/")[-2]


def test_a_cell_tells_what_lies_in_it(db: Database) -> None:
    city = City1(db)
    db.query(
        "INSERT INTO addresses (kind, name, number, lon, lat, cell, area_path) SELECT 'number', '西路', n::text, 113.895,"
        " 21.905, %s, %s FROM generate_series(1, 7) n",
        (CODE, CELL),
    )
    for asked in (CellCard(CODE), CellCard(lon=WEST[0], lat=WEST[1])):
        card = city.door.ask(asked, CALL)
        assert (card["code"], card["path"]) == (CODE, CELL)
        assert [a["level"] for a in card["areas"]] == [
            "city",
            "district",
            "town",
            "village",
            "duty_grid",
            "cell",
        ]
        assert card["counts"] == {
            "people": None, "addresses": 7, "places": 0, "components": 0, "devices": 2, "cameras": 1,
            "open": 1, "reported": 1, "said": 1,
        }  # fmt: skip
        assert [r["login"] for r in card["responsible"]] == ["grid-worker"]
    beside = city.door.ask(CellCard(lon=EAST[0], lat=EAST[1]), CALL)
    assert (beside["code"], beside["counts"]["open"]) == (NEXT, 0)
    assert [r["login"] for r in beside["responsible"]] == ["worker-2"]


def test_who_may_not_see_workers_is_told_only_how_many(db: Database) -> None:
    card = City1(db).door.ask(CellCard(CODE), actor("evaluator", CITY))
    assert [(r["login"], r["name"]) for r in card["responsible"]] == [("", "")]


@pytest.mark.parametrize(
    ("who", "asked", "code", "field"),
    [
        (actor("operator", CITY), CellCard(), "field", "code"),
        (actor("operator", CITY), CellCard("none"), "not_found", "code"),
        (actor("operator", CITY), CellCard(lon=NO_CELL[0], lat=NO_CELL[1]), "not_found", "lon"),
        (actor("operator", NEXT_VILLAGE), CellCard(CODE), "forbidden", "code"),
        (actor("operator", VILLAGE), CellCard(NEXT), "forbidden", "code"),
        (actor("auditor", CITY), CellCard(CODE), "forbidden", ""),
    ],
)
def test_refusals(db: Database, who: object, asked: CellCard, code: str, field: str) -> None:
    with pytest.raises(Rejected) as refused:
        City1(db).door.ask(asked, who)  # type: ignore[arg-type]
    assert refused.value.code == code and field in (refused.value.field, "")
