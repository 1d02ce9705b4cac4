"""Near-equal texts: which of many are told twice, and whether a text repeats one of a known set.

Two texts are compared by their shingles: all runs of SHINGLE letters and digits, with blanks and punctuation left out, so
that a segmented and a raw text compare. Alike = the share of the shorter text's shingles that the other holds (containment:
a message sent again with a sentence added stays alike). Exact counts in a sparse matrix; nothing is drawn by chance.
Source: Broder, "On the resemblance and containment of documents", 1997.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from incidents.words import words_of

SHINGLE: Final = 5
"""Characters in a shingle: shorter ones are shared by texts of one subject, longer ones break at every stop word."""

NEAR: Final = 0.5
"""Share of shared shingles from which on two texts count as near-equal."""

COMMON: Final = 500
"""A shingle in more texts than this is an address or a formula of politeness; it would only cost time to count."""

LEAST: Final = 10
"""Shared shingles count against at least so many: what a short text shares with a long one is no repetition of it."""

CANDIDATE: Final = 0.3
"""Share of shared shingles from which on a known text is looked at closely, at most CANDIDATES of them."""

CANDIDATES: Final = 3

REPEATED: Final = 0.95
"""Share of a known text's characters found in order that makes a text its repetition. Measured on 2,500 raw messages beside
7,656 cleaned ones: of 50 that were told before, 47 have 0.97 to 1.0 and 3 that were rewritten 0.91 to 0.93; two people
on one subject have up to 0.89."""

PART_REPEATED: Final = 0.95
"""The same share of a text that is a part of a known one, from PART_LEAST characters on: a short text is in many."""

PART_LEAST: Final = 50

_ROWS: Final = 500


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def shingles(text: str) -> frozenset[str]:
    """The runs of SHINGLE letters and digits of a text; a shorter text is its own and only shingle."""
    plain = _plain(text)
    return frozenset(plain[i : i + SHINGLE] for i in range(max(1, len(plain) - SHINGLE + 1))) - {""}


class _Shingled:
    """Texts as rows of a 0/1 matrix: which shingle stands in which text."""

    def __init__(self, texts: Iterable[str]) -> None:
        held = [shingles(text) for text in texts]
        self.ids: dict[str, int] = {}
        columns = [self.ids.setdefault(s, len(self.ids)) for row in held for s in sorted(row)]
        ends = np.cumsum([0, *map(len, held)])
        shape = (len(held), len(self.ids))
        self.matrix: Any = sparse.csr_matrix((np.ones(len(columns), np.int32), columns, ends), shape=shape)
        self.sizes: NDArray[np.int64] = np.array([len(row) for row in held], dtype=np.int64)


def groups(texts: Sequence[str], near: float = NEAR) -> NDArray[np.int64]:
    """The group of every text (N,), numbered by its first member: near-equal texts, and those near to them, are in one.

    Some 8,000 messages take a few seconds. Equal texts are in one group whatever COMMON says.
    """
    first: dict[str, int] = {}
    place = [first.setdefault(_plain(text), len(first)) for text in texts]
    found = _Shingled(first)
    often = np.bincount(found.matrix.indices, minlength=found.matrix.shape[1])
    matrix = found.matrix[:, (often > 1) & (often <= COMMON)]
    other = matrix.T.tocsr()
    parent = list(range(len(first)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for begin in range(0, len(first), _ROWS):
        shared = (matrix[begin : begin + _ROWS] @ other).tocoo()
        left, right = shared.row + begin, shared.col
        least = np.maximum(LEAST, np.minimum(found.sizes[left], found.sizes[right]))
        alike = shared.data >= near * least
        for a, b in zip(left[alike & (left < right)], right[alike & (left < right)], strict=True):
            parent[max(root(a), root(b))] = min(root(a), root(b))
    number: dict[int, int] = {}
    return np.array([number.setdefault(root(at), n) for n, at in enumerate(place)], dtype=np.int64)


def in_order(one: str, other: str) -> int:
    """The most characters of `one` that stand in `other` in the same order (longest common subsequence).

    Bit-parallel: H. Hyyrö, "Bit-parallel LCS-length computation revisited", 2004; whole numbers are the bit vectors.
    """
    places: dict[str, int] = {}
    for n, char in enumerate(one):
        places[char] = places.get(char, 0) | 1 << n
    every = (1 << len(one)) - 1
    free = every
    for char in other:
        met = free & places.get(char, 0)
        free = ((free + met) | (free - met)) & every
    return len(one) - free.bit_count()


@dataclass(frozen=True, slots=True)
class Repeat:
    """A text that repeats a known one: which (its place in the known texts), and the share of it that is found there."""

    known: int
    share: float


class KnownTexts:
    """Texts that others may repeat. Built once; immutable.

    The known texts may have been cleaned (stop words and single digits taken out, cut to a length) while the asked one is
    as it was written, so shingles alone do not tell: taking out every fifth word breaks most of them. Shingles find the
    candidates, after the asked text has lost the words which no known text has; what decides is how many characters of
    the known text stand in the asked one in the same order. Of a part of a known text, as many of its own must be there.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        parts = [words_of(text) for text in texts]
        self._words = frozenset(word.text for word in chain.from_iterable(parts))
        self._plain = ["".join(word.text for word in words) for words in parts]
        self._place = {text: n for n, text in reversed(list(enumerate(self._plain)))}
        self._known = _Shingled(self._plain)

    def repeat(self, text: str) -> Repeat | None:
        """The known text that this one repeats most, None where it is none of them."""
        words = [word.text for word in words_of(text)]
        whole, kept = "".join(words), "".join(word for word in words if word in self._words)
        if kept and kept in self._place:
            return Repeat(self._place[kept], 1.0)
        found = []
        for at in self._candidates(kept):
            known = self._plain[at]
            share = in_order(known, whole) / len(known)
            part = in_order(kept, known) / len(kept) if len(kept) >= PART_LEAST else 0.0
            if share >= REPEATED or part >= PART_REPEATED:
                found.append(Repeat(at, max(share, part)))
        return max(found, key=lambda repeat: (repeat.share, -repeat.known), default=None)

    def _candidates(self, kept: str) -> list[int]:
        """The known texts that share most shingles with a text, best first."""
        mine = shingles(kept)
        asked = np.zeros(len(self._known.ids), np.int32)
        asked[[self._known.ids[s] for s in mine if s in self._known.ids]] = 1
        least = np.maximum(LEAST, np.minimum(self._known.sizes, len(mine)))
        shares = (self._known.matrix @ asked) / least
        best = np.argsort(-shares, kind="stable")[:CANDIDATES]
        return [int(at) for at in best if shares[at] >= CANDIDATE]
