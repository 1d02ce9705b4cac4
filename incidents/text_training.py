"""Training of a text model: linear machines, folds without near-equal texts, probabilities from held-out scores.

For each class the mean of two linear SVMs on the terms' vectors. One takes them as they are; for the other each term is
scaled by |log of how much more often the class has it| to the power LEAN (NB-SVM: Wang and Manning, "Baselines and
bigrams", 2012). A multinomial logistic regression on scores of texts held out turns scores into probabilities (matrix
scaling: Guo et al., "On calibration of modern neural networks", 2017). All of it multiplies into one weight for each term
and class: the model stays linear. The same rows give the same model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import LinearSVC

from incidents.near_texts import groups
from incidents.text_features import Recipe, amounts, counting, counting_words, occurrences, told_words
from incidents.text_model import Block, Facts, Floats, TextModel, damped, likelihoods

SEED: Final = 7
FOLDS: Final = 5
BINS: Final = 15
"""Bins of the calibration error: equal widths of the first class's probability."""

LEAST_TEXTS: Final = 2
"""A term of fewer texts is a name or a slip of the pen."""

LEAST_OF_CLASS: Final = 10
"""A class of fewer different texts cannot be learned nor measured."""

SMOOTHING: Final = 0.1
LEAN: Final = 0.7
COST: Final = 1.0
"""C of the SVMs."""

EVENING: Final = 0.5
"""A row counts by how much rarer than the average its class is, to this power: what is rare now may be frequent next month."""

TRUST: Final = 3.0
"""C of the calibration. All of these and the recipe were chosen by grouped cross-validation (docs/adr/0018)."""


class BadTraining(ValueError):
    """Rows that no model can be trained on; the text names field, value and rule."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and its class."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from: what a registry must know to train again."""

    name: str
    version: str
    sha256: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A cross-validation: N texts, K classes in `classes`. `truth` (N,): each text's class by number; `fold` (N,): where
    it was held out; `scores` (N, K): of machines that never saw it; `chances` (N, K): of those scores by a calibration
    that never saw them either, but those of the other folds."""

    classes: tuple[str, ...]
    truth: NDArray[np.int64]
    fold: NDArray[np.int64]
    scores: Floats
    chances: Floats

    @property
    def right_share(self) -> float:
        """Share of texts whose first class is the true one."""
        return float((self.chances.argmax(axis=1) == self.truth).mean())

    @property
    def macro_f1(self) -> float:
        """F1 of each class, averaged over the classes."""
        return float(f1_score(self.truth, self.chances.argmax(axis=1), average="macro"))

    @property
    def calibration_error(self) -> float:
        """Of the calibrated probabilities, see `calibration_error`."""
        return calibration_error(self.chances, self.truth)


def calibration_error(chances: Floats, truth: NDArray[np.int64], bins: int = BINS) -> float:
    """Expected calibration error: |share right − mean probability| of each bin, weighed by how many texts it has."""
    first, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    of_bin = np.minimum((first * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(of_bin, right - first, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


@dataclass(frozen=True, slots=True)
class _Calibration:
    """Scores (N, K) to nats: `scores @ matrix + base`. Multinomial logistic regression: it evens out that each class's
    machine was trained alone, and how sure a score makes."""

    matrix: Floats
    base: Floats

    def __call__(self, scores: Floats) -> Floats:
        found: Floats = scores @ self.matrix + self.base
        return found


def _calibration(scores: Floats, truth: NDArray[np.int64]) -> _Calibration:
    """Fitted to scores of texts that the machines never saw."""
    found = LogisticRegression(C=TRUST, max_iter=2000).fit(scores, truth)
    matrix, base = found.coef_.T, found.intercept_
    if len(found.classes_) == 2:  # one column says all of two classes
        matrix, base = np.hstack([-matrix, matrix]) / 2, np.array([-base[0], base[0]]) / 2
    return _Calibration(matrix, base)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A block's terms, and how much each of them counts in each text (N, V)."""

    block: str
    terms: Sequence[str]
    counts: Any


