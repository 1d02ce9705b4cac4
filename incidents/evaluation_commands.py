"""Commands of evaluation 考评: versions of formulas and of the score. See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class SaveFormula:
    """A new version of a rate, or a new rate: facts of its numerator, denominator and exclusions, from the day `since` on
    (YYYY-MM-DD, today or later: what was told of the past stays), until the next version or the day `until`; with why."""

    id: str
    name: str
    numerator: list[str]
    denominator: list[str]
    since: str
    reason: str
    exclude: list[str] = field(default_factory=list)
    direction: str = "up"
    until: str = ""


@dataclass(frozen=True, slots=True)
class SaveScore:
    """A new version of the score: formula → points, 100 together, from the day `since` on; with why."""

    weights: dict[str, float]
    since: str
    reason: str


COMMANDS: Final[dict[str, type]] = {"save_formula": SaveFormula, "save_score": SaveScore}
ACTION_OF: Final[dict[str, str]] = dict.fromkeys(COMMANDS, "formula.save")
"""Command → right, see incidents/access.py."""
