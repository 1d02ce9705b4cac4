"""The Dash pages: ids that callbacks name exist, words exist in both languages, bodies stay short, no polling."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dash import Dash
from dash.development.base_component import Component

from callbacks.admin import with_own
from callbacks.dash_app import PAGES, make_dash
from callbacks.dash_view import DashDeps
from callbacks.desk_press import COMMAND_OF, command_of, report_of
from data.questions.incidents import pressable
from incidents.access import RIGHTS, ROLES
from incidents.concessions import Request
from incidents.model import Actor, Incident, Place, Rejected, Stage
from layouts import cameras as cameras_layout
from layouts import figures, ids
from layouts import leader as leader_layout
from layouts import ops as ops_layout
from layouts.desk import batch, compare, detail, intake, keys, lists, reassign, routing
from layouts.shell import frame
from layouts.shell.rejection import rejection
from layouts.shell.view import View, epoch_ms
from layouts.text import LANGUAGES, catalogue, slots

ROOT = Path(__file__).resolve().parents[2]
CALLBACK_FILES = sorted(
    p
    for p in (ROOT / "callbacks").glob("*.py")
    if re.match(r"dash|desk|leader|wall|ops|devices|admin|places|replies|screens|vitals", p.name)
)
LAYOUT_FILES = sorted(
    p for folder in ("layouts/shell", "layouts/desk") for p in (ROOT / folder).glob("*.py")
) + [
    ROOT / "layouts" / f"{name}.py"
    for name in (
        "leader",
        "leader_now",
        "vitals",
        "enforcement",
        "places",
        "replies",
        "replay",
        "screens",
        "wall",
        "ops",
        "ops_feeds",
        "devices",
        "cameras",
        "admin",
        "figures",
    )
]
SCRIPTS = sorted(
    [*(ROOT / "layouts/assets/desk").glob("*.*js"), *(ROOT / "layouts/assets/wall").glob("*.*js")]
)
MOST_LINES = 12


class NoService:
    """Building the app asks nothing of the service; whoever does fails the test."""

    def handle(self, command: object, actor: Actor, channel: str, cause: str = "") -> dict[str, Any]:
        raise AssertionError(f"{command} while building")

    def ask(self, query: object, actor: Actor) -> Any:
        raise AssertionError(f"{query} while building")


@pytest.fixture(scope="module")
def app() -> Dash:
    return make_dash(DashDeps(NoService(), "临澜市", "Linlan", (113.9, 21.9)))


def view(lang: str = "zh", role: str = "operator") -> View:
    return View(lang, "Asia/Shanghai", Actor(7, "op", "林晓", role, "", ("990100/",)), "临澜市")


def walk(node: Any) -> Iterator[Any]:
    if isinstance(node, Component):
        yield node
        yield from walk(getattr(node, "children", None))
    elif isinstance(node, list | tuple):
        for child in node:
            yield from walk(child)


def ids_of(node: Any) -> list[str]:
    return [str(c.id) for c in walk(node) if getattr(c, "id", None) is not None]


def text_of(node: Any) -> str:
    if node is None:
        return ""
    if isinstance(node, Component):
        return " ".join(
            filter(None, (text_of(getattr(node, "children", None)), str(getattr(node, "data-act", "") or "")))
        )
    if isinstance(node, list | tuple):
        return " ".join(text_of(x) for x in node)
    return str(node)


# ------------------------------------------------------------------ ids and callbacks


def named_ids(app: Dash) -> set[str]:
    """Ids that registered callbacks name. The one place that touches Dash's private list."""
    names: set[str] = set()
    for entry in app._callback_list:
        for dependency in (*entry["inputs"], *entry["state"]):
            names.add(dependency["id"])
        names |= {part.rsplit(".", 1)[0].split("@")[0] for part in entry["output"].strip(".").split("...")}
    return names


def test_every_id_in_a_callback_is_in_the_layouts(app: Dash) -> None:
    known = set(ids_of(app.validation_layout))
    assert len(app._callback_list) >= 20
    assert named_ids(app) - known == set()


def test_a_misspelt_id_would_be_found(app: Dash) -> None:
    assert "desk-selectd" not in set(ids_of(app.validation_layout))
    assert "desk-selected" in named_ids(app)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_pages_build_in_both_languages_with_unique_ids(name: str, lang: str) -> None:
    for role in ROLES:
        page = PAGES[name](view(lang, role))
        found = ids_of(page)
        assert len(found) == len(set(found)), sorted(i for i in found if found.count(i) > 1)
        tree: Any = page
        json.dumps(tree.to_plotly_json(), default=lambda c: c.to_plotly_json())