def _counted(texts: Sequence[str], recipe: Recipe) -> tuple[dict[str, _Counted], frozenset[str]]:
    """The terms of all texts by block, and all their words that count."""
    ids: dict[str, dict[str, int]] = {block: {} for block in recipe.lengths}
    lines: dict[str, tuple[list[int], list[float], list[int]]] = {
        block: ([], [], [0]) for block in recipe.lengths
    }
    told = [told_words(text, None) for text in texts]
    seen = counting_words(Counter(word.text for words in told for word in words))
    for words in told:
        for block, found in occurrences(counting(words, seen), recipe).items():
            sums = amounts(found)
            columns, numbers, ends = lines[block]
            columns += [ids[block].setdefault(term, len(ids[block])) for term in sums]
            numbers += sums.values()
            ends.append(len(columns))
    return {
        block: _Counted(
            block,
            list(ids[block]),
            sparse.csr_matrix(
                (np.array(numbers, np.float64), columns, ends), shape=(len(texts), len(ids[block]))
            ),
        )
        for block, (columns, numbers, ends) in lines.items()
    }, seen


def _vectors(
    counted: _Counted, rows: NDArray[np.int64], kept: NDArray[np.int64], rarity: Floats, length: float
) -> Any:
    """The vectors (N, V) of some rows, all of one length; as `TextModel` makes them of a single text."""
    found = counted.counts[rows][:, kept]
    found.data = damped(found.data, counted.block)
    found = found @ sparse.diags(rarity)
    norms = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    return sparse.diags(length / np.where(norms > 0, norms, 1)) @ found


@dataclass(frozen=True, slots=True)
class _Fit:
    """What rows taught: by block which terms are kept, their rarity and their weights (V, K); `base` (K,)."""

    kept: Mapping[str, NDArray[np.int64]]
    rarity: Mapping[str, Floats]
    weights: Mapping[str, Floats]
    base: Floats

    def scores(self, counted: Mapping[str, _Counted], rows: NDArray[np.int64], recipe: Recipe) -> Floats:
        """Scores (N, K) of some of the rows."""
        found = self.base + np.zeros((len(rows), len(self.base)))
        for block, kept in self.kept.items():
            vectors = _vectors(counted[block], rows, kept, self.rarity[block], recipe.lengths[block])
            found += vectors @ self.weights[block]
        return found


def _fit(
    counted: Mapping[str, _Counted],
    rows: NDArray[np.int64],
    truth: NDArray[np.int64],
    kinds: int,
    recipe: Recipe,
) -> _Fit:
    """Learns from some of the rows."""
    kept, rarity, parts = {}, {}, []
    for block, of_block in counted.items():
        texts = np.bincount(of_block.counts[rows].indices, minlength=len(of_block.terms))
        kept[block] = np.flatnonzero(texts >= LEAST_TEXTS)
        rarity[block] = np.log((1 + len(rows)) / (1 + texts[kept[block]])) + 1
        parts.append(_vectors(of_block, rows, kept[block], rarity[block], recipe.lengths[block]))
    vectors = sparse.hstack(parts).tocsr()
    weights, base = np.zeros((vectors.shape[1], kinds)), np.zeros(kinds)
    of_class = np.bincount(truth[rows], minlength=kinds)
    counts_for = ((len(rows) / kinds / of_class) ** EVENING)[truth[rows]]
    for kind in range(kinds):
        mine = truth[rows] == kind
        with_it, without = (np.asarray(vectors[m].sum(axis=0)).ravel() + SMOOTHING for m in (mine, ~mine))
        lean = np.abs(np.log(with_it / with_it.sum()) - np.log(without / without.sum())) ** LEAN
        for scale in (lean, np.ones_like(lean)):
            machine = LinearSVC(C=COST, random_state=SEED).fit(
                vectors @ sparse.diags(scale), mine, counts_for
            )
            weights[:, kind] += machine.coef_[0] * scale / 2
            base[kind] += machine.intercept_[0] / 2
    ends = np.cumsum([len(columns) for columns in kept.values()])[:-1]
    return _Fit(kept, rarity, dict(zip(kept, np.split(weights, ends), strict=True)), base)


