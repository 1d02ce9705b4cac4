"""Where an incident really is: the pin, the areas across a near border, the places its text names, the component's register.

How far each is to be believed, alone and against the others, is learned from the areas of the units that handled such
incidents in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from incidents.dispatch_model import Asked
from incidents.final_units import FinalUnits
from incidents.responsibility import Rules, paths_up

REGISTERED, PIN, NAMED, NEAR, ELSEWHERE = "registered", "pin", "named", "near", "elsewhere"

NEAREST_LOOKED_AT_M: Final = 25.0
"""Areas this near are always looked at, however sure the source is of its place."""

MOST_AREAS: Final = 6

PRIOR: Final = {REGISTERED: 0.97, PIN: 0.9, NAMED: 0.5, NEAR: 0.3, ELSEWHERE: 0.02}
"""Before anything is learned."""


@dataclass(frozen=True, slots=True)
class Spot:
    """An area that the incident may lie in. `kind`: who says so; `probability` given all that was said."""

    path: str
    kind: str
    probability: float
    distance_m: float


@dataclass(frozen=True, slots=True)
class Spots:
    """All of them, most probable first; the rest to 1 is that it lies elsewhere. `pattern`: who says what, for learning."""

    spots: tuple[Spot, ...]
    pattern: tuple[str, ...]
    named: tuple[str, ...]
    border_m: float | None
    """How far the nearest border is, where it is nearer than the place is sure."""

    @property
    def confirmed(self) -> bool:
        """Two say the same, or the register says it."""
        return self.pattern[0] != "-" or self.pattern[1] == "agrees"

    @property
    def torn(self) -> bool:
        """What the text names lies elsewhere than the pin."""
        return self.pattern[1] == "elsewhere"


class Places:
    """Weighs what is said of places; learns from outcomes."""

    __slots__ = ("_history", "_rules", "_smallest")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._smallest = frozenset(rules.borders.codes)
        self._history = FinalUnits(strength=5.0)

    def look(self, asked: Asked) -> Spots:
        """The areas that the incident may lie in."""
        rules = self._rules
        near: list[tuple[str, float]] = []
        if asked.lon is not None and asked.lat is not None:
            near = rules.borders.within(asked.lon, asked.lat, max(asked.uncertainty_m, NEAREST_LOOKED_AT_M))
        # A pin just outside of all areas (on the river) still belongs to the nearest.
        pin = near[0][0] if near else asked.area
        named, _ = rules.named_in(asked.text)
        streets = self._streets([path for _, paths in named for path in paths], [path for path, _ in near])
        kinds: dict[str, tuple[str, float]] = {}
        if asked.registered_area:
            kinds[asked.registered_area] = (REGISTERED, 0.0)
        if pin:
            kinds.setdefault(pin, (PIN, 0.0))
        for path in streets:
            kinds.setdefault(path, (NAMED, 0.0))
        for path, distance in near[1:]:
            kinds.setdefault(path, (NEAR, distance))
        kept = list(kinds.items())[:MOST_AREAS]
        border = near[1][1] if len(near) > 1 and near[1][1] <= asked.uncertainty_m else None
        pattern = (
            "-" if not asked.registered_area else "same" if pin == asked.registered_area else "other",
            self._said(
                streets, [p for _, paths in named for p in paths], pin, [path for path, _ in near[1:]]
            ),
            self._step(near, asked.uncertainty_m),
        )
        labels = list(dict.fromkeys(kind for _, (kind, _) in kept))
        believed = self._believed(pattern, [*labels, ELSEWHERE], asked.day)
        share = {label: believed[i] for i, label in enumerate(labels)}
        many = {label: sum(kind == label for _, (kind, _) in kept) for label in labels}
        spots = [Spot(path, kind, share[kind] / many[kind], far) for path, (kind, far) in kept]
        spots.sort(key=lambda spot: (-spot.probability, spot.path))
        return Spots(tuple(spots), pattern, tuple(name for name, _ in named), border)

    def learn(self, asked: Asked, spots: Spots, unit: str) -> None:
        """What the final unit tells of the place: nothing when it answers for the whole city or for all the areas."""
        found = self._rules.units.get(unit)
        if found is None or not found.area_path:
            return
        fits = [spot for spot in spots.spots if spot.path.startswith(found.area_path)]
        if len(fits) == len(spots.spots) and len(fits) > 1:
            return
        chain = self._chain(spots.pattern)
        for spot in fits:
            self._history.learn(chain, spot.kind, asked.day, 1 / len(fits))
        if not fits:
            self._history.learn(chain, ELSEWHERE, asked.day)

    def learned(self) -> FinalUnits:
        """What has been learned, for the file of a router."""
        return self._history

    def _believed(self, pattern: Sequence[str], labels: list[str], day: float) -> list[float]:
        learned = self._history.shares(self._chain(pattern), labels, day)
        count, _ = self._history.seen(("step", *pattern), "", day)
        weighed = [
            share + PRIOR[label] * 5 / (count + 5) for share, label in zip(learned, labels, strict=True)
        ]
        whole = sum(weighed)
        return [share / whole for share in weighed]

    @staticmethod
    def _chain(pattern: Sequence[str]) -> list[tuple[str, ...]]:
        return [("register", pattern[0]), ("said", *pattern[:2]), ("step", *pattern)]

    def _streets(self, paths: Sequence[str], near: Sequence[str]) -> list[str]:
        """The smallest areas that named areas mean: a named district means those of it that are near."""
        found: dict[str, None] = {}
        for path in paths:
            street = next((p for p in paths_up(path) if p in self._smallest), "")
            if street:
                found[street] = None
            else:
                found.update(dict.fromkeys(p for p in near if p.startswith(path)))
        return list(found)

    def _said(self, streets: Sequence[str], named: Sequence[str], pin: str, near: Sequence[str]) -> str:
        """What the text says of the pin."""
        if not named:
            return "nothing"
        if all(path not in self._smallest for path in named):
            return "district" if any(pin.startswith(path) for path in named) else "elsewhere"
        if pin in streets:
            return "agrees" if len(streets) == 1 else "also"
        if any(path in streets for path in near):
            return "across"
        return "elsewhere"

    @staticmethod
    def _step(near: Sequence[tuple[str, float]], uncertainty_m: float) -> str:
        """How near the border is, in parts of what the place may be off."""
        if not near:
            return "no pin"
        if near[0][1] > 0:
            return "outside"
        if len(near) == 1:
            return "inside"
        ratio = near[1][1] / max(uncertainty_m, 1.0)
        return next((f"border {step}" for step in (0.15, 0.3, 0.5, 0.75, 1.0) if ratio <= step), "inside")
