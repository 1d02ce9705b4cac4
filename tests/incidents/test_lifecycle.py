"""Laws of `advance`: whatever anyone does in whatever order, the life-cycle keeps its word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.appeals import AGAINST, Appeal
from incidents.assisting import Assist, waiting
from incidents.concessions import Request
from incidents.lifecycle import (
    TRANSITIONS,
    WRONG_FIELDS,
    Step,
    allowed_actions,
    escalation_due,
    file_report,
)
from incidents.model import (
    Actor,
    ClockKind,
    DomainEvent,
    Incident,
    Place,
    Policy,
    Rejected,
    Stage,
    TimelineEntry,
)
from incidents.supervision import demanded
from tests.working import advance

T0 = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
STAGE_LIMITS = {"reported": 15, "accepted": 15, "returned_result": 30}
HELD = {Stage.DISPATCHED, Stage.TAKEN, Stage.ON_SITE, Stage.HANDLED}
FINAL = {Stage.CLOSED, Stage.REFUSED, Stage.VOID}
ACTIONS = sorted({t.action for t in TRANSITIONS})

# The table of ARCHITECTURE §6 and FIELD E2, written out by hand: action → stage before → stage after.
EXPECTED: dict[str, dict[str, str]] = {
    "accept": {"reported": "accepted"},
    "refuse": {"reported": "refused"},
    "consult": {"reported": "refused"},
    "dispatch": {"accepted": "dispatched"},
    "reassign": {"dispatched": "dispatched", "taken": "dispatched", "on_site": "dispatched"},
    "take": {"dispatched": "taken"},
    "arrive": {"taken": "on_site"},
    "handle": {"on_site": "handled"},
    "feed_back": {"handled": "returned_result"},
    "return": {"dispatched": "accepted", "taken": "accepted", "on_site": "accepted"},
    "pass_check": {"returned_result": "checked"},
    "fail_check": {"returned_result": "dispatched"},
    "close": {"checked": "closed"},
    "void": dict.fromkeys(("reported", "accepted", "dispatched", "taken", "on_site"), "void"),
    "correct": {"reported": "reported", "accepted": "accepted"},
    **{
        action: {
            s: s
            for s in ("reported", "accepted", "dispatched", "taken", "on_site", "handled", "returned_result",
                      "checked")
        }
        for action in (
            "acknowledge", "escalate", "join", "note", "sign_supervision", "answer_supervision",
            "end_supervision", "raise_supervision", "absorb",
        )
    },
    **{
        action: {s: s for s in ("dispatched", "taken", "on_site")}
        for action in ("ask_extension", "ask_parking", "grant_request", "refuse_request", "unpark", "recount")
    },
    **{action: {"closed": "closed"} for action in ("appeal", "grant_appeal", "refuse_appeal", "call_back")},
    "ask_assist": {s: s for s in ("dispatched", "taken", "on_site")},
    **{
        action: {s: s for s in ("accepted", "dispatched", "taken", "on_site")}
        for action in ("take_assist", "arrive_assist", "answer_assist", "release_assist")
    },
    "reopen": {"closed": "accepted"},
    "supervise": {s: s for s in ("dispatched", "taken", "on_site", "handled")},
    "release": {str(s): str(s) for s in Stage},
    "merge": dict.fromkeys(("reported", "accepted", "dispatched", "taken", "on_site"), "void"),
    "restore": {"void": "reported"},
}  # fmt: skip


def policy(limit_min: int = 60, needs_photo: bool = False) -> Policy:
    return Policy("0101", 1, limit_min, ClockKind.URGENT_HOUR, needs_photo, STAGE_LIMITS)


def reported(level: int = 3, at: datetime = T0) -> Incident:
    """An incident that has just been reported."""
    incident = Incident(
        id=7, number="LL2026112100007", class_code="0101", class_name="道路积水", title="积水", text="路口积水",
        stage=Stage.REPORTED, level=level, place=Place(113.9, 21.9, "", "c", "990100/"), reported_at=at, version=1,
    )  # fmt: skip
    return file_report(incident, at)


def person(id: int = 1, role: str = "operator", login: str = "") -> Actor:
    return Actor(id, login or f"{role}-{id}", f"某{id}", role, "U1", ("990100/",))


DEMAND = demanded(2, "加快", timedelta(hours=1), 8, T0)
HELP = Assist("U1", "围挡", 2, T0)
ASKED = Request("extension", 3, T0 + timedelta(minutes=2), "等配件")


def prepared(incident: Incident, action: str) -> Incident:
    """The incident with what an action needs something of, done before."""
    # Whoever accepted it has silenced the bell; here it is to ring in every stage.
    incident = replace(incident, acknowledged_by=None)
    match action:
        case "ask_extension" | "ask_parking":
            return replace(incident, clock=incident.clock and replace(incident.clock, allowed_s=1e6))
        case "grant_request" | "refuse_request":
            return replace(incident, asked=ASKED)
        case "unpark" if incident.clock is not None:
            far = T0 + timedelta(days=9)
            return replace(incident, clock=replace(incident.clock, since=None, parked_until=far))
        case "sign_supervision" | "answer_supervision" | "end_supervision":
            return replace(incident, supervision=DEMAND)
        case "raise_supervision":
            return replace(incident, supervision=replace(DEMAND, due_at=T0))
        case "take_assist" | "answer_assist" | "release_assist":
            return replace(incident, unit="U9", assists=(HELP,))
        case "arrive_assist":
            return replace(incident, unit="U9", assists=(replace(HELP, taken_at=T0),))
        case "appeal":
            return replace(incident, overdue=True)
        case "restore":
            return replace(incident, merged_into=9, sources=0)
        case "release":
            return replace(incident, sources=3)
        case "grant_appeal" | "refuse_appeal":
            return replace(incident, appeal=Appeal("overdue", "等审批", 3, T0))
    return incident


OPERATOR, DISPATCHER, WORKER = person(1), person(2, "dispatcher"), person(3, "grid_worker")
GOOD = {
    "accept": Step("accept", "desk", policy=policy(), class_name="道路积水"),
    "refuse": Step("refuse", "desk", reason="不在本市"),
    "consult": Step("consult", "desk", reason="八点开门"),
    "dispatch": Step("dispatch", "desk", unit="U1"),
    "reassign": Step("reassign", "desk", unit="U2", reason="更近"),
    "return": Step("return", "phone", reason="不归我们", wrong_field="owner"),
    "fail_check": Step("fail_check", "desk", reason="还有积水"),
    "void": Step("void", "desk", reason="重复"),
    "escalate": Step("escalate", "timer", reason="stage_overdue"),
    "join": Step("join", "sensor", cause_id="m-2"),
    "note": Step("note", "desk", reason="已电话联系"),
    "correct": Step("correct", "desk", reason="错别字"),
    "handle": Step("handle", "phone", reason="已抽排", evidence=("ab" * 32,)),
    "ask_extension": Step("ask_extension", "desk", reason="等配件"),
    "ask_parking": Step("ask_parking", "desk", reason="待雨季过", until=T0 + timedelta(days=90)),
    "refuse_request": Step("refuse_request", "desk", reason="理由不足"),
    "unpark": Step("unpark", "desk", reason="提前到货"),
    "recount": Step("recount", "timer", reason="日历已公布"),
    "supervise": Step("supervise", "desk", reason="加快", supervision=DEMAND),
    "answer_supervision": Step("answer_supervision", "desk", reason="今晚完成"),
    "raise_supervision": Step("raise_supervision", "timer", reason="超时未回复"),
    "ask_assist": Step("ask_assist", "desk", unit="U7", reason="交通疏导"),
    "answer_assist": Step("answer_assist", "phone", reason="已疏导"),
    "release_assist": Step("release_assist", "desk", unit="U1", reason="不再需要"),
    "appeal": Step("appeal", "desk", reason="等审批", against="overdue"),
    "grant_appeal": Step("grant_appeal", "desk", reason="属实"),
    "refuse_appeal": Step("refuse_appeal", "desk", reason="不属实"),
    "call_back": Step("call_back", "desk", satisfaction=4),
    "merge": Step("merge", "desk", reason="同一处", into=9),
    "absorb": Step("absorb", "desk", reason="同一处", count=2),
    "release": Step("release", "desk", reason="两处", count=1),
    "restore": Step("restore", "desk", reason="两处", count=1),
    "reopen": Step("reopen", "desk", reason="又积水了"),
}


def good(action: str) -> Step:
    """A step that has everything its action asks for."""
    return GOOD.get(action, Step(action, "desk"))


def run(incident: Incident, *steps: tuple[str | Step, Actor], minutes: float = 1) -> Incident:
    """Carry out steps, `minutes` apart."""
    now = incident.stage_since or T0
    for step, actor in steps:
        now += timedelta(minutes=minutes)
        incident, _, _ = advance(incident, good(step) if isinstance(step, str) else step, actor, now)
    return incident


TO_STAGE: dict[Stage, tuple[tuple[str | Step, Actor], ...]] = {
    Stage.REPORTED: (),
    Stage.ACCEPTED: (("accept", OPERATOR),),
    Stage.REFUSED: (("refuse", OPERATOR),),
    Stage.VOID: (("void", DISPATCHER),),
}
for _stage, _before, _step in (
    (Stage.DISPATCHED, Stage.ACCEPTED, ("dispatch", DISPATCHER)),
    (Stage.TAKEN, Stage.DISPATCHED, ("take", WORKER)),
    (Stage.ON_SITE, Stage.TAKEN, ("arrive", WORKER)),
    (Stage.HANDLED, Stage.ON_SITE, ("handle", WORKER)),
    (Stage.RETURNED_RESULT, Stage.HANDLED, ("feed_back", WORKER)),
    (Stage.CHECKED, Stage.RETURNED_RESULT, ("pass_check", OPERATOR)),
    (Stage.CLOSED, Stage.CHECKED, ("close", OPERATOR)),
):
    TO_STAGE[_stage] = (*TO_STAGE[_before], _step)


def at_stage(stage: Stage) -> Incident:
    return run(reported(), *TO_STAGE[stage])


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("action", sorted(EXPECTED))
def test_the_table(action: str, stage: Stage) -> None:
    """Every action from every stage does what is written by hand above, and nothing else."""
    incident = at_stage(stage)
    target = EXPECTED[action].get(str(stage))
    if target is None:
        with pytest.raises(Rejected) as refused:
            advance(incident, good(action), person(9), T0 + timedelta(hours=1))
        assert refused.value.code == "stage"
        assert incident.last_actor in str(refused.value) or not incident.last_actor
        return
    changed, entry, _ = advance(prepared(incident, action), good(action), person(9), T0 + timedelta(hours=1))
    assert str(changed.stage) == target
    assert (entry.from_stage, entry.to_stage) == (str(stage), target)


def test_table_and_code_name_the_same_actions() -> None:
    assert set(EXPECTED) == set(ACTIONS)
    for stage in Stage:
        assert set(allowed_actions(stage)) == {a for a in EXPECTED if str(stage) in EXPECTED[a]}


words = st.sampled_from(["", "不归我们", "x", "已处置"])
steps = st.builds(
    Step,
    action=st.sampled_from([*ACTIONS, "delete", "", *["(possible)"] * 60]),
    channel=st.sampled_from(["desk", "phone", "timer"]),
    reason=words,
    unit=st.sampled_from(["", "U1", "U2"]),
    worker=st.sampled_from(["", "w1", "w2"]),
    wrong_field=st.sampled_from(["", *WRONG_FIELDS, "weather"]),
    evidence=st.sampled_from([(), ("a" * 64,)]),
    policy=st.sampled_from([None, policy(60), policy(30, needs_photo=True)]),
    level=st.sampled_from([*[None] * 20, 1, 2, 3, 4, 0, 5]),
    cause_id=st.sampled_from(["", "m-1"]),
    detail=st.sampled_from([(), (("level", 1),), (("level", 4),)]),
    until=st.sampled_from([None, T0 + timedelta(days=1), T0 + timedelta(days=500)]),
    supervision=st.sampled_from([None, DEMAND]),
    against=st.sampled_from(["", *AGAINST]),
    satisfaction=st.sampled_from([None, 0, 1, 5, 6]),
    into=st.sampled_from([None, 9]),
    count=st.integers(0, 3),
)
actors = st.builds(person, id=st.integers(1, 4), role=st.sampled_from(["operator", "grid_worker", "system"]))
moves = st.lists(st.tuples(steps, actors, st.integers(0, 90)), max_size=40)


def chosen(step: Step, incident: Incident, minutes: int) -> Step:
    """Mostly a step that is possible from here, so that a sequence gets far; sometimes any."""
    possible = allowed_actions(incident.stage)
    if step.action != "(possible)" or not possible:
        return step
    return replace(step, action=possible[minutes % len(possible)])


@given(moves)
def test_any_sequence_keeps_the_laws(found: list[tuple[Step, Actor, int]]) -> None:
    incident, now = reported(), T0
    for wish, actor, minutes in found:
        step = chosen(wish, incident, minutes)
        now += timedelta(minutes=minutes)
        before = replace(incident)
        try:
            changed, entry, events = advance(incident, step, actor, now)
        except Rejected as refused:
            assert refused.code in ("stage", "field", "rule")
            assert incident == before, "a refused step changes nothing"
            continue
        check_one_step(before, changed, entry, events, step, actor, now)
        incident = changed


def check_one_step(
    old: Incident, new: Incident, entry: TimelineEntry, events: tuple[DomainEvent, ...], step: Step,
    actor: Actor, now: datetime,
) -> None:  # fmt: skip
    """What must hold of every step that is let through."""
    if old.stage in FINAL:
        after = ("appeal", "grant_appeal", "refuse_appeal", "call_back", "reopen")
        back = step.action == "release" or (step.action == "restore" and old.merged_into is not None)
        assert back or (old.stage is Stage.CLOSED and step.action in after), "final stages stay final"
    assert EXPECTED[step.action].get(str(old.stage)) == str(new.stage), "no way around the table"
    assert new.version == old.version + 1
    assert (entry.from_stage, entry.to_stage) == (str(old.stage), str(new.stage))
    assert (entry.at, entry.action, entry.actor_id, entry.role) == (now, step.action, actor.id, actor.role)
    assert (entry.channel, entry.reason, entry.cause_id) == (step.channel, step.reason, step.cause_id)
    assert (new.last_action, new.last_actor) == (step.action, actor.name)
    assert events[0] == DomainEvent(f"incident.{step.action}", old.id, {"version": new.version})
    assert new.open == (new.stage not in FINAL)
    assert new.level in (1, 2, 3, 4)
    for name in ("id", "number", "place", "reported_at", "merge_key", "text"):
        assert getattr(new, name) == getattr(old, name), f"a step never changes {name}"
    if step.action not in ("merge", "restore", "absorb", "release"):
        assert new.sources - old.sources in (0, 1)
    for name in ("returns", "reworks"):
        assert getattr(new, name) - getattr(old, name) in (0, 1)
    if old.overdue and not new.overdue:
        assert step.action == "grant_request" and old.asked is not None and not old.asked.overdue, (
            "once late stays late, but for what became so while a request waited"
        )
    assert old.first_unit in ("", new.first_unit), "who was first sent to is kept"
    if new.stage is not old.stage or step.action == "reassign":
        assert new.stage_since == now
    else:
        assert new.stage_since == old.stage_since
        if new.clock == old.clock:
            assert new.stage_due_at == old.stage_due_at
    if new.stage in (Stage.DISPATCHED, Stage.TAKEN, Stage.ON_SITE, Stage.HANDLED):
        assert new.stage_due_at == new.handle_due_at, "a unit's stage is due when handling is"
    if step.action in ("pass_check", "fail_check"):
        assert actor.id != old.handled_by, "nobody checks his own work"
    if step.action == "handle" and old.policy and old.policy.needs_photo:
        assert step.evidence, "this class asks for a photo"
    if step.action == "handle":
        assert not waiting(old.assists), "the result waits for every unit that assists"
    if new.stage not in FINAL:
        assert len(new.assists) >= len(old.assists) or step.action == "restore", "help asked for stays told"
    else:
        assert not waiting(new.assists), "nobody waits for an incident that has ended"
    assert new.unit == "" or new.unit not in waiting(new.assists), "who leads does not assist"
    if step.action == "return":
        assert step.wrong_field in WRONG_FIELDS and new.unit == "" and new.returns == old.returns + 1
    if step.action not in ("accept", "correct"):
        assert new.policy == old.policy, "the policy is frozen"
    if step.action == "join":
        assert new.level <= old.level or step.level is not None, "a further source never makes it milder"
        if step.level is None and new.level < old.level and new.level <= 2:
            assert new.acknowledged_by is None and new.acknowledged_at is None, (
                "raised to I or II: it rings again"
            )
            assert new.rings_since == now
        else:
            assert new.acknowledged_by == old.acknowledged_by, "else whoever has silenced it has silenced it"
    if new.stage in FINAL and old.stage not in FINAL:
        assert new.closed_at == now
        assert new.supervision is None or not new.supervision.open, "nobody waits for an answer any more"
    assert (new.closed_at is None) == (new.stage not in FINAL)
    check_the_clock(old, new, step)
    ordered = [e for e in events if e.name == "order.issued"]
    anew = new.stage is Stage.DISPATCHED and (
        old.stage is not Stage.DISPATCHED or (new.unit, new.worker) != (old.unit, old.worker)
    )
    assert len(ordered) == int(anew), "an order goes out exactly when somebody gets new work"
    ended = [e for e in events if e.name == "order.ended"]
    left = old.stage in HELD and new.stage not in HELD
    assert len(ended) == int(left), "an order ends exactly when the incident leaves its unit"
    helping, helped = ({one.unit for one in i.assists if one.open} for i in (old, new))
    told = [(e.name, e.payload["unit"]) for e in events if e.name in ("assist.issued", "assist.ended")]
    assert sorted(told) == sorted(
        [("assist.issued", unit) for unit in helped - helping]
        + [("assist.ended", unit) for unit in helping - helped]
    ), "a unit that assists has an order exactly as long as somebody waits for it"


def check_the_clock(old: Incident, new: Incident, step: Step) -> None:
    """It runs, or is parked, exactly while a unit works; what was asked lapses with the unit."""
    if new.clock is not None:
        runs = new.clock.since is not None or new.clock.parked_until is not None
        assert runs == (new.stage in HELD), (old.stage, step.action, new.stage)
        assert new.clock.extensions <= 2
        if new.stage in HELD:
            assert new.clock.unit == new.unit
    else:
        assert new.stage not in HELD
    if new.asked is not None:
        assert new.stage in HELD and new.unit == old.unit
    if new.clock is not None and old.clock is not None and old.stage in HELD and new.stage not in HELD:
        assert new.clock.allowed_s == old.clock.allowed_s, "giving it back takes nothing from the rest"


@pytest.mark.parametrize(
    ("action", "stage", "without", "field"),
    [
        ("accept", Stage.REPORTED, {"policy": None}, "policy"),
        ("refuse", Stage.REPORTED, {"reason": ""}, "reason"),
        ("dispatch", Stage.ACCEPTED, {"unit": ""}, "unit"),
        ("reassign", Stage.TAKEN, {"unit": ""}, "unit"),
        ("reassign", Stage.TAKEN, {"reason": ""}, "reason"),
        ("return", Stage.TAKEN, {"reason": ""}, "reason"),
        ("return", Stage.TAKEN, {"wrong_field": ""}, "wrong_field"),
        ("return", Stage.TAKEN, {"wrong_field": "weather"}, "wrong_field"),
        ("fail_check", Stage.RETURNED_RESULT, {"reason": ""}, "reason"),
        ("void", Stage.DISPATCHED, {"reason": ""}, "reason"),
        ("escalate", Stage.REPORTED, {"reason": ""}, "reason"),
        ("join", Stage.REPORTED, {"cause_id": ""}, "cause_id"),
        ("note", Stage.CHECKED, {"reason": ""}, "reason"),
        ("correct", Stage.ACCEPTED, {"reason": ""}, "reason"),
        ("note", Stage.CHECKED, {"level": 5}, "level"),
        ("ask_extension", Stage.TAKEN, {"reason": ""}, "reason"),
        ("ask_parking", Stage.TAKEN, {"until": None}, "until"),
        ("supervise", Stage.TAKEN, {"supervision": None}, "supervision"),
        ("appeal", Stage.CLOSED, {"against": "weather"}, "against"),
        ("appeal", Stage.CLOSED, {"reason": ""}, "reason"),
        ("ask_assist", Stage.TAKEN, {"unit": ""}, "unit"),
        ("answer_assist", Stage.TAKEN, {"reason": ""}, "reason"),
        ("release_assist", Stage.TAKEN, {"reason": ""}, "reason"),
        ("call_back", Stage.CLOSED, {"satisfaction": None}, "satisfaction"),
        ("call_back", Stage.CLOSED, {"satisfaction": 6}, "satisfaction"),
        ("reopen", Stage.CLOSED, {"reason": ""}, "reason"),
    ],
)
def test_what_a_step_must_say(action: str, stage: Stage, without: dict[str, object], field: str) -> None:
    step = replace(good(action), **without)  # type: ignore[arg-type]
    with pytest.raises(Rejected) as refused:
        advance(at_stage(stage), step, person(9), T0 + timedelta(hours=1))
    assert (refused.value.code, refused.value.field) == ("field", field)
    assert field in str(refused.value), "the text names the field"


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(Rejected) as refused:
        advance(reported(), Step("delete", "desk"), OPERATOR, T0)
    assert (refused.value.code, refused.value.field) == ("field", "action")


# -- stories -------------------------------------------------------------------------------------------------


def test_story_full_path() -> None:
    """上报 → 受理 → 派遣 → 接单 → 到场 → 处置 → 反馈 → 核查 → 结案."""
    incident, now, told = reported(level=2), T0, []
    for action, actor in TO_STAGE[Stage.CLOSED]:
        now += timedelta(minutes=5)
        assert isinstance(action, str)
        incident, entry, _ = advance(incident, good(action), actor, now)
        told.append(entry.to_stage)
    assert told == ["accepted", "dispatched", "taken", "on_site", "handled", "returned_result", "checked",
                    "closed"]  # fmt: skip
    assert not incident.open and incident.closed_at == now and incident.version == 9
    assert (incident.handled_by, incident.checked_by) == (WORKER.id, OPERATOR.id)
    assert incident.worker == WORKER.login, "who takes it has it"
    assert incident.dispatched_at == T0 + timedelta(minutes=10)
    assert incident.returned_result_at == T0 + timedelta(minutes=30)
    assert not incident.overdue


def test_story_refused() -> None:
    incident = run(reported(), ("refuse", OPERATOR))
    assert incident.stage is Stage.REFUSED and incident.closed_at and not incident.open
    assert incident.acknowledged_by == OPERATOR.id, "the bell stops"


@pytest.mark.parametrize(
    "stage", [Stage.REPORTED, Stage.ACCEPTED, Stage.DISPATCHED, Stage.TAKEN, Stage.ON_SITE]
)
def test_story_void(stage: Stage) -> None:
    incident = run(at_stage(stage), ("void", DISPATCHER))
    assert (
        incident.stage is Stage.VOID
        and incident.closed_at
        and allowed_actions(incident.stage) == ("release", "restore")
    )


def test_story_returned_and_sent_to_another() -> None:
    incident = run(
        at_stage(Stage.TAKEN), ("return", WORKER), (Step("dispatch", "desk", unit="U2"), DISPATCHER)
    )
    assert (incident.stage, incident.unit, incident.worker) == (Stage.DISPATCHED, "U2", "")
    assert (incident.first_unit, incident.returns) == ("U1", 1), "first dispatch was wrong: it stays told"


def test_story_failed_check_goes_back_to_the_unit() -> None:
    incident = run(at_stage(Stage.RETURNED_RESULT), ("fail_check", OPERATOR))
    assert (incident.stage, incident.unit, incident.reworks) == (Stage.DISPATCHED, "U1", 1)
    assert incident.returned_result_at is None
    again = run(incident, *TO_STAGE[Stage.CHECKED][2:])
    assert again.stage is Stage.CHECKED and again.reworks == 1


def test_story_late_once_then_in_time_at_another_unit() -> None:
    incident = run(at_stage(Stage.ON_SITE), ("handle", WORKER), ("feed_back", WORKER), minutes=100)
    assert incident.overdue
    anew = Step("reassign", "desk", unit="U2", reason="换单位")
    incident = run(incident, ("fail_check", OPERATOR), (anew, DISPATCHER), *TO_STAGE[Stage.CLOSED][2:])
    assert incident.stage is Stage.CLOSED and incident.overdue, "it was late: it stays told"


@pytest.mark.parametrize(("had", "joins", "becomes"), [(3, 1, 1), (1, 3, 1), (2, 2, 2)])
def test_story_a_further_source_joins(had: int, joins: int, becomes: int) -> None:
    step = Step("join", "sensor", cause_id="m-2", detail=(("level", joins),))
    incident = run(reported(level=had), (step, person(0, "system")))
    assert (incident.sources, incident.level, incident.stage) == (2, becomes, Stage.REPORTED)


def test_who_handled_it_may_not_check_it() -> None:
    incident = at_stage(Stage.RETURNED_RESULT)
    for action in ("pass_check", "fail_check"):
        with pytest.raises(Rejected) as refused:
            advance(incident, good(action), WORKER, T0 + timedelta(hours=1))
        assert (refused.value.code, refused.value.field) == ("rule", "actor")


def test_a_class_that_asks_for_a_photo() -> None:
    accept = Step("accept", "desk", policy=policy(needs_photo=True))
    on_site = run(reported(), (accept, OPERATOR), *TO_STAGE[Stage.ON_SITE][1:])
    with pytest.raises(Rejected) as refused:
        advance(on_site, Step("handle", "phone", reason="好了"), WORKER, T0 + timedelta(hours=1))
    assert (refused.value.code, refused.value.field) == ("rule", "evidence")
    assert run(on_site, ("handle", WORKER)).stage is Stage.HANDLED


def test_story_two_desks_press_the_same_button() -> None:
    taken = run(reported(), ("accept", OPERATOR))
    with pytest.raises(Rejected) as refused:
        advance(taken, good("accept"), person(5), T0 + timedelta(minutes=2))
    assert refused.value.code == "stage"
    assert refused.value.facts["first"] == OPERATOR.name and refused.value.facts["first_action"] == "accept"


def test_acknowledged_once() -> None:
    rung = run(reported(level=1), ("acknowledge", OPERATOR))
    assert (rung.acknowledged_by, rung.stage) == (OPERATOR.id, Stage.REPORTED)
    with pytest.raises(Rejected) as refused:
        advance(rung, good("acknowledge"), person(5), T0 + timedelta(minutes=2))
    assert refused.value.code == "stage" and refused.value.facts["first"] == OPERATOR.name


def test_work_stops_the_bell() -> None:
    for action in ("accept", "refuse", "void"):
        assert run(reported(level=1), (action, OPERATOR)).acknowledged_by == OPERATOR.id


# -- clocks --------------------------------------------------------------------------------------------------


def test_stage_limits() -> None:
    """受理 15 min, 派遣 15 min, 核查 30 min, handling by the class; none once checked or final (FIELD E2)."""
    incident, now = reported(), T0
    assert incident.stage_due_at == T0 + timedelta(minutes=15)
    due = {}
    for action, actor in TO_STAGE[Stage.CLOSED]:
        now += timedelta(minutes=5)
        assert isinstance(action, str)
        incident, _, _ = advance(incident, good(action), actor, now)
        due[str(incident.stage)] = incident.stage_due_at
    handling = T0 + timedelta(minutes=10 + 60)
    assert due == {
        "accepted": T0 + timedelta(minutes=5 + 15),
        "dispatched": handling,
        "taken": handling,
        "on_site": handling,
        "handled": handling,
        "returned_result": T0 + timedelta(minutes=30 + 30),
        "checked": None,
        "closed": None,
    }


@given(st.integers(1, 500), st.integers(0, 300), st.integers(0, 300))
def test_handling_clock_of_a_reassigned_incident(limit: int, first: int, second: int) -> None:
    """Re-sent to the same unit the clock runs on; to another it starts anew."""
    accept = Step("accept", "desk", policy=policy(limit))
    sent_at = T0 + timedelta(minutes=first)
    incident, _, _ = advance(reported(), accept, OPERATOR, T0)
    incident, _, _ = advance(incident, Step("dispatch", "desk", unit="U1"), DISPATCHER, sent_at)
    assert incident.handle_due_at == incident.stage_due_at == sent_at + timedelta(minutes=limit)
    later = sent_at + timedelta(minutes=second)
    for unit, due in (("U1", incident.handle_due_at), ("U2", later + timedelta(minutes=limit))):
        step = Step("reassign", "desk", unit=unit, reason="改派")
        changed, _, _ = advance(incident, step, DISPATCHER, later)
        assert changed.handle_due_at == due
        assert changed.stage_due_at == due, "the stage's due time is that of the clock"


@given(st.integers(1, 120), st.integers(0, 200), st.integers(0, 300))
def test_the_clock_stands_while_a_returned_incident_waits(limit: int, held: int, waited: int) -> None:
    """FIELD E2: back at the same unit the rest runs on, at another the clock starts anew; a unit that sends an
    incident round in a circle gains nothing, and one that returned it late was late."""
    incident, _, _ = advance(reported(), Step("accept", "desk", policy=policy(limit)), OPERATOR, T0)
    incident, _, _ = advance(incident, good("dispatch"), DISPATCHER, T0)
    returned_at = T0 + timedelta(minutes=held)
    incident, _, _ = advance(incident, good("return"), WORKER, returned_at)
    assert incident.handle_due_at is None and incident.stage_due_at == returned_at + timedelta(minutes=15)
    assert incident.overdue == (held > limit)
    sent_at = returned_at + timedelta(minutes=waited)
    for unit, rest in (("U1", limit - held), ("U2", limit)):
        again, _, _ = advance(incident, Step("dispatch", "desk", unit=unit), DISPATCHER, sent_at)
        # What was overdue before it ran on is due at the moment it runs on.
        assert again.handle_due_at == again.stage_due_at == sent_at + timedelta(minutes=max(0, rest))


def test_failed_check_runs_on() -> None:
    """The time of the check is not the unit's: with the rework it has what it had left."""
    incident = at_stage(Stage.RETURNED_RESULT)
    assert incident.handle_due_at is None and incident.clock is not None and incident.stage_since is not None
    left = incident.clock.allowed_s - incident.clock.used_s
    back = run(incident, ("fail_check", OPERATOR), minutes=25)
    assert back.stage_since is not None and left > 0
    assert back.handle_due_at == back.stage_due_at == back.stage_since + timedelta(seconds=left)


