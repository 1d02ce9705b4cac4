"""Deadlines that nobody could compute, because the working days they reach into were not published: announced ahead, and
computed as soon as the year is known. Never guessed (issue C "Clocks").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from incidents.clocks import due_at
from incidents.lifecycle import Step, advance
from incidents.model import Incident
from incidents.selfcheck import check_source, file_check
from incidents.storeports import Undone, UnitOfWork
from incidents.triage import SYSTEM
from incidents.working_time import NotPublished, WorkingTime

ANNOUNCED_AHEAD: Final = timedelta(days=60)
CALENDAR_CLASS: Final = "P0104"
"""Class 工作日历未公布 of the catalogue. A city without it gets the incident without a class; the desk gives it one."""


Key = tuple[datetime | None, int]
"""Where a round is: the deadline that an incident had, and its id."""

BATCH: Final = 200
TURN_S: Final = 1.0
"""So long a turn works before the relay's other timers have theirs."""
IDLE_BATCHES: Final = 10
"""A turn gives up after so many batches of which nothing could be computed: their year is still not published."""
REST: Final = timedelta(seconds=60)


def recount_deadlines(
    uow: UnitOfWork, now: datetime, after: Key | None = None, limit: int = BATCH
) -> tuple[int, Key | None]:
    """Compute the deadlines of what runs without one, in one transaction, the oldest first: by the deadline it had before
    its days were published anew. Returns how many are known by now, and the key to go on after; None: the round is over.

    One that cannot be saved undoes no other, and waits for the next round."""
    working = uow.working()
    done, found = 0, uow.without_deadline(after, limit)
    known = [incident for incident in found if _is_known(incident, now, working)]
    try:
        done = uow.alone(partial(_computed, uow, known, now, working))
    except Undone:
        for incident in known:
            with suppress(Undone):
                done += uow.alone(partial(_computed, uow, [incident], now, working))
    return done, (found[-1].stage_due_at, found[-1].id) if len(found) == limit else None


def _is_known(incident: Incident, now: datetime, working: WorkingTime) -> bool:
    try:
        return incident.clock is not None and due_at(incident.clock, now, working) is not None
    except NotPublished:
        return False


def _computed(uow: UnitOfWork, known: Sequence[Incident], now: datetime, working: WorkingTime) -> int:
    step = Step("recount", "timer", reason="工作日历已公布 the working days are published")
    for incident in known:
        changed, entry, _ = advance(incident, step, SYSTEM, now, working)
        uow.save(changed, incident.version)
        uow.append(changed.id, entry)
        uow.incident_changed(changed, now)
    return len(known)


class DeadlineRounds:
    """Round after round over what has no deadline, batch by batch, each a transaction of its own. What a killed process had
    computed is saved, and is nothing to look at for the next: only the place in the round is lost with it.

    `units`: opens a unit of work; `elapsed_s`: seconds of a clock that only goes forward.
    """

    def __init__(
        self, units: Callable[[], AbstractContextManager[UnitOfWork]], elapsed_s: Callable[[], float]
    ) -> None:
        self._units = units
        self._elapsed_s = elapsed_s
        self._after: Key | None = None
        self._rest_until: datetime | None = None

    def rests(self, now: datetime) -> bool:
        """There was nothing to compute a moment ago."""
        return self._rest_until is not None and now < self._rest_until

    def turn(self, now: datetime) -> int:
        """Batches for TURN_S; returns how many deadlines are known by now that were not."""
        began, done, idle = self._elapsed_s(), 0, 0
        self._rest_until = None
        while True:
            with self._units() as uow:
                computed, self._after = recount_deadlines(uow, now, self._after)
            done += computed
            idle = 0 if computed else idle + 1
            if self._after is None or idle == IDLE_BATCHES:
                self._rest_until = now + REST
                return done
            if self._elapsed_s() - began >= TURN_S:
                return done


def announce_unpublished(uow: UnitOfWork, city_path: str, now: datetime) -> int:
    """60 days before a year whose working days are not known it is somebody's work to enter them; once for each year."""
    working = uow.working()
    ahead = now + ANNOUNCED_AHEAD
    year = ahead.astimezone(ZoneInfo(working.zone)).year
    if year in working.years or uow.filed("working-year", str(year)):
        return 0
    text = (
        f"{year} 年的工作日与调休还没有录入。国务院办公厅公布后请录入（python app.py workdays {year} …），"
        "在此之前，跨入该年的工作时、工作日期限不作推算，显示为“待定”。"
    )
    source = check_source(
        city_path, now, class_code=CALENDAR_CLASS, title=f"工作日历未公布：{year} 年", text=text, time=now,
        correlation_id=f"working-year-{year}", source="working-year", message_id=str(year),
    )  # fmt: skip
    file_check(uow, source)
    return 1
