"""Queries of evaluation 考评. See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every rate of a period (days `begin` to `end`, YYYY-MM-DD) in an area (default: the actor's own), by total, area,
    unit, class or channel, beside the period before and the year before; scores and ranks; the formulas in force."""

    begin: str
    end: str
    by: str = "area"
    area: str = ""


@dataclass(frozen=True, slots=True)
class EvaluationCases:
    """The very incidents behind a number: `formula`, `part` (numerator | denominator | rest: of the denominator what is
    not in the numerator), `group` as Evaluation names it. By id; `after`: the `next` of the page before (None: no more),
    `total` is of all pages."""

    formula: str
    begin: str
    end: str
    part: str = "denominator"
    by: str = "total"
    group: str = ""
    area: str = ""
    limit: int = 200
    after: int = 0


@dataclass(frozen=True, slots=True)
class Formulas:
    """Every version of every formula and of the score: what it counts, whose it is, from when until when it is in force; the
    facts that formulas are made of."""


@dataclass(frozen=True, slots=True)
class EvaluationDoubts:
    """What a person should look at in a period: photos used before, arrivals far from the place, incidents closed within
    seconds of their report, handled by who reported them, units with far more reports at a month's end. Questions, not
    verdicts: no rate and no score depends on them. `limit`: incidents shown of each kind."""

    begin: str
    end: str
    area: str = ""
    limit: int = 20


@dataclass(frozen=True, slots=True)
class FieldBurden:
    """How long field work takes: the median from taking to result by class and town, and the seconds that the phone's
    forms take by form and town; never by person, and not at all of fewer tasks than `least`."""

    begin: str
    end: str
    area: str = ""


QUERIES: Final[dict[str, type]] = {
    "evaluation": Evaluation,
    "evaluation_cases": EvaluationCases,
    "formulas": Formulas,
    "evaluation_doubts": EvaluationDoubts,
    "field_burden": FieldBurden,
}
ACTION_OF: Final[dict[str, str]] = {
    "evaluation": "evaluation.see",
    "evaluation_cases": "evaluation.see",
    "formulas": "formula.see",
    "evaluation_doubts": "evaluation.see",
    "field_burden": "evaluation.see",
}
"""Query → right, see incidents/access.py."""
