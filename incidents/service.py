"""The one door for commands and queries. HANDLERS is the table of contents of what can be done.

Every command: `may` → handler → `advance` → one transaction (incident, timeline, orders, outbox, audit, answer
of the idempotency key). Every query: `may` → `Questions.answer`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from incidents import (
    address_commands,
    assisting,
    burden,
    catalogue_commands,
    desk_commands,
    evaluation_commands,
    handling,
    orders,
    receipts,
    replying,
    routing_advice,
    routing_commands,
    screen_commands,
)
from incidents import commands as c
from incidents.access import ANYWHERE, Thing, may
from incidents.enforcement_commands import SetCaseLimit
from incidents.handling import attach_photos
from incidents.handling_commands import SaveWorkingYear, UnmaskIncident
from incidents.lifecycle import Step, advance
from incidents.locating import located
from incidents.model import (
    REPORT_CHANNELS,
    Actor,
    Incident,
    Place,
    Policy,
    Rejected,
    SourceKind,
    Stage,
    TimelineEntry,
)
from incidents.phone_commands import NoteReceipt
from incidents.reply_commands import TellReporter
from incidents.storeports import FilingStandard, Intake, Questions, UnitOfWork, UnitOfWorkFactory
from incidents.triage import SYSTEM, filed_or_joined

NAME_OF: Final = {kind: name for table in (c.COMMANDS, c.QUERIES) for name, kind in table.items()}


@dataclass(frozen=True, slots=True)
class City:
    """What the service knows of its city."""

    number_pattern: str
    timezone: str
    path: str


def thing_of(incident: Incident) -> Thing:
    """What `may` asks about an incident."""
    return Thing(
        incident.place.area_path, incident.unit, incident.worker, assisting.concerned(incident.assists)
    )


def require(actor: Actor, action: str, thing: Thing) -> None:
    """Raise Rejected(forbidden) unless `may`."""
    decision = may(actor, action, thing)
    if not decision:
        raise Rejected("forbidden", f"{action}: {decision.reason}", field="actor")


@dataclass(frozen=True, slots=True)
class _Call:
    """One command on its way: everything a handler needs."""

    uow: UnitOfWork
    actor: Actor
    now: datetime
    channel: str
    city: City
    cause: str = ""
    """Correlation id: the command's key, else the id of its request."""

    def step(self, number: int, step: Step, action: str, version: int | None) -> Incident:
        """Ask, advance, save, write the timeline, publish."""
        return self.apply(self.incident(number, action, version), step)

    def incident(self, number: int, action: str, version: int | None) -> Incident:
        """An incident that this actor may act on so, in the version that was seen. Raises Rejected."""
        incident = self.uow.incident(number)
        require(self.actor, action, thing_of(incident))
        if version is not None and version != incident.version:
            raise Rejected(
                "stale",
                f"version={version}: {incident.last_actor} was first with {incident.last_action!r}"
                f" (now {incident.version})",
                field="version",
                first=incident.last_actor,
                first_action=incident.last_action,
                stage=str(incident.stage),
                version=incident.version,
            )
        return incident

    def apply(self, incident: Incident, step: Step) -> Incident:
        """Advance and write, without asking again (a second step of the same command)."""
        step = replace(step, cause_id=step.cause_id or self.cause)
        changed, entry, events = advance(incident, step, self.actor, self.now, self.uow.working())
        self.uow.save(changed, incident.version)
        self.uow.append(changed.id, entry)
        orders.carry_out(self.uow, changed, events, self.actor, self.now)
        if step.action in replying.OUTCOMES:
            self.uow.answer_reporters(changed, step.action, self.now)
        elif step.action == "reopen":
            self.uow.withdraw_replies(changed.id, self.now)
        self.uow.incident_changed(changed, self.now)
        return changed


def _answer(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "number": incident.number,
        "stage": str(incident.stage),
        "version": incident.version,
    }


def _told(call: _Call, command: c.ReportIncident, place: Place) -> Intake:
    """The source that a report at a desk or phone is."""
    identity = command.key or hashlib.sha256(f"{call.now.isoformat()}{command.text}".encode()).hexdigest()
    source = f"urn:chengyun:{command.channel}:{call.actor.login}"
    return Intake(
        id=0,
        kind=str(SourceKind.REPORT),
        channel=command.channel,
        class_code=command.class_code,
        level=command.level,
        device="",
        camera="",
        title=command.title,
        text=command.text,
        place=place,
        time=call.now,
        received_at=call.now,
        correlation_id=call.cause or identity,
        source=source,
        message_id=identity,
        photos=tuple(command.photos),
    )