def _truth(rows: Sequence[Labelled]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    classes = tuple(sorted({row.label for row in rows}))
    if "" in classes:
        raise BadTraining("label='': must be given in every row")
    if len(classes) < 2:
        raise BadTraining(f"label={list(classes)}: must have two or more classes")
    number = {label: n for n, label in enumerate(classes)}
    return classes, np.array([number[row.label] for row in rows])


def folds_of(rows: Sequence[Labelled], folds: int = FOLDS) -> NDArray[np.int64]:
    """The fold of every row (N,), each with its share of every class, near-equal texts together.

    Raises BadTraining where a class has too few different texts.
    """
    classes, truth = _truth(rows)
    group = groups([row.text for row in rows])
    for kind, label in enumerate(classes):
        different = len(np.unique(group[truth == kind]))
        if different < LEAST_OF_CLASS:
            raise BadTraining(f"label={label!r}: has {different} different texts, must have {LEAST_OF_CLASS}")
    fold = np.zeros(len(rows), np.int64)
    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=SEED).split(truth, truth, group)
    for n, (_, held_out) in enumerate(splits):
        fold[held_out] = n
    return fold


def _measure(
    counted: Mapping[str, _Counted], classes: tuple[str, ...], truth: NDArray[np.int64],
    fold: NDArray[np.int64], recipe: Recipe,
) -> Measured:  # fmt: skip
    scores, chances = np.zeros((2, len(truth), len(classes)))
    for n in np.unique(fold):
        taught, held_out = np.flatnonzero(fold != n), np.flatnonzero(fold == n)
        if len(np.unique(truth[taught])) < len(classes):
            raise BadTraining(f"fold={n}: holds all texts of a class, must leave some to learn from")
        fit = _fit(counted, taught, truth, len(classes), recipe)
        scores[held_out] = fit.scores(counted, held_out, recipe)
    for n in np.unique(fold):
        others, mine = fold != n, fold == n
        chances[mine] = likelihoods(_calibration(scores[others], truth[others])(scores[mine]))
    return Measured(classes, truth, fold, scores, chances)


def cross_validate(
    rows: Sequence[Labelled], fold: NDArray[np.int64], recipe: Recipe | None = None
) -> Measured:
    """What models make of texts they never saw; `fold` (N,) as `folds_of` tells it."""
    recipe = recipe or Recipe()
    classes, truth = _truth(rows)
    counted, _ = _counted([row.text for row in rows], recipe)
    return _measure(counted, classes, truth, fold, recipe)


def train(
    rows: Sequence[Labelled], source: Source, trained_at: datetime, fold: NDArray[np.int64] | None = None
) -> tuple[TextModel, Measured]:
    """The model of all rows, and what its like made of the folds; its calibration is of their held-out scores.

    Raises BadTraining. Some 8,000 messages take a few minutes on one core.
    """
    recipe = Recipe()
    classes, truth = _truth(rows)
    fold = folds_of(rows) if fold is None else fold
    counted, seen = _counted([row.text for row in rows], recipe)
    measured = _measure(counted, classes, truth, fold, recipe)
    fit = _fit(counted, np.arange(len(rows)), truth, len(classes), recipe)
    calibration = _calibration(measured.scores, truth)
    # What every class gets alike changes no probability; without it a weight reads "more than the average class".
    matrix = calibration.matrix - calibration.matrix.mean(axis=1, keepdims=True)
    base = calibration.base - calibration.base.mean() + fit.base @ matrix
    blocks = {
        block: Block(
            {counted[block].terms[column]: n for n, column in enumerate(kept)},
            fit.rarity[block].astype(np.float32),
            (fit.weights[block] @ matrix).astype(np.float32),
        )
        for block, kept in fit.kept.items()
    }
    prior = np.bincount(truth, minlength=len(classes)) / len(truth)
    facts = Facts(
        name=source.name,
        version=source.version,
        trained_at=trained_at,
        rows=len(rows),
        source_sha256=source.sha256,
        columns=source.columns,
        right_share=round(measured.right_share, 4),
        calibration_error=round(measured.calibration_error, 4),
    )
    return TextModel(facts, classes, recipe, blocks, base, prior, seen), measured
