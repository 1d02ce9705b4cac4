"""Routing 智能分拨: every kind of evidence speaks for units in log-odds, the sum ranks them, a judge that learned from months
it had not seen says how probable it is that the first is right, and only above the published threshold it is sent by itself.

Nothing decides that is not told: the reasons of a unit are the summands of its own sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from incidents.boosted_judge import Judge
from incidents.dispatch_evidence import LEAST_SHARE, Evidence, Seen
from incidents.dispatch_model import Asked, Decision, Duty, Ranked, Reason, Side, Trust
from incidents.dispatch_scene import Scene, Scenes
from incidents.final_units import Context, FinalUnits

MOST_UNITS: Final = 12
"""Units that are weighed for one incident."""

TOLD: Final = 5
"""Units that are named in a decision."""

FARTHEST: Final = 8.0
"""Log-odds beyond this say no more to the judge."""

RIGHT, WRONG = "right", "wrong"

ALWAYS: Final = Duty()

FIELD_WORDS: Final = {"class": "类别不符", "place": "位置不符", "owner": "权属不符", "scope": "超出职责"}
"""`lifecycle.WRONG_FIELDS` in Chinese."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A scene with the units it may be, what each evidence says of each (log share, unit × evidence)."""

    scene: Scene
    seen: tuple[Seen, ...]
    units: tuple[str, ...]
    said: tuple[tuple[float, ...], ...]
    depths: tuple[int, ...]
    """Levels of the area each unit answers for: 0 for the whole city, or where no areas are known."""

    def scores(self, weights: Sequence[float]) -> list[float]:
        """The weighted sum of each unit."""
        return [sum(w * f for w, f in zip(weights, row, strict=True)) for row in self.said]


def softmax(scores: Sequence[float]) -> list[float]:
    """Probabilities from log-odds."""
    top = max(scores, default=0.0)
    grown = [math.exp(score - top) for score in scores]
    whole = sum(grown)
    return [g / whole for g in grown]