def _report(call: _Call, command: c.ReportIncident) -> dict[str, Any]:
    place = Place(address=command.address)
    if (command.lon is None) != (command.lat is None):
        raise Rejected("field", "lon, lat: both or neither", field="lon")
    if command.lon is not None and command.lat is not None:
        found = call.uow.place_of(command.lon, command.lat)
        place = Place(found.lon, found.lat, command.address, found.cell, found.area_path)
    own = (call.actor.areas or ("",))[0]
    # The right is asked for the point that was given, else for the reporter's own area: what an address says is a reading.
    require(
        call.actor,
        "incident.report",
        Thing(own if call.actor.role == "grid_worker" else place.area_path or own),
    )
    if not command.text.strip():
        raise Rejected("field", "text='': say what happened", field="text")
    if len(command.text) > 4000:
        raise Rejected("field", f"text: {len(command.text)} characters, at most 4000", field="text")
    if command.channel not in REPORT_CHANNELS:
        rule = f"one of {', '.join(REPORT_CHANNELS)}"
        raise Rejected("field", f"channel={command.channel!r}: must be {rule}", field="channel")
    if command.level is not None and command.level not in (1, 2, 3, 4):
        raise Rejected("field", f"level={command.level}: must be 1, 2, 3 or 4", field="level")
    intake, read = located(call.uow, _told(call, command, place))
    place = intake.place
    if not (intake.roughly or place).area_path:
        # A report without a resolved place belongs to the area of whoever reports it, so that it is seen.
        place = Place(place.lon, place.lat, place.address, "", own)
    intake = replace(intake, place=place)
    reporter = {"name": command.reporter_name, "phone": command.reporter_phone, "account": call.actor.login}
    number = call.uow.add_intake(intake, reporter, hashlib.sha256(repr(command).encode()).digest())
    if read is not None:
        call.uow.keep_reading(number, intake.place, read)
    incident, joined = filed_or_joined(
        call.uow, intake, number, call.actor, call.now, call.city.number_pattern, call.city.timezone
    )
    attach_photos(call, incident.id, command.photos, "report")
    call.uow.incident_changed(incident, call.now)
    _burden(call, incident, "report", command)
    return {**_answer(incident), "joined": joined}


def _burden(call: _Call, incident: Incident, form: str, command: Any) -> None:
    """Keep how long the form was open, without a name."""
    found = burden.effort(form, command.form_s, command.taps)
    if found is not None:
        day = call.now.astimezone(ZoneInfo(call.city.timezone)).date()
        mark = burden.somebody(call.actor.login, day)
        call.uow.keep_effort(found, incident.class_code, incident.place.area_path, day, mark)


def _accept(call: _Call, command: c.AcceptIncident) -> dict[str, Any]:
    incident = call.uow.incident(command.id)
    code = command.class_code or incident.class_code
    if not code:
        raise Rejected("field", "class_code='': choose a class to file it under", field="class_code")
    found = call.uow.event_class(code)
    step = Step(
        "accept",
        call.channel,
        policy=_by_standard(found.policy, call.uow.standards(code), command.standard),
        class_name=found.name,
        level=command.level or incident.level,
    )
    filed = call.step(command.id, step, "incident.accept", command.version)
    return _answer(_routed(call, filed))


def _routed(call: _Call, filed: Incident) -> Incident:
    """What is filed goes to its unit by itself where the router is sure enough, else it waits for a dispatcher."""
    decision = routing_advice.advise(call.uow, filed, routing_advice.FILED, call.now)
    if not decision.automatic:
        return filed
    require(SYSTEM, "incident.dispatch", thing_of(filed))
    return replace(call, actor=SYSTEM).apply(filed, routing_advice.step_of(decision, "routing"))


def _by_standard(policy: Policy, standards: Sequence[FilingStandard], wanted: str) -> Policy:
    """The policy with the limit of the standard that holds. Raises Rejected(field) where one must be chosen."""
    known = {standard.code: standard for standard in standards}
    if wanted and wanted not in known:
        rule = f"must be one of {', '.join(known)}" if known else "the class has no standards"
        raise Rejected("field", f"standard={wanted!r}: {rule}", field="standard")
    if not wanted and len({(s.limit_min, s.clock_kind) for s in standards}) > 1:
        text = f"standard='': must be one of {', '.join(known)}, their limits differ"
        raise Rejected("field", text, field="standard", standards=[asdict(s) for s in standards])
    one = known.get(wanted) or (standards[0] if standards else None)
    if one is None:
        return policy
    limited = replace(policy, limit_min=one.limit_min, clock_kind=one.clock_kind)
    if not wanted and len(standards) > 1:
        return limited  # their limits are the same, and nobody said which of them holds
    return replace(limited, standard=one.code, condition=one.condition, closing=one.closing)


