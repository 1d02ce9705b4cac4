"""The judge: how probable it is that the first unit is right, from numbers that tell how sure the evidence is.

Small trees, each mending what those before it leave (gradient boosting, Friedman 2001; second-order steps on quantile bins).
What makes a decision wrong adds up otherwise than odds do: a place that nobody confirms is wrong in 2 of 100 however
clear the rest is, and a tree can say so where a sum cannot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

DEPTH: Final = 5
ROUNDS: Final = 150
RATE: Final = 0.07
BINS: Final = 64
DRAWN: Final = 0.5
"""The share of the cases that each tree is grown from, drawn anew for each: trees that differ err less together, and take half
the time (stochastic gradient boosting, Friedman 2002)."""
SEED: Final = 7
"""Of the drawing: the same cases give the same judge."""
HELD: Final = 8.0
"""How strongly a leaf is held to 0, in units of information."""
LEAST: Final = 1.5
"""The information below which a leaf is not made: some tens of undecided cases."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Complete, of DEPTH levels: node i asks whether number `ask[i]` is beyond `cut[i]`; yes goes to 2 i + 2, no to 2 i + 1."""

    ask: tuple[int, ...]
    cut: tuple[float, ...]
    leaf: tuple[float, ...]

    def value(self, numbers: Sequence[float]) -> float:
        """The leaf that these numbers end in."""
        at = 0
        for _ in range(DEPTH):
            at = 2 * at + (2 if numbers[self.ask[at]] > self.cut[at] else 1)
        return self.leaf[at - len(self.ask)]


@dataclass(frozen=True, slots=True)
class Judge:
    """Log-odds: where it begins, and what each tree adds."""

    begin: float
    trees: tuple[Tree, ...]

    def odds(self, numbers: Sequence[float]) -> float:
        """Log-odds of being right."""
        return self.begin + sum(tree.value(numbers) for tree in self.trees)

    def probability(self, numbers: Sequence[float]) -> float:
        """In (0, 1)."""
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, self.odds(numbers)))))

    def odds_of(self, numbers: Numbers) -> Numbers:
        """`odds` of many (case × number) at once."""
        found = np.full(len(numbers), self.begin)
        for tree in self.trees:
            found += np.array(tree.leaf)[_leaves(numbers, np.array(tree.ask), np.array(tree.cut))]
        return found


def fit_judge(numbers: Numbers, agreed: NDArray[np.bool_], wrong_records: float) -> tuple[Judge, Numbers]:
    """A judge from cases (case × number) and whether the record agreed, and its log-odds of these cases.

    Where a record may be wrong, P(agrees) = (1 − wrong_records) · P(right): a judge that did not know this would explain
    wrong records by the evidence, and trust the best of it too little.
    """
    most = 1 - max(wrong_records, 1e-4)
    edges = [np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1])) for column in numbers.T]
    begins = np.concatenate([[0], np.cumsum([len(e) + 1 for e in edges])])
    codes = np.stack(
        [
            np.searchsorted(e, column, side="left") + b
            for e, column, b in zip(edges, numbers.T, begins, strict=False)
        ],
        axis=1,
    )
    share = min(max(float(agreed.mean()) / most, 0.01), 0.99)
    odds = np.full(len(numbers), math.log(share / (1 - share)))
    first, trees = float(odds[0]), []
    draw = np.random.default_rng(SEED)
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        q, slope = most * p, np.maximum(most * p * (1 - p), 1e-9)
        pull, weight = (agreed - q) / (q * (1 - q)) * slope, slope**2 / (q * (1 - q))
        drawn = np.flatnonzero(draw.random(len(numbers)) < DRAWN)
        ask, last, leaf = _grow(codes[drawn], begins, pull[drawn], weight[drawn])
        # A node that nothing parts sends everything one way.
        cut = [
            float(edges[kind][place - begins[kind]]) if place < begins[-1] else math.inf
            for kind, place in zip(ask, last, strict=True)
        ]
        trees.append(Tree(tuple(ask), tuple(cut), tuple(leaf.tolist())))
        odds = odds + leaf[_leaves(codes, np.array(ask), np.array(last))]
    return Judge(first, tuple(trees)), odds


def _leaves(numbers: NDArray[Any], ask: NDArray[np.intp], last: NDArray[Any]) -> NDArray[np.intp]:
    """The leaf of each case in a complete tree."""
    at = np.zeros(len(numbers), dtype=np.intp)
    rows = np.arange(len(numbers))
    while len(at) and at[0] < len(ask):  # all are on one level
        at = 2 * at + 1 + (numbers[rows, ask[at]] > last[at])
    return at - len(ask)


def _grow(
    codes: NDArray[np.intp], begins: NDArray[np.intp], pull: Numbers, weight: Numbers
) -> tuple[list[int], list[int], Numbers]:
    """One tree: the number each node asks for, the last code that says no (the number of all codes: none says yes), and
    the leaves."""
    count, kinds = codes.shape
    bins = int(begins[-1])
    ask: list[int] = []
    last: list[int] = []
    node = np.zeros(count, dtype=np.intp)
    pulled, weighed, rows = np.repeat(pull, kinds), np.repeat(weight, kinds), np.arange(count)
    for depth in range(DEPTH):
        at = (codes + (node * bins)[:, None]).ravel()
        size = bins << depth
        pulls = np.asarray(np.bincount(at, pulled, size), np.float64).reshape(-1, bins)
        weights = np.asarray(np.bincount(at, weighed, size), np.float64).reshape(-1, bins)
        kinds_asked, last_codes = _best(pulls, weights, begins)
        ask += kinds_asked
        last += last_codes
        node = 2 * node + (codes[rows, np.array(kinds_asked)[node]] > np.array(last_codes)[node])
    leaves = 1 << DEPTH
    value = RATE * np.bincount(node, pull, leaves) / (np.bincount(node, weight, leaves) + HELD)
    return ask, last, np.asarray(value, np.float64)


def _best(pulls: Numbers, weights: Numbers, begins: NDArray[np.intp]) -> tuple[list[int], list[int]]:
    """For each node (node × code) the number, and the code, that part it best; number 0 and the number of all codes when
    nothing does."""
    of = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    left, whole = _sums(pulls, begins, of)
    held, all_held = _sums(weights, begins, of)
    rest = all_held - held
    gains = left**2 / (held + HELD) + (whole - left) ** 2 / (rest + HELD) - whole**2 / (all_held + HELD)
    gains[(held < LEAST) | (rest < LEAST)] = 0.0
    gains[:, begins[1:] - 1] = 0.0  # beyond the last code of a number is nothing
    best = gains.argmax(axis=1)
    parted = gains[np.arange(len(gains)), best] > 1e-9
    return np.where(parted, of[best], 0).tolist(), np.where(parted, best, begins[-1]).tolist()


def _sums(values: Numbers, begins: NDArray[np.intp], of: NDArray[np.intp]) -> tuple[Numbers, Numbers]:
    """Up to each code of its number, and of the whole number (node × code)."""
    up_to = np.cumsum(values, axis=1)
    before = np.concatenate([np.zeros((len(values), 1)), up_to[:, begins[1:] - 1]], axis=1)
    return up_to - before[:, of], (before[:, 1:] - before[:, :-1])[:, of]
