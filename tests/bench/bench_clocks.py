"""Clocks: deadlines of a rule sheet over a year with holidays and 调休, and random histories, beside a minute-by-minute
oracle that imports nothing of the product; and what deciding 200,000 deadlines costs.

`--data FILE`: a rule sheet with a column `time_limit` (TSV); without it that of the shared data. Issue 4, "Must show" 2.
"""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as Time
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from chinese_calendar import is_workday

from incidents.clocks import Clock, begun, due_at, extended, left_s, paused, resumed
from incidents.limits import YUNCHENG, Limit, parse_limit
from incidents.model import ClockKind
from incidents.working_time import NotPublished, WorkingTime
from tests.bench import clock_oracle as oracle
from tests.bench.frame import Bench, Figures
from tests.product import ROOT

GOALS = {"equal_share": 1.0, "mutants_found": 4}

ZONE: Final = "Asia/Shanghai"
YEAR: Final = 2026
SHEET: Final = ROOT.parent / "shared" / "data" / "case_standards.tsv"
STARTS: Final = 40
HISTORIES: Final = 20_000
OPEN: Final = 200_000
UNITS: Final = ("U1", "U2")


def exceptions(year: int) -> dict[date, bool]:
    """Days of a published year that are not what their weekday says."""
    found = {}
    day = date(year, 1, 1)
    while day.year == year:
        if is_workday(day) != (day.weekday() < 5):
            found[day] = is_workday(day)
        day += timedelta(days=1)
    return found


def moment(minute: int) -> datetime:
    """A local minute of the year."""
    return (datetime(YEAR, 1, 1) + timedelta(minutes=minute)).replace(tzinfo=ZoneInfo(ZONE))


def minute_of(at: datetime) -> int:
    """The local minute."""
    return int(
        (at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None) - datetime(YEAR, 1, 1)).total_seconds() // 60
    )


def sheet(path: Path) -> list[str]:
    """The limits of a rule sheet, as written."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row["time_limit"].strip() for row in csv.DictReader(file, delimiter="\t")]


def deadline(limit: Limit, begin: int, working: WorkingTime) -> int:
    """The product's deadline as a minute; UNKNOWN when it reaches into a year that is not published."""
    try:
        at = due_at(begun(limit, "U1", moment(begin), working), moment(begin), working)
    except NotPublished:
        return oracle.UNKNOWN
    assert at is not None
    return minute_of(at)


def events_of(rng: random.Random, begin: int, last: int) -> list[oracle.Event]:
    """A history that the rules allow: pauses, resumptions at the same or another unit, extensions."""
    found: list[oracle.Event] = []
    runs, unit, at = True, "U1", begin
    for _ in range(rng.randrange(8)):
        at += rng.randrange(1, 3000)
        if at >= last:
            break
        if runs and rng.random() < 0.3 and sum(e[1] == "extend" for e in found) < 2:
            found.append((at, "extend", unit))
        elif runs:
            found.append((at, "pause", unit))
            runs = False
        else:
            unit = rng.choice(UNITS)
            found.append((at, "resume", unit))
            runs = True
    return found


def after_events(
    limit: Limit, begin: int, events: Sequence[oracle.Event], working: WorkingTime
) -> Clock | None:
    """The product's clock after a history; None where it refuses an extension because it is overdue."""
    clock = begun(limit, "U1", moment(begin), working)
    for minute, what, unit in events:
        now = moment(minute)
        if what == "extend":
            if left_s(clock, now, working) < 0:
                return None
            clock = extended(clock, now, working)
        else:
            clock = paused(clock, now, working) if what == "pause" else resumed(clock, unit, now)
    return clock