@pytest.mark.parametrize("role", ROLES)
def test_the_desk_leads_to_the_phone_who_may_take_an_order(role: str) -> None:
    shown = str(PAGES["desk"](view("zh", role)))
    assert ("href='/phone'" in shown) == (role in ("unit_handler", "grid_worker"))


def test_two_apps_in_one_process_do_not_share_callbacks(app: Dash) -> None:
    other = make_dash(DashDeps(NoService(), "甲市", "A", (100.0, 30.0)))
    assert len(other._callback_list) == len(app._callback_list)


def test_nothing_polls() -> None:
    for path in (*CALLBACK_FILES, *LAYOUT_FILES):
        assert "Interval(" not in path.read_text(encoding="utf-8"), path.name


def test_callbacks_are_registered_inside_register_only() -> None:
    for path in CALLBACK_FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            for decorator in getattr(node, "decorator_list", []):
                assert "callback" not in ast.unparse(decorator), f"{path.name}: module-level callback"
        assert not re.search(r"from dash import[^\n]*\bcallback\b", path.read_text(encoding="utf-8"))


def _callback_bodies() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in CALLBACK_FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(
                "app.callback" in ast.unparse(d) for d in node.decorator_list
            ):
                yield path.name, node


def test_callback_bodies_are_short() -> None:
    bodies = list(_callback_bodies())
    assert len(bodies) >= 18
    long = [f"{f}:{n.name}" for f, n in bodies if (n.end_lineno or 0) - n.body[0].lineno + 1 > MOST_LINES]
    assert long == []


def test_no_exceptions_are_suppressed(app: Dash) -> None:
    assert not app.config.suppress_callback_exceptions


# ------------------------------------------------------------------ words

_PY_KEY = re.compile(r"""view\.t\(\s*"([a-z_0-9.]+)"|\bt\(lang,\s*"([a-z_0-9.]+)\"""")
_JS_KEY = re.compile(r"""\bt\('([a-z_0-9.]+)'""")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def used_keys() -> set[str]:
    """Keys written out in layouts, callbacks and browser modules."""
    keys: set[str] = set()
    for path in (*CALLBACK_FILES, *LAYOUT_FILES):
        keys |= {a or b for a, b in _PY_KEY.findall(path.read_text(encoding="utf-8"))}
    for path in SCRIPTS:
        keys |= set(_JS_KEY.findall(path.read_text(encoding="utf-8")))
    return keys


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_word_used_is_in_the_catalogue(lang: str) -> None:
    assert len(used_keys()) > 150
    assert {k for k in used_keys() if k not in catalogue(lang)} == set()


def test_both_languages_have_the_same_words_and_slots() -> None:
    zh, en = catalogue("zh"), catalogue("en")
    assert set(zh) == set(en)
    assert [k for k in zh if slots(zh[k]) != slots(en[k])] == []


def test_no_words_outside_of_the_catalogue() -> None:
    for path in (*LAYOUT_FILES, *CALLBACK_FILES):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CHINESE.search(node.value):
                allowed = node.value in ("、", "chengyun 城运")
                assert allowed or _is_docstring(path, node), f"{path.name}:{node.lineno}: {node.value!r}"
    for path in SCRIPTS:
        code = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
        left = _CHINESE.sub("", code) != code
        chinese = sorted(set("".join(_CHINESE.findall(code))))
        assert not left or set(chinese) <= set("年月日城"), f"{path.name}: {chinese}"


def _is_docstring(path: Path, node: ast.Constant) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for owner in ast.walk(tree):
        for statement in getattr(owner, "body", []) if isinstance(getattr(owner, "body", []), list) else []:
            if isinstance(statement, ast.Expr) and statement.value.__class__ is ast.Constant:
                constant = statement.value
                assert isinstance(constant, ast.Constant)
                if constant.lineno == node.lineno and constant.value == node.value:
                    return True
    return False


# ------------------------------------------------------------------ rights only hide, and hide right


def links(page: Any) -> list[str]:
    return [c.href for c in walk(page) if getattr(c, "className", "").startswith("nav__link")]


def test_navigation_shows_only_what_the_role_may_open() -> None:
    assert links(PAGES["desk"](view(role="operator"))) == [
        "/desk",
        "/vitals",
        "/places",
        "/replies",
        "/catalogue",
        "/replay",
        "/wall",
        "/ops",
        "/devices",
    ]
    assert "/leader" in links(PAGES["leader"](view(role="duty_leader")))
    assert links(PAGES["admin"](view(role="administrator"))) == [
        "/formulas",
        "/catalogue",
        "/backtest",
        "/screens",
        "/wall",
        "/ops",
        "/devices",
        "/admin",
    ]


