"""Backtest: past incidents routed anew by a changed table or a trained router, beside the one in force. Pure.

The unit that handled an incident in the end is what a first dispatch is measured by. What a router has learned from proves
nothing about it, so that figures are told apart: of all, and of what it has never seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from incidents.dispatch_model import Decision, Outcome, Trust
from incidents.dispatching import Router


@dataclass(frozen=True, slots=True)
class Past:
    """A past incident: its id, what is asked, the unit that handled it."""

    id: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """What a router said of it; the reasons can be asked again."""

    unit: str
    confidence: float
    automatic: bool

    @staticmethod
    def of(decision: Decision) -> Answer:
        """The part of a decision that is counted."""
        return Answer(decision.unit, decision.confidence, decision.automatic)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A past incident with the answers of the router in force and of the candidate; `unseen`: neither the candidate nor
    the one in force learned from it."""

    id: int
    handled_by: str
    before: Answer
    after: Answer
    unseen: bool

    @property
    def moved(self) -> bool:
        """It would go to another unit."""
        return self.before.unit != self.after.unit


@dataclass(frozen=True, slots=True)
class Score:
    """`cases` routed: how many were automatic, right (the first unit handled it in the end), right of the automatic."""

    cases: int
    automatic: int
    right: int
    right_automatic: int


@dataclass(frozen=True, slots=True)
class Load:
    """How many of the incidents a unit gets first by either router, and handled in the end."""

    unit: str
    before: int
    after: int
    handled: int


def replay(
    cases: Iterable[Past],
    before: Router,
    after: Router,
    trust: Trust,
    learned_until: Sequence[datetime | None],
) -> list[Replayed]:
    """Ask both routers about every case. Who is on duty today says nothing of the past and is left out."""
    newest = max((at for at in learned_until if at is not None), default=None)
    found = []
    for case in cases:
        asked = case.outcome.asked
        first, second = (Answer.of(router.decide(asked, None, trust)) for router in (before, after))
        unseen = newest is None or asked.at >= newest
        found.append(Replayed(case.id, case.outcome.unit, first, second, unseen))
    return found


def score(cases: Iterable[Replayed], which: Callable[[Replayed], Answer]) -> Score:
    """The score of one of the two routers."""
    count = automatic = right = right_automatic = 0
    for case in cases:
        answer = which(case)
        hit = answer.unit == case.handled_by
        count += 1
        automatic += answer.automatic
        right += hit
        right_automatic += hit and answer.automatic
    return Score(count, automatic, right, right_automatic)


def loads(cases: Sequence[Replayed]) -> list[Load]:
    """Units by how much their load changes, those that gain most first, then those that lose most."""
    before = Counter(case.before.unit for case in cases)
    after = Counter(case.after.unit for case in cases)
    handled = Counter(case.handled_by for case in cases)
    units = sorted({*before, *after} - {""})
    found = [Load(unit, before[unit], after[unit], handled[unit]) for unit in units]
    return sorted(found, key=lambda load: (load.before - load.after, load.unit))


_OF: Final[dict[str, Callable[[Replayed], bool]]] = {
    "all": lambda case: True,
    "moved": lambda case: case.moved,
    "gained": lambda case: case.moved and case.after.unit == case.handled_by,
    "lost": lambda case: case.moved and case.before.unit == case.handled_by,
    "wrong": lambda case: case.after.unit != case.handled_by,
    "automatic": lambda case: case.after.automatic,
    "wrong_automatic": lambda case: case.after.automatic and case.after.unit != case.handled_by,
    "manual": lambda case: not case.after.automatic,
}

OF: Final = tuple(_OF)
"""What may be asked for behind a figure: moved; gained and lost: what becomes right or wrong by moving; …"""


def picked(cases: Iterable[Replayed], of: str, unit: str = "") -> list[Replayed]:
    """The cases behind a figure; `unit`: only those that go to this unit or leave it."""
    fits = _OF[of]
    return [
        case for case in cases if fits(case) and (not unit or unit in (case.before.unit, case.after.unit))
    ]
