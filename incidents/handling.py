"""What the commands of `handling_commands` do: each is one step of the life-cycle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Protocol

from incidents import handling_commands as h
from incidents.lifecycle import Step
from incidents.model import Actor, Incident, Rejected
from incidents.supervision import demanded


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
    found = demanded(command.level, demand, timedelta(hours=command.hours), call.actor.id, call.now)
    return _take(call, command, "supervise", supervision=found, reason=demand)


def _answer_appeal(call: Call, command: h.AnswerAppeal) -> Incident:
    name = "grant_appeal" if command.granted else "refuse_appeal"
    return _take(call, command, name, reason=command.reason.strip())


HANDLERS: Final[dict[type, Callable[[Any, Any], Incident]]] = {
    h.AskExtension: lambda call, c: _take(call, c, "ask_extension", reason=c.reason.strip()),
    h.AskParking: _ask_parking,
    h.AnswerRequest: _answer_request,
    h.EndParking: lambda call, c: _take(call, c, "unpark", reason=c.reason.strip()),
    h.SuperviseIncident: _supervise,
    h.SignSupervision: lambda call, c: _take(call, c, "sign_supervision"),
    h.AnswerSupervision: lambda call, c: _take(call, c, "answer_supervision", reason=c.text.strip()),
    h.EndSupervision: lambda call, c: _take(call, c, "end_supervision", reason=c.reason.strip()),
    h.AppealIncident: lambda call, c: _take(call, c, "appeal", reason=c.reason.strip(), against=c.against),
    h.AnswerAppeal: _answer_appeal,
    h.CallBack: lambda call, c: _take(
        call, c, "call_back", reason=c.text.strip(), satisfaction=c.satisfaction
    ),
    h.ReopenIncident: lambda call, c: _take(call, c, "reopen", reason=c.reason.strip()),
}
_NAME_OF: Final = {kind: name for name, kind in h.COMMANDS.items()}
