"""Which terms a model reads in a text, and on which words each of them stands. One code for training and for judging.

Four blocks: `word`, the words and the words inside of long ones (水污染 also holds 污染); `piece`, runs of characters
inside of a word, which know a new word by its parts; `head`, the words again, each counting less the later it stands, and
`lead`, runs of characters of the beginning: a title or a first sentence says most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Final

import rjieba

from incidents.words import Word, words_of

BLOCKS: Final = ("word", "piece", "head", "lead")

FADING: Final = frozenset({"head"})
"""Blocks whose terms count by where they stand; in the others the second occurrence of a term counts less than the first."""

COMMON_WORD: Final = 1000
"""From this count in jieba's dictionary (some 60 million words of text) on a word is common in the language."""

LANGUAGE: Final = 60_000_000
"""Words that jieba's dictionary was counted on, about."""

CLEANED: Final = 0.1
"""A common word that training holds less than this part as often as the language was cleaned away there, but for slips."""

LONGEST: Final = 20_000
"""Characters of a text that are read; the longest of 8,150 messages has fewer."""

FAINT: Final = 0.02
"""A word that counts less than this at the `head` does not count there."""

Occurrence = tuple[str, tuple[int, ...], float]
"""A term; the words (by number) it stands on, once for all of it or once for each of its characters; how much it counts."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How terms are made. `lengths`: of each block's vector, by block; `head`: words after which a word of the beginning
    counts 1/e; `lead`: words that make the beginning; `runs`: characters of the shortest and the longest run."""

    lengths: Mapping[str, float] = field(
        default_factory=lambda: {"word": 0.55, "piece": 0.6, "head": 0.2, "lead": 0.55}
    )
    head: int = 5
    lead: int = 12
    runs: tuple[int, int] = (1, 3)


def told_words(text: str, seen: Collection[str] | None) -> list[Word]:
    """The words of a text that a model looks at; `seen`: the words of its training that count (`counting_words`), None: all.

    A word common in the language that training never saw was cleaned away there as a stop word: left in, it would take a
    place at the beginning; and what holds no Chinese character and was never seen is a number or a name. Rare new words
    stay: their pieces may be known.
    """
    words = words_of(text[:LONGEST])
    return words if seen is None else counting(words, seen)


def counting(words: Iterable[Word], seen: Collection[str]) -> list[Word]:
    """Those of the words that a model looks at."""
    return [word for word in words if word.text in seen or (_chinese(word.text) and not _common(word.text))]


def counting_words(counts: Mapping[str, int]) -> frozenset[str]:
    """The words of training that count; `counts`: how often each stands there.

    Whoever cleans texts misses a stop word here and there: 了 stood in 4 of 7,656 cleaned messages and in 1,250 of 2,000 raw
    ones. Such a word is rare in training, so it weighs much, and says nothing but that a message was not cleaned.
    """
    whole = sum(counts.values())
    return frozenset(
        word
        for word, count in counts.items()
        if not (_common(word) and count < CLEANED * whole * rjieba.suggest_freq(word) / LANGUAGE)
    )


def _chinese(word: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in word)


def _common(word: str) -> bool:
    return bool(rjieba.has_word(word)) and rjieba.suggest_freq(word) >= COMMON_WORD


def _with_inner(word: str) -> list[str]:
    """A word and the words inside of it."""
    if len(word) < 3:
        return [word]
    return list(dict.fromkeys([*(part for part, _, _ in rjieba.tokenize(word, mode="search")), word]))


def _runs(text: str, owner: Sequence[int], runs: tuple[int, int]) -> list[Occurrence]:
    """All runs of characters of a text; `owner`: the word of each character."""
    return [
        (text[at : at + length], tuple(owner[at : at + length]), 1.0)
        for length in range(runs[0], runs[1] + 1)
        for at in range(len(text) - length + 1)
    ]


def occurrences(words: Sequence[Word], recipe: Recipe) -> dict[str, list[Occurrence]]:
    """Block → its terms, each as often as it occurs."""
    terms = [_with_inner(word.text) for word in words]
    fading = [exp(-n / recipe.head) for n in range(min(len(words), int(-recipe.head * log(FAINT))))]
    first = words[: recipe.lead]
    owner = [n for n, word in enumerate(first) for _ in word.text]
    return {
        "word": [(term, (n,), 1.0) for n, found in enumerate(terms) for term in found],
        "piece": [
            run for n, word in enumerate(words) for run in _runs(word.text, [n] * len(word.text), recipe.runs)
        ],
        "head": [(term, (n,), much) for n, much in enumerate(fading) for term in terms[n]],
        "lead": _runs("".join(word.text for word in first), owner, recipe.runs),
    }


def amounts(found: Iterable[Occurrence]) -> dict[str, float]:
    """How much each term of a block counts in a text, in the order in which they occur."""
    sums: dict[str, float] = {}
    for term, _, much in found:
        sums[term] = sums.get(term, 0.0) + much
    return sums