@given(st.integers(1, 120), st.integers(-60, 60))
def test_late_is_late(limit: int, difference: int) -> None:
    """`overdue` is set when the unit's result comes after the handling limit, and only then."""
    incident, _, _ = advance(reported(), Step("accept", "desk", policy=policy(limit)), OPERATOR, T0)
    incident, _, _ = advance(incident, good("dispatch"), DISPATCHER, T0)
    for action in ("take", "arrive", "handle"):
        incident, _, _ = advance(incident, good(action), WORKER, T0)
    told = T0 + timedelta(minutes=limit, seconds=difference)
    incident, _, _ = advance(incident, good("feed_back"), WORKER, told)
    assert incident.overdue == (difference > 0)


@pytest.mark.parametrize(("took_min", "late"), [(59, False), (61, True)])
def test_a_check_that_takes_long_is_not_late_handling(took_min: int, late: bool) -> None:
    """Closed on time means handled within the limit, whenever somebody came to check it."""
    incident = run(at_stage(Stage.ON_SITE), ("handle", WORKER))
    assert incident.handle_due_at is not None
    told = incident.handle_due_at + timedelta(minutes=took_min - 60)
    incident, _, _ = advance(incident, good("feed_back"), WORKER, told)
    assert incident.stage_due_at is not None
    incident, _, _ = advance(
        incident, good("escalate"), DISPATCHER, incident.stage_due_at + timedelta(minutes=60)
    )
    assert incident.overdue == late


