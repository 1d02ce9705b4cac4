"""How alike two short texts are, without a model: shingles of characters, and the cosine between their counts.

Chinese has no spaces, so every two neighbouring characters are a shingle; other scripts give three letters of a word at a
time, its ends included. Order and small changes of wording cost little, other words much.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from typing import Final

CHINESE: Final = "\u3400-\u9fff\uf900-\ufaff"
"""Unified and compatibility ideographs, as a range of a regular expression."""
WORD: Final = re.compile(rf"([{CHINESE}]+)|[^\W_{CHINESE}]+")
"""A run of Chinese characters (group 1), or a word of another script."""


def plain(text: str) -> str:
    """Text as compared: full width and half width, capitals and small letters, spaces and marks make no difference."""
    return " ".join(found[0] for found in WORD.finditer(_folded(text)))


def shingles(text: str) -> Counter[str]:
    """Shingle → how often. Empty when there is nothing but marks."""
    counts: Counter[str] = Counter()
    for found in WORD.finditer(_folded(text)):
        word, size = (found[0], 2) if found[1] else (f" {found[0]} ", 3)
        counts.update(word[i : i + size] for i in range(max(1, len(word) - size + 1)))
    return counts


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def alike(one: Counter[str], other: Counter[str]) -> float | None:
    """Cosine of two counts, 0 … 1; None when one of them is empty: silence neither agrees nor disagrees."""
    if not one or not other:
        return None
    if one == other:
        return 1.0
    if len(other) < len(one):
        one, other = other, one
    both = sum(count * other[shingle] for shingle, count in one.items() if shingle in other)
    norm = math.sqrt(sum(n * n for n in one.values()) * sum(n * n for n in other.values()))
    return min(1.0, both / norm)
