"""How reports are merged, as data: reaches and windows for each class, weights, thresholds, what voices are worth (S11).

A score is made of place and time; text and address move it within bounds, so a sensor without words is merged like a
citizen with many. Numbers are the product's own beginning; a city keeps its own, and an incident the one it was filed under.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

HIGHEST_LEVEL: Final = 1
"""Level I; a greater number is less urgent."""


class BadMergePolicy(ValueError):
    """A policy that cannot be used: the text names field, value and rule."""


def _demand(name: str, value: object, holds: bool, rule: str) -> None:
    if not holds:
        raise BadMergePolicy(f"{name}={value!r}: must {rule}")


@dataclass(frozen=True, slots=True, order=True)
class Reach:
    """How far one occurrence of a class goes.

    `reach_m`: a further report joins by itself up to so far from the nearest source, and may be suggested up to twice
    that. `spread_m`: no two sources joined by themselves are farther apart, so a chain of near reports cannot creep
    along a street. `window_h`: so long after the newest source; `life_h`: so long after the first one, whatever came since.
    """

    reach_m: float = 60.0
    spread_m: float = 90.0
    window_h: float = 48.0
    life_h: float = 336.0

    def __post_init__(self) -> None:
        for name in ("reach_m", "spread_m", "window_h", "life_h"):
            value = getattr(self, name)
            _demand(name, value, math.isfinite(value) and value > 0, "be a finite number above 0")
        _demand(
            "spread_m", self.spread_m, self.spread_m >= self.reach_m, f"be at least reach_m={self.reach_m}"
        )
        _demand("life_h", self.life_h, self.life_h >= self.window_h, f"be at least window_h={self.window_h}")

    @property
    def farthest_m(self) -> float:
        """Beyond it a place says nothing any more."""
        return 2 * self.reach_m

    @property
    def longest_h(self) -> float:
        """Beyond it time says nothing any more."""
        return 2 * self.window_h


@dataclass(frozen=True, slots=True)
class MergePolicy:
    """The whole of it.

    `default`, `classes`: reach of a class, by its code. `place_weight`: share of the place in the score, the rest is
    time's. `text_swing`: the most that texts move the score, up when they agree more than `text_even` and down when less;
    `address_swing`: what the same address adds. `text_agrees`: alike enough to speak for a report of another class within
    `spot_m`, or for one without a point. `texts_compared`: newest sources whose words are looked at. `automatic`,
    `suggested`: the least score of each. `voice_steps`: (voices, levels), so many voices raise by so many levels.
    """

    default: Reach = Reach()
    classes: Mapping[str, Reach] = field(default_factory=dict)
    place_weight: float = 0.6
    text_swing: float = 0.1
    text_even: float = 0.15
    text_agrees: float = 0.5
    texts_compared: int = 20
    address_swing: float = 0.05
    spot_m: float = 30.0
    automatic: float = 0.5
    suggested: float = 0.4
    voice_steps: tuple[tuple[int, int], ...] = ((3, 1), (10, 2))

    def __post_init__(self) -> None:
        for name in ("place_weight", "text_even", "text_agrees", "automatic", "suggested"):
            value = getattr(self, name)
            _demand(name, value, 0 < value < 1, "lie between 0 and 1")
        for name in ("text_swing", "address_swing"):
            value = getattr(self, name)
            _demand(name, value, 0 <= value < 1, "be at least 0 and below 1")
        _demand(
            "suggested",
            self.suggested,
            self.suggested < self.automatic,
            f"be below automatic={self.automatic}",
        )
        most = 1 - self.automatic
        rule = f"be at most {most:g} (1 - automatic): the same class, spot and hour merge whatever is said"
        _demand("text_swing", self.text_swing, self.text_swing <= most, rule)
        _demand("spot_m", self.spot_m, 0 < self.spot_m <= self.default.reach_m, "be above 0, at most reach_m")
        _demand("texts_compared", self.texts_compared, self.texts_compared >= 1, "be 1 or more")
        former = (1, 0)
        for step in self.voice_steps:
            rising = step[0] > former[0] and step[1] > former[1]
            _demand(
                "voice_steps",
                self.voice_steps,
                rising,
                "rise in voices (2 or more) and in levels (1 or more)",
            )
            former = step

    def reach_of(self, kind: str) -> Reach:
        """Of a class: its own, or the default."""
        return self.classes.get(kind, self.default)

    @property
    def below_automatic(self) -> float:
        """The most that is scored by what may be suggested but never merges by itself."""
        return (self.automatic + self.suggested) / 2
