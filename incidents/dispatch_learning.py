"""Learning to route from what became of past incidents, in the order in which it happened.

Every outcome is first predicted from those before it, then learned. The first third only teaches; on the second the kinds
of evidence are weighed; on the third the judge learns when the first unit is right, and the threshold is read off. So no
figure is of a case that its own outcome taught.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from incidents.dispatch_evidence import Evidence
from incidents.dispatch_model import Outcome
from incidents.dispatch_scene import Scenes
from incidents.dispatching import (
    NEVER,
    RIGHT,
    WRONG,
    Judge,
    Looked,
    Router,
    broken,
    doubts,
    ranking,
    track_of,
)
from incidents.final_units import FinalUnits

Numbers = NDArray[np.float64]

GOAL: Final = 0.996
"""First dispatches that must be right where nobody looks; what Liuzhou publishes."""

Z: Final = 1.645
"""One-sided 95 %."""

FEWEST: Final = 60
"""Cases below which nothing is fitted."""

SUREST: Final = 0.25
"""The share of cases, those it is surest of, in which a record that disagrees is taken for a wrong record."""


KNOTS: Final = (0.3, 0.6, 0.85)
"""The quantiles at which the judge's lines may break: what makes an error likely adds up otherwise than odds do."""

HELD: Final = 50.0
"""How strongly the judge's coefficients are held to 0 (ridge, in cases)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of a router. `records_err`: recorded units may be wrong, and are not what it is measured by."""

    goal: float = GOAL
    records_err: bool = True
    most_looks: int = 60_000
    version: str = "1"


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold: the share of cases at or above it, how many of them agreed, and the lower bound of being right."""

    threshold: float
    coverage: float
    agreed: float
    right_at_least: float


@dataclass(frozen=True, slots=True)
class Learned:
    """A router with what was found out while it was learned."""

    router: Router
    wrong_records: float
    curve: tuple[Point, ...]
    held_out: int
    not_proposed: int
    """Cases, of those looked at, whose unit no evidence brought in."""


def learn(
    outcomes: Sequence[Outcome], scenes: Scenes, evidence: Sequence[Evidence], policy: Policy
) -> Learned:
    """A router from outcomes in order of time."""
    third = max(1, len(outcomes) // 3)
    record = FinalUnits()
    router = Router(scenes, evidence, (1.0,) * len(evidence), None, record, NEVER, policy.version)
    for outcome in outcomes[:third]:
        take(router, outcome)
    second = outcomes[third : 2 * third]
    looks = _predict(router, second, policy)
    router.weights = fit_weights(looks)
    for looked, unit in looks:
        _remember(record, looked, unit, router.weights)
    last = outcomes[2 * third :]
    numbers, agreed = [], []
    looks = _predict(router, last, policy)
    for looked, unit in looks:
        order, shares = ranking(looked, router.weights) if looked.units else ([], [])
        if order:
            numbers.append(doubts(looked, order, shares, record))
            agreed.append(looked.units[order[0]] == unit)
        _remember(record, looked, unit, router.weights)
    missed = sum(unit not in looked.units for looked, unit in looks)
    if len(numbers) < FEWEST:
        return Learned(router, 0.0, (), len(numbers), missed)
    matrix, right = np.array(numbers), np.array(agreed)
    judge, wrong_records = fit_judge(matrix, right)
    router.judge = judge
    sure = np.array([min(judge.probability(row), 1 - 1e-6) for row in numbers])
    curve = thresholds(sure, right, policy)
    router.threshold = published(curve, policy.goal)
    return Learned(router, wrong_records, curve, len(numbers), missed)


def take(router: Router, outcome: Outcome) -> None:
    """Learn one outcome; weights, judge and threshold stay as they are published."""
    scene = router.scenes.look(outcome.asked)
    router.scenes.learn(outcome, scene)
    for evidence in router.evidence:
        evidence.learn(outcome, scene)


def _predict(router: Router, outcomes: Sequence[Outcome], policy: Policy) -> list[tuple[Looked, str]]:
    """Look at every n-th before it is learned, learn all."""
    step = max(1, math.ceil(len(outcomes) / policy.most_looks))
    found = []
    for number, outcome in enumerate(outcomes):
        if number % step == 0:
            found.append((router.look(outcome.asked), outcome.unit))
        take(router, outcome)
    return found


def _remember(record: FinalUnits, looked: Looked, unit: str, weights: Sequence[float]) -> None:
    if not looked.units:
        return
    first = looked.units[ranking(looked, weights)[0][0]]
    record.learn(track_of(looked, first), RIGHT if first == unit else WRONG, looked.scene.asked.day)


def fit_weights(looks: Sequence[tuple[Looked, str]]) -> tuple[float, ...]:
    """How much each kind of evidence counts: conditional logit, none below 0, so that evidence never speaks against what
    it supports. Cases whose unit nobody brought in teach nothing here."""
    kinds = len(looks[0][0].seen) if looks else 0
    useful = [(looked, looked.units.index(unit)) for looked, unit in looks if unit in looked.units]
    if len(useful) < FEWEST:
        return (1.0,) * kinds
    most = max(len(looked.units) for looked, _ in useful)
    said = np.zeros((len(useful), most, kinds))
    there = np.zeros((len(useful), most), dtype=bool)
    for n, (looked, _) in enumerate(useful):
        said[n, : len(looked.units)] = looked.said
        there[n, : len(looked.units)] = True
    chosen = said[np.arange(len(useful)), [i for _, i in useful]].mean(axis=0)
    kept = list(range(kinds))
    while True:
        weights = _newton(said[:, :, kept], there, chosen[kept])
        below = [k for k, w in zip(kept, weights, strict=True) if w < 0]
        if not below:
            break
        kept = [k for k in kept if k not in below]
        if not kept:
            return (1.0,) * kinds
    found = dict(zip(kept, weights.tolist(), strict=True))
    return tuple(round(found.get(k, 0.0), 4) for k in range(kinds))


def _newton(said: Numbers, there: NDArray[np.bool_], chosen: Numbers) -> Numbers:
    """Newton with halved steps: where the evidence is nearly always right the curve is flat and a full step runs away."""
    held = 1e-3

    def likelihood(weights: Numbers) -> tuple[float, Numbers]:
        scores = np.where(there, said @ weights, -np.inf)
        top = scores.max(axis=1, keepdims=True)
        grown = np.exp(scores - top)
        whole = grown.sum(axis=1, keepdims=True)
        value = chosen @ weights - float((np.log(whole) + top).mean()) - held / 2 * float(weights @ weights)
        return float(value), grown / whole

    weights = np.full(said.shape[2], 0.5)
    value, shares = likelihood(weights)
    for _ in range(60):
        mean = np.einsum("nc,nck->nk", shares, said)
        slope = chosen - mean.mean(axis=0) - held * weights
        square = (np.einsum("nc,nck,ncj->kj", shares, said, said) - mean.T @ mean) / len(said)
        step = np.linalg.solve(square + held * np.eye(len(weights)), slope)
        better, after = likelihood(weights + step)
        while better < value and np.abs(step).max() > 1e-6:
            step = step / 2
            better, after = likelihood(weights + step)
        if np.abs(step).max() <= 1e-5:
            break
        weights, value, shares = weights + step, better, after
    return weights


def fit_judge(numbers: Numbers, agreed: NDArray[np.bool_]) -> tuple[Judge, float]:
    """A logistic judge and the share of wrong records it was fitted with.

    Where a record may be wrong, P(agrees) = (1 − wrong) · P(right): a judge that did not know this would explain wrong
    records by the evidence, and trust the best of it too little.
    """
    knots = tuple(_knots(column) for column in numbers.T)
    lines = np.array([broken(row, knots) for row in numbers.tolist()])
    middle, spread = lines.mean(axis=0), lines.std(axis=0)
    spread = np.where(spread < 1e-9, 1.0, spread)
    inputs = np.hstack([np.ones((len(lines), 1)), (lines - middle) / spread])
    wrong, found = 0.0, np.zeros(inputs.shape[1])
    for _ in range(3):
        found = _logistic(inputs, agreed, 1 - wrong, found)
        wrong = surest_disagree(inputs @ found, agreed)
    intercept, *coefficients = found.tolist()
    return Judge(intercept, tuple(coefficients), tuple(middle.tolist()), tuple(spread.tolist()), knots), wrong


def _knots(column: Numbers) -> tuple[float, ...]:
    """Where a number's line may break: at some of its quantiles, nowhere when it has few values."""
    if len(np.unique(column)) <= 10:
        return ()
    return tuple(sorted(set(np.quantile(column, KNOTS).tolist())))


