"""Rates by area, unit, post, class and channel, each beside the period before and the year before (S17, FIELD E3).

A group nobody reported into has no rates, and no score: that is said, not counted as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from incidents.access import covers
from incidents.formulas import POST_OF, Case, Formula, Period, Rate, Score, Valued, rate_of

LONGEST: Final = timedelta(days=366)


class BadPeriod(ValueError):
    """A period that cannot be evaluated: the text names field, value and rule."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An incident with what evaluation is told by: area, the unit that had it last, class, how it came in, whose work each
    step was (岗位, the role of who did it; '': nobody has). `merged`: another incident has its sources; it counts nowhere."""

    case: Case
    area: str
    unit: str
    class_code: str
    channel: str
    merged: bool = False
    posts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Count:
    """A formula's answer as numbers; see `formulas.Rate`."""

    formula: str
    version: int
    numerator: int
    denominator: int

    @property
    def value(self) -> float | None:
        """0 … 1; None where nothing is in the denominator (no data, not 0)."""
        return self.numerator / self.denominator if self.denominator else None


def _area_below(placed: Placed, area: str, formula: Formula) -> str:
    """The path one level below `area` that an incident lies in; `area` itself where nothing finer is known."""
    rest = placed.area[len(area) :]
    first, slash, _ = rest.partition("/")
    return f"{area}{first}{slash}" if slash else area


BY: Final[Mapping[str, Callable[[Placed, str, Formula], str]]] = {
    "total": lambda placed, area, formula: "",
    "area": _area_below,
    "unit": lambda placed, area, formula: placed.unit,
    "post": lambda placed, area, formula: placed.posts.get(POST_OF[formula.anchor], ""),
    "class": lambda placed, area, formula: placed.class_code,
    "channel": lambda placed, area, formula: placed.channel,
}
"""What groups are made by → the group of an incident within an area, for a formula. `data/rates.py` says it in SQL."""


def period_of(begin: date, end: date, zone: str) -> Period:
    """From the beginning of `begin` to the end of `end`, in the city. Raises BadPeriod."""
    if end < begin:
        raise BadPeriod(f"end={end}: must not be before begin={begin}")
    if end - begin >= LONGEST:
        raise BadPeriod(f"end={end}: must be within {LONGEST.days} days from begin={begin}")
    city = ZoneInfo(zone)
    return Period(
        datetime.combine(begin, time.min, city), datetime.combine(end + timedelta(days=1), time.min, city)
    )


def before(begin: date, end: date) -> tuple[date, date]:
    """环比: the days of the same number right before; of whole months the month before."""
    if begin.day == 1 and (end + timedelta(days=1)).day == 1:
        last = begin - timedelta(days=1)
        months = (end.year - begin.year) * 12 + end.month - begin.month
        first = last.replace(day=1)
        for _ in range(months):
            first = (first - timedelta(days=1)).replace(day=1)
        return first, last
    length = end - begin + timedelta(days=1)
    return begin - length, end - length


def year_before(begin: date, end: date) -> tuple[date, date]:
    """同比: the same days of the year before; the 29th of February is the 28th then."""
    return _a_year_less(begin), _a_year_less(end)


def _a_year_less(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def lies_in(path: str, area: str) -> bool:
    """Whether an incident of this path counts in the area: what has no place yet is the whole city's."""
    return path.startswith(area) or (not path and covers((area,), path))


def rates_by(
    by: str, area: str, found: Iterable[Placed], formulas: Mapping[str, Formula], period: Period
) -> dict[str, dict[str, Rate]]:
    """Group → formula → rate. Groups in order; those with an empty denominator everywhere are left out."""
    groups: dict[str, dict[str, list[Case]]] = {}
    for placed in found:
        if not placed.merged and lies_in(placed.area, area):
            for name, formula in formulas.items():
                group = groups.setdefault(BY[by](placed, area, formula), {})
                group.setdefault(name, []).append(placed.case)
    made = {
        group: {name: rate_of(formula, cases.get(name, ()), period) for name, formula in formulas.items()}
        for group, cases in sorted(groups.items())
    }
    return {group: rates for group, rates in made.items() if any(rate.denominator for rate in rates.values())}


def summed(groups: Iterable[Mapping[str, Count]]) -> dict[str, Count]:
    """Formula → the count of all groups together: every incident is in one group."""
    total: dict[str, Count] = {}
    for counts in groups:
        for name, count in counts.items():
            so_far = total.get(name, Count(name, count.version, 0, 0))
            total[name] = Count(
                name,
                count.version,
                so_far.numerator + count.numerator,
                so_far.denominator + count.denominator,
            )
    return total


def ranked(
    groups: Mapping[str, Mapping[str, Valued]], formulas: Mapping[str, Formula], score: Score
) -> list[tuple[str, float | None]]:
    """(group, points), the best first; groups without a score behind, in order."""
    points = [(group, score.points(rates, formulas)) for group, rates in groups.items()]
    return sorted(points, key=lambda pair: (pair[1] is None, -(pair[1] or 0.0), pair[0]))
