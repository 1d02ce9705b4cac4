"""Text → class 智能分拨: a linear model of a city's own tickets that says how sure it is and which words decided. Pure.

A model is arrays and vocabularies, no code. The score of a class is a sum over the words of the text, so its explanation
is exact: every word's part, and what the class gets of any text. It is one piece of evidence for a dispatcher, never the
only one: whoever shows it shows it beside place, rules and duty lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from incidents.text_features import FADING, Recipe, amounts, occurrences, told_words
from incidents.words import Word

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a registry of models keeps about one. `trained_at` is aware; both shares are of texts held out in training.

    `source_sha256`: of the file it learned from, in hex; `columns`: those of that file that were read.
    """

    name: str
    version: str
    trained_at: datetime
    rows: int
    source_sha256: str
    columns: tuple[str, ...]
    right_share: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Block:
    """One kind of terms: V of them, K classes. `terms`: term → its row; `rarity` (V,): how seldom it is (idf);
    `weights` (V, K): what a unit of it adds to each class, in nats, the mean over the classes being 0."""

    terms: Mapping[str, int]
    rarity: NDArray[np.float32]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reason:
    """A word of the text, and what it adds to the first class against the average class (nats; below 0: it speaks
    against it). `count`: how often it stands there; `begin`, `end`: where first."""

    word: str
    weight: float
    count: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """`ranked`: every class with its probability, likeliest first. `reasons`: the words that decided, heaviest first.

    `base`: what the first class gets of any text, in nats: with the weights of all words it makes its score. `known`: how
    many words say anything. 0: the text is unknown to the model, and `ranked` only tells how frequent the classes are.
    """

    ranked: tuple[tuple[str, float], ...]
    reasons: tuple[Reason, ...]
    base: float
    known: int

    @property
    def unknown(self) -> bool:
        """Whether the model knows no word of the text and so has nothing to say about it."""
        return self.known == 0


def likelihoods(scores: Floats) -> Floats:
    """Probabilities (N, K) of scores (N, K) in nats: softmax."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result


def damped(amounts: Floats, block: str) -> Floats:
    """How much terms count: a term's second occurrence less than its first, but where places count already."""
    return amounts if block in FADING else 1 + np.log(amounts)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text as a model reads it: its words, its scores (K,), and what each term adds (M, K) to which word (M,)."""

    words: Sequence[Word]
    scores: Floats
    owners: NDArray[np.int64]
    adds: Floats


@dataclass(frozen=True, slots=True)
class TextModel:
    """A trained model; immutable, safe in threads. `base` (K,): each class's score of any text, in nats; `prior` (K,):
    the classes' shares in training; `seen`: the words of training that count."""

    facts: Facts
    classes: tuple[str, ...]
    recipe: Recipe
    blocks: Mapping[str, Block]
    base: Floats
    prior: Floats
    seen: frozenset[str]

    def judge(self, text: str, most: int | None = 10) -> Judgement:
        """What the model makes of a text, with the `most` heaviest words (None: all that add anything)."""
        reading = self._read(text)
        known = len(np.unique(reading.owners))
        order = np.argsort(-reading.scores, kind="stable")
        first = int(order[0])
        chance = likelihoods(reading.scores[None])[0]
        return Judgement(
            ranked=tuple((self.classes[n], float(chance[n])) for n in order),
            reasons=tuple(_reasons(reading, first)[:most]),
            base=float(self.base[first] if known else reading.scores[first]),
            known=known,
        )

    def judge_many(self, texts: Iterable[str], most: int | None = 10) -> list[Judgement]:
        """The judgements of many texts, in their order."""
        return [self.judge(text, most) for text in texts]

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Probabilities (N, K) of texts without their reasons; columns as `classes`."""
        scores = np.array([self._read(text).scores for text in texts], dtype=np.float64)
        return likelihoods(scores.reshape(-1, len(self.classes)))

    def _read(self, text: str) -> _Reading:
        """The scores of a text term by term; without a known term those of the prior."""
        words = told_words(text, self.seen)
        owners: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        adds: list[Floats] = [np.zeros((0, len(self.classes)))]
        for name, found in occurrences(words, self.recipe).items():
            block = self.blocks[name]
            known = [term for term in found if term[0] in block.terms]
            if not known:
                continue
            sums = amounts(known)
            rows = np.array([block.terms[term] for term in sums])
            value = damped(np.array(list(sums.values())), name) * block.rarity[rows]
            value *= self.recipe.lengths[name] / np.sqrt(value @ value)
            place = {term: n for n, term in enumerate(sums)}
            # One line for each character (or word) that a term stands on: they share equally what the term adds.
            lines = np.array([place[term] for term, on, _ in known for _ in on])
            share = np.array([much / (len(on) * sums[term]) for term, on, much in known for _ in on])
            owners.append(np.array([n for _, on, _ in known for n in on]))
            adds.append((value[lines] * share)[:, None] * block.weights[rows[lines]])
        adding = np.concatenate(adds)
        scores = self.base + adding.sum(axis=0) if len(adding) else np.log(self.prior)
        return _Reading(words, scores, np.concatenate(owners), adding)


def _reasons(reading: _Reading, which: int) -> list[Reason]:
    """The words of a text by how much they add to one class, heaviest first."""
    by_place = np.bincount(reading.owners, reading.adds[:, which], minlength=len(reading.words))
    found: dict[str, list[int]] = {}
    for n, word in enumerate(reading.words):
        found.setdefault(word.text, []).append(n)
    reasons = [
        Reason(text, float(by_place[at].sum()), len(at), reading.words[at[0]].begin, reading.words[at[0]].end)
        for text, at in found.items()
    ]
    return sorted((r for r in reasons if r.weight), key=lambda r: -abs(r.weight))
