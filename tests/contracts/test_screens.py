"""Screens of the wall and marks on the map, over every store: pairing, driving, going back, revoking, drawing, ending."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from data import marks
from data.database import Database
from data.live_outbox import SHOW_TOPIC
from data.screen_pairing import LETTERS, MOST_OF_ADDRESS, STANDS, Pairings, TooManyCodes
from data.screens import MOST_GUESSES, screen_items
from data.sessions import Sessions
from incidents.commands import ACTION_OF
from incidents.model import Actor, Rejected
from incidents.screen_commands import (
    ClearMark,
    DrawMark,
    MuteScreen,
    PairScreen,
    PinScene,
    Screens,
    SendToScreen,
    SetRotation,
    UnpairScreen,
)
from incidents.screens import SCENES
from streams import relay
from tests.conftest import STORES
from tests.contracts.test_intake_merging import Door
from tests.small_city import CITY, DISTRICT, EAST, GRID, NEXT_GRID, OTHER_DISTRICT, VILLAGE, WEST, actor

pytestmark = pytest.mark.timeout(120, func_only=True)
LEADER = actor("duty_leader", id=7)
DISPATCHER = actor("dispatcher", id=8)


@pytest.fixture(params=STORES)
def door(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Door:
    """A fresh store that holds the small city."""
    return Door(fresh_database(str(request.param)))


def paired(door: Door, who: Actor = LEADER, **more: Any) -> tuple[int, str]:
    """(screen, the secret of its browser)."""
    code = Pairings(door.db).begin("192.0.2.9", door.now)
    given = {"name": "指挥大厅", "size": "3840x2160", "areas": [CITY]} | more
    return int(door.do(PairScreen(code.code, **given), who)["screen"]), code.secret


def shown(door: Door) -> list[dict[str, Any]]:
    """What the relay is told to show, oldest first."""
    rows = door.db.query("SELECT payload FROM outbox WHERE topic = %s ORDER BY id", (SHOW_TOPIC,))
    return [row[0] for row in rows]


def test_a_browser_becomes_a_screen_once(door: Door) -> None:
    pairings, sessions = Pairings(door.db), Sessions(door.db, lifetime_h=1, idle_min=1)
    code = pairings.begin("192.0.2.9", door.now)
    assert len(code.code) == 6 and set(code.code) <= set(LETTERS)
    assert pairings.claim(code.secret, door.now) == "waiting"
    spoken = f"{code.code[:3].lower()} - {code.code[3:]}"
    made = door.do(PairScreen(spoken, "指挥大厅", "3840x2160", [CITY, DISTRICT]), LEADER)
    assert made["address"] == "192.0.2.9"
    account = pairings.claim(code.secret, door.now)
    assert isinstance(account, int)
    assert pairings.claim(code.secret, door.now) == "over", "a code gives one session"
    token, _ = sessions.open(account, address="192.0.2.9", now=door.now, lifetime=timedelta(days=400))
    session = sessions.find(token, door.now + timedelta(days=90))
    assert session is not None
    assert (session.actor.role, session.actor.login, session.actor.areas) == ("wall", made["login"], (CITY,))
    with pytest.raises(Rejected, match="no screen shows this code"):
        door.do(PairScreen(code.code, "另一块", "1920x1080", [CITY]), LEADER)
    (row,) = door.ask(Screens(), LEADER)["rows"]
    assert (row["name"], row["size"], row["columns"], row["rows"], row["paired_by"]) == (
        "指挥大厅", "3840x2160", 2, 2, LEADER.login,
    )  # fmt: skip
    door.do(UnpairScreen(made["screen"]), LEADER)
    assert sessions.find(token, door.now) is None, "its session ends at once"
    assert sessions.standing({session.token_hash}, door.now) == set()
    assert door.ask(Screens(), LEADER)["rows"] == [] == list(screen_items(door.db))
    assert shown(door)[-1]["del"] == [["screen", str(made["screen"])]]


def test_codes_end_and_are_limited(door: Door) -> None:
    pairings = Pairings(door.db)
    code = pairings.begin("192.0.2.9", door.now)
    assert pairings.claim(code.secret, door.now + STANDS) == "over"
    door.now += STANDS
    with pytest.raises(Rejected, match="no screen shows this code"):
        door.do(PairScreen(code.code, "n", "1920x1080", [CITY]), LEADER)
    for _ in range(MOST_OF_ADDRESS):
        pairings.begin("192.0.2.1", door.now)
    with pytest.raises(TooManyCodes):
        pairings.begin("192.0.2.1", door.now)
    pairings.begin("192.0.2.2", door.now)
    pairings.begin("192.0.2.1", door.now + STANDS)


def test_guessing_comes_to_an_end(door: Door) -> None:
    code = Pairings(door.db).begin("192.0.2.9", door.now)
    for n in range(MOST_GUESSES):
        with pytest.raises(Rejected, match="no screen shows this code"):
            door.do(PairScreen(f"AAAA{n:02}", "n", "1920x1080", [CITY]), LEADER)
    with pytest.raises(Rejected, match="too many wrong codes"):
        door.do(PairScreen(code.code, "n", "1920x1080", [CITY]), LEADER)
    door.do(PairScreen(code.code, "n", "1920x1080", [CITY]), actor("duty_leader", id=9, login="another"))
    door.now += timedelta(minutes=11)
    paired(door)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"size": "800x600"}, "size"),
        ({"columns": 3}, "columns"),
        ({"rows": 4}, "rows"),
        ({"areas": []}, "areas"),
        ({"areas": ["990100/nowhere/"]}, "areas"),
        ({"name": " "}, "name"),
        ({"seam_px": 300}, "seam_px"),
    ],
)
def test_a_wrong_screen_is_refused_and_its_code_stays(door: Door, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Rejected) as refused:
        paired(door, **wrong)
    assert refused.value.field == field
    assert door.db.query("SELECT count(*) FROM pairing_guesses") == [(0,)], "no guess: the code was right"
    paired(door, columns=1, rows=1)


def test_a_desk_drives_a_screen_and_takes_back(door: Door) -> None:
    screen, _ = paired(door)
    rotation = SetRotation(screen, ["overview", "safety"], 20)
    door.do(rotation, DISPATCHER)
    door.do(
        SendToScreen(screen, lon=113.9, lat=21.9, zoom=14.2, width_px=900, layers=["cameras"]), DISPATCHER
    )
    door.do(SendToScreen(screen, scene="night"), DISPATCHER)
    door.do(MuteScreen(screen, True), DISPATCHER)
    door.do(PinScene(screen, True), DISPATCHER)
    (item,) = screen_items(door.db)
    assert (item["scene"], item["center"], item["seconds"], item["muted"], item["pinned"]) == (
        "night", None, 20, True, True,
    )  # fmt: skip
    assert item["sent_by"] == DISPATCHER.name and item["can_go_back"]
    assert item == shown(door)[-1]["set"][0], "screens are shown what a rebuild finds"
    assert item["version"] == 6
    door.do(SendToScreen(screen, back=True), DISPATCHER)
    (item,) = screen_items(door.db)
    assert (item["scene"], item["scenes"], item["sent_ms"]) == ("overview", ["overview", "safety"], 0)
    assert item["muted"] and item["pinned"], "going back leaves sound and pin as they are"
    door.do(SetRotation(screen, ["night"], 20), DISPATCHER)
    assert next(iter(screen_items(door.db)))["seconds"] == 0
    for wrong in (
        SendToScreen(screen, scene="x"),
        SendToScreen(screen, lon=1.0),
        SendToScreen(screen, incident=10**9),
        SendToScreen(screen, camera="x"),
        SetRotation(screen, list(SCENES), 1),
        SendToScreen(screen + 1),
    ):
        with pytest.raises(Rejected):
            door.do(wrong, DISPATCHER)


def test_who_may_drive(door: Door) -> None:
    """Whoever has all the areas that a screen shows; the audit log has who was refused."""
    screen, _ = paired(door, areas=[DISTRICT, OTHER_DISTRICT])
    half = actor("dispatcher", DISTRICT, login="half")
    with pytest.raises(Rejected) as refused:
        door.do(SendToScreen(screen, scene="night"), half)
    assert refused.value.code == "forbidden"
    assert len(door.ask(Screens(), half)["rows"]) == 1, "what it shows is seen"
    door.do(SendToScreen(screen, scene="night"), DISPATCHER)
    with pytest.raises(Rejected):
        door.do(UnpairScreen(screen), actor("duty_leader", DISTRICT))
    with pytest.raises(Rejected):
        paired(door, actor("duty_leader", DISTRICT), areas=[CITY])
    log = door.db.query("SELECT actor, allowed FROM audit WHERE action = 'screen.drive' ORDER BY id")
    assert log == [("half", False), (DISPATCHER.login, True)]


def test_a_mark_is_seen_where_its_points_lie_and_ends(door: Door) -> None:
    line = DrawMark("line", [list(WEST), list(EAST)], "警戒线", 30)
    made = door.do(line, DISPATCHER)
    items = list(marks.mark_items(door.db, door.now))
    assert [item["area"] for item in items] == [GRID, NEXT_GRID]
    assert items == shown(door)[-1]["set"]
    assert items[0]["points"] == [list(WEST), list(EAST)] and items[0]["word"] == "警戒线"
    worker = actor("grid_worker", GRID, unit="U1", login="w1")
    with pytest.raises(Rejected):
        door.do(line, worker)  # half of it lies in another grid
    own = door.do(DrawMark("point", [list(WEST)], "塌陷点"), worker)
    with pytest.raises(Rejected):
        door.do(ClearMark(made["mark"]), worker)  # drawn by another
    door.do(ClearMark(own["mark"]), worker)
    door.do(ClearMark(own["mark"]), worker)
    assert shown(door)[-1]["del"] == [["mark", f"{own['mark']}.0"]]
    with pytest.raises(Rejected):
        door.do(ClearMark(made["mark"]), actor("operator", VILLAGE, login="op2"))  # half of it is not his
    door.now += timedelta(minutes=31)
    over = marks.ended(door.db, door.now)
    assert [row["id"] for row in over] == [made["mark"]] and not list(marks.mark_items(door.db, door.now))
    marks.end(door.db, [made["mark"]])
    assert marks.ended(door.db, door.now) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (DrawMark("circle", [[1.0, 2.0]], "w"), "shape"),
        (DrawMark("line", [list(WEST)], "w"), "points"),
        (DrawMark("point", [[113.9]], "w"), "points"),
        (DrawMark("point", [list(WEST)], " "), "word"),
        (DrawMark("point", [list(WEST)], "w" * 41), "word"),
        (DrawMark("point", [list(WEST)], "w", 0), "minutes"),
        (DrawMark("point", [[115.0, 21.9]], "w"), "lon"),
    ],
)
def test_a_wrong_mark_is_refused_by_name(door: Door, wrong: DrawMark, field: str) -> None:
    with pytest.raises(Rejected) as refused:
        door.do(wrong, DISPATCHER)
    assert refused.value.field == field and refused.value.code == "field"


def test_the_relay_and_the_store_mean_the_same_topic() -> None:
    assert relay.SHOW == SHOW_TOPIC and ACTION_OF["send_to_screen"] == "screen.drive"