def test_every_terminal_asks_for_a_right_that_some_role_has() -> None:
    rights = frozenset().union(*RIGHTS.values())
    assert {x.right for x in frame.TERMINALS} <= rights


def test_a_refused_page_names_the_page_and_the_role() -> None:
    shown = text_of(frame.refused(view(role="grid_worker"), "admin"))
    assert "系统管理" in shown and "网格员" in shown


# ------------------------------------------------------------------ the detail of an incident


def incident(**more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "id": 12,
        "number": "LL2026112100012",
        "class": "C0101",
        "class_name": "井盖缺损",
        "title": "井盖缺失",
        "text": "<script>alert(1)</script>",
        "stage": "accepted",
        "level": 2,
        "cell": "990101001001001",
        "address": "建设路 1 号",
        "area_names": ["临澜市", "望海区"],
        "reported_at": 1_700_000_000_000,
        "stage_due_at": 1_700_000_900_000,
        "handle_due_at": None,
        "version": 3,
        "acknowledged": False,
        "overdue": False,
        "actions": ["dispatch", "void", "acknowledge", "note"],
        "timeline": [
            {
                "at": 1_700_000_000_000,
                "action": "report",
                "to_stage": "reported",
                "actor_name": "x",
                "role": "system",
                "channel": "phone",
            },
            {
                "at": 1_700_000_060_000,
                "action": "accept",
                "to_stage": "accepted",
                "actor_name": "林晓",
                "role": "operator",
                "channel": "desk",
                "reason": "",
            },
        ],
        "source_list": [
            {
                "kind": "warning",
                "device": "MC-1",
                "text": "倾角",
                "time": 1_700_000_000_000,
                "channel": "sensor",
            }
        ],
        "photos": [],
        "may_unmask": True,
    }
    return {**base, **more}


def test_detail_offers_exactly_the_legal_actions() -> None:
    buttons = [
        json.loads(getattr(c, "data-act"))
        for c in walk(list(detail.parts(view(), incident())))
        if getattr(c, "data-act", None)
    ]
    assert {b["action"] for b in buttons} == {"acknowledge", "void", "note"}
    sent = [
        json.loads(getattr(c, "data-act"))
        for c in walk(routing.panel(view(), ROUTE))
        if getattr(c, "data-act", None)
    ]
    assert sent[0] == {"action": "dispatch", "unit": "U1"}
    assert sent[1] == {"action": "dispatch", "unit": "U3"}
    assert sent[2] == {"action": "dispatch", "unit": "U1", "worker": "gw1"}
    assert sent[-1] == {"action": "dispatch", "unit": "U2"}


ROUTE: dict[str, Any] = {
    "unit": "U1",
    "unit_name": "市政所",
    "decision": {
        "ranked": [
            {
                "unit": "U1",
                "unit_name": "市政所",
                "confidence": 0.9999,
                "open_incidents": 3,
                "reasons": [
                    {
                        "evidence": "table",
                        "zh": "望海区的“井盖缺损”由市政所负责",
                        "en": "responsibility table",
                        "weight": 3.1,
                    },
                    {"evidence": "text", "zh": "“<b>”等用词", "en": "its words <b>", "weight": 0.5},
                ],
            },
            {
                "unit": "U3",
                "unit_name": "城管队",
                "confidence": 0.00005,
                "open_incidents": 0,
                "reasons": [{"evidence": "none", "zh": "没有直接依据", "en": "no evidence", "weight": 0.0}],
            },
        ],
        "automatic": False,
        "why": "把握不足",
        "why_en": "not sure enough",
        "version": "router-1+rules-2",
        "sides": [
            {"area_name": "甲镇", "unit": "U1", "distance_m": 0.0},
            {"area_name": "乙街道", "unit": "U3", "distance_m": 7.8},
        ],
    },
    "units": [
        {"code": "U1", "name": "市政所", "kind": "市政"},
        {"code": "U2", "name": "供水", "kind": "供水"},
    ],
    "workers": [
        {
            "login": "gw1",
            "name": "张三",
            "unit": "U1",
            "on_duty": True,
            "open_tasks": 0,
            "distance_m": 420.0,
            "position_age_s": 30.0,
            "reasons": ["own_grid", "near", "free"],
        }
    ],
}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_dispatch_says_why(lang: str) -> None:
    shown = text_of(routing.panel(view(lang), ROUTE))
    assert ("由市政所负责" if lang == "zh" else "responsibility table") in shown
    assert ("把握不足" if lang == "zh" else "not sure enough") in shown
    assert "99.9%" in shown and "100" not in shown, "nobody is certain"
    assert (
        "router-1+rules-2" in shown
        and "乙街道" in shown
        and "8" in shown
        and view(lang).t("routing.place.1") in shown
    )
    assert "420" in shown and view(lang).t("desk.worker.own_grid") in shown


