"""A pressed button → the command it stands for. Unknown actions are refused: nothing is looked up by a client's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from math import isfinite, nan
from typing import Any, Final
from uuid import uuid4
from zoneinfo import ZoneInfo

from incidents import commands as c
from incidents import handling_commands as h
from incidents.model import Rejected


@dataclass(frozen=True, slots=True)
class Press:
    """What was pressed, with the particulars of the form beside it."""

    id: int
    version: int | None
    reason: str
    class_code: str
    level: int | None
    unit: str
    worker: str
    until: datetime | None = None
    degree: int = 3
    hours: float = 24.0
    against: str = ""
    satisfaction: int = 0
    other: int = 0
    standard: str = ""
    units: tuple[str, ...] = ()


COMMAND_OF: Final[dict[str, Callable[[Press], object]]] = {
    "accept": lambda p: c.AcceptIncident(p.id, p.class_code, p.level, p.version, standard=p.standard),
    "consult": lambda p: c.AnswerConsultation(p.id, p.reason, p.version),
    "refuse": lambda p: c.RefuseIncident(p.id, p.reason, p.version),
    "void": lambda p: c.VoidIncident(p.id, p.reason, p.version),
    "dispatch": lambda p: c.DispatchIncident(
        p.id, p.unit, p.worker, p.reason, p.version, assisting=[u for u in p.units if u != p.unit]
    ),
    "reassign": lambda p: c.DispatchIncident(p.id, p.unit, p.worker, p.reason, p.version),
    "ask_assist": lambda p: h.AskAssist(p.id, list(p.units), p.reason, p.version),
    "take_assist": lambda p: h.TakeAssist(p.id, p.version),
    "arrive_assist": lambda p: h.ArriveAssist(p.id, p.version),
    "answer_assist": lambda p: h.AnswerAssist(p.id, p.reason, [], p.version),
    "release_assist": lambda p: h.ReleaseAssist(p.id, p.unit, p.reason, p.version),
    "pass_check": lambda p: c.CheckIncident(p.id, True, "", p.version),
    "fail_check": lambda p: c.CheckIncident(p.id, False, p.reason, p.version),
    "close": lambda p: c.CloseIncident(p.id, p.version),
    "acknowledge": lambda p: c.AcknowledgeIncident(p.id),
    "note": lambda p: c.NoteIncident(p.id, p.reason),
    "ask_extension": lambda p: h.AskExtension(p.id, p.reason, p.version),
    "ask_parking": lambda p: h.AskParking(p.id, _given(p.until), p.reason, p.version),
    "grant_request": lambda p: h.AnswerRequest(p.id, True, "", p.version),
    "refuse_request": lambda p: h.AnswerRequest(p.id, False, p.reason, p.version),
    "unpark": lambda p: h.EndParking(p.id, p.reason, p.version),
    "supervise": lambda p: h.SuperviseIncident(p.id, p.degree, p.reason, p.hours, p.version),
    "sign_supervision": lambda p: h.SignSupervision(p.id, p.version),
    "answer_supervision": lambda p: h.AnswerSupervision(p.id, p.reason, p.version),
    "end_supervision": lambda p: h.EndSupervision(p.id, "", p.version),
    "appeal": lambda p: h.AppealIncident(p.id, p.against, p.reason, p.version),
    "grant_appeal": lambda p: h.AnswerAppeal(p.id, True, p.reason, p.version),
    "refuse_appeal": lambda p: h.AnswerAppeal(p.id, False, p.reason, p.version),
    "call_back": lambda p: h.CallBack(p.id, p.satisfaction, "", p.version),
    "merge_into": lambda p: h.MergeIncidents(p.id, p.other, p.reason, p.version),
    "keep_separate": lambda p: h.KeepSeparate(p.id, p.other),
    "separate": lambda p: h.SeparateSources(p.id, p.reason, [], p.other, p.version),
    "reopen": lambda p: h.ReopenIncident(p.id, p.reason, p.version),
}


def _given(until: datetime | None) -> datetime:
    if until is None:
        raise Rejected("field", "until='': choose the day it goes on", field="until")
    return until


def _number(field: str, value: object) -> float:
    """A number of the form. Raises Rejected(field)."""
    try:
        found = float(str(value))
    except ValueError:
        found = nan
    if not isfinite(found):
        raise Rejected("field", f"{field}={value!r}: must be a number", field=field)
    return found


def _day(text: object, timezone: str) -> datetime | None:
    """A day of the form as the moment it begins in the city. Raises Rejected(field)."""
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(str(text)), time.min, ZoneInfo(timezone))
    except ValueError:
        raise Rejected("field", f"until={text!r}: must be a date, YYYY-MM-DD", field="until") from None


def command_of(pressed: Mapping[str, Any], form: Mapping[str, Any], timezone: str) -> object:
    """The command of a press {action, id, version, unit?, worker?, with: [names of particulars]}.

    `form`: what stands in the form beside the buttons, by name. Particulars count only when the press names them in
    `with`: the form keeps what was typed for another action. Raises Rejected('field') for an unknown action.
    """
    make = COMMAND_OF.get(str(pressed.get("action")))
    if make is None:
        raise Rejected("field", f"action={pressed.get('action')!r}: no such button", field="action")
    named = pressed.get("with") or []
    given = {name: value for name, value in form.items() if name in named and value not in (None, "")}
    version = pressed.get("version")
    return make(
        Press(
            id=int(pressed["id"]),
            version=int(version) if version is not None else None,
            reason=str(given.get("reason", "")) if "reason" in named else str(pressed.get("reason") or ""),
            class_code=str(given.get("class", "")),
            level=given.get("level"),
            unit=str(pressed.get("unit") or given.get("unit") or ""),
            worker=str(pressed.get("worker") or ""),
            until=_day(given.get("until"), timezone),
            degree=int(_number("degree", given.get("degree", 3))),
            hours=_number("hours", given.get("hours", 24.0)),
            against=str(given.get("against", "")),
            satisfaction=int(_number("satisfaction", given.get("satisfaction", 0))),
            standard=str(given.get("standard", "")),
            units=tuple(map(str, given.get("units") or given.get("assisting") or ())),
            other=int(_number("other", pressed.get("other") or 0)),
        )
    )


def report_of(
    text: str | None,
    class_code: str | None,
    address: str | None,
    name: str | None,
    phone: str | None,
    level: int | None,
    point: Mapping[str, Any] | None,
    key: str | None,
) -> c.ReportIncident:
    """The command of a filled intake form; level 0 = the class decides; without a key every press is its own."""
    at = point or {}
    return c.ReportIncident(
        text=text or "",
        channel="desk",
        class_code=class_code or "",
        lon=at.get("lon"),
        lat=at.get("lat"),
        address=address or "",
        level=level or None,
        reporter_name=name or "",
        reporter_phone=phone or "",
        key=key or uuid4().hex,
    )
