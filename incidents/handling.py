"""What the commands of `handling_commands` do: each is one step of the life-cycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

from incidents import handling_commands as h
from incidents.intake_merging import keep_separate, merge, take_apart
from incidents.lifecycle import Step
from incidents.model import Actor, Incident, Rejected
from incidents.storeports import UnitOfWork
from incidents.supervision import demanded
from incidents.triage import open_incident


class Call(Protocol):
    """What a handler needs of the command on its way (`service._Call`)."""

    @property
    def actor(self) -> Actor:
        """Who commands."""

    @property
    def now(self) -> Any:
        """When (aware UTC)."""

    @property
    def channel(self) -> str:
        """Through what."""

    @property
    def uow(self) -> UnitOfWork:
        """The transaction."""

    @property
    def city(self) -> Any:
        """Number pattern, time zone, path (`service.City`)."""

    def incident(self, number: int, action: str, version: int | None) -> Incident:
        """An incident that this actor may act on so, in the version that was seen. Raises Rejected."""

    def apply(self, incident: Incident, step: Step) -> Incident:
        """Advance and write, without asking again (a further step of the same command)."""

    def step(self, number: int, step: Step, action: str, version: int | None) -> Incident:
        """Ask, advance, save, write the timeline, publish."""


def _take(call: Call, command: Any, name: str, **particulars: Any) -> Incident:
    """One step of a command's incident, by the right of the command."""
    step = Step(name, call.channel, **particulars)
    return call.step(command.id, step, h.ACTION_OF[_NAME_OF[type(command)]], command.version)


def _ask_parking(call: Call, command: h.AskParking) -> Incident:
    if command.until.tzinfo is None:
        raise Rejected(
            "field", f"until={command.until.isoformat()!r}: must carry its offset from UTC", field="until"
        )
    return _take(call, command, "ask_parking", reason=command.reason.strip(), until=command.until)


def _answer_request(call: Call, command: h.AnswerRequest) -> Incident:
    name = "grant_request" if command.granted else "refuse_request"
    return _take(call, command, name, reason=command.reason.strip())


def _supervise(call: Call, command: h.SuperviseIncident) -> Incident:
    demand = command.demand.strip()
    if not demand:
        raise Rejected("field", "demand='': say what is demanded", field="demand")
    if not 0.5 <= command.hours <= 720:
        raise Rejected("field", f"hours={command.hours:g}: must be from 0.5 to 720", field="hours")
    found = demanded(command.level, demand, timedelta(hours=command.hours), call.actor.id, call.now)
    return _take(call, command, "supervise", supervision=found, reason=demand)


def attach_photos(call: Call, number: int, photos: Sequence[str], purpose: str) -> None:
    """Stored photos belong to an incident now. Raises Rejected(field) for one that is not stored."""
    unknown = call.uow.attach_photos(number, photos, purpose, call.now, call.actor.login)
    if unknown:
        raise Rejected("field", f"photos={unknown[0]!r}: is not stored; upload it first", field="photos")


def ask_units(call: Call, incident: Incident, units: Sequence[str], what: str) -> Incident:
    """Ask units to assist. Raises Rejected(field) for one that takes no orders."""
    for unit in dict.fromkeys(units):
        if not call.uow.unit_exists(unit):
            raise Rejected("field", f"units={unit!r}: no such unit takes orders", field="units")
        incident = call.apply(incident, Step("ask_assist", call.channel, unit=unit, reason=what))
    return incident


def _ask_assist(call: Call, command: h.AskAssist) -> Incident:
    incident = call.incident(command.id, "incident.dispatch", command.version)
    if not command.units:
        raise Rejected("field", "units=[]: name one unit at least", field="units")
    return ask_units(call, incident, command.units, command.what.strip())


def _answer_assist(call: Call, command: h.AnswerAssist) -> Incident:
    text = command.text.strip()
    if not text:
        raise Rejected("field", "text='': say what was done", field="text")
    done = _take(call, command, "answer_assist", reason=text, evidence=tuple(command.photos))
    attach_photos(call, command.id, command.photos, "assist")
    return done


