"""A year of a small city's incidents, every step a command through the product's own door: reports by all channels, refusals,
returns, reassignments, extensions, parking, supervision, rework, merging and separation, appeals, reopenings; some are never
finished. Walks of many incidents are woven together in the order of time, as a city's day is.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from data.administration import Administration
from data.audit import Audit
from data.database import Database
from data.questions.answers import StoreQuestions
from data.uow import UnitsOfWork
from incidents import commands as c
from incidents import handling_commands as h
from incidents.model import REPORT_CHANNELS, Actor, Rejected
from incidents.service import City, CityService
from incidents.working_time import WorkingTime
from tests.small_city import CITY, OTHER_DISTRICT, PATTERN, ZONE, actor, light_accounts, place_of

YEAR: Final = 2027
FIRST: Final = datetime(YEAR, 1, 1, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
NOW: Final = datetime(YEAR, 12, 13, 10, 30, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
"""When the year is asked about: its last month is not over."""

WORKING: Final = WorkingTime(ZONE, {year: {} for year in (YEAR - 1, YEAR, YEAR + 1)})
"""Without holidays: which days are worked is `bench clocks`' question."""

CALL, DESK, LEADER = actor("operator", id=1), actor("dispatcher", id=2), actor("duty_leader", id=3)
JUDGE, CALL_2, ELSEWHERE = (
    actor("evaluator", id=4),
    actor("operator", id=5),
    actor("operator", OTHER_DISTRICT, id=6),
)
OFFICE: Final = {u: actor("unit_handler", CITY, u, f"office-{u}", 10 + n) for n, u in enumerate(("U1", "U2"))}
WORKER: Final = {
    u: actor("grid_worker", CITY, u, w, 20 + n) for n, (u, w) in enumerate((("U1", "grid-worker"), ("U2", "worker-2")))
}  # fmt: skip
Walk = Iterator[timedelta]
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Ended(Exception):
    """Nothing more is done with this incident."""


