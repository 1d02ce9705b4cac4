"""Commands beside the way from report to closing: 延期, 挂账, 督办, 申诉, 回访, 重开. See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class AskExtension:
    """申请延期: the class's limit once more, from the deadline it has; before it is overdue, twice at most."""

    id: int
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AskParking:
    """申请挂账: the clock stands until `until` (aware; a year from now at most) and runs on by itself; once."""

    id: int
    until: datetime
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Grant what the unit asked for, or refuse it with a reason. Counts from the moment it was asked."""

    id: int
    granted: bool
    reason: str = ""
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class EndParking:
    """A parked incident goes on before its time, with a reason."""

    id: int
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class SuperviseIncident:
    """督办: a demand to whoever has the incident, of a level (1 the highest, 3), to be answered within so many hours."""

    id: int
    level: int
    demand: str
    hours: float = 24.0
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class SignSupervision:
    """签收: the unit has seen the demand."""

    id: int
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AnswerSupervision:
    """督办回复 of the unit."""

    id: int
    text: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class EndSupervision:
    """The demand is met."""

    id: int
    reason: str = ""
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AskAssist:
    """协办: other units are asked to help the lead, with what is asked of them. Its result waits for all their answers."""

    id: int
    units: list[str]
    what: str = ""
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class TakeAssist:
    """An assisting unit accepts."""

    id: int
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class ArriveAssist:
    """An assisting unit is on site."""

    id: int
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AnswerAssist:
    """What an assisting unit has done, with stored photos (SHA-256 names) if it has any."""

    id: int
    text: str
    photos: list[str] = field(default_factory=list)
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseAssist:
    """An assisting unit is not needed any more, with the reason: the lead need not wait for it."""

    id: int
    unit: str
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AppealIncident:
    """申诉 after closing, once: `against` is overdue, rework or return."""

    id: int
    against: str
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AnswerAppeal:
    """Grant an appeal or refuse it, with the reason; what was overdue stays a fact and is exempt in statistics only."""

    id: int
    granted: bool
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class CallBack:
    """回访: how satisfied the reporter is, 1 to 5."""

    id: int
    satisfaction: int
    text: str = ""
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class ReopenIncident:
    """重开 a closed incident, with a reason; it goes to the dispatcher and counts as rework."""

    id: int
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class MergeIncidents:
    """合并: all sources of an incident go to another open one; it is void until they come back."""

    id: int
    into: int
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class SeparateSources:
    """拆分: sources leave an incident for the one they were merged from (`back_to`), all of these when `sources` is empty;
    without `back_to` for a new one. What a person separates is not merged by itself again."""

    id: int
    reason: str
    sources: list[int] = field(default_factory=list)
    back_to: int | None = None
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class KeepSeparate:
    """Two incidents that look alike are not one: neither merged by itself nor suggested again."""

    id: int
    other: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class UnmaskIncident:
    """Names, phones and texts of an incident's reporters in full, with the reason, which the audit log keeps. `reply`: of
    those only whom this reply is for."""

    id: int
    reason: str
    reply: int | None = None


@dataclass(frozen=True, slots=True)
class SaveWorkingYear:
    """The working days of a year, as published: `off` are weekdays that are free, `work` weekend days that are worked
    (调休), each as YYYY-MM-DD. Replaces what the store has of the year; deadlines that were not known are computed."""

    year: int
    off: list[str]
    work: list[str]
    source: str


COMMANDS: Final[dict[str, type]] = {
    "ask_extension": AskExtension,
    "ask_parking": AskParking,
    "answer_request": AnswerRequest,
    "end_parking": EndParking,
    "supervise_incident": SuperviseIncident,
    "sign_supervision": SignSupervision,
    "answer_supervision": AnswerSupervision,
    "end_supervision": EndSupervision,
    "ask_assist": AskAssist,
    "take_assist": TakeAssist,
    "arrive_assist": ArriveAssist,
    "answer_assist": AnswerAssist,
    "release_assist": ReleaseAssist,
    "appeal_incident": AppealIncident,
    "answer_appeal": AnswerAppeal,
    "call_back": CallBack,
    "reopen_incident": ReopenIncident,
    "merge_incidents": MergeIncidents,
    "separate_sources": SeparateSources,
    "keep_separate": KeepSeparate,
    "unmask_incident": UnmaskIncident,
    "save_working_year": SaveWorkingYear,
}

ACTION_OF: Final[dict[str, str]] = {
    "ask_extension": "incident.ask",
    "ask_parking": "incident.ask",
    "answer_request": "incident.grant",
    "end_parking": "incident.grant",
    "supervise_incident": "incident.supervise",
    "sign_supervision": "incident.answer",
    "answer_supervision": "incident.answer",
    "end_supervision": "incident.supervise",
    "ask_assist": "incident.dispatch",
    "take_assist": "incident.assist",
    "arrive_assist": "incident.assist",
    "answer_assist": "incident.assist",
    "release_assist": "incident.dispatch",
    "appeal_incident": "incident.appeal",
    "answer_appeal": "incident.decide_appeal",
    "call_back": "incident.call_back",
    "reopen_incident": "incident.reopen",
    "merge_incidents": "incident.merge",
    "separate_sources": "incident.merge",
    "keep_separate": "incident.merge",
    "unmask_incident": "person.unmask",
    "save_working_year": "calendar.manage",
}
"""Command → right, see incidents/access.py."""
