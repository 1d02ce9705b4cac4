"""Learning to route from what became of past incidents, in the order in which it happened.

Every outcome is first predicted from those before it, then learned. The first third only teaches; on the ninth after it the
kinds of evidence are weighed; on the rest the judge learns when the first unit is right, and the threshold is read off
what judges of other stretches of time said of them. So no figure is of a case that its own outcome taught.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from incidents.boosted_judge import Judge, fit_judge
from incidents.dispatch_evidence import Evidence
from incidents.dispatch_model import Outcome
from incidents.dispatch_scene import Scenes
from incidents.dispatching import RIGHT, WRONG, Looked, Router, doubts, ranking, track_of
from incidents.evidence_weights import FEWEST, fit_weights
from incidents.final_units import FinalUnits
from incidents.published_threshold import NEVER, Point, published, surest_disagree, thresholds

Numbers = NDArray[np.float64]
Bools = NDArray[np.bool_]

GOAL: Final = 0.996
"""First dispatches that must be right where nobody looks; what Liuzhou publishes."""

CHECKED: Final = 0.75
"""The share of cases, those it is surest of, whose disagreeing records are put before a person; none below is automatic."""

FOLDS: Final = 4
"""Stretches of time: a judge of the others judges each, so that no threshold rests on what a judge has learned by heart."""

TAUGHT, WEIGHED = 1 / 3, 1 / 9
"""Shares of the outcomes that only teach, and on which the kinds of evidence are weighed."""

Confirm = Callable[[Outcome], str]
"""Asks a person which unit was right in a past case whose record disagrees with the router."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of a router. `records_err`: recorded units may be wrong, and are not what it is measured by."""

    goal: float = GOAL
    records_err: bool = True
    most_looks: int = 60_000
    version: str = "1"


@dataclass(frozen=True, slots=True)
class Learned:
    """A router with what was found out while it was learned."""

    router: Router
    wrong_records: float
    """The estimated share of wrong records."""
    curve: tuple[Point, ...]
    held_out: int
    not_proposed: int
    """Cases, of those looked at, whose unit no evidence brought in."""
    checked: int
    """Records that a person was asked about."""
    unchecked: tuple[Judge, float] | None
    """Judge and threshold as they are when nobody checks records."""


def learn(
    outcomes: Sequence[Outcome],
    scenes: Scenes,
    evidence: Sequence[Evidence],
    policy: Policy,
    confirm: Confirm | None = None,
) -> Learned:
    """A router from outcomes in order of time. `confirm` None: nobody checks records, and the threshold is more cautious."""
    begin = max(1, int(len(outcomes) * TAUGHT))
    weighed = begin + int(len(outcomes) * WEIGHED)
    record = FinalUnits()
    router = Router(scenes, evidence, (1.0,) * len(evidence), None, record, NEVER, policy.version)
    for outcome in outcomes[:begin]:
        take(router, outcome)
    looks = list(_predicted(router, outcomes[begin:weighed], policy))
    router.weights = fit_weights([(one, outcome.unit) for one, outcome in looks], len(router.evidence))
    for looked, outcome in looks:
        _remember(record, looked, outcome.unit, router.weights)
    rows, cases, missed = [], [], 0
    for looked, outcome in _predicted(router, outcomes[weighed:], policy):
        missed += outcome.unit not in looked.units
        if looked.units:
            order, shares = ranking(looked, router.weights)
            rows.append(doubts(looked, order, shares, record))
            cases.append((looked.units[order[0]], outcome))
            _remember(record, looked, outcome.unit, router.weights)
    if len(rows) < FEWEST:
        return Learned(router, 0.0, (), len(rows), missed, 0, None)
    return _judged(router, np.array(rows), cases, policy, confirm, missed)


def _judged(
    router: Router,
    numbers: Numbers,
    cases: Sequence[tuple[str, Outcome]],
    policy: Policy,
    confirm: Confirm | None,
    missed: int,
) -> Learned:
    """Fits the judge and publishes the threshold."""
    agreed = np.array([first == outcome.unit for first, outcome in cases])
    odds = _out_of_fold(numbers, agreed, 0.0)
    odds = _out_of_fold(numbers, agreed, surest_disagree(odds, agreed))
    wrong, checked = surest_disagree(odds, agreed), 0
    judge, _ = fit_judge(numbers, agreed, wrong)
    curve = thresholds(_probability(odds), agreed, policy.records_err)
    unchecked = judge, published(curve, policy.goal)
    router.judge, router.threshold = unchecked
    if confirm is not None:
        surest = np.argsort(-odds, kind="stable")[: int(len(odds) * CHECKED)]
        for i in surest[~agreed[surest]]:
            agreed[i] = cases[i][0] == confirm(cases[i][1])
            checked += 1
        router.judge, _ = fit_judge(numbers, agreed, 0.0)
        odds = _out_of_fold(numbers, agreed, 0.0)
        curve = thresholds(_probability(odds), agreed, False)
        router.threshold = published(curve, policy.goal, CHECKED)
    return Learned(router, wrong, curve, len(numbers), missed, checked, unchecked)


def _probability(odds: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), dtype=np.float64)


def _out_of_fold(numbers: Numbers, agreed: Bools, wrong_records: float) -> Numbers:
    """The log-odds of each case by a judge that has not seen its stretch of time."""
    fold = np.arange(len(numbers)) * FOLDS // len(numbers)
    found = np.zeros(len(numbers))
    for one in range(FOLDS):
        judge, _ = fit_judge(numbers[fold != one], agreed[fold != one], wrong_records)
        found[fold == one] = judge.odds_of(numbers[fold == one])
    return found


def take(router: Router, outcome: Outcome) -> None:
    """Learn one outcome; weights, judge and threshold stay as they are published."""
    scene = router.scenes.look(outcome.asked)
    router.scenes.learn(outcome, scene)
    for evidence in router.evidence:
        evidence.learn(outcome, scene)


def _predicted(
    router: Router, outcomes: Sequence[Outcome], policy: Policy
) -> Iterator[tuple[Looked, Outcome]]:
    """Every n-th as it looked before it was learned; all are learned."""
    step = max(1, math.ceil(len(outcomes) / policy.most_looks))
    for number, outcome in enumerate(outcomes):
        if number % step == 0:
            yield router.look(outcome.asked), outcome
        take(router, outcome)


def _remember(record: FinalUnits, looked: Looked, unit: str, weights: Sequence[float]) -> None:
    if not looked.units:
        return
    first = looked.units[ranking(looked, weights)[0][0]]
    record.learn(track_of(looked, first), RIGHT if first == unit else WRONG, looked.scene.asked.day)