# -- escalation ----------------------------------------------------------------------------------------------


def escalated(incident: Incident, now: datetime) -> Incident:
    """What the timer does when something is due."""
    reason = escalation_due(incident, now)
    assert reason
    changed, _, _ = advance(incident, Step("escalate", "timer", reason=reason), person(0, "system"), now)
    return changed


def test_a_stage_past_its_limit_is_escalated_once() -> None:
    incident = reported(level=4)
    due = T0 + timedelta(minutes=15)
    assert escalation_due(incident, due) == "", "at the limit it is still in time"
    late = due + timedelta(seconds=1)
    assert escalation_due(incident, late) == "stage_overdue"
    told = escalated(incident, late)
    assert told.escalated_at == late and told.stage is Stage.REPORTED
    assert escalation_due(told, late + timedelta(hours=5)) == "", "told once"


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_level_one_or_two_is_escalated_after_60_s(level: int) -> None:
    incident = reported(level=level)
    assert escalation_due(incident, T0 + timedelta(seconds=60)) == ""
    expected = "unacknowledged" if level <= 2 else ""
    assert escalation_due(incident, T0 + timedelta(seconds=61)) == expected
    rung = run(incident, ("acknowledge", OPERATOR))
    assert escalation_due(rung, T0 + timedelta(seconds=90)) == ""


