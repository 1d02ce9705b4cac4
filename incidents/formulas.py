"""Evaluation 考评: rates whose numerator and denominator are sets of incidents, told by data (S17, FIELD E3).

A formula names facts. A fact is true or false of one incident in one period; the denominator holds the incidents of which
all its facts are true and none of the excluded, the numerator those of them of which its facts are true as well. So every
number opens the very incidents behind it. Formulas have versions; a period is computed by the version in force at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Period:
    """From `begin` to before `end`; both aware."""

    begin: datetime
    end: datetime

    def holds(self, moment: datetime | None) -> bool:
        """Whether a moment lies in it."""
        return moment is not None and self.begin <= moment < self.end

    def over(self, moment: datetime | None) -> bool:
        """Whether something had happened by its end."""
        return moment is not None and moment < self.end


@dataclass(frozen=True, slots=True)
class Case:
    """What evaluation knows of an incident. Moments are aware; None: it has not happened.

    `filed_due_at` 受理, `dispatch_due_at` 派遣 and `check_due_at` 核查 are the limits of those stages, `handle_due_at` that
    of handling, with what extensions and parking have added. `exempt`: what appeals were granted against (overdue, rework,
    return, by blanks; '': none); it stays a fact nevertheless. Reopening takes nothing of it back.
    """

    id: int
    reported_at: datetime
    filed_due_at: datetime | None = None
    filed_at: datetime | None = None
    refused_at: datetime | None = None
    voided_at: datetime | None = None
    dispatch_due_at: datetime | None = None
    dispatched_at: datetime | None = None
    handle_due_at: datetime | None = None
    handled_at: datetime | None = None
    check_due_at: datetime | None = None
    checked_at: datetime | None = None
    closed_at: datetime | None = None
    returned_for_unit: bool = False
    """A unit sent it back because it is not its: the first dispatch was wrong."""
    reworks: int = 0
    extensions: int = 0
    parked: bool = False
    exempt: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a Case in a Period. `kind`: holds (`field` lies in the period), over (it was before its end), not_over,
    in_time (`field` not after `other`, or there is no `other`), noted (true, or more than 0), not_noted, has (the
    word `other` is one of `field`). Data, because two readers say the same of it: `true_of` here, `data/rates.py` in SQL.
    """

    kind: str
    field: str
    other: str = ""


def _c(text: str) -> tuple[Condition, ...]:
    """Conditions from words: `over filed_at, in_time filed_at filed_due_at`."""
    return tuple(Condition(*part.split()) for part in text.split(","))


Fact = tuple[tuple[Condition, ...], ...]
"""True when all conditions of one of its alternatives are."""

FACTS: Final[Mapping[str, Fact]] = {
    "reported": (_c("holds reported_at"),),
    "valid": (_c("over filed_at, not_over voided_at"),),
    "to_file": (_c("holds filed_due_at"),),
    "filed": (_c("holds filed_at"),),
    "filed_on_time": (_c("over filed_at, in_time filed_at filed_due_at"),),
    "decided_on_time": (
        _c("over filed_at, in_time filed_at filed_due_at"),
        _c("over refused_at, in_time refused_at filed_due_at"),
    ),
    "to_dispatch": (_c("holds dispatch_due_at, not_over voided_at"),),
    "dispatched_on_time": (_c("over dispatched_at, in_time dispatched_at dispatch_due_at"),),
    "dispatched_rightly": (_c("over dispatched_at, not_noted returned_for_unit"),),
    "to_handle": (_c("holds handle_due_at, not_over voided_at"),),
    "handled": (_c("over handled_at"),),
    "handled_on_time": (_c("over handled_at, in_time handled_at handle_due_at"),),
    "waits_overdue": (_c("not_over handled_at, over handle_due_at"),),
    "to_check": (_c("holds check_due_at"),),
    "checked_on_time": (_c("over checked_at, in_time checked_at check_due_at"),),
    "closed": (_c("over closed_at"),),
    "closed_on_time": (_c("over closed_at, in_time handled_at handle_due_at"),),
    "reworked": (_c("noted reworks"),),
    "extended": (_c("noted extensions"),),
    "parked": (_c("noted parked"),),
    "exempt_overdue": (_c("has exempt overdue"),),
    "exempt_rework": (_c("has exempt rework"),),
    "exempt_return": (_c("has exempt return"),),
}
"""Fact → when it is true of an incident in a period. What is due counts in the period of its limit, done or not."""

