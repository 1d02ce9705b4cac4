"""How many incidents there are, per area: the figures that the wall shows, in every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.live_hub import sees
from data import incident_totals
from data.database import Database
from data.incident_totals import total_items
from incidents.access import covers
from incidents.indicators import ancestors
from incidents.lifecycle import is_overdue
from incidents.model import FINAL_STAGES, Incident, Place, Stage
from incidents.scopes import scope_of
from tests.conftest import STORES
from tests.small_city import (
    AREAS,
    CITY,
    DISTRICT,
    NEXT_VILLAGE,
    OTHER_DISTRICT,
    VILLAGE,
    ZONE,
    actor,
    units_of_work,
)

pytestmark = pytest.mark.timeout(120, func_only=True)
NOW: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MIDNIGHT: Final = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
"""Of the city, which is eight hours ahead."""
DOWN_TO_VILLAGES: Final = {path for level, path in AREAS if level not in ("duty_grid", "cell")}


@pytest.fixture(scope="module", params=STORES)
def db(request: pytest.FixtureRequest, template_of: Callable[[str], Any]) -> Iterator[Database]:
    """One store for all examples: each empties what it needs."""
    template = template_of(str(request.param))
    name = template.fresh()
    database = template.open(name)
    yield database
    database.close()
    template.drop(name)


def fill(db: Database, incidents: list[Incident]) -> None:
    db.query("DELETE FROM incidents")
    with units_of_work(db)() as uow:
        for incident in incidents:
            uow.add_incident(incident)


def one(n: int, stage: Stage, level: int, area: str, reported_min: int, due_min: int | None) -> Incident:
    """Reported and due so many minutes from NOW; one that has ended did so ten minutes after its report."""
    reported = NOW + timedelta(minutes=reported_min)
    return Incident(
        id=0, number=f"N{n}", class_code="", class_name="", title="t", text="t", stage=stage, level=level, version=1,
        place=Place(area_path=area), reported_at=reported,
        stage_due_at=None if due_min is None else NOW + timedelta(minutes=due_min),
        closed_at=reported + timedelta(minutes=10) if stage in FINAL_STAGES else None,
    )  # fmt: skip


rows = st.lists(
    st.tuples(
        st.sampled_from(Stage), st.integers(1, 4), st.sampled_from(["", *(path for _, path in AREAS)]),
        st.integers(-2000, -20), st.none() | st.integers(-100, 100),
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=25)
@given(rows=rows)
def test_totals_are_those_of_the_incidents_one_by_one(db: Database, rows: list[Any]) -> None:
    incidents = [one(n, *row) for n, row in enumerate(rows)]
    fill(db, incidents)
    items = {item["area"]: item for item in total_items(db, CITY, NOW, ZoneInfo(ZONE))}
    assert items.keys() == DOWN_TO_VILLAGES, "an area without incidents is told of, too"
    for area, item in items.items():
        here = [i for i in incidents if area in ancestors(i.place.area_path or CITY)]
        opened = [i for i in here if i.open]
        assert item["open"] == len(opened) == sum(item["stages"].values())
        assert item["levels"] == [sum(i.level == level for i in opened) for level in (1, 2, 3, 4)]
        assert {s: n for s, n in item["stages"].items() if n} == {
            str(s): n for s in Stage if (n := sum(i.stage is s for i in opened))
        }
        assert item["overdue"] == sum(is_overdue(i, NOW) for i in here)
        assert item["today"] == sum(i.reported_at >= MIDNIGHT for i in here)
        closed = [i for i in here if i.stage is Stage.CLOSED and i.closed_at and i.closed_at >= MIDNIGHT]
        assert item["closed"] == len(closed)


def test_what_the_live_state_leaves_out_is_counted(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few incidents the screens hold, the figures are whole; and they are told that they hold few."""
    fill(db, [one(n, Stage.REPORTED, 1 + n % 4, VILLAGE, -60, None) for n in range(40)])
    for kept, capped in ((20, False), (19, True)):
        monkeypatch.setattr(incident_totals, "OPEN_ITEMS", kept)
        found = {item["area"]: item for item in total_items(db, CITY, NOW, ZoneInfo(ZONE))}
        assert found[CITY]["open"] == found[VILLAGE]["open"] == 40
        assert {item["capped"] for item in found.values()} == {capped}


@pytest.mark.parametrize("area", [CITY, DISTRICT, VILLAGE, NEXT_VILLAGE, OTHER_DISTRICT])
def test_totals_are_seen_by_whom_their_area_is(db: Database, area: str) -> None:
    fill(db, [])
    who = actor("operator", area)
    items = total_items(db, CITY, NOW, ZoneInfo(ZONE))
    shown = {item["area"] for item in items if sees(who, item["kind"], scope_of(item))}
    assert shown == {path for path in DOWN_TO_VILLAGES if covers((area,), path)} and area in shown