def _refuse(call: _Call, command: c.RefuseIncident) -> dict[str, Any]:
    step = Step("refuse", call.channel, reason=command.reason.strip())
    return _answer(call.step(command.id, step, "incident.refuse", command.version))


def _consult(call: _Call, command: c.AnswerConsultation) -> dict[str, Any]:
    if len(command.text) > replying.LONGEST:
        rule = f"at most {replying.LONGEST}, so that it is passed on whole"
        raise Rejected("field", f"text: {len(command.text)} characters, {rule}", field="text")
    step = Step("consult", call.channel, reason=command.text.strip())
    return _answer(call.step(command.id, step, "incident.refuse", command.version))


def _void(call: _Call, command: c.VoidIncident) -> dict[str, Any]:
    step = Step("void", call.channel, reason=command.reason.strip())
    return _answer(call.step(command.id, step, "incident.void", command.version))


def _dispatch(call: _Call, command: c.DispatchIncident) -> dict[str, Any]:
    incident = call.uow.incident(command.id)
    if not command.unit:
        raise Rejected("field", "unit='': choose the unit it goes to", field="unit")
    if not call.uow.unit_exists(command.unit):
        raise Rejected("field", f"unit={command.unit!r}: no such unit takes orders", field="unit")
    if command.worker and call.uow.worker_unit(command.worker) != command.unit:
        raise Rejected(
            "field", f"worker={command.worker!r}: is not an active worker of {command.unit}", field="worker"
        )
    held = incident.stage in (Stage.DISPATCHED, Stage.TAKEN, Stage.ON_SITE)
    action = "reassign" if held else "dispatch"
    step = Step(action, call.channel, unit=command.unit, worker=command.worker, reason=command.reason.strip())
    sent = call.step(command.id, step, f"incident.{action}", command.version)
    return _answer(handling.ask_units(call, sent, command.assisting, command.reason.strip()))


def _take(call: _Call, command: c.TakeIncident) -> dict[str, Any]:
    return _answer(call.step(command.id, Step("take", call.channel), "incident.take", command.version))


def _arrive(call: _Call, command: c.ArriveIncident) -> dict[str, Any]:
    detail: tuple[tuple[str, object], ...] = ()
    if command.lon is not None and command.lat is not None:
        detail = (("lon", round(command.lon, 6)), ("lat", round(command.lat, 6)))
    step = Step("arrive", call.channel, detail=detail)
    return _answer(call.step(command.id, step, "incident.arrive", command.version))


def _finish(call: _Call, command: c.FinishIncident) -> dict[str, Any]:
    text = command.text.strip()
    if not text:
        raise Rejected("field", "text='': say what was done", field="text")
    photos = tuple(command.photos)
    # The step first: it says whether there is such an incident and whether this actor may touch it.
    done = call.step(
        command.id,
        Step("handle", call.channel, reason=text, evidence=photos),
        "incident.handle",
        command.version,
    )
    attach_photos(call, command.id, photos, "handle")
    _burden(call, done, "finish", command)
    return _answer(call.apply(done, Step("feed_back", call.channel, reason=text)))


def _return(call: _Call, command: c.ReturnIncident) -> dict[str, Any]:
    reason = command.reason.strip()
    held_by = call.uow.incident(command.id).unit
    step = Step("return", call.channel, reason=reason, wrong_field=command.wrong_field)
    back = call.step(command.id, step, "incident.return", command.version)
    routing_advice.returned(call.uow, back, held_by, command.wrong_field, reason, call.actor, call.now)
    _burden(call, back, "return", command)
    return _answer(back)


def _check(call: _Call, command: c.CheckIncident) -> dict[str, Any]:
    step = Step("pass_check" if command.passed else "fail_check", call.channel, reason=command.reason.strip())
    return _answer(call.step(command.id, step, "incident.check", command.version))


def _close(call: _Call, command: c.CloseIncident) -> dict[str, Any]:
    return _answer(call.step(command.id, Step("close", call.channel), "incident.close", command.version))