class CityYear:
    """The door, its clock, and what happened; `run` makes the year."""

    def __init__(self, db: Database, seed: int) -> None:
        self.db, self.now, self.rng = db, FIRST, random.Random(seed)
        self.happened: Counter[str] = Counter()
        self._held: list[int] = []
        self._keys = itertools.count()
        units = UnitsOfWork(db, Audit(db), Administration(light_accounts(db)), place_of, lambda: WORKING)
        questions = StoreQuestions(db, place_of, dict, lambda: CITY)
        self.door = CityService(units, questions, lambda: self.now, City(PATTERN, ZONE, CITY))

    def run(self, count: int, say: Callable[[str], None]) -> None:
        """So many reports over the year until NOW, each walked to its end."""
        span = (NOW - FIRST).total_seconds()
        begins = sorted(FIRST + timedelta(seconds=self.rng.random() * span) for _ in range(count))
        waiting: list[tuple[datetime, int, Walk]] = [(at, n, self.incident()) for n, at in enumerate(begins)]
        heapq.heapify(waiting)
        done = 0
        while waiting:
            at, number, walk = heapq.heappop(waiting)
            if at > NOW:
                continue  # the rest of it is still to come
            self.now = at
            try:
                later = next(walk)
                heapq.heappush(waiting, (at + max(later, timedelta(seconds=1)), number, walk))
            except (StopIteration, Ended):
                done += 1
                if done % 2000 == 0:
                    say(f"{done} incidents walked to their end, {sum(self.happened.values())} commands")
        self.now = NOW

    def do(self, who: Actor, command: object) -> bool:
        """One command; False when the product refused it."""
        name = type(command).__name__
        try:
            self.door.handle(command, who, "desk")
        except Rejected as refused:
            self.happened[f"{name}:{refused.code}"] += 1
            return False
        self.happened[name] += 1
        return True

    def must(self, who: Actor, command: object) -> None:
        """One command without which the walk ends (another one merged or voided it meanwhile)."""
        if not self.do(who, command):
            raise Ended

    def chance(self, share: float) -> bool:
        """True so often."""
        return self.rng.random() < share

    def minutes(self, mean: float) -> timedelta:
        """A waiting time, most short, some long; now and then not one second."""
        return (
            timedelta(seconds=int(self.rng.expovariate(1 / mean) * 60)) if self.chance(0.97) else timedelta(0)
        )

    def incident(self) -> Walk:
        """Report, filing, dispatch, handling, closing, and what comes after."""
        id = self.report()
        yield self.minutes(8)
        self.dropped(0.03, 0.02, id)
        if self.chance(0.1):
            self.must(CALL, c.RefuseIncident(id, "不在职责范围"))
            return
        code = self.rng.choice(("0101", "0201"))
        self.must(self.rng.choice((CALL, DESK)), c.AcceptIncident(id, code if self.chance(0.2) else ""))
        yield self.minutes(8)
        while True:
            self.dropped(0.02, 0.02, id)
            unit = self.rng.choice(("U1", "U2"))
            self.must(LEADER if self.chance(0.2) else DESK, c.DispatchIncident(id, unit))
            finished = yield from self.with_unit(id, unit)
            if finished:
                yield from self.after_closing(id, unit)
                if not (self.chance(0.06) and self.do(CALL, h.ReopenIncident(id, "又出现"))):
                    return
            yield self.minutes(10)

    def report(self) -> int:
        """One report; ends the walk when it joined another incident."""
        key = f"year-{next(self._keys)}"
        channel = self.rng.choice(REPORT_CHANNELS)
        if self.chance(0.1):
            who, place = ELSEWHERE, {}
        else:
            who = CALL
            place = {"lon": self.rng.uniform(113.89, 113.95), "lat": self.rng.uniform(21.9, 21.91)}
        command = c.ReportIncident(
            text="路口积水", class_code=self.rng.choice(("0101", "0201")), channel=channel, key=key, **place
        )
        answer = self.door.handle(command, who, "desk")
        self.happened["ReportIncident"] += 1
        if answer["joined"]:
            self.happened["joined"] += 1
            raise Ended
        return int(answer["id"])

    def dropped(self, void: float, forgotten: float, id: int) -> None:
        """Void, or nobody ever does anything about it."""
        if self.chance(void) and self.do(LEADER, c.VoidIncident(id, "误报")):
            raise Ended
        if self.chance(forgotten):
            self.happened["forgotten"] += 1
            raise Ended

    def with_unit(self, id: int, unit: str) -> Iterator[timedelta]:
        """Until it is closed (True) or the unit gives it back (False)."""
        self._held.append(id)
        yield self.minutes(20)
        self.dropped(0.02, 0.02, id)
        worker = WORKER[unit] if self.chance(0.7) else OFFICE[unit]
        self.must(worker, c.TakeIncident(id))
        if self.chance(0.1):
            wrong = self.rng.choice(("owner", "scope", "place", "class"))
            self.must(OFFICE[unit], c.ReturnIncident(id, wrong, "不归我们"))
            return False
        if self.chance(0.04):
            yield from self.merged(id)
        if self.chance(0.05):
            unit = {"U1": "U2", "U2": "U1"}[unit]
            self.must(DESK, c.DispatchIncident(id, unit, reason="改派"))
            worker = WORKER[unit]
            yield self.minutes(20)
            self.must(worker, c.TakeIncident(id))
        yield from self.asked(id, unit)
        while True:
            self.must(worker, c.ArriveIncident(id))
            yield self.minutes(150)
            self.dropped(0.01, 0.02, id)
            self.must(worker, c.FinishIncident(id, "已处置"))
            yield self.minutes(20)
            self.dropped(0.0, 0.02, id)
            if not self.chance(0.15):
                break
            self.must(CALL, c.CheckIncident(id, False, "没有处理好"))
            yield self.minutes(30)
            self.must(worker, c.TakeIncident(id))
        self.must(self.rng.choice((CALL, CALL_2)), c.CheckIncident(id, True))
        yield self.minutes(5)
        self.must(CALL, c.CloseIncident(id))
        return True

    def asked(self, id: int, unit: str) -> Iterator[timedelta]:
        """延期, 挂账, 督办."""
        for _ in range(2):
            if self.chance(0.12) and self.do(OFFICE[unit], h.AskExtension(id, "等配件")):
                yield self.minutes(60)
                self.do(DESK, h.AnswerRequest(id, self.chance(0.7), "说明"))
        if self.chance(0.05):
            until = self.now + timedelta(days=self.rng.uniform(0.5, 40))
            if self.do(OFFICE[unit], h.AskParking(id, until, "等审批")):
                yield self.minutes(60)
                granted = self.do(LEADER, h.AnswerRequest(id, self.chance(0.8), "说明"))
                yield until - self.now if granted and self.chance(0.5) else self.minutes(600)
                self.do(LEADER, h.EndParking(id, "条件具备"))
        if self.chance(0.05) and self.do(LEADER, h.SuperviseIncident(id, 2, "尽快")):
            yield self.minutes(30)
            self.do(OFFICE[unit], h.AnswerSupervision(id, "在办"))

    def merged(self, id: int) -> Iterator[timedelta]:
        """Merged into another open one; half of them are separated again and begin anew."""
        into = self.rng.choice(self._held[-40:])
        if into == id or not self.do(DESK, h.MergeIncidents(id, into, "同一处")):
            return
        yield self.minutes(120)
        if not (self.chance(0.5) and self.do(DESK, h.SeparateSources(into, "不是同一处", back_to=id))):
            raise Ended
        yield self.minutes(8)
        self.must(CALL, c.AcceptIncident(id))
        yield self.minutes(8)
        unit = self.rng.choice(("U1", "U2"))
        self.must(DESK, c.DispatchIncident(id, unit))
        yield self.minutes(20)
        if (yield from self.with_unit(id, unit)):
            yield from self.after_closing(id, unit)
        raise Ended

    def after_closing(self, id: int, unit: str) -> Iterator[timedelta]:
        """回访, 申诉 and its answer."""
        yield self.minutes(600)
        if self.chance(0.1):
            self.do(CALL, h.CallBack(id, self.rng.randint(1, 5)))
        against = self.rng.choice(("overdue", "overdue", "rework", "return"))
        if self.chance(0.4) and self.do(OFFICE[unit], h.AppealIncident(id, against, "等审批")):
            yield self.minutes(1500)
            self.do(JUDGE, h.AnswerAppeal(id, self.chance(0.6), "说明"))