class Router:
    """Made by `incidents.dispatch_learning`. Deciding changes nothing, so any number of threads may ask it."""

    __slots__ = ("evidence", "judge", "record", "scenes", "threshold", "version", "weights")

    def __init__(
        self,
        scenes: Scenes,
        evidence: Sequence[Evidence],
        weights: Sequence[float],
        judge: Judge | None,
        record: FinalUnits,
        threshold: float,
        version: str,
    ) -> None:
        self.scenes = scenes
        self.evidence = tuple(evidence)
        self.weights = tuple(weights)
        self.judge = judge
        self.record = record
        self.threshold = threshold
        self.version = version

    def look(self, asked: Asked) -> Looked:
        """What there is to go by."""
        scene = self.scenes.look(asked)
        seen = tuple(evidence.look(scene) for evidence in self.evidence)
        units = tuple(dict.fromkeys(unit for one in seen for unit in one.units))[:MOST_UNITS]
        columns = [one.shares(units) for one in seen]
        said = tuple(
            tuple(math.log(max(column[i], LEAST_SHARE)) for column in columns) for i in range(len(units))
        )
        known = self.scenes.rules.units if self.scenes.rules is not None else {}
        depths = tuple(known[unit].area_path.count("/") if unit in known else 0 for unit in units)
        return Looked(scene, seen, units, said, depths)

    def decide(
        self, asked: Asked, duty: Mapping[str, Duty] | None = None, trust: Trust | None = None
    ) -> Decision:
        """Who must answer. Never raises for what is asked; what is not known makes it less sure."""
        return self.decided(self.look(asked), duty or {}, trust or Trust())

    def decided(self, looked: Looked, duty: Mapping[str, Duty], trust: Trust) -> Decision:
        """The decision on what was looked at."""
        if not looked.units:
            return Decision(
                (), False, "没有任何依据可指向责任单位，转人工派遣", "nothing points to a unit: dispatch by hand", "",
                self.version, self.threshold,
            )  # fmt: skip
        order, shares = ranking(looked, self.weights)
        sure = self._sure(looked, order, shares)
        first = shares[order[0]]
        ranked = []
        for place, i in enumerate(order[:TOLD]):
            # The rest shares what the first leaves, and nobody is surer than who stands before.
            rest = min((1 - sure) * shares[i] / max(1 - first, 1e-12), sure * shares[i] / first)
            ranked.append(
                Ranked(
                    looked.units[i], self._name(looked.units[i]), round(sure if place == 0 else rest, 6),
                    self._reasons(looked, i, order), self._rule(looked, looked.units[i]),
                )
            )  # fmt: skip
        rule = ranked[0].rule
        why, why_en = self._manual(ranked, rule, duty, trust)
        return Decision(
            tuple(ranked), not why, why or f"把握 {ranked[0].confidence:.3f}，不低于 {self.threshold:.3f}，自动派遣",
            why_en or f"confidence {ranked[0].confidence:.3f} reaches {self.threshold:.3f}: automatic", rule, self.version, self.threshold, self._sides(looked),
        )  # fmt: skip

    def _sure(self, looked: Looked, order: Sequence[int], shares: Sequence[float]) -> float:
        if self.judge is None:
            return shares[order[0]] * (1 - 1e-6)
        return min(self.judge.probability(doubts(looked, order, shares, self.record)), 1 - 1e-6)

    def _name(self, unit: str) -> str:
        return self.scenes.rules.unit_name(unit) if self.scenes.rules else unit

    def _reasons(self, looked: Looked, i: int, order: Sequence[int]) -> tuple[Reason, ...]:
        """What speaks for a unit, most first; what does not is not told, but something always is."""
        rival = next((j for j in order if j != i), None)
        found = []
        for k, one in enumerate(looked.seen):
            against = looked.said[rival][k] if rival is not None else math.log(LEAST_SHARE)
            weight = self.weights[k] * (looked.said[i][k] - against)
            reason = one.reason(looked.units[i], round(weight, 3))
            if reason is not None:
                found.append(reason)
        found.sort(key=lambda reason: -reason.weight)
        told = [reason for reason in found if reason.weight > 0] or found[:1]
        if not told:
            name = self._name(looked.units[i])
            told = [
                Reason(
                    "none", f"没有直接依据，{name}仅为候选", f"{name} is a candidate without direct evidence"
                )
            ]
        spots = looked.scene.spots
        if spots is not None and spots.border_m is not None and i == order[0]:
            sides = "、".join(f"{side.area_name}（{self._name(side.unit)}）" for side in self._sides(looked))
            told.append(
                Reason(
                    "border",
                    f"位置距边界约 {spots.border_m:.0f} 米，在定位误差 {looked.scene.asked.uncertainty_m:.0f} 米之内，两侧：{sides}",
                    f"{spots.border_m:.0f} m from a border, within the place's uncertainty; both sides: {sides}",
                )
            )
        return tuple(told)

    def _sides(self, looked: Looked) -> tuple[Side, ...]:
        """The areas on both sides of a border that is nearer than the place is sure, and who answers in each."""
        rules, scene = self.scenes.rules, looked.scene
        if rules is None or scene.spots is None or scene.spots.border_m is None:
            return ()
        assert scene.asked.lon is not None
        assert scene.asked.lat is not None
        near = rules.borders.within(scene.asked.lon, scene.asked.lat, scene.asked.uncertainty_m)
        found = []
        for path, distance in near:
            there = [
                unit for unit in looked.units
                if unit in rules.units and rules.units[unit].area_path and path.startswith(rules.units[unit].area_path)
            ]  # fmt: skip
            city = [unit for unit in looked.units if unit in rules.units and not rules.units[unit].area_path]
            # Where the table leaves no choice it says who answers there, wherever that unit sits.
            named = self._named_at(scene, path)
            unit = named[0] if len(named) == 1 else next(iter([*there, *city]), "")
            found.append(Side(path, rules.area_name(path), round(distance, 1), unit))
        return tuple(found)

    def _named_at(self, scene: Scene, path: str) -> list[str]:
        """The units that the table names at a place for the most probable standard."""
        rules, asked = self.scenes.rules, scene.asked
        if rules is None or not scene.standards:
            return []
        first, period = scene.standards[0], scene.period.kind if scene.period else ""
        rows = rules.rows(first.class_code, first.condition, period)
        units = (rules.unit_of(row.role, path, asked.road_class, scene.owner) for row in rows)
        return list(dict.fromkeys(unit for unit in units if unit))

    @staticmethod
    def _rule(looked: Looked, unit: str) -> str:
        return next((rule for one in looked.seen if (rule := one.rule(unit))), "")

    def _manual(
        self, ranked: Sequence[Ranked], rule: str, duty: Mapping[str, Duty], trust: Trust
    ) -> tuple[str, str]:
        """Why it goes to the manual pool; '' when it does not."""
        first = ranked[0]
        if not trust.automatic(rule):
            field = trust.withdrawn[rule]
            return (
                f"指向{first.unit_name}的规则曾被退回（{FIELD_WORDS.get(field, field)}），未经重新批准不自动派遣",
                f"the rule that names {first.unit_name} came back ({field}) and is not approved again",
            )
        on_duty = duty.get(first.unit, ALWAYS)
        if not on_duty.on_duty:
            return f"{first.unit_name}当前不值班，须人工派遣", f"{first.unit_name} is not on duty"
        if on_duty.full:
            zh, en = on_duty.told
            return f"{first.unit_name}{zh}，须人工派遣", f"{first.unit_name} {en}"
        if self.threshold > 1:
            return (
                f"尚无经测量发布的自动派遣阈值：首选 {first.unit_name}，转人工派遣",
                f"no measured threshold is published: first {first.unit_name}, by hand",
            )
        if first.confidence < self.threshold:
            second = f"，其次 {ranked[1].unit_name}" if len(ranked) > 1 else ""
            second_en = f"; runner-up {ranked[1].unit_name}" if len(ranked) > 1 else ""
            return (
                f"把握 {first.confidence:.3f} 低于 {self.threshold:.3f}：首选 {first.unit_name}{second}，转人工派遣",
                f"confidence {first.confidence:.3f} is below {self.threshold:.3f}: first {first.unit_name}{second_en}",
            )
        return "", ""