def _acknowledge(call: _Call, command: c.AcknowledgeIncident) -> dict[str, Any]:
    return _answer(call.step(command.id, Step("acknowledge", call.channel), "incident.acknowledge", None))


def _note(call: _Call, command: c.NoteIncident) -> dict[str, Any]:
    step = Step("note", call.channel, reason=command.text.strip())
    noted = call.step(command.id, step, "incident.note", None)
    attach_photos(call, command.id, command.photos, "scene")
    _burden(call, noted, "note", command)
    return _answer(noted)


def _unmask(call: _Call, command: UnmaskIncident) -> dict[str, Any]:
    incident = call.incident(command.id, "person.unmask", None)
    if not command.reason.strip():
        raise Rejected("field", "reason='': say why you must know", field="reason")
    return {
        **_answer(incident),
        "text": incident.text,
        "people": call.uow.people_of(incident.id, command.reply),
    }


def _place(call: _Call, command: address_commands.PlaceIncident) -> dict[str, Any]:
    incident = call.incident(command.id, "incident.correct", command.version)
    found = call.uow.place_of(command.lon, command.lat)
    address = command.address.strip() or incident.place.address
    require(call.actor, "incident.correct", Thing(found.area_path))
    step = Step(
        "correct", call.channel, reason=command.reason.strip(),
        place=Place(found.lon, found.lat, address, found.cell, found.area_path),
        detail=(("lon", command.lon), ("lat", command.lat), ("was", incident.place.address)),
    )  # fmt: skip
    return _answer(call.apply(incident, step))


def _tell(call: _Call, command: TellReporter) -> dict[str, Any]:
    incident = call.incident(call.uow.incident_of_reply(command.id), "incident.call_back", None)
    call.uow.tell_reporter(command, call.actor, call.now)
    return _answer(incident)


def _receipt(call: _Call, command: NoteReceipt) -> dict[str, Any]:
    incident = call.incident(command.id, "order.receipt", None)
    if incident.worker and incident.worker != call.actor.login:
        return _answer(
            incident
        )  # the order is for somebody: what a colleague or the office sees is not the receipt
    noted = receipts.noted(incident, command.state, command.at, call.now)
    if noted is not incident:
        at = (noted.opened_at if command.state == "seen" else noted.delivered_at) or call.now
        call.uow.keep_receipt(noted, command.state, call.actor.login, at, call.now)
        call.uow.incident_changed(noted, call.now)
    return _answer(noted)


def _beside_the_way(call: _Call, command: Any) -> dict[str, Any]:
    """延期, 挂账, 督办, 申诉, 回访, 重开: see `incidents/handling.py`."""
    return _answer(handling.HANDLERS[type(command)](call, command))


def _administer(call: _Call, command: Any) -> dict[str, Any]:
    return call.uow.administer(command, call.actor, call.now)


HANDLERS: Final[dict[type, Callable[[_Call, Any], dict[str, Any]]]] = {
    c.ReportIncident: _report,
    c.AcceptIncident: _accept,
    c.RefuseIncident: _refuse,
    c.AnswerConsultation: _consult,
    c.VoidIncident: _void,
    c.DispatchIncident: _dispatch,
    c.TakeIncident: _take,
    c.ArriveIncident: _arrive,
    c.FinishIncident: _finish,
    c.ReturnIncident: _return,
    c.CheckIncident: _check,
    c.CloseIncident: _close,
    c.AcknowledgeIncident: _acknowledge,
    c.NoteIncident: _note,
    address_commands.PlaceIncident: _place,
    address_commands.ImportAddresses: _administer,
    TellReporter: _tell,
    NoteReceipt: _receipt,
    c.CreateAccount: _administer,
    c.ChangeAccount: _administer,
    c.ResetPassword: _administer,
    c.SaveUnit: _administer,
    c.SaveArea: _administer,
    c.ReplayDeadLetter: _administer,
    c.DropDeadLetter: _administer,
    **dict.fromkeys(handling.HANDLERS, _beside_the_way),
    UnmaskIncident: _unmask,
    SaveWorkingYear: _administer,
    SetCaseLimit: _administer,
    **dict.fromkeys(catalogue_commands.COMMANDS.values(), _administer),
    **dict.fromkeys(routing_commands.COMMANDS.values(), _administer),
    **dict.fromkeys(evaluation_commands.COMMANDS.values(), _administer),
    **dict.fromkeys(screen_commands.COMMANDS.values(), _administer),
    **dict.fromkeys(desk_commands.COMMANDS.values(), _administer),
    c.IssueDeviceCredential: _administer,
    c.RotateDeviceCredential: _administer,
    c.RevokeDeviceCredential: _administer,
    c.LimitDevice: _administer,
    c.SettleGatewayLoss: _administer,
    c.SaveDevice: _administer,
    c.RetireDevice: _administer,
    c.SavePole: _administer,
    c.RemovePole: _administer,
    c.SaveDeviceType: _administer,
    c.SaveMetric: _administer,
    c.ImportDevices: _administer,
    c.ImportCameras: _administer,
    c.ImportBoundaries: _administer,
    c.AdoptDevice: _administer,
    c.ReleaseHeld: _administer,
    c.RejectHeld: _administer,
    c.SaveFeed: _administer,
    c.SwitchFeed: _administer,
    c.SaveCamera: _administer,
    c.ShelveCamera: _administer,
    c.UnshelveCamera: _administer,
    c.SaveAlarmWindow: _administer,
    c.SaveAlarmKind: _administer,
    c.SaveAlarmMap: _administer,
    c.SaveCameraChannel: _administer,
    c.RequestView: _administer,
    c.AnswerView: _administer,
    c.OpenView: _administer,
}