@pytest.mark.parametrize("lang", LANGUAGES)
def test_another_unit_is_chosen_from_what_routing_says_now(lang: str) -> None:
    found = reassign.advice(view(lang), ROUTE, "U1")
    shown = text_of(found)
    assert view(lang).t("desk.reassign.has_it") in shown and view(lang).t("routing.place.1") in shown
    assert ("由市政所负责" if lang == "zh" else "responsibility table") in shown
    picks = [p for c in walk(found) if (p := getattr(c, "data-pick-unit", None))]
    assert picks == ["U3"], "who has it cannot be chosen"
    assert view(lang).t("desk.no_route") in text_of(reassign.advice(view(lang), {"decision": None}, "U1"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_timeline_says_from_whom_to_whom(lang: str) -> None:
    told = {
        "unit": "U2",
        "unit_name": "供水",
        "from_unit": "U1",
        "from_unit_name": "市政所",
        "from_worker": "gw1",
    }
    entry = {"action": "reassign", "at": 1_700_000_000_000, "actor_name": "周宁", "role": "dispatcher",
             "channel": "desk", "reason": "换一家", "detail": told}  # fmt: skip
    shown = text_of(detail.timeline(view(lang), {"timeline": [entry]}))
    assert view(lang).t("desk.from_to", former="市政所 → gw1", now="供水") in shown


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_was_advised_is_told_of_an_incident_under_way(lang: str) -> None:
    decision = {**ROUTE["decision"], "automatic": True}
    answer = {
        "rows": [
            {"moment": "filed", "at": 1_700_000_000_000, "decision": decision},
            {"moment": "opened", "at": 1_699_999_000_000, "decision": ROUTE["decision"]},
        ],
        "withdrawn": [
            {"unit_name": "市政所", "wrong_field": "scope", "why": "不归我们", "approved_at": None},
        ],
    }
    found = routing.explained(view(lang), answer)
    shown = text_of(found)
    assert view(lang).t("routing.went") in shown and view(lang).t("routing.not_approved") in shown
    assert view(lang).word("wrong_field", "scope") in shown and view(lang).t("routing.earlier", n=1) in shown
    assert not [c for c in walk(found) if getattr(c, "data-act", None)], "nothing to press: it is told"
    assert routing.explained(view(lang), {"rows": [], "withdrawn": []}) == []


def test_an_incident_without_class_asks_for_one_before_it_is_accepted() -> None:
    def needs(**more: Any) -> list[str]:
        parts = detail.actions(view(), incident(stage="reported", actions=["accept"], **more))
        return list(json.loads(getattr(parts[0], "data-act"))["needs"])

    assert needs(**{"class": ""}) == ["class", "level", "standard"]
    assert needs(standards=2) == ["standard"]
    assert needs() == []


def test_stepper_marks_what_was_reached_with_its_time() -> None:
    steps = [
        c for c in walk(detail.stepper(view(), incident())) if getattr(c, "className", "").startswith("step ")
    ]
    assert [s.className for s in steps][:3] == ["step is-done", "step is-now", "step "]
    assert "06:14" in text_of(steps[1])  # 2023-11-14T22:14:20Z in Shanghai


def test_refused_and_void_incidents_have_no_present_step() -> None:
    shown = detail.stepper(view(), incident(stage="void"))
    assert "作废" in text_of(shown)
    assert not any("is-now" in str(getattr(c, "className", "")) for c in walk(shown))


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("due", [None, 1_700_000_900_000])
def test_the_place_of_the_clock_is_never_empty(stage: Stage, due: int | None) -> None:
    """A stage without a limit says so, as 核查通过 and a class without one have none."""
    shown = detail.clocks(view(), incident(stage=str(stage), stage_due_at=due))
    assert text_of(shown).strip()
    assert ("desk.clock.none" in text_of(shown) or "不计时" in text_of(shown)) is (
        due is None and stage not in (Stage.CLOSED, Stage.REFUSED, Stage.VOID)
    )


def test_masked_reporter_has_a_button_only_for_who_may_unmask() -> None:
    masked = [{"kind": "report", "reporter_name": "林**", "reporter_phone": "********123", "time": 1}]
    assert "unmask" in text_of(detail.reporter(view(), incident(source_list=masked)))
    assert "unmask" not in text_of(detail.reporter(view(), incident(source_list=masked, may_unmask=False)))
    assert detail.reporter(view(), incident(source_list=[])) == ""
    assert "unmask" in text_of(detail.reporter(view(), incident(source_list=[], text="回电********123")))


def test_photos_of_every_purpose_are_in_one_row() -> None:
    shots = [{"sha256": "ab" * 32, "purpose": p, "at": 1} for p in ("report", "handle", "check")]
    shown = list(walk(detail.photos(view(), incident(photos=shots))))
    assert [c.src for c in shown if type(c).__name__ == "Img"] == [f"/api/v1/photos/{'ab' * 32}"] * 3
    assert all(word in text_of(shown) for word in ("上报", "处置", "核查"))
    assert detail.parts(
        view(),
        incident(
            photos=shots,
            policy={"limit_min": 120, "clock_kind": "urgent_hour", "needs_photo": True},
            returns=1,
        ),
    )


def test_what_people_wrote_is_text_never_markup() -> None:
    kinds = {type(c).__name__ for c in walk(list(detail.parts(view(), incident())))}
    assert not kinds & {"Markdown", "DangerouslySetInnerHTML", "Iframe", "Script"}


# ------------------------------------------------------------------ presses


def test_a_press_becomes_its_command_with_only_the_particulars_it_names() -> None:
    press = {"action": "accept", "id": 5, "version": 2, "with": ["class"]}
    form = {"reason": "typed for something else", "class": "C0101", "level": 1, "satisfaction": 5}
    command = command_of(press, form, "Asia/Shanghai")
    assert (command.id, command.class_code, command.level, command.version) == (5, "C0101", None, 2)  # type: ignore[attr-defined]
    void = command_of({"action": "void", "id": 5, "with": ["reason"]}, {"reason": "重复"}, "Asia/Shanghai")
    assert void.reason == "重复"  # type: ignore[attr-defined]


def test_another_unit_comes_from_the_form() -> None:
    press = {"action": "reassign", "id": 5, "version": 2, "with": ["unit", "reason"]}
    sent: Any = command_of(press, {"unit": "U2", "reason": "换一家", "units": ["U9"]}, "Asia/Shanghai")
    assert (sent.unit, sent.reason, sent.assisting) == ("U2", "换一家", [])
    on_line: Any = command_of({"action": "dispatch", "id": 5, "unit": "U1"}, {"unit": "U2"}, "Asia/Shanghai")
    assert on_line.unit == "U1", "what stands in the form for another action does not count"


def test_a_day_of_the_form_begins_in_the_city() -> None:
    press = {"action": "ask_parking", "id": 5, "version": 2, "with": ["until", "reason"]}
    parking: Any = command_of(press, {"until": "2027-03-01", "reason": "雨季"}, "Asia/Shanghai")
    assert parking.until.isoformat() == "2027-03-01T00:00:00+08:00"
    for wrong in ("tomorrow", None, ""):
        with pytest.raises(Rejected, match="until="):
            command_of(press, {"until": wrong, "reason": "雨季"}, "Asia/Shanghai")


def test_an_intake_form_becomes_a_report() -> None:
    filled = report_of("水管爆裂", "E0403", "建设路", "王", "138", 0, {"lon": 113.9, "lat": 21.9}, "k1")
    assert (filled.channel, filled.level, filled.key, filled.lon) == ("desk", None, "k1", 113.9)
    bare = report_of("水管爆裂", None, None, None, None, 1, None, None)
    assert (bare.class_code, bare.lon, bare.level) == ("", None, 1)
    assert bare.key and bare.key != report_of("水管爆裂", None, None, None, None, 1, None, None).key


def test_an_unknown_press_is_refused() -> None:
    for action in ("__class__", "create_account", "", None):
        with pytest.raises(Rejected, match="no such button"):
            command_of({"action": action, "id": 1}, {}, "Asia/Shanghai")


def test_every_action_on_the_desk_has_a_command() -> None:
    assert {*detail.ON_DESK, *detail.ON_LINES} == set(COMMAND_OF)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_stale_button_says_who_was_first(lang: str) -> None:
    error = Rejected("stale", "version=1", first="周宁", first_action="dispatch")
    shown = rejection(view(lang), error)
    assert "周宁" in shown and catalogue(lang)["action.dispatch"] in shown
    assert rejection(view(lang), Rejected("stale", "version=1")) == catalogue(lang)["error.stale"]
    assert "text=''" in rejection(view(lang), Rejected("field", "text='': say what happened", field="text"))


# ------------------------------------------------------------------ lists, ledger, leader


def test_ledger_shows_a_mismatch_in_red_and_a_balance_in_words() -> None:
    whole = {
        "rows": [],
        "partitions": [
            {
                "topic": "t",
                "partition": 0,
                "received": 10,
                "stored": 9,
                "rejected": 1,
                "duplicate": 0,
                "held": 0,
                "in_flight": 0,
                "difference": 0,
            }
        ],
        "mismatches": [],
    }
    assert "verdict--wrong" not in str(ops_layout.ledger(view(), whole, {}))
    broken = {
        **whole,
        "mismatches": [
            {
                "kind": "missing",
                "topic": "t",
                "partition": 0,
                "feed": "f",
                "minute": None,
                "expected": 10,
                "found": 8,
                "found_at": 1,
                "resolved_at": None,
            }
        ],
    }
    shown = ops_layout.ledger(view(), broken, {})
    assert any("verdict--wrong" in str(getattr(c, "className", "")) for c in walk(shown))
    [table] = [c for c in walk(shown) if getattr(c, "id", "") == "ops-mismatches"]
    assert [row["gap"] for row in table.rowData] == [-2]


def test_a_row_of_the_ledger_opens_what_it_counted_and_a_cut_is_told() -> None:
    row = {
        "ledger": 7, "minute": 1, "feed": "f", "topic": "t", "partition": 0, "rejected": 2, "held": 3,
        "reasons": {"too_old": 2},
    }  # fmt: skip
    shown = ops_layout.ledger(view(), {"rows": [row], "total": 41}, {"minutes": 1440})
    assert "共 41 行" in str(shown)
    [table] = [c for c in walk(shown) if getattr(c, "id", "") == "ops-grid"]
    opened = [(json.loads(ask), n) for ask, _, n in table.rowData[0]["reasons"]]
    assert opened == [
        ({"tab": "dead", "reason": "too_old", "state": "all", "ledger": 7}, 2),
        ({"tab": "held", "ledger": 7}, 3),
    ]
    assert "共 1 行" not in str(ops_layout.ledger(view(), {"rows": [row], "total": 1}, {}))
    for tab, page in (("dead", ops_layout.dead), ("held", ops_layout.held)):
        chips = [c for c in walk(page(view(), {"rows": []}, {"ledger": 7})) if "仅对账中的一行" in str(c)]
        assert chips and "ledger" not in getattr(chips[-1], "data-ask", ""), f"{tab}: back to all"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_cameras_on_the_devices_page(lang: str) -> None:
    """The registry, the precision of algorithms and the requests: each row opens its camera's card."""
    code = "99010001001310000001"
    seen = view(lang)
    file = {
        "code": code,
        "name": "c",
        "scene": "s",
        "share_range": "",
        "picture_state": "blurred",
        "status": "in_use",
        "shelved": True,
    }
    right = {
        "camera": code,
        "name": "c",
        "algorithm": "fire",
        "alarms": 9,
        "confirmed": 1,
        "false": 3,
        "open": 2,
        "precision": 0.25,
    }
    asked = {
        "id": 4,
        "name": "c",
        "camera": code,
        "who": "w",
        "reason": "r",
        "asked_at": 0,
        "state": "asked",
        "open": False,
    }
    for page, row, cells in (
        (
            cameras_layout.cameras,
            file,
            {
                "picture": [seen.t("camera.picture.blurred"), "warn"],
                "status": [seen.t("camera.status.in_use"), ""],
            },
        ),
        (cameras_layout.precision, right, {"precision": ["25%", "wrong"], "undecided": 2, "false": 3}),
        (cameras_layout.precision, {**right, "precision": None}, {"precision": ["–", ""]}),
        (cameras_layout.views, asked, {"state": [seen.t("view.asked"), "warn"]}),
    ):
        shown = page(seen, {"rows": [row], "total": 3}, {})
        [table] = [c for c in walk(shown) if getattr(c, "id", "") == "devices-grid"]
        [line] = table.rowData
        assert line["open"] == {"form": "card", "id": code, "name": "c"} and line.items() >= cells.items()
        assert not [
            c
            for c in walk(page(seen, {"rows": [], "total": 0}, {}))
            if getattr(c, "id", "") == "devices-grid"
        ]


def test_settled_mismatches_are_no_longer_red() -> None:
    settled = {
        "rows": [],
        "partitions": [],
        "mismatches": [
            {
                "kind": "x",
                "topic": "t",
                "partition": 0,
                "expected": 1,
                "found": 0,
                "found_at": 1,
                "resolved_at": 2,
            }
        ],
    }
    assert not any(
        "verdict--wrong" in str(getattr(c, "className", ""))
        for c in walk(ops_layout.ledger(view(), settled, {}))
    )


@pytest.mark.parametrize(("kind", "role", "opens"), [
    ("mqtt_dropped", "administrator", {"mismatch": 7}),
    ("mqtt_dropped", "auditor", None),
    ("broker_vs_ledger", "administrator", None),
])  # fmt: skip
def test_a_loss_is_opened_by_who_may_settle_it(kind: str, role: str, opens: object) -> None:
    row = {"id": 7, "kind": kind, "topic": "t", "partition": 0, "expected": 1, "found": 0, "found_at": 1}
    answer = {"rows": [], "partitions": [], "mismatches": [row]}
    (table,) = (
        c
        for c in walk(ops_layout.ledger(view(role=role), answer, {}))
        if getattr(c, "id", "") == ids.OPS_MISMATCHES
    )
    assert [line["open"] for line in table.rowData] == [opens]


def test_leader_sees_each_unknown_thing_with_its_way() -> None:
    rows = leader_layout.unknown_rows(
        {
            "ledger_mismatches": 2,
            "silent_feeds": ["simulation"],
            "stale_indicators": [{"id": "open", "name": "在办事件", "name_en": "Open incidents", "at": 1}],
            "silent_devices": 3,
            "held_messages": 5,
            "unresolved_places": {"rows": [{"id": 4, "title": "t", "number": "n", "reported_at": 1}]},
        }
    )
    page = leader_layout.unknown(view(), rows)
    assert [c.href for c in walk(page) if getattr(c, "href", None)] == [
        "/ops#ledger",
        "/ops#feeds",
        "/desk#of=open",
        "/desk#of=devices_online",
        "/ops#held",
        "/desk#incident=4",
    ]
    shown = text_of(page)
    assert all(word in shown for word in ("× 2", "simulation", "在办事件", "× 3", "× 5"))
    assert leader_layout.unknown_rows({"unresolved_places": {"rows": []}}) == [], (
        "what is not told is not shown"
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_devices_behind_a_figure_are_shown_with_its_parts(lang: str) -> None:
    row = {
        "id": "WL-1", "name": "水位", "type_name": "水位计", "type_name_en": "Water gauge", "area": "990100/",
        "silent": True, "received": 3, "expected": 15, "period_s": 60.0, "newest": None,
    }  # fmt: skip
    answer = {"rows": [row], "total": 5_000, "numerator": 4_999, "denominator": 5_000}
    shown = lists.devices(view(lang), answer)
    assert all(
        word in text_of(shown)
        for word in ("WL-1", "3 / 15", "4,999 / 5,000", view(lang).t("feed.status.silent"))
    )
    assert "4,999" not in text_of(
        lists.devices(view(lang), {**answer, "numerator": None, "denominator": None})
    )


def test_lines_on_the_wall_cannot_be_pressed() -> None:
    rows = [{"id": 1, "level": 3, "number": "n", "title": "t", "stage": "closed", "reported_at": 1}]

    def pressable(shown: Any) -> list[Any]:
        return [c for c in walk(shown) if getattr(c, "role", "") == "button" or hasattr(c, "data-incident")]

    assert pressable(lists.records(view(), rows, 1))
    assert not pressable(lists.records(view(), rows, 1, opens=False))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_empty_lists_are_said_in_words(lang: str) -> None:
    v = view(lang)
    for shown in (
        lists.found(v, []),
        lists.records(v, [], 0),
        ops_layout.dead(v, {"rows": []}, {}),
        leader_layout.waiting(v, []),
    ):
        assert any("cy-empty" in str(getattr(c, "className", "")) for c in walk(shown))


def test_class_options_are_found_by_name_code_and_keywords() -> None:
    [option] = intake.class_options(
        view(),
        [
            {
                "code": "C0101",
                "name": "井盖缺损",
                "name_en": "Manhole cover",
                "big_class": "公用设施",
                "keywords": "窨井",
            }
        ],
    )
    assert option["value"] == "C0101" and all(w in option["search"] for w in ("C0101", "Manhole", "窨井"))


def test_an_accounts_own_areas_are_always_offered() -> None:
    choices = [{"label": "临澜市", "value": "990100/"}]
    assert with_own(choices, ["990100/", "990100/990101/"])[1:] == [
        {"label": "990101", "value": "990100/990101/"}
    ]
    assert with_own(choices, None) == choices


def test_moments_are_shown_in_city_time() -> None:
    assert view().moment("2026-11-21T08:00:00Z", "%H:%M") == "16:00"
    assert epoch_ms("2026-11-21T08:00:00Z") == epoch_ms(1795248000000)
    assert view().moment(None) == ""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_storage_says_when_it_is_full_and_what_it_does_not_know(lang: str) -> None:
    def row(what: str, **given: Any) -> dict[str, Any]:
        return {"what": what, "unit": "bytes", "used": 1, "capacity": None, "at": 1, "per_day": None,
                "full_at": None, **given}  # fmt: skip

    rows = [
        row("store", used=1_250_000_000, capacity=5 * 10**9, per_day=86.4e6, full_at=1_795_672_800_000),
        row("bus", used=999, per_day=12.0),
        row("live", capacity=100, per_day=-3.2),
        row("files"),
        row("held", unit="rows", used=12, per_day=24.0),
    ]
    t = view(lang).t
    shown = text_of(ops_layout.status(view(lang), {"storage": rows}))
    for words in (
        "1.2 GB", "5.0 GB", "25 %", "+86.4 MB", view(lang).moment(1_795_672_800_000, "%Y-%m-%d %H:%M"), "999 B",
        t("ops.storage.unknown"), t("ops.storage.never"), "-3 B", t("ops.storage.short"), t("ops.storage.held"), "+24",
    ):  # fmt: skip
        assert words in shown, words


def test_sizes_are_read_at_a_glance() -> None:
    sizes = (0, 999, 1000, 99_949, 99_951, 999_499, 999_501, 1.5e12, -2_000_000, None)
    assert [figures.size(n) for n in sizes] == [
        "0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "999 kB", "1.0 MB", "1.5 TB", "-2.0 MB", "–"
    ]  # fmt: skip


# ------------------------------------------------------------------ keys, batch, side by side


def test_no_key_stands_for_two_buttons_at_once() -> None:
    """Whoever it is, in whatever stage: a key presses one button."""
    for stage in Stage:
        for role in ROLES:
            who = Actor(9, "x", "x", role, "U1", ("990100/",))
            found = Incident(
                id=1, number="1", class_code="", class_name="", title="", text="", stage=stage, level=3,
                place=Place(area_path="990100/"), reported_at=datetime(2026, 1, 1, tzinfo=UTC), unit="U1",
            )  # fmt: skip
            for asked in (None, Request("extension", 3, found.reported_at, "x")):
                actions = pressable(replace(found, asked=asked), who)
                used = [keys.KEY_OF[a] for a in actions if a in keys.KEY_OF]
                assert len(used) == len(set(used)), (stage, role, actions)


def test_every_key_that_a_button_has_is_in_the_help() -> None:
    told = {key for line, _ in keys.HELP for key in line.split(" ")}
    assert set(keys.KEY_OF.values()) <= told


@pytest.mark.parametrize("lang", LANGUAGES)
def test_two_incidents_side_by_side(lang: str) -> None:
    reasons = [
        {"code": "distance", "distance_m": 84.6, "reach_m": 100.0},
        {"code": "gap", "gap_h": 0.02, "window_h": 48},
    ]
    one = incident(id=1, suggested=[{"id": 2, "score": 0.71, "reasons": reasons}])
    shown = text_of(compare.compared(view(lang), one, incident(id=2, number="LL2", address="别处")))
    assert "71%" in shown and "LL2" in shown and "别处" in shown
    assert '"action": "merge_into", "id": 1' in shown and '"action": "merge_into", "id": 2' in shown
    minutes = "相隔 1 分钟" if lang == "zh" else "1 min apart"
    assert minutes in shown and "0.0" not in shown


def test_the_batch_offers_what_a_role_may() -> None:
    def offered(role: str) -> set[str]:
        return {
            getattr(c, "data-batch") for c in walk(batch.bar(view(role=role))) if getattr(c, "data-batch", "")
        }

    assert "accept" in offered("operator") and "void" not in offered("operator")
    assert "supervise" in offered("duty_leader") and "accept" not in offered("duty_leader")
    assert offered("wall") == set()


def test_what_became_of_a_batch_is_told_for_each() -> None:
    done = [
        ({"id": 1, "number": "LL1", "title": "a"}, ""),
        ({"id": 2, "number": "LL2", "title": "b"}, "别人先办了"),
    ]
    shown = text_of(batch.results(view(), "accept", done))
    assert "完成 1 件，未完成 1 件" in shown and "别人先办了" in shown