def test_a_deadline_after_an_unacknowledged_bell_is_escalated_too() -> None:
    incident = escalated(reported(level=1), T0 + timedelta(seconds=61))
    assert escalation_due(incident, T0 + timedelta(minutes=14)) == ""
    assert escalation_due(incident, T0 + timedelta(minutes=15, seconds=1)) == "stage_overdue"


def test_the_deadline_of_a_second_unit_is_escalated_too() -> None:
    incident = at_stage(Stage.DISPATCHED)
    assert incident.stage_due_at
    incident = escalated(incident, incident.stage_due_at + timedelta(seconds=1))
    incident = run(
        incident, ("return", WORKER), (Step("dispatch", "desk", unit="U2"), DISPATCHER), minutes=70
    )
    assert incident.stage_due_at
    assert escalation_due(incident, incident.stage_due_at) == ""
    assert escalation_due(incident, incident.stage_due_at + timedelta(seconds=1)) == "stage_overdue"


def test_one_deadline_is_escalated_once_however_far_the_unit_gets() -> None:
    incident = at_stage(Stage.DISPATCHED)
    assert incident.stage_due_at
    late = incident.stage_due_at + timedelta(seconds=1)
    incident = escalated(incident, late)
    for action in ("take", "arrive", "handle"):
        late += timedelta(minutes=1)
        incident, _, _ = advance(incident, good(action), WORKER, late)
        assert escalation_due(incident, late + timedelta(minutes=1)) == "", f"after {action}"