def ranking(looked: Looked, weights: Sequence[float]) -> tuple[list[int], list[float]]:
    """Places of the units, best first, and the share of each; what they leave to 1 is somebody nobody can name. The same
    question has always the same answer."""
    scores = looked.scores(weights)
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], looked.units[i]))
    # The nameless one is as likely as the evidence says that leaves room for it, and else stands as the first does.
    first = looked.said[order[0]]
    nameless = [
        sum(
            w * (math.log(max(one.unknown, LEAST_SHARE)) if j == k else first[j])
            for j, w in enumerate(weights)
        )
        for k, one in enumerate(looked.seen)
        if one.unknown > 0
    ]
    return order, softmax([*scores, *nameless])[: len(scores)]


def track_of(looked: Looked, unit: str) -> list[Context]:
    """The contexts in which it is remembered how often the router was right."""
    code, spots = looked.scene.asked.class_code, looked.scene.spots
    chain: list[Context] = [("all",), ("unit", unit), ("class", code), ("class", code, unit)]
    return [*chain, ("street", code, spots.spots[0].path)] if spots and spots.spots else chain


def doubts(looked: Looked, order: Sequence[int], shares: Sequence[float], record: FinalUnits) -> list[float]:
    """The numbers the judge looks at: how far the first is ahead, in all and in each evidence, how much each had to go by,
    how often the router was right in such cases, and what is not known."""
    top = order[0]
    second = order[1] if len(order) > 1 else None
    found = [_odds(shares[top]), FARTHEST if second is None else _cut(math.log(shares[top] / shares[second]))]
    for k, one in enumerate(looked.seen):
        best = max((looked.said[i][k] for i in order if i != top), default=math.log(LEAST_SHARE))
        found += [_cut(looked.said[top][k] - best), _odds(math.exp(looked.said[top][k])), *one.marks]
    right = record.shares(track_of(looked, looked.units[top]), (RIGHT, WRONG), looked.scene.asked.day)[0]
    # A wrong place matters the more, the smaller the area that the unit answers for.
    return [*found, _odds(right), float(looked.depths[top]), *looked.scene.marks]


def _odds(share: float) -> float:
    return _cut(math.log(max(share, 1e-9) / max(1 - share, 1e-9)))


def _cut(odds: float) -> float:
    return max(-FARTHEST, min(FARTHEST, odds))