_OWN_CHECK: Final = frozenset({c.ReportIncident})
"""Commands whose thing is known only inside their handler, which asks `may` itself; all others on an incident
do so in `_Call.step`, on registries here."""


_SUBJECTS: Final = (
    "id",
    "login",
    "device",
    "thing",
    "camera",
    "request",
    "code",
    "rule",
    "router",
    "table",
    "unit",
    "screen",
    "mark",
)
"""Fields of a command that say what it is about, for the audit log."""


class CityService:
    """`Service` of this city. Thread-safe: every call has a unit of work of its own."""

    def __init__(
        self, units: UnitOfWorkFactory, questions: Questions, clock: Callable[[], datetime], city: City
    ) -> None:
        self._units = units
        self._questions = questions
        self._clock = clock
        self._city = city

    def handle(self, command: object, actor: Actor, channel: str, cause: str = "") -> dict[str, Any]:
        """Carry out a command; raises Rejected. Refused attempts are audited too.

        `cause`: id of the request, told in the timeline where the command has no key of its own.
        """
        name = NAME_OF.get(type(command), "")
        action = c.ACTION_OF.get(name, "")
        handler = HANDLERS.get(type(command))
        now = self._clock()
        if handler is None or not action:
            raise Rejected("field", f"command={type(command).__name__!r}: not a command", field="command")
        subject = next((str(found) for f in _SUBJECTS if (found := getattr(command, f, ""))), name)
        try:
            require(actor, action, ANYWHERE)  # the role first: cheap, and nothing is revealed
            with self._units() as uow:
                key = str(getattr(command, "key", "") or "")
                if key and (earlier := uow.answered(actor.login, key)) is not None:
                    return earlier
                answer = handler(_Call(uow, actor, now, channel, self._city, key or cause), command)
                if key:
                    uow.remember(actor.login, key, answer, now)
                uow.audit(actor, action, f"{name}:{subject}", True, _plain(command), now)
                return answer
        except Rejected as refused:
            if refused.code == "forbidden":
                with self._units() as uow:
                    uow.audit(actor, action, f"{name}:{subject}", False, {"why": str(refused)}, now)
            raise

    def ask(self, query: object, actor: Actor) -> Any:
        """Answer a query; raises Rejected."""
        name = NAME_OF.get(type(query), "")
        action = c.ACTION_OF.get(name, "")
        if type(query) not in c.QUERIES.values() or not action:
            raise Rejected("field", f"query={type(query).__name__!r}: not a query", field="query")
        now = self._clock()
        require(actor, action, ANYWHERE)
        thing = self._questions.thing(query)
        if thing is not None:
            require(actor, action, thing)
        return self._questions.answer(query, actor, now)


def _plain(command: object) -> dict[str, Any]:
    """A command for the audit log, without what is personal."""
    hidden = {
        "reporter_name",
        "reporter_phone",
        "password",
        "text",
        "value",
        "content",
        "secrets",
        "form_s",
        "taps",
    }
    return {k: v for k, v in asdict(command).items() if k not in hidden and v not in ("", None, [])}  # type: ignore[call-overload]


__all__ = ["HANDLERS", "City", "CityService", "TimelineEntry", "require", "thing_of"]
