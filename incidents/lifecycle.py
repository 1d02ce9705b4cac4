"""The life-cycle: one TRANSITIONS table and `advance`, the only place that changes an incident's stage.

Pure: (incident, step, actor, now) → (incident, timeline entry, events). Source: ARCHITECTURE §6, FIELD E2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidents import assisting
from incidents.appeals import appealed, decided
from incidents.clocks import Clock, as_of, begun, due_at, left_s, resumed, stopped
from incidents.concessions import Request, granted, unparked
from incidents.limits import limit_of
from incidents.model import Actor, DomainEvent, Incident, Place, Policy, Rejected, Stage, TimelineEntry
from incidents.supervision import Supervision, answered, ended, is_late, raised, signed
from incidents.working_time import NotPublished, WorkingTime

S = Stage


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed step. `target` None keeps the stage; `needs` names fields of Step that must be filled."""

    action: str
    sources: frozenset[Stage]
    target: Stage | None
    needs: tuple[str, ...] = ()


def _t(action: str, sources: tuple[Stage, ...], target: Stage | None, *needs: str) -> Transition:
    return Transition(action, frozenset(sources), target, needs)


_WITH_UNIT = (S.DISPATCHED, S.TAKEN, S.ON_SITE)
_HELD = (*_WITH_UNIT, S.HANDLED)
_OPEN = tuple(s for s in Stage if s not in (S.CLOSED, S.REFUSED, S.VOID))

TRANSITIONS: tuple[Transition, ...] = (
    _t("accept", (S.REPORTED,), S.ACCEPTED, "policy"),
    _t("refuse", (S.REPORTED,), S.REFUSED, "reason"),
    _t("consult", (S.REPORTED,), S.REFUSED, "reason"),
    _t("dispatch", (S.ACCEPTED,), S.DISPATCHED, "unit"),
    _t("reassign", _WITH_UNIT, S.DISPATCHED, "unit", "reason"),
    _t("take", (S.DISPATCHED,), S.TAKEN),
    _t("arrive", (S.TAKEN,), S.ON_SITE),
    _t("handle", (S.ON_SITE,), S.HANDLED),
    _t("feed_back", (S.HANDLED,), S.RETURNED_RESULT),
    _t("return", _WITH_UNIT, S.ACCEPTED, "reason", "wrong_field"),
    _t("pass_check", (S.RETURNED_RESULT,), S.CHECKED),
    _t("fail_check", (S.RETURNED_RESULT,), S.DISPATCHED, "reason"),
    _t("close", (S.CHECKED,), S.CLOSED),
    _t("void", (S.REPORTED, S.ACCEPTED, *_WITH_UNIT), S.VOID, "reason"),
    _t("acknowledge", _OPEN, None),
    _t("escalate", _OPEN, None, "reason"),
    _t("join", _OPEN, None, "cause_id"),
    _t("note", _OPEN, None, "reason"),
    _t("correct", (S.REPORTED, S.ACCEPTED), None, "reason"),
    _t("ask_extension", _WITH_UNIT, None, "reason"),
    _t("ask_parking", _WITH_UNIT, None, "reason", "until"),
    _t("grant_request", _WITH_UNIT, None),
    _t("refuse_request", _WITH_UNIT, None, "reason"),
    _t("unpark", _WITH_UNIT, None, "reason"),
    _t("recount", _WITH_UNIT, None, "reason"),
    _t("supervise", _HELD, None, "supervision"),
    _t("sign_supervision", _OPEN, None),
    _t("answer_supervision", _OPEN, None, "reason"),
    _t("end_supervision", _OPEN, None),
    _t("raise_supervision", _OPEN, None, "reason"),
    _t("ask_assist", _WITH_UNIT, None, "unit"),
    _t("take_assist", (S.ACCEPTED, *_WITH_UNIT), None),
    _t("arrive_assist", (S.ACCEPTED, *_WITH_UNIT), None),
    _t("answer_assist", (S.ACCEPTED, *_WITH_UNIT), None, "reason"),
    _t("release_assist", (S.ACCEPTED, *_WITH_UNIT), None, "unit", "reason"),
    _t("appeal", (S.CLOSED,), None, "reason"),
    _t("grant_appeal", (S.CLOSED,), None, "reason"),
    _t("refuse_appeal", (S.CLOSED,), None, "reason"),
    _t("call_back", (S.CLOSED,), None, "satisfaction"),
    _t("reopen", (S.CLOSED,), S.ACCEPTED, "reason"),
    _t("merge", (S.REPORTED, S.ACCEPTED, *_WITH_UNIT), S.VOID, "reason", "into"),
    _t("absorb", _OPEN, None, "reason", "count"),
    _t("release", tuple(Stage), None, "reason", "count"),
    _t("restore", (S.VOID,), S.REPORTED, "reason"),
)

