"""Shares of past outcomes in contexts from the general to the special: what handled such cases in the end.

Each context corrects the one before it by what it has seen (Dirichlet back-off): a cell with one outcome hardly moves the
class, a street with fifty does, and a wrong record among fifty moves nothing. Old outcomes fade.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

STRENGTH: Final = 3.0
"""The more general context counts as much as this many outcomes of its own."""

HALF_LIFE_DAYS: Final = 365.0

Context = Hashable


class FinalUnits:
    """Counts of labels (units, roles, areas) by context. Learning is counting: no order, no second pass."""

    __slots__ = ("_counts", "_half_life", "_strength", "_totals")

    def __init__(self, strength: float = STRENGTH, half_life_days: float = HALF_LIFE_DAYS) -> None:
        self._counts: dict[Context, dict[str, float]] = {}
        self._totals: dict[Context, float] = {}
        self._strength = strength
        self._half_life = half_life_days

    def learn(self, contexts: Iterable[Context], label: str, day: float, weight: float = 1.0) -> None:
        """Count an outcome of `day` in every context."""
        # Counts grow with time instead of all being shrunk at each look: only the ratio to today's matters.
        grown = weight * 2.0 ** (day / self._half_life)
        for context in contexts:
            counts = self._counts.setdefault(context, {})
            counts[label] = counts.get(label, 0.0) + grown
            self._totals[context] = self._totals.get(context, 0.0) + grown

    def shares(self, chain: Sequence[Context], labels: Sequence[str], day: float) -> list[float]:
        """The share of each label after the whole chain, general first; what no context knows has a little."""
        fade = 2.0 ** (-day / self._half_life)
        found = [1.0 / (len(labels) + 1)] * len(labels)
        for context in chain:
            counts = self._counts.get(context)
            if counts is None:
                continue
            whole = self._totals[context] * fade + self._strength
            found = [
                (counts.get(label, 0.0) * fade + self._strength * share) / whole
                for label, share in zip(labels, found, strict=True)
            ]
        return found

    def likely(self, chain: Sequence[Context], most: int) -> list[str]:
        """Up to `most` labels of the chain: the frequent ones of its most special context first."""
        found: dict[str, None] = {}
        for context in reversed(chain):
            counts = self._counts.get(context)
            if counts:
                top = sorted(counts, key=lambda label: (-counts[label], label))[:most]
                found.update(dict.fromkeys(top))
            if len(found) >= most:
                break
        return list(found)[:most]

    def seen(self, context: Context, label: str, day: float) -> tuple[float, float]:
        """How many outcomes a context has, faded, and how many of them had this label."""
        fade = 2.0 ** (-day / self._half_life)
        counts = self._counts.get(context, {})
        return self._totals.get(context, 0.0) * fade, counts.get(label, 0.0) * fade

    def state(self) -> list[tuple[Context, dict[str, float]]]:
        """All counts, for a file: contexts as they are, label → count."""
        return [(context, dict(counts)) for context, counts in self._counts.items()]

    def restore(self, state: Iterable[tuple[Context, Mapping[str, float]]]) -> None:
        """Take the counts of a file in the place of these."""
        self._counts = {context: dict(counts) for context, counts in state}
        self._totals = {context: sum(counts.values()) for context, counts in self._counts.items()}
