"""Evidence of who must answer. Each kind looks at a scene and says how probable each unit is, with a reason in plain words
taken from the very numbers it counted; each learns from the units that handled cases in the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np

from incidents.dispatch_model import Outcome, Reason
from incidents.dispatch_scene import Scene
from incidents.final_units import Context, FinalUnits
from incidents.word_weights import WordWeights, words_of

LEAST_SHARE: Final = 1e-4
"""No evidence speaks against a unit more strongly than this."""

PROPOSED: Final = 5
"""Units that one kind of evidence may bring in."""

PROPOSED_SHARE: Final = 0.01
"""Words bring in no unit that they find less probable than this."""


class Seen(Protocol):
    """What one kind of evidence says of one scene."""

    evidence: str
    units: tuple[str, ...]
    """The units it brings in."""
    marks: tuple[float, ...]
    """How much it has to go by, for the judge; of one length for one kind of evidence."""
    unknown: float
    """The probability it leaves to somebody it cannot name: an owner who is not known, a place that is not told."""

    def shares(self, units: Sequence[str]) -> list[float]:
        """The probability of each unit; all the same when it has nothing to say."""
        ...

    def reason(self, unit: str, weight: float) -> Reason | None:
        """Why it says so, None when it has nothing to say of this unit."""
        ...

    def rule(self, unit: str) -> str:
        """The rule that names this unit, '' when no rule does."""
        ...


class Evidence(Protocol):
    """One kind of evidence."""

    name: str

    def look(self, scene: Scene) -> Seen:
        """What it says of a scene."""
        ...

    def learn(self, outcome: Outcome, scene: Scene) -> None:
        """Take in what handled a case in the end."""
        ...

    def learned(self) -> FinalUnits | WordWeights:
        """What has been learned, for the file of a router."""
        ...


Level = tuple[str, Context]
"""A context with what it is in Chinese and English, parted by '|'."""

Levels = Callable[[Scene], list[Level]]


class History:
    """What handled such cases in the end, in contexts from the general to the special."""

    __slots__ = ("_counts", "_levels", "_names", "name")

    def __init__(self, name: str, levels: Levels, unit_name: Callable[[str], str]) -> None:
        self.name = name
        self._counts = FinalUnits()
        self._levels = levels
        self._names = unit_name

    def look(self, scene: Scene) -> HistorySeen:
        """The chain of this scene."""
        return HistorySeen(self.name, self._counts, self._levels(scene), scene, self._names)

    def learn(self, outcome: Outcome, scene: Scene) -> None:
        """One more outcome in all its contexts."""
        self._counts.learn([context for _, context in self._levels(scene)], outcome.unit, outcome.asked.day)

    def learned(self) -> FinalUnits:
        """What has been learned, for the file of a router."""
        return self._counts


class HistorySeen:
    """What history says of one scene."""

    __slots__ = ("_chain", "_counts", "_day", "_levels", "_names", "evidence", "marks", "units", "unknown")

    def __init__(
        self,
        evidence: str,
        counts: FinalUnits,
        levels: list[Level],
        scene: Scene,
        names: Callable[[str], str],
    ) -> None:
        self.evidence = evidence
        self._counts = counts
        self._levels = levels
        self._chain = [context for _, context in levels]
        self._day = scene.asked.day
        self._names = names
        self.units = tuple(counts.likely(self._chain[1:], PROPOSED)) or tuple(
            counts.likely(self._chain[:1], PROPOSED)
        )
        seen = [counts.seen(context, "", self._day)[0] for context in self._chain]
        of_class, *special = [math.log1p(n) for n in (*seen[1:2], *seen[-2:])] if len(seen) > 2 else [0.0] * 3
        self.marks: tuple[float, ...] = (of_class, *special)
        self.unknown = 0.0

    def shares(self, units: Sequence[str]) -> list[float]:
        """After the whole chain."""
        return self._counts.shares(self._chain, units, self._day)

    def reason(self, unit: str, weight: float) -> Reason | None:
        """The most special context that has seen enough to be told."""
        for least in (5, 1):
            for what, context in reversed(self._levels):
                whole, of_unit = self._counts.seen(context, unit, self._day)
                if whole >= least and of_unit >= 0.5:
                    zh, en = what.split("|")
                    return Reason(
                        self.evidence,
                        f"{zh}过去 {round(whole)} 件中 {round(of_unit)} 件最终由{self._names(unit)}处置",
                        f"{en}: {round(of_unit)} of {round(whole)} earlier cases were handled by {self._names(unit)}",
                        weight,
                    )
        return None

    def rule(self, unit: str) -> str:
        """The most special context that has seen this unit."""
        for context in reversed(self._chain):
            if self._counts.seen(context, unit, self._day)[1] > 0:
                parts = context if isinstance(context, tuple) else (context,)
                return f"{self.evidence}:{'/'.join(map(str, parts))}:{unit}"
        return ""


class Words:
    """Which unit the words of text and class speak of: for cities without a responsibility table."""

    __slots__ = ("_classes", "_names", "_weights", "name")

    def __init__(self, unit_name: Callable[[str], str], class_name: Callable[[str], str] = str) -> None:
        self.name = "text"
        self._weights = WordWeights()
        self._names = unit_name
        self._classes = class_name

    @staticmethod
    def _words(scene: Scene) -> list[str]:
        code = scene.asked.class_code
        return [f"={code}", *(f"={word}" for word in words_of(code)), *words_of(scene.asked.text)]

    def look(self, scene: Scene) -> WordsSeen:
        """The words of this scene."""
        return WordsSeen(self._weights, self._words(scene), self._names, self._classes)

    def learn(self, outcome: Outcome, scene: Scene) -> None:
        """One more text and its unit."""
        self._weights.learn(self._words(scene), outcome.unit)

    def learned(self) -> WordWeights:
        """What has been learned, for the file of a router."""
        return self._weights


class WordsSeen:
    """What the words of one scene say."""

    __slots__ = (
        "_classes",
        "_names",
        "_shares",
        "_weights",
        "_words",
        "evidence",
        "marks",
        "units",
        "unknown",
    )

    def __init__(
        self,
        weights: WordWeights,
        words: list[str],
        names: Callable[[str], str],
        classes: Callable[[str], str],
    ) -> None:
        self.evidence = "text"
        self._names = names
        self._classes = classes
        self._weights, self._words = weights, words
        shares = self._shares = weights.shares(words)
        self.units: tuple[str, ...] = ()
        if shares is not None:
            labels = list(weights.labels)
            likely = sorted(np.flatnonzero(shares > PROPOSED_SHARE).tolist(), key=lambda i: -shares[i])
            self.units = tuple(labels[i] for i in likely[:PROPOSED])
        self.marks: tuple[float, ...] = (float(self._shares is not None), math.log1p(len(words)))
        self.unknown = 0.0

    def shares(self, units: Sequence[str]) -> list[float]:
        """A unit that was never learned has next to nothing."""
        if self._shares is None:
            return [1.0 / (len(units) + 1)] * len(units)
        columns = [self._weights.labels.get(unit, len(self._shares)) for unit in units]
        return [float(self._shares[i]) if i < len(self._shares) else LEAST_SHARE for i in columns]

    def reason(self, unit: str, weight: float) -> Reason | None:
        """The words that say so."""
        told = self._weights.telling(self._words, unit)
        # What begins with = is the class or a word of it.
        words = "、".join(f"“{self._classes(word[1:]) if word.startswith('=') else word}”" for word in told)
        if not words:
            return None
        return Reason(
            "text",
            f"{words}等用词多见于{self._names(unit)}处置的案件",
            f"its words {words} are those of {self._names(unit)}",
            weight,
        )

    def rule(self, unit: str) -> str:
        """Words are no rule."""
        return ""