_BY_ACTION = {t.action: t for t in TRANSITIONS}

ORDER_OUTCOMES = {"feed_back": "handled", "return": "returned", "void": "void", "merge": "void"}
"""How an order ends by a step that takes the incident from its unit; another order supersedes it."""

WRONG_FIELDS = ("class", "place", "owner", "scope")
"""What a unit may say was wrong when it returns an incident (FIELD F5)."""

DEFAULT_STAGE_LIMITS_MIN = {"reported": 15, "accepted": 15, "returned_result": 30}
"""受理 15, 派遣 15, 核查 30 minutes, day and night (FIELD E2)."""

RINGING_LEVEL = 2
"""Incidents of level I and II ring until somebody acknowledges them."""

ACKNOWLEDGE_WITHIN = timedelta(seconds=60)
"""A new level I/II incident not acknowledged within this goes to the duty leader."""


@dataclass(frozen=True, slots=True)
class Step:
    """What someone wants to do: an action and its particulars; unused fields stay empty."""

    action: str
    channel: str
    reason: str = ""
    unit: str = ""
    worker: str = ""
    wrong_field: str = ""
    evidence: tuple[str, ...] = ()
    policy: Policy | None = None
    class_name: str = ""
    level: int | None = None
    cause_id: str = ""
    until: datetime | None = None
    supervision: Supervision | None = None
    against: str = ""
    into: int | None = None
    count: int = 0
    satisfaction: int | None = None
    place: Place | None = None
    detail: tuple[tuple[str, object], ...] = ()


def allowed_actions(stage: Stage) -> tuple[str, ...]:
    """Actions that TRANSITIONS permits from `stage`, in table order."""
    return tuple(t.action for t in TRANSITIONS if stage in t.sources)


def advance(
    incident: Incident, step: Step, actor: Actor, now: datetime, working: WorkingTime
) -> tuple[Incident, TimelineEntry, tuple[DomainEvent, ...]]:
    """Apply `step` to `incident` at `now` (aware UTC) and return the new incident, its entry, the events.

    `working`: the city's working time, by which handling clocks run.
    Raises Rejected: code 'stage' (not from here; says who was first), 'field' (something is missing or wrong),
    'rule' (a rule of the house forbids it).
    """
    transition = _BY_ACTION.get(step.action)
    if transition is None:
        raise Rejected("field", f"action={step.action!r}: not an action of the life-cycle", field="action")
    if incident.stage not in transition.sources:
        raise Rejected(
            "stage",
            f"stage={incident.stage}: {step.action!r} is not possible any more; "
            f"{incident.last_actor or 'someone'} was first with {incident.last_action!r}",
            field="stage",
            first=incident.last_actor,
            first_action=incident.last_action,
            stage=str(incident.stage),
        )
    for name in transition.needs:
        if not getattr(step, name):
            raise Rejected("field", f"{name}='': {step.action!r} needs it", field=name)
    _guard(incident, step, actor, now, working)
    target = transition.target or incident.stage
    changed = replace(
        incident,
        stage=target,
        version=incident.version + 1,
        last_action=step.action,
        last_actor=actor.name,
    )
    changed = _effects(changed, incident, step, actor, now, working)
    changed = replace(changed, handle_due_at=_handle_due(changed, now, working))
    if transition.target is not None:
        changed = _start_stage_clock(changed, now)
    elif incident.stage in _HELD:
        changed = replace(changed, stage_due_at=changed.handle_due_at)
    if _is_new_order(incident, changed):
        changed = replace(changed, delivered_at=None, opened_at=None)
    entry = TimelineEntry(
        at=now,
        action=step.action,
        from_stage=str(incident.stage),
        to_stage=str(target),
        actor_id=actor.id,
        actor_name=actor.name,
        role=actor.role,
        channel=step.channel,
        reason=step.reason,
        detail=_detail(incident, step, transition, actor),
        cause_id=step.cause_id,
    )
    events: tuple[DomainEvent, ...] = (
        DomainEvent(f"incident.{step.action}", incident.id, {"version": changed.version}),
    )
    assists = _assist_orders(incident, changed)
    return changed, entry, (*events, *assists, *_orders(incident, changed, step.action))


