"""The words of a Chinese text, with where they stand.

Segmentation is jieba's (prefix dictionary and hidden Markov model) in its Rust form, whose dictionary is compiled in: no
file is read, none is written, and the interpreter lock is the only lock. Words already separated by blanks stay apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import rjieba


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its place: `text == whole[begin:end]`."""

    text: str
    begin: int
    end: int


def words_of(text: str) -> list[Word]:
    """The words of a text in order; what holds no letter and no digit (blanks, punctuation) is none.

    Lone surrogates, which no Unicode text has, count as punctuation.
    """
    clean = text.encode("utf-8", "replace").decode()
    return [
        Word(text[begin:end], begin, end)
        for word, begin, end in rjieba.tokenize(clean)
        if any(map(str.isalnum, word))
    ]
