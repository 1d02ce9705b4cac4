"""Values of routing 智能分拨: what is asked, what was decided, what became of it, and which rules may act by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from incidents.lifecycle import WRONG_FIELDS

DEFAULT_UNCERTAINTY_M: Final = 15.0
"""How far a place may be from where it is told to be, when its source does not say."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An incident as routing sees it. '' and None: not known. `at` is aware; degrees are EPSG:4326.

    `uncertainty_m`: within it lies the true place nearly always (95 %). `owner`: the unit that the component's register
    names. `registered_area`: path of the area in which the register has the component. `area`: path of the area that the
    source tells, where it tells no point.
    """

    at: datetime
    text: str = ""
    class_code: str = ""
    condition: str = ""
    lon: float | None = None
    lat: float | None = None
    uncertainty_m: float = DEFAULT_UNCERTAINTY_M
    owner: str = ""
    registered_area: str = ""
    road_class: str = ""
    area: str = ""

    @property
    def day(self) -> float:
        """Days since 1970, for what fades with time."""
        return self.at.timestamp() / 86_400


@dataclass(frozen=True, slots=True)
class Outcome:
    """The unit that handled it in the end, not the one it was first sent to."""

    asked: Asked
    unit: str


@dataclass(frozen=True, slots=True)
class Reason:
    """What an evidence saw. `weight`: how much it speaks for this unit against the best other one, in log-odds."""

    evidence: str
    zh: str
    en: str
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """A unit with the probability that it is the one. `rule`: what names it, '' when no rule does."""

    unit: str
    unit_name: str
    confidence: float
    reasons: tuple[Reason, ...]
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a border that the place may lie on, with who would answer there."""

    area: str
    area_name: str
    distance_m: float
    unit: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Ranked units, best first; `automatic` False: the manual pool, with why. `rule`: what to withdraw when it comes back."""

    ranked: tuple[Ranked, ...]
    automatic: bool
    why: str
    why_en: str
    rule: str
    version: str
    threshold: float
    sides: tuple[Side, ...] = ()

    @property
    def unit(self) -> str:
        """The first of them, '' when there is none."""
        return self.ranked[0].unit if self.ranked else ""

    @property
    def confidence(self) -> float:
        """That of the first."""
        return self.ranked[0].confidence if self.ranked else 0.0

    @property
    def runner_up(self) -> Ranked | None:
        """The second."""
        return self.ranked[1] if len(self.ranked) > 1 else None


@dataclass(frozen=True, slots=True)
class Duty:
    """Whether a unit takes work now, and how many open incidents it has for how many it can work on at once.

    `capacity` 0: nobody has said, and it is not judged by its load.
    """

    on_duty: bool = True
    open_incidents: int = 0
    capacity: int = 0

    @property
    def full(self) -> bool:
        """No hand is free: one more would be more than it can."""
        return 0 < self.capacity <= self.open_incidents

    @property
    def told(self) -> tuple[str, str]:
        """A full unit's load in Chinese and English."""
        over = self.open_incidents > self.capacity
        return (
            f"在办 {self.open_incidents} 件，{'超过' if over else '已达'} {self.capacity} 件的能力",
            f"has {self.open_incidents} open incidents, {'more than' if over else 'as many as'} the {self.capacity} it can take",
        )


@dataclass(frozen=True, slots=True)
class TextClass:
    """A class and filing condition that a text may mean. `words`: those that say so."""

    class_code: str
    condition: str
    probability: float
    words: tuple[str, ...] = ()


class TextModel(Protocol):
    """Text → classes. Never the only evidence: routing works without one."""

    def classes(self, text: str) -> Sequence[TextClass]:
        """Most probable first, probabilities summing to at most 1; nothing for a text that says nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Trust:
    """Rules that came back 退回 and are not automatic until somebody approves them again: rule → the field that was wrong."""

    withdrawn: Mapping[str, str] = field(default_factory=dict)

    def automatic(self, rule: str) -> bool:
        """Whether the rule may act by itself."""
        return rule not in self.withdrawn


def returned(trust: Trust, rule: str, wrong_field: str) -> Trust:
    """A unit sent an incident back that this rule had sent to it. ValueError: a field that nobody may name."""
    if wrong_field not in WRONG_FIELDS:
        raise ValueError(f"wrong_field={wrong_field!r}: must be one of {', '.join(WRONG_FIELDS)}")
    return replace(trust, withdrawn={**trust.withdrawn, rule: wrong_field})


def approved(trust: Trust, rules: Iterable[str]) -> Trust:
    """Somebody looked at these rules and lets them act again."""
    again = frozenset(rules)
    return replace(trust, withdrawn={r: f for r, f in trust.withdrawn.items() if r not in again})