def _assist_orders(old: Incident, new: Incident) -> tuple[DomainEvent, ...]:
    """What the step means for the orders of units that assist; the end of the incident ends them as the lead's."""
    if old.assists == new.assists:
        return ()
    void = new.stage is Stage.VOID
    return tuple(
        DomainEvent(f"assist.{what}", old.id, {"unit": unit, "outcome": "void" if void else outcome})
        for what, unit, outcome in assisting.changes(old.assists, new.assists)
    )


def _is_new_order(old: Incident, new: Incident) -> bool:
    """Whether the unit gets an order by this step: nobody has received or read it yet."""
    return new.stage is Stage.DISPATCHED and (
        old.stage is not Stage.DISPATCHED or (old.unit, old.worker) != (new.unit, new.worker)
    )


def _orders(old: Incident, new: Incident, action: str) -> tuple[DomainEvent, ...]:
    """What the step means for the unit's order: issued (the former one ends with it), seen, or ended."""
    if _is_new_order(old, new):
        return (DomainEvent("order.issued", old.id, {"unit": new.unit, "worker": new.worker}),)
    if action == "take":
        return (DomainEvent("order.seen", old.id, {}),)
    if old.stage in _HELD and new.stage not in _HELD:
        return (DomainEvent("order.ended", old.id, {"outcome": ORDER_OUTCOMES[action]}),)
    return ()


def _guard(incident: Incident, step: Step, actor: Actor, now: datetime, working: WorkingTime) -> None:
    if step.action in ("return",) and step.wrong_field not in WRONG_FIELDS:
        raise Rejected(
            "field",
            f"wrong_field={step.wrong_field!r}: must be one of {', '.join(WRONG_FIELDS)}",
            field="wrong_field",
        )
    if step.action == "handle" and incident.policy and incident.policy.needs_photo and not step.evidence:
        raise Rejected("rule", "evidence=[]: this class asks for a photo of the result", field="evidence")
    if step.action == "handle" and (missing := assisting.waiting(incident.assists)):
        rule = "have not answered: wait for them, or have the dispatcher let them go"
        text = f"assisting={', '.join(missing)}: {rule}"
        raise Rejected("rule", text, field="assisting", units=list(missing))
    if step.action in ("pass_check", "fail_check") and actor.id == incident.handled_by:
        raise Rejected("rule", f"actor={actor.login!r}: who handled it may not check it", field="actor")
    if step.action == "acknowledge" and incident.acknowledged_by is not None:
        raise Rejected(
            "stage", "acknowledged: someone was first", field="acknowledged_by", first=incident.last_actor
        )
    if step.level is not None and step.level not in (1, 2, 3, 4):
        raise Rejected("field", f"level={step.level!r}: must be 1, 2, 3 or 4", field="level")
    if step.action in ("ask_extension", "ask_parking"):
        _guard_request(incident, step, actor, now, working)
    if step.action in ("grant_request", "refuse_request"):
        if incident.asked is None:
            raise Rejected("rule", "request: nothing was asked, or it is answered already", field="asked")
        if incident.asked.by == actor.id:
            raise Rejected("rule", f"actor={actor.login!r}: who asked may not answer", field="actor")
    if step.action == "reopen" and incident.appeal is not None and incident.appeal.granted is None:
        raise Rejected("rule", "appeal: one waits for its answer; reopening would lose it", field="appeal")
    if step.action == "restore" and incident.merged_into is None:
        raise Rejected("rule", "merged_into: it was not merged into another", field="merged_into")
    if step.action == "release" and step.count >= incident.sources:
        raise Rejected("rule", f"count={step.count}: one source at least must stay", field="sources")
    if step.satisfaction is not None and not 1 <= step.satisfaction <= 5:
        raise Rejected("field", f"satisfaction={step.satisfaction}: must be 1 to 5", field="satisfaction")
    if step.action == "supervise" and incident.supervision is not None and incident.supervision.open:
        raise Rejected("rule", "supervision: one is open already", field="supervision")


