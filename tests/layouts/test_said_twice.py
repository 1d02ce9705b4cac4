"""Rules that are said twice, in SQL for lists and figures and in the browser for what is live: both must agree.

What is overdue, and what the desk's filter lets through (the list on the screen, and its export).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Page

from callbacks.http.commands import model_of, plain
from data.database import Database
from data.incident_rows import live_item
from data.questions.answers import StoreQuestions
from incidents.commands import IncidentList
from incidents.lifecycle import DEFAULT_STAGE_LIMITS_MIN, Step, file_report, is_overdue
from incidents.model import Actor, ClockKind, Incident, Place, Policy, Rejected, Stage
from tests.small_city import CELL, CITY, EAST, WEST, actor, place_of, units_of_work
from tests.working import advance

T0: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LIMIT_MIN: Final = 60
DESK: Final = actor("dispatcher", id=1)
WORKER: Final = actor("grid_worker", unit="U1", id=2)
POLICY: Final = Policy("0101", 1, LIMIT_MIN, ClockKind.URGENT_HOUR, False, DEFAULT_STAGE_LIMITS_MIN)

Doing = tuple[int, Actor, Step]
"""Minute since the report, who, what."""


def stored(db: Database, incidents: list[Incident]) -> list[Incident]:
    """The incidents with the ids that the store gave them."""
    with units_of_work(db)() as uow:
        return [uow.add_incident(incident) for incident in incidents]


def listed(db: Database, query: IncidentList, now: datetime) -> list[dict[str, Any]]:
    """The rows of a list as the duty leader of the city sees it."""
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    rows: list[dict[str, Any]] = questions.answer(query, actor("duty_leader"), now)["rows"]
    return rows


# -- overdue -------------------------------------------------------------------------------------------------


def desk(minute: int, action: str, **more: Any) -> Doing:
    return minute, DESK, Step(action, "desk", **more)


def unit(minute: int, action: str, **more: Any) -> Doing:
    return minute, WORKER, Step(action, "phone", **more)


def sent(minute: int, to: str = "U1") -> Doing:
    return desk(minute, "dispatch", unit=to)


ACCEPTED: Final = (desk(0, "accept", policy=POLICY),)
SENT: Final = (*ACCEPTED, sent(0))
ON_SITE: Final = (*SENT, unit(1, "take"), unit(2, "arrive"))


def handled(minute: int) -> tuple[Doing, ...]:
    return (*ON_SITE, unit(minute, "handle"), unit(minute, "feed_back"))


def returned(minute: int) -> tuple[Doing, ...]:
    return (*SENT, unit(minute, "return", reason="不属本单位", wrong_field="owner"))


CHECKED: Final = (*handled(70), desk(75, "pass_check"))
# What was done; then (minute, overdue then?)…
OVERDUE: Final[dict[str, tuple[tuple[Doing, ...], tuple[tuple[int, bool], ...]]]] = {
    "reported": ((), ((14, False), (16, True))),
    "waiting for dispatch": (ACCEPTED, ((14, False), (16, True))),
    "with the unit": (ON_SITE, ((59, False), (61, True))),
    "handled in time, waiting for check": (handled(50), ((61, False), (79, False), (81, True))),
    "handled late, waiting for check": (handled(70), ((71, False), (99, False), (101, True))),
    "late, then at another unit": (
        (*ON_SITE, desk(61, "escalate", reason="stage_overdue"), desk(62, "reassign", unit="U2", reason="换单位")),
        ((63, False), (121, False), (123, True)),
    ),
    "late, then again at the same unit": ((*ON_SITE, desk(62, "reassign", unit="U1", reason="催办")), ((63, True),)),
    "returned: the handling clock stands": (returned(50), ((61, False), (64, False), (66, True))),
    "returned and sent again": ((*returned(50), sent(60)), ((61, False), (69, False), (71, True))),
    "returned late and sent again": ((*returned(61), sent(62)), ((63, True),)),
    "failed at the check": ((*handled(50), desk(55, "fail_check", reason="未清")), ((64, False), (66, True))),
    "checked": (CHECKED, ((76, False), (10_000, False))),
    "closed": ((*CHECKED, desk(80, "close")), ((81, False), (10_000, False))),
    "void while late": ((*ON_SITE, desk(70, "void", reason="误报")), ((71, False),)),
}  # fmt: skip


def after(doings: tuple[Doing, ...], number: str) -> Incident:
    """An incident of class 0101 reported at T0 to which all this was done."""
    incident = file_report(
        Incident(
            id=0, number=number, class_code="0101", class_name="道路积水", title="积水", text="积水",
            stage=Stage.REPORTED, level=3, place=Place(*WEST, "", CELL.split("/")[-2], CELL), reported_at=T0, version=1,
        ),
        T0,
    )  # fmt: skip
    for minute, who, step in doings:
        incident, _, _ = advance(incident, step, who, T0 + timedelta(minutes=minute))
    return incident


def test_overdue_means_the_same_everywhere(city: Database, page: Page) -> None:
    names = list(OVERDUE)
    incidents = stored(city, [after(OVERDUE[name][0], name) for name in names])
    found: dict[str, dict[tuple[str, int], bool]] = {"rule": {}, "list": {}, "row": {}, "browser": {}}
    expected = {(name, minute): over for name in names for minute, over in OVERDUE[name][1]}
    for minute in sorted({minute for _, minute in expected}):
        now = T0 + timedelta(minutes=minute)
        late = {row["number"] for row in listed(city, IncidentList(scope="all", overdue=True), now)}
        soon = {row["number"] for row in listed(city, IncidentList(scope="all", overdue=False), now)}
        assert late | soon == set(names) and not late & soon
        rows = {row["number"]: row["overdue"] for row in listed(city, IncidentList(scope="all"), now)}
        items = [live_item(incident, "", "") for incident in incidents]
        in_browser = page.evaluate(
            """async ([items, now]) => {
                 const {isLate} = await import('/assets/overdue.mjs');
                 return items.map((item) => isLate(item, now));
               }""",
            [items, now.timestamp() * 1000],
        )
        for name, incident, seen in zip(names, incidents, in_browser, strict=True):
            if (name, minute) in expected:
                found["rule"][name, minute] = is_overdue(incident, now)
                found["list"][name, minute] = name in late
                found["row"][name, minute] = rows[name]
                found["browser"][name, minute] = seen
    assert found == dict.fromkeys(found, expected)


# -- the desk's filter ---------------------------------------------------------------------------------------

NOW: Final = T0 + timedelta(minutes=30)
BOUNDS: Final = [113.89, 21.90, 113.90, 21.91]

# Each filter of the desk with the numbers of the incidents that fit it.
FILTERS: Final[dict[str, tuple[dict[str, Any], set[str]]]] = {
    "none": ({}, {"L1", "L2", "L3", "L4", "L5"}),
    "unit name": ({"text": "单位U2"}, {"L3"}),
    "worker name": ({"text": "某grid_worker"}, {"L2"}),
    "class name": ({"text": "井盖"}, {"L3", "L4"}),
    "part of the number, in small letters": ({"text": "l4"}, {"L4"}),
    "two words of two fields": ({"text": "滨海路 井盖"}, {"L4"}),
    "two words, the other way round": ({"text": "井盖\u3000滨海路"}, {"L4"}),
    "two words, one of which is nowhere": ({"text": "井盖 天上"}, set()),
    "text that nobody sees in the list": ({"text": "只在正文"}, set()),
    "a wild card is a letter": ({"text": "100%"}, {"L5"}),
    "another wild card": ({"text": "a_b"}, {"L5"}),
    "a backslash": ({"text": "\\"}, {"L5"}),
    "in view": ({"inview": True}, {"L1", "L2", "L4"}),
    "overdue": ({"overdue": True}, {"L1", "L4"}),
    "level": ({"levels": [1, 2]}, {"L2", "L3"}),
    "class": ({"class": "0201"}, {"L3", "L4"}),
    "a group of stages": ({"group": "working"}, {"L2", "L3"}),
    "mine": ({"mine": True}, {"L1", "L4", "L5"}),
    "mine, of stages that are never mine": ({"mine": True, "group": "working"}, set()),
    "all at once": (
        {"text": "井盖", "inview": True, "overdue": True, "levels": [3], "group": "waiting"}, {"L4"},
    ),
}  # fmt: skip


def filed(number: str, point: tuple[float, float] | None, **more: Any) -> Incident:
    """An incident of level III, not overdue at NOW, with this and that changed."""
    lon, lat = point or (None, None)
    place = Place(lon, lat, more.pop("address", ""), "", CELL)
    return Incident(**{
        "id": 0, "number": number, "class_code": "0101", "class_name": "道路积水", "title": "积水", "text": "只在正文",
        "stage": Stage.REPORTED, "level": 3, "place": place, "reported_at": T0, "version": 1,
        "stage_due_at": NOW + timedelta(hours=1), **more,
    })  # fmt: skip


@pytest.fixture
def five(city: Database) -> Database:
    """Five open incidents that differ in what a filter asks for, and one that is closed."""
    cover = {"class_code": "0201", "class_name": "井盖缺失"}
    late = NOW - timedelta(minutes=1)
    stored(city, [
        filed("L1", WEST, stage_due_at=late),
        filed("L2", WEST, level=1, stage=Stage.TAKEN, unit="U1", worker="grid-worker"),
        filed("L3", EAST, level=2, stage=Stage.DISPATCHED, unit="U2", **cover),
        filed("L4", (113.89, 21.91), stage=Stage.ACCEPTED, stage_due_at=late, address="滨海路 8 号", **cover),
        filed("L5", None, title="100% a_b \\", stage_due_at=None),
        filed("L6", WEST, stage=Stage.CLOSED, stage_due_at=None, closed_at=NOW),
    ])  # fmt: skip
    return city


def test_the_export_holds_what_the_list_shows(five: Database, page: Page) -> None:
    """The filter of the browser (`passes`) and the query it sends for the export find the same incidents."""
    items = [{**row, "key": row["number"]} for row in listed(five, IncidentList(scope="all"), NOW)]
    found = page.evaluate(
        """async ([items, filters, bounds, now]) => {
             const {IncidentList} = await import('/assets/desk/list.mjs');
             const {live} = await import('/assets/live.mjs');
             live.now = () => now;
             document.body.innerHTML = '<select data-class></select>';
             return filters.map((filter) => {
               localStorage.setItem('chengyun.desk.filter', JSON.stringify(filter));
               const list = new IncidentList(document.body, 'dispatcher');
               list.bounds(bounds);
               return {shown: items.filter((item) => list.passes(item)).map((item) => item.number), query: list.query()};
             });
           }""",
        [items, [asked for asked, _ in FILTERS.values()], BOUNDS, NOW.timestamp() * 1000],
    )
    model = model_of(IncidentList, strict=False)
    for (name, (_, fit)), answer in zip(FILTERS.items(), found, strict=True):
        query = IncidentList(**plain(model(**dict(parse_qsl(answer["query"])))))
        exported = {row["number"] for row in listed(five, query, NOW)}
        assert (name, set(answer["shown"]), exported) == (name, fit, fit)


@pytest.mark.parametrize("bbox", ["1,2,3", "1,2,3,x", "1,2,3,nan", "1,2,3,inf", ","])
def test_a_box_that_is_none_is_refused(city: Database, bbox: str) -> None:
    with pytest.raises(Rejected) as refused:
        listed(city, IncidentList(bbox=bbox), NOW)
    assert (refused.value.code, refused.value.field) == ("field", "bbox")
