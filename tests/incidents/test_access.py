"""`may`, against a matrix written by hand: every command and query × every role × own, child, parent, sibling area.

MATRIX is not computed from `incidents/access.py`: it is what ARCHITECTURE §9 gives each role. What a role's line
does not name is refused everywhere.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.access import ANYWHERE, RIGHTS, ROLES, Thing, covers, may
from incidents.commands import ACTION_OF, COMMANDS, QUERIES
from incidents.model import Actor
from incidents.service import HANDLERS
from tests.small_city import CELL, CITY, DISTRICT, NEXT_VILLAGE, TOWN, VILLAGE

NAMES = {**COMMANDS, **QUERIES}

# What everybody who looks at the city's picture may ask.
LOOK = (
    "incident incidents my_tasks my_reports leader_board read_address unplaced_incidents classes filing_standards suggest_class units locate cell own_cells find_place areas"
    " layer_counts map_layers find_on_map within_shape building incidents_compared devices device device_series device_registry device_types camera indicators"
    " status device_statistics device_gaps latest_readings metric_history cameras"
    " cameras_seeing shelves alarm_precision view_requests catalogues standards"
    " routing_advice"
)
ROUTING = "routing_state backtest backtest_cases"
PUBLISH = "publish_router switch_off_router import_responsibilities publish_responsibilities save_period end_period set_capacity import_roles"
VIEW = "request_view open_view"
SHELVE = "shelve_camera unshelve_camera"
EVALUATE = "evaluation evaluation_cases formulas evaluation_doubts field_burden"
ASSIST = "take_assist arrive_assist answer_assist"
GRANT = "answer_request end_parking"
OFFICE = "ask_extension ask_parking sign_supervision answer_supervision appeal_incident"
KEEP = "save_view delete_view saved_views"
CALLS = f"unmask_incident merge_incidents separate_sources keep_separate similar_incidents search_incident workers feeds ledger vitals vital_records {KEEP}"

DRAW = "draw_mark clear_mark"
DRIVE = f"screens send_to_screen set_rotation pin_scene mute_screen {DRAW}"
PAIR = "pair_screen unpair_screen"

MATRIX: dict[str, str] = {
    "operator": f"{LOOK} {CALLS} place_incident report_incident accept_incident refuse_incident answer_consultation acknowledge_incident"
    f" check_incident close_incident note_incident call_back reopen_incident tell_reporter replies_waiting {VIEW} {SHELVE} {DRIVE}",
    "dispatcher": f"{LOOK} {CALLS} place_incident report_incident accept_incident refuse_incident answer_consultation dispatch_incident"
    f" void_incident acknowledge_incident note_incident route_incident ask_assist release_assist enforcement_cases {GRANT} {VIEW} {SHELVE}"
    f" {ROUTING} {DRIVE}",
    "duty_leader": f"{LOOK} {CALLS} acknowledge_incident dispatch_incident void_incident note_incident"
    f" route_incident ask_assist release_assist dead_letters held quarantine {GRANT} {VIEW} {SHELVE} answer_view supervise_incident"
    f" end_supervision reopen_incident enforcement_cases approve_rule {EVALUATE} {ROUTING} {PUBLISH}"
    f" {DRIVE} {PAIR}",
    "unit_handler": f"{LOOK} take_incident arrive_incident finish_incident return_incident note_incident note_receipt"
    f" route_incident search_incident workers {VIEW} {OFFICE} {ASSIST} {DRAW} {KEEP}",
    "grid_worker": LOOK.replace(" indicators", "")
    + f" report_incident take_incident arrive_incident finish_incident return_incident note_incident note_receipt {DRAW}",
    "evaluator": f"{LOOK} {KEEP} vitals vital_records search_incident ledger enforcement_cases answer_appeal approve_rule {EVALUATE} save_formula save_score {ROUTING}",
    "theme_owner": f"{LOOK} {KEEP} vitals vital_records search_incident feeds ledger {EVALUATE}",
    "administrator": "classes catalogues standards filing_standards suggest_class units locate cell own_cells find_place areas layer_counts map_layers find_on_map within_shape building"
    " devices device device_series device_registry device_types indicators status feeds ledger dead_letters held quarantine"
    " accounts create_account change_account reset_password save_unit save_area"
    " replay_dead_letter drop_dead_letter issue_device_credential rotate_device_credential"
    " revoke_device_credential limit_device settle_gateway_loss device_credentials save_device"
    " retire_device save_device_type save_metric import_devices adopt_device release_held"
    " reject_held device_statistics device_gaps latest_readings metric_history camera cameras"
    " cameras_seeing shelves alarm_precision view_requests answer_view save_camera"
    " save_alarm_window save_alarm_map save_camera_channel save_feed switch_feed test_feed"
    " save_alarm_kind import_cameras import_addresses read_address import_boundaries save_pole remove_pole save_working_year set_case_limit"
    f" import_catalogue decide_limit save_standard revise_catalogue publish_catalogue {ROUTING} {PUBLISH}"
    f" formulas save_formula save_score screens {PAIR}",
    "auditor": "routing_advice incidents_compared incident incidents unplaced_incidents my_tasks my_reports leader_board status ledger dead_letters held"
    " quarantine accounts audit_log",
    "wall": f"{LOOK} workers screens",
}

ASSIGNED = frozenset(
    {
        "take_incident",
        "arrive_incident",
        "finish_incident",
        "return_incident",
        "note_incident",
        "note_receipt",
        *OFFICE.split(),
    }
)
"""What field staff (unit_handler, grid_worker) do by assignment, wherever the place is."""

AREAS = {"own": VILLAGE, "child": CELL, "parent": TOWN, "sibling": NEXT_VILLAGE}
"""The actor's area is VILLAGE."""


