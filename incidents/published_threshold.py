"""The threshold above which a router may act by itself: the lowest confidence from which, on cases it had not seen, the lower
bound of being right reaches the goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

NEVER: Final = 1.01
"""The threshold of a router that has not earned one."""

Z: Final = 2.326
"""One-sided 99 % for the rate; the same as 95 % for the share of as many cases to come: their own chance doubles the variance,
and 1.645 · √2 = 2.326. The goal is asked of the cases to come, not of a rate that nobody sees."""

SUREST: Final = 0.25
"""The share of cases, those it is surest of, in which a record that disagrees is taken for a wrong record."""


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold: the share of cases at or above it, how many of them agreed, and the lower bound of being right."""

    threshold: float
    coverage: float
    agreed: float
    right_at_least: float


def surest_disagree(sure: Numbers, agreed: NDArray[np.bool_]) -> float:
    """The share of disagreeing records among the SUREST cases."""
    surest = np.argsort(-sure, kind="stable")[: max(1, int(len(sure) * SUREST))]
    return float(1 - agreed[surest].mean())


def thresholds(sure: Numbers, agreed: NDArray[np.bool_], records_err: bool) -> tuple[Point, ...]:
    """The curve threshold → coverage, from the surest case down, 200 points.

    `records_err`: a record that disagrees may be wrong itself. Then being right is measured against the surest cases: as
    many of the others disagree for the same reason. What is claimed is how much worse the rest is, with the error of that
    difference: far wider than where somebody has checked the records that disagree.
    """
    order = np.argsort(-sure, kind="stable")
    ranked, right = sure[order], agreed[order].astype(float)
    count = len(ranked)
    head = max(1, int(count * SUREST))
    floor = float(1 - right[:head].mean())
    points = []
    # Who is as sure as the last of them is above the same threshold.
    steps = ranked[[max(1, round(count * step / 200)) - 1 for step in range(1, 201)]]
    for n in sorted(set(np.searchsorted(-ranked, -steps, side="right").tolist())):
        if not records_err:
            bound = wilson_lower(int(right[:n].sum()), n)
        else:
            bound = _against_surest(right, n, head, floor) if n > head else wilson_lower(n, n)
        points.append(Point(float(ranked[n - 1]), n / count, float(right[:n].mean()), bound))
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


def published(curve: Sequence[Point], goal: float, most: float = 1.0) -> float:
    """The lowest threshold from which the goal is met, covering at most `most` of the cases; NEVER when none does."""
    good = [point.threshold for point in curve if point.right_at_least >= goal and point.coverage <= most]
    return min(good, default=NEVER)
