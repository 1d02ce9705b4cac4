"""The same walks as `evaluation_year`, many more of them: every step by the product's own `advance`, without door and store;
at the end incidents and timelines are written into the store as they are. Rights and merging by likeness are not asked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from data.database import json, many
from data.incident_rows import COLUMNS, to_row
from incidents import commands as c
from incidents import handling_commands as h
from incidents.lifecycle import DEFAULT_STAGE_LIMITS_MIN, Step, advance, file_report
from incidents.model import (
    REPORT_CHANNELS,
    Actor,
    ClockKind,
    Incident,
    Place,
    Policy,
    Rejected,
    Stage,
    TimelineEntry,
)
from incidents.supervision import demanded
from tests.bench.evaluation_year import WORKING, CityYear
from tests.small_city import CITY, OTHER_DISTRICT, place_of

LIMITS: Final = {"0101": (240, ClockKind.WORK_HOUR), "0201": (300, ClockKind.URGENT_HOUR)}
"""Class → its limit, as the bench sets it in the store."""
WITH_UNIT: Final = (Stage.DISPATCHED, Stage.TAKEN, Stage.ON_SITE)
_DESK: Final = "desk"

Steps = Callable[[Any, Incident], list[Step]]


def _one(action: str, **names: str) -> Steps:
    """One step; `names`: field of the step → field of the command."""
    return lambda command, incident: [
        Step(action, _DESK, **{field: getattr(command, name) for field, name in names.items()})
    ]


def _accept(command: Any, incident: Incident) -> list[Step]:
    code = command.class_code or incident.class_code
    policy = Policy(code, 1, *LIMITS[code], False, DEFAULT_STAGE_LIMITS_MIN)
    return [Step("accept", _DESK, policy=policy)]


def _answer(yes: str, no: str) -> Steps:
    return lambda command, incident: [Step(yes if command.granted else no, _DESK, reason=command.reason)]


STEPS: Final[dict[type, Steps]] = {
    c.AcceptIncident: _accept,
    c.RefuseIncident: _one("refuse", reason="reason"),
    c.VoidIncident: _one("void", reason="reason"),
    c.DispatchIncident: lambda command, incident: [
        Step(
            "reassign" if incident.stage in WITH_UNIT else "dispatch",
            _DESK,
            unit=command.unit,
            reason=command.reason,
        )
    ],
    c.TakeIncident: _one("take"),
    c.ArriveIncident: _one("arrive"),
    c.FinishIncident: lambda command, incident: [
        Step("handle", _DESK, reason=command.text),
        Step("feed_back", _DESK, reason=command.text),
    ],
    c.ReturnIncident: _one("return", reason="reason", wrong_field="wrong_field"),
    c.CheckIncident: lambda command, incident: [
        Step("pass_check" if command.passed else "fail_check", _DESK, reason=command.reason)
    ],
    c.CloseIncident: _one("close"),
    h.AskExtension: _one("ask_extension", reason="reason"),
    h.AskParking: _one("ask_parking", reason="reason", until="until"),
    h.AnswerRequest: _answer("grant_request", "refuse_request"),
    h.EndParking: _one("unpark", reason="reason"),
    h.AnswerSupervision: _one("answer_supervision", reason="text"),
    h.AppealIncident: _one("appeal", reason="reason", against="against"),
    h.AnswerAppeal: _answer("grant_appeal", "refuse_appeal"),
    h.CallBack: _one("call_back", satisfaction="satisfaction"),
    h.ReopenIncident: _one("reopen", reason="reason"),
}


class BulkYear(CityYear):
    """A year of steps; `store` writes it."""

    def begin_at(self, number: int) -> None:
        """Ids from here on."""
        self.incidents: dict[int, Incident] = {}
        self.lines: dict[int, list[TimelineEntry]] = {}
        self._next = number

    def report(self) -> int:
        """One report opens one incident."""
        if self.chance(0.1):
            place = Place(area_path=OTHER_DISTRICT)
        else:
            place = place_of(self.rng.uniform(113.89, 113.95), self.rng.uniform(21.9, 21.91))
            place = place if place.area_path else replace(place, area_path=CITY)
        id, self._next = self._next, self._next + 1
        made = Incident(
            id, f"BULK{id:08d}", self.rng.choice(("0101", "0201")), "", "路口积水", "路口积水", Stage.REPORTED, 3, place,
            self.now, 1,
        )  # fmt: skip
        self.incidents[id] = file_report(made, self.now)
        channel = self.rng.choice(REPORT_CHANNELS)
        line = TimelineEntry(self.now, "report", "", "reported", 1, "坐席", "operator", channel)
        self.lines[id] = [line]
        self.happened["ReportIncident"] += 1
        return id

    def do(self, who: Actor, command: object) -> bool:
        """The steps of one command, or none of them."""
        name = type(command).__name__
        try:
            if isinstance(command, h.MergeIncidents):
                self._merge(who, command)
            elif isinstance(command, h.SeparateSources):
                self._separate(who, command)
            elif isinstance(command, h.SuperviseIncident):
                found = demanded(
                    command.level, command.demand, timedelta(hours=command.hours), who.id, self.now
                )
                self._step(
                    who, command.id, Step("supervise", _DESK, supervision=found, reason=command.demand)
                )
            else:
                id: int = command.id  # type: ignore[attr-defined]
                for step in STEPS[type(command)](command, self.incidents[id]):
                    self._step(who, id, step)
        except Rejected as refused:
            self.happened[f"{name}:{refused.code}"] += 1
            return False
        self.happened[name] += 1
        return True

    def _step(self, who: Actor, id: int, step: Step) -> None:
        changed, line, _ = advance(self.incidents[id], step, who, self.now, WORKING)
        self.incidents[id] = changed
        self.lines[id].append(line)

    def _merge(self, who: Actor, command: h.MergeIncidents) -> None:
        gone, into = self.incidents[command.id], self.incidents[command.into]
        if not into.open or not gone.sources:
            raise Rejected("rule", f"into={into.id}: must be open, with sources", field="into")
        self._step(who, gone.id, Step("merge", _DESK, reason=command.reason, into=into.id))
        self._step(who, into.id, Step("absorb", _DESK, reason=command.reason, count=gone.sources))

    def _separate(self, who: Actor, command: h.SeparateSources) -> None:
        back = self.incidents[command.back_to or 0]
        if back.merged_into != command.id:
            raise Rejected("rule", f"back_to={back.id}: is not there", field="back_to")
        self._step(who, command.id, Step("release", _DESK, reason=command.reason, count=1))
        self._step(who, back.id, Step("restore", _DESK, reason=command.reason, count=1))

    def store(self) -> int:
        """Write incidents and timelines; how many incidents."""
        known = set(self.incidents)
        with self.db.transaction() as cursor:
            many(
                cursor,
                f"INSERT INTO incidents (id, {', '.join(COLUMNS)}) VALUES %s",
                [(id, *to_row(incident)) for id, incident in self.incidents.items()],
            )
            many(
                cursor,
                "INSERT INTO timeline (incident_id, seq, at, action, from_stage, to_stage, actor_id, actor_name, role,"
                " channel, reason, detail) VALUES %s",
                [
                    (id, seq, e.at, e.action, e.from_stage, e.to_stage, e.actor_id, e.actor_name, e.role, e.channel,
                     e.reason, json(dict(e.detail)))
                    for id in known for seq, e in enumerate(self.lines[id], 1)
                ],
            )  # fmt: skip
        return len(known)
