"""Every command and query × every role × own, parent, sibling area and assigned from afar, over REST.

What REST answers must be what `may` says of the very thing; docs/rights.md is the table, printed by this test
(`UPDATE_DOCS=1 pytest tests/web/test_rights_table.py` writes it after a wanted change).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from incidents.access import ACTIONS, ANYWHERE, RIGHTS, ROLES, Thing, may
from incidents.commands import ACTION_OF, COMMANDS, QUERIES
from incidents.model import Actor
from tests.web.conftest import CITY, GRID, NEXT_GRID, TOWN, VILLAGE, Stage, make

PLACES = ("own", "parent", "sibling", "assigned")
AREA = {"own": GRID, "parent": TOWN, "sibling": NEXT_GRID, "assigned": NEXT_GRID}
NUMBER = {place: 900_001 + index for index, place in enumerate(PLACES)}
SCREEN = NUMBER
PAGE = Path(__file__).parents[2] / "docs" / "rights.md"

Body = Callable[[str], dict[str, Any]]


def on_incident(**more: Any) -> Body:
    return lambda place: {"id": NUMBER[place], **more}


def always(**given: Any) -> Body:
    return lambda place: given


LETTER = {"topic": "city.reading.v1", "partition": 0, "offset": 123_456_789}

CASES: dict[str, Body] = {
    # A wrong field after the right is asked keeps the things as they are: refused as 422, not as 403.
    "report_incident": lambda place: {
        "text": "",
        "lon": 113.85 if place in ("own", "parent") else 113.95,
        "lat": 21.9,
    },
    "accept_incident": on_incident(class_code="0101"),
    "refuse_incident": on_incident(reason="r"),
    "answer_consultation": on_incident(text="t"),
    "void_incident": on_incident(reason="r"),
    "dispatch_incident": on_incident(unit="U1"),
    "take_incident": on_incident(),
    "arrive_incident": on_incident(),
    "finish_incident": on_incident(text="done"),
    "return_incident": on_incident(wrong_field="class", reason="r"),
    "check_incident": on_incident(passed=True),
    "close_incident": on_incident(),
    "acknowledge_incident": on_incident(),
    "note_incident": on_incident(text="n"),
    "pair_screen": lambda place: {"code": "", "name": "n", "size": "1920x1080", "areas": [AREA[place]]},
    "unpair_screen": lambda place: {"screen": SCREEN[place]},
    "send_to_screen": lambda place: {"screen": SCREEN[place], "scene": "no such scene"},
    "set_rotation": lambda place: {"screen": SCREEN[place], "scenes": ["no such scene"]},
    "pin_scene": lambda place: {"screen": SCREEN[place], "pinned": False},
    "mute_screen": lambda place: {"screen": SCREEN[place], "muted": False},
    "draw_mark": lambda place: {
        "shape": "point",
        "points": [[113.85 if place in ("own", "parent") else 113.95, 21.9]],
        "word": "w",
        "minutes": 1,
    },
    "clear_mark": lambda place: {"mark": SCREEN[place]},
    "screens": always(),
    "ask_assist": on_incident(units=[]),
    "unmask_incident": on_incident(reason=""),
    "take_assist": on_incident(),
    "arrive_assist": on_incident(),
    "answer_assist": on_incident(text="done"),
    "release_assist": on_incident(unit="U2", reason="r"),
    "filing_standards": always(class_code="0101"),
    "merge_incidents": on_incident(into=NUMBER["own"], reason="r"),
    "separate_sources": on_incident(reason="r"),
    "keep_separate": on_incident(other=NUMBER["own"]),
    "ask_extension": on_incident(reason=""),
    "ask_parking": on_incident(until="2027-01-01T00:00:00Z", reason=""),
    "answer_request": on_incident(granted=False),
    "end_parking": on_incident(reason=""),
    "supervise_incident": on_incident(level=3, demand="d"),
    "sign_supervision": on_incident(),
    "answer_supervision": on_incident(text=""),
    "end_supervision": on_incident(),
    "appeal_incident": on_incident(against="overdue", reason=""),
    "answer_appeal": on_incident(granted=True, reason=""),
    "call_back": on_incident(satisfaction=0),
    "reopen_incident": on_incident(reason=""),
    "import_catalogue": always(content=""),
    "decide_limit": always(catalogue=0, code="", amount=0.0, kind="", reason=""),
    "publish_catalogue": always(catalogue=0),
    "revise_catalogue": always(catalogue=0, name=""),
    "save_standard": always(
        catalogue=0, code="", condition="", units=[], amount=0.0, kind="", evidence="", closing="", reason=""
    ),
    "approve_rule": always(rule="", reason=""),
    "publish_router": always(router=""),
    "switch_off_router": always(reason=""),
    "import_responsibilities": always(content=""),
    "import_roles": always(content=""),
    "publish_responsibilities": always(table=0),
    "save_period": always(kind="", name="", begins="2027-01-01T00:00:00Z", ends="2026-01-01T00:00:00Z"),
    "end_period": always(kind="", begins="2027-01-01T00:00:00Z"),
    "set_capacity": always(unit="U1", capacity=0),
    "set_case_limit": always(days=0),
    "enforcement_cases": always(),
    "save_working_year": always(year=1, off=[], work=[], source=""),
    "create_account": lambda place: {"login": "!", "name": "n", "role": "operator", "areas": [AREA[place]]},
    "change_account": lambda place: {"login": f"target-{place}"},
    "reset_password": lambda place: {"login": f"target-{place}"},
    "save_unit": lambda place: {"code": "", "name": "n", "kind": "k", "area_path": AREA[place]},
    "save_area": lambda place: {
        "code": "a/b",
        "name": "n",
        "parent": AREA[place].split("/")[-2],
        "level": "cell",
    },
    "replay_dead_letter": always(**LETTER),
    "drop_dead_letter": always(**LETTER, reason="r"),
    "issue_device_credential": lambda place: {"device": f"dev-{place}", "days": 0},
    "rotate_device_credential": lambda place: {"device": f"dev-{place}", "overlap_h": -1},
    "revoke_device_credential": lambda place: {"device": f"dev-{place}"},
    "limit_device": lambda place: {"device": f"dev-{place}", "per_s": 1},
    "settle_gateway_loss": always(mismatch=0, reason="r"),
    "save_device": lambda place: {"id": f"dev-{place}", "status": "no-such"},
    "retire_device": lambda place: {"id": f"dev-{place}", "reason": ""},
    "save_pole": lambda place: {"id": "P", "name": "n", "members": [f"lighting=dev-{place}", "wifi=no-such"]},
    "remove_pole": lambda place: {"id": f"pole-{place}", "reason": ""},
    "save_device_type": always(id="", name="n"),
    "save_metric": always(id="", device_type="gauge", name="n", unit="m"),
    "import_devices": always(content=""),
    "import_cameras": always(content=""),
    "import_addresses": always(content=""),
    "place_incident": on_incident(lon=113.85, lat=21.9, reason=""),
    "read_address": always(text="安航路1号"),
    "unplaced_incidents": always(),
    "tell_reporter": on_incident(reached=False),
    "replies_waiting": always(),
    "note_receipt": on_incident(state="-"),
    "own_cells": always(),
    "import_boundaries": always(content="", level="town", crs="wgs84"),
    "adopt_device": lambda place: {
        "id": "no id!",
        "type": "gauge",
        "lon": 113.85 if place in ("own", "parent") else 113.95,
        "lat": 21.9,
    },
    "release_held": always(thing="nothing"),
    "reject_held": always(thing="nothing", reason="r"),
    "save_feed": always(id="!", name="n", kind="http", config={}, mapping={}),
    "switch_feed": always(id="!", disabled=False),
    "save_camera": lambda place: {
        "code": "99010100001320000042",
        "name": "n",
        "lon": 113.85 if place in ("own", "parent") else 113.95,
        "lat": 21.9,
        "share_units": ["no such unit"],
    },
    "shelve_camera": lambda place: {"camera": f"cam-{place}", "minutes": 0, "reason": "r"},
    "unshelve_camera": lambda place: {"camera": f"cam-{place}"},
    "save_alarm_window": lambda place: {"camera": f"cam-{place}", "kind": "ufo", "window_s": 60},
    "save_alarm_kind": always(kind="!", name="n"),
    "save_alarm_map": always(source="acme", code="1", kind="-"),
    "save_camera_channel": always(feed="nobody", channel="1", camera=""),
    "request_view": always(camera="cam-own", reason=""),
    "answer_view": always(request=123_456_789, approve=True),
    "open_view": always(request=123_456_789),
    "cameras": always(),
    "cameras_seeing": always(lon=113.85, lat=21.9),
    "shelves": always(),
    "alarm_precision": always(),
    "view_requests": always(),
    "incident": on_incident(),
    "incidents": always(),
    "my_tasks": always(),
    "my_reports": always(),
    "save_formula": always(
        id="!", name="n", numerator=["handled"], denominator=["to_handle"], since="2099-01-01", reason="r"
    ),
    "save_score": always(weights={}, since="2099-01-01", reason="r"),
    "search_incident": always(number="2026"),
    "similar_incidents": always(text="积水"),
    "route_incident": on_incident(),
    "classes": always(),
    "suggest_class": always(text="积水"),
    "locate": always(lon=113.85, lat=21.9),
    "cell": lambda place: {"code": "cell-own" if place in ("own", "parent") else "cell-sibling"},
    "find_place": always(text="x"),
    "layer_counts": always(),
    "map_layers": always(),
    "find_on_map": always(text="x"),
    "within_shape": always(shape="circle", points="113.85,21.9"),
    "building": always(building="none"),
    "incidents_compared": always(
        a_begin="2026-11-01", a_end="2026-11-02", b_begin="2026-11-03", b_end="2026-11-04"
    ),
    "devices": always(),
    "device": lambda place: {"device": f"dev-{place}"},
    "device_series": lambda place: {"device": f"dev-{place}", "metric": "level"},
    "device_registry": always(),
    "device_types": always(),
    "quarantine": always(),
    "device_statistics": lambda place: {"device": f"dev-{place}", "metric": "level"},
    "device_gaps": lambda place: {"device": f"dev-{place}", "metric": "level"},
    "latest_readings": always(metric="level"),
    "metric_history": always(metric="level"),
    "camera": lambda place: {"camera": f"cam-{place}"},
    "indicators": lambda place: {"area": AREA[place]},
    "leader_board": always(),
    "evaluation": lambda place: {"begin": "2026-11-01", "end": "2026-11-30", "area": AREA[place]},
    "evaluation_cases": lambda place: {
        "formula": "handle_rate",
        "begin": "2026-11-01",
        "end": "2026-11-30",
        "area": AREA[place],
    },
    "catalogues": always(),
    "standards": always(catalogue=1),
    "routing_advice": on_incident(),
    "routing_state": always(),
    "backtest": always(begin="x"),
    "backtest_cases": always(of="x"),
    "formulas": always(),
    "evaluation_doubts": lambda place: {"begin": "2026-11-01", "end": "2026-11-30", "area": AREA[place]},
    "field_burden": lambda place: {"begin": "2026-11-01", "end": "2026-11-30", "area": AREA[place]},
    "feeds": always(),
    "test_feed": always(feed="!"),
    "ledger": always(),
    "dead_letters": always(),
    "held": always(),
    "accounts": always(),
    "units": always(),
    "areas": lambda place: {"parent": AREA[place].split("/")[-2]},
    "workers": always(),
    "audit_log": always(),
    "status": always(),
    "device_credentials": always(),
    "save_view": always(page="!", name="n"),
    "delete_view": always(id=123_456_789),
    "saved_views": always(),
    "vitals": always(),
    "vital_records": always(id="pm25"),
}
CITY_WIDE = {
    "feeds", "ledger", "dead_letters", "held", "quarantine", "audit_log", "replay_dead_letter",
    "drop_dead_letter", "save_device_type", "save_metric", "release_held", "reject_held",
    "settle_gateway_loss", "test_feed", "save_feed", "switch_feed", "save_alarm_map", "save_camera_channel",
    "save_alarm_kind", "approve_rule", "publish_router", "switch_off_router", "import_responsibilities",
    "publish_responsibilities", "import_roles", "save_period", "end_period", "set_capacity", "routing_state", "backtest", "backtest_cases",
    "save_formula", "save_score", "import_catalogue", "decide_limit", "save_standard", "revise_catalogue",
    "publish_catalogue", "set_case_limit", "vitals", "vital_records",
}  # fmt: skip
PLACED = {name for name, body in CASES.items() if body("own") != body("sibling")}


def thing(name: str, actor: Actor, place: str) -> Thing:
    """What the right is asked about."""
    if name in CITY_WIDE:
        return Thing(CITY)
    if name not in PLACED:
        return ANYWHERE
    area = AREA[place]
    if name in ("adopt_device", "cell"):
        return Thing(GRID if place in ("own", "parent") else NEXT_GRID)
    if name == "report_incident":
        # A grid worker reports from where he stands, and it stays his village's.
        return Thing(actor.areas[0] if actor.role == "grid_worker" else GRID if place == "parent" else area)
    if name == "clear_mark" and "screen.drive" not in RIGHTS[actor.role]:
        return Thing("elsewhere/")  # drawn by another: for whoever drives the screens there
    if name in ("save_camera", "draw_mark"):
        return Thing(GRID if place == "parent" else area)
    if "id" in CASES[name](place) and place == "assigned":
        return Thing(area, "U1", "grid-worker")
    return Thing(area)


@pytest.fixture(scope="module")
def things(stage: Stage) -> Iterator[None]:
    """An incident, a device, a camera and an account at each place."""
    with stage.db.transaction() as cursor:
        cursor.execute("INSERT INTO device_types (id, name) VALUES ('gauge', '水位计')")
        cursor.execute("INSERT INTO metrics (id, device_type) VALUES ('level', 'gauge')")
        for place in ("own", "sibling"):
            cursor.execute(
                "INSERT INTO areas (code, level, name, parent, path) VALUES (%s, 'cell', %s, %s, %s)",
                (f"cell-{place}", place, AREA[place].split("/")[-2], f"{AREA[place]}cell-{place}/"),
            )
        for place in PLACES:
            held = ("U1", "grid-worker") if place == "assigned" else ("", "")
            cursor.execute(
                "INSERT INTO incidents (id, number, title, stage, level, area_path, reported_at, version, unit, worker)"
                " VALUES (%s, %s, 'table', 'closed', 3, %s, now(), 1, %s, %s)",
                (NUMBER[place], f"TABLE-{place}", AREA[place], *held),
            )
            cursor.execute(
                "INSERT INTO replies (id, incident_id, version, outcome, channel, teller, sources, text, created_at)"
                " OVERRIDING SYSTEM VALUE VALUES (%s, %s, 1, 'close', 'hotline', 'person', '{1}', 'r', now())",
                (NUMBER[place], NUMBER[place]),
            )
            cursor.execute(
                "INSERT INTO devices (id, type, area_path) VALUES (%s, 'gauge', %s)",
                (f"dev-{place}", AREA[place]),
            )
            cursor.execute(
                "INSERT INTO composites (id, kind, area_path) VALUES (%s, 'lamp_pole', %s)",
                (f"pole-{place}", AREA[place]),
            )
            cursor.execute(
                "INSERT INTO cameras (code, name, area_path, share_range) VALUES (%s, 'c', %s, 'government')",
                (f"cam-{place}", AREA[place]),
            )
            make(stage.accounts, cursor, f"screen-{place}", "wall", AREA[place], "", stage.clock())
            cursor.execute(
                "INSERT INTO screens (id, account, name, size, columns, rows, seam_px, areas, paired_by, paired_at, shows)"
                " OVERRIDING SYSTEM VALUE SELECT %s, id, 'table', '1920x1080', 1, 1, 0, areas, '-', now(), '{}'"
                " FROM accounts WHERE login = %s",
                (SCREEN[place], f"screen-{place}"),
            )
            cursor.execute(
                "INSERT INTO marks (id, shape, points, word, areas, drawn_by, drawn_name, drawn_at, ends_at)"
                " OVERRIDING SYSTEM VALUE VALUES (%s, 'point', '[[113.9, 21.9]]', 'table', %s, '-', '-', now(), now())",
                (SCREEN[place], [AREA[place]]),
            )
            make(stage.accounts, cursor, f"target-{place}", "operator", AREA[place], "", stage.clock())
    yield
    with stage.db.transaction() as cursor:
        cursor.execute("DELETE FROM screens WHERE name = 'table'")
        cursor.execute("DELETE FROM replies WHERE incident_id = ANY(%s)", (list(NUMBER.values()),))
        cursor.execute("DELETE FROM incidents WHERE title = 'table'")
        cursor.execute("DELETE FROM areas WHERE code LIKE 'cell-%'")


def answer(client: httpx.Client, name: str, place: str) -> httpx.Response:
    given = CASES[name](place)
    if name in COMMANDS:
        return client.post(f"/api/v1/commands/{name}", json=given)
    return client.get(f"/api/v1/queries/{name}", params=given)


def test_every_command_and_query_is_in_the_table() -> None:
    assert set(CASES) == set(COMMANDS) | set(QUERIES) == set(ACTION_OF)
    assert set(ACTION_OF.values()) <= ACTIONS


def test_rest_answers_what_may_says(stage: Stage, things: None) -> None:
    wrong: list[str] = []
    table: dict[str, dict[str, str]] = {name: {} for name in CASES}
    for role in ROLES:
        client = stage.login(role.replace("_", "-"))
        me = client.get("/api/v1/me").json()
        actor = Actor(0, me["login"], me["name"], role, me["unit"], tuple(me["areas"]))
        assert actor.areas == (VILLAGE,)
        city = replace(actor, areas=(CITY,))
        for name in CASES:
            cell = ""
            for place in PLACES:
                reply = answer(client, name, place)
                assert reply.status_code < 500, (name, role, place, reply.text)
                found = reply.status_code != 403
                expected = bool(may(actor, ACTION_OF[name], ANYWHERE)) and bool(
                    may(actor, ACTION_OF[name], thing(name, actor, place))
                )
                if found != expected:
                    wrong.append(
                        f"{role} {name} {place}: REST {reply.status_code} {reply.text[:90]}, may says {expected}"
                    )
                cell += place[0].upper() if expected else "·"
            wide = bool(may(city, ACTION_OF[name], thing(name, city, "own")))
            if name in CITY_WIDE:
                cell = "city" if wide else "—"
            elif name not in PLACED:
                cell = "✓" if wide else "—"
            table[name][role] = cell if wide or cell.strip("·") else "—"
    text = page(table)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(text, encoding="utf-8")
    assert not wrong, "\n".join(wrong)
    assert PAGE.read_text(encoding="utf-8") == text, "docs/rights.md differs: UPDATE_DOCS=1 writes it anew"


def test_lists_hold_nothing_of_the_next_village(stage: Stage, things: None) -> None:
    """Queries without a place of their own answer with what lies in the actor's areas, whatever is asked."""
    looked = 0
    for role in ROLES:
        client = stage.login(role.replace("_", "-"))
        for name, given in (
            ("incidents", {"scope": "all", "limit": 1000}),
            ("incidents", {"scope": "all", "area": NEXT_GRID, "limit": 1000}),
            ("search_incident", {"number": "TABLE"}),
            ("my_tasks", {}),
            ("leader_board", {}),
            ("workers", {}),
            ("accounts", {}),
            ("find_place", {"text": "区域990101001002"}),
            ("find_place", {"text": "dev-"}),
            ("devices", {"limit": 1000}),
            ("devices", {"area": NEXT_GRID}),
            ("device_registry", {"limit": 1000}),
            ("device_registry", {"area": NEXT_GRID}),
            ("cameras", {"limit": 1000}),
        ):
            reply = client.get(f"/api/v1/queries/{name}", params=given)
            if reply.status_code == 403:
                continue
            looked += 1
            assert "TABLE-sibling" not in reply.text, (role, name)
            assert "TABLE-parent" not in reply.text, (role, name)
            assert "dev-sibling" not in reply.text and "dev-parent" not in reply.text, (role, name)
            assert "cam-sibling" not in reply.text and "cam-parent" not in reply.text, (role, name)
            assert "neighbour" not in reply.text and "target-sibling" not in reply.text, (role, name)
            if role not in ("grid_worker", "unit_handler"):
                assert "TABLE-assigned" not in reply.text, (role, name)
    assert looked > 30
    found = stage.login("operator").get("/api/v1/queries/find_place", params={"text": "dev-"}).json()["rows"]
    assert len(found) == 1, "one's own device is found"