def _guard_request(incident: Incident, step: Step, actor: Actor, now: datetime, working: WorkingTime) -> None:
    """What could not be granted is not asked for."""
    if incident.asked is not None:
        raise Rejected("rule", f"request: {incident.asked.kind} waits for an answer already", field="asked")
    if incident.clock is None:
        raise Rejected("rule", "clock: no limit runs on this incident", field="clock")
    try:
        granted(incident.clock, _request(incident, step, actor, now), working)
    except NotPublished as unknown:
        raise Rejected(
            "rule", f"deadline: {unknown}, so nothing can be added to it", field="working_days"
        ) from None


def _request(incident: Incident, step: Step, actor: Actor, now: datetime) -> Request:
    kind = step.action.removeprefix("ask_")
    return Request(kind, actor.id, now, step.reason, step.until, incident.overdue)


def _effects(
    new: Incident, old: Incident, step: Step, actor: Actor, now: datetime, working: WorkingTime
) -> Incident:
    """What an action changes besides the stage."""
    match step.action:
        case "accept" | "correct" if step.policy is not None:
            new = replace(
                new,
                policy=step.policy,
                class_code=step.policy.class_code,
                class_name=step.class_name or old.class_name,
            )
        case "correct" if step.place is not None:
            new = replace(new, place=step.place)
        case "dispatch" | "reassign":
            new = replace(
                new,
                unit=step.unit,
                worker=step.worker,
                first_unit=old.first_unit or step.unit,
                dispatched_at=now,
                clock=_sent(old, step.unit, now, working),
                asked=old.asked if step.unit == old.unit else None,
                assists=assisting.led_by(old.assists, step.unit, now),
            )
        case "take" if not old.worker and actor.role == "grid_worker":
            new = replace(new, worker=actor.login)
        case "handle":
            new = replace(new, handled_by=actor.id)
        case "feed_back":
            new = replace(_standing(new, old, now, working), returned_result_at=now)
        case "return":
            new = replace(_standing(new, old, now, working), unit="", worker="", returns=old.returns + 1)
        case "pass_check":
            new = replace(new, checked_by=actor.id, said_again_at=None)
        case "fail_check":
            new = replace(
                new, checked_by=actor.id, reworks=old.reworks + 1, returned_result_at=None, said_again_at=None,
                clock=old.clock and resumed(old.clock, old.unit, now),
            )  # fmt: skip
        case "close":
            new = replace(new, closed_at=now, said_again_at=None)
        case "acknowledge":
            new = replace(new, acknowledged_by=actor.id, acknowledged_at=now)
        case "escalate":
            new = replace(
                new,
                escalated_stage=str(old.stage),
                escalated_at=now,
                overdue=old.overdue or _late(old, now, working),
            )
        case "join":
            new = replace(new, sources=old.sources + 1, said_again_at=_said_again(old, now))
        case "absorb":
            new = replace(new, sources=old.sources + step.count, said_again_at=_said_again(old, now))
        case "release":
            new = replace(new, sources=old.sources - step.count)
        case "merge":
            new = replace(new, merged_into=step.into, sources=0, unit="", worker="")
        case "restore":
            new = replace(
                new, merged_into=None, closed_at=None, sources=step.count, clock=None, supervision=None,
                merge_key="", assists=(),
            )  # fmt: skip
        case "ask_extension" | "ask_parking":
            new = replace(new, asked=_request(old, step, actor, now))
        case "grant_request" if old.asked is not None and old.clock is not None:
            # Asked in time and answered late: what became late in between was not the unit's doing.
            new = replace(
                new, clock=granted(old.clock, old.asked, working), asked=None, overdue=old.asked.overdue
            )
        case "refuse_request":
            new = replace(new, asked=None)
        case "unpark" if old.clock is not None:
            new = replace(new, clock=unparked(old.clock, now))
        case (
            "supervise" | "sign_supervision" | "answer_supervision" | "end_supervision" | "raise_supervision"
        ):
            new = replace(new, supervision=_supervised(old, step, now))
        case "ask_assist" | "take_assist" | "arrive_assist" | "answer_assist" | "release_assist":
            new = replace(new, assists=_assisted(old, step, actor, now))
        case "appeal":
            new = replace(new, appeal=appealed(old, step.against, step.reason, actor.id, now))
        case "grant_appeal" | "refuse_appeal":
            new = replace(
                new, appeal=decided(old.appeal, step.action == "grant_appeal", step.reason, actor.id, now)
            )
        case "call_back":
            new = replace(new, satisfaction=step.satisfaction)
        case "reopen":
            new = replace(
                new, closed_at=None, returned_result_at=None, reworks=old.reworks + 1, unit="", worker="",
                clock=None, appeal=None, satisfaction=None, merge_key="",
            )  # fmt: skip
    if (
        step.action in ("refuse", "consult", "void", "merge", "close")
        and old.supervision is not None
        and old.supervision.open
    ):
        new = replace(new, supervision=ended(old.supervision, now))
    if step.action in ("refuse", "consult", "void", "merge"):
        new = replace(_standing(new, old, now, working), closed_at=now)
        new = replace(new, assists=assisting.all_released(old.assists, step.action, now))
    if step.level is not None:
        new = replace(new, level=step.level)
    elif step.action in ("join", "absorb") and step.detail:
        worst = min(old.level, int(str(dict(step.detail).get("level", old.level))))
        new = replace(new, level=worst)
        if worst < old.level and worst <= RINGING_LEVEL:
            # Who acknowledged the milder one has not seen this: it rings again, and its 60 seconds begin anew.
            new = replace(new, acknowledged_by=None, acknowledged_at=None, rings_since=now)
    elif step.action == "release" and step.detail:
        # What went had raised it: without that it is what the others say.
        new = replace(new, level=max(old.level, int(str(dict(step.detail).get("level", old.level)))))
    if new.acknowledged_by is None and step.action in (
        "accept",
        "refuse",
        "consult",
        "dispatch",
        "void",
        "merge",
    ):
        # Working on it is an acknowledgement: the bell must stop for every screen at once.
        new = replace(new, acknowledged_by=actor.id, acknowledged_at=now)
    return new