def run(bench: Bench) -> Figures:
    """Both comparisons, the mutants, the cost."""
    texts = sheet(bench.data or SHEET)
    parsed = [(text, parse_limit(text, YUNCHENG), oracle.meaning(text)) for text in texts]
    limits = [(limit, told) for _, limit, told in parsed if isinstance(limit, Limit) and told is not None]
    odd = sum(not isinstance(limit, Limit) for _, limit, _ in parsed)
    understood = sum(isinstance(limit, Limit) == (told is not None) for _, limit, told in parsed)
    days = exceptions(YEAR)
    working = WorkingTime(ZONE, {YEAR: days})
    first = date(YEAR, 1, 1)
    whole = [first + timedelta(days=n) for n in range(365)]
    year = oracle.year_of(YEAR, {day for day in whole if is_workday(day)})

    rng = random.Random(7)
    starts = STARTS // 8 if bench.quick else STARTS
    cases = [
        (limit, told, rng.randrange(365 * oracle.DAY_MIN)) for limit, told in limits for _ in range(starts)
    ]
    mutants: Mapping[str, tuple[WorkingTime, bool]] = {
        "lunch is worked": (
            WorkingTime(ZONE, {YEAR: days}, ((Time(8), Time(13)), (Time(13), Time(18)))),
            False,
        ),
        "made-up weekends are free": (
            WorkingTime(ZONE, {YEAR: {d: w for d, w in days.items() if not w}}),
            False,
        ),
        "holidays are worked": (WorkingTime(ZONE, {YEAR: {d: w for d, w in days.items() if w}}), False),
        "urgent hours are office hours": (working, True),
    }
    equal, unlike, unknown = 0, dict.fromkeys(mutants, 0), 0
    for limit, (minutes, continuous), begin in cases:
        wanted = oracle.due(year, begin, minutes, continuous)
        equal += deadline(limit, begin, working) == wanted
        unknown += wanted == oracle.UNKNOWN
        for name, (mutant, office) in mutants.items():
            kind = ClockKind.WORK_HOUR if office and limit.kind is ClockKind.URGENT_HOUR else limit.kind
            unlike[name] += deadline(Limit(limit.amount, kind), begin, mutant) != wanted
    bench.say(
        f"{equal} of {len(cases)} deadlines equal, {unknown} not to be known; mutants differ in {unlike}"
    )

    agree = total = 0
    for _ in range(HISTORIES // 8 if bench.quick else HISTORIES):
        limit, (minutes, continuous) = rng.choice(limits)
        begin = rng.randrange(300 * oracle.DAY_MIN)
        last = begin + 30 * oracle.DAY_MIN
        events = events_of(rng, begin, last)
        clock = after_events(limit, begin, events, working)
        if clock is None:
            continue
        total += 1
        look = rng.randrange(events[-1][0] if events else begin, last + 1)
        found = left_s(clock, moment(look), working) / 60
        agree += found == oracle.left(year, begin, minutes, continuous, events, "U1", look)
    bench.say(f"{agree} of {total} histories equal")

    count = OPEN // 10 if bench.quick else OPEN
    now = moment(200 * oracle.DAY_MIN).astimezone(UTC)
    clocks = [
        begun(rng.choice(limits)[0], "U1", now - timedelta(minutes=rng.randrange(20_000)), working)
        for _ in range(count)
    ]
    begin_s = time.perf_counter()
    for clock in clocks:
        due_at(clock, now, working)
    decided = time.perf_counter() - begin_s
    begin_s = time.perf_counter()
    overdue = sum(left_s(clock, now, working) < 0 for clock in clocks)
    ticked = time.perf_counter() - begin_s
    bench.say(
        f"{count} deadlines in {decided:.2f} s; one look at all that are open {ticked:.2f} s, {overdue} overdue"
    )
    return {
        "standards": len(texts),
        "understood": understood,
        "odd": odd,
        "deadlines": len(cases),
        "histories": total,
        "equal_share": round((equal + agree) / (len(cases) + total), 6),
        "mutants_found": sum(n > 0 for n in unlike.values()),
        "mutants_differ_in": unlike,
        "us_per_incident": round(decided / count * 1e6, 2),
        "tick_s_200k": round(ticked * OPEN / count, 3),
    }
