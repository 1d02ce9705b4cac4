"""Deadlines that nobody could compute, because the working days they reach into were not published: announced ahead, and
computed as soon as the year is known. Never guessed (issue C "Clocks").
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from incidents.clocks import due_at
from incidents.lifecycle import Step, advance
from incidents.model import Rejected
from incidents.selfcheck import check_source, file_check
from incidents.storeports import UnitOfWork
from incidents.triage import SYSTEM
from incidents.working_time import NotPublished

ANNOUNCED_AHEAD: Final = timedelta(days=60)
CALENDAR_CLASS: Final = "P0104"
"""Class 工作日历未公布 of the catalogue. A city without it gets the incident without a class; the desk gives it one."""


def recount_deadlines(uow: UnitOfWork, now: datetime, after: int = 0, limit: int = 200) -> tuple[int, int]:
    """Compute the deadlines of what runs without one, in one transaction. Returns how many are known by now, and the id to
    go on after the next time; 0: from the beginning."""
    working = uow.working()
    done, found = 0, uow.without_deadline(after, limit)
    for incident in found:
        step = Step("recount", "timer", reason="工作日历已公布 the working days are published")
        try:
            if not incident.clock or not due_at(incident.clock, now, working):
                continue
            changed, entry, _ = advance(incident, step, SYSTEM, now, working)
        except (NotPublished, Rejected):
            continue
        uow.save(changed, incident.version)
        uow.append(changed.id, entry)
        uow.incident_changed(changed, now)
        done += 1
    return done, found[-1].id if len(found) == limit else 0


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