ANCHORS: Final[Mapping[str, str]] = {
    name: condition.field
    for name, fact in FACTS.items()
    if len(fact) == 1
    for condition in fact[0]
    if condition.kind == "holds"
}
"""Facts of one period only → the moment that lies in it. A denominator needs one, or it would hold all of history."""

POST_OF: Final[Mapping[str, str]] = {
    "reported_at": "file_post",
    "filed_due_at": "file_post",
    "filed_at": "file_post",
    "dispatch_due_at": "dispatch_post",
    "handle_due_at": "handle_post",
    "check_due_at": "check_post",
}
"""Moment that a formula counts by → whose work it was (岗位): who filed, dispatched, handled or checked."""


def true_of(fact: str, case: Case, period: Period) -> bool:
    """Whether a fact is true of an incident in a period."""
    return any(all(_true(c, case, period) for c in conditions) for conditions in FACTS[fact])


def _true(condition: Condition, case: Case, period: Period) -> bool:
    value = getattr(case, condition.field)
    match condition.kind:
        case "holds":
            return period.holds(value)
        case "over":
            return period.over(value)
        case "not_over":
            return not period.over(value)
        case "in_time":
            due = getattr(case, condition.other)
            return value is not None and (due is None or value <= due)
        case "has":
            return condition.other in value.split()
    return bool(value) is (condition.kind == "noted")


class BadFormula(ValueError):
    """A formula that cannot be used: the text names field, value and rule."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True)
class Formula:
    """One version of a rate. `direction`: up = more is better. In force from `since` until the next version is, or
    to before `until`. `reason`: why it was saved; `saved_at` None: it ships with the product."""

    id: str
    version: int
    name: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    direction: str = "up"
    author: str = ""
    since: date = date.min
    until: date | None = None
    reason: str = ""
    saved_at: datetime | None = None

    def __post_init__(self) -> None:
        for field in ("numerator", "denominator", "exclude"):
            for name in getattr(self, field):
                if name not in FACTS:
                    rule = f"must be one of {', '.join(sorted(FACTS))}"
                    raise BadFormula(field, f"{self.id}: {field}={name!r}: {rule}")
            if field != "exclude" and not getattr(self, field):
                raise BadFormula(field, f"{self.id}: {field}: must name at least one fact")
        if not any(name in ANCHORS for name in self.denominator):
            rule = f"must name one of {', '.join(ANCHORS)}, which say when it counts"
            raise BadFormula("denominator", f"{self.id}: denominator={' '.join(self.denominator)!r}: {rule}")
        if self.direction not in ("up", "down"):
            raise BadFormula("direction", f"{self.id}: direction={self.direction!r}: must be up or down")
        if self.version < 1:
            raise BadFormula("version", f"{self.id}: version={self.version}: must be 1 or more")
        if self.until is not None and self.until <= self.since:
            raise BadFormula("until", f"{self.id}: until={self.until}: must be after since={self.since}")

    @property
    def anchor(self) -> str:
        """The moment by which an incident counts in a period: a field of Case."""
        return next(ANCHORS[name] for name in self.denominator if name in ANCHORS)


@dataclass(frozen=True, slots=True)
class Rate:
    """A formula's answer: the ids behind it, and the share; None where nothing is in the denominator (no data, not 0)."""

    formula: str
    version: int
    numerator: tuple[int, ...]
    denominator: tuple[int, ...]

    @property
    def value(self) -> float | None:
        """0 … 1."""
        return len(self.numerator) / len(self.denominator) if self.denominator else None


def in_force(formulas: Iterable[Formula], day: date) -> dict[str, Formula]:
    """Formula id → the version in force on a day: the newest that has begun, unless its own end has come."""
    newest: dict[str, Formula] = {}
    for formula in formulas:
        if formula.since <= day and (
            formula.id not in newest or formula.version > newest[formula.id].version
        ):
            newest[formula.id] = formula
    return {id: f for id, f in newest.items() if f.until is None or day < f.until}