def actor(role: str, unit: str = "", area: str = VILLAGE) -> Actor:
    return Actor(5, "me", "我", role, unit, (area,))


def test_the_matrix_is_whole() -> None:
    assert set(MATRIX) == set(ROLES)
    assert set(ACTION_OF) == set(NAMES), "a command or query without a right is refused for all"
    assert set(HANDLERS) == set(COMMANDS.values())
    named = {name for line in MATRIX.values() for name in line.split()}
    assert named == set(NAMES), "every command and query is somebody's"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_command_and_query(name: str, role: str) -> None:
    listed = name in MATRIX[role].split()
    action = ACTION_OF[name]
    assert bool(may(actor(role), action, ANYWHERE)) is listed
    staff = role in ("unit_handler", "grid_worker")
    by_order = staff and name in ASSIGNED
    for relation, area in AREAS.items():
        covered = listed and relation in ("own", "child")
        nobodys, others = Thing(area), Thing(area, "U2", "somebody")
        mine = Thing(area, "U1", "me")
        if name in ASSIST.split():
            expected = (False, False, False)
        elif by_order:
            expected = (False, False, listed)
        elif staff:
            expected = (covered, covered, covered or (listed and name in LOOK.split()))
        else:
            expected = (covered, covered, covered)
        who = actor(role, "U1")
        assert tuple(bool(may(who, action, thing)) for thing in (nobodys, others, mine)) == expected, relation


@pytest.mark.parametrize("name", sorted(ASSIGNED - set(OFFICE.split())))
def test_a_worker_does_not_touch_a_colleagues_task(name: str) -> None:
    action = ACTION_OF[name]
    assert may(actor("grid_worker", "U1"), action, Thing(VILLAGE, "U1", "me"))
    assert may(actor("grid_worker", "U1"), action, Thing(VILLAGE, "U1", "")), "to the unit: whoever takes it"
    assert not may(actor("grid_worker", "U1"), action, Thing(VILLAGE, "U1", "colleague"))
    assert may(actor("unit_handler", "U1"), action, Thing(VILLAGE, "U1", "colleague"))
    assert not may(actor("unit_handler", ""), action, Thing(VILLAGE, "", "")), "no unit holds nothing"


@pytest.mark.parametrize("name", ASSIST.split())
def test_only_a_unit_that_was_asked_assists(name: str) -> None:
    """By being asked, wherever the place is; it sees the incident, and does nothing of what the lead does."""
    helped = Thing(NEXT_VILLAGE, "U2", "", ("U1",))
    assert may(actor("unit_handler", "U1"), ACTION_OF[name], helped)
    assert not may(actor("unit_handler", "U3"), ACTION_OF[name], helped)
    assert not may(actor("unit_handler", ""), ACTION_OF[name], Thing(NEXT_VILLAGE, "U2", "", ("",)))
    assert not may(actor("grid_worker", "U1"), ACTION_OF[name], helped)
    assert may(actor("unit_handler", "U1"), "incident.see", helped)
    assert not may(actor("unit_handler", "U1"), "incident.handle", helped)
    assert not may(actor("grid_worker", "U1"), "incident.see", helped)


@pytest.mark.parametrize("role", ["", "root", "Operator", "operator "])
@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_unknown_role_is_refused(role: str, name: str) -> None:
    assert not may(actor(role, "U1", CITY), ACTION_OF[name], ANYWHERE)
    assert not may(actor(role, "U1", CITY), ACTION_OF[name], Thing(CITY, "U1", "me"))


@given(st.sampled_from(ROLES), st.text(max_size=20))
def test_an_unlisted_action_is_refused(role: str, action: str) -> None:
    if action not in set(ACTION_OF.values()):
        assert not may(actor(role, "U1", CITY), action, ANYWHERE)


def test_what_is_no_command_is_nobodys() -> None:
    """Rights that no command or query asks for are listed here by name, so that none creeps in."""
    beside = {
        "operator": {
            "live.see",
            "replay.see",
            "incident.export",
            "photo.see",
            "photo.add",
        },
        "wall": {"live.see"},
        "administrator": {"live.see"},
        "auditor": set(),
        "evaluator": {"live.see", "replay.see", "photo.see", "incident.export"},
    }
    asked = set(ACTION_OF.values())
    for role, names in beside.items():
        assert set(RIGHTS[role]) - asked == names, role


@pytest.mark.parametrize(
    ("areas", "path", "expected"),
    [
        ((CITY,), "", True),
        ((DISTRICT,), "", False),
        ((), CITY, False),
        ((VILLAGE,), VILLAGE, True),
        ((VILLAGE,), CELL, True),
        ((VILLAGE,), TOWN, False),
        ((NEXT_VILLAGE, VILLAGE), CELL, True),
        (("990100/990101/",), "990100/9901012/", False),
    ],
)
def test_covers(areas: tuple[str, ...], path: str, expected: bool) -> None:
    """A place not resolved belongs to the city; a code that only begins alike is another area."""
    assert covers(areas, path) is expected


codes = st.lists(st.sampled_from(["1", "12", "2"]), min_size=1, max_size=4)


@given(codes, codes)
def test_covers_is_being_below(actor_area: list[str], area: list[str]) -> None:
    below = area[: len(actor_area)] == actor_area
    assert covers(("/".join(actor_area) + "/",), "/".join(area) + "/") is below
