"""Working time of a city: which days are worked, between which hours, and how much of it lies between two moments.

Weekends are free; holidays and the working weekends that make up for them (调休) are told by year, as the State Council
publishes them. A year that is not published is not known: nothing that reaches into it is answered (FIELD E2).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

OFFICE_HOURS: Final = ((time(8), time(12)), (time(14), time(18)))
"""08–12 and 14–18 (FIELD E2); a city may have others."""

_DAY: Final = timedelta(days=1)


class NotPublished(LookupError):
    """The working days of a year that the question reaches into are not known yet."""

    def __init__(self, year: int) -> None:
        super().__init__(f"the working days of {year} are not published yet")
        self.year = year


class BadHours(ValueError):
    """Office hours that cannot be: the text names value and rule."""


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """`years`: year → its days that are not what their weekday says (true: worked). A year without an entry is not
    known. `hours`: local times, in order, apart. Moments are aware; amounts are seconds."""

    zone: str
    years: Mapping[int, Mapping[date, bool]]
    hours: Sequence[tuple[time, time]] = OFFICE_HOURS
    _begins: Sequence[float] = field(init=False, repr=False, compare=False)
    _ends: Sequence[float] = field(init=False, repr=False, compare=False)
    _before: Sequence[float] = field(init=False, repr=False, compare=False)
    """Working seconds before each span; one more than there are spans."""
    _reach: tuple[float, float] = field(init=False, repr=False, compare=False)
    """What is known, as epoch seconds."""

    def __post_init__(self) -> None:
        _check(self.hours)
        begins: list[float] = []
        ends: list[float] = []
        before: list[float] = [0.0]
        zone = ZoneInfo(self.zone)
        known = _unbroken(sorted(self.years))
        for year in known:
            day = date(year, 1, 1)
            while day.year == year:
                if self.is_worked(day):
                    for begin, end in self.hours:
                        begins.append(datetime.combine(day, begin, zone).timestamp())
                        ends.append(datetime.combine(day, end, zone).timestamp())
                        before.append(before[-1] + ends[-1] - begins[-1])
                day += _DAY
        edges = (
            (datetime(known[0], 1, 1, tzinfo=zone), datetime(known[-1] + 1, 1, 1, tzinfo=zone))
            if known
            else ()
        )
        object.__setattr__(self, "_reach", tuple(edge.timestamp() for edge in edges) or (0.0, 0.0))
        object.__setattr__(self, "_begins", begins)
        object.__setattr__(self, "_ends", ends)
        object.__setattr__(self, "_before", before)

    @property
    def day_s(self) -> float:
        """Working seconds of a working day."""
        return sum(
            (datetime.combine(date.min, end) - datetime.combine(date.min, begin)).total_seconds()
            for begin, end in self.hours
        )

    def is_worked(self, day: date) -> bool:
        """Whether a day is worked. Raises NotPublished."""
        if day.year not in self.years:
            raise NotPublished(day.year)
        return self.years[day.year].get(day, day.weekday() < 5)

    def until(self, moment: datetime) -> float:
        """Working seconds from the beginning of what is known to `moment`. Raises NotPublished."""
        at = self._known(moment)
        n = bisect_right(self._begins, at)
        if n == 0:
            return 0.0
        return self._before[n - 1] + min(at, self._ends[n - 1]) - self._begins[n - 1]

    def between(self, begin: datetime, end: datetime) -> float:
        """Working seconds from `begin` to `end`; negative when `end` is the earlier one. Raises NotPublished."""
        return self.until(end) - self.until(begin)

    def after(self, moment: datetime, seconds: float) -> datetime:
        """The earliest moment at which `seconds` of working time have passed since `moment`; of 0 seconds `moment`
        itself. Raises NotPublished, and ValueError for less than nothing."""
        if seconds < 0:
            raise ValueError(f"seconds={seconds}: must be 0 or more")
        if seconds == 0:
            self._known(moment)
            return moment
        wanted = self.until(moment) + seconds
        # The first span by whose end so much has been worked.
        n = bisect_right(self._before, wanted)
        if self._before[n - 1] == wanted:
            n -= 1  # exactly at a span's end, not at the beginning of the next one
        if n > len(self._ends):
            raise NotPublished(self._year(self._reach[1]))
        at = self._begins[n - 1] + wanted - self._before[n - 1]
        return datetime.fromtimestamp(at, UTC).astimezone(moment.tzinfo)

    def _known(self, moment: datetime) -> float:
        """The moment as epoch seconds. Raises NotPublished."""
        at = moment.timestamp()
        if not self._reach[0] <= at < self._reach[1]:
            raise NotPublished(self._year(at))
        return at

    def _year(self, at: float) -> int:
        return datetime.fromtimestamp(at, ZoneInfo(self.zone)).year


def _unbroken(years: Sequence[int]) -> Sequence[int]:
    """The run of years that ends with the newest: what lies before a gap cannot be reached from it."""
    first = len(years) - 1
    while first > 0 and years[first - 1] == years[first] - 1:
        first -= 1
    return years[max(first, 0) :]


def _check(hours: Sequence[tuple[time, time]]) -> None:
    if not hours:
        raise BadHours("hours=(): must hold at least one span")
    last: time | None = None
    for begin, end in hours:
        shown = f"hours={begin:%H:%M}–{end:%H:%M}"
        if begin.tzinfo is not None or end.tzinfo is not None:
            raise BadHours(f"{shown}: must be local times without a zone")
        if begin >= end:
            raise BadHours(f"{shown}: must end after it begins")
        if last is not None and begin < last:
            raise BadHours(f"{shown}: must begin after the span before has ended ({last:%H:%M})")
        last = end
