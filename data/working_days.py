"""The city's working time: days published when the product was built (library `chinesecalendar`, the State Council's
notices), over them those that the city has entered, and its office hours (table `city`, key `office_hours`).

A year that neither knows is not known: nothing is guessed (FIELD E2, issue C "Clocks").
"""

from __future__ import annotations

import threading
import time as clocks
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from chinese_calendar import is_workday
from chinese_calendar.constants import holidays

from data.database import Cursor, Database, many
from data.registry import bump, registry_version
from incidents.handling_commands import SaveWorkingYear
from incidents.model import Actor, Rejected
from incidents.working_time import OFFICE_HOURS, BadHours, WorkingTime

BACK_YEARS: Final = 3
"""So far back the days are laid out: no clock of an open incident began earlier but by a mistake."""
CHECK_S: Final = 5.0

_DAY: Final = timedelta(days=1)


def published(year: int) -> dict[date, bool] | None:
    """Days of a year that are not what their weekday says (true: worked), as the library knows them; None: it does not."""
    if year not in {day.year for day in holidays}:
        return None
    found: dict[date, bool] = {}
    day = date(year, 1, 1)
    while day.year == year:
        if is_workday(day) != (day.weekday() < 5):
            found[day] = is_workday(day)
        day += _DAY
    return found


def hours_of(told: Any) -> tuple[tuple[time, time], ...]:
    """Office hours out of table `city`: [["08:00", "12:00"], …]; None: the usual ones. Raises BadHours."""
    if told is None:
        return OFFICE_HOURS
    try:
        return tuple((time.fromisoformat(begin), time.fromisoformat(end)) for begin, end in told)
    except (TypeError, ValueError) as error:
        raise BadHours(f"office_hours={told!r}: must be pairs of HH:MM: {error}") from None


def read_working_time(database: Database, zone: str, this_year: int) -> WorkingTime:
    """All years known from `this_year` − BACK_YEARS on."""
    first = this_year - BACK_YEARS
    newest = max(day.year for day in holidays)
    years: dict[int, Mapping[date, bool]] = {
        year: found for year in range(first, newest + 1) if (found := published(year)) is not None
    }
    own: dict[int, dict[date, bool]] = {
        year: {} for (year,) in database.query("SELECT year FROM working_years WHERE year >= %s", (first,))
    }
    for day, year, worked in database.query(
        "SELECT day, year, worked FROM working_days WHERE year >= %s", (first,)
    ):
        own[year][day] = worked
    known = _around({**years, **own}, this_year)
    told = database.query("SELECT value FROM city WHERE key = 'office_hours'")
    return WorkingTime(zone, known, hours_of(told[0][0] if told else None))


def _around(years: Mapping[int, Mapping[date, bool]], this_year: int) -> dict[int, Mapping[date, bool]]:
    """The unbroken run of years that holds this one; without it the years before. A year far ahead, entered by mistake,
    must not make those between unknown."""
    last = this_year if this_year in years else this_year - 1
    while last + 1 in years and last >= this_year:
        last += 1
    return {year: days for year, days in years.items() if year <= last}


class WorkingDays:
    """The city's working time, read again when the registries change. Thread-safe; a change is seen within CHECK_S."""

    def __init__(self, database: Database, zone: str) -> None:
        self._database = database
        self._zone = zone
        self._lock = threading.Lock()
        self._found: WorkingTime | None = None
        self._version = -1
        self._year = 0
        self._checked = 0.0

    def __call__(self) -> WorkingTime:
        """As it is known now."""
        with self._lock:
            if self._found is None or clocks.monotonic() - self._checked > CHECK_S:
                version = registry_version(self._database)
                year = self._this_year()
                if self._found is None or (version, year) != (self._version, self._year):
                    self._found = read_working_time(self._database, self._zone, year)
                    self._version, self._year = version, year
                self._checked = clocks.monotonic()
            return self._found

    def _this_year(self) -> int:
        return int(
            self._database.query("SELECT extract(year FROM now() AT TIME ZONE %s)::int", (self._zone,))[0][0]
        )


def _dates(field: str, values: Iterable[str], year: int, weekend: bool) -> list[date]:
    found = []
    for value in values:
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise Rejected("field", f"{field}={value!r}: must be a date, YYYY-MM-DD", field=field) from None
        if day.year != year:
            raise Rejected("field", f"{field}={value!r}: must lie in {year}", field=field)
        if (day.weekday() >= 5) != weekend:
            rule = (
                "must be a Saturday or Sunday"
                if weekend
                else "must be a Monday to Friday; weekends are free anyway"
            )
            raise Rejected("field", f"{field}={value!r}: {rule}", field=field)
        if day in found:
            raise Rejected("field", f"{field}={value!r}: is there twice", field=field)
        found.append(day)
    return found


def save_working_year(
    cursor: Cursor, command: SaveWorkingYear, actor: Actor, now: datetime
) -> dict[str, Any]:
    """See SaveWorkingYear. Raises Rejected."""
    if not 2000 <= command.year <= 2200:
        raise Rejected("field", f"year={command.year}: must be from 2000 to 2200", field="year")
    cursor.execute("SELECT coalesce(max(year), 0) FROM working_years")
    newest = max(int((cursor.fetchone() or (0,))[0]), *(day.year for day in holidays))
    if command.year > newest + 1:
        rule = f"must be {newest + 1} at most: the years between are not known"
        raise Rejected("field", f"year={command.year}: {rule}", field="year")
    if not command.source.strip():
        raise Rejected("field", "source='': say where it was published", field="source")
    off = _dates("off", command.off, command.year, weekend=False)
    work = _dates("work", command.work, command.year, weekend=True)
    if not off:
        raise Rejected(
            "field", "off=[]: a year without a single free weekday was never published", field="off"
        )
    cursor.execute("DELETE FROM working_years WHERE year = %s", (command.year,))
    cursor.execute(
        "INSERT INTO working_years (year, source, saved_at, saved_by) VALUES (%s, %s, %s, %s)",
        (command.year, command.source.strip(), now, actor.login),
    )
    many(
        cursor,
        "INSERT INTO working_days (day, year, worked) VALUES %s",
        [(day, command.year, worked) for days, worked in ((off, False), (work, True)) for day in days],
    )
    # What was computed by other days is not known until the relay's timer has computed it by these.
    cursor.execute(
        "UPDATE incidents SET handle_due_at = NULL WHERE handle_due_at IS NOT NULL"
        " AND stage IN ('dispatched', 'taken', 'on_site') AND clock ->> 'kind' IN ('work_hour', 'work_day')"
    )
    cursor.execute(
        "UPDATE incident_facts f SET handle_due_at = NULL FROM incidents i WHERE i.id = f.incident_id"
        " AND i.handle_due_at IS NULL AND f.handle_due_at IS NOT NULL AND i.stage IN ('dispatched', 'taken', 'on_site')"
    )
    bump(cursor)
    return {"year": command.year, "off": len(off), "work": len(work), "waiting": waiting_deadlines(cursor)}


def waiting_deadlines(cursor: Cursor) -> int:
    """Incidents whose handling clock runs and whose deadline is not computed yet; the relay does."""
    cursor.execute(
        "SELECT count(*) FROM incidents WHERE handle_due_at IS NULL AND stage IN ('dispatched', 'taken', 'on_site')"
        " AND (clock ->> 'since' IS NOT NULL OR clock ->> 'parked_until' IS NOT NULL)"
    )
    row = cursor.fetchone()
    return int(row[0]) if row else 0