@given(moves, st.integers(0, 100_000))
def test_escalation_is_never_due_twice_for_one_deadline(
    found: list[tuple[Step, Actor, int]], seconds: int
) -> None:
    incident, now = reported(level=1), T0
    for step, actor, minutes in found:
        now += timedelta(minutes=minutes)
        try:
            incident, _, _ = advance(incident, chosen(step, incident, minutes), actor, now)
        except Rejected:
            continue
    now += timedelta(seconds=seconds)
    reason = escalation_due(incident, now)
    if not incident.open:
        assert reason == ""
    if reason:
        again = escalated(incident, now)
        assert escalation_due(again, now) == "" and again.escalated_at == now
        assert again.stage is incident.stage, "escalation moves nothing"


def test_story_a_join_raises_to_level_one_and_it_rings_again() -> None:
    """Acknowledged as III, raised to II: it rings, and goes to the leader 60 s after that; then raised to I."""
    incident = run(reported(level=3), ("acknowledge", OPERATOR), *TO_STAGE[Stage.TAKEN])
    at = T0 + timedelta(minutes=4, seconds=30)
    for level in (2, 1):
        worse = Step("join", "sensor", cause_id="m-2", detail=(("level", level),))
        incident, _, _ = advance(incident, worse, person(0, "system"), at)
        assert (incident.level, incident.acknowledged_by, incident.rings_since) == (level, None, at)
        assert escalation_due(incident, at + timedelta(seconds=60)) == "", "its 60 seconds begin anew"
        late = at + timedelta(seconds=61)
        assert escalation_due(incident, late) == "unacknowledged"
        incident, _, _ = advance(
            incident, Step("escalate", "timer", reason="unacknowledged"), person(0), late
        )
        assert escalation_due(incident, late + timedelta(seconds=61)) == "", "once per bell"
        incident, _, _ = advance(incident, Step("acknowledge", "desk"), OPERATOR, late)
        at = late + timedelta(seconds=30)
    same = Step("join", "sensor", cause_id="m-3", detail=(("level", 1),))
    incident, _, _ = advance(incident, same, person(0, "system"), at)
    assert incident.acknowledged_by == OPERATOR.id, "no worse than what was acknowledged"
