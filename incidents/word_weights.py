"""Which label a text speaks of: a weight for every word and label, learned one text at a time (logistic, AdaGrad).

For cities whose text model is not there, or does not know their units. Words of any script: runs of Chinese are cut into
pairs of characters, other words stand alone and with the word before them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_WORDS: Final = 60_000
MOST_LABELS: Final = 400
LONGEST: Final = 160
"""Words of a text that are looked at."""
RATE: Final = 0.4
TOLD: Final = 3
"""Words that are named as the ones that decided."""

_RUN: Final = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+")


def words_of(text: str) -> list[str]:
    """The words of a text, each once, in its order."""
    found: dict[str, None] = {}
    before = ""
    for run in _RUN.findall(text.lower()):
        if run[0] >= "\u3400" and run[0] <= "\u9fff":
            found.update(dict.fromkeys(run[i : i + 2] for i in range(max(1, len(run) - 1))))
            before = ""
            continue
        found[run] = None
        if before:
            found[f"{before} {run}"] = None
        before = run
        if len(found) > LONGEST:
            break
    return list(found)[:LONGEST]


class WordWeights:
    """Words × labels. A word counts from the second text on that has it: names that occur once teach nothing."""

    __slots__ = ("_bias", "_rows", "_squares", "_weights", "_words", "labels")

    def __init__(self) -> None:
        self.labels: dict[str, int] = {}
        self._words: dict[str, int] = {}
        self._rows = 0
        self._weights: NDArray[np.float32] = np.zeros((256, 8), np.float32)
        self._squares: NDArray[np.float32] = np.zeros((256, 8), np.float32)
        self._bias: NDArray[np.float32] = np.zeros(8, np.float32)

    def learn(self, words: Sequence[str], label: str) -> None:
        """One text and what it was about; labels beyond MOST_LABELS are not learned."""
        if label not in self.labels:
            if len(self.labels) >= MOST_LABELS:
                return
            self.labels[label] = len(self.labels)
        for word in words:
            row = self._words.get(word)
            if row is None:
                if len(self._words) < 8 * MOST_WORDS:
                    self._words[word] = -1
            elif row < 0 and self._rows < MOST_WORDS:
                self._words[word] = self._rows
                self._rows += 1
        self._grow()
        rows = self._known(words)
        if not len(rows):
            return
        scale = 1.0 / math.sqrt(len(rows))
        wrong = self._shares(rows, scale)
        wrong[self.labels[label]] -= 1.0
        # Labels that nobody would have said learn nothing from this text: that is most of them.
        touched = np.flatnonzero(np.abs(wrong) > 1e-3)
        if not len(touched):
            return
        step = wrong[touched] * np.float32(scale)
        at = np.ix_(rows, touched)
        squares = self._squares[at] + step * step
        self._squares[at] = squares
        self._weights[at] -= np.float32(RATE) * step / np.sqrt(squares + np.float32(1e-6))
        self._bias[touched] -= np.float32(0.02) * wrong[touched]

    def shares(self, words: Sequence[str]) -> NDArray[np.float32] | None:
        """Probability of every label, in the order of `labels`; None when no word is known."""
        rows = self._known(words)
        return self._shares(rows, 1.0 / math.sqrt(len(rows))) if len(rows) else None

    def telling(self, words: Sequence[str], label: str) -> tuple[str, ...]:
        """The words that speak most for a label."""
        column = self.labels.get(label)
        if column is None:
            return ()
        weighed = [
            (float(self._weights[row, column]), word)
            for word in words
            if (row := self._words.get(word, -1)) >= 0 and self._weights[row, column] > 0
        ]
        return tuple(word for _, word in sorted(weighed, reverse=True)[:TOLD])

    def state(self) -> tuple[list[str], list[str], NDArray[np.float32], NDArray[np.float32]]:
        """(words, labels, words × labels, labels): what is known, for a file; words seen once are none."""
        words = sorted((w for w, row in self._words.items() if row >= 0), key=self._words.__getitem__)
        count = len(self.labels)
        return words, list(self.labels), self._weights[: len(words), :count], self._bias[:count]

    def restore(
        self,
        words: Sequence[str],
        labels: Sequence[str],
        weights: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> None:
        """Take what a file holds in the place of this."""
        self._words = {word: row for row, word in enumerate(words)}
        self.labels = {label: column for column, label in enumerate(labels)}
        self._rows = len(words)
        self._weights = np.zeros((max(256, len(words)), max(8, len(labels))), np.float32)
        self._weights[: len(words), : len(labels)] = weights
        self._squares = np.zeros_like(self._weights)
        self._bias = np.zeros(self._weights.shape[1], np.float32)
        self._bias[: len(labels)] = bias

    def _known(self, words: Sequence[str]) -> NDArray[np.intp]:
        known = [row for word in words if (row := self._words.get(word, -1)) >= 0]
        return np.array(known, dtype=np.intp)

    def _shares(self, rows: NDArray[np.intp], scale: float) -> NDArray[np.float32]:
        count = len(self.labels)
        scores = self._weights[rows, :count].sum(axis=0) * np.float32(scale) + self._bias[:count]
        grown = np.exp(scores - scores.max())
        return np.asarray(grown / grown.sum(), dtype=np.float32)

    def _grow(self) -> None:
        rows, columns = self._weights.shape
        if self._rows <= rows and len(self.labels) <= columns:
            return
        more = (
            rows * 2 if self._rows > rows else rows,
            columns * 2 if len(self.labels) > columns else columns,
        )
        room = ((0, more[0] - rows), (0, more[1] - columns))
        self._weights, self._squares = np.pad(self._weights, room), np.pad(self._squares, room)
        self._bias = np.pad(self._bias, (0, more[1] - columns))