def in_force_until(formulas: Sequence[Formula], formula: Formula) -> date | None:
    """The day from which a version is in force no more: its own end, or the beginning of a later version; None: still. Not
    after `since`: a later version took its place before it began."""
    later = [f.since for f in formulas if f.id == formula.id and f.version > formula.version]
    return min((day for day in (formula.until, *later) if day is not None), default=None)


def rate_of(formula: Formula, cases: Iterable[Case], period: Period) -> Rate:
    """Numerator and denominator of a formula over these incidents."""
    numerator: list[int] = []
    denominator: list[int] = []
    for case in cases:
        if all(true_of(name, case, period) for name in formula.denominator) and not any(
            true_of(name, case, period) for name in formula.exclude
        ):
            denominator.append(case.id)
            if all(true_of(name, case, period) for name in formula.numerator):
                numerator.append(case.id)
    return Rate(formula.id, formula.version, tuple(numerator), tuple(denominator))


class Valued(Protocol):
    """A rate, with or without the ids behind it."""

    @property
    def value(self) -> float | None:
        """0 … 1; None: no data."""


@dataclass(frozen=True, slots=True)
class Score:
    """A version of the sum of weighted rates, 100 at best: `weights` formula → points. A rate where less is better counts
    as 1 − rate. In force from `since` until the next version is."""

    weights: Mapping[str, float]
    version: int = 1
    author: str = "产品自带"
    since: date = date.min
    reason: str = ""
    saved_at: datetime | None = None

    def points(self, rates: Mapping[str, Valued], formulas: Mapping[str, Formula]) -> float | None:
        """None when one of the rates has no data: a sum without it would be another score."""
        total = 0.0
        for name, weight in self.weights.items():
            value = rates[name].value if name in rates and name in formulas else None
            if value is None:
                return None
            total += weight * (value if formulas[name].direction == "up" else 1 - value)
        return total


def score_of(scores: Iterable[Score], day: date) -> Score:
    """The newest version that has begun on a day."""
    return max((score for score in scores if score.since <= day), key=lambda score: score.version)


def _f(
    id: str, name: str, numerator: str, denominator: str, exclude: str = "", direction: str = "up"
) -> Formula:
    return Formula(id, 1, name, tuple(numerator.split()), tuple(denominator.split()), tuple(exclude.split()), direction,
                   "产品自带")  # fmt: skip


SHIPPED: Final[Sequence[Formula]] = (
    _f("handle_rate", "处置率", "handled", "to_handle"),
    _f("handle_on_time_rate", "按期处置率", "handled_on_time", "to_handle", "exempt_overdue"),
    _f("close_rate", "结案率", "closed", "to_handle"),
    _f("close_on_time_rate", "按期结案率", "closed_on_time", "to_handle", "parked exempt_overdue"),
    _f("file_on_time_rate", "按时立案率", "decided_on_time", "to_file"),
    _f("valid_report_rate", "有效上报率", "valid", "reported"),
    _f("dispatch_on_time_rate", "按期派遣率", "dispatched_on_time", "to_dispatch"),
    _f("dispatch_right_rate", "准确派遣率", "dispatched_rightly", "to_dispatch", "exempt_return"),
    _f("check_on_time_rate", "按期核查率", "checked_on_time", "to_check"),
    _f("rework_rate", "返工率", "reworked", "to_handle", "exempt_rework", direction="down"),
    _f(
        "overdue_waiting_rate",
        "超期待处置率",
        "waits_overdue",
        "to_handle",
        "exempt_overdue",
        direction="down",
    ),
    _f("extension_rate", "延期率", "extended", "to_handle", direction="down"),
)
"""What a city begins with; another definition is another version of its own (FIELD E3: deployed products leave ten of
them "to be confirmed on site")."""

SCORE: Final = Score(
    {
        "handle_rate": 30,
        "handle_on_time_rate": 20,
        "rework_rate": 20,
        "overdue_waiting_rate": 20,
        "extension_rate": 10,
    }
)
"""数字城管 100 points (FIELD E3)."""