def _said_again(old: Incident, now: datetime) -> datetime | None:
    """A further source while the result waits for the check, or to be closed: whoever checks must see it."""
    return now if old.stage in (S.RETURNED_RESULT, S.CHECKED) else old.said_again_at


def _assisted(old: Incident, step: Step, actor: Actor, now: datetime) -> assisting.Assists:
    match step.action:
        case "ask_assist":
            return assisting.asked(old.assists, step.unit, old.unit, step.reason, actor.id, now)
        case "take_assist":
            return assisting.taken(old.assists, actor.unit, now)
        case "arrive_assist":
            return assisting.arrived(old.assists, actor.unit, now)
        case "answer_assist":
            return assisting.answered(old.assists, actor.unit, step.reason, now)
    return assisting.released(old.assists, step.unit, step.reason, now)


def _sent(old: Incident, unit: str, now: datetime, working: WorkingTime) -> Clock | None:
    """The handling clock of what goes to `unit`: it begins, runs on at the same one, begins anew at another (FIELD E2)."""
    if old.policy is None:
        return None
    if old.clock is None:
        return begun(limit_of(old.policy.limit_min, old.policy.clock_kind), unit, now, working)
    clock = as_of(old.clock, now)
    if unit == clock.unit and (clock.since is not None or clock.parked_until is not None):
        return clock  # somebody else of the same unit: nothing begins, and what is parked stays parked
    return resumed(_stopped(clock, now, working), unit, now)


def _standing(new: Incident, old: Incident, now: datetime, working: WorkingTime) -> Incident:
    """The unit has given it back: its clock stands, what it asked for lapses, and it is told for good if it was late."""
    return replace(
        new,
        clock=old.clock and _stopped(old.clock, now, working),
        asked=None,
        overdue=old.overdue or _late(old, now, working),
    )


def _stopped(clock: Clock, now: datetime, working: WorkingTime) -> Clock:
    try:
        return stopped(clock, now, working)
    except NotPublished:
        # Whoever works on a day that nobody has declared yet: what it has used cannot be told, so none is counted.
        return replace(clock, since=None, parked_until=None)


def _supervised(old: Incident, step: Step, now: datetime) -> Supervision | None:
    match step.action:
        case "supervise":
            return step.supervision
        case "sign_supervision":
            return signed(old.supervision, now)
        case "answer_supervision":
            return answered(old.supervision, step.reason, now)
        case "end_supervision":
            return ended(old.supervision, now)
    if old.supervision is None or not is_late(old.supervision, now) or old.supervision.level == 1:
        raise Rejected("rule", "supervision: it is not late, or at the highest level", field="supervision")
    return raised(old.supervision, now)