SEEN_BY_RIGHT = {
    "silent_devices": "device.see",
    "stale_indicators": "indicator.see",
    "silent_feeds": "feed.see",
    "ledger_mismatches": "ledger.see",
    "held_messages": "deadletter.see",
}
OF_THE_CITY = ("silent_feeds", "ledger_mismatches", "held_messages")


def test_the_leaders_board_tells_each_what_he_may_see(stage: Stage, things: None) -> None:
    """Feeds, ledger and held messages are the city's: never for a village, whatever the role."""
    asked = 0
    for role in ROLES:
        for login, area in ((role.replace("_", "-"), VILLAGE), (f"{role.replace('_', '-')}-city", CITY)):
            reply = stage.login(login).get("/api/v1/queries/leader_board")
            if reply.status_code == 403:
                continue
            asked += 1
            expected = {"unresolved_places"} | {
                part
                for part, right in SEEN_BY_RIGHT.items()
                if right in RIGHTS[role] and (part not in OF_THE_CITY or area == CITY)
            }
            assert set(reply.json()["unknown"]) == expected, login
    assert asked >= 18


def page(table: dict[str, dict[str, str]]) -> str:
    """docs/rights.md."""
    letters = {
        "operator": "坐席", "dispatcher": "派遣员", "duty_leader": "值班领导", "unit_handler": "处置单位",
        "grid_worker": "网格员", "evaluator": "考评员", "theme_owner": "专题", "administrator": "管理员",
        "auditor": "审计员", "wall": "大屏",
    }  # fmt: skip
    lines = [
        "# Rights: every command and query × role × area",
        "",
        "Printed by `tests/web/test_rights_table.py`, which asks every one of them over REST as an account of one",
        "village: `O` allowed in its **o**wn village, `P` on a thing of the **p**arent (the town), `S` of a **s**ibling",
        "(the next village), `A` of a sibling but **a**ssigned to this account; `·` refused there; `—` refused",
        "everywhere, also to an account of the whole city. What is not listed in `incidents/access.py` is refused.",
        "`✓` allowed by role; a list holds only what lies in the account's areas. `city`: only for accounts of the",
        "whole city.",
        "",
        "| command or query | right | " + " | ".join(f"{letters[r]} {r}" for r in ROLES) + " |",
        "|---|---|" + "---|" * len(ROLES),
    ]
    for name in CASES:
        kind = "" if name in COMMANDS else "? "
        lines.append(
            f"| {kind}`{name}` | `{ACTION_OF[name]}` | " + " | ".join(table[name][r] for r in ROLES) + " |"
        )
    return "\n".join(lines) + "\n"


def test_unlisted_is_refused() -> None:
    nobody = Actor(1, "x", "", "no such role", "", (CITY,))
    for action in ACTIONS:
        assert not may(nobody, action, ANYWHERE)
    for role in ROLES:
        for action in ACTIONS - RIGHTS[role]:
            assert not may(Actor(1, "x", "", role, "U1", (CITY,)), action, Thing(CITY, "U1", "x"))
        assert not may(Actor(1, "x", "", role, "U1", (CITY,)), "made.up", ANYWHERE)