def surest_disagree(scores: Numbers, agreed: NDArray[np.bool_]) -> float:
    """The share of disagreeing records among the SUREST cases."""
    surest = np.argsort(-scores, kind="stable")[: max(1, int(len(scores) * SUREST))]
    return float(1 - agreed[surest].mean())


def _logistic(inputs: Numbers, agreed: NDArray[np.bool_], most: float, begin: Numbers) -> Numbers:
    """Fisher scoring of P(agrees) = most / (1 + e^−z), slightly held back."""
    found = begin.copy()
    hold = np.eye(inputs.shape[1]) * HELD
    hold[0, 0] = 1e-3
    most = min(most, 1 - 1e-4)
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(inputs @ found, -30, 30)))
        q, slope = most * p, most * p * (1 - p)
        pull = inputs.T @ ((agreed - q) / (q * (1 - q)) * slope) - hold @ found
        weight = slope**2 / (q * (1 - q))
        step = np.linalg.solve((inputs * weight[:, None]).T @ inputs + hold, pull)
        found = found + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-4:
            break
    return found


def thresholds(sure: Numbers, agreed: NDArray[np.bool_], policy: Policy) -> tuple[Point, ...]:
    """The curve threshold → coverage, from the surest case down, 200 points.

    Where records may be wrong, being right is measured against the surest cases: as many of the others disagree for the
    same reason. What is then claimed is how much worse the rest is, with the error of that difference.
    """
    order = np.argsort(-sure, kind="stable")
    ranked, right = sure[order], agreed[order].astype(float)
    count = len(ranked)
    head = max(1, int(count * SUREST))
    floor = 1 - right[:head].mean()
    points = []
    for n in sorted({max(1, round(count * step / 200)) for step in range(1, 201)}):
        share = float(right[:n].mean())
        if policy.records_err:
            bound = _against_surest(right, n, head, float(floor)) if n > head else wilson_lower(n, n)
        else:
            bound = wilson_lower(int(right[:n].sum()), n)
        points.append(Point(float(ranked[n - 1]), n / count, share, bound))
    return tuple(points)


def _against_surest(right: Numbers, n: int, head: int, floor: float) -> float:
    rest = n - head
    wrong = float(1 - right[head:n].mean())
    error = math.sqrt(max(wrong * (1 - wrong) / rest + floor * (1 - floor) / head, 1e-12))
    worse = max(0.0, wrong - floor) + Z * error
    return 1 - rest / n * worse / max(1 - floor, 1e-9)


def wilson_lower(right: int, count: int, z: float = Z) -> float:
    """Lower bound of a share (Wilson 1927)."""
    if count == 0:
        return 0.0
    share = right / count
    middle = share + z * z / (2 * count)
    wide = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - wide) / (1 + z * z / count)


def published(curve: Sequence[Point], goal: float) -> float:
    """The lowest threshold from which the goal is met; NEVER when none does."""
    good = [point.threshold for point in curve if point.right_at_least >= goal]
    return min(good, default=NEVER)