def _late(incident: Incident, now: datetime, working: WorkingTime) -> bool:
    """Handling is past its limit; the unit's result stops that clock, however long the check takes."""
    if incident.clock is None or incident.returned_result_at is not None:
        return False
    try:
        return left_s(incident.clock, now, working) < 0
    except NotPublished:
        return False


def _handle_due(incident: Incident, now: datetime, working: WorkingTime) -> datetime | None:
    """When the handling clock is over; None while it stands, and where nobody knows yet which days will be worked."""
    if incident.clock is None or incident.stage not in _HELD:
        return None
    try:
        return due_at(incident.clock, now, working)
    except NotPublished:
        return None


def _start_stage_clock(incident: Incident, now: datetime) -> Incident:
    """Due time of the stage just entered: its stage limit, or the handling clock while a unit has it."""
    limits = incident.policy.stage_limits_min if incident.policy else DEFAULT_STAGE_LIMITS_MIN
    minutes = limits.get(str(incident.stage))
    due: datetime | None = None
    if minutes is not None:
        due = now + timedelta(minutes=minutes)
    elif incident.stage in _HELD:
        due = incident.handle_due_at
    return replace(incident, stage_since=now, stage_due_at=due)


def file_report(incident: Incident, now: datetime) -> Incident:
    """The clocks of an incident that has just been reported."""
    return _start_stage_clock(incident, now)


def is_overdue(incident: Incident, now: datetime) -> bool:
    """超期: open, and the clock of the present stage is past (the handling clock while a unit has it).

    The one definition: `OVERDUE` in data/questions/incidents.py says it in SQL, `isLate` in
    layouts/assets/overdue.mjs in the browser. A stage without a clock is never overdue. Whether handling was
    late, which stays told after closing, is another question: `Incident.overdue`.
    """
    return incident.open and incident.stage_due_at is not None and incident.stage_due_at < now


def escalation_due(incident: Incident, now: datetime) -> str:
    """Why `incident` must be escalated now, or '' — a stage past its limit, or I/II unacknowledged for 60 s."""
    if not incident.open:
        return ""
    if (
        is_overdue(incident, now)
        and incident.stage_due_at is not None
        # Once per deadline: a later one (another unit, the stage entered again) is escalated again.
        and (incident.escalated_at is None or incident.escalated_at <= incident.stage_due_at)
    ):
        return "stage_overdue"
    since = incident.rings_since or incident.reported_at
    if (
        incident.level <= RINGING_LEVEL
        and incident.acknowledged_by is None
        # Once per bell: an escalation before this one rang was of another bell or of a stage.
        and (incident.escalated_at is None or since > incident.escalated_at)
        and now - since > ACKNOWLEDGE_WITHIN
    ):
        return "unacknowledged"
    return ""


def _detail(incident: Incident, step: Step, transition: Transition, actor: Actor) -> dict[str, object]:
    detail: dict[str, object] = dict(step.detail)
    for name in ("unit", "worker", "wrong_field", "against"):
        value = getattr(step, name)
        if value:
            detail[name] = value
    if step.action == "reassign":
        # From whom: nothing else tells it once the next one has it.
        detail |= {"from_unit": incident.unit}
        detail |= {"from_worker": incident.worker} if incident.worker else {}
    if step.action in ("take_assist", "arrive_assist", "answer_assist"):
        detail["unit"] = actor.unit
    if step.evidence:
        detail["evidence"] = list(step.evidence)
    if step.policy is not None:
        detail["class"] = step.policy.class_code
    if step.level is not None:
        detail["level"] = step.level
    if step.until is not None:
        detail["until"] = step.until.isoformat()
    if step.satisfaction is not None:
        detail["satisfaction"] = step.satisfaction
    if step.supervision is not None:
        found = step.supervision
        detail |= {"supervision": found.level, "demand": found.demand, "due": found.due_at.isoformat()}
    if step.action in ("grant_request", "refuse_request") and incident.asked is not None:
        detail["asked"] = incident.asked.kind
    if transition.target is not None and incident.stage_due_at is not None:
        # Of the stage that ends here: evaluation asks whether it ended in time, long after the clock is gone.
        detail["due"] = incident.stage_due_at.isoformat()
    return detail