def _answer_appeal(call: Call, command: h.AnswerAppeal) -> Incident:
    name = "grant_appeal" if command.granted else "refuse_appeal"
    return _take(call, command, name, reason=command.reason.strip())


def _lock(call: Call, first: int, *others: int) -> None:
    """Incidents are locked in order of their ids: two people who merge them both ways must not wait for one another.

    Whoever may not touch the first is told that, and nothing of the others.
    """
    for number in sorted({first, *others}):
        try:
            call.uow.incident(number)
        except Rejected:
            call.incident(first, "incident.merge", None)
            raise


def _merge(call: Call, command: h.MergeIncidents) -> Incident:
    _lock(call, command.id, command.into)
    incident = call.incident(command.id, "incident.merge", command.version)
    into = call.incident(command.into, "incident.merge", None)
    return merge(call.uow, incident, into, _why(command.reason), call.actor, call.channel, call.now)


def _why(reason: str) -> str:
    if not reason.strip():
        raise Rejected("field", "reason='': say why", field="reason")
    return reason.strip()


def _separate(call: Call, command: h.SeparateSources) -> Incident:
    _lock(call, command.id, *(() if command.back_to is None else (command.back_to,)))
    incident = call.incident(command.id, "incident.merge", command.version)
    if command.back_to is not None:
        target = call.incident(command.back_to, "incident.merge", None)
    else:
        first = call.uow.intake(min(command.sources, default=0), incident.id)
        target = open_incident(
            call.uow,
            first,
            call.actor,
            call.now,
            call.city.number_pattern,
            call.city.timezone,
            keyed=False,
            names=call.uow.names_of(first.id),
        )
    done = take_apart(
        call.uow, incident, command.sources, target, _why(command.reason), call.actor, call.channel, call.now
    )
    call.uow.incident_changed(done, call.now)
    return done


def _keep_separate(call: Call, command: h.KeepSeparate) -> Incident:
    _lock(call, command.id, command.other)
    incident = call.incident(command.id, "incident.merge", None)
    other = call.incident(command.other, "incident.merge", None)
    keep_separate(call.uow, incident, other, call.actor, call.now)
    return incident


HANDLERS: Final[dict[type, Callable[[Any, Any], Incident]]] = {
    h.AskExtension: lambda call, c: _take(call, c, "ask_extension", reason=c.reason.strip()),
    h.AskParking: _ask_parking,
    h.AnswerRequest: _answer_request,
    h.EndParking: lambda call, c: _take(call, c, "unpark", reason=c.reason.strip()),
    h.SuperviseIncident: _supervise,
    h.SignSupervision: lambda call, c: _take(call, c, "sign_supervision"),
    h.AnswerSupervision: lambda call, c: _take(call, c, "answer_supervision", reason=c.text.strip()),
    h.EndSupervision: lambda call, c: _take(call, c, "end_supervision", reason=c.reason.strip()),
    h.AskAssist: _ask_assist,
    h.TakeAssist: lambda call, c: _take(call, c, "take_assist"),
    h.ArriveAssist: lambda call, c: _take(call, c, "arrive_assist"),
    h.AnswerAssist: _answer_assist,
    h.ReleaseAssist: lambda call, c: _take(call, c, "release_assist", unit=c.unit, reason=c.reason.strip()),
    h.AppealIncident: lambda call, c: _take(call, c, "appeal", reason=c.reason.strip(), against=c.against),
    h.AnswerAppeal: _answer_appeal,
    h.CallBack: lambda call, c: _take(
        call, c, "call_back", reason=c.text.strip(), satisfaction=c.satisfaction
    ),
    h.MergeIncidents: _merge,
    h.SeparateSources: _separate,
    h.KeepSeparate: _keep_separate,
    h.ReopenIncident: lambda call, c: _take(call, c, "reopen", reason=c.reason.strip()),
}
_NAME_OF: Final = {kind: name for name, kind in h.COMMANDS.items()}
